//! REFER of the peer of a call (RFC 3515), and the NOTIFYs that tell it how its transfer goes.
//!
//! The subscription is in the dialog of the REFER and ends with it. NOTIFYs do not wait for each other's answers: there are
//! clients that answer none until their application does.

use std::fmt::Write as _;
use std::time::Duration;

use sans_io::Time;

use crate::message::{Message, Referral, ReplacedDialog, StatusCode};
use crate::uri::{Uri, escape_header};

use super::Endpoint;
use super::client::Purpose;
use super::event::Event;
use super::ids::{ReferId, UsageId};
use super::outgoing::{Body, Headers};
use super::subscription::EventType;
use super::subscription::{REFER, StateLine, expires_line};
use super::usage::State;
use super::wire;

/// Lifetime of a subscription without events; nobody's phone rings for so long.
pub(super) const LIFETIME: Duration = Duration::from_secs(600);

/// A REFER of the peer.
#[derive(Debug)]
pub(super) struct Subscription {
    /// CSeq number of the REFER.
    cseq: u32,
    /// Another one came before it in this dialog.
    named: bool,
    subscribes: bool,
    until: Time,
    /// Progress that the peer was told last; `None` before the REFER is accepted.
    notified: Option<StatusCode>,
}

impl Subscription {
    /// `Event` of its NOTIFYs.
    fn event(&self) -> EventType {
        EventType {
            package: REFER.to_owned(),
            id: self.named.then(|| self.cseq.to_string()),
        }
    }

    /// True if an `Event` with this `id` means it: the CSeq number of the REFER, or none for the first (RFC 3515 §2.4.6).
    fn is_meant_by(&self, id: Option<&str>) -> bool {
        match id {
            Some(id) => id == self.cseq.to_string(),
            None => !self.named,
        }
    }
}

impl Endpoint {
    /// Answers `Event::Refer` with 202, and tells the peer that its request is being followed (100), unless it wants to hear
    /// nothing (RFC 4488).
    pub fn accept_refer(&mut self, now: Time, usage: UsageId, refer: ReferId) {
        let Some(subscription) = self.subscription(usage, refer) else {
            return;
        };
        let subscribes = subscription.subscribes;
        let (Some(state), Some(entry)) = (self.usages.get(&usage), self.servers.get(&refer.0)) else {
            return;
        };
        let mut more = self.contact_line(&state.contact_user, &entry.flow);
        if !subscribes {
            more.push_str("Refer-Sub: false\r\n");
        }
        more.push_str(&self.about.supported);
        more.push_str(&self.about.server);
        self.respond(now, refer.0, StatusCode::ACCEPTED, &more, None);
        self.notify_refer(now, usage, refer, StatusCode::TRYING);
    }

    /// Answers `Event::Refer` with a refusal, 300 to 699.
    pub fn reject_refer(
        &mut self,
        now: Time,
        usage: UsageId,
        refer: ReferId,
        code: StatusCode,
        extra: &Headers,
    ) {
        if self.subscription(usage, refer).is_some() {
            self.forget_refer(usage, refer);
            self.respond_with(now, refer.0, code.max(StatusCode::MULTIPLE_CHOICES), extra, None);
        }
    }

    /// Tells how far the transfer is, as the status code that the new call got; one from 200 on is the last (RFC 3515 §2.4.5).
    pub fn notify_refer(&mut self, now: Time, usage: UsageId, refer: ReferId, code: StatusCode) {
        let Some(subscription) = self.subscription_mut(usage, refer) else {
            return;
        };
        subscription.notified = Some(code);
        let left = subscription.until.since(now);
        let state = if code.is_final() {
            StateLine::Terminated("noresource")
        } else if left.is_zero() {
            StateLine::Terminated("timeout")
        } else {
            StateLine::Active(left)
        };
        self.notify_progress(now, usage, refer, state);
    }

    /// A SUBSCRIBE in the dialog of a REFER: its peer wants to hear of the transfer for longer, or no more, which leaves the transfer
    /// alone (RFC 3515 §2.4.4).
    pub(super) fn receive_subscribe_in_call(
        &mut self,
        now: Time,
        usage: UsageId,
        server: u64,
        request: &Message,
    ) {
        let Some(event) = EventType::of(request).filter(|event| event.package == REFER) else {
            return self.refuse_event(now, server, request);
        };
        let Some(state) = self.usages.get_mut(&usage) else {
            return;
        };
        let found = state.refers.iter_mut().find(|(_, subscription)| {
            subscription.subscribes
                && subscription.notified.is_some()
                && subscription.is_meant_by(event.id.as_deref())
        });
        let Some((refer, subscription)) = found else {
            return self.refuse_with(now, server, StatusCode::CALL_DOES_NOT_EXIST, &[]);
        };
        let wanted = request
            .expires()
            .map(|seconds| Duration::from_secs(seconds.into()));
        let granted = wanted.map_or(LIFETIME, |wanted| wanted.min(LIFETIME));
        subscription.until = now + granted;
        let (refer, user) = (*refer, state.contact_user.clone());
        if let Some(entry) = self.servers.get(&server) {
            let contact = self.contact_line(&user, &entry.flow);
            let expires = expires_line(granted.as_secs());
            let supported = self.about.supported.clone();
            self.refuse_with(now, server, StatusCode::OK, &[&contact, &expires, &supported]);
        }
        let state = match granted.is_zero() {
            true => StateLine::Terminated("timeout"),
            false => StateLine::Active(granted),
        };
        self.notify_progress(now, usage, refer, state);
    }

    /// NOTIFY with the progress of a transfer.
    fn notify_progress(&mut self, now: Time, usage: UsageId, refer: ReferId, state: StateLine) {
        let Some(subscription) = self.subscription(usage, refer) else {
            return;
        };
        let mut lines = subscription.event().notify_lines(state);
        if let (true, Some(code)) = (subscription.subscribes, subscription.notified) {
            lines.push_str(&self.about.user_agent);
            self.send_in_dialog(now, usage, 0, Some(fragment(code)), lines, Purpose::Notify(refer));
        }
        if matches!(state, StateLine::Terminated(_)) {
            self.forget_refer(usage, refer);
        }
    }

    /// Asks the peer to call `target` in our place; `replaces` is the call of its that the new one takes the place of (RFC 5589 §7).
    /// `extra` are further headers, such as the credentials of whose wish it is. Ends in `Event::ReferAnswered`.
    pub fn refer(
        &mut self,
        now: Time,
        usage: UsageId,
        target: &Uri,
        replaces: Option<&ReplacedDialog>,
        extra: &Headers,
    ) {
        let Some(state) = self
            .usages
            .get(&usage)
            .filter(|state| state.state == State::Confirmed)
        else {
            return;
        };
        let mut to = target.bare().as_str().to_owned();
        if let Some(dialog) = replaces {
            let value = format!(
                "{};to-tag={};from-tag={}",
                dialog.call_id, dialog.to_tag, dialog.from_tag
            );
            let _ = write!(to, "?Replaces={}", escape_header(&value));
        }
        let by = state.info.local.clone();
        let mut lines = String::new();
        wire::line(&mut lines, "Refer-To", &format!("<{to}>"));
        wire::line(&mut lines, "Referred-By", &by);
        wire::extra_lines(&mut lines, extra);
        lines.push_str(&self.about.user_agent);
        self.send_in_dialog(now, usage, 0, None, lines, Purpose::Refer);
    }

    pub(super) fn refer_answered(&mut self, usage: UsageId, code: StatusCode, challenges: Headers) {
        if self.usages.get(&usage).is_some_and(|state| !state.is_over()) {
            self.event(Event::ReferAnswered {
                usage,
                code,
                challenges,
            });
        }
    }

    pub(super) fn receive_refer(&mut self, now: Time, usage: UsageId, server: u64, request: &Message) {
        let Some(state) = self.usages.get_mut(&usage) else {
            return;
        };
        // Nobody can be transferred before there is a call.
        if state.state != State::Confirmed {
            return self.refuse_with(now, server, StatusCode::REQUEST_PENDING, &[]);
        }
        let referral = match Referral::read(request) {
            Ok(referral) => referral,
            Err(code) => return self.refuse_with(now, server, code, &[]),
        };
        let refer = ReferId(server);
        let subscription = Subscription {
            cseq: request.cseq().number,
            named: std::mem::replace(&mut state.referred, true),
            subscribes: referral.subscribes,
            until: now + LIFETIME,
            notified: None,
        };
        state.refers.insert(refer, subscription);
        self.event(Event::Refer {
            usage,
            refer,
            referral: Box::new(referral),
        });
    }

    /// A NOTIFY was refused, or found nobody: the peer does not listen any more (RFC 5057 §5.1). The call goes on.
    pub(super) fn notify_refused(&mut self, usage: Option<UsageId>, refer: ReferId) {
        if let Some(usage) = usage {
            self.forget_refer(usage, refer);
        }
    }

    fn subscription(&self, usage: UsageId, refer: ReferId) -> Option<&Subscription> {
        let state = self.usages.get(&usage).filter(|state| !state.is_over())?;
        state.refers.get(&refer)
    }

    fn subscription_mut(&mut self, usage: UsageId, refer: ReferId) -> Option<&mut Subscription> {
        let state = self.usages.get_mut(&usage).filter(|state| !state.is_over())?;
        state.refers.get_mut(&refer)
    }

    fn forget_refer(&mut self, usage: UsageId, refer: ReferId) {
        if let Some(state) = self.usages.get_mut(&usage) {
            state.refers.remove(&refer);
        }
    }
}

/// Progress of a call, as its peer is told (RFC 3515 §2.4.5): the status line that the call got.
pub(super) fn fragment(code: StatusCode) -> Body {
    Body {
        content_type: "message/sipfrag;version=2.0".into(),
        data: format!("SIP/2.0 {code} {}\r\n", code.reason()).into(),
    }
}
