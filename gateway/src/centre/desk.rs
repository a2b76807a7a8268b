//! The call centre in the signalling task: what the engine decides becomes calls, what happens to calls is told to the engine.
//!
//! A caller's session is *kept*: it outlives the agents who come and go. Each agent's leg is an offer that was answered and admitted.
//! While an agent asks somebody, the agent's leg is in a session of its own.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use call_engine::acd::metrics::Metrics;
use call_engine::acd::{
    Acd, AgentId, CallId, ConnId, Enqueue, Fact, Input, Intent, OfferId, Output, QueueId, Record, Refusal,
    Requeue, Settings, State, Target as Overflow,
};
use sans_io::{Deadline, Rng, Time, earlier};
use session_core::{
    Application, CallRecord, Cause, Coordinator, Event, IncomingCall, LegId, Offer, Party, SessionId,
};
use tokio::sync::mpsc;

use super::directory::Directory;
use super::ledger::{Answer, Batch, Ended};
use super::view;
use super::{ids, walks::Consult};

/// A browser that was away for so long is given up by the session, should the engine not have said so before.
const GRACE: Duration = Duration::from_secs(45);

/// Queues are told of at most every so often.
const QUEUE_INTERVAL: Duration = Duration::from_millis(250);

/// Changes that may wait for the ledger; new calls are refused beyond.
const BACKLOG: usize = 100_000;

/// The header that tells an agent's page which call rings.
pub(super) const CALL_HEADER: &str = "X-Cordboard-Call";
/// The header that tells it which offer.
const OFFER_HEADER: &str = "X-Cordboard-Offer";
/// The header that tells it which queue.
const QUEUE_HEADER: &str = "X-Cordboard-Queue";

/// The call centre's part of the switch.
pub struct Desk {
    pub(super) acd: Acd,
    pub(super) metrics: Metrics,
    pub(super) directory: Arc<Directory>,
    pub(super) calls: BTreeMap<CallId, Live>,
    pub(super) sessions: BTreeMap<SessionId, CallId>,
    pub(super) offers: BTreeMap<OfferId, Ringing>,
    pub(super) legs: BTreeMap<LegId, Use>,
    deadline: Deadline,
    last_call: u64,
    conns: u64,
    /// Connections of agents whose phones are registered.
    registered: BTreeMap<AgentId, ConnId>,
    pub(super) changed: Changed,
    batch: Batch,
    backlog: VecDeque<Batch>,
    ledger: mpsc::Sender<Batch>,
    queues_told: Time,
    /// When this engine began.
    pub(super) began: Time,
    /// Where today began.
    pub(super) midnight: Midnight,
    /// Whom a number names for a user of ours, by the dial plan.
    pub(super) route: Route,
    /// Starts demo callers, by the name of the queue.
    pub(super) demo: Option<mpsc::Sender<String>>,
}

/// When the day of a moment began.
pub type Midnight = Box<dyn Fn(Time) -> Time + Send>;

/// Whom a number names for a user of ours; `None`: nobody, or they may not.
pub type Route = Box<dyn Fn(&str, &str) -> Option<Party> + Send>;

/// What a call centre is made with.
pub struct Setup {
    /// Who works there.
    pub directory: Arc<Directory>,
    /// Above that of any engine before.
    pub epoch: u64,
    /// What the engine before left.
    pub state: State,
    /// Records of the engines before, for the numbers.
    pub log: Vec<Record>,
    /// For strategies that draw lots.
    pub rng: Rng,
    /// Where what happens is made durable.
    pub ledger: mpsc::Sender<Batch>,
    /// When a day began.
    pub midnight: Midnight,
    /// Whom numbers name.
    pub route: Route,
    /// Starts demo callers.
    pub demo: Option<mpsc::Sender<String>>,
}

/// What is to be shown anew.
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
    pub(super) queue: Option<QueueId>,
    pub(super) from: view::Party,
    pub(super) to: String,
    pub(super) entered: Time,
    pub(super) since: Time,
    pub(super) answered: Option<Time>,
    /// The leg of the agent who has it.
    pub(super) agent: Option<(AgentId, LegId)>,
    /// The agent's page is gone; this leg calls the new one.
    pub(super) recall: Option<LegId>,
    pub(super) away: bool,
    pub(super) consult: Option<Consult>,
    /// Those who joined, and what they are called.
    pub(super) others: BTreeMap<LegId, String>,
    /// Supervisors by name.
    pub(super) watchers: BTreeMap<String, Watcher>,
    /// The engine has let go of it: it was transferred outside.
    pub(super) outside: bool,
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

/// What a leg is for.
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

impl Desk {
    /// A call centre that goes on where another one ended.
    #[must_use]
    pub fn new(now: Time, setup: Setup) -> Desk {
        let directory = Arc::clone(&setup.directory);
        let mut metrics = Metrics::default();
        for queue in directory.queues() {
            metrics.set_service_level(queue.config.id, queue.level);
        }
        for record in &setup.log {
            metrics.apply(record);
        }
        while metrics.poll_finished().is_some() {}
        let mut desk = Desk {
            acd: Acd::new(Settings::default(), setup.epoch, setup.state, setup.rng),
            metrics,
            directory: setup.directory,
            calls: BTreeMap::new(),
            sessions: BTreeMap::new(),
            offers: BTreeMap::new(),
            legs: BTreeMap::new(),
            deadline: None,
            last_call: 0,
            conns: 0,
            registered: BTreeMap::new(),
            changed: Changed::default(),
            batch: Batch::default(),
            backlog: VecDeque::new(),
            ledger: setup.ledger,
            queues_told: Time::ZERO,
            began: now,
            midnight: setup.midnight,
            route: setup.route,
            demo: setup.demo,
        };
        for queue in directory.queues() {
            desk.configure(now, Input::SetQueue(Box::new(queue.config.clone())));
            desk.changed.queues.insert(queue.config.id);
        }
        for person in directory.people() {
            if let Some(agent) = &person.agent {
                desk.configure(now, Input::SetAgent(agent.clone()));
                desk.changed.agents.insert(agent.id);
            }
        }
        desk.configure(now, Input::Start);
        desk.tell(now);
        desk
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

    /// When [`Desk::handle_timeout`] wants to be called.
    pub fn deadline(&self) -> Deadline {
        let queues = (!self.changed.queues.is_empty()).then(|| (self.queues_told + QUEUE_INTERVAL, "queues"));
        let backlog = (!self.backlog.is_empty()).then(|| (self.queues_told + QUEUE_INTERVAL, "ledger"));
        earlier(self.deadline, earlier(queues, backlog))
    }

    /// Time has come.
    pub fn handle_timeout(&mut self, now: Time, calls: &mut Coordinator) {
        self.input(now, Input::Timeout, calls);
        self.tell(now);
    }

    /// True when the call centre takes calls for this queue now.
    #[must_use]
    pub fn takes(&self, queue: &str) -> bool {
        self.backlog.len() < BACKLOG && self.directory.queue_by_name(queue).is_some()
    }

    /// A call that the dial plan sends to a queue: it is answered, hears music and waits.
    pub fn take(
        &mut self,
        now: Time,
        session: SessionId,
        leg: LegId,
        call: &IncomingCall,
        queue: &str,
        calls: &mut Coordinator,
    ) {
        let Some(queue) = self.directory.queue_by_name(queue).map(|queue| queue.config.id) else {
            return calls.reject(now, session, 404);
        };
        let id = self.next_call(now);
        self.calls.insert(
            id,
            Live {
                session,
                caller: leg,
                queue: Some(queue),
                from: view::Party {
                    number: call.from.clone(),
                    display: call.display.clone(),
                },
                to: call.to.clone(),
                entered: now,
                since: now,
                answered: None,
                agent: None,
                recall: None,
                away: false,
                consult: None,
                others: BTreeMap::new(),
                watchers: BTreeMap::new(),
                outside: false,
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
            priority: 0,
            requires: Vec::new(),
            sticky: None,
        };
        self.input(now, Input::Enqueue(enqueue), calls);
        self.tell(now);
    }

    /// A number of microseconds that was never used for a call.
    pub(super) fn next_call(&mut self, now: Time) -> CallId {
        self.last_call = now.as_micros().max(self.last_call + 1);
        CallId(self.last_call)
    }

    /// Something happened to a call. True when it was one of ours, and nobody else need look at it.
    pub fn handle(&mut self, now: Time, event: &Event, calls: &mut Coordinator) -> bool {
        let ours = self.on_event(now, event, calls);
        self.tell(now);
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
                    // It was taken back while the answer was on its way.
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
            Event::Returned { session, user, .. } => {
                let Some(call) = self.sessions.get(session).copied() else {
                    return false;
                };
                self.returned(now, call, user, calls);
                true
            }
            Event::Ended { session, record } => self.ended(now, *session, record, calls),
            _ => false,
        }
    }

    /// Tells the engine something and does what it says. What it refused is returned.
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

    /// Does what the engine says; what follows at once is to be told to it.
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
                if let Some(offer) = self.portrait_offer(now, offer, call, agent) {
                    self.batch.change(now, view::Change::OfferMade(offer));
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
            Output::Announce { call, .. } => {
                self.changed.calls.insert(call);
                None
            }
            Output::Superseded { .. } | Output::Record(_) | Output::Refused(_) | Output::Timeout(_) => None,
        }
    }

    /// A phone rang and was answered: the offer is a leg now.
    fn answered(&mut self, now: Time, named: LegId, leg: LegId, used: Use, calls: &mut Coordinator) {
        match used {
            Use::Offer(offer) => {
                if let Some(ringing) = self.offers.get_mut(&offer) {
                    ringing.leg = leg;
                }
                if self.input(now, Input::Accept { offer }, calls).is_some() {
                    self.legs.remove(&leg);
                    calls.withdraw(now, leg, true);
                }
            }
            Use::Recall(call) => self.recalled(now, call, (named, leg), calls),
            Use::Consulted(call) => self.consulted(now, call, (named, leg), calls),
            Use::Watcher(call, name) => self.watching(now, call, &name, leg, calls),
            Use::Outside(call) => self.outside_answered(now, call, (named, leg), calls),
            Use::Caller(_) | Use::Agent(_) | Use::Other(_) => {}
        }
    }

    /// A phone rang and was not answered.
    fn unanswered(&mut self, now: Time, leg: LegId, used: Use, code: u16, calls: &mut Coordinator) {
        match used {
            Use::Offer(offer) => {
                let input = match code {
                    // Somebody pressed a button.
                    486 | 600 | 603 => Input::Reject { offer },
                    _ => Input::OfferLost { offer },
                };
                self.input(now, input, calls);
            }
            Use::Recall(call) => {
                if let Some(live) = self.calls.get_mut(&call).filter(|live| live.recall == Some(leg)) {
                    live.recall = None;
                }
            }
            Use::Consulted(call) => self.consult_failed(now, call, code, calls),
            Use::Watcher(call, name) => {
                if let Some(live) = self.calls.get_mut(&call) {
                    live.watchers.remove(&name);
                }
                self.changed.calls.insert(call);
            }
            Use::Outside(call) => self.outside_failed(now, call, calls),
            Use::Caller(_) | Use::Agent(_) | Use::Other(_) => {}
        }
    }

    /// Caller and agent hear each other.
    fn bridged(&mut self, now: Time, call: CallId, calls: &mut Coordinator) {
        let connecting = self
            .acd
            .state()
            .calls
            .get(&call)
            .is_some_and(|call| matches!(call.phase, call_engine::acd::Phase::Connecting(_)));
        if let Some(live) = self.calls.get_mut(&call) {
            live.answered.get_or_insert(now);
            live.since = now;
        }
        if connecting {
            self.input(now, Input::Connected { call }, calls);
        }
        self.changed.calls.insert(call);
    }

    /// The agent's page is gone, or is back by itself.
    fn away(&mut self, now: Time, call: CallId, away: bool, calls: &mut Coordinator) {
        if let Some(live) = self.calls.get_mut(&call) {
            live.away = away;
            live.since = now;
        }
        self.changed.calls.insert(call);
        if away {
            self.drop_consult(now, call, calls);
        }
        self.input(now, Input::Away { call, away }, calls);
    }

    /// The agent whose page was gone registered again: the new page is called into the call.
    fn returned(&mut self, now: Time, call: CallId, user: &str, calls: &mut Coordinator) {
        let Some(live) = self
            .calls
            .get_mut(&call)
            .filter(|live| live.away && live.recall.is_none())
        else {
            return;
        };
        let theirs = live
            .agent
            .and_then(|(agent, _)| self.directory.agent(agent))
            .is_some_and(|person| person.name == user);
        if !theirs {
            return;
        }
        let offer = Offer {
            party: Party::User(user.to_owned()),
            caller: None,
            ring_timeout: Duration::from_secs(30),
            headers: vec![(CALL_HEADER.into(), ids::call(call)), answer_at_once()],
        };
        if let Ok(leg) = calls.offer(now, live.session, offer) {
            live.recall = Some(leg);
            self.legs.insert(leg, Use::Recall(call));
        }
    }

    /// The new page answered.
    fn recalled(&mut self, now: Time, call: CallId, (named, leg): (LegId, LegId), calls: &mut Coordinator) {
        let live = self
            .calls
            .get_mut(&call)
            .filter(|live| live.recall == Some(named));
        let Some(live) = live else {
            self.legs.remove(&leg);
            return calls.withdraw(now, leg, false);
        };
        live.recall = None;
        live.away = false;
        live.since = now;
        let session = live.session;
        if let Some((_, old)) = &mut live.agent {
            let old = std::mem::replace(old, leg);
            self.legs.remove(&old);
            calls.drop_leg(now, old);
        }
        self.legs.insert(leg, Use::Agent(call));
        calls.admit_leg(now, session, leg);
        self.watch_agent(call, calls);
        self.changed.calls.insert(call);
        self.input(now, Input::Away { call, away: false }, calls);
    }

    /// Somebody who had been in a call is out of it.
    fn left(&mut self, now: Time, leg: LegId, used: Use, cause: Cause, calls: &mut Coordinator) {
        match used {
            Use::Agent(call) => self.agent_left(now, call, cause, calls),
            Use::Consulted(call) => self.consult_failed(now, call, 0, calls),
            Use::Other(call) => {
                if let Some(live) = self.calls.get_mut(&call) {
                    live.others.remove(&leg);
                }
                self.changed.calls.insert(call);
                self.end_if_alone(now, call, calls);
            }
            Use::Watcher(call, name) => {
                if let Some(live) = self.calls.get_mut(&call) {
                    live.watchers.remove(&name);
                }
                self.changed.calls.insert(call);
            }
            Use::Outside(call) => {
                if let Some(live) = self.calls.get(&call) {
                    calls.terminate_session(now, live.session);
                }
            }
            Use::Offer(offer) => {
                self.input(now, Input::OfferLost { offer }, calls);
            }
            Use::Recall(_) | Use::Caller(_) => {}
        }
    }

    fn agent_left(&mut self, now: Time, call: CallId, cause: Cause, calls: &mut Coordinator) {
        let Some(live) = self.calls.get_mut(&call) else {
            return;
        };
        match cause {
            // The page is gone, or its media broke: the agent may come back.
            Cause::Away | Cause::Failed => {
                if !live.away {
                    live.away = true;
                    live.since = now;
                    self.changed.calls.insert(call);
                    self.input(now, Input::Away { call, away: true }, calls);
                }
            }
            // The agent hung up. Those whom the agent brought in go on without the agent.
            _ if !live.others.is_empty() => {
                live.agent = None;
                live.outside = true;
                self.input(now, Input::Ended { call }, calls);
            }
            _ => calls.terminate_session(now, live.session),
        }
    }

    /// A caller whom everybody left need not stay.
    fn end_if_alone(&mut self, now: Time, call: CallId, calls: &mut Coordinator) {
        if let Some(live) = self.calls.get(&call)
            && live.outside
            && live.agent.is_none()
            && live.others.is_empty()
        {
            calls.terminate_session(now, live.session);
        }
    }

    /// The agent has the call no more.
    fn release_agent(&mut self, now: Time, call: CallId, calls: &mut Coordinator) {
        let Some(live) = self.calls.get_mut(&call) else {
            return;
        };
        let legs = [live.agent.take().map(|(_, leg)| leg), live.recall.take()];
        for leg in legs.into_iter().flatten() {
            if let Some(Use::Recall(_)) = self.legs.remove(&leg) {
                calls.withdraw(now, leg, false);
            } else {
                calls.drop_leg(now, leg);
            }
        }
        self.changed.calls.insert(call);
    }

    /// A queue does not keep a call.
    fn overflowed(&mut self, now: Time, call: CallId, target: Overflow, calls: &mut Coordinator) {
        let Some(live) = self.calls.get_mut(&call) else {
            return;
        };
        live.outside = true;
        live.since = now;
        let session = live.session;
        match target {
            Overflow::Number(number) => match (self.route)("", &number) {
                Some(party) => self.send_outside(now, call, party, number, calls),
                None => calls.terminate_session(now, session),
            },
            Overflow::HangUp | Overflow::Queue(_) => calls.terminate_session(now, session),
        }
    }

    /// A session is over.
    fn ended(&mut self, now: Time, session: SessionId, record: &CallRecord, calls: &mut Coordinator) -> bool {
        let Some(call) = self.sessions.remove(&session) else {
            return false;
        };
        let Some(live) = self.calls.get(&call).filter(|live| live.session == session) else {
            // An agent hung up while asking somebody: the caller waits for another one.
            if self
                .calls
                .get_mut(&call)
                .and_then(|live| live.consult.take())
                .is_some()
            {
                let requeue = Requeue {
                    call,
                    queue: None,
                    priority: 0,
                    sticky: None,
                };
                self.input(now, Input::Requeue(requeue), calls);
            }
            return true;
        };
        if !live.outside {
            self.input(now, Input::Ended { call }, calls);
        }
        self.finish(now, call, record, calls);
        true
    }

    fn finish(&mut self, now: Time, call: CallId, record: &CallRecord, calls: &mut Coordinator) {
        let Some(live) = self.calls.remove(&call) else {
            return;
        };
        if let Some(consult) = &live.consult {
            calls.terminate_session(now, consult.session);
            self.sessions.remove(&consult.session);
        }
        self.legs.retain(|_, used| used.call() != Some(call));
        self.over(call, Ended::new(live.from, live.to, record));
    }

    /// To be told when what was done is.
    pub(super) fn answer(&mut self, answer: Answer) {
        self.batch.answers.push(answer);
    }

    /// Nothing more will be told of a call but its record.
    pub(super) fn over(&mut self, call: CallId, ended: Ended) {
        self.changed.calls.remove(&call);
        self.batch.ended.insert(call, ended);
    }

    fn reachable(&mut self, now: Time, user: &str, reachable: bool, calls: &mut Coordinator) {
        let Some(agent) = self.directory.agent_of(user) else {
            return;
        };
        if reachable {
            self.conns += 1;
            let conn = ConnId(self.conns);
            self.registered.insert(agent, conn);
            self.input(now, Input::Attached { agent, conn }, calls);
        } else if let Some(conn) = self.registered.remove(&agent) {
            self.input(now, Input::Detached { agent, conn }, calls);
        }
        self.changed.agents.insert(agent);
    }

    /// A page answered, by OPTIONS or over its event stream.
    pub fn alive(&mut self, now: Time, user: &str, calls: &mut Coordinator) {
        if let Some(agent) = self.directory.agent_of(user) {
            self.input(now, Input::Proof { agent }, calls);
            self.tell(now);
        }
    }

    /// Takes note of a record: for the numbers, for what is shown, for the ledger.
    fn recorded(&mut self, record: Record) {
        self.metrics.apply(&record);
        let now = record.at;
        let queue_of = |desk: &Desk, call: &CallId| desk.acd.state().calls.get(call).map(|call| call.queue);
        match &record.fact {
            Fact::Entered { call, queue, .. } => {
                self.changed.calls.insert(*call);
                self.changed.queues.insert(*queue);
            }
            Fact::Moved { call, queue, .. } => {
                self.changed.calls.insert(*call);
                self.changed.queues.insert(*queue);
                // Where it came from is not told; all queues are few.
                self.changed
                    .queues
                    .extend(self.directory.queues().map(|queue| queue.config.id));
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
            Fact::Left { .. } => {
                self.changed
                    .queues
                    .extend(self.directory.queues().map(|queue| queue.config.id));
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

    /// Hands what changed to the ledger.
    pub(super) fn tell(&mut self, now: Time) {
        let changed = std::mem::take(&mut self.changed);
        for call in changed.calls {
            if let Some(call) = self.portrait_call(now, call) {
                self.batch.change(now, view::Change::Call(call));
            }
        }
        for agent in changed.agents {
            if let Some(agent) = self.portrait_agent(now, agent) {
                self.batch.change(now, view::Change::Agent(agent));
            }
        }
        if now.since(self.queues_told) >= QUEUE_INTERVAL {
            for queue in changed.queues {
                if let Some(queue) = self.portrait_queue(now, queue) {
                    self.batch.change(now, view::Change::Queue(queue));
                }
            }
            self.queues_told = now;
        } else {
            self.changed.queues = changed.queues;
        }
        if !self.batch.is_empty() {
            let batch = std::mem::take(&mut self.batch);
            self.backlog.push_back(batch);
        }
        while let Some(batch) = self.backlog.pop_front() {
            if let Err(error) = self.ledger.try_send(batch) {
                match error {
                    mpsc::error::TrySendError::Full(batch) => self.backlog.push_front(batch),
                    mpsc::error::TrySendError::Closed(_) => self.backlog.clear(),
                }
                break;
            }
        }
    }

    /// What an agent wants.
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

    fn call(&self) -> Option<CallId> {
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

/// The header by which a page knows that it need not ask a person.
pub(super) fn answer_at_once() -> (String, String) {
    ("Call-Info".into(), "<sip:cordboard>;answer-after=0".into())
}
