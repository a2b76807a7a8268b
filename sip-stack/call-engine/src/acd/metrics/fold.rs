//! The fold of the log into slots: what each record counts, and the calls and statuses that are counted when they end.

use std::collections::BTreeMap;

use sans_io::Time;
use serde::{Deserialize, Serialize};

use super::super::fact::{Departure, Fact, Intent, Record, Status, micros, optional_micros};
use super::super::ids::{AgentId, CallId, QueueId};
use super::{Metrics, SLOT};

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

/// Counts of the fold that are in no slot yet.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenCounts {
    /// Number of the last record.
    pub seq: u64,
    calls: BTreeMap<CallId, Call>,
    pub(super) statuses: BTreeMap<AgentId, (Status, u64)>,
    /// The queue of the call that an agent wraps up.
    wraps_up: BTreeMap<AgentId, QueueId>,
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
