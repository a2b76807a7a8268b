//! One connection, over a stream in memory and in virtual time; and the handshake over a real one.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, duplex};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

use super::super::{Side, serve};
use crate::auth::{Principal, Role};
use crate::centre::command::{By, Command};
use crate::centre::view::Change;
use crate::http::api::tests::{World, call, numbered};

struct Page<S> {
    socket: WebSocketStream<S>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Page<S> {
    async fn say(&mut self, what: Value) {
        self.socket
            .send(Message::text(what.to_string()))
            .await
            .expect("sent");
    }

    /// The next frame, pings of the WebSocket itself aside.
    async fn frame(&mut self) -> Message {
        loop {
            match self.socket.next().await.expect("a frame").expect("a frame") {
                Message::Ping(_) | Message::Pong(_) => {}
                frame => return frame,
            }
        }
    }

    async fn hear(&mut self) -> Value {
        match self.frame().await {
            Message::Text(text) => serde_json::from_str(&text).expect("JSON"),
            other => panic!("{other:?}"),
        }
    }

    /// The next that is no ping.
    async fn hear_of(&mut self) -> Value {
        loop {
            let heard = self.hear().await;
            if heard["op"] != "ping" {
                return heard;
            }
        }
    }

    async fn closed(&mut self) -> u16 {
        loop {
            match self.frame().await {
                Message::Close(Some(frame)) => return frame.code.into(),
                Message::Close(None) => return 0,
                _ => {}
            }
        }
    }
}

async fn principal(world: &World, name: &str) -> Principal {
    let token = world.token(name).await;
    world
        .api
        .accounts
        .authenticate(world.api.now(), &token)
        .expect("good")
}

async fn open(
    world: &World,
    principal: Option<Principal>,
    room: usize,
) -> (Page<DuplexStream>, JoinHandle<()>) {
    let (ours, theirs) = duplex(room);
    let task = tokio::spawn(serve(theirs, world.api.clone(), principal));
    let socket = WebSocketStream::from_raw_socket(ours, Side::Client, None).await;
    (Page { socket }, task)
}

async fn page_of(world: &World, name: &str) -> (Page<DuplexStream>, JoinHandle<()>) {
    let principal = principal(world, name).await;
    open(world, Some(principal), 1 << 16).await
}

fn subscribe(tab: &str) -> Value {
    json!({"op": "subscribe", "from": "snapshot", "tab": tab})
}

/// Lets everything else run until it waits.
async fn settle() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_page_is_told_what_is_there_and_then_what_changes() {
    let world = World::new().await;
    let (mut page, _task) = page_of(&world, "anna").await;
    page.say(json!({"op": "subscribe", "from": "snapshot"})).await;
    let snapshot = page.hear().await;
    assert_eq!(
        (&snapshot["type"], &snapshot["seq"]),
        (&json!("snapshot"), &json!(8))
    );
    assert_eq!(snapshot["data"]["me"]["name"], "anna");
    assert_eq!(
        snapshot["data"]["agents"][0]["queues"],
        json!(["que_1"]),
        "itself in full"
    );
    assert_eq!(
        snapshot["data"]["agents"][1],
        json!({"id": "usr_ben", "name": "ben", "display": "BEN", "status": "talking", "kind": "agent"})
    );
    assert_eq!(snapshot["data"]["calls"].as_array().map(Vec::len), Some(1));
    assert_eq!(snapshot["data"]["offers"], json!([]));
    let changes = vec![
        Change::Call(call("call_anna", Some("usr_anna"))),
        Change::Call(call("call_ben", Some("usr_ben"))),
    ];
    world.api.service.stream().publish(numbered(9, changes));
    let own = page.hear().await;
    assert_eq!(
        (&own["seq"], &own["type"], &own["data"]["id"]),
        (&json!(9), &json!("call.changed"), &json!("call_anna"))
    );
    assert_eq!(page.hear().await, json!({"seq": 10}));
    page.say(json!({"op": "subscribe", "from": 8})).await;
    assert_eq!(page.hear().await["seq"], 9);
    assert_eq!(page.hear().await["seq"], 10);
    page.say(json!({"op": "subscribe", "from": 11})).await;
    assert_eq!(page.hear().await, json!({"op": "resync"}));
    assert_eq!(world.asked(), [], "it named no tab");
}

#[tokio::test(start_paused = true)]
async fn a_change_after_quiet_comes_at_once_and_those_in_a_row_together() {
    let world = World::new().await;
    let (mut page, _task) = page_of(&world, "anna").await;
    page.say(json!({"op": "subscribe", "from": "snapshot"})).await;
    page.hear().await;
    let start = tokio::time::Instant::now();
    let change = |seq| {
        numbered(
            seq,
            vec![Change::Config {
                what: "queues".into(),
            }],
        )
    };
    world.api.service.stream().publish(change(9));
    assert_eq!(page.hear().await["seq"], 9);
    assert_eq!(start.elapsed(), Duration::ZERO);
    for seq in 10..20 {
        world.api.service.stream().publish(change(seq));
        settle().await;
    }
    for seq in 10..20 {
        assert_eq!(page.hear().await["seq"], seq);
    }
    assert_eq!(start.elapsed(), Duration::from_millis(50));
}

#[tokio::test(start_paused = true)]
async fn an_agents_page_proves_that_it_lives() {
    let world = World::new().await;
    let (mut page, task) = page_of(&world, "anna").await;
    page.say(subscribe("tab1")).await;
    page.hear().await;
    let agent = || "usr_anna".to_owned();
    let asked = world.asked();
    let alive = || (By::Agent(agent()), Command::PageAlive { agent: agent() });
    assert_eq!(asked, [alive()], "it was opened");
    let start = tokio::time::Instant::now();
    assert_eq!(page.hear().await, json!({"op": "ping", "n": 1}));
    assert_eq!(start.elapsed(), Duration::from_secs(5));
    page.say(json!({"op": "pong", "n": 1})).await;
    page.say(json!({"op": "pong", "n": 2})).await;
    settle().await;
    assert_eq!(world.asked(), [alive()], "the second answers no ping");
    drop(page);
    task.await.expect("ended");
    settle().await;
    assert_eq!(world.asked(), [], "a page that is gone gives no sign of life");
}

#[tokio::test(start_paused = true)]
async fn another_tab_takes_over_and_back() {
    let world = World::new().await;
    let (mut first, _first) = page_of(&world, "anna").await;
    first.say(subscribe("tab1")).await;
    first.hear().await;
    let (mut second, _second) = page_of(&world, "anna").await;
    second.say(subscribe("tab2")).await;
    second.hear().await;
    assert_eq!(first.hear_of().await, json!({"op": "superseded"}));
    settle().await;
    world.asked();
    // Messages of a page that is not active have no effect.
    assert_eq!(first.hear().await["op"], "ping");
    first.say(json!({"op": "pong", "n": 1})).await;
    settle().await;
    assert_eq!(world.asked(), []);
    first.say(subscribe("tab1")).await;
    assert_eq!(first.hear_of().await["type"], "snapshot");
    assert_eq!(second.hear_of().await, json!({"op": "superseded"}));
    settle().await;
    let asked = world.asked();
    assert!(
        matches!(&asked[..], [(_, Command::PageAlive { .. })]),
        "{asked:?}"
    );
    drop(second);
    settle().await;
    assert_eq!(world.asked(), [], "it was not the active one");
    // A reload: the same tab, before the old connection is known to be gone.
    let (mut again, _again) = page_of(&world, "anna").await;
    again.say(subscribe("tab1")).await;
    again.hear().await;
    assert_eq!(first.closed().await, 1000);
}

#[tokio::test(start_paused = true)]
async fn what_it_was_opened_with_ends_it() {
    let world = World::new().await;
    let signed_in = world
        .api
        .accounts
        .sign_in(world.api.now(), "anna", "cordboard", None)
        .await
        .expect("signed in");
    let anna = world
        .api
        .accounts
        .authenticate(world.api.now(), &signed_in.access_token)
        .expect("good");
    let (mut page, _task) = open(&world, Some(anna), 1 << 16).await;
    page.say(subscribe("tab1")).await;
    page.hear().await;
    world
        .api
        .accounts
        .sign_out(&signed_in.refresh_token)
        .expect("signed out");
    assert_eq!(page.closed().await, 4401);

    let (mut page, _task) = open(&world, None, 1 << 16).await;
    assert_eq!(page.closed().await, 4401);

    let (mut page, _task) = page_of(&world, "ben").await;
    page.say(subscribe("tab1")).await;
    page.hear().await;
    let mut ben = world.api.accounts.user("usr_ben").expect("there");
    ben.roles = Vec::new();
    world.api.accounts.put_user(ben.clone());
    assert_eq!(page.closed().await, 4403);
    ben.roles = vec![Role::Agent];
    world.api.accounts.put_user(ben.clone());
    let (mut page, _task) = page_of(&world, "ben").await;
    page.say(subscribe("tab1")).await;
    page.hear().await;
    ben.roles = vec![Role::Agent, Role::Supervisor];
    world.api.accounts.put_user(ben);
    assert_eq!(
        page.hear_of().await,
        json!({"op": "resync"}),
        "it may see more now"
    );
}

#[tokio::test(start_paused = true)]
async fn who_reads_too_slowly_is_let_go() {
    let world = World::new().await;
    let principal = principal(&world, "sue").await;
    let (mut page, task) = open(&world, Some(principal), 1 << 10).await;
    page.say(json!({"op": "subscribe", "from": "snapshot"})).await;
    page.hear().await;
    let changes = |n: u64| (0..n).map(|_| Change::Call(call("call_anna", None))).collect();
    world.api.service.stream().publish(numbered(9, changes(1_000)));
    let start = tokio::time::Instant::now();
    task.await.expect("ended");
    assert!(
        start.elapsed() <= Duration::from_secs(30),
        "{:?}",
        start.elapsed()
    );
}

#[tokio::test(start_paused = true)]
async fn who_stops_for_longer_than_changes_are_kept_is_told_so() {
    let world = World::new().await;
    let principal = principal(&world, "sue").await;
    let (mut page, _task) = open(&world, Some(principal), 1 << 16).await;
    page.say(json!({"op": "subscribe", "from": "snapshot"})).await;
    page.hear().await;
    let changes = (0..20_000)
        .map(|_| Change::Config {
            what: "queues".into(),
        })
        .collect();
    world.api.service.stream().publish(numbered(9, changes));
    assert_eq!(page.closed().await, 4408);
}

#[tokio::test(start_paused = true)]
async fn what_is_no_operation_ends_it() {
    let world = World::new().await;
    for bad in [
        "",
        "{",
        "[]",
        r#"{"op":"subscribe"}"#,
        r#"{"op":"subscribe","from":-1}"#,
        r#"{"op":"subscribe","from":"now"}"#,
        r#"{"op":"subscribe","from":"snapshot","tab":"a b"}"#,
        r#"{"op":"shout"}"#,
    ] {
        let (mut page, _task) = page_of(&world, "anna").await;
        page.socket.send(Message::text(bad)).await.expect("sent");
        assert_eq!(page.closed().await, 1008, "{bad}");
    }
    let (mut page, _task) = page_of(&world, "anna").await;
    page.socket
        .send(Message::text("x".repeat(10_000)))
        .await
        .expect("sent");
    assert_eq!(page.closed().await, 1009);
    let (mut page, _task) = page_of(&world, "anna").await;
    page.socket.send(Message::binary(vec![1])).await.expect("sent");
    assert_eq!(page.closed().await, 1003);
    let (mut page, _task) = page_of(&world, "anna").await;
    assert_eq!(page.closed().await, 1008, "never subscribed");
}

#[tokio::test(start_paused = true)]
async fn a_dead_connection_is_found_out() {
    let world = World::new().await;
    let principal = principal(&world, "anna").await;
    let (_page, task) = open(&world, Some(principal), 1 << 16).await;
    let start = tokio::time::Instant::now();
    task.await.expect("ended");
    assert_eq!(start.elapsed(), Duration::from_secs(25));
}

#[tokio::test]
async fn a_ticket_opens_the_stream_over_http() {
    let world = World::new().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound");
    let server = tokio::spawn(axum::serve(listener, world.router.clone()).into_future());
    let connect = async |protocols: &str, token: &str| {
        let mut request = format!("ws://{address}/api/v1/events")
            .into_client_request()
            .expect("a request");
        let headers = request.headers_mut();
        if !protocols.is_empty() {
            headers.insert("sec-websocket-protocol", protocols.parse().expect("a value"));
        }
        if !token.is_empty() {
            headers.insert(
                "authorization",
                format!("Bearer {token}").parse().expect("a value"),
            );
        }
        let stream = TcpStream::connect(address).await.expect("connected");
        match client_async(request, stream).await {
            Ok((socket, response)) => Ok((Page { socket }, response)),
            Err(Error::Http(response)) => Err(response.status().as_u16()),
            Err(error) => panic!("{error}"),
        }
    };
    let token = world.token("anna").await;
    let ticket = world.post(&token, "/api/v1/auth/ticket", json!({})).await;
    assert_eq!(ticket.body["expires_in"], 30);
    let protocols = format!(
        "cordboard.events.v1, bearer.{}",
        ticket.body["ticket"].as_str().expect("a ticket")
    );
    let (mut page, response) = connect(&protocols, "").await.expect("opened");
    assert_eq!(
        response.headers()["sec-websocket-protocol"],
        "cordboard.events.v1"
    );
    page.say(json!({"op": "subscribe", "from": "snapshot"})).await;
    assert_eq!(page.hear().await["type"], "snapshot");
    let (mut again, _) = connect(&protocols, "").await.expect("opened, to be told");
    assert_eq!(again.closed().await, 4401, "a ticket is good once");
    let (mut program, _) = connect("", &world.key(&[crate::auth::Scope::Read]))
        .await
        .expect("opened");
    program.say(json!({"op": "subscribe", "from": "snapshot"})).await;
    let snapshot = program.hear().await;
    assert_eq!(snapshot["data"]["calls"].as_array().map(Vec::len), Some(3));
    assert_eq!(connect("cordboard.events.v1", "").await.err(), Some(401));
    assert_eq!(
        world.get(&token, "/api/v1/events").await.code(),
        "upgrade-required"
    );
    server.abort();
}
