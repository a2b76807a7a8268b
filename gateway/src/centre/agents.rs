//! Pages and phones of agents: who is registered, and who has calls that came through no queue.

use std::collections::{BTreeMap, BTreeSet};

use call_engine::acd::{AgentId, CallId, ConnId, Input};
use session_core::Coordinator;

use super::legs::{Legs, Role};

/// Registrations, lines and last calls of agents.
#[derive(Debug, Default)]
pub(super) struct Agents {
    registrations: u64,
    registered: BTreeMap<AgentId, ConnId>,
    /// Calls of their own that agents have, where they have any.
    lines: BTreeMap<AgentId, u32>,
    last_calls: BTreeMap<AgentId, CallId>,
}

impl Agents {
    /// Records that an agent's phone registered.
    pub(super) fn register(&mut self, agent: AgentId) -> ConnId {
        self.registrations += 1;
        let conn = ConnId(self.registrations);
        self.registered.insert(agent, conn);
        conn
    }

    pub(super) fn unregister(&mut self, agent: AgentId) -> Option<ConnId> {
        self.registered.remove(&agent)
    }

    pub(super) fn is_registered(&self, agent: AgentId) -> bool {
        self.registered.contains_key(&agent)
    }

    pub(super) fn with_lines(&self) -> BTreeSet<AgentId> {
        self.lines.keys().copied().collect()
    }

    /// Counts the calls of their own that an agent has, whose user is `name`: whatever leg of theirs is not there for a queue's call is
    /// one. The engine has to learn of another number than before.
    pub(super) fn count_lines(
        &mut self,
        (agent, name): (AgentId, &str),
        legs: &Legs,
        coordinator: &Coordinator,
    ) -> Option<Input> {
        let own = coordinator.legs_of(name).filter(|(leg, invitation)| {
            let role = legs.role(*leg).or_else(|| legs.role((*invitation)?));
            !matches!(role, Some(Role::Assignment(_) | Role::Agent(_) | Role::Recall(_)))
        });
        let lines = u32::try_from(own.count()).unwrap_or(u32::MAX);
        self.set_lines(agent, lines)
            .then_some(Input::Lines { agent, lines })
    }

    /// Sets the number of an agent's own calls; true if it is another one than before.
    fn set_lines(&mut self, agent: AgentId, lines: u32) -> bool {
        let before = match lines {
            0 => self.lines.remove(&agent),
            _ => self.lines.insert(agent, lines),
        };
        before.unwrap_or(0) != lines
    }

    /// Records that an agent has a call.
    pub(super) fn took(&mut self, agent: AgentId, call: CallId) {
        self.last_calls.insert(agent, call);
    }

    /// Call that the agent has, or else had last.
    pub(super) fn last_call(&self, agent: AgentId) -> Option<CallId> {
        self.last_calls.get(&agent).copied()
    }
}
