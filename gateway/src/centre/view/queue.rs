//! Queues as pages see them.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Moment;

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

/// Defines an object that ends with the numbers of a queue, and its conversion from the engine's counts.
macro_rules! queue_numbers {
    (
        $(#[$attr:meta])*
        $visibility:vis struct $name:ident {
            $($(#[$field_attr:meta])* $field:ident: $type:ty,)*
        }
    ) => {
        $(#[$attr])*
        $visibility struct $name {
            $($(#[$field_attr])* $field: $type,)*
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
            #[schema(required = true)]
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

        impl $name {
            /// Numbers of a queue from its counts.
            #[must_use]
            $visibility fn of($($field: $type,)* counts: &::call_engine::acd::metrics::QueueCounts) -> $name {
                $name {
                    $($field,)*
                    entered: counts.entered,
                    answered: counts.answered,
                    abandoned: counts.abandoned,
                    overflowed: counts.overflowed,
                    completed: counts.completed,
                    sent_on: counts.sent_on,
                    lost: counts.lost,
                    hung_up: counts.hung_up,
                    service_level: counts.service_level(),
                    asa_s: counts.asa(),
                    aht_s: counts.aht(),
                    longest_wait_s: counts.longest as f64 / 1_000_000.0,
                }
            }
        }
    };
}

pub(crate) use queue_numbers;

queue_numbers! {
    /// Numbers of a queue over a period; `docs/METRICS.md` explains each of them.
    #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
    pub struct QueueDay {}
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

/// A queue's id and name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct QueueName {
    /// Id of the queue.
    pub id: String,
    /// Name shown to people.
    pub name: String,
}
