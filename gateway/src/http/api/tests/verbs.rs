//! Commands that each verb sends, and its answers.

use super::*;
use crate::centre::command::Target;
use crate::centre::view::{Intent, IntentKind, Mode, Participant, ParticipantKind};

fn anna() -> By {
    By::Agent("usr_anna".into())
}

fn sue() -> By {
    By::Supervisor("usr_sue".into())
}

#[tokio::test]
async fn an_agent_says_what_it_wants() {
    let world = World::new().await;
    let token = world.token("anna").await;
    let pause = json!({"intent": "paused", "reason": "lunch"});
    let answer = world.put(&token, "/api/v1/me/agent/intent", pause).await;
    assert_eq!(
        (answer.status, &answer.body["id"]),
        (StatusCode::OK, &json!("usr_anna"))
    );
    let online = json!({"intent": "available", "reason": "of no pause"});
    world.put(&token, "/api/v1/me/agent/intent", online).await;
    let intent = |intent, reason: Option<&str>| Command::Intent {
        agent: "usr_anna".into(),
        intent: Intent {
            intent,
            reason: reason.map(str::to_owned),
        },
    };
    assert_eq!(
        world.asked(),
        [
            (anna(), intent(IntentKind::Paused, Some("lunch"))),
            (anna(), intent(IntentKind::Available, None))
        ]
    );
    let answer = world
        .post(&token, "/api/v1/me/agent/wrap-up", json!({"disposition": "sold"}))
        .await;
    assert_eq!(answer.status, StatusCode::OK);
    let wrap_up = Command::WrapUp {
        agent: "usr_anna".into(),
        disposition: Some("sold".into()),
    };
    // During the call, the next agent who has it sees the notes.
    let note = Command::Note {
        call: "call_anna".into(),
        disposition: Some("sold".into()),
        notes: None,
    };
    assert_eq!(world.asked(), [(anna(), note), (anna(), wrap_up)]);
    assert_eq!(
        world.get(&token, "/api/v1/me/agent").await.body["call"],
        "call_anna"
    );
    for bad in [
        json!({"intent": "asleep"}),
        json!({"intent": "paused", "reason": ""}),
        json!({}),
    ] {
        assert_eq!(
            world.put(&token, "/api/v1/me/agent/intent", bad).await.code(),
            "invalid"
        );
    }
    assert_eq!(world.asked(), []);
}

#[tokio::test]
async fn each_verb_of_a_call_is_one_command() {
    let world = World::new().await;
    let token = world.token("anna").await;
    let call = || "call_anna".to_owned();
    let number = || Target::Number("+4930123".into());
    let cases = [
        (
            "hold",
            None,
            StatusCode::NO_CONTENT,
            Command::Hold {
                call: call(),
                held: true,
            },
        ),
        (
            "unhold",
            None,
            StatusCode::NO_CONTENT,
            Command::Hold {
                call: call(),
                held: false,
            },
        ),
        (
            "dtmf",
            Some(json!({"digits": "12#"})),
            StatusCode::NO_CONTENT,
            Command::Dtmf {
                call: call(),
                digits: "12#".into(),
            },
        ),
        (
            "transfer",
            Some(json!({"to": {"queue": "que_2"}})),
            StatusCode::ACCEPTED,
            Command::Transfer {
                call: call(),
                to: Target::Queue("que_2".into()),
            },
        ),
        (
            "consult",
            Some(json!({"to": {"number": "+4930123"}})),
            StatusCode::ACCEPTED,
            Command::Consult {
                call: call(),
                to: number(),
            },
        ),
        (
            "consult/complete",
            None,
            StatusCode::NO_CONTENT,
            Command::Complete { call: call() },
        ),
        (
            "consult/merge",
            None,
            StatusCode::NO_CONTENT,
            Command::Merge { call: call() },
        ),
        (
            "leave",
            None,
            StatusCode::NO_CONTENT,
            Command::Leave { call: call() },
        ),
    ];
    for (verb, body, status, command) in cases {
        let path = format!("/api/v1/calls/call_anna/{verb}");
        let answer = world
            .send(request(
                Method::POST,
                &path,
                &token,
                body.map(|body| body.to_string()),
            ))
            .await;
        assert_eq!(answer.status, status, "{verb}: {}", answer.body);
        assert_eq!(world.asked(), [(anna(), command)], "{verb}");
    }
    assert_eq!(
        world
            .delete(&token, "/api/v1/calls/call_anna/consult")
            .await
            .status,
        StatusCode::NO_CONTENT
    );
    assert_eq!(
        world.delete(&token, "/api/v1/calls/call_anna").await.status,
        StatusCode::NO_CONTENT
    );
    let ended = [
        (anna(), Command::Abort { call: call() }),
        (anna(), Command::HangUp { call: call() }),
    ];
    assert_eq!(world.asked(), ended);
    assert_eq!(
        world
            .post(&token, "/api/v1/offers/off_1/reject", json!({}))
            .await
            .status,
        StatusCode::NO_CONTENT
    );
    assert_eq!(
        world.asked(),
        [(
            anna(),
            Command::Reject {
                assignment: "off_1".into()
            }
        )]
    );
}

#[tokio::test]
async fn a_supervisor_acts_on_the_calls_and_agents_of_others() {
    let world = World::new().await;
    let token = world.token("sue").await;
    for (mode, expected) in [
        ("listen", Mode::Listen),
        ("whisper", Mode::Whisper),
        ("barge", Mode::Party),
    ] {
        let answer = world
            .put(
                &token,
                "/api/v1/calls/call_ben/supervision",
                json!({"mode": mode}),
            )
            .await;
        assert_eq!(answer.status, StatusCode::ACCEPTED);
        let supervise = Command::Supervise {
            call: "call_ben".into(),
            mode: expected,
        };
        assert_eq!(world.asked(), [(sue(), supervise)]);
    }
    world.delete(&token, "/api/v1/calls/call_ben/supervision").await;
    world.delete(&token, "/api/v1/calls/call_ben").await;
    let unsupervise = Command::Unsupervise {
        call: "call_ben".into(),
    };
    let hang_up = Command::HangUp {
        call: "call_ben".into(),
    };
    assert_eq!(world.asked(), [(sue(), unsupervise), (sue(), hang_up)]);
    let answer = world
        .put(
            &token,
            "/api/v1/agents/usr_ben/intent",
            json!({"intent": "offline"}),
        )
        .await;
    assert_eq!(answer.body["id"], "usr_ben");
    assert_eq!(world.asked().len(), 1);
    let demo = world.post(&token, "/api/v1/demo/call", json!({})).await;
    assert_eq!(
        (demo.status, &demo.body),
        (StatusCode::ACCEPTED, &json!({"queue": "que_support"}))
    );
}

#[tokio::test]
async fn an_agent_sees_and_touches_only_what_is_its_own() {
    let world = World::new().await;
    let token = world.token("anna").await;
    for path in ["/api/v1/agents", "/api/v1/agents/usr_ben", "/api/v1/calls"] {
        assert_eq!(world.get(&token, path).await.code(), "forbidden", "{path}");
    }
    assert_eq!(
        world.get(&token, "/api/v1/calls/call_anna").await.status,
        StatusCode::OK
    );
    assert_eq!(
        world.get(&token, "/api/v1/calls/call_ben").await.code(),
        "unknown-call"
    );
    let queues = world.get(&token, "/api/v1/queues").await;
    assert_eq!(queues.body["items"].as_array().map(Vec::len), Some(1));
    assert_eq!(
        world.get(&token, "/api/v1/queues/que_1").await.status,
        StatusCode::OK
    );
    assert_eq!(
        world.get(&token, "/api/v1/queues/que_2").await.code(),
        "unknown-queue"
    );
    let supervision = json!({"mode": "listen"});
    assert_eq!(
        world
            .put(&token, "/api/v1/calls/call_ben/supervision", supervision)
            .await
            .code(),
        "forbidden"
    );
    let intent = json!({"intent": "offline"});
    assert_eq!(
        world
            .put(&token, "/api/v1/agents/usr_ben/intent", intent)
            .await
            .code(),
        "forbidden"
    );
    // The signalling task decides whose call it is; it learns that an agent asks, not a supervisor.
    world.delete(&token, "/api/v1/calls/call_ben").await;
    assert_eq!(
        world.asked(),
        [(
            anna(),
            Command::HangUp {
                call: "call_ben".into()
            }
        )]
    );
}

#[tokio::test]
async fn a_supervisor_is_no_agent_and_a_key_is_what_its_scopes_say() {
    let world = World::new().await;
    let sue = world.token("sue").await;
    assert_eq!(world.get(&sue, "/api/v1/me/agent").await.code(), "forbidden");
    assert_eq!(
        world.get(&sue, "/api/v1/agents").await.body["items"]
            .as_array()
            .map(Vec::len),
        Some(2)
    );
    let read = world.key(&[Scope::Read]);
    assert_eq!(world.get(&read, "/api/v1/calls").await.status, StatusCode::OK);
    assert_eq!(
        world
            .delete(&read, "/api/v1/calls/call_ben/supervision")
            .await
            .code(),
        "forbidden"
    );
    assert_eq!(
        world.delete(&read, "/api/v1/calls/call_ben").await.code(),
        "forbidden"
    );
    let control = world.key(&[Scope::Control]);
    assert_eq!(
        world.delete(&control, "/api/v1/calls/call_ben").await.status,
        StatusCode::NO_CONTENT
    );
    assert_eq!(world.get(&control, "/api/v1/calls").await.code(), "forbidden");
    assert_eq!(
        world.get(&control, "/api/v1/calls/call_ben").await.code(),
        "forbidden"
    );
    assert_eq!(
        world
            .post(&control, "/api/v1/me/sip-session", json!({"tab": "t"}))
            .await
            .code(),
        "forbidden"
    );
}

#[tokio::test]
async fn a_refusal_says_why() {
    let world = World::new().await;
    let token = world.token("anna").await;
    let refused = [
        (
            "/api/v1/offers/off_gone/reject",
            StatusCode::CONFLICT,
            "offer-gone",
        ),
        (
            "/api/v1/calls/call_state/hold",
            StatusCode::CONFLICT,
            "wrong-state",
        ),
        (
            "/api/v1/calls/call_unknown/hold",
            StatusCode::NOT_FOUND,
            "unknown-call",
        ),
    ];
    for (path, status, code) in refused {
        let answer = world.post(&token, path, json!({})).await;
        assert_eq!((answer.status, answer.code()), (status, code));
    }
    let to = |to: Value| json!({ "to": to });
    for bad in [
        to(json!({})),
        to(json!({"agent": "a", "queue": "b"})),
        to(json!({"number": ""})),
        to(json!({"number": "1\r\nX: y"})),
        to(json!("que_1")),
        json!({}),
    ] {
        let answer = world
            .post(&token, "/api/v1/calls/call_anna/transfer", bad.clone())
            .await;
        assert_eq!(answer.code(), "invalid", "{bad}");
    }
    let answer = world
        .post(
            &token,
            "/api/v1/calls/call_anna/consult",
            to(json!({"queue": "que_1"})),
        )
        .await;
    assert_eq!(answer.code(), "invalid", "a queue cannot be asked");
    let answer = world
        .post(&token, "/api/v1/calls/call_anna/dtmf", json!({"digits": "1;2"}))
        .await;
    assert_eq!(answer.code(), "invalid");
}

#[tokio::test]
async fn lists_come_in_parts() {
    let world = World::new().await;
    let token = world.token("sue").await;
    let mut ids = Vec::new();
    let mut path = "/api/v1/calls?limit=2".to_owned();
    loop {
        let part = world.get(&token, &path).await;
        let items = part.body["items"].as_array().expect("items").clone();
        ids.extend(
            items
                .iter()
                .map(|call| call["id"].as_str().expect("an id").to_owned()),
        );
        match part.body["next_cursor"].as_str() {
            Some(cursor) => path = format!("/api/v1/calls?limit=2&cursor={cursor}"),
            None => break,
        }
    }
    assert_eq!(ids, ["call_anna", "call_ben", "call_waiting"]);
    for bad in ["limit=0", "limit=201", "limit=x", "limit=-1", "colour=red"] {
        assert_eq!(
            world.get(&token, &format!("/api/v1/calls?{bad}")).await.code(),
            "invalid",
            "{bad}"
        );
    }
}

#[tokio::test]
async fn an_admin_makes_keys_and_takes_them_away() {
    let world = World::new().await;
    let adam = world.token("adam").await;
    let wanted = json!({"name": "report", "scopes": ["read"]});
    let made = world.post(&adam, "/api/v1/api-keys", wanted.clone()).await;
    assert_eq!(made.status, StatusCode::CREATED);
    let key = made.body["key"].as_str().expect("a key").to_owned();
    assert_eq!(world.get(&key, "/api/v1/calls").await.status, StatusCode::OK);
    assert_eq!(world.get(&key, "/api/v1/api-keys").await.code(), "forbidden");
    let listed = world.get(&adam, "/api/v1/api-keys").await;
    assert_eq!(listed.body["items"][0]["name"], "report");
    assert!(
        !listed.body.to_string().contains(&key),
        "the secret is shown once"
    );
    let path = format!("/api/v1/api-keys/{}", made.body["id"].as_str().expect("an id"));
    let sue = world.token("sue").await;
    assert_eq!(world.delete(&sue, &path).await.code(), "forbidden");
    assert_eq!(
        world.post(&sue, "/api/v1/api-keys", wanted).await.code(),
        "forbidden"
    );
    assert_eq!(world.delete(&adam, &path).await.status, StatusCode::NO_CONTENT);
    assert_eq!(world.delete(&adam, &path).await.code(), "unknown-key");
    assert_eq!(world.get(&key, "/api/v1/calls").await.code(), "invalid-token");
    for bad in [
        json!({"name": "", "scopes": ["read"]}),
        json!({"name": "x", "scopes": []}),
        json!({"name": "x", "scopes": ["all"]}),
    ] {
        assert_eq!(world.post(&adam, "/api/v1/api-keys", bad).await.code(), "invalid");
    }
    let users = world.get(&adam, "/api/v1/users").await;
    assert_eq!(users.body["items"].as_array().map(Vec::len), Some(4));
    assert!(!users.body.to_string().contains("argon2"), "no hash is told");
    assert_eq!(
        world.get(&adam, "/api/v1/users/usr_sue").await.body["name"],
        "sue"
    );
    assert_eq!(
        world.get(&adam, "/api/v1/users/usr_x").await.code(),
        "unknown-user"
    );
    assert_eq!(world.get(&sue, "/api/v1/users").await.code(), "forbidden");
}

#[tokio::test]
async fn an_agent_is_not_shown_who_listens_where_calls_are_monitored_silently() {
    let world = World::new().await;
    let (anna, sue) = (world.token("anna").await, world.token("sue").await);
    let path = "/api/v1/calls/call_anna";
    for (seq, silent, mode, seen) in [
        (9, false, Mode::Listen, 1),
        (11, true, Mode::Listen, 0),
        (13, true, Mode::Whisper, 1),
        (15, true, Mode::Party, 1),
    ] {
        let mut monitored = queue("que_1");
        monitored.silent_monitoring = silent;
        let mut watched = call("call_anna", Some("usr_anna"));
        watched.parties.push(Participant {
            kind: ParticipantKind::Supervisor,
            name: "SUE".into(),
            mode,
        });
        let changes = vec![Change::Queue(monitored), Change::Call(watched)];
        world.api.service.stream().publish(numbered(seq, changes));
        for (token, seen) in [(&anna, seen), (&sue, 1)] {
            let call = world.get(token, path).await;
            let parties = call.body["parties"].as_array().map(Vec::len);
            assert_eq!(parties, Some(seen), "{silent} {mode:?}");
        }
    }
}

#[tokio::test]
async fn an_agent_sees_the_call_of_a_colleague_while_it_has_a_part_in_it() {
    let world = World::new().await;
    let ben = world.token("ben").await;
    let path = "/api/v1/calls/call_anna";
    for (seq, joined) in [(9, false), (10, true), (11, false)] {
        let mut shared = call("call_anna", Some("usr_anna"));
        shared.joined.extend(joined.then(|| "usr_ben".to_owned()));
        world
            .api
            .service
            .stream()
            .publish(numbered(seq, vec![Change::Call(shared)]));
        let seen = world.get(&ben, path).await;
        assert_eq!(seen.status == StatusCode::OK, joined);
        // Seeing a call is not having it.
        world.post(&ben, &format!("{path}/hold"), json!({})).await;
        assert_eq!(
            world.asked().pop().map(|(by, _)| by),
            Some(By::Agent("usr_ben".into()))
        );
    }
}
