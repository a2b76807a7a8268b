use crate::message::{StatusClass, StatusCode};
use std::time::Duration;

use sans_io::{Deadline, Time, earlier};

use super::{OnTimeout, Timing};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Trying,
    Proceeding,
    Completed,
    Terminated,
}

/// Client transaction of any request but INVITE and ACK (RFC 3261 §17.1.2).
#[derive(Clone, Copy, Debug)]
pub struct Client {
    state: State,
    timing: Timing,
    reliable: bool,
    interval: Duration,
    resend: Option<Time>,
    /// Time at which it is given up, unless anything comes before.
    given_up: Option<Time>,
    end: Option<Time>,
}

impl Client {
    /// The request goes out now.
    #[must_use]
    pub fn new(now: Time, timing: Timing, reliable: bool) -> Client {
        Client {
            state: State::Trying,
            timing,
            reliable,
            interval: timing.t1,
            resend: (!reliable).then(|| now + timing.t1),
            given_up: None,
            end: Some(now + timing.timeout()),
        }
    }

    /// A response of this transaction; true when it is news for the user.
    pub fn on_response(&mut self, now: Time, code: StatusCode) -> bool {
        self.given_up = None;
        match (self.state, code.class()) {
            (State::Trying | State::Proceeding, StatusClass::Provisional) => {
                self.state = State::Proceeding;
                true
            }
            (State::Trying | State::Proceeding, _) => {
                self.state = State::Completed;
                self.resend = None;
                self.end = Some(if self.reliable { now } else { now + self.timing.t4 }); // timer K
                true
            }
            _ => false,
        }
    }

    /// The deadline passed.
    pub fn on_timeout(&mut self, now: Time) -> OnTimeout {
        let end = [self.given_up, self.end].into_iter().flatten().min();
        if end.is_some_and(|end| end <= now) {
            let completed = self.state == State::Completed;
            self.state = State::Terminated;
            self.resend = None;
            self.given_up = None;
            self.end = None;
            return if completed {
                OnTimeout::Finished
            } else {
                OnTimeout::TimedOut
            };
        }
        if self.resend.is_some_and(|at| at <= now) {
            // Timer E: doubles up to T2, and is T2 throughout once a provisional response came.
            self.interval = match self.state {
                State::Proceeding => self.timing.t2,
                _ => (self.interval * 2).min(self.timing.t2),
            };
            self.resend = Some(now + self.interval);
            return OnTimeout::Resend;
        }
        OnTimeout::Nothing
    }

    /// Time at which it must be woken.
    #[must_use]
    pub fn deadline(&self) -> Deadline {
        let end = if self.state == State::Completed {
            "timer K"
        } else {
            "timer F"
        };
        earlier(
            self.resend.map(|at| (at, "timer E")),
            earlier(
                self.given_up.map(|at| (at, "silent target")),
                self.end.map(|at| (at, end)),
            ),
        )
    }

    /// True if nothing has come yet.
    #[must_use]
    pub fn is_unheard(&self) -> bool {
        self.state == State::Trying
    }

    /// Sets the time at which it counts as timed out if no response has come.
    pub fn give_up(&mut self, at: Time) {
        if self.is_unheard() {
            self.given_up = Some(at);
        }
    }

    /// No final response came yet.
    #[must_use]
    pub fn is_open(&self) -> bool {
        matches!(self.state, State::Trying | State::Proceeding)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silent_target_is_given_up_and_one_that_answered_is_not() {
        let mut tx = Client::new(Time(0), Timing::default(), true);
        tx.give_up(Time(5));
        assert_eq!(tx.deadline(), Some((Time(5), "silent target")));
        assert_eq!(tx.on_timeout(Time(5)), OnTimeout::TimedOut);
        let mut tx = Client::new(Time(0), Timing::default(), true);
        tx.give_up(Time(5));
        assert!(tx.on_response(Time(1), StatusCode::TRYING));
        assert_eq!(tx.on_timeout(Time(5)), OnTimeout::Nothing);
    }

    const T1: u64 = 500_000;

    fn run_to_the_end(tx: &mut Client) -> (Vec<u64>, OnTimeout, u64) {
        let mut sent = vec![];
        loop {
            let (at, _) = tx.deadline().unwrap();
            match tx.on_timeout(at) {
                OnTimeout::Resend => sent.push(at.0 / T1),
                end => return (sent, end, at.0 / T1),
            }
        }
    }

    #[test]
    fn timer_e_doubles_up_to_t2_until_timer_f() {
        let mut tx = Client::new(Time(0), Timing::default(), false);
        let (sent, end, at) = run_to_the_end(&mut tx);
        assert_eq!(sent, [1, 3, 7, 15, 23, 31, 39, 47, 55, 63]);
        assert_eq!((end, at), (OnTimeout::TimedOut, 64));
    }

    #[test]
    fn a_provisional_slows_timer_e_and_leaves_timer_f() {
        let mut tx = Client::new(Time(0), Timing::default(), false);
        assert!(tx.on_response(Time(10), StatusCode::TRYING));
        let (sent, end, at) = run_to_the_end(&mut tx);
        assert_eq!(sent, [1, 9, 17, 25, 33, 41, 49, 57]);
        assert_eq!((end, at), (OnTimeout::TimedOut, 64));
    }

    #[test]
    fn one_final_response_then_timer_k() {
        let mut tx = Client::new(Time(0), Timing::default(), false);
        assert!(tx.is_open() && tx.on_response(Time(10), StatusCode::OK));
        assert!(
            !tx.is_open()
                && !tx.on_response(Time(11), StatusCode::OK)
                && !tx.on_response(Time(12), StatusCode::TRYING)
        );
        assert_eq!(tx.deadline(), Some((Time(10 + 5_000_000), "timer K")));
        assert_eq!(tx.on_timeout(Time(10 + 5_000_000)), OnTimeout::Finished);
    }

    #[test]
    fn reliable_neither_retransmits_nor_lingers() {
        let mut tx = Client::new(Time(0), Timing::default(), true);
        assert_eq!(tx.deadline(), Some((Time(64 * T1), "timer F")));
        assert!(tx.on_response(Time(9), StatusCode::NOT_FOUND));
        assert_eq!(tx.on_timeout(Time(9)), OnTimeout::Finished);
    }
}
