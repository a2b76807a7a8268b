//! Pace of requests that come in crowds, such as all registrations together: a registrar that comes back after an outage, or a start with
//! hundreds of trunks, brings no storm.

use std::collections::VecDeque;
use std::time::Duration;

use sans_io::Time;

/// Those that wait for their turn, in the order in which they came.
#[derive(Debug)]
pub(crate) struct Pace {
    waiting: VecDeque<u64>,
    /// Time between two of them.
    interval: Duration,
    /// Earliest time of the next one.
    free_at: Time,
}

impl Pace {
    /// `rate` a second, evenly spaced.
    pub(crate) fn new(rate: u32) -> Pace {
        Pace {
            waiting: VecDeque::new(),
            interval: Duration::from_secs(1) / rate.max(1),
            free_at: Time::default(),
        }
    }

    pub(crate) fn push(&mut self, id: u64) {
        self.waiting.push_back(id);
    }

    /// The next one, if it may be sent now.
    pub(crate) fn pop(&mut self, now: Time) -> Option<u64> {
        self.waiting.pop_front_if(|_| now >= self.free_at)
    }

    /// The one popped last was sent.
    pub(crate) fn sent(&mut self, now: Time) {
        self.free_at = now + self.interval;
    }

    /// Time at which the next one that waits may be sent.
    pub(crate) fn next(&self) -> Option<Time> {
        (!self.waiting.is_empty()).then_some(self.free_at)
    }

    /// Sends all that wait within this time.
    pub(super) fn hurry(&mut self, within: Duration) {
        let each = within / u32::try_from(self.waiting.len()).unwrap_or(u32::MAX).max(1);
        self.interval = self.interval.min(each);
        self.free_at = Time::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fifty_a_second_are_evenly_spaced_and_none_overtakes() {
        let mut pace = Pace::new(50);
        (0..500).for_each(|id| pace.push(id));
        let mut now = Time::from_secs(1);
        let mut sent = Vec::new();
        while let Some(at) = pace.next() {
            now = now.max(at);
            sent.push((pace.pop(now).expect("its turn"), now));
            pace.sent(now);
            assert_eq!(pace.pop(now), None, "two at once");
        }
        assert!(sent.iter().enumerate().all(|(n, (id, _))| n as u64 == *id));
        assert_eq!(sent[499].1.since(sent[0].1), Duration::from_millis(20) * 499);
    }

    #[test]
    fn at_the_end_all_leave_in_time() {
        let mut pace = Pace::new(1);
        (0..500).for_each(|id| pace.push(id));
        pace.hurry(Duration::from_secs(2));
        let (start, mut now) = (Time::from_secs(1), Time::from_secs(1));
        while let Some(at) = pace.next() {
            now = now.max(at);
            pace.pop(now).expect("its turn");
            pace.sent(now);
        }
        assert!(now.since(start) <= Duration::from_secs(2));
    }
}
