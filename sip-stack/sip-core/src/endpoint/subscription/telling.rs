//! NOTIFY: a subscriber is told the state (RFC 6665 §4.2.2), at a pace that it can follow.

use sans_io::Time;

use crate::message::{Message, Method, StatusCode};

use super::super::client::Purpose;
use super::super::event::Event;
use super::super::outgoing::{Body, Headers};
use super::super::resolve::Hop;
use super::super::wire::Draft;
use super::notifier::{Stage, Standing};
use super::pace::Due;
use super::{
    Endpoint, Side, StateLine, Subscription, SubscriptionEnd, SubscriptionId, TerminationReason, TimerKey,
    is_end,
};

impl Endpoint {
    /// Tells the subscriber the state, with NOTIFY. Nothing happens before the subscription is granted. Where the peer wanted no more
    /// than this state, `Event::SubscriptionEnded` follows.
    pub fn notify(&mut self, now: Time, subscription: SubscriptionId, body: Option<Body>) {
        let Some((_, notifier)) = self.notifier_mut(subscription) else {
            return;
        };
        match notifier.stage {
            Stage::Asked { .. } => {}
            Stage::Granted { until, standing } => {
                notifier.pace.told(now);
                let agent = self.about.user_agent.clone();
                let line = match standing {
                    Standing::Pending => StateLine::Pending(until.since(now)),
                    Standing::Active => StateLine::Active(until.since(now)),
                };
                let state = self.subscriptions.get_mut(&subscription);
                if let Some((draft, hop)) = state.and_then(|state| state.notify(line, &agent, body)) {
                    self.dispatch(now, draft, hop, None, Purpose::Subscription(subscription));
                }
            }
            Stage::Last => {
                self.tell_last(now, subscription, StateLine::Terminated("timeout"), body);
                self.notifier_ended(subscription, SubscriptionEnd::Unsubscribed);
            }
        }
    }

    /// Notes that the state of a subscription changed. `Event::NotifyDue` follows as soon as the peer may be told: at once after a quiet
    /// time, else when the NOTIFY under way is answered and the interval is over. Several changes until then are one.
    pub fn state_changed(&mut self, now: Time, subscription: SubscriptionId) {
        if let Some((_, notifier)) = self.notifier_mut(subscription) {
            notifier.pace.change();
            self.tell_if_due(now, subscription);
        }
    }

    /// Asks for the state if the peer is to be told of a change now.
    pub(in crate::endpoint) fn tell_if_due(&mut self, now: Time, subscription: SubscriptionId) {
        let Some((_, notifier)) = self.notifier_mut(subscription) else {
            return;
        };
        if !matches!(notifier.stage, Stage::Granted { .. }) {
            return;
        }
        match notifier.pace.due(now) {
            Due::Now => {
                notifier.pace.ask();
                self.event(Event::NotifyDue { subscription });
            }
            Due::At(time) => self
                .timers
                .set(TimerKey::Pace(subscription), time, "interval between NOTIFYs"),
            Due::Later => {}
        }
    }

    /// Ends a subscription of a peer, with a last state (RFC 6665 §4.2.2); one that was not granted yet is refused with 480. No event
    /// follows.
    pub fn terminate_subscription(
        &mut self,
        now: Time,
        subscription: SubscriptionId,
        reason: TerminationReason,
        body: Option<Body>,
    ) {
        let Some((_, notifier)) = self.notifier_mut(subscription) else {
            return;
        };
        match notifier.stage {
            Stage::Asked { .. } => {
                let code = StatusCode::TEMPORARILY_UNAVAILABLE;
                self.reject_subscription(subscription, code, &Headers::new());
            }
            Stage::Granted { .. } | Stage::Last => {
                let line = match reason.retry_after() {
                    Some(wait) => StateLine::TerminatedFor(reason.name(), wait),
                    None => StateLine::Terminated(reason.name()),
                };
                self.tell_last(now, subscription, line, body);
            }
        }
    }

    /// Nobody refreshed a subscription (RFC 6665 §4.2.2), or the application did not do its part in time.
    pub(super) fn subscription_expired(&mut self, now: Time, id: SubscriptionId) {
        let Some((_, notifier)) = self.notifier_mut(id) else {
            return;
        };
        match notifier.stage {
            Stage::Asked { .. } => self.end_subscription(id, SubscriptionEnd::Expired),
            Stage::Granted { .. } => {
                self.tell_last(now, id, StateLine::Terminated("timeout"), None);
                self.notifier_ended(id, SubscriptionEnd::Expired);
            }
            Stage::Last => {
                self.tell_last(now, id, StateLine::Terminated("timeout"), None);
                self.notifier_ended(id, SubscriptionEnd::Unsubscribed);
            }
        }
    }

    /// The answer to a NOTIFY. There are refusals that end the subscription (RFC 6665 §4.2.2).
    pub(super) fn notify_answered(&mut self, now: Time, id: SubscriptionId, response: &Message) {
        if response.status().is_some_and(is_end) {
            return self.end_subscription(id, SubscriptionEnd::PeerGone);
        }
        if let Some((_, notifier)) = self.notifier_mut(id) {
            notifier.pace.answered();
            self.tell_if_due(now, id);
        }
    }

    fn notifier_ended(&mut self, subscription: SubscriptionId, how: SubscriptionEnd) {
        self.event(Event::SubscriptionEnded { subscription, how });
    }

    /// Forgets a subscription, and tells its peer so. The outcome of that is of no consequence.
    fn tell_last(&mut self, now: Time, id: SubscriptionId, line: StateLine, body: Option<Body>) {
        let agent = self.about.user_agent.clone();
        let state = self.forget_subscription(id);
        if let Some((draft, hop)) = state.and_then(|mut state| state.notify(line, &agent, body)) {
            self.dispatch(now, draft, hop, None, Purpose::Subscription(id));
        }
    }
}

impl Subscription {
    /// A NOTIFY, and where it goes.
    fn notify(&mut self, state: StateLine, agent: &str, body: Option<Body>) -> Option<(Draft, Hop)> {
        let Side::Notifier(notifier) = &mut self.side else {
            return None;
        };
        let more = format!("{}{agent}", self.identity.event.notify_lines(state));
        Some(
            self.identity
                .draft(Method::Notify, &mut notifier.dialog, more, body),
        )
    }
}
