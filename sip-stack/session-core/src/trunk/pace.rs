//! Pace of new calls to a trunk, exact to the microsecond: a log of the last INVITEs, and those that wait for their turn.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use media_core::control::LegId;
use sans_io::Time;

/// Rate of new calls that a trunk takes: so many in any span of that length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallRate {
    /// Calls, at least 1. They may come at once.
    pub calls: u32,
    /// Length of the span.
    pub within: Duration,
}

/// Pace of new calls.
#[derive(Debug)]
pub(super) struct Pace {
    rate: CallRate,
    /// Times of the last INVITEs, as many as may come in one span.
    sent: VecDeque<Time>,
    /// Legs whose INVITE is to come.
    expected: BTreeSet<LegId>,
    /// Those of them that can send it, in the order in which they could.
    ready: VecDeque<LegId>,
}

impl Pace {
    pub(super) fn new(rate: CallRate) -> Pace {
        Pace {
            rate,
            sent: VecDeque::new(),
            expected: BTreeSet::new(),
            ready: VecDeque::new(),
        }
    }

    /// Goes on at another rate. What was sent counts on.
    pub(super) fn set_rate(&mut self, rate: CallRate) {
        self.rate = rate;
        self.trim();
    }

    /// Time that another call would wait, behind those that are expected.
    pub(super) fn wait(&self, now: Time) -> Duration {
        let calls = self.calls();
        let (rounds, place) = (self.expected.len() / calls, self.expected.len() % calls);
        let rounds = u32::try_from(rounds).unwrap_or(u32::MAX);
        let turn = self.turn(now, place) + self.rate.within.saturating_mul(rounds);
        turn.since(now)
    }

    /// An INVITE of this leg is to come.
    pub(super) fn expect(&mut self, leg: LegId) {
        self.expected.insert(leg);
    }

    /// No INVITE of this leg will come.
    pub(super) fn forget(&mut self, leg: LegId) {
        self.expected.remove(&leg);
        self.ready.retain(|other| *other != leg);
    }

    /// The leg can send its INVITE. True if it is its turn, which is taken with that.
    pub(super) fn is_turn(&mut self, now: Time, leg: LegId) -> bool {
        if !self.ready.contains(&leg) {
            self.ready.push_back(leg);
        }
        let is_first = self.ready.front() == Some(&leg);
        is_first && self.take(now).is_some()
    }

    /// Takes the turn of the first leg that can send its INVITE, if it is now.
    pub(super) fn take(&mut self, now: Time) -> Option<LegId> {
        let is_time = self.turn_of(0).is_none_or(|turn| turn <= now);
        let leg = self.ready.pop_front_if(|_| is_time)?;
        self.expected.remove(&leg);
        self.sent.push_back(now);
        self.trim();
        Some(leg)
    }

    /// Time of the next turn, if a leg waits for it.
    pub(super) fn next(&self) -> Option<Time> {
        (!self.ready.is_empty()).then(|| self.turn_of(0).unwrap_or_default())
    }

    /// Time of the turn that many places behind the next, less than one span's worth.
    fn turn(&self, now: Time, place: usize) -> Time {
        self.turn_of(place).map_or(now, |turn| turn.max(now))
    }

    fn turn_of(&self, place: usize) -> Option<Time> {
        let before = (self.sent.len() + place).checked_sub(self.calls())?;
        Some(*self.sent.get(before)? + self.rate.within)
    }

    fn calls(&self) -> usize {
        self.rate.calls.max(1) as usize
    }

    fn trim(&mut self) {
        while self.sent.len() > self.calls() {
            self.sent.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sans_io::Rng;

    fn seconds(n: f64) -> Duration {
        Duration::from_secs_f64(n)
    }

    #[test]
    fn no_span_ever_sees_more_and_none_waits_in_vain() {
        let mut rng = Rng::seeded(3);
        for (calls, within) in [(1, 1.0), (1, 2.0), (3, 1.0), (40, 5.0), (1, 0.4)] {
            let rate = CallRate {
                calls,
                within: seconds(within),
            };
            let mut pace = Pace::new(rate);
            let mut now = Time::from_secs(1_000);
            let mut sent: Vec<Time> = Vec::new();
            for n in 0..400 {
                now += Duration::from_micros(rng.below(600_000));
                while let Some(at) = pace.next().filter(|at| *at <= now) {
                    assert!(pace.take(at).is_some(), "it waited for its turn");
                    sent.push(at);
                }
                let leg = LegId(n);
                let expected = now + pace.wait(now);
                pace.expect(leg);
                match rng.below(4) {
                    0 => pace.forget(leg),
                    _ if pace.is_turn(now, leg) => {
                        assert_eq!(expected, now, "its turn was now");
                        sent.push(now);
                    }
                    _ => assert!(expected > now),
                }
            }
            let span = calls as usize;
            let close = sent
                .windows(span + 1)
                .filter(|w| w[span].since(w[0]) < rate.within);
            assert_eq!(close.count(), 0, "{rate:?}");
            assert!(sent.len() > 50, "{rate:?}: {}", sent.len());
        }
    }

    #[test]
    fn the_wait_counts_those_before() {
        let mut pace = Pace::new(CallRate {
            calls: 2,
            within: seconds(1.0),
        });
        let now = Time::from_secs(10);
        let waits: Vec<Duration> = (0..5)
            .map(|n| {
                let wait = pace.wait(now);
                pace.expect(LegId(n));
                wait
            })
            .collect();
        assert_eq!(waits, [0.0, 0.0, 1.0, 1.0, 2.0].map(seconds));
        pace.forget(LegId(0));
        assert_eq!(pace.wait(now), seconds(2.0), "one of them gave up");
        assert!(pace.is_turn(now, LegId(1)) && pace.is_turn(now, LegId(2)));
        assert!(!pace.is_turn(now, LegId(3)));
        assert_eq!(pace.next(), Some(now + seconds(1.0)));
        pace.set_rate(CallRate {
            calls: 1,
            within: seconds(5.0),
        });
        assert_eq!(pace.take(now + seconds(4.9)), None);
        assert_eq!(pace.take(now + seconds(5.0)), Some(LegId(3)));
    }
}
