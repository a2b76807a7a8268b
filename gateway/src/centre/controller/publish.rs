//! Consequences of the engine's log: objects to publish, numbers, and entries of agents' histories.

use call_engine::acd::{AgentId, AssignmentEnd, AssignmentId, CallId, Departure, Fact, Record};
use sans_io::Time;

use super::super::{history, ids, view};
use super::Controller;

/// Calls up to which debug builds compare them with the index of their legs after each step.
const CHECKED: usize = 20;

impl Controller {
    /// Takes a record of the engine: into the numbers, the calls, the published objects and the journal.
    pub(super) fn recorded(&mut self, record: Record) {
        self.today.apply(&record);
        self.apply(record.at, &record.fact);
        self.publisher.batch().records.push(record);
        while let Some(finished) = self.today.poll_finished() {
            self.publisher.batch().finished.push(finished);
        }
    }

    /// Applies what the engine decided to the state of its call.
    fn apply(&mut self, now: Time, fact: &Fact) {
        match fact {
            Fact::Connected { call } | Fact::Held { call, .. } | Fact::Moved { call, .. } => {
                // A call from before a restart may not be here yet.
                if let Some(call) = self.calls.get_mut(call) {
                    self.publisher.queues(call.apply(fact));
                }
            }
            Fact::AssignmentEnded {
                assignment,
                call,
                agent,
                how,
                ..
            } => self.assignment_ended(now, (*assignment, *call), *agent, *how),
            Fact::Left {
                call,
                how: Departure::Lost,
                ..
            } => self
                .recovery
                .lost(now, *call, self.calls.get(call), &self.directory),
            _ => {}
        }
        self.mark_changed(fact);
    }

    /// An assignment is over. One that its agent did not take is in the agent's history.
    fn assignment_ended(
        &mut self,
        now: Time,
        (assignment, call): (AssignmentId, CallId),
        agent: AgentId,
        how: AssignmentEnd,
    ) {
        let missed = self.calls.get(&call);
        let missed = missed.and_then(|missed| {
            history::missed(&self.directory, (call, missed), (assignment, agent), how, now)
        });
        if let Some(record) = missed {
            self.publisher.change(now, view::Change::Logged { record });
        }
        let agent = self.directory.agent(agent).map(|person| person.id.clone());
        let ended = view::Change::AssignmentEnded {
            id: ids::assignment(assignment),
            call: ids::call(call),
            agent: agent.unwrap_or_default(),
            how: how.into(),
        };
        self.publisher.change(now, ended);
    }

    /// Marks what pages see otherwise now.
    fn mark_changed(&mut self, fact: &Fact) {
        let publisher = &mut self.publisher;
        match fact {
            Fact::Entered { call, queue, .. } | Fact::Moved { call, queue, .. } => {
                publisher.call(*call);
                publisher.queues([*queue]);
            }
            Fact::Assigned { call, .. } | Fact::AssignmentEnded { call, .. } => publisher.call(*call),
            Fact::Accepted { call, .. }
            | Fact::Connected { call }
            | Fact::Held { call, .. }
            | Fact::Away { call, .. }
            | Fact::HandedOver { call, .. }
            | Fact::Returned { call, .. }
            | Fact::Widened { call, .. } => {
                publisher.call(*call);
                publisher.queues(self.engine.call(*call).map(|call| call.queue));
            }
            // A call from the start on has no agent; the queue it was in is published.
            Fact::Left { call, .. } => match self.calls.get(call) {
                Some(call) => publisher.queues([call.queue()]),
                None => publisher.queues(self.directory.queues().map(|queue| queue.config.id)),
            },
            Fact::WrappedUp { agent, .. }
            | Fact::Intent { agent, .. }
            | Fact::Next { agent, .. }
            | Fact::Status { agent, .. } => {
                publisher.agent(*agent);
                publisher.queues(self.directory.served_by(*agent));
            }
            Fact::Started => {}
        }
    }

    /// Hands what changed to the journal.
    pub(super) fn publish(&mut self, now: Time) {
        let changed = self.publisher.take_changed(now);
        for call in changed.calls {
            if let Some(call) = self.projection().call(call) {
                self.publisher.change(now, view::Change::Call(call));
            }
        }
        for agent in changed.agents {
            if let Some(agent) = self.projection().agent(now, agent) {
                self.publisher.change(now, view::Change::Agent(agent));
            }
        }
        for queue in changed.queues {
            if let Some(queue) = self.projection().queue(now, queue) {
                self.publisher.change(now, view::Change::Queue(queue));
            }
        }
        self.publisher.flush();
        if cfg!(debug_assertions) && self.calls.len() <= CHECKED {
            let broken = self.legs.broken(&self.calls);
            debug_assert!(broken.is_none(), "calls and their index disagree: {broken:?}");
        }
    }
}
