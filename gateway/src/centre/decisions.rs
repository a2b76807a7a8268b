//! Decisions of the engine, carried out: phones ring, agents are connected, callers wait on or go elsewhere.

use std::time::Duration;

use call_engine::Origin;
use call_engine::acd::{AgentId, AssignmentId, CallId, Input, Output, Target};
use media_core::control::Phrase;
use sans_io::Time;
use session_core::{Invitation, Party};

use super::call::Assignment;
use super::context::Ctx;
use super::controller::Controller;
use super::invitation::{ASSIGNMENT_HEADER, CALL_HEADER, QUEUE_HEADER};
use super::legs::Role;
use super::{ids, view};
use crate::routing::Destination;

impl Controller {
    /// Acts on an output of the engine; the result must be reported to the engine.
    pub(super) fn act(&mut self, output: Output, cx: &mut Ctx<'_>) -> Option<Input> {
        match output {
            Output::Assign {
                assignment,
                call,
                agent,
                deadline,
            } => return self.assign((assignment, call, agent), deadline, cx),
            Output::AskCaller { call } => {
                if let Some(call) = self.calls.get(&call) {
                    cx.coordinator.ask_peer(cx.now, call.caller);
                }
            }
            Output::Rescind {
                assignment,
                elsewhere,
                ..
            } => self.rescind(assignment, elsewhere, cx),
            Output::Connect {
                assignment,
                call,
                agent,
            } => return self.connect(assignment, call, agent, cx),
            Output::Wait { call, .. } => {
                if let Some(waiting) = self.calls.get_mut(&call) {
                    let released = waiting.wait_again(cx.now);
                    released.hang_up(&mut self.legs, cx);
                    self.publisher.call(call);
                }
            }
            Output::Overflow { call, target, .. } => self.overflow(call, target, cx),
            Output::HangUp { call } => {
                if let Some(call) = self.calls.get(&call) {
                    cx.coordinator.terminate_session(cx.now, call.session);
                }
            }
            Output::Probe { agent } => {
                if let Some(person) = self.directory.agent(agent) {
                    cx.coordinator.probe(cx.now, &person.name);
                }
            }
            Output::Announce { call, position, .. } => {
                self.publisher.call(call);
                if let Some(call) = self.calls.get(&call) {
                    let phrase = Phrase { position, wait: None };
                    cx.coordinator.announce(call.caller, phrase);
                }
            }
            Output::Record(_) | Output::Refused(_) | Output::Timeout(_) => {}
        }
        None
    }

    /// Lets the phone of an agent ring for a call.
    fn assign(
        &mut self,
        (assignment, id, agent): (AssignmentId, CallId, AgentId),
        deadline: Time,
        cx: &mut Ctx<'_>,
    ) -> Option<Input> {
        let lost = Some(Input::AssignmentLost { assignment });
        let queue = self.engine.call(id).map(|call| call.queue);
        let queue = queue.and_then(|queue| self.directory.queue(queue));
        let (Some(call), Some(person)) = (self.calls.get_mut(&id), self.directory.agent(agent)) else {
            return lost;
        };
        if !call.can_ring() {
            return lost;
        }
        let invitation = Invitation {
            party: Party::User(person.name.clone()),
            caller: None,
            // The engine's own deadline comes first.
            ring_timeout: deadline.since(cx.now) + Duration::from_secs(5),
            headers: vec![
                (CALL_HEADER.into(), ids::call(id)),
                (ASSIGNMENT_HEADER.into(), ids::assignment(assignment)),
                (
                    QUEUE_HEADER.into(),
                    queue.map(|queue| queue.display.clone()).unwrap_or_default(),
                ),
            ],
            diverted: None,
        };
        let Ok(leg) = cx.coordinator.invite(cx.now, call.session, invitation) else {
            return lost;
        };
        call.ring(
            assignment,
            Assignment {
                leg,
                made: cx.now,
                deadline,
            },
        );
        self.legs.assign(assignment, id, leg);
        if let Some(assignment) = self.projection().assignment(assignment, id, agent) {
            let made = view::Change::AssignmentMade(assignment);
            self.publisher.change(cx.now, made);
        }
        None
    }

    /// Stops the phone of an assignment that is over.
    fn rescind(&mut self, assignment: AssignmentId, elsewhere: bool, cx: &mut Ctx<'_>) {
        let call = self.legs.remove_assignment(assignment);
        let call = call.and_then(|call| self.calls.get_mut(&call));
        if let Some(assignment) = call.and_then(|call| call.stop_ringing(assignment)) {
            self.legs.remove(assignment.leg);
            cx.coordinator.withdraw(cx.now, assignment.leg, elsewhere);
        }
    }

    /// Lets the agent whose phone was answered talk with the caller.
    fn connect(
        &mut self,
        assignment: AssignmentId,
        call: CallId,
        agent: AgentId,
        cx: &mut Ctx<'_>,
    ) -> Option<Input> {
        self.legs.remove_assignment(assignment);
        let connecting = self.calls.get_mut(&call);
        let connected =
            connecting.and_then(|call| Some((call.connect(cx.now, assignment, agent)?, call.session)));
        let Some((agent, session)) = connected else {
            return Some(Input::NotConnected { call });
        };
        self.agents.took(agent.agent, call);
        self.legs.set(agent.leg, Role::Agent(call));
        cx.coordinator.admit_leg(cx.now, session, agent.leg);
        None
    }

    /// Sends a call that its queue does not keep where the queue says.
    fn overflow(&mut self, id: CallId, target: Target, cx: &mut Ctx<'_>) {
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        let released = call.release(cx.now);
        let session = call.session;
        debug_assert_eq!(released, Default::default(), "a queue has no agent's call");
        match target {
            Target::Number(number) => match cx.routing.route(Origin::Gateway, &number) {
                Destination::Party(party) => self.forward(id, (*party, number), None, cx),
                _ => cx.coordinator.terminate_session(cx.now, session),
            },
            Target::HangUp | Target::Queue(_) => cx.coordinator.terminate_session(cx.now, session),
        }
    }
}
