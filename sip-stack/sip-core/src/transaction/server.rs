use crate::message::{StatusClass, StatusCode};
use sans_io::{Deadline, Time, earlier};

use super::{OnTimeout, Timing};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Trying,
    Proceeding,
    Completed,
    Terminated,
}

/// Server transaction of any request but INVITE and ACK (RFC 3261 §17.2.2).
#[derive(Clone, Copy, Debug)]
pub struct Server {
    state: State,
    timing: Timing,
    reliable: bool,
    /// Time of the 100, unless there is a response before.
    trying: Option<Time>,
    end: Option<Time>,
}

impl Server {
    /// A request came.
    #[must_use]
    pub fn new(now: Time, timing: Timing, reliable: bool) -> Server {
        // The client gave up after 64·T1 (timer F): a transaction that nobody answered is dropped then,
        // without a 408 (RFC 4320 §4.2).
        Server {
            state: State::Trying,
            timing,
            reliable,
            trying: Some(now + timing.slow()),
            end: Some(now + timing.timeout()),
        }
    }

    /// The user responds; false when this response may not be sent any more.
    pub fn respond(&mut self, now: Time, code: StatusCode) -> bool {
        self.trying = None;
        match (self.state, code.class()) {
            (State::Trying | State::Proceeding, StatusClass::Provisional) => {
                self.state = State::Proceeding;
                true
            }
            (State::Trying | State::Proceeding, _) => {
                self.state = State::Completed;
                self.end = Some(if self.reliable {
                    now
                } else {
                    now + self.timing.timeout()
                }); // timer J
                true
            }
            _ => false,
        }
    }

    /// The request came again; true when the last response is to be sent again.
    pub fn on_request(&mut self) -> bool {
        matches!(self.state, State::Proceeding | State::Completed)
    }

    /// The deadline passed.
    pub fn on_timeout(&mut self, now: Time) -> OnTimeout {
        if self.trying.take_if(|at| *at <= now).is_some() {
            return OnTimeout::Trying;
        }
        if self.end.is_none_or(|end| end > now) {
            return OnTimeout::Nothing;
        }
        let completed = self.state == State::Completed;
        self.state = State::Terminated;
        self.end = None;
        if completed {
            OnTimeout::Finished
        } else {
            OnTimeout::TimedOut
        }
    }

    /// Time at which it must be woken.
    #[must_use]
    pub fn deadline(&self) -> Deadline {
        let reason = if self.state == State::Completed {
            "timer J"
        } else {
            "unanswered request"
        };
        earlier(
            self.trying.map(|at| (at, "100 to a slow request")),
            self.end.map(|at| (at, reason)),
        )
    }

    /// No final response was sent yet.
    #[must_use]
    pub fn is_open(&self) -> bool {
        matches!(self.state, State::Trying | State::Proceeding)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMEOUT: u64 = 64 * 500_000;

    #[test]
    fn trying_is_silent_then_each_copy_gets_the_response() {
        let mut tx = Server::new(Time(0), Timing::default(), false);
        assert!(!tx.on_request() && tx.respond(Time(1), StatusCode::TRYING) && tx.on_request());
        assert!(tx.respond(Time(2), StatusCode::OK) && tx.on_request());
        assert!(
            !tx.respond(Time(3), StatusCode::NOT_FOUND) && !tx.respond(Time(3), StatusCode::TRYING),
            "one final response"
        );
        assert_eq!(tx.deadline(), Some((Time(2 + TIMEOUT), "timer J")));
        assert_eq!(tx.on_timeout(Time(2 + TIMEOUT)), OnTimeout::Finished);
    }

    #[test]
    fn timer_j_is_zero_when_reliable() {
        let mut tx = Server::new(Time(0), Timing::default(), true);
        assert!(tx.respond(Time(2), StatusCode::OK));
        assert_eq!(tx.on_timeout(Time(2)), OnTimeout::Finished);
    }

    #[test]
    fn a_request_nobody_answers_is_forgotten() {
        let mut tx = Server::new(Time(0), Timing::default(), false);
        assert_eq!(tx.on_timeout(Time(3_499_999)), OnTimeout::Nothing);
        assert_eq!(tx.deadline(), Some((Time(3_500_000), "100 to a slow request")));
        assert_eq!(tx.on_timeout(Time(3_500_000)), OnTimeout::Trying);
        assert!(tx.respond(Time(3_500_000), StatusCode::TRYING) && tx.on_request());
        assert_eq!(tx.on_timeout(Time(TIMEOUT - 1)), OnTimeout::Nothing);
        assert_eq!(tx.on_timeout(Time(TIMEOUT)), OnTimeout::TimedOut);
    }
}
