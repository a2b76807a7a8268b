//! The state of the calls of queues, and the few ways to change it.

use std::collections::VecDeque;
use std::sync::Arc;

use call_engine::acd::{
    AgentId, AssignmentId, CallId, ConnId, Departure, Enqueue, Fact, Input, Output, Record, Refusal,
};
use sans_io::{Deadline, Time, earlier};
use session_core::{CallRecord, LegId, SessionId};

use super::super::agents::Agents;
use super::super::call::{self, Call};
use super::super::calls::{Calls, Surroundings};
use super::super::command::Refused;
use super::super::context::Ctx;
use super::super::directory::Directory;
use super::super::engine::Engine;
use super::super::history;
use super::super::last_agent::LastAgents;
use super::super::legs::Role;
use super::super::publication::{Publication, Published};
use super::super::recovery::{self, Recovery};
use super::super::rights::Rights;
use super::super::targets::Targets;
use super::super::view::CallerVerification;

/// Calls of queues, the agents who take them, and the engine that decides.
pub(in crate::centre) struct QueueCalls {
    engine: Engine,
    directory: Arc<Directory>,
    calls: Calls,
    agents: Agents,
    /// Callers from before a restart who were not offered to go on yet.
    recovery: Recovery,
    /// Agents whom callers talked with before.
    last_agents: LastAgents,
    publication: Publication,
}

/// Parts that calls of queues are made from.
pub(in crate::centre) struct Parts {
    pub(in crate::centre) engine: Engine,
    pub(in crate::centre) directory: Arc<Directory>,
    pub(in crate::centre) recovery: Recovery,
    pub(in crate::centre) last_agents: LastAgents,
    pub(in crate::centre) publication: Publication,
}

impl QueueCalls {
    /// No calls yet, of these queues and agents.
    pub(in crate::centre) fn new(now: Time, parts: Parts) -> QueueCalls {
        let directory = Arc::clone(&parts.directory);
        let mut calls = QueueCalls {
            engine: parts.engine,
            directory: parts.directory,
            calls: Calls::default(),
            agents: Agents::default(),
            recovery: parts.recovery,
            last_agents: parts.last_agents,
            publication: parts.publication,
        };
        for queue in directory.queues() {
            calls.publication.set_queue(queue);
            calls.configure(now, Input::SetQueue(Box::new(queue.config.clone())));
            calls.publication.queues([queue.config.id]);
        }
        for person in directory.people() {
            if let Some(agent) = &person.agent {
                calls.configure(now, Input::SetAgent(agent.clone()));
                calls.publication.agent(agent.id);
            }
        }
        calls.configure(now, Input::Start);
        calls.publish(now);
        calls
    }

    /// Passes an input to the engine while there are no calls.
    fn configure(&mut self, now: Time, input: Input) {
        self.engine.handle_input(now, input);
        while let Some(output) = self.engine.poll_output() {
            if let Output::Record(record) = output {
                self.recorded(record);
            }
        }
    }

    /// Time at which something is due.
    pub(in crate::centre) fn deadline(&self) -> Deadline {
        let own = earlier(self.publication.deadline(), self.calls.deadline());
        earlier(earlier(self.engine.deadline(), self.recovery.deadline()), own)
    }

    /// True when calls are taken for this queue now.
    pub(in crate::centre) fn takes(&self, queue: &str) -> bool {
        !self.publication.is_congested() && self.directory.queue_by_name(queue).is_some()
    }

    pub(in crate::centre) fn directory(&self) -> &Arc<Directory> {
        &self.directory
    }

    pub(super) fn engine(&self) -> &Engine {
        &self.engine
    }

    pub(in crate::centre) fn calls(&self) -> &Calls {
        &self.calls
    }

    pub(super) fn agents(&self) -> &Agents {
        &self.agents
    }

    /// Everything that is published, on its way.
    pub(in crate::centre) fn publication(&mut self) -> &mut Publication {
        &mut self.publication
    }

    /// Staff and queues, beside the way on which changes are published.
    pub(in crate::centre) fn publishing(&mut self) -> (&Directory, &mut Publication) {
        (&self.directory, &mut self.publication)
    }

    /// A number that no call has had.
    pub(in crate::centre) fn next_number(&mut self, now: Time) -> CallId {
        self.calls.next_number(now)
    }

    /// Parties that agents may call.
    pub(super) fn targets<'a>(&'a self, cx: &Ctx<'a>) -> Targets<'a> {
        Targets {
            directory: &self.directory,
            engine: &self.engine,
            routing: cx.routing,
            now: cx.now,
        }
    }

    /// Rights of those who send commands.
    pub(super) fn rights(&self) -> Rights<'_> {
        Rights {
            directory: &self.directory,
            engine: &self.engine,
            calls: &self.calls,
        }
    }

    /// State that is published, and the way on which it is.
    fn published(&mut self) -> (Published<'_>, &mut Publication) {
        let published = Published {
            engine: &self.engine,
            calls: &self.calls,
            agents: &self.agents,
            directory: &self.directory,
        };
        (published, &mut self.publication)
    }

    /// Hands what changed to the journal.
    pub(in crate::centre) fn publish(&mut self, now: Time) {
        let (published, publication) = self.published();
        publication.publish(now, published);
        self.calls.check();
    }
}

/// Steps of calls and of the engine.
impl QueueCalls {
    /// Lets a call act; `None`: there is no such call.
    pub(super) fn try_with<T>(
        &mut self,
        id: CallId,
        cx: &mut Ctx<'_>,
        act: impl FnOnce(&mut Call, &mut call::Context<'_>) -> T,
    ) -> Option<T> {
        let around = Surroundings {
            now: cx.now,
            phase: self.engine.phase(id),
            coordinator: &mut *cx.coordinator,
            directory: &self.directory,
            publisher: self.publication.publisher(),
        };
        self.calls.act(id, around, act)
    }

    /// Lets a call act that is there: the index of legs, or this step, found it.
    pub(super) fn with<T: Default>(
        &mut self,
        id: CallId,
        cx: &mut Ctx<'_>,
        act: impl FnOnce(&mut Call, &mut call::Context<'_>) -> T,
    ) -> T {
        self.try_with(id, cx, act).unwrap_or_else(|| {
            debug_assert!(false, "no call {id:?}, which the index of legs has");
            T::default()
        })
    }

    /// Lets a call act, and passes what it returns to the engine.
    pub(super) fn drive(
        &mut self,
        id: CallId,
        cx: &mut Ctx<'_>,
        act: impl FnOnce(&mut Call, &mut call::Context<'_>) -> Option<Input>,
    ) {
        if let Some(input) = self.with(id, cx, act) {
            self.input(input, cx);
        }
    }

    /// Lets a call do what somebody asked for, or refuse it.
    pub(super) fn ask<T>(
        &mut self,
        id: CallId,
        cx: &mut Ctx<'_>,
        act: impl FnOnce(&mut Call, &mut call::Context<'_>) -> Result<T, Refused>,
    ) -> Result<T, Refused> {
        self.try_with(id, cx, act).unwrap_or(Err(Refused::UnknownCall))
    }

    /// Passes an input to the engine and acts on its outputs. Returns the refusal, if there is one.
    pub(super) fn input(&mut self, input: Input, cx: &mut Ctx<'_>) -> Option<Refusal> {
        let mut refused = None;
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            self.engine.handle_input(cx.now, input);
            while let Some(output) = self.engine.poll_output() {
                match output {
                    Output::Record(record) => {
                        self.tell_watchers(&record.fact, cx);
                        self.recorded(record);
                    }
                    Output::Refused(refusal) => refused = Some(refusal),
                    output => inputs.extend(self.act(output, cx)),
                }
            }
        }
        refused
    }

    /// Takes a record of the engine: into its call, and to the journal.
    fn recorded(&mut self, record: Record) {
        self.publication.queues(self.calls.apply(&record.fact));
        if let Fact::Left {
            call,
            how: Departure::Lost,
            ..
        } = record.fact
        {
            let lost = self.calls.get(call);
            self.recovery.lost(record.at, call, lost, &self.directory);
        }
        let (published, publication) = self.published();
        publication.record(record, published);
    }

    /// A call takes its place in a queue, where the caller talked with this agent, or waited before.
    pub(in crate::centre) fn enter(
        &mut self,
        (id, call): (CallId, Call),
        priority: u8,
        cx: &mut Ctx<'_>,
    ) -> Option<Refusal> {
        let (queue, number) = (call.queue(), call.from().number.clone());
        let came = self.recovery.came_before(cx.now, queue, &number);
        let info = self.directory.queue(queue);
        let sticky = info.and_then(|queue| self.last_agents.agent(cx.now, queue, &number));
        self.calls.insert(id, call);
        self.with(id, cx, |call, cx| call.begin(cx));
        let enqueue = Enqueue {
            call: id,
            queue,
            priority,
            requires: Vec::new(),
            sticky,
            came,
        };
        self.input(Input::Enqueue(enqueue), cx)
    }

    /// Offers the next callers from before a restart to go on. Returns those who may.
    pub(super) fn offer_recovery(&mut self, cx: &mut Ctx<'_>) -> Vec<CallId> {
        let mut context = recovery::Context {
            now: cx.now,
            coordinator: &mut *cx.coordinator,
            engine: &self.engine,
            directory: &self.directory,
            publisher: self.publication.publisher(),
        };
        let offered = self.recovery.offer(&mut context).into_iter();
        let offered = offered.map(|(id, call)| {
            if let Some(agent) = call.agent() {
                self.agents.took(agent, id);
            }
            self.calls.insert(id, call);
            id
        });
        offered.collect()
    }

    /// Gives a call another number, under which it goes on; the one before is over.
    pub(super) fn renumber(&mut self, id: CallId, cx: &Ctx<'_>) -> Option<CallId> {
        let (again, so_far) = self.calls.renumber(cx.now, id)?;
        self.publication.over(id, so_far);
        self.publication.leg(id, None);
        Some(again)
    }

    /// Forgets a call whose session is over, and hands its facts to the journal.
    pub(super) fn remove(&mut self, id: CallId, record: &CallRecord, now: Time) {
        let Some(call) = self.calls.remove(id) else {
            debug_assert!(false, "no call {id:?} that is over");
            return;
        };
        self.publication.leg(id, None);
        let queue = self.directory.queue(call.queue());
        if let (Some(queue), Some(agent), Some(_)) = (queue, call.agents().last(), call.answered()) {
            let number = &call.from().number;
            self.last_agents.talked(now, queue, number, *agent);
        }
        self.publication.publisher().no_more(id);
        let legs = history::legs(&self.directory, record);
        if let Some(ended) = self.calls.call_ended(id, call, (record, legs)) {
            self.publication.over(id, ended);
        }
    }
}

/// The index of legs, sessions and assignments, as events change it.
impl QueueCalls {
    /// Moves the role of an invitation to the leg that answered it.
    pub(super) fn move_role(&mut self, invitation: LegId, leg: LegId) -> Option<Role> {
        self.calls.answered(invitation, leg)
    }

    /// Removes a leg that is over from the index.
    pub(super) fn remove_leg(&mut self, leg: LegId) -> Option<Role> {
        self.calls.remove_leg(leg)
    }

    /// Removes a session that is over from the index.
    pub(super) fn remove_session(&mut self, session: SessionId) -> Option<CallId> {
        self.calls.remove_session(session)
    }

    /// Removes an assignment that is over from the index.
    pub(super) fn remove_assignment(&mut self, assignment: AssignmentId) -> Option<CallId> {
        self.calls.remove_assignment(assignment)
    }

    /// Next call that a colleague takes over now.
    pub(super) fn pop_takeover(&mut self, now: Time) -> Option<CallId> {
        self.calls.pop_takeover(now)
    }

    /// Takes the verdict on a caller.
    pub(in crate::centre) fn verified(&mut self, id: CallId, verification: CallerVerification) {
        if self.calls.set_verification(id, verification) {
            self.publication.call(id);
        }
    }

    /// A session is over in which an agent asked somebody: its legs are the call's.
    pub(in crate::centre) fn aside_ended(&mut self, session: SessionId, record: &CallRecord) {
        let over = self.calls.aside_ended(session, record, &self.directory);
        if let Some((call, ended)) = over {
            self.publication.over(call, ended);
        }
    }

    /// A session went into another one.
    pub(in crate::centre) fn aside_joined(&mut self, session: SessionId) {
        if let Some((call, ended)) = self.calls.aside_joined(session) {
            self.publication.over(call, ended);
        }
    }
}

/// Agents, as their phones and calls change them.
impl QueueCalls {
    /// Publishes that the phone of an agent rings.
    pub(super) fn assignment_made(&mut self, now: Time, made: (AssignmentId, CallId, AgentId)) {
        let (published, publication) = self.published();
        publication.assignment_made(now, made, published);
    }

    /// Records that an agent has a call.
    pub(super) fn took(&mut self, agent: AgentId, call: CallId) {
        self.agents.took(agent, call);
    }

    /// Records that an agent's phone registered.
    pub(super) fn register(&mut self, agent: AgentId) -> ConnId {
        self.agents.register(agent)
    }

    /// Records that an agent's phone is registered no longer.
    pub(super) fn unregister(&mut self, agent: AgentId) -> Option<ConnId> {
        self.agents.unregister(agent)
    }

    /// Counts the calls of their own that an agent has, whose user is `name`. The engine has to learn of another number than before.
    pub(super) fn count_lines_of(&mut self, agent: (AgentId, &str), cx: &Ctx<'_>) -> Option<Input> {
        self.agents.count_lines(agent, self.calls.legs(), cx.coordinator)
    }

    /// Staff and queues from now on, which the journal gets with the changes that follow.
    pub(super) fn set_directory(&mut self, directory: Arc<Directory>) {
        self.publication.directory(Arc::clone(&directory));
        self.directory = directory;
    }

    /// Publishes the queues that changed, however long ago they were published.
    pub(super) fn publish_changed_queues(&mut self, now: Time) {
        let (published, publication) = self.published();
        publication.publish_changed_queues(now, published);
    }
}
