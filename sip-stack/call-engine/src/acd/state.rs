//! State that outlives a restart: the fold of the log.

use std::collections::BTreeMap;

use sans_io::Time;
use serde::{Deserialize, Serialize};

use super::config::Requirement;
use super::fact::{AssignmentEnd, Fact, Intent, Record, Status, as_micros};
use super::ids::{AgentId, CallId, QueueId};

/// Agents and calls as the log tells them. Two that applied the same records are equal.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// Number of the last record.
    pub seq: u64,
    /// Epoch of the last record.
    pub epoch: u64,
    /// Calls that ever entered; the next one's place among equals.
    pub entered: u64,
    /// Calls that left.
    pub left: u64,
    /// Every agent in the log.
    pub agents: BTreeMap<AgentId, AgentState>,
    /// Every call that has not left.
    pub calls: BTreeMap<CallId, CallState>,
}

/// An agent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct AgentState {
    /// Present intent.
    pub intent: Intent,
    /// Intent for when the present work ends.
    pub next: Option<Intent>,
    /// Present work.
    pub work: Work,
    /// Time at which the agent last became idle or available, microseconds since 1970.
    pub idle_since: u64,
    /// Unanswered assignments in a row.
    pub unanswered: u32,
    /// Number of the record that assigned a call last.
    #[serde(rename = "last_offered")]
    pub last_assigned: u64,
    /// Calls taken since signing in.
    pub calls: u32,
    /// The present status.
    pub status: Status,
    /// Since when, microseconds since 1970.
    pub status_since: u64,
    /// Microseconds in each status since signing in, by [`Status::ALL`]; the present stretch is not in it.
    pub times: [u64; Status::COUNT],
    /// Time at which the agent signed in, microseconds since 1970.
    pub signed_in: u64,
}

/// Work of an agent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Work {
    /// Nothing; an assignment is no work yet.
    #[default]
    Idle,
    /// Has a call.
    Call(CallId),
    /// Wraps up until, microseconds since 1970.
    WrapUp(u64),
}

impl Work {
    /// Has a call.
    #[must_use]
    pub const fn is_call(self) -> bool {
        matches!(self, Work::Call(_))
    }
}

/// A call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CallState {
    /// Its queue.
    pub queue: QueueId,
    /// 0 is ordinary.
    pub priority: u8,
    /// Requirements beyond those of the queue.
    pub requires: Vec<Requirement>,
    /// The agent that the caller knows.
    pub sticky: Option<AgentId>,
    /// Arrival, microseconds since 1970.
    pub since: u64,
    /// Virtual enqueue time.
    pub vet: i64,
    /// Its place among calls of one virtual enqueue time.
    pub order: u64,
    /// Agents that it accepts: `None` the sticky agent alone, else those of a widening step.
    pub step: Option<u8>,
    /// Phase of the call.
    pub phase: Phase,
}

/// Phase of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// In its queue; assignments may be out.
    Waiting,
    /// An agent took it.
    Connecting(AgentId),
    /// Caller and agent talk.
    Connected {
        /// The agent.
        agent: AgentId,
        /// The agent put the caller on hold.
        held: bool,
        /// The agent's page is gone.
        away: bool,
    },
}

impl Phase {
    /// The agent who has the call.
    #[must_use]
    pub const fn agent(self) -> Option<AgentId> {
        match self {
            Phase::Waiting => None,
            Phase::Connecting(agent) | Phase::Connected { agent, .. } => Some(agent),
        }
    }
}

impl AgentState {
    /// Microseconds in a status since signing in, the present stretch included.
    #[must_use]
    pub fn time_in(&self, status: Status, now: Time) -> u64 {
        let present = if self.status == status {
            now.as_micros().saturating_sub(self.status_since)
        } else {
            0
        };
        self.times[status as usize] + present
    }
}

impl State {
    /// Takes the next record. Those already taken are passed over, so that a snapshot may be followed by records that it holds;
    /// so are those of an engine that was replaced.
    pub fn apply(&mut self, record: &Record) {
        if record.seq <= self.seq || record.epoch < self.epoch {
            return;
        }
        self.seq = record.seq;
        self.epoch = record.epoch;
        let at = record.at.as_micros();
        match &record.fact {
            Fact::Started => {}
            Fact::Entered {
                call,
                queue,
                priority,
                requires,
                sticky,
                vet,
            } => {
                self.entered += 1;
                let state = CallState {
                    queue: *queue,
                    priority: *priority,
                    requires: requires.clone(),
                    sticky: *sticky,
                    since: at,
                    vet: *vet,
                    order: self.entered,
                    step: if sticky.is_some() { None } else { Some(0) },
                    phase: Phase::Waiting,
                };
                self.calls.insert(*call, state);
            }
            Fact::Widened { call, step } => self.call(*call, |call| call.step = Some(*step)),
            Fact::Moved {
                call,
                queue,
                why,
                priority,
                vet,
            } => self.call(*call, |call| {
                call.queue = *queue;
                call.priority = *priority;
                call.vet = *vet;
                call.step = Some(0);
                if why.is_none() {
                    call.since = at;
                }
            }),
            Fact::Assigned { agent, .. } => {
                let seq = record.seq;
                self.agent(*agent, |agent| agent.last_assigned = seq);
            }
            Fact::AssignmentEnded {
                agent, how, counts, ..
            } => self.agent(*agent, |agent| {
                if *how == AssignmentEnd::Accepted {
                    agent.unanswered = 0;
                } else if *counts {
                    agent.unanswered += 1;
                }
            }),
            Fact::Accepted { call, agent } => {
                self.call(*call, |call| call.phase = Phase::Connecting(*agent));
                self.agent(*agent, |agent| {
                    agent.work = Work::Call(*call);
                    agent.calls += 1;
                });
            }
            Fact::Connected { call } => self.call(*call, |call| {
                if let Some(agent) = call.phase.agent() {
                    call.phase = Phase::Connected {
                        agent,
                        held: false,
                        away: false,
                    };
                }
            }),
            Fact::Held { call, held: now } => self.call(*call, |call| {
                if let Phase::Connected { held, .. } = &mut call.phase {
                    *held = *now;
                }
            }),
            Fact::Away { call, away: now } => self.call(*call, |call| {
                if let Phase::Connected { away, .. } = &mut call.phase {
                    *away = *now;
                }
            }),
            Fact::HandedOver { call, to, wrap_up } => {
                self.free(at, *call, *wrap_up);
                self.call(*call, |call| {
                    call.phase = Phase::Connected {
                        agent: *to,
                        held: false,
                        away: false,
                    };
                });
                self.agent(*to, |agent| {
                    agent.work = Work::Call(*call);
                    agent.calls += 1;
                });
            }
            Fact::Returned {
                call,
                sticky,
                wrap_up,
                ..
            } => {
                self.free(at, *call, *wrap_up);
                self.call(*call, |call| {
                    call.phase = Phase::Waiting;
                    call.step = if sticky.is_some() {
                        None
                    } else {
                        call.step.or(Some(0))
                    };
                    call.sticky = sticky.or(call.sticky);
                });
            }
            Fact::Left { call, wrap_up, .. } => {
                self.free(at, *call, *wrap_up);
                if self.calls.remove(call).is_some() {
                    self.left += 1;
                }
            }
            Fact::WrappedUp { agent, .. } => self.agent(*agent, |agent| {
                agent.work = Work::Idle;
                agent.idle_since = at;
            }),
            Fact::Intent { agent, intent } => self.agent(*agent, |agent| {
                if agent.intent == Intent::Offline && *intent != Intent::Offline {
                    agent.sign_in(at);
                }
                agent.intent = intent.clone();
                agent.next = None;
                agent.unanswered = 0;
                agent.idle_since = at;
            }),
            Fact::Next { agent, intent } => self.agent(*agent, |agent| agent.next.clone_from(intent)),
            Fact::Status { agent, status } => self.agent(*agent, |agent| {
                agent.times[agent.status as usize] += at.saturating_sub(agent.status_since);
                agent.status = *status;
                agent.status_since = at;
            }),
        }
    }

    fn call(&mut self, call: CallId, change: impl FnOnce(&mut CallState)) {
        if let Some(call) = self.calls.get_mut(&call) {
            change(call);
        }
    }

    fn agent(&mut self, agent: AgentId, change: impl FnOnce(&mut AgentState)) {
        change(self.agents.entry(agent).or_default());
    }

    /// Takes the call away from the agent who has it.
    fn free(&mut self, at: u64, call: CallId, wrap_up: Option<Time>) {
        let Some(agent) = self.calls.get(&call).and_then(|call| call.phase.agent()) else {
            return;
        };
        self.agent(agent, |agent| {
            agent.work = wrap_up.map_or(Work::Idle, |until| Work::WrapUp(until.as_micros()));
            agent.idle_since = at;
        });
    }
}

impl AgentState {
    /// A new day: earlier calls do not count for choosing an agent.
    fn sign_in(&mut self, at: u64) {
        self.calls = 0;
        self.times = [0; Status::COUNT];
        if self.status == Status::Offline {
            // Until the record of the status, which follows, says more.
            self.status = Status::Unreachable;
        }
        self.status_since = at;
        self.signed_in = at;
    }

    /// Busy time for a thousand million of the time signed in and not paused.
    pub(super) fn occupancy(&self, now: Time) -> u64 {
        let time = |status| u128::from(self.time_in(status, now));
        let busy: u128 = [Status::Connecting, Status::Talking, Status::Held, Status::WrapUp]
            .into_iter()
            .map(time)
            .sum();
        let all: u128 = Status::ALL
            .into_iter()
            .filter(|status| !matches!(status, Status::Offline | Status::Paused))
            .map(time)
            .sum();
        u64::try_from(busy * 1_000_000_000 / all.max(1)).unwrap_or(u64::MAX)
    }

    /// Microseconds of talk since signing in.
    pub(super) fn talk(&self, now: Time) -> u64 {
        self.time_in(Status::Talking, now) + self.time_in(Status::Held, now)
    }
}

/// Virtual enqueue time of a call that came `at`, with this priority in a queue with this boost.
pub(super) fn vet(at: u64, priority: u8, boost: std::time::Duration) -> i64 {
    let at = i64::try_from(at).unwrap_or(i64::MAX);
    let earlier = as_micros(boost).saturating_mul(u64::from(priority));
    at.saturating_sub(i64::try_from(earlier).unwrap_or(i64::MAX))
}
