//! The journal takes batches from the signalling task to the store, and from there to every page and program:
//! an event is durable before it is published, unless the database is away. Then it is published at once and
//! written when the database is back ([`super::journal_writer`]), so that calls and agents carry on. If the gateway
//! ends before that, published events are lost, and pages start again from what is in the store.

mod batch;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

pub use batch::{Answer, Batch, Ended};
use call_engine::acd::metrics::{Finished, OpenCounts, Slot};
use call_engine::acd::{self, CallId};
use sans_io::Time;
use tokio::sync::{Notify, mpsc};
use tokio::time::{Instant, sleep_until};

use super::direct;
use super::directory::Directory;
use super::event_stream::{Event, EventStream};
use super::ids;
use super::journal_writer::JournalWriter;
use super::persistence::Persistence;
use super::view::{AgentName, AgentNotes, Change, Moment, Outcome, Party, Record, RecordKind, RecordLeg};

/// Records after which the next snapshot is taken.
const SNAPSHOT: usize = 10_000;
/// Batches that are taken at a time.
const TAKEN: usize = 256;
/// Minimum time between the beginnings of two commits, unless something is urgent: what happens in between shares one, and one flush
/// to disk.
const PACE: Duration = Duration::from_millis(40);

/// Calls that have ended for the engine but not for their session, or the reverse.
#[derive(Debug, Default)]
struct Open {
    finished: BTreeMap<CallId, Finished>,
    ended: BTreeMap<CallId, (Time, Ended)>,
}

/// Makes batches durable and publishes them.
pub struct Journal {
    stream: EventStream,
    directory: Arc<Directory>,
    fold: Box<dyn Fold>,
    persistence: Option<Persistence>,
    seq: u64,
    open: Open,
    /// Callers of calls from before the start, and what they dialled.
    before: BTreeMap<CallId, (Party, String)>,
    /// Calls that were over at the start, and whose record is still to be written.
    unwritten: Vec<Finished>,
    /// Records of direct calls that the last stop ended.
    lost: Vec<Record>,
    /// Notified when an urgent batch comes.
    hurry: Arc<Notify>,
}

/// Another reader of the log, which folds it to the numbers that outlive a restart.
pub trait Fold: Send {
    /// The next records.
    fn take(&mut self, records: &[acd::Record]);

    /// Counts that are in no slot yet, and the slots that changed since the last call.
    fn changes(&mut self) -> (OpenCounts, Vec<Slot>);
}

/// Folds nothing.
impl Fold for () {
    fn take(&mut self, _: &[acd::Record]) {}

    fn changes(&mut self) -> (OpenCounts, Vec<Slot>) {
        (OpenCounts::default(), Vec::new())
    }
}

impl Journal {
    /// A journal that goes on after the change with number `seq`.
    #[must_use]
    pub fn new(stream: EventStream, directory: Arc<Directory>, fold: Box<dyn Fold>, seq: u64) -> Journal {
        Journal {
            stream,
            directory,
            fold,
            persistence: None,
            seq,
            open: Open::default(),
            before: BTreeMap::new(),
            unwritten: Vec::new(),
            lost: Vec::new(),
            hurry: Arc::default(),
        }
    }

    /// A journal that makes everything durable before it publishes it. `before`: callers of calls from before
    /// it began, and what they dialled; `finished`: those of these calls whose records are still to be written.
    #[must_use]
    pub fn kept(
        mut self,
        persistence: Persistence,
        before: BTreeMap<CallId, (Party, String)>,
        finished: Vec<Finished>,
    ) -> Journal {
        self.persistence = Some(persistence);
        self.before = before;
        self.unwritten = finished;
        self
    }

    /// Commits at once when `hurry` is notified: an urgent batch has come.
    #[must_use]
    pub fn hurried_by(self, hurry: Arc<Notify>) -> Journal {
        Journal { hurry, ..self }
    }

    /// Writes these records of direct calls first, which were live when the gateway stopped.
    #[must_use]
    pub fn losing(self, lost: Vec<Record>) -> Journal {
        Journal { lost, ..self }
    }

    /// Until the signalling task has ended and everything of it is durable.
    pub async fn run(mut self, mut batches: mpsc::Receiver<Batch>) {
        let mut received = Vec::new();
        let found = self.found_at_start();
        if !found.is_empty() {
            received.push(found);
        }
        let mut writer = self.persistence.take().map(JournalWriter::start);
        let mut since = 0;
        let mut due = Instant::now();
        while !received.is_empty() || batches.recv_many(&mut received, TAKEN).await > 0 {
            if writer.is_some() {
                gather(&self.hurry, due, &mut batches, &mut received).await;
                due = Instant::now() + PACE;
            }
            let (mut records, mut events, mut answers) = (Vec::new(), Vec::new(), Vec::new());
            let mut legs = BTreeMap::new();
            for mut batch in received.drain(..) {
                answers.append(&mut batch.answers);
                for (call, leg) in std::mem::take(&mut batch.legs) {
                    if leg.is_some() {
                        // The call continues: the controller reports its end.
                        self.before.remove(&call);
                    }
                    legs.insert(call, leg);
                }
                records.extend_from_slice(&batch.records);
                self.fold.take(&batch.records);
                self.take(batch, &mut events);
            }
            since += records.len();
            if let Some(writer) = &mut writer {
                writer.keep(records, events.clone(), legs).await;
            }
            self.publish(events, answers);
            if since >= SNAPSHOT
                && let Some(writer) = &writer
            {
                self.snapshot(writer, true).await;
                since = 0;
            }
        }
        if let Some(writer) = writer {
            self.snapshot(&writer, false).await;
            writer.finish().await;
        }
    }

    /// Records of calls that the last stop left unwritten.
    fn found_at_start(&mut self) -> Batch {
        let lost = std::mem::take(&mut self.lost).into_iter().map(|record| {
            let (id, at) = (record.call.clone(), record.ended_at.0);
            (at, Change::CallEnded { id, record })
        });
        Batch {
            changes: lost.collect(),
            finished: std::mem::take(&mut self.unwritten),
            ..Batch::default()
        }
    }

    /// Saves the position of the log, so that the next start need not read the entries before.
    async fn snapshot(&mut self, writer: &JournalWriter, cut: bool) {
        let finished = self.open.finished.values().cloned().collect();
        writer.snapshot(self.fold.changes(), finished, cut).await;
    }

    /// Keeps and publishes one batch.
    pub fn keep(&mut self, mut batch: Batch) {
        let answers = std::mem::take(&mut batch.answers);
        let mut events = Vec::new();
        self.fold.take(&batch.records);
        self.take(batch, &mut events);
        self.publish(events, answers);
    }

    fn publish(&self, events: Vec<Arc<Event>>, answers: Vec<Answer>) {
        self.stream.publish(events);
        for answer in answers {
            // The client may have gone away.
            let _ = answer.reply.send(answer.result);
        }
    }

    fn take(&mut self, batch: Batch, events: &mut Vec<Arc<Event>>) {
        let now = batch.records.last().map_or(Time::ZERO, |record| record.at);
        if let Some(directory) = batch.directory {
            self.directory = directory;
        }
        for (time, change) in batch.changes {
            self.event(time, change, events);
        }
        for finished in batch.finished {
            // Its session ended with the process that had it.
            if let Some((from, to)) = self.before.remove(&finished.call) {
                let ended = Ended {
                    from,
                    to,
                    ..Ended::default()
                };
                self.open
                    .ended
                    .entry(finished.call)
                    .or_insert((finished.ended, ended));
            }
            self.open.finished.insert(finished.call, finished);
        }
        for (call, ended) in batch.ended {
            let at = self
                .open
                .finished
                .get(&call)
                .map_or(now, |finished| finished.ended);
            self.open.ended.insert(call, (at, ended));
        }
        let whole: Vec<CallId> = self
            .open
            .ended
            .keys()
            .copied()
            .filter(|call| self.open.finished.contains_key(call))
            .collect();
        for call in whole {
            if let (Some(finished), Some((at, ended))) =
                (self.open.finished.remove(&call), self.open.ended.remove(&call))
            {
                let record = self.record(&finished, ended);
                self.event(
                    at,
                    Change::CallEnded {
                        id: ids::call(call),
                        record,
                    },
                    events,
                );
            }
        }
    }

    fn event(&mut self, time: Time, change: Change, events: &mut Vec<Arc<Event>>) {
        self.seq += 1;
        events.push(Arc::new(Event {
            seq: self.seq,
            time: Moment(time),
            change,
        }));
    }

    fn record(&self, finished: &Finished, ended: Ended) -> Record {
        let queue = self.directory.queue(finished.queue);
        let seconds = |micros: u64| micros as f64 / 1_000_000.0;
        let last = finished
            .agents
            .last()
            .and_then(|agent| self.directory.agent(*agent));
        let is_agents = |leg: &RecordLeg| match (last, &leg.user) {
            (Some(agent), Some(user)) => agent.id == user.id,
            _ => false,
        };
        Record {
            id: ids::record(finished.call),
            call: ids::call(finished.call),
            kind: RecordKind::Queue,
            queue: queue.map(|queue| queue.id.clone()),
            queue_name: queue.map(|queue| queue.display.clone()).unwrap_or_default(),
            from: ended.from,
            to: ended.to,
            forwarded: ended.forwarded,
            entered_at: Moment(finished.entered),
            answered_at: finished.answered.map(Moment),
            ended_at: Moment(finished.ended),
            outcome: match finished.how {
                acd::Departure::Abandoned => Outcome::Abandoned,
                acd::Departure::Overflowed(..) => Outcome::Overflowed,
                acd::Departure::Completed => Outcome::Completed,
                acd::Departure::Lost => Outcome::Lost,
                acd::Departure::HungUp => Outcome::HungUp,
            },
            waited_s: seconds(finished.waited),
            talked_s: seconds(finished.talked),
            held_s: seconds(finished.held),
            agents: finished
                .agents
                .iter()
                .filter_map(|agent| self.directory.agent(*agent))
                .map(|person| AgentName {
                    id: person.id.clone(),
                    name: person.display.clone(),
                })
                .collect(),
            disposition: ended.disposition,
            notes: AgentNotes::text(&ended.notes),
            notes_by: ended.notes,
            mos: direct::mos(&ended.legs, is_agents),
            code: ended.code,
            reason: ended.reason,
            hung_up_by: ended.hung_up_by,
            legs: ended.legs,
        }
    }
}

/// Lets batches come together until `due`, or until an urgent one comes.
async fn gather(
    hurry: &Notify,
    due: Instant,
    batches: &mut mpsc::Receiver<Batch>,
    received: &mut Vec<Batch>,
) {
    if due <= Instant::now() || received.iter().any(Batch::is_urgent) {
        return;
    }
    tokio::select! {
        () = hurry.notified() => {}
        () = sleep_until(due) => {}
    }
    while received.len() < TAKEN {
        match batches.try_recv() {
            Ok(batch) => received.push(batch),
            Err(_) => return,
        }
    }
}
