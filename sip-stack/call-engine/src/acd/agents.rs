//! Agents: who is configured, what each does, and what a change of that means.

mod eligibility;
mod exclusion;
mod intent;
mod reach;

use std::collections::BTreeSet;

use sans_io::Time;

use super::config::AgentConfig;
use super::fact::{AssignmentEnd, Fact, Intent, Status};
use super::ids::AgentId;
use super::input::{Reach, Refusal};
use super::state::{AgentState, Work};
use super::timeout::Alarm;
use super::{Acd, Agent};

/// An agent that is not in the log yet.
static UNKNOWN: AgentState = AgentState {
    intent: Intent::Offline,
    next: None,
    work: Work::Idle,
    idle_since: 0,
    unanswered: 0,
    last_assigned: 0,
    calls: 0,
    status: Status::Offline,
    status_since: 0,
    times: [0; Status::COUNT],
    signed_in: 0,
};

impl Acd {
    pub(super) fn agent_state(&self, agent: AgentId) -> &AgentState {
        self.state.agents.get(&agent).unwrap_or(&UNKNOWN)
    }

    pub(super) fn set_agent(&mut self, now: Time, config: AgentConfig) {
        let id = config.id;
        let class = self.index.join(&config, &self.queues);
        match self.agents.get_mut(&id) {
            Some(agent) => {
                let old = agent.class;
                agent.config = config;
                self.withdraw(id);
                if let Some(agent) = self.agents.get_mut(&id) {
                    agent.class = class;
                }
                self.index.leave(old);
            }
            None => {
                self.agents.insert(id, Agent::new(config, class));
                self.stick(id);
            }
        }
        self.refresh(now, id);
    }

    pub(super) fn remove_agent(&mut self, now: Time, id: AgentId) {
        let Some(agent) = self.agents.get(&id) else {
            return self.refuse(Refusal::UnknownAgent(id));
        };
        if matches!(self.agent_state(id).work, Work::Call(_)) {
            return self.refuse(Refusal::AgentBusy(id));
        }
        if let Some(assignment) = agent.assignment {
            self.end_assignment(now, assignment, AssignmentEnd::Cancelled, false);
        }
        if matches!(self.agent_state(id).work, Work::WrapUp(_)) {
            self.record(
                now,
                Fact::WrappedUp {
                    agent: id,
                    code: None,
                },
            );
        }
        self.set_intent(now, id, Intent::Offline);
        self.release_sticky(now, id);
        if let Some(agent) = self.agents.get_mut(&id) {
            agent.lines = 0;
        }
        self.refresh(now, id);
        self.withdraw(id);
        for alarm in [
            Alarm::WrapUp(id),
            Alarm::CoolDown(id),
            Alarm::Exclude(id),
            Alarm::Probe(id),
            Alarm::DetachGrace(id),
        ] {
            self.timers.cancel(alarm);
        }
        self.excluders.remove(&id);
        self.ready_agents.remove(&id);
        if let Some(agent) = self.agents.remove(&id) {
            self.index.leave(agent.class);
        }
    }

    pub(super) fn set_lines(&mut self, now: Time, id: AgentId, lines: u32) {
        let Some(agent) = self.agents.get_mut(&id) else {
            return self.refuse(Refusal::UnknownAgent(id));
        };
        agent.lines = lines;
        if lines > 0
            && !agent.config.acd_on_direct
            && let Some(assignment) = agent.assignment
        {
            self.end_assignment(now, assignment, AssignmentEnd::Cancelled, false);
        }
        self.refresh(now, id);
    }

    pub(super) fn wrapped_up(&mut self, now: Time, id: AgentId, code: Option<String>) {
        if !self.agents.contains_key(&id) {
            return self.refuse(Refusal::UnknownAgent(id));
        }
        if matches!(self.agent_state(id).work, Work::WrapUp(_)) {
            self.end_wrap_up(now, id, code);
        } else {
            self.refuse(Refusal::NotWrappingUp(id));
        }
    }

    /// Wrap-up ends, by itself or because the agent says so.
    pub(super) fn end_wrap_up(&mut self, now: Time, agent: AgentId, code: Option<String>) {
        self.timers.cancel(Alarm::WrapUp(agent));
        self.record(now, Fact::WrappedUp { agent, code });
        self.apply_next(now, agent);
        self.refresh(now, agent);
    }

    /// An agent has no call any more: wrap-up, or the next intent.
    pub(super) fn freed(&mut self, now: Time, id: AgentId) {
        match self.agent_state(id).work {
            Work::WrapUp(until) => self.arm(Alarm::WrapUp(id), Time(until)),
            Work::Idle => self.apply_next(now, id),
            Work::Call(_) => {}
        }
        self.refresh(now, id);
    }

    /// Agents of the log who are not configured any more are signed out.
    pub(super) fn sign_out_strangers(&mut self, now: Time) {
        let strangers: Vec<AgentId> = self
            .state
            .agents
            .iter()
            .filter(|(id, state)| {
                !self.agents.contains_key(id) && !matches!(state.work, Work::Call(_)) && **state != UNKNOWN
            })
            .map(|(id, _)| *id)
            .collect();
        for id in strangers {
            if matches!(self.agent_state(id).work, Work::WrapUp(_)) {
                self.record(
                    now,
                    Fact::WrappedUp {
                        agent: id,
                        code: None,
                    },
                );
            }
            if self.agent_state(id).intent != Intent::Offline {
                self.record(
                    now,
                    Fact::Intent {
                        agent: id,
                        intent: Intent::Offline,
                    },
                );
            }
            if self.agent_state(id).status != Status::Offline {
                self.record(
                    now,
                    Fact::Status {
                        agent: id,
                        status: Status::Offline,
                    },
                );
            }
        }
    }
}

impl Agent {
    pub(super) fn new(config: AgentConfig, class: usize) -> Agent {
        Agent {
            config,
            class,
            reach: Reach::Detached,
            conn: None,
            proof: Time::ZERO,
            lines: 0,
            assignment: None,
            cooling: false,
            excluded: Vec::new(),
            sticky: BTreeSet::new(),
            idle: None,
            logged_in: false,
            signed_in: false,
        }
    }
}
