//! Ringing, answering and refusing a call that came in.

use bytes::Bytes;
use media_core::control::{Application, LegId};
use media_core::negotiated::Direction;
use sans_io::Time;
use sip_core::message::StatusCode;

use super::{Call, End};
use crate::context::Context;
use crate::incoming::{sdp_status, sdp_warning};
use crate::leg::{Leg, Pending};
use crate::record::Cause;

/// Applications may ring and answer a leg that is over, or that is answered already: nothing happens then.
impl Call {
    /// Tells the caller that it rings (180), or makes progress (183); once media are open.
    pub(crate) fn ring(&mut self, cx: &mut Context, now: Time, leg: LegId, code: StatusCode) {
        let Some(l) = self.leg_mut(leg).filter(|l| l.is_unanswered()) else {
            return;
        };
        if !l.when_open(Pending::Ring(code, false)) {
            self.ring_now(cx, now, leg, code, false);
        }
    }

    /// Lets the caller hear `application` before anybody answered: 183 with our answer.
    pub(crate) fn progress(
        &mut self,
        cx: &mut Context,
        now: Time,
        leg: LegId,
        application: Option<Application>,
    ) {
        let Some(l) = self.leg_mut(leg).filter(|l| l.is_unanswered()) else {
            return;
        };
        l.set_application(application);
        if !l.when_open(Pending::Ring(StatusCode::SESSION_PROGRESS, true)) {
            self.ring_now(cx, now, leg, StatusCode::SESSION_PROGRESS, true);
        }
    }

    pub(crate) fn ring_now(
        &mut self,
        cx: &mut Context,
        now: Time,
        leg: LegId,
        code: StatusCode,
        early_media: bool,
    ) {
        let is_fax = self.fax().is_some();
        let Some(l) = self.leg_mut(leg).filter(|l| l.is_unanswered()) else {
            return;
        };
        let Some(usage) = l.usage() else { return };
        // Nobody knows the other party's fax before it has answered.
        let is_early = l.is_browser() || early_media && !is_fax;
        let sdp = if is_early && l.negotiation().has_offer() {
            match self.answer_or_end(cx, now, leg) {
                Some(sdp) => sdp,
                None => return,
            }
        } else if cx.endpoint.offers_first(usage) {
            Some(l.offer_sdp(Direction::SendRecv))
        } else {
            None
        };
        if let Some(l) = self.leg_mut(leg) {
            l.send_progress(cx, now, code, sdp);
        }
        self.wire(cx);
    }

    /// Sets what a leg that is about to be answered hears without a bridge, and says whether it can be answered now: its media
    /// may still be opening.
    pub(crate) fn prepare_answer(&mut self, leg: LegId, application: Option<Application>) -> bool {
        let Some(l) = self.leg_mut(leg).filter(|l| l.is_unanswered()) else {
            return false;
        };
        l.set_application(application);
        !l.when_open(Pending::Answer)
    }

    /// Answers a call that came in, whose media are open: 200. False if it could not be answered.
    pub(crate) fn answer_now(&mut self, cx: &mut Context, now: Time, leg: LegId) -> bool {
        let Some(l) = self.leg_mut(leg).filter(|l| l.is_unanswered()) else {
            return false;
        };
        let Some(usage) = l.usage() else { return false };
        let sdp = if l.negotiation().has_offer() {
            match self.answer_or_end(cx, now, leg) {
                Some(sdp) => sdp,
                None => return false,
            }
        } else if cx.endpoint.offered_early(usage) {
            None // a reliable response brought it, and the PRACK its answer
        } else {
            Some(l.offer_sdp(Direction::SendRecv))
        };
        self.note_answered(now);
        if let Some(l) = self.leg_mut(leg) {
            l.send_answer(cx, now, sdp);
        }
        true
    }

    /// Answers whoever waits for it: now, or once its media are open.
    pub(crate) fn answer_caller(&mut self, cx: &mut Context, now: Time) {
        let Some(l) = self.caller_mut().filter(|l| l.is_unanswered()) else {
            return;
        };
        let caller = l.id();
        if !l.when_open(Pending::Answer) && self.answer_now(cx, now, caller) {
            self.wire(cx);
        }
    }

    /// Changes what a leg hears while it is in no bridge.
    pub(crate) fn play(&mut self, cx: &mut Context, leg: LegId, application: Option<Application>) {
        if let Some(l) = self.leg_mut(leg) {
            l.play(application);
            self.wire(cx);
        }
    }

    /// Our answer to the offer of the leg's INVITE. `None` when the offer cannot be answered: the call is refused then.
    fn answer_or_end(&mut self, cx: &mut Context, now: Time, leg: LegId) -> Option<Option<Bytes>> {
        let callee = self.callee().and_then(|callee| self.leg(callee));
        let fax = callee
            .and_then(Leg::peer_fax)
            .filter(|_| self.fax().is_some())
            .cloned();
        let other = self.counterpart(leg).and_then(|other| self.leg(other));
        let (described, other) = (other.and_then(Leg::described), other.and_then(Leg::codec));
        let l = self.leg_mut(leg)?;
        l.answer_like(cx, described);
        if let Some(other) = other.filter(|_| !cx.has_own_codecs(l.trunk())) {
            l.suit(other);
        }
        match l.answer_sdp(cx, fax.as_ref()) {
            Ok(sdp) => Some(sdp),
            Err(error) => {
                l.set_refusal(sdp_warning(&cx.config.host, &error));
                self.end(cx, now, End::new(Cause::Failed, sdp_status(&error)));
                None
            }
        }
    }
}
