//! Signing in, and the answers that do not depend on the route.

use axum::extract::ConnectInfo;
use axum::http::Version;

use super::*;
use crate::http::Ends;

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
async fn signing_out_in_a_call_gives_the_call_back_unless_the_page_is_another_sign_ins() {
    let world = World::new().await;
    let out = async |answer: &Answer| {
        let body = json!({"refresh_token": answer.body["refresh_token"]});
        world.post("", "/api/v1/auth/logout", body).await
    };
    let sign_out = (
        By::Agent("usr_anna".into()),
        Command::SignOut {
            agent: "usr_anna".into(),
        },
    );
    // Anna is in a call.
    let answer = login(&world, "anna", "cordboard").await;
    assert_eq!(out(&answer).await.status, StatusCode::NO_CONTENT);
    assert_eq!(world.asked(), [sign_out]);
    // So is Ben, in the page of another sign-in.
    let page = login(&world, "ben", "cordboard").await;
    let bearer = page.body["access_token"].as_str().expect("a token");
    let principal = world
        .api
        .accounts
        .authenticate(world.api.now(), bearer)
        .expect("signed in");
    world.api.pages.open("usr_ben", "tab", principal.session());
    let other = login(&world, "ben", "cordboard").await;
    assert_eq!(out(&other).await.status, StatusCode::NO_CONTENT);
    assert_eq!(world.asked(), []);
    assert_eq!(out(&page).await.status, StatusCode::NO_CONTENT);
    assert_eq!(world.asked().len(), 1);
    // A user without a call has nothing to give back.
    let sue = login(&world, "sue", "cordboard").await;
    assert_eq!(out(&sue).await.status, StatusCode::NO_CONTENT);
    assert_eq!(world.asked(), []);
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

/// A sign-in over a connection from `peer`.
async fn login_from(
    world: &World,
    peer: &str,
    forwarded: Option<&str>,
    user: &str,
    password: &str,
) -> StatusCode {
    let body = json!({"user": user, "password": password}).to_string();
    let mut request = request(Method::POST, "/api/v1/auth/login", "", Some(body));
    request.extensions_mut().insert(ConnectInfo(Ends {
        local: "127.0.0.1:8080".parse().expect("an address"),
        remote: format!("{peer}:4711").parse().expect("an address"),
        secure: false,
    }));
    if let Some(forwarded) = forwarded {
        request
            .headers_mut()
            .insert("x-forwarded-for", forwarded.parse().expect("a value"));
    }
    world.send(request).await.status
}

#[tokio::test]
async fn whoever_guesses_is_banned_shown_and_let_in_again_by_an_admin() {
    let world = World::new().await;
    let (adam, anna) = (world.token("adam").await, world.token("anna").await);
    assert_eq!(
        login_from(&world, "192.0.2.7", None, "anna", "cordboard").await,
        StatusCode::OK
    );
    let mut looked_at = 0;
    for n in 0..200 {
        // Only a trusted proxy may say for whom it speaks.
        let forged = format!("198.51.100.{n}");
        let status = login_from(&world, "192.0.2.66", Some(&forged), &format!("user{n}"), "wrong").await;
        looked_at += u32::from(status == StatusCode::UNAUTHORIZED);
    }
    assert!(looked_at <= 20, "{looked_at}");
    assert_eq!(
        login_from(&world, "192.0.2.66", None, "anna", "cordboard").await,
        StatusCode::TOO_MANY_REQUESTS
    );
    assert_eq!(
        login_from(&world, "192.0.2.7", None, "anna", "cordboard").await,
        StatusCode::OK
    );

    let listed = world.get(&adam, "/api/v1/bans").await;
    let items = listed.body["items"].as_array().expect("items");
    assert_eq!(items.len(), 1, "{items:?}");
    assert_eq!(
        (&items[0]["address"], &items[0]["reason"], &items[0]["times"]),
        (&json!("192.0.2.66"), &json!("guessing"), &json!(1))
    );
    assert_eq!(items[0]["until"], "2023-11-14T22:23:20.000Z");
    assert_eq!(
        world.get(&anna, "/api/v1/bans").await.status,
        StatusCode::FORBIDDEN
    );
    assert_eq!(
        world.delete(&anna, "/api/v1/bans/192.0.2.66").await.status,
        StatusCode::FORBIDDEN
    );
    for unknown in ["192.0.2.1", "rubbish"] {
        let answer = world.delete(&adam, &format!("/api/v1/bans/{unknown}")).await;
        assert_eq!(answer.code(), "unknown-ban");
    }
    let lifted = world.delete(&adam, "/api/v1/bans/192.0.2.66").await;
    assert_eq!(lifted.status, StatusCode::NO_CONTENT);
    world.clock.fetch_add(1_000_000, Ordering::Relaxed);
    assert_eq!(
        login_from(&world, "192.0.2.66", None, "anna", "cordboard").await,
        StatusCode::OK
    );

    let request = request(Method::GET, "/metrics", &world.key(&[Scope::Read]), None);
    let response = world.router.clone().oneshot(request).await.expect("infallible");
    let text = to_bytes(response.into_body(), 1 << 20).await.expect("a body");
    let text = String::from_utf8(text.to_vec()).expect("UTF-8");
    for line in [
        format!("cordboard_refused_total{{reason=\"wrong-credentials\",code=\"401\"}} {looked_at}"),
        "cordboard_bans_total 1".into(),
        "cordboard_bans 0".into(),
    ] {
        assert!(text.lines().any(|l| l == line), "{line} is missing in\n{text}");
    }
}

#[tokio::test]
async fn what_is_counted_is_not_told_through_a_proxy() {
    let world = World::new().await;
    let ask = |version: Version, headers: &'static [(&'static str, &'static str)]| {
        let mut request = request(Method::GET, "/metrics", "", None);
        *request.version_mut() = version;
        request.headers_mut().remove("host");
        for (name, value) in headers {
            request
                .headers_mut()
                .insert(*name, value.parse().expect("a value"));
        }
        request.extensions_mut().insert(ConnectInfo(Ends {
            local: "127.0.0.1:8080".parse().expect("an address"),
            remote: "127.0.0.1:4711".parse().expect("an address"),
            secure: false,
        }));
        world.router.clone().oneshot(request)
    };
    let good: &[&'static [(&'static str, &'static str)]] = &[
        &[("host", "127.0.0.1:8080")],
        &[("host", "localhost:8080")],
        &[("host", "[::1]:8080")],
    ];
    for headers in good {
        let answer = ask(Version::HTTP_11, headers).await.expect("infallible");
        assert_eq!(answer.status(), StatusCode::OK, "{headers:?}");
    }
    let bad: &[(Version, &'static [(&'static str, &'static str)])] = &[
        (Version::HTTP_10, &[("host", "127.0.0.1:8080")]),
        (Version::HTTP_11, &[("host", "desk.example")]),
        (Version::HTTP_11, &[]),
        (
            Version::HTTP_11,
            &[("host", "127.0.0.1"), ("x-forwarded-for", "127.0.0.1")],
        ),
        (
            Version::HTTP_11,
            &[("host", "127.0.0.1"), ("x-real-ip", "127.0.0.1")],
        ),
        (Version::HTTP_11, &[("host", "127.0.0.1"), ("via", "1.1 proxy")]),
    ];
    for (version, headers) in bad {
        let answer = ask(*version, headers).await.expect("infallible");
        assert_eq!(
            answer.status(),
            StatusCode::UNAUTHORIZED,
            "{version:?} {headers:?}"
        );
    }
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
        let path = "/api/v1/calls/call_anna/transfer";
        let mut request = request(Method::POST, path, token, Some(body.to_string()));
        request
            .headers_mut()
            .insert("idempotency-key", key.parse().expect("a value"));
        request
    };
    let to = |number: &str| json!({"to": {"number": number}});
    let first = world.send(keyed(to("1"), "k1", &token)).await;
    let second = world.send(keyed(to("1"), "k1", &token)).await;
    assert_eq!(
        (first.status, second.status),
        (StatusCode::ACCEPTED, StatusCode::ACCEPTED)
    );
    assert_eq!(first.body, second.body);
    assert_eq!(second.headers["idempotency-replayed"], "true");
    assert_eq!(world.asked().len(), 1);
    let other = world.send(keyed(to("2"), "k1", &token)).await;
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
        world.send(keyed(to("2"), "k1", &ben)).await.status,
        StatusCode::ACCEPTED
    );
    assert_eq!(
        world.send(keyed(to("1"), "k1", "rubbish")).await.code(),
        "invalid-token"
    );
}

#[tokio::test]
async fn the_same_request_twice_at_a_time_is_done_once() {
    let (controller, mut receiver) = mpsc::channel::<Asked>(8);
    let world = World::with_controller(controller, Arc::default()).await;
    let token = world.token("sue").await;
    let keyed = || {
        let path = "/api/v1/calls/call_anna/hold";
        let mut request = request(Method::POST, path, &token, Some("{}".into()));
        request
            .headers_mut()
            .insert("idempotency-key", "k".parse().expect("a value"));
        request
    };
    let first = tokio::spawn(world.router.clone().oneshot(keyed()));
    let asked = receiver.recv().await.expect("asked");
    assert_eq!(world.send(keyed()).await.code(), "idempotency-in-progress");
    // The client hangs up; the change is made all the same, and reported when asked again.
    first.abort();
    asked.reply.send(Ok(())).expect("somebody waits");
    let mut answer = world.send(keyed()).await;
    while answer.code() == "idempotency-in-progress" {
        tokio::task::yield_now().await;
        answer = world.send(keyed()).await;
    }
    assert_eq!(answer.status, StatusCode::NO_CONTENT);
    assert!(receiver.try_recv().is_err(), "asked once");
}

#[tokio::test(start_paused = true)]
async fn a_busy_controller_is_said_to_be_busy() {
    let (controller, receiver) = mpsc::channel::<Asked>(1);
    let world = World::with_controller(controller, Arc::default()).await;
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
