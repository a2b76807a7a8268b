//! Numbers of queues since midnight, as pages show them.

use std::time::Duration;

use call_engine::acd::metrics::{Finished, Metrics, QueueCounts, SLOT, ServiceLevel};
use call_engine::acd::{QueueId, Record};
use sans_io::Time;

/// No day is longer, whatever is done to the clocks.
const A_DAY: Duration = Duration::from_secs(26 * 3_600);

/// Beginning of the day that contains a moment.
pub type Midnight = Box<dyn Fn(Time) -> Time + Send>;

/// Numbers of today, folded from the engine's log.
pub(super) struct Today {
    metrics: Metrics,
    midnight: Midnight,
    /// Slot of the last record.
    slot: u64,
}

impl Today {
    pub(super) fn new(metrics: Metrics, midnight: Midnight) -> Today {
        Today {
            metrics,
            midnight,
            slot: 0,
        }
    }

    pub(super) fn set_service_level(&mut self, queue: QueueId, level: ServiceLevel) {
        self.metrics.set_service_level(queue, level);
    }

    /// Takes the next record of the log. Numbers before today are forgotten.
    pub(super) fn apply(&mut self, record: &Record) {
        self.metrics.apply(record);
        let slot = record.at.as_micros() / SLOT;
        if slot != self.slot {
            self.slot = slot;
            self.metrics.forget(record.at - A_DAY);
        }
    }

    /// Next call that the engine let go of.
    pub(super) fn poll_finished(&mut self) -> Option<Finished> {
        self.metrics.poll_finished()
    }

    pub(super) fn queue(&self, now: Time, queue: QueueId) -> QueueCounts {
        self.metrics.queue_counts(queue, (self.midnight)(now), now)
    }
}
