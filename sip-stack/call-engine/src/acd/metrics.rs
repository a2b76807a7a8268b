//! Numbers of wallboards and reports: a fold of the log, and of nothing else. `docs/METRICS.md` defines each of them.

mod counts;
mod fold;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use sans_io::Time;

pub use counts::{AgentCounts, QueueCounts, ServiceLevel};
pub use fold::{Finished, OpenCounts};

use super::ids::{AgentId, QueueId};

/// Length of an interval that numbers are kept for, microseconds.
pub const SLOT: u64 = 15 * 60 * 1_000_000;

/// The fold.
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    levels: BTreeMap<QueueId, ServiceLevel>,
    queues: BTreeMap<(QueueId, u64), QueueCounts>,
    agents: BTreeMap<(AgentId, u64), AgentCounts>,
    open: OpenCounts,
    finished: VecDeque<Finished>,
    /// Slots that changed, if that is watched.
    changed: Option<Changed>,
}

#[derive(Clone, Debug, Default)]
struct Changed {
    queues: BTreeSet<(QueueId, u64)>,
    agents: BTreeSet<(AgentId, u64)>,
}

/// The numbers of one queue or agent in one stretch of [`SLOT`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slot {
    /// A queue's.
    Queue {
        /// The queue.
        queue: QueueId,
        /// The interval: microseconds since 1970 divided by [`SLOT`].
        slot: u64,
        /// Its numbers.
        counts: QueueCounts,
    },
    /// An agent's.
    Agent {
        /// The agent.
        agent: AgentId,
        /// The interval.
        slot: u64,
        /// Its numbers.
        counts: AgentCounts,
    },
}

impl Metrics {
    /// Goes on where a fold ended: after [`Metrics::open`] and with all slots that [`Metrics::changed`] ever gave.
    #[must_use]
    pub fn restored(open: OpenCounts, slots: impl IntoIterator<Item = Slot>) -> Metrics {
        let mut metrics = Metrics {
            open,
            ..Metrics::default()
        };
        for slot in slots {
            match slot {
                Slot::Queue { queue, slot, counts } => {
                    metrics.queues.insert((queue, slot), counts);
                }
                Slot::Agent { agent, slot, counts } => {
                    metrics.agents.insert((agent, slot), counts);
                }
            }
        }
        metrics
    }

    /// Counts that are in no slot yet.
    #[must_use]
    pub const fn open(&self) -> &OpenCounts {
        &self.open
    }

    /// Turns noting of changed slots on or off.
    pub fn watch(&mut self, watch: bool) {
        self.changed = watch.then(Changed::default);
    }

    /// Slots that changed since this was asked last, as they are now.
    pub fn changed(&mut self) -> Vec<Slot> {
        let Some(Changed { queues, agents }) = self.changed.as_mut().map(std::mem::take) else {
            return Vec::new();
        };
        let queues = queues.into_iter().filter_map(|key @ (queue, slot)| {
            let counts = *self.queues.get(&key)?;
            Some(Slot::Queue { queue, slot, counts })
        });
        let agents = agents.into_iter().filter_map(|key @ (agent, slot)| {
            let counts = *self.agents.get(&key)?;
            Some(Slot::Agent { agent, slot, counts })
        });
        queues.chain(agents).collect()
    }

    /// Sets the target of a queue's service level, for answers from now on.
    pub fn set_service_level(&mut self, queue: QueueId, level: ServiceLevel) {
        self.levels.insert(queue, level);
    }

    /// The next call that is over and was not asked for yet.
    pub fn poll_finished(&mut self) -> Option<Finished> {
        self.finished.pop_front()
    }

    /// Numbers of a queue from a moment on, up to another, in whole slots: those that the two moments lie in are counted whole.
    #[must_use]
    pub fn queue_counts(&self, queue: QueueId, from: Time, until: Time) -> QueueCounts {
        let slots = from.as_micros() / SLOT..until.as_micros().div_ceil(SLOT);
        let mut sum = QueueCounts::default();
        for (_, counts) in self.queues.range((queue, slots.start)..(queue, slots.end)) {
            sum.add(counts);
        }
        sum
    }

    /// Times of an agent from one moment to another, as of `now`, in whole slots: the slots in which the two
    /// moments lie are counted whole.
    #[must_use]
    pub fn agent_counts(&self, agent: AgentId, from: Time, until: Time, now: Time) -> AgentCounts {
        let slots = from.as_micros() / SLOT..until.as_micros().div_ceil(SLOT);
        let mut sum = AgentCounts::default();
        for (_, counts) in self.agents.range((agent, slots.start)..(agent, slots.end)) {
            sum.calls += counts.calls;
            for (sum, time) in sum.times.iter_mut().zip(counts.times) {
                *sum += time;
            }
        }
        // The present stretch is in no slot yet.
        if let Some((status, since)) = self.open.statuses.get(&agent) {
            let from = (*since).max(slots.start * SLOT);
            let until = now.as_micros().min(slots.end * SLOT);
            sum.times[*status as usize] += until.saturating_sub(from);
        }
        sum
    }

    /// Forgets older slots.
    pub fn forget(&mut self, before: Time) {
        let slot = before.as_micros() / SLOT;
        self.queues.retain(|(_, at), _| *at >= slot);
        self.agents.retain(|(_, at), _| *at >= slot);
    }

    fn queue(&mut self, queue: QueueId, at: u64) -> &mut QueueCounts {
        let key = (queue, at / SLOT);
        if let Some(changed) = &mut self.changed {
            changed.queues.insert(key);
        }
        self.queues.entry(key).or_default()
    }

    fn agent(&mut self, agent: AgentId, at: u64) -> &mut AgentCounts {
        let key = (agent, at / SLOT);
        if let Some(changed) = &mut self.changed {
            changed.agents.insert(key);
        }
        self.agents.entry(key).or_default()
    }
}
