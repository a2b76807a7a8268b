//! SQLite: one connection writes, a few read beside it (write-ahead log).

use std::future::Future;
use std::pin::Pin;
use std::str::FromStr;
use std::time::Duration;

use sqlx::SqlitePool;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};

use super::database::{Database, Running, Statement, run_batch, run_statement};
use super::{Durability, StoreError};

/// Connections that only read.
const READERS: u32 = 4;
/// How long one waits for another process that writes.
const BUSY: Duration = Duration::from_secs(5);

pub(super) struct Sqlite {
    writer: SqlitePool,
    readers: SqlitePool,
}

impl Sqlite {
    pub(super) async fn open(url: &str, durability: Durability) -> Result<Sqlite, StoreError> {
        let options = SqliteConnectOptions::from_str(url)
            .map_err(|error| StoreError::Url(error.to_string()))?
            .create_if_missing(true)
            .busy_timeout(BUSY)
            .foreign_keys(true)
            .synchronous(match durability {
                Durability::Full => SqliteSynchronous::Full,
                Durability::Normal => SqliteSynchronous::Normal,
            });
        let pool = |size| {
            SqlitePoolOptions::new()
                .max_connections(size)
                .idle_timeout(None)
                .max_lifetime(None)
        };
        let connect = |pool: SqlitePoolOptions, options| async move {
            pool.connect_with(options)
                .await
                .map_err(|error| StoreError::Unavailable(error.to_string()))
        };
        // A database in memory belongs to one connection.
        if url.contains(":memory:") {
            let writer = connect(pool(1).min_connections(1), options).await?;
            let readers = writer.clone();
            return Ok(Sqlite { writer, readers });
        }
        let options = options.journal_mode(SqliteJournalMode::Wal);
        let writer = connect(pool(1), options.clone()).await?;
        let readers = connect(pool(READERS), options).await?;
        Ok(Sqlite { writer, readers })
    }
}

impl Database for Sqlite {
    fn run(&self, batch: Vec<Statement>) -> Running<'_> {
        Box::pin(async move {
            // Taking the lock at once, rather than at the first write, lets one wait for it.
            let transaction = self.writer.begin_with("BEGIN IMMEDIATE").await?;
            run_batch!(transaction, batch)
        })
    }

    fn read(&self, statement: Statement) -> Running<'_> {
        Box::pin(async move {
            let mut connection = self.readers.acquire().await?;
            Ok(vec![run_statement!(&mut *connection, statement)])
        })
    }

    fn migration_lock(&self) -> Option<&'static str> {
        None
    }

    fn text_type(&self) -> &'static str {
        "TEXT"
    }

    fn close(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(async move {
            self.readers.close().await;
            self.writer.close().await;
        })
    }
}
