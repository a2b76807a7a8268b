//! The gateway's application: what becomes of each call, by the number dialled.

use std::time::Duration;

use media_core::control::Application;
use sans_io::Time;
use session_core::{Coordinator, Dial, Event, OnFailure, Party, SessionId};
use std::collections::BTreeSet;

/// A small dial plan: `1...` users, `2...` the first trunk, `3...` the second, `4...` user 1002 and both trunks at once,
/// `5...` the first trunk and, should it refuse, the second; `6...` a trunk
/// written by hand; `9196` echo, `9664` music; nobody else.
#[derive(Debug, Default)]
pub struct Switch {
    overflow: BTreeSet<SessionId>,
}

impl Switch {
    /// Acts on an event of the gateway.
    pub fn handle(&mut self, now: Time, event: &Event, calls: &mut Coordinator) {
        match event {
            Event::Incoming { session, leg, call } => {
                let number = call.to.as_str();
                let trunk = |name: &str| Party::Trunk {
                    name: name.into(),
                    number: number.into(),
                };
                let (parties, on_failure) = match number {
                    "9196" => return calls.answer(now, *leg, Some(Application::Echo)),
                    "9664" => return calls.answer(now, *leg, Some(Application::Music)),
                    _ if number.starts_with('1') => (vec![Party::User(number.into())], OnFailure::Reject),
                    _ if number.starts_with('6') => (vec![trunk("hand")], OnFailure::Reject),
                    _ if number.starts_with('2') => (vec![trunk("left")], OnFailure::Reject),
                    _ if number.starts_with('3') => (vec![trunk("right")], OnFailure::Reject),
                    _ if number.starts_with('4') => {
                        let all = vec![Party::User("1002".into()), trunk("left"), trunk("right")];
                        (all, OnFailure::Reject)
                    }
                    _ if number.starts_with('5') => {
                        self.overflow.insert(*session);
                        (vec![trunk("left")], OnFailure::Tell)
                    }
                    _ => return calls.reject(now, *session, 404),
                };
                calls.dial(now, *session, dial(parties, on_failure));
            }
            Event::DialFailed { session, .. } if self.overflow.remove(session) => {
                let party = Party::Trunk {
                    name: "right".into(),
                    number: "3000".into(),
                };
                calls.dial(now, *session, dial(vec![party], OnFailure::Reject));
            }
            Event::Ended { session, .. } => {
                self.overflow.remove(session);
            }
            _ => {}
        }
    }
}

fn dial(parties: Vec<Party>, on_failure: OnFailure) -> Dial {
    Dial {
        parties,
        ring_timeout: Duration::from_secs(25),
        caller: None,
        on_failure,
    }
}
