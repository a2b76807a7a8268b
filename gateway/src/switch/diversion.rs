//! Phones that forward the calls of their user.

use call_engine::Origin;
use sans_io::Time;
use session_core::{Coordinator, LegId, Party, SessionId};

use super::{Switch, Underway};
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
        let underway = self.underway.get(&session);
        // Nobody forwards the calls of a ring group.
        if underway.is_some_and(Underway::is_at_group) {
            return coordinator.follow(now, session, leg, &[]);
        }
        let is_alone = underway.is_some() && coordinator.rings_alone(session, leg);
        if let ([number], true) = (&numbers[..], is_alone) {
            let decision = self.routing.decide(now, Origin::User(user.to_owned()), number);
            tracing::info!(
                session = session.0,
                decision = decision.kind(),
                "forwarded by a phone"
            );
            return match self.routing.destination(decision) {
                Destination::Nobody(_) => coordinator.follow(now, session, leg, &[]),
                destination => {
                    let to = (number.clone(), destination);
                    self.go_on(now, (session, leg), to, coordinator);
                }
            };
        }
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
                Destination::Party(party) => parties.extend(self.unless_spared(*party)),
                Destination::Group(group) => {
                    parties.extend(
                        self.routing
                            .members(now, group.members.iter().map(String::as_str)),
                    );
                }
                Destination::Nobody(_) => {}
                destination => here = here.or(Some((number, destination))),
            }
        }
        match here {
            Some((number, destination)) if parties.is_empty() => {
                if let Some((leg, caller)) = coordinator.undial(now, session, leg, &number) {
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

    /// The party, unless it is a user whose phones are not to ring.
    fn unless_spared(&self, party: Party) -> Option<Party> {
        match party {
            Party::User(user) if self.routing.handling(&user).spares() => None,
            party => Some(party),
        }
    }
}
