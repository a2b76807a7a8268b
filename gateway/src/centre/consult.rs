//! Consultation: an agent asks somebody while the caller hears music, to hand the call over (attended transfer), to talk as three,
//! or to come back.

use call_engine::acd::{CallId, Input};
use sans_io::Time;
use session_core::{Application, Caller, LegId, SessionId};
use sip_core::message::StatusCode;

use super::call::{Consult, ConsultEnd, ConsultStage, Other};
use super::command::{Refused, Target};
use super::commands::check;
use super::context::Ctx;
use super::controller::Controller;
use super::ids;
use super::invitation::{CONSULT_HEADER, QUEUE_HEADER, invitation};
use super::legs::Role;

/// SIP response of a party that cannot be called (RFC 3261 §21.4.18).
const UNAVAILABLE: StatusCode = StatusCode::TEMPORARILY_UNAVAILABLE;

impl Controller {
    pub(super) fn begin_consult(&mut self, id: CallId, to: &Target, cx: &mut Ctx<'_>) -> Result<(), Refused> {
        let agent = self.talking(id)?;
        let call = self.call(id)?;
        if call.consult().is_some() || call.has_others() {
            return Err(Refused::WrongState);
        }
        let target = self.targets(cx).party(agent.agent, to)?;
        let (caller, queue) = (call.caller, call.queue);
        let me = self.directory.agent(agent.agent).map(|person| Caller {
            user: person.name.clone(),
            display: person.display.clone(),
        });
        cx.coordinator.resume(cx.now, caller);
        let session = cx
            .coordinator
            .split(cx.now, agent.leg)
            .ok_or(Refused::WrongState)?;
        cx.coordinator.keep(session, true);
        cx.coordinator.play(agent.leg, Some(Application::Ringback));
        cx.coordinator.play(caller, Some(Application::Music));
        self.legs.set_session(session, id);
        self.open_records.add(session, id);
        // A colleague's page shows which call it is consulted about. Other phones learn nothing of it.
        let headers = target.agent.map_or_else(Vec::new, |_| {
            let queue = self.directory.queue(queue);
            let name = queue.map(|queue| queue.display.clone());
            vec![
                (CONSULT_HEADER.to_owned(), ids::call(id)),
                (QUEUE_HEADER.to_owned(), name.unwrap_or_default()),
            ]
        });
        let invited = cx
            .coordinator
            .invite(cx.now, session, invitation(target.party, me, headers))
            .ok();
        let stage = match invited {
            Some(leg) => {
                self.legs.set(leg, Role::Consulted(id));
                ConsultStage::Ringing { leg }
            }
            None => ConsultStage::Failed {
                how: ConsultEnd::Refused(UNAVAILABLE),
            },
        };
        if let Some(call) = self.calls.get_mut(&id) {
            let consult = Consult {
                session,
                to: target.name,
                agent: target.agent,
                began: cx.now,
                stage,
            };
            call.begin_consult(cx.now, consult);
        }
        // Nothing is assigned to somebody who is asked by a colleague.
        let user = invited.and_then(|leg| cx.coordinator.user_of(leg));
        let user = user.map(str::to_owned);
        self.count_lines(user.as_deref(), cx);
        let held = Input::Held { call: id, held: true };
        self.input(held, cx);
        if invited.is_none() {
            cx.coordinator.play(agent.leg, Some(Application::Busy));
        }
        self.publisher.call(id);
        Ok(())
    }

    /// The consulted party answered.
    pub(super) fn consulted(&mut self, id: CallId, (invitation, leg): (LegId, LegId), cx: &mut Ctx<'_>) {
        let call = self.calls.get_mut(&id);
        if call.is_some_and(|call| call.consulted((invitation, leg), cx)) {
            self.publisher.call(id);
        } else {
            self.legs.remove(leg);
            cx.coordinator.withdraw(cx.now, leg, false);
        }
    }

    /// The consulted party did not answer, or has left.
    pub(super) fn consult_failed(&mut self, id: CallId, how: ConsultEnd, cx: &mut Ctx<'_>) {
        self.log_consult(id, how, cx);
        if let Some(call) = self.calls.get_mut(&id)
            && call.consult_failed(how, &mut self.legs, cx)
        {
            self.publisher.call(id);
        }
    }

    /// Ends the consultation; the consulted party must be talking.
    fn end_consult(&mut self, id: CallId, now: Time) -> Result<(Consult, LegId), Refused> {
        let phase = self.engine.phase(id);
        let call = self.calls.get_mut(&id).ok_or(Refused::UnknownCall)?;
        let leg = call
            .consult()
            .and_then(Consult::talking)
            .ok_or(Refused::WrongState)?;
        let consult = call.end_consult(now, phase).ok_or(Refused::WrongState)?;
        self.legs.remove_session(consult.session);
        self.publisher.call(id);
        Ok((consult, leg))
    }

    /// Attended transfer: the caller and the consulted party talk, and the agent is out.
    pub(super) fn complete(&mut self, id: CallId, cx: &mut Ctx<'_>) -> Result<(), Refused> {
        let agent = self.call(id)?.agent_leg().ok_or(Refused::WrongState)?;
        let (consult, leg) = self.end_consult(id, cx.now)?;
        let Some(call) = self.calls.get_mut(&id) else {
            return Ok(());
        };
        let released = call.release(cx.now);
        let (session, caller) = (call.session, call.caller);
        cx.coordinator.play(caller, None);
        join(session, consult.session, cx);
        released.hang_up(&mut self.legs, cx);
        self.add_other(id, leg, consult.into());
        self.hand_over(id, agent.agent, cx);
        tracing::debug!(agent = agent.agent.0, "attended transfer");
        Ok(())
    }

    /// Three-way call: caller, agent and the consulted party talk.
    pub(super) fn merge(&mut self, id: CallId, cx: &mut Ctx<'_>) -> Result<(), Refused> {
        let (consult, leg) = self.end_consult(id, cx.now)?;
        if let Some(call) = self.calls.get_mut(&id) {
            cx.coordinator.play(call.caller, None);
            join(call.session, consult.session, cx);
        }
        self.add_other(id, leg, consult.into());
        let held = Input::Held {
            call: id,
            held: false,
        };
        check(self.input(held, cx))
    }

    /// The agent is back with the caller, and the consulted party is out.
    pub(super) fn abort(&mut self, id: CallId, cx: &mut Ctx<'_>) -> Result<(), Refused> {
        self.log_consult(id, ConsultEnd::GaveUp, cx);
        let phase = self.engine.phase(id);
        let call = self.calls.get_mut(&id).ok_or(Refused::UnknownCall)?;
        let agent = call.talking().ok_or(Refused::WrongState)?;
        let consult = call.end_consult(cx.now, phase).ok_or(Refused::WrongState)?;
        let (session, caller) = (call.session, call.caller);
        if let Some(leg) = consult.leg() {
            self.legs.remove(leg);
            cx.coordinator.withdraw(cx.now, leg, false);
        }
        self.legs.remove_session(consult.session);
        cx.coordinator.play(agent.leg, None);
        cx.coordinator.play(caller, None);
        join(session, consult.session, cx);
        self.publisher.call(id);
        let held = Input::Held {
            call: id,
            held: false,
        };
        check(self.input(held, cx))
    }

    /// Ends the consultation of a call, if there is one; its session goes on until it is terminated.
    pub(super) fn stop_consulting(
        &mut self,
        id: CallId,
        how: ConsultEnd,
        cx: &mut Ctx<'_>,
    ) -> Option<Consult> {
        self.log_consult(id, how, cx);
        let phase = self.engine.phase(id);
        let consult = self.calls.get_mut(&id)?.end_consult(cx.now, phase)?;
        self.forget_consult(&consult);
        self.publisher.call(id);
        Some(consult)
    }

    pub(super) fn forget_consult(&mut self, consult: &Consult) {
        self.legs.remove_session(consult.session);
        if let Some(leg) = consult.leg() {
            self.legs.remove(leg);
        }
    }
}

/// Lets those of two sessions hear each other. Where they cannot, the caller is not left alone.
fn join(host: SessionId, guest: SessionId, cx: &mut Ctx<'_>) {
    if cx.coordinator.join(cx.now, host, guest).is_err() {
        tracing::warn!(host = host.0, guest = guest.0, "sessions cannot be joined");
        cx.coordinator.terminate_session(cx.now, guest);
    }
}

impl From<Consult> for Other {
    fn from(consult: Consult) -> Other {
        Other {
            name: consult.to,
            agent: consult.agent,
        }
    }
}
