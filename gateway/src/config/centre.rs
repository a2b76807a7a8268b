//! Settings of staff, pause reasons and dispositions. The file and the API use the same keys, and both obey the limits given here.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::queue_ref::QueueRef;
use super::setting::{Line, Number, Skills};

/// Settings of a user in the call centre.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Staff {
    /// Roles.
    pub roles: Vec<Role>,
    /// Settings for taking calls, for agents.
    pub agent: Work,
}

/// Settings for an agent who takes calls.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(as = AgentSettings)]
pub struct Work {
    /// The queues whose calls the agent takes.
    #[schema(max_items = 200)]
    pub queues: Vec<Member>,
    /// Skills of the agent with their levels, 1 to 100.
    #[schema(value_type = BTreeMap<String, u8>)]
    pub skills: BTreeMap<String, u8>,
    /// Position in a `linear` queue; agents with the same position are ordered by name.
    pub order: u16,
    /// True if queues offer calls even while the agent is in a direct call.
    pub offers_in_direct_calls: bool,
}

/// An agent's place in a queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Membership)]
pub struct Member {
    /// Id of the queue.
    #[schema(value_type = String, max_length = 64)]
    pub queue: QueueRef,
    /// Lower tiers are asked first, 0 to 9.
    #[serde(default)]
    #[schema(maximum = 9)]
    pub tier: u8,
    /// Share of the calls of a queue that draws lots, 1 to 1000.
    #[serde(default = "one")]
    #[schema(minimum = 1, maximum = 1000)]
    pub weight: u16,
}

fn one() -> u16 {
    1
}

impl Member {
    /// An agent of the first tier of a queue.
    #[must_use]
    pub fn of(queue: QueueRef) -> Member {
        Member {
            queue,
            tier: 0,
            weight: 1,
        }
    }
}

/// Role of a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Takes calls.
    Agent,
    /// Sees everybody and every call.
    Supervisor,
    /// Configures.
    Admin,
}

/// Something to choose: why an agent pauses, what became of a call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Choice {
    /// Code for programs.
    #[schema(
        min_length = 1,
        max_length = 32,
        pattern = "^[a-z0-9][a-z0-9._-]*$",
        example = "follow-up"
    )]
    pub code: String,
    /// Name shown to people.
    #[schema(
        min_length = 1,
        max_length = 64,
        pattern = r"^[^\u0000-\u001F\u007F-\u009F]+$",
        example = "Follow-up needed"
    )]
    pub label: String,
}

/// Tier in which an agent serves a queue.
pub(crate) const TIER: Number<u8> = Number::new(0, 9);
/// Share of the calls of a queue that draws lots.
pub(crate) const WEIGHT: Number<u16> = Number::new(1, 1_000);
/// Position in a `linear` queue.
pub(crate) const ORDER: Number<u16> = Number::new(0, 65_535);
/// Priority of a call; 0 is ordinary.
pub(crate) const PRIORITY: Number<u8> = Number::new(0, 9);
/// Skills of an agent.
pub(crate) const SKILLS: Skills = Skills { most: 100 };
/// Name shown to people.
pub(crate) const DISPLAY: Line = Line {
    least: 0,
    greatest: 64,
};
/// Text of a choice.
pub(crate) const LABEL: Line = Line {
    least: 1,
    greatest: 64,
};

/// Lengths of time in whole seconds.
pub(super) mod seconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    pub(in crate::config) fn serialize<S: Serializer>(
        value: &Duration,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(value.as_secs())
    }

    pub(in crate::config) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Duration, D::Error> {
        u32::deserialize(deserializer).map(|seconds| Duration::from_secs(seconds.into()))
    }
}

/// The same, where there is one.
pub(super) mod maybe_seconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(in crate::config) fn serialize<S: Serializer>(
        value: &Option<Duration>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        value.map(|value| value.as_secs()).serialize(serializer)
    }

    pub(in crate::config) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Duration>, D::Error> {
        let seconds = <Option<u32>>::deserialize(deserializer)?;
        Ok(seconds.map(|seconds| Duration::from_secs(seconds.into())))
    }
}
