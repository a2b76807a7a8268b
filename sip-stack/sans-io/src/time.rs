use std::fmt;
use std::ops::{Add, AddAssign, Sub};
use std::time::Duration;

/// A moment: microseconds since 1970-01-01T00:00:00Z, monotonic. The shell anchors it once to the wall clock and then
/// counts with a monotonic clock, so it never steps; a simulation begins wherever it likes.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(pub u64);

impl Time {
    /// The first moment there is.
    pub const ZERO: Time = Time(0);

    /// `secs` seconds since the epoch.
    #[must_use]
    pub const fn from_secs(secs: u64) -> Time {
        Time(secs * 1_000_000)
    }

    /// Microseconds since the epoch.
    #[must_use]
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// Whole seconds since the epoch.
    #[must_use]
    pub const fn as_secs(self) -> u64 {
        self.0 / 1_000_000
    }

    /// Time from `earlier` to this; zero if this is not after it.
    #[must_use]
    pub const fn since(self, earlier: Time) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

/// Microseconds of a duration, at most as many as there are; in 64 bits, unlike [`Duration::as_micros`].
#[inline]
const fn micros(duration: Duration) -> u64 {
    let whole = duration.as_secs().saturating_mul(1_000_000);
    whole.saturating_add(duration.subsec_micros() as u64)
}

impl Add<Duration> for Time {
    type Output = Time;
    #[inline]
    fn add(self, rhs: Duration) -> Time {
        Time(self.0.saturating_add(micros(rhs)))
    }
}

impl AddAssign<Duration> for Time {
    fn add_assign(&mut self, rhs: Duration) {
        *self = *self + rhs;
    }
}

impl Sub<Duration> for Time {
    type Output = Time;
    #[inline]
    fn sub(self, rhs: Duration) -> Time {
        Time(self.0.saturating_sub(micros(rhs)))
    }
}

impl Sub<Time> for Time {
    type Output = Duration;
    fn sub(self, rhs: Time) -> Duration {
        self.since(rhs)
    }
}

impl fmt::Debug for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:06}", self.0 / 1_000_000, self.0 % 1_000_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_count_whole_microseconds_and_stop_at_the_ends_of_time() {
        let moment = Time(1_500_000);
        assert_eq!(moment + Duration::new(2, 7_999), Time(3_500_007));
        assert_eq!(moment - Duration::from_micros(1_499_999), Time(1));
        assert_eq!(moment - Duration::from_secs(2), Time::ZERO);
        assert_eq!(moment + Duration::MAX, Time(u64::MAX));
        assert_eq!(moment - Duration::MAX, Time::ZERO);
        // As many microseconds as there are, and one more than that.
        let longest = Duration::from_micros(u64::MAX);
        assert_eq!(Time::ZERO + longest, Time(u64::MAX));
        assert_eq!(Time(u64::MAX) - longest, Time::ZERO);
        assert_eq!(Time::ZERO + (longest + Duration::from_micros(1)), Time(u64::MAX));
    }
}
