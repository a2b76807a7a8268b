//! Handing over: an agent leaves a call in which others stay.

use call_engine::acd::{AgentId, CallId, Input};
use session_core::LegId;

use super::super::call::{AgentLeg, Call};
use super::super::command::Refused;
use super::super::context::Ctx;
use super::QueueCalls;

impl QueueCalls {
    /// The agent leaves the call, and those who joined stay.
    pub(super) fn leave(&mut self, id: CallId, cx: &mut Ctx<'_>) -> Result<(), Refused> {
        let agent = self.talking(id)?;
        if !self.calls().get(id).is_some_and(Call::has_others) {
            return Err(Refused::WrongState);
        }
        self.leave_to_others(id, agent.agent, cx);
        Ok(())
    }

    /// Takes the agent out of the call and gives it to those who stay.
    pub(super) fn leave_to_others(&mut self, id: CallId, agent: AgentId, cx: &mut Ctx<'_>) {
        self.with(id, cx, |call, cx| call.let_agent_go(cx));
        self.hand_over(id, agent, cx);
    }

    /// Gives a call that its agent has left to the first colleague among the others who can take it. If there is none, the engine
    /// gives the call up and the others stay connected.
    pub(super) fn hand_over(&mut self, id: CallId, from: AgentId, cx: &mut Ctx<'_>) {
        self.publication().call(id);
        let colleagues: Vec<(LegId, AgentId)> = self.with(id, cx, |call, _| call.colleagues().collect());
        for (leg, agent) in colleagues {
            let input = Input::HandOver { call: id, to: agent };
            if self.input(input, cx).is_some() {
                // Two agents may have consulted the same colleague, who has the other's call now.
                continue;
            }
            self.took(agent, id);
            let to = AgentLeg { agent, leg };
            return self.with(id, cx, |call, cx| call.give_to(from, to, cx));
        }
        self.input(Input::Ended { call: id }, cx);
        self.with(id, cx, |call, cx| call.place_supervisors(cx));
    }
}
