//! Numbers of queues and agents over stretches of time (`docs/METRICS.md`), folded from the log of the call centre.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use call_engine::acd;
use call_engine::acd::metrics::{Metrics, OpenCounts, Slot};

use super::directory::Directory;
use super::journal::Fold;

/// Age beyond which numbers are forgotten.
pub const KEPT: Duration = Duration::from_secs(62 * 24 * 3600);

/// Numbers of queues and agents, folded from the log of the call centre: the task that makes the log durable calls [`Statistics::take`].
#[derive(Debug)]
pub struct Statistics {
    metrics: Mutex<Metrics>,
    directory: Mutex<Arc<Directory>>,
}

impl Statistics {
    /// Nothing yet, of these queues and agents.
    #[must_use]
    pub fn new(directory: Arc<Directory>) -> Statistics {
        let mut metrics = Metrics::default();
        for queue in directory.queues() {
            metrics.set_service_level(queue.config.id, queue.service_level());
        }
        Statistics {
            metrics: Mutex::new(metrics),
            directory: Mutex::new(directory),
        }
    }

    /// Goes on where the gateway before ended.
    pub fn restore(&self, mut past: Metrics) {
        for queue in self.directory().queues() {
            past.set_service_level(queue.config.id, queue.service_level());
        }
        past.watch(true);
        *self.metrics() = past;
    }

    /// Statistics of these queues and agents from now on.
    pub fn set_directory(&self, directory: Arc<Directory>) {
        let mut metrics = self.metrics();
        for queue in directory.queues() {
            metrics.set_service_level(queue.config.id, queue.service_level());
        }
        drop(metrics);
        *self.directory.lock().unwrap_or_else(PoisonError::into_inner) = directory;
    }

    /// Queues and agents that they are of.
    pub(crate) fn directory(&self) -> Arc<Directory> {
        Arc::clone(&self.directory.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes the next records of the log. Those already taken are passed over.
    pub fn take<'a>(&self, records: impl IntoIterator<Item = &'a acd::Record>) {
        let mut metrics = self.metrics();
        let mut last = None;
        for record in records {
            metrics.apply(record);
            last = Some(record.at);
        }
        // Calls that are over are reported elsewhere.
        while metrics.poll_finished().is_some() {}
        if let Some(at) = last {
            metrics.forget(at - KEPT);
        }
    }

    /// Counts that are in no slot yet, and the slots that changed since the last call.
    #[must_use]
    pub fn changes(&self) -> (OpenCounts, Vec<Slot>) {
        let mut metrics = self.metrics();
        (metrics.open().clone(), metrics.changed())
    }

    /// The numbers themselves; nobody else can read them meanwhile.
    pub(crate) fn metrics(&self) -> MutexGuard<'_, Metrics> {
        self.metrics.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Fold for Arc<Statistics> {
    fn take(&mut self, records: &[acd::Record]) {
        Statistics::take(self, records);
    }

    fn changes(&mut self) -> (OpenCounts, Vec<Slot>) {
        Statistics::changes(self)
    }
}
