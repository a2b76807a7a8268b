//! REFER outside of a dialog (RFC 3515 §2.4): a peer asks that somebody be called, and the subscription that this begins tells it the
//! progress of that call.

use sans_io::Time;

use crate::flow::Flow;
use crate::message::{Message, Referral, StatusCode};

use super::super::event::Event;
use super::super::refer::{LIFETIME, fragment};
use super::notifier::{Stage, Standing};
use super::pace::Pace;
use super::{Endpoint, EventType, REFER, SubscriptionId, TerminationReason};

impl Endpoint {
    /// A REFER outside a dialog that nothing speaks against.
    pub(in crate::endpoint) fn receive_referral(
        &mut self,
        now: Time,
        flow: Flow,
        request: Message,
        server: u64,
    ) {
        let referral = match Referral::read(&request) {
            Ok(referral) => referral,
            Err(code) => return self.refuse_with(now, server, code, &[]),
        };
        // Without it there is nowhere to send a NOTIFY to (RFC 3515 §2.2).
        if request.contact().is_none() {
            return self.refuse_with(now, server, StatusCode::BAD_REQUEST, &[]);
        }
        if self.subscriptions.len() >= self.config.max_subscriptions {
            return self.refuse_full(now, server);
        }
        let event = EventType {
            package: REFER.to_owned(),
            id: None,
        };
        let pace = Pace::new(now, self.config.notify_interval);
        let subscription = self.await_word(now, flow, (&request, server), (&event, LIFETIME), pace);
        self.event(Event::Referral {
            subscription,
            referral: Box::new(referral),
            request,
            flow,
        });
    }

    /// Answers `Event::Referral` with 202, and tells the peer that its request is being followed (100); with 200 and no more where it is
    /// to be told nothing, which `subscribes` of its referral says (RFC 4488 §4, RFC 7614 §5).
    pub fn accept_referral(&mut self, now: Time, subscription: SubscriptionId, subscribes: bool) {
        let Some((identity, notifier)) = self.notifier_mut(subscription) else {
            return;
        };
        let Stage::Asked { server, .. } = notifier.stage else {
            return;
        };
        notifier.longest = LIFETIME;
        notifier.stage = Stage::Granted {
            until: now + LIFETIME,
            standing: Standing::Active,
        };
        let (tag, user) = (identity.local_tag.clone(), identity.contact_user.clone());
        let Some(entry) = self.servers.get_mut(&server) else {
            return;
        };
        entry.tag = tag;
        entry.stranger = false;
        let (routes, flow) = (entry.head.record_routes().to_owned(), entry.flow);
        let mut more = routes + &self.contact_line(&user, &flow);
        if !subscribes {
            more.push_str("Refer-Sub: false\r\n");
        }
        more.push_str(&self.about.supported);
        more.push_str(&self.about.server);
        if subscribes {
            self.respond(now, server, StatusCode::ACCEPTED, &more, None);
            self.arm_notifier(now, subscription, LIFETIME);
            self.notify_referral(now, subscription, StatusCode::TRYING);
        } else {
            self.respond(now, server, StatusCode::OK, &more, None);
            self.forget_subscription(subscription);
        }
    }

    /// Tells whoever sent the REFER how far the call is, as the status code that it got; one from 200 on is the last (RFC 3515 §2.4.5).
    pub fn notify_referral(&mut self, now: Time, subscription: SubscriptionId, code: StatusCode) {
        let body = Some(fragment(code));
        if code.is_final() {
            self.terminate_subscription(now, subscription, TerminationReason::NoResource, body);
        } else {
            self.notify(now, subscription, body);
        }
    }
}
