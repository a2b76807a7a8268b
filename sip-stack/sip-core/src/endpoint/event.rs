//! Inputs and outputs of the endpoint, and the events among them.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use sans_io::Deadline;

use super::ids::{ForkId, QueryId, ReferId, RequestId, ServerTx, UsageId};
use super::outgoing::{Body, Exchange, Headers, Reason};
use super::subscription::{EventType, SubscriptionEnd, SubscriptionId, SubscriptionState};
use crate::flow::{Destination, Flow, FlowId, Transport};
use crate::message::{Message, Referral, StatusCode};
use crate::uri::Uri;

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
    /// The peer cancelled the re-INVITE of its offer (RFC 3261 §9), which got 487: there is nothing to answer any more.
    OfferWithdrawn {
        /// The leg.
        usage: UsageId,
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
        /// Challenges of a 401 or 407 that we have no credentials for.
        challenges: Headers,
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
    /// A peer asks, outside any dialog, that somebody be called (RFC 3515); answer with
    /// [`accept_referral`](super::Endpoint::accept_referral), `reject_subscription` or `pass_over_subscription`, within the time of a
    /// transaction (32 s). Nothing is known of the peer but what the REFER says.
    Referral {
        /// The subscription that it implies; names it from now on.
        subscription: SubscriptionId,
        /// Party to be called.
        referral: Box<Referral>,
        /// The REFER.
        request: Message,
        /// Flow that it came over.
        flow: Flow,
    },
    /// Our REFER was answered; how the transfer goes comes by NOTIFY.
    ReferAnswered {
        /// The leg.
        usage: UsageId,
        /// 200 to 699; 408 for silence.
        code: StatusCode,
        /// Challenges of a 401 or 407 that we have no credentials for.
        challenges: Headers,
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
    /// A peer prolongs a subscription that is relayed, or wants no more of it; answer with `accept_refresh` or `refuse_refresh`, within the
    /// time of a transaction (32 s).
    SubscribeAgain {
        /// The subscription.
        subscription: SubscriptionId,
        /// Time that it asks for; zero for no more.
        expires: Duration,
        /// The SUBSCRIBE.
        request: Message,
    },
    /// A SUBSCRIBE of ours that stands for somebody else's (`OutgoingSubscribe::relayed`) was answered. After a refusal of the first one
    /// `Event::SubscriptionEnded` follows.
    SubscribeAnswered {
        /// The subscription.
        subscription: SubscriptionId,
        /// The final response.
        response: Message,
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
        /// How it came about; `None` for a request that was passed on within a dialog.
        exchange: Option<Box<Exchange>>,
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
