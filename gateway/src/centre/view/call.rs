//! Live calls as pages see them.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{AgentName, AgentNotes, CallLeg, Moment, QueueName};

/// Name and number of a party.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Party {
    /// Number as it was sent.
    pub number: String,
    /// Name shown to people; may be empty.
    pub display: String,
}

/// Kind of a call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CallKind {
    /// A caller of a queue.
    #[default]
    Queue,
    /// From a trunk to a user or an application, through no queue.
    Inbound,
    /// From a user to a trunk.
    Outbound,
    /// Between users of the gateway, or from a user to an application.
    Internal,
    /// From one trunk to another.
    Transit,
}

/// Phase of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CallPhase {
    /// In its queue.
    Waiting,
    /// Offered; of a direct call, a phone rings.
    Ringing,
    /// Accepted; not yet heard. Of a direct call, nobody rings yet.
    Connecting,
    /// Caller and agent talk; of a direct call, its parties.
    Talking,
    /// The caller is on hold; of a direct call, one of its parties.
    Held,
    /// The caller is on hold, the agent asks somebody.
    Consulting,
    /// Three talk.
    Conference,
    /// The agent's page is gone; the caller hears music, or those who joined. Of a direct call, a browser is gone.
    Away,
}

/// A live call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Call {
    /// Id of the call.
    pub id: String,
    /// Kind of call.
    #[serde(default)]
    pub kind: CallKind,
    /// Queue of the call; none of a direct call.
    pub queue: Option<QueueName>,
    /// The caller.
    pub from: Party,
    /// Number or name that was dialled.
    pub to: String,
    /// Priority; 0 is ordinary.
    pub priority: u8,
    /// Phase of the call.
    pub state: CallPhase,
    /// Time at which this state began.
    pub since: Moment,
    /// Time at which the call arrived.
    pub entered_at: Moment,
    /// Time at which an agent and the caller first heard each other.
    pub answered_at: Option<Moment>,
    /// Position in the queue, from 1, as of this event; `line` of the queue is newer. None from the 51st on.
    pub position: Option<u32>,
    /// Id of the agent who has the call.
    pub agent: Option<String>,
    /// Ids of the agents who have had the call so far, in order, the present one included.
    #[serde(default)]
    pub agents: Vec<String>,
    /// Participants of the call.
    pub parties: Vec<Participant>,
    /// Legs of the call, the caller's first.
    #[serde(default)]
    pub legs: Vec<CallLeg>,
    /// Ids of the agents who are consulted or have joined. They see the call as well.
    #[serde(default)]
    pub joined: Vec<String>,
    /// Agent who transferred the call to where it is, or handed it over.
    #[serde(default)]
    pub transferred_by: Option<AgentName>,
    /// Notes of each agent so far, in the order in which the agents began to write.
    #[serde(default)]
    pub notes: Vec<AgentNotes>,
    /// Disposition so far: that of the last agent who chose one.
    #[serde(default)]
    pub disposition: Option<String>,
    /// Consultation that the agent has under way.
    pub consult: Option<Consult>,
    /// Slot in which a direct call is parked.
    #[serde(default)]
    pub parked: Option<Parking>,
}

/// Slot of a parked call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Parking {
    /// Number of the slot, by which a user takes the call back.
    pub slot: String,
    /// Name of the user who parked it.
    pub by: Option<String>,
    /// Time since when it waits.
    pub since: Moment,
}

/// A participant in a call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Participant {
    /// `caller`, `agent`, `other` or `supervisor`.
    pub kind: ParticipantKind,
    /// Name shown to people.
    pub name: String,
    /// Mode of taking part; `party` talks with everybody.
    pub mode: Mode,
}

/// Role of a participant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ParticipantKind {
    /// Called.
    Caller,
    /// Has the call.
    Agent,
    /// Was asked to join.
    Other,
    /// Watches.
    Supervisor,
}

/// Mode in which somebody takes part in a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// Hears all and is heard by all.
    Party,
    /// Hears all.
    Listen,
    /// Hears all and is heard by the agent.
    Whisper,
}

/// A consultation: an agent asks somebody while the caller is on hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Consult {
    /// Name or number of the consulted party.
    pub to: String,
    /// State of the consultation.
    pub state: ConsultState,
    /// The SIP response it failed with.
    pub code: Option<u16>,
}

/// State of a consultation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ConsultState {
    /// The phone of the consulted party rings.
    Ringing,
    /// They talk.
    Talking,
    /// Nobody answered.
    Failed,
}
