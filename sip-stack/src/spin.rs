//! A guard against busy loops.

use std::time::Duration;

use sans_io::{Deadline, Time};

/// Notices a core that asks again and again for a moment that is past, names the reason, and slows it down.
#[derive(Debug, Default)]
pub(crate) struct SpinGuard {
    repeats: u32,
}

/// Deadlines in the past that are normal in a row: one timer may fire at the moment of another.
const PATIENCE: u32 = 100;

/// Time that a spinning core is made to wait each time.
const BRAKE: Duration = Duration::from_millis(1);

impl SpinGuard {
    /// Checks the deadline that a core asks for after it got `now`. Returns the time to wait until.
    pub(crate) fn check(&mut self, who: &str, now: Time, deadline: Deadline) -> Option<Time> {
        let (at, reason) = deadline?;
        if at > now {
            self.repeats = 0;
            return Some(at);
        }
        self.repeats = self.repeats.saturating_add(1);
        if self.repeats < PATIENCE {
            return Some(now);
        }
        if self.repeats.is_power_of_two() || self.repeats == PATIENCE {
            tracing::error!(
                who,
                reason,
                repeats = self.repeats,
                "a deadline repeats without progress"
            );
        }
        Some(now + BRAKE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_core_that_asks_for_the_past_is_slowed_down() {
        let mut guard = SpinGuard::default();
        let now = Time::from_secs(7);
        for _ in 0..PATIENCE - 1 {
            assert_eq!(guard.check("core", now, Some((now, "stuck"))), Some(now));
        }
        assert_eq!(guard.check("core", now, Some((now, "stuck"))), Some(now + BRAKE));
        let later = now + Duration::from_secs(1);
        assert_eq!(guard.check("core", now, Some((later, "fine"))), Some(later));
        assert_eq!(
            guard.check("core", now, Some((now, "again"))),
            Some(now),
            "progress resets it"
        );
        assert_eq!(guard.check("core", now, None), None);
    }
}
