//! The generator's own knowledge of each call, and the faults that must not happen to one.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// A caller who hangs up within this time of an agent's answer may count as either.
const CLOSE: Duration = Duration::from_millis(500);

/// All calls by the caller's number.
#[derive(Default)]
pub(super) struct Book {
    pub(super) calls: BTreeMap<u64, Call>,
    /// Faults, in words.
    pub(super) faults: Vec<String>,
    /// Phones that rang.
    pub(super) offers: u64,
}

/// A call from its first INVITE on.
pub(super) struct Call {
    pub(super) begun: Instant,
    /// The gateway took it, and it waits.
    pub(super) taken: Option<Instant>,
    /// The first agent's phone rang.
    pub(super) offered: Option<Instant>,
    /// An agent was free when it came, and no other call waited.
    pub(super) free: bool,
    /// The agent whose phone rings.
    pub(super) rings: Option<usize>,
    /// The agent who answered it, and when.
    pub(super) answered: Option<(usize, Instant)>,
    /// The gateway acknowledged the agent's answer.
    pub(super) joined: Option<Instant>,
    /// Time at which the caller hung up, if that came first.
    pub(super) left: Option<Instant>,
    /// True once it is over at the caller.
    pub(super) over: bool,
}

/// Expected state of a call in the records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Completed,
    Abandoned,
    /// Answer and hanging up crossed.
    Either,
}

impl Book {
    /// `free`: there is an agent who can take it, should no other call wait.
    pub(super) fn begin(&mut self, number: u64, now: Instant, free: bool) {
        let waits = |call: &Call| call.offered.is_none() && !call.over;
        let free = free && !self.calls.values().any(waits);
        let call = Call {
            begun: now,
            taken: None,
            offered: None,
            free,
            rings: None,
            answered: None,
            joined: None,
            left: None,
            over: false,
        };
        self.calls.insert(number, call);
    }

    /// An agent's phone is called for a call.
    pub(super) fn ring(&mut self, number: u64, agent: usize, now: Instant) {
        self.offers += 1;
        let Some(call) = self.calls.get_mut(&number) else {
            return self.faults.push(format!(
                "agent {agent} was offered call {number}, which does not exist"
            ));
        };
        if let Some(other) = call.rings {
            self.faults.push(format!(
                "call {number} rings at agents {other} and {agent} at once"
            ));
        }
        if let Some((other, _)) = call.answered {
            self.faults.push(format!(
                "call {number} rings at agent {agent}, and agent {other} has it"
            ));
        }
        call.rings = Some(agent);
        call.offered.get_or_insert(now);
    }

    /// The phone does not ring any longer.
    pub(super) fn still(&mut self, number: u64, agent: usize) {
        if let Some(call) = self
            .calls
            .get_mut(&number)
            .filter(|call| call.rings == Some(agent))
        {
            call.rings = None;
        }
    }

    pub(super) fn answer(&mut self, number: u64, agent: usize, now: Instant) {
        self.still(number, agent);
        if let Some(call) = self.calls.get_mut(&number) {
            call.answered = Some((agent, now));
        }
    }

    /// Calls that are not over yet.
    pub(super) fn open(&self) -> usize {
        self.calls.values().filter(|call| !call.over).count()
    }
}

impl Call {
    pub(super) fn verdict(&self) -> Verdict {
        match (self.answered, self.left) {
            (Some((_, answered)), Some(left)) if left < answered + CLOSE && answered < left + CLOSE => {
                Verdict::Either
            }
            (Some((_, answered)), Some(left)) if left < answered => Verdict::Abandoned,
            (Some(_), _) => Verdict::Completed,
            (None, _) => Verdict::Abandoned,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_that_rings_twice_at_once_is_a_fault() {
        let mut book = Book::default();
        let now = Instant::now();
        book.begin(5, now, true);
        book.ring(5, 1, now);
        book.still(5, 1);
        book.ring(5, 2, now);
        assert_eq!(book.faults.len(), 0);
        book.ring(5, 3, now);
        assert_eq!(book.faults.len(), 1);
        book.answer(5, 3, now);
        book.ring(5, 4, now);
        assert_eq!(book.faults.len(), 2);
        assert_eq!(book.calls[&5].verdict(), Verdict::Completed);
    }
}
