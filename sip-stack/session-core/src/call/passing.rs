//! Offers within a call that both parties have to agree to: a re-INVITE or UPDATE of one of them becomes a re-INVITE to the other one,
//! whose answer decides ours.
//!
//! # Who decides
//! | the offer changes | other party: phone or trunk | browser, application, queue, conference, several others |
//! |---|---|---|
//! | direction (hold, resume, `0.0.0.0`), other party told of holds | passed on | ours: music |
//! | direction, other party not told | ours: music | ours: music |
//! | codecs | ours: every codec that we speak can be transcoded, so that nobody has to be held to one, either | ours |
//! | codecs, and it lacks the format of the other party that we can only pass on, or has such formats alone | passed on | ours: 488 without a codec of ours |
//! | address, port, keys, fingerprint, ICE | ours: each leg has its own | ours |
//! | nothing (a session refresh) | ours: the last answer again | ours |
//! | nothing but a fax, in the first INVITE | theirs: the callee is offered it, and its answer is ours; 488 without one | ours: 488 |
//! | audio to a fax, `m=image … udptl t38`, and back | passed on where `t38` allows it on both sides, else ours: 488 | ours: 488 |
//! | a section more, or one with port 0 | ours: audio stays, the rest is refused with port 0 | ours |
//! | no description (a late offer) | ours, as far as the other party permits; its answer in the ACK is passed on afterwards | ours |
//! | all audio gone (port 0, no section) | ours: 488 | ours: 488 |
//!
//! Who is told of holds is for [`HoldPolicy`] to say. An offer before the call is answered is always ours, whether the early dialogs are reliable or
//! not: there is nobody yet who would have to agree, and who holds from then on is passed on with the caller's ACK. Ours, too, is an offer while we hold
//! either party, or while one of them is being transferred.
//!
//! # What becomes of it
//! | the other party | the one who offered |
//! |---|---|
//! | answers 200 | 200; where it permits less than was offered, the answer says so |
//! | answers 200 without a usable description, or without the fax | 488, and the other party is offered audio as before |
//! | has a change of its own under way, ours or its own (glare) | 491 at once; the one who offered tries again (RFC 3261 §14.1) |
//! | answers 491 | 491 |
//! | is the PBX of a client that offers, and answers a re-INVITE 401 or 407 | the same, with the challenge; credentials of the next re-INVITE go on |
//! | answers 480, 486, 488, 500, 504, 600, 603 or 606 | the same |
//! | answers 408 or 481, or not at all | 480, then BYE: the other dialog is gone (RFC 3261 §12.2.1.2) |
//! | answers otherwise | 500 for a 5xx, else 488: no code that would end a dialog which stands (RFC 5057 §5) |
//! | hangs up, or leaves the call | 487 and BYE, or an answer of ours where the call goes on |
//!
//! One who cancels its re-INVITE got 487 from the SIP machine, and the other party a CANCEL; if it agrees all the same, it is offered what was before. One who
//! hangs up ends the call, as ever. A refusal changes nothing on either side.

use bytes::Bytes;
use media_core::control::{LegId, Role};
use media_core::negotiated::Direction;
use media_core::sdp::{Asked, Fax, Spoken};
use sans_io::Time;
use sip_core::endpoint::{Headers, UsageId};
use sip_core::message::StatusCode;

use super::Call;
use crate::config::HoldPolicy;
use crate::context::Context;
use crate::leg::Leg;

/// An offer of one party that waits for what the other one makes of it.
#[derive(Debug)]
pub(super) struct Passing {
    from: LegId,
    to: LegId,
    offer: Bytes,
    change: Change,
    /// The most that the other party was permitted before.
    before: Direction,
    /// The one who offered took it back.
    is_withdrawn: bool,
}

/// A change that the other party has to agree to.
#[derive(Debug)]
enum Change {
    /// Audio, of which the other party is permitted so much.
    Voice(Direction),
    /// The same, in one of these formats.
    Formats(Direction, Spoken),
    /// A fax in the place of the audio.
    Fax(Fax),
}

impl Call {
    /// Passes an offer on to the other party, if that one has to agree. False: it is for us to answer.
    pub(super) fn pass_on(
        &mut self,
        cx: &mut Context,
        now: Time,
        (from, usage): (LegId, UsageId),
        offer: &Bytes,
    ) -> bool {
        let Some((to, change)) = self.concerned(cx, from, offer) else {
            return false;
        };
        let before = self.leg(to).map_or(Direction::SendRecv, Leg::permitted);
        match self.ask(cx, now, (from, to), &change) {
            Ok(()) => {
                self.passing = Some(Passing {
                    from,
                    to,
                    offer: offer.clone(),
                    change,
                    before,
                    is_withdrawn: false,
                });
            }
            Err(code) => {
                if let Some(other) = self.leg_mut(to) {
                    other.permit(from, before);
                    other.settle_formats();
                }
                cx.endpoint.answer_offer(now, usage, Err(code), Vec::new());
            }
        }
        true
    }

    /// Offers the other party a change. Only one is passed on at a time.
    fn ask(
        &mut self,
        cx: &mut Context,
        now: Time,
        (from, to): (LegId, LegId),
        change: &Change,
    ) -> Result<(), StatusCode> {
        let is_free = self.passing.is_none();
        let credentials = self.credentials_for_pbx(cx, from, to).unwrap_or_default();
        let other = self.leg_mut(to).filter(|_| is_free);
        let other = other.ok_or(StatusCode::REQUEST_PENDING)?;
        match change {
            Change::Voice(permitted) => {
                other.permit(from, *permitted);
                other.offer_once(cx, now, credentials)
            }
            Change::Formats(permitted, spoken) => {
                other.permit(from, *permitted);
                other.propose_for(cx, spoken, false);
                other.offer_once(cx, now, credentials)
            }
            Change::Fax(fax) => other.offer_fax(cx, now, fax),
        }
    }

    /// The party that has to agree to an offer, and to what.
    fn concerned(&self, cx: &Context, from: LegId, offer: &[u8]) -> Option<(LegId, Change)> {
        let l = self.leg(from)?;
        let other = self.other_party(from);
        if let Some((to, asked, spoken)) = other.and_then(|to| self.wants_formats(cx, (from, to), offer)) {
            let permitted = match self.passes_holds_to(cx, from) {
                Some(_) => asked.reversed(),
                None => self.leg(to)?.permitted(),
            };
            return Some((to, Change::Formats(permitted, spoken)));
        }
        let asked = match l.assess(offer)? {
            Asked::Voice(asked) => asked,
            Asked::Fax(fax) => return Some((self.other_with_fax(cx, from)?, Change::Fax(fax))),
        };
        let other = self.passes_holds_to(cx, from);
        if l.has_fax() {
            let permitted = other.map_or(Direction::SendRecv, |_| asked.reversed());
            return Some((self.other_party(from)?, Change::Voice(permitted)));
        }
        let (to, permitted) = (other?, asked.reversed());
        let changes = l.direction() != Some(asked) && self.leg(to)?.permitted() != permitted;
        changes.then_some((to, Change::Voice(permitted)))
    }

    /// The other party of a plain call of two, if faxes may go from one to the other: both accounts allow it, and the
    /// same media shard has both.
    fn other_with_fax(&self, cx: &Context, leg: LegId) -> Option<LegId> {
        let to = self.other_party(leg)?;
        let (l, other) = (self.leg(leg)?, self.leg(to)?);
        let may = |l: &Leg| !l.is_browser() && cx.directory.t38(l.account());
        (may(l) && may(other) && l.shard() == other.shard()).then_some(to)
    }

    /// The other party of a plain call of two, if it is told what this one permits. A browser is told nothing.
    fn passes_holds_to(&self, cx: &Context, leg: LegId) -> Option<LegId> {
        let to = self.other_party(leg)?;
        let (l, other) = (self.leg(leg)?, self.leg(to)?);
        let passes = match cx.directory.hold(other.account()) {
            HoldPolicy::Auto => l.trunk().is_some() && other.trunk().is_some(),
            HoldPolicy::Music => false,
            HoldPolicy::Pass => !other.is_browser(),
        };
        passes.then_some(to)
    }

    /// The other party of a plain call of two: nobody else takes part, waits, rings or is held by us.
    fn other_party(&self, leg: LegId) -> Option<LegId> {
        let is_plain = !self.is_ending()
            && !self.is_kept()
            && self.shared_bridge().is_none()
            && self.dialling.is_none()
            && self.invitations.is_empty();
        let talks = |l: &&Leg| {
            l.is_up()
                && l.role() == Role::Party
                && l.aside().is_none()
                && !l.is_holding()
                && !l.is_recovering()
        };
        let members = self.members();
        let all_talk = members
            .iter()
            .all(|leg| self.leg(*leg).as_ref().is_some_and(talks));
        match members[..] {
            [one, other] if is_plain && all_talk && one == leg => Some(other),
            [one, other] if is_plain && all_talk && other == leg => Some(one),
            _ => None,
        }
    }

    /// Takes the answer of the other party to an offer that was passed on. False if it is one to an offer of ours.
    pub(crate) fn other_answered(&mut self, cx: &mut Context, now: Time, leg: LegId, answer: &[u8]) -> bool {
        let Some(passing) = self.passing.take_if(|passing| passing.to == leg) else {
            return false;
        };
        let Some(l) = self.found_leg(leg) else { return true };
        let was_held = l.is_held();
        let agreed = match passing.change {
            Change::Voice(_) | Change::Formats(..) => {
                l.offer_answered(cx, answer).map(|()| Change::Voice(l.permits()))
            }
            Change::Fax(_) => l.fax_answered(cx, answer).map(Change::Fax),
        };
        let Ok(agreed) = agreed else {
            self.take_back(cx, now, &passing);
            let code = StatusCode::NOT_ACCEPTABLE_HERE;
            self.refuse_offer(cx, now, &passing, code, Headers::new());
            return true;
        };
        if passing.is_withdrawn || !self.answer_as(cx, now, &passing, &agreed) {
            self.take_back(cx, now, &passing);
        }
        self.renegotiated(cx, now, leg, was_held);
        true
    }

    /// Answers the one who offered as the other party has answered. False if that cannot be.
    fn answer_as(&mut self, cx: &mut Context, now: Time, passing: &Passing, agreed: &Change) -> bool {
        let from = passing.from;
        match agreed {
            Change::Voice(permitted) | Change::Formats(permitted, _) => {
                let described = self.leg(passing.to).and_then(Leg::described);
                if let Some(l) = self.leg_mut(from) {
                    l.permit(passing.to, *permitted);
                    l.answer_like(cx, described);
                }
                self.answer_offer(cx, now, from, None, &passing.offer)
            }
            Change::Fax(fax) => self.answer_with_fax(cx, now, from, &passing.offer, fax),
        }
    }

    /// Takes the refusal of the other party to an offer that was passed on.
    pub(crate) fn other_refused(
        &mut self,
        cx: &mut Context,
        now: Time,
        leg: LegId,
        (code, challenges): (StatusCode, Headers),
    ) {
        let Some(passing) = self.passing.take_if(|passing| passing.to == leg) else {
            return;
        };
        if let Some(l) = self.leg_mut(leg) {
            l.permit(passing.from, passing.before);
        }
        let (code, extra) = match self.credentials_for_pbx(cx, passing.from, passing.to) {
            Some(_) if !challenges.is_empty() => (code, challenges),
            _ => (passed_code(code), Headers::new()),
        };
        self.refuse_offer(cx, now, &passing, code, extra);
    }

    /// The one who offered took its offer back: the other party need not think about it any more.
    pub(crate) fn offer_withdrawn(&mut self, cx: &mut Context, now: Time, leg: LegId) {
        let Some(passing) = self.passing.as_mut().filter(|passing| passing.from == leg) else {
            return;
        };
        passing.is_withdrawn = true;
        let to = passing.to;
        if let Some(usage) = self.leg(to).and_then(Leg::usage) {
            cx.endpoint.withdraw_offer(now, usage);
        }
    }

    /// Tells the other party what `leg` permits, where that one was not asked before.
    pub(super) fn tell_other(&mut self, cx: &mut Context, now: Time, leg: LegId) {
        let Some(to) = self.passes_holds_to(cx, leg).filter(|_| self.passing.is_none()) else {
            return;
        };
        let Some(permitted) = self.leg(leg).map(Leg::permits) else {
            return;
        };
        if let Some(other) = self.leg_mut(to).filter(|other| other.permitted() != permitted) {
            other.permit(leg, permitted);
            other.offer_again(cx, now);
        }
    }

    /// True if something was passed on that holds only as long as its parties are the two of the call.
    pub(super) fn has_passed_on(&self) -> bool {
        self.passing.is_some() || self.legs.iter().any(|l| l.is_bound() || l.has_fax())
    }

    /// Takes back what was passed on between two parties who are not the two of the call any more.
    pub(crate) fn settle(&mut self, cx: &mut Context, now: Time) {
        if self.is_ending() {
            self.passing = None;
            return;
        }
        let parted = self
            .passing
            .as_ref()
            .is_some_and(|passing| self.other_party(passing.from) != Some(passing.to));
        if let Some(passing) = self.passing.take_if(|_| parted) {
            self.take_back(cx, now, &passing);
            if !passing.is_withdrawn {
                self.answer_offer(cx, now, passing.from, None, &passing.offer);
            }
        }
        for at in 0..self.legs.len() {
            let (leg, by) = (self.legs[at].id(), self.legs[at].bound_by());
            let other = self.other_party(leg);
            if let Some(by) = by.filter(|by| other != Some(*by)) {
                self.legs[at].permit(by, Direction::SendRecv);
                self.legs[at].offer_again(cx, now);
            } else if self.passing.is_none() && !self.answers_later() && self.has_fax_alone(leg, other) {
                // Refused or in the way of another change, it comes again with the next change of the call.
                let _ = self.legs[at].offer_once(cx, now, Headers::new());
            }
        }
        self.mend_formats(cx, now);
    }

    /// True while the caller of a fax is not answered yet, though the other party has answered.
    fn answers_later(&self) -> bool {
        self.fax().is_some() && self.caller().is_some_and(Leg::is_unanswered)
    }

    /// True if a leg has a fax, and nobody on its other side has one.
    fn has_fax_alone(&self, leg: LegId, other: Option<LegId>) -> bool {
        let has_fax = |leg: LegId| self.leg(leg).is_some_and(Leg::has_fax);
        has_fax(leg) && !other.is_some_and(has_fax)
    }

    /// Offers the other party what was before.
    fn take_back(&mut self, cx: &mut Context, now: Time, passing: &Passing) {
        if let Some(other) = self.leg_mut(passing.to) {
            other.permit(passing.from, passing.before);
            other.settle_formats();
            other.offer_again(cx, now);
        }
    }

    /// Credentials of the re-INVITE of a client of the PBX that `to` is a leg of, perhaps none; `None` for any other offer. A challenge to
    /// one goes back, and they go on: the digest is over what the client wrote.
    fn credentials_for_pbx(&self, cx: &Context, from: LegId, to: LegId) -> Option<Headers> {
        let usage = self
            .leg(from)
            .filter(|l| cx.is_client_of(l, self.leg(to)))?
            .usage()?;
        cx.endpoint.credentials_of_offer(usage).cloned()
    }

    fn refuse_offer(
        &mut self,
        cx: &mut Context,
        now: Time,
        passing: &Passing,
        code: StatusCode,
        extra: Headers,
    ) {
        let usage = self.leg(passing.from).and_then(Leg::usage);
        if let Some(usage) = usage.filter(|_| !passing.is_withdrawn) {
            cx.endpoint.answer_offer(now, usage, Err(code), extra);
        }
    }
}

/// Code for the one who offered, for that of the other party.
fn passed_code(code: StatusCode) -> StatusCode {
    match code.get() {
        480 | 486 | 488 | 491 | 500 | 504 | 600 | 603 | 606 => code,
        408 | 481 => StatusCode::TEMPORARILY_UNAVAILABLE,
        501..=599 => StatusCode::SERVER_INTERNAL_ERROR,
        _ => StatusCode::NOT_ACCEPTABLE_HERE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_refusal_that_is_passed_on_ends_a_dialog_which_stands() {
        let passed = |code: u16| passed_code(StatusCode::try_from(code).unwrap()).get();
        // RFC 5057 §5.1: those that end the dialog or the usage of whoever gets them.
        let ending = [
            404, 405, 408, 410, 416, 480, 481, 482, 483, 484, 485, 489, 501, 502, 604,
        ];
        for code in 300..700 {
            let code = passed(code);
            assert!(code == 480 || !ending.contains(&code), "{code}");
            assert!((400..700).contains(&code));
        }
        assert_eq!([488, 491, 603].map(passed), [488, 491, 603]);
        assert_eq!([408, 481].map(passed), [480, 480]);
        assert_eq!([302, 401, 503].map(passed), [488, 488, 500]);
    }
}
