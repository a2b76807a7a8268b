//! Calls that are over, notes, and numbers.

use call_engine::acd::{CallId, Fact, Record as Logged};

use super::*;
use crate::centre::directory::Directory;
use crate::centre::view::{LegDirection, Mode, RecordLeg};

fn end(world: &World, seq: u64, call: &str, agents: &[&str]) {
    let mut record = record(call, agents);
    // As ids are made: a record's is its call's.
    record.id = call.replace("call_", "rec_");
    record.from.number = format!("+49{seq}");
    record.entered_at = Moment(Time::from_secs(START + seq));
    let ended = Change::CallEnded {
        id: call.into(),
        record,
    };
    world.api.service.stream().publish(numbered(seq, vec![ended]));
}

async fn ids(world: &World, token: &str, path: &str) -> Vec<String> {
    let answer = world.get(token, path).await;
    let items = answer.body["items"]
        .as_array()
        .unwrap_or_else(|| panic!("{path}: {}", answer.body))
        .clone();
    items
        .iter()
        .map(|item| item["id"].as_str().expect("an id").to_owned())
        .collect()
}

#[tokio::test]
async fn records_are_found_by_what_is_known_of_them() {
    let world = World::new().await;
    end(&world, 9, "call_1", &["usr_anna"]);
    end(&world, 10, "call_2", &["usr_ben", "usr_anna"]);
    end(&world, 11, "call_3", &["usr_ben"]);
    let sue = world.token("sue").await;
    let all = "/api/v1/records";
    assert_eq!(ids(&world, &sue, all).await, ["rec_3", "rec_2", "rec_1"]);
    assert_eq!(
        ids(&world, &sue, &format!("{all}?agent=usr_ben")).await,
        ["rec_3", "rec_2"]
    );
    assert_eq!(
        ids(&world, &sue, &format!("{all}?caller=%2B4910")).await,
        ["rec_2"]
    );
    assert_eq!(ids(&world, &sue, &format!("{all}?queue=que_9")).await, [""; 0]);
    let from = "2023-11-14T22:13:30Z";
    assert_eq!(
        ids(&world, &sue, &format!("{all}?from={from}")).await,
        ["rec_3", "rec_2"]
    );
    assert_eq!(ids(&world, &sue, &format!("{all}?to={from}")).await, ["rec_1"]);
    let part = world.get(&sue, &format!("{all}?limit=2")).await;
    assert_eq!(part.body["next_cursor"], "rec_2");
    assert_eq!(
        ids(&world, &sue, &format!("{all}?limit=2&cursor=rec_2")).await,
        ["rec_1"]
    );
    for bad in ["from=yesterday", "to=", "limit=0", "colour=red"] {
        assert_eq!(
            world.get(&sue, &format!("{all}?{bad}")).await.code(),
            "invalid",
            "{bad}"
        );
    }
    let anna = world.token("anna").await;
    assert_eq!(world.get(&anna, all).await.code(), "forbidden");
    assert_eq!(ids(&world, &anna, "/api/v1/me/records").await, ["rec_2", "rec_1"]);
    assert_eq!(
        world.get(&anna, "/api/v1/records/rec_1").await.status,
        StatusCode::OK
    );
    assert_eq!(
        world.get(&anna, "/api/v1/records/rec_3").await.code(),
        "unknown-record"
    );
}

#[tokio::test]
async fn a_cursor_that_no_list_gave_is_refused() {
    let world = World::new().await;
    end(&world, 9, "call_1", &["usr_anna"]);
    let (sue, anna) = (world.token("sue").await, world.token("anna").await);
    for (token, path) in [
        (&sue, "/api/v1/records"),
        (&anna, "/api/v1/me/records"),
        (&sue, "/api/v1/calls"),
        (&sue, "/api/v1/agents"),
        (&sue, "/api/v1/queues"),
    ] {
        let answer = world.get(token, &format!("{path}?cursor=zzz")).await;
        assert_eq!(
            (answer.status, answer.code()),
            (StatusCode::BAD_REQUEST, "bad-cursor"),
            "{path}"
        );
    }
}

#[tokio::test]
async fn calls_that_were_missed_or_came_through_no_queue_are_in_the_agents_history() {
    let world = World::new().await;
    end(&world, 9, "call_1", &["usr_anna"]);
    let own = [
        ("mis_1", RecordKind::Missed, "usr_anna"),
        ("dir_1", RecordKind::Outbound, "usr_anna"),
        ("dir_2", RecordKind::Inbound, "usr_ben"),
    ];
    for (seq, (id, kind, agent)) in (10..).zip(own) {
        let mut record = record("call_1", &[agent]);
        (record.id, record.kind) = (id.into(), kind);
        record.entered_at = Moment(Time::from_secs(START + seq));
        let over = match kind {
            RecordKind::Missed => Change::Logged { record },
            _ => Change::CallEnded {
                id: record.call.clone(),
                record,
            },
        };
        world.api.service.stream().publish(numbered(seq, vec![over]));
    }
    let (sue, anna) = (world.token("sue").await, world.token("anna").await);
    let all = "/api/v1/records";
    assert_eq!(
        ids(&world, &sue, all).await,
        ["dir_2", "dir_1", "rec_1"],
        "every call once"
    );
    for (kind, wanted) in [
        ("calls", &["dir_2", "dir_1", "rec_1"][..]),
        ("queue", &["rec_1"]),
        ("missed", &["mis_1"]),
        ("direct", &["dir_2", "dir_1"]),
        ("all", &["dir_2", "dir_1", "mis_1", "rec_1"]),
    ] {
        assert_eq!(
            ids(&world, &sue, &format!("{all}?kind={kind}")).await,
            wanted,
            "{kind}"
        );
    }
    let mine = "/api/v1/me/records";
    assert_eq!(ids(&world, &anna, mine).await, ["dir_1", "mis_1", "rec_1"]);
    assert_eq!(
        ids(&world, &anna, &format!("{mine}?limit=1&cursor=dir_1")).await,
        ["mis_1"]
    );
    assert_eq!(
        world.get(&anna, "/api/v1/records/dir_2").await.code(),
        "unknown-record"
    );
}

/// A leg of a record, its party there to listen or to talk.
fn leg(user: &str, mode: Mode) -> RecordLeg {
    RecordLeg {
        number: user.into(),
        user: Some(AgentName {
            id: format!("usr_{user}"),
            name: user.into(),
        }),
        trunk: None,
        direction: LegDirection::Outgoing,
        browser: true,
        mode,
        call_id: format!("{user}@gateway"),
        began_at: None,
        answered_at: None,
        end: None,
        media: None,
    }
}

#[tokio::test]
async fn agents_do_not_learn_from_a_record_who_listened() {
    let world = World::new().await;
    let mut record = record("call_1", &["usr_anna"]);
    record.id = "rec_1".into();
    record.legs = vec![
        leg("anna", Mode::Party),
        leg("sue", Mode::Listen),
        leg("ben", Mode::Whisper),
    ];
    let ended = Change::CallEnded {
        id: "call_1".into(),
        record,
    };
    world.api.service.stream().publish(numbered(9, vec![ended]));
    let (sue, anna) = (world.token("sue").await, world.token("anna").await);
    let legs = async |token: &str, path: &str| {
        let body = world.get(token, path).await.body;
        let record = body.get("items").map_or(&body, |items| &items[0]);
        let legs = record["legs"].as_array().expect("legs").iter();
        legs.map(|leg| leg["number"].as_str().expect("a number").to_owned())
            .collect::<Vec<_>>()
    };
    for path in ["/api/v1/records/rec_1", "/api/v1/records"] {
        assert_eq!(legs(&sue, path).await, ["anna", "sue", "ben"], "{path}");
    }
    for path in ["/api/v1/records/rec_1", "/api/v1/me/records"] {
        assert_eq!(legs(&anna, path).await, ["anna", "ben"], "{path}");
    }
}

#[tokio::test]
async fn what_several_agents_note_is_kept_apart_and_told() {
    let world = World::new().await;
    end(&world, 9, "call_1", &["usr_anna", "usr_ben"]);
    let (anna, ben) = (world.token("anna").await, world.token("ben").await);
    for (token, notes) in [(&anna, "angry"), (&ben, "calm"), (&anna, "very angry")] {
        let path = "/api/v1/calls/call_1/notes";
        let answer = world.put(token, path, json!({"notes": notes})).await;
        assert_eq!(answer.status, StatusCode::NO_CONTENT);
    }
    let record = world.get(&ben, "/api/v1/records/rec_1").await.body;
    assert_eq!(record["notes"], "ANNA: very angry\nBEN: calm");
    assert_eq!(
        record["notes_by"][1],
        json!({"agent": "usr_ben", "name": "BEN", "notes": "calm"})
    );
    assert_eq!(world.asked(), [], "nobody has it any longer");
    let answer = world
        .put(&anna, "/api/v1/calls/call_anna/notes", json!({"notes": "early"}))
        .await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT);
    let noted = Command::Note {
        call: "call_anna".into(),
        disposition: None,
        notes: Some("early".into()),
    };
    assert_eq!(world.asked(), [(By::Agent("usr_anna".into()), noted)]);
}

#[tokio::test]
async fn an_agent_notes_what_its_own_calls_were_about() {
    let world = World::new().await;
    end(&world, 9, "call_1", &["usr_anna"]);
    let anna = world.token("anna").await;
    let note = |call: &str| format!("/api/v1/calls/{call}/notes");
    let put = async |call: &str, body: Value| world.put(&anna, &note(call), body).await;
    assert_eq!(
        put("call_1", json!({"notes": "angry"})).await.status,
        StatusCode::NO_CONTENT
    );
    assert_eq!(
        put("call_1", json!({"disposition": "resolved"})).await.status,
        StatusCode::NO_CONTENT
    );
    let record = world.get(&anna, "/api/v1/records/rec_1").await;
    assert_eq!(
        (&record.body["notes"], &record.body["disposition"]),
        (&json!("angry"), &json!("resolved"))
    );
    assert_eq!(
        put("call_ben", json!({"notes": "x"})).await.code(),
        "unknown-call"
    );
    assert_eq!(put("x", json!({"notes": "x"})).await.code(), "unknown-call");
    assert_eq!(
        put("call_1", json!({"notes": "x".repeat(4001)})).await.code(),
        "invalid"
    );
    assert_eq!(put("call_1", json!({"notes": "a\u{0}b"})).await.code(), "invalid");
    // A live call's note is in its record when it is over.
    assert_eq!(
        put("call_anna", json!({"notes": "early"})).await.status,
        StatusCode::NO_CONTENT
    );
    end(&world, 10, "call_anna", &["usr_anna"]);
    assert_eq!(
        world.get(&anna, "/api/v1/records/rec_anna").await.body["notes"],
        "early"
    );
    // So is the record of the agent who transferred it.
    let mut given = call("call_given", Some("usr_ben"));
    given.agents = vec!["usr_anna".into(), "usr_ben".into()];
    world
        .api
        .service
        .stream()
        .publish(numbered(11, vec![Change::Call(given)]));
    assert_eq!(
        put("call_given", json!({"notes": "theirs now"})).await.status,
        StatusCode::NO_CONTENT
    );
}

#[tokio::test]
async fn wrap_up_notes_the_last_call() {
    let world = World::new().await;
    let idle = Change::Agent(agent("anna", &["que_1"], None));
    end(&world, 9, "call_1", &["usr_anna"]);
    end(&world, 10, "call_2", &["usr_anna"]);
    world.api.service.stream().publish(numbered(11, vec![idle]));
    let anna = world.token("anna").await;
    let wrap_up = async |body: Value| world.post(&anna, "/api/v1/me/agent/wrap-up", body).await;
    assert_eq!(
        wrap_up(json!({"disposition": "resolved", "notes": "done"}))
            .await
            .status,
        StatusCode::OK
    );
    assert_eq!(
        world.get(&anna, "/api/v1/records/rec_2").await.body["notes"],
        "done"
    );
    assert_eq!(
        wrap_up(json!({"call": "call_1", "notes": "older"})).await.status,
        StatusCode::OK
    );
    assert_eq!(
        world.get(&anna, "/api/v1/records/rec_1").await.body["notes"],
        "older"
    );
    assert_eq!(wrap_up(json!({"call": "call_ben"})).await.code(), "unknown-call");
    assert_eq!(world.asked().len(), 2);
}

#[tokio::test]
async fn numbers_are_those_of_the_log() {
    let world = World::new().await;
    let directory = Directory::of(&Config::default());
    let queue = directory.queue_by_name("support").expect("of the demonstration");
    let agent = directory.agent_of("anna").expect("of the demonstration");
    let at = |seq: u64, seconds: u64, fact: Fact| Logged {
        seq,
        epoch: 1,
        at: Time::from_secs(1_700_000_100 + seconds),
        fact,
    };
    let call = CallId(1);
    let log = [
        at(
            1,
            0,
            Fact::Status {
                agent,
                status: call_engine::acd::Status::Available,
            },
        ),
        at(
            2,
            0,
            Fact::Entered {
                call,
                queue: queue.config.id,
                priority: 0,
                requires: Vec::new(),
                vet: 0,
                sticky: None,
            },
        ),
        at(3, 4, Fact::Accepted { call, agent }),
        at(4, 5, Fact::Connected { call }),
    ];
    world.api.service.statistics().take(&log);
    world.clock.fetch_add(7_200_000_000, Ordering::Relaxed);
    let sue = world.token("sue").await;
    let query = "from=2023-11-14T22:15:00Z&to=2023-11-14T22:45:00Z";
    let answer = world.get(&sue, &format!("/api/v1/metrics/queues?{query}")).await;
    let items = answer.body["items"].as_array().expect("items");
    assert_eq!(items.len(), 4, "two queues, two quarters of an hour");
    let support: Vec<&Value> = items
        .iter()
        .filter(|item| item["queue"] == queue.id.as_str())
        .collect();
    assert_eq!(
        (&support[0]["entered"], &support[0]["answered"]),
        (&json!(1), &json!(1))
    );
    assert_eq!(
        (&support[0]["asa_s"], &support[0]["service_level"]),
        (&json!(5.0), &json!(1.0))
    );
    assert_eq!(support[0]["from"], "2023-11-14T22:15:00.000Z");
    assert_eq!(
        (&support[1]["entered"], &support[1]["service_level"]),
        (&json!(0), &Value::Null)
    );
    let hour = world
        .get(&sue, &format!("/api/v1/metrics/queues?{query}&step=3600"))
        .await;
    assert_eq!(hour.body["items"].as_array().map(Vec::len), Some(2));
    let agents = world.get(&sue, &format!("/api/v1/metrics/agents?{query}")).await;
    let anna = agents.body["items"]
        .as_array()
        .expect("items")
        .iter()
        .find(|item| item["agent"] == "usr_anna");
    assert_eq!(anna.expect("there")["calls"], 1);
    assert_eq!(
        world.get(&sue, "/api/v1/metrics/queues").await.status,
        StatusCode::OK
    );
    assert_eq!(
        world.get(&sue, "/api/v1/metrics/agents").await.status,
        StatusCode::OK
    );
    for bad in ["step=60", "step=0", "step=x", "from=x", "from=1"] {
        assert_eq!(
            world
                .get(&sue, &format!("/api/v1/metrics/queues?{bad}"))
                .await
                .code(),
            "invalid",
            "{bad}"
        );
    }
    let mut path = "/api/v1/metrics/queues?from=1960-01-01T00:00:00Z&to=2090-01-01T00:00:00Z".to_owned();
    let mut begins = Vec::new();
    loop {
        let part = world.get(&sue, &path).await;
        let items = part.body["items"].as_array().expect("items").clone();
        begins.extend(
            items
                .iter()
                .map(|item| item["from"].as_str().expect("a moment").to_owned()),
        );
        match part.body["next_cursor"].as_str() {
            Some(cursor) => path = format!("/api/v1/metrics/queues?cursor={cursor}"),
            None => break,
        }
    }
    let counted = begins.len();
    begins.dedup();
    assert_eq!(
        (counted, begins.len()),
        (2 * begins.len(), 62 * 96 + 1),
        "as far as they are kept"
    );
    let none = world
        .get(&sue, "/api/v1/metrics/queues?to=1960-01-01T00:00:00Z")
        .await;
    assert_eq!(none.body["items"], json!([]));
    let token = world.token("anna").await;
    assert_eq!(
        world.get(&token, "/api/v1/metrics/queues").await.code(),
        "forbidden"
    );
    let reasons = world.get(&token, "/api/v1/pause-reasons").await;
    assert_eq!(
        reasons.body["items"][0],
        json!({"code": "break", "label": "Break"})
    );
    assert!(
        world
            .get(&token, "/api/v1/dispositions")
            .await
            .status
            .is_success()
    );
}
