//! Users, queues, pause reasons and dispositions: those of the file, which are changed there, and those that the API adds, which are
//! kept in the store. A change is checked, made durable and put to work while calls go on, one after the other.

mod error;
mod load;
mod reload;
mod rows;
mod snapshot;
mod validate;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError, RwLock};

use sans_io::Time;
use serde_json::Value;
use tokio::sync::{Mutex, oneshot};

use crate::auth::{Accounts, new_id};
use crate::centre::command::{Asked, By, Command, Reconfiguration, Refused};
use crate::centre::directory::Directory;
use crate::centre::signalling::Signalling;
use crate::centre::statistics::Statistics;
use crate::config::{Choice, Queue};
use crate::store::{Expect, Put};

pub use error::{Match, ProvisioningError};
pub use load::Loaded;
use load::Tables;
pub use reload::{accounts_of, put_account};
pub use rows::UserSettings;
use rows::{SipKeys, UserRow};
pub use snapshot::Person;
use snapshot::{Kept, Snapshot};

/// Users that may be added.
const MAX_USERS: usize = 10_000;
/// Queues that may be added.
const MAX_QUEUES: usize = 1_000;
/// Pause reasons that may be added, and dispositions.
const MAX_CHOICES: usize = 200;

/// Kinds of objects that can be changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Somebody.
    User,
    /// A queue, in which callers wait.
    Queue,
    /// Why agents pause.
    PauseReason,
    /// A disposition of calls.
    Disposition,
}

impl Kind {
    const ALL: [Kind; 4] = [Kind::User, Kind::Queue, Kind::PauseReason, Kind::Disposition];

    /// In the store.
    const fn table(self) -> &'static str {
        match self {
            Kind::User => "user",
            Kind::Queue => "queue",
            Kind::PauseReason => "pause-reason",
            Kind::Disposition => "disposition",
        }
    }

    /// In events.
    const fn changed(self) -> &'static str {
        match self {
            Kind::User => "agents",
            Kind::Queue => "queues",
            Kind::PauseReason => "pause-reasons",
            Kind::Disposition => "dispositions",
        }
    }
}

/// Provisioning of a gateway. Clones are handles of one.
#[derive(Clone)]
pub struct Provisioning {
    shared: Arc<Shared>,
}

struct Shared {
    snapshot: RwLock<Arc<Snapshot>>,
    tables: Tables,
    /// Directory that the call centre has; its lock makes changes come one after the other.
    turn: Mutex<Arc<Directory>>,
    signalling: Arc<dyn Signalling>,
    accounts: Accounts,
    statistics: Arc<Statistics>,
}

impl fmt::Debug for Provisioning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Provisioning").finish_non_exhaustive()
    }
}

/// Row to be written.
struct Write<'a> {
    kind: Kind,
    id: &'a str,
    /// None: it goes.
    body: Option<Value>,
    name: Option<&'a str>,
    number: Option<u32>,
    /// None: it is new.
    version: Option<u64>,
}

impl Provisioning {
    /// True if somebody can sign in and configure.
    #[must_use]
    pub fn has_admin(&self) -> bool {
        self.snapshot().has_admin()
    }

    /// Everybody who works here, by id.
    #[must_use]
    pub fn people(&self) -> BTreeMap<String, Person> {
        self.snapshot().people()
    }

    /// Settings of a queue, with their version; no version: defined by the file.
    #[must_use]
    pub fn queue(&self, id: &str) -> Option<(Queue, Option<u64>)> {
        self.snapshot().queue(id)
    }

    /// Choices there are.
    #[must_use]
    pub fn choices(&self, kind: Kind) -> Vec<Choice> {
        self.snapshot().choices(kind)
    }

    /// One of it, and its version; none: the file says so.
    #[must_use]
    pub fn choice(&self, kind: Kind, code: &str) -> Option<(Choice, Option<u64>)> {
        self.snapshot().choice(kind, code)
    }

    /// Adds a user, or changes one. The id and the version that it has then.
    ///
    /// # Errors
    /// [`ProvisioningError`].
    pub async fn put_user(
        &self,
        now: Time,
        known: Option<(&str, Match)>,
        settings: UserSettings,
    ) -> Result<(String, u64), ProvisioningError> {
        let mut turn = self.shared.turn.lock().await;
        let before = self.snapshot();
        let kept = match known {
            Some((id, _)) if before.is_person_of_file(id) => return Err(ProvisioningError::FromFile),
            Some((id, wanted)) => {
                let kept = before.users.get(id).ok_or(ProvisioningError::Unknown)?;
                wanted.check(kept.version)?;
                Some(kept.clone())
            }
            None => None,
        };
        let mut wrong = validate::user(&settings, &before);
        match &kept {
            Some(kept) if kept.body.name != settings.name => wrong.push(never("name")),
            _ => {}
        }
        if !wrong.is_empty() {
            return Err(ProvisioningError::Invalid(wrong));
        }
        if kept.is_none() {
            if before.is_name_taken(&settings.name) {
                return Err(ProvisioningError::Taken);
            }
            if before.users.len() >= MAX_USERS {
                return Err(ProvisioningError::TooMany);
            }
        }
        let id = match known {
            Some((id, _)) => id.to_owned(),
            None => new_id("usr_")?,
        };
        let password = match &settings.password {
            Some(password) => Some(self.shared.accounts.passwords().hash(password).await?),
            None => kept.as_ref().and_then(|kept| kept.body.password.clone()),
        };
        let sip = match settings.sip_password.as_deref() {
            Some("") => None,
            Some(password) => SipKeys::of(&settings.name, &before.config.realm, password),
            None => kept.as_ref().and_then(|kept| kept.body.sip.clone()),
        };
        let again: Vec<String> = kept
            .iter()
            .filter(|kept| kept.body.password != password)
            .map(|kept| kept.body.name.clone())
            .collect();
        let mut roles = settings.roles;
        roles.sort_unstable();
        let body = UserRow {
            name: settings.name,
            display: settings.display,
            roles,
            agent: settings.agent,
            password,
            sip,
        };
        let version = kept.as_ref().map(|kept| kept.version);
        let number = match &kept {
            Some(kept) => kept.number,
            None => self.next_number(Kind::User).await?,
        };
        let mut after = Snapshot::clone(&before);
        let new = Kept {
            version: version.unwrap_or(0) + 1,
            number,
            created: kept.as_ref().map_or(now.as_micros(), |kept| kept.created),
            body: body.clone(),
        };
        after.users.insert(id.clone(), new);
        if before.has_admin() && !after.has_admin() {
            return Err(ProvisioningError::LastAdmin);
        }
        let write = Write {
            kind: Kind::User,
            id: &id,
            body: json(&body)?,
            name: Some(&body.name),
            number: Some(number),
            version,
        };
        let version = self.change(now, &mut turn, after, write, again).await?;
        Ok((id, version))
    }

    /// Adds a queue, or changes one. The id and the version that it has then.
    ///
    /// # Errors
    /// [`ProvisioningError`].
    pub async fn put_queue(
        &self,
        now: Time,
        known: Option<(&str, Match)>,
        queue: Queue,
    ) -> Result<(String, u64), ProvisioningError> {
        let mut turn = self.shared.turn.lock().await;
        let before = self.snapshot();
        let kept = match known {
            Some((id, wanted)) => Some(before.kept_queue(id, wanted)?.clone()),
            None => None,
        };
        let mut wrong = validate::queue(&queue, known.map(|(id, _)| id), &before);
        match &kept {
            Some(kept) if kept.body.name != queue.name => wrong.push(never("name")),
            _ => {}
        }
        if !wrong.is_empty() {
            return Err(ProvisioningError::Invalid(wrong));
        }
        if kept.is_none() {
            if before.is_name_taken(&queue.name) {
                return Err(ProvisioningError::Taken);
            }
            if before.queues.len() >= MAX_QUEUES {
                return Err(ProvisioningError::TooMany);
            }
        }
        let id = match known {
            Some((id, _)) => id.to_owned(),
            None => new_id("que_")?,
        };
        let version = kept.as_ref().map(|kept| kept.version);
        let number = match &kept {
            Some(kept) => kept.number,
            None => self.next_number(Kind::Queue).await?,
        };
        let mut after = Snapshot::clone(&before);
        let new = Kept {
            version: version.unwrap_or(0) + 1,
            number,
            created: kept.as_ref().map_or(now.as_micros(), |kept| kept.created),
            body: queue.clone(),
        };
        after.queues.insert(id.clone(), new);
        let write = Write {
            kind: Kind::Queue,
            id: &id,
            body: json(&queue)?,
            name: Some(&queue.name),
            number: Some(number),
            version,
        };
        let version = self.change(now, &mut turn, after, write, Vec::new()).await?;
        Ok((id, version))
    }

    /// Adds something to choose, or changes it. The version that it has then.
    ///
    /// # Errors
    /// [`ProvisioningError`].
    pub async fn put_choice(
        &self,
        now: Time,
        kind: Kind,
        known: Option<(&str, Match)>,
        choice: Choice,
    ) -> Result<u64, ProvisioningError> {
        let mut turn = self.shared.turn.lock().await;
        let before = self.snapshot();
        let version = match known {
            Some((code, wanted)) => Some(before.choice_version(kind, code, wanted)?),
            None => None,
        };
        let mut wrong = validate::choice(&choice);
        if known.is_some_and(|(code, _)| code != choice.code) {
            wrong.push(never("code"));
        }
        if !wrong.is_empty() {
            return Err(ProvisioningError::Invalid(wrong));
        }
        if known.is_none() {
            if before.choice(kind, &choice.code).is_some() {
                return Err(ProvisioningError::Taken);
            }
            if before.choices.get(&kind).map_or(0, BTreeMap::len) >= MAX_CHOICES {
                return Err(ProvisioningError::TooMany);
            }
        }
        let mut after = Snapshot::clone(&before);
        let all = after.choices.entry(kind).or_default();
        let new = Kept {
            version: version.unwrap_or(0) + 1,
            number: 0,
            created: all.get(&choice.code).map_or(now.as_micros(), |kept| kept.created),
            body: choice.clone(),
        };
        all.insert(choice.code.clone(), new);
        let write = Write {
            kind,
            id: &choice.code,
            body: json(&choice)?,
            name: None,
            number: None,
            version,
        };
        self.change(now, &mut turn, after, write, Vec::new()).await
    }

    /// Removes something.
    ///
    /// # Errors
    /// [`ProvisioningError`].
    pub async fn remove(
        &self,
        now: Time,
        kind: Kind,
        id: &str,
        wanted: Match,
    ) -> Result<(), ProvisioningError> {
        let mut turn = self.shared.turn.lock().await;
        let before = self.snapshot();
        let mut after = Snapshot::clone(&before);
        let version = match kind {
            Kind::User => {
                if before.is_person_of_file(id) {
                    return Err(ProvisioningError::FromFile);
                }
                let kept = after.users.remove(id).ok_or(ProvisioningError::Unknown)?;
                wanted.check(kept.version)?;
                if before.has_admin() && !after.has_admin() {
                    return Err(ProvisioningError::LastAdmin);
                }
                kept.version
            }
            Kind::Queue => {
                let version = before.kept_queue(id, wanted)?.version;
                after.queues.remove(id);
                if let Some(other) = after.leads_to(id) {
                    return Err(ProvisioningError::InUse(other));
                }
                version
            }
            Kind::PauseReason | Kind::Disposition => {
                let version = before.choice_version(kind, id, wanted)?;
                if let Some(all) = after.choices.get_mut(&kind) {
                    all.remove(id);
                }
                version
            }
        };
        let write = Write {
            kind,
            id,
            body: None,
            name: None,
            number: None,
            version: Some(version),
        };
        self.change(now, &mut turn, after, write, Vec::new())
            .await
            .map(|_| ())
    }

    /// Makes a change durable and applies it. The call centre may refuse the removal of a user or a queue, so
    /// it is asked first then; other changes reach it once they are durable.
    async fn change(
        &self,
        now: Time,
        current: &mut Arc<Directory>,
        after: Snapshot,
        write: Write<'_>,
        again: Vec<String>,
    ) -> Result<u64, ProvisioningError> {
        let (kind, id) = (write.kind, write.id);
        let directory = Arc::new(after.directory());
        let takes_away = current
            .people()
            .filter_map(|person| person.agent.as_ref())
            .any(|agent| !directory.has_agent(agent.id))
            || current
                .queues()
                .any(|queue| directory.queue(queue.config.id).is_none());
        let version = if takes_away {
            self.reconfigure(kind, &after, &directory, again).await?;
            match self.write(now, &write).await {
                Ok(version) => version,
                Err(error) => {
                    // The object stays: its removal is undone.
                    let before = self.snapshot();
                    self.reconfigure(kind, &before, current, Vec::new()).await?;
                    return Err(error);
                }
            }
        } else {
            let version = self.write(now, &write).await?;
            self.reconfigure(kind, &after, &directory, again).await?;
            version
        };
        if kind == Kind::User {
            match after.account(id) {
                Some(account) => {
                    self.shared.accounts.put_user(account);
                }
                None => {
                    self.shared.accounts.remove_user(id);
                }
            }
        }
        self.shared.statistics.set_directory(Arc::clone(&directory));
        *current = directory;
        *self
            .shared
            .snapshot
            .write()
            .unwrap_or_else(PoisonError::into_inner) = Arc::new(after);
        Ok(version)
    }

    async fn write(&self, now: Time, write: &Write<'_>) -> Result<u64, ProvisioningError> {
        let Tables::Stored(tables) = &self.shared.tables else {
            return Ok(write.version.unwrap_or(0) + 1);
        };
        let table = tables.get(&write.kind).ok_or(ProvisioningError::Unavailable)?;
        let Some(body) = &write.body else {
            table.delete(write.id, write.version).await?;
            return Ok(0);
        };
        let put = Put {
            id: write.id,
            name: write.name,
            number: write.number,
            body,
            now_micros: now.as_micros(),
        };
        let expect = write.version.map_or(Expect::Absent, Expect::Version);
        Ok(table.put(put, expect).await?)
    }

    /// Configures the signalling task, and waits until that is done and published.
    async fn reconfigure(
        &self,
        kind: Kind,
        snapshot: &Snapshot,
        directory: &Arc<Directory>,
        again: Vec<String>,
    ) -> Result<(), ProvisioningError> {
        let reconfiguration = Reconfiguration {
            directory: Arc::clone(directory),
            plan: snapshot.plan(),
            users: snapshot.sip_users(),
            again,
            what: vec![kind.changed()],
            settings: None,
        };
        self.apply(reconfiguration).await
    }

    /// Has the call centre apply a configuration.
    async fn apply(&self, reconfiguration: Reconfiguration) -> Result<(), ProvisioningError> {
        let (reply, answer) = oneshot::channel();
        let asked = Asked {
            by: By::Gateway,
            command: Command::Reconfigure(Box::new(reconfiguration)),
            reply,
        };
        let gone = || ProvisioningError::Refused(Refused::Busy);
        self.shared.signalling.send(asked).await.map_err(|_| gone())?;
        match answer.await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(refused)) => Err(ProvisioningError::Refused(refused)),
            Err(_) => Err(gone()),
        }
    }

    async fn next_number(&self, kind: Kind) -> Result<u32, ProvisioningError> {
        match &self.shared.tables {
            Tables::Stored(tables) => {
                let table = tables.get(&kind).ok_or(ProvisioningError::Unavailable)?;
                Ok(table.next_number().await?)
            }
            Tables::Memory(last) => Ok(last.fetch_add(1, Ordering::Relaxed) + 1),
        }
    }

    fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(
            &self
                .shared
                .snapshot
                .read()
                .unwrap_or_else(PoisonError::into_inner),
        )
    }
}

impl Snapshot {
    fn kept_queue(&self, id: &str, wanted: Match) -> Result<&Kept<Queue>, ProvisioningError> {
        match self.queues.get(id) {
            Some(kept) => wanted.check(kept.version).map(|()| kept),
            None if self.has_queue(id) => Err(ProvisioningError::FromFile),
            None => Err(ProvisioningError::Unknown),
        }
    }

    fn choice_version(&self, kind: Kind, code: &str, wanted: Match) -> Result<u64, ProvisioningError> {
        match self.choice(kind, code) {
            Some((_, Some(version))) => wanted.check(version).map(|()| version),
            Some((_, None)) => Err(ProvisioningError::FromFile),
            None => Err(ProvisioningError::Unknown),
        }
    }
}

fn never(field: &str) -> (String, String) {
    (field.to_owned(), "cannot be changed".to_owned())
}

fn json<T: serde::Serialize>(body: &T) -> Result<Option<Value>, ProvisioningError> {
    serde_json::to_value(body)
        .map(Some)
        .map_err(|_| ProvisioningError::Unavailable)
}
