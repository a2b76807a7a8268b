//! Supervisors in calls: they listen, whisper to the agent, or talk with all.

use session_core::{LegId, Party};

use super::super::command::Refused;
use super::super::ids;
use super::super::invitation::{CALL_HEADER, answer_at_once, invitation};
use super::super::legs::Role;
use super::super::view::Mode;
use super::{Call, Context};

impl Call {
    /// Lets the phone of a supervisor ring, who joins the call. One who is in the call takes part in another way from now on.
    pub(in crate::centre) fn supervise(
        &mut self,
        name: String,
        mode: Mode,
        cx: &mut Context<'_>,
    ) -> Result<(), Refused> {
        if self.supervisors.set_mode(&name, mode) {
            self.place_supervisors(cx);
        } else {
            let headers = vec![(CALL_HEADER.to_owned(), ids::call(cx.id)), answer_at_once()];
            let invitation = invitation(Party::User(name.clone()), None, headers);
            let leg = cx
                .coordinator
                .invite(cx.now, self.session, invitation)
                .map_err(|_| Refused::Unreachable)?;
            self.supervisors.ring(name.clone(), mode, leg);
            cx.legs.set(leg, Role::Supervisor(cx.id, name));
        }
        cx.publish();
        Ok(())
    }

    /// A supervisor leaves the call.
    pub(in crate::centre) fn unsupervise(&mut self, name: &str, cx: &mut Context<'_>) -> Result<(), Refused> {
        let leg = self.supervisors.remove(name).ok_or(Refused::WrongState)?;
        cx.withdraw(leg);
        cx.publish();
        Ok(())
    }

    /// The supervisor's phone answered.
    pub(in crate::centre) fn supervisor_joined(&mut self, name: &str, leg: LegId, cx: &mut Context<'_>) {
        if self.supervisors.join(name, leg) {
            self.place_supervisors(cx);
            cx.coordinator.admit_leg(cx.now, self.session, leg);
        }
        cx.publish();
    }

    /// The supervisor's phone did not answer, or is out of the call.
    pub(in crate::centre) fn supervisor_left(&mut self, name: &str, cx: &mut Context<'_>) {
        self.supervisors.remove(name);
        cx.publish();
    }

    /// Lets supervisors hear and be heard as they chose, beside the agent who has the call now.
    pub(in crate::centre) fn place_supervisors(&self, cx: &mut Context<'_>) {
        let agent = self.agent_leg().map(|agent| agent.leg);
        for (leg, role) in self.supervisors.roles(agent) {
            cx.coordinator.set_role(leg, role);
        }
    }
}
