//! Calls on their way to somebody: forwarding, do not disturb and ring groups. Each call is followed until it is answered or over.

use call_engine::{Broken, CallHandling, Chain, Forwarded, InVain, Origin, RingGroup, Treatment};
use sans_io::Time;
use session_core::{
    Attempt, Coordinator, Dial, IncomingCall, LegId, Next, OnFailure, Party, SessionId, Source,
};
use sip_core::message::StatusCode;

use super::Switch;
use crate::centre::view;
use crate::routing::{DO_NOT_DISTURB, Destination, code_of, reason_of};

/// A call that nobody has answered yet.
#[derive(Debug)]
pub(super) struct Underway {
    /// Leg of the caller.
    leg: LegId,
    /// The caller as shown.
    from: view::Party,
    /// The caller, if it is a user of ours.
    user: Option<String>,
    chain: Chain,
    at: Stop,
}

/// Whoever is called now.
#[derive(Debug)]
enum Stop {
    /// Nobody, or somebody who cannot forward.
    Elsewhere,
    /// A user.
    User(String, Box<CallHandling>),
    /// A ring group.
    Group(Box<RingGroup>),
}

impl Underway {
    /// A call that came in.
    pub(super) fn new(leg: LegId, call: &IncomingCall) -> Underway {
        Underway {
            leg,
            from: view::Party::calling(call),
            user: match &call.source {
                Source::User(user) => Some(user.clone()),
                Source::Trunk(_) | Source::Anyone => None,
            },
            chain: Chain::after(call.identity.diversions.len()),
            at: Stop::Elsewhere,
        }
    }

    /// The ring group that is called.
    pub(super) fn group(&self) -> Option<&RingGroup> {
        match &self.at {
            Stop::Group(group) => Some(group),
            Stop::Elsewhere | Stop::User(..) => None,
        }
    }

    /// True while a ring group is called.
    pub(super) fn is_at_group(&self) -> bool {
        matches!(self.at, Stop::Group(_))
    }
}

impl Switch {
    /// Carries a call to a destination, and on from there where that forwards. `number` is what led there.
    pub(super) fn carry(
        &mut self,
        now: Time,
        session: SessionId,
        mut call: Underway,
        (number, destination): (String, Destination),
        coordinator: &mut Coordinator,
    ) {
        let (mut number, mut destination) = (number, destination);
        loop {
            let user = match destination {
                Destination::Party(party) => match *party {
                    Party::User(user) => user,
                    party => return self.dial_elsewhere(now, session, party, coordinator),
                },
                Destination::Group(group) => {
                    return self.ring_group(now, session, call, group, coordinator);
                }
                // Whoever forwards to a slot gives nobody else the right to a call there.
                Destination::Park(_) if call.user.is_none() => {
                    return coordinator.reject_failed(now, session, StatusCode::NOT_FOUND);
                }
                destination => {
                    let parties = (call.from, number);
                    return self.take(now, (session, call.leg), parties, destination, coordinator);
                }
            };
            if let Err(broken) = call.chain.reach(&user) {
                return coordinator.reject_failed(now, session, code_of(broken));
            }
            let handling = self.routing.handling(&user);
            let (to, why) = match handling.treatment() {
                Treatment::Ring(_) => {
                    return self.ring_user(now, session, call, (user, handling), coordinator);
                }
                Treatment::Refuse => return coordinator.reject(now, session, DO_NOT_DISTURB),
                Treatment::Forward(to, why) => (to.to_owned(), why),
            };
            destination = match self.forward(
                now,
                session,
                &mut call,
                (Origin::User(user), &to, why),
                coordinator,
            ) {
                Ok(destination) => destination,
                Err(broken) => return coordinator.reject_failed(now, session, code_of(broken)),
            };
            number = to;
        }
    }

    /// Nobody whom the switch dialled answered: the call goes where the user or the group says, or is refused.
    pub(super) fn dial_failed(
        &mut self,
        now: Time,
        session: SessionId,
        (code, rang): (StatusCode, bool),
        coordinator: &mut Coordinator,
    ) {
        let Some(mut call) = self.underway.remove(&session) else {
            return;
        };
        let next = match std::mem::replace(&mut call.at, Stop::Elsewhere) {
            Stop::Elsewhere => None,
            Stop::User(user, handling) => {
                let next = handling.after(InVain::of(code.get(), rang));
                next.map(|(to, why)| (Origin::User(user), to.to_owned(), why))
            }
            Stop::Group(group) => group
                .overflow
                .map(|to| (Origin::Gateway, to, Forwarded::NoAnswer)),
        };
        let Some((origin, to, why)) = next else {
            return coordinator.reject_failed(now, session, code);
        };
        match self.forward(now, session, &mut call, (origin, &to, why), coordinator) {
            Ok(destination) => self.carry(now, session, call, (to, destination), coordinator),
            Err(broken) => coordinator.reject_failed(now, session, code_of(broken)),
        }
    }

    /// The only phone that rings for a call forwards it to a number that leads to `destination`.
    pub(super) fn go_on(
        &mut self,
        now: Time,
        (session, leg): (SessionId, LegId),
        (number, destination): (String, Destination),
        coordinator: &mut Coordinator,
    ) {
        let Some(mut call) = self.underway.remove(&session) else {
            return;
        };
        if coordinator.undial(now, session, leg, &number).is_none() {
            return;
        }
        call.at = Stop::Elsewhere;
        match call.chain.forward() {
            Ok(()) => self.carry(now, session, call, (number, destination), coordinator),
            Err(broken) => coordinator.reject_failed(now, session, code_of(broken)),
        }
    }

    /// Notes that a call goes on to a number, which is dialled with the rights of `origin`. Returns where that leads.
    fn forward(
        &self,
        now: Time,
        session: SessionId,
        call: &mut Underway,
        (origin, to, why): (Origin, &str, Forwarded),
        coordinator: &mut Coordinator,
    ) -> Result<Destination, Broken> {
        call.chain.forward()?;
        let decision = self.routing.decide(now, origin, to);
        let reason = reason_of(why);
        tracing::info!(
            session = session.0,
            decision = decision.kind(),
            reason = reason.as_str(),
            "forwarded"
        );
        coordinator.divert(session, reason, to);
        Ok(self.routing.destination(decision))
    }

    /// Lets the phones of a user ring.
    fn ring_user(
        &mut self,
        now: Time,
        session: SessionId,
        mut call: Underway,
        (user, handling): (String, CallHandling),
        coordinator: &mut Coordinator,
    ) {
        let attempt = Attempt {
            parties: vec![Party::User(user.clone())],
            ring_timeout: self.ring_timeout,
            within: match handling.treatment() {
                Treatment::Ring(within) => within,
                Treatment::Forward(..) | Treatment::Refuse => None,
            },
            next: Next::IfUnanswered,
        };
        let on_failure = match handling.forwards_later() {
            true => OnFailure::Tell,
            false => OnFailure::Reject,
        };
        call.at = Stop::User(user, Box::new(handling));
        self.underway.insert(session, call);
        let dial = Dial {
            attempts: vec![attempt],
            caller: None,
            on_failure,
        };
        coordinator.dial(now, session, dial);
    }

    /// Calls somebody who forwards nothing.
    pub(super) fn dial_elsewhere(
        &self,
        now: Time,
        session: SessionId,
        party: Party,
        coordinator: &mut Coordinator,
    ) {
        let dial = Dial::together(vec![party], self.ring_timeout, OnFailure::Reject);
        coordinator.dial(now, session, dial);
    }

    /// Lets the members of a group ring: all of them, or one after the other.
    fn ring_group(
        &mut self,
        now: Time,
        session: SessionId,
        mut call: Underway,
        group: Box<RingGroup>,
        coordinator: &mut Coordinator,
    ) {
        // No user has a blank in the name.
        if let Err(broken) = call.chain.reach(&format!("group {}", group.name)) {
            return coordinator.reject_failed(now, session, code_of(broken));
        }
        let turn = self.turns.entry(group.name.clone()).or_default();
        let stages = group.stages(*turn);
        *turn = turn.wrapping_add(1);
        let stages = stages.into_iter().map(|members| {
            let others = members
                .into_iter()
                .filter(|name| call.user.as_deref() != Some(*name));
            self.routing.members(now, others)
        });
        let attempts = stages
            .filter(|parties| !parties.is_empty())
            .map(|parties| Attempt {
                parties,
                ring_timeout: self.ring_timeout,
                within: Some(group.ring),
                next: Next::InAnyCase,
            });
        let attempts: Vec<Attempt> = attempts.collect();
        call.at = Stop::Group(group);
        self.underway.insert(session, call);
        if attempts.is_empty() {
            return self.dial_failed(now, session, (DO_NOT_DISTURB, false), coordinator);
        }
        let dial = Dial {
            attempts,
            caller: None,
            on_failure: OnFailure::Tell,
        };
        coordinator.dial(now, session, dial);
    }
}
