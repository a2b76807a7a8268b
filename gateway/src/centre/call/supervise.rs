//! Supervisors in calls: they listen, whisper to the agent, or talk with all.

use call_engine::acd::CallId;
use session_core::{LegId, Party};

use super::super::command::Refused;
use super::super::context::Ctx;
use super::super::ids;
use super::super::invitation::{CALL_HEADER, answer_at_once, invitation};
use super::super::legs::{Legs, Role};
use super::super::view::Mode;
use super::Call;

impl Call {
    /// Lets the phone of a supervisor ring, who joins the call `id`, which is this one. One who is in the call takes part in another way
    /// from now on.
    pub(in crate::centre) fn supervise(
        &mut self,
        (id, name): (CallId, String),
        mode: Mode,
        legs: &mut Legs,
        cx: &mut Ctx<'_>,
    ) -> Result<(), Refused> {
        if self.supervisors.set_mode(&name, mode) {
            self.place_supervisors(cx);
            return Ok(());
        }
        let headers = vec![(CALL_HEADER.to_owned(), ids::call(id)), answer_at_once()];
        let invitation = invitation(Party::User(name.clone()), None, headers);
        let leg = cx
            .coordinator
            .invite(cx.now, self.session, invitation)
            .map_err(|_| Refused::Unreachable)?;
        self.supervisors.ring(name.clone(), mode, leg);
        legs.set(leg, Role::Supervisor(id, name));
        Ok(())
    }

    /// A supervisor leaves the call.
    pub(in crate::centre) fn unsupervise(
        &mut self,
        name: &str,
        legs: &mut Legs,
        cx: &mut Ctx<'_>,
    ) -> Result<(), Refused> {
        let leg = self.supervisors.remove(name).ok_or(Refused::WrongState)?;
        legs.remove(leg);
        cx.coordinator.withdraw(cx.now, leg, false);
        Ok(())
    }

    /// The supervisor's phone answered.
    pub(in crate::centre) fn supervisor_joined(&mut self, name: &str, leg: LegId, cx: &mut Ctx<'_>) {
        if self.supervisors.join(name, leg) {
            self.place_supervisors(cx);
            cx.coordinator.admit_leg(cx.now, self.session, leg);
        }
    }

    /// The supervisor's phone did not answer, or is out of the call.
    pub(in crate::centre) fn supervisor_left(&mut self, name: &str) {
        self.supervisors.remove(name);
    }

    /// Lets supervisors hear and be heard as they chose, beside the agent who has the call now.
    pub(in crate::centre) fn place_supervisors(&self, cx: &mut Ctx<'_>) {
        let agent = self.agent_leg().map(|agent| agent.leg);
        for (leg, role) in self.supervisors.roles(agent) {
            cx.coordinator.set_role(leg, role);
        }
    }
}
