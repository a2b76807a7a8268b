use std::cmp::Reverse;
use std::collections::BinaryHeap;

use sans_io::Time;

use crate::control::BridgeId;

/// Deadlines of legs and mixes. An entry is a promise to look at a leg, not the leg's deadline itself: a
/// deadline that moves to later leaves its entry where it is, and the leg is looked at once in vain. So
/// packets, which only ever put things off, do not touch the queue.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    heap: BinaryHeap<Reverse<(Time, Who, u64)>>,
}

/// Leg or mix to be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Who {
    /// The leg at this place in the slab.
    Leg(usize),
    /// The mix of this bridge.
    Mix(BridgeId),
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
