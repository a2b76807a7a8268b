//! Phone legs whose far end may be gone: the shard reports silence where something should come, and SIP
//! OPTIONS within the dialog asks for a sign of life. Phones that are muted, or only listen, answer and go on.

use std::time::Duration;

use media_core::control::LegId;
use sans_io::Time;
use sip_core::endpoint::Reason;
use sip_core::message::StatusCode;

use super::{Call, End};
use crate::context::Context;
use crate::coordinator::Timer;
use crate::{Cause, Event};

/// Time that an answer may take: five transmissions over UDP.
const PATIENCE: Duration = Duration::from_secs(8);
/// Time until asking again a peer that cannot be asked yet, since its ACK is still to come.
const LATER: Duration = Duration::from_secs(1);

impl Call {
    /// The shard reports that a leg fell silent, or was heard again.
    pub(crate) fn silence(&mut self, cx: &mut Context, now: Time, leg: LegId, silent: bool) {
        // Nobody who is silent is asked, and none of these reports should come, where no inactivity is configured.
        let (Some(inactivity), Some(silence)) = (cx.config.inactivity, cx.config.silence()) else {
            return;
        };
        let session = self.id();
        let Some(l) = self.leg_mut(leg).filter(|l| l.is_live()) else {
            return;
        };
        l.set_silent(silent);
        if silent {
            let wait = inactivity.saturating_sub(silence);
            cx.timers.set(Timer::Silence(leg), now + wait, "silence of a leg");
        } else {
            cx.timers.cancel(Timer::Silence(leg));
        }
        cx.event(Event::Silent { session, leg, silent });
    }

    /// Asks the peer of a leg for a sign of life.
    pub(crate) fn ask_peer(&self, cx: &mut Context, now: Time, leg: LegId) {
        let Some(l) = self.leg(leg).filter(|l| l.is_live()) else {
            return;
        };
        let asked = match l.usage() {
            Some(usage) if l.is_up() => cx.endpoint.ping(now, usage, PATIENCE),
            _ => false,
        };
        // An answer to an earlier question comes by itself; this one is asked in case none does.
        let next = if asked { PATIENCE + LATER } else { LATER };
        cx.timers
            .set(Timer::Silence(leg), now + next, "question to a silent peer");
    }

    /// The outcome of asking the peer of a leg.
    pub(crate) fn pinged(&mut self, cx: &mut Context, now: Time, leg: LegId, alive: bool) {
        let session = self.id();
        let Some(l) = self.leg(leg).filter(|l| l.is_live()) else {
            return;
        };
        // A peer that is heard again meanwhile is there, whatever became of the question.
        if alive || !l.is_silent() {
            match cx.config.inactivity.filter(|_| l.is_silent()) {
                Some(inactivity) => {
                    let next = now + inactivity;
                    cx.timers.set(Timer::Silence(leg), next, "silence of a leg");
                }
                None => {
                    cx.timers.cancel(Timer::Silence(leg));
                }
            }
            return cx.event(Event::Present { session, leg });
        }
        self.lose_leg(
            cx,
            now,
            leg,
            End::new(Cause::Lost, StatusCode::REQUEST_TIMEOUT),
            Some(lost()),
        );
    }
}

/// Reason why a call ends whose far end is gone (RFC 3326).
pub(super) fn lost() -> Reason {
    Reason {
        protocol: "SIP".into(),
        cause: Some(StatusCode::REQUEST_TIMEOUT.get()),
        text: Some("Media inactivity".into()),
    }
}
