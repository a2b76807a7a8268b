//! Live calls: sessions, legs, bridges, and the verbs on them, without I/O.
//!
//! [`Coordinator`] is the one authority. It owns the SIP machine, the registrar and what signalling knows of each leg's
//! media; it speaks to media shards in plain commands and to its application in plain events. Every leg is negotiated by
//! itself: nothing of one leg (Call-ID, tags, SDP, SSRC) reaches another.

mod admission;
mod bridge;
mod calendar;
mod call;
mod caps;
pub mod config;
mod context;
mod coordinator;
mod dial;
mod directory;
pub mod emergency;
mod event;
pub mod guard;
pub mod identity;
mod ids;
mod incoming;
mod index;
mod instant;
mod leg;
mod numbers;
mod pass_through;
mod record;
mod recovery;
mod registration;
mod response_code;
mod signalling;
mod stats;
pub mod stir;
mod transfer;
mod trunk;
mod upstream;
mod verbs;
mod watch;

pub use admission::{Excess, Limits, MAX_USER, Quota, Reason, Refusal};
pub use bridge::{BridgeError, BridgeInfo};
pub use call::{CallSession, CallState, SessionId};
pub use caps::{Cap, CapPer, Talk};
pub use config::{
    Access, Adjustment, CallerId, Config, Credentials, HoldPolicy, Lent, PeerMedia, SessionPolicy,
    SignallingPolicy, Trunk, User,
};
pub use coordinator::{Coordinator, Input, Output};
pub use dial::{Attempt, Caller, Dial, Invitation, Next, OnFailure, OutgoingCall, Party};
pub use event::{BridgeEvent, Event, IncomingCall, ReferTo, RegistrationState, Source, Way};
pub use ids::first_id;
pub use instant::{IncomingMessage, MessageCounts, MessageId, MessageSettings, SavedMessage};
pub use leg::{LegInfo, LegState};
pub use media_core::control::{Application, BridgeId, LegId, MediaSource, Role};
pub use media_core::sdp::SrtpPolicy;
pub use numbers::{NumberForm, Numbering, NumberingError, TrunkNumbers};
pub use pass_through::PassThrough;
pub use record::{CallRecord, Cause, EndedBy, Fault, Forwarding, LegEnd, LegRecord};
pub use recovery::SavedLeg;
pub use registration::{
    ContactUser, Registrant, Registration, TrunkRegistration, TrunkRegistrationStatus, TrunkStatus,
};
pub use sip_core::dialog::Duty;
pub use sip_core::endpoint::Reliability;
pub use stats::Stats;
pub use trunk::{
    CallRate, FailoverCodes, Located, Outgoing, TargetState, TargetStatus, Trouble, TrunkAddress, Watch,
};
pub use watch::{
    Activity, MailboxNotice, NoticeId, Package, WatchCounts, WatchRequest, rewrite_presence, rewrite_summary,
};
