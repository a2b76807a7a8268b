//! Contract between the store and a database: run a few statements in one transaction.
//!
//! The statements are the same everywhere: `$1` placeholders, `BIGINT` and `TEXT` columns, `ON CONFLICT`, `RETURNING`.

use std::borrow::Cow;
use std::future::Future;
use std::pin::Pin;

use sqlx::migrate::MigrateError;

use super::StoreError;
use super::migrations::Plan;

/// A database behind the store.
pub(super) trait Database: Send + Sync {
    /// Runs all statements in one transaction, or none.
    fn run(&self, batch: Vec<Statement>) -> Running<'_>;

    /// Runs one statement that only reads.
    fn read(&self, statement: Statement) -> Running<'_>;

    /// Applies migrations, all or none.
    fn migrate(&self, plan: Plan) -> Migrating<'_>;

    /// Checks that the database is where it should be, and repairs what it can.
    fn look(&self) -> Running<'_>;

    /// The first statement of a transaction that migrates, which keeps other processes out until its transaction ends.
    fn migration_lock(&self) -> Option<&'static str>;

    /// Column type for text, ordered by bytes.
    fn text_type(&self) -> &'static str;

    /// Lets go of all connections.
    fn close(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>>;
}

/// A transaction under way; one outcome a statement.
pub(super) type Running<'a> = Pin<Box<dyn Future<Output = Result<Vec<Outcome>, Failure>> + Send + 'a>>;

/// Migrations under way.
pub(super) type Migrating<'a> = Pin<Box<dyn Future<Output = Result<(), MigrateError>> + Send + 'a>>;

/// One SQL statement and its values.
#[derive(Clone)]
pub(super) struct Statement {
    pub(super) sql: Cow<'static, str>,
    pub(super) values: Vec<Value>,
    /// Rows are wanted.
    pub(super) rows: bool,
    /// Number of rows that the statement must change; otherwise the transaction is rolled back.
    pub(super) must_touch: Option<u64>,
}

impl Statement {
    /// A statement that returns rows.
    pub(super) fn query(sql: impl Into<Cow<'static, str>>) -> Statement {
        Statement {
            rows: true,
            ..Statement::execute(sql)
        }
    }

    /// A statement that returns none.
    pub(super) fn execute(sql: impl Into<Cow<'static, str>>) -> Statement {
        Statement {
            sql: sql.into(),
            values: Vec::new(),
            rows: false,
            must_touch: None,
        }
    }

    /// The value of the next placeholder.
    pub(super) fn bind(mut self, value: impl Into<Value>) -> Statement {
        self.values.push(value.into());
        self
    }

    /// Rolls all back unless exactly `rows` rows are touched.
    pub(super) fn must_touch(mut self, rows: u64) -> Statement {
        self.must_touch = Some(rows);
        self
    }
}

/// A value of a column or placeholder.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Value {
    Int(Option<i64>),
    Text(Option<String>),
}

impl From<i64> for Value {
    fn from(value: i64) -> Value {
        Value::Int(Some(value))
    }
}

impl From<Option<i64>> for Value {
    fn from(value: Option<i64>) -> Value {
        Value::Int(value)
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Value {
        Value::Text(Some(value.to_owned()))
    }
}

impl From<String> for Value {
    fn from(value: String) -> Value {
        Value::Text(Some(value))
    }
}

impl From<Option<String>> for Value {
    fn from(value: Option<String>) -> Value {
        Value::Text(value)
    }
}

/// A number as databases hold it; numbers that they cannot hold are the greatest that they can.
pub(super) fn int(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// Result of a statement.
#[derive(Clone, Default)]
pub(super) struct Outcome {
    pub(super) rows: Vec<Row>,
    pub(super) touched: u64,
}

/// A row, read from its first column to its last.
#[derive(Clone)]
pub(super) struct Row(std::vec::IntoIter<Value>);

impl Row {
    pub(super) fn new(values: Vec<Value>) -> Row {
        Row(values.into_iter())
    }

    pub(super) fn int(&mut self) -> Result<Option<i64>, StoreError> {
        match self.0.next() {
            Some(Value::Int(value)) => Ok(value),
            Some(Value::Text(None)) => Ok(None),
            _ => Err(StoreError::Corrupt("a number is missing".into())),
        }
    }

    pub(super) fn number(&mut self) -> Result<u64, StoreError> {
        self.int()?
            .and_then(|value| u64::try_from(value).ok())
            .ok_or_else(|| StoreError::Corrupt("a number is missing or negative".into()))
    }

    pub(super) fn maybe_text(&mut self) -> Result<Option<String>, StoreError> {
        match self.0.next() {
            Some(Value::Text(value)) => Ok(value),
            _ => Err(StoreError::Corrupt("a text is missing".into())),
        }
    }

    pub(super) fn text(&mut self) -> Result<String, StoreError> {
        self.maybe_text()?
            .ok_or_else(|| StoreError::Corrupt("a text is null".into()))
    }
}

/// Why a transaction was rolled back, or may have been.
#[derive(Debug)]
pub(super) enum Failure {
    /// The statement with this index touched another number of rows than it must.
    Untouched(usize),
    /// A unique index has the value already.
    Taken,
    /// Anything else. When the connection went, nobody knows whether the transaction was committed.
    Unavailable(String),
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Failure {
        match &error {
            sqlx::Error::Database(database) if database.is_unique_violation() => Failure::Taken,
            _ => Failure::Unavailable(error.to_string()),
        }
    }
}

impl From<Failure> for StoreError {
    fn from(failure: Failure) -> StoreError {
        match failure {
            Failure::Untouched(_) => StoreError::Conflict,
            Failure::Taken => StoreError::Taken,
            Failure::Unavailable(why) => StoreError::Unavailable(why),
        }
    }
}

/// Runs one statement on a connection of either kind; sqlx has no type that is generic over both.
macro_rules! run_statement {
    ($connection:expr, $statement:expr) => {{
        use sqlx::{Column as _, Row as _, TypeInfo as _, ValueRef as _};
        let statement: $crate::store::database::Statement = $statement;
        let mut query = sqlx::query(sqlx::AssertSqlSafe(statement.sql.into_owned()));
        for value in statement.values {
            query = match value {
                $crate::store::database::Value::Int(value) => query.bind(value),
                $crate::store::database::Value::Text(value) => query.bind(value),
            };
        }
        let mut outcome = $crate::store::database::Outcome::default();
        if statement.rows {
            for row in query.fetch_all($connection).await? {
                let mut values = Vec::with_capacity(row.len());
                for column in row.columns() {
                    let raw = row.try_get_raw(column.ordinal())?;
                    let integer = matches!(raw.type_info().name(), "INTEGER" | "INT8" | "INT4");
                    values.push(if integer && !raw.is_null() {
                        $crate::store::database::Value::Int(row.try_get(column.ordinal())?)
                    } else {
                        $crate::store::database::Value::Text(row.try_get_unchecked(column.ordinal())?)
                    });
                }
                outcome.rows.push($crate::store::database::Row::new(values));
            }
            outcome.touched = outcome.rows.len() as u64;
        } else {
            outcome.touched = query.execute($connection).await?.rows_affected();
        }
        outcome
    }};
}

/// Runs statements in an open transaction and commits it.
macro_rules! run_batch {
    ($transaction:expr, $batch:expr) => {{
        let mut transaction = $transaction;
        let mut outcomes = Vec::with_capacity($batch.len());
        for (index, statement) in $batch.into_iter().enumerate() {
            let must_touch = statement.must_touch;
            let outcome = $crate::store::database::run_statement!(&mut *transaction, statement);
            if must_touch.is_some_and(|wanted| wanted != outcome.touched) {
                transaction.rollback().await?;
                return Err($crate::store::database::Failure::Untouched(index));
            }
            outcomes.push(outcome);
        }
        transaction.commit().await?;
        Ok(outcomes)
    }};
}

pub(super) use {run_batch, run_statement};
