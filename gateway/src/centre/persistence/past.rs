//! State that a call centre finds in the store when it begins.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use call_engine::acd::metrics::{Finished, Metrics};
use call_engine::acd::{self, CallId, State};
use session_core::SavedLeg;

use super::super::direct::lost;
use super::super::directory::Directory;
use super::super::event_stream::{Event, RING};
use super::super::ids;
use super::super::view::{Call, CallKind, Change, Party, Record};
use super::{EVENTS, FACTS, Persistence, Snapshot, parse, slots};
use crate::store::{Log, Store, StoreError, Table};

/// Rows of callers' legs.
const LEGS: &str = "leg";
/// Entries read at a time.
const PAGE: u32 = 4_096;
/// Records of calls that are looked for at a time.
const LOOKED_UP: usize = 500;

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
    /// Records of direct calls that the stop ended.
    pub lost: Vec<Record>,
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
        let LastEvents {
            events,
            calls,
            direct,
        } = last_events(&log, seq, |id| state.calls.contains_key(id) || over.contains(id)).await?;
        let stopped = events.last().map(|event| event.time).unwrap_or_default();
        let lost = direct.into_values().map(|call| lost(call, stopped)).collect();
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
        let legs = saved_legs(&persistence.legs).await?;
        let caller = |id: &CallId| caller(calls.get(id), legs.get(id));
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
            lost,
        };
        Ok((past, persistence))
    }
}

/// The last published events, and what they say of calls that were live at their end.
struct LastEvents {
    events: Vec<Arc<Event>>,
    /// Calls of queues that are wanted, as they were published last.
    calls: BTreeMap<CallId, Call>,
    /// Direct calls, by id.
    direct: BTreeMap<String, Call>,
}

/// The last events up to number `seq`. Of the calls of queues among them, those that are `wanted`.
async fn last_events(
    log: &Log,
    seq: u64,
    wanted: impl Fn(&CallId) -> bool,
) -> Result<LastEvents, StoreError> {
    let mut last = LastEvents {
        events: Vec::new(),
        calls: BTreeMap::new(),
        direct: BTreeMap::new(),
    };
    let from = (seq + 1).saturating_sub(RING as u64).max(1);
    each(log, EVENTS, from, |body| {
        let event: Event = parse(EVENTS, &body)?;
        match &event.change {
            Change::Call(call) if call.kind != CallKind::Queue => {
                last.direct.insert(call.id.clone(), call.clone());
            }
            Change::Call(call) => {
                // A queue may have taken a direct call.
                last.direct.remove(&call.id);
                if let Some(id) = ids::read_call(&call.id).filter(&wanted) {
                    last.calls.insert(id, call.clone());
                }
            }
            Change::CallEnded { id, .. } | Change::CallJoined { id, .. } => {
                last.direct.remove(id);
            }
            _ => {}
        }
        last.events.push(Arc::new(event));
        Ok(())
    })
    .await?;
    Ok(last)
}

/// The caller of a call, with the number dialled, by what was published or else by the saved leg.
fn caller(published: Option<&Call>, leg: Option<&SavedLeg>) -> (Party, String) {
    match (published, leg) {
        (Some(published), _) => (published.from.clone(), published.to.clone()),
        (None, Some(leg)) => (Party::new(&leg.from, &leg.display), leg.to.clone()),
        (None, None) => (Party::default(), String::new()),
    }
}

/// State, numbers, and calls without a record as the last snapshot has them; an older one has the state alone.
async fn folded(log: &Log) -> Result<(State, Metrics, Vec<Finished>), StoreError> {
    let mut fold = (State::default(), Metrics::default(), Vec::new());
    if let Some((_, body)) = log.latest_snapshot(FACTS).await? {
        match serde_json::from_str::<Snapshot>(&body) {
            Ok(snapshot) => {
                let slots = slots::read(log).await?;
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

/// Finished calls without a record: the gateway ended between the end of the call and that of its session.
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

async fn saved_legs(table: &Table<SavedLeg>) -> Result<BTreeMap<CallId, SavedLeg>, StoreError> {
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
