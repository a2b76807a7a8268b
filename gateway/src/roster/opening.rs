//! Roster kept from before, and the place where changes are kept.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::AtomicU32;
use std::sync::{Arc, RwLock};

use call_engine::DialPlan;
use serde_json::Value;
use tokio::sync::{Mutex, mpsc};

use super::roll::{Kept, Roll};
use super::rows::UserRow;
use super::{Kind, Roster, Shared};
use crate::auth::Accounts;
use crate::auth::accounts::User;
use crate::centre::command::Asked;
use crate::centre::directory::Directory;
use crate::config::{Choice, Config, Queue};
use crate::http::api::numbers::Numbers;
use crate::store::{Object, Store, StoreError, Table};

/// Rows read at a time.
const PAGE: u32 = 1_000;

/// Roster kept from before, to begin with.
pub struct Opening {
    roll: Roll,
    tables: Tables,
    directory: Arc<Directory>,
}

/// Storage of rows.
pub(super) enum Tables {
    Stored(BTreeMap<Kind, Table<Value>>),
    /// Nowhere; the last number that was given.
    Memory(AtomicU32),
}

impl Opening {
    /// The file and the additions in the store. Without a store, additions last until the gateway ends.
    ///
    /// # Errors
    /// Errors of the store.
    pub async fn read(config: Config, store: Option<&Store>) -> Result<Opening, StoreError> {
        let tables: BTreeMap<Kind, Table<Value>> = store
            .into_iter()
            .flat_map(|store| Kind::ALL.map(|kind| (kind, store.table(kind.table()))))
            .collect();
        let roll = Roll::read(config, &tables).await?;
        let directory = Arc::new(roll.directory());
        Ok(Opening {
            roll,
            tables: if tables.is_empty() {
                Tables::Memory(AtomicU32::new(0))
            } else {
                Tables::Stored(tables)
            },
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
        self.roll.sip_users()
    }

    /// Dial plan.
    #[must_use]
    pub fn plan(&self) -> DialPlan {
        self.roll.plan()
    }

    /// Those who were added, as they sign in.
    pub fn accounts(&self) -> impl Iterator<Item = User> + '_ {
        self.roll.users.keys().filter_map(|id| self.roll.account(id))
    }

    /// From now on changes are put to work.
    #[must_use]
    pub fn start(self, desk: mpsc::Sender<Asked>, accounts: Accounts, numbers: Arc<Numbers>) -> Roster {
        Roster {
            shared: Arc::new(Shared {
                roll: RwLock::new(Arc::new(self.roll)),
                tables: self.tables,
                turn: Mutex::new(self.directory),
                desk,
                accounts,
                numbers,
            }),
        }
    }
}

impl fmt::Debug for Opening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opening").finish_non_exhaustive()
    }
}

impl Roll {
    /// Reads what the store adds to a file.
    pub(super) async fn read(
        config: Config,
        tables: &BTreeMap<Kind, Table<Value>>,
    ) -> Result<Roll, StoreError> {
        let mut roll = Roll::new(config);
        for (kind, table) in tables {
            let mut after: Option<String> = None;
            loop {
                let rows = table.list(after.as_deref(), PAGE).await?;
                let Some(last) = rows.last() else { break };
                after = Some(last.id.clone());
                for row in rows {
                    roll.take(*kind, row)?;
                }
            }
        }
        Ok(roll)
    }

    /// The same additions, under another file.
    pub(super) fn under(&self, config: Config) -> Roll {
        let mut roll = Roll::new(config);
        for (id, user) in &self.users {
            if !roll.is_name_taken(&user.body.name) {
                roll.users.insert(id.clone(), user.clone());
            }
        }
        for (id, queue) in &self.queues {
            if !roll.is_name_taken(&queue.body.name) {
                roll.queues.insert(id.clone(), queue.clone());
            }
        }
        roll.choices.clone_from(&self.choices);
        roll
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
                self.users.insert(id, kept(version, number, created, body));
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
                self.queues.insert(id, kept(version, number, created, body));
            }
            Kind::PauseReason | Kind::Disposition => {
                let body: Choice = serde_json::from_value(row.body).map_err(corrupt)?;
                let all = self.choices.entry(kind).or_default();
                all.insert(id, kept(version, number, created, body));
            }
        }
        Ok(())
    }
}

fn kept<T>(version: u64, number: u32, created: u64, body: T) -> Kept<T> {
    Kept {
        version,
        number,
        created,
        body,
    }
}
