//! Transfers that phones of users, and trunks, ask for (REFER, RFC 3515).

use call_engine::Origin;
use sans_io::Time;
use session_core::{Coordinator, Invitation, LegId, ReferTo};
use sip_core::message::StatusCode;

use super::Switch;
use crate::centre::view;
use crate::routing::Destination;

impl Switch {
    /// A user's phone or a trunk asks for a transfer: to any number that the dial plan lets it call, or to the
    /// other party of another call of its own.
    pub(super) fn refer(&mut self, now: Time, leg: LegId, to: ReferTo, coordinator: &mut Coordinator) {
        let number = match to {
            ReferTo::Leg(other) => return coordinator.transfer_attended(now, leg, other),
            ReferTo::Number(number) => number,
        };
        let user = coordinator.user_of(leg).map(|name| Origin::User(name.to_owned()));
        let trunk = || {
            coordinator
                .trunk_of(leg)
                .map(|name| Origin::Trunk(name.to_owned()))
        };
        let Some(origin) = user.or_else(trunk) else {
            return coordinator.refuse_refer(now, leg, StatusCode::FORBIDDEN);
        };
        let reached = self.routing.reach(now, origin, &number);
        tracing::info!(leg = leg.0, decision = reached.destination.kind(), "transfer");
        match reached.destination {
            Destination::Party(party) => {
                let invitation = Invitation {
                    party: *party,
                    caller: None,
                    ring_timeout: self.ring_timeout,
                    headers: Vec::new(),
                    diverted: reached.diversions,
                };
                coordinator.transfer(now, leg, invitation);
            }
            Destination::Queue { name, priority } => {
                self.refer_to_queue(now, leg, number, (name, priority), coordinator);
            }
            Destination::Application(sound) => {
                if let Some((session, other, _)) = coordinator.leave(now, leg) {
                    coordinator.play(other, Some(sound));
                    tracing::debug!(session = session.0, "transferred to an application");
                }
            }
            Destination::Park(slot) => self.park(now, leg, slot, coordinator),
            // A group is a party here.
            Destination::Group(_) => coordinator.refuse_refer(now, leg, StatusCode::DECLINE),
            Destination::Nobody(code) => {
                coordinator.accept_refer(now, leg);
                coordinator.refer_progress(now, leg, code);
            }
        }
    }

    /// The other party of the user's call waits for an agent from now on.
    fn refer_to_queue(
        &mut self,
        now: Time,
        leg: LegId,
        number: String,
        (name, priority): (String, Option<u8>),
        coordinator: &mut Coordinator,
    ) {
        if !self.has_queue(&name) {
            coordinator.accept_refer(now, leg);
            return coordinator.refer_progress(now, leg, StatusCode::SERVICE_UNAVAILABLE);
        }
        if let Some((session, other, caller)) = coordinator.leave(now, leg) {
            let from = view::Party {
                number: caller.user,
                display: caller.display,
            };
            let queue = Destination::Queue { name, priority };
            self.take(now, (session, other), (from, number), queue, coordinator);
        }
    }
}
