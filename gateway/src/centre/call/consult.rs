//! Consultation: what an agent who asks somebody has in a session beside that of the caller.

use call_engine::acd::AgentId;
use sans_io::Time;
use session_core::{Application, LegId, SessionId};
use sip_core::message::StatusCode;

use super::super::context::Ctx;
use super::super::legs::Legs;
use super::Call;
use super::state::CallState;

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
    /// The consulted party answered: the agent hears it. False if nobody was consulted under this invitation.
    pub(in crate::centre) fn consulted(
        &mut self,
        (invitation, leg): (LegId, LegId),
        cx: &mut Ctx<'_>,
    ) -> bool {
        let CallState::Consulting { agent, consult } = &mut self.state else {
            return false;
        };
        let answered = consult.answered(cx.now, invitation, leg);
        if answered {
            cx.coordinator.play(agent.leg, None);
            cx.coordinator.admit_leg(cx.now, consult.session, leg);
        }
        answered
    }

    /// The consulted party did not answer, or has left: the agent hears that. False if nobody was consulted.
    pub(in crate::centre) fn consult_failed(
        &mut self,
        how: ConsultEnd,
        legs: &mut Legs,
        cx: &mut Ctx<'_>,
    ) -> bool {
        let CallState::Consulting { agent, consult } = &mut self.state else {
            return false;
        };
        if let Some(leg) = consult.fail(how) {
            legs.remove(leg);
        }
        cx.coordinator.play(agent.leg, Some(Application::Busy));
        true
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
