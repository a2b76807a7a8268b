//! Merging and splitting of calls: everybody of one goes over into another, or one leg goes on in a call of its own.

use media_core::control::LegId;

use super::{Call, NewCall};
use crate::context::Context;
use crate::dial::Caller;
use crate::event::Event;
use crate::identity::Identity;
use crate::leg::{Leg, Membership, Purpose};
use sans_io::Time;

impl Call {
    /// True if everybody of it could go over into another call, or of another into it: it is not dialled, and somebody has answered.
    pub(crate) fn may_merge(&self) -> bool {
        let has_answered = |leg: LegId| self.leg(leg).is_some_and(|l| l.answered().is_some());
        !self.is_ending() && self.dialling.is_none() && self.members().into_iter().any(has_answered)
    }

    /// Takes everybody of `guest` in, and all hear each other.
    pub(crate) fn absorb(&mut self, cx: &mut Context, mut guest: Call) {
        guest.unwire(cx);
        cx.index.remove_call(guest.source.as_ref());
        let members = guest.members();
        for mut leg in guest.legs {
            cx.index.move_leg(leg.id(), self.id);
            if leg.is_member() {
                leg.set_application(None);
            }
            self.legs.push(leg);
        }
        self.records.extend(guest.records);
        self.invitations.extend(guest.invitations);
        self.passing = self.passing.take().or(guest.passing);
        for leg in members {
            self.add_member(leg);
        }
        cx.event(Event::Joined {
            session: self.id,
            guest: guest.id,
        });
        self.wire(cx);
    }

    /// Takes the only leg of `guest` in, which is to have the place of another one.
    pub(crate) fn absorb_leg(&mut self, cx: &mut Context, mut guest: Call, leg: LegId) -> Option<()> {
        guest.unwire(cx);
        cx.index.remove_call(guest.source.as_ref());
        let at = guest.legs.iter().position(|l| l.id() == leg)?;
        let leg = guest.legs.remove(at);
        debug_assert!(guest.legs.is_empty(), "a call that asks for a place has one leg");
        cx.index.move_leg(leg.id(), self.id);
        self.legs.push(leg);
        self.records.extend(guest.records);
        Some(())
    }

    /// Takes a member that is up out of it, into a call of its own, where it is the caller. `None`: it may not leave.
    pub(crate) fn split(&mut self, cx: &mut Context, now: Time, leg: LegId) -> Option<Call> {
        let l = self.leg(leg).filter(|l| l.is_up() && l.is_member())?;
        if self.is_ending() || (self.is_kept() && l.is_caller()) {
            return None;
        }
        let party = l.party().to_owned();
        self.remove_member(leg);
        let id = cx.next_session();
        let from = Caller {
            user: party.clone(),
            display: String::new(),
        };
        let new = NewCall {
            id,
            source: None,
            identity: Identity::ours(&from),
            from,
            to: party,
            began: now,
            answered: Some(now),
            max_forwards: 71,
            shard: self.shard,
        };
        let mut call = Call::new(cx, new);
        let at = self.legs.iter().position(|l| l.id() == leg)?;
        let mut l: Leg = self.legs.remove(at);
        l.leave_bridge();
        self.wire(cx);
        l.set_application(None);
        l.set_purpose(Purpose::Member(Membership::caller()));
        cx.index.move_leg(leg, id);
        call.legs.push(l);
        call.wire(cx);
        Some(call)
    }
}
