//! Decisions of the engine, carried out: phones ring, agents are connected, callers wait on or go elsewhere.

use call_engine::Origin;
use call_engine::acd::{AgentId, AssignmentId, CallId, Input, Output, Target};
use sans_io::Time;

use super::super::call::Call;
use super::super::context::Ctx;
use super::QueueCalls;

impl QueueCalls {
    /// Acts on an output of the engine; the result must be reported to the engine. A call of the engine's may have none here: one from
    /// before a restart whose caller was not asked to go on yet.
    pub(super) fn act(&mut self, output: Output, cx: &mut Ctx<'_>) -> Option<Input> {
        match output {
            Output::Assign {
                assignment,
                call,
                agent,
                deadline,
            } => return self.assign((assignment, call, agent), deadline, cx),
            Output::AskCaller { call } => {
                self.try_with(call, cx, |call, cx| call.ask_caller(cx));
            }
            Output::Rescind {
                assignment,
                elsewhere,
                ..
            } => {
                // One that a phone could not ring for is over already.
                if let Some(call) = self.remove_assignment(assignment) {
                    self.with(call, cx, |call, cx| call.rescind(assignment, elsewhere, cx));
                }
            }
            Output::Connect {
                assignment,
                call,
                agent,
            } => return self.connect(assignment, call, agent, cx),
            Output::Wait { call, .. } => {
                self.try_with(call, cx, Call::wait);
            }
            Output::Overflow { call, target, .. } => self.overflow(call, target, cx),
            Output::HangUp { call } => {
                self.try_with(call, cx, |call, cx| call.terminate(cx));
            }
            Output::Probe { agent } => {
                if let Some(person) = self.directory().agent(agent) {
                    cx.coordinator.probe(cx.now, &person.name);
                }
            }
            Output::Announce { call, position, .. } => {
                self.publication().call(call);
                self.try_with(call, cx, |call, cx| call.announce(position, cx));
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
        let rings = self.try_with(id, cx, |call, cx| call.assign((assignment, agent), deadline, cx));
        if rings != Some(true) {
            return Some(Input::AssignmentLost { assignment });
        }
        self.assignment_made(cx.now, (assignment, id, agent));
        None
    }

    /// Lets the agent whose phone was answered talk with the caller.
    fn connect(
        &mut self,
        assignment: AssignmentId,
        id: CallId,
        agent: AgentId,
        cx: &mut Ctx<'_>,
    ) -> Option<Input> {
        self.remove_assignment(assignment);
        let taken = self.try_with(id, cx, |call, cx| call.take(assignment, agent, cx));
        if taken != Some(true) {
            return Some(Input::NotConnected { call: id });
        }
        self.took(agent, id);
        None
    }

    /// Sends a call that its queue does not keep where the queue says.
    fn overflow(&mut self, id: CallId, target: Target, cx: &mut Ctx<'_>) {
        // One whose caller was not asked to go on since a restart gets a BYE then.
        let Some(released) = self.try_with(id, cx, |call, cx| call.release(cx.now)) else {
            return;
        };
        debug_assert_eq!(released, Default::default(), "a queue has no agent's call");
        if let Target::Number(number) = target
            && let Ok(callee) = cx.routing.phone(cx.now, Origin::Gateway, &number)
        {
            self.forward(id, (callee, number), None, cx);
        } else {
            // The engine takes overflow into another queue by itself.
            self.with(id, cx, |call, cx| call.terminate(cx));
        }
    }
}
