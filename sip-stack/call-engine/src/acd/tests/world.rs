//! A call centre for tests: an engine, its log, and its outputs.

use std::time::Duration;

use sans_io::{Rng, Time};

use super::check;
use crate::acd::{
    Acd, AgentConfig, AgentId, AssignmentId, CallId, ConnId, Enqueue, Fact, Input, Intent, Membership,
    Output, Proficiency, QueueConfig, QueueId, Record, Settings, SkillId, State, Strategy,
};

pub(super) const QUEUE: QueueId = QueueId(1);

pub(super) struct World {
    pub(super) now: Time,
    pub(super) acd: Acd,
    pub(super) log: Vec<Record>,
    pub(super) said: Vec<Output>,
    pub(super) epoch: u64,
    next_conn: u64,
}

pub(super) fn agent(id: u32, queues: &[(u32, u8)]) -> AgentConfig {
    AgentConfig {
        id: AgentId(id),
        order: id,
        queues: queues
            .iter()
            .map(|(queue, tier)| Membership {
                queue: QueueId(*queue),
                tier: *tier,
                weight: 1,
            })
            .collect(),
        skills: Vec::new(),
        acd_on_direct: false,
    }
}

pub(super) fn skilled(id: u32, skills: &[(u32, u8)]) -> AgentConfig {
    AgentConfig {
        skills: skills
            .iter()
            .map(|(skill, level)| Proficiency {
                skill: SkillId(*skill),
                level: *level,
            })
            .collect(),
        ..agent(id, &[(1, 0)])
    }
}

pub(super) fn call(id: u64) -> Enqueue {
    Enqueue {
        call: CallId(id),
        queue: QUEUE,
        priority: 0,
        requires: Vec::new(),
        sticky: None,
        came: None,
    }
}

impl World {
    pub(super) fn new(settings: Settings, queues: Vec<QueueConfig>, agents: Vec<AgentConfig>) -> World {
        let mut world = World {
            now: Time::from_secs(1_000_000),
            acd: Acd::new(settings, 1, State::default(), Rng::seeded(7)),
            log: Vec::new(),
            said: Vec::new(),
            epoch: 1,
            next_conn: 0,
        };
        for queue in queues {
            world.tell(Input::SetQueue(Box::new(queue)));
        }
        for agent in agents {
            world.tell(Input::SetAgent(agent));
        }
        world.tell(Input::Start);
        world
    }

    /// One queue, and agents who serve it, all at work.
    pub(super) fn with(strategy: Strategy, agents: u32) -> World {
        World::of(
            QueueConfig::new(QUEUE, strategy),
            (1..=agents).map(|id| agent(id, &[(1, 0)])).collect(),
        )
    }

    pub(super) fn of(queue: QueueConfig, agents: Vec<AgentConfig>) -> World {
        let ids: Vec<AgentId> = agents.iter().map(|agent| agent.id).collect();
        let mut world = World::new(Settings::default(), vec![queue], agents);
        for id in ids {
            world.sign_in(id);
            world.pass(1);
        }
        world
    }

    /// Passes an input to the engine and returns its outputs, records apart.
    pub(super) fn tell(&mut self, input: Input) -> Vec<Output> {
        self.acd.handle_input(self.now, input);
        let mut said = Vec::new();
        loop {
            match self.acd.poll_output() {
                Output::Timeout(_) => break,
                Output::Record(record) => {
                    assert_eq!(
                        record.seq,
                        self.log.last().map_or(1, |last| last.seq + 1),
                        "a gap in the log"
                    );
                    self.log.push(record);
                }
                other => said.push(other),
            }
        }
        check::invariants(&self.acd, self.now);
        self.said.extend(said.iter().cloned());
        said
    }

    pub(super) fn sign_in(&mut self, agent: AgentId) {
        self.attach(agent);
        self.tell(Input::Intent {
            agent,
            intent: Intent::Available,
        });
    }

    pub(super) fn attach(&mut self, agent: AgentId) -> ConnId {
        self.next_conn += 1;
        let conn = ConnId(self.next_conn);
        self.tell(Input::Attached { agent, conn });
        conn
    }

    /// Lets time pass, deadline by deadline; pages give signs of life when asked.
    pub(super) fn pass(&mut self, seconds: u64) -> Vec<Output> {
        self.pass_until(self.now + Duration::from_secs(seconds))
    }

    pub(super) fn pass_until(&mut self, until: Time) -> Vec<Output> {
        let mut said = Vec::new();
        while let Output::Timeout(Some((at, _))) = self.acd.poll_output() {
            if at > until {
                break;
            }
            self.now = self.now.max(at);
            for output in self.tell(Input::Timeout) {
                if let Output::Probe { agent } = output {
                    said.extend(self.tell(Input::Proof { agent }));
                } else {
                    said.push(output);
                }
            }
        }
        self.now = until;
        said
    }

    /// Assignments that are out, as call and agent.
    pub(super) fn ringing(&self) -> Vec<(u64, u32)> {
        self.acd
            .assignments()
            .map(|(_, call, agent)| (call.0, agent.0))
            .collect()
    }

    pub(super) fn assignment_to(&self, agent: u32) -> AssignmentId {
        self.acd
            .assignments()
            .find(|(_, _, to)| to.0 == agent)
            .map(|(assignment, ..)| assignment)
            .unwrap_or_else(|| panic!("no assignment to {agent}"))
    }

    /// The agent takes the call that rings.
    pub(super) fn take(&mut self, agent: u32) -> CallId {
        let assignment = self.assignment_to(agent);
        self.tell(Input::Rung { assignment });
        let said = self.tell(Input::Accept { assignment });
        let call = said
            .iter()
            .find_map(|output| match output {
                Output::Connect { call, .. } => Some(*call),
                _ => None,
            })
            .expect("connected");
        self.tell(Input::Connected { call });
        call
    }

    pub(super) fn facts(&self) -> Vec<&Fact> {
        self.log.iter().map(|record| &record.fact).collect()
    }

    /// Kills the engine and starts another from the first records of the log.
    pub(super) fn restart(
        &mut self,
        keep: usize,
        settings: Settings,
        queues: &[QueueConfig],
        agents: &[AgentConfig],
    ) {
        self.log.truncate(keep);
        let mut state = State::default();
        for record in &self.log {
            // As a store would have it.
            let text = serde_json::to_string(record).expect("serialises");
            let record: Record = serde_json::from_str(&text).expect("reads back");
            state.apply(&record);
        }
        let text = serde_json::to_string(&state).expect("serialises");
        let state: State = serde_json::from_str(&text).expect("reads back");
        self.epoch += 1;
        self.acd = Acd::new(settings, self.epoch, state, Rng::seeded(self.epoch));
        for queue in queues {
            self.tell_unchecked(Input::SetQueue(Box::new(queue.clone())));
        }
        for agent in agents {
            self.tell_unchecked(Input::SetAgent(agent.clone()));
        }
        self.tell(Input::Start);
    }

    /// While configuration is not complete.
    fn tell_unchecked(&mut self, input: Input) {
        self.acd.handle_input(self.now, input);
        loop {
            match self.acd.poll_output() {
                Output::Timeout(_) => break,
                Output::Record(record) => self.log.push(record),
                other => self.said.push(other),
            }
        }
    }
}
