//! Subscriptions (RFC 6665): a dialog usage of its own, on both sides.
//!
//! `notifier` is the side that a peer subscribes at, `telling` has its NOTIFYs and `pace` their pace; `subscriber` is the side that
//! subscribes, with its state in `forks`. The subscription that a REFER outside a dialog implies (RFC 3515) is begun in `referral`; that of a
//! REFER within a call lives in the dialog of that call (`refer`), and reads and writes `Event` and `Subscription-State` with this file.

mod forks;
mod notifier;
mod pace;
mod referral;
mod subscriber;
mod telling;
mod types;

use std::fmt;
use std::time::Duration;

use sans_io::Time;

use crate::dialog::{Dialog, same_tag};
use crate::flow::{Destination, Flow};
use crate::message::{HeaderName, Message, Method, StatusCode};
use crate::transaction::Key;

use super::client::Purpose;
use super::event::{Event, Silence};
use super::outgoing::Body;
use super::resolve::{Hop, hop_near};
use super::wire::{Contact, Draft};
use super::{Endpoint, TimerKey, one_line};
use forks::Subscriber;
use notifier::Notifier;

pub use types::{
    EventType, OutgoingSubscribe, SubscriptionEnd, SubscriptionId, SubscriptionState, TerminationReason,
};

/// Package of the subscription that a REFER implies (RFC 3515 §3.1).
pub(super) const REFER: &str = "refer";

/// A subscription of a peer at us, or of ours at a peer.
#[derive(Debug)]
pub(super) struct Subscription {
    identity: Identity,
    side: Side,
}

/// Parts of a subscription that all of its requests share.
#[derive(Debug)]
struct Identity {
    event: EventType,
    call_id: String,
    /// `From` of our requests, without its tag.
    local: String,
    local_tag: String,
    contact_user: String,
    /// Flow of the peer's last SUBSCRIBE, or the one that the application chose for ours.
    flow: Option<Flow>,
    /// Our requests go over that flow, whatever the route set says.
    is_sticky: bool,
}

/// Side that we are on.
#[derive(Debug)]
enum Side {
    Notifier(Notifier),
    Subscriber(Subscriber),
}

/// Value of a `Subscription-State` that we write (RFC 6665 §4.1.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StateLine {
    /// The subscription goes on for so long.
    Active(Duration),
    /// Nobody has decided on it yet; it goes on for so long.
    Pending(Duration),
    /// The subscription is over, for this reason.
    Terminated(&'static str),
    /// The same, and the peer is not to come back before so long.
    TerminatedFor(&'static str, Duration),
}

impl fmt::Display for StateLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StateLine::Active(left) => write!(f, "active;expires={}", left.as_secs()),
            StateLine::Pending(left) => write!(f, "pending;expires={}", left.as_secs()),
            StateLine::Terminated(reason) => write!(f, "terminated;reason={reason}"),
            StateLine::TerminatedFor(reason, wait) => {
                write!(f, "terminated;reason={reason};retry-after={}", wait.as_secs())
            }
        }
    }
}

impl EventType {
    /// `Event` of a request.
    pub(super) fn of(request: &Message) -> Option<EventType> {
        let event = request.event()?;
        Some(EventType {
            package: event.value.to_ascii_lowercase(),
            id: event.param("id").map(str::to_owned),
        })
    }

    /// `Event` and `Subscription-State` lines of a NOTIFY.
    pub(super) fn notify_lines(&self, state: StateLine) -> String {
        format!(
            "{}{}",
            one_line("Event", &self.to_string()),
            one_line("Subscription-State", &state.to_string())
        )
    }
}

impl fmt::Display for EventType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.id {
            Some(id) => write!(f, "{};id={id}", self.package),
            None => f.write_str(&self.package),
        }
    }
}

impl Endpoint {
    /// The subscription that a request within a dialog belongs to: our tag in `To` names it.
    pub(super) fn find_subscription(&self, request: &Message) -> Option<SubscriptionId> {
        let to = request.to();
        let tag = to.tag()?;
        let id = SubscriptionId(u64::from_str_radix(tag, 16).ok()?);
        let identity = &self.subscriptions.get(&id)?.identity;
        let is_named = same_tag(Some(&identity.local_tag), Some(tag));
        (is_named && identity.call_id == request.call_id()).then_some(id)
    }

    /// A request of the peer within the dialog of a subscription.
    pub(super) fn receive_in_subscription(
        &mut self,
        now: Time,
        flow: Flow,
        request: &Message,
        key: Key,
        id: SubscriptionId,
    ) {
        let server = self.open_server(now, request, flow, key);
        if self.refuse_method(now, server, request) || self.refuse_extensions(now, server, request) {
            return;
        }
        let Some(subscription) = self.subscriptions.get(&id) else {
            return;
        };
        let is_same = EventType::of(request).as_ref() == Some(&subscription.identity.event);
        match (&subscription.side, request.method()) {
            (Side::Notifier(_), Some(Method::Subscribe)) if is_same => {
                self.resubscribed(now, flow, id, server, request);
            }
            (Side::Subscriber(_), Some(Method::Notify)) if is_same => self.notified(now, id, server, request),
            (_, Some(Method::Options)) => {
                let lines = self.about.abilities();
                self.refuse_with(now, server, StatusCode::OK, &[&lines]);
            }
            // The dialog has no other usage (RFC 6665 §4.1.3, RFC 5057 §5.1).
            _ => self.refuse_with(now, server, StatusCode::CALL_DOES_NOT_EXIST, &[]),
        }
    }

    /// Refuses a SUBSCRIBE that nobody can grant: 489 with the packages that there are (RFC 6665 §4.2.1.1, §8.2.2), and 403 where the
    /// package is known but not in this place. REFER alone begins a subscription to `refer`, and no other shares the dialog of a call.
    pub(super) fn refuse_event(&mut self, now: Time, server: u64, request: &Message) {
        let is_known = EventType::of(request).is_some_and(|event| {
            event.package == REFER && self.config.allow.contains(&Method::Refer)
                || self.config.event_packages.contains(&event.package)
        });
        if is_known {
            self.refuse_with(now, server, StatusCode::FORBIDDEN, &[]);
        } else {
            let packages = self.about.allow_events.clone();
            self.refuse_with(now, server, StatusCode::BAD_EVENT, &[&packages]);
        }
    }

    /// The deadline of a subscription.
    pub(super) fn subscription_due(&mut self, now: Time, id: SubscriptionId) {
        match self.subscriptions.get(&id).map(|subscription| &subscription.side) {
            Some(Side::Notifier(_)) => self.subscription_expired(now, id),
            Some(Side::Subscriber(_)) => self.refresh_subscription(now, id),
            None => {}
        }
    }

    /// The final response to a SUBSCRIBE or NOTIFY of ours.
    pub(super) fn subscription_answered(&mut self, now: Time, id: SubscriptionId, response: &Message) {
        match self.subscriptions.get(&id).map(|subscription| &subscription.side) {
            Some(Side::Notifier(_)) => self.notify_answered(now, id, response),
            Some(Side::Subscriber(_)) => self.subscribe_answered(now, id, response),
            None => {}
        }
    }

    /// A SUBSCRIBE or NOTIFY of ours found nobody.
    pub(super) fn subscription_failed(&mut self, id: SubscriptionId, silence: Silence) {
        match self.subscriptions.get(&id).map(|subscription| &subscription.side) {
            Some(Side::Notifier(_)) => self.end_subscription(id, SubscriptionEnd::PeerGone),
            Some(Side::Subscriber(_)) => self.subscribe_failed(id, silence),
            None => {}
        }
    }

    /// True for a SUBSCRIBE of a subscription that ended while it waited for the address of its target.
    pub(super) fn is_unwanted(&self, purpose: Purpose, method: &Method) -> bool {
        matches!(purpose, Purpose::Subscription(id)
            if *method == Method::Subscribe && !self.subscriptions.contains_key(&id))
    }

    /// Forgets a subscription and says so, once. A request of it that is under way is of no consequence.
    fn end_subscription(&mut self, id: SubscriptionId, how: SubscriptionEnd) {
        if self.forget_subscription(id).is_some() {
            self.event(Event::SubscriptionEnded {
                subscription: id,
                how,
            });
        }
    }

    fn forget_subscription(&mut self, id: SubscriptionId) -> Option<Subscription> {
        self.timers.cancel(TimerKey::Subscription(id));
        self.timers.cancel(TimerKey::Pace(id));
        self.subscriptions.remove(&id)
    }
}

impl Identity {
    /// A request of ours within the dialog with a peer, and where it goes.
    fn draft(&self, method: Method, dialog: &mut Dialog, more: String, body: Option<Body>) -> (Draft, Hop) {
        let routed = dialog.routed();
        let hop = match self.flow {
            Some(flow) if self.is_sticky => Hop::To([Destination::Flow(flow)].into()),
            flow => hop_near(&routed.next_hop, None, flow),
        };
        let draft = Draft {
            uri: routed.request_uri,
            routes: routed.routes,
            from: format!("{};tag={}", self.local, self.local_tag),
            to: dialog.remote.clone(),
            call_id: self.call_id.clone(),
            cseq: dialog.next_seq(),
            contact: Some(self.contact()),
            more,
            body,
            ..Draft::bare(method)
        };
        (draft, hop)
    }

    fn contact(&self) -> Contact {
        Contact {
            user: self.contact_user.clone(),
            ..Contact::default()
        }
    }
}

/// True for a refusal of a refresh or of a NOTIFY that ends its subscription; any other one leaves it until it expires (RFC 6665
/// §4.1.2.2 and §4.2.2).
fn is_end(code: StatusCode) -> bool {
    matches!(code.get(), 404 | 405 | 410 | 416 | 480..=485 | 489 | 501 | 604)
}

/// `Expires` line.
pub(super) fn expires_line(seconds: u64) -> String {
    one_line(HeaderName::Expires.as_str(), &seconds.to_string())
}
