//! Parked calls: each waits with music in a slot until a user takes it back, or it returns to whoever parked it.

use std::collections::BTreeMap;
use std::time::Duration;

use sans_io::{Deadline, Time};
use session_core::{Caller, Coordinator, Invitation, LegId, Party, SessionId};
use sip_core::message::StatusCode;

use super::Switch;
use crate::centre::view::{Moment, Parking};
use crate::config::Park;

/// Time that the phones of whoever parked a call ring for it.
const RING: Duration = Duration::from_secs(30);

/// Slots, and the calls in them.
#[derive(Debug, Default)]
pub(super) struct ParkedCalls {
    settings: Park,
    slots: BTreeMap<String, Parked>,
    /// Calls of users who get a parked call as soon as they are answered, and the slot of that.
    retrieving: BTreeMap<SessionId, String>,
}

/// A parked call.
#[derive(Debug)]
struct Parked {
    session: SessionId,
    /// The party as shown.
    caller: Caller,
    /// User who parked it.
    by: Option<String>,
    /// End of its time.
    until: Time,
    /// Time at which it returns to that user.
    due: Time,
    /// Invitation of that user that rings.
    rings: Option<LegId>,
}

impl ParkedCalls {
    /// Slots and times from now on; calls that are parked already stay.
    pub(super) fn configure(&mut self, settings: Park) {
        self.settings = settings;
    }

    fn deadline(&self) -> Deadline {
        let due = self.slots.values().map(|parked| parked.due.min(parked.until));
        due.min().map(|at| (at, "parked calls"))
    }

    fn is_free(&self, slot: &str) -> bool {
        !self.slots.contains_key(slot)
    }

    fn slot_of(&self, session: SessionId) -> Option<String> {
        let mut slots = self.slots.iter();
        slots
            .find(|(_, parked)| parked.session == session)
            .map(|(slot, _)| slot.clone())
    }
}

impl Switch {
    pub(super) fn park_deadline(&self) -> Deadline {
        self.parked.deadline()
    }

    /// A user transfers the other party of a call into a slot, or into any that is free: it waits there, and the user is out of the call.
    pub(super) fn park(
        &mut self,
        now: Time,
        leg: LegId,
        wanted: Option<String>,
        coordinator: &mut Coordinator,
    ) {
        let free = |slot: &String| self.parked.is_free(slot);
        let slot = match wanted {
            Some(slot) => Some(slot).filter(free),
            None => self.parked.settings.slots.iter().find(|slot| free(slot)).cloned(),
        };
        let Some(slot) = slot else {
            coordinator.accept_refer(now, leg);
            return coordinator.refer_progress(now, leg, StatusCode::BUSY_HERE);
        };
        let by = coordinator.user_of(leg).map(str::to_owned);
        let Some((session, waits, caller)) = coordinator.leave(now, leg) else {
            return;
        };
        tracing::info!(session = session.0, slot, "call parked");
        coordinator.keep(session, true);
        coordinator.show_at(&slot, Some(waits));
        self.show_parking(
            now,
            session,
            Some(Parking {
                slot: slot.clone(),
                by: by.clone(),
                since: Moment(now),
            }),
            coordinator,
        );
        let parked = Parked {
            session,
            caller,
            by,
            until: now + self.parked.settings.limit,
            due: now + self.parked.settings.timeout,
            rings: None,
        };
        self.parked.slots.insert(slot, parked);
    }

    /// A user calls a slot: gets the call that is parked there, as soon as the user is answered.
    pub(super) fn retrieve(
        &mut self,
        now: Time,
        (session, leg): (SessionId, LegId),
        slot: Option<String>,
        coordinator: &mut Coordinator,
    ) {
        let reserved = |slot: &String| self.parked.retrieving.values().any(|other| other == slot);
        let slot = slot.filter(|slot| !self.parked.is_free(slot) && !reserved(slot));
        let Some(slot) = slot else {
            return coordinator.reject(now, session, StatusCode::NOT_FOUND);
        };
        self.parked.retrieving.insert(session, slot);
        coordinator.answer(now, leg, None);
    }

    /// A caller was answered: a user who called a slot gets the call there.
    pub(super) fn parked_answered(&mut self, now: Time, session: SessionId, coordinator: &mut Coordinator) {
        let Some(slot) = self.parked.retrieving.remove(&session) else {
            return;
        };
        // Its party may have hung up meanwhile.
        let Some(parked) = self.leave_slot(now, &slot, coordinator) else {
            return coordinator.terminate_session(now, session);
        };
        if let Some(rings) = parked.rings {
            coordinator.withdraw(now, rings, true);
        }
        if coordinator.join(now, parked.session, session).is_err() {
            coordinator.terminate_session(now, session);
            return coordinator.terminate_session(now, parked.session);
        }
        coordinator.keep(parked.session, false);
    }

    /// Whoever parked a call answers it, or does not.
    pub(super) fn parked_rang(
        &mut self,
        now: Time,
        (session, invitation): (SessionId, LegId),
        answered: Option<LegId>,
        coordinator: &mut Coordinator,
    ) {
        let Some(slot) = self.parked.slot_of(session) else {
            return;
        };
        let timeout = self.parked.settings.timeout;
        match (answered, self.parked.slots.get_mut(&slot)) {
            (None, Some(parked)) if parked.rings == Some(invitation) => {
                parked.rings = None;
                parked.due = now + timeout;
            }
            (Some(leg), Some(parked)) if parked.rings == Some(invitation) => {
                self.leave_slot(now, &slot, coordinator);
                coordinator.admit_leg(now, session, leg);
                coordinator.keep(session, false);
            }
            _ => {}
        }
    }

    /// A session is over, or went into another one: nobody waits in it any more.
    pub(super) fn parked_over(&mut self, now: Time, session: SessionId, coordinator: &mut Coordinator) {
        self.parked.retrieving.remove(&session);
        if let Some(slot) = self.parked.slot_of(session) {
            self.leave_slot(now, &slot, coordinator);
        }
    }

    /// Lets calls return to whoever parked them, and ends those whose time is over.
    pub(super) fn parked_due(&mut self, now: Time, coordinator: &mut Coordinator) {
        let ring = RING.min(self.ring_timeout);
        let timeout = self.parked.settings.timeout;
        let mut over = Vec::new();
        for parked in self.parked.slots.values_mut() {
            if parked.until <= now {
                over.push(parked.session);
            } else if parked.due <= now {
                // Also where nobody can be called: it is tried again.
                parked.due = now + timeout.max(ring) + Duration::from_secs(1);
                if let Some(by) = parked.by.clone() {
                    let invitation = Invitation {
                        party: Party::User(by),
                        caller: Some(parked.caller.clone()),
                        ring_timeout: ring,
                        headers: Vec::new(),
                        diverted: Vec::new(),
                    };
                    parked.rings = coordinator.invite(now, parked.session, invitation).ok();
                }
            }
        }
        for session in over {
            self.parked_over(now, session, coordinator);
            coordinator.terminate_session(now, session);
        }
    }

    fn leave_slot(&mut self, now: Time, slot: &str, coordinator: &mut Coordinator) -> Option<Parked> {
        let parked = self.parked.slots.remove(slot)?;
        coordinator.show_at(slot, None);
        self.show_parking(now, parked.session, None, coordinator);
        Some(parked)
    }

    /// Shows pages and programs where a call is parked.
    fn show_parking(
        &mut self,
        now: Time,
        session: SessionId,
        parking: Option<Parking>,
        coordinator: &mut Coordinator,
    ) {
        if let Some((centre, cx)) = self.centre(now, coordinator) {
            centre.park(session, parking, &cx);
        }
    }
}
