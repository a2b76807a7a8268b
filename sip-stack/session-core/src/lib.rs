//! Live calls: sessions, legs, bridges, and the verbs on them, without I/O.
//!
//! [`Coordinator`] is the one authority. It owns the SIP machine, the registrar and what signalling knows of each leg's
//! media; it speaks to media shards in plain commands and to its application in plain events. Every leg is negotiated by
//! itself: nothing of one leg (Call-ID, tags, SDP, SSRC) reaches another.

mod access;
pub mod config;
mod coordinator;
mod event;
mod forks;
pub mod guard;
mod identity;
mod leg;
mod media;
mod presence;
mod quota;
mod refusal;
mod response_code;
mod rights;
mod session;
mod signalling;
mod verb;
mod wiring;

pub use config::{Access, Adjustment, Config, Credentials, Lent, Trunk, User};
pub use coordinator::{Coordinator, Input, Output, Stats};
pub use event::{CallRecord, Cause, Event, Fault, IncomingCall, LegRecord, ReferTo, Source};
pub use media_core::control::{Application, LegId, MediaSource, Role};
pub use quota::{Excess, Limits, Quota};
pub use refusal::{MAX_USER, Reason, Refusal};
pub use session::SessionId;
pub use verb::{Caller, Dial, Offer, OnFailure, OutgoingCall, Party, Registration, SavedLeg};
