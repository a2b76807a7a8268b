//! Attended transfer: those who talk with one leg and those who talk with another hear each other, and both legs are out.

use media_core::control::LegId;
use sans_io::Time;
use sip_core::message::StatusCode;

use crate::SessionId;
use crate::call::{Call, End};
use crate::context::Context;
use crate::coordinator::Coordinator;
use crate::dial::Caller;
use crate::event::Event;
use crate::record::Cause;

impl Call {
    /// Takes `leg`, whose peer asked for it, out of a call of two: for that peer the transfer is done. The leg that is alone now, and
    /// how its party is shown to others. In any other call: declined.
    pub(crate) fn leave(&mut self, cx: &mut Context, now: Time, leg: LegId) -> Option<(LegId, Caller)> {
        let members = self.members();
        let other = members.iter().copied().find(|other| *other != leg);
        let is_pair = self.dialling().is_none() && self.invitations().is_empty() && members.len() == 2;
        let (true, true, Some(other)) = (self.may_be_replaced(leg), is_pair, other) else {
            self.refuse_refer(cx, now, leg, StatusCode::DECLINE);
            return None;
        };
        let shown = self.who_stays(cx, leg)?;
        self.accept_refer(cx, now, leg);
        self.step_out(cx, leg);
        self.fill_caller();
        self.transferred(cx, leg, Vec::new());
        self.refer_progress(cx, now, leg, StatusCode::OK);
        Some((other, shown))
    }

    /// Neither dialled nor inviting anybody.
    fn is_settled(&self) -> bool {
        self.dialling().is_none() && self.invitations().is_empty()
    }
}

impl Coordinator {
    /// Joins those who talk with `leg`, whose peer asked for it, to those who talk with `other`, and ends both legs: an attended
    /// transfer. Ends in [`Event::Joined`] and [`Event::Transferred`], or in [`Event::TransferFailed`].
    pub fn transfer_attended(&mut self, now: Time, leg: LegId, other: LegId) {
        // Else it is over: its peer hung up before the application answered the REFER.
        let Some(session) = self.session_of_leg(leg) else {
            return;
        };
        let accepted = self.with_call(session, |call, cx| {
            if !call.may_be_replaced(leg) {
                call.refuse_refer(cx, now, leg, StatusCode::DECLINE);
                return false;
            }
            call.accept_refer(cx, now, leg);
            true
        });
        if accepted != Some(true) {
            return;
        }
        let joined = self.join_through(now, leg, other);
        let is_joined = joined.is_ok();
        self.with_call(session, |call, cx| match joined {
            Ok(joined) => {
                call.transferred(cx, leg, joined);
                call.refer_progress(cx, now, leg, StatusCode::OK);
            }
            Err(code) => {
                cx.event(Event::TransferFailed { session, leg, code });
                call.refer_progress(cx, now, leg, code);
            }
        });
        if is_joined {
            self.drop_leg(now, other);
        }
    }

    /// Those who talk with `leg` and those who talk with `other` hear each other, in the session of `leg`; the two legs are
    /// out of it, and still up. Those who came with `other`.
    ///
    /// # Errors
    /// 481 where there is nobody at either end, or one session is being dialled, transferred or is over; nothing changed then.
    pub fn join_through(&mut self, now: Time, leg: LegId, other: LegId) -> Result<Vec<LegId>, StatusCode> {
        let of = |leg: LegId| {
            let call = self.call_of(leg)?;
            (call.may_be_replaced(leg) && call.is_settled()).then(|| call.id())
        };
        let (Some(host), Some(guest)) = (of(leg), of(other)) else {
            return Err(StatusCode::CALL_DOES_NOT_EXIST);
        };
        if host == guest {
            return Err(StatusCode::CALL_DOES_NOT_EXIST);
        }
        for (session, leg) in [(host, leg), (guest, other)] {
            self.with_call(session, |call, cx| call.step_out(cx, leg));
        }
        let joined = self
            .with_call(guest, |call, _| call.members())
            .unwrap_or_default();
        // Each has somebody who answered, and neither rings anybody: it is not refused.
        if self.join(now, host, guest).is_err() {
            self.with_call(guest, |call, cx| {
                call.end(cx, now, End::new(Cause::Failed, StatusCode::CALL_DOES_NOT_EXIST))
            });
        }
        self.with_call(host, |call, cx| {
            call.fill_caller();
            call.wire(cx);
        });
        Ok(joined)
    }

    /// Everybody of `guest` goes over into `host`, and all hear each other: [`Event::Joined`].
    ///
    /// # Errors
    /// The two sessions as they were, when either is not there, is ending, rings somebody, or has nobody in it that is up.
    pub fn join(&mut self, _: Time, host: SessionId, guest: SessionId) -> Result<(), (SessionId, SessionId)> {
        let ready = |session: SessionId| self.call(session).is_some_and(Call::may_merge);
        if host == guest || !ready(host) || !ready(guest) {
            return Err((host, guest));
        }
        let Some(absorbed) = self.take_call(guest) else {
            return Err((host, guest));
        };
        self.with_call(host, |call, cx| call.absorb(cx, absorbed));
        Ok(())
    }
}
