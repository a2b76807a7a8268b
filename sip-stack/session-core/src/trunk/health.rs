//! Health of a target: a machine of four states, told by OPTIONS and by what calls meet.
//!
//! A target that stays silent to a call is *suspected*: calls avoid it until it answers OPTIONS, or is *down* if it does not. No
//! connection, and 503, take it down at once. One that answers again is on *probation* until it has answered twice, or a call got an
//! answer there. Where no OPTIONS are sent, time takes the place of their answers.

use std::time::Duration;

use sans_io::Time;
use sip_core::message::Message;

/// Time for which a target is avoided if nothing but time tells whether it is back.
const AVOIDED: Duration = Duration::from_secs(30);
/// Longest time that a target can ask to be left alone (`Retry-After`).
const RETRY_AFTER: Duration = Duration::from_secs(300);

/// State of a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TargetState {
    /// Takes calls.
    Up,
    /// Silent to a call, or answers again after it was down: it gets calls if no other is up.
    Probation,
    /// Gets calls if no other target is left.
    Down(Trouble),
}

/// Trouble with a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// No response comes.
    Silent,
    /// No connection.
    Unreachable,
    /// The answer is 503: to a call, or to OPTIONS.
    Refusing,
}

/// Event in the life of a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Met {
    /// A call got an answer other than 503, or rings.
    Life,
    /// A call, or a registration, got none, or 503 with this `Retry-After`.
    Trouble(Trouble, Option<Duration>),
    /// OPTIONS got an answer other than 503.
    Answer,
    /// OPTIONS got none, or 503 with this `Retry-After`.
    NoAnswer(Trouble, Option<Duration>),
}

/// Health of a target. One that nothing is known of is up.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Health {
    phase: Phase,
    /// Time of the last change.
    since: Option<Time>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    #[default]
    Up,
    Suspected,
    Probation,
    /// With the time before which nothing but a call changes it.
    Down(Trouble, Option<Time>),
}

impl Health {
    pub(super) fn state(&self) -> TargetState {
        match self.phase {
            Phase::Up => TargetState::Up,
            Phase::Suspected | Phase::Probation => TargetState::Probation,
            Phase::Down(trouble, _) => TargetState::Down(trouble),
        }
    }

    pub(super) fn since(&self) -> Option<Time> {
        self.since
    }

    pub(super) fn is_down(&self) -> bool {
        matches!(self.phase, Phase::Down(..))
    }

    pub(super) fn is_up(&self) -> bool {
        self.phase == Phase::Up
    }

    /// True if OPTIONS should go to it at once, or as soon as it is asked anyway.
    pub(super) fn is_in_doubt(&self) -> bool {
        matches!(self.phase, Phase::Suspected | Phase::Probation)
    }

    /// Place in the order of choice: the best is 0.
    pub(super) fn rank(&self) -> u8 {
        match self.phase {
            Phase::Up => 0,
            Phase::Probation => 1,
            Phase::Suspected => 2,
            Phase::Down(..) => 3,
        }
    }

    /// Takes what was met. `watched`: OPTIONS are sent to it. True if its state is another one now.
    pub(super) fn met(&mut self, now: Time, met: Met, watched: bool) -> bool {
        let later = |retry_after: Option<Duration>| {
            let own = (!watched).then_some(AVOIDED);
            let pause = retry_after.map(|pause| pause.min(RETRY_AFTER)).or(own);
            pause.map(|pause| now + pause)
        };
        let next = match (met, self.phase) {
            (Met::Life, _) => Phase::Up,
            (Met::Trouble(Trouble::Silent, _), Phase::Down(..)) => self.phase,
            (Met::Trouble(Trouble::Silent, _), _) if watched => Phase::Suspected,
            (Met::Trouble(trouble, retry_after) | Met::NoAnswer(trouble, retry_after), phase) => {
                let until = later(retry_after);
                match phase {
                    // The longest pause that it asked for counts.
                    Phase::Down(_, known) => Phase::Down(trouble, known.max(until)),
                    _ => Phase::Down(trouble, until),
                }
            }
            (Met::Answer, Phase::Down(_, Some(until))) if now < until => self.phase,
            (Met::Answer, Phase::Down(..)) => Phase::Probation,
            (Met::Answer, _) => Phase::Up,
        };
        self.enter(now, next)
    }

    /// Time after which it is tried again without having answered OPTIONS.
    pub(super) fn until(&self) -> Option<Time> {
        match self.phase {
            Phase::Down(_, until) => until,
            _ => None,
        }
    }

    /// Its pause is over. `watched` targets answer OPTIONS first. True if its state is another one now.
    pub(super) fn rested(&mut self, now: Time, watched: bool) -> bool {
        match self.phase {
            Phase::Down(trouble, Some(until)) if until <= now => {
                let next = match watched {
                    true => Phase::Down(trouble, None),
                    false => Phase::Probation,
                };
                self.enter(now, next)
            }
            _ => false,
        }
    }

    fn enter(&mut self, now: Time, next: Phase) -> bool {
        let before = self.state();
        self.phase = next;
        let changed = self.state() != before;
        if changed {
            self.since = Some(now);
        }
        changed
    }
}

/// Time for which a response asks for no further requests.
pub(crate) fn pause(response: &Message) -> Option<Duration> {
    let seconds = response.retry_after()?;
    Some(Duration::from_secs(seconds.into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use TargetState::{Down, Probation, Up};

    fn at(seconds: u64) -> Time {
        Time::from_secs(1_000 + seconds)
    }

    #[test]
    fn a_silent_target_is_asked_before_it_is_given_up() {
        let mut health = Health::default();
        assert!(health.met(at(1), Met::Trouble(Trouble::Silent, None), true));
        assert_eq!((health.state(), health.rank()), (Probation, 2));
        assert!(health.met(at(2), Met::Answer, true), "a datagram was lost");
        assert_eq!(health.state(), Up);
        health.met(at(3), Met::Trouble(Trouble::Silent, None), true);
        assert!(health.met(at(4), Met::NoAnswer(Trouble::Silent, None), true));
        assert_eq!(
            (health.state(), health.since()),
            (Down(Trouble::Silent), Some(at(4)))
        );
        assert!(!health.met(at(5), Met::Trouble(Trouble::Silent, None), true));
        health.met(at(6), Met::Answer, true);
        assert_eq!(
            (health.state(), health.rank()),
            (Probation, 1),
            "once is not enough"
        );
        health.met(at(7), Met::Answer, true);
        assert_eq!(health.state(), Up);
    }

    #[test]
    fn a_target_that_asks_for_a_pause_gets_it_within_bounds() {
        let pause = |seconds| Met::Trouble(Trouble::Refusing, Some(Duration::from_secs(seconds)));
        let mut health = Health::default();
        health.met(at(0), pause(20), true);
        health.met(at(1), Met::NoAnswer(Trouble::Silent, None), true);
        assert!(!health.met(at(19), Met::Answer, true), "it asked for 20 s");
        assert!(health.met(at(20), Met::Answer, true));
        health.met(at(30), pause(86_400), true);
        assert_eq!(health.until(), Some(at(330)));
        health.met(at(40), Met::Life, true);
        assert_eq!(health.state(), Up, "a call got through");
    }

    #[test]
    fn time_alone_brings_back_what_nobody_asks() {
        let mut health = Health::default();
        health.met(at(0), Met::Trouble(Trouble::Silent, None), false);
        assert_eq!(
            (health.state(), health.until()),
            (Down(Trouble::Silent), Some(at(30)))
        );
        assert!(!health.rested(at(29), false) && health.rested(at(30), false));
        assert_eq!(health.state(), Probation);
        health.met(at(31), Met::Life, false);
        assert_eq!(health.state(), Up);
    }
}
