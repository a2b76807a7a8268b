//! Loading of what was configured before.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, RwLock};

use call_engine::DialPlan;
use serde_json::Value;
use tokio::sync::Mutex;

use super::rows::UserRow;
use super::snapshot::{Snapshot, Stored};
use super::tables::Tables;
use super::{Kind, Provisioning, Shared};
use crate::auth::Accounts;
use crate::auth::User;
use crate::centre::directory::Directory;
use crate::centre::signalling::Signalling;
use crate::centre::statistics::Statistics;
use crate::config::{CallHandling, Choice, Config, Queue};
use crate::routing::Reach;
use crate::store::{Object, Store, StoreError};

/// Configuration to begin with: the file, and what the store adds.
pub struct Loaded {
    snapshot: Snapshot,
    tables: Tables,
    directory: Arc<Directory>,
}

impl Loaded {
    /// The file and the additions in the store. Without a store, additions last until the gateway ends.
    ///
    /// # Errors
    /// Errors of the store.
    pub async fn read(config: Config, store: Option<&Store>) -> Result<Loaded, StoreError> {
        let tables = Tables::new(store);
        let snapshot = Snapshot::read(config, &tables).await?;
        let directory = Arc::new(snapshot.directory());
        Ok(Loaded {
            snapshot,
            tables,
            directory,
        })
    }

    /// Agents and queues.
    #[must_use]
    pub fn directory(&self) -> Arc<Directory> {
        Arc::clone(&self.directory)
    }

    /// Users who may register.
    #[must_use]
    pub fn sip_users(&self) -> BTreeMap<String, session_core::User> {
        self.snapshot.sip_users()
    }

    /// Dial plan.
    #[must_use]
    pub fn plan(&self) -> DialPlan {
        self.snapshot.plan()
    }

    /// Call handling of users, and ring groups.
    #[must_use]
    pub fn reach(&self) -> Reach {
        self.snapshot.reach()
    }

    /// Accounts of the users whom the API added.
    pub fn accounts(&self) -> impl Iterator<Item = User> + '_ {
        self.snapshot
            .users
            .keys()
            .filter_map(|id| self.snapshot.account(id))
    }

    /// Makes and applies changes from now on.
    #[must_use]
    pub fn start(
        self,
        signalling: Arc<dyn Signalling>,
        accounts: Accounts,
        statistics: Arc<Statistics>,
    ) -> Provisioning {
        Provisioning {
            shared: Arc::new(Shared {
                snapshot: RwLock::new(Arc::new(self.snapshot)),
                tables: self.tables,
                directory: Mutex::new(self.directory),
                signalling,
                accounts,
                statistics,
            }),
        }
    }
}

impl fmt::Debug for Loaded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Loaded").finish_non_exhaustive()
    }
}

impl Snapshot {
    /// Reads what the store adds to a file.
    pub(super) async fn read(config: Config, tables: &Tables) -> Result<Snapshot, StoreError> {
        let mut snapshot = Snapshot::new(config);
        for kind in Kind::ALL {
            tables.read(kind, |row| snapshot.take(kind, row)).await?;
        }
        Ok(snapshot)
    }

    /// The same additions, under another file.
    pub(super) fn under(&self, config: Config) -> Snapshot {
        let mut snapshot = Snapshot::new(config);
        for (id, user) in &self.users {
            if !snapshot.is_name_taken(&user.body.name) {
                snapshot.users.insert(id.clone(), user.clone());
            }
        }
        for (id, queue) in &self.queues {
            if !snapshot.is_name_taken(&queue.body.name) {
                snapshot.queues.insert(id.clone(), queue.clone());
            }
        }
        snapshot.choices.clone_from(&self.choices);
        snapshot.call_handling.clone_from(&self.call_handling);
        snapshot
    }

    fn take(&mut self, kind: Kind, row: Object<Value>) -> Result<(), StoreError> {
        let corrupt = |_| StoreError::Corrupt(format!("{} has another shape", row.id));
        let (id, version, created) = (row.id.clone(), row.version, row.created_micros);
        let number = row.number.unwrap_or(0);
        match kind {
            Kind::User => {
                let body: UserRow = serde_json::from_value(row.body).map_err(corrupt)?;
                if self.is_name_taken(&body.name) {
                    tracing::warn!(
                        user = body.name,
                        "the file defines this name: the user added by the API is ignored"
                    );
                    return Ok(());
                }
                self.users.insert(id, stored(version, number, created, body));
            }
            Kind::Queue => {
                let body: Queue = serde_json::from_value(row.body).map_err(corrupt)?;
                if self.is_name_taken(&body.name) {
                    tracing::warn!(
                        queue = body.name,
                        "the file defines this name: the queue added by the API is ignored"
                    );
                    return Ok(());
                }
                self.queues.insert(id, stored(version, number, created, body));
            }
            Kind::PauseReason | Kind::Disposition => {
                let body: Choice = serde_json::from_value(row.body).map_err(corrupt)?;
                let all = self.choices.entry(kind).or_default();
                all.insert(id, stored(version, number, created, body));
            }
            Kind::CallHandling => {
                let body: CallHandling = serde_json::from_value(row.body).map_err(corrupt)?;
                self.call_handling
                    .insert(id, stored(version, number, created, body));
            }
        }
        Ok(())
    }
}

fn stored<T>(version: u64, number: u32, created: u64, body: T) -> Stored<T> {
    Stored {
        version,
        number,
        created,
        body,
    }
}
