//! Offers within a call: hold and resume, ours and the peer's, and every other change of media.
//!
//! A re-INVITE or UPDATE of a peer is answered here, unless the other party has to agree: [`super::passing`] has the table.

use media_core::control::LegId;
use media_core::sdp::Fax;
use sans_io::Time;
use sip_core::endpoint::{Body, ForkId, UsageId};
use sip_core::message::StatusCode;

use super::{Call, End};
use crate::context::Context;
use crate::event::Event;
use crate::incoming::{sdp_status, sdp_warning};
use crate::leg::Leg;
use crate::record::Cause;

impl Call {
    /// Holds a leg's peer, or takes it back.
    pub(crate) fn hold(&mut self, cx: &mut Context, now: Time, leg: LegId, holding: bool) {
        if self.leg_mut(leg).is_some_and(|l| l.hold(cx, now, holding)) {
            self.wire(cx);
        }
    }

    /// Handles the peer's re-INVITE or UPDATE. `None`: it wants our offer. `fork` names the fork that offers, while nobody has answered our INVITE.
    pub(crate) fn reoffered(
        &mut self,
        cx: &mut Context,
        now: Time,
        (leg, usage): (LegId, UsageId),
        fork: Option<ForkId>,
        offer: Option<Body>,
    ) {
        let Some(l) = self.leg_mut(leg) else {
            return cx
                .endpoint
                .answer_offer(now, usage, Err(StatusCode::CALL_DOES_NOT_EXIST), Vec::new());
        };
        if l.is_opening() {
            // There is no address to answer with yet: it comes again (RFC 3261 §14.2).
            return cx
                .endpoint
                .answer_offer(now, usage, Err(StatusCode::SERVER_INTERNAL_ERROR), Vec::new());
        }
        let Some(offer) = offer else {
            let direction = l.wanted_direction();
            let sdp = Body::sdp(l.offer_sdp(direction));
            return cx.endpoint.answer_offer(now, usage, Ok(Some(sdp)), Vec::new());
        };
        if fork.is_some() || !self.pass_on(cx, now, (leg, usage), &offer.data) {
            self.answer_offer(cx, now, leg, fork, &offer.data);
        }
    }

    /// Answers an offer of a leg's peer. False if it had to be refused.
    pub(super) fn answer_offer(
        &mut self,
        cx: &mut Context,
        now: Time,
        leg: LegId,
        fork: Option<ForkId>,
        offer: &[u8],
    ) -> bool {
        self.prefer_ours(cx, leg, offer);
        let Some(l) = self.leg_mut(leg) else { return false };
        let Some(usage) = l.usage() else { return false };
        let before = l.is_held();
        match l.reoffered(cx, fork, offer) {
            Ok(sdp) => {
                let body = Body::sdp(sdp);
                cx.endpoint.answer_offer(now, usage, Ok(Some(body)), Vec::new());
                self.renegotiated(cx, now, leg, before);
                true
            }
            Err(error) => {
                l.settle_formats();
                let warning = sdp_warning(&cx.config.host, &error);
                cx.endpoint
                    .answer_offer(now, usage, Err(sdp_status(&error)), warning);
                false
            }
        }
    }

    /// Answers a peer's offer of a fax. False if it had to be refused.
    pub(super) fn answer_with_fax(
        &mut self,
        cx: &mut Context,
        now: Time,
        leg: LegId,
        offer: &[u8],
        fax: &Fax,
    ) -> bool {
        let Some(l) = self.leg_mut(leg) else { return false };
        let Some(usage) = l.usage() else { return false };
        let before = l.is_held();
        let answer = l.answer_fax(cx, offer, fax);
        let result = match &answer {
            Ok(sdp) => Ok(Some(Body::sdp(sdp.clone()))),
            Err(error) => Err(sdp_status(error)),
        };
        cx.endpoint.answer_offer(now, usage, result, Vec::new());
        if answer.is_ok() {
            self.renegotiated(cx, now, leg, before);
        }
        answer.is_ok()
    }

    /// The answer to an offer of ours: in the 200 to a re-INVITE, or in the ACK to a 200 that carried our offer.
    pub(crate) fn offer_answered(&mut self, cx: &mut Context, now: Time, leg: LegId, answer: &[u8]) {
        let Some(l) = self.found_leg(leg) else { return };
        let before = l.is_held();
        match l.offer_answered(cx, answer) {
            Ok(()) => self.renegotiated(cx, now, leg, before),
            // A first answer that cannot be used leaves a call without media; a later one leaves the previous agreement.
            Err(error) if l.negotiation().media().is_none() => {
                self.end(cx, now, End::new(Cause::Failed, sdp_status(&error)));
            }
            Err(_) => l.settle_formats(),
        }
    }

    /// An offer of ours was refused: what was agreed before stands.
    pub(crate) fn offer_refused(&mut self, leg: LegId) {
        if let Some(l) = self.leg_mut(leg) {
            l.settle_formats();
        }
    }

    pub(super) fn renegotiated(&mut self, cx: &mut Context, now: Time, leg: LegId, held_before: bool) {
        self.agreed_to_go_on(cx, now, leg);
        let session = self.id;
        let Some(l) = self.leg(leg) else { return };
        let held = l.hold_event(session, held_before);
        let is_changed = |l: &Leg| l.is_incoming() && l.is_up();
        let changed = is_changed(l).then_some(Event::Changed { session, leg });
        for event in held.into_iter().chain(changed) {
            cx.event(event);
        }
        self.wire(cx);
    }
}
