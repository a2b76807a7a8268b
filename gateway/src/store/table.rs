//! Configuration and accounts: typed rows with a version, for changes that must not overwrite each other.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::StoreError;
use super::database::{Database, Failure, Row, Statement, Value, int};
use super::log::{first_row, rows};

/// A stored row.
#[derive(Clone, PartialEq, Eq)]
pub struct Object<T> {
    /// Unique in its table.
    pub id: String,
    /// 1 when created, one more with every change.
    pub version: u64,
    /// Number in calls and events; never given twice, never changed.
    pub number: Option<u32>,
    /// Unique in its table.
    pub name: Option<String>,
    /// Microseconds since 1970.
    pub created_micros: u64,
    /// Microseconds since 1970.
    pub updated_micros: u64,
    /// The rest.
    pub body: T,
}

/// Content may be secret.
impl<T> fmt::Debug for Object<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Object")
            .field("id", &self.id)
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
}

/// A row to be written.
#[derive(Clone, Copy)]
pub struct Put<'a, T> {
    /// Id of the row.
    pub id: &'a str,
    /// Unique in its table.
    pub name: Option<&'a str>,
    /// From [`Table::next_number`]; taken at creation only.
    pub number: Option<u32>,
    /// The rest.
    pub body: &'a T,
    /// Microseconds since 1970.
    pub now_micros: u64,
}

/// Condition for writing a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// No row exists yet.
    Absent,
    /// The row exists with this version.
    Version(u64),
    /// Nothing: it is created or overwritten.
    Anything,
}

/// Rows of one kind.
pub struct Table<T> {
    database: Arc<dyn Database>,
    kind: &'static str,
    body: PhantomData<fn() -> T>,
}

const COLUMNS: &str = "id, version, number, name, created, updated, body";

impl<T: Serialize + DeserializeOwned> Table<T> {
    pub(super) fn new(database: Arc<dyn Database>, kind: &'static str) -> Table<T> {
        Table {
            database,
            kind,
            body: PhantomData,
        }
    }

    /// A number that no row of the table ever had, from 1.
    pub async fn next_number(&self) -> Result<u32, StoreError> {
        let sql = "INSERT INTO counters (name, last) VALUES ($1, 1) \
                   ON CONFLICT (name) DO UPDATE SET last = counters.last + 1 RETURNING last";
        let done = self
            .database
            .run(vec![Statement::query(sql).bind(self.kind)])
            .await?;
        let number = first_row(done).ok_or(StoreError::NotFound)?.number()?;
        u32::try_from(number).map_err(|_| StoreError::Invalid("all numbers are used up"))
    }

    /// Writes a row and returns its new version.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when it is there though it must not be, or with another version;
    /// [`StoreError::NotFound`] when it must have a version and is not there; [`StoreError::Taken`] when another row has
    /// its name or number.
    pub async fn put(&self, put: Put<'_, T>, expect: Expect) -> Result<u64, StoreError> {
        if put.id.contains('\0') || put.name.is_some_and(|name| name.contains('\0')) {
            return Err(StoreError::Invalid("a NUL"));
        }
        let body =
            serde_json::to_string(put.body).map_err(|_| StoreError::Invalid("a body that is not JSON"))?;
        let insert = "INSERT INTO objects (kind, id, version, number, name, created, updated, body) \
                      VALUES ($1, $2, 1, $3, $4, $5, $5, $6) ON CONFLICT (kind, id)";
        let statement = match expect {
            Expect::Absent => Statement::query(format!("{insert} DO NOTHING RETURNING version")),
            Expect::Anything => Statement::query(format!(
                "{insert} DO UPDATE SET version = objects.version + 1, name = excluded.name, \
                 updated = excluded.updated, body = excluded.body RETURNING version"
            )),
            Expect::Version(_) => Statement::query(
                "UPDATE objects SET version = version + 1, name = $3, updated = $4, body = $5 \
                 WHERE kind = $1 AND id = $2 AND version = $6 RETURNING version",
            ),
        };
        let statement = statement.bind(self.kind).bind(put.id);
        let name = put.name.map(str::to_owned);
        let statement = match expect {
            Expect::Version(version) => statement
                .bind(name)
                .bind(int(put.now_micros))
                .bind(body)
                .bind(int(version)),
            Expect::Absent | Expect::Anything => statement
                .bind(Value::Int(put.number.map(i64::from)))
                .bind(name)
                .bind(int(put.now_micros))
                .bind(body),
        };
        match self.database.run(vec![statement.must_touch(1)]).await {
            Ok(done) => first_row(done).ok_or(StoreError::Conflict)?.number(),
            Err(Failure::Untouched(_)) => Err(self.missed(put.id).await?),
            Err(failure) => Err(failure.into()),
        }
    }

    /// Writes rows, and removes those without a body, in one transaction and whatever was there before.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] for an id with a NUL or a body that is not JSON; nothing was written then.
    pub async fn overwrite(&self, rows: &[(String, Option<T>)]) -> Result<(), StoreError> {
        let mut batch = Vec::with_capacity(rows.len());
        for (id, body) in rows {
            if id.contains('\0') {
                return Err(StoreError::Invalid("a NUL"));
            }
            batch.push(match body {
                Some(body) => {
                    let body = serde_json::to_string(body)
                        .map_err(|_| StoreError::Invalid("a body that is not JSON"))?;
                    let sql = "INSERT INTO objects (kind, id, version, created, updated, body) \
                               VALUES ($1, $2, 1, 0, 0, $3) ON CONFLICT (kind, id) \
                               DO UPDATE SET version = objects.version + 1, body = excluded.body";
                    Statement::execute(sql)
                        .bind(self.kind)
                        .bind(id.as_str())
                        .bind(body)
                }
                None => Statement::execute("DELETE FROM objects WHERE kind = $1 AND id = $2")
                    .bind(self.kind)
                    .bind(id.as_str()),
            });
        }
        self.database.run(batch).await?;
        Ok(())
    }

    /// The row with this id.
    pub async fn get(&self, id: &str) -> Result<Option<Object<T>>, StoreError> {
        self.one("id", id).await
    }

    /// The row with this name.
    pub async fn find(&self, name: &str) -> Result<Option<Object<T>>, StoreError> {
        self.one("name", name).await
    }

    /// Rows in the order of their ids, after the row `after`, at most `limit`.
    pub async fn list(&self, after: Option<&str>, limit: u32) -> Result<Vec<Object<T>>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM objects WHERE kind = $1 AND id > $2 ORDER BY id LIMIT $3");
        let statement = Statement::query(sql)
            .bind(self.kind)
            .bind(after.unwrap_or_default())
            .bind(i64::from(limit));
        rows(self.database.read(statement).await?).map(object).collect()
    }

    /// Removes a row; `version`: only this one of it.
    pub async fn delete(&self, id: &str, version: Option<u64>) -> Result<(), StoreError> {
        let sql = "DELETE FROM objects WHERE kind = $1 AND id = $2";
        let statement = match version {
            Some(version) => Statement::execute(format!("{sql} AND version = $3"))
                .bind(self.kind)
                .bind(id)
                .bind(int(version)),
            None => Statement::execute(sql).bind(self.kind).bind(id),
        };
        match self.database.run(vec![statement.must_touch(1)]).await {
            Ok(_) => Ok(()),
            Err(Failure::Untouched(_)) => Err(self.missed(id).await?),
            Err(failure) => Err(failure.into()),
        }
    }

    async fn one(&self, column: &str, value: &str) -> Result<Option<Object<T>>, StoreError> {
        // No row has what PostgreSQL cannot even be asked for.
        if value.contains('\0') {
            return Ok(None);
        }
        let sql = format!("SELECT {COLUMNS} FROM objects WHERE kind = $1 AND {column} = $2");
        let statement = Statement::query(sql).bind(self.kind).bind(value);
        first_row(self.database.read(statement).await?)
            .map(object)
            .transpose()
    }

    /// Why a change touched nothing.
    async fn missed(&self, id: &str) -> Result<StoreError, StoreError> {
        let sql = "SELECT version FROM objects WHERE kind = $1 AND id = $2";
        let statement = Statement::query(sql).bind(self.kind).bind(id);
        let found = first_row(self.database.read(statement).await?);
        Ok(found.map_or(StoreError::NotFound, |_| StoreError::Conflict))
    }
}

fn object<T: DeserializeOwned>(mut row: Row) -> Result<Object<T>, StoreError> {
    let id = row.text()?;
    let version = row.number()?;
    let number = row.int()?.and_then(|number| u32::try_from(number).ok());
    let name = row.maybe_text()?;
    let (created_micros, updated_micros) = (row.number()?, row.number()?);
    // serde_json's message would repeat parts of the body.
    let body = serde_json::from_str(&row.text()?)
        .map_err(|_| StoreError::Corrupt(format!("{id} has another shape")))?;
    Ok(Object {
        id,
        version,
        number,
        name,
        created_micros,
        updated_micros,
        body,
    })
}
