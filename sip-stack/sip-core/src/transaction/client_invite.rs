use crate::message::{StatusClass, StatusCode};
use std::time::Duration;

use sans_io::{Deadline, Time, earlier};

use super::{OnTimeout, Timing};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Calling,
    /// Given up without any response; late responses are still handled.
    Abandoned,
    Proceeding,
    Completed,
    Accepted,
    Terminated,
}

/// Action for a response to our INVITE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnResponse {
    /// Hand it to the user.
    Deliver,
    /// Hand it to the user and send ACK within this transaction (RFC 3261 §17.1.1.3).
    DeliverAndAck,
    /// A final response came again: the ACK was lost, send it again.
    Ack,
    /// A stray.
    Ignore,
}

/// INVITE client transaction (RFC 3261 §17.1.1, RFC 6026 §7.2).
#[derive(Clone, Copy, Debug)]
pub struct ClientInvite {
    state: State,
    timing: Timing,
    reliable: bool,
    interval: Duration,
    resend: Option<Time>,
    /// Time at which it is given up, unless anything comes before.
    given_up: Option<Time>,
    end: Option<Time>,
}

impl ClientInvite {
    /// The INVITE goes out now.
    #[must_use]
    pub fn new(now: Time, timing: Timing, reliable: bool) -> ClientInvite {
        ClientInvite {
            state: State::Calling,
            timing,
            reliable,
            interval: timing.t1,
            resend: (!reliable).then(|| now + timing.t1),
            given_up: None,
            end: Some(now + timing.timeout()),
        }
    }

    /// A response of this transaction, by its status code.
    pub fn on_response(&mut self, now: Time, code: StatusCode) -> OnResponse {
        match (self.state, code.class()) {
            (State::Calling | State::Proceeding, StatusClass::Provisional) => {
                // §17.1.1.2: no retransmission and no timer B once anyone answered; the user limits ringing.
                self.enter(State::Proceeding, None);
                OnResponse::Deliver
            }
            (State::Abandoned, StatusClass::Provisional) => OnResponse::Deliver,
            (State::Calling | State::Abandoned | State::Proceeding, StatusClass::Success) => {
                self.enter(State::Accepted, Some(now + self.timing.timeout())); // timer M
                OnResponse::Deliver
            }
            (State::Calling | State::Abandoned | State::Proceeding, _) => {
                // Timer D is zero over reliable transports.
                if self.reliable {
                    self.enter(State::Terminated, Some(now));
                } else {
                    self.enter(State::Completed, Some(now + self.timing.timeout()));
                }
                OnResponse::DeliverAndAck
            }
            // RFC 6026 §7.2: 2xx of other forks, and each retransmission, belong to the user.
            (State::Accepted, StatusClass::Success) => OnResponse::Deliver,
            (State::Completed, _) if code.is_refusal() => OnResponse::Ack,
            _ => OnResponse::Ignore,
        }
    }

    /// The deadline passed.
    pub fn on_timeout(&mut self, now: Time) -> OnTimeout {
        if self.end.is_some_and(|end| end <= now) {
            let open = self.is_open();
            self.enter(State::Terminated, None);
            return if open {
                OnTimeout::TimedOut
            } else {
                OnTimeout::Finished
            };
        }
        if self.given_up.is_some_and(|at| at <= now) {
            // As long again as timer B: until then the abandoned peer may report that it rings.
            self.enter(State::Abandoned, Some(now + self.timing.timeout()));
            return OnTimeout::TimedOut;
        }
        if self.resend.is_some_and(|at| at <= now) {
            self.interval *= 2; // timer A doubles without bound; timer B ends it
            self.resend = Some(now + self.interval);
            return OnTimeout::Resend;
        }
        OnTimeout::Nothing
    }

    /// Time at which it must be woken.
    #[must_use]
    pub fn deadline(&self) -> Deadline {
        let end = match self.state {
            State::Calling => "timer B",
            State::Abandoned => "abandoned INVITE",
            State::Proceeding => "limit of a re-INVITE",
            State::Accepted => "timer M",
            _ => "timer D",
        };
        earlier(
            self.resend.map(|at| (at, "timer A")),
            earlier(
                self.given_up.map(|at| (at, "silent target")),
                self.end.map(|at| (at, end)),
            ),
        )
    }

    /// A provisional response came and no final one: the moment in which CANCEL may be sent (§9.1).
    #[must_use]
    pub fn is_proceeding(&self) -> bool {
        self.state == State::Proceeding
    }

    /// No final response came yet.
    #[must_use]
    pub fn is_open(&self) -> bool {
        matches!(self.state, State::Calling | State::Proceeding)
    }

    /// True if nothing has come yet.
    #[must_use]
    pub fn is_unheard(&self) -> bool {
        self.state == State::Calling
    }

    /// True if it was given up without any response.
    #[must_use]
    pub fn is_abandoned(&self) -> bool {
        self.state == State::Abandoned
    }

    /// Sets the time at which it counts as timed out if no response has come. It still handles late
    /// responses: a phone that rings must be told that nobody waits. Never later than timer B.
    pub fn give_up(&mut self, at: Time) {
        if self.is_unheard() {
            self.given_up = Some(at).filter(|at| self.end.is_none_or(|end| *at < end));
        }
    }

    /// A provisional response came; without a final one by then it has timed out.
    pub fn limit(&mut self, at: Time) {
        if self.is_proceeding() {
            self.end = Some(at);
        }
    }

    fn enter(&mut self, state: State, end: Option<Time>) {
        self.state = state;
        self.resend = None;
        self.given_up = None;
        self.end = end;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const T1: u64 = 500_000;

    fn udp() -> ClientInvite {
        ClientInvite::new(Time(0), Timing::default(), false)
    }

    #[test]
    fn timer_a_doubles_until_timer_b() {
        let mut tx = udp();
        let mut sent = vec![];
        loop {
            let (at, _) = tx.deadline().unwrap();
            match tx.on_timeout(at) {
                OnTimeout::Resend => sent.push(at.0 / T1),
                other => {
                    assert_eq!((other, at.0), (OnTimeout::TimedOut, 64 * T1));
                    break;
                }
            }
        }
        assert_eq!(sent, [1, 3, 7, 15, 31, 63]);
        assert_eq!(tx.deadline(), None);
    }

    #[test]
    fn reliable_transport_never_retransmits() {
        let mut tx = ClientInvite::new(Time(0), Timing::default(), true);
        assert_eq!(tx.deadline(), Some((Time(64 * T1), "timer B")));
        assert_eq!(tx.on_timeout(Time(5)), OnTimeout::Nothing);
        assert_eq!(tx.on_timeout(Time(64 * T1)), OnTimeout::TimedOut);
    }

    #[test]
    fn a_provisional_stops_both_timers() {
        let mut tx = udp();
        assert!(!tx.is_proceeding());
        assert_eq!(tx.on_response(Time(1), StatusCode::TRYING), OnResponse::Deliver);
        assert!(tx.is_proceeding() && tx.deadline().is_none());
        assert_eq!(tx.on_response(Time(2), StatusCode::RINGING), OnResponse::Deliver);
    }

    #[test]
    fn a_limit_after_a_provisional_ends_it() {
        let mut tx = udp();
        tx.limit(Time(5));
        assert_eq!(tx.deadline(), Some((Time(T1), "timer A")));
        assert_eq!(tx.on_response(Time(1), StatusCode::TRYING), OnResponse::Deliver);
        tx.limit(Time(50));
        assert_eq!(tx.deadline(), Some((Time(50), "limit of a re-INVITE")));
        assert_eq!(tx.on_timeout(Time(50)), OnTimeout::TimedOut);
    }

    #[test]
    fn a_silent_target_is_given_up_before_timer_b_and_one_that_answered_is_not() {
        let mut tx = udp();
        tx.give_up(Time(3 * T1));
        assert_eq!(tx.on_timeout(Time(T1)), OnTimeout::Resend);
        assert_eq!(tx.on_timeout(Time(3 * T1)), OnTimeout::TimedOut);
        assert!(!tx.is_open() && !tx.is_proceeding());
        assert_eq!(
            tx.on_response(Time(4 * T1), StatusCode::RINGING),
            OnResponse::Deliver
        );
        assert_eq!(tx.deadline(), Some((Time(67 * T1), "abandoned INVITE")));
        assert_eq!(tx.on_timeout(Time(67 * T1)), OnTimeout::Finished);
        let mut tx = udp();
        tx.give_up(Time(3 * T1));
        assert_eq!(tx.on_response(Time(1), StatusCode::TRYING), OnResponse::Deliver);
        assert_eq!(tx.deadline(), None);
        let mut tx = udp();
        tx.give_up(Time(100 * T1));
        assert_eq!(tx.on_timeout(Time(64 * T1)), OnTimeout::TimedOut);
    }

    #[test]
    fn accepted_hands_up_every_2xx_and_ends_with_timer_m() {
        let mut tx = udp();
        assert_eq!(tx.on_response(Time(10), StatusCode::OK), OnResponse::Deliver);
        assert_eq!(tx.on_response(Time(20), StatusCode::OK), OnResponse::Deliver);
        assert_eq!(tx.on_response(Time(21), StatusCode::RINGING), OnResponse::Ignore);
        assert_eq!(
            tx.on_response(Time(22), StatusCode::BUSY_HERE),
            OnResponse::Ignore
        );
        assert_eq!(tx.deadline(), Some((Time(10 + 64 * T1), "timer M")));
        assert_eq!(tx.on_timeout(Time(10 + 64 * T1)), OnTimeout::Finished);
    }

    #[test]
    fn completed_acknowledges_each_copy_until_timer_d() {
        let mut tx = udp();
        assert_eq!(
            tx.on_response(Time(10), StatusCode::BUSY_HERE),
            OnResponse::DeliverAndAck
        );
        assert_eq!(tx.on_response(Time(20), StatusCode::BUSY_HERE), OnResponse::Ack);
        assert_eq!(tx.on_response(Time(30), StatusCode::OK), OnResponse::Ignore);
        assert_eq!(tx.deadline(), Some((Time(10 + 64 * T1), "timer D")));
        assert_eq!(tx.on_timeout(Time(10 + 64 * T1)), OnTimeout::Finished);
    }

    #[test]
    fn timer_d_is_zero_when_reliable() {
        let mut tx = ClientInvite::new(Time(0), Timing::default(), true);
        assert_eq!(
            tx.on_response(Time(7), StatusCode::NOT_FOUND),
            OnResponse::DeliverAndAck
        );
        assert_eq!(tx.on_timeout(Time(7)), OnTimeout::Finished);
    }
}
