//! Users, queues, pause reasons and dispositions: those of the file, which are changed there, and those that the API adds, which are
//! stored. A change is checked, made durable and put to work while calls go on, one after the other.

mod call_handling;
mod choices;
mod error;
mod load;
mod queues;
mod reload;
mod removal;
mod rows;
mod snapshot;
mod tables;
mod turn;
mod users;
mod validate;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::Mutex;

use crate::auth::Accounts;
use crate::centre::directory::Directory;
use crate::centre::signalling::Signalling;
use crate::centre::statistics::Statistics;
use crate::config::{Choice, Group, Queue};

pub use error::{Match, ProvisioningError};
pub use load::Loaded;
pub use reload::{accounts_of, put_account};
pub use rows::UserSettings;
pub use snapshot::Person;
use snapshot::Snapshot;
use tables::Tables;

/// Kinds of objects that can be changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Somebody.
    User,
    /// A queue, in which callers wait.
    Queue,
    /// A pause reason of agents.
    PauseReason,
    /// A disposition of calls.
    Disposition,
    /// Forwarding and do not disturb of a user.
    CallHandling,
}

impl Kind {
    const ALL: [Kind; 5] = [
        Kind::User,
        Kind::Queue,
        Kind::PauseReason,
        Kind::Disposition,
        Kind::CallHandling,
    ];

    /// In the store.
    const fn table(self) -> &'static str {
        match self {
            Kind::User => "user",
            Kind::Queue => "queue",
            Kind::PauseReason => "pause-reason",
            Kind::Disposition => "disposition",
            Kind::CallHandling => "call-handling",
        }
    }

    /// In events.
    const fn changed(self) -> &'static str {
        match self {
            Kind::User => "agents",
            Kind::Queue => "queues",
            Kind::PauseReason => "pause-reasons",
            Kind::Disposition => "dispositions",
            Kind::CallHandling => "call-handling",
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
    /// Directory that the call centre has. Whoever holds the lock makes the only change ([`turn::Turn`]).
    directory: Mutex<Arc<Directory>>,
    signalling: Arc<dyn Signalling>,
    accounts: Accounts,
    statistics: Arc<Statistics>,
}

impl fmt::Debug for Provisioning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Provisioning").finish_non_exhaustive()
    }
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

    /// Ring groups of the file.
    #[must_use]
    pub fn groups(&self) -> Vec<Group> {
        self.snapshot().config.groups.clone()
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

    fn snapshot(&self) -> Arc<Snapshot> {
        self.shared.snapshot()
    }
}

impl Shared {
    fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.snapshot.read().unwrap_or_else(PoisonError::into_inner))
    }
}
