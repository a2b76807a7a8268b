//! What the call centre finds in the store when it opens, and how its log gets there.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use call_engine::acd::{self, CallId, State};
use serde::Serialize;
use serde::de::DeserializeOwned;
use session_core::SavedLeg;

use super::hub::{Event, RING};
use super::ids;
use super::view::{Call, Change, Record};
use crate::store::{CallRecord, Entry, Log, Receipt, Store, StoreError, Table};

/// The stream of the engine's log.
const FACTS: &str = "acd";
/// The stream of what everybody was told.
const EVENTS: &str = "event";
/// The rows of callers' legs.
const LEGS: &str = "leg";
/// Entries read at a time.
const PAGE: u32 = 4_096;
/// How soon what the database did not take is tried again.
const AGAIN: Duration = Duration::from_millis(500);

/// What a call centre left.
#[derive(Debug, Default)]
pub struct Past {
    /// Of the engine that goes on.
    pub epoch: u64,
    /// What the engine before left.
    pub state: State,
    /// Its log, as far as it is kept.
    pub log: Vec<acd::Record>,
    /// The last that was told.
    pub events: Vec<Arc<Event>>,
    /// Number of the last of them.
    pub seq: u64,
    /// Calls that were there, as they were told last.
    pub calls: BTreeMap<CallId, Call>,
    /// What was kept of callers' legs.
    pub legs: BTreeMap<CallId, SavedLeg>,
}

/// The way into the store.
pub struct Keeper {
    store: Store,
    log: Log,
    legs: Table<SavedLeg>,
    facts_epoch: u64,
    events_epoch: u64,
}

impl Past {
    /// Reads it, and takes the log over: whoever wrote it before cannot go on.
    ///
    /// # Errors
    /// What the store says; [`StoreError::Corrupt`] for entries that cannot be read.
    pub async fn read(store: &Store) -> Result<(Past, Keeper), StoreError> {
        let log = store.log();
        let legs = store.table(LEGS);
        let facts_epoch = log.begin_epoch(FACTS).await?;
        let events_epoch = log.begin_epoch(EVENTS).await?;
        let mut state: State = match log.latest_snapshot(FACTS).await? {
            Some((_, body)) => parse(FACTS, &body)?,
            None => State::default(),
        };
        let mut records: Vec<acd::Record> = Vec::new();
        each(&log, FACTS, 1, |body| {
            let record: acd::Record = parse(FACTS, &body)?;
            state.apply(&record);
            records.push(record);
            Ok(())
        })
        .await?;
        let seq = log.last(EVENTS).await?;
        let mut events: Vec<Arc<Event>> = Vec::new();
        let mut calls = BTreeMap::new();
        each(
            &log,
            EVENTS,
            (seq + 1).saturating_sub(RING as u64).max(1),
            |body| {
                let event: Event = parse(EVENTS, &body)?;
                if let Change::Call(call) = &event.change
                    && let Some(id) = ids::read_call(&call.id)
                    && state.calls.contains_key(&id)
                {
                    calls.insert(id, call.clone());
                }
                events.push(Arc::new(event));
                Ok(())
            },
        )
        .await?;
        // The next start need not read what is older.
        let body = text(&state)?;
        log.put_snapshot(FACTS, state.seq, body).await?;
        let past = Past {
            epoch: facts_epoch,
            state,
            log: records,
            events,
            seq,
            calls,
            legs: kept_legs(&legs).await?,
        };
        let keeper = Keeper {
            store: store.clone(),
            log,
            legs,
            facts_epoch,
            events_epoch,
        };
        Ok((past, keeper))
    }
}

impl Keeper {
    /// Makes all this durable, in this order; comes back when it is.
    ///
    /// # Errors
    /// Somebody else owns the log now, or the store is closed. A database that is away is waited for.
    pub(super) async fn keep(
        &self,
        records: &[acd::Record],
        events: &[Arc<Event>],
        legs: BTreeMap<CallId, Option<SavedLeg>>,
    ) -> Result<(), StoreError> {
        for event in events {
            if let Change::CallEnded { record, .. } = &event.change {
                self.insert(record).await?;
            }
        }
        let mut receipts = Vec::with_capacity(records.len() + events.len());
        for record in records {
            let entry = Entry {
                stream: FACTS,
                seq: record.seq,
                epoch: self.facts_epoch,
                at_micros: record.at.as_micros(),
                kind: "fact".into(),
                body: text(record)?,
            };
            self.append(entry, &mut receipts).await?;
        }
        for event in events {
            let entry = Entry {
                stream: EVENTS,
                seq: event.seq,
                epoch: self.events_epoch,
                at_micros: event.time.0.as_micros(),
                kind: "change".into(),
                body: text(&**event)?,
            };
            self.append(entry, &mut receipts).await?;
        }
        settle(&mut receipts).await?;
        self.put_legs(legs).await
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

    /// Of a leg that is not written the call is lost with the gateway, and nothing else.
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
                    tracing::warn!(why, "callers' legs wait for the database");
                    tokio::time::sleep(AGAIN).await;
                }
                done => return done,
            }
        }
    }

    async fn insert(&self, record: &Record) -> Result<(), StoreError> {
        let call = CallRecord {
            id: record.id.clone(),
            version: 1,
            started_micros: record.entered_at.0.as_micros(),
            queue: record.queue.clone(),
            agents: record.agents.iter().map(|agent| agent.id.clone()).collect(),
            caller: record.from.number.clone(),
            disposition: record.disposition.clone(),
            notes: record.notes.clone().unwrap_or_default(),
            body: text(record)?,
        };
        loop {
            match self.store.calls().insert(&call).await {
                Ok(_) => return Ok(()),
                Err(StoreError::Unavailable(why)) => {
                    tracing::warn!(why, "a call record waits for the database");
                    tokio::time::sleep(AGAIN).await;
                }
                Err(error) => return Err(error),
            }
        }
    }
}

async fn kept_legs(table: &Table<SavedLeg>) -> Result<BTreeMap<CallId, SavedLeg>, StoreError> {
    let mut legs = BTreeMap::new();
    let mut after: Option<String> = None;
    loop {
        let page = table.list(after.as_deref(), PAGE).await?;
        let Some(last) = page.last() else { return Ok(legs) };
        after = Some(last.id.clone());
        for row in page {
            if let Some(call) = ids::read_call(&row.id) {
                legs.insert(call, row.body);
            }
        }
    }
}

async fn settle(receipts: &mut Vec<Receipt>) -> Result<(), StoreError> {
    for receipt in receipts.drain(..) {
        receipt.await?;
    }
    Ok(())
}

async fn each(
    log: &Log,
    stream: &'static str,
    from: u64,
    mut take: impl FnMut(String) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let mut next = from;
    loop {
        let page = log.read(stream, next, PAGE).await?;
        let Some(last) = page.last().map(|entry| entry.seq) else {
            return Ok(());
        };
        for entry in page {
            take(entry.body)?;
        }
        next = last + 1;
    }
}

fn parse<T: DeserializeOwned>(stream: &str, body: &str) -> Result<T, StoreError> {
    serde_json::from_str(body).map_err(|_| StoreError::Corrupt(format!("an entry of the stream {stream}")))
}

fn text<T: Serialize>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|_| StoreError::Invalid("what cannot be written as JSON"))
}
