use std::collections::{BTreeMap, BTreeSet};

use crate::{Deadline, Time};

/// Deadlines by key, one a key: setting a key again moves its deadline. Fires in order of time, then of key, so that two
/// runs of the same input fire alike.
#[derive(Debug)]
pub struct Timers<K> {
    queue: BTreeSet<(Time, K)>,
    armed: BTreeMap<K, (Time, &'static str)>,
}

impl<K> Default for Timers<K> {
    fn default() -> Self {
        Timers {
            queue: BTreeSet::new(),
            armed: BTreeMap::new(),
        }
    }
}

impl<K: Ord + Copy> Timers<K> {
    /// Arms `key` for `at`, in place of its previous deadline.
    pub fn set(&mut self, key: K, at: Time, reason: &'static str) {
        if let Some((old, _)) = self.armed.insert(key, (at, reason)) {
            self.queue.remove(&(old, key));
        }
        self.queue.insert((at, key));
    }

    /// Disarms `key`; true when it was armed.
    pub fn cancel(&mut self, key: K) -> bool {
        match self.armed.remove(&key) {
            Some((at, _)) => self.queue.remove(&(at, key)),
            None => false,
        }
    }

    /// Time at which `key` fires, if it is armed.
    #[must_use]
    pub fn get(&self, key: K) -> Option<Time> {
        self.armed.get(&key).map(|(at, _)| *at)
    }

    /// Takes the next key whose deadline is at or before `now`.
    pub fn pop_due(&mut self, now: Time) -> Option<K> {
        let &(at, key) = self.queue.first()?;
        if at > now {
            return None;
        }
        self.queue.pop_first();
        self.armed.remove(&key);
        Some(key)
    }

    /// The earliest deadline.
    #[must_use]
    pub fn next(&self) -> Deadline {
        let (at, key) = self.queue.first()?;
        Some((*at, self.armed.get(key).map_or("timer", |(_, reason)| reason)))
    }

    /// Number of armed timers.
    #[must_use]
    pub fn len(&self) -> usize {
        self.queue.len()
    }

    /// True when none is armed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fires_in_order_of_time_and_moves_when_set_again() {
        let mut timers = Timers::default();
        timers.set(1, Time(30), "a");
        timers.set(2, Time(20), "b");
        timers.set(1, Time(10), "a again");
        assert_eq!(timers.next(), Some((Time(10), "a again")));
        assert_eq!(timers.pop_due(Time(9)), None);
        assert_eq!(timers.pop_due(Time(25)), Some(1));
        assert_eq!(timers.pop_due(Time(25)), Some(2));
        assert!(timers.is_empty() && !timers.cancel(1));
    }
}
