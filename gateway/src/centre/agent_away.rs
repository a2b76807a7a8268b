//! Agents whose pages are gone in a call: they are called back, or somebody else has the call.

use std::time::Duration;

use call_engine::acd::{AgentId, CallId, Input, Intent, LOST};
use sans_io::Time;
use session_core::{Cause, Invitation, LegId, Party};

use super::call::{CallState, Released};
use super::consult::ConsultEnd;
use super::context::Ctx;
use super::controller::Controller;
use super::ids;
use super::invitation::{CALL_HEADER, answer_at_once};
use super::legs::Role;

/// Time that an agent whose page is gone may be away from a three-way call before a colleague in it takes it
/// over: longer than a reload takes, and shorter than the 30 s after which the engine would send the caller
/// back to the queue.
const TAKEOVER: Duration = Duration::from_secs(20);

/// Time that the agent's new page may take to answer.
const RECALL: Duration = Duration::from_secs(30);

impl Controller {
    /// The agent's page is gone, or is back by itself.
    pub(super) fn agent_away(&mut self, id: CallId, away: bool, cx: &mut Ctx<'_>) {
        if away {
            self.lose_agent(id, cx);
        } else {
            self.takeovers.cancel(id);
            let phase = self.engine.phase(id);
            if let Some(call) = self.calls.get_mut(&id) {
                call.since = cx.now;
                if let Some(recall) = call.agent_is_back(phase) {
                    self.legs.remove(recall);
                    cx.coordinator.withdraw(cx.now, recall, false);
                }
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
        self.await_takeover(id, cx.now);
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
            _ if !call.others.is_empty() => {
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
        let CallState::AgentAway {
            agent, recall: None, ..
        } = call.state()
        else {
            return;
        };
        if self
            .directory
            .agent(*agent)
            .is_none_or(|person| person.name != user)
        {
            return;
        }
        let invitation = Invitation {
            party: Party::User(user.to_owned()),
            caller: None,
            ring_timeout: RECALL,
            headers: vec![(CALL_HEADER.into(), ids::call(id)), answer_at_once()],
        };
        if let Ok(leg) = cx.coordinator.invite(cx.now, call.session, invitation) {
            call.recall(leg);
            self.legs.set(leg, Role::Recall(id));
        }
    }

    /// The new page of an agent answered.
    pub(super) fn recalled(&mut self, id: CallId, (invitation, leg): (LegId, LegId), cx: &mut Ctx<'_>) {
        let phase = self.engine.phase(id);
        let call = self.calls.get_mut(&id);
        let recalled = call.and_then(|call| {
            let old = call.recalled(cx.now, invitation, leg, phase)?;
            Some((call.session, old))
        });
        let Some((session, old)) = recalled else {
            self.legs.remove(leg);
            return cx.coordinator.withdraw(cx.now, leg, false);
        };
        self.takeovers.cancel(id);
        if let Some(old) = old {
            self.legs.remove(old);
            cx.coordinator.drop_leg(cx.now, old);
        }
        self.legs.set(leg, Role::Agent(id));
        cx.coordinator.admit_leg(cx.now, session, leg);
        self.place_supervisors(id, cx);
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

    /// Hangs up what an agent who has the call no more had in it.
    pub(super) fn hang_up_agent(&mut self, released: Released, cx: &mut Ctx<'_>) {
        if let Some(leg) = released.leg {
            self.legs.remove(leg);
            cx.coordinator.drop_leg(cx.now, leg);
        }
        if let Some(recall) = released.recall {
            self.legs.remove(recall);
            cx.coordinator.withdraw(cx.now, recall, false);
        }
    }

    /// Lets a colleague in a three-way call take it over if the agent's page does not come back soon.
    fn await_takeover(&mut self, id: CallId, now: Time) {
        let joined = self.calls.get(&id).and_then(|call| call.colleagues().next());
        if joined.is_some() && self.takeovers.get(id).is_none() {
            self.takeovers.set(id, now + TAKEOVER, "a colleague takes over");
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
