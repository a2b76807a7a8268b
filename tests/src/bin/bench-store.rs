//! Performance of the store: commits and entries a second, the time that a snapshot holds the journal, and the
//! time of a start after a long log, with and without a snapshot.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use call_engine::acd::metrics::{Metrics, OpenCounts, Slot};
use call_engine::acd::{AgentId, CallId, Departure, Fact, QueueId, Record, State, Status};
use clap::Parser;
use cordboard::centre::directory::Directory;
use cordboard::centre::event_stream::EventStream;
use cordboard::centre::journal::{Fold, Journal};
use cordboard::centre::persistence::Past;
use cordboard::config::Config;
use cordboard::store::{Durability, Entry, SlotRow, Store, StoreError};
use sans_io::Time;
use tokio::sync::mpsc;

const AGENTS: u64 = 500;
const QUEUES: u64 = 20;
/// Calls that are there at a time.
const CALLS: u64 = 200;
/// Records between two snapshots, as the gateway has it.
const EVERY: u64 = 10_000;
/// Entries under way at a time.
const WINDOW: usize = 4_096;
/// Commits of one entry each.
const COMMITS: u64 = 2_000;

#[derive(Parser)]
struct Options {
    /// Records of the log that a start finds.
    #[arg(long, default_value_t = 1_000_000)]
    records: u64,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let options = Options::parse();
    for (name, durability) in [("full", Durability::Full), ("normal", Durability::Normal)] {
        let folder = tempfile::tempdir()?;
        let store = Store::open(&url(folder.path()), durability).await?;
        let (commits, entries) = writes(&store).await?;
        store.close().await;
        println!("SQLite, {name}: {commits:.0} commits/s of one entry, {entries:.0} entries/s together");
        println!("store commits_per_s_{name} {commits:.0}");
        println!("store events_per_s_{name} {entries:.0}");
        if durability == Durability::Full {
            println!("store commits_per_s {commits:.0}");
        }
    }
    starts(options.records).await
}

fn url(folder: &Path) -> String {
    format!("sqlite:{}", folder.join("store.db").display())
}

/// Commits a second of one entry each; entries a second when many are under way.
async fn writes(store: &Store) -> Result<(f64, f64), StoreError> {
    let mut world = World::default();
    let epoch = store.log().begin_epoch("acd").await?;
    let began = Instant::now();
    for _ in 0..COMMITS {
        store.log().append(entry(&world.next(), epoch)?)?.await?;
    }
    let commits = COMMITS as f64 / began.elapsed().as_secs_f64();
    let began = Instant::now();
    let many = 50 * COMMITS;
    fill(store, &mut world, epoch, many, |_| {}).await?;
    Ok((commits, many as f64 / began.elapsed().as_secs_f64()))
}

/// A log of so many records: a start that reads it whole, as a gateway without snapshots left it, and the next one.
async fn starts(records: u64) -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let directory = Arc::new(Directory::of(&Config::default()));
    let store = Store::open(&url(folder.path()), Durability::Normal).await?;
    let mut world = World::default();
    let (mut state, mut metrics) = (State::default(), Metrics::default());
    metrics.watch(true);
    let epoch = store.log().begin_epoch("acd").await?;
    let last = records.saturating_sub(EVERY);
    let mut changed = Vec::new();
    fill(&store, &mut world, epoch, records, |record| {
        state.apply(record);
        metrics.apply(record);
        while metrics.poll_finished().is_some() {}
        if record.seq == last {
            metrics.changed();
        }
        if record.seq == records {
            changed = metrics.changed();
        }
    })
    .await?;
    // Another stream, so that the start below finds nothing of it.
    let probe = store.log().begin_epoch("probe").await?;
    let began = Instant::now();
    let mut rows: Vec<SlotRow> = Vec::with_capacity(changed.len());
    for slot in &changed {
        rows.push(row(slot)?);
    }
    let body = serde_json::to_string(&(&state, metrics.open()))?;
    let (slots, bytes) = (rows.len(), body.len());
    store
        .log()
        .put_snapshot_and_slots(("probe", probe, records), body, rows, 0)
        .await?;
    let snapshot = began.elapsed();
    store.close().await;
    let whole = start(folder.path(), &directory).await?;
    let after = start(folder.path(), &directory).await?;
    println!(
        "a snapshot of {AGENTS} agents, {QUEUES} queues, {} calls: {slots} slots, {bytes} bytes",
        state.calls.len()
    );
    println!("{records} records: a start reads them all in {whole:.0?}, with a snapshot in {after:.0?}");
    println!("store snapshot_ms {:.1}", millis(snapshot));
    println!("store start_whole_ms {:.0}", millis(whole));
    println!("store start_ms {:.1}", millis(after));
    Ok(())
}

/// Duration of a start. Repairs and cuts that it makes run beside everything else; they are waited for, since
/// they do not belong to the next start.
async fn start(folder: &Path, directory: &Arc<Directory>) -> Result<Duration, StoreError> {
    let began = Instant::now();
    let store = Store::open(&url(folder), Durability::Normal).await?;
    let (past, writer) = Past::read(&store, directory).await?;
    let spent = began.elapsed();
    let stream = EventStream::after(past.seq, past.events);
    let mut metrics = past.metrics;
    metrics.watch(true);
    let journal = Journal::new(
        stream,
        Arc::clone(directory),
        Box::new(Numbers(metrics)),
        past.seq,
    );
    let (_, batches) = mpsc::channel(1);
    journal
        .kept(writer, past.callers, past.unwritten)
        .run(batches)
        .await;
    while store.log().first("acd").await? != 0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    store.close().await;
    Ok(spent)
}

struct Numbers(Metrics);

impl Fold for Numbers {
    fn take(&mut self, records: &[Record]) {
        for record in records {
            self.0.apply(record);
        }
    }

    fn changes(&mut self) -> (OpenCounts, Vec<Slot>) {
        (self.0.open().clone(), self.0.changed())
    }
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1_000.0
}

async fn fill(
    store: &Store,
    world: &mut World,
    epoch: u64,
    records: u64,
    mut each: impl FnMut(&Record),
) -> Result<(), StoreError> {
    let log = store.log();
    let mut receipts = std::collections::VecDeque::with_capacity(WINDOW);
    for _ in 0..records {
        if receipts.len() == WINDOW
            && let Some(receipt) = receipts.pop_front()
        {
            let receipt: cordboard::store::Receipt = receipt;
            receipt.await?;
        }
        let record = world.next();
        each(&record);
        receipts.push_back(log.append(entry(&record, epoch)?)?);
    }
    for receipt in receipts {
        receipt.await?;
    }
    Ok(())
}

fn entry(record: &Record, epoch: u64) -> Result<Entry, StoreError> {
    Ok(Entry {
        stream: "acd",
        seq: record.seq,
        epoch,
        at_micros: record.at.as_micros(),
        kind: "fact".into(),
        body: json(record)?,
    })
}

fn row(slot: &Slot) -> Result<SlotRow, StoreError> {
    let (kind, id, slot, body) = match slot {
        Slot::Queue { queue, slot, counts } => ("queue", queue.0, *slot, json(counts)?),
        Slot::Agent { agent, slot, counts } => ("agent", agent.0, *slot, json(counts)?),
    };
    Ok(SlotRow { kind, id, slot, body })
}

fn json(value: &impl serde::Serialize) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|_| StoreError::Invalid("what cannot be written as JSON"))
}

/// Calls that come, are taken by the next agent, and end, eight records each, a tenth of a second apart.
#[derive(Default)]
struct World {
    seq: u64,
    calls: u64,
    next: BTreeMap<u64, Vec<Fact>>,
}

impl World {
    fn next(&mut self) -> Record {
        self.seq += 1;
        let turn = self.seq % CALLS;
        let facts = self.next.entry(turn).or_default();
        if facts.is_empty() {
            self.calls += 1;
            *facts = life(self.calls);
        }
        Record {
            seq: self.seq,
            epoch: 1,
            at: Time::from_secs(1_800_000_000) + Duration::from_millis(100 * self.seq),
            fact: facts.pop().unwrap_or(Fact::Started),
        }
    }
}

/// Facts of a call, last first.
fn life(number: u64) -> Vec<Fact> {
    let call = CallId(number);
    let agent = AgentId((number % AGENTS) as u32);
    let status = |status| Fact::Status { agent, status };
    vec![
        status(Status::Available),
        status(Status::WrapUp),
        Fact::Left {
            call,
            how: Departure::Completed,
            wrap_up: None,
        },
        status(Status::Talking),
        Fact::Connected { call },
        status(Status::Connecting),
        Fact::Accepted { call, agent },
        Fact::Entered {
            call,
            queue: QueueId((number % QUEUES) as u32),
            priority: 0,
            requires: Vec::new(),
            sticky: None,
            vet: number as i64,
        },
    ]
}
