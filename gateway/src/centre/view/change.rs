//! Changes: what an event of the API says.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::recording::Recording;

use super::{Agent, Assignment, AssignmentEnd, Call, Moment, Queue, Record, Trunk};

/// A change in the call centre: `type` and `data` of an event.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", content = "data")]
pub enum Change {
    /// An agent is not as before.
    #[serde(rename = "agent.changed")]
    Agent(Agent),
    /// A queue is not as before.
    #[serde(rename = "queue.changed")]
    Queue(Queue),
    /// A call is not as before.
    #[serde(rename = "call.changed")]
    Call(Call),
    /// A call is over.
    #[serde(rename = "call.ended")]
    CallEnded {
        /// Id of the call.
        id: String,
        /// The record.
        record: Record,
    },
    /// A direct call was joined with another call, and goes on in it.
    #[serde(rename = "call.joined")]
    CallJoined {
        /// Id of the call that is no more.
        id: String,
        /// Id of the call that it goes on in.
        into: Option<String>,
    },
    /// A user calls the emergency services.
    #[serde(rename = "emergency.call")]
    EmergencyCall {
        /// Id of the call.
        call: String,
        /// Name of the user.
        user: String,
        /// Number of the service.
        number: String,
        /// Number that the service is shown, and may call back.
        shown: String,
        /// Time of the call.
        at: Moment,
    },
    /// A call is recorded from now on: its first sound came.
    #[serde(rename = "recording.started")]
    RecordingStarted(Recording),
    /// Silence is recorded.
    #[serde(rename = "recording.paused")]
    RecordingPaused(Recording),
    /// What is said is recorded again.
    #[serde(rename = "recording.resumed")]
    RecordingResumed(Recording),
    /// A recording is whole, and can be heard.
    #[serde(rename = "recording.saved")]
    RecordingSaved(Recording),
    /// Entry for an agent's own history: a missed call, or a consultation that is over.
    #[serde(rename = "call.logged")]
    Logged {
        /// The record.
        record: Record,
    },
    /// A call rings at an agent.
    #[serde(rename = "offer.made")]
    AssignmentMade(Assignment),
    /// The offer no longer rings.
    #[serde(rename = "offer.ended")]
    AssignmentEnded {
        /// Id of the offer.
        id: String,
        /// Id of the call.
        call: String,
        /// Id of the agent.
        agent: String,
        /// `accepted`, `rejected`, `no-answer`, `cancelled` or `lost`.
        how: AssignmentEnd,
    },
    /// An agent is no more.
    #[serde(rename = "agent.removed")]
    AgentRemoved {
        /// Id of the agent.
        id: String,
    },
    /// A queue is no more.
    #[serde(rename = "queue.removed")]
    QueueRemoved {
        /// Id of the queue.
        id: String,
    },
    /// The registration of a trunk, or a target of it, is not as before.
    #[serde(rename = "trunk.changed")]
    Trunk(Trunk),
    /// Something was configured: `agents`, `queues`, `pause-reasons`, `dispositions`, `call-handling`.
    #[serde(rename = "config.changed")]
    Config {
        /// Name of the list that changed.
        what: String,
    },
}
