//! Notifier: a peer subscribes to an event of ours, and is told its state (RFC 6665 §4.2).

use std::time::Duration;

use sans_io::Time;

use crate::dialog::Dialog;
use crate::flow::Flow;
use crate::message::{HeaderName, Message, Method, StatusCode};

use super::super::call_in::is_sticky;
use super::super::client::Purpose;
use super::super::event::Event;
use super::super::ids::ServerTx;
use super::super::outgoing::{Body, Headers};
use super::super::resolve::Hop;
use super::super::wire::Draft;
use super::{Endpoint, Identity, Side, StateLine, Subscription, TimerKey, expires_line, is_end};
use super::{EventType, SubscriptionEnd, SubscriptionId, TerminationReason};

/// Time that a SUBSCRIBE without `Expires` asks for; packages that have another one are not known here.
const DEFAULT: Duration = Duration::from_secs(3_600);

/// The side that tells.
#[derive(Debug)]
pub(super) struct Notifier {
    dialog: Dialog,
    /// Time that one SUBSCRIBE gets at most.
    longest: Duration,
    stage: Stage,
}

/// Stage of a peer's subscription.
#[derive(Clone, Copy, Debug)]
enum Stage {
    /// The SUBSCRIBE, this server transaction, waits for the application's word.
    Asked { server: u64, wanted: Duration },
    /// Granted until then.
    Granted { until: Time },
    /// The peer wants one state and no more (RFC 6665 §4.4.3): the next NOTIFY is the last.
    Last,
}

impl Endpoint {
    /// A SUBSCRIBE outside a dialog that nothing speaks against.
    pub(in crate::endpoint) fn receive_subscribe(
        &mut self,
        now: Time,
        flow: Flow,
        request: Message,
        server: u64,
    ) {
        let event = EventType::of(&request);
        let Some(event) = event.filter(|event| self.config.event_packages.contains(&event.package)) else {
            return self.refuse_event(now, server, &request);
        };
        if request.contact().is_none() {
            return self.refuse_with(now, server, StatusCode::BAD_REQUEST, &[]);
        }
        if self.subscriptions.len() >= self.config.max_usages {
            return self.refuse_full(now, server);
        }
        let id = SubscriptionId(self.rng.u64());
        let first = self.rng.below(1 << 16) as u32 + 1;
        let wanted = wanted(&request);
        let user = request.uri().and_then(|uri| uri.user()).unwrap_or_default();
        let identity = Identity {
            event: event.clone(),
            call_id: request.call_id().to_owned(),
            local: request.header(HeaderName::To).unwrap_or_default().to_owned(),
            local_tag: format!("{:016x}", id.0),
            contact_user: user.to_owned(),
            flow: Some(flow),
            is_sticky: is_sticky(&request, flow),
        };
        let side = Side::Notifier(Notifier {
            dialog: Dialog::uas(&request, first),
            longest: Duration::ZERO,
            stage: Stage::Asked { server, wanted },
        });
        self.subscriptions.insert(id, Subscription { identity, side });
        self.arm_notifier(now, id, Duration::ZERO);
        self.event(Event::Subscribe {
            subscription: id,
            event,
            expires: wanted,
            request,
            flow,
        });
    }

    /// Grants `Event::Subscribe`, and each refresh after it, `longest` at most, in whole seconds. [`notify`](Self::notify) must follow at
    /// once (RFC 6665 §4.2.1.2).
    pub fn accept_subscription(&mut self, now: Time, subscription: SubscriptionId, longest: Duration) {
        let Some((identity, notifier)) = self.notifier_mut(subscription) else {
            return;
        };
        let Stage::Asked { server, wanted } = notifier.stage else {
            return;
        };
        let tag = identity.local_tag.clone();
        notifier.longest = longest;
        if let Some(entry) = self.servers.get_mut(&server) {
            entry.tag = tag;
            entry.stranger = false;
        }
        self.grant(now, subscription, server, wanted);
    }

    /// Refuses `Event::Subscribe`, with 300 to 699, once and without a trace: a copy of the SUBSCRIBE counts as a new one. No event follows.
    pub fn reject_subscription(&mut self, subscription: SubscriptionId, code: StatusCode, extra: &Headers) {
        let Some((_, notifier)) = self.notifier_mut(subscription) else {
            return;
        };
        if let Stage::Asked { server, .. } = notifier.stage {
            self.forget_subscription(subscription);
            self.reply_once(ServerTx(server), code.max(StatusCode::MULTIPLE_CHOICES), extra);
        }
    }

    /// Tells the subscriber the state, with NOTIFY. Nothing happens before the subscription is granted. Where the peer wanted no more
    /// than this state, `Event::SubscriptionEnded` follows.
    pub fn notify(&mut self, now: Time, subscription: SubscriptionId, body: Option<Body>) {
        let Some((_, notifier)) = self.notifier_mut(subscription) else {
            return;
        };
        match notifier.stage {
            Stage::Asked { .. } => {}
            Stage::Granted { until } => {
                let agent = self.about.user_agent.clone();
                let line = StateLine::Active(until.since(now));
                let state = self.subscriptions.get_mut(&subscription);
                if let Some((draft, hop)) = state.and_then(|state| state.notify(line, &agent, body)) {
                    self.dispatch(now, draft, hop, None, Purpose::Subscription(subscription));
                }
            }
            Stage::Last => {
                self.tell_last(now, subscription, "timeout", body);
                self.notifier_ended(subscription, SubscriptionEnd::Unsubscribed);
            }
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
            Stage::Granted { .. } | Stage::Last => self.tell_last(now, subscription, reason.name(), body),
        }
    }

    /// A SUBSCRIBE within the dialog: longer, or no more (RFC 6665 §4.2.1.4).
    pub(super) fn resubscribed(
        &mut self,
        now: Time,
        flow: Flow,
        id: SubscriptionId,
        server: u64,
        request: &Message,
    ) {
        let Some(Subscription {
            identity,
            side: Side::Notifier(notifier),
        }) = self.subscriptions.get_mut(&id)
        else {
            return;
        };
        if !notifier.dialog.is_with(request.from().tag()) {
            return self.refuse_with(now, server, StatusCode::CALL_DOES_NOT_EXIST, &[]);
        }
        // RFC 3261 §12.2.2: a request that is out of order is refused and changes nothing.
        if !notifier.dialog.admit(request.cseq().number) || matches!(notifier.stage, Stage::Asked { .. }) {
            return self.refuse_with(now, server, StatusCode::SERVER_INTERNAL_ERROR, &[]);
        }
        notifier.dialog.refresh_target(request);
        // The peer came back over another connection (RFC 5626): there it is reachable now.
        if identity.flow.is_some_and(|old| old.transport == flow.transport) {
            identity.flow = Some(flow);
        }
        self.grant(now, id, server, wanted(request));
        self.event(Event::Resubscribed { subscription: id });
    }

    /// Answers a SUBSCRIBE 200 with the time that it gets, which is never longer than what it asked for (RFC 6665 §4.2.1.1).
    fn grant(&mut self, now: Time, id: SubscriptionId, server: u64, wanted: Duration) {
        let Some((identity, notifier)) = self.notifier_mut(id) else {
            return;
        };
        let granted = Duration::from_secs(wanted.min(notifier.longest).as_secs());
        notifier.stage = match granted.is_zero() {
            true => Stage::Last,
            false => Stage::Granted { until: now + granted },
        };
        let user = identity.contact_user.clone();
        self.arm_notifier(now, id, granted);
        let Some(entry) = self.servers.get(&server) else {
            return;
        };
        let more = [
            entry.head.record_routes(),
            &self.contact_line(&user, &entry.flow),
            &expires_line(granted.as_secs()),
            &self.about.allow,
            &self.about.allow_events,
            &self.about.supported,
            &self.about.server,
        ]
        .concat();
        self.respond(now, server, StatusCode::OK, &more, None);
    }

    /// Nobody refreshed a subscription (RFC 6665 §4.2.2), or the application did not do its part in time.
    pub(super) fn subscription_expired(&mut self, now: Time, id: SubscriptionId) {
        let Some((_, notifier)) = self.notifier_mut(id) else {
            return;
        };
        match notifier.stage {
            Stage::Asked { .. } => self.end_subscription(id, SubscriptionEnd::Expired),
            Stage::Granted { .. } => {
                self.tell_last(now, id, "timeout", None);
                self.notifier_ended(id, SubscriptionEnd::Expired);
            }
            Stage::Last => {
                self.tell_last(now, id, "timeout", None);
                self.notifier_ended(id, SubscriptionEnd::Unsubscribed);
            }
        }
    }

    /// The answer to a NOTIFY. There are refusals that end the subscription (RFC 6665 §4.2.2).
    pub(super) fn notify_answered(&mut self, id: SubscriptionId, response: &Message) {
        if response.status().is_some_and(is_end) {
            self.end_subscription(id, SubscriptionEnd::PeerGone);
        }
    }

    fn notifier_ended(&mut self, subscription: SubscriptionId, how: SubscriptionEnd) {
        self.event(Event::SubscriptionEnded { subscription, how });
    }

    /// Forgets a subscription, and tells its peer so. The outcome of that is of no consequence.
    fn tell_last(&mut self, now: Time, id: SubscriptionId, reason: &'static str, body: Option<Body>) {
        let line = StateLine::Terminated(reason);
        let agent = self.about.user_agent.clone();
        let state = self.forget_subscription(id);
        if let Some((draft, hop)) = state.and_then(|mut state| state.notify(line, &agent, body)) {
            self.dispatch(now, draft, hop, None, Purpose::Subscription(id));
        }
    }

    /// Sets the end of what was granted; without that, the time within which the application has to say something.
    fn arm_notifier(&mut self, now: Time, id: SubscriptionId, granted: Duration) {
        let time = match granted.is_zero() {
            true => self.config.timing.timeout(),
            false => granted,
        };
        self.timers
            .set(TimerKey::Subscription(id), now + time, "end of a subscription");
    }

    fn notifier_mut(&mut self, id: SubscriptionId) -> Option<(&Identity, &mut Notifier)> {
        match self.subscriptions.get_mut(&id)? {
            Subscription {
                identity,
                side: Side::Notifier(notifier),
            } => Some((identity, notifier)),
            Subscription {
                side: Side::Subscriber(_),
                ..
            } => None,
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

/// Time that a SUBSCRIBE asks for.
fn wanted(request: &Message) -> Duration {
    request
        .expires()
        .map_or(DEFAULT, |seconds| Duration::from_secs(seconds.into()))
}
