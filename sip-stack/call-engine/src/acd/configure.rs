//! Queues that are new or different, and going on after a restart.

use sans_io::Time;

use super::config::QueueConfig;
use super::fact::{Departure, Fact};
use super::ids::{AgentId, CallId, QueueId};
use super::index::Index;
use super::input::{Output, Refusal};
use super::state::{Phase, Work};
use super::timeout::Alarm;
use super::{Acd, Call, Stand};

impl Acd {
    pub(super) fn set_queue(&mut self, now: Time, queue: QueueConfig) {
        let id = queue.id;
        let known = self.queues.insert(id, queue).is_some();
        let concerns = |agent: &super::Agent| agent.config.queues.iter().any(|m| m.queue == id);
        if known || self.agents.values().any(concerns) {
            self.rebuild(now);
            let waiting: Vec<CallId> = self.line(id).collect();
            for call in waiting {
                self.arm_waiting(now, call);
            }
        }
    }

    pub(super) fn remove_queue(&mut self, now: Time, id: QueueId) {
        if !self.queues.contains_key(&id) {
            return self.refuse(Refusal::UnknownQueue(id));
        }
        if self.state.calls.values().any(|call| call.queue == id) {
            return self.refuse(Refusal::QueueBusy(id));
        }
        self.queues.remove(&id);
        self.lines.remove(&id);
        self.rebuild(now);
    }

    /// Makes the index anew after a queue changed.
    pub(super) fn rebuild(&mut self, now: Time) {
        let agents: Vec<AgentId> = self.agents.keys().copied().collect();
        for &id in &agents {
            self.withdraw(id);
        }
        self.index = Index::default();
        for call in self.calls.values_mut() {
            call.stand = Stand::Nowhere;
        }
        for agent in self.agents.values_mut() {
            agent.sticky.clear();
            agent.class = self.index.join(&agent.config, &self.queues);
        }
        for id in agents {
            self.refresh(now, id);
        }
        let calls: Vec<CallId> = self.calls.keys().copied().collect();
        for call in calls {
            self.place(call);
        }
    }

    /// Configuration is complete.
    pub(super) fn start(&mut self, now: Time) {
        self.record(now, Fact::Started);
        let wrapping: Vec<(AgentId, u64)> = self
            .state
            .agents
            .iter()
            .filter_map(|(id, state)| match state.work {
                Work::WrapUp(until) if self.agents.contains_key(id) => Some((*id, until)),
                _ => None,
            })
            .collect();
        for (agent, until) in wrapping {
            self.arm(Alarm::WrapUp(agent), Time(until).max(now));
        }
        let calls: Vec<(CallId, QueueId)> = self
            .state
            .calls
            .iter()
            .map(|(id, call)| (*id, call.queue))
            .collect();
        for (call, queue) in calls {
            self.calls.insert(call, Call::new(now, true));
            if self.queues.contains_key(&queue) {
                self.stand_in_line(call);
                self.arm(Alarm::Recover(call), now + self.settings.call_grace);
            } else {
                self.lose_call(now, call);
            }
        }
        self.sign_out_strangers(now);
        let agents: Vec<AgentId> = self.agents.keys().copied().collect();
        for id in agents {
            self.apply_next(now, id);
            self.refresh(now, id);
        }
    }

    pub(super) fn recovered(&mut self, now: Time, id: CallId, with_agent: bool) {
        let Some(call) = self.calls.get_mut(&id).filter(|call| call.recovering) else {
            return self.refuse(Refusal::UnknownCall(id));
        };
        call.recovering = false;
        self.timers.cancel(Alarm::Recover(id));
        match self.state.calls.get(&id).map(|call| call.phase) {
            Some(Phase::Waiting) => {
                self.arm_waiting(now, id);
                self.place(id);
            }
            Some(Phase::Connecting(_)) => self.not_connected(now, id),
            Some(Phase::Connected { away, .. }) => {
                if away == with_agent {
                    self.record(
                        now,
                        Fact::Away {
                            call: id,
                            away: !with_agent,
                        },
                    );
                }
                if !with_agent {
                    self.arm(Alarm::CallGrace(id), now + self.settings.call_grace);
                }
            }
            None => {}
        }
    }

    pub(super) fn not_recovered(&mut self, now: Time, call: CallId) {
        if self.calls.get(&call).is_some_and(|call| call.recovering) {
            self.lose_call(now, call);
        }
    }

    pub(super) fn lose_call(&mut self, now: Time, call: CallId) {
        self.leave(now, call, Departure::Lost, None);
        self.out.push_back(Output::HangUp { call });
    }
}
