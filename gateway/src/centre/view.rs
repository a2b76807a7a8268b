//! What pages and programs see of the call centre: the objects of the API and of its events.

use call_engine::acd;
use sans_io::Time;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A moment, as RFC 3339 in UTC with milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(pub Time);

/// What an agent does, as a wallboard shows it.
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

/// Whether an agent's page can be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Reach {
    /// It is there.
    Attached,
    /// It may be gone.
    Suspect,
    /// It is not there.
    Detached,
}

/// What an agent wants.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Intent {
    /// Calls, none for now, or to go home.
    pub intent: IntentKind,
    /// Of a pause.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 64)]
    pub reason: Option<String>,
}

/// What an agent wants.
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
    /// That of the user.
    pub id: String,
    /// What the agent signs in with.
    pub name: String,
    /// For people.
    pub display: String,
    /// What the agent does.
    pub status: Status,
    /// Since when.
    pub since: Moment,
    /// Of a pause.
    pub reason: Option<String>,
    /// What the agent wants when the present work ends.
    pub next: Option<Intent>,
    /// Whether the page can be reached.
    pub reach: Reach,
    /// The call that the agent has.
    pub call: Option<String>,
    /// The call that the agent had last, or has.
    #[serde(default)]
    pub last_call: Option<String>,
    /// When wrap-up ends by itself.
    pub wrap_up_until: Option<Moment>,
    /// The queues that the agent serves.
    pub queues: Vec<String>,
    /// Since signing in.
    pub today: AgentDay,
}

/// What an agent did since signing in.
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
    /// Of the queue.
    pub id: String,
    /// For people.
    pub name: String,
    /// How it chooses among idle agents.
    pub strategy: String,
    /// Calls answered within so many seconds are in time.
    pub service_level_target_s: u32,
    /// Now.
    pub live: QueueLive,
    /// Since midnight, local time of the gateway.
    pub today: QueueDay,
    /// When to alarm.
    pub alarms: QueueAlarms,
    /// Agents are not shown supervisors who only listen.
    #[serde(default)]
    pub silent_monitoring: bool,
}

/// A queue now.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct QueueLive {
    /// Calls that no agent took yet.
    pub waiting: u32,
    /// The first 50 of them by id, the next one first: the place of each is its `position`.
    #[serde(default)]
    pub line: Vec<String>,
    /// When the one that waits longest came.
    pub oldest_since: Option<Moment>,
    /// Agents who serve it and are signed in.
    pub agents_signed_in: u32,
    /// Of them, those who wait for a call.
    pub agents_available: u32,
    /// Of them, those who ring, talk or wrap up.
    pub agents_busy: u32,
}

/// A queue over a stretch of time; see `docs/METRICS.md` for what each number means.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct QueueDay {
    /// Calls that came.
    pub entered: u64,
    /// Calls that an agent answered.
    pub answered: u64,
    /// Calls whose caller gave up.
    pub abandoned: u64,
    /// Calls that it did not keep.
    pub overflowed: u64,
    /// Calls that ended after talk.
    pub completed: u64,
    /// Answered calls that an agent sent to another queue.
    pub sent_on: u64,
    /// Calls that a restart cost.
    pub lost: u64,
    /// Calls that a supervisor hung up before an agent answered.
    #[serde(default)]
    pub hung_up: u64,
    /// Part answered in time, 0 to 1; none while nothing counts.
    pub service_level: Option<f64>,
    /// Mean wait of answered calls, seconds.
    pub asa_s: f64,
    /// Mean handling time, seconds: talk, hold and wrap-up.
    pub aht_s: f64,
    /// Longest wait that ended, seconds.
    pub longest_wait_s: f64,
}

/// When to alarm.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct QueueAlarms {
    /// More calls wait.
    pub waiting: Option<u32>,
    /// One waits longer, seconds.
    pub oldest_s: Option<u32>,
    /// The service level is lower.
    pub service_level: Option<f64>,
}

/// Name and number of a party.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Party {
    /// As it was sent.
    pub number: String,
    /// May be empty.
    pub display: String,
}

/// A queue's id and name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct QueueName {
    /// Of the queue.
    pub id: String,
    /// For people.
    pub name: String,
}

/// Where a call stands.
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
    /// Of the call.
    pub id: String,
    /// Its queue.
    pub queue: Option<QueueName>,
    /// Who calls.
    pub from: Party,
    /// What was dialled.
    pub to: String,
    /// 0 is ordinary.
    pub priority: u8,
    /// Where it stands.
    pub state: CallPhase,
    /// Since when.
    pub since: Moment,
    /// When it came.
    pub entered_at: Moment,
    /// When an agent and the caller first heard each other.
    pub answered_at: Option<Moment>,
    /// Its place in the queue, from 1, when this was told; later ones are in the queue's `line`. None from the 51st on.
    pub position: Option<u32>,
    /// Who has it.
    pub agent: Option<String>,
    /// Who had it so far, in order; with who has it.
    #[serde(default)]
    pub agents: Vec<String>,
    /// Who is in it.
    pub parties: Vec<Participant>,
    /// Agents whom the one who has it asks, or who joined, by id. They see the call as well.
    #[serde(default)]
    pub joined: Vec<String>,
    /// The agent who sent it to where it is, or handed it over.
    #[serde(default)]
    pub transferred_by: Option<AgentName>,
    /// What agents wrote about it so far, in the order in which they began to.
    #[serde(default)]
    pub notes: Vec<AgentNotes>,
    /// What the last agent who chose one made of it so far.
    #[serde(default)]
    pub disposition: Option<String>,
    /// The question that the agent asks somebody.
    pub consult: Option<Consult>,
}

/// Somebody in a call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Participant {
    /// `caller`, `agent`, `other` or `supervisor`.
    pub kind: ParticipantKind,
    /// For people.
    pub name: String,
    /// `party` talks with all.
    pub mode: Mode,
}

/// What somebody is in a call.
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

/// How somebody takes part.
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

/// A question that an agent asks somebody while the caller is on hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Consult {
    /// Whom.
    pub to: String,
    /// How far it is.
    pub state: ConsultState,
    /// The SIP response it failed with.
    pub code: Option<u16>,
}

/// How far a question is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ConsultState {
    /// It rings there.
    Ringing,
    /// They talk.
    Talking,
    /// Nobody answered.
    Failed,
}

/// A call that rings at an agent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Offer {
    /// Of the offer.
    pub id: String,
    /// The call.
    pub call: Call,
    /// The agent.
    pub agent: String,
    /// When it began.
    pub made_at: Moment,
    /// Until when it rings.
    pub deadline: Moment,
}

/// How a call left the call centre.
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
    /// It rang, and nobody answered in time.
    NoAnswer,
    /// Whoever was called was busy, or did not want it.
    Rejected,
    /// It could not be connected.
    Failed,
}

/// What kind of call a record is about.
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
    /// Of the record.
    pub id: String,
    /// Of the call.
    pub call: String,
    /// What kind of call.
    #[serde(default)]
    pub kind: RecordKind,
    /// The last queue.
    pub queue: Option<String>,
    /// Its name then.
    pub queue_name: String,
    /// Who called.
    pub from: Party,
    /// What was dialled.
    pub to: String,
    /// When it came.
    pub entered_at: Moment,
    /// When an agent and the caller first heard each other.
    pub answered_at: Option<Moment>,
    /// When it left.
    pub ended_at: Moment,
    /// How.
    pub outcome: Outcome,
    /// Seconds until it was answered, or left.
    pub waited_s: f64,
    /// Seconds of talk, without hold.
    pub talked_s: f64,
    /// Seconds on hold.
    pub held_s: f64,
    /// Who had it, in order.
    pub agents: Vec<AgentName>,
    /// What the agent made of it.
    pub disposition: Option<String>,
    /// What agents noted; where several did, each line begins with a name.
    pub notes: Option<String>,
    /// The same, agent by agent.
    #[serde(default)]
    pub notes_by: Vec<AgentNotes>,
    /// How it sounded, 1.0 to 4.5.
    pub mos: Mos,
}

/// An agent's id and name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AgentName {
    /// Of the agent.
    pub id: String,
    /// For people.
    pub name: String,
}

/// What one agent wrote about a call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AgentNotes {
    /// Id of the agent.
    pub agent: String,
    /// For people.
    pub name: String,
    /// In words.
    pub notes: String,
}

impl AgentNotes {
    /// An agent's notes are these from now on; nothing is kept of empty ones.
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

    /// All of them as one text.
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

/// How each side sounded to the gateway.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Mos {
    /// 1.0 to 4.5.
    pub caller: Option<f32>,
    /// 1.0 to 4.5.
    pub agent: Option<f32>,
}

/// What of the call centre changed. `type` and `data` of an event.
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
        /// Of the call.
        id: String,
        /// What there was.
        record: Record,
    },
    /// For an agent's own history: a call of its own that is over, or one that it missed.
    #[serde(rename = "call.logged")]
    Logged {
        /// What there was.
        record: Record,
    },
    /// A call rings at an agent.
    #[serde(rename = "offer.made")]
    OfferMade(Offer),
    /// It does not ring any longer.
    #[serde(rename = "offer.ended")]
    OfferEnded {
        /// Of the offer.
        id: String,
        /// Of the call.
        call: String,
        /// Of the agent.
        agent: String,
        /// `accepted`, `rejected`, `no-answer`, `cancelled` or `lost`.
        how: OfferEnd,
    },
    /// An agent is no more.
    #[serde(rename = "agent.removed")]
    AgentRemoved {
        /// Of the agent.
        id: String,
    },
    /// A queue is no more.
    #[serde(rename = "queue.removed")]
    QueueRemoved {
        /// Of the queue.
        id: String,
    },
    /// Something was configured: `agents`, `queues`, `pause-reasons`, `dispositions`.
    #[serde(rename = "config.changed")]
    Config {
        /// What.
        what: String,
    },
}

/// How an offer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OfferEnd {
    /// The agent took the call.
    Accepted,
    /// The agent did not want it.
    Rejected,
    /// It rang to the end.
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
    /// Of the engine's.
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

    /// What the store gives back after a restart is told again.
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
