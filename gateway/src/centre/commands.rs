//! Actions of agents and supervisors: who may act on which call, and what each command does.

use std::sync::Arc;

use call_engine::acd::{AgentId, AssignmentId, CallId, Input, Intent, Refusal};

use session_core::SessionId;

use super::call::{AgentLeg, Call, HungUpBy};
use super::command::{Asked, By, Command, Refused};
use super::consult::ConsultEnd;
use super::context::Ctx;
use super::controller::Controller;
use super::journal::Answer;
use super::{ids, view};

/// Duration of a digit, milliseconds.
const DIGIT_MS: u16 = 160;

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
            Command::Intent { agent, intent } => {
                let agent = self.agent(&agent)?;
                let intent = intent.into();
                check(self.input(Input::Intent { agent, intent }, cx))
            }
            Command::WrapUp { agent, disposition } => {
                let agent = self.agent(&agent)?;
                let code = disposition;
                check(self.input(Input::WrappedUp { agent, code }, cx))
            }
            Command::Reject { assignment } => {
                let assignment = self.assignment_of(by, &assignment)?;
                check(self.input(Input::Reject { assignment }, cx))
            }
            Command::Hold { call, held } => self.hold(self.call_of(by, &call)?, held, cx),
            Command::Dtmf { call, digits } => self.dial_digits(self.call_of(by, &call)?, &digits, cx),
            Command::Transfer { call, to } => self.transfer(self.call_of(by, &call)?, to, cx),
            Command::Consult { call, to } => self.begin_consult(self.call_of(by, &call)?, &to, cx),
            Command::Complete { call } => self.complete(self.call_of(by, &call)?, cx),
            Command::Merge { call } => self.merge(self.call_of(by, &call)?, cx),
            Command::Abort { call } => self.abort(self.call_of(by, &call)?, cx),
            Command::Leave { call } => self.leave(self.call_of(by, &call)?, cx),
            Command::HangUp { call } => match self.direct_call_of(by, &call) {
                Some(session) => {
                    cx.coordinator.terminate_session(cx.now, session);
                    Ok(())
                }
                None => self.hang_up(by, self.call_of(by, &call)?, cx),
            },
            Command::SignOut { agent } => self.sign_out(self.agent(&agent)?, cx),
            Command::Note {
                call,
                disposition,
                notes,
            } => self.note(by, &call, disposition, notes),
            Command::Supervise { call, mode } => self.supervise(by, self.call_of(by, &call)?, mode, cx),
            Command::Unsupervise { call } => self.unsupervise(by, self.call_of(by, &call)?, cx),
            Command::PageAlive { agent } => {
                let agent = self.agent(&agent)?;
                self.input(Input::Proof { agent }, cx);
                Ok(())
            }
        }
    }

    pub(super) fn agent(&self, id: &str) -> Result<AgentId, Refused> {
        self.directory
            .person_by_id(id)
            .and_then(|person| person.agent.as_ref())
            .map(|agent| agent.id)
            .ok_or(Refused::UnknownAgent)
    }

    pub(super) fn name_of(&self, by: &By) -> Result<String, Refused> {
        let id = by.person().ok_or(Refused::NotAllowed)?;
        let person = self.directory.person_by_id(id).ok_or(Refused::UnknownAgent)?;
        Ok(person.name.clone())
    }

    pub(super) fn call(&self, call: CallId) -> Result<&Call, Refused> {
        self.calls.get(&call).ok_or(Refused::UnknownCall)
    }

    /// The agent who talks with the caller, and the agent's leg.
    pub(super) fn talking(&self, call: CallId) -> Result<AgentLeg, Refused> {
        self.call(call)?.talking().ok_or(Refused::WrongState)
    }

    /// The call with this id, if the sender may act on it. Other calls appear not to exist.
    fn call_of(&self, by: &By, id: &str) -> Result<CallId, Refused> {
        let call = ids::read_call(id).ok_or(Refused::UnknownCall)?;
        let agent = self.call(call)?.agent_leg().map(|agent| agent.agent);
        self.may_act(by, agent)
            .then_some(call)
            .ok_or(Refused::UnknownCall)
    }

    /// The session of the direct call with this id, if the sender may end it.
    fn direct_call_of(&self, by: &By, id: &str) -> Option<SessionId> {
        match by {
            By::Gateway | By::Supervisor(_) => self.direct.session_of(ids::read_call(id)?),
            By::Agent(_) => None,
        }
    }

    fn assignment_of(&self, by: &By, id: &str) -> Result<AssignmentId, Refused> {
        let assignment = ids::read_assignment(id).ok_or(Refused::AssignmentGone)?;
        let agent = self.engine.assigned(assignment).ok_or(Refused::AssignmentGone)?;
        self.may_act(by, Some(agent))
            .then_some(assignment)
            .ok_or(Refused::AssignmentGone)
    }

    /// True when the sender may act on what this agent has.
    fn may_act(&self, by: &By, agent: Option<AgentId>) -> bool {
        match by {
            By::Gateway | By::Supervisor(_) => true,
            By::Agent(id) => agent
                .and_then(|agent| self.directory.agent(agent))
                .is_some_and(|person| person.id == *id),
        }
    }

    /// Sends digits to the caller's side.
    fn dial_digits(&mut self, call: CallId, digits: &str, cx: &mut Ctx<'_>) -> Result<(), Refused> {
        let caller = self.call(call)?.caller;
        for digit in digits.chars() {
            cx.coordinator.send_dtmf(cx.now, caller, digit, DIGIT_MS);
        }
        Ok(())
    }

    fn hang_up(&mut self, by: &By, call: CallId, cx: &mut Ctx<'_>) -> Result<(), Refused> {
        let call = self.calls.get_mut(&call).ok_or(Refused::UnknownCall)?;
        call.hung_up_by = match by {
            By::Supervisor(_) => HungUpBy::Supervisor,
            By::Agent(_) | By::Gateway => HungUpBy::Participant,
        };
        cx.coordinator.terminate_session(cx.now, call.session);
        Ok(())
    }

    /// Signs an agent out. The agent's call goes on without the agent: with the colleagues whom the agent brought in, or in its
    /// queue at the same place.
    fn sign_out(&mut self, agent: AgentId, cx: &mut Ctx<'_>) -> Result<(), Refused> {
        // Once the agent is free, nothing more is assigned.
        let intent = Intent::Offline;
        let refused = self.input(Input::Intent { agent, intent }, cx);
        let theirs = self.calls_of(agent).next();
        if let Some(call) = theirs {
            if let Some(consult) = self.stop_consulting(call, ConsultEnd::GaveUp, cx) {
                cx.coordinator.terminate_session(cx.now, consult.session);
            }
            if self.call(call)?.others.is_empty() {
                self.requeue(call, None, None, cx)?;
            } else {
                self.leave_to_others(call, agent, cx);
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
        let agent = self.agent(id)?;
        let name = self.name_of(by)?;
        let number = ids::read_call(call).ok_or(Refused::UnknownCall)?;
        let directory = Arc::clone(&self.directory);
        let call = self.calls.get_mut(&number).ok_or(Refused::UnknownCall)?;
        if !call.agents.contains(&agent) {
            return Err(Refused::UnknownCall);
        }
        if let Some(notes) = notes {
            let name = directory
                .person(&name)
                .map_or(name, |person| person.display.clone());
            view::AgentNotes::write(&mut call.notes, id, &name, notes);
        }
        call.disposition = disposition.or(call.disposition.take());
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
