//! Records of calls that are over, and notes about calls.

use serde::{Deserialize, Serialize};
use session_core::Forwarding;
use utoipa::ToSchema;

use super::{AgentName, CallKind, Moment, Party, RecordLeg};

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
    /// A user called a number outside.
    Outbound,
    /// Somebody outside called a user or an application.
    Inbound,
    /// A call between users of the gateway, or to one of its applications.
    Internal,
    /// A call from one trunk to another.
    Transit,
}

impl From<CallKind> for RecordKind {
    fn from(kind: CallKind) -> RecordKind {
        match kind {
            CallKind::Queue => RecordKind::Queue,
            CallKind::Inbound => RecordKind::Inbound,
            CallKind::Outbound => RecordKind::Outbound,
            CallKind::Internal => RecordKind::Internal,
            CallKind::Transit => RecordKind::Transit,
        }
    }
}

/// Side that hung up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum HungUpBy {
    /// The party that called.
    Caller,
    /// A party that was called.
    Called,
    /// The gateway, by itself or on a command.
    Gateway,
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
    /// Forwardings of the call, in order: by users, their phones, and ring groups.
    #[serde(default)]
    pub forwarded: Vec<RecordForwarding>,
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
    /// Final SIP status of the call: 200 after an answer unless it failed later; none if the gateway stopped before its end.
    #[serde(default)]
    pub code: Option<u16>,
    /// Reason of the end, in words.
    #[serde(default)]
    pub reason: Option<String>,
    /// Side that hung up or refused; none if the connection failed, nobody answered, or the gateway stopped.
    #[serde(default)]
    pub hung_up_by: Option<HungUpBy>,
    /// Legs of the call in the order in which they began.
    #[serde(default)]
    pub legs: Vec<RecordLeg>,
}

/// A step on the way of a call that was forwarded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RecordForwarding {
    /// Number or name that was called.
    pub by: String,
    /// Reason: `unconditional`, `user-busy`, `no-answer`, `unavailable`, `do-not-disturb`, `deflection`, or another one of RFC 5806.
    pub reason: String,
    /// Number or name that was called instead.
    pub to: String,
}

impl From<&Forwarding> for RecordForwarding {
    fn from(step: &Forwarding) -> RecordForwarding {
        RecordForwarding {
            by: step.by.clone(),
            reason: step.reason.as_str().to_owned(),
            to: step.to.clone(),
        }
    }
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
