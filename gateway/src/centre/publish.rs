//! Consequences of the engine's log: objects to publish, numbers, and entries of agents' histories.

use call_engine::acd::{Departure, Fact, Record};
use sans_io::Time;

use super::controller::Controller;
use super::{ids, view};

impl Controller {
    /// Takes a record of the engine: into the numbers, the calls, the published objects and the journal.
    pub(super) fn recorded(&mut self, record: Record) {
        self.today.apply(&record);
        self.mirror(&record.fact);
        self.mark_changed(record.at, &record.fact);
        self.publisher.batch().records.push(record);
        while let Some(finished) = self.today.poll_finished() {
            self.publisher.batch().finished.push(finished);
        }
    }

    /// Applies what the engine decided to the state of the call.
    fn mirror(&mut self, fact: &Fact) {
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
            _ => {}
        }
    }

    fn mark_changed(&mut self, now: Time, fact: &Fact) {
        match fact {
            Fact::Entered { call, queue, .. } | Fact::Moved { call, queue, .. } => {
                self.publisher.call(*call);
                self.publisher.queues([*queue]);
            }
            Fact::Assigned { call, .. } => self.publisher.call(*call),
            Fact::AssignmentEnded {
                assignment,
                call,
                agent,
                how,
                ..
            } => {
                self.publisher.call(*call);
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
            Fact::Accepted { call, .. }
            | Fact::Connected { call }
            | Fact::Held { call, .. }
            | Fact::Away { call, .. }
            | Fact::HandedOver { call, .. }
            | Fact::Returned { call, .. }
            | Fact::Widened { call, .. } => {
                self.publisher.call(*call);
                self.publisher
                    .queues(self.engine.call(*call).map(|call| call.queue));
            }
            Fact::Left { call, how, .. } => {
                if *how == Departure::Lost {
                    self.lost(now, *call);
                }
                // A call from the start on has no agent; the queue it was in is published.
                match self.calls.get(call) {
                    Some(call) => self.publisher.queues([call.queue]),
                    None => {
                        let all = self.directory.queues().map(|queue| queue.config.id);
                        self.publisher.queues(all);
                    }
                }
            }
            Fact::WrappedUp { agent, .. }
            | Fact::Intent { agent, .. }
            | Fact::Next { agent, .. }
            | Fact::Status { agent, .. } => {
                self.publisher.agent(*agent);
                let config = self
                    .directory
                    .agent(*agent)
                    .and_then(|person| person.agent.as_ref());
                let served = config.map(|config| config.queues.iter().map(|member| member.queue));
                self.publisher.queues(served.into_iter().flatten());
            }
            Fact::Started => {}
        }
    }

    /// Hands what changed to the journal.
    pub(super) fn publish(&mut self, now: Time) {
        let changed = self.publisher.take_changed(now);
        for call in changed.calls {
            if let Some(call) = self.project_call(call) {
                self.publisher.change(now, view::Change::Call(call));
            }
        }
        for agent in changed.agents {
            if let Some(agent) = self.project_agent(now, agent) {
                self.publisher.change(now, view::Change::Agent(agent));
            }
        }
        for queue in changed.queues {
            if let Some(queue) = self.project_queue(now, queue) {
                self.publisher.change(now, view::Change::Queue(queue));
            }
        }
        self.publisher.flush();
    }
}
