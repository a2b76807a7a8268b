//! The call centre as pages and programs see it: the objects of the API and of its events.

use call_engine::acd;
use sans_io::Time;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A moment, as RFC 3339 in UTC with milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(pub Time);

/// Status of an agent, as a wallboard shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// Not signed in.
    Offline,
    /// Waits for a call.
    Available,
    /// Wants calls, but the page gives no sign of life.
    Unreachable,
    /// Takes no calls for now.
    Paused,
    /// Is offered a call.
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

/// Reachability of an agent's page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Reach {
    /// The page is connected.
    Attached,
    /// The page has gone silent and may be gone.
    Suspect,
    /// No page is connected.
    Detached,
}

/// Intent of an agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Intent {
    /// Intent: to take calls, to pause, or to be offline.
    pub intent: IntentKind,
    /// Reason of a pause.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 64)]
    pub reason: Option<String>,
}

/// Intent of an agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum IntentKind {
    /// Calls.
    Available,
    /// No calls for now.
    Paused,
    /// Not at work.
    Offline,
}

/// An agent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Agent {
    /// Id of the user.
    pub id: String,
    /// Name that the agent signs in with.
    pub name: String,
    /// Name shown to people.
    pub display: String,
    /// Status of the agent.
    pub status: Status,
    /// Time at which this state began.
    pub since: Moment,
    /// Reason of a pause.
    pub reason: Option<String>,
    /// Intent that takes effect when the present work ends.
    pub next: Option<Intent>,
    /// Reachability of the agent's page.
    pub reach: Reach,
    /// Id of the call that the agent has.
    pub call: Option<String>,
    /// Id of the call that the agent has, or else had last.
    #[serde(default)]
    pub last_call: Option<String>,
    /// Time at which wrap-up ends by itself.
    pub wrap_up_until: Option<Moment>,
    /// The queues that the agent serves.
    pub queues: Vec<String>,
    /// Numbers since signing in.
    pub today: AgentDay,
}

/// Numbers of an agent since signing in.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AgentDay {
    /// Calls taken.
    pub calls: u32,
    /// Seconds of talk, hold included.
    pub talk_s: u64,
    /// Seconds of wrap-up.
    pub wrap_up_s: u64,
    /// Seconds paused.
    pub paused_s: u64,
    /// Seconds signed in.
    pub signed_in_s: u64,
    /// Busy part of the time signed in and not paused, 0 to 1.
    pub occupancy: f64,
}

/// A queue.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Queue {
    /// Id of the queue.
    pub id: String,
    /// Name shown to people.
    pub name: String,
    /// Strategy for choosing among idle agents.
    pub strategy: String,
    /// Seconds within which an answered call counts as in time.
    pub service_level_target_s: u32,
    /// State of the queue now.
    pub live: QueueLive,
    /// Numbers since midnight, local time of the gateway.
    pub today: QueueDay,
    /// Limits beyond which the wallboard warns.
    pub alarms: QueueAlarms,
    /// True if agents are not shown supervisors who only listen.
    #[serde(default)]
    pub silent_monitoring: bool,
}

/// A queue now.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct QueueLive {
    /// Calls that no agent has taken yet.
    pub waiting: u32,
    /// Ids of the first 50 waiting calls, the next one first; their order gives each call's `position`.
    #[serde(default)]
    pub line: Vec<String>,
    /// Time at which the call that has waited longest arrived.
    pub oldest_since: Option<Moment>,
    /// Agents who serve it and are signed in.
    pub agents_signed_in: u32,
    /// Those of them who are waiting for a call.
    pub agents_available: u32,
    /// Those of them who are ringing, talking or in wrap-up.
    pub agents_busy: u32,
}

/// Numbers of a queue over a period; `docs/METRICS.md` explains each of them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct QueueDay {
    /// Calls that arrived.
    pub entered: u64,
    /// Calls that an agent answered.
    pub answered: u64,
    /// Calls whose caller gave up.
    pub abandoned: u64,
    /// Calls that the queue did not keep.
    pub overflowed: u64,
    /// Calls that ended after talk.
    pub completed: u64,
    /// Answered calls that an agent sent to another queue.
    pub sent_on: u64,
    /// Calls lost in a restart.
    pub lost: u64,
    /// Calls that a supervisor hung up before an agent answered.
    #[serde(default)]
    pub hung_up: u64,
    /// Share answered in time, 0 to 1; none while no call counts.
    pub service_level: Option<f64>,
    /// Mean wait of answered calls, seconds.
    pub asa_s: f64,
    /// Mean handling time, seconds: talk, hold and wrap-up.
    pub aht_s: f64,
    /// Longest wait that ended, seconds.
    pub longest_wait_s: f64,
}

/// Limits beyond which the wallboard warns.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct QueueAlarms {
    /// Maximum number of waiting calls.
    pub waiting: Option<u32>,
    /// Maximum wait, seconds.
    pub oldest_s: Option<u32>,
    /// Minimum service level.
    pub service_level: Option<f64>,
}

/// Name and number of a party.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Party {
    /// Number as it was sent.
    pub number: String,
    /// Name shown to people; may be empty.
    pub display: String,
}

/// A queue's id and name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct QueueName {
    /// Id of the queue.
    pub id: String,
    /// Name shown to people.
    pub name: String,
}

/// Phase of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CallPhase {
    /// In its queue.
    Waiting,
    /// Offered.
    Ringing,
    /// Accepted; not yet heard.
    Connecting,
    /// Caller and agent talk.
    Talking,
    /// The caller is on hold.
    Held,
    /// The caller is on hold, the agent asks somebody.
    Consulting,
    /// Three talk.
    Conference,
    /// The agent's page is gone; the caller hears music, or those who joined.
    Away,
}

/// A live call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Call {
    /// Id of the call.
    pub id: String,
    /// Queue of the call.
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

/// A call that rings at an agent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Offer {
    /// Id of the offer.
    pub id: String,
    /// The call.
    pub call: Call,
    /// The agent.
    pub agent: String,
    /// Time at which the offer was made.
    pub made_at: Moment,
    /// Until when it rings.
    pub deadline: Moment,
}

/// Outcome of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Caller and agent talked.
    Completed,
    /// The caller gave up.
    Abandoned,
    /// No queue kept it.
    Overflowed,
    /// A restart cost it.
    Lost,
    /// A supervisor hung up before an agent answered.
    HungUp,
    /// The phone rang, and nobody answered in time.
    NoAnswer,
    /// The called party was busy or declined.
    Rejected,
    /// The call could not be connected.
    Failed,
}

/// Kind of call that a record is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RecordKind {
    /// A caller of a queue.
    #[default]
    Queue,
    /// A call of a queue that was offered to an agent who did not take it.
    Missed,
    /// An agent called a number outside.
    Outbound,
    /// Somebody outside called an agent.
    Inbound,
    /// A call between users of the gateway.
    Internal,
}

/// A call that is over.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Record {
    /// Id of the record.
    pub id: String,
    /// Id of the call.
    pub call: String,
    /// Kind of call.
    #[serde(default)]
    pub kind: RecordKind,
    /// Id of the last queue.
    pub queue: Option<String>,
    /// Name of the queue at the time.
    pub queue_name: String,
    /// The caller.
    pub from: Party,
    /// Number or name that was dialled.
    pub to: String,
    /// Time at which the call arrived.
    pub entered_at: Moment,
    /// Time at which an agent and the caller first heard each other.
    pub answered_at: Option<Moment>,
    /// Time at which the call left the call centre.
    pub ended_at: Moment,
    /// Outcome of the call.
    pub outcome: Outcome,
    /// Seconds until the call was answered or left.
    pub waited_s: f64,
    /// Seconds of talk, without hold.
    pub talked_s: f64,
    /// Seconds on hold.
    pub held_s: f64,
    /// Agents who had the call, in order.
    pub agents: Vec<AgentName>,
    /// Disposition that the agent chose.
    pub disposition: Option<String>,
    /// Notes of the agents; if several wrote some, each line begins with a name.
    pub notes: Option<String>,
    /// The same notes, agent by agent.
    #[serde(default)]
    pub notes_by: Vec<AgentNotes>,
    /// Estimated sound quality (MOS), 1.0 to 4.5.
    pub mos: Mos,
}

/// An agent's id and name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AgentName {
    /// Id of the agent.
    pub id: String,
    /// Name shown to people.
    pub name: String,
}

/// Notes of one agent about a call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AgentNotes {
    /// Id of the agent.
    pub agent: String,
    /// Name shown to people.
    pub name: String,
    /// Notes as free text.
    pub notes: String,
}

impl AgentNotes {
    /// Replaces the notes of an agent; empty notes are removed.
    pub fn write(all: &mut Vec<AgentNotes>, agent: &str, name: &str, notes: String) {
        let known = all.iter_mut().find(|known| known.agent == agent);
        match known {
            Some(known) => known.notes = notes,
            None => all.push(AgentNotes {
                agent: agent.to_owned(),
                name: name.to_owned(),
                notes,
            }),
        }
        all.retain(|known| !known.notes.is_empty());
    }

    /// All notes as one text.
    #[must_use]
    pub fn text(all: &[AgentNotes]) -> Option<String> {
        match all {
            [] => None,
            [one] => Some(one.notes.clone()),
            several => {
                let lines = several.iter().map(|one| format!("{}: {}", one.name, one.notes));
                Some(lines.collect::<Vec<_>>().join("\n"))
            }
        }
    }
}

/// Estimated sound quality (MOS) of each side, as the gateway received it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Mos {
    /// 1.0 to 4.5.
    pub caller: Option<f32>,
    /// 1.0 to 4.5.
    pub agent: Option<f32>,
}

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
    /// Entry for an agent's own history: a direct call that is over, or a missed call.
    #[serde(rename = "call.logged")]
    Logged {
        /// The record.
        record: Record,
    },
    /// A call rings at an agent.
    #[serde(rename = "offer.made")]
    OfferMade(Offer),
    /// The offer no longer rings.
    #[serde(rename = "offer.ended")]
    OfferEnded {
        /// Id of the offer.
        id: String,
        /// Id of the call.
        call: String,
        /// Id of the agent.
        agent: String,
        /// `accepted`, `rejected`, `no-answer`, `cancelled` or `lost`.
        how: OfferEnd,
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
    /// Something was configured: `agents`, `queues`, `pause-reasons`, `dispositions`.
    #[serde(rename = "config.changed")]
    Config {
        /// Name of the list that changed.
        what: String,
    },
}

/// End of an offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OfferEnd {
    /// The agent took the call.
    Accepted,
    /// The agent did not want it.
    Rejected,
    /// Rang until its time was up.
    NoAnswer,
    /// Somebody else took it, the caller left, or the agent stopped taking calls.
    Cancelled,
    /// The agent's page is gone or did not ring.
    Lost,
}

impl Serialize for Moment {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let micros = i64::try_from(self.0.as_micros()).unwrap_or(i64::MAX);
        match jiff::Timestamp::from_microsecond(micros) {
            Ok(timestamp) => serializer.collect_str(&format_args!("{timestamp:.3}")),
            Err(error) => Err(serde::ser::Error::custom(error)),
        }
    }
}

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Moment, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        let timestamp: jiff::Timestamp = text.parse().map_err(serde::de::Error::custom)?;
        let micros = u64::try_from(timestamp.as_microsecond()).map_err(serde::de::Error::custom)?;
        Ok(Moment(Time(micros)))
    }
}

impl utoipa::PartialSchema for Moment {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        utoipa::openapi::ObjectBuilder::new()
            .schema_type(utoipa::openapi::schema::Type::String)
            .format(Some(utoipa::openapi::SchemaFormat::KnownFormat(
                utoipa::openapi::KnownFormat::DateTime,
            )))
            .build()
            .into()
    }
}

impl ToSchema for Moment {}

impl From<acd::Status> for Status {
    fn from(status: acd::Status) -> Status {
        match status {
            acd::Status::Offline => Status::Offline,
            acd::Status::Available => Status::Available,
            acd::Status::Unreachable => Status::Unreachable,
            acd::Status::Paused => Status::Paused,
            acd::Status::Ringing => Status::Ringing,
            acd::Status::Connecting => Status::Connecting,
            acd::Status::Talking => Status::Talking,
            acd::Status::Held => Status::Held,
            acd::Status::WrapUp => Status::WrapUp,
            acd::Status::Direct => Status::Direct,
        }
    }
}

impl From<acd::Reach> for Reach {
    fn from(reach: acd::Reach) -> Reach {
        match reach {
            acd::Reach::Attached => Reach::Attached,
            acd::Reach::Suspect => Reach::Suspect,
            acd::Reach::Detached => Reach::Detached,
        }
    }
}

impl From<acd::OfferEnd> for OfferEnd {
    fn from(how: acd::OfferEnd) -> OfferEnd {
        match how {
            acd::OfferEnd::Accepted => OfferEnd::Accepted,
            acd::OfferEnd::Rejected => OfferEnd::Rejected,
            acd::OfferEnd::NoAnswer => OfferEnd::NoAnswer,
            acd::OfferEnd::Cancelled => OfferEnd::Cancelled,
            acd::OfferEnd::Lost => OfferEnd::Lost,
        }
    }
}

impl Intent {
    /// From the engine's status.
    #[must_use]
    pub fn of(intent: &acd::Intent) -> Intent {
        match intent {
            acd::Intent::Offline => Intent {
                intent: IntentKind::Offline,
                reason: None,
            },
            acd::Intent::Available => Intent {
                intent: IntentKind::Available,
                reason: None,
            },
            acd::Intent::Paused(reason) => Intent {
                intent: IntentKind::Paused,
                reason: Some(reason.clone()),
            },
        }
    }
}

impl From<Intent> for acd::Intent {
    fn from(intent: Intent) -> acd::Intent {
        match intent.intent {
            IntentKind::Offline => acd::Intent::Offline,
            IntentKind::Available => acd::Intent::Available,
            IntentKind::Paused => acd::Intent::Paused(intent.reason.unwrap_or_default()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Records that the store returns after a restart are published again.
    #[test]
    fn numbers_that_were_written_down_are_read_back_to_the_last_digit() -> serde_json::Result<()> {
        for n in 1..1_000_u32 {
            let day = QueueDay {
                service_level: Some(f64::from(n - 1) / f64::from(n)),
                asa_s: f64::from(n) / 74.0,
                ..QueueDay::default()
            };
            let text = serde_json::to_string(&day)?;
            assert_eq!(serde_json::from_str::<QueueDay>(&text)?, day, "{text}");
        }
        Ok(())
    }
}
