//! A day of 200 agents and 10,000 calls in virtual time, with pages that die: calls and agents' time are conserved, and the numbers
//! that the log gives are those that callers and agents lived through.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use call_engine::acd::metrics::{Metrics, OpenCounts, QueueCounts, SLOT, Slot};
use call_engine::acd::{
    Acd, AgentConfig, AgentId, AssignmentId, CallId, ConnId, Departure, Enqueue, Input, Intent, Membership,
    Output, QueueConfig, QueueId, Reach, Record, Settings, State, Status, Strategy, Target, Work,
};
use sans_io::{Rng, Time};

const AGENTS: u32 = 200;
const CALLS: u64 = 10_000;
const DAY: Duration = Duration::from_secs(10 * 3_600);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Happens {
    Arrives(CallId),
    GivesUp(CallId),
    HangsUp(CallId),
    Rings(AssignmentId),
    Accepts(AssignmentId),
    Rejects(AssignmentId),
    Connects(CallId, AgentId),
    PageDies(AgentId),
    PageBack(AgentId),
    Pauses(AgentId),
    Returns(AgentId),
    GoesHome(AgentId),
}

/// Experience of a caller.
#[derive(Debug, Default)]
struct Caller {
    came: Option<Time>,
    answered: Option<Time>,
    talking_since: Option<Time>,
    talked: u64,
    agent: Option<AgentId>,
    away: bool,
    left: Option<Time>,
}

struct Day {
    now: Time,
    rng: Rng,
    acd: Acd,
    log: Vec<Record>,
    agenda: BTreeSet<(Time, u64, Happens)>,
    planned: u64,
    callers: BTreeMap<CallId, Caller>,
    conns: BTreeMap<AgentId, Option<ConnId>>,
    next_conn: u64,
    rescinded: BTreeSet<AssignmentId>,
    at_home: BTreeSet<AgentId>,
}

impl Day {
    fn new(seed: u64) -> Day {
        let mut rng = Rng::seeded(seed);
        let now = Time::from_secs(1_795_392_000);
        let acd = Acd::new(Settings::default(), 1, State::default(), rng.fork());
        let mut day = Day {
            now,
            rng,
            acd,
            log: Vec::new(),
            agenda: BTreeSet::new(),
            planned: 0,
            callers: BTreeMap::new(),
            conns: BTreeMap::new(),
            next_conn: 0,
            rescinded: BTreeSet::new(),
            at_home: BTreeSet::new(),
        };
        for (index, strategy) in Strategy::ALL.into_iter().enumerate() {
            let mut queue = QueueConfig::new(QueueId(index as u32), strategy);
            queue.max_wait = Some(Duration::from_secs(600));
            queue.overflow = if index % 2 == 0 {
                Target::HangUp
            } else {
                Target::Queue(QueueId(0))
            };
            day.tell(Input::SetQueue(Box::new(queue)));
        }
        for id in 0..AGENTS {
            let queues = (0..3)
                .map(|offset| Membership {
                    queue: QueueId((id + offset * 4) % Strategy::ALL.len() as u32),
                    tier: offset as u8,
                    weight: 1,
                })
                .collect();
            let agent = AgentConfig {
                id: AgentId(id),
                order: id,
                queues,
                skills: Vec::new(),
                acd_on_direct: false,
            };
            day.tell(Input::SetAgent(agent));
        }
        day.tell(Input::Start);
        day
    }

    fn seconds(&mut self, least: u64, most: u64) -> Duration {
        Duration::from_millis(least * 1_000 + self.rng.below((most - least) * 1_000))
    }

    fn plan(&mut self, after: Duration, what: Happens) {
        self.planned += 1;
        self.agenda.insert((self.now + after, self.planned, what));
    }

    fn run(&mut self) {
        let begin = self.now;
        for agent in (0..AGENTS).map(AgentId) {
            let after = self.seconds(0, 1_800);
            self.plan(after, Happens::PageBack(agent));
            self.plan(after, Happens::Returns(agent));
            let home = DAY - self.seconds(0, 1_800);
            self.plan(home, Happens::GoesHome(agent));
        }
        for call in (0..CALLS).map(CallId) {
            // Two peaks: three quarters of the calls come in half of the day.
            let half = DAY.as_secs() / 2;
            let after = if self.rng.percent(75) {
                self.seconds(half / 2, half / 2 + half)
            } else {
                self.seconds(0, 2 * half)
            };
            self.plan(after, Happens::Arrives(call));
        }
        loop {
            let deadline = match self.acd.poll_output() {
                Output::Timeout(deadline) => deadline.map(|(at, _)| at),
                other => panic!("not drained: {other:?}"),
            };
            let next = self.agenda.first().map(|(at, ..)| *at);
            match (deadline, next) {
                (Some(at), next) if next.is_none_or(|next| at <= next) => {
                    if at > begin + DAY + Duration::from_secs(7_200) {
                        break;
                    }
                    self.now = self.now.max(at);
                    self.tell(Input::Timeout);
                }
                (_, Some(at)) => {
                    self.now = self.now.max(at);
                    if let Some((.., what)) = self.agenda.pop_first() {
                        self.happen(what);
                    }
                }
                _ => break,
            }
        }
    }

    fn happen(&mut self, what: Happens) {
        match what {
            Happens::Arrives(call) => {
                self.callers.entry(call).or_default().came = Some(self.now);
                let patience = self.seconds(20, 600);
                self.plan(patience, Happens::GivesUp(call));
                let priority = self.rng.below(3) as u8;
                let queue = QueueId(self.rng.below(Strategy::ALL.len() as u64) as u32);
                self.tell(Input::Enqueue(Enqueue {
                    call,
                    queue,
                    priority,
                    requires: Vec::new(),
                    sticky: None,
                    came: None,
                }));
            }
            Happens::GivesUp(call) => {
                let caller = &self.callers[&call];
                if caller.left.is_none() && caller.agent.is_none() {
                    self.leave(call);
                }
            }
            Happens::HangsUp(call) => {
                let caller = &self.callers[&call];
                if caller.left.is_none() && caller.agent.is_some() && !caller.away {
                    self.leave(call);
                }
            }
            Happens::Rings(assignment) => self.tell_assignment(assignment, Input::Rung { assignment }),
            Happens::Accepts(assignment) => self.tell_assignment(assignment, Input::Accept { assignment }),
            Happens::Rejects(assignment) => self.tell_assignment(assignment, Input::Reject { assignment }),
            Happens::Connects(call, agent) => {
                let state = &self.acd.state().calls.get(&call).map(|call| call.phase.agent());
                if *state == Some(Some(agent)) && self.callers[&call].agent == Some(agent) {
                    let caller = self.callers.entry(call).or_default();
                    caller.answered.get_or_insert(self.now);
                    caller.talking_since = Some(self.now);
                    self.tell(Input::Connected { call });
                    let talk = self.seconds(30, 500);
                    self.plan(talk, Happens::HangsUp(call));
                }
            }
            Happens::PageDies(agent) => {
                if let Some(conn) = self.conns.insert(agent, None).flatten() {
                    self.tell(Input::Detached { agent, conn });
                    if let Some(call) = self.call_of(agent) {
                        self.callers.entry(call).or_default().away = true;
                        self.tell(Input::Away { call, away: true });
                    }
                    let away = self.seconds(2, 90);
                    self.plan(away, Happens::PageBack(agent));
                }
            }
            Happens::PageBack(agent) => {
                self.next_conn += 1;
                let conn = ConnId(self.next_conn);
                self.conns.insert(agent, Some(conn));
                self.tell(Input::Attached { agent, conn });
                if let Some(call) = self.call_of(agent).filter(|call| self.callers[call].away) {
                    self.callers.entry(call).or_default().away = false;
                    self.tell(Input::Away { call, away: false });
                    let talk = self.seconds(10, 200);
                    self.plan(talk, Happens::HangsUp(call));
                }
                let alive = self.seconds(600, 7_200);
                self.plan(alive, Happens::PageDies(agent));
            }
            Happens::Pauses(agent) => {
                if !self.at_home.contains(&agent) {
                    self.intend(agent, Intent::Paused("break".into()));
                    let pause = self.seconds(60, 1_200);
                    self.plan(pause, Happens::Returns(agent));
                }
            }
            Happens::Returns(agent) if !self.at_home.contains(&agent) => {
                let until_break = self.seconds(1_800, 7_200);
                self.intend(agent, Intent::Available);
                self.plan(until_break, Happens::Pauses(agent));
            }
            Happens::Returns(_) => {}
            Happens::GoesHome(agent) => {
                self.at_home.insert(agent);
                self.intend(agent, Intent::Offline);
            }
        }
    }

    fn call_of(&self, agent: AgentId) -> Option<CallId> {
        match self.acd.state().agents.get(&agent)?.work {
            Work::Call(call) => Some(call),
            _ => None,
        }
    }

    fn intend(&mut self, agent: AgentId, intent: Intent) {
        self.tell(Input::Intent { agent, intent });
    }

    fn tell_assignment(&mut self, assignment: AssignmentId, input: Input) {
        if !self.rescinded.contains(&assignment) {
            self.tell(input);
        }
    }

    fn leave(&mut self, call: CallId) {
        self.separate(call);
        self.callers.entry(call).or_default().left = Some(self.now);
        self.tell(Input::Ended { call });
    }

    /// Talk ends, for now or for good.
    fn separate(&mut self, call: CallId) {
        let now = self.now;
        let caller = self.callers.entry(call).or_default();
        if let Some(since) = caller.talking_since.take() {
            caller.talked += now.as_micros() - since.as_micros();
        }
        caller.agent = None;
        caller.away = false;
    }

    fn tell(&mut self, input: Input) {
        self.acd.handle_input(self.now, input);
        let mut said = Vec::new();
        loop {
            match self.acd.poll_output() {
                Output::Timeout(_) => break,
                Output::Record(record) => self.log.push(record),
                other => said.push(other),
            }
        }
        for output in said {
            self.hear(output);
        }
    }

    fn hear(&mut self, output: Output) {
        match output {
            Output::Assign {
                assignment, agent, ..
            } => {
                // A page that is gone does not even ring.
                if self.conns.get(&agent).copied().flatten().is_none() || self.rng.percent(2) {
                    return;
                }
                self.plan(Duration::from_millis(100), Happens::Rings(assignment));
                let after = self.seconds(1, 12);
                match self.rng.below(100) {
                    0..=4 => self.plan(after, Happens::Rejects(assignment)),
                    5..=9 => {}
                    _ => self.plan(after, Happens::Accepts(assignment)),
                }
            }
            Output::Rescind { assignment, .. } => {
                self.rescinded.insert(assignment);
            }
            Output::Connect { call, agent, .. } => {
                self.callers.entry(call).or_default().agent = Some(agent);
                // Now and then they never hear each other.
                if self.rng.percent(98) {
                    let after = self.seconds(0, 2);
                    self.plan(after, Happens::Connects(call, agent));
                }
            }
            Output::Wait { call, agent } => {
                assert_eq!(self.callers[&call].agent, Some(agent));
                self.separate(call);
                let patience = self.seconds(20, 600);
                self.plan(patience, Happens::GivesUp(call));
                // An agent who did not answer or was lost comes back some time.
                let back = self.seconds(30, 300);
                self.plan(back, Happens::Returns(agent));
            }
            Output::Overflow { call, .. } => {
                self.callers.entry(call).or_default().left = Some(self.now);
            }
            Output::Probe { agent } => {
                if self.conns.get(&agent).copied().flatten().is_some() && self.rng.percent(99) {
                    self.acd.handle_input(self.now, Input::Proof { agent });
                    while let Output::Record(record) = self.acd.poll_output() {
                        self.log.push(record);
                    }
                }
            }
            Output::Announce { .. } | Output::Refused(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

/// Stored parts of a fold: the open counts, and each slot as it was written last.
#[derive(Default)]
struct Kept {
    open: String,
    slots: BTreeMap<(bool, u32, u64), String>,
}

impl Kept {
    fn take(&mut self, metrics: &mut Metrics) {
        self.open = serde_json::to_string(metrics.open()).expect("JSON");
        for slot in metrics.changed() {
            let (key, body) = match slot {
                Slot::Queue { queue, slot, counts } => {
                    ((true, queue.0, slot), serde_json::to_string(&counts))
                }
                Slot::Agent { agent, slot, counts } => {
                    ((false, agent.0, slot), serde_json::to_string(&counts))
                }
            };
            self.slots.insert(key, body.expect("JSON"));
        }
    }

    fn restored(&self) -> Metrics {
        let open: OpenCounts = serde_json::from_str(&self.open).expect("what was written");
        let slots = self.slots.iter().map(|((is_queue, id, slot), body)| {
            let read = "what was written";
            if *is_queue {
                Slot::Queue {
                    queue: QueueId(*id),
                    slot: *slot,
                    counts: serde_json::from_str(body).expect(read),
                }
            } else {
                Slot::Agent {
                    agent: AgentId(*id),
                    slot: *slot,
                    counts: serde_json::from_str(body).expect(read),
                }
            }
        });
        Metrics::restored(open, slots)
    }
}

#[test]
fn a_fold_that_is_restored_again_and_again_has_the_numbers_of_one_that_is_not() {
    let mut day = Day::new(2);
    let begin = day.now;
    day.run();
    let mut rng = Rng::seeded(3);
    let (mut whole, mut metrics, mut kept) = (Metrics::default(), Metrics::default(), Kept::default());
    metrics.watch(true);
    kept.take(&mut metrics);
    let (mut at, mut written, mut restarts) = (0, 0, 0);
    for record in &day.log {
        whole.apply(record);
    }
    while at < day.log.len() {
        let next = (at + 1 + rng.below(4_000) as usize).min(day.log.len());
        for record in &day.log[at..next] {
            metrics.apply(record);
        }
        at = next;
        if rng.percent(60) {
            kept.take(&mut metrics);
            written = at;
        } else {
            // A kill: unwritten parts are read again.
            metrics = kept.restored();
            metrics.watch(true);
            at = written;
            restarts += 1;
            for record in &day.log[..at] {
                metrics.apply(record);
            }
        }
    }
    assert!(restarts > 5, "{restarts}");
    assert_eq!(metrics.open(), whole.open());
    let until = day.now;
    let mut slot = Time(begin.as_micros() / SLOT * SLOT);
    while slot < until {
        let next = slot + Duration::from_micros(SLOT);
        for queue in (0..Strategy::ALL.len() as u32).map(QueueId) {
            assert_eq!(
                metrics.queue_counts(queue, slot, next),
                whole.queue_counts(queue, slot, next)
            );
        }
        for agent in day.acd.state().agents.keys() {
            let counts = |metrics: &Metrics| metrics.agent_counts(*agent, slot, next, until);
            assert_eq!(counts(&metrics), counts(&whole));
        }
        slot = next;
    }
}

#[test]
fn a_day_adds_up() {
    let mut day = Day::new(1);
    let begin = day.now;
    day.run();
    let acd = &day.acd;
    assert!(acd.state().calls.is_empty(), "left over: {:?}", acd.state().calls);
    assert_eq!((acd.state().entered, acd.state().left), (CALLS, CALLS));
    let mut metrics = Metrics::default();
    let mut state = State::default();
    for record in &day.log {
        metrics.apply(record);
        state.apply(record);
    }
    assert_eq!(&state, acd.state());

    // Calls: what the log says of each is what its caller lived through.
    let mut finished = 0;
    let (mut talked, mut waited) = (0, 0);
    while let Some(call) = metrics.poll_finished() {
        finished += 1;
        let caller = &day.callers[&call.call];
        assert_eq!(Some(call.entered), caller.came);
        assert_eq!(Some(call.ended), caller.left, "{call:?}");
        assert_eq!(call.answered, caller.answered, "{call:?}");
        assert_eq!((call.talked, call.held), (caller.talked, 0), "{call:?}");
        assert!(call.how != Departure::Completed || call.answered.is_some());
        talked += call.talked;
        waited += call
            .answered
            .map_or(0, |answered| answered.as_micros() - call.entered.as_micros());
    }
    assert_eq!(finished, CALLS);
    let mut all = QueueCounts::default();
    for queue in 0..Strategy::ALL.len() as u32 {
        let counts = metrics.queue_counts(QueueId(queue), begin, day.now);
        let gone = counts.abandoned
            + counts.overflowed
            + counts.completed
            + counts.sent_on
            + counts.lost
            + counts.hung_up;
        assert_eq!(counts.entered, gone, "queue {queue}: {counts:?}");
        all.add(&counts);
    }
    assert_eq!(all.talked, talked);
    assert!(all.waited <= waited, "a call that moved waited in two queues");
    assert!(all.answered > CALLS * 8 / 10 && all.abandoned > 50, "{all:?}");

    // Agents: every second between signing in and signing out is in one status.
    let mut talk = 0;
    for (id, agent) in &acd.state().agents {
        assert_eq!(
            (agent.work, agent.status),
            (Work::Idle, Status::Offline),
            "{id:?}"
        );
        assert_ne!(acd.reach(*id), None::<Reach>);
        let counts = metrics.agent_counts(*id, begin, day.now, day.now);
        let signed_in: u64 = day
            .log
            .iter()
            .filter_map(|record| match &record.fact {
                call_engine::acd::Fact::Intent { agent, intent } if agent == id => {
                    Some((record.at.as_micros(), intent))
                }
                _ => None,
            })
            .fold((0, None), |(sum, since), (at, intent)| match (since, intent) {
                (Some(since), Intent::Offline) => (sum + at - since, None),
                (None, Intent::Offline) => (sum, None),
                (since, _) => (sum, since.or(Some(at))),
            })
            .0;
        assert_eq!(counts.signed_in(), signed_in, "{id:?}");
        talk += counts.times[Status::Talking as usize];
    }
    assert_eq!(talk, talked, "callers and agents talked as long");
}
