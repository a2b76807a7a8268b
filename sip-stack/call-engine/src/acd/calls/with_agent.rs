//! Calls that an agent has: talk, hold, a page that is gone, and how a call gets from one agent to the next.

use sans_io::Time;

use super::super::Acd;
use super::super::fact::{AssignmentEnd, Fact, Intent, ReturnCause};
use super::super::ids::{AgentId, CallId};
use super::super::input::{Output, Refusal, Requeue};
use super::super::state::{Phase, Work, vet};
use super::super::timeout::Alarm;
use super::LOST;

impl Acd {
    pub(in crate::acd) fn connected(&mut self, now: Time, id: CallId) {
        match self.phase(id) {
            Some(Phase::Connecting(agent)) => {
                self.timers.cancel(Alarm::Connect(id));
                self.record(now, Fact::Connected { call: id });
                self.refresh(now, agent);
            }
            _ => self.refuse(Refusal::UnknownCall(id)),
        }
    }

    /// They do not hear each other: the call goes back, and not to this agent at once.
    pub(in crate::acd) fn not_connected(&mut self, now: Time, id: CallId) {
        let Some(Phase::Connecting(agent)) = self.phase(id) else {
            return self.refuse(Refusal::UnknownCall(id));
        };
        self.cool_down(now, agent);
        self.exclude(now, agent, id);
        self.give_back(now, id, agent, ReturnCause::NotConnected, None, None);
    }

    pub(in crate::acd) fn held(&mut self, now: Time, id: CallId, on_hold: bool) {
        match self.phase(id) {
            Some(Phase::Connected { agent, held, .. }) => {
                if held != on_hold {
                    self.record(
                        now,
                        Fact::Held {
                            call: id,
                            held: on_hold,
                        },
                    );
                    self.refresh(now, agent);
                }
            }
            _ => self.refuse(Refusal::UnknownCall(id)),
        }
    }

    pub(in crate::acd) fn away(&mut self, now: Time, id: CallId, is_away: bool) {
        match self.phase(id) {
            Some(Phase::Connected { away, .. }) => {
                if away == is_away {
                    return;
                }
                self.record(
                    now,
                    Fact::Away {
                        call: id,
                        away: is_away,
                    },
                );
                if is_away {
                    self.arm(Alarm::CallGrace(id), now + self.settings.call_grace);
                } else {
                    self.timers.cancel(Alarm::CallGrace(id));
                }
            }
            // If one of them is gone before they hear each other, the deadline for that notices it.
            Some(Phase::Connecting(_)) => {}
            _ => self.refuse(Refusal::UnknownCall(id)),
        }
    }

    /// The agent's page did not come back: the call waits again, at its old place.
    pub(in crate::acd) fn agent_lost(&mut self, now: Time, id: CallId) {
        let Some(Phase::Connected { agent, .. }) = self.phase(id) else {
            return;
        };
        // An agent who wanted to go offline goes offline.
        if self.agents.contains_key(&agent) && self.agent_state(agent).next != Some(Intent::Offline) {
            self.record(
                now,
                Fact::Next {
                    agent,
                    intent: Some(Intent::Paused(LOST.into())),
                },
            );
        }
        self.give_back(now, id, agent, ReturnCause::AgentLost, None, None);
    }

    pub(in crate::acd) fn requeue(&mut self, now: Time, requeue: Requeue) {
        let id = requeue.call;
        let Some(agent) = self.phase(id).and_then(Phase::agent) else {
            return self.refuse(Refusal::UnknownCall(id));
        };
        let boost = match requeue.queue {
            Some(queue) => match self.queues.get(&queue) {
                Some(queue) => Some((queue.id, queue.boost)),
                None => return self.refuse(Refusal::UnknownQueue(queue)),
            },
            None => None,
        };
        if let Some(sticky) = requeue.sticky.filter(|sticky| !self.agents.contains_key(sticky)) {
            return self.refuse(Refusal::UnknownAgent(sticky));
        }
        let wrap_up = self.wrap_up(now, id);
        self.exclude(now, agent, id);
        match boost {
            None => self.give_back(now, id, agent, ReturnCause::SentBack, requeue.sticky, wrap_up),
            Some((queue, boost)) => {
                self.record(
                    now,
                    Fact::Returned {
                        call: id,
                        why: ReturnCause::SentBack,
                        sticky: None,
                        wrap_up,
                    },
                );
                self.record(
                    now,
                    Fact::Moved {
                        call: id,
                        queue,
                        why: None,
                        priority: requeue.priority,
                        vet: vet(now.as_micros(), requeue.priority, boost),
                    },
                );
                self.returned(now, id, agent);
                self.admit(now, id);
            }
        }
    }

    pub(in crate::acd) fn hand_over(&mut self, now: Time, id: CallId, to: AgentId) {
        let Some(Phase::Connected { agent, .. }) = self.phase(id) else {
            return self.refuse(Refusal::UnknownCall(id));
        };
        let Some(other) = self.agents.get(&to) else {
            return self.refuse(Refusal::UnknownAgent(to));
        };
        if agent == to {
            return;
        }
        if matches!(self.agent_state(to).work, Work::Call(_)) {
            return self.refuse(Refusal::AgentBusy(to));
        }
        if let Some(assignment) = other.assignment {
            self.end_assignment(now, assignment, AssignmentEnd::Cancelled, false);
        }
        if matches!(self.agent_state(to).work, Work::WrapUp(_)) {
            self.timers.cancel(Alarm::WrapUp(to));
            self.record(
                now,
                Fact::WrappedUp {
                    agent: to,
                    code: None,
                },
            );
        }
        let wrap_up = self.wrap_up(now, id);
        self.timers.cancel(Alarm::CallGrace(id));
        self.record(
            now,
            Fact::HandedOver {
                call: id,
                to,
                wrap_up,
            },
        );
        self.freed(now, agent);
        self.refresh(now, to);
    }

    /// A call that was with an agent waits in its queue again.
    fn give_back(
        &mut self,
        now: Time,
        id: CallId,
        agent: AgentId,
        why: ReturnCause,
        sticky: Option<AgentId>,
        wrap_up: Option<Time>,
    ) {
        // Nobody waits for an agent who is not there.
        let sticky = sticky.filter(|agent| self.agent_state(*agent).intent != Intent::Offline);
        self.record(
            now,
            Fact::Returned {
                call: id,
                why,
                sticky,
                wrap_up,
            },
        );
        self.returned(now, id, agent);
        self.begin_waiting(now, id);
    }

    fn returned(&mut self, now: Time, id: CallId, agent: AgentId) {
        self.timers.cancel(Alarm::Connect(id));
        self.timers.cancel(Alarm::CallGrace(id));
        self.timers.cancel(Alarm::Recover(id));
        if let Some(call) = self.calls.get_mut(&id) {
            call.recovering = false;
        }
        self.out.push_back(Output::Wait { call: id, agent });
        self.freed(now, agent);
    }

    /// End of the agent's wrap-up after this call.
    pub(super) fn wrap_up(&self, now: Time, call: CallId) -> Option<Time> {
        let wrap_up = self.queue_of(call)?.wrap_up;
        (!wrap_up.is_zero()).then(|| now + wrap_up)
    }
}
