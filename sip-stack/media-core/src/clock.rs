use std::time::Instant;

use sans_io::Time;

/// One moment by both clocks: ours and [`Instant`], which the DTLS crate counts with. Taken once by the shell; a
/// simulation takes any instant and never looks at the clock again.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    time: Time,
    instant: Instant,
}

impl Clock {
    /// `time` and `instant` are the same moment.
    #[must_use]
    pub const fn new(time: Time, instant: Instant) -> Clock {
        Clock { time, instant }
    }

    /// The instant of a time; a time before the anchor is the anchor.
    #[must_use]
    pub fn instant(&self, time: Time) -> Instant {
        let since = time.since(self.time);
        self.instant.checked_add(since).unwrap_or(self.instant)
    }

    /// The time of an instant, rounded up to the next microsecond so that a deadline is never met too early.
    #[must_use]
    pub fn time(&self, instant: Instant) -> Time {
        let since = instant.saturating_duration_since(self.instant);
        let micros = since.as_nanos().div_ceil(1_000);
        Time(
            self.time
                .0
                .saturating_add(u64::try_from(micros).unwrap_or(u64::MAX)),
        )
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_deadline_translated_back_is_due() {
        let start = Instant::now();
        let clock = Clock::new(Time::from_secs(1_000), start);
        for nanos in [0, 1, 999, 1_000, 1_001, 123_456_789] {
            let instant = start + Duration::from_nanos(nanos);
            assert!(clock.instant(clock.time(instant)) >= instant);
        }
        assert_eq!(clock.instant(Time::ZERO), start);
    }
}
