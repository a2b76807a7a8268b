//! Actions of agents and supervisors: who may act on which call, and what each command does.

use call_engine::acd::{AgentId, CallId, Input, Intent, Refusal};

use super::super::call::{self, AgentLeg, Call};
use super::super::command::{Asked, By, Command, Refused};
use super::super::context::Ctx;
use super::super::ids;
use super::super::journal::Answer;
use super::super::view::Change;
use super::Controller;

impl Controller {
    /// Carries out a command, or refuses it. The reply is sent once the result is durable and published. True
    /// if it was carried out.
    pub fn command(&mut self, asked: Asked, cx: &mut Ctx<'_>) -> bool {
        let Asked { by, command, reply } = asked;
        let result = self.obey(&by, command, cx);
        let done = result.is_ok();
        self.count_lines(None, cx);
        self.publisher.answer(Answer { reply, result });
        self.publish(cx.now);
        done
    }

    fn obey(&mut self, by: &By, command: Command, cx: &mut Ctx<'_>) -> Result<(), Refused> {
        match command {
            Command::Reconfigure(reconfiguration) => self.reconfigure(*reconfiguration, cx),
            // The switch has it.
            Command::HandleCalls { .. } => {
                let what = "call-handling".to_owned();
                self.publisher.change(cx.now, Change::Config { what });
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
                if let Some(session) = self.rights().direct_call(by, &call) {
                    cx.coordinator.terminate_session(cx.now, session);
                    return Ok(());
                }
                let call = self.rights().call(by, &call)?;
                self.with(call, cx, |call, cx| call.hang_up(by, cx));
                Ok(())
            }
            Command::SignOut { agent } => self.sign_out(self.rights().agent(&agent)?, cx),
            Command::Note {
                call,
                disposition,
                notes,
            } => self.note(by, &call, disposition, notes),
            Command::Supervise { call, mode } => {
                let call = self.rights().call(by, &call)?;
                let name = self.rights().supervisor(by)?.to_owned();
                let (call, mut cx) = self.call(call, cx).ok_or(Refused::UnknownCall)?;
                call.supervise(name, mode, &mut cx)
            }
            Command::Unsupervise { call } => {
                let call = self.rights().call(by, &call)?;
                let name = self.rights().name(by)?.to_owned();
                let (call, mut cx) = self.call(call, cx).ok_or(Refused::UnknownCall)?;
                call.unsupervise(&name, &mut cx)
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
        let (call, mut context) = self.call(id, cx).ok_or(Refused::UnknownCall)?;
        let input = act(call, &mut context)?;
        check(self.input(input, cx))
    }

    /// The agent who talks with the caller, and the agent's leg.
    pub(super) fn talking(&self, call: CallId) -> Result<AgentLeg, Refused> {
        let call = self.calls.get(&call).ok_or(Refused::UnknownCall)?;
        call.talking().ok_or(Refused::WrongState)
    }

    /// Signs an agent out. The agent's call goes on without the agent: with the colleagues whom the agent brought in, or in its
    /// queue at the same place.
    fn sign_out(&mut self, agent: AgentId, cx: &mut Ctx<'_>) -> Result<(), Refused> {
        // Once the agent is free, nothing more is assigned.
        let intent = Intent::Offline;
        let refused = self.input(Input::Intent { agent, intent }, cx);
        let theirs = self.calls_of(agent).next();
        if let Some(id) = theirs {
            if let Some(session) = self.with(id, cx, |call, cx| call.stop_consulting(cx)) {
                cx.coordinator.terminate_session(cx.now, session);
            }
            if self.calls.get(&id).is_some_and(Call::has_others) {
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
        disposition: Option<String>,
        notes: Option<String>,
    ) -> Result<(), Refused> {
        let id = by.person().ok_or(Refused::NotAllowed)?;
        let agent = self.rights().agent(id)?;
        let number = ids::read_call(call).ok_or(Refused::UnknownCall)?;
        let person = self.directory.person_by_id(id).ok_or(Refused::UnknownAgent)?;
        let call = self.calls.get_mut(&number).ok_or(Refused::UnknownCall)?;
        if !call.agents().contains(&agent) {
            return Err(Refused::UnknownCall);
        }
        call.note((id, &person.display), disposition, notes);
        self.publisher.call(number);
        Ok(())
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
