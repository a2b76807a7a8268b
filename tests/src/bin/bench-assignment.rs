//! Cost of a decision of call distribution: 10,000 agents who serve ten of 200 queues each, 100,000 waiting calls.

use std::time::{Duration, Instant};

use call_engine::acd::{
    Acd, AgentConfig, AgentId, CallId, ConnId, Enqueue, Input, Intent, Membership, Output, QueueConfig,
    QueueId, Settings, State, Strategy, Work,
};
use sans_io::{Rng, Time};

const AGENTS: u32 = 10_000;
const WAITING: u64 = 100_000;
const QUEUES: u32 = 200;
const DEGREE: u32 = 10;
/// Groups of agents who serve the same queues.
const CLASSES: u32 = 500;
const ROUNDS: usize = 100_000;

fn main() {
    println!(
        "{AGENTS} agents in {CLASSES} groups, {QUEUES} queues, {DEGREE} for each agent, {WAITING} calls wait"
    );
    let mut worst: f64 = 0.0;
    for (name, classes) in [("groups", CLASSES), ("every agent different", AGENTS)] {
        let mut bench = Bench::new(classes);
        bench.fill();
        worst = worst.max(report(
            &format!("{name}: an agent is free -> assignment"),
            bench.agents_ready(),
        ));
        worst = worst.max(report(
            &format!("{name}: a call comes -> assignment"),
            bench.calls_ready(),
        ));
        report(&format!("{name}: a caller gives up"), bench.callers_give_up());
    }
    println!("assignment p99_us {worst:.1}");
}

struct Bench {
    acd: Acd,
    now: Time,
    rng: Rng,
    next_call: u64,
}

impl Bench {
    fn new(classes: u32) -> Bench {
        let mut bench = Bench {
            acd: Acd::new(Settings::default(), 1, State::default(), Rng::seeded(1)),
            now: Time::from_secs(1_000_000),
            rng: Rng::seeded(2),
            next_call: 0,
        };
        for id in 0..QUEUES {
            let strategy = match id % 4 {
                0 => Strategy::LongestIdle,
                1 => Strategy::FewestCalls,
                2 => Strategy::RoundRobin,
                _ => Strategy::Random,
            };
            let mut queue = QueueConfig::new(QueueId(id), strategy);
            queue.wrap_up = Duration::ZERO;
            bench.tell(Input::SetQueue(Box::new(queue)));
        }
        for id in 0..AGENTS {
            let class = id % classes;
            // The lower half of the agents serves the lower half of the queues: one half will have more calls than agents,
            // the other more agents than calls.
            let half = QUEUES / 2 * (class % 2);
            let queues = (0..DEGREE)
                .map(|n| Membership {
                    queue: QueueId(half + (class / 2 + n * 7 + class / 100 * n) % (QUEUES / 2)),
                    tier: (n % 3) as u8,
                    weight: 1,
                })
                .collect();
            bench.tell(Input::SetAgent(AgentConfig {
                id: AgentId(id),
                order: id,
                queues,
                skills: Vec::new(),
                acd_on_direct: false,
            }));
        }
        bench.tell(Input::Start);
        bench
    }

    fn tell(&mut self, input: Input) -> Vec<Output> {
        self.acd.handle_input(self.now, input);
        let mut said = Vec::new();
        loop {
            match self.acd.poll_output() {
                Output::Timeout(_) => return said,
                Output::Record(_) => {}
                other => said.push(other),
            }
        }
    }

    fn enqueue(&mut self, queue: u32) -> Vec<Output> {
        self.now += Duration::from_micros(10);
        self.next_call += 1;
        let call = Enqueue {
            call: CallId(self.next_call),
            queue: QueueId(queue),
            priority: self.rng.below(3) as u8,
            requires: Vec::new(),
            sticky: None,
            came: None,
        };
        self.tell(Input::Enqueue(call))
    }

    /// The assignments that were made are accepted and the agents talk.
    fn take(&mut self, said: &[Output]) {
        for output in said {
            if let Output::Assign { assignment, call, .. } = *output {
                self.tell(Input::Accept { assignment });
                self.tell(Input::Connected { call });
            }
        }
    }

    fn fill(&mut self) {
        for id in 0..AGENTS {
            self.tell(Input::Attached {
                agent: AgentId(id),
                conn: ConnId(1),
            });
        }
        for _ in 0..WAITING {
            let queue = self.rng.below(u64::from(QUEUES / 2)) as u32;
            self.enqueue(queue);
        }
        for id in 0..AGENTS {
            let said = self.tell(Input::Intent {
                agent: AgentId(id),
                intent: Intent::Available,
            });
            self.take(&said);
        }
    }

    /// An agent's call ends; another one waits.
    fn agents_ready(&mut self) -> Vec<Duration> {
        let mut times = Vec::with_capacity(ROUNDS);
        while times.len() < ROUNDS {
            let agent = AgentId(self.rng.below(u64::from(AGENTS)) as u32);
            let Some(Work::Call(call)) = self.acd.state().agents.get(&agent).map(|agent| agent.work) else {
                continue;
            };
            let queue = self.rng.below(u64::from(QUEUES / 2)) as u32;
            self.enqueue(queue);
            let began = Instant::now();
            let said = self.tell(Input::Ended { call });
            let took = began.elapsed();
            let assignments = said
                .iter()
                .filter(|output| matches!(output, Output::Assign { .. }))
                .count();
            assert_eq!(assignments, 1);
            times.push(took);
            self.take(&said);
        }
        times
    }

    /// A call comes for which an agent is idle.
    fn calls_ready(&mut self) -> Vec<Duration> {
        let mut times = Vec::with_capacity(ROUNDS);
        for _ in 0..ROUNDS {
            let queue = QUEUES / 2 + self.rng.below(u64::from(QUEUES / 2)) as u32;
            let began = Instant::now();
            let said = self.enqueue(queue);
            let took = began.elapsed();
            let assigned = said.iter().find_map(|output| match output {
                Output::Assign { assignment, call, .. } => Some((*assignment, *call)),
                _ => None,
            });
            times.push(took);
            let (assignment, call) = assigned.expect("an agent is idle");
            self.tell(Input::Accept { assignment });
            self.tell(Input::Connected { call });
            self.tell(Input::Ended { call });
        }
        times
    }

    fn callers_give_up(&mut self) -> Vec<Duration> {
        let waiting: Vec<CallId> = (0..QUEUES / 2)
            .flat_map(|queue| self.acd.line(QueueId(queue)).step_by(10).collect::<Vec<_>>())
            .collect();
        waiting
            .into_iter()
            .map(|call| {
                let began = Instant::now();
                self.tell(Input::Ended { call });
                began.elapsed()
            })
            .collect()
    }
}

/// Prints and returns the 99th percentile, µs.
fn report(what: &str, mut times: Vec<Duration>) -> f64 {
    times.sort_unstable();
    let at = |percent: usize| times[(times.len() - 1) * percent / 100].as_secs_f64() * 1e6;
    println!(
        "{what:<45} p50 {:>6.2} us  p99 {:>6.2} us  max {:>8.1} us",
        at(50),
        at(99),
        at(100)
    );
    at(99)
}
