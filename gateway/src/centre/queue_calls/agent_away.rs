//! Agents whose pages are gone in a call: they are called back, or somebody else has the call.

use call_engine::acd::{AgentId, CallId, Input, Intent, LOST};
use session_core::{Cause, LegId};

use super::super::call::{Call, CallState};
use super::super::context::Ctx;
use super::QueueCalls;

impl QueueCalls {
    /// The agent's page is gone, or is back by itself.
    pub(super) fn agent_away(&mut self, id: CallId, away: bool, cx: &mut Ctx<'_>) {
        if away {
            self.lose_agent(id, cx);
        } else {
            self.drive(id, cx, |call, cx| Some(call.agent_came_back(cx)));
        }
    }

    /// Notes that the agent's page is gone. A colleague may take the call over.
    fn lose_agent(&mut self, id: CallId, cx: &mut Ctx<'_>) {
        // Both its connection and its media say that a page is gone.
        let Some(gone) = self.with(id, cx, |call, cx| call.agent_is_gone(cx)) else {
            return;
        };
        self.input(gone, cx);
    }

    /// The leg of an agent is out of its call.
    pub(super) fn agent_left(&mut self, id: CallId, cause: Cause, cx: &mut Ctx<'_>) {
        let others = self.calls().get(id).filter(|call| call.has_others());
        match (cause, others.and_then(Call::agent)) {
            // The page is gone, or its media broke: the agent may come back.
            (Cause::Away | Cause::Lost | Cause::Failed, _) => self.lose_agent(id, cx),
            // The agent hung up. Those whom the agent brought in go on without the agent.
            (_, Some(agent)) => self.leave_to_others(id, agent, cx),
            (_, None) => self.with(id, cx, |call, cx| call.terminate(cx)),
        }
    }

    /// The new page of an agent answered.
    pub(super) fn new_page_answered(
        &mut self,
        id: CallId,
        (invitation, leg): (LegId, LegId),
        cx: &mut Ctx<'_>,
    ) {
        let back = self.with(id, cx, |call, cx| call.new_page_answered((invitation, leg), cx));
        if let Some(back) = back {
            self.input(back, cx);
        }
    }

    /// Calls the page of an agent, which is there again, into the call that the agent had before a restart.
    pub(super) fn call_back(&mut self, agent: AgentId, cx: &mut Ctx<'_>) {
        let Some(person) = self.directory().agent(agent) else {
            debug_assert!(false, "no agent {agent:?}, who registered");
            return;
        };
        let user = person.name.clone();
        let had: Vec<CallId> = self
            .calls()
            .of_agent(agent)
            .filter(|id| {
                let call = self.calls().get(*id);
                call.is_some_and(|call| matches!(call.state(), CallState::AgentAway { leg: None, .. }))
            })
            .collect();
        for call in had {
            self.with(call, cx, |call, cx| call.call_agent_back(&user, cx));
        }
    }

    /// Gives three-way calls whose agent's page has not come back to a colleague in them.
    pub(super) fn take_over(&mut self, cx: &mut Ctx<'_>) {
        while let Some(id) = self.pop_takeover(cx.now) {
            // The agent is back, or those who could take the call have left it.
            let Some(call) = self.calls().get(id) else {
                continue;
            };
            let CallState::AgentAway { agent, .. } = *call.state() else {
                continue;
            };
            if call.colleagues().next().is_none() {
                continue;
            }
            self.leave_to_others(id, agent, cx);
            let goes_home = self.engine().agent(agent);
            if goes_home.is_none_or(|state| state.next != Some(Intent::Offline)) {
                let intent = Intent::Paused(LOST.into());
                self.input(Input::Intent { agent, intent }, cx);
            }
        }
    }
}
