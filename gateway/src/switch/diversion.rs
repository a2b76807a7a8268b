//! Phones that forward the calls of their user.

use call_engine::Origin;
use sans_io::Time;
use session_core::{Coordinator, LegId, SessionId};

use super::Switch;
use crate::centre::view;
use crate::routing::Destination;

impl Switch {
    /// A phone forwards the calls of its user: to any number that the dial plan lets that user call.
    pub(super) fn diverted(
        &mut self,
        now: Time,
        (session, leg): (SessionId, LegId),
        user: &str,
        numbers: Vec<String>,
        coordinator: &mut Coordinator,
    ) {
        let mut parties = Vec::new();
        let mut here = None;
        for number in numbers {
            let decision = self.routing.decide(now, Origin::User(user.to_owned()), &number);
            tracing::info!(
                session = session.0,
                decision = decision.kind(),
                "forwarded by a phone"
            );
            match self.routing.destination(decision) {
                Destination::Party(party) => parties.push(*party),
                Destination::Nobody(_) => {}
                destination => here = here.or(Some((number, destination))),
            }
        }
        match here {
            Some((number, destination)) if parties.is_empty() => {
                if let Some((leg, caller)) = coordinator.undial(now, session, leg) {
                    let from = view::Party {
                        number: caller.user,
                        display: caller.display,
                    };
                    self.take(now, (session, leg), (from, number), destination, coordinator);
                }
            }
            _ => coordinator.follow(now, session, leg, &parties),
        }
    }
}
