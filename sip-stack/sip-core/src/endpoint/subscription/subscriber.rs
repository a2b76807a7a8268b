//! Subscriber: we subscribe to an event of a peer (RFC 6665 §4.1). A proxy may let the SUBSCRIBE reach several notifiers: each of
//! them is a fork with a dialog of its own (§4.1.4).

use std::time::Duration;

use sans_io::Time;

use crate::auth::Answerer;
use crate::dialog::Dialog;
use crate::message::{Message, Method, StatusCode};

use super::super::Target;
use super::super::call_out::{fork_id, max_forwards, new_call_id, routed_to};
use super::super::client::Purpose;
use super::super::event::{Event, Silence};
use super::super::outgoing::Headers;
use super::super::wire::{self, Draft};
use super::forks::{Stage, Subscriber};
use super::{Endpoint, Identity, Side, Subscription, TimerKey, is_end, one_line};
use super::{EventType, OutgoingSubscribe, SubscriptionEnd, SubscriptionId, SubscriptionState};

impl Endpoint {
    /// Subscribes at a peer. `Event::Notified` brings each state, `Event::SubscriptionEnded` the end; refreshes, credentials and longer
    /// intervals (423) are dealt with in here.
    pub fn subscribe(&mut self, now: Time, wanted: OutgoingSubscribe) -> SubscriptionId {
        let id = SubscriptionId(self.rng.u64());
        let call_id = new_call_id(&mut self.rng);
        let seq = self.rng.below(1 << 16) as u32 + 1;
        let event = EventType {
            package: wanted.event.package.to_ascii_lowercase(),
            id: wanted.event.id,
        };
        let mut lines = one_line("Event", &event.to_string());
        if !wanted.accept.is_empty() {
            lines.push_str(&one_line("Accept", &wanted.accept.join(", ")));
        }
        lines.push_str(&self.about.agent_and(&wanted.extra));
        let flow = match &wanted.target {
            Target::Flow(flow) | Target::Contact { flow, .. } => Some(*flow),
            Target::Routes(_) | Target::Address(_) | Target::Uri { .. } => None,
        };
        let identity = Identity {
            event,
            call_id: call_id.clone(),
            local: wanted.from.to_string(),
            local_tag: format!("{:016x}", id.0),
            contact_user: wire::user(&wanted.contact_user),
            flow,
            is_sticky: flow.is_some(),
        };
        let subscriber = Subscriber {
            request_uri: wanted.request_uri.as_str().to_owned(),
            expires: u32::try_from(wanted.expires.as_secs()).unwrap_or(u32::MAX),
            lines,
            is_relayed: wanted.relayed,
            response_timeout: wanted.response_timeout,
            answerer: wanted.credentials.map(Answerer::new),
            seq,
            stage: Stage::Asking,
            open_until: now + self.config.timing.timeout(),
            forks: Vec::new(),
            numbered: 0,
        };
        let (uri, routes) = routed_to(&wanted.target, &wanted.request_uri);
        let draft = Draft {
            uri,
            routes,
            max_forwards: max_forwards(&wanted.extra),
            from: wanted.from.with_tag(&identity.local_tag).to_string(),
            to: wanted.to.to_string(),
            call_id,
            cseq: seq,
            contact: Some(identity.contact()),
            more: subscriber.lines(subscriber.expires),
            ..Draft::bare(Method::Subscribe)
        };
        let side = Side::Subscriber(subscriber);
        self.subscriptions.insert(id, Subscription { identity, side });
        self.arm_subscriber(id);
        let hop = self.hop_to_target(&wanted.target, &wanted.request_uri);
        self.dispatch(now, draft, hop, None, Purpose::Subscription(id));
        id
    }

    /// Asks for a relayed subscription once more, in its dialog: for that time, 0 to end it, with these headers besides those of the first
    /// SUBSCRIBE that are not credentials. False if there is nobody to ask.
    pub fn resubscribe(
        &mut self,
        now: Time,
        subscription: SubscriptionId,
        expires: Duration,
        extra: &Headers,
    ) -> bool {
        let seconds = u32::try_from(expires.as_secs()).unwrap_or(u32::MAX);
        let Some(Subscription {
            identity,
            side: Side::Subscriber(subscriber),
        }) = self.subscriptions.get_mut(&subscription)
        else {
            return false;
        };
        subscriber.expires = seconds;
        if seconds == 0 {
            let until = now + self.config.timing.timeout();
            subscriber.stage = Stage::Leaving { until };
        }
        let mut lines = one_line("Event", &identity.event.to_string());
        for (name, value) in extra {
            lines.push_str(&one_line(name, value));
        }
        subscriber.lines = lines;
        let Some(fork) = subscriber.forks.first().map(|fork| fork.number) else {
            return false;
        };
        self.send_subscribe(now, subscription, fork, seconds);
        self.arm_subscriber(subscription);
        true
    }

    /// Ends a subscription of ours: its notifiers send a last NOTIFY, and `Event::SubscriptionEnded` follows.
    pub fn unsubscribe(&mut self, now: Time, subscription: SubscriptionId) {
        let until = now + self.config.timing.timeout();
        let Some(subscriber) = self.subscriber_mut(subscription) else {
            return;
        };
        if subscriber.is_leaving() {
            return;
        }
        subscriber.stage = Stage::Leaving { until };
        let forks: Vec<usize> = subscriber.forks.iter().map(|fork| fork.number).collect();
        for fork in forks {
            self.send_subscribe(now, subscription, fork, 0);
        }
        self.arm_subscriber(subscription);
    }

    /// A NOTIFY for a subscription of ours (RFC 6665 §4.1.3).
    pub(super) fn notified(&mut self, now: Time, id: SubscriptionId, server: u64, request: &Message) {
        let Some(state) = SubscriptionState::of(request) else {
            return self.refuse_with(now, server, StatusCode::BAD_REQUEST, &[]);
        };
        let Some(subscriber) = self.subscriber_mut(id) else {
            return;
        };
        let Some(fork) = subscriber.fork_of(now, request) else {
            return self.refuse_with(now, server, StatusCode::CALL_DOES_NOT_EXIST, &[]);
        };
        if !fork.dialog.admit(request.cseq().number) {
            return self.refuse_with(now, server, StatusCode::SERVER_INTERNAL_ERROR, &[]);
        }
        fork.dialog.refresh_target(request);
        let number = fork.number;
        let is_over = match state {
            SubscriptionState::Active { expires } | SubscriptionState::Pending { expires } => {
                if let Some(left) = expires {
                    fork.expires_in(now, left);
                }
                false
            }
            SubscriptionState::Terminated { .. } => true,
        };
        if is_over {
            subscriber.forks.retain(|fork| fork.number != number);
        }
        let is_last = is_over && subscriber.forks.is_empty();
        if subscriber.stage == Stage::Asking {
            subscriber.stage = Stage::Active;
        }
        self.refuse_with(now, server, StatusCode::OK, &[]);
        self.event(Event::Notified {
            subscription: id,
            fork: fork_id(number),
            state,
            request: request.clone(),
        });
        if is_last {
            self.end_subscription(id, SubscriptionEnd::Terminated);
        } else {
            self.arm_subscriber(id);
        }
    }

    /// A final response to a SUBSCRIBE of ours.
    pub(super) fn subscribe_answered(&mut self, now: Time, id: SubscriptionId, response: &Message) {
        let (Some(code), Some(subscriber)) = (response.status(), self.subscriber_mut(id)) else {
            return;
        };
        if subscriber.is_relayed {
            let response = response.clone();
            self.event(Event::SubscribeAnswered {
                subscription: id,
                response,
            });
        }
        let Some(subscriber) = self.subscriber_mut(id) else {
            return;
        };
        if code.is_success() {
            if let Some(unwanted) = subscriber.granted(now, response) {
                self.send_subscribe(now, id, unwanted, 0);
            }
            return self.arm_subscriber(id);
        }
        if is_end(code) {
            let to = response.to();
            subscriber.forks.retain(|fork| !fork.dialog.is_with(to.tag()));
        }
        if subscriber.forks.is_empty() {
            let how = match subscriber.is_leaving() {
                true => SubscriptionEnd::Terminated,
                false => SubscriptionEnd::Refused(code),
            };
            self.end_subscription(id, how);
        } else {
            self.arm_subscriber(id);
        }
    }

    /// A SUBSCRIBE of ours found nobody. One that refreshes leaves the subscription until it expires (RFC 6665 §4.1.2.2).
    pub(super) fn subscribe_failed(&mut self, id: SubscriptionId, silence: Silence) {
        let is_alone = self
            .subscriber_mut(id)
            .is_some_and(|subscriber| subscriber.forks.is_empty());
        if is_alone {
            self.end_subscription(id, SubscriptionEnd::Refused(silence.code()));
        }
    }

    /// Time to refresh, or to give up.
    pub(super) fn refresh_subscription(&mut self, now: Time, id: SubscriptionId) {
        let Some(subscriber) = self.subscriber_mut(id) else {
            return;
        };
        match subscriber.stage {
            Stage::Asking if now >= subscriber.open_until => {
                return self.end_subscription(id, SubscriptionEnd::PeerGone);
            }
            Stage::Leaving { .. } => return self.end_subscription(id, SubscriptionEnd::Terminated),
            Stage::Asking | Stage::Active => {}
        }
        let due = subscriber.take_due(now);
        if subscriber.forks.is_empty() && subscriber.stage == Stage::Active {
            return self.end_subscription(id, SubscriptionEnd::Expired);
        }
        let expires = subscriber.expires;
        for fork in due {
            self.send_subscribe(now, id, fork, expires);
        }
        self.arm_subscriber(id);
    }

    /// Lines of a SUBSCRIBE that was refused as too brief (RFC 3261 §21.4.17), with the time that its notifier wants.
    pub(in crate::endpoint) fn longer_subscription(
        &mut self,
        purpose: Purpose,
        response: &Message,
    ) -> Option<String> {
        let Purpose::Subscription(id) = purpose else {
            return None;
        };
        let subscriber = self.subscriber_mut(id)?;
        let least = response.min_expires()?;
        if subscriber.is_relayed || subscriber.is_leaving() || least <= subscriber.expires {
            return None;
        }
        subscriber.expires = least;
        Some(subscriber.lines(least))
    }

    /// The dialog of a subscription of ours in which a request with this `To` was sent.
    pub(in crate::endpoint) fn subscription_dialog(
        &mut self,
        purpose: Purpose,
        to: &str,
    ) -> Option<&mut Dialog> {
        let Purpose::Subscription(id) = purpose else {
            return None;
        };
        let mut forks = self.subscriber_mut(id)?.forks.iter_mut();
        Some(&mut forks.find(|fork| fork.dialog.remote == to)?.dialog)
    }

    /// SUBSCRIBE within the dialog of a fork.
    fn send_subscribe(&mut self, now: Time, id: SubscriptionId, fork: usize, expires: u32) {
        let Some(Subscription {
            identity,
            side: Side::Subscriber(subscriber),
        }) = self.subscriptions.get_mut(&id)
        else {
            return;
        };
        let lines = subscriber.lines(expires);
        let Some(fork) = subscriber.forks.iter_mut().find(|other| other.number == fork) else {
            return;
        };
        let (draft, hop) = identity.draft(Method::Subscribe, &mut fork.dialog, lines, None);
        self.dispatch(now, draft, hop, None, Purpose::Subscription(id));
    }

    fn arm_subscriber(&mut self, id: SubscriptionId) {
        let at = self
            .subscriber_mut(id)
            .and_then(|subscriber| subscriber.deadline());
        let deadline = at.map(|at| (at, "refresh of a subscription"));
        self.arm(TimerKey::Subscription(id), deadline);
    }

    pub(in crate::endpoint) fn subscriber_mut(&mut self, id: SubscriptionId) -> Option<&mut Subscriber> {
        match &mut self.subscriptions.get_mut(&id)?.side {
            Side::Subscriber(subscriber) => Some(subscriber),
            Side::Notifier(_) => None,
        }
    }
}
