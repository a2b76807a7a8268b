//! What the coordinator tells its application.

use std::fmt;
use std::net::SocketAddr;

use media_core::control::{LegId, Report};
use sans_io::Time;
use serde::{Deserialize, Serialize};

use crate::guard::Ban;
use crate::{Refusal, SessionId};

/// Coordinator to application. Events of one session come in order; [`Event::Ended`] is its last.
#[derive(Clone, Debug)]
pub enum Event {
    /// A call came in and waits for [`dial`](crate::Coordinator::dial), [`answer`](crate::Coordinator::answer),
    /// [`ring`](crate::Coordinator::ring) or [`reject`](crate::Coordinator::reject).
    Incoming {
        /// The new session.
        session: SessionId,
        /// The caller's leg.
        leg: LegId,
        /// Who calls whom.
        call: Box<IncomingCall>,
    },
    /// A dialled party rings or makes progress.
    Progress {
        /// Whose call.
        session: SessionId,
        /// The branch.
        leg: LegId,
        /// 180 to 199.
        code: u16,
        /// It sends early media.
        early_media: bool,
    },
    /// A leg is answered: ours by [`answer`](crate::Coordinator::answer) and acknowledged, or a dialled one by its peer.
    Answered {
        /// Whose call.
        session: SessionId,
        /// The leg.
        leg: LegId,
    },
    /// What [`save`](crate::Coordinator::save) gives of a leg that called us is another one now.
    Changed {
        /// Whose call.
        session: SessionId,
        /// The leg.
        leg: LegId,
    },
    /// The peer of a leg goes on after a restart ([`restore`](crate::Coordinator::restore)).
    Restored {
        /// Whose call.
        session: SessionId,
        /// The leg.
        leg: LegId,
    },
    /// A phone of a user that was dialled says that it is elsewhere (a 3xx: call forwarding). The caller waits for
    /// [`follow`](crate::Coordinator::follow) or [`undial`](crate::Coordinator::undial).
    Diverted {
        /// Whose call.
        session: SessionId,
        /// The phone's leg, which is over.
        leg: LegId,
        /// The user, in whose name the call goes on.
        user: String,
        /// Where to, best first; never empty.
        numbers: Vec<String>,
    },
    /// These legs hear each other from now on, each as its role allows.
    Bridged {
        /// Whose call.
        session: SessionId,
        /// Who.
        legs: Vec<LegId>,
    },
    /// An [`offer`](crate::Coordinator::offer) rings.
    OfferRings {
        /// Whose call.
        session: SessionId,
        /// The offer.
        offer: LegId,
        /// 180 to 199.
        code: u16,
    },
    /// An offer was answered: [`admit_leg`](crate::Coordinator::admit_leg) or [`withdraw`](crate::Coordinator::withdraw) the leg.
    OfferAnswered {
        /// Whose call.
        session: SessionId,
        /// The offer.
        offer: LegId,
        /// The leg that answered: from now on the party's.
        leg: LegId,
    },
    /// An offer ended without an answer.
    OfferEnded {
        /// Whose call.
        session: SessionId,
        /// The offer.
        offer: LegId,
        /// Best of the final responses.
        code: u16,
    },
    /// A leg is out of a session that goes on.
    Left {
        /// Whose call.
        session: SessionId,
        /// The leg.
        leg: LegId,
        /// How.
        cause: Cause,
        /// SIP code; 200 for BYE.
        code: u16,
    },
    /// Everybody of a session is in another one now; nothing more is said of it, its record is in that one's.
    Joined {
        /// The session that goes on.
        session: SessionId,
        /// The one that is no more.
        guest: SessionId,
    },
    /// The peer of a leg wants to be replaced (REFER), and waits for [`transfer`](crate::Coordinator::transfer),
    /// [`transfer_attended`](crate::Coordinator::transfer_attended), [`accept_refer`](crate::Coordinator::accept_refer) or
    /// [`refuse_refer`](crate::Coordinator::refuse_refer).
    Refer {
        /// Whose call.
        session: SessionId,
        /// The leg: a user's.
        leg: LegId,
        /// By whom.
        to: ReferTo,
    },
    /// A call came in that asks for the place of a leg (INVITE with `Replaces`, RFC 3891), and may have it; waits for
    /// [`replace`](crate::Coordinator::replace) or [`reject`](crate::Coordinator::reject).
    Replaces {
        /// The new session.
        session: SessionId,
        /// The new leg.
        leg: LegId,
        /// Who asks.
        call: Box<IncomingCall>,
        /// The leg that it would replace.
        replaced: LegId,
    },
    /// Others are in a session in place of a leg, which is hung up.
    Transferred {
        /// Whose call.
        session: SessionId,
        /// The leg.
        leg: LegId,
        /// Those who came.
        to: Vec<LegId>,
    },
    /// A leg was not replaced; it is in its session as before, unless its peer hung up.
    TransferFailed {
        /// Whose call.
        session: SessionId,
        /// The leg.
        leg: LegId,
        /// Why: what its peer was told.
        code: u16,
    },
    /// How the transfer goes that we asked for by [`refer`](crate::Coordinator::refer).
    ReferProgress {
        /// Whose call.
        session: SessionId,
        /// The leg.
        leg: LegId,
        /// 100 to 199 under way, 200 to 299 done, from 300 on failed.
        code: u16,
    },
    /// A user whose browser is away from a kept session registered again, with another browser perhaps.
    Returned {
        /// Whose call.
        session: SessionId,
        /// The leg that is away.
        leg: LegId,
        /// Whose it is.
        user: String,
    },
    /// Answer to [`probe`](crate::Coordinator::probe): the program behind a contact of the user runs.
    Alive {
        /// The user.
        user: String,
    },
    /// No dialled party answered. The session lives on with its caller, if there is one, until the application says what
    /// becomes of it; by itself it rejects the caller with `code` when `dial` was told to.
    DialFailed {
        /// Whose call.
        session: SessionId,
        /// Best of the final responses (RFC 3261 §16.7 step 6).
        code: u16,
    },
    /// A digit, by RFC 4733 or INFO alike. It was passed on to the bridged leg already.
    Dtmf {
        /// Whose call.
        session: SessionId,
        /// Who pressed.
        leg: LegId,
        /// `0`-`9`, `*`, `#`, `A`-`D`.
        digit: char,
        /// For how long.
        duration_ms: u16,
    },
    /// The leg's peer put us on hold, or took us back.
    Hold {
        /// Whose call.
        session: SessionId,
        /// The leg that holds.
        leg: LegId,
        /// Held now.
        held: bool,
    },
    /// The leg's browser left (or came back): its far side hears music meanwhile.
    Away {
        /// Whose call.
        session: SessionId,
        /// The leg.
        leg: LegId,
        /// It is away.
        away: bool,
    },
    /// Nothing comes from a leg from which something should, or something does again: phones and trunks only.
    Silent {
        /// Whose call.
        session: SessionId,
        /// The leg.
        leg: LegId,
        /// It is silent.
        silent: bool,
    },
    /// The peer of a silent leg is there all the same: it answered when it was asked, as by [`ask_peer`](crate::Coordinator::ask_peer).
    /// One that is not there has its leg ended.
    Present {
        /// Whose call.
        session: SessionId,
        /// The leg.
        leg: LegId,
    },
    /// An [`announce`](crate::Coordinator::announce) is over.
    Announced {
        /// Whose call.
        session: SessionId,
        /// Who heard it.
        leg: LegId,
        /// To its end.
        whole: bool,
    },
    /// The first authentic audio packet of the leg's peer.
    Talking {
        /// Whose call.
        session: SessionId,
        /// The leg.
        leg: LegId,
    },
    /// Answer to [`report`](crate::Coordinator::report).
    Report {
        /// Whose call.
        session: SessionId,
        /// The leg.
        leg: LegId,
        /// What it counted.
        report: Box<Report>,
    },
    /// The session is over and everything of it is gone.
    Ended {
        /// Which one.
        session: SessionId,
        /// What there was.
        record: Box<CallRecord>,
    },
    /// A user registered the first contact, or lost the last one.
    Reachable {
        /// The user.
        user: String,
        /// Can be called now.
        reachable: bool,
    },
    /// Somebody was refused for what they are.
    Refused(Box<Refusal>),
    /// A source is banned from now on.
    Banned(Ban),
    /// A registration of ours ([`register`](crate::Coordinator::register)) succeeded or failed.
    Registration {
        /// Its name.
        account: u64,
        /// 200, or the code it failed with (408, 503 when nobody answered); 0 after it was given up on request.
        code: u16,
        /// What went wrong.
        fault: Option<Fault>,
    },
}

/// Where a call came from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// An authenticated user.
    User(String),
    /// A trunk, known by its address.
    Trunk(String),
    /// Nobody asked (a client without accounts of its own).
    Anyone,
}

/// Who is to replace somebody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReferTo {
    /// Whoever is reached by dialling this: the user part of `Refer-To`, percent-escapes undone, of a `tel:` URI its number.
    Number(String),
    /// Whoever this leg talks with: another leg of the same user.
    Leg(LegId),
}

/// Who calls whom.
#[derive(Clone, Debug)]
pub struct IncomingCall {
    /// Where it came from.
    pub source: Source,
    /// User part of From, percent-escapes undone.
    pub from: String,
    /// Display name of From, may be empty.
    pub display: String,
    /// User part of the Request-URI: what was dialled, percent-escapes undone, `tel:` included.
    pub to: String,
    /// Host of the Request-URI.
    pub domain: String,
    /// The peer of the SIP flow.
    pub peer: SocketAddr,
    /// The SIP Call-ID.
    pub call_id: String,
    /// The peer is a browser.
    pub browser: bool,
}

/// How a session ended.
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
    /// A phone was silent and, when asked, not there.
    Lost,
    /// Media or signalling failed: see the code.
    Failed,
}

/// What went wrong with a call or a registration, where its code does not say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The peer refused: the code is its own.
    Rejected,
    /// No such user or trunk.
    Unknown,
    /// The user has no contact.
    NotRegistered,
    /// The name of the target does not resolve.
    Unresolved,
    /// Nothing could be sent there.
    Unreachable,
    /// The peer sent no response.
    NoResponse,
    /// It rang for as long as it may.
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
    /// Which session.
    pub session: SessionId,
    /// Where it came from; `None` for a call of ours.
    pub source: Option<Source>,
    /// User part of the caller.
    pub from: String,
    /// What was dialled.
    pub to: String,
    /// When the INVITE came, or was sent.
    pub began: Time,
    /// When the caller was answered (or, for a call of ours, the callee answered).
    pub answered: Option<Time>,
    /// When the last leg was told to end.
    pub ended: Time,
    /// Who or what ended it.
    pub cause: Cause,
    /// Final SIP code: 200 for a call that was answered and did not fail later.
    pub code: u16,
    /// What went wrong, with [`Cause::Refused`] and [`Cause::Failed`].
    pub fault: Option<Fault>,
    /// One for each leg that had media.
    pub legs: Vec<LegRecord>,
}

/// A leg, once it is over.
#[derive(Clone, Debug)]
pub struct LegRecord {
    /// Which leg.
    pub leg: LegId,
    /// The party's user part.
    pub party: String,
    /// Its SIP Call-ID.
    pub call_id: String,
    /// When it was answered.
    pub answered: Option<Time>,
    /// What its media counted.
    pub report: Report,
}
