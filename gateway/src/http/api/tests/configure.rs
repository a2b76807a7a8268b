//! Configuration by admins: permissions, refusals with their reasons, and what survives a restart.

use super::*;
use crate::centre::command::Reconfiguration;
use crate::store::Durability;

fn clara() -> Value {
    json!({
        "name": "clara",
        "display": "Clara",
        "roles": ["agent"],
        "agent": {"queues": [{"queue": "que_support"}], "skills": {"english": 80}},
        "password": "clara's own",
        "sip_password": "phone's own",
    })
}

/// Arrangements that the call centre was given.
fn reconfigured(world: &World) -> Vec<Reconfiguration> {
    let asked = world.asked().into_iter();
    asked
        .filter_map(|(_, command)| match command {
            Command::Reconfigure(reconfiguration) => Some(*reconfiguration),
            _ => None,
        })
        .collect()
}

fn tag(answer: &Answer) -> String {
    answer.headers["etag"].to_str().expect("ASCII").to_owned()
}

fn fields(answer: &Answer) -> Vec<&str> {
    let errors = answer.body["errors"].as_array().expect("errors");
    let field = |error: &'_ Value| error["field"].as_str().map(str::len).unwrap_or_default();
    assert!(errors.iter().all(|error| field(error) > 0));
    errors
        .iter()
        .filter_map(|error| error["field"].as_str())
        .collect()
}

async fn signs_in(world: &World, user: &str, password: &str) -> Answer {
    world
        .post(
            "",
            "/api/v1/auth/login",
            json!({"user": user, "password": password}),
        )
        .await
}

#[tokio::test]
async fn a_user_that_is_added_signs_in_and_is_an_agent() {
    let world = World::new().await;
    let adam = world.token("adam").await;
    let made = world.post(&adam, "/api/v1/users", clara()).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
    let id = made.body["id"].as_str().expect("an id").to_owned();
    assert_eq!(made.headers["location"], format!("/api/v1/users/{id}").as_str());
    assert_eq!(tag(&made), "\"v1\"");
    let text = made.body.to_string();
    assert!(!text.contains("own") && !text.contains("argon2"), "{text}");
    let changes = reconfigured(&world);
    assert_eq!((changes.len(), &changes[0].what[..]), (1, &["agents"][..]));
    let person = changes[0].directory.person_by_id(&id).expect("told");
    let agent = person.agent.as_ref().expect("an agent");
    assert_eq!((agent.queues.len(), agent.skills.len()), (1, 1));
    let sip = &changes[0].users["clara"];
    assert!(!format!("{:?}", sip.password).contains("phone"));
    assert_eq!(
        sip.password,
        sip_core::auth::Password::keys("clara", "cordboard", "phone's own")
    );

    let signed_in = signs_in(&world, "clara", "clara's own").await;
    assert_eq!(signed_in.status, StatusCode::OK);
    let token = signed_in.body["access_token"]
        .as_str()
        .expect("a token")
        .to_owned();
    let me = world.get(&token, "/api/v1/me").await;
    assert_eq!(
        (&me.body["id"], &me.body["roles"]),
        (&json!(id), &json!(["agent"]))
    );

    // Another role counts at once; another password ends the sign-in.
    let path = format!("/api/v1/users/{id}");
    let mut other = clara();
    other["roles"] = json!(["agent", "supervisor"]);
    other.as_object_mut().expect("an object").remove("password");
    let put = world
        .matching(Method::PUT, &adam, &path, "\"v1\"", Some(other.clone()))
        .await;
    assert_eq!(
        (put.status, tag(&put)),
        (StatusCode::OK, "\"v2\"".into()),
        "{}",
        put.body
    );
    assert_eq!(world.get(&token, "/api/v1/agents").await.status, StatusCode::OK);
    other["password"] = json!("another one");
    let put = world.matching(Method::PUT, &adam, &path, "*", Some(other)).await;
    assert_eq!(put.status, StatusCode::OK);
    assert_eq!(reconfigured(&world).last().expect("told").again, ["clara"]);
    assert_eq!(world.get(&token, "/api/v1/me").await.code(), "invalid-token");
    assert_eq!(
        signs_in(&world, "clara", "clara's own").await.code(),
        "bad-credentials"
    );
    assert_eq!(
        signs_in(&world, "clara", "another one").await.status,
        StatusCode::OK
    );

    let gone = world.matching(Method::DELETE, &adam, &path, "\"v3\"", None).await;
    assert_eq!(gone.status, StatusCode::NO_CONTENT);
    assert!(reconfigured(&world)[0].directory.person_by_id(&id).is_none());
    assert_eq!(world.get(&adam, &path).await.code(), "unknown-user");
    assert_eq!(
        signs_in(&world, "clara", "another one").await.code(),
        "bad-credentials"
    );
}

#[tokio::test]
async fn a_change_says_which_version_it_means() {
    let world = World::new().await;
    let adam = world.token("adam").await;
    let made = world
        .post(&adam, "/api/v1/queues", json!({"name": "billing", "ring": 20.0}))
        .await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
    assert_eq!(made.body["settings"]["ring"], 20);
    let id = made.body["id"].as_str().expect("an id");
    let (queue, path) = (
        format!("/api/v1/queues/{id}"),
        format!("/api/v1/queues/{id}/settings"),
    );
    let got = world.get(&adam, &path).await;
    assert_eq!((tag(&got), &got.body), ("\"v1\"".into(), &made.body["settings"]));
    let mut settings = got.body;
    settings["ring"] = json!(30);
    let put = |tag: &'static str| world.matching(Method::PUT, &adam, &path, tag, Some(settings.clone()));
    assert_eq!(
        world.put(&adam, &path, settings.clone()).await.code(),
        "match-required"
    );
    assert_eq!(world.delete(&adam, &queue).await.code(), "match-required");
    for stale in ["\"v2\"", "W/\"v1\"", "v1", "", "\"v18446744073709551616\""] {
        assert_eq!(put(stale).await.code(), "changed", "{stale}");
    }
    assert_eq!(tag(&put("\"v1\"").await), "\"v2\"");
    // If two clients have read the same version, only one change is made.
    let (one, other) = tokio::join!(put("\"v2\""), put("\"v2\""));
    let mut codes = [one.status.as_u16(), other.status.as_u16()];
    codes.sort_unstable();
    assert_eq!(codes, [200, 412]);
    let delete = |tag| world.matching(Method::DELETE, &adam, &queue, tag, None);
    assert_eq!(delete("\"v2\"").await.code(), "changed");
    assert_eq!(delete("\"v3\"").await.status, StatusCode::NO_CONTENT);
    assert_eq!(delete("*").await.code(), "unknown-queue");
}

#[tokio::test]
async fn what_the_file_says_is_read_and_not_changed() {
    let world = World::new().await;
    let adam = world.token("adam").await;
    let user = world.get(&adam, "/api/v1/users/usr_anna").await;
    assert_eq!(
        (tag(&user), &user.body["from_file"]),
        ("\"file\"".into(), &json!(true))
    );
    let queue = world.get(&adam, "/api/v1/queues/que_support/settings").await;
    assert_eq!(
        (tag(&queue), &queue.body["name"]),
        ("\"file\"".into(), &json!("support"))
    );
    let mut anna = clara();
    anna["name"] = json!("anna");
    let lunch = json!({"code": "lunch", "label": "Lunch"});
    for (path, of, body) in [
        ("users/usr_anna", "users/usr_anna", anna),
        (
            "queues/que_support/settings",
            "queues/que_support",
            queue.body.clone(),
        ),
        ("pause-reasons/lunch", "pause-reasons/lunch", lunch),
    ] {
        let (path, of) = (format!("/api/v1/{path}"), format!("/api/v1/{of}"));
        let put = world
            .matching(Method::PUT, &adam, &path, "\"file\"", Some(body))
            .await;
        assert_eq!(put.code(), "from-file", "{path}");
        let gone = world.matching(Method::DELETE, &adam, &of, "*", None).await;
        assert_eq!(gone.code(), "from-file", "{of}");
    }
    assert_eq!(reconfigured(&world).len(), 0);
}

#[tokio::test]
async fn every_wrong_field_is_named() {
    let world = World::new().await;
    let adam = world.token("adam").await;
    let user = json!({
        "name": "Clara B", "display": "x".repeat(65), "roles": ["agent", "agent"], "password": "short",
        "sip_password": "a\nb\nc\nd\ne",
        "agent": {"skills": {"eng\tlish": 80, "french": 0},
            "queues": [{"queue": "que_none"}, {"queue": "que_sales", "tier": 10, "weight": 0}, {"queue": "que_sales"}]},
    });
    let answer = world.post(&adam, "/api/v1/users", user).await;
    assert_eq!(answer.code(), "invalid");
    assert_eq!(
        fields(&answer),
        [
            "name",
            "display",
            "roles",
            "agent.skills",
            "agent.skills.french",
            "agent.queues[0].queue",
            "agent.queues[1].tier",
            "agent.queues[1].weight",
            "agent.queues[2].queue",
            "password",
            "sip_password",
        ]
    );
    let queue = json!({
        "name": "bill\u{0}ing", "number": "1001", "max_tier": 10, "rate": 0, "priority": 10, "ring": 4, "sticky": 0,
        "alarm_service_level": 101, "max_wait": 86401, "max_length": 0, "overflow": {"queue": "que_none"},
        "closed": {"number": ""}, "widening": [{"after": 60}, {"after": 60, "lower": 101}],
    });
    let answer = world.post(&adam, "/api/v1/queues", queue).await;
    assert_eq!(
        fields(&answer),
        [
            "name",
            "max_tier",
            "widening",
            "widening[1].lower",
            "rate",
            "priority",
            "ring",
            "sticky",
            "max_wait",
            "max_length",
            "closed",
            "alarm_service_level",
            "number",
            "overflow",
        ]
    );
    for bad in [
        json!({"name": "x", "hours": ["always"]}),
        json!({"name": "x", "holidays": ["2026-13-01"]}),
        json!({"name": "x", "time_zone": "Mars/Olympus"}),
        json!({"name": "x", "strategy": "guess"}),
        json!({"name": "x", "ring": -1}),
        json!({"name": "x", "ring": 1e99}),
        json!({"name": "x", "overflow": "nowhere"}),
        json!({"name": "x", "bogus": 1}),
    ] {
        let answer = world.post(&adam, "/api/v1/queues", bad).await;
        assert_eq!(answer.code(), "invalid");
    }
    let choice = json!({"code": "", "label": "\u{7}"});
    let answer = world.post(&adam, "/api/v1/dispositions", choice).await;
    assert_eq!(fields(&answer), ["code", "label"]);
    assert_eq!(reconfigured(&world).len(), 0);
}

#[tokio::test]
async fn names_are_unique_and_never_change() {
    let world = World::new().await;
    let adam = world.token("adam").await;
    let made = world.post(&adam, "/api/v1/users", clara()).await;
    let queue = world
        .post(
            &adam,
            "/api/v1/queues",
            json!({"name": "billing", "number": "9100"}),
        )
        .await;
    assert_eq!(
        (made.status, queue.status),
        (StatusCode::CREATED, StatusCode::CREATED)
    );
    for taken in ["clara", "anna", "1001", "support", "billing", "9100"] {
        let mut user = clara();
        user["name"] = json!(taken);
        assert_eq!(
            world.post(&adam, "/api/v1/users", user).await.code(),
            "name-taken",
            "{taken}"
        );
        let queue = json!({"name": taken});
        assert_eq!(
            world.post(&adam, "/api/v1/queues", queue).await.code(),
            "name-taken",
            "{taken}"
        );
    }
    let number = json!({"name": "other", "number": "9100"});
    let answer = world.post(&adam, "/api/v1/queues", number).await;
    assert_eq!(fields(&answer), ["number"]);
    let reason = json!({"code": "lunch", "label": "Lunch"});
    assert_eq!(
        world.post(&adam, "/api/v1/pause-reasons", reason).await.code(),
        "name-taken"
    );

    let path = format!("/api/v1/users/{}", made.body["id"].as_str().expect("an id"));
    let mut renamed = clara();
    renamed["name"] = json!("clare");
    let answer = world
        .matching(Method::PUT, &adam, &path, "*", Some(renamed))
        .await;
    assert_eq!(fields(&answer), ["name"]);
    // Removed, the name is free.
    world.matching(Method::DELETE, &adam, &path, "*", None).await;
    assert_eq!(
        world.post(&adam, "/api/v1/users", clara()).await.status,
        StatusCode::CREATED
    );
}

#[tokio::test]
async fn only_admins_configure() {
    let world = World::new().await;
    let sue = world.token("sue").await;
    let key = world.key(&[Scope::Read, Scope::Control]);
    for token in [&sue, &key] {
        for (path, body) in [
            ("users", clara()),
            ("queues", json!({"name": "billing"})),
            ("pause-reasons", json!({"code": "tea", "label": "Tea"})),
        ] {
            let path = format!("/api/v1/{path}");
            assert_eq!(world.post(token, &path, body).await.code(), "forbidden", "{path}");
        }
    }
    let key = world.key(&[Scope::Configure]);
    assert_eq!(
        world.post(&key, "/api/v1/users", clara()).await.status,
        StatusCode::CREATED
    );
}

#[tokio::test]
async fn codes_are_added_changed_and_removed() {
    let world = World::new().await;
    let (adam, anna) = (world.token("adam").await, world.token("anna").await);
    for list in ["/api/v1/pause-reasons", "/api/v1/dispositions"] {
        let codes = async || {
            let items = world.get(&anna, list).await.body["items"].clone();
            let items: Vec<config::Choice> = serde_json::from_value(items).expect("choices");
            items
        };
        let before = codes().await;
        let made = world
            .post(&adam, list, json!({"code": "tea", "label": "Tea"}))
            .await;
        assert_eq!((made.status, tag(&made)), (StatusCode::CREATED, "\"v1\"".into()));
        let one = format!("{list}/tea");
        let put = json!({"code": "tea", "label": "Tea time"});
        let put = world
            .matching(Method::PUT, &adam, &one, "\"v1\"", Some(put))
            .await;
        assert_eq!(put.body["label"], "Tea time");
        let now = codes().await;
        assert_eq!(
            (now.len(), now.last().map(|c| c.label.as_str())),
            (before.len() + 1, Some("Tea time"))
        );
        let other = json!({"code": "coffee", "label": "Coffee"});
        let renamed = world.matching(Method::PUT, &adam, &one, "*", Some(other)).await;
        assert_eq!(fields(&renamed), ["code"]);
        let gone = world.matching(Method::DELETE, &adam, &one, "\"v2\"", None).await;
        assert_eq!(gone.status, StatusCode::NO_CONTENT);
        assert_eq!(codes().await, before);
        assert_eq!(world.get(&adam, &one).await.code(), "unknown-code");
    }
    let changes: Vec<&str> = reconfigured(&world)
        .iter()
        .flat_map(|changes| changes.what.clone())
        .collect();
    assert_eq!(changes[..3], ["pause-reasons"; 3]);
    assert_eq!(changes[3..], ["dispositions"; 3]);
}

#[tokio::test]
async fn what_the_call_centre_refuses_is_not_kept() {
    let store = Store::open("sqlite::memory:", Durability::Normal)
        .await
        .expect("a store");
    let (controller, mut asked) = mpsc::channel::<Asked>(8);
    let world = World::kept(controller, Log::default(), Some(&store)).await;
    let adam = world.token("adam").await;
    let busy = tokio::spawn(async move {
        // Whatever comes is fine, but nothing may go.
        let mut most = 0;
        while let Some(Asked { command, reply, .. }) = asked.recv().await {
            let Command::Reconfigure(changes) = command else {
                continue;
            };
            let queues = changes.directory.queues().count();
            let goes = queues < most;
            most = most.max(queues);
            let _ = reply.send(if goes { Err(Refused::QueueBusy) } else { Ok(()) });
        }
    });
    let made = world
        .post(&adam, "/api/v1/queues", json!({"name": "billing"}))
        .await;
    let path = format!("/api/v1/queues/{}", made.body["id"].as_str().expect("an id"));
    let gone = world.matching(Method::DELETE, &adam, &path, "*", None).await;
    assert_eq!((gone.status, gone.code()), (StatusCode::CONFLICT, "queue-busy"));
    let settings = world.get(&adam, &format!("{path}/settings")).await;
    assert_eq!(tag(&settings), "\"v1\"");
    let table = store.table::<Value>("queue");
    assert_eq!(table.list(None, 10).await.expect("rows").len(), 1);
    busy.abort();
}

#[tokio::test]
async fn a_restart_keeps_what_was_configured() {
    let store = Store::open("sqlite::memory:", Durability::Normal)
        .await
        .expect("a store");
    let (controller_before, asked) = controller();
    let before = World::kept(controller_before, asked, Some(&store)).await;
    let adam = before.token("adam").await;
    let queue =
        json!({"name": "billing", "number": "9100", "overflow": {"queue": "que_support"}, "announce": null});
    let queue = before.post(&adam, "/api/v1/queues", queue).await;
    let id = queue.body["id"].as_str().expect("an id").to_owned();
    let mut user = clara();
    user["agent"]["queues"] = json!([{"queue": id, "tier": 2}]);
    let user = before.post(&adam, "/api/v1/users", user).await;
    assert_eq!(user.status, StatusCode::CREATED, "{}", user.body);
    before
        .post(
            &adam,
            "/api/v1/pause-reasons",
            json!({"code": "tea", "label": "Tea"}),
        )
        .await;
    let removed = before.post(&adam, "/api/v1/queues", json!({"name": "old"})).await;
    let old = format!("/api/v1/queues/{}", removed.body["id"].as_str().expect("an id"));
    before.matching(Method::DELETE, &adam, &old, "*", None).await;
    let changes = reconfigured(&before);
    drop(before);

    let (controller_after, asked) = controller();
    let after = World::kept(controller_after, asked, Some(&store)).await;
    let adam = after.token("adam").await;
    let settings = after.get(&adam, &format!("/api/v1/queues/{id}/settings")).await;
    assert_eq!(
        (tag(&settings), &settings.body),
        ("\"v1\"".into(), &queue.body["settings"])
    );
    let path = format!("/api/v1/users/{}", user.body["id"].as_str().expect("an id"));
    assert_eq!(after.get(&adam, &path).await.body, user.body);
    assert_eq!(
        signs_in(&after, "clara", "clara's own").await.status,
        StatusCode::OK
    );
    assert_eq!(
        after.get(&adam, "/api/v1/pause-reasons/tea").await.status,
        StatusCode::OK
    );
    // The log goes on to mean the same by its numbers, and none is given twice.
    let numbers = |directory: &crate::centre::directory::Directory| {
        let queue = directory.queue_by_id(&id).expect("there").config.clone();
        (queue, directory.person("clara").cloned().expect("there"))
    };
    let next = after.post(&adam, "/api/v1/queues", json!({"name": "new"})).await;
    let now = reconfigured(&after);
    assert_eq!(numbers(&now[0].directory), numbers(&changes[1].directory));
    let number = |changes: &Reconfiguration, id: &Value| {
        let id = id.as_str().expect("an id");
        changes.directory.queue_by_id(id).expect("there").config.id
    };
    let last = changes
        .iter()
        .rfind(|changes| changes.directory.queue_by_name("old").is_some());
    let old = number(last.expect("it was there"), &removed.body["id"]);
    assert_ne!(number(&now[0], &next.body["id"]), old);
}

#[tokio::test]
async fn somebody_can_always_configure() {
    let store = Store::open("sqlite::memory:", Durability::Normal)
        .await
        .expect("a store");
    let (controller, asked) = controller();
    let mut config = file();
    config.staff.retain(|name, _| name != "adam" && name != "sue");
    let world = World::of(config, controller, asked, Some(&store)).await;
    let key = world.key(&[Scope::Configure]);
    let admin = json!({"name": "olga", "roles": ["admin"], "password": "olga's own"});
    let made = world.post(&key, "/api/v1/users", admin.clone()).await;
    let path = format!("/api/v1/users/{}", made.body["id"].as_str().expect("an id"));
    let mut less = admin.clone();
    less["roles"] = json!(["supervisor"]);
    let put = world
        .matching(Method::PUT, &key, &path, "*", Some(less.clone()))
        .await;
    assert_eq!((put.status, put.code()), (StatusCode::CONFLICT, "last-admin"));
    let gone = world.matching(Method::DELETE, &key, &path, "*", None).await;
    assert_eq!(gone.code(), "last-admin");
    let mut second = admin;
    second["name"] = json!("petra");
    assert_eq!(
        world.post(&key, "/api/v1/users", second).await.status,
        StatusCode::CREATED
    );
    let put = world.matching(Method::PUT, &key, &path, "*", Some(less)).await;
    assert_eq!(put.status, StatusCode::OK);
}

#[tokio::test]
async fn a_post_that_is_sent_again_adds_nothing_and_is_answered_alike() {
    let world = World::new().await;
    let adam = world.token("adam").await;
    let post = async || {
        let mut request = request(Method::POST, "/api/v1/users", &adam, Some(clara().to_string()));
        let key = "once".parse().expect("a value");
        request.headers_mut().insert(idempotency::IDEMPOTENCY_KEY, key);
        world.send(request).await
    };
    let (first, again) = (post().await, post().await);
    assert_eq!(
        (first.status, again.status),
        (StatusCode::CREATED, StatusCode::CREATED)
    );
    assert_eq!(first.body, again.body);
    for header in ["etag", "location"] {
        assert_eq!(first.headers[header], again.headers[header]);
    }
    assert_eq!(reconfigured(&world).len(), 1);
}
