//! Duration and size of commits, for metrics.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// Upper bounds of the duration buckets, seconds.
pub const COMMIT_SECONDS: [f64; 10] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 2.5];
/// Upper bounds of the batch size buckets, entries.
pub const COMMIT_ENTRIES: [f64; 9] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0];

/// Counts of the log's writer since the start.
#[derive(Debug)]
pub struct Meter {
    /// Duration of commits that succeeded, seconds.
    pub commit_seconds: Histogram<10>,
    /// Entries of each.
    pub commit_entries: Histogram<9>,
    /// Commits that failed and were tried again.
    pub retries: AtomicU64,
    /// Entries that were refused: fenced or out of order.
    pub refused: AtomicU64,
}

impl Default for Meter {
    fn default() -> Meter {
        Meter {
            commit_seconds: Histogram::new(&COMMIT_SECONDS),
            commit_entries: Histogram::new(&COMMIT_ENTRIES),
            retries: AtomicU64::new(0),
            refused: AtomicU64::new(0),
        }
    }
}

impl Meter {
    pub(super) fn committed(&self, took: Duration, entries: usize) {
        self.commit_seconds.record(took.as_secs_f64());
        self.commit_entries.record(entries as f64);
    }
}

/// Counts values below bounds, as Prometheus histograms do.
#[derive(Debug)]
pub struct Histogram<const N: usize> {
    bounds: &'static [f64; N],
    buckets: [AtomicU64; N],
    count: AtomicU64,
    /// In millionths.
    sum: AtomicU64,
}

impl<const N: usize> Histogram<N> {
    fn new(bounds: &'static [f64; N]) -> Histogram<N> {
        Histogram {
            bounds,
            buckets: std::array::from_fn(|_| AtomicU64::new(0)),
            count: AtomicU64::new(0),
            sum: AtomicU64::new(0),
        }
    }

    fn record(&self, value: f64) {
        if let Some(index) = self.bounds.iter().position(|bound| value <= *bound) {
            self.buckets[index].fetch_add(1, Relaxed);
        }
        self.count.fetch_add(1, Relaxed);
        self.sum.fetch_add((value * 1e6) as u64, Relaxed);
    }

    /// Each bound with how many values were not above it.
    pub fn cumulative(&self) -> impl Iterator<Item = (f64, u64)> + '_ {
        let counts = self.buckets.iter().scan(0, |below, bucket| {
            *below += bucket.load(Relaxed);
            Some(*below)
        });
        self.bounds.iter().copied().zip(counts)
    }

    /// Number of values.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count.load(Relaxed)
    }

    /// Their sum.
    #[must_use]
    pub fn sum(&self) -> f64 {
        self.sum.load(Relaxed) as f64 / 1e6
    }
}
