//! Publication: what the engine's log means for pages and for the numbers of today, and the objects that changed with it.

use std::sync::Arc;

use call_engine::acd::{AgentId, AssignmentEnd, AssignmentId, CallId, Fact, QueueId, Record};
use sans_io::{Deadline, Time};
use session_core::SavedLeg;

use super::agents::Agents;
use super::calls::Calls;
use super::directory::{Directory, QueueInfo};
use super::engine::Engine;
use super::journal::{Answer, Ended};
use super::projection::Projection;
use super::publisher::Publisher;
use super::today::Today;
use super::{history, ids, view};

/// Objects of the call centre on their way to pages, and numbers of today.
pub(super) struct Publication {
    publisher: Publisher,
    today: Today,
    /// Time at which this engine began.
    began: Time,
}

/// State that is published, and that the publication never changes.
#[derive(Clone, Copy)]
pub(super) struct Published<'a> {
    pub(super) engine: &'a Engine,
    pub(super) calls: &'a Calls,
    pub(super) agents: &'a Agents,
    pub(super) directory: &'a Directory,
}

impl Publication {
    pub(super) fn new(publisher: Publisher, today: Today, began: Time) -> Publication {
        Publication {
            publisher,
            today,
            began,
        }
    }

    /// Way to the journal, for calls that publish themselves.
    pub(super) fn publisher(&mut self) -> &mut Publisher {
        &mut self.publisher
    }

    pub(super) fn is_congested(&self) -> bool {
        self.publisher.is_congested()
    }

    pub(super) fn deadline(&self) -> Deadline {
        self.publisher.deadline()
    }

    /// Takes a record of the engine: into the numbers, the published objects and the journal.
    pub(super) fn record(&mut self, record: Record, of: Published<'_>) {
        if let Fact::AssignmentEnded {
            assignment,
            call,
            agent,
            how,
            ..
        } = record.fact
        {
            self.assignment_ended(record.at, (assignment, call), agent, how, of);
        }
        self.mark_changed(&record.fact, of);
        self.today.apply(&record);
        let batch = self.publisher.batch();
        batch.records.push(record);
        while let Some(finished) = self.today.poll_finished() {
            batch.finished.push(finished);
        }
    }

    /// An assignment is over. One that its agent did not take is in the agent's history.
    fn assignment_ended(
        &mut self,
        now: Time,
        (assignment, call): (AssignmentId, CallId),
        agent: AgentId,
        how: AssignmentEnd,
        of: Published<'_>,
    ) {
        let missed = of
            .calls
            .get(call)
            .and_then(|missed| history::missed(of.directory, (call, missed), (assignment, agent), how, now));
        if let Some(record) = missed {
            self.publisher.change(now, view::Change::Logged { record });
        }
        let agent = of.directory.agent(agent).map(|person| person.id.clone());
        let ended = view::Change::AssignmentEnded {
            id: ids::assignment(assignment),
            call: ids::call(call),
            agent: agent.unwrap_or_default(),
            how: how.into(),
        };
        self.publisher.change(now, ended);
    }

    /// Publishes that the phone of an agent rings.
    pub(super) fn assignment_made(
        &mut self,
        now: Time,
        (assignment, call, agent): (AssignmentId, CallId, AgentId),
        of: Published<'_>,
    ) {
        if let Some(assignment) = self.project(of).assignment(assignment, call, agent) {
            let made = view::Change::AssignmentMade(assignment);
            self.publisher.change(now, made);
        }
    }

    /// Marks what pages see otherwise now.
    fn mark_changed(&mut self, fact: &Fact, of: Published<'_>) {
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
                publisher.queues(of.engine.call(*call).map(|call| call.queue));
            }
            // A call from the start on has no agent; the queue it was in is published.
            Fact::Left { call, .. } => match of.calls.get(*call) {
                Some(call) => publisher.queues([call.queue()]),
                None => publisher.queues(of.directory.queues().map(|queue| queue.config.id)),
            },
            Fact::WrappedUp { agent, .. }
            | Fact::Intent { agent, .. }
            | Fact::Next { agent, .. }
            | Fact::Status { agent, .. } => {
                publisher.agent(*agent);
                publisher.queues(of.directory.served_by(*agent));
            }
            Fact::Started => {}
        }
    }

    /// Hands what changed to the journal.
    pub(super) fn publish(&mut self, now: Time, of: Published<'_>) {
        let changed = self.publisher.take_changed(now);
        for call in changed.calls {
            if let Some(call) = self.project(of).call(call) {
                self.publisher.change(now, view::Change::Call(call));
            }
        }
        for agent in changed.agents {
            if let Some(agent) = self.project(of).agent(now, agent) {
                self.publisher.change(now, view::Change::Agent(agent));
            }
        }
        self.publish_queues(now, changed.queues, of);
        self.publisher.flush();
    }

    /// Publishes the queues that changed, however long ago they were published.
    pub(super) fn publish_changed_queues(&mut self, now: Time, of: Published<'_>) {
        let queues = self.publisher.take_queues();
        self.publish_queues(now, queues, of);
    }

    fn publish_queues(&mut self, now: Time, queues: impl IntoIterator<Item = QueueId>, of: Published<'_>) {
        for queue in queues {
            if let Some(queue) = self.project(of).queue(now, queue) {
                self.publisher.change(now, view::Change::Queue(queue));
            }
        }
    }

    /// Takes settings of a queue that numbers depend on.
    pub(super) fn set_queue(&mut self, queue: &QueueInfo) {
        self.today
            .set_service_level(queue.config.id, queue.service_level());
    }

    /// State as pages see it.
    fn project<'a>(&'a self, of: Published<'a>) -> Projection<'a> {
        Projection {
            of,
            today: &self.today,
            began: self.began,
        }
    }
}

/// The way to the journal, as everybody may use it.
impl Publication {
    /// Has a call published anew.
    pub(super) fn call(&mut self, call: CallId) {
        self.publisher.call(call);
    }

    /// Has an agent published anew.
    pub(super) fn agent(&mut self, agent: AgentId) {
        self.publisher.agent(agent);
    }

    /// Has queues published anew.
    pub(super) fn queues(&mut self, queues: impl IntoIterator<Item = QueueId>) {
        self.publisher.queues(queues);
    }

    /// Publishes a change as it is, in its order.
    pub(super) fn change(&mut self, now: Time, change: view::Change) {
        self.publisher.change(now, change);
    }

    /// Adds a reply to be sent once everything done so far is durable.
    pub(super) fn answer(&mut self, answer: Answer) {
        self.publisher.answer(answer);
    }

    /// Has the leg of a caller saved; `None`: it is no longer needed.
    pub(super) fn leg(&mut self, call: CallId, saved: Option<SavedLeg>) {
        self.publisher.leg(call, saved);
    }

    /// Staff and queues from this step on.
    pub(super) fn directory(&mut self, directory: Arc<Directory>) {
        self.publisher.batch().directory = Some(directory);
    }

    /// Hands the facts of a call that is over to the journal.
    pub(super) fn over(&mut self, call: CallId, ended: Ended) {
        self.publisher.over(call, ended);
    }
}
