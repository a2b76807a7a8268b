//! A small registrar and proxy on the same stack: users call each other.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use media_core::dtls::Identity;
use media_core::negotiated::Codec;
use sans_io::{Deadline, Time};
use session_core::{Access, Config, Coordinator, Dial, Event, OnFailure, Party, User};
use sip_core::auth::Algorithm;
use sip_core::flow::Transport;
use sip_core::message::StatusCode;
use sip_stack::client::{Client, ClientError, Sound};
use sip_stack::media::MediaConfig;
use sip_stack::transport::{Limits, Listen, Outbound, ws};
use sip_stack::{Application, Handle, Stack, StackConfig};
use tokio::sync::watch;

use super::{assert_tone, listen, soon};

struct Exchange;

impl Application for Exchange {
    type Request = ();

    fn handle(&mut self, now: Time, event: Event, calls: &mut Coordinator) {
        if let Event::Incoming { session, call, .. } = event {
            let dial = Dial::together(
                vec![Party::User(call.to)],
                Duration::from_secs(30),
                OnFailure::Reject,
            );
            calls.dial(now, session, dial);
        }
    }

    fn handle_request(&mut self, _: Time, (): (), _: &mut Coordinator) {}
}

/// Wants the time again and again, and tells how often it got it.
struct Ticker {
    due: Time,
    ticks: watch::Sender<u32>,
}

const TICK: Duration = Duration::from_millis(10);

impl Application for Ticker {
    type Request = ();

    fn handle(&mut self, _: Time, _: Event, _: &mut Coordinator) {}

    fn handle_request(&mut self, _: Time, (): (), _: &mut Coordinator) {}

    fn deadline(&self) -> Deadline {
        Some((self.due, "tick"))
    }

    fn handle_timeout(&mut self, now: Time, _: &mut Coordinator) {
        self.due = now + TICK;
        self.ticks.send_modify(|ticks| *ticks += 1);
    }
}

async fn exchange() -> Handle<()> {
    start(Exchange).await
}

async fn start<A: Application>(application: A) -> Handle<A::Request> {
    let any: SocketAddr = ([127, 0, 0, 1], 0).into();
    let user = |name: &str| (name.to_owned(), User::new(format!("pw-{name}")));
    let identity = Arc::new(Identity::generate().expect("identity"));
    let config = StackConfig {
        tls_host: None,
        listen: vec![
            Listen::Udp(any),
            Listen::Tcp(any),
            Listen::Ws(any, ws::Policy::default()),
        ],
        outbound: Outbound::default(),
        limits: Limits::default(),
        media: MediaConfig {
            browsers: false,
            phone_ports: 30_000..=39_999,
            ..MediaConfig::default()
        },
        fetch: Default::default(),
        sessions: Config {
            endpoint: sip_core::endpoint::Config::default(),
            credentials: session_core::Credentials::default(),
            guard: session_core::guard::Config::default(),
            access: Access::Directory {
                users: BTreeMap::from(["alice", "bob"].map(user)),
                trunks: BTreeMap::new(),
            },
            domains: Vec::new(),
            realm: "exchange".into(),
            algorithms: vec![Algorithm::Sha256, Algorithm::Md5],
            host: "127.0.0.1".into(),
            advertise: None,
            phone_ips: vec![any.ip()],
            fingerprint: identity.fingerprint().clone(),
            shards: 1,
            first_id: 0,
            browser_codecs: Vec::new(),
            phone_codecs: vec![Codec::Pcmu, Codec::Pcma],
            pass_through: Default::default(),
            grace: Duration::from_secs(1),
            max_sessions: 100,
            session_timer: None,
            inactivity: None,
            limits: session_core::Limits::default(),
            register_rate: 50,
            upstream: None,
            upstream_rate: 200,
            stir: Default::default(),
            emergency: Default::default(),
            saved_messages: None,
            secret: [0; 32],
            messages: session_core::MessageSettings::default(),
            max_contacts: 3,
        },
        identity,
    };
    Stack::start(config, application).await.expect("stack")
}

fn aor(name: &str, exchange: &Handle<()>, transport: Transport) -> String {
    let listener = exchange
        .listeners()
        .iter()
        .find(|l| l.transport == transport)
        .expect("listener");
    format!(
        "sip:{name}@{};transport={}",
        listener.addr,
        transport.name().to_ascii_lowercase()
    )
}

async fn client(transport: Transport) -> Client {
    Client::builder()
        .transport(transport)
        .start()
        .await
        .expect("client")
}

#[tokio::test(flavor = "multi_thread")]
async fn users_register_and_call_each_other_over_any_transport() {
    super::log();
    let exchange = exchange().await;
    for (a, b) in [
        (Transport::Udp, Transport::Tcp),
        (Transport::Tcp, Transport::Udp),
        (Transport::Ws, Transport::Tcp),
    ] {
        let (alice, mut bob) = (client(a).await, client(b).await);
        let caller = alice
            .account(&aor("alice", &exchange, a), "alice", "pw-alice")
            .expect("account");
        let callee = bob
            .account(&aor("bob", &exchange, b), "bob", "pw-bob")
            .expect("account");
        soon(callee.register()).await.expect("registered");
        let sound = Sound::tone(1_004, -10).recorded();
        let mut made = caller.dial("bob", sound).await.expect("dialled");
        let mut taken = soon(bob.next_call()).await.expect("a call");
        assert_eq!(taken.caller().map(|c| c.from.as_str()), Some("alice"));
        soon(taken.answer(Sound::tone(440, -10).recorded()))
            .await
            .expect("answered");
        soon(made.answered()).await.expect("answered");
        let (_r, heard) = listen(taken.recorder().expect("recorder"), 1_500).await;
        assert_tone(&heard[4_000..], 1_004.0, -10.0);
        let (_r, heard) = listen(made.recorder().expect("recorder"), 1_500).await;
        assert_tone(&heard[4_000..], 440.0, -10.0);
        taken.hang_up().await.expect("hung up");
        assert_eq!(soon(made.ended()).await.expect("record").code, 200);
        soon(callee.unregister()).await.expect("unregistered");
        let mut nobody = caller.dial("bob", Sound::silence()).await.expect("dialled");
        assert_eq!(
            soon(nobody.answered()).await,
            Err(ClientError::Refused(StatusCode::TEMPORARILY_UNAVAILABLE))
        );
        alice.stop().await;
        bob.stop().await;
    }
    let settled = async {
        while exchange.stats().await.expect("alive").sessions > 0 {
            tokio::task::yield_now().await;
        }
    };
    soon(settled).await;
    soon(exchange.shutdown(Duration::from_secs(5))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_refused() {
    super::log();
    let exchange = exchange().await;
    let alice = client(Transport::Udp).await;
    let aor = aor("alice", &exchange, Transport::Udp);
    let account = alice.account(&aor, "alice", "wrong").expect("account");
    assert!(matches!(
        soon(account.register()).await,
        Err(ClientError::Refused(
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN
        ))
    ));
    let mut call = account.dial("bob", Sound::silence()).await.expect("dialled");
    assert!(matches!(
        soon(call.answered()).await,
        Err(ClientError::Refused(
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN
        ))
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn shutting_down_hangs_up_and_draining_refuses() {
    super::log();
    let exchange = exchange().await;
    let (alice, mut bob) = (client(Transport::Udp).await, client(Transport::Udp).await);
    let udp = Transport::Udp;
    let caller = alice
        .account(&aor("alice", &exchange, udp), "alice", "pw-alice")
        .expect("account");
    let callee = bob
        .account(&aor("bob", &exchange, udp), "bob", "pw-bob")
        .expect("account");
    soon(callee.register()).await.expect("registered");
    let mut made = caller.dial("bob", Sound::silence()).await.expect("dialled");
    let mut taken = soon(bob.next_call()).await.expect("a call");
    soon(taken.answer(Sound::silence())).await.expect("answered");
    soon(made.answered()).await.expect("answered");
    exchange.drain().await;
    let mut late = caller.dial("bob", Sound::silence()).await.expect("dialled");
    assert_eq!(
        soon(late.answered()).await,
        Err(ClientError::Refused(StatusCode::SERVICE_UNAVAILABLE))
    );
    soon(exchange.shutdown(Duration::from_secs(10))).await;
    for call in [&mut made, &mut taken] {
        let record = soon(call.ended()).await.expect("record");
        assert!(record.answered.is_some());
    }
    assert!(exchange.stats().await.is_err(), "it has ended");
}

/// A timer of a transaction, a page that is asked whether it lives: they come in time however much there is to do.
#[tokio::test(flavor = "multi_thread")]
async fn time_does_not_wait_until_there_is_nothing_else_to_do() {
    let ticks = watch::Sender::new(0);
    let mut ticked = ticks.subscribe();
    let ticker = Ticker {
        due: Time::ZERO,
        ticks,
    };
    let stack = start(ticker).await;
    let busy: Vec<_> = (0..4)
        .map(|_| {
            let stack = stack.clone();
            tokio::spawn(async move { while stack.request(()).await.is_ok() {} })
        })
        .collect();
    let often = soon(ticked.wait_for(|ticks| *ticks >= 25)).await.map(drop);
    assert!(often.is_ok(), "the stack has ended");
    for asking in busy {
        asking.abort();
    }
}
