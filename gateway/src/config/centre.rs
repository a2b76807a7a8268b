//! What the call centre is made of: queues, those who work there, why they pause and what becomes of calls. The file and the API
//! write the same keys, and both obey the ranges that stand here.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use call_engine::acd::Strategy;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::hours::{Holiday, Open, Zone};

/// What somebody does in the call centre.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Staff {
    /// What they may do.
    pub roles: Vec<Role>,
    /// How they take calls, where they are agents.
    pub agent: Work,
}

/// How an agent takes calls.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(as = AgentSettings)]
pub struct Work {
    /// The queues whose calls the agent takes.
    #[schema(max_items = 200)]
    pub queues: Vec<Member>,
    /// How well the agent does what, 1 to 100.
    #[schema(value_type = BTreeMap<String, u8>)]
    pub skills: BTreeMap<String, u8>,
    /// Place in a queue that asks its agents in order; then by name.
    pub order: u16,
    /// Queues offer calls also while the agent is in a call that came through none.
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
    /// Of the first tier.
    #[must_use]
    pub fn of(queue: &str) -> Member {
        Member {
            queue: queue.to_owned(),
            tier: 0,
            weight: 1,
        }
    }
}

/// What somebody may do.
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
    /// For programs.
    #[schema(
        min_length = 1,
        max_length = 32,
        pattern = "^[a-z0-9][a-z0-9._-]*$",
        example = "follow-up"
    )]
    pub code: String,
    /// For people.
    #[schema(
        min_length = 1,
        max_length = 64,
        pattern = r"^[^\u0000-\u001F\u007F-\u009F]+$",
        example = "Follow-up needed"
    )]
    pub label: String,
}

/// Where callers wait for agents. Lengths of time are in seconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(as = QueueSettings)]
pub struct Queue {
    /// In rules of the dial plan, and what it is called by.
    #[schema(
        min_length = 1,
        max_length = 32,
        pattern = "^[a-z0-9][a-z0-9._-]*$",
        example = "support"
    )]
    pub name: String,
    /// For people; the name if empty.
    #[schema(max_length = 64, example = "Support")]
    pub display: String,
    /// What it is called by as well, where no rule of the dial plan says something else.
    #[schema(max_length = 32, pattern = "^[0-9+*#]+$", example = "9001")]
    pub number: Option<String>,
    /// How it chooses among idle agents.
    #[schema(value_type = String, example = "longest-idle")]
    pub strategy: Strategy,
    /// What every call of it requires of an agent: skills and their least levels, 1 to 100.
    #[schema(value_type = BTreeMap<String, u8>)]
    pub requires: BTreeMap<String, u8>,
    /// Agents of tiers up to this one are asked at first; all if not said.
    #[schema(maximum = 9)]
    pub max_tier: Option<u8>,
    /// How a call that waits long accepts more agents.
    #[schema(max_items = 10)]
    pub widening: Vec<Widening>,
    /// How fast its calls age beside those of other queues.
    #[schema(minimum = 1, maximum = 100)]
    pub rate: u32,
    /// Priority of its calls, where no rule says another: each step is as if the call had come `boost` earlier.
    #[schema(maximum = 9)]
    pub priority: u8,
    /// What a step of priority is worth.
    #[serde(with = "seconds")]
    #[schema(value_type = u32, maximum = 3600)]
    pub boost: Duration,
    /// How long an agent's phone rings.
    #[serde(with = "seconds")]
    #[schema(value_type = u32, minimum = 5, maximum = 120)]
    pub ring: Duration,
    /// Ring-progressive: how long until one more rings.
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
    /// A call waits so long for the agent whom its caller talked with last in this queue, if signed in.
    #[serde(with = "maybe_seconds")]
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 600)]
    pub sticky: Option<Duration>,
    /// For how many days it is known who that was.
    #[schema(minimum = 1, maximum = 90)]
    pub sticky_days: u16,
    /// Answered within this is in time.
    #[serde(with = "seconds")]
    #[schema(value_type = u32, minimum = 1, maximum = 3600)]
    pub service_level: Duration,
    /// How long a call waits at most.
    #[serde(with = "maybe_seconds")]
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 86400)]
    pub max_wait: Option<Duration>,
    /// How many calls wait at most.
    #[schema(minimum = 1, maximum = 100_000)]
    pub max_length: Option<u32>,
    /// Calls do not wait while nobody who serves the queue is signed in.
    pub leave_when_empty: bool,
    /// Agents are not shown supervisors who only listen.
    pub silent_monitoring: bool,
    /// How often those who wait are told their place, for the first time after 2 seconds; never if not said.
    #[serde(with = "maybe_seconds")]
    #[schema(value_type = Option<u32>, minimum = 10, maximum = 3600)]
    pub announce: Option<Duration>,
    /// Where calls go that it does not keep.
    pub overflow: Overflow,
    /// When it is open; empty: always.
    #[schema(value_type = Vec<String>, max_items = 50, example = json!(["mon-fri 08:00-18:00", "sat 10:00-14:00"]))]
    pub hours: Vec<Open>,
    /// Days on which it is closed.
    #[schema(value_type = Vec<String>, max_items = 400, example = json!(["2026-12-25"]))]
    pub holidays: Vec<Holiday>,
    /// Of hours and holidays; that of the gateway if not said.
    #[schema(value_type = Option<String>, example = "Europe/Berlin")]
    pub time_zone: Option<Zone>,
    /// Where calls go that come while it is closed; where others go if not said.
    pub closed: Option<Overflow>,
    /// The wallboard warns when more calls wait.
    #[schema(maximum = 100_000)]
    pub alarm_waiting: Option<u32>,
    /// When one waits longer.
    #[serde(with = "maybe_seconds")]
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 86400)]
    pub alarm_wait: Option<Duration>,
    /// When a smaller part of the day's calls was answered in time, per cent.
    #[schema(minimum = 1, maximum = 100)]
    pub alarm_service_level: Option<u8>,
}

/// A step by which a call that waits long accepts more agents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = QueueWidening)]
pub struct Widening {
    /// Waited so long.
    #[serde(with = "seconds")]
    #[schema(value_type = u32, minimum = 1, maximum = 86400)]
    pub after: Duration,
    /// Agents of tiers up to this one are asked; all if not said.
    #[serde(default)]
    #[schema(maximum = 9)]
    pub max_tier: Option<u8>,
    /// Required levels are lowered by this; one lowered to 0 falls away.
    #[serde(default)]
    #[schema(maximum = 100)]
    pub lower: u8,
}

/// Where calls go that a queue does not keep.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Overflow {
    /// Another queue: its name in the file, its id in the API.
    Queue(String),
    /// What the dial plan says of a number.
    Number(String),
    /// Nowhere: the call ends.
    #[default]
    HangUp,
}

/// What the numbers of queues and agents may be.
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
            "`{}` is no name of a skill, e.g. english: 1 to 32 letters, digits, blanks, -, _, . and +",
            name.escape_debug()
        ));
    }
    Ok(())
}

/// What can be dialled for a queue.
pub(crate) fn dialable(number: &str) -> Result<(), String> {
    let plain = |byte: u8| byte.is_ascii_digit() || b"+*#".contains(&byte);
    if number.is_empty() || number.len() > 32 || !number.bytes().all(plain) {
        return Err(format!(
            "`{}` is no number, e.g. \"9001\": 1 to 32 digits, +, * and #",
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
