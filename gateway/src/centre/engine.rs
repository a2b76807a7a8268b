//! The engine of the call centre, and what the controller asks it.

use call_engine::acd::{
    Acd, AgentId, AgentState, AssignmentId, CallId, CallState, Input, Output, Phase, QueueId, Reach,
};
use sans_io::{Deadline, Time};

/// `call-engine`'s machine with its deadline.
pub(super) struct Engine {
    acd: Acd,
    deadline: Deadline,
}

impl Engine {
    pub(super) fn new(acd: Acd) -> Engine {
        Engine { acd, deadline: None }
    }

    pub(super) fn handle_input(&mut self, now: Time, input: Input) {
        self.acd.handle_input(now, input);
    }

    /// Next output; `None` when there is no more for now.
    pub(super) fn poll_output(&mut self) -> Option<Output> {
        match self.acd.poll_output() {
            Output::Timeout(deadline) => {
                self.deadline = deadline;
                None
            }
            output => Some(output),
        }
    }

    pub(super) fn deadline(&self) -> Deadline {
        self.deadline
    }

    pub(super) fn call(&self, call: CallId) -> Option<&CallState> {
        self.acd.state().calls.get(&call)
    }

    pub(super) fn calls(&self) -> impl Iterator<Item = &CallState> {
        self.acd.state().calls.values()
    }

    pub(super) fn phase(&self, call: CallId) -> Option<Phase> {
        self.call(call).map(|call| call.phase)
    }

    pub(super) fn agent(&self, agent: AgentId) -> Option<&AgentState> {
        self.acd.state().agents.get(&agent)
    }

    pub(super) fn reach(&self, agent: AgentId) -> Option<Reach> {
        self.acd.reach(agent)
    }

    /// Agent whom an assignment is for.
    pub(super) fn assigned(&self, assignment: AssignmentId) -> Option<AgentId> {
        let (.., agent) = self.acd.assignments().find(|(other, ..)| *other == assignment)?;
        Some(agent)
    }

    /// Calls that wait in a queue, the next one first.
    pub(super) fn line(&self, queue: QueueId) -> impl Iterator<Item = CallId> {
        self.acd.line(queue)
    }
}
