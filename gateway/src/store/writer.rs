//! The one task that writes the log.
//!
//! All waiting entries are committed as one transaction, while the next batch gathers. So a lone entry waits for nobody,
//! and many share one flush to disk. A commit that fails is tried again until it succeeds: receipts
//! are late then, but never false.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};

use super::StoreError;
use super::database::{Database, Failure, Statement, int};
use super::log::{Entry, first_row};
use super::meter::Meter;

/// Entries of one commit at most.
const BATCH: usize = 256;
/// Rows of one INSERT at most.
const ROWS: usize = 64;
/// Wait before the first retry; doubles.
const BACK_OFF: Duration = Duration::from_millis(10);
/// Wait between retries at most.
const MAX_BACK_OFF: Duration = Duration::from_secs(1);

/// Request to the writer.
pub(super) enum Job {
    /// Write this, and say so.
    Append(Entry, oneshot::Sender<Result<(), StoreError>>),
    /// Say when all before this is written, and end.
    Close(oneshot::Sender<()>),
}

pub(super) struct Writer {
    pub(super) database: Arc<dyn Database>,
    pub(super) queue: mpsc::Receiver<Job>,
    pub(super) meter: Arc<Meter>,
}

/// Entries of one stream in a batch: of one epoch and without gaps.
#[derive(Default)]
struct Run {
    entries: Vec<Entry>,
    receipts: Vec<oneshot::Sender<Result<(), StoreError>>>,
}

type Batch = BTreeMap<&'static str, Run>;

impl Writer {
    pub(super) async fn run(mut self) {
        let mut next = None;
        loop {
            let job = match next.take() {
                Some(job) => Some(job),
                None => self.queue.recv().await,
            };
            match job {
                Some(Job::Append(entry, receipt)) => {
                    let mut batch = Batch::new();
                    let mut size = 1;
                    add(&mut batch, entry, receipt);
                    while size < BATCH {
                        match self.queue.try_recv() {
                            Ok(Job::Append(entry, receipt)) if follows(&batch, &entry) => {
                                add(&mut batch, entry, receipt);
                                size += 1;
                            }
                            Ok(other) => {
                                next = Some(other);
                                break;
                            }
                            Err(_) => break,
                        }
                    }
                    self.commit(batch).await;
                }
                Some(Job::Close(done)) => {
                    self.queue.close();
                    self.database.close().await;
                    let _ = done.send(());
                    return;
                }
                None => return,
            }
        }
    }

    /// Writes a batch, for as long as it takes.
    async fn commit(&self, mut batch: Batch) {
        let mut back_off = BACK_OFF;
        // An attempt may have been committed without our hearing of it.
        let mut unsure = false;
        while !batch.is_empty() {
            let began = Instant::now();
            let why = match self.database.run(statements(&batch)).await {
                Ok(_) => {
                    let size = batch.values().map(|run| run.entries.len()).sum();
                    self.meter.committed(began.elapsed(), size);
                    for run in std::mem::take(&mut batch).into_values() {
                        answer(run, &Ok(()));
                    }
                    return;
                }
                // The guards are the first statements, one a stream.
                Err(Failure::Untouched(index)) => match self.judge(&batch, index, unsure).await {
                    Ok((stream, verdict)) => {
                        if let Some(run) = batch.remove(stream) {
                            if verdict.is_err() {
                                self.meter.refused.fetch_add(run.entries.len() as u64, Relaxed);
                            }
                            answer(run, &verdict);
                        }
                        continue;
                    }
                    Err(why) => why.to_string(),
                },
                Err(Failure::Taken) => "an entry is there already".to_owned(),
                Err(Failure::Unavailable(why)) => why,
            };
            unsure = true;
            self.meter.retries.fetch_add(1, Relaxed);
            tracing::debug!(why, "the log waits for the database");
            tokio::time::sleep(back_off).await;
            back_off = (back_off * 2).min(MAX_BACK_OFF);
        }
    }

    /// Why the guard of a stream did not hold: what became of its entries.
    async fn judge(
        &self,
        batch: &Batch,
        index: usize,
        unsure: bool,
    ) -> Result<(&'static str, Result<(), StoreError>), StoreError> {
        let Some((stream, run)) = batch.iter().nth(index) else {
            return Err(StoreError::Corrupt("a guard is missing".into()));
        };
        let stream = *stream;
        let (Some(first), Some(last)) = (run.entries.first(), run.entries.last()) else {
            return Ok((stream, Ok(())));
        };
        if unsure {
            // Nobody else writes under our epoch, and a transaction is there whole or not at all.
            let sql = "SELECT seq FROM log WHERE stream = $1 AND seq = $2 AND epoch = $3";
            let statement = Statement::query(sql)
                .bind(stream)
                .bind(int(last.seq))
                .bind(int(last.epoch));
            if first_row(self.database.read(statement).await?).is_some() {
                return Ok((stream, Ok(())));
            }
        }
        let sql = "SELECT epoch, last_seq FROM streams WHERE stream = $1";
        let found = first_row(self.database.read(Statement::query(sql).bind(stream)).await?);
        let Some(mut row) = found else {
            return Ok((stream, Err(StoreError::Fenced { stream })));
        };
        let (epoch, last_seq) = (row.number()?, row.number()?);
        let verdict = if epoch == first.epoch {
            let expected = last_seq + 1;
            StoreError::OutOfOrder { stream, expected }
        } else {
            StoreError::Fenced { stream }
        };
        Ok((stream, Err(verdict)))
    }
}

fn answer(run: Run, verdict: &Result<(), StoreError>) {
    for receipt in run.receipts {
        let _ = receipt.send(verdict.clone());
    }
}

fn add(batch: &mut Batch, entry: Entry, receipt: oneshot::Sender<Result<(), StoreError>>) {
    let run = batch.entry(entry.stream).or_default();
    run.entries.push(entry);
    run.receipts.push(receipt);
}

fn follows(batch: &Batch, entry: &Entry) -> bool {
    match batch.get(entry.stream).and_then(|run| run.entries.last()) {
        Some(last) => last.epoch == entry.epoch && last.seq + 1 == entry.seq,
        None => true,
    }
}

/// The transaction: one guard a stream, which also locks it against other writers, then the entries.
fn statements(batch: &Batch) -> Vec<Statement> {
    let guard = "UPDATE streams SET last_seq = $1 WHERE stream = $2 AND epoch = $3 AND last_seq = $4";
    let guards = batch.iter().filter_map(|(stream, run)| {
        let (first, last) = (run.entries.first()?, run.entries.last()?);
        let statement = Statement::execute(guard)
            .bind(int(last.seq))
            .bind(*stream)
            .bind(int(first.epoch))
            .bind(int(first.seq - 1));
        Some(statement.must_touch(1))
    });
    let mut statements: Vec<Statement> = guards.collect();
    for run in batch.values() {
        // One statement, whatever the number of rows: each statement is a way to the database and back, and all lengths fit among the
        // statements that a connection keeps prepared.
        statements.extend(run.entries.chunks(ROWS).map(insert));
    }
    statements
}

fn insert(entries: &[Entry]) -> Statement {
    let mut sql = String::from("INSERT INTO log (stream, seq, epoch, at, kind, body) VALUES ");
    for row in 0..entries.len() {
        let n = row * 6;
        let comma = if row == 0 { "" } else { ", " };
        let (a, b, c, d, e, f) = (n + 1, n + 2, n + 3, n + 4, n + 5, n + 6);
        sql.push_str(&format!("{comma}(${a}, ${b}, ${c}, ${d}, ${e}, ${f})"));
    }
    entries.iter().fold(Statement::execute(sql), |statement, entry| {
        statement
            .bind(entry.stream)
            .bind(int(entry.seq))
            .bind(int(entry.epoch))
            .bind(int(entry.at_micros))
            .bind(entry.kind.as_str())
            .bind(entry.body.as_str())
    })
}
