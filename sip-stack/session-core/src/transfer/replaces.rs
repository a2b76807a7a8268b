//! Taking a call over: an INVITE with `Replaces` (RFC 3891) takes the place of a leg, which is hung up. So a call is picked up
//! while it rings, and moves from one phone to another.

use media_core::control::LegId;
use sans_io::Time;
use sip_core::endpoint::UsageId;
use sip_core::message::{HeaderName, Message, Replaces, StatusCode};

use super::Refer;
use crate::call::{Call, End};
use crate::context::Context;
use crate::coordinator::Coordinator;
use crate::dial::elsewhere;
use crate::event::{Event, Source};
use crate::leg::{Leg, Purpose};
use crate::record::Cause;

/// The place of a leg that another one may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Place of a leg that is in the call.
    Member,
    /// Place of a leg that rings.
    Branch,
}

impl Coordinator {
    /// Answers `leg`, whose INVITE asks for the place of `replaced` ([`Event::Replaces`]), and gives it that place; `replaced` is
    /// hung up, or rings no more. Ends in [`Event::Joined`] and, for a leg that was in the call, [`Event::Transferred`]. Where
    /// `replaced` is gone before media is open, `leg` is refused.
    pub fn replace(&mut self, now: Time, leg: LegId, replaced: LegId) {
        let is_there = self.with_leg(leg, |call, _| {
            if let Some(l) = call.leg_mut(leg) {
                l.set_purpose(Purpose::Replacing(replaced));
            }
            call.waits_for_target()
        });
        if is_there == Some(true) {
            self.give_asked_place(now, leg, replaced);
        } else {
            self.answer(now, leg, None);
        }
    }

    /// Leg whose place an INVITE asks for, if its sender may have it. A user may replace a leg of any user, since only the two ends
    /// of a dialog know its tags; a trunk may replace a leg of its own. Who watches a user was told names of a ringing call that are good
    /// for picking it up, and for nothing else.
    ///
    /// # Errors
    /// The status to refuse it with (RFC 3891 §3) and the reason: 400 for a malformed field, 481 if the sender has no such dialog, 486
    /// if the dialog was to be replaced only before its answer, 603 if it is over or being transferred.
    pub(crate) fn replaced_by(
        &self,
        request: &Message,
        source: &Source,
    ) -> Result<Option<LegId>, (StatusCode, &'static str)> {
        let mut fields = request.lines(HeaderName::Replaces);
        let Some(value) = fields.next() else {
            return Ok(None);
        };
        let dialog = Replaces::parse(value)
            .filter(|_| fields.next().is_none() && request.header(HeaderName::Join).is_none())
            .ok_or((StatusCode::BAD_REQUEST, "Malformed Replaces"))?;
        let name = (dialog.call_id, dialog.to_tag, dialog.from_tag);
        let cx = self.context();
        let named = UsageId::of_tag(dialog.to_tag)
            .filter(|usage| cx.endpoint.is_dialog(*usage, name))
            .and_then(|usage| self.leg(cx.index.leg(usage)?));
        let picked_up = match named {
            Some(_) => None,
            None => self.picked_up(&dialog),
        };
        let may = |l: &&Leg| match source {
            Source::User(_) => l.user().is_some(),
            Source::Trunk(name) => l.trunk() == Some(name),
            Source::Anyone => false,
        };
        let early_only = dialog.early_only || picked_up.is_some();
        let l = named
            .or(picked_up)
            .filter(may)
            .ok_or((StatusCode::CALL_DOES_NOT_EXIST, "No such dialog to replace"))?;
        if l.waits_for_answer() {
            return Err((
                StatusCode::CALL_DOES_NOT_EXIST,
                "Only its caller could replace a call that is not answered",
            ));
        }
        match self.place_of(l.id()) {
            None => Err((StatusCode::DECLINE, "The dialog cannot be replaced")),
            Some(Place::Member) if early_only => Err((StatusCode::BUSY_HERE, "The dialog was answered")),
            Some(_) => Ok(Some(l.id())),
        }
    }

    /// True for a leg that rings, and whose place another one may take.
    pub(crate) fn rings_replaceably(&self, leg: LegId) -> bool {
        self.place_of(leg) == Some(Place::Branch)
    }

    fn place_of(&self, leg: LegId) -> Option<Place> {
        self.call_of(leg)?.place_of(leg)
    }

    /// Answers a leg that called us, whose media are open. One that asks for another's place is given it, and one that asks to join
    /// a call comes into it; either is refused where that is gone.
    pub(crate) fn answer_now(&mut self, now: Time, leg: LegId) {
        let (replaced, joined) = match self.leg(leg).map(Leg::purpose) {
            Some(Purpose::Replacing(replaced)) => (Some(*replaced), None),
            Some(Purpose::Joining(joined)) => (None, Some(*joined)),
            _ => (None, None),
        };
        let is_unanswered = self.leg(leg).is_some_and(Leg::is_unanswered);
        let is_gone = replaced.is_some_and(|replaced| self.place_of(replaced).is_none())
            || joined.is_some_and(|joined| !self.may_be_joined(joined));
        if is_unanswered && is_gone {
            self.with_leg(leg, |call, cx| {
                call.end(cx, now, End::new(Cause::Refused, StatusCode::DECLINE))
            });
            return;
        }
        if self.with_leg(leg, |call, cx| call.answer_now(cx, now, leg)) != Some(true) {
            return;
        }
        if let Some(replaced) = replaced {
            self.take_place(now, leg, replaced);
        }
        if let Some(joined) = joined {
            self.come_in(now, leg, joined);
        }
        self.with_leg(leg, |call, cx| call.wire(cx));
    }

    /// Gives the place of `replaced` to `leg`, which was called because a REFER asked for it.
    fn give_asked_place(&mut self, now: Time, leg: LegId, replaced: LegId) {
        let is_gone = self.place_of(replaced).is_none();
        self.with_leg(leg, |call, cx| match is_gone {
            true => call.end(cx, now, End::new(Cause::Refused, StatusCode::DECLINE)),
            false => call.target_answered(cx, now),
        });
        if !is_gone {
            self.take_place(now, leg, replaced);
            self.with_leg(leg, |call, cx| call.wire(cx));
        }
    }

    /// `leg` is answered: it gets the place of `replaced`.
    fn take_place(&mut self, now: Time, leg: LegId, replaced: LegId) {
        // Else it was over, or answered, before this one was: that is checked by whoever asks.
        let (Some(place), Some(host)) = (self.place_of(replaced), self.session_of_leg(replaced)) else {
            return;
        };
        let guest = self.session_of_leg(leg).and_then(|guest| self.take_call(guest));
        let Some(guest) = guest else {
            debug_assert!(false, "the leg that takes the place was answered in its call");
            return;
        };
        self.with_call(host, |call, cx| {
            call.give_place(cx, now, guest, (leg, replaced), place)
        });
    }
}

impl Call {
    /// The place that a leg could give to another one now.
    fn place_of(&self, leg: LegId) -> Option<Place> {
        let l = self
            .leg(leg)
            .filter(|l| l.aside().is_none() && !self.is_ending())?;
        if l.is_up() {
            return l.is_member().then_some(Place::Member);
        }
        let for_transfer = || {
            let invitation = l.invitation().filter(|name| l.is_invited_for(*name))?;
            self.invitation(invitation).filter(|i| i.is_for_transfer())
        };
        let rings = l.is_unanswered() && (l.is_branch() || for_transfer().is_some());
        rings.then_some(Place::Branch)
    }

    /// Takes the leg of `guest` in, in the place of another one.
    fn give_place(
        &mut self,
        cx: &mut Context,
        now: Time,
        guest: Call,
        (leg, replaced): (LegId, LegId),
        place: Place,
    ) {
        let Some(old) = self.leg(replaced) else {
            debug_assert!(false, "the leg that gives its place is in its call");
            return;
        };
        let was_referring = matches!(old.refer(), Refer::Asked(_) | Refer::Accepted(_));
        let (role, application, member) = (old.role(), old.application().cloned(), old.member());
        let (held, holding, away) = (old.is_held(), old.is_holding(), old.is_away());
        let guest_id = guest.id();
        if self.absorb_leg(cx, guest, leg).is_none() {
            return;
        }
        if let Some(l) = self.leg_mut(leg) {
            l.set_role(role);
            l.set_application(application);
            l.set_holding(holding);
            l.set_purpose(Purpose::Leaving);
        }
        let session = self.id();
        cx.event(Event::Joined {
            session,
            guest: guest_id,
        });
        if place == Place::Branch {
            return self.branch_won(cx, now, (replaced, leg));
        }
        if was_referring {
            self.refuse_refer(cx, now, replaced, StatusCode::DECLINE);
        }
        if let (Some(member), Some(l)) = (member, self.leg_mut(leg)) {
            l.set_purpose(Purpose::Member(member));
        }
        self.remove_member(replaced);
        self.transferred(cx, replaced, vec![leg]);
        if held {
            cx.event(Event::Hold {
                session,
                leg,
                held: false,
            });
        }
        if away {
            cx.event(Event::Away {
                session,
                leg,
                away: false,
            });
        }
        self.wire(cx);
        self.end_leg(cx, now, replaced, Some(elsewhere()));
        self.conclude(cx);
    }
}
