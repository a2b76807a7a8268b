//! Signing in, and the answers that do not depend on the route.

use super::*;

async fn login(world: &World, user: &str, password: &str) -> Answer {
    world
        .post(
            "",
            "/api/v1/auth/login",
            json!({"user": user, "password": password}),
        )
        .await
}

#[tokio::test]
async fn signing_in_refreshing_and_signing_out() {
    let world = World::new().await;
    let answer = login(&world, "anna", "cordboard").await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(
        (&answer.body["token_type"], &answer.body["expires_in"]),
        (&json!("Bearer"), &json!(600))
    );
    assert_eq!(answer.body["user"]["name"], "anna");
    let token = |answer: &Answer, name: &str| answer.body[name].as_str().expect("a token").to_owned();
    let first = token(&answer, "refresh_token");
    let access = token(&answer, "access_token");
    assert_eq!(world.get(&access, "/api/v1/me").await.status, StatusCode::OK);

    let refresh = |refresh: &str| json!({ "refresh_token": refresh });
    let answer = world.post("", "/api/v1/auth/refresh", refresh(&first)).await;
    let second = token(&answer, "refresh_token");
    let again = world.post("", "/api/v1/auth/refresh", refresh(&first)).await;
    assert_eq!(
        (again.status, again.code()),
        (StatusCode::UNAUTHORIZED, "token-reused")
    );
    let ended = world.post("", "/api/v1/auth/refresh", refresh(&second)).await;
    assert_eq!(ended.code(), "invalid-token");
    assert_eq!(world.get(&access, "/api/v1/me").await.code(), "invalid-token");

    let answer = login(&world, "anna", "cordboard").await;
    let out = world
        .post(
            "",
            "/api/v1/auth/logout",
            refresh(&token(&answer, "refresh_token")),
        )
        .await;
    assert_eq!(out.status, StatusCode::NO_CONTENT);
    assert_eq!(
        world
            .get(&token(&answer, "access_token"), "/api/v1/me")
            .await
            .code(),
        "invalid-token"
    );
    assert_eq!(
        world
            .post("", "/api/v1/auth/logout", refresh("rubbish"))
            .await
            .status,
        StatusCode::NO_CONTENT
    );
}

#[tokio::test]
async fn passwords_cannot_be_tried_out() {
    let world = World::new().await;
    for _ in 0..10 {
        assert_eq!(login(&world, "anna", "wrong").await.code(), "bad-credentials");
    }
    let answer = login(&world, "anna", "cordboard").await;
    assert_eq!(
        (answer.status, answer.code()),
        (StatusCode::TOO_MANY_REQUESTS, "too-many-attempts")
    );
    assert_eq!(answer.headers["retry-after"], "6");
    assert_eq!(login(&world, "ben", "cordboard").await.status, StatusCode::OK);
    world.clock.fetch_add(6_000_000, Ordering::Relaxed);
    assert_eq!(login(&world, "anna", "cordboard").await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_tab_is_given_what_it_needs_to_register() {
    let world = World::new().await;
    let token = world.token("anna").await;
    let answer = world
        .post(&token, "/api/v1/me/sip-session", json!({"tab": "k3v9x2"}))
        .await;
    let body = &answer.body;
    assert_eq!(body["uri"], "sip:anna@desk.example");
    assert_eq!(body["websocket"], "ws://desk.example:8080/ws");
    assert_eq!(body["display"], "ANNA");
    assert_eq!(body["expires_at"], "2023-11-14T23:13:20.000Z");
    let username = body["username"].as_str().expect("a name");
    let (user, password) = world
        .api
        .accounts
        .sip_secret(world.api.now(), username)
        .expect("good");
    assert_eq!(
        (user.as_str(), password.as_str()),
        ("anna", body["password"].as_str().expect("a password"))
    );
    let again = world
        .post(&token, "/api/v1/me/sip-session", json!({"tab": "k3v9x2"}))
        .await;
    assert_eq!(again.body["instance_id"], body["instance_id"], "the same tab");
    let other = world
        .post(&token, "/api/v1/me/sip-session", json!({"tab": "other"}))
        .await;
    assert_ne!(other.body["instance_id"], body["instance_id"]);
    for bad in ["", "a b", "a:b", &"x".repeat(65)] {
        let answer = world
            .post(&token, "/api/v1/me/sip-session", json!({ "tab": bad }))
            .await;
        assert_eq!(answer.code(), "invalid", "{bad}");
    }
}

#[tokio::test]
async fn a_request_with_a_key_is_done_once() {
    let world = World::new().await;
    let token = world.token("sue").await;
    let keyed = |body: Value, key: &'static str, token: &str| {
        let mut request = request(Method::POST, "/api/v1/demo/call", token, Some(body.to_string()));
        request
            .headers_mut()
            .insert("idempotency-key", key.parse().expect("a value"));
        request
    };
    let first = world.send(keyed(json!({}), "k1", &token)).await;
    let second = world.send(keyed(json!({}), "k1", &token)).await;
    assert_eq!(
        (first.status, second.status),
        (StatusCode::ACCEPTED, StatusCode::ACCEPTED)
    );
    assert_eq!(first.body, second.body);
    assert_eq!(second.headers["idempotency-replayed"], "true");
    assert_eq!(world.asked().len(), 1);
    let other = world.send(keyed(json!({"queue": "que_1"}), "k1", &token)).await;
    assert_eq!(
        (other.status, other.code()),
        (StatusCode::UNPROCESSABLE_ENTITY, "idempotency-mismatch")
    );
    let bad = world.send(keyed(json!({"no": 1}), "k2", &token)).await;
    let bad_again = world.send(keyed(json!({"no": 1}), "k2", &token)).await;
    assert_eq!((bad.code(), bad_again.code()), ("invalid", "invalid"));
    // Another's key of the same name is another key.
    let ben = world.token("ben").await;
    assert_eq!(
        world
            .send(keyed(json!({"queue": "que_1"}), "k1", &ben))
            .await
            .status,
        StatusCode::ACCEPTED
    );
    assert_eq!(
        world.send(keyed(json!({}), "k1", "rubbish")).await.code(),
        "invalid-token"
    );
}

#[tokio::test]
async fn the_same_request_twice_at_a_time_is_done_once() {
    let (desk, mut receiver) = mpsc::channel::<Asked>(8);
    let world = World::with_desk(desk, Arc::default()).await;
    let token = world.token("sue").await;
    let keyed = || {
        let mut request = request(Method::POST, "/api/v1/demo/call", &token, Some("{}".into()));
        request
            .headers_mut()
            .insert("idempotency-key", "k".parse().expect("a value"));
        request
    };
    let first = tokio::spawn(world.router.clone().oneshot(keyed()));
    let asked = receiver.recv().await.expect("asked");
    assert_eq!(world.send(keyed()).await.code(), "idempotency-in-progress");
    // Who asked hangs up; it is done all the same, and told when asked again.
    first.abort();
    asked
        .reply
        .send(Ok(Some("call_1".into())))
        .expect("somebody waits");
    let mut answer = world.send(keyed()).await;
    while answer.code() == "idempotency-in-progress" {
        tokio::task::yield_now().await;
        answer = world.send(keyed()).await;
    }
    assert_eq!(answer.body["call"], "call_1");
    assert!(receiver.try_recv().is_err(), "asked once");
}

#[tokio::test(start_paused = true)]
async fn a_busy_desk_is_said_to_be_busy() {
    let (desk, receiver) = mpsc::channel::<Asked>(1);
    let world = World::with_desk(desk, Arc::default()).await;
    let token = world.token("anna").await;
    let busy = |answer: Answer| {
        assert_eq!(
            (answer.status, answer.code()),
            (StatusCode::SERVICE_UNAVAILABLE, "busy")
        );
        assert_eq!(answer.headers["retry-after"], "1");
    };
    // Never answered, then full, then gone.
    busy(
        world
            .post(&token, "/api/v1/calls/call_anna/hold", json!({}))
            .await,
    );
    busy(
        world
            .post(&token, "/api/v1/calls/call_anna/hold", json!({}))
            .await,
    );
    busy(world.get("", "/readyz").await);
    drop(receiver);
    busy(
        world
            .post(&token, "/api/v1/calls/call_anna/hold", json!({}))
            .await,
    );
    busy(world.get("", "/readyz").await);
}
