//! Bridges between legs of one session: made by `dial`, unmade and made again by the application.

use media_core::control::{Command, LegId};
use sans_io::Time;

use crate::SessionId;
use crate::coordinator::Coordinator;

impl Coordinator {
    /// Joins the answered call `guest` into `host`: the guest's party becomes the host's callee and the two hear each
    /// other. Both must have exactly one answered leg.
    ///
    /// # Errors
    /// The two sessions as they were, when either is not there, is ending, or has another number of legs up.
    pub fn bridge(
        &mut self,
        now: Time,
        host: SessionId,
        guest: SessionId,
    ) -> Result<(), (SessionId, SessionId)> {
        let _ = now;
        let alone = |c: &Coordinator, id: SessionId| -> Option<LegId> {
            let s = c
                .sessions
                .get(&id)
                .filter(|s| s.ending.is_none() && s.dialling.is_none())?;
            match (s.caller, s.callee) {
                (Some(leg), None) | (None, Some(leg)) => {
                    c.legs.get(&leg).filter(|l| l.answered.is_some()).map(|l| l.id)
                }
                _ => None,
            }
        };
        let (Some(a), Some(b), false) = (alone(self, host), alone(self, guest), host == guest) else {
            return Err((host, guest));
        };
        let Some(absorbed) = self.sessions.remove(&guest) else {
            return Err((host, guest));
        };
        if let Some(l) = self.legs.get_mut(&b) {
            l.session = host;
            l.application = None;
        }
        if let Some(l) = self.legs.get_mut(&a) {
            l.application = None;
        }
        if let Some(s) = self.sessions.get_mut(&host) {
            s.legs.extend(absorbed.legs);
            s.records.extend(absorbed.records);
            s.caller = Some(a);
            s.callee = Some(b);
        }
        self.wire(host);
        Ok(())
    }

    /// Asks the shard for a leg's counters: [`Event::Report`](crate::Event::Report).
    pub fn report(&mut self, leg: LegId) {
        self.command(leg, Command::Report { leg });
    }
}
