use std::time::Duration;

use sans_io::{Deadline, Time};

use super::slots::Slots;
use crate::rtp::Unwrap;

/// Packets that may wait ahead of a missing one.
const WINDOW: i64 = 4;
/// A jump beyond that leaves nothing worth waiting with. Less than the slots there are, so that nothing held is overwritten.
const JUMP: i64 = 8;
const SLOTS: usize = 16;
/// And how long.
const PATIENCE: Duration = Duration::from_millis(30);

/// Puts packets in order and delays none that is in order: only what overtook another waits for it.
#[derive(Clone, Debug)]
pub struct Reorder {
    slots: Slots,
    sequences: Unwrap,
    timestamps: Unwrap,
    next: Option<i64>,
    highest: i64,
    waits: Option<Time>,
}

impl Default for Reorder {
    fn default() -> Self {
        Reorder {
            slots: Slots::new(SLOTS),
            sequences: Unwrap::default(),
            timestamps: Unwrap::default(),
            next: None,
            highest: 0,
            waits: None,
        }
    }
}

impl Reorder {
    /// Takes a packet in; false when it comes too late or twice. [`Reorder::pop`] until it has nothing.
    pub fn insert(&mut self, now: Time, sequence: u16, timestamp: u32, payload: &[u8]) -> bool {
        let sequence = self.sequences.sequence(sequence);
        let timestamp = self.timestamps.timestamp(timestamp);
        let next = *self.next.get_or_insert(sequence);
        if sequence < next || self.slots.find(sequence).is_some() {
            return false;
        }
        if sequence >= next + JUMP {
            // So much is lost that nothing held is worth waiting with.
            self.slots.clear();
            self.next = Some(sequence);
        } else if sequence >= next + WINDOW {
            // Makes room: the missing packet at the front is given up.
            self.waits = Some(Time::ZERO);
        }
        self.slots.put(sequence, timestamp, 0, payload);
        self.highest = self.highest.max(sequence);
        if sequence != next && self.waits.is_none() {
            self.waits = Some(now + PATIENCE);
        }
        true
    }

    /// The next packet: how many before it are lost for good, its timestamp (unwrapped) and where it is
    /// ([`Reorder::payload`]).
    pub fn pop(&mut self, now: Time) -> Option<(u32, i64, usize)> {
        let next = self.next?;
        let index = match self.slots.find(next) {
            Some(index) => index,
            None if self.waits.is_some_and(|until| until <= now) => self.slots.first(next, self.highest)?,
            None => return None,
        };
        let slot = self.slots.at(index);
        let sequence = slot.sequence?;
        let timestamp = slot.timestamp;
        self.slots.free(index);
        self.next = Some(sequence + 1);
        // Packets that are still held begin their wait anew.
        self.waits = self
            .slots
            .first(sequence + 1, self.highest)
            .map(|_| now + PATIENCE);
        Some(((sequence - next) as u32, timestamp, index))
    }

    /// The payload of what [`Reorder::pop`] gave, until the next insert.
    #[must_use]
    pub fn payload(&self, index: usize) -> &[u8] {
        &self.slots.at(index).payload
    }

    /// Time at which a missing packet is given up.
    #[must_use]
    pub fn deadline(&self) -> Deadline {
        self.waits.map(|until| (until, "reordering"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drain(reorder: &mut Reorder, now: Time) -> Vec<(u32, u8)> {
        std::iter::from_fn(|| {
            let (lost, _, index) = reorder.pop(now)?;
            Some((lost, reorder.payload(index)[0]))
        })
        .collect()
    }

    #[test]
    fn holds_nothing_that_is_in_order_and_waits_for_what_is_not() {
        let mut reorder = Reorder::default();
        let now = Time(0);
        let put = |reorder: &mut Reorder, now, n: u8| {
            reorder.insert(now, 65_533u16.wrapping_add(u16::from(n)), u32::from(n), &[n])
        };
        assert!(put(&mut reorder, now, 0));
        assert_eq!(drain(&mut reorder, now), [(0, 0)]);
        assert!(put(&mut reorder, now, 2));
        assert_eq!(drain(&mut reorder, now), []);
        assert!(put(&mut reorder, now, 1));
        assert!(!put(&mut reorder, now, 1), "twice");
        assert_eq!(drain(&mut reorder, now), [(0, 1), (0, 2)]);
        // Lost: given up after a while.
        assert!(put(&mut reorder, now, 4));
        assert!(put(&mut reorder, now, 5));
        assert_eq!(drain(&mut reorder, now), []);
        let (until, _) = reorder.deadline().unwrap();
        assert_eq!(drain(&mut reorder, until), [(1, 4), (0, 5)]);
        assert!(!put(&mut reorder, until, 3), "too late");
        assert_eq!(reorder.deadline(), None);
        // Lost more than can be waited for.
        for n in [7, 8, 9] {
            put(&mut reorder, until, n);
            assert_eq!(drain(&mut reorder, until), []);
        }
        put(&mut reorder, until, 10);
        assert_eq!(drain(&mut reorder, until), [(1, 7), (0, 8), (0, 9), (0, 10)]);
        put(&mut reorder, until, 200);
        assert_eq!(drain(&mut reorder, until), [(0, 200)]);
    }

    #[test]
    fn nothing_held_is_lost_when_the_window_is_full() {
        let mut reorder = Reorder::default();
        let now = Time(0);
        for n in [0u8, 2, 3, 4, 6, 7] {
            reorder.insert(now, u16::from(n), u32::from(n), &[n]);
        }
        assert_eq!(drain(&mut reorder, now), [(0, 0)]);
        let (until, _) = reorder.deadline().unwrap();
        let mut came = drain(&mut reorder, until);
        let (until, _) = reorder.deadline().unwrap();
        came.extend(drain(&mut reorder, until));
        assert_eq!(came, [(1, 2), (0, 3), (0, 4), (1, 6), (0, 7)]);
    }

    #[test]
    fn a_burst_of_losses_of_any_length_is_given_up_at_once_or_after_the_wait() {
        for burst in 1..20 {
            let mut reorder = Reorder::default();
            let now = Time(0);
            assert!(reorder.insert(now, 100, 0, &[0]));
            assert_eq!(drain(&mut reorder, now), [(0, 0)]);
            assert!(reorder.insert(now, 101 + burst, 0, &[1]));
            let mut came = drain(&mut reorder, now);
            if let Some((until, _)) = reorder.deadline() {
                came.extend(drain(&mut reorder, until));
                assert_eq!(
                    reorder.deadline(),
                    None,
                    "a deadline that nothing comes of, after {burst}"
                );
            }
            assert_eq!(
                came.iter().map(|(_, payload)| *payload).collect::<Vec<_>>(),
                [1],
                "after {burst}"
            );
        }
    }
}
