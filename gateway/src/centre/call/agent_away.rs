//! The agent's page is gone, and comes back by itself, or as a new one that is called into the call.

use std::time::Duration;

use call_engine::acd::Input;
use session_core::{Invitation, LegId, Party};

use super::super::ids;
use super::super::invitation::{CALL_HEADER, answer_at_once};
use super::super::legs::Role;
use super::{Call, CallState, ConsultEnd, Context, Released};

/// Time that the agent's new page may take to answer.
const RECALL: Duration = Duration::from_secs(30);

impl Call {
    /// The agent's page is gone: nobody is asked any longer. None if it was gone before.
    pub(in crate::centre) fn agent_is_gone(&mut self, cx: &mut Context<'_>) -> Option<Input> {
        self.log_consult(ConsultEnd::GaveUp, cx);
        let (is_new, consult) = self.lose_agent(cx.now);
        if !is_new {
            return None;
        }
        if let Some(consult) = consult {
            consult.leave_index(cx);
            cx.coordinator.terminate_session(cx.now, consult.session);
        }
        cx.publish();
        Some(Input::Away {
            call: cx.id,
            away: true,
        })
    }

    /// The agent's page is back by itself. A new one is called no longer.
    pub(in crate::centre) fn agent_came_back(&mut self, cx: &mut Context<'_>) -> Input {
        if let Some(recall) = self.agent_is_back(cx.now, cx.phase) {
            cx.withdraw(recall);
        }
        cx.publish();
        Input::Away {
            call: cx.id,
            away: false,
        }
    }

    /// Lets the new page of the agent ring, if it is the agent of this call that is away, and no page rings already.
    pub(in crate::centre) fn call_agent_back(&mut self, user: &str, cx: &mut Context<'_>) {
        // The agent is there, or the new page rings already.
        let CallState::AgentAway {
            agent, recall: None, ..
        } = self.state
        else {
            return;
        };
        if cx.directory.agent_of(user) != Some(agent) {
            return;
        }
        let invitation = Invitation {
            party: Party::User(user.to_owned()),
            caller: None,
            ring_timeout: RECALL,
            headers: vec![(CALL_HEADER.into(), ids::call(cx.id)), answer_at_once()],
            diverted: Vec::new(),
        };
        // An agent whose phone is not there is called when it registers.
        if let Ok(leg) = cx.coordinator.invite(cx.now, self.session, invitation) {
            self.recall(leg);
            cx.legs.set(leg, Role::Recall(cx.id));
        }
    }

    /// The new page of the agent answered, and has the place of the old one. None if nobody called it, or no longer.
    pub(in crate::centre) fn new_page_answered(
        &mut self,
        (invitation, leg): (LegId, LegId),
        cx: &mut Context<'_>,
    ) -> Option<Input> {
        let Some(old) = self.recalled(cx.now, invitation, leg, cx.phase) else {
            cx.withdraw(leg);
            return None;
        };
        if let Some(old) = old {
            cx.legs.remove(old);
            cx.coordinator.drop_leg(cx.now, old);
        }
        cx.legs.set(leg, Role::Agent(cx.id));
        cx.coordinator.admit_leg(cx.now, self.session, leg);
        self.place_supervisors(cx);
        cx.publish();
        Some(Input::Away {
            call: cx.id,
            away: false,
        })
    }

    /// The call waits in its queue again, and its agent is out.
    pub(in crate::centre) fn wait(&mut self, cx: &mut Context<'_>) {
        self.wait_again(cx.now).hang_up(cx);
        cx.publish();
    }

    /// The agent is out of the call, whom the engine has let go of or is about to.
    pub(in crate::centre) fn let_agent_go(&mut self, cx: &mut Context<'_>) {
        self.release(cx.now).hang_up(cx);
    }
}

impl Released {
    /// Hangs up what an agent who has the call no more had in it.
    pub(super) fn hang_up(self, cx: &mut Context<'_>) {
        if let Some(leg) = self.leg {
            cx.legs.remove(leg);
            cx.coordinator.drop_leg(cx.now, leg);
        }
        if let Some(recall) = self.recall {
            cx.withdraw(recall);
        }
    }
}
