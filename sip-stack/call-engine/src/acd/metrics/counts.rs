//! Numbers of a queue and of an agent over an interval, and what is computed from them.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::super::fact::Status;

/// Counts of a queue over an interval. The counts of a longer interval are sums of shorter ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueCounts {
    /// Calls that came, from outside or from other queues.
    pub entered: u64,
    /// Calls that an agent answered, each once.
    pub answered: u64,
    /// Those of them that were answered within the target.
    pub in_time: u64,
    /// Calls whose caller gave up before an agent answered.
    pub abandoned: u64,
    /// Those of them whose callers gave up so soon that they do not count.
    pub short: u64,
    /// Calls that it did not keep.
    pub overflowed: u64,
    /// Answered calls that are over.
    pub completed: u64,
    /// Answered calls that an agent sent to another queue.
    pub sent_on: u64,
    /// Calls that a restart cost.
    pub lost: u64,
    /// Calls that a supervisor hung up before an agent answered.
    #[serde(default)]
    pub hung_up: u64,
    /// Microseconds that answered calls waited.
    pub waited: u64,
    /// The longest wait that ended, microseconds.
    pub longest: u64,
    /// Microseconds of talk.
    pub talked: u64,
    /// Microseconds on hold.
    pub held: u64,
    /// Microseconds of wrap-up.
    pub wrapped_up: u64,
}

/// Times of an agent over an interval.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentCounts {
    /// Calls taken.
    pub calls: u64,
    /// Microseconds in each status, by [`Status::ALL`].
    pub times: [u64; Status::COUNT],
}

/// Target of the service level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServiceLevel {
    /// Time within which an answer counts as in time.
    pub target: Duration,
    /// Callers who give up sooner do not count.
    pub short: Duration,
}

impl Default for ServiceLevel {
    fn default() -> Self {
        ServiceLevel {
            target: Duration::from_secs(20),
            short: Duration::from_secs(5),
        }
    }
}

impl QueueCounts {
    /// Adds another stretch.
    pub fn add(&mut self, other: &QueueCounts) {
        self.entered += other.entered;
        self.answered += other.answered;
        self.in_time += other.in_time;
        self.abandoned += other.abandoned;
        self.short += other.short;
        self.overflowed += other.overflowed;
        self.completed += other.completed;
        self.sent_on += other.sent_on;
        self.lost += other.lost;
        self.hung_up += other.hung_up;
        self.waited += other.waited;
        self.longest = self.longest.max(other.longest);
        self.talked += other.talked;
        self.held += other.held;
        self.wrapped_up += other.wrapped_up;
    }

    /// Share of calls answered in time, of those answered and those given up not too soon; `None` if there
    /// are none.
    #[must_use]
    pub fn service_level(&self) -> Option<f64> {
        let all = self.answered + self.abandoned - self.short;
        (all > 0).then(|| self.in_time as f64 / all as f64)
    }

    /// Mean wait of answered calls, seconds.
    #[must_use]
    pub fn asa(&self) -> f64 {
        seconds(self.waited) / self.answered.max(1) as f64
    }

    /// Mean handling time of answered calls, seconds: talk, hold, wrap-up.
    #[must_use]
    pub fn aht(&self) -> f64 {
        seconds(self.talked + self.held + self.wrapped_up) / self.answered.max(1) as f64
    }
}

impl AgentCounts {
    /// Microseconds signed in.
    #[must_use]
    pub fn signed_in(&self) -> u64 {
        self.times.iter().sum::<u64>() - self.times[Status::Offline as usize]
    }

    /// Busy part of the time signed in and not paused, 0 to 1.
    #[must_use]
    pub fn occupancy(&self) -> f64 {
        let busy: u64 = [Status::Connecting, Status::Talking, Status::Held, Status::WrapUp]
            .into_iter()
            .map(|status| self.times[status as usize])
            .sum();
        let all = self.signed_in() - self.times[Status::Paused as usize];
        if all == 0 { 0.0 } else { busy as f64 / all as f64 }
    }
}

fn seconds(micros: u64) -> f64 {
    micros as f64 / 1_000_000.0
}
