//! A call of the call centre, and the one state that it is in. Its methods change the call, and work on a [`Context`]: its legs, their
//! index, and what is published of it. They return what the engine has to learn; the controller passes it on.

mod agent_away;
mod assignment;
mod caller;
mod check;
mod consult;
mod context;
mod facts;
mod forwarding;
mod hang_up;
mod hold;
mod others;
mod state;
mod supervise;
mod supervisors;
mod transitions;

use std::collections::BTreeMap;
use std::time::Duration;

use call_engine::acd::{AgentId, AssignmentId, CallId, Input, QueueId};
use sans_io::Time;
use session_core::{CallRecord, Cause, LegId, SessionId};

use super::journal::Ended;
use super::view::{AgentNotes, CallLeg, CallerVerification, Party, RecordLeg};
pub(super) use consult::{Consult, ConsultEnd, ConsultStage};
pub(super) use context::Context;
pub(super) use state::{AgentLeg, Assignment, CallState, Released};
use supervisors::Supervisors;

/// Time after which the session gives up an absent browser, if the engine has not done so before.
pub(super) const GRACE: Duration = Duration::from_secs(45);

/// A call that came for a queue, from its arrival to the end of its session.
pub(super) struct Call {
    session: SessionId,
    caller: LegId,
    queue: QueueId,
    from: Party,
    /// Number or name that was dialled.
    to: String,
    entered: Time,
    state: CallState,
    /// Time at which the present state began.
    since: Time,
    /// Time at which an agent and the caller first heard each other.
    answered: Option<Time>,
    /// Agents who have had it so far, the present one last.
    agents: Vec<AgentId>,
    /// Agent who transferred it to where it is.
    transferred_by: Option<AgentId>,
    /// Its live legs as they were published last.
    legs: Vec<CallLeg>,
    /// Participants besides caller and agent.
    others: BTreeMap<LegId, Other>,
    supervisors: Supervisors,
    /// Notes of agents, one entry for each agent.
    notes: Vec<AgentNotes>,
    /// Result of the call, as an agent noted it.
    disposition: Option<String>,
    hung_up_by: HungUpBy,
}

/// A participant besides caller and agent.
pub(super) struct Other {
    /// Name as shown.
    pub(super) name: String,
    /// The agent, if it is one of ours.
    pub(super) agent: Option<AgentId>,
}

/// Side that ended a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum HungUpBy {
    Participant,
    Supervisor,
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
            legs: Vec::new(),
            others: BTreeMap::new(),
            supervisors: Supervisors::default(),
            notes: Vec::new(),
            disposition: None,
            hung_up_by: HungUpBy::Participant,
            state: CallState::Waiting,
        }
    }

    /// The same call, from before a restart, in which it came at `entered`.
    pub(super) fn recovering(self, agent: Option<AgentId>, entered: Time) -> Call {
        Call {
            state: CallState::Recovering { agent },
            entered,
            agents: agent.into_iter().collect(),
            ..self
        }
    }

    /// True if this session is the caller's.
    pub(super) fn is_of(&self, session: SessionId) -> bool {
        self.session == session
    }

    /// Queue that it is in, or was last.
    pub(super) fn queue(&self) -> QueueId {
        self.queue
    }

    /// The caller.
    pub(super) fn from(&self) -> &Party {
        &self.from
    }

    /// Notes the verdict on the caller.
    pub(super) fn set_verification(&mut self, verification: CallerVerification) {
        self.from.verification = Some(verification);
    }

    /// Number or name that was dialled.
    pub(super) fn to(&self) -> &str {
        &self.to
    }

    /// Time at which it arrived.
    pub(super) fn entered(&self) -> Time {
        self.entered
    }

    pub(super) fn state(&self) -> &CallState {
        &self.state
    }

    /// Time at which the present state began.
    pub(super) fn since(&self) -> Time {
        self.since
    }

    /// Time at which an agent and the caller first heard each other.
    pub(super) fn answered(&self) -> Option<Time> {
        self.answered
    }

    /// Agents who have had it so far, the present one last.
    pub(super) fn agents(&self) -> &[AgentId] {
        &self.agents
    }

    /// Agent who transferred it to where it is.
    pub(super) fn transferred_by(&self) -> Option<AgentId> {
        self.transferred_by
    }

    /// Its live legs as they were published last.
    pub(super) fn legs(&self) -> &[CallLeg] {
        &self.legs
    }

    pub(super) fn supervisors(&self) -> &Supervisors {
        &self.supervisors
    }

    pub(super) fn notes(&self) -> &[AgentNotes] {
        &self.notes
    }

    /// Result of the call, as an agent noted it.
    pub(super) fn disposition(&self) -> Option<&str> {
        self.disposition.as_deref()
    }

    /// True while participants besides caller and agent are there.
    pub(super) fn has_others(&self) -> bool {
        !self.others.is_empty()
    }

    /// Names of the participants besides caller and agent.
    pub(super) fn others(&self) -> impl Iterator<Item = &str> {
        self.others.values().map(|other| other.name.as_str())
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

    /// Time at which a colleague takes it over, whose agent's page is gone.
    pub(super) fn takeover(&self) -> Option<Time> {
        match self.state {
            CallState::AgentAway { takeover, .. } => takeover,
            _ => None,
        }
    }

    pub(super) fn consult(&self) -> Option<&Consult> {
        match &self.state {
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

    /// Input for the engine when the session of the call is over; none if the engine has let go of the call.
    pub(super) fn end(&self, id: CallId, cause: Cause) -> Option<Input> {
        if self.is_recovering() && matches!(cause, Cause::Failed | Cause::Lost) {
            Some(Input::NotRecovered { call: id })
        } else if self.is_released() {
            None
        } else {
            Some(match self.hung_up_by {
                HungUpBy::Supervisor => Input::HungUp { call: id },
                HungUpBy::Participant => Input::Ended { call: id },
            })
        }
    }

    /// Facts that the engine's log does not have, for the record of the call; `legs` are those of its session.
    pub(super) fn into_ended(self, record: &CallRecord, legs: Vec<RecordLeg>) -> Ended {
        let mut ended = Ended::new(self.from, self.to, record, legs);
        (ended.notes, ended.disposition) = (self.notes, self.disposition);
        ended
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
