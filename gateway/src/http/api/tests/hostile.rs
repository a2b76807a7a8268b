//! Wrong tokens, others' ids, rubbish: 4xx, never 5xx, never data.

use proptest::prelude::*;

use super::*;

/// Paths that need no token.
fn is_open(path: &str) -> bool {
    [
        "/api/v1/auth/login",
        "/api/v1/auth/refresh",
        "/api/v1/auth/logout",
        "/api/v1/openapi.json",
        "/healthz",
        "/readyz",
    ]
    .contains(&path)
}

#[tokio::test]
async fn without_a_good_token_nothing_is_told() {
    let world = World::new().await;
    let good = world.token("anna").await;
    let half = &good[..good.len() - 4];
    for (method, path, open, has_body) in operations() {
        let body = has_body.then(|| "{}".to_owned());
        if open {
            assert!(is_open(&path) || path == "/metrics", "{path} is open");
            continue;
        }
        let answer = world.send(request(method.clone(), &path, "", body.clone())).await;
        assert_eq!(
            (answer.status, answer.code()),
            (StatusCode::UNAUTHORIZED, "unauthenticated"),
            "{path}"
        );
        for token in ["x", half, "cbk_x", "a.b.c", "a b"] {
            let answer = world
                .send(request(method.clone(), &path, token, body.clone()))
                .await;
            assert_eq!(
                (answer.status, answer.code()),
                (StatusCode::UNAUTHORIZED, "invalid-token"),
                "{path}"
            );
        }
        let mut basic = request(method.clone(), &path, "", body);
        basic.headers_mut().insert(
            AUTHORIZATION,
            "Basic YW5uYTpjb3JkYm9hcmQ=".parse().expect("a value"),
        );
        assert_eq!(world.send(basic).await.status, StatusCode::UNAUTHORIZED, "{path}");
    }
    assert_eq!(world.asked(), []);
}

#[tokio::test]
async fn a_body_that_is_none_is_refused_by_every_route() {
    let world = World::new().await;
    let mut tokens = Vec::new();
    for name in ["anna", "sue", "adam"] {
        tokens.push(world.token(name).await);
    }
    let large = format!("{{\"x\":\"{}\"}}", "x".repeat(extract::MAX_BODY));
    let cases = [
        ("{", "application/json", "malformed-json"),
        ("", "application/json", "malformed-json"),
        ("\u{0}", "application/json", "malformed-json"),
        ("[1,2,3]", "application/json", "invalid"),
        ("null", "application/json", "invalid"),
        (
            "{\"no such field\":1}",
            "application/json; charset=utf-8",
            "invalid",
        ),
        ("{}", "text/plain", "unsupported-media-type"),
        (
            "a=b",
            "application/x-www-form-urlencoded",
            "unsupported-media-type",
        ),
        ("{}", "", "unsupported-media-type"),
        (&large, "application/json", "too-large"),
    ];
    let mut refused = 0;
    for (method, path, _, has_body) in operations() {
        if !has_body {
            continue;
        }
        for (body, content_type, code) in &cases {
            let mut answers = Vec::new();
            for token in &tokens {
                let mut request = request(method.clone(), &path, token, None);
                if !content_type.is_empty() {
                    request
                        .headers_mut()
                        .insert(CONTENT_TYPE, content_type.parse().expect("a value"));
                }
                request
                    .headers_mut()
                    .insert("if-match", "*".parse().expect("a value"));
                *request.body_mut() = Body::from((*body).to_owned());
                answers.push(world.send(request).await.code().to_owned());
            }
            assert!(
                answers.iter().any(|answer| answer == code),
                "{method} {path}: {answers:?} to {content_type}"
            );
            assert!(
                answers
                    .iter()
                    .all(|answer| answer == code || answer == "forbidden"),
                "{method} {path}: {answers:?}"
            );
            refused += 1;
        }
    }
    assert!(refused >= 100, "{refused}");
    assert_eq!(world.asked(), []);
}

#[tokio::test]
async fn what_is_not_there_is_not_there_for_any_method() {
    let world = World::new().await;
    let token = world.token("sue").await;
    for path in ["/api/v1", "/api/v1/", "/api/v1/nothing", "/api/v1/calls/x/y/z"] {
        assert_eq!(
            world.get(&token, path).await.status,
            StatusCode::NOT_FOUND,
            "{path}"
        );
    }
    let answer = world
        .send(request(Method::PATCH, "/api/v1/calls/x", &token, None))
        .await;
    assert_eq!(
        (answer.status, answer.code()),
        (StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed")
    );
    let allow = answer.headers["allow"].to_str().expect("ASCII").to_owned();
    assert!(allow.contains("GET") && allow.contains("DELETE"), "{allow}");
    let answer = world.get(&token, "/api/v1/calls/%ff").await;
    assert_eq!(
        (answer.status, answer.code()),
        (StatusCode::BAD_REQUEST, "bad-request")
    );
}

fn any_path() -> impl Strategy<Value = String> {
    let known: Vec<String> = operations().into_iter().map(|(_, path, _, _)| path).collect();
    let id = prop_oneof![
        Just("call_anna".to_owned()),
        Just("call_ben".to_owned()),
        Just("usr_ben".to_owned()),
        "[a-z0-9_%.-]{0,20}",
    ];
    let query = prop_oneof![
        Just(String::new()),
        "\\?limit=[0-9-]{0,4}&cursor=[a-z_%0-9]{0,10}",
        "\\?[a-z0-9=&%+_-]{0,40}",
    ];
    (prop::sample::select(known), id, query)
        .prop_map(|(path, id, query)| path.replace("some_id", &id) + &query)
}

fn any_json() -> impl Strategy<Value = Value> {
    let text = prop_oneof![
        "\\PC{0,20}",
        "[\u{0}-\u{20}]{0,4}",
        Just("paused".to_owned()),
        Just("listen".to_owned()),
        Just("x".repeat(5000)),
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        text.prop_map(Value::from),
    ];
    let names = [
        "user",
        "password",
        "refresh_token",
        "tab",
        "intent",
        "reason",
        "disposition",
        "digits",
        "to",
        "agent",
        "queue",
        "number",
        "mode",
        "x",
    ];
    leaf.prop_recursive(3, 16, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(prop::sample::select(names.to_vec()), inner, 0..4).prop_map(|map| {
                map.into_iter()
                    .map(|(name, value)| (name.to_owned(), value))
                    .collect()
            }),
        ]
    })
}

fn any_body() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => any_json().prop_map(|value| value.to_string().into_bytes()),
        1 => prop::collection::vec(any::<u8>(), 0..64),
        1 => Just(vec![b'['; 60_000]),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_that_comes_is_a_fault_of_ours(
        requests in prop::collection::vec((0_usize..7, any_path(), 0_usize..5, any_body(), any::<bool>(), "[!-~]{0,40}"), 32)
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        runtime.block_on(async {
            let world = World::new().await;
            let tokens =
                [String::new(), "rubbish".into(), world.token("anna").await, world.token("sue").await, world.token("adam").await];
            let methods =
                [Method::GET, Method::PUT, Method::POST, Method::DELETE, Method::PATCH, Method::OPTIONS, Method::HEAD];
            for (method, path, who, body, is_json, header) in requests {
                let Ok(mut request) = Request::builder().method(&methods[method]).uri(&path).body(Body::from(body)) else {
                    continue;
                };
                let headers = request.headers_mut();
                if who > 0 {
                    headers.insert(AUTHORIZATION, format!("Bearer {}", tokens[who]).parse().expect("a value"));
                }
                if is_json {
                    headers.insert(CONTENT_TYPE, "application/json".parse().expect("a value"));
                }
                if let Ok(value) = axum::http::HeaderValue::from_str(&header) {
                    headers.insert("idempotency-key", value.clone());
                    headers.insert("host", value.clone());
                    headers.insert("sec-websocket-protocol", value);
                }
                let answer = world.send(request).await;
                prop_assert!(!answer.status.is_server_error(), "{path}: {}", answer.body);
                let only_path = path.split('?').next().unwrap_or_default();
                // A preflight carries no token, and its answer reveals nothing.
                if who < 2 && methods[method] != Method::OPTIONS && !is_open(only_path) {
                    prop_assert!(answer.status.is_client_error(), "{path}: {}", answer.status);
                    prop_assert!(!answer.body.to_string().contains("secret of"));
                }
            }
            Ok(())
        })?;
    }
}
