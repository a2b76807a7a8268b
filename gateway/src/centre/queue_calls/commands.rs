//! Actions of agents and supervisors: who may act on which call, and what each command does.

use call_engine::acd::{AgentId, CallId, Input, Intent, Refusal};

use super::super::call::{self, AgentLeg, Call};
use super::super::command::{By, Command, Refused};
use super::super::context::Ctx;
use super::super::ids;
use super::super::view::Change;
use super::QueueCalls;

impl QueueCalls {
    /// Carries out a command, or refuses it.
    pub(in crate::centre) fn obey(
        &mut self,
        by: &By,
        command: Command,
        cx: &mut Ctx<'_>,
    ) -> Result<(), Refused> {
        match command {
            Command::Reconfigure(reconfiguration) => self.reconfigure(*reconfiguration, cx),
            // The switch has it.
            Command::HandleCalls { .. } => {
                let what = "call-handling".to_owned();
                self.publication().change(cx.now, Change::Config { what });
                Ok(())
            }
            Command::Intent { agent, intent } => {
                let agent = self.rights().agent(&agent)?;
                let intent = intent.into();
                check(self.input(Input::Intent { agent, intent }, cx))
            }
            Command::WrapUp { agent, disposition } => {
                let agent = self.rights().agent(&agent)?;
                let code = disposition;
                check(self.input(Input::WrappedUp { agent, code }, cx))
            }
            Command::Reject { assignment } => {
                let assignment = self.rights().assignment(by, &assignment)?;
                check(self.input(Input::Reject { assignment }, cx))
            }
            Command::Hold { call, held } => {
                let call = self.rights().call(by, &call)?;
                self.order(call, cx, |call, cx| call.hold(held, cx))
            }
            Command::Dtmf { call, digits } => {
                let call = self.rights().call(by, &call)?;
                self.with(call, cx, |call, cx| call.send_digits(&digits, cx));
                Ok(())
            }
            Command::Transfer { call, to } => self.transfer(self.rights().call(by, &call)?, to, cx),
            Command::Consult { call, to } => self.begin_consult(self.rights().call(by, &call)?, &to, cx),
            Command::Complete { call } => self.complete(self.rights().call(by, &call)?, cx),
            Command::Merge { call } => {
                let call = self.rights().call(by, &call)?;
                self.order(call, cx, |call, cx| call.merge(cx))
            }
            Command::Abort { call } => {
                let call = self.rights().call(by, &call)?;
                self.order(call, cx, |call, cx| call.abort(cx))
            }
            Command::Leave { call } => self.leave(self.rights().call(by, &call)?, cx),
            Command::HangUp { call } => {
                let call = self.rights().call(by, &call)?;
                self.with(call, cx, |call, cx| call.hang_up(by, cx));
                Ok(())
            }
            Command::SignOut { agent } => self.sign_out(self.rights().agent(&agent)?, cx),
            Command::Note {
                call,
                disposition,
                notes,
            } => self.note(by, &call, (disposition, notes), cx),
            Command::Supervise { call, mode } => {
                let call = self.rights().call(by, &call)?;
                let name = self.rights().supervisor(by)?.to_owned();
                self.ask(call, cx, |call, cx| call.supervise(name, mode, cx))
            }
            Command::Unsupervise { call } => {
                let call = self.rights().call(by, &call)?;
                let name = self.rights().name(by)?.to_owned();
                self.ask(call, cx, |call, cx| call.unsupervise(&name, cx))
            }
            Command::PageAlive { agent } => {
                let agent = self.rights().agent(&agent)?;
                self.input(Input::Proof { agent }, cx);
                Ok(())
            }
        }
    }

    /// Lets a call carry out a command, and passes what it returns to the engine.
    fn order(
        &mut self,
        id: CallId,
        cx: &mut Ctx<'_>,
        act: impl FnOnce(&mut Call, &mut call::Context<'_>) -> Result<Input, Refused>,
    ) -> Result<(), Refused> {
        let input = self.ask(id, cx, act)?;
        check(self.input(input, cx))
    }

    /// The agent who talks with the caller, and the agent's leg.
    pub(super) fn talking(&self, call: CallId) -> Result<AgentLeg, Refused> {
        let call = self.calls().get(call).ok_or(Refused::UnknownCall)?;
        call.talking().ok_or(Refused::WrongState)
    }

    /// Signs an agent out. The agent's call goes on without the agent: with the colleagues whom the agent brought in, or in its
    /// queue at the same place.
    fn sign_out(&mut self, agent: AgentId, cx: &mut Ctx<'_>) -> Result<(), Refused> {
        // Once the agent is free, nothing more is assigned.
        let intent = Intent::Offline;
        let refused = self.input(Input::Intent { agent, intent }, cx);
        let theirs = self.calls().of_agent(agent).next();
        if let Some(id) = theirs {
            if let Some(session) = self.with(id, cx, |call, cx| call.stop_consulting(cx)) {
                cx.coordinator.terminate_session(cx.now, session);
            }
            if self.calls().get(id).is_some_and(Call::has_others) {
                self.leave_to_others(id, agent, cx);
            } else {
                self.requeue(id, None, None, cx)?;
            }
        }
        // Nobody is left to do the wrap-up.
        self.input(Input::WrappedUp { agent, code: None }, cx);
        check(refused)
    }

    /// Writes down notes of an agent who has or had the call.
    fn note(
        &mut self,
        by: &By,
        call: &str,
        (disposition, notes): (Option<String>, Option<String>),
        cx: &mut Ctx<'_>,
    ) -> Result<(), Refused> {
        let id = by.person().ok_or(Refused::NotAllowed)?;
        let agent = self.rights().agent(id)?;
        let number = ids::read_call(call).ok_or(Refused::UnknownCall)?;
        self.ask(number, cx, |call, cx| {
            let person = cx.directory.person_by_id(id).ok_or(Refused::UnknownAgent)?;
            if !call.agents().contains(&agent) {
                return Err(Refused::UnknownCall);
            }
            call.note((id, &person.display), disposition, notes);
            cx.publisher.call(number);
            Ok(())
        })
    }
}

/// Refusal of the engine, in the words of the API.
pub(super) fn check(refusal: Option<Refusal>) -> Result<(), Refused> {
    match refusal {
        None => Ok(()),
        Some(refusal) => Err(match refusal {
            Refusal::AssignmentGone(_) => Refused::AssignmentGone,
            Refusal::UnknownQueue(_) => Refused::UnknownQueue,
            Refusal::UnknownAgent(_) => Refused::UnknownAgent,
            Refusal::UnknownCall(_) => Refused::WrongState,
            Refusal::AgentBusy(_) => Refused::AgentBusy,
            Refusal::NotWrappingUp(_) => Refused::NotWrappingUp,
            Refusal::CallExists(_) | Refusal::QueueBusy(_) | Refusal::Superseded(..) => Refused::WrongState,
        }),
    }
}
