//! All configured objects: those of the file, and those added by the API.

use std::collections::BTreeMap;
use std::sync::Arc;

use call_engine::acd::{AgentId, QueueId};
use call_engine::{Action, DialPlan, Pattern, Rule};
use sans_io::Time;

use super::rows::UserRow;
use super::{Kind, Match, ProvisioningError};
use crate::auth::password::Password;
use crate::auth::{self, Role};
use crate::centre::directory::{Directory, PersonSpec, QueueSpec, people_of, queues_of};
use crate::config::{self, CallHandling, Choice, Config, Group, Queue, QueueRef, Staff, Work};
use crate::routing::Reach;

/// Object that the store has.
#[derive(Clone)]
pub(super) struct Stored<T> {
    pub(super) version: u64,
    /// Number in the log; 0 without one.
    pub(super) number: u32,
    /// Time at which it was added, microseconds.
    pub(super) created: u64,
    pub(super) body: T,
}

impl<T> Stored<T> {
    /// An object after a change; one that was not there before begins with version 1.
    pub(super) fn after(before: Option<&Stored<T>>, now: Time, number: u32, body: T) -> Stored<T> {
        Stored {
            version: before.map_or(0, |before| before.version) + 1,
            number,
            created: before.map_or(now.as_micros(), |before| before.created),
            body,
        }
    }
}

/// Configuration at one moment: the file, and what the API added.
#[derive(Clone)]
pub(super) struct Snapshot {
    pub(super) config: Arc<Config>,
    people: Arc<[PersonSpec]>,
    queues_of_file: Arc<[QueueSpec]>,
    pub(super) users: BTreeMap<String, Stored<UserRow>>,
    pub(super) queues: BTreeMap<String, Stored<Queue>>,
    /// Pause reasons and dispositions.
    pub(super) choices: BTreeMap<Kind, BTreeMap<String, Stored<Choice>>>,
    /// Call handling that users and admins set, by the user's id.
    pub(super) call_handling: BTreeMap<String, Stored<CallHandling>>,
}

/// A user without secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// In the API.
    pub id: String,
    /// Name that the user signs in and registers with.
    pub name: String,
    /// Name shown to people.
    pub display: String,
    /// Roles of the user.
    pub roles: Vec<Role>,
    /// Settings for taking calls.
    pub agent: Option<Work>,
    /// There is a password.
    pub signs_in: bool,
    /// There is a SIP password.
    pub has_phone: bool,
    /// Version of what is stored; `None`: defined by the file.
    pub version: Option<u64>,
}

impl Snapshot {
    pub(super) fn new(config: Config) -> Snapshot {
        Snapshot {
            people: people_of(&config).into(),
            queues_of_file: queues_of(&config).into(),
            config: Arc::new(config),
            users: BTreeMap::new(),
            queues: BTreeMap::new(),
            choices: BTreeMap::new(),
            call_handling: BTreeMap::new(),
        }
    }

    pub(super) fn directory(&self) -> Directory {
        let mut people = self.people.to_vec();
        people.extend(self.users.iter().map(|(id, user)| PersonSpec {
            id: id.clone(),
            number: AgentId(user.number),
            name: user.body.name.clone(),
            display: user.body.display.clone(),
            staff: Staff {
                roles: user.body.roles.iter().copied().map(of_api).collect(),
                agent: user.body.agent.clone(),
            },
        }));
        let mut queues = self.queues_of_file.to_vec();
        let mut stored: Vec<(&String, &Stored<Queue>)> = self.queues.iter().collect();
        stored.sort_by_key(|(_, queue)| queue.number);
        queues.extend(stored.into_iter().map(|(id, queue)| QueueSpec {
            id: id.clone(),
            number: QueueId(queue.number),
            queue: queue.body.clone(),
        }));
        Directory::new(&people, &queues)
    }

    /// Users who may register.
    pub(super) fn sip_users(&self) -> BTreeMap<String, session_core::User> {
        let mut users = self.config.users.clone();
        let stored = self.users.values().map(|user| &user.body);
        users.extend(stored.map(|user| (user.name.clone(), user.sip_user())));
        users
    }

    pub(super) fn plan(&self) -> DialPlan {
        let names: Vec<&String> = self.users.values().map(|user| &user.body.name).collect();
        let queues: Vec<&Queue> = self.queues.values().map(|queue| &queue.body).collect();
        let mut rules = Vec::new();
        if self.config.demo {
            // The demo phone has every number; those that are somebody's come before it.
            let plain = |text: &String| text.bytes().all(|byte| byte.is_ascii_digit());
            let numbers = queues
                .iter()
                .flat_map(|queue| {
                    let action = Action::Queue {
                        name: queue.name.clone(),
                        priority: None,
                    };
                    let called = [Some(&queue.name), queue.number.as_ref()].into_iter().flatten();
                    called.map(move |number| (number, action.clone()))
                })
                .chain(names.iter().map(|name| (*name, Action::User(None))));
            rules.extend(
                numbers
                    .filter(|(number, _)| plain(number))
                    .filter_map(|(number, action)| Some(Rule::new(Pattern::parse(number).ok()?, action))),
            );
        }
        rules.extend(self.config.rules.iter().cloned());
        let users = self.config.users.keys().chain(names);
        let here = (&self.config.groups[..], &self.config.park);
        config::plan(rules, users, self.config.queues.iter().chain(queues), here)
    }

    /// Call handling of users, ring groups and parking.
    pub(super) fn reach(&self) -> Reach {
        Reach::new(
            self.policies(),
            self.config.groups.iter().map(|group| group.ring.clone()),
            self.config.park.clone(),
        )
        .with_codes(self.config.feature_codes.clone())
    }

    /// The user with this id as an account, if the API added the user.
    pub(super) fn account(&self, id: &str) -> Option<auth::User> {
        let user = &self.users.get(id)?.body;
        Some(auth::User {
            id: id.to_owned(),
            name: user.name.clone(),
            display: user.shown().to_owned(),
            roles: user.roles.clone(),
            password: user.password.clone().map(Password::Hash),
        })
    }

    /// Everybody who works here, by id.
    pub(super) fn people(&self) -> BTreeMap<String, Person> {
        let of_file = self.people.iter().map(|spec| Person {
            id: spec.id.clone(),
            name: spec.name.clone(),
            display: if spec.display.is_empty() {
                spec.name.clone()
            } else {
                spec.display.clone()
            },
            roles: spec.staff.roles.iter().copied().map(to_api).collect(),
            agent: spec
                .staff
                .roles
                .contains(&config::Role::Agent)
                .then(|| spec.staff.agent.clone()),
            signs_in: true,
            has_phone: true,
            version: None,
        });
        let stored = self.users.iter().map(|(id, user)| {
            let mut agent = user.body.agent.clone();
            // Queues may have gone since.
            agent.queues.retain(|member| self.has_queue(&member.queue));
            Person {
                id: id.clone(),
                name: user.body.name.clone(),
                display: user.body.shown().to_owned(),
                roles: user.body.roles.clone(),
                agent: user.body.roles.contains(&Role::Agent).then_some(agent),
                signs_in: user.body.password.is_some(),
                has_phone: user.body.sip.is_some(),
                version: Some(user.version),
            }
        });
        of_file
            .chain(stored)
            .map(|person| (person.id.clone(), person))
            .collect()
    }

    fn is_person_of_file(&self, id: &str) -> bool {
        self.people.iter().any(|spec| spec.id == id)
    }

    /// The user with this id in the wanted version, if the API added it.
    pub(super) fn stored_user(&self, id: &str, wanted: Match) -> Result<&Stored<UserRow>, ProvisioningError> {
        match self.users.get(id) {
            _ if self.is_person_of_file(id) => Err(ProvisioningError::FromFile),
            Some(stored) => wanted.check(stored.version).map(|()| stored),
            None => Err(ProvisioningError::Unknown),
        }
    }

    /// The queue with this id in the wanted version, if the API added it.
    pub(super) fn stored_queue(&self, id: &str, wanted: Match) -> Result<&Stored<Queue>, ProvisioningError> {
        match self.queues.get(id) {
            Some(stored) => wanted.check(stored.version).map(|()| stored),
            None if self.has_queue(&id.into()) => Err(ProvisioningError::FromFile),
            None => Err(ProvisioningError::Unknown),
        }
    }

    /// Version of the choice with this code, if the API added it and it is the wanted one.
    pub(super) fn choice_version(
        &self,
        kind: Kind,
        code: &str,
        wanted: Match,
    ) -> Result<u64, ProvisioningError> {
        match self.choice(kind, code) {
            Some((_, Some(version))) => wanted.check(version).map(|()| version),
            Some((_, None)) => Err(ProvisioningError::FromFile),
            None => Err(ProvisioningError::Unknown),
        }
    }

    pub(super) fn queue(&self, id: &str) -> Option<(Queue, Option<u64>)> {
        if let Some(stored) = self.queues.get(id) {
            return Some((stored.body.clone(), Some(stored.version)));
        }
        let spec = self.queues_of_file.iter().find(|spec| spec.id == id)?;
        Some((spec.queue.clone(), None))
    }

    pub(super) fn has_queue(&self, queue: &QueueRef) -> bool {
        let id = queue.id();
        self.queues.contains_key(id) || self.queues_of_file.iter().any(|spec| spec.id == id)
    }

    fn all_queues(&self) -> impl Iterator<Item = (&str, &Queue)> {
        let of_file = self
            .queues_of_file
            .iter()
            .map(|spec| (spec.id.as_str(), &spec.queue));
        of_file.chain(self.queues.iter().map(|(id, stored)| (id.as_str(), &stored.body)))
    }

    /// A user, a queue or a ring group has this name.
    pub(super) fn is_name_taken(&self, name: &str) -> bool {
        self.group(name).is_some()
            || self.config.users.contains_key(name)
            || self.users.values().any(|user| user.body.name == name)
            || self
                .all_queues()
                .any(|(_, queue)| queue.name == name || queue.number.as_deref() == Some(name))
    }

    /// Owner of this number already, other than the queue `own`.
    pub(super) fn called(&self, number: &str, own: Option<&str>) -> Option<String> {
        let user = self.config.users.contains_key(number)
            || self.users.values().any(|user| user.body.name == number);
        if user {
            return Some(number.to_owned());
        }
        let queue = self
            .all_queues()
            .filter(|(id, _)| own != Some(*id))
            .find(|(_, queue)| queue.name == number || queue.number.as_deref() == Some(number))
            .map(|(_, queue)| queue.name.clone());
        queue.or_else(|| self.group(number).map(|group| group.ring.name.clone()))
    }

    /// The ring group that is called so.
    fn group(&self, called: &str) -> Option<&Group> {
        let mut groups = self.config.groups.iter();
        groups.find(|group| group.ring.name == called || group.number.as_deref() == Some(called))
    }

    /// Name of a queue whose calls go on to this one.
    pub(super) fn leads_to(&self, target: &QueueRef) -> Option<String> {
        let leads = |queue: &Queue| queue.references().iter().any(|(.., to)| *to == target);
        self.all_queues()
            .find(|(_, queue)| leads(queue))
            .map(|(_, queue)| queue.name.clone())
    }

    /// Somebody can sign in and configure.
    pub(super) fn has_admin(&self) -> bool {
        self.people()
            .values()
            .any(|person| person.signs_in && person.roles.contains(&Role::Admin))
    }

    fn choices_of_file(&self, kind: Kind) -> &[Choice] {
        match kind {
            Kind::PauseReason => &self.config.pause_reasons,
            Kind::Disposition => &self.config.dispositions,
            Kind::User | Kind::Queue | Kind::CallHandling => &[],
        }
    }

    /// Choices of the file first, then the others as they came.
    pub(super) fn choices(&self, kind: Kind) -> Vec<Choice> {
        let mut all = self.choices_of_file(kind).to_vec();
        let mut stored: Vec<&Stored<Choice>> = self
            .choices
            .get(&kind)
            .into_iter()
            .flatten()
            .map(|(_, c)| c)
            .collect();
        stored.sort_by_key(|choice| choice.created);
        all.extend(
            stored
                .into_iter()
                .map(|choice| choice.body.clone())
                .filter(|choice| {
                    !self
                        .choices_of_file(kind)
                        .iter()
                        .any(|other| other.code == choice.code)
                }),
        );
        all
    }

    pub(super) fn choice(&self, kind: Kind, code: &str) -> Option<(Choice, Option<u64>)> {
        let of_file = self
            .choices_of_file(kind)
            .iter()
            .find(|choice| choice.code == code);
        if let Some(choice) = of_file {
            return Some((choice.clone(), None));
        }
        let stored = self.choices.get(&kind)?.get(code)?;
        Some((stored.body.clone(), Some(stored.version)))
    }
}

fn of_api(role: Role) -> config::Role {
    match role {
        Role::Agent => config::Role::Agent,
        Role::Supervisor => config::Role::Supervisor,
        Role::Admin => config::Role::Admin,
    }
}

fn to_api(role: config::Role) -> Role {
    match role {
        config::Role::Agent => Role::Agent,
        config::Role::Supervisor => Role::Supervisor,
        config::Role::Admin => Role::Admin,
    }
}
