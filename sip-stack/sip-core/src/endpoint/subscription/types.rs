//! Subscriptions as an application sees them.

use std::time::Duration;

use crate::message::{Address, StatusCode};
use crate::uri::Uri;

use super::super::outgoing::{Headers, Target};
use crate::auth::Credentials;

/// A subscription (RFC 6665), of a peer at us or of ours at a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SubscriptionId(pub u64);

/// Event that is subscribed to: `Event` of RFC 6665 §8.2.1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventType {
    /// Name of the event package, in lower case.
    pub package: String,
    /// `id` parameter, which tells subscriptions of one dialog apart.
    pub id: Option<String>,
}

/// A subscription that we ask for.
#[derive(Clone, Debug)]
pub struct OutgoingSubscribe {
    /// Destination.
    pub target: Target,
    /// Request-URI: whose state.
    pub request_uri: Uri,
    /// `From`; the tag is ours.
    pub from: Address,
    /// `To`.
    pub to: Address,
    /// User part of our `Contact`; may be empty.
    pub contact_user: String,
    /// Event.
    pub event: EventType,
    /// Media types of the states that we understand.
    pub accept: Vec<String>,
    /// Time to ask for; refreshed when half of it is over.
    pub expires: Duration,
    /// More headers.
    pub extra: Headers,
    /// For 401 and 407.
    pub credentials: Option<Credentials>,
    /// True if it stands for a subscription of somebody else at us, who refreshes it: each answer is an `Event::SubscribeAnswered`, and
    /// nothing is sent but by [`resubscribe`](crate::endpoint::Endpoint::resubscribe).
    pub relayed: bool,
    /// Time that a peer may stay silent; `None`: that of a transaction (32 s).
    pub response_timeout: Option<Duration>,
}

/// State of a subscription of ours, as its notifier tells it (RFC 6665 §4.1.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SubscriptionState {
    /// Granted.
    Active {
        /// Time left, where the notifier says it.
        expires: Option<Duration>,
    },
    /// Not decided yet.
    Pending {
        /// Time left, where the notifier says it.
        expires: Option<Duration>,
    },
    /// Over.
    Terminated {
        /// `deactivated`, `probation`, `rejected`, `timeout`, `giveup`, `noresource`, `invariant`.
        reason: Option<String>,
        /// Time for which it is not to be asked for again.
        retry_after: Option<Duration>,
    },
}

/// End of a subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubscriptionEnd {
    /// The peer wanted no more, and was told a last state.
    Unsubscribed,
    /// Its time was over, or its SUBSCRIBE was not answered in time.
    Expired,
    /// The peer refused a NOTIFY, or sent none.
    PeerGone,
    /// Ours was refused with this code; 408 and 503 where nobody answered.
    Refused(StatusCode),
    /// Its notifier ended it, on our wish or its own: the last `Event::Notified` says why.
    Terminated,
}

/// Reason for which we end a subscription of a peer (RFC 6665 §4.1.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TerminationReason {
    /// The peer may subscribe again at once, perhaps elsewhere.
    Deactivated,
    /// The peer may subscribe again, after this time where there is one.
    Probation(Option<Duration>),
    /// The peer may not have the state.
    Rejected,
    /// The thing whose state it was exists no more.
    NoResource,
    /// Nobody decided whether the peer may have the state; it may try again, after this time where there is one.
    GiveUp(Option<Duration>),
    /// The state will never change again (RFC 6665 §4.1.3).
    Invariant,
}

impl TerminationReason {
    /// Value of the `reason` parameter.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            TerminationReason::Deactivated => "deactivated",
            TerminationReason::Probation(_) => "probation",
            TerminationReason::Rejected => "rejected",
            TerminationReason::NoResource => "noresource",
            TerminationReason::GiveUp(_) => "giveup",
            TerminationReason::Invariant => "invariant",
        }
    }

    /// Time for which the peer is not to subscribe again: `retry-after`, which has a meaning with two reasons only.
    pub(super) const fn retry_after(self) -> Option<Duration> {
        match self {
            TerminationReason::Probation(after) | TerminationReason::GiveUp(after) => after,
            TerminationReason::Deactivated
            | TerminationReason::Rejected
            | TerminationReason::NoResource
            | TerminationReason::Invariant => None,
        }
    }
}
