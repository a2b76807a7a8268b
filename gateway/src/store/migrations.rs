//! The schema, as steps that are never changed once released: a database of any age is brought up to date when it is
//! opened.

use super::StoreError;
use super::database::{Database, Failure, Statement};

/// Statements of each step; `TEXT` stands for text that is ordered by bytes.
const STEPS: &[&[&str]] = &[
    &[
        "CREATE TABLE streams (stream TEXT NOT NULL PRIMARY KEY, epoch BIGINT NOT NULL, last_seq BIGINT NOT NULL)",
        "CREATE TABLE log (stream TEXT NOT NULL, seq BIGINT NOT NULL, epoch BIGINT NOT NULL, \
         at BIGINT NOT NULL, kind TEXT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (stream, seq))",
        "CREATE TABLE snapshots (stream TEXT NOT NULL, seq BIGINT NOT NULL, body TEXT NOT NULL, \
         PRIMARY KEY (stream, seq))",
    ],
    &[
        "CREATE TABLE counters (name TEXT NOT NULL PRIMARY KEY, last BIGINT NOT NULL)",
        "CREATE TABLE objects (kind TEXT NOT NULL, id TEXT NOT NULL, version BIGINT NOT NULL, number BIGINT, \
         name TEXT, created BIGINT NOT NULL, updated BIGINT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (kind, id))",
        "CREATE UNIQUE INDEX objects_name ON objects (kind, name)",
        "CREATE UNIQUE INDEX objects_number ON objects (kind, number)",
        "CREATE TABLE calls (id TEXT NOT NULL PRIMARY KEY, version BIGINT NOT NULL, started BIGINT NOT NULL, \
         queue TEXT, agents TEXT NOT NULL, caller TEXT NOT NULL, disposition TEXT, notes TEXT NOT NULL, body TEXT NOT NULL)",
        "CREATE INDEX calls_started ON calls (started, id)",
        "CREATE INDEX calls_queue ON calls (queue, started)",
    ],
    &[
        "CREATE TABLE slots (kind TEXT NOT NULL, id BIGINT NOT NULL, slot BIGINT NOT NULL, body TEXT NOT NULL, \
       PRIMARY KEY (kind, id, slot))",
    ],
    &["CREATE INDEX slots_slot ON slots (slot)"],
];

/// Brings a database up to step `to`, or to the newest.
pub(super) async fn migrate(database: &dyn Database, to: Option<usize>) -> Result<(), StoreError> {
    let text = database.text_type();
    let create = "CREATE TABLE IF NOT EXISTS schema_steps (step BIGINT NOT NULL PRIMARY KEY)";
    let lock = || database.migration_lock().map(Statement::query);
    let mut first: Vec<Statement> = lock().into_iter().collect();
    first.push(Statement::execute(create));
    database.run(first).await?;
    let newest = Statement::query("SELECT COALESCE(MAX(step), 0) FROM schema_steps");
    let found = match database
        .read(newest)
        .await?
        .pop()
        .and_then(|o| o.rows.into_iter().next())
    {
        Some(mut row) => row.number()?,
        None => 0,
    };
    let known = STEPS.len() as u64;
    if found > known {
        return Err(StoreError::Newer { found, known });
    }
    let to = to.unwrap_or(STEPS.len());
    for (index, step) in STEPS.iter().enumerate().take(to) {
        let number = index as u64 + 1;
        if number <= found {
            continue;
        }
        let mut batch: Vec<Statement> = lock().into_iter().collect();
        // A second process finds the step done.
        let claim = "INSERT INTO schema_steps (step) VALUES ($1) ON CONFLICT (step) DO NOTHING";
        batch.push(Statement::execute(claim).bind(number as i64).must_touch(1));
        batch.extend(
            step.iter()
                .map(|sql| Statement::execute(sql.replace("TEXT", text))),
        );
        match database.run(batch).await {
            Ok(_) | Err(Failure::Untouched(_)) => {}
            Err(failure) => return Err(failure.into()),
        }
    }
    Ok(())
}
