//! Index for matching: agents with the same abilities form one class, calls that accept the same agents one bucket.
//!
//! The classes that serve a bucket are computed when a class or a bucket appears, so that a decision looks at
//! the heads of a few ordered sets and never goes through agents or calls.

use std::collections::{BTreeMap, BTreeSet};

use slab::Slab;

use super::config::{AgentConfig, Membership, Proficiency, QueueConfig, Requirement, Strategy};
use super::ids::{AgentId, CallId, QueueId};

/// A call's place: virtual enqueue time, order of arrival, call.
pub(super) type Place = (i64, u64, CallId);

/// An ordered set of idle agents: by what a strategy looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Key {
    IdleSince,
    Calls,
    Talk,
    Occupancy,
    LastAssigned,
    Order,
    Random,
    /// With this weight.
    Weighted(u16),
}

impl Key {
    fn of(strategy: Strategy, weight: u16) -> Key {
        match strategy {
            Strategy::RingAll
            | Strategy::RingProgressive
            | Strategy::LongestIdle
            | Strategy::SkillProficiency => Key::IdleSince,
            Strategy::FewestCalls => Key::Calls,
            Strategy::LeastTalkTime => Key::Talk,
            Strategy::LowestOccupancy => Key::Occupancy,
            Strategy::RoundRobin => Key::LastAssigned,
            Strategy::Linear => Key::Order,
            Strategy::Random => Key::Random,
            Strategy::WeightedRandom => Key::Weighted(weight.max(1)),
        }
    }
}

type ClassKey = (Vec<Membership>, Vec<Proficiency>);
type BucketKey = (QueueId, Vec<Requirement>, u8);

/// Agents who can do the same.
#[derive(Debug)]
pub(super) struct Class {
    key: ClassKey,
    /// Idle agents, once for each thing that its queues look at.
    pub(super) idle: Vec<(Key, BTreeSet<(u64, AgentId)>)>,
    /// Agents who are signed in, want calls and can be reached, busy ones too.
    pub(super) logged_in: u32,
    /// Agents who are signed in, paused and unreachable ones too.
    pub(super) signed_in: u32,
    /// Buckets that it serves.
    pub(super) buckets: Vec<usize>,
    agents: u32,
}

/// Calls that accept the same agents.
#[derive(Debug)]
pub(super) struct Bucket {
    pub(super) queue: QueueId,
    /// Rate at which its calls age.
    pub(super) rate: u32,
    /// Proficiency decides before the key does.
    pub(super) by_proficiency: bool,
    requires: Vec<Requirement>,
    max_tier: u8,
    /// Calls without an assignment.
    pub(super) waiting: BTreeSet<Place>,
    /// Calls that ring and would have one more agent ring.
    pub(super) ringing: BTreeSet<Place>,
    pub(super) serves: Vec<Serves>,
}

/// A class that serves a bucket.
#[derive(Clone, Copy, Debug)]
pub(super) struct Serves {
    pub(super) class: usize,
    pub(super) tier: u8,
    /// Sum of the levels in the required skills.
    pub(super) proficiency: u32,
    /// Index of the class's set.
    pub(super) set: usize,
}

#[derive(Debug, Default)]
pub(super) struct Index {
    pub(super) classes: Slab<Class>,
    pub(super) buckets: Slab<Bucket>,
    /// Idle agents of each class, dense: most classes that a decision passes over have none.
    pub(super) idle: Vec<u32>,
    class_of: BTreeMap<ClassKey, usize>,
    bucket_of: BTreeMap<BucketKey, usize>,
    of_queue: BTreeMap<QueueId, OfQueue>,
}

#[derive(Debug, Default)]
struct OfQueue {
    classes: BTreeSet<usize>,
    buckets: BTreeSet<usize>,
}

/// Buckets beyond which the empty ones are let go.
const BUCKETS: usize = 10_000;

impl Index {
    /// The class of an agent, which counts one agent more. Memberships in queues that do not exist count for nothing.
    pub(super) fn join(&mut self, agent: &AgentConfig, queues: &BTreeMap<QueueId, QueueConfig>) -> usize {
        let mut key = (agent.queues.clone(), agent.skills.clone());
        key.0.retain(|membership| queues.contains_key(&membership.queue));
        key.0.sort_unstable();
        key.0.dedup_by_key(|membership| membership.queue);
        key.1.sort_unstable();
        if let Some(&class) = self.class_of.get(&key) {
            self.classes[class].agents += 1;
            return class;
        }
        let mut keys: Vec<Key> = key
            .0
            .iter()
            .map(|membership| Key::of(queues[&membership.queue].strategy, membership.weight))
            .collect();
        keys.sort_unstable();
        keys.dedup();
        let class = self.classes.insert(Class {
            key: key.clone(),
            idle: keys.into_iter().map(|key| (key, BTreeSet::new())).collect(),
            logged_in: 0,
            signed_in: 0,
            buckets: Vec::new(),
            agents: 1,
        });
        if self.idle.len() <= class {
            self.idle.resize(class + 1, 0);
        }
        for membership in &key.0 {
            let queue = self.of_queue.entry(membership.queue).or_default();
            queue.classes.insert(class);
            for &bucket in &queue.buckets {
                if let Some(serves) = serves(
                    class,
                    &self.classes[class],
                    &self.buckets[bucket],
                    &queues[&membership.queue],
                ) {
                    self.buckets[bucket].serves.push(serves);
                    self.classes[class].buckets.push(bucket);
                }
            }
        }
        self.class_of.insert(key, class);
        class
    }

    /// An agent leaves its class.
    pub(super) fn leave(&mut self, class: usize) {
        self.classes[class].agents -= 1;
        if self.classes[class].agents > 0 {
            return;
        }
        let gone = self.classes.remove(class);
        self.class_of.remove(&gone.key);
        for membership in &gone.key.0 {
            if let Some(queue) = self.of_queue.get_mut(&membership.queue) {
                queue.classes.remove(&class);
            }
        }
        for bucket in gone.buckets {
            self.buckets[bucket].serves.retain(|serves| serves.class != class);
        }
    }

    /// The bucket of calls of a queue that require this and ask agents up to this tier.
    pub(super) fn bucket(&mut self, queue: &QueueConfig, requires: &[Requirement], max_tier: u8) -> usize {
        let mut requires: Vec<Requirement> = requires.to_vec();
        // The highest level of each skill.
        requires
            .sort_unstable_by_key(|requirement| (requirement.skill, std::cmp::Reverse(requirement.level)));
        requires.dedup_by_key(|requirement| requirement.skill);
        requires.retain(|requirement| requirement.level > 0);
        let key = (queue.id, requires, max_tier);
        if let Some(&bucket) = self.bucket_of.get(&key) {
            return bucket;
        }
        if self.buckets.len() >= BUCKETS {
            self.sweep();
        }
        let mut new = Bucket {
            queue: queue.id,
            rate: queue.rate.max(1),
            by_proficiency: queue.strategy == Strategy::SkillProficiency,
            requires: key.1.clone(),
            max_tier,
            waiting: BTreeSet::new(),
            ringing: BTreeSet::new(),
            serves: Vec::new(),
        };
        let bucket = self.buckets.vacant_key();
        let of_queue = self.of_queue.entry(queue.id).or_default();
        of_queue.buckets.insert(bucket);
        for &class in &of_queue.classes {
            if let Some(serves) = serves(class, &self.classes[class], &new, queue) {
                new.serves.push(serves);
                self.classes[class].buckets.push(bucket);
            }
        }
        self.bucket_of.insert(key, bucket);
        self.buckets.insert(new)
    }

    /// Lets go of empty buckets.
    fn sweep(&mut self) {
        let empty: Vec<usize> = self
            .buckets
            .iter()
            .filter(|(_, bucket)| bucket.waiting.is_empty() && bucket.ringing.is_empty())
            .map(|(index, _)| index)
            .collect();
        for index in empty {
            let gone = self.buckets.remove(index);
            self.bucket_of.remove(&(gone.queue, gone.requires, gone.max_tier));
            if let Some(queue) = self.of_queue.get_mut(&gone.queue) {
                queue.buckets.remove(&index);
            }
            for serves in gone.serves {
                self.classes[serves.class]
                    .buckets
                    .retain(|bucket| *bucket != index);
            }
        }
    }

    /// Agents who are logged in and could take the bucket's calls.
    pub(super) fn logged_in(&self, bucket: usize) -> u32 {
        self.buckets[bucket]
            .serves
            .iter()
            .map(|serves| self.classes[serves.class].logged_in)
            .sum()
    }

    /// Agents who are signed in and serve the queue, whatever their skills.
    pub(super) fn serving(&self, queue: QueueId) -> u32 {
        self.of_queue.get(&queue).map_or(0, |queue| {
            queue
                .classes
                .iter()
                .map(|class| self.classes[*class].signed_in)
                .sum()
        })
    }

    /// The queues that a class serves.
    pub(super) fn queues(&self, class: usize) -> impl Iterator<Item = QueueId> + '_ {
        self.classes[class]
            .key
            .0
            .iter()
            .map(|membership| membership.queue)
    }
}

/// Service of a class for a bucket, if it serves it.
fn serves(index: usize, class: &Class, bucket: &Bucket, queue: &QueueConfig) -> Option<Serves> {
    let membership = class
        .key
        .0
        .iter()
        .find(|membership| membership.queue == bucket.queue)?;
    if membership.tier > bucket.max_tier {
        return None;
    }
    let mut proficiency = 0;
    for required in &bucket.requires {
        let level = class
            .key
            .1
            .iter()
            .filter(|has| has.skill == required.skill)
            .map(|has| has.level)
            .max()?;
        if level < required.level {
            return None;
        }
        proficiency += u32::from(level);
    }
    let key = Key::of(queue.strategy, membership.weight);
    let set = class.idle.iter().position(|(other, _)| *other == key)?;
    Some(Serves {
        class: index,
        tier: membership.tier,
        proficiency,
        set,
    })
}
