//! Consultation: an agent asks somebody in a session beside that of the caller, to hand the call over (attended transfer), to talk as
//! three, or to come back.

use call_engine::acd::{AgentId, Input};
use sans_io::Time;
use session_core::{Application, Caller, LegId, SessionId};
use sip_core::message::StatusCode;

use super::super::command::Refused;
use super::super::invitation::{CONSULT_HEADER, QUEUE_HEADER, invitation};
use super::super::legs::Role;
use super::super::targets::Named;
use super::super::view::Change;
use super::super::{history, ids};
use super::state::CallState;
use super::{Call, Context, Other};

/// SIP response of a party that cannot be called (RFC 3261 §21.4.18).
const UNAVAILABLE: StatusCode = StatusCode::TEMPORARILY_UNAVAILABLE;

/// A question that an agent asks somebody, in a session whose first leg is the agent's.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::centre) struct Consult {
    pub(in crate::centre) session: SessionId,
    /// Name or number as shown.
    pub(in crate::centre) to: String,
    /// The consulted party, if it is an agent.
    pub(in crate::centre) agent: Option<AgentId>,
    pub(in crate::centre) began: Time,
    pub(in crate::centre) stage: ConsultStage,
}

/// Progress of a consultation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::centre) enum ConsultStage {
    Ringing {
        leg: LegId,
    },
    Talking {
        leg: LegId,
        answered: Time,
    },
    /// Nobody answered, or the consulted party left.
    Failed {
        how: ConsultEnd,
    },
}

/// End of a consultation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::centre) enum ConsultEnd {
    /// The agent gave it up, or is gone.
    GaveUp,
    /// The consulted party did not answer, with this SIP response.
    Refused(StatusCode),
    /// The consulted party hung up.
    Left,
}

impl ConsultEnd {
    /// SIP response of a party that did not answer.
    pub(in crate::centre) fn code(self) -> Option<u16> {
        match self {
            ConsultEnd::Refused(code) => Some(code.get()),
            ConsultEnd::GaveUp | ConsultEnd::Left => None,
        }
    }
}

impl Call {
    /// Lets the agent ask somebody, while the caller hears music. Returns the user who is asked, if it is one of ours.
    pub(in crate::centre) fn ask(
        &mut self,
        target: Named,
        cx: &mut Context<'_>,
    ) -> Result<Option<String>, Refused> {
        let agent = self.talking().ok_or(Refused::WrongState)?;
        let me = cx.directory.agent(agent.agent).map(|person| Caller {
            user: person.name.clone(),
            display: person.display.clone(),
        });
        self.resume(cx);
        let session = cx
            .coordinator
            .split(cx.now, agent.leg)
            .ok_or(Refused::WrongState)?;
        cx.coordinator.keep(session, true);
        cx.coordinator.play(agent.leg, Some(Application::Ringback));
        cx.coordinator.play(self.caller, Some(Application::Music));
        cx.legs.set_session(session, cx.id);
        cx.open_records.add(session, cx.id);
        // A colleague's page shows which call it is consulted about. Other phones learn nothing of it.
        let headers = target.agent.map_or_else(Vec::new, |_| {
            let queue = cx.directory.queue(self.queue);
            let name = queue.map(|queue| queue.display.clone());
            vec![
                (CONSULT_HEADER.to_owned(), ids::call(cx.id)),
                (QUEUE_HEADER.to_owned(), name.unwrap_or_default()),
            ]
        });
        let invited = cx
            .coordinator
            .invite(cx.now, session, invitation(target.party, me, headers));
        let (stage, asked) = match invited {
            Ok(leg) => {
                cx.legs.set(leg, Role::Consulted(cx.id));
                (ConsultStage::Ringing { leg }, cx.coordinator.user_of(leg))
            }
            Err(_) => {
                cx.coordinator.play(agent.leg, Some(Application::Busy));
                let how = ConsultEnd::Refused(UNAVAILABLE);
                (ConsultStage::Failed { how }, None)
            }
        };
        let asked = asked.map(str::to_owned);
        let consult = Consult {
            session,
            to: target.name,
            agent: target.agent,
            began: cx.now,
            stage,
        };
        self.begin_consult(cx.now, consult);
        cx.publish();
        Ok(asked)
    }

    /// The consulted party answered: the agent hears it. A phone that is asked no longer is let go.
    pub(in crate::centre) fn consulted(&mut self, (invitation, leg): (LegId, LegId), cx: &mut Context<'_>) {
        if let CallState::Consulting { agent, consult } = &mut self.state
            && consult.answered(cx.now, invitation, leg)
        {
            cx.coordinator.play(agent.leg, None);
            cx.coordinator.admit_leg(cx.now, consult.session, leg);
            cx.publish();
        } else {
            cx.withdraw(leg);
        }
    }

    /// The consulted party did not answer, or has left: the agent hears that.
    pub(in crate::centre) fn consult_failed(&mut self, how: ConsultEnd, cx: &mut Context<'_>) {
        self.log_consult(how, cx);
        // The invitation of a consultation that the agent ended ends later.
        let CallState::Consulting { agent, consult } = &mut self.state else {
            return;
        };
        if let Some(leg) = consult.fail(how) {
            cx.legs.remove(leg);
        }
        cx.coordinator.play(agent.leg, Some(Application::Busy));
        cx.publish();
    }

    /// Attended transfer: the caller and the consulted party talk, and the agent is out, to whom it returns.
    pub(in crate::centre) fn complete(&mut self, cx: &mut Context<'_>) -> Result<AgentId, Refused> {
        let agent = self.agent_leg().ok_or(Refused::WrongState)?;
        let (consult, leg) = self.end_talk(cx)?;
        let released = self.release(cx.now);
        self.rejoin(&consult, cx);
        released.hang_up(cx);
        self.join(leg, consult.into(), cx);
        Ok(agent.agent)
    }

    /// Three-way call: caller, agent and the consulted party talk.
    pub(in crate::centre) fn merge(&mut self, cx: &mut Context<'_>) -> Result<Input, Refused> {
        let (consult, leg) = self.end_talk(cx)?;
        self.rejoin(&consult, cx);
        self.join(leg, consult.into(), cx);
        Ok(not_held(cx))
    }

    /// The agent is back with the caller, and the consulted party is out.
    pub(in crate::centre) fn abort(&mut self, cx: &mut Context<'_>) -> Result<Input, Refused> {
        self.log_consult(ConsultEnd::GaveUp, cx);
        let agent = self.talking().ok_or(Refused::WrongState)?;
        let consult = self.end_consult(cx.now, cx.phase).ok_or(Refused::WrongState)?;
        if let Some(leg) = consult.leg() {
            cx.withdraw(leg);
        }
        cx.legs.remove_session(consult.session);
        cx.coordinator.play(agent.leg, None);
        self.rejoin(&consult, cx);
        cx.publish();
        Ok(not_held(cx))
    }

    /// Ends the consultation, if there is one. Returns its session, which goes on until it is terminated.
    pub(in crate::centre) fn stop_consulting(&mut self, cx: &mut Context<'_>) -> Option<SessionId> {
        self.log_consult(ConsultEnd::GaveUp, cx);
        let consult = self.end_consult(cx.now, cx.phase)?;
        consult.leave_index(cx);
        cx.publish();
        Some(consult.session)
    }

    /// The session of the consultation is over: the agent hung up, and the caller waits for another one.
    pub(in crate::centre) fn consult_ended(&mut self, cx: &mut Context<'_>) -> Option<Input> {
        self.stop_consulting(cx)?;
        Some(Call::requeued(None, None, cx))
    }

    /// Writes a consultation that is about to end so into the histories of agents.
    pub(super) fn log_consult(&self, how: ConsultEnd, cx: &mut Context<'_>) {
        // Mostly nobody is asked.
        let CallState::Consulting { agent, consult } = &self.state else {
            return;
        };
        let numbers = &mut *cx.numbers;
        let number = || numbers.next(cx.now);
        let record = history::consultation(cx.directory, (agent.agent, consult), how, cx.now, number);
        if let Some(record) = record {
            cx.publisher.change(cx.now, Change::Logged { record });
        }
    }

    /// Ends the consultation of a party that talks. Returns that party's leg.
    fn end_talk(&mut self, cx: &mut Context<'_>) -> Result<(Consult, LegId), Refused> {
        let leg = self.consult().and_then(Consult::talking);
        let leg = leg.ok_or(Refused::WrongState)?;
        let consult = self.end_consult(cx.now, cx.phase).ok_or(Refused::WrongState)?;
        cx.legs.remove_session(consult.session);
        cx.publish();
        Ok((consult, leg))
    }

    /// Lets the caller and those of a consultation hear each other. Where they cannot, the caller is not left alone.
    fn rejoin(&self, consult: &Consult, cx: &mut Context<'_>) {
        cx.coordinator.play(self.caller, None);
        let (host, guest) = (self.session, consult.session);
        if cx.coordinator.join(cx.now, host, guest).is_err() {
            tracing::warn!(host = host.0, guest = guest.0, "sessions cannot be joined");
            cx.coordinator.terminate_session(cx.now, guest);
        }
    }
}

/// The caller is off hold.
fn not_held(cx: &Context<'_>) -> Input {
    Input::Held {
        call: cx.id,
        held: false,
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

impl Consult {
    /// The phone that rang under `invitation` was answered by this leg; false if no such phone rings.
    fn answered(&mut self, now: Time, invitation: LegId, leg: LegId) -> bool {
        let rings = self.stage == ConsultStage::Ringing { leg: invitation };
        if rings {
            self.stage = ConsultStage::Talking { leg, answered: now };
        }
        rings
    }

    /// The consulted party is out. Returns its leg.
    fn fail(&mut self, how: ConsultEnd) -> Option<LegId> {
        let leg = self.leg();
        self.stage = ConsultStage::Failed { how };
        leg
    }

    /// Events of its session and of the consulted party no longer find the call.
    pub(super) fn leave_index(&self, cx: &mut Context<'_>) {
        cx.legs.remove_session(self.session);
        if let Some(leg) = self.leg() {
            cx.legs.remove(leg);
        }
    }

    /// Leg of the consulted party, once it talks.
    pub(in crate::centre) fn talking(&self) -> Option<LegId> {
        match self.stage {
            ConsultStage::Talking { leg, .. } => Some(leg),
            ConsultStage::Ringing { .. } | ConsultStage::Failed { .. } => None,
        }
    }

    /// Leg of the consulted party, while there is one.
    pub(in crate::centre) fn leg(&self) -> Option<LegId> {
        match self.stage {
            ConsultStage::Ringing { leg } | ConsultStage::Talking { leg, .. } => Some(leg),
            ConsultStage::Failed { .. } => None,
        }
    }
}
