//! Who works in the call centre and which queues there are, by every name that they go by.

use std::collections::BTreeMap;
use std::time::Duration;

use call_engine::acd::metrics::ServiceLevel;
use call_engine::acd::{AgentConfig, AgentId, Membership, QueueConfig, QueueId, Target};

use super::view::QueueAlarms;
use crate::config::{Config, Overflow, Role};

/// Somebody who works here.
#[derive(Clone, Debug, PartialEq)]
pub struct Person {
    /// In the API.
    pub id: String,
    /// Signs in and registers as.
    pub name: String,
    /// For people.
    pub display: String,
    /// What they may do.
    pub roles: Vec<Role>,
    /// Of those who take calls.
    pub agent: Option<AgentConfig>,
}

/// A queue.
#[derive(Clone, Debug)]
pub struct QueueInfo {
    /// In the API.
    pub id: String,
    /// In configuration.
    pub name: String,
    /// For people.
    pub display: String,
    /// For the engine.
    pub config: QueueConfig,
    /// What counts as in time.
    pub level: ServiceLevel,
    /// When to alarm.
    pub alarms: QueueAlarms,
}

/// Everybody and every queue.
#[derive(Clone, Debug, Default)]
pub struct Directory {
    people: BTreeMap<String, Person>,
    queues: BTreeMap<QueueId, QueueInfo>,
    names: BTreeMap<String, String>,
    agents: BTreeMap<AgentId, String>,
}

impl Directory {
    /// What a configuration says.
    #[must_use]
    pub fn of(config: &Config) -> Directory {
        let mut directory = Directory::default();
        let mut numbers = BTreeMap::new();
        for queue in &config.queues {
            let taken = |number| numbers.values().any(|taken| *taken == QueueId(number));
            numbers.insert(queue.name.clone(), QueueId(number(&queue.name, taken)));
        }
        for queue in &config.queues {
            let mut engine = QueueConfig::new(numbers[&queue.name], queue.strategy);
            engine.ring = queue.ring;
            engine.wrap_up = queue.wrap_up;
            engine.max_wait = queue.max_wait;
            engine.max_length = queue.max_length;
            engine.leave_when_empty = queue.leave_when_empty;
            engine.overflow = match &queue.overflow {
                Overflow::Queue(name) => numbers.get(name).map_or(Target::HangUp, |id| Target::Queue(*id)),
                Overflow::Number(number) => Target::Number(number.clone()),
                Overflow::HangUp => Target::HangUp,
            };
            directory.add_queue(QueueInfo {
                id: format!("que_{}", queue.name),
                name: queue.name.clone(),
                display: queue.display.clone(),
                config: engine,
                level: ServiceLevel {
                    target: queue.service_level,
                    short: Duration::from_secs(5),
                },
                alarms: QueueAlarms {
                    waiting: queue.alarm_waiting,
                    oldest_s: queue
                        .alarm_wait
                        .map(|wait| u32::try_from(wait.as_secs()).unwrap_or(u32::MAX)),
                    service_level: queue
                        .alarm_service_level
                        .map(|percent| f64::from(percent) / 100.0),
                },
            });
        }
        for (order, (name, staff)) in config.staff.iter().enumerate() {
            let agent = staff.roles.contains(&Role::Agent).then(|| AgentConfig {
                id: AgentId(number(name, |number| {
                    directory.agents.contains_key(&AgentId(number))
                })),
                order: u32::try_from(order).unwrap_or(u32::MAX),
                queues: staff
                    .queues
                    .iter()
                    .filter_map(|(queue, tier)| {
                        numbers.get(queue).map(|queue| Membership {
                            queue: *queue,
                            tier: *tier,
                            weight: 1,
                        })
                    })
                    .collect(),
                skills: Vec::new(),
                acd_on_direct: false,
            });
            let display = config
                .users
                .get(name)
                .map(|user| user.display.clone())
                .unwrap_or_default();
            directory.add_person(Person {
                id: format!("usr_{name}"),
                name: name.clone(),
                display: if display.is_empty() { name.clone() } else { display },
                roles: staff.roles.clone(),
                agent,
            });
        }
        directory
    }

    fn add_person(&mut self, person: Person) {
        self.names.insert(person.id.clone(), person.name.clone());
        if let Some(agent) = &person.agent {
            self.agents.insert(agent.id, person.name.clone());
        }
        self.people.insert(person.name.clone(), person);
    }

    fn add_queue(&mut self, queue: QueueInfo) {
        self.queues.insert(queue.config.id, queue);
    }

    /// Everybody, by name.
    pub fn people(&self) -> impl Iterator<Item = &Person> {
        self.people.values()
    }

    /// Every queue.
    pub fn queues(&self) -> impl Iterator<Item = &QueueInfo> {
        self.queues.values()
    }

    /// Who signs in as this.
    #[must_use]
    pub fn person(&self, name: &str) -> Option<&Person> {
        self.people.get(name)
    }

    /// Who has this id.
    #[must_use]
    pub fn person_by_id(&self, id: &str) -> Option<&Person> {
        self.people.get(self.names.get(id)?)
    }

    /// The agent with this number.
    #[must_use]
    pub fn agent(&self, agent: AgentId) -> Option<&Person> {
        self.people.get(self.agents.get(&agent)?)
    }

    /// The number of the agent of this name.
    #[must_use]
    pub fn agent_of(&self, name: &str) -> Option<AgentId> {
        self.people.get(name)?.agent.as_ref().map(|agent| agent.id)
    }

    /// The queue with this number.
    #[must_use]
    pub fn queue(&self, queue: QueueId) -> Option<&QueueInfo> {
        self.queues.get(&queue)
    }

    /// The queue with this id.
    #[must_use]
    pub fn queue_by_id(&self, id: &str) -> Option<&QueueInfo> {
        self.queues.values().find(|queue| queue.id == id)
    }

    /// The queue of this name.
    #[must_use]
    pub fn queue_by_name(&self, name: &str) -> Option<&QueueInfo> {
        self.queues.values().find(|queue| queue.name == name)
    }

    /// Agents who serve a queue.
    pub fn serving(&self, queue: QueueId) -> impl Iterator<Item = &Person> {
        self.people.values().filter(move |person| {
            person
                .agent
                .as_ref()
                .is_some_and(|agent| agent.queues.iter().any(|member| member.queue == queue))
        })
    }
}

/// The number by which the log knows a name: made from the name, so that it is the same at every start (FNV-1a). The rare second
/// name of a number has the next one.
fn number(name: &str, taken: impl Fn(u32) -> bool) -> u32 {
    let mut number = name.bytes().fold(0x811c_9dc5_u32, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    });
    while taken(number) {
        number = number.wrapping_add(1);
    }
    number
}
