//! The schema, as the migrations in `gateway/migrations`, which are never changed once released: a database of any age is
//! brought up to date by sqlx when it is opened.

use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::{AssertSqlSafe, SqlSafeStr as _};

use super::StoreError;
use super::database::{Database, Statement};
use super::log::first_row;

/// Migrations in order, from version 1. `TEXT` stands for text that is ordered by bytes.
const MIGRATIONS: [(&str, &str); 4] = [
    ("log", include_str!("../../migrations/0001_log.sql")),
    (
        "objects and calls",
        include_str!("../../migrations/0002_objects_and_calls.sql"),
    ),
    ("slots", include_str!("../../migrations/0003_slots.sql")),
    (
        "slots by slot",
        include_str!("../../migrations/0004_slots_by_slot.sql"),
    ),
];

/// Newest step that gateways recorded in `schema_steps`, before sqlx kept the versions. Migrations of the same numbers hold
/// the same statements.
const LAST_STEP: u64 = 4;

/// Migrations to apply to one database.
pub(super) struct Plan {
    pub(super) migrator: Migrator,
    /// Newest migration that the database has had without sqlx knowing it; 0: none.
    pub(super) had: i64,
    /// Newest migration to apply; `None`: all.
    pub(super) to: Option<i64>,
}

/// Brings a database up to version `to`, or to the newest.
pub(super) async fn migrate(database: &dyn Database, to: Option<i64>) -> Result<(), StoreError> {
    let recorded = recorded_step(database).await?;
    let known = MIGRATIONS.len() as u64;
    if recorded > LAST_STEP + 1 {
        return Err(StoreError::Newer {
            found: recorded,
            known,
        });
    }
    let had = if recorded > LAST_STEP { 0 } else { recorded };
    let plan = Plan {
        migrator: migrator(database.text_type()),
        had: had as i64,
        to,
    };
    database.migrate(plan).await.map_err(|error| match error {
        MigrateError::VersionMissing(version) => StoreError::Newer {
            found: version.unsigned_abs(),
            known,
        },
        MigrateError::VersionMismatch(version) => {
            StoreError::Schema(format!("migration {version} is another one"))
        }
        MigrateError::Dirty(version) => StoreError::Schema(format!("migration {version} was not completed")),
        other => StoreError::Unavailable(other.to_string()),
    })?;
    // Gateways that read `schema_steps` find a schema newer than they know, and do not start.
    let close = "INSERT INTO schema_steps (step) VALUES ($1) ON CONFLICT (step) DO NOTHING";
    let close = Statement::execute(close).bind(LAST_STEP as i64 + 1);
    database.run(vec![close]).await?;
    Ok(())
}

fn migrator(text_type: &str) -> Migrator {
    let migrations = MIGRATIONS.iter().zip(1..).map(|((name, sql), version)| {
        let sql = AssertSqlSafe(sql.replace("TEXT", text_type)).into_sql_str();
        Migration::new(version, (*name).into(), MigrationType::Simple, sql, false)
    });
    let mut migrator = Migrator::with_migrations(migrations.collect());
    // The transaction that all of it runs in is locked.
    migrator.set_locking(false);
    migrator
}

/// Newest step of `schema_steps`; 0: none.
async fn recorded_step(database: &dyn Database) -> Result<u64, StoreError> {
    let create = "CREATE TABLE IF NOT EXISTS schema_steps (step BIGINT NOT NULL PRIMARY KEY)";
    let newest = "SELECT COALESCE(MAX(step), 0) FROM schema_steps";
    let mut batch: Vec<Statement> = database
        .migration_lock()
        .map(Statement::query)
        .into_iter()
        .collect();
    batch.push(Statement::execute(create));
    batch.push(Statement::query(newest));
    let done = database.run(batch).await?;
    first_row(done).map_or(Ok(0), |mut row| row.number())
}

/// Carries out a plan in one transaction, on a connection of either kind.
macro_rules! migrate_in {
    ($transaction:expr, $plan:expr) => {{
        let mut transaction = $transaction;
        let plan: $crate::store::migrations::Plan = $plan;
        if plan.had > 0 {
            plan.migrator
                .run_direct(Some(plan.had), &mut *transaction, true)
                .await?;
        }
        // `run_direct` is what `run` and `run_to` call; their own futures cannot be boxed.
        plan.migrator
            .run_direct(plan.to, &mut *transaction, false)
            .await?;
        transaction.commit().await?;
        Ok(())
    }};
}

pub(super) use migrate_in;
