//! Requests of agents by SIP: a REFER from an agent's phone is the transfer of the API, blind or attended.
//!
//! The phone is told of success as soon as the centre has the call: what happens to the caller afterwards is
//! the centre's business, which takes the caller back into the queue if nobody answers.

use call_engine::acd::CallId;
use sans_io::Time;
use session_core::{Coordinator, LegId, Party, ReferTo, SessionId};

use super::command::{Refused, Target};
use super::controller::{Controller, Other, Use};
use crate::switch::Reached;

impl Controller {
    /// A leg's peer asks for a transfer (REFER). False if it is not a call of the centre.
    pub(super) fn refer(&mut self, now: Time, leg: LegId, to: &ReferTo, calls: &mut Coordinator) -> bool {
        let used = self.legs.get(&leg).cloned();
        let outcome = match (used, to) {
            (Some(Use::Agent(call)), ReferTo::Number(number)) => {
                self.refer_blind(now, call, leg, number, calls)
            }
            (Some(Use::Agent(call)), ReferTo::Leg(other)) if !self.legs.contains_key(other) => {
                self.refer_attended(now, call, (leg, *other), leg, calls)
            }
            (None, ReferTo::Leg(other)) => match self.legs.get(other).cloned() {
                Some(Use::Agent(call)) => self.refer_attended(now, call, (*other, leg), leg, calls),
                Some(_) => Err(Refused::WrongState),
                None => return false,
            },
            (None, ReferTo::Number(_)) => return false,
            (Some(_), _) => Err(Refused::WrongState),
        };
        if let Err(refused) = outcome {
            tracing::debug!(refused = refused.code(), "transfer by REFER");
            calls.refuse_refer(now, leg, 603);
            // Only where it was accepted before.
            calls.refer_progress(now, leg, status(refused));
        }
        true
    }

    /// A phone asks for the place of a leg (INVITE with `Replaces`). False when no call of the centre is meant. An agent may go on at
    /// another phone of its own, callers and those who joined may be replaced by anybody who may replace them elsewhere.
    pub(super) fn replaces(
        &mut self,
        now: Time,
        session: SessionId,
        (leg, replaced): (LegId, LegId),
        calls: &mut Coordinator,
    ) -> bool {
        let is_granted = match self.legs.get(&replaced) {
            None => return false,
            Some(Use::Caller(_) | Use::Other(_)) => true,
            Some(Use::Agent(call)) => {
                let consults = self.calls.get(call).is_some_and(|live| live.consult.is_some());
                !consults && calls.user_of(leg) == calls.user_of(replaced)
            }
            Some(_) => false,
        };
        if is_granted {
            calls.replace(now, leg, replaced);
        } else {
            calls.reject(now, session, 603);
        }
        true
    }

    /// A leg gave its place to another one.
    pub(super) fn replaced(&mut self, leg: LegId, to: &[LegId], calls: &Coordinator) -> bool {
        let (Some(used), [new]) = (self.legs.get(&leg).cloned(), to) else {
            return false;
        };
        let (Use::Caller(call) | Use::Agent(call) | Use::Other(call)) = used else {
            return false;
        };
        let Some(live) = self.calls.get_mut(&call) else {
            return false;
        };
        match &used {
            Use::Caller(_) => live.caller = *new,
            Use::Agent(_) => live.agent = live.agent.map(|(agent, _)| (agent, *new)),
            _ => {
                if let Some(mut other) = live.others.remove(&leg) {
                    let user = calls.user_of(*new);
                    other.agent = user.and_then(|user| self.directory.agent_of(user));
                    calls
                        .party_of(*new)
                        .unwrap_or_default()
                        .clone_into(&mut other.name);
                    live.others.insert(*new, other);
                }
            }
        }
        self.legs.remove(&leg);
        self.legs.insert(*new, used);
        self.changed.calls.insert(call);
        self.keep_leg(call, calls);
        true
    }

    fn refer_blind(
        &mut self,
        now: Time,
        call: CallId,
        leg: LegId,
        number: &str,
        calls: &mut Coordinator,
    ) -> Result<(), Refused> {
        let (agent, _) = self.talking(call)?;
        let name = self.directory.agent(agent).map(|person| person.name.clone());
        calls.accept_refer(now, leg);
        let target = match (self.route)(&name.unwrap_or_default(), number) {
            Reached::Queue { name, .. } => {
                let queue = self.directory.queue_by_name(&name);
                Target::Queue(queue.ok_or(Refused::UnknownQueue)?.id.clone())
            }
            Reached::Party(party) => match *party {
                Party::User(name) if self.directory.agent_of(&name).is_some() => {
                    let person = self.directory.person(&name).ok_or(Refused::UnknownAgent)?;
                    Target::Agent(person.id.clone())
                }
                _ => Target::Number(number.to_owned()),
            },
            Reached::Application(_) | Reached::Nobody(_) => return Err(Refused::NotAllowed),
        };
        // A phone that is let go because it asked for this gets a success.
        self.transfer(now, call, target, calls)?;
        calls.refer_progress(now, leg, 200);
        Ok(())
    }

    /// `agent_leg` talks with the caller, `aside` with somebody else; `asks` is one of the two.
    fn refer_attended(
        &mut self,
        now: Time,
        call: CallId,
        (agent_leg, aside): (LegId, LegId),
        asks: LegId,
        calls: &mut Coordinator,
    ) -> Result<(), Refused> {
        let (agent, _) = self.talking(call)?;
        let live = self.live(call)?;
        if live.consult.is_some() || live.agent.is_none_or(|(_, leg)| leg != agent_leg) {
            return Err(Refused::WrongState);
        }
        let caller = live.caller;
        calls.accept_refer(now, asks);
        if calls.session_of_leg(aside).is_none() {
            return Err(Refused::WrongState);
        }
        calls.resume(now, caller);
        let joined = calls
            .join_through(now, agent_leg, aside)
            .map_err(|_| Refused::WrongState)?;
        let Some((&leg, more)) = joined.split_first() else {
            return Err(Refused::WrongState);
        };
        for other in [leg].iter().chain(more) {
            let user = calls.user_of(*other);
            let joined = Other {
                name: calls.party_of(*other).unwrap_or_default().to_owned(),
                agent: user.and_then(|user| self.directory.agent_of(user)),
            };
            self.add_other(call, *other, joined);
        }
        self.legs.remove(&agent_leg);
        self.hand_over(now, call, agent, calls);
        for leg in [aside, agent_leg] {
            calls.drop_leg(now, leg);
        }
        Ok(())
    }
}

/// SIP status that an agent's phone gets for a refusal.
fn status(refused: Refused) -> u16 {
    match refused {
        Refused::UnknownAgent | Refused::UnknownQueue | Refused::NotAllowed => 404,
        Refused::AgentBusy => 486,
        Refused::Unreachable => 480,
        _ => 481,
    }
}
