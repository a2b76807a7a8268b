use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;

use sans_io::{Deadline, Time};

use crate::control::{BridgeId, StreamIndex};

/// Deadlines of legs and mixes. An entry is a promise to look at a leg, not the leg's deadline itself: a
/// deadline that moves to later leaves its entry where it is, and the leg is looked at once in vain. So
/// packets, which only ever put things off, do not touch the queue.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    heap: BinaryHeap<Reverse<(Time, Who, u64)>>,
}

/// The earliest of several deadlines; the one that was named first, of those that are equal. A leg with one stream has nine, of which few exist
/// at a time, and they are compared several times for each packet: so it holds no `Option`, but the end of time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Earliest {
    at: Time,
    why: &'static str,
}

impl Default for Earliest {
    fn default() -> Earliest {
        Earliest {
            at: Time(u64::MAX),
            why: "",
        }
    }
}

impl Earliest {
    /// Takes another deadline into account.
    #[inline(always)]
    pub(crate) fn or(&mut self, other: Deadline) {
        if let Some((at, why)) = other
            && at < self.at
        {
            *self = Earliest { at, why };
        }
    }

    /// The earliest of those that were named; `None` if none of them ever comes.
    #[inline(always)]
    pub(crate) fn deadline(self) -> Deadline {
        (self.at < Time(u64::MAX)).then_some((self.at, self.why))
    }
}

/// Leg or mix to be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Who {
    /// The leg at this place in the slab.
    Leg(usize),
    /// The mix of this bridge for streams of this place.
    Mix(BridgeId, StreamIndex),
}

/// Place of a leg or a mix in the queue.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Armed {
    at: Option<Time>,
    /// Tells it from the one that had its place before.
    pub(crate) generation: u64,
}

impl Armed {
    pub(crate) fn new(generation: u64) -> Armed {
        Armed { at: None, generation }
    }
}

impl Queue {
    pub(crate) fn with_capacity(legs: usize) -> Queue {
        Queue {
            heap: BinaryHeap::with_capacity(legs),
        }
    }

    /// Makes sure that it is looked at no later than `at`.
    pub(crate) fn arm(&mut self, who: Who, armed: &mut Armed, at: Time) {
        if armed.at.is_none_or(|earlier| at < earlier) {
            armed.at = Some(at);
            self.heap.push(Reverse((at, who, armed.generation)));
        }
    }

    /// The first entry, whether or not it is due.
    pub(crate) fn peek(&self) -> Option<(Time, Who, u64)> {
        self.heap.peek().map(|entry| entry.0)
    }

    /// Moves the first entry to later; removes it if it is not the current one of its leg or mix.
    pub(crate) fn put_off(&mut self, armed: &mut Armed, to: Time) {
        let Some(mut first) = self.heap.peek_mut() else {
            return;
        };
        let Reverse((at, _, generation)) = *first;
        if armed.generation == generation && armed.at == Some(at) {
            first.0.0 = to;
            armed.at = Some(to);
        } else {
            PeekMut::pop(first);
        }
    }

    /// Removes the first entry; true if it is the current one of its leg or mix.
    pub(crate) fn pop(&mut self, armed: Option<&mut Armed>) -> bool {
        let Some(Reverse((at, _, generation))) = self.heap.pop() else {
            return false;
        };
        match armed {
            Some(armed) if armed.generation == generation && armed.at == Some(at) => {
                armed.at = None;
                true
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_earliest_deadline_is_the_first_named_of_equal_ones() {
        let mut earliest = Earliest::default();
        assert_eq!(earliest.deadline(), None);
        earliest.or(None);
        assert_eq!(earliest.deadline(), None);
        earliest.or(Some((Time(5), "a report")));
        earliest.or(Some((Time(3), "a digit")));
        earliest.or(None);
        earliest.or(Some((Time(3), "knocks")));
        earliest.or(Some((Time(4), "silence")));
        assert_eq!(earliest.deadline(), Some((Time(3), "a digit")));
    }
}
