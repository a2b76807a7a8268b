//! Counters of a media thread, for whoever shows statistics.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sans_io::Time;

/// Upper bounds of the buckets of [`Lateness`], in ascending order. The system wakes a thread up to a millisecond late; a mix is a
/// frame behind from 20 ms on.
pub const LATENESS_BOUNDS: [Duration; 8] = [
    Duration::from_millis(1),
    Duration::from_millis(2),
    Duration::from_millis(5),
    Duration::from_millis(10),
    Duration::from_millis(20),
    Duration::from_millis(50),
    Duration::from_millis(100),
    Duration::from_millis(200),
];

/// Counters of a media thread since its start.
#[derive(Debug, Default)]
pub struct MediaCounters {
    /// Datagrams received.
    pub received: AtomicU64,
    /// Datagrams handed to the system.
    pub sent: AtomicU64,
    /// Datagrams that the system did not take.
    pub send_failed: AtomicU64,
    /// Phone legs that got no ports.
    pub bind_failed: AtomicU64,
    /// Packets for a leg of another thread that found its lane full.
    pub lane_full: AtomicU64,
    /// Packets and notices from another thread about legs that had left meanwhile.
    pub lane_stray: AtomicU64,
    /// Reports left out because signalling was behind and a newer one of the same leg waited already.
    pub coalesced: AtomicU64,
    /// Packets of tapped legs that a listener was too slow for.
    pub tap_dropped: AtomicU64,
    /// Legs that it has now, stand-ins for legs of other threads included.
    pub legs: AtomicU64,
    /// Time in which it did not wait, µs. Its growth in a second is the thread's load: 1,000,000 is a whole core, or more
    /// than the machine gave.
    pub busy_us: AtomicU64,
    /// Delay of its timers: of the ticks of mixes, of playout, of reports.
    pub lateness: Lateness,
}

/// Counters, shared with the code that shows statistics.
pub type SharedCounters = Arc<MediaCounters>;

/// Delays of timers, counted by length.
#[derive(Debug, Default)]
pub struct Lateness {
    /// Timers by the first of [`LATENESS_BOUNDS`] that their delay does not exceed; the last place has those beyond all.
    pub buckets: [AtomicU64; LATENESS_BOUNDS.len() + 1],
    /// Sum of all delays, µs.
    pub sum_us: AtomicU64,
    /// The longest delay, µs.
    pub max_us: AtomicU64,
}

pub(super) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

impl MediaCounters {
    /// Counts a timer that ran so much after its time.
    pub(super) fn late(&self, by: Duration) {
        let late = &self.lateness;
        let at = LATENESS_BOUNDS.partition_point(|bound| *bound < by);
        if let Some(bucket) = late.buckets.get(at) {
            count(bucket);
        }
        let us = by.as_micros() as u64;
        late.sum_us.fetch_add(us, Ordering::Relaxed);
        late.max_us.fetch_max(us, Ordering::Relaxed);
    }
}

/// Spans of work of a thread, between one wait and the next.
#[derive(Debug)]
pub(super) struct Load {
    /// Time at which it woke up last; `None` while it waits.
    since: Option<Time>,
}

impl Load {
    /// The load of a thread that begins to work now.
    pub(super) fn new(now: Time) -> Load {
        Load { since: Some(now) }
    }

    /// Notes that the thread has woken up, unless it was awake.
    pub(super) fn wakes(&mut self, now: Time) {
        self.since.get_or_insert(now);
    }

    /// Notes that the thread has nothing to do for now.
    pub(super) fn rests(&mut self, now: Time, counters: &MediaCounters) {
        if let Some(since) = self.since.take() {
            let us = (now - since).as_micros() as u64;
            counters.busy_us.fetch_add(us, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn a_delay_is_counted_in_the_first_bucket_that_holds_it() {
        let counters = MediaCounters::default();
        for by in [Duration::ZERO, MS, 2 * MS, 3 * MS, 20 * MS, 201 * MS] {
            counters.late(by);
        }
        let late = &counters.lateness;
        let buckets = late
            .buckets
            .each_ref()
            .map(|bucket| bucket.load(Ordering::Relaxed));
        assert_eq!(buckets, [2, 1, 1, 0, 1, 0, 0, 0, 1]);
        assert_eq!(late.sum_us.load(Ordering::Relaxed), 227_000);
        assert_eq!(late.max_us.load(Ordering::Relaxed), 201_000);
    }

    #[test]
    fn a_thread_is_busy_from_when_it_wakes_until_it_waits() {
        let (counters, start) = (MediaCounters::default(), Time::from_secs(1));
        let busy = || counters.busy_us.load(Ordering::Relaxed);
        let mut load = Load::new(start);
        load.rests(start + 3 * MS, &counters);
        assert_eq!(busy(), 3_000);
        // Two waits without work between them are one wait.
        load.rests(start + 10 * MS, &counters);
        load.wakes(start + 20 * MS);
        load.wakes(start + 22 * MS);
        load.rests(start + 25 * MS, &counters);
        assert_eq!(busy(), 8_000);
    }
}
