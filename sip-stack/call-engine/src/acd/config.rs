//! Queues, agents and the times that hold for all of them.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::hours::Hours;
use super::ids::{AgentId, QueueId, SkillId};

/// Times that hold for every queue and agent.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// An agent's page is asked for a sign of life when the last is this old.
    pub probe_interval: Duration,
    /// No assignment goes to an agent whose last sign of life is older.
    pub probe_max_age: Duration,
    /// An agent's phone that has not begun to ring by then is taken for lost, and the call goes on.
    pub alert_timeout: Duration,
    /// From accepting to hearing each other; longer, and the call goes back to its queue.
    pub connect_timeout: Duration,
    /// Time after which an idle agent whose page is gone is detached.
    pub detach_grace: Duration,
    /// Time after which a talking agent whose page is gone has lost the call: it goes back to its queue.
    pub call_grace: Duration,
    /// Time without assignments after a reject.
    pub cool_down: Duration,
    /// Time after a reject or no answer before the same call is assigned again, unless nobody else is logged in.
    pub exclude: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            probe_interval: Duration::from_secs(5),
            probe_max_age: Duration::from_secs(12),
            alert_timeout: Duration::from_secs(3),
            connect_timeout: Duration::from_secs(10),
            detach_grace: Duration::from_secs(15),
            call_grace: Duration::from_secs(30),
            cool_down: Duration::from_secs(5),
            exclude: Duration::from_secs(30),
        }
    }
}

/// Strategy of a queue for choosing among idle agents of the lowest tier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Strategy {
    /// All at once; the first to accept has the call.
    RingAll,
    /// One, and after every `progress` one more, while the earlier ones go on ringing.
    RingProgressive,
    /// The agent who has been idle longest.
    LongestIdle,
    /// The agent who has taken the fewest calls since signing in.
    FewestCalls,
    /// The agent who has talked least since signing in.
    LeastTalkTime,
    /// The agent with the lowest share of busy time since signing in, pauses excluded, computed when becoming idle.
    LowestOccupancy,
    /// In turn: the agent whose last assignment is longest ago.
    RoundRobin,
    /// By [`AgentConfig::order`], always from the top.
    Linear,
    /// Anybody.
    Random,
    /// Anybody, in proportion to [`Membership::weight`].
    WeightedRandom,
    /// The agent who is most proficient in the skills that the call requires; then longest idle.
    SkillProficiency,
}

impl Strategy {
    /// All of them.
    pub const ALL: [Strategy; 11] = [
        Strategy::RingAll,
        Strategy::RingProgressive,
        Strategy::LongestIdle,
        Strategy::FewestCalls,
        Strategy::LeastTalkTime,
        Strategy::LowestOccupancy,
        Strategy::RoundRobin,
        Strategy::Linear,
        Strategy::Random,
        Strategy::WeightedRandom,
        Strategy::SkillProficiency,
    ];

    /// As configuration and API write it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Strategy::RingAll => "ring-all",
            Strategy::RingProgressive => "ring-progressive",
            Strategy::LongestIdle => "longest-idle",
            Strategy::FewestCalls => "fewest-calls",
            Strategy::LeastTalkTime => "least-talk-time",
            Strategy::LowestOccupancy => "lowest-occupancy",
            Strategy::RoundRobin => "round-robin",
            Strategy::Linear => "linear",
            Strategy::Random => "random",
            Strategy::WeightedRandom => "weighted-random",
            Strategy::SkillProficiency => "skill-proficiency",
        }
    }

    /// True when several agents may ring for one call.
    #[must_use]
    pub const fn is_group(self) -> bool {
        matches!(self, Strategy::RingAll | Strategy::RingProgressive)
    }
}

/// A skill that a call wants, and how well.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Requirement {
    /// The skill.
    pub skill: SkillId,
    /// The least level, 1 to 100.
    pub level: u8,
}

/// A step by which a call that waits long accepts more agents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Widening {
    /// Time waited until this step applies.
    pub after: Duration,
    /// Agents of tiers up to this one are asked.
    pub max_tier: u8,
    /// Required levels are lowered by this; a requirement lowered to 0 falls away.
    pub lower: u8,
}

/// Destination of a call that a queue does not keep.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Target {
    /// Another queue; the call keeps its virtual enqueue time.
    Queue(QueueId),
    /// A number, resolved by the dial plan.
    Number(String),
    /// Nowhere: the call ends.
    HangUp,
}

/// A queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueConfig {
    /// Its number.
    pub id: QueueId,
    /// Strategy for choosing among agents.
    pub strategy: Strategy,
    /// Requirements of every call.
    pub requires: Vec<Requirement>,
    /// Agents of tiers up to this one are asked at first.
    pub max_tier: u8,
    /// Steps by which more agents are asked over time; `after` ascends.
    pub widening: Vec<Widening>,
    /// Rate at which its calls age, beside those of other queues.
    pub rate: u32,
    /// A priority of `n` makes a call as if it had come `n` times this earlier.
    pub boost: Duration,
    /// Time that an agent's phone rings.
    pub ring: Duration,
    /// Ring-progressive: how long until one more rings.
    pub progress: Duration,
    /// After a call.
    pub wrap_up: Duration,
    /// Unanswered assignments in a row that pause an agent; 0: never.
    pub max_no_answer: u32,
    /// Time that a call waits for the agent that it knows.
    pub sticky_wait: Duration,
    /// Maximum wait of a call.
    pub max_wait: Option<Duration>,
    /// Maximum number of waiting calls.
    pub max_length: Option<u32>,
    /// Calls do not wait while nobody who serves the queue is signed in.
    pub leave_when_empty: bool,
    /// Interval of announcements of the caller's position.
    pub announce: Option<Duration>,
    /// Opening hours; `None`: always open.
    pub hours: Option<Hours>,
    /// Destination of calls that it does not keep.
    pub overflow: Target,
    /// Destination of calls that arrive while it is closed; `None`: as for the others.
    pub closed: Option<Target>,
}

impl QueueConfig {
    /// A queue as most are: longest idle, 20 s of ringing, 10 s of wrap-up, no limits.
    #[must_use]
    pub fn new(id: QueueId, strategy: Strategy) -> QueueConfig {
        QueueConfig {
            id,
            strategy,
            requires: Vec::new(),
            max_tier: u8::MAX,
            widening: Vec::new(),
            rate: 1,
            boost: Duration::from_secs(60),
            ring: Duration::from_secs(20),
            progress: Duration::from_secs(5),
            wrap_up: Duration::from_secs(10),
            max_no_answer: 1,
            sticky_wait: Duration::from_secs(20),
            max_wait: None,
            max_length: None,
            leave_when_empty: false,
            announce: None,
            hours: None,
            overflow: Target::HangUp,
            closed: None,
        }
    }
}

/// An agent's place in a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Membership {
    /// The queue.
    pub queue: QueueId,
    /// Lower tiers are asked first.
    pub tier: u8,
    /// For [`Strategy::WeightedRandom`]; 0 counts as 1.
    pub weight: u16,
}

/// Level of an agent in a skill.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Proficiency {
    /// The skill.
    pub skill: SkillId,
    /// 1 to 100.
    pub level: u8,
}

/// An agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentConfig {
    /// Its number.
    pub id: AgentId,
    /// Place among the agents of a linear queue.
    pub order: u32,
    /// The queues it serves.
    pub queues: Vec<Membership>,
    /// Skills with their levels.
    pub skills: Vec<Proficiency>,
    /// Assignments come also during direct calls.
    pub acd_on_direct: bool,
}
