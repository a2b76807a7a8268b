//! Staff and queues of the call centre, by every name that they go by.

use std::collections::BTreeMap;
use std::time::Duration;

use call_engine::acd::metrics::ServiceLevel;
use call_engine::acd::{AgentConfig, AgentId, Membership, QueueConfig, QueueId, SkillId};

use super::view::{AgentName, QueueAlarms};
use crate::config::{Config, EngineIds, Queue, QueueRef, Role, Staff};

/// Somebody who works here.
#[derive(Clone, Debug, PartialEq)]
pub struct Person {
    /// In the API.
    pub id: String,
    /// Name that the user signs in and registers with.
    pub name: String,
    /// Name shown to people.
    pub display: String,
    /// Roles.
    pub roles: Vec<Role>,
    /// Settings of those who take calls.
    pub agent: Option<AgentConfig>,
}

/// A queue.
#[derive(Clone, Debug, PartialEq)]
pub struct QueueInfo {
    /// Id in the API.
    pub id: String,
    /// Name in the configuration.
    pub name: String,
    /// Name shown to people.
    pub display: String,
    /// Configuration for the engine.
    pub config: QueueConfig,
    /// Settings.
    pub settings: Queue,
}

impl QueueInfo {
    fn new(spec: &QueueSpec, ids: &EngineIds) -> QueueInfo {
        QueueInfo {
            id: spec.id.clone(),
            name: spec.queue.name.clone(),
            display: spec.queue.shown().to_owned(),
            config: spec.queue.engine(spec.number, ids),
            settings: spec.queue.clone(),
        }
    }

    /// Target of the service level.
    #[must_use]
    pub fn service_level(&self) -> ServiceLevel {
        ServiceLevel {
            target: self.settings.service_level,
            short: SHORT,
        }
    }

    /// Limits beyond which the wallboard warns.
    #[must_use]
    pub fn alarms(&self) -> QueueAlarms {
        let seconds = |wait: Duration| u32::try_from(wait.as_secs()).unwrap_or(u32::MAX);
        QueueAlarms {
            waiting: self.settings.alarm_waiting,
            oldest_s: self.settings.alarm_wait.map(seconds),
            service_level: self
                .settings
                .alarm_service_level
                .map(|percent| f64::from(percent) / 100.0),
        }
    }
}

/// Calls whose callers give up sooner do not count towards the service level.
const SHORT: Duration = Duration::from_secs(5);

fn agent_config(spec: &PersonSpec, order: usize, ids: &EngineIds) -> AgentConfig {
    let work = &spec.staff.agent;
    let queues = work.queues.iter().filter_map(|member| {
        Some(Membership {
            queue: ids.queue(&member.queue)?,
            tier: member.tier,
            weight: member.weight,
        })
    });
    AgentConfig {
        id: spec.number,
        order: u32::try_from(order).unwrap_or(u32::MAX),
        queues: queues.collect(),
        skills: ids.proficiencies(&work.skills),
        acd_on_direct: work.offers_in_direct_calls,
    }
}

/// A number for each skill that somebody has or a queue requires.
fn skills(people: &[PersonSpec], queues: &[QueueSpec]) -> BTreeMap<String, SkillId> {
    let names = people
        .iter()
        .flat_map(|spec| spec.staff.agent.skills.keys())
        .chain(queues.iter().flat_map(|spec| spec.queue.requires.keys()));
    let mut skills: BTreeMap<String, SkillId> = BTreeMap::new();
    for name in names {
        if !skills.contains_key(name) {
            let taken = |number| skills.values().any(|taken| *taken == SkillId(number));
            let number = number(name, taken);
            skills.insert(name.clone(), SkillId(number));
        }
    }
    skills
}

fn filled(display: &str, name: &str) -> String {
    if display.is_empty() { name } else { display }.to_owned()
}

/// A queue as it is configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueSpec {
    /// In the API.
    pub id: String,
    /// In the log.
    pub number: QueueId,
    /// Everything else.
    pub queue: Queue,
}

/// Somebody as they are configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PersonSpec {
    /// In the API.
    pub id: String,
    /// In the log, should they take calls.
    pub number: AgentId,
    /// Name that the user signs in and registers with.
    pub name: String,
    /// Name shown to people; the `name` if empty.
    pub display: String,
    /// Staff settings.
    pub staff: Staff,
}

/// Everybody and every queue.
#[derive(Clone, Debug, Default)]
pub struct Directory {
    people: BTreeMap<String, Person>,
    queues: BTreeMap<QueueId, QueueInfo>,
    /// Queues as they were configured.
    order: Vec<QueueId>,
    names: BTreeMap<String, String>,
    agents: BTreeMap<AgentId, String>,
    /// Agents who no longer work here, for showing their calls.
    former: BTreeMap<AgentId, Person>,
}

/// Numbers of what the file names have this bit; those that the store gives never grow so far.
const OF_FILE: u32 = 0x8000_0000;

/// The queues of a configuration file.
#[must_use]
pub fn queues_of(config: &Config) -> Vec<QueueSpec> {
    let mut specs: Vec<QueueSpec> = Vec::new();
    for queue in &config.queues {
        let taken = |number| specs.iter().any(|spec| spec.number == QueueId(number));
        let number = QueueId(number(&queue.name, taken));
        specs.push(QueueSpec {
            id: QueueRef::named(&queue.name).id().to_owned(),
            number,
            queue: queue.clone(),
        });
    }
    specs
}

/// Staff of a configuration file.
#[must_use]
pub fn people_of(config: &Config) -> Vec<PersonSpec> {
    let mut specs: Vec<PersonSpec> = Vec::new();
    for (name, staff) in &config.staff {
        let taken = |number| specs.iter().any(|spec| spec.number == AgentId(number));
        let number = AgentId(number(name, taken));
        let display = config.users.get(name).map(|user| user.display.clone());
        specs.push(PersonSpec {
            id: format!("usr_{name}"),
            number,
            name: name.clone(),
            display: display.unwrap_or_default(),
            staff: staff.clone(),
        });
    }
    specs
}

impl Directory {
    /// Directory of a configuration file.
    #[must_use]
    pub fn of(config: &Config) -> Directory {
        Directory::new(&people_of(config), &queues_of(config))
    }

    /// Directory of these users and queues. A queue that is named but does not exist is ignored.
    #[must_use]
    pub fn new(people: &[PersonSpec], queues: &[QueueSpec]) -> Directory {
        let mut directory = Directory::default();
        let ids = EngineIds {
            queues: queues
                .iter()
                .map(|spec| (QueueRef::from(spec.id.as_str()), spec.number))
                .collect(),
            skills: skills(people, queues),
        };
        for spec in queues {
            directory.add_queue(QueueInfo::new(spec, &ids));
        }
        let mut agents: Vec<&PersonSpec> = people
            .iter()
            .filter(|spec| spec.staff.roles.contains(&Role::Agent))
            .collect();
        agents.sort_by_key(|spec| (spec.staff.agent.order, &spec.name));
        let order: BTreeMap<&str, usize> = agents
            .iter()
            .enumerate()
            .map(|(n, spec)| (spec.name.as_str(), n))
            .collect();
        for spec in people.iter().filter(|spec| !spec.staff.roles.is_empty()) {
            let agent = order
                .get(spec.name.as_str())
                .map(|order| agent_config(spec, *order, &ids));
            directory.add_person(Person {
                id: spec.id.clone(),
                name: spec.name.clone(),
                display: filled(&spec.display, &spec.name),
                roles: spec.staff.roles.clone(),
                agent,
            });
        }
        directory
    }

    /// A directory after another one: users who are no longer in it are remembered as former.
    #[must_use]
    pub fn after(mut self, before: &Directory) -> Directory {
        let gone = before
            .people()
            .chain(before.former.values())
            .filter_map(|person| Some((person.agent.as_ref()?.id, person)))
            .filter(|(id, _)| !self.agents.contains_key(id));
        self.former = gone.map(|(id, person)| (id, person.clone())).collect();
        self
    }

    fn add_person(&mut self, person: Person) {
        self.names.insert(person.id.clone(), person.name.clone());
        if let Some(agent) = &person.agent {
            self.agents.insert(agent.id, person.name.clone());
        }
        self.people.insert(person.name.clone(), person);
    }

    fn add_queue(&mut self, queue: QueueInfo) {
        let id = queue.config.id;
        if self.queues.insert(id, queue).is_none() {
            self.order.push(id);
        }
    }

    /// Everybody, by name.
    pub fn people(&self) -> impl Iterator<Item = &Person> {
        self.people.values()
    }

    /// Every queue, in the order of their configuration.
    pub fn queues(&self) -> impl Iterator<Item = &QueueInfo> {
        self.order.iter().filter_map(|id| self.queues.get(id))
    }

    /// The user who signs in with this name.
    #[must_use]
    pub fn person(&self, name: &str) -> Option<&Person> {
        self.people.get(name)
    }

    /// The user with this id.
    #[must_use]
    pub fn person_by_id(&self, id: &str) -> Option<&Person> {
        self.people.get(self.names.get(id)?)
    }

    /// The agent with this number; also one who works here no more.
    #[must_use]
    pub fn agent(&self, agent: AgentId) -> Option<&Person> {
        match self.agents.get(&agent) {
            Some(name) => self.people.get(name),
            None => self.former.get(&agent),
        }
    }

    /// Name of an agent, for showing.
    #[must_use]
    pub fn agent_name(&self, agent: AgentId) -> Option<AgentName> {
        self.agent(agent).map(|person| AgentName {
            id: person.id.clone(),
            name: person.display.clone(),
        })
    }

    /// Name of the person of a user, for showing.
    #[must_use]
    pub fn user_name(&self, user: Option<&str>) -> Option<AgentName> {
        let person = self.person(user?)?;
        Some(AgentName {
            id: person.id.clone(),
            name: person.display.clone(),
        })
    }

    /// The number of the agent with this id.
    #[must_use]
    pub fn agent_by_id(&self, id: &str) -> Option<AgentId> {
        let agent = self.person_by_id(id)?.agent.as_ref()?;
        Some(agent.id)
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

    /// True if an agent works here now, and not only formerly.
    #[must_use]
    pub fn has_agent(&self, agent: AgentId) -> bool {
        self.agents.contains_key(&agent)
    }

    /// Queues that an agent serves.
    pub fn served_by(&self, agent: AgentId) -> impl Iterator<Item = QueueId> {
        let config = self.agent(agent).and_then(|person| person.agent.as_ref());
        let served = config.into_iter().flat_map(|config| &config.queues);
        served.map(|member| member.queue)
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

/// The number by which the log knows a name of the file: made from the name, so that it is the same at every start (FNV-1a). The
/// rare second name of a number has the next one.
fn number(name: &str, taken: impl Fn(u32) -> bool) -> u32 {
    let mut number = name.bytes().fold(0x811c_9dc5_u32, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    }) | OF_FILE;
    while taken(number) {
        number = number.wrapping_add(1) | OF_FILE;
    }
    number
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queues_stand_as_they_are_configured() {
        let directory = Directory::of(&Config::default());
        let names: Vec<&str> = directory.queues().map(|queue| queue.name.as_str()).collect();
        assert_eq!(names, ["support", "sales"]);
    }
}
