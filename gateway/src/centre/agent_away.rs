//! Agents whose pages are gone in a call: they are called back, or somebody else has the call.

use std::time::Duration;

use call_engine::acd::{AgentId, CallId, Input, Intent, LOST, Phase};
use session_core::{Cause, Invitation, LegId, Party};

use super::call::{Call, CallState, ConsultEnd, Released};
use super::context::Ctx;
use super::controller::Controller;
use super::ids;
use super::invitation::{CALL_HEADER, answer_at_once};
use super::legs::{Legs, Role};

/// Time that the agent's new page may take to answer.
const RECALL: Duration = Duration::from_secs(30);

impl Call {
    /// Lets the new page of the agent ring, unless it rings already; `id` is the number of this call.
    fn call_agent_back(&mut self, (id, user): (CallId, &str), legs: &mut Legs, cx: &mut Ctx<'_>) {
        let CallState::AgentAway { recall: None, .. } = self.state() else {
            return;
        };
        let invitation = Invitation {
            party: Party::User(user.to_owned()),
            caller: None,
            ring_timeout: RECALL,
            headers: vec![(CALL_HEADER.into(), ids::call(id)), answer_at_once()],
            diverted: None,
        };
        if let Ok(leg) = cx.coordinator.invite(cx.now, self.session, invitation) {
            self.recall(leg);
            legs.set(leg, Role::Recall(id));
        }
    }

    /// The new page of the agent answered, and has the place of the old one; `id` is the number of this call. False if nobody called it.
    fn agent_is_called_back(
        &mut self,
        id: CallId,
        (invitation, leg): (LegId, LegId),
        phase: Option<Phase>,
        legs: &mut Legs,
        cx: &mut Ctx<'_>,
    ) -> bool {
        let Some(old) = self.recalled(cx.now, invitation, leg, phase) else {
            return false;
        };
        if let Some(old) = old {
            legs.remove(old);
            cx.coordinator.drop_leg(cx.now, old);
        }
        legs.set(leg, Role::Agent(id));
        cx.coordinator.admit_leg(cx.now, self.session, leg);
        self.place_supervisors(cx);
        true
    }
}

impl Released {
    /// Hangs up what an agent who has the call no more had in it.
    pub(super) fn hang_up(self, legs: &mut Legs, cx: &mut Ctx<'_>) {
        if let Some(leg) = self.leg {
            legs.remove(leg);
            cx.coordinator.drop_leg(cx.now, leg);
        }
        if let Some(recall) = self.recall {
            legs.remove(recall);
            cx.coordinator.withdraw(cx.now, recall, false);
        }
    }
}

impl Controller {
    /// The agent's page is gone, or is back by itself.
    pub(super) fn agent_away(&mut self, id: CallId, away: bool, cx: &mut Ctx<'_>) {
        if away {
            self.lose_agent(id, cx);
        } else {
            self.takeovers.cancel(id);
            let phase = self.engine.phase(id);
            let call = self.calls.get_mut(&id);
            if let Some(recall) = call.and_then(|call| call.agent_is_back(cx.now, phase)) {
                self.legs.remove(recall);
                cx.coordinator.withdraw(cx.now, recall, false);
            }
            self.publisher.call(id);
            self.input(Input::Away { call: id, away }, cx);
        }
    }

    /// Notes that the agent's page is gone. Nobody is asked any longer, and a colleague may take the call over.
    fn lose_agent(&mut self, id: CallId, cx: &mut Ctx<'_>) {
        self.log_consult(id, ConsultEnd::GaveUp, cx);
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        let (is_new, consult) = call.lose_agent(cx.now);
        if !is_new {
            return;
        }
        if let Some(consult) = consult {
            self.forget_consult(&consult);
            cx.coordinator.terminate_session(cx.now, consult.session);
        }
        self.publisher.call(id);
        if let Some(call) = self.calls.get(&id) {
            self.takeovers.expect(id, call, cx.now);
        }
        let away = Input::Away { call: id, away: true };
        self.input(away, cx);
    }

    /// The leg of an agent is out of its call.
    pub(super) fn agent_left(&mut self, id: CallId, cause: Cause, cx: &mut Ctx<'_>) {
        let Some(call) = self.calls.get(&id) else {
            return;
        };
        match cause {
            // The page is gone, or its media broke: the agent may come back.
            Cause::Away | Cause::Lost | Cause::Failed => self.lose_agent(id, cx),
            // The agent hung up. Those whom the agent brought in go on without the agent.
            _ if call.has_others() => {
                if let Some(agent) = call.agent() {
                    self.leave_to_others(id, agent, cx);
                }
            }
            _ => cx.coordinator.terminate_session(cx.now, call.session),
        }
    }

    /// Calls the new page of an agent whose page was gone into the call.
    pub(super) fn recall(&mut self, id: CallId, user: &str, cx: &mut Ctx<'_>) {
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        let CallState::AgentAway { agent, .. } = call.state() else {
            return;
        };
        if self.directory.agent_of(user) == Some(*agent) {
            call.call_agent_back((id, user), &mut self.legs, cx);
        }
    }

    /// The new page of an agent answered.
    pub(super) fn recalled(&mut self, id: CallId, (invitation, leg): (LegId, LegId), cx: &mut Ctx<'_>) {
        let phase = self.engine.phase(id);
        let legs = &mut self.legs;
        let call = self.calls.get_mut(&id);
        if !call.is_some_and(|call| call.agent_is_called_back(id, (invitation, leg), phase, legs, cx)) {
            self.legs.remove(leg);
            return cx.coordinator.withdraw(cx.now, leg, false);
        }
        self.takeovers.cancel(id);
        self.publisher.call(id);
        let back = Input::Away {
            call: id,
            away: false,
        };
        self.input(back, cx);
    }

    /// Calls the page of an agent, which is there again, into the call that the agent had before a restart.
    pub(super) fn call_back(&mut self, agent: AgentId, cx: &mut Ctx<'_>) {
        let Some(person) = self.directory.agent(agent) else {
            return;
        };
        let user = person.name.clone();
        let had: Vec<CallId> = self
            .calls
            .iter()
            .filter(|(_, call)| {
                matches!(call.state(), CallState::AgentAway { agent: away, leg: None, .. } if *away == agent)
            })
            .map(|(id, _)| *id)
            .collect();
        for call in had {
            self.recall(call, &user, cx);
        }
    }

    /// Gives three-way calls whose agent's page has not come back to a colleague in them.
    pub(super) fn take_over(&mut self, cx: &mut Ctx<'_>) {
        while let Some(id) = self.takeovers.pop_due(cx.now) {
            let Some(call) = self.calls.get(&id) else {
                continue;
            };
            let CallState::AgentAway { agent, .. } = *call.state() else {
                continue;
            };
            if call.colleagues().next().is_none() {
                continue;
            }
            self.leave_to_others(id, agent, cx);
            let goes_home = self.engine.agent(agent);
            if goes_home.is_none_or(|state| state.next != Some(Intent::Offline)) {
                let intent = Intent::Paused(LOST.into());
                self.input(Input::Intent { agent, intent }, cx);
            }
        }
    }
}
