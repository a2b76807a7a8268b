//! The call centre in the signalling task: it turns decisions of the engine into calls, and reports events of
//! calls to the engine.
//!
//! A caller's session is *kept*: it outlives the agents who come and go. Each agent's leg is an offer that was answered and admitted.
//! While an agent asks somebody, the agent's leg is in a session of its own.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use call_engine::acd::metrics::Metrics;
use call_engine::acd::{
    Acd, AgentId, CallId, ConnId, Enqueue, Input, Intent, OfferId, Output, QueueId, Refusal, Settings, State,
};
use media_core::voice::Phrase;
use sans_io::{Deadline, Rng, Time, earlier};
use session_core::{Application, Coordinator, Event, LegId, Offer, Party, SessionId};
use tokio::sync::mpsc;

use super::consult::Consult;
use super::directory::Directory;
use super::ids;
use super::journal::Batch;
use super::last_agent::LastAgents;
use super::recovery::Recovery;
use super::view;
use crate::switch::Reached;

/// Time after which the session gives up an absent browser, if the engine has not done so before.
pub(super) const GRACE: Duration = Duration::from_secs(45);

/// Minimum time between two updates of a queue.
pub(super) const QUEUE_INTERVAL: Duration = Duration::from_millis(250);

/// Changes that may wait for the journal; new calls are refused beyond.
const BACKLOG: usize = 100_000;

/// The header that tells an agent's page which call rings.
pub(super) const CALL_HEADER: &str = "X-Cordboard-Call";
/// The header that tells it which offer.
const OFFER_HEADER: &str = "X-Cordboard-Offer";
/// The header that tells it which queue.
pub(super) const QUEUE_HEADER: &str = "X-Cordboard-Queue";
/// Header that names, to a colleague's page, the call it is consulted about.
pub(super) const CONSULT_HEADER: &str = "X-Cordboard-Consult";

/// The call centre's part of the switch.
pub struct Controller {
    pub(super) acd: Acd,
    pub(super) metrics: Metrics,
    pub(super) directory: Arc<Directory>,
    pub(super) calls: BTreeMap<CallId, Live>,
    pub(super) sessions: BTreeMap<SessionId, CallId>,
    pub(super) offers: BTreeMap<OfferId, Ringing>,
    pub(super) legs: BTreeMap<LegId, Use>,
    deadline: Deadline,
    /// Callers from before a restart who were not offered to go on yet.
    pub(super) recovery: Recovery,
    last_call: u64,
    pub(super) conns: u64,
    /// Connections of agents whose phones are registered.
    pub(super) registered: BTreeMap<AgentId, ConnId>,
    /// Calls of their own that agents have, where they have any.
    lines: BTreeMap<AgentId, u32>,
    /// The call that each agent had last.
    pub(super) last_calls: BTreeMap<AgentId, CallId>,
    /// Three-way calls whose agent's page is gone, and the times at which a colleague takes them over.
    pub(super) heirs: BTreeMap<CallId, Time>,
    /// Agents whom callers talked with before.
    pub(super) last_agents: LastAgents,
    pub(super) changed: Changed,
    pub(super) batch: Batch,
    pub(super) backlog: VecDeque<Batch>,
    pub(super) journal: mpsc::Sender<Batch>,
    pub(super) queues_published: Time,
    /// Time at which this engine began.
    pub(super) began: Time,
    /// The stretch of the numbers in which something happened last.
    pub(super) slot: u64,
    /// Beginning of today.
    pub(super) midnight: Midnight,
    /// Destination of a number that one of our users dials.
    pub(super) route: Route,
    /// Starts demo callers, by the name of the queue.
    pub(super) demo: Option<mpsc::Sender<String>>,
}

/// Beginning of the day that contains a moment.
pub type Midnight = Box<dyn Fn(Time) -> Time + Send>;

/// Destination of a number (second) for a user of ours (first).
pub type Route = Box<dyn Fn(&str, &str) -> Reached + Send>;

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
    /// For strategies that draw lots.
    pub rng: Rng,
    /// Channel to the journal, which makes events durable.
    pub journal: mpsc::Sender<Batch>,
    /// Beginning of a day.
    pub midnight: Midnight,
    /// Destination of a number.
    pub route: Route,
    /// Starts demo callers.
    pub demo: Option<mpsc::Sender<String>>,
}

/// Objects to show anew.
#[derive(Default)]
pub(super) struct Changed {
    pub(super) calls: BTreeSet<CallId>,
    pub(super) agents: BTreeSet<AgentId>,
    pub(super) queues: BTreeSet<QueueId>,
}

/// A call that came for a queue.
pub(super) struct Live {
    pub(super) session: SessionId,
    pub(super) caller: LegId,
    pub(super) queue: QueueId,
    pub(super) from: view::Party,
    pub(super) to: String,
    pub(super) entered: Time,
    pub(super) since: Time,
    pub(super) answered: Option<Time>,
    /// The leg of the agent who has it.
    pub(super) agent: Option<(AgentId, LegId)>,
    /// Agents who have had it so far.
    pub(super) had: Vec<AgentId>,
    /// The agent's page is gone; this leg calls the new one.
    pub(super) recall: Option<LegId>,
    pub(super) away: bool,
    pub(super) consult: Option<Consult>,
    /// Participants who joined.
    pub(super) others: BTreeMap<LegId, Other>,
    /// Supervisors by name.
    pub(super) watchers: BTreeMap<String, Watcher>,
    /// The engine has let go of it: it was transferred outside, or its queue did not keep it.
    pub(super) outside: bool,
    /// Queue that the call goes to if nobody outside answers.
    pub(super) fallback: Option<QueueId>,
    /// The agent who had it before a restart, and whose page is to be called into it.
    pub(super) waits_for: Option<AgentId>,
    /// The call is from before a restart, and its caller has not gone on yet.
    pub(super) restoring: bool,
    /// Agent who transferred it to where it is.
    pub(super) transferred_by: Option<AgentId>,
    /// Notes of agents, one entry for each agent.
    pub(super) notes: Vec<view::AgentNotes>,
    pub(super) disposition: Option<String>,
    /// A supervisor hung the call up.
    pub(super) hung_up: bool,
}

/// A participant besides caller and agent.
pub(super) struct Other {
    /// Name as shown.
    pub(super) name: String,
    /// The agent, if it is one of ours.
    pub(super) agent: Option<AgentId>,
}

/// A supervisor in a call.
pub(super) struct Watcher {
    pub(super) leg: LegId,
    pub(super) mode: view::Mode,
    pub(super) up: bool,
}

/// An offer that rings.
pub(super) struct Ringing {
    pub(super) leg: LegId,
    pub(super) made: Time,
    pub(super) deadline: Time,
}

/// Purpose of a leg.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Use {
    Caller(CallId),
    Offer(OfferId),
    Agent(CallId),
    Recall(CallId),
    Consulted(CallId),
    Other(CallId),
    Watcher(CallId, String),
    /// Called for a caller who is transferred outside.
    Outside(CallId),
}

impl Controller {
    /// A call centre that goes on where another one ended.
    #[must_use]
    pub fn new(now: Time, setup: Setup) -> Controller {
        let directory = Arc::clone(&setup.directory);
        let mut metrics = setup.metrics;
        for queue in directory.queues() {
            metrics.set_service_level(queue.config.id, queue.level);
        }
        let mut controller = Controller {
            acd: Acd::new(Settings::default(), setup.epoch, setup.state, setup.rng),
            metrics,
            directory: setup.directory,
            calls: BTreeMap::new(),
            sessions: BTreeMap::new(),
            offers: BTreeMap::new(),
            legs: BTreeMap::new(),
            deadline: None,
            recovery: setup.recovery,
            last_call: 0,
            conns: 0,
            registered: BTreeMap::new(),
            lines: BTreeMap::new(),
            last_calls: BTreeMap::new(),
            heirs: BTreeMap::new(),
            last_agents: setup.last_agents,
            changed: Changed::default(),
            batch: Batch::default(),
            backlog: VecDeque::new(),
            journal: setup.journal,
            queues_published: Time::ZERO,
            began: now,
            slot: 0,
            midnight: setup.midnight,
            route: setup.route,
            demo: setup.demo,
        };
        for queue in directory.queues() {
            controller.configure(now, Input::SetQueue(Box::new(queue.config.clone())));
            controller.changed.queues.insert(queue.config.id);
        }
        for person in directory.people() {
            if let Some(agent) = &person.agent {
                controller.configure(now, Input::SetAgent(agent.clone()));
                controller.changed.agents.insert(agent.id);
            }
        }
        controller.configure(now, Input::Start);
        controller.publish(now);
        controller
    }

    /// While there are no calls.
    fn configure(&mut self, now: Time, input: Input) {
        self.acd.handle_input(now, input);
        loop {
            match self.acd.poll_output() {
                Output::Timeout(deadline) => {
                    self.deadline = deadline;
                    return;
                }
                Output::Record(record) => self.recorded(record),
                _ => {}
            }
        }
    }

    /// Time at which [`Controller::handle_timeout`] must be called.
    pub fn deadline(&self) -> Deadline {
        let queues =
            (!self.changed.queues.is_empty()).then(|| (self.queues_published + QUEUE_INTERVAL, "queues"));
        let backlog = (!self.backlog.is_empty()).then(|| (self.queues_published + QUEUE_INTERVAL, "journal"));
        let callers = (!self.recovery.legs.is_empty()).then_some((self.recovery.next, "callers to go on"));
        let heirs = self
            .heirs
            .values()
            .min()
            .map(|at| (*at, "a colleague takes over"));
        let own = earlier(earlier(queues, backlog), heirs);
        earlier(earlier(self.deadline, callers), own)
    }

    /// Time has come.
    pub fn handle_timeout(&mut self, now: Time, calls: &mut Coordinator) {
        self.input(now, Input::Timeout, calls);
        self.offer_to_go_on(now, calls);
        self.inherit(now, calls);
        self.publish(now);
    }

    /// True when the call centre takes calls for this queue now.
    #[must_use]
    pub fn takes(&self, queue: &str) -> bool {
        self.backlog.len() < BACKLOG && self.directory.queue_by_name(queue).is_some()
    }

    /// Takes a call that the dial plan sends to a queue: it is answered, hears music and waits.
    pub fn take(
        &mut self,
        now: Time,
        session: SessionId,
        leg: LegId,
        (from, to): (view::Party, String),
        (queue, priority): (&str, Option<u8>),
        calls: &mut Coordinator,
    ) {
        let Some(queue) = self.directory.queue_by_name(queue) else {
            return calls.reject(now, session, 404);
        };
        let priority = priority.unwrap_or(queue.priority);
        let sticky = self.last_agents.agent(now, queue, &from.number);
        let queue = queue.config.id;
        let came = self.came_before(now, queue, &from.number);
        let id = self.next_call(now);
        self.calls.insert(
            id,
            Live {
                session,
                caller: leg,
                queue,
                from,
                to,
                entered: now,
                since: now,
                answered: None,
                agent: None,
                had: Vec::new(),
                recall: None,
                away: false,
                consult: None,
                others: BTreeMap::new(),
                watchers: BTreeMap::new(),
                outside: false,
                fallback: None,
                waits_for: None,
                restoring: false,
                transferred_by: None,
                notes: Vec::new(),
                disposition: None,
                hung_up: false,
            },
        );
        self.sessions.insert(session, id);
        self.legs.insert(leg, Use::Caller(id));
        calls.answer(now, leg, Some(Application::Music));
        calls.keep(session, true);
        calls.set_grace(session, GRACE);
        let enqueue = Enqueue {
            call: id,
            queue,
            priority,
            requires: Vec::new(),
            sticky,
            came,
        };
        if let Some(refusal) = self.input(now, Input::Enqueue(enqueue), calls) {
            tracing::error!(?refusal, "a call could not be queued");
            calls.terminate_session(now, session);
        }
        self.publish(now);
    }

    /// A number of microseconds that was never used for a call.
    pub(super) fn next_call(&mut self, now: Time) -> CallId {
        self.last_call = now.as_micros().max(self.last_call + 1);
        CallId(self.last_call)
    }

    /// Something happened to a call. True when it was one of ours, and nobody else need look at it.
    pub fn handle(&mut self, now: Time, event: &Event, calls: &mut Coordinator) -> bool {
        let ours = self.on_event(now, event, calls);
        self.count_lines(
            now,
            leg_of(event)
                .and_then(|leg| calls.user_of(leg))
                .map(str::to_owned),
            calls,
        );
        self.publish(now);
        ours
    }

    fn on_event(&mut self, now: Time, event: &Event, calls: &mut Coordinator) -> bool {
        match event {
            Event::Reachable { user, reachable } => {
                self.reachable(now, user, *reachable, calls);
                false
            }
            Event::OfferRings { offer, .. } => match self.legs.get(offer) {
                Some(Use::Offer(offer)) => {
                    let offer = *offer;
                    self.input(now, Input::Rung { offer }, calls);
                    true
                }
                Some(_) => true,
                None => false,
            },
            Event::OfferAnswered { offer, leg, .. } => match self.legs.remove(offer) {
                Some(used) => {
                    self.legs.insert(*leg, used.clone());
                    self.answered(now, *offer, *leg, used, calls);
                    true
                }
                None => {
                    // Withdrawn while the answer was on its way.
                    calls.withdraw(now, *leg, true);
                    true
                }
            },
            Event::OfferEnded { offer, code, .. } => match self.legs.remove(offer) {
                Some(used) => {
                    self.unanswered(now, *offer, used, *code, calls);
                    true
                }
                None => true,
            },
            Event::Alive { user } => {
                if let Some(agent) = self.directory.agent_of(user) {
                    self.input(now, Input::Proof { agent }, calls);
                }
                true
            }
            Event::Bridged { legs, .. } => {
                let call = legs.iter().find_map(|leg| match self.legs.get(leg) {
                    Some(Use::Agent(call)) => Some(*call),
                    _ => None,
                });
                match call {
                    Some(call) => {
                        self.bridged(now, call, calls);
                        true
                    }
                    None => false,
                }
            }
            Event::Hold { leg, held, .. } => match self.legs.get(leg) {
                Some(Use::Agent(call)) => {
                    let (call, held) = (*call, *held);
                    self.input(now, Input::Held { call, held }, calls);
                    true
                }
                Some(_) => true,
                None => false,
            },
            Event::Away { leg, away, .. } => match self.legs.get(leg) {
                Some(Use::Agent(call)) => {
                    let call = *call;
                    self.away(now, call, *away, calls);
                    true
                }
                Some(_) => true,
                None => false,
            },
            Event::Left { leg, cause, .. } => match self.legs.remove(leg) {
                Some(used) => {
                    self.left(now, *leg, used, *cause, calls);
                    true
                }
                None => false,
            },
            Event::Silent { leg, silent, .. } => match self.legs.get(leg) {
                Some(Use::Caller(call)) => {
                    let (call, silent) = (*call, *silent);
                    self.input(now, Input::CallerSilent { call, silent }, calls);
                    true
                }
                used => used.is_some(),
            },
            Event::Present { leg, .. } => match self.legs.get(leg) {
                Some(Use::Caller(call)) => {
                    let call = *call;
                    self.input(now, Input::CallerPresent { call }, calls);
                    true
                }
                used => used.is_some(),
            },
            Event::Answered { leg, .. } | Event::Changed { leg, .. } => match self.legs.get(leg) {
                Some(Use::Caller(call)) => {
                    let call = *call;
                    self.keep_leg(call, calls);
                    true
                }
                used => used.is_some(),
            },
            Event::Restored { leg, .. } => match self.legs.get(leg) {
                Some(Use::Caller(call)) => {
                    let call = *call;
                    self.gone_on(now, call, calls);
                    true
                }
                used => used.is_some(),
            },
            Event::Returned { session, user, .. } => {
                let Some(call) = self.sessions.get(session).copied() else {
                    return false;
                };
                self.returned(now, call, user, calls);
                true
            }
            Event::Refer { leg, to, .. } => self.refer(now, *leg, to, calls),
            Event::Replaces {
                session,
                leg,
                replaced,
                ..
            } => self.replaces(now, *session, (*leg, *replaced), calls),
            Event::Transferred { leg, to, .. } => self.replaced(*leg, to, calls),
            Event::Ended { session, record } => self.ended(now, *session, record, calls),
            _ => false,
        }
    }

    /// Counts the calls of their own that agents have: of those who have some, and of this user. Whatever leg of theirs is not there
    /// for a queue's call is one.
    pub(super) fn count_lines(&mut self, now: Time, user: Option<String>, calls: &mut Coordinator) {
        let mut agents: BTreeSet<AgentId> = self.lines.keys().copied().collect();
        agents.extend(user.and_then(|user| self.directory.agent_of(&user)));
        for agent in agents {
            let Some(person) = self.directory.agent(agent) else {
                continue;
            };
            let own = calls.legs_of(&person.name).filter(|(leg, offer)| {
                let used = self.legs.get(leg).or_else(|| self.legs.get(&(*offer)?));
                !matches!(used, Some(Use::Offer(_) | Use::Agent(_) | Use::Recall(_)))
            });
            let lines = u32::try_from(own.count()).unwrap_or(u32::MAX);
            let before = match lines {
                0 => self.lines.remove(&agent),
                _ => self.lines.insert(agent, lines),
            };
            if before.unwrap_or(0) != lines {
                self.input(now, Input::Lines { agent, lines }, calls);
            }
        }
    }

    /// Passes an input to the engine and acts on its outputs. Returns the refusal, if there is one.
    pub(super) fn input(&mut self, now: Time, input: Input, calls: &mut Coordinator) -> Option<Refusal> {
        let mut refused = None;
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            self.acd.handle_input(now, input);
            loop {
                match self.acd.poll_output() {
                    Output::Timeout(deadline) => {
                        self.deadline = deadline;
                        break;
                    }
                    Output::Record(record) => self.recorded(record),
                    Output::Refused(refusal) => refused = Some(refusal),
                    output => inputs.extend(self.act(now, output, calls)),
                }
            }
        }
        refused
    }

    /// Acts on an output of the engine; the result must be reported to the engine.
    fn act(&mut self, now: Time, output: Output, calls: &mut Coordinator) -> Option<Input> {
        match output {
            Output::Offer {
                offer,
                call,
                agent,
                deadline,
            } => {
                let lost = Some(Input::OfferLost { offer });
                let (Some(live), Some(person)) = (self.calls.get(&call), self.directory.agent(agent)) else {
                    return lost;
                };
                let queue = self
                    .acd
                    .state()
                    .calls
                    .get(&call)
                    .and_then(|call| self.directory.queue(call.queue))
                    .map(|queue| queue.display.clone())
                    .unwrap_or_default();
                let asked = Offer {
                    party: Party::User(person.name.clone()),
                    caller: None,
                    // The engine's own deadline comes first.
                    ring_timeout: deadline.since(now) + Duration::from_secs(5),
                    headers: vec![
                        (CALL_HEADER.into(), ids::call(call)),
                        (OFFER_HEADER.into(), ids::offer(offer)),
                        (QUEUE_HEADER.into(), queue),
                    ],
                };
                let Ok(leg) = calls.offer(now, live.session, asked) else {
                    return lost;
                };
                self.legs.insert(leg, Use::Offer(offer));
                let ringing = Ringing {
                    leg,
                    made: now,
                    deadline,
                };
                self.offers.insert(offer, ringing);
                if let Some(offer) = self.project_offer(offer, call, agent) {
                    self.batch.change(now, view::Change::OfferMade(offer));
                }
                None
            }
            Output::AskCaller { call } => {
                if let Some(live) = self.calls.get(&call) {
                    calls.ask_peer(now, live.caller);
                }
                None
            }
            Output::Rescind { offer, elsewhere, .. } => {
                if let Some(ringing) = self.offers.remove(&offer) {
                    self.legs.remove(&ringing.leg);
                    calls.withdraw(now, ringing.leg, elsewhere);
                }
                None
            }
            Output::Connect { offer, call, agent } => {
                let (Some(ringing), Some(live)) = (self.offers.remove(&offer), self.calls.get_mut(&call))
                else {
                    return Some(Input::NotConnected { call });
                };
                live.agent = Some((agent, ringing.leg));
                live.had.push(agent);
                self.last_calls.insert(agent, call);
                live.since = now;
                self.legs.insert(ringing.leg, Use::Agent(call));
                calls.admit_leg(now, live.session, ringing.leg);
                None
            }
            Output::Wait { call, .. } => {
                if let Some(live) = self.calls.get_mut(&call) {
                    live.since = now;
                    live.away = false;
                }
                self.release_agent(now, call, calls);
                None
            }
            Output::Overflow { call, target, .. } => {
                self.overflowed(now, call, target, calls);
                None
            }
            Output::HangUp { call } => {
                if let Some(live) = self.calls.get(&call) {
                    calls.terminate_session(now, live.session);
                }
                None
            }
            Output::Probe { agent } => {
                if let Some(person) = self.directory.agent(agent) {
                    calls.probe(now, &person.name);
                }
                None
            }
            Output::Announce { call, position, .. } => {
                self.changed.calls.insert(call);
                if let Some(live) = self.calls.get(&call) {
                    let phrase = Phrase { position, wait: None };
                    calls.announce(live.caller, phrase);
                }
                None
            }
            Output::Superseded { .. } | Output::Record(_) | Output::Refused(_) | Output::Timeout(_) => None,
        }
    }

    /// Sets the intent of an agent.
    pub(super) fn intend(
        &mut self,
        now: Time,
        agent: AgentId,
        intent: Intent,
        calls: &mut Coordinator,
    ) -> Option<Refusal> {
        self.input(now, Input::Intent { agent, intent }, calls)
    }
}

impl Live {
    /// Agent who has the call, or had it before a restart.
    pub(super) fn has(&self) -> Option<AgentId> {
        self.agent.map(|(agent, _)| agent).or(self.waits_for)
    }

    /// Agents who joined it, and their legs.
    pub(super) fn colleagues(&self) -> impl Iterator<Item = (LegId, AgentId)> {
        self.others
            .iter()
            .filter_map(|(leg, other)| Some((*leg, other.agent?)))
    }
}

impl Use {
    pub(super) fn rename(&mut self, from: CallId, to: CallId) {
        match self {
            Use::Caller(call)
            | Use::Agent(call)
            | Use::Recall(call)
            | Use::Consulted(call)
            | Use::Other(call)
            | Use::Watcher(call, _)
            | Use::Outside(call)
                if *call == from =>
            {
                *call = to;
            }
            _ => {}
        }
    }

    pub(super) fn call(&self) -> Option<CallId> {
        match self {
            Use::Offer(_) => None,
            Use::Caller(call)
            | Use::Agent(call)
            | Use::Recall(call)
            | Use::Consulted(call)
            | Use::Other(call)
            | Use::Watcher(call, _)
            | Use::Outside(call) => Some(*call),
        }
    }
}

/// The leg that an event is of; of an incoming call, the caller's, of a transfer, the one that came.
fn leg_of(event: &Event) -> Option<LegId> {
    match event {
        Event::Incoming { leg, .. }
        | Event::Replaces { leg, .. }
        | Event::Progress { leg, .. }
        | Event::Answered { leg, .. }
        | Event::OfferRings { offer: leg, .. }
        | Event::OfferAnswered { leg, .. } => Some(*leg),
        Event::Transferred { to, .. } => to.first().copied(),
        _ => None,
    }
}

/// The header by which a page knows that it need not ask a person.
pub(super) fn answer_at_once() -> (String, String) {
    ("Call-Info".into(), "<sip:cordboard>;answer-after=0".into())
}
