//! Intents of agents: whether they want calls, now and after the present work.

use sans_io::Time;

use super::super::Acd;
use super::super::fact::{AssignmentEnd, Fact, Intent};
use super::super::ids::AgentId;
use super::super::input::{Output, Reach, Refusal};
use super::super::state::Work;
use super::super::timeout::Alarm;

impl Acd {
    pub(in crate::acd) fn intend(&mut self, now: Time, id: AgentId, intent: Intent) {
        if !self.agents.contains_key(&id) {
            return self.refuse(Refusal::UnknownAgent(id));
        }
        let state = self.agent_state(id);
        match state.work {
            // An agent who wants calls is done with wrap-up.
            Work::WrapUp(_) if intent == Intent::Available => {
                self.timers.cancel(Alarm::WrapUp(id));
                self.record(
                    now,
                    Fact::WrappedUp {
                        agent: id,
                        code: None,
                    },
                );
                self.set_intent(now, id, intent);
            }
            Work::Call(_) | Work::WrapUp(_) => {
                let next = (state.intent != intent).then_some(intent);
                if state.next != next {
                    self.record(
                        now,
                        Fact::Next {
                            agent: id,
                            intent: next,
                        },
                    );
                }
            }
            Work::Idle => self.set_intent(now, id, intent),
        }
        self.refresh(now, id);
    }

    /// Sets the intent of an idle agent.
    pub(in crate::acd) fn set_intent(&mut self, now: Time, id: AgentId, intent: Intent) {
        let state = self.agent_state(id);
        if state.intent == intent && state.next.is_none() {
            return;
        }
        let leaves = intent == Intent::Offline;
        if intent == Intent::Available {
            self.timers.cancel(Alarm::CoolDown(id));
            if let Some(agent) = self.agents.get_mut(&id) {
                agent.cooling = false;
                if agent.conn.is_some() && agent.reach != Reach::Attached {
                    // Nobody asked while the agent was not signed in.
                    self.out.push_back(Output::Probe { agent: id });
                }
            }
        } else if let Some(assignment) = self.agents.get(&id).and_then(|agent| agent.assignment) {
            self.end_assignment(now, assignment, AssignmentEnd::Cancelled, false);
        }
        self.record(now, Fact::Intent { agent: id, intent });
        if leaves {
            self.release_sticky(now, id);
        }
    }

    /// Applies the intent that an agent had for after the present work.
    pub(in crate::acd) fn apply_next(&mut self, now: Time, id: AgentId) {
        let state = self.agent_state(id);
        if state.work == Work::Idle
            && let Some(intent) = state.next.clone()
        {
            self.set_intent(now, id, intent);
        }
    }
}
