//! Handing over: an agent leaves a call in which others stay.

use call_engine::acd::{AgentId, CallId, Input};
use session_core::LegId;

use super::call::{AgentLeg, Other};
use super::command::Refused;
use super::context::Ctx;
use super::controller::Controller;
use super::legs::Role;

impl Controller {
    /// The agent leaves the call, and those who joined stay.
    pub(super) fn leave(&mut self, id: CallId, cx: &mut Ctx<'_>) -> Result<(), Refused> {
        let agent = self.talking(id)?;
        if !self.call(id)?.has_others() {
            return Err(Refused::WrongState);
        }
        self.leave_to_others(id, agent.agent, cx);
        Ok(())
    }

    /// Takes the agent out of the call and gives it to those who stay.
    pub(super) fn leave_to_others(&mut self, id: CallId, agent: AgentId, cx: &mut Ctx<'_>) {
        if let Some(call) = self.calls.get_mut(&id) {
            let released = call.release(cx.now);
            released.hang_up(&mut self.legs, cx);
        }
        self.hand_over(id, agent, cx);
    }

    /// Gives a call that its agent has left to the first colleague among the others who can take it. If there is none, the engine
    /// gives the call up and the others stay connected.
    pub(super) fn hand_over(&mut self, id: CallId, from: AgentId, cx: &mut Ctx<'_>) {
        self.takeovers.cancel(id);
        self.publisher.call(id);
        let Some(call) = self.calls.get(&id) else {
            return;
        };
        let colleagues: Vec<(LegId, AgentId)> = call.colleagues().collect();
        for (leg, to) in colleagues {
            if self.input(Input::HandOver { call: id, to }, cx).is_some() {
                // Two agents may have consulted the same colleague, who has the other's call now.
                continue;
            }
            let Some(call) = self.calls.get_mut(&id) else {
                return;
            };
            call.hand_over(from, AgentLeg { agent: to, leg });
            self.agents.took(to, id);
            self.legs.set(leg, Role::Agent(id));
            return call.place_supervisors(cx);
        }
        self.input(Input::Ended { call: id }, cx);
        if let Some(call) = self.calls.get(&id) {
            call.place_supervisors(cx);
        }
    }

    /// Adds another participant to the call, on `leg`.
    pub(super) fn add_other(&mut self, id: CallId, leg: LegId, other: Other) {
        self.legs.set(leg, Role::Other(id));
        if let Some(call) = self.calls.get_mut(&id) {
            call.add_other(leg, other);
        }
        self.publisher.call(id);
    }
}
