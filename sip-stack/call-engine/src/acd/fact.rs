//! Facts in the order in which they happened: the log from which state, wallboard and reports are made.

use std::time::Duration;

use sans_io::Time;
use serde::{Deserialize, Serialize};

use super::config::{Requirement, Target};
use super::ids::{AgentId, AssignmentId, CallId, QueueId};

/// One entry of the log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// From 1, without a gap.
    pub seq: u64,
    /// Epoch of the engine that wrote it.
    pub epoch: u64,
    /// Time of the fact, microseconds since 1970.
    #[serde(with = "micros")]
    pub at: Time,
    /// The fact.
    pub fact: Fact,
}

/// Intent of an agent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Intent {
    /// Not at work.
    #[default]
    Offline,
    /// Calls.
    Available,
    /// No calls for now, for this reason.
    Paused(String),
}

/// The one state of an agent that a wallboard shows; times in states add up to the time signed in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// Not signed in.
    #[default]
    Offline,
    /// Waits for a call.
    Available,
    /// Wants calls, but the page gives no sign of life.
    Unreachable,
    /// Paused.
    Paused,
    /// Has an assignment.
    Ringing,
    /// Accepted; not yet heard.
    Connecting,
    /// Talks with a caller.
    Talking,
    /// Has the caller on hold.
    Held,
    /// Finishes what the call left to do.
    WrapUp,
    /// In a call that came through no queue.
    Direct,
}

impl Status {
    /// Number of statuses.
    pub const COUNT: usize = 10;

    /// All of them, in the order of their numbers.
    pub const ALL: [Status; Status::COUNT] = [
        Status::Offline,
        Status::Available,
        Status::Unreachable,
        Status::Paused,
        Status::Ringing,
        Status::Connecting,
        Status::Talking,
        Status::Held,
        Status::WrapUp,
        Status::Direct,
    ];
}

/// End of an assignment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AssignmentEnd {
    /// The agent took the call.
    Accepted,
    /// The agent did not want it.
    Rejected,
    /// The agent's phone rang to the end.
    NoAnswer,
    /// Somebody else took it, the caller left, or the agent stopped taking calls.
    Cancelled,
    /// The agent's page is gone or did not ring.
    Lost,
}

/// Why a call went back to its queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReturnCause {
    /// The agent accepted, but they never heard each other.
    NotConnected,
    /// The agent's page was lost and did not come back in time.
    AgentLost,
    /// The agent sent it back.
    SentBack,
}

/// Why a queue did not keep a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OverflowCause {
    /// Outside its hours.
    Closed,
    /// As many wait as may.
    Full,
    /// Nobody who serves it is signed in.
    Empty,
    /// The maximum wait was over.
    MaxWait,
}

/// Departure of a call from the queues.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Departure {
    /// The caller hung up before talking to anybody.
    Abandoned,
    /// The call went elsewhere.
    Overflowed(OverflowCause, Target),
    /// Caller and agent talked.
    Completed,
    /// The call could not be recovered after a restart.
    Lost,
    /// A supervisor hung up before the caller talked to anybody.
    HungUp,
}

/// A fact.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Fact {
    /// An engine began; assignments of the last one are void.
    Started,
    /// A call came in.
    Entered {
        /// The call.
        call: CallId,
        /// Its queue.
        queue: QueueId,
        /// 0 is ordinary.
        priority: u8,
        /// Requirements beyond those of the queue.
        requires: Vec<Requirement>,
        /// The agent that the caller knows.
        sticky: Option<AgentId>,
        /// Virtual enqueue time, microseconds since 1970: when it came, less the boost of its priority.
        vet: i64,
    },
    /// A call that waits accepts more agents: those of this step.
    Widened {
        /// The call.
        call: CallId,
        /// 0: everyone whom the queue asks at first.
        step: u8,
    },
    /// A call waits in another queue now.
    Moved {
        /// The call.
        call: CallId,
        /// The new queue.
        queue: QueueId,
        /// Why, where a queue did not keep it; `None`: an agent sent it, and it comes there anew.
        why: Option<OverflowCause>,
        /// 0 is ordinary.
        priority: u8,
        /// Virtual enqueue time there.
        vet: i64,
    },
    /// An agent was assigned a call.
    #[serde(rename = "offered")]
    Assigned {
        /// The assignment.
        #[serde(rename = "offer")]
        assignment: AssignmentId,
        /// The call.
        call: CallId,
        /// The agent.
        agent: AgentId,
    },
    /// An assignment ended.
    #[serde(rename = "offer-ended")]
    AssignmentEnded {
        /// The assignment.
        #[serde(rename = "offer")]
        assignment: AssignmentId,
        /// The call.
        call: CallId,
        /// The agent.
        agent: AgentId,
        /// End of the assignment.
        how: AssignmentEnd,
        /// Counts as one more unanswered in a row.
        counts: bool,
    },
    /// An agent took a call: it has left the queue.
    Accepted {
        /// The call.
        call: CallId,
        /// The agent.
        agent: AgentId,
    },
    /// Caller and agent hear each other.
    Connected {
        /// The call.
        call: CallId,
    },
    /// The agent put the caller on hold, or took it back.
    Held {
        /// The call.
        call: CallId,
        /// True: on hold.
        held: bool,
    },
    /// The agent's page is gone in the call, or is back.
    Away {
        /// The call.
        call: CallId,
        /// True: gone.
        away: bool,
    },
    /// A call has another agent now.
    HandedOver {
        /// The call.
        call: CallId,
        /// The agent who has the call now.
        to: AgentId,
        /// Until when the one who had it wraps up.
        #[serde(with = "optional_micros")]
        wrap_up: Option<Time>,
    },
    /// A call waits again, at its old place.
    Returned {
        /// The call.
        call: CallId,
        /// Why.
        why: ReturnCause,
        /// The agent whom it is meant for now.
        sticky: Option<AgentId>,
        /// Until when the agent who had it wraps up.
        #[serde(with = "optional_micros")]
        wrap_up: Option<Time>,
    },
    /// A call left; the agent who had it wraps up.
    Left {
        /// The call.
        call: CallId,
        /// Departure.
        how: Departure,
        /// Until when its agent wraps up; `None`: not at all.
        #[serde(with = "optional_micros")]
        wrap_up: Option<Time>,
    },
    /// An agent's wrap-up ended.
    WrappedUp {
        /// The agent.
        agent: AgentId,
        /// Disposition that the agent chose.
        code: Option<String>,
    },
    /// Present intent of an agent.
    Intent {
        /// The agent.
        agent: AgentId,
        /// The intent.
        intent: Intent,
    },
    /// Intent of an agent for when the present work ends.
    Next {
        /// The agent.
        agent: AgentId,
        /// The intent; `None`: none.
        intent: Option<Intent>,
    },
    /// An agent's status changed.
    Status {
        /// The agent.
        agent: AgentId,
        /// The new one.
        status: Status,
    },
}

/// A moment as a number of microseconds.
pub(super) mod micros {
    use sans_io::Time;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(in crate::acd) fn serialize<S: Serializer>(time: &Time, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(time.as_micros())
    }

    pub(in crate::acd) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Time, D::Error> {
        u64::deserialize(deserializer).map(Time)
    }
}

pub(super) mod optional_micros {
    use sans_io::Time;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(in crate::acd) fn serialize<S: Serializer>(
        time: &Option<Time>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        time.map(Time::as_micros).serialize(serializer)
    }

    pub(in crate::acd) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Time>, D::Error> {
        Ok(Option::<u64>::deserialize(deserializer)?.map(Time))
    }
}

/// A length of time as whole microseconds, saturating.
pub(super) fn as_micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
