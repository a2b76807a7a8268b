//! Publication: objects that changed, and batches on their way to the journal.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use call_engine::acd::{AgentId, CallId, QueueId};
use sans_io::{Deadline, Time, earlier};
use session_core::SavedLeg;
use tokio::sync::{Notify, mpsc};

use super::journal::{Answer, Batch, Ended};
use super::view::Change;

/// Minimum time between two updates of a queue.
const QUEUE_INTERVAL: Duration = Duration::from_millis(250);

/// Changes that may wait for the journal; new calls are refused beyond.
const BACKLOG: usize = 100_000;

/// Objects to publish anew.
#[derive(Debug, Default)]
pub(super) struct Changed {
    pub(super) calls: BTreeSet<CallId>,
    pub(super) agents: BTreeSet<AgentId>,
    pub(super) queues: BTreeSet<QueueId>,
}

/// The way from the call centre to its journal.
pub(super) struct Publisher {
    changed: Changed,
    batch: Batch,
    backlog: VecDeque<Batch>,
    journal: mpsc::Sender<Batch>,
    /// Notified when a batch is urgent.
    hurry: Arc<Notify>,
    queues_published: Time,
}

impl Publisher {
    pub(super) fn new(journal: mpsc::Sender<Batch>, hurry: Arc<Notify>) -> Publisher {
        Publisher {
            changed: Changed::default(),
            batch: Batch::default(),
            backlog: VecDeque::new(),
            journal,
            hurry,
            queues_published: Time::ZERO,
        }
    }

    pub(super) fn call(&mut self, call: CallId) {
        self.changed.calls.insert(call);
    }

    pub(super) fn agent(&mut self, agent: AgentId) {
        self.changed.agents.insert(agent);
    }

    pub(super) fn queues(&mut self, queues: impl IntoIterator<Item = QueueId>) {
        self.changed.queues.extend(queues);
    }

    /// Publishes a change as it is, in its order.
    pub(super) fn change(&mut self, now: Time, change: Change) {
        self.batch.change(now, change);
    }

    /// Has the leg of a caller saved; `None`: it is no longer needed.
    pub(super) fn leg(&mut self, call: CallId, saved: Option<SavedLeg>) {
        self.batch.legs.insert(call, saved);
    }

    /// Adds a reply to be sent once everything done so far is durable.
    pub(super) fn answer(&mut self, answer: Answer) {
        self.batch.answers.push(answer);
    }

    /// Publishes nothing more about a call but its record.
    pub(super) fn no_more(&mut self, call: CallId) {
        self.changed.calls.remove(&call);
    }

    /// Hands the facts of a call that is over to the journal; nothing more is published about it but its record.
    pub(super) fn over(&mut self, call: CallId, ended: Ended) {
        self.no_more(call);
        self.batch.ended.insert(call, ended);
    }

    /// Batch that is being filled.
    pub(super) fn batch(&mut self) -> &mut Batch {
        &mut self.batch
    }

    /// True while the journal is so far behind that no more calls are taken.
    pub(super) fn is_congested(&self) -> bool {
        self.backlog.len() >= BACKLOG
    }

    /// Time at which something that waits can be published.
    pub(super) fn deadline(&self) -> Deadline {
        let next = self.queues_published + QUEUE_INTERVAL;
        let queues = (!self.changed.queues.is_empty()).then_some((next, "queues"));
        let backlog = (!self.backlog.is_empty()).then_some((next, "journal"));
        earlier(queues, backlog)
    }

    /// Objects to publish now: queues wait for their time.
    pub(super) fn take_changed(&mut self, now: Time) -> Changed {
        let mut changed = std::mem::take(&mut self.changed);
        if now.since(self.queues_published) >= QUEUE_INTERVAL {
            self.queues_published = now;
        } else {
            self.changed.queues = std::mem::take(&mut changed.queues);
        }
        changed
    }

    /// Queues to publish now, however long ago they were published.
    pub(super) fn take_queues(&mut self) -> BTreeSet<QueueId> {
        std::mem::take(&mut self.changed.queues)
    }

    /// Hands the batch to the journal; it waits here while the journal is full.
    pub(super) fn flush(&mut self) {
        if !self.batch.is_empty() {
            self.backlog.push_back(std::mem::take(&mut self.batch));
        }
        while let Some(batch) = self.backlog.pop_front() {
            let is_urgent = batch.is_urgent();
            if let Err(error) = self.journal.try_send(batch) {
                match error {
                    mpsc::error::TrySendError::Full(batch) => self.backlog.push_front(batch),
                    mpsc::error::TrySendError::Closed(_) => self.backlog.clear(),
                }
                break;
            }
            if is_urgent {
                self.hurry.notify_one();
            }
        }
    }
}
