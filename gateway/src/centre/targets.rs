//! Targets of transfers and consultations: the party that an agent means by an id or a number.

use call_engine::Origin;
use call_engine::acd::AgentId;
use sans_io::Time;
use session_core::Party;
use session_core::identity::Diversion;

use super::command::{Refused, Target};
use super::directory::Directory;
use super::engine::Engine;
use crate::routing::{Callee, Destination, NoCallee, Routing};

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
    /// Forwardings that lead to the party, the first one first.
    pub(super) diversions: Vec<Diversion>,
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
                    diversions: Vec::new(),
                })
            }
            Target::Number(number) => {
                let callee = self.routing.phone(self.now, self.origin(by), number);
                let Callee { party, diversions } = callee.map_err(|why| match why {
                    NoCallee::NotAllowed => Refused::NotAllowed,
                    NoCallee::Spared => Refused::Unreachable,
                })?;
                let agent = match &party {
                    Party::User(name) => self.directory.agent_of(name),
                    _ => None,
                };
                Ok(Named {
                    party,
                    name: number.clone(),
                    agent,
                    diversions,
                })
            }
            Target::Queue(_) => Err(Refused::WrongState),
        }
    }

    /// Destination of a number that an agent dials.
    pub(super) fn route(self, by: AgentId, number: &str) -> Destination {
        self.routing.callee(self.now, self.origin(by), number)
    }

    fn origin(self, by: AgentId) -> Origin {
        match self.directory.agent(by) {
            Some(person) => Origin::User(person.name.clone()),
            None => Origin::Gateway,
        }
    }
}
