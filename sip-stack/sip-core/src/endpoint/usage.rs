use crate::message::StatusCode;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use sans_io::Time;
use smallvec::SmallVec;

use crate::auth::Answerer;
use crate::dialog::{Dialog, Duty, SessionTimer};
use crate::flow::{Destination, Flow, Transport};
use crate::network::Network;

use super::counts::UsageInfo;
use super::event::OfferMethod;
use super::ids::{QueryId, ReferId};
use super::outgoing::{Body, Headers};
use super::refer::Subscription;
use super::reliable::Reliability;

/// State of an INVITE usage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Our INVITE has no final response.
    Calling,
    /// We owe the peer's INVITE a final response.
    Incoming,
    /// We sent a 2xx and wait for the ACK.
    Accepted,
    /// Both sides agreed.
    Confirmed,
    /// `Event::Ended` was given out; what remains is to say goodbye.
    Over,
}

/// Timers of a usage, besides those of its transactions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Alarm {
    /// The callee rings for too long.
    Ring,
    /// Repeats to the caller that it rings (RFC 3261 §13.3.1.1).
    StillRinging,
    /// The time that the caller's INVITE gave is over (RFC 3261 §13.3.1).
    Expired,
    /// The peer gave no sign of life when asked.
    Ping,
    /// A cancelled INVITE gets no final response (RFC 3261 §9.1).
    Cancelled,
    /// A reliable provisional response of ours is to be sent again (RFC 3262 §3).
    Reliable,
    /// A 2xx of ours is to be sent again (RFC 3261 §13.3.1.4).
    Accepted,
    /// The back-off of an offer that met the peer's is over (§14.1).
    Retry,
    /// The session is to be refreshed, or given up (RFC 4028).
    Session,
}

/// One SIP leg: see [`UsageId`](super::UsageId).
#[derive(Debug)]
pub(super) struct Usage {
    pub(super) info: UsageInfo,
    pub(super) state: State,
    /// While calling, one for each fork that answered; then the one that is confirmed. Callee: one from the start.
    pub(super) dialogs: SmallVec<[Dialog; 1]>,
    /// Requests within the dialog go over this flow, whatever its route set says.
    pub(super) sticky: Option<Flow>,
    /// Addresses from which its peer may change the session, over transports that anybody can forge; empty: any.
    pub(super) peers: BTreeSet<Network>,
    /// Destination of our INVITE.
    pub(super) reached: Option<Destination>,
    /// Last resolution of the next hop's name.
    pub(super) resolved: Option<(String, VecDeque<Destination>)>,
    pub(super) answerer: Option<Answerer>,
    pub(super) contact_user: String,
    /// Client transactions without a final response, names being resolved included.
    pub(super) open: u32,

    // Our INVITE.
    /// The usage began with it; Call-ID is ours.
    pub(super) ours: bool,
    /// Its client transaction.
    pub(super) invite: Option<u64>,
    pub(super) query: Option<QueryId>,
    pub(super) ring_timeout: Duration,
    /// Time that a target may stay silent.
    pub(super) response_timeout: Option<Duration>,
    /// Its final response is a 2xx whose ACK the user still owes (late offer).
    pub(super) owes_ack: Option<u64>,
    /// CANCEL as soon as a provisional response allows it: its `Reason` line.
    pub(super) cancel: Option<String>,

    // The peer's INVITE.
    /// Its server transaction.
    pub(super) server: Option<u64>,
    /// True if it carried an offer.
    pub(super) offered: bool,
    /// True if it did not, and a reliable provisional response of ours did.
    pub(super) offered_early: bool,
    pub(super) reliable: Reliable,
    pub(super) unacked: Option<Unacked>,
    /// BYE as soon as the ACK allows it: its further lines.
    pub(super) bye: Option<String>,

    // Changes of the session.
    pub(super) offers: VecDeque<Body>,
    /// The first of them is not made again after a collision, and has these headers.
    pub(super) once: bool,
    pub(super) offer_headers: Headers,
    /// A re-INVITE of ours has no final response.
    pub(super) reinviting: bool,
    /// The offer of the peer that the user still owes an answer.
    pub(super) offer_in: Option<OfferIn>,
    pub(super) local_sdp: Option<Body>,
    pub(super) remote_sdp: Option<Body>,

    // Transfers that the peer asked for.
    pub(super) refers: BTreeMap<ReferId, Subscription>,
    /// There was one.
    pub(super) referred: bool,

    /// True while we wait for a sign of life of the peer.
    pub(super) pinging: bool,

    // Session timer.
    pub(super) session: Option<SessionTimer>,
    /// Proposal of the peer's INVITE: `Session-Expires` to answer with.
    pub(super) proposed: Option<Proposed>,
    /// Interval that we want, seconds, whatever the peer proposes or knows of session timers.
    pub(super) wanted: Option<u32>,
    /// Side that we want to refresh, where the peer leaves that open.
    pub(super) refresher: Option<Duty>,
    /// True if the peer knows session timers.
    pub(super) knows_timer: bool,
    pub(super) refreshing: bool,
    pub(super) min_se: u32,
    /// The peer takes UPDATE.
    pub(super) takes_update: bool,
}

/// A session interval that a request of the peer proposed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Proposed {
    pub(super) seconds: u32,
    /// Side that the request names; `None`: it leaves that open.
    pub(super) refresher: Option<Duty>,
}

/// Provisional responses that the peer must acknowledge (RFC 3262 §3).
#[derive(Debug, Default)]
pub(super) struct Reliable {
    /// The peer requires them.
    pub(super) required: bool,
    /// The peer supports them.
    pub(super) supported: bool,
    /// Those that a peer gets that supports them.
    pub(super) wanted: Reliability,
    /// One went out.
    pub(super) begun: bool,
    /// CSeq number of the INVITE.
    pub(super) invite: u32,
    /// `RSeq` of the last one.
    pub(super) rseq: u32,
    /// The one without PRACK.
    pub(super) waiting: Option<Waiting>,
    /// `RSeq` of the response that the 2xx overtook: its PRACK may yet come (RFC 3262 §3).
    pub(super) overtaken: Option<u32>,
    /// Those that follow it.
    pub(super) queue: VecDeque<(StatusCode, Option<Body>, String)>,
    /// A 2xx that may not overtake a provisional response with a description.
    pub(super) held_accept: Option<(Option<Body>, String)>,
}

/// A provisional response without PRACK.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) interval: Duration,
    pub(super) until: Time,
    pub(super) has_body: bool,
}

/// A 2xx of ours without ACK.
#[derive(Debug)]
pub(super) struct Unacked {
    pub(super) cseq: u32,
    /// The server transaction that it answers.
    pub(super) server: u64,
    pub(super) data: Bytes,
    pub(super) to: Destination,
    pub(super) interval: Duration,
    pub(super) until: Time,
    /// True if it answers the INVITE that began the usage.
    pub(super) initial: bool,
    /// True if it offers; the ACK answers.
    pub(super) offers: bool,
}

/// An offer of the peer.
#[derive(Clone, Debug)]
pub(super) struct OfferIn {
    pub(super) server: u64,
    pub(super) method: OfferMethod,
    /// The offer; a re-INVITE without one asks us for it.
    pub(super) body: Option<Body>,
    /// Credentials of the request, as written.
    pub(super) credentials: Headers,
    pub(super) proposed: Option<Proposed>,
}

impl Usage {
    pub(super) fn new(info: UsageInfo, state: State) -> Usage {
        Usage {
            info,
            state,
            dialogs: SmallVec::new(),
            sticky: None,
            peers: BTreeSet::new(),
            reached: None,
            resolved: None,
            answerer: None,
            contact_user: String::new(),
            open: 0,
            ours: state == State::Calling,
            invite: None,
            query: None,
            ring_timeout: Duration::ZERO,
            response_timeout: None,
            owes_ack: None,
            cancel: None,
            server: None,
            offered: false,
            offered_early: false,
            reliable: Reliable::default(),
            unacked: None,
            bye: None,
            offers: VecDeque::new(),
            once: false,
            offer_headers: Headers::new(),
            reinviting: false,
            offer_in: None,
            local_sdp: None,
            remote_sdp: None,
            refers: BTreeMap::new(),
            referred: false,
            pinging: false,
            session: None,
            proposed: None,
            wanted: None,
            refresher: None,
            knows_timer: false,
            refreshing: false,
            min_se: 0,
            takes_update: false,
        }
    }

    /// Its `Event::Ended` was given out.
    pub(super) fn is_over(&self) -> bool {
        self.state == State::Over
    }

    /// True if the peer may change the session over `flow`.
    pub(super) fn is_changed_over(&self, flow: Flow) -> bool {
        self.peers.is_empty()
            || !matches!(flow.transport, Transport::Udp | Transport::Tcp)
            || self.peers.iter().any(|peer| peer.contains(flow.remote.ip()))
    }

    /// An INVITE or an offer is under way in either direction.
    pub(super) fn is_changing(&self) -> bool {
        self.reinviting || self.offer_in.is_some() || self.unacked.is_some() || self.owes_ack.is_some()
    }
}
