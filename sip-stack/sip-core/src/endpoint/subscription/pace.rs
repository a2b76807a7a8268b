//! Pace of the NOTIFYs of a subscription (RFC 6665 §4.2.3, RFC 6446): a change is told at once after a quiet time, at most one NOTIFY
//! is under way, and changes meanwhile become one, of which the latest state is told.

use std::time::Duration;

use sans_io::Time;

/// Pace of a subscription.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    /// Least time between two NOTIFYs.
    interval: Duration,
    /// Time before which the next NOTIFY is not due.
    next: Time,
    /// NOTIFYs without an answer.
    unanswered: u32,
    /// True if the state changed since the last NOTIFY.
    changed: bool,
}

/// What is to be done about a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// It is to be told.
    Now,
    /// It is to be looked at again at that time.
    At(Time),
    /// Nothing: there is no change, or the answer to a NOTIFY comes first.
    Later,
}

impl Pace {
    pub(super) fn new(now: Time, interval: Duration) -> Pace {
        Pace {
            interval,
            next: now,
            unanswered: 0,
            changed: false,
        }
    }

    /// The state changed.
    pub(super) fn change(&mut self) {
        self.changed = true;
    }

    /// Somebody is asked for the state now: a change after this is another one.
    pub(super) fn ask(&mut self) {
        self.changed = false;
    }

    /// A NOTIFY leaves, with the state as it is.
    pub(super) fn told(&mut self, now: Time) {
        self.next = now + self.interval;
        self.unanswered += 1;
        self.changed = false;
    }

    /// A NOTIFY was answered, or will never be.
    pub(super) fn answered(&mut self) {
        self.unanswered = self.unanswered.saturating_sub(1);
    }

    pub(super) fn due(&self, now: Time) -> Due {
        if !self.changed || self.unanswered > 0 {
            Due::Later
        } else if now >= self.next {
            Due::Now
        } else {
            Due::At(self.next)
        }
    }
}

/// Least time between NOTIFYs that a subscriber asks for: `max-rate` of `Event` (RFC 6446 §5.1), in NOTIFYs a second.
pub(super) fn interval(max_rate: Option<&str>) -> Option<Duration> {
    let rate: f64 = max_rate?.trim().parse().ok()?;
    (rate.is_finite() && rate >= 0.000_1).then(|| Duration::from_secs_f64(1.0 / rate))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_of_subscribers() {
        assert_eq!(interval(Some("0.5")), Some(Duration::from_secs(2)));
        assert_eq!(interval(Some("1")), Some(Duration::from_secs(1)));
        for none in [
            None,
            Some("0"),
            Some("-1"),
            Some("nan"),
            Some("inf"),
            Some("fast"),
            Some("1e-300"),
        ] {
            assert_eq!(interval(none), None, "{none:?}");
        }
    }

    #[test]
    fn changes_wait_for_the_answer_and_for_the_interval_and_become_one() {
        let start = Time::from_secs(10);
        let mut pace = Pace::new(start, Duration::from_secs(1));
        assert_eq!(pace.due(start), Due::Later);
        pace.change();
        assert_eq!(pace.due(start), Due::Now);
        pace.told(start);
        pace.change();
        pace.change();
        assert_eq!(
            pace.due(start + Duration::from_secs(5)),
            Due::Later,
            "the answer is missing"
        );
        pace.answered();
        let next = start + Duration::from_secs(1);
        assert_eq!(pace.due(start), Due::At(next));
        assert_eq!(pace.due(next), Due::Now);
        pace.told(next);
        pace.answered();
        assert_eq!(
            pace.due(start + Duration::from_secs(9)),
            Due::Later,
            "nothing is left to tell"
        );
    }
}
