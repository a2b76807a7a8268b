//! Consequences of the engine's log: objects to publish, numbers, and entries of agents' histories.

use call_engine::acd::{Departure, Fact, Record};
use sans_io::Time;

use super::controller::Controller;
use super::{ids, view};

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

    /// Applies what the engine decided to the state of its call, and marks what pages see otherwise now.
    fn apply(&mut self, now: Time, fact: &Fact) {
        match fact {
            Fact::Connected { call } => {
                if let Some(call) = self.calls.get_mut(call) {
                    call.connected();
                }
            }
            Fact::Held { call, held } => {
                if let Some(call) = self.calls.get_mut(call) {
                    call.set_held(*held);
                }
            }
            Fact::Moved { call, queue, .. } => {
                if let Some(call) = self.calls.get_mut(call) {
                    let from = std::mem::replace(&mut call.queue, *queue);
                    self.publisher.queues([from]);
                }
            }
            Fact::AssignmentEnded {
                assignment,
                call,
                agent,
                how,
                ..
            } => {
                self.log_missed(now, (*assignment, *call), *agent, *how);
                let agent = self.directory.agent(*agent).map(|person| person.id.clone());
                let ended = view::Change::AssignmentEnded {
                    id: ids::assignment(*assignment),
                    call: ids::call(*call),
                    agent: agent.unwrap_or_default(),
                    how: (*how).into(),
                };
                self.publisher.change(now, ended);
            }
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
                Some(call) => publisher.queues([call.queue]),
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
