//! Publishing events, and handing them to the journal.

use std::time::Duration;

use call_engine::acd::metrics::SLOT;
use call_engine::acd::{CallId, Departure, Fact, Record};
use sans_io::Time;
use tokio::sync::mpsc;

use super::controller::{Controller, QUEUE_INTERVAL};
use super::journal::{Answer, Ended};
use super::{ids, view};

/// No day is longer, whatever is done to the clocks.
const A_DAY: Duration = Duration::from_secs(26 * 3_600);

impl Controller {
    /// Adds a reply to be sent once everything done so far is durable.
    pub(super) fn answer(&mut self, answer: Answer) {
        self.batch.answers.push(answer);
    }

    /// Nothing more will be published about a call but its record.
    pub(super) fn over(&mut self, call: CallId, ended: Ended) {
        self.changed.calls.remove(&call);
        self.batch.ended.insert(call, ended);
    }

    /// Takes a record: for the numbers, for the published objects, for the journal.
    pub(super) fn recorded(&mut self, record: Record) {
        self.metrics.apply(&record);
        let now = record.at;
        let slot = now.as_micros() / SLOT;
        if slot != self.slot {
            self.slot = slot;
            // Pages show only the numbers of today.
            self.metrics.forget(now - A_DAY);
        }
        let queue_of = |controller: &Controller, call: &CallId| {
            controller.acd.state().calls.get(call).map(|call| call.queue)
        };
        match &record.fact {
            Fact::Entered { call, queue, .. } => {
                self.changed.calls.insert(*call);
                self.changed.queues.insert(*queue);
            }
            Fact::Moved { call, queue, .. } => {
                self.changed.calls.insert(*call);
                self.changed.queues.insert(*queue);
                if let Some(live) = self.calls.get_mut(call) {
                    let from = std::mem::replace(&mut live.queue, *queue);
                    self.changed.queues.insert(from);
                }
            }
            Fact::Offered { call, .. } => {
                self.changed.calls.insert(*call);
            }
            Fact::OfferEnded {
                offer,
                call,
                agent,
                how,
                ..
            } => {
                self.changed.calls.insert(*call);
                self.log_missed(now, (*offer, *call), *agent, *how);
                let agent = self
                    .directory
                    .agent(*agent)
                    .map(|person| person.id.clone())
                    .unwrap_or_default();
                self.batch.change(
                    now,
                    view::Change::OfferEnded {
                        id: ids::offer(*offer),
                        call: ids::call(*call),
                        agent,
                        how: (*how).into(),
                    },
                );
            }
            Fact::Accepted { call, .. }
            | Fact::Connected { call }
            | Fact::Held { call, .. }
            | Fact::Away { call, .. }
            | Fact::HandedOver { call, .. }
            | Fact::Returned { call, .. }
            | Fact::Widened { call, .. } => {
                self.changed.calls.insert(*call);
                self.changed.queues.extend(queue_of(self, call));
            }
            Fact::Left { call, how, .. } => {
                if *how == Departure::Lost {
                    self.lost(now, *call);
                }
                // A call from the start on has no agent; the queue it was in is published.
                match self.calls.get(call) {
                    Some(live) => self.changed.queues.extend([live.queue]),
                    None => self
                        .changed
                        .queues
                        .extend(self.directory.queues().map(|queue| queue.config.id)),
                }
            }
            Fact::WrappedUp { agent, .. }
            | Fact::Intent { agent, .. }
            | Fact::Next { agent, .. }
            | Fact::Status { agent, .. } => {
                self.changed.agents.insert(*agent);
                if let Some(config) = self
                    .directory
                    .agent(*agent)
                    .and_then(|person| person.agent.as_ref())
                {
                    self.changed
                        .queues
                        .extend(config.queues.iter().map(|member| member.queue));
                }
            }
            Fact::Started => {}
        }
        self.batch.records.push(record);
        while let Some(finished) = self.metrics.poll_finished() {
            self.batch.finished.push(finished);
        }
    }

    /// Hands what changed to the journal.
    pub(super) fn publish(&mut self, now: Time) {
        let changed = std::mem::take(&mut self.changed);
        for call in changed.calls {
            if let Some(call) = self.project_call(call) {
                self.batch.change(now, view::Change::Call(call));
            }
        }
        for agent in changed.agents {
            if let Some(agent) = self.project_agent(now, agent) {
                self.batch.change(now, view::Change::Agent(agent));
            }
        }
        if now.since(self.queues_published) >= QUEUE_INTERVAL {
            for queue in changed.queues {
                if let Some(queue) = self.project_queue(now, queue) {
                    self.batch.change(now, view::Change::Queue(queue));
                }
            }
            self.queues_published = now;
        } else {
            self.changed.queues = changed.queues;
        }
        if !self.batch.is_empty() {
            let batch = std::mem::take(&mut self.batch);
            self.backlog.push_back(batch);
        }
        while let Some(batch) = self.backlog.pop_front() {
            if let Err(error) = self.journal.try_send(batch) {
                match error {
                    mpsc::error::TrySendError::Full(batch) => self.backlog.push_front(batch),
                    mpsc::error::TrySendError::Closed(_) => self.backlog.clear(),
                }
                break;
            }
        }
    }
}
