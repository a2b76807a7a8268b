//! Ends of calls that may be forwarded at once, and the members of ring groups: for whoever calls by an invitation.

use call_engine::{Broken, Chain, Forwarded, Origin, Treatment};
use sans_io::Time;
use session_core::identity::{Diversion, DiversionReason};
use session_core::{Caller, Party};
use sip_core::message::StatusCode;

use super::{Destination, Routing};

/// Refusal where a user does not want to be disturbed: RFC 3261 §21.4.18 names that case for 480. A 486 would say that the user talks.
pub(crate) const DO_NOT_DISTURB: StatusCode = StatusCode::TEMPORARILY_UNAVAILABLE;

/// Destination of a number once all forwarding is done that depends on nobody's phone.
#[derive(Clone, Debug)]
pub struct Reached {
    /// The destination.
    pub destination: Destination,
    /// Forwardings on the way, the first one first.
    pub diversions: Vec<Diversion>,
}

/// Somebody who can be called for a number.
#[derive(Clone, Debug)]
pub struct Callee {
    /// The party.
    pub party: Party,
    /// Forwardings that lead there, the first one first.
    pub diversions: Vec<Diversion>,
}

/// Reason why nobody can be called for a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoCallee {
    /// The dial plan leads to no phone.
    NotAllowed,
    /// Whoever it leads to does not want to be disturbed, or forwards in a circle.
    Spared,
}

impl Routing {
    /// The party to call for a number, forwarding included. A user who forwards to a queue or an application is called: nothing but a
    /// phone can be called.
    ///
    /// # Errors
    /// [`NoCallee`].
    pub fn phone(&self, now: Time, origin: Origin, number: &str) -> Result<Callee, NoCallee> {
        let Destination::Party(named) = self.callee(now, origin.clone(), number) else {
            return Err(NoCallee::NotAllowed);
        };
        let reached = self.reach(now, origin, number);
        match reached.destination {
            Destination::Party(party) => Ok(Callee {
                party: *party,
                diversions: reached.diversions,
            }),
            Destination::Nobody(_) => Err(NoCallee::Spared),
            Destination::Queue { .. }
            | Destination::Group(_)
            | Destination::Park(_)
            | Destination::Application(_) => Ok(Callee {
                party: *named,
                diversions: Vec::new(),
            }),
        }
    }

    /// Destination of a number for an invitation: a group is a party of which everybody rings at once.
    #[must_use]
    pub fn callee(&self, now: Time, origin: Origin, number: &str) -> Destination {
        match self.route(now, origin, number) {
            Destination::Group(group) => {
                let members = self.members(now, group.members.iter().map(String::as_str));
                match members.is_empty() {
                    true => Destination::Nobody(StatusCode::TEMPORARILY_UNAVAILABLE),
                    false => Destination::Party(Box::new(Party::Any(members))),
                }
            }
            destination => destination,
        }
    }

    /// The same, forwarding included.
    #[must_use]
    pub fn reach(&self, now: Time, origin: Origin, number: &str) -> Reached {
        let (mut chain, mut diversions) = (Chain::default(), Vec::new());
        let (mut origin, mut number) = (origin, number.to_owned());
        let destination = loop {
            let user = match self.callee(now, origin, &number) {
                Destination::Party(party) => match *party {
                    Party::User(user) => user,
                    party => break Destination::Party(Box::new(party)),
                },
                destination => break destination,
            };
            if let Err(broken) = chain.reach(&user) {
                break Destination::Nobody(code_of(broken));
            }
            let handling = self.handling(&user);
            let (to, why) = match handling.treatment() {
                Treatment::Ring(_) => break Destination::Party(Box::new(Party::User(user))),
                Treatment::Refuse => break Destination::Nobody(DO_NOT_DISTURB),
                Treatment::Forward(to, why) => (to.to_owned(), why),
            };
            if let Err(broken) = chain.forward() {
                break Destination::Nobody(code_of(broken));
            }
            diversions.push(Diversion {
                by: Caller {
                    user: std::mem::replace(&mut number, to),
                    display: String::new(),
                },
                reason: reason_of(why),
                private: false,
            });
            origin = Origin::User(user);
        };
        Reached {
            destination,
            diversions,
        }
    }

    /// Parties that members of a ring group are. Those who do not want to be disturbed are left out, and so is whoever has no phone.
    #[must_use]
    pub fn members<'m>(&self, now: Time, members: impl Iterator<Item = &'m str>) -> Vec<Party> {
        let parties = members.filter_map(|member| match self.route(now, Origin::Gateway, member) {
            Destination::Party(party) => Some(*party),
            _ => None,
        });
        let spared = |party: &Party| matches!(party, Party::User(user) if self.handling(user).do_not_disturb);
        parties.filter(|party| !spared(party)).collect()
    }
}

/// Refusal of a call that is not forwarded any further.
pub(crate) const fn code_of(broken: Broken) -> StatusCode {
    match broken {
        Broken::Loop => StatusCode::LOOP_DETECTED,
        Broken::TooLong => StatusCode::TOO_MANY_HOPS,
    }
}

/// Reason of a diversion (RFC 5806 §4).
pub(crate) const fn reason_of(why: Forwarded) -> DiversionReason {
    match why {
        Forwarded::Always => DiversionReason::Unconditional,
        Forwarded::Busy => DiversionReason::UserBusy,
        Forwarded::NoAnswer => DiversionReason::NoAnswer,
        Forwarded::Unreachable => DiversionReason::Unavailable,
        Forwarded::DoNotDisturb => DiversionReason::DoNotDisturb,
    }
}
