//! Members of a session: joining, leaving, moving to another, listening in.

use std::time::Duration;

use media_core::control::{Application, LegId, Role};
use sans_io::Time;
use sip_core::endpoint::Reason;

use super::dial::Caller;
use crate::SessionId;
use crate::coordinator::Coordinator;
use crate::event::{Cause, Event};
use crate::leg::State;
use crate::session::Session;

impl Coordinator {
    /// A kept session ends with its caller, or when it is told to. [`Event::Left`] reports any other party
    /// that leaves, and the caller then hears the sound set by [`play`](Self::play), or music.
    pub fn keep(&mut self, session: SessionId, keep: bool) {
        if let Some(s) = self.sessions.get_mut(&session) {
            s.kept = keep;
            self.wire(session);
        }
    }

    /// Sets the time that browsers of this session may be away, in place of
    /// [`Config::grace`](crate::Config::grace).
    pub fn set_grace(&mut self, session: SessionId, grace: Duration) {
        if let Some(s) = self.sessions.get_mut(&session) {
            s.grace = Some(grace);
        }
    }

    /// Sets the role of a leg in its session's bridge.
    pub fn set_role(&mut self, leg: LegId, role: Role) {
        if let Some(l) = self.legs.get_mut(&leg) {
            l.role = role;
            let session = l.session;
            self.wire(session);
        }
    }

    /// Hangs one leg up. The session goes on where it is kept or two parties are left; otherwise it ends.
    pub fn drop_leg(&mut self, now: Time, leg: LegId) {
        self.drop_leg_for(now, leg, None);
    }

    pub(super) fn drop_leg_for(&mut self, now: Time, leg: LegId, reason: Option<Reason>) {
        let Some(l) = self.legs.get(&leg).filter(|l| l.state < State::Ending) else {
            return;
        };
        let session = l.session;
        if self.may_lose(session, leg) {
            // A leg that is let go after asking for it got what it wanted.
            if self.legs.get(&leg).is_some_and(|l| l.aside.is_none()) {
                self.refer_progress(now, leg, 200);
            }
            if let Some(s) = self.sessions.get_mut(&session) {
                s.remove_member(leg);
            }
            self.end_leg(now, leg, reason);
            self.wire(session);
            self.conclude(session);
        } else {
            self.end_session(now, session, Cause::Local, 200);
        }
    }

    /// A member is gone by itself: told, where the session goes on. False where it cannot.
    pub(crate) fn member_left(&mut self, session: SessionId, leg: LegId, cause: Cause, code: u16) -> bool {
        if !self.may_lose(session, leg) {
            return false;
        }
        if let Some(s) = self.sessions.get_mut(&session) {
            s.remove_member(leg);
        }
        self.event(Event::Left {
            session,
            leg,
            cause,
            code,
        });
        self.wire(session);
        true
    }

    /// The session goes on without this leg.
    fn may_lose(&self, session: SessionId, leg: LegId) -> bool {
        let Some(s) = self.sessions.get(&session).filter(|s| s.ending.is_none()) else {
            return false;
        };
        if s.caller == Some(leg) && s.kept {
            return false;
        }
        let replaced = |name: &LegId| self.transfers.get(name) == Some(&leg);
        if s.offers.iter().any(|offer| replaced(&offer.name)) {
            return true;
        }
        if s.kept || !s.members().any(|member| member == leg) {
            return true;
        }
        let party = |id: &LegId| *id != leg && self.legs.get(id).is_some_and(|l| l.role == Role::Party);
        let listens = self.legs.get(&leg).is_some_and(|l| l.role != Role::Party);
        listens || s.members().filter(party).count() >= 2
    }

    /// Takes a leg that is up out of its session into one of its own, where it is the caller. It hears what [`play`](Self::play) says.
    pub fn split(&mut self, now: Time, leg: LegId) -> Option<SessionId> {
        if let Some(offer) = self.legs.get(&leg).and_then(|l| l.aside) {
            self.withdraw(now, offer, false);
        }
        let l = self.legs.get(&leg).filter(|l| l.state == State::Up)?;
        let (old, party) = (l.session, l.party.clone());
        let s = self.sessions.get_mut(&old).filter(|s| s.ending.is_none())?;
        if s.caller == Some(leg) && s.kept || !s.remove_member(leg) {
            return None;
        }
        s.legs.retain(|other| *other != leg);
        let session = SessionId(self.next_id());
        let from = Caller {
            user: party.clone(),
            display: String::new(),
        };
        self.sessions.insert(
            session,
            Session {
                caller: Some(leg),
                answered: Some(now),
                legs: vec![leg],
                ..Session::new(session, None, from, party, now)
            },
        );
        // The bridge is taken down for it before it belongs elsewhere.
        self.wire(old);
        if let Some(l) = self.legs.get_mut(&leg) {
            l.session = session;
            l.application = None;
        }
        self.wire(session);
        Some(session)
    }

    /// Everybody of `guest` goes over into `host`, and all hear each other: [`Event::Joined`].
    ///
    /// # Errors
    /// The two sessions as they were, when either is not there, is ending, rings somebody, or has nobody in it that is up.
    pub fn join(&mut self, _: Time, host: SessionId, guest: SessionId) -> Result<(), (SessionId, SessionId)> {
        let ready = |c: &Coordinator, id: SessionId| {
            c.sessions.get(&id).is_some_and(|s| {
                s.ending.is_none()
                    && s.dialling.is_none()
                    && s.members()
                        .any(|leg| c.legs.get(&leg).is_some_and(|l| l.answered.is_some()))
            })
        };
        if host == guest || !ready(self, host) || !ready(self, guest) {
            return Err((host, guest));
        }
        self.unwire(guest);
        let Some(absorbed) = self.sessions.remove(&guest) else {
            return Err((host, guest));
        };
        let members: Vec<LegId> = absorbed.members().collect();
        for leg in &absorbed.legs {
            if let Some(l) = self.legs.get_mut(leg) {
                l.session = host;
            }
        }
        for leg in &members {
            self.set_application(*leg, None);
        }
        if let Some(s) = self.sessions.get_mut(&host) {
            s.legs.extend(absorbed.legs);
            s.records.extend(absorbed.records);
            s.offers.extend(absorbed.offers);
            for leg in members {
                s.add_member(leg);
            }
        }
        self.event(Event::Joined { session: host, guest });
        self.wire(host);
        Ok(())
    }

    fn set_application(&mut self, leg: LegId, application: Option<Application>) {
        if let Some(l) = self.legs.get_mut(&leg) {
            l.application = application;
        }
    }
}
