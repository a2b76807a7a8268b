//! Blind transfer: an agent sends a call to a queue, to a colleague, or to a number.

use call_engine::Origin;
use call_engine::acd::{AgentId, CallId, Input, QueueId, Requeue};
use session_core::Party;

use super::command::{Refused, Target};
use super::commands::check;
use super::context::Ctx;
use super::controller::Controller;
use crate::routing::Destination;

impl Controller {
    pub(super) fn transfer(&mut self, id: CallId, to: Target, cx: &mut Ctx<'_>) -> Result<(), Refused> {
        let agent = self.talking(id)?.agent;
        if self.call(id)?.consult().is_some() {
            return Err(Refused::WrongState);
        }
        match to {
            Target::Queue(queue) => {
                let queue = self.directory.queue_by_id(&queue);
                let queue = queue.ok_or(Refused::UnknownQueue)?.config.id;
                self.send_on((id, agent), Some(queue), None, cx)
            }
            // The caller keeps the place in the queue, should that agent not answer.
            Target::Agent(colleague) => {
                let colleague = self.agent(&colleague)?;
                if colleague == agent {
                    return Err(Refused::WrongState);
                }
                self.send_on((id, agent), None, Some(colleague), cx)
            }
            number @ Target::Number(_) => {
                let (party, name, _) = self.party(agent, &number, cx)?;
                self.forward_from_agent(id, (party, name), cx);
                Ok(())
            }
        }
    }

    /// Sends the call of an agent to a queue or a colleague, who see which agent it came from.
    fn send_on(
        &mut self,
        (id, agent): (CallId, AgentId),
        queue: Option<QueueId>,
        colleague: Option<AgentId>,
        cx: &mut Ctx<'_>,
    ) -> Result<(), Refused> {
        let call = self.calls.get_mut(&id).ok_or(Refused::UnknownCall)?;
        let before = call.transferred_by.replace(agent);
        let done = self.requeue(id, queue, colleague, cx);
        if done.is_err()
            && let Some(call) = self.calls.get_mut(&id)
        {
            call.transferred_by = before;
        }
        done
    }

    /// Lets the call of an agent wait: in another queue, or in its own at the same place, where `agent` is asked first.
    pub(super) fn requeue(
        &mut self,
        id: CallId,
        queue: Option<QueueId>,
        agent: Option<AgentId>,
        cx: &mut Ctx<'_>,
    ) -> Result<(), Refused> {
        let caller = self.call(id)?.caller;
        cx.coordinator.resume(cx.now, caller);
        let requeue = Requeue {
            call: id,
            queue,
            priority: 0,
            sticky: agent,
        };
        check(self.input(Input::Requeue(requeue), cx))
    }

    /// Party that a target names, with its name; for an agent's number, the agent.
    pub(super) fn party(
        &self,
        by: AgentId,
        to: &Target,
        cx: &Ctx<'_>,
    ) -> Result<(Party, String, Option<AgentId>), Refused> {
        match to {
            Target::Agent(id) => {
                let person = self.directory.person_by_id(id).ok_or(Refused::UnknownAgent)?;
                let agent = self.agent(id)?;
                if self.engine.agent(agent).is_some_and(|state| state.work.is_call()) {
                    return Err(Refused::AgentBusy);
                }
                Ok((
                    Party::User(person.name.clone()),
                    person.display.clone(),
                    Some(agent),
                ))
            }
            Target::Number(number) => {
                let Destination::Party(party) = cx.routing.route(self.origin(by), number) else {
                    return Err(Refused::NotAllowed);
                };
                let agent = match &*party {
                    Party::User(name) => self.directory.agent_of(name),
                    _ => None,
                };
                Ok((*party, number.clone(), agent))
            }
            Target::Queue(_) => Err(Refused::WrongState),
        }
    }

    /// Origin by which the dial plan decides about numbers of an agent.
    pub(super) fn origin(&self, agent: AgentId) -> Origin {
        match self.directory.agent(agent) {
            Some(person) => Origin::User(person.name.clone()),
            None => Origin::Gateway,
        }
    }
}
