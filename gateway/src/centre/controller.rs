//! The call centre in the signalling task: it turns decisions of the engine into calls, and reports events of
//! calls to the engine.
//!
//! A caller's session outlives the agents who come and go (`Coordinator::keep`). Each agent's leg is an invitation that was answered and
//! admitted. While an agent asks somebody, the agent's leg is in a session of its own.

mod agent_away;
mod commands;
mod consult;
mod decisions;
mod direct;
mod events;
mod forwarding;
mod hand_over;
mod publish;
mod reconfigure;
mod recording;
mod recovery;
mod refer;
mod transfer;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use call_engine::acd::metrics::Metrics;
use call_engine::acd::{Acd, CallId, Enqueue, Fact, Input, Output, Refusal, Settings, State, Status};
use sans_io::{Deadline, Rng, Time, earlier};
use session_core::{Activity, LegId, SessionId};
use sip_core::message::StatusCode;
use tokio::sync::{Notify, mpsc};

use super::agents::Agents;
use super::call::{self, Call};
use super::context::Ctx;
use super::direct::DirectCalls;
use super::directory::Directory;
use super::engine::Engine;
use super::journal::Batch;
use super::last_agent::LastAgents;
use super::legs::Legs;
use super::numbers::CallNumbers;
use super::open_records::OpenRecords;
use super::projection::Projection;
use super::publisher::Publisher;
use super::recovery::Recovery;
use super::rights::Rights;
use super::takeovers::Takeovers;
use super::targets::Targets;
pub use super::today::Midnight;
use super::today::Today;
use super::view::Party;

/// Time after which the session gives up an absent browser, if the engine has not done so before.
pub(super) const GRACE: Duration = Duration::from_secs(45);

/// The call centre's part of the signalling task.
pub struct Controller {
    engine: Engine,
    today: Today,
    directory: Arc<Directory>,
    calls: BTreeMap<CallId, Call>,
    legs: Legs,
    agents: Agents,
    /// Three-way calls whose agent's page is gone.
    takeovers: Takeovers,
    /// Callers from before a restart who were not offered to go on yet.
    recovery: Recovery,
    /// Agents whom callers talked with before.
    last_agents: LastAgents,
    publisher: Publisher,
    /// Calls that came through no queue.
    direct: DirectCalls,
    /// Records that wait for the last of their legs.
    open_records: OpenRecords,
    /// Time at which this engine began.
    began: Time,
    numbers: CallNumbers,
}

/// Parts that a call centre is made from.
pub struct Setup {
    /// Staff and queues.
    pub directory: Arc<Directory>,
    /// Above that of any engine before.
    pub epoch: u64,
    /// State that the previous engine left.
    pub state: State,
    /// The numbers that the log of the engines before gives.
    pub metrics: Metrics,
    /// Callers whom it left.
    pub recovery: Recovery,
    /// Agents whom callers talked with before.
    pub last_agents: LastAgents,
    /// Randomness for strategies that draw lots.
    pub rng: Rng,
    /// Channel to the journal, which makes events durable.
    pub journal: mpsc::Sender<Batch>,
    /// Notified when a batch is urgent.
    pub hurry: Arc<Notify>,
    /// Beginning of a day.
    pub midnight: Midnight,
}

impl Controller {
    /// A call centre that goes on where another one ended.
    #[must_use]
    pub fn new(now: Time, setup: Setup) -> Controller {
        let directory = Arc::clone(&setup.directory);
        let acd = Acd::new(Settings::default(), setup.epoch, setup.state, setup.rng);
        let mut controller = Controller {
            engine: Engine::new(acd),
            today: Today::new(setup.metrics, setup.midnight),
            directory: setup.directory,
            calls: BTreeMap::new(),
            legs: Legs::default(),
            agents: Agents::default(),
            takeovers: Takeovers::default(),
            recovery: setup.recovery,
            last_agents: setup.last_agents,
            publisher: Publisher::new(setup.journal, setup.hurry),
            direct: DirectCalls::default(),
            open_records: OpenRecords::default(),
            began: now,
            numbers: CallNumbers::default(),
        };
        for queue in directory.queues() {
            controller
                .today
                .set_service_level(queue.config.id, queue.service_level());
            controller.configure(now, Input::SetQueue(Box::new(queue.config.clone())));
            controller.publisher.queues([queue.config.id]);
        }
        for person in directory.people() {
            if let Some(agent) = &person.agent {
                controller.configure(now, Input::SetAgent(agent.clone()));
                controller.publisher.agent(agent.id);
            }
        }
        controller.configure(now, Input::Start);
        controller.publish(now);
        controller
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

    /// Time at which [`Controller::handle_timeout`] must be called.
    pub fn deadline(&self) -> Deadline {
        let own = earlier(self.publisher.deadline(), self.takeovers.deadline());
        let own = earlier(own, self.direct.deadline());
        earlier(earlier(self.engine.deadline(), self.recovery.deadline()), own)
    }

    /// Acts on what is due.
    pub fn handle_timeout(&mut self, cx: &mut Ctx<'_>) {
        self.input(Input::Timeout, cx);
        self.recover_due(cx);
        self.take_over(cx);
        self.publish_direct(cx);
        self.publish(cx.now);
    }

    /// True when the call centre takes calls for this queue now.
    #[must_use]
    pub fn takes(&self, queue: &str) -> bool {
        !self.publisher.is_congested() && self.directory.queue_by_name(queue).is_some()
    }

    /// Takes a call that the dial plan sends to a queue: it is answered, hears music and waits.
    pub fn take(
        &mut self,
        (session, leg): (SessionId, LegId),
        (from, to): (Party, String),
        (queue, priority): (&str, Option<u8>),
        cx: &mut Ctx<'_>,
    ) {
        let now = cx.now;
        let Some(queue) = self.directory.queue_by_name(queue) else {
            return cx.coordinator.reject(now, session, StatusCode::NOT_FOUND);
        };
        let priority = priority.unwrap_or(queue.settings.priority);
        let sticky = self.last_agents.agent(now, queue, &from.number);
        let queue = queue.config.id;
        let came = self.recovery.came_before(now, queue, &from.number);
        let id = match self.direct.hand_over(session) {
            Some(id) => id,
            None => self.numbers.next(now),
        };
        self.calls
            .insert(id, Call::new(now, (session, leg), (from, to), queue));
        self.with(id, cx, |call, cx| call.begin(cx));
        let enqueue = Enqueue {
            call: id,
            queue,
            priority,
            requires: Vec::new(),
            sticky,
            came,
        };
        if let Some(refusal) = self.input(Input::Enqueue(enqueue), cx) {
            tracing::error!(?refusal, "a call could not be queued");
            cx.coordinator.terminate_session(now, session);
        }
        self.publish(now);
    }

    /// State as pages see it.
    fn projection(&self) -> Projection<'_> {
        Projection {
            engine: &self.engine,
            calls: &self.calls,
            agents: &self.agents,
            today: &self.today,
            directory: &self.directory,
            began: self.began,
        }
    }

    /// Parties that agents may call.
    fn targets<'a>(&'a self, cx: &Ctx<'a>) -> Targets<'a> {
        Targets {
            directory: &self.directory,
            engine: &self.engine,
            routing: cx.routing,
            now: cx.now,
        }
    }

    /// Rights of those who send commands.
    fn rights(&self) -> Rights<'_> {
        Rights {
            directory: &self.directory,
            engine: &self.engine,
            calls: &self.calls,
            direct: &self.direct,
        }
    }

    /// A call, and everything that it works with.
    fn call<'a>(&'a mut self, id: CallId, cx: &'a mut Ctx<'_>) -> Option<(&'a mut Call, call::Context<'a>)> {
        let call = self.calls.get_mut(&id)?;
        let context = call::Context {
            id,
            now: cx.now,
            phase: self.engine.phase(id),
            coordinator: &mut *cx.coordinator,
            directory: &self.directory,
            legs: &mut self.legs,
            open_records: &mut self.open_records,
            numbers: &mut self.numbers,
            publisher: &mut self.publisher,
        };
        Some((call, context))
    }

    /// Lets a call act that is there: the index of legs, or this step, found it.
    fn with<T: Default>(
        &mut self,
        id: CallId,
        cx: &mut Ctx<'_>,
        act: impl FnOnce(&mut Call, &mut call::Context<'_>) -> T,
    ) -> T {
        match self.call(id, cx) {
            Some((call, mut cx)) => act(call, &mut cx),
            None => {
                debug_assert!(false, "no call {id:?}, which the index of legs has");
                T::default()
            }
        }
    }

    /// Lets a call act, and passes what it returns to the engine.
    fn drive(
        &mut self,
        id: CallId,
        cx: &mut Ctx<'_>,
        act: impl FnOnce(&mut Call, &mut call::Context<'_>) -> Option<Input>,
    ) {
        if let Some(input) = self.with(id, cx, act) {
            self.input(input, cx);
        }
    }

    /// Passes an input to the engine and acts on its outputs. Returns the refusal, if there is one.
    fn input(&mut self, input: Input, cx: &mut Ctx<'_>) -> Option<Refusal> {
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

    /// Tells those who watch an agent's presence that the agent pauses, or finishes a call.
    fn tell_watchers(&self, fact: &Fact, cx: &mut Ctx<'_>) {
        let Fact::Status { agent, status } = fact else {
            return;
        };
        if let Some(person) = self.directory.agent(*agent) {
            let activity = match status {
                Status::Paused => Some(Activity::Away),
                Status::WrapUp => Some(Activity::Busy),
                _ => None,
            };
            cx.coordinator.set_activity(&person.name, activity);
        }
    }

    /// Counts the calls of their own that agents have: of those who have some, and of this user.
    fn count_lines(&mut self, user: Option<&str>, cx: &mut Ctx<'_>) {
        let mut agents = self.agents.with_lines();
        agents.extend(user.and_then(|user| self.directory.agent_of(user)));
        for agent in agents {
            // One who was removed meanwhile is still known by name.
            let Some(person) = self.directory.agent(agent) else {
                debug_assert!(false, "no agent {agent:?}, who has lines");
                continue;
            };
            let (agents, name) = (&mut self.agents, person.name.as_str());
            if let Some(input) = agents.count_lines((agent, name), &self.legs, cx.coordinator) {
                self.input(input, cx);
            }
        }
    }
}
