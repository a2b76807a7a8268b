//! What becomes of each call at the gateway: its own switch with a dial plan, and what that cannot do yet (several parties
//! at once, another one after a refusal).

use std::collections::BTreeSet;
use std::time::Duration;

use call_engine::{Action, Application, DialPlan, Pattern, Rule};
use sans_io::Time;
use session_core::{Coordinator, Dial, Event, OnFailure, Party, SessionId};
use sip_stack::Application as _;

/// `1...` users, `2...` the first trunk, `3...` the second, `4...` user 1002 and both trunks at once, `5...` the first trunk
/// and, should it refuse, the second; `6...` a trunk written by hand; `9196` echo, `9664` music; nobody else. Who comes from
/// a trunk reaches the other one.
pub struct Switch {
    real: cordboard::switch::Switch,
    overflow: BTreeSet<SessionId>,
}

/// How long a branch may ring.
const RINGS: Duration = Duration::from_secs(25);

impl Default for Switch {
    fn default() -> Switch {
        let rule = |pattern: &str, from: Option<&str>, action| Rule {
            pattern: Pattern::parse(pattern).expect("a pattern"),
            from_trunk: from.map(str::to_owned),
            rewrite: None,
            action,
        };
        let trunk = |name: &str| Action::Trunk(name.to_owned());
        let rules = vec![
            rule("9196", None, Action::Application(Application::Echo)),
            rule("9664", None, Action::Application(Application::Music)),
            rule("1.", None, Action::User(None)),
            rule("2.", None, trunk("left")),
            rule("2.", Some("right"), trunk("left")),
            rule("3.", None, trunk("right")),
            rule("3.", Some("left"), trunk("right")),
            rule("6.", None, trunk("hand")),
        ];
        let plan = DialPlan::new(rules, (1_001..=1_004).map(|user: u32| user.to_string()));
        Switch {
            real: cordboard::switch::Switch::new(plan, None, RINGS, None),
            overflow: BTreeSet::new(),
        }
    }
}

impl Switch {
    /// Acts on an event of the gateway.
    pub fn handle(&mut self, now: Time, event: &Event, calls: &mut Coordinator) {
        match event {
            Event::Incoming { session, call, .. } if call.to.starts_with('4') => {
                let number = || call.to.clone();
                let parties = vec![
                    Party::User("1002".into()),
                    trunk("left", number()),
                    trunk("right", number()),
                ];
                calls.dial(now, *session, dial(parties, OnFailure::Reject));
            }
            Event::Incoming { session, call, .. } if call.to.starts_with('5') => {
                self.overflow.insert(*session);
                let parties = vec![trunk("left", call.to.clone())];
                calls.dial(now, *session, dial(parties, OnFailure::Tell));
            }
            Event::DialFailed { session, .. } if self.overflow.remove(session) => {
                let parties = vec![trunk("right", "3000".into())];
                calls.dial(now, *session, dial(parties, OnFailure::Reject));
            }
            _ => {
                if let Event::Ended { session, .. } = event {
                    self.overflow.remove(session);
                }
                self.real.handle(now, event.clone(), calls);
            }
        }
    }
}

fn trunk(name: &str, number: String) -> Party {
    Party::Trunk {
        name: name.into(),
        number,
    }
}

fn dial(parties: Vec<Party>, on_failure: OnFailure) -> Dial {
    Dial {
        parties,
        ring_timeout: RINGS,
        caller: None,
        on_failure,
    }
}
