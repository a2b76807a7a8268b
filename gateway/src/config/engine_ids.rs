//! Numbers by which the engine knows queues and skills, and settings as it takes them.

use std::collections::BTreeMap;
use std::time::Duration;

use call_engine::acd::{self, Proficiency, QueueId, Requirement, SkillId, Target};

use super::queue::Widening;
use super::queue_ref::{Overflow, QueueRef};

/// Numbers of all queues and skills. A reference to a queue is resolved here and nowhere else.
#[derive(Clone, Debug, Default)]
pub struct EngineIds {
    /// Numbers of queues.
    pub queues: BTreeMap<QueueRef, QueueId>,
    /// Numbers of skills, by name.
    pub skills: BTreeMap<String, SkillId>,
}

impl EngineIds {
    /// Number of a queue, if it exists.
    #[must_use]
    pub fn queue(&self, queue: &QueueRef) -> Option<QueueId> {
        self.queues.get(queue).copied()
    }

    /// Skills of an agent.
    #[must_use]
    pub fn proficiencies(&self, skills: &BTreeMap<String, u8>) -> Vec<Proficiency> {
        self.numbered(skills)
            .map(|(skill, level)| Proficiency { skill, level })
            .collect()
    }

    fn numbered(&self, skills: &BTreeMap<String, u8>) -> impl Iterator<Item = (SkillId, u8)> {
        skills
            .iter()
            .filter_map(|(name, level)| Some((*self.skills.get(name)?, *level)))
    }
}

/// A setting of a queue that the engine takes as a `T`.
pub(super) trait ForEngine<T> {
    fn for_engine(&self, ids: &EngineIds) -> T;
}

macro_rules! as_it_is {
    ($($kind:ty),*) => {$(
        impl ForEngine<$kind> for $kind {
            fn for_engine(&self, _: &EngineIds) -> $kind {
                *self
            }
        }
    )*};
}

as_it_is!(u32, bool, Duration, Option<u32>, Option<Duration>, acd::Strategy);

/// A highest tier; none: all.
impl ForEngine<u8> for Option<u8> {
    fn for_engine(&self, _: &EngineIds) -> u8 {
        self.unwrap_or(u8::MAX)
    }
}

impl ForEngine<Vec<Requirement>> for BTreeMap<String, u8> {
    fn for_engine(&self, ids: &EngineIds) -> Vec<Requirement> {
        ids.numbered(self)
            .map(|(skill, level)| Requirement { skill, level })
            .collect()
    }
}

impl ForEngine<Vec<acd::Widening>> for Vec<Widening> {
    fn for_engine(&self, ids: &EngineIds) -> Vec<acd::Widening> {
        let step = |step: &Widening| acd::Widening {
            after: step.after,
            max_tier: step.max_tier.for_engine(ids),
            lower: step.lower,
        };
        self.iter().map(step).collect()
    }
}

impl ForEngine<Target> for Overflow {
    fn for_engine(&self, ids: &EngineIds) -> Target {
        match self {
            // Calls to a queue that is gone end.
            Overflow::Queue(queue) => ids.queue(queue).map_or(Target::HangUp, Target::Queue),
            Overflow::Number(number) => Target::Number(number.clone()),
            Overflow::HangUp => Target::HangUp,
        }
    }
}

impl ForEngine<Option<Target>> for Option<Overflow> {
    fn for_engine(&self, ids: &EngineIds) -> Option<Target> {
        self.as_ref().map(|to| to.for_engine(ids))
    }
}
