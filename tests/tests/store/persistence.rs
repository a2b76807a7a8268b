//! The call centre over kills: what its journal keeps, cuts off, and finds again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use call_engine::acd::metrics::{Metrics, OpenCounts, Slot};
use call_engine::acd::{AgentId, CallId, Departure, Fact, QueueId, Record, State, Status};
use cordboard::centre::directory::Directory;
use cordboard::centre::event_stream::EventStream;
use cordboard::centre::journal::{Batch, Ended, Fold, Journal};
use cordboard::centre::persistence::Past;
use cordboard::centre::view::{
    Call, CallKind, CallLeg, CallPhase, Change, LegDirection, LegState, Mode, Moment, Outcome, Party,
};
use cordboard::config::{Config, Queue};
use cordboard::store::{CallFilter, Entry, SlotRow, Store, StoreError};
use sans_io::{Rng, Time};
use tokio::sync::{mpsc, oneshot};

use crate::backend::Backend;

/// Calls of every start, so that more than one snapshot is taken.
const CALLS: u64 = 4_000;
const STARTS: u64 = 3;

#[derive(Clone)]
struct Shared(Arc<Mutex<Metrics>>);

impl Fold for Shared {
    fn take(&mut self, records: &[Record]) {
        let mut metrics = self.0.lock().expect("nobody panicked");
        for record in records {
            metrics.apply(record);
        }
        while metrics.poll_finished().is_some() {}
    }

    fn changes(&mut self) -> (OpenCounts, Vec<Slot>) {
        let mut metrics = self.0.lock().expect("nobody panicked");
        (metrics.open().clone(), metrics.changed())
    }
}

/// Expected finding: a fold of everything that was ever durable.
#[derive(Default)]
struct World {
    state: State,
    metrics: Metrics,
    seq: u64,
    at: Time,
    calls: u64,
}

impl World {
    /// The next call, from its coming to its end, as records.
    fn call(&mut self, epoch: u64, rng: &mut Rng) -> (CallId, Vec<Record>) {
        self.calls += 1;
        let call = CallId(self.calls);
        let queue = QueueId(rng.below(3) as u32);
        let agent = AgentId(rng.below(20) as u32);
        let status = if rng.percent(50) {
            Status::Available
        } else {
            Status::Paused
        };
        let left = Fact::Left {
            call,
            how: Departure::Abandoned,
            wrap_up: None,
        };
        let vet = self.at.as_micros() as i64;
        let entered = Fact::Entered {
            call,
            queue,
            priority: 0,
            requires: Vec::new(),
            sticky: None,
            vet,
        };
        let facts = [entered, Fact::Status { agent, status }, left];
        let records = facts.map(|fact| {
            self.seq += 1;
            self.at += Duration::from_millis(rng.below(9_000));
            Record {
                seq: self.seq,
                epoch,
                at: self.at,
                fact,
            }
        });
        for record in &records {
            self.state.apply(record);
            self.metrics.apply(record);
        }
        (call, records.to_vec())
    }
}

pub(crate) async fn kills_cost_no_number_and_no_record_and_the_log_is_cut(backend: Backend) {
    let directory = Arc::new(Directory::of(&Config::default()));
    let mut world = World {
        at: Time::from_secs(1_800_000_000),
        ..World::default()
    };
    let mut rng = Rng::seeded(11);
    for start in 0..STARTS {
        let store = backend.open().await;
        let (past, writer) = Past::read(&store, &directory).await.expect("what was kept");
        check(&past, &world);
        let unwritten = past.unwritten.len();
        assert_eq!(unwritten > 0, start > 0, "{unwritten} at start {start}");

        let mut metrics = past.metrics.clone();
        metrics.watch(true);
        let fold = Shared(Arc::new(Mutex::new(metrics)));
        let stream = EventStream::after(past.seq, past.events);
        let journal = Journal::new(stream.clone(), Arc::clone(&directory), Box::new(fold), past.seq);
        let journal = journal.kept(writer, past.callers, past.unwritten);
        let (sender, batches) = mpsc::channel(64);
        let running = tokio::spawn(journal.run(batches));
        for _ in 0..CALLS {
            let (call, records) = world.call(past.epoch, &mut rng);
            let mut batch = Batch {
                records,
                ..Batch::default()
            };
            batch.finished.extend(world.metrics.poll_finished());
            // The sessions of some do not end before the kill.
            if rng.percent(97) {
                let from = Party {
                    number: format!("+49{}", call.0),
                    display: String::new(),
                };
                let ended = Ended {
                    from,
                    ..Ended::default()
                };
                batch.ended = BTreeMap::from([(call, ended)]);
            }
            sender.send(batch).await.expect("it runs");
        }
        // All before this is durable when it is answered.
        let (reply, answered) = oneshot::channel();
        let answers = vec![cordboard::centre::journal::Answer {
            reply,
            result: Ok(()),
        }];
        let last = Batch {
            answers,
            ..Batch::default()
        };
        sender.send(last).await.expect("it runs");
        answered.await.expect("answered").expect("agreed");
        running.abort();
        let _ = running.await;
        store.close().await;
    }

    let store = backend.open().await;
    let (past, writer) = Past::read(&store, &directory).await.expect("what was kept");
    check(&past, &world);
    let directory = Arc::clone(&directory);
    let stream = EventStream::after(past.seq, past.events);
    let journal =
        Journal::new(stream, directory, Box::new(()), past.seq).kept(writer, past.callers, past.unwritten);
    let (sender, batches) = mpsc::channel(1);
    drop(sender);
    journal.run(batches).await;
    let records = records(&store).await;
    assert_eq!(records.len() as u64, STARTS * CALLS, "each call has one record");
    // Cutting goes on beside everything else.
    let log = store.log();
    let mut first = 0;
    for _ in 0..200 {
        first = log.first("acd").await.expect("a number");
        if first == 0 || first > world.seq - 10 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(first == 0 || first > world.seq - 10, "{first} of {}", world.seq);
    store.close().await;
}

pub(crate) async fn a_log_without_slots_is_folded_from_its_beginning(backend: Backend) {
    let mut world = World {
        at: Time::from_secs(1_800_000_000),
        ..World::default()
    };
    let mut rng = Rng::seeded(12);
    let store = backend.open().await;
    let log = store.log();
    let epoch = log.begin_epoch("acd").await.expect("an epoch");
    for _ in 0..100 {
        let (_, records) = world.call(epoch, &mut rng);
        for record in records {
            append(&store, record).await;
        }
    }
    // As an older gateway left it: the state, and nothing of the numbers.
    let body = serde_json::to_string(&world.state).expect("JSON");
    log.put_snapshot("acd", world.seq, body).await.expect("kept");
    let directory = Directory::of(&Config::default());
    let (past, _keeper) = Past::read(&store, &directory).await.expect("what was kept");
    check(&past, &world);
    assert_eq!(past.unwritten.len(), 100, "no call has a record yet");
    store.close().await;
}

pub(crate) async fn answers_since_the_snapshot_are_in_time_as_the_queue_has_it(backend: Backend) {
    let support = Queue {
        service_level: Duration::from_secs(60),
        ..Queue::new("support")
    };
    let config = Config {
        queues: vec![support],
        ..Config::default()
    };
    let directory = Directory::of(&config);
    let queue = directory.queues().next().expect("a queue").config.id;
    let (call, agent) = (CallId(1), AgentId(1));
    let entered = Fact::Entered {
        call,
        queue,
        priority: 0,
        requires: Vec::new(),
        sticky: None,
        vet: 0,
    };
    let facts = [
        (0, entered),
        (38, Fact::Accepted { call, agent }),
        (40, Fact::Connected { call }),
    ];
    let store = backend.open().await;
    let epoch = store.log().begin_epoch("acd").await.expect("an epoch");
    let begin = Time::from_secs(1_800_000_000);
    for (seq, (after, fact)) in (1..).zip(facts) {
        let record = Record {
            seq,
            epoch,
            at: begin + Duration::from_secs(after),
            fact,
        };
        append(&store, record).await;
    }
    let (past, _keeper) = Past::read(&store, &directory).await.expect("what was kept");
    let counts = past
        .metrics
        .queue_counts(queue, begin, begin + Duration::from_secs(60));
    assert_eq!((counts.answered, counts.in_time), (1, 1));
    store.close().await;
}

/// A direct call as it is published: with its caller's leg.
fn direct(id: &str, state: CallPhase) -> Call {
    let at = |seconds: u64| Moment(Time::from_secs(1_800_000_000 + seconds));
    let party = |number: &str| Party {
        number: number.into(),
        display: String::new(),
    };
    Call {
        id: id.into(),
        kind: CallKind::Outbound,
        queue: None,
        from: party("1001"),
        to: "030 1234".into(),
        priority: 0,
        state,
        since: at(0),
        entered_at: at(0),
        answered_at: (state == CallPhase::Talking).then(|| at(5)),
        position: None,
        agent: None,
        agents: Vec::new(),
        parties: Vec::new(),
        legs: vec![CallLeg {
            id: "leg_1".into(),
            number: "1001".into(),
            user: None,
            trunk: None,
            direction: LegDirection::Incoming,
            browser: true,
            mode: Mode::Party,
            state: LegState::Up,
            began_at: Some(at(0)),
            answered_at: None,
        }],
        joined: Vec::new(),
        transferred_by: None,
        notes: Vec::new(),
        disposition: None,
        consult: None,
        parked: None,
    }
}

pub(crate) async fn direct_calls_that_a_kill_ends_are_recorded_once(backend: Backend) {
    let directory = Arc::new(Directory::of(&Config::default()));
    let run = async |batches: Vec<Batch>| {
        let store = backend.open().await;
        let (past, writer) = Past::read(&store, &directory).await.expect("what was kept");
        let lost = past.lost.clone();
        let stream = EventStream::after(past.seq, past.events);
        let journal = Journal::new(stream, Arc::clone(&directory), Box::new(()), past.seq)
            .kept(writer, past.callers, past.unwritten)
            .losing(past.lost);
        let (sender, received) = mpsc::channel(64);
        let running = tokio::spawn(journal.run(received));
        for batch in batches {
            sender.send(batch).await.expect("it runs");
        }
        drop(sender);
        running.await.expect("to its end");
        let records = store
            .calls()
            .list(&CallFilter::default(), None, 10)
            .await
            .expect("listed");
        store.close().await;
        (lost, records)
    };
    let at = |seconds: u64| Time::from_secs(1_800_000_000 + seconds);
    let mut first = Batch::default();
    first.change(
        at(0),
        Change::Call(direct("call_0000000000001", CallPhase::Ringing)),
    );
    first.change(
        at(5),
        Change::Call(direct("call_0000000000001", CallPhase::Talking)),
    );
    first.change(
        at(6),
        Change::Call(direct("call_0000000000002", CallPhase::Talking)),
    );
    // A caller whose number no database takes: `sip:10%0001@…`.
    let mut odd = direct("call_0000000000003", CallPhase::Talking);
    odd.from.number = "10\x0001".into();
    first.change(at(7), Change::Call(odd));
    let joined = Change::CallJoined {
        id: "call_0000000000002".into(),
        into: Some("call_0000000000001".into()),
    };
    first.change(at(65), joined);
    let (lost, records) = run(vec![first]).await;
    assert_eq!((lost.len(), records.len()), (0, 0), "nothing before");
    let (lost, records) = run(Vec::new()).await;
    assert_eq!(lost.len(), 2, "{lost:?}");
    assert_eq!(
        (
            &*lost[0].id,
            lost[0].outcome,
            lost[0].talked_s,
            lost[0].legs.len()
        ),
        ("dir_0000000000001", Outcome::Lost, 60.0, 1)
    );
    let ids: BTreeSet<&str> = records.iter().map(|record| &*record.id).collect();
    assert_eq!(ids, ["dir_0000000000001", "dir_0000000000003"].into());
    let (lost, records) = run(Vec::new()).await;
    assert_eq!((lost.len(), records.len()), (0, 2), "known by now");
}

pub(crate) async fn whoever_was_replaced_writes_no_numbers(backend: Backend) {
    let (old, new) = (backend.open().await, backend.open().await);
    let slot = |body: &str| SlotRow {
        kind: "queue",
        id: 1,
        slot: 2_000_000,
        body: body.into(),
    };
    let first = old.log().begin_epoch("acd").await.expect("an epoch");
    let second = new.log().begin_epoch("acd").await.expect("an epoch");
    let (late, log) = (old.log(), new.log());
    let put = log.put_snapshot_and_slots(("acd", second, 9), "new".into(), vec![slot("new")], 0);
    put.await.expect("kept");
    let put = late.put_snapshot_and_slots(("acd", first, 10), "old".into(), vec![slot("old")], 0);
    assert_eq!(put.await, Err(StoreError::Fenced { stream: "acd" }));
    assert_eq!(log.latest_snapshot("acd").await, Ok(Some((9, "new".into()))));
    assert_eq!(log.slots("queue").await, Ok(vec![(1, 2_000_000, "new".into())]));
}

async fn append(store: &Store, record: Record) {
    let entry = Entry {
        stream: "acd",
        seq: record.seq,
        epoch: record.epoch,
        at_micros: record.at.as_micros(),
        kind: "fact".into(),
        body: serde_json::to_string(&record).expect("JSON"),
    };
    store.log().append(entry).expect("room").await.expect("durable");
}

fn check(past: &Past, world: &World) {
    assert_eq!(past.state.calls, world.state.calls);
    assert_eq!(past.state.seq, world.state.seq);
    assert_eq!(past.metrics.open(), world.metrics.open());
    let (from, to) = (
        Time::from_secs(1_799_000_000),
        world.at + Duration::from_secs(900),
    );
    for queue in (0..3).map(QueueId) {
        let counts = |metrics: &Metrics| metrics.queue_counts(queue, from, to);
        assert_eq!(counts(&past.metrics), counts(&world.metrics));
    }
    for agent in (0..20).map(AgentId) {
        let counts = |metrics: &Metrics| metrics.agent_counts(agent, from, to, world.at);
        assert_eq!(counts(&past.metrics), counts(&world.metrics));
    }
}

async fn records(store: &Store) -> Vec<cordboard::store::CallRecord> {
    let mut all: Vec<cordboard::store::CallRecord> = Vec::new();
    loop {
        let after = all.last().map(|last| cordboard::store::CallCursor {
            started_micros: last.started_micros,
            id: last.id.clone(),
        });
        let page = store
            .calls()
            .list(&CallFilter::default(), after.as_ref(), 1_000)
            .await
            .expect("a page");
        if page.is_empty() {
            return all;
        }
        all.extend(page);
    }
}
