use std::cmp::Reverse;
use std::collections::BinaryHeap;

use sans_io::Time;

/// Who wants to be woken when. An entry is a promise to look at a leg, not the leg's deadline itself: a deadline that
/// moves to later leaves its entry where it is, and the leg is looked at once in vain. So packets, which only ever put
/// things off, do not touch the queue.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    heap: BinaryHeap<Reverse<(Time, usize, u64)>>,
}

/// Where a leg stands in the queue.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Armed {
    at: Option<Time>,
    /// Tells a leg from the one that had its place in the slab before.
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

    /// Sees to it that the leg is looked at no later than `at`.
    pub(crate) fn arm(&mut self, key: usize, armed: &mut Armed, at: Time) {
        if armed.at.is_none_or(|earlier| at < earlier) {
            armed.at = Some(at);
            self.heap.push(Reverse((at, key, armed.generation)));
        }
    }

    /// The first entry, whether or not it is due.
    pub(crate) fn peek(&self) -> Option<(Time, usize, u64)> {
        self.heap.peek().map(|entry| entry.0)
    }

    /// Takes the first entry away; true when it is the one by which its leg is to be looked at.
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
