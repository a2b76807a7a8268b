//! Supervisors in calls: they listen, whisper to the agent, or talk with all.

use call_engine::acd::CallId;
use session_core::{LegId, Party, Role as BridgeRole};

use super::call::{Supervisor, SupervisorStage};
use super::command::{By, Refused};
use super::context::Ctx;
use super::controller::Controller;
use super::ids;
use super::invitation::{CALL_HEADER, answer_at_once, invitation};
use super::legs::Role;
use super::view::Mode;

impl Controller {
    pub(super) fn supervise(
        &mut self,
        by: &By,
        id: CallId,
        mode: Mode,
        cx: &mut Ctx<'_>,
    ) -> Result<(), Refused> {
        let By::Supervisor(_) = by else {
            return Err(Refused::NotAllowed);
        };
        let name = self.name_of(by)?;
        let call = self.calls.get_mut(&id).ok_or(Refused::UnknownCall)?;
        match call.supervisors.get_mut(&name) {
            Some(supervisor) => {
                supervisor.mode = mode;
                self.place_supervisors(id, cx);
            }
            None => {
                let headers = vec![(CALL_HEADER.to_owned(), ids::call(id)), answer_at_once()];
                let invitation = invitation(Party::User(name.clone()), None, headers);
                let leg = cx
                    .coordinator
                    .invite(cx.now, call.session, invitation)
                    .map_err(|_| Refused::Unreachable)?;
                let supervisor = Supervisor {
                    leg,
                    mode,
                    stage: SupervisorStage::Ringing,
                };
                call.supervisors.insert(name.clone(), supervisor);
                self.legs.set(leg, Role::Supervisor(id, name));
            }
        }
        self.publisher.call(id);
        Ok(())
    }

    pub(super) fn unsupervise(&mut self, by: &By, id: CallId, cx: &mut Ctx<'_>) -> Result<(), Refused> {
        let name = self.name_of(by)?;
        let call = self.calls.get_mut(&id);
        let supervisor = call.and_then(|call| call.supervisors.remove(&name));
        let leg = supervisor.ok_or(Refused::WrongState)?.leg;
        self.legs.remove(leg);
        cx.coordinator.withdraw(cx.now, leg, false);
        self.publisher.call(id);
        Ok(())
    }

    /// The supervisor's phone answered.
    pub(super) fn supervisor_joined(&mut self, id: CallId, name: &str, leg: LegId, cx: &mut Ctx<'_>) {
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        let Some(supervisor) = call.supervisors.get_mut(name) else {
            return;
        };
        supervisor.stage = SupervisorStage::Joined;
        supervisor.leg = leg;
        let session = call.session;
        self.place_supervisors(id, cx);
        cx.coordinator.admit_leg(cx.now, session, leg);
        self.publisher.call(id);
    }

    /// The supervisor's phone did not answer, or is out of the call.
    pub(super) fn supervisor_left(&mut self, id: CallId, name: &str) {
        if let Some(call) = self.calls.get_mut(&id) {
            call.supervisors.remove(name);
        }
        self.publisher.call(id);
    }

    /// Lets supervisors hear and be heard as they chose; one who whispers, whispers to the agent who has the call now.
    pub(super) fn place_supervisors(&mut self, id: CallId, cx: &mut Ctx<'_>) {
        let Some(call) = self.calls.get(&id) else { return };
        let joined = call
            .supervisors
            .values()
            .filter(|supervisor| supervisor.stage == SupervisorStage::Joined);
        for supervisor in joined {
            let role = match (supervisor.mode, call.agent_leg()) {
                (Mode::Party, _) => BridgeRole::Party,
                (Mode::Whisper, Some(agent)) => BridgeRole::Coach(agent.leg),
                (Mode::Whisper | Mode::Listen, _) => BridgeRole::Listener,
            };
            cx.coordinator.set_role(supervisor.leg, role);
        }
    }
}
