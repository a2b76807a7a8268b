//! Offers: parties called for a caller who waits. None of them hears the caller before the application says so.

use std::time::Duration;

use media_core::control::LegId;
use sans_io::Time;

use super::dial::{Caller, Party, declined, elsewhere, is_for_all_phones};
use crate::SessionId;
use crate::coordinator::Coordinator;
use crate::event::Event;
use crate::leg::State;
use crate::session::{Offered, better};

/// Settings for calling somebody for a waiting caller.
#[derive(Clone, Debug)]
pub struct Offer {
    /// Party to call. All contacts of a user ring; the first to answer has the call.
    pub party: Party,
    /// Caller as shown; `None`: the one who called us.
    pub caller: Option<Caller>,
    /// Time that it may ring without a provisional response between.
    pub ring_timeout: Duration,
    /// Headers of the INVITE: names and values without CR, LF and NUL.
    pub headers: Vec<(String, String)>,
}

impl Coordinator {
    /// Calls a party for a session whose caller is answered already. Several offers may ring at a time, each by itself. Ends in
    /// [`Event::OfferAnswered`] or [`Event::OfferEnded`], which name it as this does.
    ///
    /// # Errors
    /// The SIP code that says why the party cannot be called: 404 unknown user or trunk, 480 not registered, 481 no such session,
    /// 400 a header that cannot be written.
    pub fn offer(&mut self, _: Time, session: SessionId, offer: Offer) -> Result<LegId, u16> {
        let s = self
            .sessions
            .get(&session)
            .filter(|s| s.ending.is_none())
            .ok_or(481_u16)?;
        let caller = offer.caller.clone().unwrap_or_else(|| s.from.clone());
        let clean = |text: &str| !text.contains(['\r', '\n', '\0']);
        if !offer
            .headers
            .iter()
            .all(|(name, value)| clean(name) && clean(value))
        {
            return Err(400);
        }
        let mut branches = Vec::new();
        for branch in self.branches(&offer.party)? {
            branches.push(self.start_branch(
                session,
                branch,
                &caller,
                offer.ring_timeout,
                offer.headers.clone(),
            ));
        }
        let name = branches.first().copied().ok_or(480_u16)?;
        for branch in &branches {
            if let Some(l) = self.legs.get_mut(branch) {
                l.offered = Some(name);
            }
        }
        if let Some(s) = self.sessions.get_mut(&session) {
            s.offers.push(Offered {
                name,
                branches,
                best: 0,
            });
        }
        Ok(name)
    }

    /// Takes an offer back: its phones stop ringing. `completed_elsewhere` tells them why (RFC 3326), so that none shows a missed call.
    /// A leg that answered and was not admitted, or that is in the call, is hung up.
    pub fn withdraw(&mut self, now: Time, offer: LegId, completed_elsewhere: bool) {
        let reason = || completed_elsewhere.then(elsewhere);
        let found = self.sessions.values_mut().find_map(|s| {
            let index = s.offers.iter().position(|other| other.name == offer)?;
            Some(s.offers.remove(index))
        });
        match found {
            Some(offered) => {
                let session = offered.branches.first().and_then(|leg| self.legs.get(leg));
                let session = session.map(|l| l.session);
                for branch in offered.branches {
                    self.end_leg(now, branch, reason());
                }
                if let (Some(session), Some(by)) = (session, self.transfers.remove(&offer)) {
                    self.transfer_failed(now, session, by, 487);
                }
            }
            // Not the branch that names the offer may have answered it.
            None => {
                let answered = self
                    .legs
                    .values()
                    .find(|l| l.offered == Some(offer) && l.state == State::Up)
                    .map_or(offer, |l| l.id);
                self.drop_leg_for(now, answered, reason());
            }
        }
    }

    /// An answered leg takes part in its session from now on: bridged with the others as its role allows.
    pub fn admit_leg(&mut self, _: Time, session: SessionId, leg: LegId) {
        let up = self
            .legs
            .get(&leg)
            .is_some_and(|l| l.session == session && l.state == State::Up);
        if let Some(s) = self.sessions.get_mut(&session)
            && up
            && !s.members().any(|member| member == leg)
        {
            s.add_member(leg);
            self.wire(session);
        }
    }

    pub(crate) fn offer_named(&self, session: SessionId, branch: LegId) -> Option<LegId> {
        let s = self.sessions.get(&session)?;
        s.offer_of(branch).map(|index| s.offers[index].name)
    }

    pub(super) fn offer_won(&mut self, now: Time, session: SessionId, leg: LegId, offer: Offered) {
        for loser in offer.branches.into_iter().filter(|branch| *branch != leg) {
            self.end_leg(now, loser, Some(elsewhere()));
        }
        if let Some(by) = self.transfers.remove(&offer.name) {
            return self.transfer_answered(now, session, by, leg);
        }
        self.event(Event::OfferAnswered {
            session,
            offer: offer.name,
            leg,
        });
    }

    pub(super) fn offer_branch_failed(
        &mut self,
        now: Time,
        session: SessionId,
        branch: LegId,
        index: usize,
        code: u16,
    ) {
        let Some(s) = self.sessions.get_mut(&session) else {
            return;
        };
        let offer = &mut s.offers[index];
        offer.branches.retain(|other| *other != branch);
        offer.best = better(offer.best, code);
        let others = match is_for_all_phones(code) {
            true => std::mem::take(&mut offer.branches),
            false => Vec::new(),
        };
        let over = offer.branches.is_empty().then(|| s.offers.remove(index));
        for other in others {
            self.end_leg(now, other, Some(declined(code)));
        }
        let Some(Offered {
            name: offer,
            best: code,
            ..
        }) = over
        else {
            return;
        };
        if let Some(by) = self.transfers.remove(&offer) {
            return self.transfer_failed(now, session, by, code);
        }
        self.event(Event::OfferEnded { session, offer, code });
    }
}
