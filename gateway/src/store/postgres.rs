//! PostgreSQL.

use std::future::Future;
use std::pin::Pin;
use std::str::FromStr;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{Connection, PgPool};

use super::database::{Database, Failure, Migrating, Running, Statement, run_batch, run_statement};
use super::lease::Lease;
use super::migrations::{Plan, migrate_in};
use super::{Durability, StoreError};

/// Connections at most.
const CONNECTIONS: u32 = 8;
/// Time to wait for a connection. While the server is away, requests fail after this time.
const ACQUIRE: Duration = Duration::from_secs(2);
/// Keeps other processes out of a migration. Any number that nobody else takes.
const LOCK: &str = "SELECT pg_advisory_xact_lock(7234017283807667300)::text";

pub(super) struct Postgres {
    pool: PgPool,
}

impl Postgres {
    pub(super) async fn open(url: &str, durability: Durability) -> Result<Postgres, StoreError> {
        let commit = match durability {
            Durability::Full => "on",
            Durability::Normal => "off",
        };
        // The parser's message may repeat the URL, which has a password in it.
        let options = PgConnectOptions::from_str(url)
            .map_err(|_| {
                StoreError::Url("is not a PostgreSQL URL: postgres://user:password@host/database".into())
            })?
            .options([("synchronous_commit", commit)]);
        let pool = PgPoolOptions::new()
            .max_connections(CONNECTIONS)
            .acquire_timeout(ACQUIRE)
            .connect_with(options)
            .await
            .map_err(|error| StoreError::Unavailable(error.to_string()))?;
        Ok(Postgres { pool })
    }
}

impl Database for Postgres {
    fn run(&self, batch: Vec<Statement>) -> Running<'_> {
        Box::pin(async move {
            let mut lease = Lease::new(self.pool.acquire().await?);
            let done = async {
                let transaction = lease.connection.begin().await?;
                run_batch!(transaction, batch)
            }
            .await;
            lease.end(done)
        })
    }

    fn read(&self, statement: Statement) -> Running<'_> {
        Box::pin(async move {
            let mut connection = self.pool.acquire().await?;
            Ok(vec![run_statement!(&mut *connection, statement)])
        })
    }

    fn migrate(&self, plan: Plan) -> Migrating<'_> {
        Box::pin(async move {
            let mut connection = self.pool.acquire().await?;
            let mut transaction = connection.begin().await?;
            sqlx::query(LOCK).execute(&mut *transaction).await?;
            migrate_in!(transaction, plan)
        })
    }

    fn look(&self) -> Running<'_> {
        Box::pin(async move {
            let asked = self.read(Statement::query("SELECT CAST(1 AS BIGINT)"));
            let late = |_| Err(Failure::Unavailable("it does not answer".into()));
            tokio::time::timeout(ACQUIRE, asked).await.unwrap_or_else(late)
        })
    }

    fn migration_lock(&self) -> Option<&'static str> {
        Some(LOCK)
    }

    fn text_type(&self) -> &'static str {
        "TEXT COLLATE \"C\""
    }

    fn close(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(self.pool.close())
    }
}
