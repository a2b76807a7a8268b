//! Record of a call that is over: its legs, and how each of them ended.

use std::fmt;

use media_core::control::{LegId, Report, Role};
use sans_io::Time;
use sip_core::endpoint::Reason;
use sip_core::message::StatusCode;

use crate::SessionId;
use crate::event::Source;
use crate::identity::DiversionReason;

/// Cause of a session's end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The caller hung up, or cancelled.
    Caller,
    /// The called party hung up.
    Callee,
    /// We did.
    Local,
    /// Nobody answered, or everybody refused: see the code.
    Refused,
    /// A browser was away longer than its grace.
    Away,
    /// A phone was silent and did not answer when it was asked for a sign of life.
    Lost,
    /// Media or signalling failed: see the code.
    Failed,
}

/// Fault of a call or a registration, if its code does not tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The peer refused: the code is its own.
    Rejected,
    /// No such user or trunk.
    Unknown,
    /// All channels of the trunk are in use, or it was called as often as it may.
    TrunkFull,
    /// A cap on calls, against toll fraud, was reached.
    Capped,
    /// The user has no contact.
    NotRegistered,
    /// The name of the target does not resolve.
    Unresolved,
    /// Nothing could be sent there.
    Unreachable,
    /// The peer sent no response.
    NoResponse,
    /// The callee rang for as long as it may.
    NoAnswer,
    /// Our answer was never acknowledged.
    NotAcknowledged,
    /// The session timer ran out (RFC 4028).
    SessionExpired,
    /// All RTP ports are taken.
    NoPort,
    /// A media thread has too much to do.
    Overloaded,
    /// ICE or DTLS failed, or the peer's media went away.
    Media,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Fault::Rejected => "refused by the called party",
            Fault::Unknown => "no such user or trunk",
            Fault::TrunkFull => "no channel of the trunk is free",
            Fault::Capped => "a cap on calls was reached",
            Fault::NotRegistered => "the user is not registered",
            Fault::Unresolved => "the name does not resolve",
            Fault::Unreachable => "no connection",
            Fault::NoResponse => "no response",
            Fault::NoAnswer => "no answer in time",
            Fault::NotAcknowledged => "the answer was not acknowledged",
            Fault::SessionExpired => "the session timer ran out",
            Fault::NoPort => "no free RTP port",
            Fault::Overloaded => "a media thread is overloaded",
            Fault::Media => "the media connection failed",
        })
    }
}

/// A call, once it is over.
#[derive(Clone, Debug)]
pub struct CallRecord {
    /// The session.
    pub session: SessionId,
    /// Origin of the call; `None` for a call of ours.
    pub source: Option<Source>,
    /// User part of the caller.
    pub from: String,
    /// Number or name that was dialled.
    pub to: String,
    /// Forwardings of the call by us, in order.
    pub forwarded: Vec<Forwarding>,
    /// Time at which the INVITE came, or was sent.
    pub began: Time,
    /// Time at which the caller was answered (or, for a call of ours, the callee answered).
    pub answered: Option<Time>,
    /// Time at which the last leg was told to end.
    pub ended: Time,
    /// Cause of the end.
    pub cause: Cause,
    /// Final SIP code: 200 for a call that was answered and did not fail later.
    pub code: StatusCode,
    /// Fault, with [`Cause::Refused`] and [`Cause::Failed`]; with [`Cause::Local`] a cap that ended it.
    pub fault: Option<Fault>,
    /// Its legs, in the order in which they began.
    pub legs: Vec<LegRecord>,
}

/// A step on the way of a call that was forwarded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forwarding {
    /// Number or name that was called.
    pub by: String,
    /// Reason why the call went on.
    pub reason: DiversionReason,
    /// Number or name that was called instead.
    pub to: String,
}

/// End of a leg's dialog.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LegEnd {
    /// Time of the first word about it.
    pub at: Time,
    /// Whoever ended it.
    pub by: EndedBy,
    /// SIP status: that of the refusal, 200 for a BYE, 487 for a CANCEL, 408 where nobody answered.
    pub code: StatusCode,
    /// `Reason` of the BYE or CANCEL (RFC 3326).
    pub reason: Option<Reason>,
}

/// Whoever ended a leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndedBy {
    /// Its peer.
    Peer,
    /// We did.
    Us,
    /// Nobody: a timer ran out, or the connection failed.
    Failure,
}

/// A leg, once it is over.
#[derive(Clone, Debug)]
pub struct LegRecord {
    /// The leg.
    pub leg: LegId,
    /// The party's user part.
    pub party: String,
    /// User of the directory that it belongs to.
    pub user: Option<String>,
    /// Trunk that it came from, or was called through.
    pub trunk: Option<String>,
    /// True if its peer called us.
    pub incoming: bool,
    /// True if its peer is a browser.
    pub browser: bool,
    /// Its role among those who hear each other, at the end.
    pub role: Role,
    /// Its SIP Call-ID; empty if no INVITE was sent.
    pub call_id: String,
    /// Time at which its INVITE came, or was sent.
    pub began: Option<Time>,
    /// Time at which it was answered.
    pub answered: Option<Time>,
    /// Time and manner of its end.
    pub end: Option<LegEnd>,
    /// Counts of its media.
    pub report: Report,
}
