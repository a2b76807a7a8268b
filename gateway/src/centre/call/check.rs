//! Agreement of a call with the index of legs: what must hold between any two steps of the call centre.

use session_core::{LegId, SessionId};

use super::super::legs::Role;
use super::{Call, CallState};

impl Call {
    /// True if this leg, or invitation, has this role in the call.
    pub(in crate::centre) fn has_leg(&self, leg: LegId, role: &Role) -> bool {
        match role {
            Role::Caller(_) => self.caller == leg,
            Role::Assignment(offer) => self.assignment(*offer).is_some_and(|one| one.leg == leg),
            Role::Agent(_) => self.agent_leg().is_some_and(|agent| agent.leg == leg),
            Role::Recall(_) => {
                matches!(self.state, CallState::AgentAway { recall, .. } if recall == Some(leg))
            }
            Role::Consulted(_) => self.consult().is_some_and(|consult| consult.leg() == Some(leg)),
            Role::Other(_) => self.others.contains_key(&leg),
            Role::Supervisor(_, name) => self.supervisors.leg(name) == Some(leg),
            Role::Forwarded(_) => {
                matches!(self.state, CallState::Forwarding { leg: rings, .. } if rings == leg)
            }
        }
    }

    /// True for the caller's session, and for that in which the agent asks somebody.
    pub(in crate::centre) fn has_session(&self, session: SessionId) -> bool {
        self.session == session || self.consult().is_some_and(|consult| consult.session == session)
    }
}
