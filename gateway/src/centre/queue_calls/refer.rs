//! Requests of agents by SIP: a REFER from an agent's phone is the transfer of the API, blind or attended.
//!
//! The phone gets a success as soon as the centre has the call. If nobody answers afterwards, the centre takes the caller back into
//! the queue.

use call_engine::acd::CallId;
use session_core::{LegId, Party, ReferTo, SessionId};
use sip_core::message::StatusCode;

use super::super::command::{Refused, Target};
use super::super::context::Ctx;
use super::super::legs::Role;
use super::QueueCalls;
use crate::routing::Destination;

impl QueueCalls {
    /// A leg's peer asks for a transfer (REFER).
    pub(super) fn refer(&mut self, leg: LegId, to: &ReferTo, cx: &mut Ctx<'_>) {
        let outcome = match (self.calls().role(leg).cloned(), to) {
            (Some(Role::Agent(call)), ReferTo::Number(number)) => self.refer_blind(call, leg, number, cx),
            (Some(Role::Agent(call)), ReferTo::Leg(other)) if !self.calls().has_leg(*other) => {
                self.refer_attended(call, (leg, *other), leg, cx)
            }
            (None, ReferTo::Leg(other)) => match self.calls().role(*other).cloned() {
                Some(Role::Agent(call)) => self.refer_attended(call, (*other, leg), leg, cx),
                _ => Err(Refused::WrongState),
            },
            _ => Err(Refused::WrongState),
        };
        if let Err(refused) = outcome {
            tracing::debug!(refused = refused.code(), "transfer by REFER");
            cx.coordinator.refuse_refer(cx.now, leg, StatusCode::DECLINE);
            // Only where it was accepted before.
            cx.coordinator.refer_progress(cx.now, leg, status(refused));
        }
    }

    /// A phone asks for the place of a leg of the call centre (INVITE with `Replaces`). An agent may go on at another phone of its
    /// own, callers and those who joined may be replaced by anybody who may replace them elsewhere.
    pub(super) fn replaces(&mut self, session: SessionId, (leg, replaced): (LegId, LegId), cx: &mut Ctx<'_>) {
        let is_granted = match self.calls().role(replaced) {
            Some(Role::Caller(_) | Role::Other(_)) => true,
            Some(Role::Agent(call)) => {
                let call = self.calls().get(*call);
                let consults = call.is_some_and(|call| call.consult().is_some());
                !consults && cx.coordinator.user_of(leg) == cx.coordinator.user_of(replaced)
            }
            _ => false,
        };
        if is_granted {
            cx.coordinator.replace(cx.now, leg, replaced);
        } else {
            cx.coordinator.reject(cx.now, session, StatusCode::DECLINE);
        }
    }

    /// A leg gave its place to another one.
    pub(super) fn replaced(&mut self, old: LegId, to: &[LegId], cx: &mut Ctx<'_>) {
        // A leg that was transferred to several went to a conference, which is none of ours.
        let (Some(role), [new]) = (self.calls().role(old).cloned(), to) else {
            return;
        };
        if let Role::Caller(id) | Role::Agent(id) | Role::Other(id) = role {
            self.with(id, cx, |call, cx| call.leg_replaced(role, (old, *new), cx));
        }
    }

    fn refer_blind(&mut self, id: CallId, leg: LegId, number: &str, cx: &mut Ctx<'_>) -> Result<(), Refused> {
        let agent = self.talking(id)?.agent;
        cx.coordinator.accept_refer(cx.now, leg);
        let target = match self.targets(cx).route(agent, number) {
            Destination::Queue { name, .. } => {
                let queue = self.directory().queue_by_name(&name);
                Target::Queue(queue.ok_or(Refused::UnknownQueue)?.id.clone())
            }
            Destination::Party(party) => match *party {
                Party::User(name) if self.directory().agent_of(&name).is_some() => {
                    let person = self.directory().person(&name).ok_or(Refused::UnknownAgent)?;
                    Target::Agent(person.id.clone())
                }
                _ => Target::Number(number.to_owned()),
            },
            // A group is a party here.
            Destination::Group(_)
            | Destination::Park(_)
            | Destination::Application(_)
            | Destination::Nobody(_) => {
                return Err(Refused::NotAllowed);
            }
        };
        // A phone that is let go because it asked for this gets a success.
        self.transfer(id, target, cx)?;
        cx.coordinator.refer_progress(cx.now, leg, StatusCode::OK);
        Ok(())
    }

    /// Joins two calls of an agent: `agent_leg` talks with the caller, `aside` with somebody else; `asks` is one of the two.
    fn refer_attended(
        &mut self,
        id: CallId,
        (agent_leg, aside): (LegId, LegId),
        asks: LegId,
        cx: &mut Ctx<'_>,
    ) -> Result<(), Refused> {
        let agent = self.talking(id)?;
        let call = self.calls().get(id).ok_or(Refused::UnknownCall)?;
        if call.consult().is_some() || agent.leg != agent_leg {
            return Err(Refused::WrongState);
        }
        cx.coordinator.accept_refer(cx.now, asks);
        if cx.coordinator.session_of_leg(aside).is_none() {
            return Err(Refused::WrongState);
        }
        self.ask(id, cx, |call, cx| call.join_through((agent_leg, aside), cx))?;
        self.hand_over(id, agent.agent, cx);
        for leg in [aside, agent_leg] {
            cx.coordinator.drop_leg(cx.now, leg);
        }
        Ok(())
    }
}

/// SIP status that an agent's phone gets for a refusal.
fn status(refused: Refused) -> StatusCode {
    match refused {
        Refused::UnknownAgent | Refused::UnknownQueue | Refused::NotAllowed => StatusCode::NOT_FOUND,
        Refused::AgentBusy => StatusCode::BUSY_HERE,
        Refused::Unreachable => StatusCode::TEMPORARILY_UNAVAILABLE,
        _ => StatusCode::CALL_DOES_NOT_EXIST,
    }
}
