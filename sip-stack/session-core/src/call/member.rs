//! Members of a call: admitted, listening in, let go, gone.

use media_core::control::LegId;
use sans_io::Time;
use sip_core::endpoint::Reason;
use sip_core::message::StatusCode;

use super::{Call, End};
use crate::context::Context;
use crate::event::Event;
use crate::leg::Leg;
use crate::record::Cause;

impl Call {
    /// Admits an answered leg: it is bridged with the others as its role allows.
    pub(crate) fn admit(&mut self, cx: &mut Context, leg: LegId) {
        if self.leg(leg).is_some_and(|l| l.is_up() && !l.is_member()) {
            self.add_member(leg);
            self.wire(cx);
        }
    }

    /// Hangs one leg up. The call goes on where it may; otherwise it ends.
    pub(crate) fn drop_leg(&mut self, cx: &mut Context, now: Time, leg: LegId, reason: Option<Reason>) {
        if !self.leg(leg).is_some_and(Leg::is_live) {
            return;
        }
        if self.may_lose(leg) {
            // A leg that is let go after asking for it got what it wanted.
            if self.leg(leg).is_some_and(|l| l.aside().is_none()) {
                self.refer_progress(cx, now, leg, StatusCode::OK);
            }
            self.remove_member(leg);
            self.end_leg(cx, now, leg, reason);
            self.wire(cx);
            self.conclude(cx);
        } else {
            self.end(cx, now, End::new(Cause::Local, StatusCode::OK));
        }
    }

    /// Reports a member that is gone by itself, where the call goes on. False where it cannot.
    pub(crate) fn member_left(
        &mut self,
        cx: &mut Context,
        leg: LegId,
        cause: Cause,
        code: StatusCode,
    ) -> bool {
        if !self.may_lose(leg) {
            return false;
        }
        self.remove_member(leg);
        cx.event(Event::Left {
            session: self.id(),
            leg,
            cause,
            code,
        });
        self.wire(cx);
        true
    }
}
