//! Everything that must outlive the process: the event log, configuration, accounts and call records, in
//! SQLite or PostgreSQL.

mod calls;
mod database;
mod error;
pub mod folder;
mod lease;
mod log;
mod meter;
mod migrations;
mod postgres;
mod sqlite;
mod table;
mod watched;
mod writer;

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::{mpsc, oneshot, watch};

pub use calls::{CallCursor, CallFilter, CallRecord, Calls};
use database::Database;
pub use error::StoreError;
pub use log::{Entry, Log, Receipt, SlotRow};
pub use meter::{COMMIT_ENTRIES, COMMIT_SECONDS, Histogram, Meter};
pub use table::{Expect, Object, Put, Table};
use watched::Watched;
use writer::{Job, Writer};

/// Entries that may wait for the database.
pub const BACKLOG: usize = 16_384;

/// Durability of a commit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// The loss of power: every commit is flushed to disk.
    #[default]
    Full,
    /// With SQLite, the end of the gateway by any means, but not the loss of power. With PostgreSQL, the end of the
    /// gateway; when the server is killed, the last commits may be lost.
    Normal,
}

impl FromStr for Durability {
    type Err = StoreError;

    fn from_str(text: &str) -> Result<Durability, StoreError> {
        match text {
            "full" => Ok(Durability::Full),
            "normal" => Ok(Durability::Normal),
            _ => Err(StoreError::Invalid("durability must be full or normal")),
        }
    }
}

/// Health of the database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    /// The last write, a moment ago or whenever there was something to write, succeeded.
    Up,
    /// Writing or reading failed, for this reason. It is tried again twice a second.
    Down(String),
}

/// An open store; cheap to clone.
#[derive(Clone)]
pub struct Store {
    database: Arc<dyn Database>,
    queue: mpsc::Sender<Job>,
    meter: Arc<Meter>,
    health: watch::Receiver<Health>,
}

impl Store {
    /// Opens `sqlite:PATH`, `sqlite::memory:` or `postgres://user:password@host/database`; creates a missing
    /// database and brings an older schema up to date.
    pub async fn open(url: &str, durability: Durability) -> Result<Store, StoreError> {
        let database = connect(url, durability).await?;
        migrations::migrate(&*database, None).await?;
        let database = Watched::new(database);
        let health = database.health();
        let database: Arc<dyn Database> = database;
        let (queue, jobs) = mpsc::channel(BACKLOG);
        let meter = Arc::new(Meter::default());
        let writer = Writer {
            database: database.clone(),
            queue: jobs,
            meter: meter.clone(),
        };
        tokio::spawn(writer.run());
        Ok(Store {
            database,
            queue,
            meter,
            health,
        })
    }

    /// Brings a database up to `version` of the schema only, as a gateway of that age left it.
    pub async fn migrate_to(url: &str, version: i64) -> Result<(), StoreError> {
        let database = connect(url, Durability::Full).await?;
        let done = migrations::migrate(&*database, Some(version)).await;
        database.close().await;
        done
    }

    /// The event log.
    #[must_use]
    pub fn log(&self) -> Log {
        Log::new(self.database.clone(), self.queue.clone())
    }

    /// The rows of one kind: `"user"`, `"queue"`…
    #[must_use]
    pub fn table<T: Serialize + DeserializeOwned>(&self, kind: &'static str) -> Table<T> {
        Table::new(self.database.clone(), kind)
    }

    /// Records of calls that are over.
    #[must_use]
    pub fn calls(&self) -> Calls {
        Calls::new(self.database.clone())
    }

    /// Health of the database, to be watched.
    #[must_use]
    pub fn health(&self) -> watch::Receiver<Health> {
        self.health.clone()
    }

    /// Meter of the writer.
    #[must_use]
    pub fn meter(&self) -> &Meter {
        &self.meter
    }

    /// Number of entries of the log that wait for the database.
    #[must_use]
    pub fn backlog(&self) -> usize {
        self.queue.max_capacity() - self.queue.capacity()
    }

    /// Writes what waits, then lets go of the database. Nothing can be done with the store afterwards.
    pub async fn close(&self) {
        let (done, closed) = oneshot::channel();
        if self.queue.send(Job::Close(done)).await.is_ok() {
            let _ = closed.await;
        }
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store")
            .field("health", &*self.health.borrow())
            .finish_non_exhaustive()
    }
}

async fn connect(url: &str, durability: Durability) -> Result<Box<dyn Database>, StoreError> {
    match url.split_once(':') {
        Some(("sqlite", _)) => Ok(Box::new(sqlite::Sqlite::open(url, durability).await?)),
        Some(("postgres" | "postgresql", _)) => {
            Ok(Box::new(postgres::Postgres::open(url, durability).await?))
        }
        _ => Err(StoreError::Url(
            "must be sqlite:PATH or postgres://user:password@host/database".into(),
        )),
    }
}
