//! A network between two, on a virtual clock: it loses, delays, reorders and repeats, the same way for the same seed.

use std::collections::BTreeMap;
use std::time::Duration;

use sans_io::{Rng, Time};

/// Direction of a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum To {
    Leg,
    Browser,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Conditions {
    pub(crate) loss_percent: u64,
    pub(crate) repeat_percent: u64,
    /// A datagram takes 5 ms and at most this much more.
    pub(crate) spread: Duration,
}

pub(crate) const PERFECT: Conditions = Conditions {
    loss_percent: 0,
    repeat_percent: 0,
    spread: Duration::ZERO,
};
pub(crate) const AWFUL: Conditions = Conditions {
    loss_percent: 25,
    repeat_percent: 10,
    spread: Duration::from_millis(40),
};

pub(crate) struct Network {
    rng: Rng,
    conditions: Conditions,
    sent: u64,
    under_way: BTreeMap<(Time, u64), (To, Vec<u8>)>,
}

impl Network {
    pub(crate) fn new(seed: u64, conditions: Conditions) -> Network {
        Network {
            rng: Rng::seeded(seed),
            conditions,
            sent: 0,
            under_way: BTreeMap::new(),
        }
    }

    pub(crate) fn send(&mut self, now: Time, to: To, datagram: &[u8]) {
        let copies = 1 + u64::from(self.rng.percent(self.conditions.repeat_percent));
        for _ in 0..copies {
            self.sent += 1;
            let spread = self.rng.below(self.conditions.spread.as_micros() as u64 + 1);
            if !self.rng.percent(self.conditions.loss_percent) {
                let due = now + Duration::from_millis(5) + Duration::from_micros(spread);
                self.under_way.insert((due, self.sent), (to, datagram.to_vec()));
            }
        }
    }

    pub(crate) fn next(&self) -> Option<Time> {
        self.under_way.first_key_value().map(|((due, _), _)| *due)
    }

    pub(crate) fn arrive(&mut self, now: Time) -> Option<(To, Vec<u8>)> {
        let entry = self
            .under_way
            .first_entry()
            .filter(|entry| entry.key().0 <= now)?;
        Some(entry.remove())
    }
}
