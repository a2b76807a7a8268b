//! Emergency calls of users: placed before the dial plan and without any of its limits; and the call back.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use call_engine::{Decision, Trunks};
use sans_io::Time;
use session_core::emergency::EmergencyCall;
use session_core::{
    Attempt, Caller, Coordinator, Dial, IncomingCall, Next, OnFailure, Party, SessionId, Source,
};

use super::{Switch, origin};
use crate::call_log::CallLines;
use crate::config::Emergency;

/// Time for which a call from an emergency trunk to the number of the caller rings at the caller's phones.
const CALLED_BACK: Duration = Duration::from_secs(30 * 60);
/// Time that the services may ring.
const RINGS: Duration = Duration::from_secs(180);
/// Most callers that are remembered.
const MOST: usize = 1_000;
/// Digits in which two numbers must agree at least, to be one written in two ways.
const ALIKE: usize = 6;

/// Settings of emergency calls, and those who made some a while ago.
#[derive(Debug, Default)]
pub(super) struct Emergencies {
    settings: Emergency,
    /// Oldest first.
    callers: VecDeque<Called>,
}

/// An emergency call of a while ago.
#[derive(Debug)]
struct Called {
    user: String,
    /// Digits of the number that the services were shown.
    number: String,
    until: Time,
}

impl Emergencies {
    pub(super) fn new(settings: Emergency) -> Emergencies {
        Emergencies {
            settings,
            callers: VecDeque::new(),
        }
    }

    pub(super) fn set(&mut self, settings: Emergency) {
        self.settings = settings;
    }

    /// Trunks and contents of a call of this user.
    fn call(&self, user: &str, display: &str) -> Option<(Trunks, EmergencyCall)> {
        let own = self.settings.users.get(user);
        let number = own.and_then(|own| own.caller_id.as_ref());
        let number = number.or(self.settings.caller_id.as_ref());
        let location = own.and_then(|own| own.location.as_ref());
        let location = location.or(self.settings.location.as_ref());
        let call = EmergencyCall {
            caller: number.map(|number| Caller {
                user: number.clone(),
                display: display.to_owned(),
            }),
            location: location.cloned(),
            resource_priority: self.settings.resource_priority,
        };
        Some((self.settings.trunks.clone()?, call))
    }

    fn remember(&mut self, now: Time, user: &str, number: &str) {
        self.callers
            .retain(|called| now < called.until && called.user != user);
        while self.callers.len() >= MOST {
            self.callers.pop_front();
        }
        self.callers.push_back(Called {
            user: user.to_owned(),
            number: digits(number),
            until: now + CALLED_BACK,
        });
    }

    /// User whom a call from a trunk calls back, the last who called the services.
    pub(super) fn called_back(&self, now: Time, source: &Source, number: &str) -> Option<&str> {
        let Source::Trunk(trunk) = source else {
            return None;
        };
        let trunks = self.settings.trunks.as_ref()?;
        if !trunks.names().any(|name| name == trunk) {
            return None;
        }
        let number = digits(number);
        let is_it = |called: &&Called| now < called.until && are_alike(&called.number, &number);
        self.callers
            .iter()
            .rev()
            .find(is_it)
            .map(|called| called.user.as_str())
    }
}

/// Digits of a number without what is dialled before a national or international one.
fn digits(number: &str) -> String {
    let digits: String = number.chars().filter(char::is_ascii_digit).collect();
    digits.trim_start_matches('0').to_owned()
}

/// True if one number is the other, with or without its country code.
fn are_alike(a: &str, b: &str) -> bool {
    let (short, long) = if a.len() <= b.len() { (a, b) } else { (b, a) };
    short == long && !short.is_empty() || (short.len() >= ALIKE && long.ends_with(short))
}

impl Switch {
    /// Places an emergency call. False if the call is none.
    pub(super) fn emergency(
        &mut self,
        now: Time,
        session: SessionId,
        call: &IncomingCall,
        coordinator: &mut Coordinator,
    ) -> bool {
        let (Some(number), Source::User(user)) = (&call.emergency, &call.source) else {
            return false;
        };
        let Some((trunks, urgent)) = self.emergencies.call(user, &call.display) else {
            return false;
        };
        let shown = urgent.caller.as_ref().map_or(user, |caller| &caller.user).clone();
        self.emergencies.remember(now, user, &shown);
        let tiers = trunks.tiers().to_vec();
        let decision = Decision::Trunk {
            trunks,
            number: number.clone(),
            caller_id: None,
            on_account_of: origin(&call.source),
        };
        let lines = CallLines::begin(now, session, call, &decision);
        let kind = lines.kind();
        self.lines.insert(session, lines);
        tracing::warn!(
            session = session.0,
            call_id = call.call_id,
            location = urgent.location.is_some(),
            "emergency call"
        );
        self.counts.emergency();
        let party = Party::Emergency {
            tiers,
            number: number.clone(),
            call: Arc::new(urgent),
        };
        let attempt = Attempt {
            parties: vec![party],
            ring_timeout: RINGS,
            within: None,
            next: Next::IfUnanswered,
        };
        let dial = Dial {
            attempts: vec![attempt],
            caller: None,
            on_failure: OnFailure::Reject,
        };
        coordinator.dial(now, session, dial);
        self.arrived(now, (session, kind), call, None, coordinator);
        if let Some((centre, cx)) = self.centre(now, coordinator) {
            centre.emergency(session, (user, number, &shown), &cx);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use call_engine::TrunkChoice;

    use super::*;

    fn emergencies() -> Emergencies {
        Emergencies::new(Emergency {
            trunks: Some(Trunks::new(vec![TrunkChoice::named("carrier")])),
            ..Emergency::default()
        })
    }

    #[test]
    fn whoever_called_last_is_called_back_for_half_an_hour() {
        let mut all = emergencies();
        let at = |minutes: u64| Time::from_secs(1_000 + minutes * 60);
        let carrier = Source::Trunk("carrier".into());
        all.remember(at(0), "1001", "+49301234567");
        all.remember(at(1), "1002", "+49301234567");
        all.remember(at(2), "1003", "+49307654321");
        for number in ["+49301234567", "0301234567", "301234567", "0049301234567"] {
            assert_eq!(all.called_back(at(3), &carrier, number), Some("1002"), "{number}");
        }
        assert_eq!(all.called_back(at(3), &carrier, "+49307654321"), Some("1003"));
        for number in ["", "0", "67", "+49301234568"] {
            assert_eq!(all.called_back(at(3), &carrier, number), None, "{number}");
        }
        assert_eq!(
            all.called_back(at(3), &Source::Trunk("other".into()), "+49301234567"),
            None
        );
        assert_eq!(all.called_back(at(31), &carrier, "+49301234567"), None);
        assert_eq!(all.called_back(at(31), &carrier, "+49307654321"), Some("1003"));
    }

    #[test]
    fn no_more_than_so_many_callers_are_remembered() {
        let mut all = emergencies();
        for n in 0..2 * MOST {
            all.remember(Time::from_secs(1), &n.to_string(), "1234567");
        }
        assert_eq!(all.callers.len(), MOST);
    }
}
