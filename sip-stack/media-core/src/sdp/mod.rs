//! SDP offer and answer (RFC 3264), one engine for two profiles: browsers (`UDP/TLS/RTP/SAVPF` with ICE,
//! RFC 8829) and phones (`RTP/AVP`, and `RTP/SAVP` with the keys in SDP, RFC 4568). Lenient in reading, strict in writing.
//!
//! One [`Negotiator`] a leg holds what both sides said last. It knows nothing of SIP: it reads bodies and writes bodies, and
//! each exchange that succeeds yields a [`Negotiated`](crate::negotiated::Negotiated) for the shard. An exchange that fails
//! changes nothing.
//!
//! A phone's description may also name formats that we can neither decode nor encode. They are offered to another phone as the first one
//! wrote them, name, parameters and number, and the answer goes back in the same way: [`Config::passed`].
//!
//! Deliberately absent: remote candidates. Our side is ICE-lite and learns the peer's address from its checks, so candidates
//! (`.local` names among them) are neither parsed nor waited for. Absent too: SSRCs. The answer names none, because a
//! browser ties a stream to its only audio section by payload type, and a wrong SSRC would silence it.

mod choose;
mod crypto;
mod error;
mod family;
mod format;
mod negotiator;
mod peek;
mod read;
mod section;
mod security;
mod text;
mod write;

pub use crypto::SrtpPolicy;
pub use error::SdpError;
pub use family::Family;
pub use format::Spoken;
pub use negotiator::{Answer, Asked, Browser, Config, Fax, Negotiator, Profile, Renew, fax_alone};
pub use peek::{Peek, Peer, peek, peek_passing};
