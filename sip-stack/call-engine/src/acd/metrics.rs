//! Numbers of wallboards and reports: a fold of the log, and of nothing else. `docs/METRICS.md` defines each of them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use sans_io::Time;
use serde::{Deserialize, Serialize};

use super::fact::{Departure, Fact, Intent, Record, Status, micros, optional_micros};
use super::ids::{AgentId, CallId, QueueId};

/// Length of an interval that numbers are kept for, microseconds.
pub const SLOT: u64 = 15 * 60 * 1_000_000;

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

/// A call that is over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finished {
    /// The call.
    pub call: CallId,
    /// Its last queue.
    pub queue: QueueId,
    /// Time at which it arrived.
    #[serde(with = "micros")]
    pub entered: Time,
    /// Time at which caller and agent first heard each other.
    #[serde(with = "optional_micros")]
    pub answered: Option<Time>,
    /// Time at which it left.
    #[serde(with = "micros")]
    pub ended: Time,
    /// Departure.
    pub how: Departure,
    /// Microseconds until it was answered, or left.
    pub waited: u64,
    /// Microseconds of talk, without hold.
    pub talked: u64,
    /// Microseconds on hold.
    pub held: u64,
    /// Agents who had it, in order.
    pub agents: Vec<AgentId>,
}

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

/// Counts of the fold that are in no slot yet.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenCounts {
    /// Number of the last record.
    pub seq: u64,
    calls: BTreeMap<CallId, Call>,
    statuses: BTreeMap<AgentId, (Status, u64)>,
    /// The queue of the call that an agent wraps up.
    wraps_up: BTreeMap<AgentId, QueueId>,
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

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Call {
    entered: u64,
    queue: QueueId,
    /// Time at which it came to its queue.
    queued: u64,
    answered: Option<u64>,
    /// True once it counts as answered in its queue.
    counted: bool,
    agents: Vec<AgentId>,
    /// Talking or on hold since.
    since: Option<(u64, bool)>,
    talked: u64,
    held: u64,
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

    /// Takes the next record. Those already taken are passed over.
    pub fn apply(&mut self, record: &Record) {
        if record.seq <= self.open.seq {
            return;
        }
        self.open.seq = record.seq;
        let at = record.at.as_micros();
        match &record.fact {
            Fact::Entered { call, queue, .. } => {
                self.queue(*queue, at).entered += 1;
                self.open.calls.insert(
                    *call,
                    Call {
                        entered: at,
                        queue: *queue,
                        queued: at,
                        answered: None,
                        counted: false,
                        agents: Vec::new(),
                        since: None,
                        talked: 0,
                        held: 0,
                    },
                );
            }
            Fact::Moved { call, queue, why, .. } => {
                let Some(known) = self.open.calls.get_mut(call) else {
                    return;
                };
                let (from, waited) = (known.queue, at.saturating_sub(known.queued));
                (known.queue, known.queued, known.counted) = (*queue, at, false);
                let counts = self.queue(from, at);
                if why.is_some() {
                    counts.overflowed += 1;
                    counts.longest = counts.longest.max(waited);
                } else {
                    counts.sent_on += 1;
                }
                self.queue(*queue, at).entered += 1;
            }
            Fact::Accepted { call, agent } | Fact::HandedOver { call, to: agent, .. } => {
                self.agent(*agent, at).calls += 1;
                self.pause(at, *call);
                if matches!(record.fact, Fact::HandedOver { .. }) {
                    self.leave_to_wrap_up(*call);
                    self.resume(at, *call, false);
                }
                if let Some(known) = self.open.calls.get_mut(call) {
                    known.agents.push(*agent);
                }
            }
            Fact::Connected { call } => self.connected(at, *call),
            Fact::Held { call, held } => {
                self.pause(at, *call);
                self.resume(at, *call, *held);
            }
            Fact::Returned { call, .. } => {
                self.pause(at, *call);
                self.leave_to_wrap_up(*call);
            }
            Fact::Left { call, how, .. } => self.left(at, *call, how),
            Fact::Status { agent, status } => self.status(at, *agent, *status),
            Fact::Intent { agent, intent } => {
                // Signing in begins a day; the status follows.
                if *intent == Intent::Offline {
                    self.open.wraps_up.remove(agent);
                }
            }
            Fact::Started
            | Fact::Widened { .. }
            | Fact::Assigned { .. }
            | Fact::AssignmentEnded { .. }
            | Fact::Away { .. }
            | Fact::WrappedUp { .. }
            | Fact::Next { .. } => {}
        }
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

    fn connected(&mut self, at: u64, id: CallId) {
        let Some(call) = self.open.calls.get_mut(&id) else {
            return;
        };
        let (queue, waited, first) = (call.queue, at.saturating_sub(call.queued), !call.counted);
        call.counted = true;
        call.answered.get_or_insert(at);
        if first {
            let target = self.levels.get(&queue).copied().unwrap_or_default().target;
            let counts = self.queue(queue, at);
            counts.answered += 1;
            counts.waited += waited;
            counts.longest = counts.longest.max(waited);
            counts.in_time += u64::from(u128::from(waited) <= target.as_micros());
        }
        self.resume(at, id, false);
    }

    /// Talk or hold ends.
    fn pause(&mut self, at: u64, id: CallId) {
        let Some(call) = self.open.calls.get_mut(&id) else {
            return;
        };
        let Some((since, on_hold)) = call.since.take() else {
            return;
        };
        let spent = at.saturating_sub(since);
        let queue = call.queue;
        if on_hold {
            call.held += spent;
            self.queue(queue, at).held += spent;
        } else {
            call.talked += spent;
            self.queue(queue, at).talked += spent;
        }
    }

    fn resume(&mut self, at: u64, id: CallId, on_hold: bool) {
        if let Some(call) = self.open.calls.get_mut(&id) {
            call.since = Some((at, on_hold));
        }
    }

    fn leave_to_wrap_up(&mut self, id: CallId) {
        if let Some(call) = self.open.calls.get(&id)
            && let Some(agent) = call.agents.last()
        {
            self.open.wraps_up.insert(*agent, call.queue);
        }
    }

    fn left(&mut self, at: u64, id: CallId, how: &Departure) {
        self.pause(at, id);
        self.leave_to_wrap_up(id);
        let Some(call) = self.open.calls.remove(&id) else {
            return;
        };
        let waited = at.saturating_sub(call.queued);
        let short = self.levels.get(&call.queue).copied().unwrap_or_default().short;
        let counts = self.queue(call.queue, at);
        match how {
            Departure::Abandoned | Departure::HungUp if call.counted => counts.completed += 1,
            Departure::Abandoned => {
                counts.abandoned += 1;
                counts.short += u64::from(u128::from(waited) < short.as_micros());
                counts.longest = counts.longest.max(waited);
            }
            Departure::Overflowed(..) => {
                counts.overflowed += 1;
                counts.longest = counts.longest.max(waited);
            }
            Departure::Completed => counts.completed += 1,
            Departure::Lost => counts.lost += 1,
            Departure::HungUp => {
                counts.hung_up += 1;
                counts.longest = counts.longest.max(waited);
            }
        }
        self.finished.push_back(Finished {
            call: id,
            queue: call.queue,
            entered: Time(call.entered),
            answered: call.answered.map(Time),
            ended: Time(at),
            how: how.clone(),
            waited: call.answered.unwrap_or(at).saturating_sub(call.entered),
            talked: call.talked,
            held: call.held,
            agents: call.agents,
        });
    }

    fn status(&mut self, at: u64, agent: AgentId, status: Status) {
        if let Some((old, since)) = self.open.statuses.insert(agent, (status, at)) {
            let mut from = since;
            while from < at {
                let until = at.min((from / SLOT + 1) * SLOT);
                self.agent(agent, from).times[old as usize] += until - from;
                from = until;
            }
            if old == Status::WrapUp
                && let Some(queue) = self.open.wraps_up.remove(&agent)
            {
                self.queue(queue, at).wrapped_up += at.saturating_sub(since);
            }
        }
        if status == Status::Offline {
            self.open.statuses.remove(&agent);
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
