//! State of the call centre in the store, and the way its log gets there: [`Past`] is what it finds when it begins, [`Persistence`] writes.

mod past;
mod slots;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use call_engine::acd::metrics::{Finished, OpenCounts, SLOT, Slot};
use call_engine::acd::{self, CallId, State};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use session_core::SavedLeg;
use tokio::sync::watch;

use super::event_stream::{Event, RING};
use super::ids;
use super::view::{Change, Record};
use crate::store::{CallRecord, Entry, Health, Log, Receipt, SlotRow, Store, StoreError, Table};

pub use past::Past;

/// The stream of the engine's log.
const FACTS: &str = "acd";
/// Stream of published events.
const EVENTS: &str = "event";
/// Slots that are stored: 62 days.
const SLOTS: u64 = 62 * 24 * 3_600 * 1_000_000 / SLOT;
/// Records of calls that are written at a time.
const RECORDS: usize = 100;
/// Entries that are removed at a time, so that nobody waits for it.
const CUT: u64 = 1_000;
/// Time until a failed write is tried again.
const AGAIN: Duration = Duration::from_millis(500);

/// The way into the store.
pub struct Persistence {
    store: Store,
    log: Log,
    legs: Table<SavedLeg>,
    facts_epoch: u64,
    events_epoch: u64,
    /// Fold of the durable log.
    state: State,
    /// Number of the last record that the latest snapshot includes.
    snapshot: u64,
    /// Number of the last event.
    last_event: u64,
    /// Slots that changed since the last snapshot that was written, by whose and which.
    slots: BTreeMap<(&'static str, u32, u64), SlotRow>,
}

/// State of the fold of the log, written from time to time.
#[derive(Serialize, Deserialize)]
struct Snapshot {
    state: State,
    open: OpenCounts,
    /// Calls that were over, and whose sessions were not.
    finished: Vec<Finished>,
}

impl Persistence {
    /// Makes all this durable, in this order; comes back when it is.
    ///
    /// # Errors
    /// Somebody else owns the log now, or the store is closed. A database that is away is waited for.
    pub(super) async fn keep(
        &mut self,
        records: &[acd::Record],
        events: &[Arc<Event>],
        legs: BTreeMap<CallId, Option<SavedLeg>>,
    ) -> Result<(), StoreError> {
        let over = events.iter().filter_map(|event| match &event.change {
            Change::CallEnded { record, .. } | Change::Logged { record } => Some(row_of_record(record)),
            _ => None,
        });
        let over: Vec<CallRecord> = over.collect::<Result<_, _>>()?;
        for some in over.chunks(RECORDS) {
            self.insert(some).await?;
        }
        let mut entries = Vec::with_capacity(records.len() + events.len());
        for record in records {
            entries.push(Entry {
                stream: FACTS,
                seq: record.seq,
                epoch: self.facts_epoch,
                at_micros: record.at.as_micros(),
                kind: "fact".into(),
                body: text(record)?,
            });
        }
        for event in events {
            entries.push(Entry {
                stream: EVENTS,
                seq: event.seq,
                epoch: self.events_epoch,
                at_micros: event.time.0.as_micros(),
                kind: "change".into(),
                body: text(&**event)?,
            });
        }
        // In a row, so that one commit takes them all: the writer begins with what is there when it wakes.
        let mut receipts = Vec::with_capacity(entries.len());
        for entry in entries {
            self.append(entry, &mut receipts).await?;
        }
        settle(&mut receipts).await?;
        for record in records {
            self.state.apply(record);
        }
        self.last_event = events.last().map_or(self.last_event, |event| event.seq);
        if let Err(error) = self.put_legs(legs).await {
            tracing::warn!(%error, "callers could not go on after a restart");
        }
        Ok(())
    }

    /// Health of the database.
    pub(super) fn health(&self) -> watch::Receiver<Health> {
        self.store.health()
    }

    /// Writes down where the log has come to.
    ///
    /// # Errors
    /// Errors of the store; the slots are written with the next snapshot then.
    pub(super) async fn snapshot(
        &mut self,
        open: OpenCounts,
        slots: Vec<Slot>,
        finished: Vec<Finished>,
    ) -> Result<(), StoreError> {
        let seq = self.state.seq;
        let body = text(&Snapshot {
            state: self.state.clone(),
            open,
            finished,
        })?;
        for slot in &slots {
            let row = slots::row_of(slot)?;
            self.slots.insert((row.kind, row.id, row.slot), row);
        }
        let now = self.slots.keys().map(|(_, _, slot)| *slot).max();
        let forget = now.unwrap_or_default().saturating_sub(SLOTS);
        let rows = self.slots.values().cloned().collect();
        self.log
            .put_snapshot_and_slots((FACTS, self.facts_epoch, seq), body, rows, forget)
            .await?;
        self.slots.clear();
        self.snapshot = seq;
        Ok(())
    }

    /// Removes in the background everything before the last snapshot, which nobody will read again.
    pub(super) fn cut(&self) {
        let (log, seq) = (self.log.clone(), self.snapshot);
        let events = (self.last_event + 1).saturating_sub(RING as u64);
        tokio::spawn(async move {
            for (stream, before) in [(FACTS, seq + 1), (EVENTS, events)] {
                if let Err(error) = cut(&log, stream, before).await {
                    return tracing::warn!(%error, stream, "old entries of the event log cannot be removed");
                }
            }
        });
    }

    async fn append(&self, entry: Entry, receipts: &mut Vec<Receipt>) -> Result<(), StoreError> {
        loop {
            match self.log.append(entry.clone()) {
                Ok(receipt) => {
                    receipts.push(receipt);
                    return Ok(());
                }
                // As soon as something of ours is durable there is room.
                Err(StoreError::Full) => settle(receipts).await?,
                Err(error) => return Err(error),
            }
        }
    }

    /// Keeps the legs of callers. A call whose leg is not written is lost with the gateway, and nothing else is.
    async fn put_legs(&self, legs: BTreeMap<CallId, Option<SavedLeg>>) -> Result<(), StoreError> {
        if legs.is_empty() {
            return Ok(());
        }
        let rows: Vec<(String, Option<SavedLeg>)> = legs
            .into_iter()
            .map(|(call, leg)| (ids::call(call), leg))
            .collect();
        loop {
            match self.legs.overwrite(&rows).await {
                Err(StoreError::Unavailable(why)) => {
                    tracing::debug!(why, "callers' legs wait for the database");
                    tokio::time::sleep(AGAIN).await;
                }
                done => return done,
            }
        }
    }

    async fn insert(&self, calls: &[CallRecord]) -> Result<(), StoreError> {
        loop {
            match self.store.calls().insert(calls).await {
                Ok(_) => return Ok(()),
                Err(StoreError::Unavailable(why)) => {
                    tracing::debug!(why, "call records wait for the database");
                    tokio::time::sleep(AGAIN).await;
                }
                Err(error) => return Err(error),
            }
        }
    }
}

/// The row of a call's record. No database takes a NUL, which a number may have (`%00`).
fn row_of_record(record: &Record) -> Result<CallRecord, StoreError> {
    Ok(CallRecord {
        id: record.id.clone(),
        version: 1,
        started_micros: record.entered_at.0.as_micros(),
        queue: record.queue.clone(),
        agents: record.agents.iter().map(|agent| agent.id.clone()).collect(),
        caller: record.from.number.replace('\0', ""),
        disposition: record.disposition.clone(),
        notes: record.notes.clone().unwrap_or_default().replace('\0', ""),
        body: text(record)?,
    })
}

/// Removes the entries below `before`, some at a time.
async fn cut(log: &Log, stream: &'static str, before: u64) -> Result<(), StoreError> {
    let mut at = log.first(stream).await?;
    while at > 0 && at < before {
        at = (at + CUT).min(before);
        log.prune(stream, at).await?;
    }
    Ok(())
}

async fn settle(receipts: &mut Vec<Receipt>) -> Result<(), StoreError> {
    for receipt in receipts.drain(..) {
        receipt.await?;
    }
    Ok(())
}

fn parse<T: DeserializeOwned>(stream: &str, body: &str) -> Result<T, StoreError> {
    serde_json::from_str(body).map_err(|_| StoreError::Corrupt(format!("an entry of the stream {stream}")))
}

fn text<T: Serialize>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|_| StoreError::Invalid("what cannot be written as JSON"))
}
