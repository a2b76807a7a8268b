//! Joining a call: an INVITE with `Join` (RFC 3911) makes its caller a further member of the call that a dialog belongs to.

use media_core::control::LegId;
use sans_io::Time;
use sip_core::endpoint::UsageId;
use sip_core::message::{HeaderName, Message, Replaces, StatusCode};

use crate::call::{Call, End};
use crate::coordinator::Coordinator;
use crate::event::Source;
use crate::leg::{Leg, Purpose};
use crate::record::Cause;

impl Coordinator {
    /// Answers `leg`, whose INVITE asks to join the call of `joined` ([`Event::Joins`](crate::Event::Joins)): everybody in that call and
    /// `leg` hear each other. Ends in [`Event::Joined`](crate::Event::Joined). Where the call is gone before media is open, `leg` is refused.
    pub fn join_call(&mut self, now: Time, leg: LegId, joined: LegId) {
        self.with_leg(leg, |call, _| {
            if let Some(l) = call.leg_mut(leg) {
                l.set_purpose(Purpose::Joining(joined));
            }
        });
        self.answer(now, leg, None);
    }

    /// Leg whose call an INVITE asks to join, if its sender may. Whoever may take the place of a leg (`Replaces`) may join its call: a user
    /// that of any user, since only the two ends of a dialog know its tags, a trunk that of a leg of its own.
    ///
    /// # Errors
    /// The status to refuse it with (RFC 3911 §4) and the reason: 400 for a malformed field, 481 if there is no such dialog or it is not
    /// answered, 403 if the sender may not, 603 if the call ends, rings somebody or is being transferred.
    pub(crate) fn joined_by(
        &self,
        request: &Message,
        source: &Source,
    ) -> Result<Option<LegId>, (StatusCode, &'static str)> {
        let mut fields = request.lines(HeaderName::Join);
        let Some(value) = fields.next() else {
            return Ok(None);
        };
        let dialog = Replaces::parse(value)
            .filter(|_| fields.next().is_none() && request.header(HeaderName::Replaces).is_none())
            .ok_or((StatusCode::BAD_REQUEST, "Malformed Join"))?;
        let name = (dialog.call_id, dialog.to_tag, dialog.from_tag);
        let cx = self.context();
        let l = UsageId::of_tag(dialog.to_tag)
            .filter(|usage| cx.endpoint.is_dialog(*usage, name))
            .and_then(|usage| self.leg(cx.index.leg(usage)?))
            .ok_or((StatusCode::CALL_DOES_NOT_EXIST, "No such dialog to join"))?;
        let may = match source {
            Source::User(_) => l.user().is_some(),
            Source::Trunk(name) => l.trunk() == Some(name),
            Source::Anyone => false,
        };
        if !may {
            return Err((StatusCode::FORBIDDEN, "The call is not yours to join"));
        }
        if l.is_unanswered() {
            return Err((StatusCode::CALL_DOES_NOT_EXIST, "The dialog is not answered"));
        }
        match self.may_be_joined(l.id()) {
            true => Ok(Some(l.id())),
            false => Err((StatusCode::DECLINE, "The call cannot be joined now")),
        }
    }

    /// True for a leg that talks in a call which others may come into.
    pub(super) fn may_be_joined(&self, leg: LegId) -> bool {
        let talks = |l: &Leg| l.is_up() && l.is_member() && l.aside().is_none();
        let call = self.call_of(leg);
        call.is_some_and(|call| call.may_merge() && call.leg(leg).is_some_and(talks))
    }

    /// `leg` is answered: it goes over into the call of `joined`.
    pub(super) fn come_in(&mut self, now: Time, leg: LegId, joined: LegId) {
        let sessions = self.session_of_leg(joined).zip(self.session_of_leg(leg));
        let is_in = sessions.is_some_and(|(host, guest)| self.join(now, host, guest).is_ok());
        if !is_in {
            self.with_leg(leg, |call: &mut Call, cx| {
                call.end(cx, now, End::new(Cause::Failed, StatusCode::DECLINE))
            });
        }
    }
}
