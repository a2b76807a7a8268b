//! State that the call centre finds in the store when it opens, and the way its log gets there.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use call_engine::acd::metrics::{Finished, Metrics, OpenCounts, SLOT, Slot};
use call_engine::acd::{self, AgentId, CallId, QueueId, State};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use session_core::SavedLeg;
use tokio::sync::watch;

use super::directory::Directory;
use super::event_stream::{Event, RING};
use super::ids;
use super::view::{Call, Change, Party, Record};
use crate::store::{CallRecord, Entry, Health, Log, Receipt, SlotRow, Store, StoreError, Table};

/// The stream of the engine's log.
const FACTS: &str = "acd";
/// Stream of published events.
const EVENTS: &str = "event";
/// Slots of queues and of agents.
const QUEUE: &str = "queue";
const AGENT: &str = "agent";
/// The rows of callers' legs.
const LEGS: &str = "leg";
/// Entries read at a time.
const PAGE: u32 = 4_096;
/// Slots for which numbers are kept: 62 days.
const SLOTS: u64 = 62 * 24 * 3_600 * 1_000_000 / SLOT;
/// Entries that are removed at a time, so that nobody waits for it.
const CUT: u64 = 1_000;
/// Records of calls that are looked for at a time.
const LOOKED_UP: usize = 500;
/// Time until a failed write is tried again.
const AGAIN: Duration = Duration::from_millis(500);

/// State that a call centre left behind.
#[derive(Debug, Default)]
pub struct Past {
    /// Epoch of the engine that continues.
    pub epoch: u64,
    /// State that the previous engine left.
    pub state: State,
    /// The numbers that its log gives.
    pub metrics: Metrics,
    /// The last published events.
    pub events: Vec<Arc<Event>>,
    /// Number of the last of them.
    pub seq: u64,
    /// Calls in progress, as they were last published.
    pub calls: BTreeMap<CallId, Call>,
    /// Saved legs of callers.
    pub legs: BTreeMap<CallId, SavedLeg>,
    /// Callers of these calls and of the unwritten ones, with the numbers they dialled.
    pub callers: BTreeMap<CallId, (Party, String)>,
    /// Calls that were over, and whose record was not written.
    pub unwritten: Vec<Finished>,
}

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

/// Position in the log.
#[derive(Serialize, Deserialize)]
struct Snapshot {
    state: State,
    open: OpenCounts,
    /// Calls that were over, and whose sessions were not.
    finished: Vec<Finished>,
}

impl Past {
    /// Reads the store, and takes the log over: its previous writer cannot go on. Service levels are those of
    /// the directory, for answers since the last snapshot too.
    ///
    /// # Errors
    /// Errors of the store; [`StoreError::Corrupt`] for entries that cannot be read.
    pub async fn read(store: &Store, directory: &Directory) -> Result<(Past, Persistence), StoreError> {
        let log = store.log();
        let legs = store.table(LEGS);
        let facts_epoch = log.begin_epoch(FACTS).await?;
        let events_epoch = log.begin_epoch(EVENTS).await?;
        let (mut state, mut metrics, mut unwritten) = folded(&log).await?;
        for queue in directory.queues() {
            metrics.set_service_level(queue.config.id, queue.service_level());
        }
        let from = state.seq.min(metrics.open().seq) + 1;
        each(&log, FACTS, from, |body| {
            let record: acd::Record = parse(FACTS, &body)?;
            state.apply(&record);
            metrics.apply(&record);
            Ok(())
        })
        .await?;
        while let Some(finished) = metrics.poll_finished() {
            unwritten.push(finished);
        }
        let unwritten = without_record(store, &unwritten).await?;
        let over: BTreeSet<CallId> = unwritten.iter().map(|finished| finished.call).collect();
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
                    && (state.calls.contains_key(&id) || over.contains(&id))
                {
                    calls.insert(id, call.clone());
                }
                events.push(Arc::new(event));
                Ok(())
            },
        )
        .await?;
        let mut persistence = Persistence {
            store: store.clone(),
            log,
            legs,
            facts_epoch,
            events_epoch,
            state: state.clone(),
            snapshot: 0,
            last_event: seq,
            slots: BTreeMap::new(),
        };
        let slots = metrics.changed();
        metrics.watch(false);
        persistence
            .snapshot(metrics.open().clone(), slots, unwritten.clone())
            .await?;
        persistence.cut();
        let legs = kept_legs(&persistence.legs).await?;
        let caller = |id: &CallId| match (calls.get(id), legs.get(id)) {
            (Some(published), _) => (published.from.clone(), published.to.clone()),
            (None, Some(leg)) => (
                Party {
                    number: leg.from.clone(),
                    display: leg.display.clone(),
                },
                leg.to.clone(),
            ),
            (None, None) => (Party::default(), String::new()),
        };
        let callers = state
            .calls
            .keys()
            .chain(&over)
            .map(|id| (*id, caller(id)))
            .collect();
        let past = Past {
            epoch: facts_epoch,
            state,
            metrics,
            events,
            seq,
            calls,
            legs,
            callers,
            unwritten,
        };
        Ok((past, persistence))
    }
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
        for event in events {
            if let Change::CallEnded { record, .. } | Change::Logged { record } = &event.change {
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

    /// Keeps where the log has come to.
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
            let row = row_of(slot)?;
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
                    tracing::debug!(why, "a call record waits for the database");
                    tokio::time::sleep(AGAIN).await;
                }
                Err(error) => return Err(error),
            }
        }
    }
}

/// State, numbers, and calls without a record as the last snapshot has them; an older one has the state alone.
async fn folded(log: &Log) -> Result<(State, Metrics, Vec<Finished>), StoreError> {
    let mut fold = (State::default(), Metrics::default(), Vec::new());
    if let Some((_, body)) = log.latest_snapshot(FACTS).await? {
        match serde_json::from_str::<Snapshot>(&body) {
            Ok(snapshot) => {
                let slots = kept_slots(log).await?;
                fold = (
                    snapshot.state,
                    Metrics::restored(snapshot.open, slots),
                    snapshot.finished,
                );
            }
            Err(_) => fold.0 = parse(FACTS, &body)?,
        }
    }
    fold.1.watch(true);
    Ok(fold)
}

async fn kept_slots(log: &Log) -> Result<Vec<Slot>, StoreError> {
    let mut slots = Vec::new();
    for (id, slot, body) in log.slots(QUEUE).await? {
        let (queue, counts) = (QueueId(id), parse(QUEUE, &body)?);
        slots.push(Slot::Queue { queue, slot, counts });
    }
    for (id, slot, body) in log.slots(AGENT).await? {
        let (agent, counts) = (AgentId(id), parse(AGENT, &body)?);
        slots.push(Slot::Agent { agent, slot, counts });
    }
    Ok(slots)
}

/// Those of them that have no record: the gateway ended between the end of the call and that of its session.
async fn without_record(store: &Store, finished: &[Finished]) -> Result<Vec<Finished>, StoreError> {
    let mut unwritten = Vec::new();
    for part in finished.chunks(LOOKED_UP) {
        let ids: Vec<String> = part.iter().map(|finished| ids::record(finished.call)).collect();
        let missing = store.calls().missing(&ids).await?;
        let wanted = |finished: &&Finished| missing.contains(&ids::record(finished.call));
        unwritten.extend(part.iter().filter(wanted).cloned());
    }
    Ok(unwritten)
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

const fn slot_of(slot: &Slot) -> u64 {
    match slot {
        Slot::Queue { slot, .. } | Slot::Agent { slot, .. } => *slot,
    }
}

fn row_of(slot: &Slot) -> Result<SlotRow, StoreError> {
    let (kind, id, body) = match slot {
        Slot::Queue { queue, counts, .. } => (QUEUE, queue.0, text(counts)?),
        Slot::Agent { agent, counts, .. } => (AGENT, agent.0, text(counts)?),
    };
    Ok(SlotRow {
        kind,
        id,
        slot: slot_of(slot),
        body,
    })
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

#[cfg(test)]
mod tests {
    use call_engine::acd::{Fact, Record};
    use sans_io::Time;
    use sqlx::{Connection, SqliteConnection};

    use super::*;
    use crate::config::Config;
    use crate::store::Durability;

    #[tokio::test]
    async fn a_snapshot_that_fails_costs_no_number() {
        let folder = tempfile::tempdir().expect("a folder");
        let url = format!("sqlite:{}", folder.path().join("store.db").display());
        let store = Store::open(&url, Durability::Normal).await.expect("a store");
        let directory = Directory::of(&Config::default());
        let (past, mut persistence) = Past::read(&store, &directory).await.expect("nothing yet");
        let mut metrics = past.metrics;
        metrics.watch(true);
        let mut other = SqliteConnection::connect(&url).await.expect("a connection");
        let begin = Time::from_secs(1_800_000_000);
        let mut seq = 0;
        for (queue, away) in [(1, true), (2, false)] {
            seq += 1;
            let record = Record {
                seq,
                epoch: past.epoch,
                at: begin,
                fact: Fact::Entered {
                    call: CallId(seq),
                    queue: QueueId(queue),
                    priority: 0,
                    requires: Vec::new(),
                    sticky: None,
                    vet: 0,
                },
            };
            metrics.apply(&record);
            let kept = persistence.keep(&[record], &[], BTreeMap::new()).await;
            kept.expect("durable");
            if away {
                let rename = sqlx::query("ALTER TABLE slots RENAME TO away");
                rename.execute(&mut other).await.expect("renamed");
            }
            let taken = persistence
                .snapshot(metrics.open().clone(), metrics.changed(), Vec::new())
                .await;
            assert_eq!(taken.is_err(), away, "{taken:?}");
            if away {
                let rename = sqlx::query("ALTER TABLE away RENAME TO slots");
                rename.execute(&mut other).await.expect("renamed");
            }
        }
        let (past, _) = Past::read(&store, &directory).await.expect("what was kept");
        for queue in [1, 2].map(QueueId) {
            let counts = past.metrics.queue_counts(queue, begin, begin + AGAIN);
            assert_eq!(counts.entered, 1, "{queue:?}");
        }
    }
}
