//! A SUBSCRIBE comes in: who sends it, and whose state it is for.

use std::time::Duration;

use sans_io::Time;
use sip_core::endpoint::{EventType, Headers, SubscriptionId};
use sip_core::flow::Flow;
use sip_core::message::{Message, StatusCode};
use sip_core::uri::Uri;

use super::{Notified, Package, Stage, Watch, WatchRequest, Watcher};
use crate::admission::{Reason, Word};
use crate::coordinator::Coordinator;
use crate::event::{Event, Source};
use crate::incoming::user_of;

/// Time that a SUBSCRIBE gets at most.
const LONGEST: Duration = Duration::from_secs(3_600);

/// Users that one watcher may watch at a time, each package counting by itself.
const MAX_WATCHES: usize = 1_000;

impl Coordinator {
    /// A peer subscribes: admits it as an INVITE would be, and asks the application whose state it is for; or refuses it.
    pub(crate) fn subscribed(
        &mut self,
        now: Time,
        subscription: SubscriptionId,
        event: &EventType,
        (request, flow): (&Message, Flow),
    ) {
        match self.admit_watcher(now, event, (request, flow)) {
            Ok((by, package)) => {
                let uri = request.request_uri().unwrap_or_default();
                let entity = Uri::parse(uri).map(|uri| uri.bare().as_str().to_owned());
                let number = request.uri().map(user_of).unwrap_or_default();
                let asked = WatchRequest {
                    source: by.source.clone(),
                    package,
                    number,
                };
                let watch = Watch {
                    by,
                    package,
                    entity: entity.unwrap_or_default(),
                    stage: Stage::Asked,
                };
                if watch.by.lent.is_some() {
                    self.look_at_rights(now);
                }
                let (watches, cx) = self.watches_mut();
                watches.watches.insert(subscription, watch);
                cx.event(Event::Watch {
                    subscription,
                    watch: asked,
                });
            }
            Err(Some((code, headers))) => {
                let endpoint = &mut self.context_mut().endpoint;
                endpoint.reject_subscription(subscription, code, &headers);
            }
            Err(None) => self.context_mut().endpoint.pass_over_subscription(subscription),
        }
    }

    /// The watcher that a SUBSCRIBE comes from, and the package; or how it is refused, `None` for no answer at all.
    fn admit_watcher(
        &mut self,
        now: Time,
        event: &EventType,
        (request, flow): (&Message, Flow),
    ) -> Result<(Watcher, Package), Option<(StatusCode, Headers)>> {
        let refused = |code: StatusCode| Some((code, Headers::new()));
        let package = Package::of(&event.package).ok_or_else(|| refused(StatusCode::BAD_EVENT))?;
        let (admission, cx) = self.admission_mut();
        if cx.is_scanner(request, flow) {
            return Err(None);
        }
        let word = admission.admit(cx, now, request, flow);
        admission.report_bans(cx);
        let by = match word {
            Word::Granted { source, lent } => Watcher { source, lent },
            Word::PassedOver => return Err(None),
            Word::Refused { code, headers } => return Err(Some((code, headers))),
        };
        let may = match &by.source {
            Source::User(_) => true,
            Source::Trunk(name) => cx.directory.trunk(name).is_some_and(|trunk| trunk.watches),
            Source::Anyone => false,
        };
        if !may {
            let from = user_of(request.from().uri);
            cx.refused(request, flow, &from, StatusCode::FORBIDDEN, Reason::MayNotWatch);
            return Err(refused(StatusCode::FORBIDDEN));
        }
        if !package.is_accepted(request) {
            return Err(refused(StatusCode::NOT_ACCEPTABLE));
        }
        if self.watches().count_by(&by.source) >= MAX_WATCHES {
            let retry = vec![("Retry-After".into(), "60".into())];
            return Err(Some((StatusCode::SERVICE_UNAVAILABLE, retry)));
        }
        Ok((by, package))
    }

    /// Answers [`Event::Watch`]: the watcher is told the state of this user from now on. Refused with 404 if there is no such user.
    pub fn admit_watch(&mut self, now: Time, subscription: SubscriptionId, user: &str) {
        match self.context().directory.user(user).is_some() {
            true => self.grant_watch(now, subscription, user),
            false => self.refuse_watch(subscription, StatusCode::NOT_FOUND),
        }
    }

    /// Tells a watcher the state of whoever or whatever has that name from now on.
    pub(super) fn grant_watch(&mut self, now: Time, subscription: SubscriptionId, user: &str) {
        let (watches, cx) = self.watches_mut();
        let Some(watch) = watches.watches.get_mut(&subscription) else {
            return;
        };
        if !matches!(watch.stage, Stage::Asked) {
            return;
        }
        // Where a user's phones are (RFC 3680 §7), and what is in a mailbox (RFC 3842 §7), is nobody else's business.
        let is_private = matches!(watch.package, Package::Reg | Package::MessageSummary);
        if is_private && matches!(&watch.by.source, Source::User(by) if by != user) {
            return self.refuse_watch(subscription, StatusCode::FORBIDDEN);
        }
        watch.stage = Stage::Granted {
            user: user.to_owned(),
            notified: Notified::nothing(watch.package),
        };
        watches
            .of
            .entry(user.to_owned())
            .or_default()
            .insert(subscription);
        cx.endpoint.accept_subscription(now, subscription, LONGEST);
        self.tell_all(now, subscription);
    }

    /// Answers [`Event::Watch`] with a refusal, 300 to 699.
    pub fn refuse_watch(&mut self, subscription: SubscriptionId, code: StatusCode) {
        let (watches, cx) = self.watches_mut();
        let is_asked = |watch: &Watch| matches!(watch.stage, Stage::Asked);
        if watches.watches.get(&subscription).is_some_and(is_asked) {
            watches.forget(subscription);
            cx.endpoint
                .reject_subscription(subscription, code, &Headers::new());
        }
    }

    /// A subscription is over.
    pub(crate) fn watch_ended(&mut self, subscription: SubscriptionId) {
        self.watches_mut().0.forget(subscription);
    }
}
