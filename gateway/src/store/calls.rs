//! Records of calls that are over.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::StoreError;
use super::database::{Database, Failure, Row, Statement, Value, int};
use super::log::{first_row, rows};

/// One call: the fields that are searched for, and the rest as JSON.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallRecord {
    /// Unique.
    pub id: String,
    /// 1 when inserted, one more with every change; ignored by [`Calls::insert`].
    pub version: u64,
    /// Microseconds since 1970.
    pub started_micros: u64,
    /// Id of the queue.
    pub queue: Option<String>,
    /// Ids of the agents who had it, in order.
    pub agents: Vec<String>,
    /// Number of the caller.
    pub caller: String,
    /// Id of how it ended for the agent.
    pub disposition: Option<String>,
    /// The agent's.
    pub notes: String,
    /// JSON.
    pub body: String,
}

/// Selection of calls; `None` matches any.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallFilter {
    /// Began then or later, microseconds since 1970.
    pub from_micros: Option<u64>,
    /// Began before, microseconds since 1970.
    pub to_micros: Option<u64>,
    /// Id.
    pub queue: Option<String>,
    /// Id of one who had it.
    pub agent: Option<String>,
    /// The caller's number contains this.
    pub caller: Option<String>,
    /// Id.
    pub disposition: Option<String>,
    /// First four letters of the id, any of these; empty: anything.
    pub prefixes: &'static [&'static str],
}

/// A place in a list of calls: behind this one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallCursor {
    /// Start of the last call seen.
    pub started_micros: u64,
    /// Id of the last call seen.
    pub id: String,
}

/// Call records of a store.
#[derive(Clone)]
pub struct Calls {
    database: Arc<dyn Database>,
}

const COLUMNS: &str = "id, version, started, queue, agents, caller, disposition, notes, body";

/// Rows of one INSERT at most.
const ROWS: usize = 64;

/// Between the ids of agents, and around them.
const BAR: char = '|';

impl Calls {
    pub(super) fn new(database: Arc<dyn Database>) -> Calls {
        Calls { database }
    }

    /// Keeps records, all or none; one whose id is known is left as it is. Says of each whether it is new.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] for a text with a NUL, or an error of the database.
    pub async fn insert(&self, calls: &[CallRecord]) -> Result<Vec<bool>, StoreError> {
        for call in calls {
            check(call)?;
        }
        let mut statements = Vec::new();
        let mut rest = calls;
        // Powers of two, so that few statements are prepared.
        while !rest.is_empty() {
            let size = (1 << rest.len().ilog2()).min(ROWS);
            let (now, later) = rest.split_at(size);
            statements.push(insertion(now));
            rest = later;
        }
        if statements.is_empty() {
            return Ok(Vec::new());
        }
        let mut new = BTreeSet::new();
        for row in self
            .database
            .run(statements)
            .await?
            .into_iter()
            .flat_map(|outcome| outcome.rows)
        {
            new.insert({ row }.text()?);
        }
        Ok(calls.iter().map(|call| new.remove(&call.id)).collect())
    }

    /// Those of these ids, a thousand at most, that no record has.
    pub async fn missing(&self, ids: &[String]) -> Result<BTreeSet<String>, StoreError> {
        let mut missing: BTreeSet<String> = ids.iter().cloned().collect();
        if ids.is_empty() {
            return Ok(missing);
        }
        let places: Vec<String> = (1..=ids.len()).map(|n| format!("${n}")).collect();
        let sql = format!("SELECT id FROM calls WHERE id IN ({})", places.join(", "));
        let statement = ids
            .iter()
            .fold(Statement::query(sql), |statement, id| statement.bind(id.as_str()));
        for mut row in rows(self.database.read(statement).await?) {
            missing.remove(&row.text()?);
        }
        Ok(missing)
    }

    /// The call with this id.
    pub async fn get(&self, id: &str) -> Result<Option<CallRecord>, StoreError> {
        if id.contains('\0') {
            return Ok(None);
        }
        let statement = Statement::query(format!("SELECT {COLUMNS} FROM calls WHERE id = $1")).bind(id);
        first_row(self.database.read(statement).await?)
            .map(record)
            .transpose()
    }

    /// Calls, newest first, behind `after`, at most `limit`.
    pub async fn list(
        &self,
        filter: &CallFilter,
        after: Option<&CallCursor>,
        limit: u32,
    ) -> Result<Vec<CallRecord>, StoreError> {
        let texts = [&filter.queue, &filter.agent, &filter.caller, &filter.disposition];
        if texts.into_iter().flatten().any(|text| text.contains('\0')) {
            return Ok(Vec::new());
        }
        let mut wanted = vec!["1 = 1".to_owned()];
        let mut values: Vec<Value> = Vec::new();
        let mut want = |condition: &str, value: Option<Value>| {
            if let Some(value) = value {
                values.push(value);
                wanted.push(condition.replace('?', &format!("${}", values.len())));
            }
        };
        want("started >= ?", filter.from_micros.map(|at| int(at).into()));
        want("started < ?", filter.to_micros.map(|at| int(at).into()));
        want("queue = ?", filter.queue.clone().map(Value::from));
        // A caller with a name is found in the text: taken out of it, it is shorter.
        want(
            "length(replace(agents, ?, '')) < length(agents)",
            filter
                .agent
                .as_ref()
                .map(|agent| format!("{BAR}{agent}{BAR}").into()),
        );
        let caller = filter.caller.clone().filter(|part| !part.is_empty());
        want(
            "length(replace(caller, ?, '')) < length(caller)",
            caller.map(Value::from),
        );
        want("disposition = ?", filter.disposition.clone().map(Value::from));
        if !filter.prefixes.is_empty() {
            let quoted: Vec<String> = filter
                .prefixes
                .iter()
                .map(|prefix| format!("'{prefix}'"))
                .collect();
            wanted.push(format!("substr(id, 1, 4) IN ({})", quoted.join(", ")));
        }
        if let Some(after) = after {
            values.extend([
                int(after.started_micros).into(),
                after.id.replace('\0', "").into(),
            ]);
            wanted.push(format!(
                "(started, id) < (${}, ${})",
                values.len() - 1,
                values.len()
            ));
        }
        let sql = format!(
            "SELECT {COLUMNS} FROM calls WHERE {} ORDER BY started DESC, id DESC LIMIT {limit}",
            wanted.join(" AND ")
        );
        let statement = values.into_iter().fold(Statement::query(sql), Statement::bind);
        rows(self.database.read(statement).await?).map(record).collect()
    }

    /// Changes what people say of a call; `version`: only when it has this one. Returns the new version.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], or [`StoreError::Conflict`] when it has another version.
    pub async fn annotate(
        &self,
        id: &str,
        version: Option<u64>,
        disposition: Option<&str>,
        notes: &str,
    ) -> Result<u64, StoreError> {
        if [id, notes, disposition.unwrap_or_default()]
            .iter()
            .any(|text| text.contains('\0'))
        {
            return Err(StoreError::Invalid("a NUL"));
        }
        let sql = "UPDATE calls SET version = version + 1, disposition = $1, notes = $2 WHERE id = $3";
        let sql = match version {
            Some(version) => format!("{sql} AND version = {version} RETURNING version"),
            None => format!("{sql} RETURNING version"),
        };
        let statement = Statement::query(sql)
            .bind(disposition.map(str::to_owned))
            .bind(notes)
            .bind(id);
        match self.database.run(vec![statement.must_touch(1)]).await {
            Ok(done) => first_row(done).ok_or(StoreError::Conflict)?.number(),
            Err(Failure::Untouched(_)) => match self.get(id).await? {
                Some(_) => Err(StoreError::Conflict),
                None => Err(StoreError::NotFound),
            },
            Err(failure) => Err(failure.into()),
        }
    }
}

fn check(call: &CallRecord) -> Result<(), StoreError> {
    let texts = [&call.id, &call.caller, &call.notes, &call.body];
    let options = [&call.queue, &call.disposition];
    let mut all = texts
        .into_iter()
        .chain(options.into_iter().flatten())
        .chain(&call.agents);
    if all.any(|text| text.contains('\0')) {
        return Err(StoreError::Invalid("a NUL"));
    }
    Ok(())
}

/// Inserts calls; its rows are the ids of those that are new.
fn insertion(calls: &[CallRecord]) -> Statement {
    let mut sql = String::from(
        "INSERT INTO calls (id, version, started, queue, agents, caller, disposition, notes, body) VALUES ",
    );
    for row in 0..calls.len() {
        let places: Vec<String> = (1..=8).map(|n| format!("${}", row * 8 + n)).collect();
        let comma = if row == 0 { "" } else { ", " };
        sql += &format!("{comma}({}, 1, {})", places[0], places[1..].join(", "));
    }
    sql += " ON CONFLICT (id) DO NOTHING RETURNING id";
    calls.iter().fold(Statement::query(sql), |statement, call| {
        statement
            .bind(call.id.as_str())
            .bind(int(call.started_micros))
            .bind(call.queue.clone())
            .bind(barred(&call.agents))
            .bind(call.caller.as_str())
            .bind(call.disposition.clone())
            .bind(call.notes.as_str())
            .bind(call.body.as_str())
    })
}

/// Ids with bars between and around them: `|usr_anna|usr_ben|`.
fn barred(ids: &[String]) -> String {
    ids.iter().fold(BAR.to_string(), |text, id| text + id + "|")
}

fn record(mut row: Row) -> Result<CallRecord, StoreError> {
    Ok(CallRecord {
        id: row.text()?,
        version: row.number()?,
        started_micros: row.number()?,
        queue: row.maybe_text()?,
        agents: row
            .text()?
            .split(BAR)
            .filter(|id| !id.is_empty())
            .map(str::to_owned)
            .collect(),
        caller: row.text()?,
        disposition: row.maybe_text()?,
        notes: row.text()?,
        body: row.text()?,
    })
}
