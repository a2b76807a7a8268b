//! Rights in the call centre: what an id in a command means, and whether the sender may act on it.

use call_engine::acd::{AgentId, AssignmentId, CallId};

use super::calls::Calls;
use super::command::{By, Refused};
use super::directory::Directory;
use super::engine::Engine;
use super::ids;

/// Calls, assignments and staff that a command may name. What the sender may not act on appears not to exist.
#[derive(Clone, Copy)]
pub(super) struct Rights<'a> {
    pub(super) directory: &'a Directory,
    pub(super) engine: &'a Engine,
    pub(super) calls: &'a Calls,
}

impl<'a> Rights<'a> {
    /// The agent with this id.
    pub(super) fn agent(self, id: &str) -> Result<AgentId, Refused> {
        self.directory.agent_by_id(id).ok_or(Refused::UnknownAgent)
    }

    /// Name of the person who sent a command.
    pub(super) fn name(self, by: &By) -> Result<&'a str, Refused> {
        let id = by.person().ok_or(Refused::NotAllowed)?;
        let person = self.directory.person_by_id(id).ok_or(Refused::UnknownAgent)?;
        Ok(&person.name)
    }

    /// Name of the supervisor who sent a command.
    pub(super) fn supervisor(self, by: &By) -> Result<&'a str, Refused> {
        match by {
            By::Supervisor(_) => self.name(by),
            By::Agent(_) | By::Gateway => Err(Refused::NotAllowed),
        }
    }

    /// The call with this id, if its agent sent the command or the sender may act on every call.
    pub(super) fn call(self, by: &By, id: &str) -> Result<CallId, Refused> {
        let id = ids::read_call(id).ok_or(Refused::UnknownCall)?;
        let call = self.calls.get(id).ok_or(Refused::UnknownCall)?;
        let agent = call.agent_leg().map(|agent| agent.agent);
        self.may_act(by, agent).then_some(id).ok_or(Refused::UnknownCall)
    }

    /// The assignment with this id, if it is the sender's or the sender may act on every call.
    pub(super) fn assignment(self, by: &By, id: &str) -> Result<AssignmentId, Refused> {
        let assignment = ids::read_assignment(id).ok_or(Refused::AssignmentGone)?;
        let agent = self.engine.assigned(assignment).ok_or(Refused::AssignmentGone)?;
        self.may_act(by, Some(agent))
            .then_some(assignment)
            .ok_or(Refused::AssignmentGone)
    }

    /// True when the sender may act on what this agent has.
    fn may_act(self, by: &By, agent: Option<AgentId>) -> bool {
        match by {
            By::Gateway | By::Supervisor(_) => true,
            By::Agent(id) => agent
                .and_then(|agent| self.directory.agent(agent))
                .is_some_and(|person| person.id == *id),
        }
    }
}
