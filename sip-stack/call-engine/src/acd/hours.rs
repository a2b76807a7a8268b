//! Opening hours of a queue.

use sans_io::Time;
use serde::{Deserialize, Serialize};

const MINUTE: u64 = 60;
const DAY: u64 = 24 * 60;
const WEEK: u64 = 7 * DAY;

/// A span of a week: from a minute on, up to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// Minutes since Monday 00:00, local time; below 10,080.
    pub from: u16,
    /// Minutes since Monday 00:00; may be below `from`: then over the end of the week.
    pub until: u16,
}

/// A change of the local time's distance to UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offset {
    /// From this moment on, seconds since 1970-01-01T00:00:00Z.
    pub since: u64,
    /// Minutes that local time is ahead of UTC.
    pub minutes: i16,
}

/// Hours of a week, and days that are different. The engine knows no time zones: its configuration resolves
/// the zone into offsets.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hours {
    /// Opening hours of an ordinary week.
    pub week: Vec<Span>,
    /// Days on which it is closed: days since 1970-01-01, local time.
    pub closed: Vec<u32>,
    /// The local time's offsets, by time; none: UTC.
    pub offsets: Vec<Offset>,
}

impl Hours {
    /// True when it is open.
    #[must_use]
    pub fn is_open(&self, now: Time) -> bool {
        let minute = self.local_minute(now);
        let day = u32::try_from(minute / DAY).unwrap_or(u32::MAX);
        if self.closed.contains(&day) {
            return false;
        }
        // 1970-01-01 was a Thursday.
        let of_week = (minute + 3 * DAY) % WEEK;
        self.week.iter().any(|span| {
            let (from, until) = (u64::from(span.from), u64::from(span.until));
            if from <= until {
                (from..until).contains(&of_week)
            } else {
                of_week >= from || of_week < until
            }
        })
    }

    fn local_minute(&self, now: Time) -> u64 {
        let seconds = now.as_secs();
        let offset = self
            .offsets
            .iter()
            .rev()
            .find(|offset| offset.since <= seconds)
            .map_or(0, |offset| i64::from(offset.minutes));
        (seconds / MINUTE).saturating_add_signed(offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Monday 2026-11-23T00:00:00Z.
    const MONDAY: u64 = 1_795_392_000;

    fn at(day: u64, hour: u64, minute: u64) -> Time {
        Time::from_secs(MONDAY + (day * 24 + hour) * 3_600 + minute * 60)
    }

    fn weekdays_nine_to_five() -> Hours {
        let week = (0..5)
            .map(|day| Span {
                from: day * 1_440 + 540,
                until: day * 1_440 + 1_020,
            })
            .collect();
        Hours {
            week,
            ..Hours::default()
        }
    }

    #[test]
    fn opens_and_closes_to_the_minute() {
        let hours = weekdays_nine_to_five();
        assert!(!hours.is_open(at(0, 8, 59)));
        assert!(hours.is_open(at(0, 9, 0)));
        assert!(hours.is_open(at(4, 16, 59)));
        assert!(!hours.is_open(at(4, 17, 0)));
        assert!(!hours.is_open(at(5, 12, 0)), "Saturday");
    }

    #[test]
    fn a_closed_day_is_closed_and_local_time_moves_with_its_offset() {
        let mut hours = weekdays_nine_to_five();
        hours.closed = vec![u32::try_from(MONDAY / 86_400 + 1).expect("fits")];
        assert!(!hours.is_open(at(1, 12, 0)));
        assert!(hours.is_open(at(2, 12, 0)));
        hours.offsets = vec![
            Offset {
                since: 0,
                minutes: 120,
            },
            Offset {
                since: MONDAY,
                minutes: 60,
            },
        ];
        assert!(hours.is_open(at(0, 8, 0)), "nine o'clock there");
        assert!(!hours.is_open(at(0, 16, 0)));
    }

    #[test]
    fn a_span_over_the_end_of_the_week() {
        let hours = Hours {
            week: vec![Span {
                from: 9_960,
                until: 120,
            }],
            ..Hours::default()
        };
        assert!(hours.is_open(at(6, 23, 0)) && hours.is_open(at(0, 1, 59)));
        assert!(!hours.is_open(at(0, 2, 0)) && !hours.is_open(at(6, 21, 59)));
    }
}
