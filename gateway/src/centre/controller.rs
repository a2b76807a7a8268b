//! The call centre in the signalling task: it hands each event, command and deadline to whoever has the state for it, and has
//! everything published afterwards.
//!
//! Calls of queues are in [`queue_calls`](super::queue_calls), calls that came through none in [`direct`](super::direct).

use std::sync::Arc;

use call_engine::acd::metrics::Metrics;
use call_engine::acd::{Acd, Settings, State};
use sans_io::{Deadline, Rng, Time, earlier};
use session_core::stir::Verdict;
use session_core::{Event, LegId, Registrant, SessionId};
use sip_core::message::StatusCode;
use tokio::sync::{Notify, mpsc};

use super::call::Call;
use super::command::{Asked, Command};
use super::context::Ctx;
use super::direct::{self, Arrived, DirectCalls};
use super::directory::Directory;
use super::engine::Engine;
use super::ids;
use super::journal::{Answer, Batch};
use super::last_agent::LastAgents;
use super::publication::Publication;
use super::publisher::Publisher;
use super::queue_calls::{Parts, QueueCalls};
use super::recovery::Recovery;
pub use super::today::Midnight;
use super::today::Today;
use super::view::{CallerVerification, Change, Parking, Party};
use crate::recording::control::KnownCall;

/// The call centre's part of the signalling task.
pub struct Controller {
    queued: QueueCalls,
    /// Calls that came through no queue.
    direct: DirectCalls,
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
        let acd = Acd::new(Settings::default(), setup.epoch, setup.state, setup.rng);
        let publisher = Publisher::new(setup.journal, setup.hurry);
        let today = Today::new(setup.metrics, setup.midnight);
        let parts = Parts {
            engine: Engine::new(acd),
            directory: setup.directory,
            recovery: setup.recovery,
            last_agents: setup.last_agents,
            publication: Publication::new(publisher, today, now),
        };
        Controller {
            queued: QueueCalls::new(now, parts),
            direct: DirectCalls::default(),
        }
    }

    /// Time at which [`Controller::handle_timeout`] must be called.
    pub fn deadline(&self) -> Deadline {
        earlier(self.queued.deadline(), self.direct.deadline())
    }

    /// Acts on what is due.
    pub fn handle_timeout(&mut self, cx: &mut Ctx<'_>) {
        self.queued.handle_timeout(cx);
        let (direct, mut context) = self.direct_calls(cx);
        direct.publish(&mut context);
        self.queued.publish(cx.now);
    }

    /// True when the call centre takes calls for this queue now.
    #[must_use]
    pub fn takes(&self, queue: &str) -> bool {
        self.queued.takes(queue)
    }

    /// Takes a call that the dial plan sends to a queue: it is answered, hears music and waits.
    pub fn take(
        &mut self,
        (session, leg): (SessionId, LegId),
        parties: (Party, String),
        (queue, priority): (&str, Option<u8>),
        cx: &mut Ctx<'_>,
    ) {
        let now = cx.now;
        let Some(queue) = self.queued.directory().queue_by_name(queue) else {
            return cx.coordinator.reject(now, session, StatusCode::NOT_FOUND);
        };
        let priority = priority.unwrap_or(queue.settings.priority);
        let call = Call::new(now, (session, leg), parties, queue.config.id);
        let id = match self.direct.hand_over(session) {
            Some(id) => id,
            None => self.queued.next_number(now),
        };
        if let Some(refusal) = self.queued.enter((id, call), priority, cx) {
            tracing::error!(?refusal, "a call could not be queued");
            cx.coordinator.terminate_session(now, session);
        }
        self.queued.publish(now);
    }

    /// Carries out a command, or refuses it. The reply is sent once the result is durable and published. True
    /// if it was carried out.
    pub fn command(&mut self, asked: Asked, cx: &mut Ctx<'_>) -> bool {
        let Asked { by, command, reply } = asked;
        let direct = match &command {
            Command::HangUp { call } => self.direct.to_hang_up(&by, call),
            _ => None,
        };
        let result = match direct {
            Some(session) => {
                cx.coordinator.terminate_session(cx.now, session);
                Ok(())
            }
            None => self.queued.obey(&by, command, cx),
        };
        let done = result.is_ok();
        self.queued.count_lines(None, cx);
        self.queued.publication().answer(Answer { reply, result });
        self.queued.publish(cx.now);
        done
    }

    /// True for an event of a leg, an invitation or a session of the call centre's own. Whatever was started elsewhere in the gateway
    /// is none of its business.
    #[must_use]
    pub fn owns(&self, event: &Event) -> bool {
        self.queued.owns(event)
    }

    /// Acts on an event that it [owns](Controller::owns).
    pub fn handle(&mut self, event: &Event, cx: &mut Ctx<'_>) {
        self.queued.handle(event, cx);
        self.settle(event, cx);
    }

    /// Takes from an event that it does not own what concerns agents, direct calls and trunks.
    pub fn observe(&mut self, event: &Event, cx: &mut Ctx<'_>) {
        self.queued.observe(event, cx);
        match event {
            Event::Ended { session, record } => {
                let (direct, mut context) = self.direct_calls(cx);
                direct.ended(*session, record, &mut context);
            }
            Event::Joined { session, guest } => {
                let queued = self.queued.calls().of_session(*session);
                let (direct, mut context) = self.direct_calls(cx);
                direct.joined(*guest, (*session, queued), &mut context);
            }
            Event::Verdict { session, verdict, .. } => self.verified(*session, verdict, cx),
            Event::Target { trunk, .. }
            | Event::Registration {
                registrant: Registrant::Trunk(trunk),
                ..
            } => self.trunk_changed(trunk, cx),
            _ => {}
        }
        self.settle(event, cx);
    }

    /// Looks at the calls that an event is of, and publishes what followed from it.
    fn settle(&mut self, event: &Event, cx: &mut Ctx<'_>) {
        self.queued.settle(event, cx);
        if let Some(session) = event.session() {
            self.direct.changed(cx.now, session);
        }
        self.queued.publish(cx.now);
    }

    /// Takes the verdict on the caller of a call, in a queue or not.
    fn verified(&mut self, session: SessionId, verdict: &Verdict, cx: &Ctx<'_>) {
        let verification = CallerVerification::from(verdict);
        match self.queued.calls().of_session(session) {
            Some(id) => self.queued.verified(id, verification),
            None => self.direct.verified(cx.now, session, verification),
        }
    }

    /// Publishes a trunk as it is now.
    fn trunk_changed(&mut self, name: &str, cx: &Ctx<'_>) {
        let trunks = cx.coordinator.trunks();
        if let Some(status) = trunks.into_iter().find(|trunk| trunk.name == name) {
            let trunk = Change::Trunk(status.into());
            self.queued.publication().change(cx.now, trunk);
        }
    }

    /// Takes note of a call that came through no queue. One that a queue took meanwhile is that queue's.
    pub fn arrived(&mut self, arrived: Arrived<'_>, cx: &Ctx<'_>) {
        if self.queued.calls().of_session(arrived.session).is_none() {
            let id = self.queued.next_number(cx.now);
            let (direct, context) = self.direct_calls(cx);
            direct.arrived(id, arrived, &context);
        }
    }

    /// Tells supervisors that a user calls the emergency services: user, number, and the number that is shown to them.
    pub fn emergency(&mut self, session: SessionId, of: (&str, &str, &str), cx: &Ctx<'_>) {
        let (direct, mut context) = self.direct_calls(cx);
        direct.emergency(session, of, &mut context);
    }

    /// Takes note of where a direct call is parked; `None`: it is no longer.
    pub fn park(&mut self, session: SessionId, parking: Option<Parking>, cx: &Ctx<'_>) {
        self.direct.park(cx.now, session, parking);
    }

    /// The call of a session; `None` for one that is not shown, such as an agent's question to a colleague.
    #[must_use]
    pub fn known_call(&self, session: SessionId) -> Option<KnownCall> {
        if let Some(id) = self.queued.calls().of_session(session) {
            let call = self.queued.calls().get(id).filter(|call| call.is_of(session))?;
            let queue = self.queued.directory().queue(call.queue());
            return Some(KnownCall {
                id: ids::call(id),
                queue: queue.map(|queue| (queue.id.clone(), queue.name.clone())),
            });
        }
        let id = ids::call(self.direct.id_of(session)?);
        Some(KnownCall { id, queue: None })
    }

    /// Publishes a change of a recording.
    pub fn publish_recording(&mut self, now: Time, change: Change) {
        self.queued.publication().change(now, change);
        self.queued.publish(now);
    }

    fn direct_calls<'a>(&'a mut self, cx: &'a Ctx<'_>) -> (&'a mut DirectCalls, direct::Context<'a>) {
        let (directory, publication) = self.queued.publishing();
        let context = direct::Context {
            now: cx.now,
            coordinator: cx.coordinator,
            directory,
            publisher: publication.publisher(),
        };
        (&mut self.direct, context)
    }
}
