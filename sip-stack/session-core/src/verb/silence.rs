//! Phone legs whose far end may be gone: the shard reports silence where something should come, and SIP
//! OPTIONS within the dialog asks for a sign of life. Phones that are muted, or only listen, answer and go on.

use std::time::Duration;

use media_core::control::LegId;
use sans_io::Time;
use sip_core::endpoint::{Reason, UsageId};

use crate::coordinator::{Coordinator, Timer};
use crate::leg::State;
use crate::{Cause, Event};

/// Time that an answer may take: five transmissions over UDP.
const PATIENCE: Duration = Duration::from_secs(8);
/// Time until asking again a peer that cannot be asked yet, since its ACK is still to come.
const LATER: Duration = Duration::from_secs(1);

impl Coordinator {
    /// The shard reports that a leg fell silent, or was heard again.
    pub(crate) fn silence(&mut self, now: Time, leg: LegId, silent: bool) {
        let (Some(inactivity), Some(silence)) = (self.config.inactivity, self.config.silence()) else {
            return;
        };
        let Some(l) = self.legs.get_mut(&leg).filter(|l| l.state < State::Ending) else {
            return;
        };
        let session = l.session;
        l.silent = silent.then_some(now);
        if silent {
            let wait = inactivity.saturating_sub(silence);
            self.timers
                .set(Timer::Silence(leg), now + wait, "silence of a leg");
        } else {
            self.timers.cancel(Timer::Silence(leg));
        }
        self.event(Event::Silent { session, leg, silent });
    }

    /// Asks the peer of a leg for a sign of life. [`Event::Present`] reports one; otherwise the leg ends.
    pub fn ask_peer(&mut self, now: Time, leg: LegId) {
        let Some(l) = self.legs.get(&leg).filter(|l| l.state < State::Ending) else {
            return;
        };
        let asked = match l.usage {
            Some(usage) if l.state == State::Up => self.endpoint.ping(now, usage, PATIENCE),
            _ => false,
        };
        // An answer to an earlier question comes by itself; this one is asked in case none does.
        let next = if asked { PATIENCE + LATER } else { LATER };
        self.timers
            .set(Timer::Silence(leg), now + next, "question to a silent peer");
    }

    /// The outcome of asking the peer of a leg.
    pub(crate) fn pinged(&mut self, now: Time, usage: UsageId, alive: bool) {
        let Some(leg) = self.usages.get(&usage).copied() else {
            return;
        };
        let Some(l) = self.legs.get(&leg).filter(|l| l.state < State::Ending) else {
            return;
        };
        let (session, silent) = (l.session, l.silent.is_some());
        // A peer that is heard again meanwhile is there, whatever became of the question.
        if alive || !silent {
            match self.config.inactivity.filter(|_| silent) {
                Some(inactivity) => {
                    let next = now + inactivity;
                    self.timers.set(Timer::Silence(leg), next, "silence of a leg");
                }
                None => {
                    self.timers.cancel(Timer::Silence(leg));
                }
            }
            return self.event(Event::Present { session, leg });
        }
        if self.member_left(session, leg, Cause::Lost, 408) {
            self.end_leg(now, leg, Some(lost()));
            self.conclude(session);
        } else {
            self.end_session(now, session, Cause::Lost, 408);
        }
    }
}

/// Reason why a call ends whose far end is gone (RFC 3326).
pub(super) fn lost() -> Reason {
    Reason {
        protocol: "SIP".into(),
        cause: Some(408),
        text: Some("Media inactivity".into()),
    }
}
