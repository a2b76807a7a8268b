//! Agents as pages see them.

use call_engine::acd;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Moment;

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

/// An agent's id and name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AgentName {
    /// Id of the agent.
    pub id: String,
    /// Name shown to people.
    pub name: String,
}

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
