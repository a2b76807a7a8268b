use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use sans_io::Deadline;

pub use crate::auth::Credentials;
use crate::flow::{Destination, Flow, FlowId, Transport};
use crate::message::{Address, Message, Method, Referral, StatusCode};
use crate::uri::Uri;

pub use super::subscription::{
    EventType, OutgoingSubscribe, SubscriptionEnd, SubscriptionId, SubscriptionState, TerminationReason,
};

/// One INVITE usage (RFC 5057): our INVITE or the peer's, its dialog, its session timer. One SIP leg of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UsageId(pub u64);

impl UsageId {
    /// Usage that a tag of ours names; `None` for a tag that cannot be ours. Whether there is such a usage is another question.
    #[must_use]
    pub fn of_tag(tag: &str) -> Option<UsageId> {
        u64::from_str_radix(tag, 16).ok().map(UsageId)
    }
}

/// One of the dialogs that an INVITE of ours set up: a proxy that forks it lets several peers answer, each under a tag of
/// its own and with a session description of its own (RFC 3261 §13.2.2.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ForkId(pub u32);

/// A request other than INVITE that waits for our reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServerTx(pub u64);

/// A REFER of the peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReferId(pub u64);

/// A request of ours outside any usage, or one within a dialog that was passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);

/// A request within a dialog that is passed on from another one: it says something to the other party, and nothing about the dialog.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PassedOn {
    /// INFO (RFC 6086).
    Info,
    /// MESSAGE (RFC 3428).
    Message,
}

/// A name that was given out to be resolved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QueryId(pub u64);

/// More headers, in order: name and value. One that is no token, or whose value holds CR, LF or NUL, is left out, as are
/// those that the endpoint writes itself (`Via`, `From`, `CSeq`, ...). `Max-Forwards` here takes the place of 70.
pub type Headers = Vec<(String, String)>;

/// The body of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Body {
    /// As in `Content-Type`.
    pub content_type: String,
    /// Any bytes.
    pub data: Bytes,
}

impl Body {
    /// A session description.
    #[must_use]
    pub fn sdp(data: impl Into<Bytes>) -> Body {
        Body {
            content_type: "application/sdp".to_owned(),
            data: data.into(),
        }
    }
}

/// Why a call ends, as written in the `Reason` header (RFC 3326).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// `SIP`, `Q.850`, ...
    pub protocol: String,
    /// Code of that protocol.
    pub cause: Option<u16>,
    /// For people.
    pub text: Option<String>,
}

/// Destination of a request.
#[derive(Clone, Debug)]
pub enum Target {
    /// Over this flow, whatever the Request-URI says (a registered contact).
    Flow(Flow),
    /// A registered contact: over the flow of its REGISTER, by way of the proxies that put themselves into
    /// its `Path` (RFC 3327 §5.4).
    Contact {
        /// Flow of the REGISTER.
        flow: Flow,
        /// Values of `Path`, nearest first.
        path: Vec<String>,
    },
    /// Destination by RFC 3263: from `proxy` if there is one, else from the Request-URI. A proxy with `;lr`
    /// is also written as `Route`.
    Uri {
        /// Outbound proxy.
        proxy: Option<Uri>,
    },
}

/// A call that we place.
#[derive(Clone, Debug)]
pub struct OutgoingInvite {
    /// Destination.
    pub target: Target,
    /// Request-URI.
    pub request_uri: Uri,
    /// `From`; the tag is ours.
    pub from: Address,
    /// `To`.
    pub to: Address,
    /// User part of our `Contact`; may be empty.
    pub contact_user: String,
    /// The offer. Without one the 2xx brings it, and [`Endpoint::ack`](super::Endpoint::ack) answers it.
    pub body: Option<Body>,
    /// More headers.
    pub extra: Headers,
    /// For 401 and 407.
    pub credentials: Option<Credentials>,
    /// Time that it may ring without a final answer; each provisional response but 100 starts it anew.
    pub ring_timeout: Duration,
    /// Time that a target may stay silent before the next one is tried or the call is given up; `None`: 64·T1
    /// (timer B).
    pub response_timeout: Option<Duration>,
    /// Session interval to propose (RFC 4028).
    pub session_timer: Option<Duration>,
}

/// A request that we send outside any usage.
#[derive(Clone, Debug)]
pub struct OutgoingRequest {
    /// Not INVITE, ACK or CANCEL.
    pub method: Method,
    /// Destination.
    pub target: Target,
    /// Request-URI.
    pub request_uri: Uri,
    /// `From`; the tag is ours.
    pub from: Address,
    /// `To`.
    pub to: Address,
    /// `Contact` with this user part; none for `None`. A REGISTER's is completed by `contact_params`.
    pub contact_user: Option<String>,
    /// Parameters of the `Contact`, with their leading `;`.
    pub contact_params: String,
    /// Call-ID and CSeq to go on with, as consecutive REGISTERs must (RFC 3261 §10.2); new ones for `None`.
    pub call: Option<(String, u32)>,
    /// Body.
    pub body: Option<Body>,
    /// More headers.
    pub extra: Headers,
    /// For 401 and 407.
    pub credentials: Option<Credentials>,
}

/// Inputs of the endpoint.
#[derive(Clone, Debug)]
pub enum Input {
    /// One framed message.
    Message {
        /// From where.
        flow: Flow,
        /// The message.
        data: Bytes,
    },
    /// A connection closed.
    FlowClosed {
        /// The flow.
        flow: FlowId,
    },
    /// The message with this token could not be sent.
    TransmitFailed {
        /// As in [`Output::Transmit`].
        token: u64,
    },
    /// The network reported that nothing sent there over UDP arrives (ICMP): a transport error for requests
    /// that wait for their first response from there (RFC 3261 §18.4).
    Unreachable {
        /// Address that it was sent to.
        addr: SocketAddr,
    },
    /// Answer to [`Output::Resolve`]: targets in the order to try them (RFC 3263), none when the name leads nowhere; for
    /// TLS and WSS with the name to expect in the certificate.
    Resolved {
        /// As in [`Output::Resolve`].
        query: QueryId,
        /// Transport, address, name.
        targets: Vec<(Transport, SocketAddr, Option<String>)>,
    },
    /// The deadline of [`Output::Timeout`] passed.
    Timeout,
}

/// Outputs of the endpoint.
#[derive(Clone, Debug)]
pub enum Output {
    /// Send this.
    Transmit {
        /// To where.
        to: Destination,
        /// A whole message.
        data: Bytes,
        /// Echoed in [`Input::TransmitFailed`].
        token: u64,
    },
    /// Find the targets of this URI (RFC 3263) and answer with [`Input::Resolved`].
    Resolve {
        /// Echoed in [`Input::Resolved`].
        query: QueryId,
        /// Never one with an address for a host, nor under `.invalid`.
        uri: Uri,
    },
    /// For the user.
    Event(Event),
    /// Nothing more to do before this.
    Timeout(Deadline),
}

/// The method that carried an offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OfferMethod {
    /// re-INVITE
    Invite,
    /// UPDATE (RFC 3311)
    Update,
    /// PRACK (RFC 3262 §5)
    Prack,
}

/// Events for the user of the endpoint.
#[derive(Clone, Debug)]
pub enum Event {
    /// A new call; 100 was sent. Answer with `ring`, `accept`, `reject` or `hangup`.
    Invite {
        /// The leg.
        usage: UsageId,
        /// The INVITE.
        request: Message,
        /// Flow that the message came over.
        flow: Flow,
    },
    /// A response 101 to 199.
    Provisional {
        /// The leg.
        usage: UsageId,
        /// Fork that sent it; `None` for a response without a tag, and for a fork beyond those that are told apart.
        fork: Option<ForkId>,
        /// Status code.
        code: StatusCode,
        /// The session description: early media.
        body: Option<Body>,
    },
    /// The first 2xx. It was acknowledged, unless our INVITE had no body: then `ack` carries the answer. A 2xx after a
    /// reliable provisional response of the same fork with the answer may have no description: that answer stands.
    Answered {
        /// The leg.
        usage: UsageId,
        /// Fork that answered. The other forks no longer exist.
        fork: ForkId,
        /// The session description.
        body: Option<Body>,
        /// The 2xx.
        response: Message,
    },
    /// The ACK to our 2xx to the INVITE; also one that answers an offer of ours in the 2xx to a re-INVITE, and a PRACK
    /// that answers an offer of ours in a reliable provisional response.
    Acked {
        /// The leg.
        usage: UsageId,
        /// Answer to an offer in our 2xx.
        body: Option<Body>,
    },
    /// PRACK to a reliable provisional response of ours (RFC 3262): the peer of a call that came in gets what we send.
    Pracked {
        /// The leg.
        usage: UsageId,
    },
    /// The peer offers a change; answer with `answer_offer`.
    Offer {
        /// The leg.
        usage: UsageId,
        /// The fork of our INVITE that offers; `None` once it is answered.
        fork: Option<ForkId>,
        /// The offer; `None`: a re-INVITE that asks us for one.
        body: Option<Body>,
        /// Method of the offer.
        method: OfferMethod,
    },
    /// Our offer was answered. Comes unasked when the answer to a session refresh of ours differs from the last one.
    OfferAnswered {
        /// The leg.
        usage: UsageId,
        /// The answer.
        body: Option<Body>,
    },
    /// Our offer was refused; the session stays as it was (RFC 3261 §14.1).
    OfferRefused {
        /// The leg.
        usage: UsageId,
        /// Status code; 408 for silence, 503 for a transport error.
        code: StatusCode,
    },
    /// The peer asks to be replaced by somebody; answer with `accept_refer` or `reject_refer`.
    Refer {
        /// The leg.
        usage: UsageId,
        /// Names it from now on.
        refer: ReferId,
        /// The request for a transfer.
        referral: Box<Referral>,
    },
    /// Our REFER was answered; how the transfer goes comes by NOTIFY.
    ReferAnswered {
        /// The leg.
        usage: UsageId,
        /// 200 to 699; 408 for silence.
        code: StatusCode,
    },
    /// A NOTIFY; answer with `reply_in_dialog`.
    Notify {
        /// The leg.
        usage: UsageId,
        /// To reply.
        tx: ServerTx,
        /// The NOTIFY.
        request: Message,
    },
    /// Another request within the dialog (INFO, MESSAGE, ...); answer with `reply_in_dialog`.
    InDialog {
        /// The leg.
        usage: UsageId,
        /// To reply.
        tx: ServerTx,
        /// The request.
        request: Message,
    },
    /// Answer to [`Endpoint::ping`](super::Endpoint::ping).
    Pinged {
        /// The leg.
        usage: UsageId,
        /// False if it answered 404, 408 or 481, or not at all; true for any other answer.
        alive: bool,
    },
    /// A request that would have changed the session came from an address that may not
    /// ([`restrict`](super::Endpoint::restrict)); it was refused with 403 and changed nothing.
    Intruder {
        /// The leg.
        usage: UsageId,
        /// The request.
        request: Message,
        /// Flow that the request came over.
        flow: Flow,
    },
    /// The leg is over: once for each usage, its last event.
    Ended {
        /// The leg.
        usage: UsageId,
        /// Why.
        cause: Ended,
    },
    /// A peer subscribes to an event of a registered package; answer with `accept_subscription` or `reject_subscription`, within
    /// the time of a transaction (32 s). Nothing is known of the peer but what the SUBSCRIBE says.
    Subscribe {
        /// Names it from now on.
        subscription: SubscriptionId,
        /// Event.
        event: EventType,
        /// Time that it asks for; zero for one state and no more.
        expires: Duration,
        /// The SUBSCRIBE.
        request: Message,
        /// Flow that it came over.
        flow: Flow,
    },
    /// A peer prolonged its subscription, or wants no more of it, and must be told the state with `notify` (RFC 6665 §4.2.1.2, §4.2.1.4).
    Resubscribed {
        /// The subscription.
        subscription: SubscriptionId,
    },
    /// The state of a subscription changed ([`state_changed`](super::Endpoint::state_changed)), and its peer may be told now, with `notify`.
    NotifyDue {
        /// The subscription.
        subscription: SubscriptionId,
    },
    /// A notifier told the state that we subscribed to; it was answered 200.
    Notified {
        /// The subscription.
        subscription: SubscriptionId,
        /// Notifier, of several that a proxy forked our SUBSCRIBE to.
        fork: ForkId,
        /// State of the subscription.
        state: SubscriptionState,
        /// The NOTIFY.
        request: Message,
    },
    /// A subscription is over; nothing more is said of it.
    SubscriptionEnded {
        /// The subscription.
        subscription: SubscriptionId,
        /// Manner of the end.
        how: SubscriptionEnd,
    },
    /// A request outside any dialog (REGISTER, OPTIONS, MESSAGE, ...); answer with `reply`.
    Request {
        /// To reply.
        tx: ServerTx,
        /// The request.
        request: Message,
        /// Flow that the message came over.
        flow: Flow,
    },
    /// Final response to a request of ours outside any usage, or to one within a dialog that was passed on
    /// ([`pass_on`](super::Endpoint::pass_on)).
    Response {
        /// The request.
        request: RequestId,
        /// The response.
        response: Message,
    },
    /// Such a request found no answer.
    RequestFailed {
        /// The request.
        request: RequestId,
        /// Why.
        silence: Silence,
    },
}

/// Why a request of ours found no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Silence {
    /// Nobody responded in time. Counts as 408 (RFC 3261 §8.1.3.1).
    Timeout,
    /// The request could not be sent. Counts as 503.
    Transport,
    /// Its target has no address. Counts as 503 (RFC 3263 §4.3).
    Nowhere,
}

impl Silence {
    /// Status that it counts as.
    #[must_use]
    pub const fn code(self) -> StatusCode {
        match self {
            Silence::Timeout => StatusCode::REQUEST_TIMEOUT,
            Silence::Transport | Silence::Nowhere => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

/// Why a leg is over.
#[derive(Clone, Debug)]
pub enum Ended {
    /// Our INVITE was refused.
    Rejected {
        /// 300 to 699.
        code: StatusCode,
        /// As the peer wrote it.
        reason: String,
        /// The whole response (`Contact` of a 3xx, `Retry-After`, ...).
        headers: Message,
    },
    /// The caller cancelled before we answered.
    Cancelled {
        /// Reason of the CANCEL.
        reason: Option<Reason>,
    },
    /// Nobody answered within the time that the caller's INVITE gave (`Expires`).
    Expired,
    /// The peer hung up.
    Bye {
        /// Reason of the BYE.
        reason: Option<Reason>,
    },
    /// We rejected or hung up.
    LocalHangup,
    /// Nobody answered our INVITE, or a request within the dialog (408).
    Timeout,
    /// Our INVITE could not be sent (503).
    Transport,
    /// The target of our INVITE has no address (503).
    Nowhere,
    /// The peer never acknowledged our 2xx, or a provisional response that it required to be reliable.
    NoAck,
    /// The session timer ran out (RFC 4028).
    SessionExpired,
    /// The callee rang for `ring_timeout`.
    RingTimeout,
}

/// Properties of a leg.
#[derive(Clone, Debug)]
pub struct UsageInfo {
    /// Call-ID of the dialog.
    pub call_id: String,
    /// `From` of our requests, without its tag.
    pub local: String,
    /// Our tag.
    pub local_tag: String,
    /// `To` of our requests, without its tag.
    pub remote: String,
    /// The peer's tag, once known.
    pub remote_tag: Option<String>,
    /// The peer's `Contact`; the Request-URI of our INVITE until it is known.
    pub remote_target: String,
    /// The last flow over which the peer was heard, or the one given for it.
    pub flow: Option<Flow>,
    /// The peer's `Allow`; empty when it never said.
    pub remote_allow: Vec<Method>,
    /// The peer's `User-Agent` or `Server`.
    pub user_agent: Option<String>,
    /// The dialog is confirmed.
    pub confirmed: bool,
}

/// Counts of an endpoint since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Requests refused without a transaction.
    pub refused: u64,
    /// Requests without an answer, because any answer would have been out of proportion to them.
    pub unanswered: u64,
    /// Requests refused because all transactions or calls were in use.
    pub too_many: u64,
    /// Requests and responses sent again because no answer came (timers A, E and G of RFC 3261, and 2xx of §13.3.1.4).
    pub retransmissions: u64,
}

/// Objects that live in an endpoint at this moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// INVITE usages.
    pub usages: usize,
    /// Client transactions.
    pub client_transactions: usize,
    /// Server transactions.
    pub server_transactions: usize,
    /// Deadlines.
    pub timers: usize,
    /// Subscriptions.
    pub subscriptions: usize,
    /// Requests of ours outside any usage.
    pub requests: usize,
    /// Names being resolved.
    pub queries: usize,
}
