//! The event log: streams of numbered entries, written in order by one task that commits what waits together.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::sync::{mpsc, oneshot};

use super::StoreError;
use super::database::{Database, Failure, Row, Statement, int};
use super::writer::Job;

/// Slots of one INSERT at most.
const ROWS: usize = 128;

/// One thing that happened. The store does not look into `body`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Entries are numbered and owned by stream.
    pub stream: &'static str,
    /// The last entry's number and one; the first of a stream is 1.
    pub seq: u64,
    /// From [`Log::begin_epoch`].
    pub epoch: u64,
    /// Time of the event, microseconds since 1970.
    pub at_micros: u64,
    /// Kind of event.
    pub kind: String,
    /// JSON.
    pub body: String,
}

/// Numbers of a queue or an agent over a stretch of time, to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlotRow {
    /// `"queue"` or `"agent"`.
    pub kind: &'static str,
    /// Id of the queue or agent.
    pub id: u32,
    /// Number of the interval.
    pub slot: u64,
    /// JSON.
    pub body: String,
}

/// The event log of a store; cheap to clone.
#[derive(Clone)]
pub struct Log {
    database: Arc<dyn Database>,
    queue: mpsc::Sender<Job>,
}

impl Log {
    pub(super) fn new(database: Arc<dyn Database>, queue: mpsc::Sender<Job>) -> Log {
        Log { database, queue }
    }

    /// Takes over a stream: the new epoch. Entries of older epochs are refused from here on, and all that were accepted
    /// before are there to be read.
    pub async fn begin_epoch(&self, stream: &'static str) -> Result<u64, StoreError> {
        let sql = "INSERT INTO streams (stream, epoch, last_seq) VALUES ($1, 1, 0) \
                   ON CONFLICT (stream) DO UPDATE SET epoch = streams.epoch + 1 RETURNING epoch";
        let done = self
            .database
            .run(vec![Statement::query(sql).bind(stream)])
            .await?;
        first_row(done).ok_or(StoreError::NotFound)?.number()
    }

    /// Hands an entry to the writer; never waits. The receipt resolves once the entry is durable, however long the
    /// database is away. Entries of a stream are written in the order of these calls, without gaps.
    ///
    /// [`StoreError::Full`]: [`super::BACKLOG`] entries wait already. This one was not taken and must be appended again
    /// before its successors, which are otherwise refused as out of order.
    pub fn append(&self, entry: Entry) -> Result<Receipt, StoreError> {
        let limit = i64::MAX as u64;
        if entry.seq == 0 || entry.seq > limit || entry.epoch > limit || entry.at_micros > limit {
            return Err(StoreError::Invalid("a number out of range"));
        }
        if entry.kind.contains('\0') || entry.body.contains('\0') {
            return Err(StoreError::Invalid("a NUL"));
        }
        let (done, receipt) = oneshot::channel();
        match self.queue.try_send(Job::Append(entry, done)) {
            Ok(()) => Ok(Receipt(receipt)),
            Err(mpsc::error::TrySendError::Full(_)) => Err(StoreError::Full),
            Err(mpsc::error::TrySendError::Closed(_)) => Err(StoreError::Closed),
        }
    }

    /// Durable entries from number `from` on, at most `limit`.
    pub async fn read(&self, stream: &'static str, from: u64, limit: u32) -> Result<Vec<Entry>, StoreError> {
        let sql = "SELECT seq, epoch, at, kind, body FROM log WHERE stream = $1 AND seq >= $2 ORDER BY seq LIMIT $3";
        let statement = Statement::query(sql)
            .bind(stream)
            .bind(int(from))
            .bind(i64::from(limit));
        let rows = rows(self.database.read(statement).await?);
        rows.map(|mut row| {
            Ok(Entry {
                stream,
                seq: row.number()?,
                epoch: row.number()?,
                at_micros: row.number()?,
                kind: row.text()?,
                body: row.text()?,
            })
        })
        .collect()
    }

    /// Number of the last durable entry, 0 before the first. Pruning does not change it.
    pub async fn last(&self, stream: &'static str) -> Result<u64, StoreError> {
        let statement = Statement::query("SELECT last_seq FROM streams WHERE stream = $1").bind(stream);
        match first_row(self.database.read(statement).await?) {
            Some(mut row) => row.number(),
            None => Ok(0),
        }
    }

    /// Keeps the state after entry `seq`, and forgets snapshots before it.
    pub async fn put_snapshot(&self, stream: &'static str, seq: u64, body: String) -> Result<(), StoreError> {
        let put = "INSERT INTO snapshots (stream, seq, body) VALUES ($1, $2, $3) \
                   ON CONFLICT (stream, seq) DO UPDATE SET body = excluded.body";
        let forget = "DELETE FROM snapshots WHERE stream = $1 AND seq < $2";
        let batch = vec![
            Statement::execute(put).bind(stream).bind(int(seq)).bind(body),
            Statement::execute(forget).bind(stream).bind(int(seq)),
        ];
        self.database.run(batch).await?;
        Ok(())
    }

    /// Keeps the state after entry `seq` together with slots that changed, in one transaction, and forgets snapshots before
    /// it and slots before `forget`.
    ///
    /// # Errors
    /// [`StoreError::Fenced`]: a newer epoch of the stream has begun. Nothing was written then.
    pub async fn put_snapshot_and_slots(
        &self,
        (stream, epoch, seq): (&'static str, u64, u64),
        body: String,
        slots: Vec<SlotRow>,
        forget: u64,
    ) -> Result<(), StoreError> {
        let put = "INSERT INTO snapshots (stream, seq, body) VALUES ($1, $2, $3) \
                   ON CONFLICT (stream, seq) DO UPDATE SET body = excluded.body";
        // Locks the stream against another gateway that takes it over meanwhile.
        let guard = "UPDATE streams SET epoch = epoch WHERE stream = $1 AND epoch = $2";
        let mut batch = vec![
            Statement::execute(guard)
                .bind(stream)
                .bind(int(epoch))
                .must_touch(1),
            Statement::execute(put).bind(stream).bind(int(seq)).bind(body),
            Statement::execute("DELETE FROM snapshots WHERE stream = $1 AND seq < $2")
                .bind(stream)
                .bind(int(seq)),
            Statement::execute("DELETE FROM slots WHERE slot < $1").bind(int(forget)),
        ];
        let mut rest = slots.as_slice();
        // Powers of two, so that few statements are prepared.
        while !rest.is_empty() {
            let size = (1 << rest.len().ilog2()).min(ROWS);
            let (now, later) = rest.split_at(size);
            batch.push(upsert(now));
            rest = later;
        }
        match self.database.run(batch).await {
            Ok(_) => Ok(()),
            Err(Failure::Untouched(_)) => Err(StoreError::Fenced { stream }),
            Err(failure) => Err(failure.into()),
        }
    }

    /// All slots of a kind: whose, which, and its body.
    pub async fn slots(&self, kind: &str) -> Result<Vec<(u32, u64, String)>, StoreError> {
        let sql = "SELECT id, slot, body FROM slots WHERE kind = $1";
        let rows = rows(self.database.read(Statement::query(sql).bind(kind)).await?);
        rows.map(|mut row| {
            let id =
                u32::try_from(row.number()?).map_err(|_| StoreError::Corrupt("a slot of nobody".into()))?;
            Ok((id, row.number()?, row.text()?))
        })
        .collect()
    }

    /// Number of the oldest entry that is kept, 0 when there is none.
    pub async fn first(&self, stream: &'static str) -> Result<u64, StoreError> {
        let sql = "SELECT COALESCE(MIN(seq), 0) FROM log WHERE stream = $1";
        match first_row(self.database.read(Statement::query(sql).bind(stream)).await?) {
            Some(mut row) => row.number(),
            None => Ok(0),
        }
    }

    /// The newest snapshot: after which entry it was taken, and its body.
    pub async fn latest_snapshot(&self, stream: &'static str) -> Result<Option<(u64, String)>, StoreError> {
        let sql = "SELECT seq, body FROM snapshots WHERE stream = $1 ORDER BY seq DESC LIMIT 1";
        let found = first_row(self.database.read(Statement::query(sql).bind(stream)).await?);
        found.map(|mut row| Ok((row.number()?, row.text()?))).transpose()
    }

    /// Forgets entries with numbers below `before`; says how many.
    pub async fn prune(&self, stream: &'static str, before: u64) -> Result<u64, StoreError> {
        let sql = "DELETE FROM log WHERE stream = $1 AND seq < $2";
        let statement = Statement::execute(sql).bind(stream).bind(int(before));
        let done = self.database.run(vec![statement]).await?;
        Ok(done.first().map_or(0, |outcome| outcome.touched))
    }
}

fn upsert(slots: &[SlotRow]) -> Statement {
    let mut sql = String::from("INSERT INTO slots (kind, id, slot, body) VALUES ");
    for row in 0..slots.len() {
        let n = row * 4;
        let comma = if row == 0 { "" } else { ", " };
        sql.push_str(&format!(
            "{comma}(${}, ${}, ${}, ${})",
            n + 1,
            n + 2,
            n + 3,
            n + 4
        ));
    }
    sql.push_str(" ON CONFLICT (kind, id, slot) DO UPDATE SET body = excluded.body");
    slots.iter().fold(Statement::execute(sql), |statement, row| {
        statement
            .bind(row.kind)
            .bind(i64::from(row.id))
            .bind(int(row.slot))
            .bind(row.body.as_str())
    })
}

/// Resolves once an entry is durable, or refused.
#[derive(Debug)]
#[must_use = "only the receipt tells whether the entry is durable"]
pub struct Receipt(oneshot::Receiver<Result<(), StoreError>>);

impl Future for Receipt {
    type Output = Result<(), StoreError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0)
            .poll(cx)
            .map(|done| done.unwrap_or(Err(StoreError::Closed)))
    }
}

/// Rows of the last statement.
pub(super) fn rows(mut outcomes: Vec<super::database::Outcome>) -> impl Iterator<Item = Row> {
    outcomes.pop().unwrap_or_default().rows.into_iter()
}

/// First row of the last statement.
pub(super) fn first_row(outcomes: Vec<super::database::Outcome>) -> Option<Row> {
    rows(outcomes).next()
}
