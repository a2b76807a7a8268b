//! A call of the call centre, and the one state that it is in.

mod transitions;

use std::collections::BTreeMap;

use call_engine::acd::{AgentId, AssignmentId, QueueId};
use sans_io::Time;
use session_core::{LegId, SessionId};
use sip_core::message::StatusCode;

use super::view::{AgentNotes, Mode, Party};

/// A call that came for a queue, from its arrival to the end of its session.
pub(super) struct Call {
    pub(super) session: SessionId,
    pub(super) caller: LegId,
    pub(super) queue: QueueId,
    pub(super) from: Party,
    /// Number or name that was dialled.
    pub(super) to: String,
    pub(super) entered: Time,
    /// Time at which the present state began.
    pub(super) since: Time,
    /// Time at which an agent and the caller first heard each other.
    pub(super) answered: Option<Time>,
    /// Agents who have had it so far, the present one last.
    pub(super) agents: Vec<AgentId>,
    /// Agent who transferred it to where it is.
    pub(super) transferred_by: Option<AgentId>,
    /// Participants besides caller and agent.
    pub(super) others: BTreeMap<LegId, Other>,
    /// Supervisors by name.
    pub(super) supervisors: BTreeMap<String, Supervisor>,
    /// Notes of agents, one entry for each agent.
    pub(super) notes: Vec<AgentNotes>,
    pub(super) disposition: Option<String>,
    pub(super) hung_up_by: HungUpBy,
    state: CallState,
}

/// State of a call.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum CallState {
    /// From before a restart, and its caller has not gone on yet. `agent` had it.
    Recovering { agent: Option<AgentId> },
    /// In its queue.
    Waiting,
    /// In its queue, and phones of agents ring; there is at least one.
    Ringing {
        assignments: BTreeMap<AssignmentId, Assignment>,
    },
    /// An agent took it; caller and agent do not hear each other yet.
    Connecting { agent: AgentLeg },
    /// Caller and agent talk, with those who joined.
    Talking { agent: AgentLeg, held: bool },
    /// The agent asks somebody while the caller hears music.
    Consulting { agent: AgentLeg, consult: Consult },
    /// The agent's page is gone, and may come back.
    AgentAway {
        agent: AgentId,
        /// Leg of the page that is gone; none after a restart.
        leg: Option<LegId>,
        /// Invitation of the agent's new page.
        recall: Option<LegId>,
    },
    /// A phone outside rings for the caller. `fallback` is the queue that the caller waits in again if nobody answers.
    Forwarding {
        to: String,
        leg: LegId,
        fallback: Option<QueueId>,
    },
    /// Without an agent: the caller talks with those who joined. When nobody has, the call ends.
    WithOthers,
}

/// An agent in a call, and the agent's leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct AgentLeg {
    pub(super) agent: AgentId,
    pub(super) leg: LegId,
}

/// A phone that rings because the engine assigned the call to its agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Assignment {
    pub(super) leg: LegId,
    pub(super) made: Time,
    pub(super) deadline: Time,
}

/// A participant besides caller and agent.
pub(super) struct Other {
    /// Name as shown.
    pub(super) name: String,
    /// The agent, if it is one of ours.
    pub(super) agent: Option<AgentId>,
}

/// A supervisor in a call.
pub(super) struct Supervisor {
    pub(super) leg: LegId,
    pub(super) mode: Mode,
    pub(super) stage: SupervisorStage,
}

/// Progress of a supervisor's phone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SupervisorStage {
    Ringing,
    Joined,
}

/// A question that an agent asks somebody, in a session whose first leg is the agent's.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Consult {
    pub(super) session: SessionId,
    /// Name or number as shown.
    pub(super) to: String,
    /// The consulted party, if it is an agent.
    pub(super) agent: Option<AgentId>,
    pub(super) began: Time,
    pub(super) stage: ConsultStage,
}

/// Progress of a consultation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ConsultStage {
    Ringing {
        leg: LegId,
    },
    Talking {
        leg: LegId,
        answered: Time,
    },
    /// Nobody answered (`code` is the SIP response), or the consulted party left.
    Failed {
        code: Option<StatusCode>,
    },
}

/// Side that ended a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HungUpBy {
    Participant,
    Supervisor,
}

/// Legs of an agent who has the call no more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Released {
    /// The agent's leg.
    pub(super) leg: Option<LegId>,
    /// Invitation of the agent's new page.
    pub(super) recall: Option<LegId>,
}

impl Consult {
    /// Leg of the consulted party, while there is one.
    pub(super) fn leg(&self) -> Option<LegId> {
        match self.stage {
            ConsultStage::Ringing { leg } | ConsultStage::Talking { leg, .. } => Some(leg),
            ConsultStage::Failed { .. } => None,
        }
    }
}

impl Call {
    /// A call that arrives in a queue.
    pub(super) fn new(
        now: Time,
        (session, caller): (SessionId, LegId),
        (from, to): (Party, String),
        queue: QueueId,
    ) -> Call {
        Call {
            session,
            caller,
            queue,
            from,
            to,
            entered: now,
            since: now,
            answered: None,
            agents: Vec::new(),
            transferred_by: None,
            others: BTreeMap::new(),
            supervisors: BTreeMap::new(),
            notes: Vec::new(),
            disposition: None,
            hung_up_by: HungUpBy::Participant,
            state: CallState::Waiting,
        }
    }

    /// The same call, from before a restart.
    pub(super) fn recovering(self, agent: Option<AgentId>) -> Call {
        Call {
            state: CallState::Recovering { agent },
            ..self
        }
    }

    pub(super) fn state(&self) -> &CallState {
        &self.state
    }

    pub(super) fn is_recovering(&self) -> bool {
        matches!(self.state, CallState::Recovering { .. })
    }

    /// True once the engine has let go of it.
    pub(super) fn is_released(&self) -> bool {
        matches!(self.state, CallState::Forwarding { .. } | CallState::WithOthers)
    }

    /// True for a caller whom everybody left.
    pub(super) fn is_alone(&self) -> bool {
        self.state == CallState::WithOthers && self.others.is_empty()
    }

    /// Agent who has the call, or had it before a restart.
    pub(super) fn agent(&self) -> Option<AgentId> {
        match self.state {
            CallState::Recovering { agent } => agent,
            CallState::AgentAway { agent, .. } => Some(agent),
            CallState::Connecting { agent }
            | CallState::Talking { agent, .. }
            | CallState::Consulting { agent, .. } => Some(agent.agent),
            CallState::Waiting
            | CallState::Ringing { .. }
            | CallState::Forwarding { .. }
            | CallState::WithOthers => None,
        }
    }

    /// Agent who has the call, with the leg, be its page there or not.
    pub(super) fn agent_leg(&self) -> Option<AgentLeg> {
        match self.state {
            CallState::AgentAway { agent, leg, .. } => leg.map(|leg| AgentLeg { agent, leg }),
            CallState::Connecting { agent }
            | CallState::Talking { agent, .. }
            | CallState::Consulting { agent, .. } => Some(agent),
            CallState::Recovering { .. }
            | CallState::Waiting
            | CallState::Ringing { .. }
            | CallState::Forwarding { .. }
            | CallState::WithOthers => None,
        }
    }

    /// Agent who talks with the caller, or asks somebody meanwhile.
    pub(super) fn talking(&self) -> Option<AgentLeg> {
        match self.state {
            CallState::Talking { agent, .. } | CallState::Consulting { agent, .. } => Some(agent),
            _ => None,
        }
    }

    pub(super) fn consult(&self) -> Option<&Consult> {
        match &self.state {
            CallState::Consulting { consult, .. } => Some(consult),
            _ => None,
        }
    }

    pub(super) fn consult_mut(&mut self) -> Option<&mut Consult> {
        match &mut self.state {
            CallState::Consulting { consult, .. } => Some(consult),
            _ => None,
        }
    }

    pub(super) fn assignment(&self, assignment: AssignmentId) -> Option<&Assignment> {
        match &self.state {
            CallState::Ringing { assignments } => assignments.get(&assignment),
            _ => None,
        }
    }

    /// Queue that the caller waits in again if nobody outside answers.
    pub(super) fn fallback(&self) -> Option<QueueId> {
        match self.state {
            CallState::Forwarding { fallback, .. } => fallback,
            _ => None,
        }
    }

    /// Agents who joined it, and their legs.
    pub(super) fn colleagues(&self) -> impl Iterator<Item = (LegId, AgentId)> {
        self.others
            .iter()
            .filter_map(|(leg, other)| Some((*leg, other.agent?)))
    }

    /// True when a phone may ring for it.
    pub(super) fn can_ring(&self) -> bool {
        matches!(self.state, CallState::Waiting | CallState::Ringing { .. })
    }
}

#[cfg(test)]
mod tests;
