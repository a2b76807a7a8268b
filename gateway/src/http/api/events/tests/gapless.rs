//! However a stream is cut, every change comes once, in order, and nothing comes that is not the subscriber's to see.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;
use serde_json::Value;

use super::super::feed::Feed;
use crate::auth::{Principal, Rights, Role};
use crate::centre::event_stream::EventStream;
use crate::centre::view::{AssignmentEnd, Change, Moment};
use crate::http::api::sign_in::Me;
use crate::http::api::tests::{agent, assignment, call, furniture, numbered, queue, record};

fn principal(name: &str, role: Role) -> Principal {
    Principal {
        id: format!("usr_{name}"),
        name: name.into(),
        rights: Rights::User {
            roles: vec![role],
            session: "ses_1".into(),
        },
    }
}

/// A page: keeps everything it receives, and continues from its last number when it was cut off.
struct Subscriber {
    who: Principal,
    feed: Feed,
    seq: Option<u64>,
    kept: BTreeMap<(String, String), Value>,
}

impl Subscriber {
    fn new(who: Principal) -> Subscriber {
        Subscriber {
            who,
            feed: Feed::default(),
            seq: None,
            kept: BTreeMap::new(),
        }
    }

    fn cut(&mut self) {
        self.feed = Feed::default();
    }

    fn connect(&mut self, stream: &EventStream) {
        if self.feed.is_live() {
            return;
        }
        if let Some(seq) = self.seq
            && self.feed.resume(stream, seq).is_ok()
        {
            return;
        }
        let me = Me {
            id: self.who.id.clone(),
            name: self.who.name.clone(),
            display: String::new(),
            roles: Vec::new(),
            demo: false,
        };
        let text = self.feed.snapshot(stream, &self.who, &me, Moment::default());
        self.check(&text);
        let snapshot: Value = serde_json::from_str(&text).expect("JSON");
        self.seq = snapshot["seq"].as_u64();
        self.kept.clear();
        for kind in ["agents", "queues", "calls", "offers"] {
            for item in snapshot["data"][kind].as_array().expect("a list") {
                self.keep(kind, item.clone());
            }
        }
    }

    fn read(&mut self, stream: &EventStream, limit: usize) {
        for text in self.feed.next(stream, &self.who, limit).expect("kept") {
            self.check(&text);
            let event: Value = serde_json::from_str(&text).expect("JSON");
            let seq = event["seq"].as_u64().expect("a number");
            assert_eq!(Some(seq), self.seq.map(|seq| seq + 1), "a gap or a duplicate");
            self.seq = Some(seq);
            let data = event["data"].clone();
            let id = data["id"].as_str().unwrap_or_default().to_owned();
            match event["type"].as_str() {
                Some("agent.changed") => self.keep("agents", data),
                Some("queue.changed") => self.keep("queues", data),
                Some("call.changed") => self.keep("calls", data),
                Some("offer.made") => self.keep("offers", data),
                Some("call.ended") => drop(self.kept.remove(&("calls".into(), id))),
                Some("offer.ended") => drop(self.kept.remove(&("offers".into(), id))),
                Some("config.changed") => {}
                None => assert_eq!(
                    event.as_object().map(serde_json::Map::len),
                    Some(1),
                    "a number alone"
                ),
                other => panic!("{other:?}"),
            }
        }
    }

    fn keep(&mut self, kind: &str, item: Value) {
        let id = item["id"].as_str().expect("an id").to_owned();
        self.kept.insert((kind.into(), id), item);
    }

    /// Anna has call 0 and serves queue 1, Ben call 1 and queue 2.
    fn check(&self, text: &str) {
        let others = match self.who.name.as_str() {
            "anna" => [
                "secret of call_1",
                r#""id":"que_2","name":"name of que_2","strategy""#,
                r#""id":"usr_ben","name":"ben","display":"BEN","status":"talking","since""#,
            ],
            "ben" => [
                "secret of call_0",
                r#""id":"que_1","name":"name of que_1","strategy""#,
                r#""id":"usr_anna","name":"anna","display":"ANNA","status":"talking","since""#,
            ],
            _ => return,
        };
        for other in others {
            assert!(!text.contains(other), "{} is sent {text}", self.who.id);
        }
    }
}

/// A change: even numbers belong to Anna, odd ones to Ben.
fn change(kind: u8, n: u8) -> Change {
    let owner = if n.is_multiple_of(2) {
        "usr_anna"
    } else {
        "usr_ben"
    };
    let id = format!("call_{}", n % 2);
    match kind {
        0 if n.is_multiple_of(2) => Change::Agent(agent("anna", &["que_1"], None)),
        0 => Change::Agent(agent("ben", &["que_2"], None)),
        1 => Change::Queue(queue(if n.is_multiple_of(2) { "que_1" } else { "que_2" })),
        2 => Change::Call(call(&id, Some(owner))),
        3 => Change::CallEnded {
            id: id.clone(),
            record: record(&id, &[owner]),
        },
        4 => Change::AssignmentMade(assignment(&format!("off_{n}"), owner)),
        5 => Change::AssignmentEnded {
            id: format!("off_{n}"),
            call: id,
            agent: owner.into(),
            how: AssignmentEnd::Lost,
        },
        _ => Change::Config {
            what: "queues".into(),
        },
    }
}

#[derive(Clone, Debug)]
enum Step {
    Publish(Vec<(u8, u8)>),
    Cut(usize),
    Read(usize, usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => prop::collection::vec((0_u8..7, 0_u8..4), 1..12).prop_map(Step::Publish),
        1 => (0_usize..3).prop_map(Step::Cut),
        3 => (0_usize..3, 1_usize..8).prop_map(|(who, limit)| Step::Read(who, limit)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_change_comes_once_and_in_order_whatever_is_cut(steps in prop::collection::vec(step(), 1..80)) {
        let stream = EventStream::new(0);
        let mut first = furniture();
        // Calls of the furniture have other owners than those below.
        first.truncate(4);
        let mut seq = first.len() as u64;
        stream.publish(first);
        let mut all = [
            Subscriber::new(principal("anna", Role::Agent)),
            Subscriber::new(principal("ben", Role::Agent)),
            Subscriber::new(principal("sue", Role::Supervisor)),
        ];
        for step in steps {
            match step {
                Step::Publish(changes) => {
                    let changes: Vec<Change> = changes.into_iter().map(|(kind, n)| change(kind, n)).collect();
                    let events = numbered(seq + 1, changes);
                    seq += events.len() as u64;
                    stream.publish(events);
                }
                Step::Cut(who) => all[who].cut(),
                Step::Read(who, limit) => {
                    all[who].connect(&stream);
                    all[who].read(&stream, limit);
                }
            }
        }
        for subscriber in &mut all {
            subscriber.connect(&stream);
            while subscriber.seq != Some(seq) {
                subscriber.read(&stream, 5);
            }
            // A subscriber that followed all changes has the same state as one that starts now.
            let mut fresh = Subscriber::new(subscriber.who.clone());
            fresh.connect(&stream);
            prop_assert_eq!(&subscriber.kept, &fresh.kept, "{}", subscriber.who.id);
        }
    }
}

#[test]
fn a_thousand_cuts_leave_no_gap() {
    let stream = EventStream::new(0);
    let mut anna = Subscriber::new(principal("anna", Role::Agent));
    for seq in 1..=1_000_u64 {
        let n = (seq % 4) as u8;
        stream.publish(numbered(seq, vec![change((seq % 7) as u8, n)]));
        anna.connect(&stream);
        anna.read(&stream, 10);
        anna.cut();
    }
    assert_eq!(anna.seq, Some(1_000));
}

#[test]
fn whoever_comes_back_too_late_begins_anew() {
    let stream = EventStream::new(0);
    stream.publish(numbered(1, vec![change(6, 0)]));
    let mut sue = Subscriber::new(principal("sue", Role::Supervisor));
    sue.connect(&stream);
    let many: Vec<Arc<_>> = numbered(2, (0..20_000).map(|_| change(6, 0)).collect());
    stream.publish(many);
    assert!(sue.feed.next(&stream, &sue.who, 10).is_err(), "too slow");
    assert!(Feed::default().resume(&stream, 1).is_err(), "too old");
    assert!(Feed::default().resume(&stream, 20_002).is_err(), "yet to come");
    sue.cut();
    sue.connect(&stream);
    assert_eq!(sue.seq, Some(20_001));
}
