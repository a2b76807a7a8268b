use std::time::Duration;

use sans_io::{Deadline, Time};

/// Duty of refreshing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Duty {
    /// We refresh.
    Ours,
    /// The peer refreshes.
    Peers,
}

/// Session timer of a dialog (RFC 4028).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionTimer {
    /// Session interval agreed.
    pub interval: Duration,
    /// Duty of our side.
    pub duty: Duty,
    /// True if the peer takes no part in it: it gives nothing up when the session expires, and neither do we
    /// as long as our refreshes get answers of whatever kind.
    pub alone: bool,
    since: Time,
}

impl SessionTimer {
    /// Agreed, or refreshed, now.
    #[must_use]
    pub fn new(now: Time, interval: Duration, duty: Duty) -> SessionTimer {
        SessionTimer {
            interval,
            duty,
            alone: false,
            since: now,
        }
    }

    /// A timer of ours alone, with a peer that knows no session timers (RFC 4028 §7.2, §9).
    #[must_use]
    pub fn alone(now: Time, interval: Duration) -> SessionTimer {
        SessionTimer {
            alone: true,
            ..SessionTimer::new(now, interval, Duty::Ours)
        }
    }

    /// Time to act: the refreshing side refreshes at half of the interval, the other gives the session up at
    /// its end.
    #[must_use]
    pub fn deadline(&self) -> Deadline {
        Some(match self.duty {
            Duty::Ours => (self.since + self.interval / 2, "session refresh"),
            Duty::Peers => (self.end(), "session expiry"),
        })
    }

    /// Time at which the session is given up: 32 s or a third of the interval, whichever is less, before it
    /// expires (§10).
    #[must_use]
    pub fn end(&self) -> Time {
        self.since + (self.interval - (self.interval / 3).min(Duration::from_secs(32)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_refreshes_acts_at_half_and_the_other_at_the_end() {
        let now = Time::from_secs(1000);
        let ours = SessionTimer::new(now, Duration::from_secs(90), Duty::Ours);
        assert_eq!(ours.deadline(), Some((Time::from_secs(1045), "session refresh")));
        assert_eq!(ours.end(), Time::from_secs(1060));
        let theirs = SessionTimer::new(now, Duration::from_secs(1800), Duty::Peers);
        assert_eq!(
            theirs.deadline(),
            Some((Time::from_secs(1000 + 1800 - 32), "session expiry"))
        );
    }
}
