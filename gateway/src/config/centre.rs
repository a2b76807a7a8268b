//! Settings of the call centre: queues, staff, pause reasons and dispositions. The file and the API use the
//! same keys, and both obey the ranges given here.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use call_engine::acd::Strategy;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::hours::{Holiday, Open, Zone};

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
    /// The queue: its name in the file, its id in the API.
    #[schema(max_length = 64)]
    pub queue: String,
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
    /// A queue served in the first tier.
    #[must_use]
    pub fn of(queue: &str) -> Member {
        Member {
            queue: queue.to_owned(),
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

/// A queue, in which callers wait for agents. Durations are in seconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(as = QueueSettings)]
pub struct Queue {
    /// Name in rules of the dial plan, by which the queue can also be called.
    #[schema(
        min_length = 1,
        max_length = 32,
        pattern = "^[a-z0-9][a-z0-9._-]*$",
        example = "support"
    )]
    pub name: String,
    /// Name shown to people; the `name` if empty.
    #[schema(max_length = 64, example = "Support")]
    pub display: String,
    /// Number to call the queue by, unless a rule of the dial plan matches it.
    #[schema(max_length = 32, pattern = "^[0-9+*#]+$", example = "9001")]
    pub number: Option<String>,
    /// Strategy for choosing among idle agents.
    #[schema(value_type = String, example = "longest-idle")]
    pub strategy: Strategy,
    /// Skills that an agent must have, with the minimum levels, 1 to 100.
    #[schema(value_type = BTreeMap<String, u8>)]
    pub requires: BTreeMap<String, u8>,
    /// Highest tier whose agents are asked at first; default: all.
    #[schema(maximum = 9)]
    pub max_tier: Option<u8>,
    /// Steps by which a call that waits long accepts more agents.
    #[schema(max_items = 10)]
    pub widening: Vec<Widening>,
    /// Rate at which its calls age, beside those of other queues.
    #[schema(minimum = 1, maximum = 100)]
    pub rate: u32,
    /// Priority of its calls, unless a rule gives another: each step counts as arriving `boost` earlier.
    #[schema(maximum = 9)]
    pub priority: u8,
    /// Waiting time that a step of priority is worth.
    #[serde(with = "seconds")]
    #[schema(value_type = u32, maximum = 3600)]
    pub boost: Duration,
    /// Time that an agent's phone rings.
    #[serde(with = "seconds")]
    #[schema(value_type = u32, minimum = 5, maximum = 120)]
    pub ring: Duration,
    /// Ring-progressive: time until one more phone rings.
    #[serde(with = "seconds")]
    #[schema(value_type = u32, minimum = 1, maximum = 60)]
    pub progress: Duration,
    /// After a call.
    #[serde(with = "seconds")]
    #[schema(value_type = u32, maximum = 3600)]
    pub wrap_up: Duration,
    /// Calls in a row that an agent lets ring before being paused; 0: never.
    #[schema(maximum = 10)]
    pub max_no_answer: u32,
    /// Time for which a call waits for the agent whom its caller last talked to in this queue, if signed in.
    #[serde(with = "maybe_seconds")]
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 600)]
    pub sticky: Option<Duration>,
    /// Days for which that agent is remembered.
    #[schema(minimum = 1, maximum = 90)]
    pub sticky_days: u16,
    /// Time within which an answered call counts as in time.
    #[serde(with = "seconds")]
    #[schema(value_type = u32, minimum = 1, maximum = 3600)]
    pub service_level: Duration,
    /// Maximum wait of a call.
    #[serde(with = "maybe_seconds")]
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 86400)]
    pub max_wait: Option<Duration>,
    /// Maximum number of waiting calls.
    #[schema(minimum = 1, maximum = 100_000)]
    pub max_length: Option<u32>,
    /// True if calls do not wait while no agent of the queue is signed in.
    pub leave_when_empty: bool,
    /// True if agents are not shown supervisors who only listen.
    pub silent_monitoring: bool,
    /// Time between announcements of a caller's position, the first after 2 seconds; none: no announcements.
    #[serde(with = "maybe_seconds")]
    #[schema(value_type = Option<u32>, minimum = 10, maximum = 3600)]
    pub announce: Option<Duration>,
    /// Destination of calls that the queue does not keep.
    pub overflow: Overflow,
    /// Opening hours; empty: always open.
    #[schema(value_type = Vec<String>, max_items = 50, example = json!(["mon-fri 08:00-18:00", "sat 10:00-14:00"]))]
    pub hours: Vec<Open>,
    /// Days on which the queue is closed.
    #[schema(value_type = Vec<String>, max_items = 400, example = json!(["2026-12-25"]))]
    pub holidays: Vec<Holiday>,
    /// Time zone of hours and holidays; default: that of the gateway.
    #[schema(value_type = Option<String>, example = "Europe/Berlin")]
    pub time_zone: Option<Zone>,
    /// Destination of calls that arrive while the queue is closed; default: as `overflow`.
    pub closed: Option<Overflow>,
    /// The wallboard warns when more calls are waiting.
    #[schema(maximum = 100_000)]
    pub alarm_waiting: Option<u32>,
    /// The wallboard warns when a call has waited longer.
    #[serde(with = "maybe_seconds")]
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 86400)]
    pub alarm_wait: Option<Duration>,
    /// The wallboard warns when a smaller share of the day's calls was answered in time, per cent.
    #[schema(minimum = 1, maximum = 100)]
    pub alarm_service_level: Option<u8>,
}

/// A step by which a call that waits long accepts more agents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = QueueWidening)]
pub struct Widening {
    /// Time waited until this step applies.
    #[serde(with = "seconds")]
    #[schema(value_type = u32, minimum = 1, maximum = 86400)]
    pub after: Duration,
    /// Highest tier whose agents are asked; default: all.
    #[serde(default)]
    #[schema(maximum = 9)]
    pub max_tier: Option<u8>,
    /// Amount by which required levels are lowered; one that reaches 0 no longer counts.
    #[serde(default)]
    #[schema(maximum = 100)]
    pub lower: u8,
}

/// Destination of calls that a queue does not keep.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Overflow {
    /// Another queue: its name in the file, its id in the API.
    Queue(String),
    /// A number, resolved by the dial plan.
    Number(String),
    /// No destination: the call ends.
    #[default]
    HangUp,
}

/// Ranges for the numbers of queues and agents.
pub(crate) mod range {
    use super::RangeInclusive;

    pub(crate) const LEVEL: RangeInclusive<u64> = 1..=100;
    pub(crate) const TIER: RangeInclusive<u64> = 0..=9;
    pub(crate) const WEIGHT: RangeInclusive<u64> = 1..=1_000;
    pub(crate) const ORDER: RangeInclusive<u64> = 0..=65_535;
    pub(crate) const RATE: RangeInclusive<u64> = 1..=100;
    pub(crate) const PRIORITY: RangeInclusive<u64> = 0..=9;
    pub(crate) const BOOST: RangeInclusive<u64> = 0..=3_600;
    pub(crate) const RING: RangeInclusive<u64> = 5..=120;
    pub(crate) const PROGRESS: RangeInclusive<u64> = 1..=60;
    pub(crate) const WRAP_UP: RangeInclusive<u64> = 0..=3_600;
    pub(crate) const MAX_NO_ANSWER: RangeInclusive<u64> = 0..=10;
    pub(crate) const STICKY: RangeInclusive<u64> = 1..=600;
    pub(crate) const STICKY_DAYS: RangeInclusive<u64> = 1..=90;
    pub(crate) const SERVICE_LEVEL: RangeInclusive<u64> = 1..=3_600;
    pub(crate) const WAIT: RangeInclusive<u64> = 1..=86_400;
    pub(crate) const ANNOUNCE: RangeInclusive<u64> = 10..=3_600;
    pub(crate) const LENGTH: RangeInclusive<u64> = 1..=100_000;
    pub(crate) const WAITING: RangeInclusive<u64> = 0..=100_000;
    pub(crate) const PERCENT: RangeInclusive<u64> = 1..=100;
    pub(crate) const LOWER: RangeInclusive<u64> = 0..=100;
    /// Steps of widening.
    pub(crate) const STEPS: usize = 10;
}

impl Queue {
    /// As most are.
    #[must_use]
    pub fn new(name: &str) -> Queue {
        Queue {
            name: name.to_owned(),
            display: name.to_owned(),
            number: None,
            strategy: Strategy::LongestIdle,
            requires: BTreeMap::new(),
            max_tier: None,
            widening: Vec::new(),
            rate: 1,
            priority: 0,
            boost: Duration::from_secs(60),
            ring: Duration::from_secs(20),
            progress: Duration::from_secs(5),
            wrap_up: Duration::from_secs(15),
            max_no_answer: 1,
            sticky: None,
            sticky_days: 7,
            service_level: Duration::from_secs(20),
            max_wait: None,
            max_length: None,
            leave_when_empty: false,
            silent_monitoring: false,
            announce: Some(Duration::from_secs(30)),
            overflow: Overflow::HangUp,
            hours: Vec::new(),
            holidays: Vec::new(),
            time_zone: None,
            closed: None,
            alarm_waiting: None,
            alarm_wait: None,
            alarm_service_level: None,
        }
    }
}

impl Default for Queue {
    fn default() -> Queue {
        Queue::new("")
    }
}

/// The name of a skill: one word or a few, at most 32 characters.
pub(crate) fn skill(name: &str) -> Result<(), String> {
    let plain = |c: char| c.is_alphanumeric() || "-_. +".contains(c);
    if name.trim() != name || name.is_empty() || name.chars().count() > 32 || !name.chars().all(plain) {
        return Err(format!(
            "`{}` is not a skill name, e.g. english: 1 to 32 letters, digits, blanks, -, _, . and +",
            name.escape_debug()
        ));
    }
    Ok(())
}

/// Checks that a number can be dialled for a queue.
pub(crate) fn dialable(number: &str) -> Result<(), String> {
    let plain = |byte: u8| byte.is_ascii_digit() || b"+*#".contains(&byte);
    if number.is_empty() || number.len() > 32 || !number.bytes().all(plain) {
        return Err(format!(
            "`{}` is not a valid number, e.g. \"9001\": 1 to 32 digits, +, * and #",
            number.escape_debug()
        ));
    }
    Ok(())
}

/// Steps of widening follow each other in time.
pub(crate) fn ascending(steps: &[Widening]) -> Result<(), String> {
    if steps.len() > range::STEPS {
        return Err(format!("at most {} steps", range::STEPS));
    }
    if steps.windows(2).any(|two| two[0].after >= two[1].after) {
        return Err("each step must come after the one before".into());
    }
    Ok(())
}

/// Lengths of time in whole seconds.
mod seconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(value: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(value.as_secs())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        u32::deserialize(deserializer).map(|seconds| Duration::from_secs(seconds.into()))
    }
}

/// The same, where there is one.
mod maybe_seconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<S: Serializer>(
        value: &Option<Duration>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        value.map(|value| value.as_secs()).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Duration>, D::Error> {
        let seconds = <Option<u32>>::deserialize(deserializer)?;
        Ok(seconds.map(|seconds| Duration::from_secs(seconds.into())))
    }
}
