use crate::message::{StatusClass, StatusCode};
use std::time::Duration;

use sans_io::{Deadline, Time, earlier};

use super::{OnTimeout, Timing};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Proceeding,
    Completed,
    Confirmed,
    Accepted,
    Terminated,
}

/// Action for an ACK that matches the transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnAck {
    /// The ACK ends the retransmission of our non-2xx response.
    Absorb,
    /// The ACK acknowledges a 2xx and belongs to the user (RFC 6026 §7.1).
    Deliver,
}

/// INVITE server transaction (RFC 3261 §17.2.1, RFC 6026 §7.1).
#[derive(Clone, Copy, Debug)]
pub struct ServerInvite {
    state: State,
    timing: Timing,
    reliable: bool,
    interval: Duration,
    /// Time of the 100, unless there is a response before.
    trying: Option<Time>,
    resend: Option<Time>,
    end: Option<Time>,
}

/// Time in which a response makes a 100 needless (RFC 3261 §17.2.1).
const SOON: Duration = Duration::from_millis(200);

impl ServerInvite {
    /// An INVITE came; the 100 goes out soon, unless another response does.
    #[must_use]
    pub fn new(now: Time, timing: Timing, reliable: bool) -> ServerInvite {
        ServerInvite {
            state: State::Proceeding,
            timing,
            reliable,
            interval: timing.t1,
            trying: Some(now + SOON),
            resend: None,
            end: None,
        }
    }

    /// The 100 went out.
    pub fn tried(&mut self) {
        self.trying = None;
    }

    /// The user responds; false when this response may not be sent any more.
    pub fn respond(&mut self, now: Time, code: StatusCode) -> bool {
        self.trying = None;
        match (self.state, code.class()) {
            (State::Proceeding, StatusClass::Provisional) => true,
            (State::Proceeding, StatusClass::Success) => {
                self.enter(State::Accepted, now + self.timing.timeout()); // timer L
                true
            }
            (State::Proceeding, _) => {
                self.enter(State::Completed, now + self.timing.timeout()); // timer H
                if !self.reliable {
                    self.resend = Some(now + self.timing.t1); // timer G
                }
                true
            }
            // RFC 6026 §7.1: the user's retransmissions of its 2xx pass.
            (State::Accepted, StatusClass::Success) => true,
            _ => false,
        }
    }

    /// The INVITE came again; true when the last response is to be sent again. In `Accepted` the user does that by
    /// itself, over reliable transports too (RFC 3261 §13.3.1.4).
    pub fn on_request(&mut self) -> bool {
        matches!(self.state, State::Proceeding | State::Completed)
    }

    /// An ACK with the branch of the INVITE came.
    pub fn on_ack(&mut self, now: Time) -> OnAck {
        match self.state {
            State::Accepted => OnAck::Deliver,
            State::Completed => {
                // Timer I is zero over reliable transports.
                self.enter(
                    State::Confirmed,
                    if self.reliable { now } else { now + self.timing.t4 },
                );
                OnAck::Absorb
            }
            _ => OnAck::Absorb,
        }
    }

    /// The deadline passed.
    pub fn on_timeout(&mut self, now: Time) -> OnTimeout {
        if self.trying.take_if(|at| *at <= now).is_some() {
            return OnTimeout::Trying;
        }
        if self.end.is_some_and(|end| end <= now) {
            let completed = self.state == State::Completed;
            self.enter(State::Terminated, now);
            self.end = None;
            return if completed {
                OnTimeout::TimedOut
            } else {
                OnTimeout::Finished
            };
        }
        if self.resend.is_some_and(|at| at <= now) {
            self.interval = (self.interval * 2).min(self.timing.t2);
            self.resend = Some(now + self.interval);
            return OnTimeout::Resend;
        }
        OnTimeout::Nothing
    }

    /// Time at which it must be woken.
    #[must_use]
    pub fn deadline(&self) -> Deadline {
        let end = match self.state {
            State::Completed => "timer H",
            State::Accepted => "timer L",
            _ => "timer I",
        };
        let others = earlier(
            self.resend.map(|at| (at, "timer G")),
            self.end.map(|at| (at, end)),
        );
        earlier(self.trying.map(|at| (at, "100 to an INVITE")), others)
    }

    /// No final response was sent yet.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.state == State::Proceeding
    }

    fn enter(&mut self, state: State, end: Time) {
        self.state = state;
        self.resend = None;
        self.end = Some(end);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const T1: u64 = 500_000;

    fn udp() -> ServerInvite {
        ServerInvite::new(Time(0), Timing::default(), false)
    }

    #[test]
    fn a_100_goes_out_after_200_ms_unless_there_is_a_response() {
        let mut tx = udp();
        assert_eq!(tx.deadline(), Some((Time(200_000), "100 to an INVITE")));
        assert_eq!(tx.on_timeout(Time(199_999)), OnTimeout::Nothing);
        assert_eq!(tx.on_timeout(Time(200_000)), OnTimeout::Trying);
        assert!(tx.respond(Time(200_000), StatusCode::TRYING));
        assert_eq!(tx.deadline(), None);
        let mut tx = udp();
        assert!(tx.respond(Time(5), StatusCode::RINGING));
        assert_eq!(tx.deadline(), None);
    }

    #[test]
    fn proceeding_answers_each_copy_of_the_invite() {
        let mut tx = udp();
        assert!(tx.on_request() && tx.respond(Time(1), StatusCode::RINGING) && tx.on_request());
        assert_eq!(tx.deadline(), None);
    }

    #[test]
    fn timer_g_repeats_the_refusal_until_timer_h() {
        let mut tx = udp();
        assert!(tx.respond(Time(0), StatusCode::BUSY_HERE));
        let mut sent = vec![];
        loop {
            let (at, _) = tx.deadline().unwrap();
            match tx.on_timeout(at) {
                OnTimeout::Resend => sent.push(at.0 / T1),
                end => {
                    assert_eq!((end, at.0), (OnTimeout::TimedOut, 64 * T1));
                    break;
                }
            }
        }
        assert_eq!(sent, [1, 3, 7, 15, 23, 31, 39, 47, 55, 63]);
    }

    #[test]
    fn ack_ends_the_refusal_and_timer_i_absorbs_more_of_them() {
        let mut tx = udp();
        assert!(tx.respond(Time(0), StatusCode::BUSY_HERE) && tx.on_request());
        assert_eq!(tx.on_ack(Time(5)), OnAck::Absorb);
        assert_eq!(tx.on_ack(Time(6)), OnAck::Absorb);
        assert!(!tx.on_request(), "Confirmed is silent");
        assert_eq!(tx.deadline(), Some((Time(5 + 5_000_000), "timer I")));
        assert_eq!(tx.on_timeout(Time(5 + 5_000_000)), OnTimeout::Finished);
    }

    #[test]
    fn timer_i_is_zero_and_timer_g_absent_when_reliable() {
        let mut tx = ServerInvite::new(Time(0), Timing::default(), true);
        assert!(tx.respond(Time(0), StatusCode::BUSY_HERE));
        assert_eq!(tx.deadline(), Some((Time(64 * T1), "timer H")));
        tx.on_ack(Time(5));
        assert_eq!(tx.on_timeout(Time(5)), OnTimeout::Finished);
    }

    #[test]
    fn accepted_absorbs_the_invite_and_hands_up_the_ack() {
        let mut tx = udp();
        assert!(tx.respond(Time(3), StatusCode::OK));
        assert!(!tx.on_request() && tx.respond(Time(4), StatusCode::OK));
        assert_eq!(tx.on_ack(Time(5)), OnAck::Deliver);
        assert_eq!(tx.deadline(), Some((Time(3 + 64 * T1), "timer L")));
        assert_eq!(tx.on_timeout(Time(3 + 64 * T1)), OnTimeout::Finished);
    }

    #[test]
    fn nothing_but_a_2xx_follows_a_final_response() {
        let mut tx = udp();
        assert!(
            tx.respond(Time(0), StatusCode::OK)
                && !tx.respond(Time(1), StatusCode::RINGING)
                && !tx.respond(Time(1), StatusCode::BUSY_HERE)
        );
        let mut tx = udp();
        assert!(
            tx.respond(Time(0), StatusCode::BUSY_HERE)
                && !tx.respond(Time(1), StatusCode::RINGING)
                && !tx.respond(Time(1), StatusCode::OK)
        );
    }
}
