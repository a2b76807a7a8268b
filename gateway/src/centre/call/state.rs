//! States of a call.

use std::collections::BTreeMap;

use call_engine::acd::{AgentId, AssignmentId, QueueId};
use sans_io::Time;
use session_core::LegId;

use super::consult::Consult;

/// State of a call.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::centre) enum CallState {
    /// The call is from before a restart, and its caller has not gone on yet. `agent` had it.
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
        /// Time at which a colleague in the call takes it over.
        takeover: Option<Time>,
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
pub(in crate::centre) struct AgentLeg {
    pub(in crate::centre) agent: AgentId,
    pub(in crate::centre) leg: LegId,
}

/// A phone that rings because the engine assigned the call to its agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::centre) struct Assignment {
    pub(in crate::centre) leg: LegId,
    pub(in crate::centre) made: Time,
    pub(in crate::centre) deadline: Time,
}

/// Legs of an agent who has the call no more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::centre) struct Released {
    /// The agent's leg.
    pub(in crate::centre) leg: Option<LegId>,
    /// Invitation of the agent's new page.
    pub(in crate::centre) recall: Option<LegId>,
}
