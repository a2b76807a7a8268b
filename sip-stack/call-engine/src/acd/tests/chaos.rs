//! Random agents, callers, pages that die and engines that are killed: the invariants hold after every step.

use std::collections::BTreeMap;
use std::time::Duration;

use sans_io::Rng;

use super::world::World;
use crate::acd::{
    AgentConfig, AgentId, AssignmentEnd, AssignmentId, CallId, ConnId, Departure, Enqueue, Fact, Input,
    Intent, Membership, Output, Phase, Proficiency, QueueConfig, QueueId, Refusal, Requeue, Requirement,
    Settings, SkillId, State, Strategy, Target, Widening, Work,
};

const STEPS: usize = 300;

/// As many as `CORDBOARD_SEEDS` says, or from its first number up to its second: `6556..6557`.
fn seeds() -> std::ops::Range<u64> {
    let wanted = std::env::var("CORDBOARD_SEEDS").unwrap_or_default();
    let (first, last) = wanted.split_once("..").unwrap_or(("0", &wanted));
    first.parse().unwrap_or(0)..last.parse().unwrap_or(1_000)
}

struct Chaos {
    world: World,
    rng: Rng,
    settings: Settings,
    queues: Vec<QueueConfig>,
    agents: Vec<AgentConfig>,
    /// Every assignment that ever was.
    assignments: Vec<AssignmentId>,
    next_call: u64,
    next_conn: u64,
    conns: Vec<(AgentId, ConnId)>,
    late_accepts: usize,
}

fn seconds(rng: &mut Rng, below: u64) -> Duration {
    Duration::from_millis(rng.below(below * 1_000))
}

fn requirement(rng: &mut Rng) -> Requirement {
    Requirement {
        skill: SkillId(rng.below(3) as u32),
        level: 1 + rng.below(100) as u8,
    }
}

fn queue(rng: &mut Rng, id: u32, queues: u32) -> QueueConfig {
    let strategy = Strategy::ALL[rng.below(Strategy::ALL.len() as u64) as usize];
    let mut queue = QueueConfig::new(QueueId(id), strategy);
    if rng.percent(30) {
        queue.requires.push(requirement(rng));
    }
    if rng.percent(50) {
        queue.max_tier = 0;
        let after = 5 + rng.below(20);
        queue.widening = vec![
            Widening {
                after: Duration::from_secs(after),
                max_tier: 1,
                lower: 20,
            },
            Widening {
                after: Duration::from_secs(after * 2),
                max_tier: 255,
                lower: 100,
            },
        ];
    }
    queue.rate = 1 + rng.below(3) as u32;
    queue.wrap_up = if rng.percent(20) {
        Duration::ZERO
    } else {
        seconds(rng, 20)
    };
    queue.max_no_answer = rng.below(3) as u32;
    queue.max_wait = rng.percent(40).then(|| Duration::from_secs(30 + rng.below(60)));
    queue.max_length = rng.percent(30).then(|| 1 + rng.below(8) as u32);
    queue.leave_when_empty = rng.percent(20);
    queue.announce = rng.percent(50).then(|| Duration::from_secs(10));
    queue.overflow = match rng.below(3) {
        0 => Target::HangUp,
        1 => Target::Number("100".into()),
        _ => Target::Queue(QueueId(1 + rng.below(u64::from(queues) + 1) as u32)),
    };
    queue
}

fn agent(rng: &mut Rng, id: u32, queues: u32) -> AgentConfig {
    let mut member = Vec::new();
    for queue in 1..=queues {
        if rng.percent(60) {
            member.push(Membership {
                queue: QueueId(queue),
                tier: rng.below(3) as u8,
                weight: rng.below(5) as u16,
            });
        }
    }
    let skills = (0..3)
        .filter(|_| rng.percent(70))
        .collect::<Vec<_>>()
        .into_iter()
        .map(|skill| Proficiency {
            skill: SkillId(skill),
            level: 1 + rng.below(100) as u8,
        })
        .collect();
    AgentConfig {
        id: AgentId(id),
        order: rng.below(5) as u32,
        queues: member,
        skills,
        acd_on_direct: rng.percent(20),
    }
}

impl Chaos {
    fn new(seed: u64) -> Chaos {
        let mut rng = Rng::seeded(seed);
        let settings = Settings::default();
        let count = 1 + rng.below(3) as u32;
        let queues: Vec<QueueConfig> = (1..=count).map(|id| queue(&mut rng, id, count)).collect();
        let agents: Vec<AgentConfig> = (1..=2 + rng.below(6) as u32)
            .map(|id| agent(&mut rng, id, count))
            .collect();
        Chaos {
            world: World::new(settings.clone(), queues.clone(), agents.clone()),
            rng,
            settings,
            queues,
            agents,
            assignments: Vec::new(),
            next_call: 0,
            next_conn: 0,
            conns: Vec::new(),
            late_accepts: 0,
        }
    }

    fn tell(&mut self, input: Input) -> Vec<Output> {
        let said = self.world.tell(input);
        for output in &said {
            if let Output::Assign { assignment, .. } = output {
                self.assignments.push(*assignment);
            }
        }
        said
    }

    fn any_agent(&mut self) -> AgentId {
        // One more than there are: some inputs name nobody.
        AgentId(1 + self.rng.below(self.agents.len() as u64 + 1) as u32)
    }

    fn any_call(&mut self) -> CallId {
        let calls: Vec<CallId> = self.world.acd.state().calls.keys().copied().collect();
        match calls.len() {
            0 => CallId(999_999),
            n => calls[self.rng.below(n as u64) as usize],
        }
    }

    /// Mostly one that is out, now and then one that is over.
    fn any_assignment(&mut self) -> Option<AssignmentId> {
        let out: Vec<AssignmentId> = self
            .world
            .acd
            .assignments()
            .map(|(assignment, ..)| assignment)
            .collect();
        let from = if self.rng.percent(85) && !out.is_empty() {
            &out
        } else {
            &self.assignments
        };
        (!from.is_empty()).then(|| from[self.rng.below(from.len() as u64) as usize])
    }

    fn step(&mut self) {
        match self.rng.below(100) {
            0..=19 => self.pass(),
            20..=34 => self.enqueue(),
            35..=56 => self.answer_assignment(),
            57..=66 => self.advance_call(),
            67..=71 => self.end_call(),
            72..=75 => {
                let call = self.any_call();
                match self.rng.below(3) {
                    0 => self.tell(Input::CallerPresent { call }),
                    _ => {
                        let silent = self.rng.percent(60);
                        self.tell(Input::CallerSilent { call, silent })
                    }
                };
            }
            76..=83 => self.intend(),
            84..=91 => self.connect_page(),
            92..=93 => self.reconfigure(),
            94..=95 => {
                let agent = self.any_agent();
                let lines = self.rng.below(2) as u32;
                self.tell(Input::Lines { agent, lines });
            }
            96..=97 => {
                let agent = self.any_agent();
                self.tell(Input::WrappedUp {
                    agent,
                    code: Some("sold".into()),
                });
            }
            _ if self.rng.percent(40) => self.crash(),
            _ => self.come_to_work(),
        }
    }

    /// Agents who are not there sign in.
    fn come_to_work(&mut self) {
        for agent in self.agents.clone() {
            if self.rng.percent(80) {
                self.next_conn += 1;
                let conn = ConnId(self.next_conn);
                self.conns.push((agent.id, conn));
                self.tell(Input::Attached {
                    agent: agent.id,
                    conn,
                });
                self.tell(Input::Intent {
                    agent: agent.id,
                    intent: Intent::Available,
                });
            }
        }
    }

    /// Time passes; most pages answer when they are asked.
    fn pass(&mut self) {
        let until = self.world.now + seconds(&mut self.rng, 12);
        loop {
            let deadline = match self.world.acd.poll_output() {
                Output::Timeout(Some((at, _))) if at <= until => at,
                _ => break,
            };
            self.world.now = self.world.now.max(deadline);
            for output in self.tell(Input::Timeout) {
                if let Output::Probe { agent } = output
                    && self.rng.percent(90)
                {
                    self.tell(Input::Proof { agent });
                }
            }
        }
        self.world.now = until;
        self.tell(Input::Timeout);
    }

    fn enqueue(&mut self) {
        if self.rng.percent(95) {
            self.next_call += 1;
        }
        let call = Enqueue {
            came: None,
            call: CallId(self.next_call.max(1)),
            queue: QueueId(
                1 + self.rng.below(self.queues.len() as u64) as u32 + u32::from(self.rng.percent(2)) * 7,
            ),
            priority: if self.rng.percent(30) {
                self.rng.below(4) as u8
            } else {
                0
            },
            requires: if self.rng.percent(20) {
                vec![requirement(&mut self.rng)]
            } else {
                Vec::new()
            },
            sticky: self
                .rng
                .percent(20)
                .then(|| AgentId(1 + self.rng.below(8) as u32)),
        };
        self.tell(Input::Enqueue(call));
    }

    fn answer_assignment(&mut self) {
        // Timers that are due come first.
        self.tell(Input::Timeout);
        let Some(assignment) = self.any_assignment() else {
            return;
        };
        let out = self
            .world
            .acd
            .assignments()
            .any(|(other, ..)| other == assignment);
        let said = match self.rng.below(10) {
            0..=2 => self.tell(Input::Rung { assignment }),
            3..=7 => self.tell(Input::Accept { assignment }),
            8 => self.tell(Input::Reject { assignment }),
            _ => self.tell(Input::AssignmentLost { assignment }),
        };
        let refused = said.contains(&Output::Refused(Refusal::AssignmentGone(assignment)));
        assert_eq!(refused, !out, "{assignment:?}");
        self.late_accepts += usize::from(refused);
    }

    fn advance_call(&mut self) {
        let call = self.any_call();
        match self.rng.below(10) {
            0..=4 => self.tell(Input::Connected { call }),
            5 => self.tell(Input::NotConnected { call }),
            6 => {
                let held = self.rng.percent(50);
                self.tell(Input::Held { call, held })
            }
            7 => {
                let away = self.rng.percent(50);
                self.tell(Input::Away { call, away })
            }
            8 => {
                let to = self.any_agent();
                self.tell(Input::HandOver { call, to })
            }
            _ => {
                let queue = self
                    .rng
                    .percent(50)
                    .then(|| QueueId(1 + self.rng.below(3) as u32));
                let sticky = (queue.is_none() && self.rng.percent(50)).then(|| self.any_agent());
                self.tell(Input::Requeue(Requeue {
                    call,
                    queue,
                    priority: 1,
                    sticky,
                }))
            }
        };
    }

    fn end_call(&mut self) {
        let call = self.any_call();
        self.tell(Input::Ended { call });
    }

    fn intend(&mut self) {
        let agent = self.any_agent();
        let intent = match self.rng.below(10) {
            0..=6 => Intent::Available,
            7..=8 => Intent::Paused("lunch".into()),
            _ => Intent::Offline,
        };
        self.tell(Input::Intent { agent, intent });
    }

    fn connect_page(&mut self) {
        let agent = self.any_agent();
        if self.rng.percent(75) {
            self.next_conn += 1;
            let conn = ConnId(self.next_conn);
            self.conns.push((agent, conn));
            self.tell(Input::Attached { agent, conn });
        } else if !self.conns.is_empty() {
            let (agent, conn) = self.conns[self.rng.below(self.conns.len() as u64) as usize];
            self.tell(Input::Detached { agent, conn });
        }
    }

    fn reconfigure(&mut self) {
        let count = self.queues.len() as u32;
        if self.rng.percent(50) {
            let index = self.rng.below(self.queues.len() as u64) as usize;
            let changed = queue(&mut self.rng, index as u32 + 1, count);
            self.queues[index] = changed.clone();
            self.tell(Input::SetQueue(Box::new(changed)));
        } else if self.rng.percent(80) {
            let index = self.rng.below(self.agents.len() as u64) as usize;
            let changed = agent(&mut self.rng, index as u32 + 1, count);
            self.agents[index] = changed.clone();
            self.tell(Input::SetAgent(changed));
        } else {
            let gone = self.any_agent();
            let said = self.tell(Input::RemoveAgent(gone));
            if said.is_empty()
                && let Some(config) = self.agents.iter().find(|agent| agent.id == gone).cloned()
                && self.rng.percent(70)
            {
                self.tell(Input::SetAgent(config));
            }
        }
    }

    /// The engine is killed. Of its log the last few records may be missing; those that are there give the state that it had then.
    fn crash(&mut self) {
        assert_eq!(
            &fold(&self.world.log),
            self.world.acd.state(),
            "the log tells another story"
        );
        let lost = if self.rng.percent(50) {
            self.rng.below(20) as usize
        } else {
            0
        };
        let keep = self.world.log.len().saturating_sub(lost);
        self.world.restart(
            keep,
            self.settings.clone(),
            &self.queues.clone(),
            &self.agents.clone(),
        );
        self.conns.clear();
        for call in self.world.acd.state().calls.keys().copied().collect::<Vec<_>>() {
            match self.rng.below(10) {
                0..=6 => {
                    let with_agent = self.rng.percent(60);
                    self.tell(Input::Recovered { call, with_agent });
                }
                7 => {
                    self.tell(Input::Ended { call });
                }
                8 => {
                    self.tell(Input::NotRecovered { call });
                }
                _ => {}
            }
        }
    }

    /// Everybody goes home: nothing is left.
    fn close(&mut self) {
        for call in self.world.acd.state().calls.keys().copied().collect::<Vec<_>>() {
            self.tell(Input::Ended { call });
        }
        for agent in self.agents.clone() {
            self.tell(Input::Intent {
                agent: agent.id,
                intent: Intent::Offline,
            });
        }
        self.world.pass(60);
        let acd = &self.world.acd;
        assert_eq!(acd.assignments().count(), 0);
        assert!(acd.state().calls.is_empty());
        for (id, agent) in &acd.state().agents {
            assert_eq!(
                (agent.work, &agent.intent),
                (Work::Idle, &Intent::Offline),
                "{id:?}"
            );
        }
        story(&self.world.log);
    }
}

fn fold(log: &[crate::acd::Record]) -> State {
    let mut state = State::default();
    for record in log {
        state.apply(record);
    }
    state
}

/// The log as a story: one agent a call, each assignment ended once, nothing after the end.
fn story(log: &[crate::acd::Record]) {
    let mut with: BTreeMap<CallId, Option<AgentId>> = BTreeMap::new();
    let mut out: BTreeMap<AssignmentId, CallId> = BTreeMap::new();
    let mut epoch = 0;
    for record in log {
        assert!(record.epoch >= epoch);
        epoch = record.epoch;
        match &record.fact {
            Fact::Started => out.clear(),
            Fact::Entered { call, .. } => assert!(with.insert(*call, None).is_none()),
            Fact::Assigned { assignment, call, .. } => {
                assert_eq!(with[call], None, "assigned while somebody had it");
                assert!(out.insert(*assignment, *call).is_none());
            }
            Fact::AssignmentEnded {
                assignment,
                how,
                call,
                ..
            } => {
                // An assignment made before a restart has no end in the log.
                assert!(out.remove(assignment).is_some(), "{assignment:?} ended twice");
                assert!(
                    *how != AssignmentEnd::Accepted || with[call].is_none(),
                    "two agents took {call:?}"
                );
            }
            Fact::Accepted { call, agent } => {
                assert_eq!(
                    with.insert(*call, Some(*agent)),
                    Some(None),
                    "two agents took {call:?}"
                );
            }
            Fact::HandedOver { call, to, .. } => {
                assert!(with.insert(*call, Some(*to)).flatten().is_some());
            }
            Fact::Returned { call, .. } => {
                assert!(with.insert(*call, None).flatten().is_some());
            }
            Fact::Left { call, how, .. } => {
                let agent = with.remove(call).expect("left once");
                if *how == Departure::Completed {
                    assert!(agent.is_some());
                }
            }
            _ => {}
        }
    }
    assert!(with.is_empty());
}

#[test]
fn the_invariants_hold_whatever_happens() {
    let (mut assigned, mut accepted, mut late, mut restarts) = (0, 0, 0, 0);
    for seed in seeds() {
        let result = std::panic::catch_unwind(|| {
            let mut chaos = Chaos::new(seed);
            chaos.come_to_work();
            for _ in 0..STEPS {
                chaos.step();
            }
            chaos.close();
            let count = |wanted: fn(&Fact) -> bool| {
                chaos
                    .world
                    .log
                    .iter()
                    .filter(|record| wanted(&record.fact))
                    .count()
            };
            (
                count(|fact| matches!(fact, Fact::Assigned { .. })),
                count(|fact| matches!(fact, Fact::Accepted { .. })),
                chaos.late_accepts,
                chaos.world.epoch as usize - 1,
            )
        });
        match result {
            Ok(counts) => {
                assigned += counts.0;
                accepted += counts.1;
                late += counts.2;
                restarts += counts.3;
            }
            Err(panic) => {
                eprintln!("seed {seed}");
                std::panic::resume_unwind(panic);
            }
        }
    }
    let each = seeds().count();
    println!("{assigned} assignments, {accepted} accepted, {late} answered too late, {restarts} restarts");
    let dense = assigned > 10 * each && accepted > 3 * each && late > each / 2 && restarts > each;
    assert!(dense || each < 100, "too little happens");
}

#[test]
fn a_log_replayed_from_any_snapshot_gives_the_same_state() {
    for seed in 0..20 {
        let mut chaos = Chaos::new(seed);
        for _ in 0..STEPS {
            chaos.step();
        }
        let log = &chaos.world.log;
        let whole = fold(log);
        for cut in (0..log.len()).step_by(7) {
            let mut state = fold(&log[..cut]);
            // The records after the snapshot, and some before it once more.
            for record in &log[cut.saturating_sub(5)..] {
                state.apply(record);
            }
            assert_eq!(state, whole);
        }
    }
}

#[test]
fn what_a_replaced_engine_says_changes_nothing() {
    let mut chaos = Chaos::new(3);
    for _ in 0..STEPS {
        chaos.step();
    }
    let mut state = chaos.world.acd.state().clone();
    state.epoch += 1;
    let before = state.clone();
    let record = crate::acd::Record {
        seq: state.seq + 1,
        epoch: state.epoch - 1,
        at: chaos.world.now,
        fact: Fact::Accepted {
            call: CallId(1),
            agent: AgentId(1),
        },
    };
    state.apply(&record);
    assert_eq!(state, before);
    let phase = |state: &State| {
        state
            .calls
            .values()
            .map(|call| call.phase)
            .collect::<Vec<Phase>>()
    };
    assert_eq!(phase(&state), phase(&before));
}
