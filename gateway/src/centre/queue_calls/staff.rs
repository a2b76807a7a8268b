//! Agents: their registrations, their calls of their own, and what those who watch them see.

use std::sync::Arc;

use call_engine::acd::{Fact, Input, Status};
use session_core::Activity;

use super::super::context::Ctx;
use super::QueueCalls;

impl QueueCalls {
    /// An agent's phone registered, or is registered no longer.
    pub(super) fn reachable(&mut self, user: &str, reachable: bool, cx: &mut Ctx<'_>) {
        // Users who are no agents register as well.
        let Some(agent) = self.directory().agent_of(user) else {
            return;
        };
        if reachable {
            let conn = self.register(agent);
            self.input(Input::Attached { agent, conn }, cx);
            self.call_back(agent, cx);
        } else if let Some(conn) = self.unregister(agent) {
            self.input(Input::Detached { agent, conn }, cx);
        }
        self.publication().agent(agent);
    }

    /// Counts the calls of their own that agents have: of those who have some, and of this user.
    pub(in crate::centre) fn count_lines(&mut self, user: Option<&str>, cx: &mut Ctx<'_>) {
        let directory = Arc::clone(self.directory());
        let mut agents = self.agents().with_lines();
        agents.extend(user.and_then(|user| directory.agent_of(user)));
        for agent in agents {
            // One who was removed meanwhile is still known by name.
            let Some(person) = directory.agent(agent) else {
                debug_assert!(false, "no agent {agent:?}, who has lines");
                continue;
            };
            if let Some(input) = self.count_lines_of((agent, &person.name), cx) {
                self.input(input, cx);
            }
        }
    }

    /// Tells those who watch an agent's presence that the agent pauses, or finishes a call.
    pub(super) fn tell_watchers(&self, fact: &Fact, cx: &mut Ctx<'_>) {
        let Fact::Status { agent, status } = fact else {
            return;
        };
        if let Some(person) = self.directory().agent(*agent) {
            let activity = match status {
                Status::Paused => Some(Activity::Away),
                Status::WrapUp => Some(Activity::Busy),
                _ => None,
            };
            cx.coordinator.set_activity(&person.name, activity);
        }
    }
}
