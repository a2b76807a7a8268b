//! Blind transfer: somebody is called in the place of a leg, while that leg is aside.

use media_core::control::LegId;
use sans_io::Time;
use sip_core::message::StatusCode;
use sip_core::uri::Uri;

use crate::call::{Call, End};
use crate::context::Context;
use crate::dial::{Caller, Invitation, Owner};
use crate::event::Event;
use crate::leg::{Leg, Part};
use crate::record::Cause;

impl Call {
    /// Calls somebody in place of `leg`, whose peer asked for it. Without `invitation.caller`, the target is shown one of those who stay.
    pub(crate) fn transfer(&mut self, cx: &mut Context, now: Time, leg: LegId, mut invitation: Invitation) {
        if !self.may_be_replaced(leg) {
            return self.refuse_refer(cx, now, leg, StatusCode::DECLINE);
        }
        self.accept_refer(cx, now, leg);
        let by = self.leg(leg).and_then(Leg::user);
        if let Some(by) = by.and_then(|user| Uri::sip(Some(user), &cx.config.host, None).ok()) {
            // RFC 3892 §2.2: in our own words, as everything of a leg.
            invitation
                .headers
                .push(("Referred-By".into(), format!("<{}>", by.as_str())));
        }
        if invitation.caller.is_none() {
            invitation.caller = self.who_stays(cx, leg);
        }
        match self.invite(cx, now, invitation, Owner::Transfer(leg)) {
            Ok(invitation) => {
                if let Some(l) = self.leg_mut(leg) {
                    l.set_part(Part::Aside(invitation));
                }
                self.wire(cx);
            }
            Err(code) => {
                cx.event(Event::TransferFailed {
                    session: self.id(),
                    leg,
                    code,
                });
                self.refer_progress(cx, now, leg, code);
            }
        }
    }

    /// The target of a transfer rings.
    pub(crate) fn transfer_rings(
        &mut self,
        cx: &mut Context,
        now: Time,
        leg: LegId,
        by: LegId,
        code: StatusCode,
    ) {
        cx.event(Event::Progress {
            session: self.id(),
            leg,
            code,
            early_media: false,
        });
        self.refer_progress(cx, now, by, code);
    }

    /// The target of a transfer answered: it takes the place of the one who asked.
    pub(crate) fn transfer_answered(&mut self, cx: &mut Context, now: Time, by: LegId, leg: LegId) {
        if !self.members().into_iter().any(|other| other != by) {
            self.end_leg(cx, now, leg, None);
            return self.transfer_failed(cx, now, by, StatusCode::CALL_DOES_NOT_EXIST);
        }
        self.step_out(cx, by);
        self.add_member(leg);
        self.fill_caller();
        self.transferred(cx, by, vec![leg]);
        self.refer_progress(cx, now, by, StatusCode::OK);
        self.wire(cx);
    }

    /// The target of a transfer did not answer: who asked has its party back. Where it left meanwhile, nobody is there for the
    /// party to talk with.
    pub(crate) fn transfer_failed(&mut self, cx: &mut Context, now: Time, by: LegId, code: StatusCode) {
        if let Some(l) = self.leg_mut(by) {
            l.set_part(Part::Talks);
        }
        cx.event(Event::TransferFailed {
            session: self.id(),
            leg: by,
            code,
        });
        self.refer_progress(cx, now, by, code);
        if !self.is_kept() && self.members().len() < 2 {
            self.end(cx, now, End::new(Cause::Local, StatusCode::OK));
        } else {
            self.wire(cx);
        }
    }

    /// The call ends: any transfer under way for a leg is over.
    pub(crate) fn transfer_over(&mut self, cx: &mut Context, now: Time, leg: LegId, code: StatusCode) {
        self.accept_refer(cx, now, leg);
        if let Some(l) = self.leg_mut(leg) {
            l.set_part(Part::Talks);
        }
        self.refer_progress(cx, now, leg, code);
    }

    /// Others are in the call in place of `leg`.
    pub(super) fn transferred(&self, cx: &mut Context, leg: LegId, to: Vec<LegId>) {
        cx.event(Event::Transferred {
            session: self.id(),
            leg,
            to,
        });
    }

    /// A replaced party did not hang up.
    pub(crate) fn goodbye(&mut self, cx: &mut Context, now: Time, leg: LegId) {
        if self.leg(leg).is_none() || self.is_member(leg) {
            return;
        }
        self.drop_leg(cx, now, leg, None);
        cx.event(Event::Left {
            session: self.id(),
            leg,
            cause: Cause::Local,
            code: StatusCode::OK,
        });
    }

    /// True if a leg can be taken out of it because somebody else who answered is in it.
    pub(super) fn may_be_replaced(&self, leg: LegId) -> bool {
        let Some(l) = self.leg(leg).filter(|l| l.is_up() && l.aside().is_none()) else {
            return false;
        };
        let stays = |other: &Leg| other.id() != leg && other.is_member() && other.is_up();
        !self.is_ending() && l.is_member() && !(self.is_kept() && l.is_caller()) && self.legs().any(stays)
    }

    /// One of those who stay when `leg` leaves, as shown to others.
    pub(super) fn who_stays(&self, cx: &Context, leg: LegId) -> Option<Caller> {
        let other = self.members().into_iter().find(|other| *other != leg)?;
        let l = self.leg(other)?;
        if l.is_caller() {
            return Some(self.from().clone());
        }
        let known = l.user().and_then(|user| cx.directory.user(user));
        Some(Caller {
            user: l.party().to_owned(),
            display: known.map(|user| user.display.clone()).unwrap_or_default(),
        })
    }

    /// Takes a leg out of those who take part; its dialog stands.
    pub(super) fn step_out(&mut self, cx: &mut Context, leg: LegId) {
        self.remove_member(leg);
        self.wire(cx);
    }
}
