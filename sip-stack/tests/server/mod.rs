//! Phones of ours at a registrar of ours: transfers, messages, and calls between browsers' and phones' media.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use session_core::{IncomingCall, RegistrationState, SessionId, SrtpPolicy};
use sip_core::flow::Transport;
use sip_core::message::StatusCode;
use sip_stack::InstantMessage;
use sip_stack::client::{Account, Builder, Call, CallEvent, Client, ClientError, Sound, State, presets};
use sip_stack::sessions::{
    CallDecision, CallHandler, MessageDecision, SessionControl, SessionCoordinator, SessionManagerBuilder,
};

use super::{connect, log, soon};

struct Exchange;

impl CallHandler for Exchange {
    fn on_incoming_call(&self, _: SessionId, call: &IncomingCall) -> CallDecision {
        CallDecision::Connect(call.to.clone())
    }

    fn on_message(&self, message: &InstantMessage) -> MessageDecision {
        MessageDecision::Deliver(message.to.clone())
    }

    fn on_transfer(&self, _: SessionId, to: &str) -> Option<String> {
        (to != "forbidden").then(|| to.to_owned())
    }
}

async fn exchange() -> Arc<SessionCoordinator> {
    log();
    let mut builder = SessionManagerBuilder::new()
        .with_media_ports(37_000..=37_999)
        .with_websocket(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 0));
    for user in ["alice", "bob", "carol"] {
        builder = builder.with_user(user, &format!("pw-{user}"));
    }
    let server = soon(builder.with_handler(Arc::new(Exchange)).build()).await;
    let server = server.expect("sockets");
    SessionControl::start(&server).await.expect("started");
    server
}

/// A registered phone.
struct Phone {
    client: Client,
    account: Account,
}

async fn phone(name: &str, server: &SessionCoordinator, transport: Transport, builder: Builder) -> Phone {
    let listeners = server.listeners().iter();
    let listener = listeners.clone().find(|listener| listener.transport == transport);
    let address = listener.expect("a listener").addr;
    let client = builder.transport(transport).start().await.expect("client");
    let aor = format!(
        "sip:{name}@{address};transport={}",
        transport.name().to_lowercase()
    );
    let account = client.account(&aor, name, &format!("pw-{name}")).expect("a URI");
    soon(account.register()).await.expect("registered");
    assert!(matches!(
        account.registration(),
        Some(RegistrationState::Registered { .. })
    ));
    Phone { client, account }
}

async fn udp(name: &str, server: &SessionCoordinator) -> Phone {
    phone(name, server, Transport::Udp, presets::loopback()).await
}

async fn browser(name: &str, server: &SessionCoordinator) -> Phone {
    phone(name, server, Transport::Ws, presets::loopback().webrtc(true)).await
}

/// A call from one phone to another, both of which play a tone and record.
async fn talk(from: &Phone, to: &mut Phone, name: &str, tones: [u16; 2]) -> [Call; 2] {
    let tone = |hertz| Sound::tone(hertz, -10);
    let mut made = from.account.dial(name, tone(tones[0])).await.expect("dialled");
    let mut taken = soon(to.client.next_call()).await.expect("a call");
    soon(taken.answer(tone(tones[1]))).await.expect("answered");
    soon(made.answered()).await.expect("answered");
    [made, taken]
}

/// Reads what a call says to code, until a tone has been heard for 400 ms without a break.
async fn comes_to_hear(call: &Call, hertz: f64) {
    let (sender, mut frames) = tokio::sync::mpsc::unbounded_channel();
    let listening = call.receive_audio(sip_stack::audio::SoundRate::Hz8000, move |frame| {
        let _ = sender.send(frame.samples.to_vec());
    });
    let _listening = listening.await.expect("a call");
    let heard = async {
        let mut pcm = Vec::new();
        loop {
            pcm.extend(frames.recv().await.expect("the call lasts"));
            let at = pcm.len().saturating_sub(3_200);
            let tone = media_core::tone::measure(&pcm[at..], 8_000);
            if at > 0 && (tone.hertz - hertz).abs() < 2.0 && tone.purity > 0.9 {
                return;
            }
        }
    };
    soon(heard).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blind_transfer_connects_the_peer_with_the_target_and_a_refused_one_changes_nothing() {
    let server = exchange().await;
    let (alice, mut bob, mut carol) = (
        udp("alice", &server).await,
        udp("bob", &server).await,
        udp("carol", &server).await,
    );
    let [mut made, taken] = talk(&alice, &mut bob, "bob", [1_004, 440]).await;
    for (to, code) in [
        ("forbidden", StatusCode::DECLINE),
        ("nobody", StatusCode::NOT_FOUND),
    ] {
        assert_eq!(
            soon(made.transfer(to)).await,
            Err(ClientError::Refused(code)),
            "{to}"
        );
    }
    assert_eq!(made.transfer("sip:").await, Err(ClientError::Uri));
    comes_to_hear(&taken, 1_004.0).await;

    let answered = async {
        let mut call = carol.client.next_call().await.expect("a call");
        assert_eq!(call.caller().map(|caller| &*caller.from), Some("bob"));
        call.answer(Sound::tone(700, -10)).await.expect("answered");
        call
    };
    let (transferred, at_carol) = soon(async { tokio::join!(made.transfer("carol"), answered) }).await;
    assert_eq!(transferred, Ok(()));
    soon(made.ended()).await.expect("over");
    comes_to_hear(&taken, 700.0).await;
    comes_to_hear(&at_carol, 440.0).await;
    SessionControl::stop(&server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attended_transfer_connects_both_peers() {
    let server = exchange().await;
    let (alice, mut bob, mut carol) = (
        udp("alice", &server).await,
        udp("bob", &server).await,
        udp("carol", &server).await,
    );
    let [mut first, at_bob] = talk(&alice, &mut bob, "bob", [1_004, 440]).await;
    first.hold().await.expect("held");
    let [mut second, at_carol] = talk(&alice, &mut carol, "carol", [1_004, 700]).await;
    soon(first.transfer_attended(&second)).await.expect("transferred");
    comes_to_hear(&at_bob, 700.0).await;
    comes_to_hear(&at_carol, 440.0).await;
    for call in [&mut first, &mut second] {
        soon(call.ended()).await.expect("over");
    }
    assert_eq!(first.transfer("bob").await, Err(ClientError::NotAnswered));
    SessionControl::stop(&server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_go_both_ways_and_wait_for_who_is_absent() {
    let server = exchange().await;
    let (alice, bob) = (udp("alice", &server).await, udp("bob", &server).await);
    let mut at_bob = bob.client.inbox().await.expect("running");
    soon(alice.account.send_message("bob", "Kaffee? ☕"))
        .await
        .expect("taken");
    let message = soon(at_bob.next()).await.expect("a message");
    assert_eq!((&*message.from, &*message.text()), ("alice", "Kaffee? ☕"));
    assert!(message.content_type.starts_with("text/plain"));
    // Nobody reads at Alice's.
    let refused = soon(bob.account.send_message("alice", "gern")).await;
    assert_eq!(refused, Ok(()), "the server keeps it, for she may be back");
    let absent = soon(alice.account.send_message("carol", "later")).await;
    assert_eq!(absent, Ok(()));
    let unknown = soon(alice.account.send_message("nobody", "hello")).await;
    assert_eq!(unknown, Err(ClientError::Refused(StatusCode::NOT_FOUND)));
    SessionControl::stop(&server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_without_a_server_is_taken_or_refused() {
    let (alice, bob) = (
        super::client(Transport::Udp).await,
        super::client(Transport::Tcp).await,
    );
    let to = super::uri(&bob);
    let refused = soon(alice.send_message(&to, "hello")).await;
    assert_eq!(
        refused,
        Err(ClientError::Refused(StatusCode::TEMPORARILY_UNAVAILABLE))
    );
    let mut inbox = bob.inbox().await.expect("running");
    soon(alice.send_message(&to, "hello")).await.expect("taken");
    assert_eq!(
        soon(inbox.next()).await.map(|message| message.from),
        Some("anonymous".into())
    );
    alice.stop().await;
    bob.stop().await;
    assert!(soon(inbox.next()).await.is_none());
}

/// Browsers' media at one end, phones' at the other: each calls, hold and digits included.
#[tokio::test(flavor = "multi_thread")]
async fn webrtc_accounts_call_and_are_called_by_phones() {
    let server = exchange().await;
    let (mut alice, mut bob) = (browser("alice", &server).await, udp("bob", &server).await);
    for outward in [true, false] {
        let [made, mut taken] = match outward {
            true => talk(&alice, &mut bob, "bob", [1_004, 440]).await,
            false => talk(&bob, &mut alice, "alice", [1_004, 440]).await,
        };
        comes_to_hear(&made, 440.0).await;
        comes_to_hear(&taken, 1_004.0).await;
        made.send_dtmf("4").await.expect("up");
        let digit = async {
            loop {
                if let CallEvent::Dtmf { digit, .. } = taken.event().await.expect("up") {
                    return digit;
                }
            }
        };
        assert_eq!(soon(digit).await, '4');
        made.hold().await.expect("up");
        made.resume().await.expect("up");
        comes_to_hear(&taken, 1_004.0).await;
        let report = soon(match outward {
            true => made.report(),
            false => taken.report(),
        });
        // ICE and DTLS lost nothing of it.
        assert_eq!(report.await.expect("up").refused, 0);
        made.hang_up().await.expect("up");
        assert_eq!(soon(taken.ended()).await.expect("over").code, StatusCode::OK);
    }
    SessionControl::stop(&server).await;
}

/// Full ICE at both ends: one controls, the other follows.
#[tokio::test(flavor = "multi_thread")]
async fn two_webrtc_clients_reach_each_other_without_a_server() {
    log();
    let webrtc = || async { presets::loopback().webrtc(true).start().await.expect("client") };
    let (alice, mut bob) = (webrtc().await, webrtc().await);
    let sounds = [1_004, 440].map(|hertz| Sound::tone(hertz, -10));
    let [made, mut taken] = connect(&alice, &mut bob, sounds).await;
    comes_to_hear(&made, 440.0).await;
    comes_to_hear(&taken, 1_004.0).await;
    let report = soon(taken.report()).await.expect("up");
    assert_eq!(report.codec_received, Some(media_core::negotiated::Codec::Opus));
    made.hang_up().await.expect("up");
    soon(taken.ended()).await.expect("over");
    alice.stop().await;
    bob.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn encrypted_media_go_both_ways_or_there_is_no_call() {
    log();
    let with = |policy| async move { presets::loopback().srtp(policy).start().await.expect("client") };
    let (alice, mut bob) = (with(SrtpPolicy::Required).await, with(SrtpPolicy::Optional).await);
    let sounds = [1_004, 440].map(|hertz| Sound::tone(hertz, -10));
    let [made, taken] = connect(&alice, &mut bob, sounds).await;
    comes_to_hear(&made, 440.0).await;
    comes_to_hear(&taken, 1_004.0).await;
    made.hang_up().await.expect("up");

    let carol = with(SrtpPolicy::Off).await;
    let mut refused = carol
        .dial(&super::uri(&alice), Sound::silence())
        .await
        .expect("a URI");
    let refused = soon(refused.answered()).await;
    assert_eq!(
        refused,
        Err(ClientError::Refused(StatusCode::NOT_ACCEPTABLE_HERE))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn digits_go_by_info_where_telephone_events_are_not_agreed() {
    log();
    let alice = super::client(Transport::Udp).await;
    let bob = presets::loopback().telephone_events(false).start().await;
    let mut bob = bob.expect("client");
    let [mut made, mut taken] = connect(&alice, &mut bob, [Sound::silence(), Sound::silence()]).await;
    for outward in [true, false] {
        let (from, to) = match outward {
            true => (&mut made, &mut taken),
            false => (&mut taken, &mut made),
        };
        from.send_dtmf("5#").await.expect("up");
        let mut digits = String::new();
        while digits.len() < 2 {
            if let Some(CallEvent::Dtmf { digit, duration_ms }) = soon(to.event()).await {
                assert_eq!(duration_ms, 160);
                digits.push(digit);
            }
        }
        assert_eq!(digits, "5#");
    }
    assert!(matches!(made.state(), State::Answered));
    made.hang_up().await.expect("up");
    let record = soon(tokio::time::timeout(Duration::from_secs(10), taken.ended())).await;
    assert!(record.expect("in time").is_some());
}
