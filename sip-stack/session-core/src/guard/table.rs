//! A table of entries with times, in the order of the times.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use sans_io::Time;

#[derive(Debug)]
pub(super) struct Table<K> {
    moments: BTreeMap<K, Time>,
    order: BTreeSet<(Time, K)>,
}

impl<K> Default for Table<K> {
    fn default() -> Table<K> {
        Table {
            moments: BTreeMap::new(),
            order: BTreeSet::new(),
        }
    }
}

impl<K: Ord + Copy> Table<K> {
    pub(super) fn get(&self, key: &K) -> Option<Time> {
        self.moments.get(key).copied()
    }

    /// True if an entry in a range has a later time.
    pub(super) fn is_any_after(&self, now: Time, range: RangeInclusive<K>) -> bool {
        self.moments.range(range).any(|(_, moment)| *moment > now)
    }

    /// Adds an entry, or changes its time. If there are `room` entries already, the one with the earliest
    /// time goes.
    pub(super) fn set(&mut self, key: K, moment: Time, room: usize) -> Option<K> {
        let mut evicted = None;
        match self.moments.insert(key, moment) {
            Some(before) => {
                self.order.remove(&(before, key));
            }
            None if self.order.len() >= room => {
                evicted = self.order.pop_first().map(|(_, key)| key);
                if let Some(key) = &evicted {
                    self.moments.remove(key);
                }
            }
            None => {}
        }
        self.order.insert((moment, key));
        evicted
    }

    pub(super) fn remove(&mut self, key: &K) {
        if let Some(moment) = self.moments.remove(key) {
            self.order.remove(&(moment, *key));
        }
    }

    /// Removes entries whose time is over.
    pub(super) fn expire(&mut self, now: Time) -> Vec<K> {
        let mut over = Vec::new();
        while let Some((moment, key)) = self.order.first().copied()
            && moment <= now
        {
            self.order.pop_first();
            self.moments.remove(&key);
            over.push(key);
        }
        over
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        assert_eq!(self.moments.len(), self.order.len());
        self.order.len()
    }
}
