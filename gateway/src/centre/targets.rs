//! Targets of transfers and consultations: the party that an agent means by an id or a number.

use call_engine::Origin;
use call_engine::acd::AgentId;
use sans_io::Time;
use session_core::Party;

use super::command::{Refused, Target};
use super::directory::Directory;
use super::engine::Engine;
use crate::routing::{Destination, Routing};

/// Agents and numbers that can be called.
#[derive(Clone, Copy)]
pub(super) struct Targets<'a> {
    pub(super) directory: &'a Directory,
    pub(super) engine: &'a Engine,
    pub(super) routing: &'a Routing,
    /// Time of the question: rules may have hours.
    pub(super) now: Time,
}

/// Party that a target names.
pub(super) struct Named {
    pub(super) party: Party,
    /// Name or number as shown.
    pub(super) name: String,
    /// The agent, if it is one of ours.
    pub(super) agent: Option<AgentId>,
}

impl Targets<'_> {
    /// Party that `by` means. An agent who has a call is refused; a queue is not a party.
    pub(super) fn party(self, by: AgentId, to: &Target) -> Result<Named, Refused> {
        match to {
            Target::Agent(id) => {
                let person = self.directory.person_by_id(id).ok_or(Refused::UnknownAgent)?;
                let agent = self.directory.agent_by_id(id).ok_or(Refused::UnknownAgent)?;
                if self.engine.agent(agent).is_some_and(|state| state.work.is_call()) {
                    return Err(Refused::AgentBusy);
                }
                Ok(Named {
                    party: Party::User(person.name.clone()),
                    name: person.display.clone(),
                    agent: Some(agent),
                })
            }
            Target::Number(number) => {
                let Destination::Party(party) = self.route(by, number) else {
                    return Err(Refused::NotAllowed);
                };
                let agent = match &*party {
                    Party::User(name) => self.directory.agent_of(name),
                    _ => None,
                };
                Ok(Named {
                    party: *party,
                    name: number.clone(),
                    agent,
                })
            }
            Target::Queue(_) => Err(Refused::WrongState),
        }
    }

    /// Destination of a number that an agent dials.
    pub(super) fn route(self, by: AgentId, number: &str) -> Destination {
        let origin = match self.directory.agent(by) {
            Some(person) => Origin::User(person.name.clone()),
            None => Origin::Gateway,
        };
        self.routing.route(self.now, origin, number)
    }
}
