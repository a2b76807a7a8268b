//! Taking a call over: an INVITE with `Replaces` (RFC 3891) takes the place of a leg, which is hung up. So a call is picked up
//! while it rings, and moves from one phone to another.

use media_core::control::LegId;
use sans_io::Time;
use sip_core::message::{HeaderName, Message, Replaces};

use super::dial::elsewhere;
use crate::coordinator::Coordinator;
use crate::event::{Event, Source};
use crate::leg::{Leg, State};

/// The place of a leg that another one may take.
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
        if let Some(l) = self.legs.get_mut(&leg) {
            l.replaces = Some(replaced);
        }
        self.answer(now, leg, None);
    }

    /// Leg whose place an INVITE asks for, if its sender may have it. A user may replace a leg of any user, since only the two ends
    /// of a dialog know its tags; a trunk may replace a leg of its own.
    ///
    /// # Errors
    /// The status to refuse it with (RFC 3891 §3) and the reason: 400 for a malformed field, 481 if the sender has no such dialog, 486
    /// if the dialog was to be replaced only before its answer, 603 if it is over or being transferred.
    pub(crate) fn replaced_by(
        &self,
        request: &Message,
        source: &Source,
    ) -> Result<Option<LegId>, (u16, &'static str)> {
        let mut fields = request.lines(HeaderName::Replaces);
        let Some(value) = fields.next() else {
            return Ok(None);
        };
        let dialog = Replaces::parse(value)
            .filter(|_| fields.next().is_none() && request.header(HeaderName::Join).is_none())
            .ok_or((400, "Malformed Replaces"))?;
        let name = (dialog.call_id, dialog.to_tag, dialog.from_tag);
        let is_named = |l: &&Leg| l.usage.is_some_and(|usage| self.endpoint.is_dialog(usage, name));
        let named = self.legs.values().find(is_named);
        let may = |l: &&Leg| match source {
            Source::User(_) => l.user.is_some(),
            Source::Trunk(name) => l.trunk.as_ref() == Some(name),
            Source::Anyone => false,
        };
        let l = named.filter(may).ok_or((481, "No such dialog to replace"))?;
        if l.incoming && l.state < State::Up {
            return Err((481, "Only its caller could replace a call that is not answered"));
        }
        match self.place_of(l.id) {
            None => Err((603, "The dialog cannot be replaced")),
            Some(Place::Member) if dialog.early_only => Err((486, "The dialog was answered")),
            Some(_) => Ok(Some(l.id)),
        }
    }

    /// The place that a leg could give to another one now.
    fn place_of(&self, leg: LegId) -> Option<Place> {
        let l = self.legs.get(&leg).filter(|l| l.aside.is_none())?;
        let s = self.sessions.get(&l.session).filter(|s| s.ending.is_none())?;
        match l.state {
            State::Up => s.members().any(|member| member == leg).then_some(Place::Member),
            State::New | State::Early => {
                let dialled = s.dialling.as_ref().is_some_and(|d| d.branches.contains(&leg));
                let transferred_to = || {
                    let offer = s.offer_of(leg).map(|index| s.offers[index].name);
                    offer.is_some_and(|name| self.transfers.contains_key(&name))
                };
                (dialled || transferred_to()).then_some(Place::Branch)
            }
            State::Ending | State::Ended => None,
        }
    }

    /// True where nothing keeps `leg` from being answered: it asks for nobody's place, or for one that is still there.
    pub(crate) fn finds_its_place(&self, leg: LegId) -> bool {
        let replaced = self.legs.get(&leg).and_then(|l| l.replaces);
        replaced.is_none_or(|replaced| self.place_of(replaced).is_some())
    }

    /// `leg` is answered: it is in the place of the leg that it replaces, if it does.
    pub(crate) fn take_place(&mut self, now: Time, leg: LegId) {
        let Some(l) = self.legs.get_mut(&leg) else { return };
        let (Some(replaced), guest) = (l.replaces.take(), l.session) else {
            return;
        };
        let (Some(place), Some(old)) = (self.place_of(replaced), self.legs.get(&replaced)) else {
            return;
        };
        let host = old.session;
        let (role, application, refer) = (old.role, old.application.clone(), old.refer.is_some());
        let (held, holding, away) = (old.held, old.holding, old.presence.away);
        self.unwire(guest);
        let records = self.sessions.remove(&guest).map(|s| s.records);
        if let Some(l) = self.legs.get_mut(&leg) {
            l.session = host;
            l.role = role;
            l.application = application;
            l.holding = holding;
        }
        if let Some(s) = self.sessions.get_mut(&host) {
            s.legs.push(leg);
            s.records.extend(records.into_iter().flatten());
        }
        self.event(Event::Joined { session: host, guest });
        match place {
            Place::Branch => self.branch_won(now, host, (replaced, leg)),
            Place::Member => {
                if refer {
                    self.refuse_refer(now, replaced, 603);
                }
                if let Some(s) = self.sessions.get_mut(&host) {
                    s.put_in_place(replaced, leg);
                }
                self.transferred(host, replaced, vec![leg]);
                let changed = [
                    held.then_some(Event::Hold {
                        session: host,
                        leg,
                        held: false,
                    }),
                    away.then_some(Event::Away {
                        session: host,
                        leg,
                        away: false,
                    }),
                ];
                for event in changed.into_iter().flatten() {
                    self.event(event);
                }
                self.wire(host);
                self.end_leg(now, replaced, Some(elsewhere()));
                self.conclude(host);
            }
        }
    }
}
