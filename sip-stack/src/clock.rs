//! The one place where time is read.

use std::time::{Instant, SystemTime};

use sans_io::Time;

/// Wall-clock time that never steps: anchored once, counted by the monotonic clock. Copies agree.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    instant: Instant,
    time: Time,
}

impl Clock {
    /// Anchored now.
    #[must_use]
    pub fn start() -> Clock {
        let since_epoch = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        Clock {
            instant: Instant::now(),
            time: Time::ZERO + since_epoch,
        }
    }

    /// Present time.
    #[must_use]
    pub fn now(&self) -> Time {
        self.time + self.instant.elapsed()
    }

    /// The same moment as an `Instant`.
    #[must_use]
    pub fn instant(&self, time: Time) -> Instant {
        self.instant + time.since(self.time)
    }

    /// The anchor: two names of one moment.
    #[must_use]
    pub fn anchor(&self) -> (Instant, Time) {
        (self.instant, self.time)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_moment_has_one_instant() {
        let clock = Clock::start();
        let (instant, time) = clock.anchor();
        assert_eq!(
            clock.instant(time + Duration::from_secs(3)),
            instant + Duration::from_secs(3)
        );
        assert!(clock.now() >= time && time > Time::from_secs(1_600_000_000));
    }
}
