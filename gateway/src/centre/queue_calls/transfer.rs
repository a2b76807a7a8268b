//! Blind transfer: an agent sends a call to a queue, to a colleague, or to a number.

use call_engine::acd::{AgentId, CallId, QueueId};

use super::super::command::{Refused, Target};
use super::super::context::Ctx;
use super::QueueCalls;
use super::commands::check;
use crate::routing::Callee;

impl QueueCalls {
    pub(super) fn transfer(&mut self, id: CallId, to: Target, cx: &mut Ctx<'_>) -> Result<(), Refused> {
        let agent = self.talking(id)?.agent;
        if self.calls().get(id).is_some_and(|call| call.consult().is_some()) {
            return Err(Refused::WrongState);
        }
        match to {
            Target::Queue(queue) => {
                let queue = self.directory().queue_by_id(&queue);
                let queue = queue.ok_or(Refused::UnknownQueue)?.config.id;
                self.send_on((id, agent), Some(queue), None, cx)
            }
            // The caller keeps the place in the queue, should that agent not answer.
            Target::Agent(colleague) => {
                let colleague = self.rights().agent(&colleague)?;
                if colleague == agent {
                    return Err(Refused::WrongState);
                }
                self.send_on((id, agent), None, Some(colleague), cx)
            }
            number @ Target::Number(_) => {
                let target = self.targets(cx).party(agent, &number)?;
                let callee = Callee {
                    party: target.party,
                    diversions: target.diversions,
                };
                self.forward_from_agent(id, (callee, target.name), cx);
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
        let before = self.try_with(id, cx, |call, _| call.set_transferred_by(Some(agent)));
        let before = before.ok_or(Refused::UnknownCall)?;
        let done = self.requeue(id, queue, colleague, cx);
        if done.is_err() {
            self.try_with(id, cx, |call, _| call.set_transferred_by(before));
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
        let input = self.ask(id, cx, |call, cx| Ok(call.requeue(queue, agent, cx)))?;
        check(self.input(input, cx))
    }
}
