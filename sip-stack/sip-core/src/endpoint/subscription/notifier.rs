//! Notifier: a peer subscribes to an event of ours (RFC 6665 §4.2.1).

use std::time::Duration;

use sans_io::Time;

use crate::dialog::Dialog;
use crate::flow::Flow;
use crate::message::{HeaderName, Message, StatusCode};

use super::super::call_in::is_sticky;
use super::super::event::Event;
use super::super::ids::ServerTx;
use super::super::outgoing::Headers;
use super::pace::{Pace, interval};
use super::{Endpoint, Identity, Side, Subscription, TimerKey, expires_line, one_line};
use super::{EventType, SubscriptionId};

/// Time that a SUBSCRIBE without `Expires` asks for; packages that have another one are not known here.
const DEFAULT: Duration = Duration::from_secs(3_600);

/// Time from which no SUBSCRIBE is too brief, whatever is configured (RFC 6665 §4.2.1.1).
const NEVER_BRIEF: Duration = Duration::from_secs(3_600);

/// The side that tells.
#[derive(Debug)]
pub(super) struct Notifier {
    pub(super) dialog: Dialog,
    /// Time that one SUBSCRIBE gets at most.
    pub(super) longest: Duration,
    /// Refreshes are the application's to answer; the one that waits for that.
    refreshes: Refreshes,
    pub(super) pace: Pace,
    pub(super) stage: Stage,
}

/// Whoever answers a SUBSCRIBE within the dialog.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refreshes {
    /// We do, at once.
    Ours,
    /// The application; none waits.
    Relayed,
    /// The application, for this server transaction.
    Asked { server: u64, wanted: Duration },
}

/// Stage of a peer's subscription.
#[derive(Clone, Copy, Debug)]
pub(super) enum Stage {
    /// The SUBSCRIBE, this server transaction, waits for the application's word.
    Asked { server: u64, wanted: Duration },
    /// Granted until then.
    Granted { until: Time, standing: Standing },
    /// The peer wants one state and no more (RFC 6665 §4.4.3): the next NOTIFY is the last.
    Last,
}

/// Standing of a subscription that was granted (RFC 6665 §4.1.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// It waits for somebody who decides whether the peer may have the state.
    Pending,
    /// The peer may have the state.
    Active,
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
        let wanted = wanted(&request);
        if self.refuse_brief(now, server, wanted) {
            return;
        }
        if self.subscriptions.len() >= self.config.max_subscriptions {
            return self.refuse_full(now, server);
        }
        let slow = request
            .event()
            .and_then(|event| interval(event.param("max-rate")));
        let pace = self.config.notify_interval.max(slow.unwrap_or_default());
        let pace = Pace::new(now, pace);
        let id = self.await_word(now, flow, (&request, server), (&event, wanted), pace);
        self.event(Event::Subscribe {
            subscription: id,
            event,
            expires: wanted,
            request,
            flow,
        });
    }

    /// Begins a subscription, which waits for the application's word.
    pub(super) fn await_word(
        &mut self,
        now: Time,
        flow: Flow,
        (request, server): (&Message, u64),
        (event, wanted): (&EventType, Duration),
        pace: Pace,
    ) -> SubscriptionId {
        let id = SubscriptionId(self.rng.u64());
        let first = self.rng.below(1 << 16) as u32 + 1;
        let user = request.uri().and_then(|uri| uri.user()).unwrap_or_default();
        let identity = Identity {
            event: event.clone(),
            call_id: request.call_id().to_owned(),
            local: request.header(HeaderName::To).unwrap_or_default().to_owned(),
            local_tag: format!("{:016x}", id.0),
            contact_user: user.to_owned(),
            flow: Some(flow),
            is_sticky: is_sticky(request, flow),
        };
        let side = Side::Notifier(Notifier {
            dialog: Dialog::uas(request, first),
            longest: Duration::ZERO,
            refreshes: Refreshes::Ours,
            pace,
            stage: Stage::Asked { server, wanted },
        });
        self.subscriptions.insert(id, Subscription { identity, side });
        self.arm_notifier(now, id, Duration::ZERO);
        id
    }

    /// Grants `Event::Subscribe`, and each refresh after it, `longest` at most, in whole seconds. [`notify`](Self::notify) must follow at
    /// once (RFC 6665 §4.2.1.2).
    pub fn accept_subscription(&mut self, now: Time, subscription: SubscriptionId, longest: Duration) {
        self.take_subscription(now, subscription, longest, Standing::Active);
    }

    /// Grants `Event::Subscribe` for a subscription that is relayed: somebody else grants it, for that time, and is asked for each refresh
    /// as well (`Event::SubscribeAgain`).
    pub fn accept_relayed(&mut self, now: Time, subscription: SubscriptionId, granted: Duration) {
        self.take_subscription(now, subscription, granted, Standing::Active);
        if let Some((_, notifier)) = self.notifier_mut(subscription) {
            notifier.refreshes = Refreshes::Relayed;
        }
    }

    /// Answers `Event::SubscribeAgain`: grants that time; with none [`terminate_subscription`](Self::terminate_subscription) is to follow.
    pub fn accept_refresh(&mut self, now: Time, subscription: SubscriptionId, granted: Duration) {
        let Some((notifier, server, wanted)) = self.take_refresh(subscription) else {
            return;
        };
        notifier.longest = granted;
        let standing = notifier.standing();
        self.grant(now, subscription, server, (wanted, standing));
    }

    /// Answers `Event::SubscribeAgain` with a refusal, 300 to 699, which leaves the subscription as it was.
    pub fn refuse_refresh(
        &mut self,
        now: Time,
        subscription: SubscriptionId,
        code: StatusCode,
        extra: &Headers,
    ) {
        let Some((_, server, _)) = self.take_refresh(subscription) else {
            return;
        };
        let lines: String = extra.iter().map(|(name, value)| one_line(name, value)).collect();
        self.refuse_with(now, server, code.max(StatusCode::MULTIPLE_CHOICES), &[&lines]);
    }

    fn take_refresh(&mut self, subscription: SubscriptionId) -> Option<(&mut Notifier, u64, Duration)> {
        let (_, notifier) = self.notifier_mut(subscription)?;
        let Refreshes::Asked { server, wanted } = notifier.refreshes else {
            return None;
        };
        notifier.refreshes = Refreshes::Relayed;
        Some((notifier, server, wanted))
    }

    /// Grants `Event::Subscribe` as [`accept_subscription`](Self::accept_subscription) does, but for somebody else to decide on: its
    /// NOTIFYs say `pending`, and are to tell nothing of the state, until [`authorize_subscription`](Self::authorize_subscription).
    pub fn defer_subscription(&mut self, now: Time, subscription: SubscriptionId, longest: Duration) {
        self.take_subscription(now, subscription, longest, Standing::Pending);
    }

    /// Lets a peer have the state that its subscription waits for; [`notify`](Self::notify) must follow.
    pub fn authorize_subscription(&mut self, subscription: SubscriptionId) {
        if let Some((_, notifier)) = self.notifier_mut(subscription)
            && let Stage::Granted { standing, .. } = &mut notifier.stage
        {
            *standing = Standing::Active;
        }
    }

    fn take_subscription(
        &mut self,
        now: Time,
        subscription: SubscriptionId,
        longest: Duration,
        standing: Standing,
    ) {
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
        self.grant(now, subscription, server, (wanted, standing));
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

    /// Leaves the SUBSCRIBE of `Event::Subscribe` without an answer and forgets it. No event follows.
    pub fn pass_over_subscription(&mut self, subscription: SubscriptionId) {
        let Some((_, notifier)) = self.notifier_mut(subscription) else {
            return;
        };
        if let Stage::Asked { server, .. } = notifier.stage {
            self.forget_subscription(subscription);
            self.drop_server(server);
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
        let Some((_, notifier)) = self.notifier_mut(id) else {
            return;
        };
        if !notifier.dialog.is_with(request.from().tag()) {
            return self.refuse_with(now, server, StatusCode::CALL_DOES_NOT_EXIST, &[]);
        }
        let standing = match notifier.stage {
            Stage::Asked { .. } => None,
            Stage::Granted { .. } | Stage::Last => Some(notifier.standing()),
        };
        // RFC 3261 §12.2.2: a request that is out of order is refused and changes nothing.
        let Some(standing) = standing.filter(|_| notifier.dialog.admit(request.cseq().number)) else {
            return self.refuse_with(now, server, StatusCode::SERVER_INTERNAL_ERROR, &[]);
        };
        let wanted = wanted(request);
        if notifier.refreshes == Refreshes::Ours && self.refuse_brief(now, server, wanted) {
            return;
        }
        let Some(Subscription {
            identity,
            side: Side::Notifier(notifier),
        }) = self.subscriptions.get_mut(&id)
        else {
            return;
        };
        notifier.dialog.refresh_target(request);
        // The peer came back over another connection (RFC 5626): there it is reachable now.
        if identity.flow.is_some_and(|old| old.transport == flow.transport) {
            identity.flow = Some(flow);
        }
        match notifier.refreshes {
            Refreshes::Ours => {
                self.grant(now, id, server, (wanted, standing));
                self.event(Event::Resubscribed { subscription: id });
            }
            Refreshes::Relayed => {
                notifier.refreshes = Refreshes::Asked { server, wanted };
                self.event(Event::SubscribeAgain {
                    subscription: id,
                    expires: wanted,
                    request: request.clone(),
                });
            }
            // One waits already: whoever is asked twice answers twice.
            Refreshes::Asked { .. } => self.refuse_with(now, server, StatusCode::SERVER_INTERNAL_ERROR, &[]),
        }
    }

    /// Answers a SUBSCRIBE 200 with the time that it gets, which is never longer than what it asked for (RFC 6665 §4.2.1.1).
    fn grant(
        &mut self,
        now: Time,
        id: SubscriptionId,
        server: u64,
        (wanted, standing): (Duration, Standing),
    ) {
        let Some((identity, notifier)) = self.notifier_mut(id) else {
            return;
        };
        let granted = Duration::from_secs(wanted.min(notifier.longest).as_secs());
        notifier.stage = match granted.is_zero() {
            true => Stage::Last,
            false => Stage::Granted {
                until: now + granted,
                standing,
            },
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

    /// Refuses a SUBSCRIBE that asks for less time than we grant: 423 with `Min-Expires` (RFC 6665 §4.2.1.1). One that asks for none
    /// wants a single state, or no more.
    fn refuse_brief(&mut self, now: Time, server: u64, wanted: Duration) -> bool {
        let least = self.config.min_subscription.min(NEVER_BRIEF);
        let is_brief = !wanted.is_zero() && wanted < least;
        if is_brief {
            let line = format!("Min-Expires: {}\r\n", least.as_secs());
            self.refuse_with(now, server, StatusCode::INTERVAL_TOO_BRIEF, &[&line]);
        }
        is_brief
    }

    /// Sets the end of what was granted; without that, the time within which the application has to say something.
    pub(super) fn arm_notifier(&mut self, now: Time, id: SubscriptionId, granted: Duration) {
        let time = match granted.is_zero() {
            true => self.config.timing.timeout(),
            false => granted,
        };
        self.timers
            .set(TimerKey::Subscription(id), now + time, "end of a subscription");
    }

    pub(super) fn notifier_mut(&mut self, id: SubscriptionId) -> Option<(&Identity, &mut Notifier)> {
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

impl Notifier {
    fn standing(&self) -> Standing {
        match self.stage {
            Stage::Granted { standing, .. } => standing,
            Stage::Asked { .. } | Stage::Last => Standing::Active,
        }
    }
}

/// Time that a SUBSCRIBE asks for.
fn wanted(request: &Message) -> Duration {
    request
        .expires()
        .map_or(DEFAULT, |seconds| Duration::from_secs(seconds.into()))
}
