//! Calls that code takes, bridges and ends, with phones at their other ends.

use std::sync::Arc;
use std::time::Duration;

use media_core::control::SoundRate;
use media_core::tap::{Playout, Way};
use session_core::{Application, BridgeEvent, CallRecord, CallSession, CallState, IncomingCall, SessionId};
use sip_core::flow::Transport;
use sip_core::message::StatusCode;
use sip_stack::client::{Call, Client, Sound, State};
use sip_stack::media::MediaTap;
use sip_stack::sessions::{
    CallDecision, CallHandler, SessionControl, SessionCoordinator, SessionError, SessionManagerBuilder,
};
use tokio::sync::mpsc;

use super::{assert_tone, client, listen, soon, uri};

/// Decides by the number that is called, and tells what it hears of.
struct Listener(mpsc::UnboundedSender<Notice>);

#[derive(Debug)]
enum Notice {
    Incoming(SessionId),
    Established(CallSession),
    Digit(SessionId, char),
    Ended(Box<CallRecord>),
}

impl CallHandler for Listener {
    fn on_incoming_call(&self, session: SessionId, call: &IncomingCall) -> CallDecision {
        let _ = self.0.send(Notice::Incoming(session));
        match &*call.to {
            "nobody" => CallDecision::Reject(StatusCode::BUSY_HERE),
            "later" => CallDecision::Defer,
            _ => CallDecision::Accept(Some(Application::Music)),
        }
    }

    fn on_call_established(&self, call: &CallSession) {
        let _ = self.0.send(Notice::Established(call.clone()));
    }

    fn on_dtmf(&self, session: SessionId, digit: char) {
        let _ = self.0.send(Notice::Digit(session, digit));
    }

    fn on_call_ended(&self, record: &CallRecord) {
        let _ = self.0.send(Notice::Ended(Box::new(record.clone())));
    }
}

async fn server() -> (Arc<SessionCoordinator>, mpsc::UnboundedReceiver<Notice>) {
    let (notices, hears) = mpsc::unbounded_channel();
    let builder = SessionManagerBuilder::new()
        .with_media_ports(36_000..=36_999)
        .with_handler(Arc::new(Listener(notices)));
    let coordinator = soon(builder.build()).await.expect("sockets");
    SessionControl::start(&coordinator).await.expect("started");
    (coordinator, hears)
}

async fn call(client: &Client, server: &SessionCoordinator, name: &str, sound: Sound) -> Call {
    let address = server.local_address().expect("a listener");
    let uri = format!("sip:{name}@{address}");
    soon(client.dial(&uri, sound)).await.expect("a URI")
}

#[tokio::test(flavor = "multi_thread")]
async fn two_callers_are_bridged_and_hear_each_other() {
    let (server, mut notices) = server().await;
    let (alice, bob) = (client(Transport::Udp).await, client(Transport::Udp).await);
    let mut changes = server.subscribe_to_bridge_events();
    let mut sessions = Vec::new();
    let mut calls = Vec::new();
    for (who, tone) in [(&alice, 1_004), (&bob, 440)] {
        let mut made = call(who, &server, "later", Sound::tone(tone, -10).recorded()).await;
        let Some(Notice::Incoming(session)) = soon(notices.recv()).await else {
            panic!("a call comes in first");
        };
        soon(made.ringing()).await.expect("rings");
        let state = soon(server.find_session(session))
            .await
            .expect("running")
            .map(|call| call.state);
        assert_eq!(state, Some(CallState::Ringing));
        server.accept_incoming_call(session, None).await.expect("waits");
        soon(made.answered()).await.expect("answered");
        assert!(matches!(soon(notices.recv()).await, Some(Notice::Established(call)) if call.id == session));
        sessions.push(session);
        calls.push(made);
    }
    let bridge = server
        .bridge_sessions(sessions[0], sessions[1])
        .await
        .expect("two calls");
    let at_alice = calls[0].recorder().expect("recorded");
    let at_bob = calls[1].recorder().expect("recorded");
    let (_at_alice, heard) = listen(at_alice, 1_500).await;
    assert_tone(&heard[4_000..], 440.0, -10.0);
    let (_at_bob, heard) = listen(at_bob, 1_500).await;
    assert_tone(&heard[4_000..], 1_004.0, -10.0);

    let info = server.list_bridges().await.expect("running");
    assert_eq!(
        (&info[0].sessions[..], info[0].participant_count),
        (&sessions[..], 2)
    );
    assert_eq!(server.get_session_bridge(sessions[0]).await, Ok(Some(bridge)));
    calls[0].hang_up().await.expect("up");
    let Some(Notice::Ended(record)) = soon(notices.recv()).await else {
        panic!("one call ends");
    };
    assert_eq!(
        (record.session, record.code, record.legs.len()),
        (sessions[0], StatusCode::OK, 1)
    );
    assert!(
        matches!(calls[1].state(), State::Answered),
        "the other one goes on"
    );
    server.destroy_bridge(bridge).await.expect("a bridge");
    let [a, b] = [sessions[0], sessions[1]];
    for expected in [
        BridgeEvent::Created { bridge },
        BridgeEvent::Joined { bridge, session: a },
        BridgeEvent::Joined { bridge, session: b },
        BridgeEvent::Left { bridge, session: a },
        BridgeEvent::Left { bridge, session: b },
        BridgeEvent::Destroyed { bridge },
    ] {
        assert_eq!(soon(changes.recv()).await, Ok(expected));
    }
    let sdp = server.generate_sdp_offer(b).await.expect("it has media");
    assert!(sdp.starts_with("v=0") && sdp.contains("m=audio 36"), "{sdp}");
    SessionControl::stop(&server).await;
    assert_eq!(server.list_active_sessions().await, Err(SessionError::Stopped));
}

/// Reads a tap until it has so much sound of each direction, and says what that is.
async fn tapped(mut tap: MediaTap, ms: usize) -> [Vec<i16>; 2] {
    let mut sound = [Vec::new(), Vec::new()];
    let mut playouts = [Playout::new(8_000), Playout::new(8_000)];
    let mut packet = Vec::new();
    let mut at = None;
    let mut every = tokio::time::interval(Duration::from_millis(20));
    while sound.iter().any(|sound| sound.len() < 8 * ms) {
        every.tick().await;
        assert!(!tap.is_over(), "the call goes on");
        while let Some(found) = tap.read(&mut packet) {
            let side = usize::from(found.way == Way::Sent);
            let codec = found.codec.expect("sound");
            playouts[side].insert(found.at, codec, &packet);
            at.get_or_insert(found.at);
        }
        let Some(at) = &mut at else { continue };
        *at += Duration::from_millis(20);
        for (playout, sound) in playouts.iter_mut().zip(&mut sound) {
            sound.extend(playout.pull(*at).unwrap_or_default());
        }
    }
    assert_eq!(tap.missed(), 0);
    sound
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bridged_call_is_tapped_injected_into_and_heard_to_speak() {
    let (server, mut notices) = server().await;
    let (alice, bob) = (client(Transport::Udp).await, client(Transport::Udp).await);
    let mut changes = server.subscribe_to_bridge_events();
    let mut sessions = Vec::new();
    let mut calls = Vec::new();
    for (who, tone) in [(&alice, 1_004), (&bob, 440)] {
        let mut made = call(who, &server, "anybody", Sound::tone(tone, -10).recorded()).await;
        soon(made.answered()).await.expect("answered");
        let session = loop {
            if let Some(Notice::Established(call)) = soon(notices.recv()).await {
                break call.id;
            }
        };
        sessions.push(session);
        calls.push(made);
    }
    let bridge = server
        .bridge_sessions(sessions[0], sessions[1])
        .await
        .expect("two calls");
    server.watch_speech(bridge, true).await.expect("a bridge");
    let mut speaking = Vec::new();
    while speaking.len() < 2 {
        if let Ok(BridgeEvent::Speaking {
            session,
            speaking: true,
            ..
        }) = soon(changes.recv()).await
        {
            speaking.push(session);
        }
    }
    speaking.sort();
    assert_eq!(speaking, sessions);

    let tap = server.tap_media(sessions[0], 500).await.expect("a call");
    let [received, sent] = soon(tapped(tap, 1_500)).await;
    for (sound, hertz) in [(received, 1_004.0), (sent, 440.0)] {
        let found = media_core::tone::measure(&sound[4_000..12_000], 8_000);
        assert!(
            (found.hertz - hertz).abs() < 2.0 && found.purity > 0.9,
            "{found:?}"
        );
    }

    // Two seconds of a third tone in one ear, instead of the other party.
    let mut injection = server
        .inject(sessions[0], SoundRate::Hz8000, false, Duration::from_secs(3))
        .await
        .expect("a call");
    let tone = |i: u32| (f64::from(i) * 1_700.0 * std::f64::consts::TAU / 8_000.0).sin() * 8_000.0;
    let sound: Vec<i16> = (0..24_000).map(|i| tone(i) as i16).collect();
    assert_eq!((injection.write(&sound), injection.room()), (24_000, 0));
    let tap = server.tap_media(sessions[0], 500).await.expect("a call");
    let [_, sent] = soon(tapped(tap, 1_200)).await;
    let found = media_core::tone::measure(&sent[4_000..8_000], 8_000);
    assert!((found.hertz - 1_700.0).abs() < 2.0, "{found:?}");
    assert!(!injection.is_over());
    calls[0].hang_up().await.expect("up");
    soon(async {
        while !injection.is_over() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    SessionControl::stop(&server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_of_ours_is_answered_told_digits_and_joined_by_whom_it_invites() {
    let (server, mut notices) = server().await;
    let (mut alice, mut bob) = (client(Transport::Udp).await, client(Transport::Udp).await);
    let made = server
        .create_outgoing_call("sip:server@127.0.0.1", &uri(&alice), Some(Application::Music))
        .await
        .expect("a URI");
    let mut at_alice = soon(alice.next_call()).await.expect("a call");
    at_alice.answer(Sound::tone(1_004, -10)).await.expect("rings");
    let established = soon(notices.recv()).await;
    assert!(
        matches!(&established, Some(Notice::Established(call)) if call.id == made.id && call.from == "server")
    );
    at_alice.send_dtmf("7").await.expect("up");
    assert!(matches!(soon(notices.recv()).await, Some(Notice::Digit(session, '7')) if session == made.id));
    assert_eq!(
        server.send_dtmf(made.id, "1x").await,
        Err(SessionError::Digit('x'))
    );

    server.invite(made.id, &uri(&bob)).await.expect("a URI");
    let mut at_bob = soon(bob.next_call()).await.expect("a call");
    at_bob
        .answer(Sound::tone(440, -10).recorded())
        .await
        .expect("rings");
    let (_recorder, heard) = listen(at_bob.recorder().expect("recorded"), 1_500).await;
    assert_tone(&heard[4_000..], 1_004.0, -10.0);

    server.terminate_session(made.id).await.expect("it is there");
    let Some(Notice::Ended(record)) = soon(notices.recv()).await else {
        panic!("the call ends");
    };
    assert_eq!(record.legs.len(), 2, "both parties are in the record");
    assert_eq!(
        server.terminate_session(made.id).await,
        Err(SessionError::NoSession)
    );
    SessionControl::stop(&server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_are_refused_as_the_handler_says_and_before_the_start() {
    let (notices, _hears) = mpsc::unbounded_channel();
    let builder = SessionManagerBuilder::new().with_handler(Arc::new(Listener(notices)));
    let server = soon(builder.build()).await.expect("sockets");
    let alice = client(Transport::Udp).await;
    for (start, code) in [
        (false, StatusCode::SERVICE_UNAVAILABLE),
        (true, StatusCode::BUSY_HERE),
    ] {
        if start {
            SessionControl::start(&server).await.expect("started");
        }
        let mut made = call(&alice, &server, "nobody", Sound::silence()).await;
        let record = soon(made.ended()).await.expect("ended");
        assert_eq!(record.code, code);
    }
    let bad = server
        .create_outgoing_call("sip:server@127.0.0.1", "mailto:a@b", None)
        .await;
    assert_eq!(bad, Err(SessionError::Uri));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_message_of_a_call_is_tapped_with_its_call() {
    let (server, mut notices) = server().await;
    let mut tap = server.tap(64).await.expect("running");
    let alice = client(Transport::Udp).await;
    let mut made = call(&alice, &server, "server", Sound::silence()).await;
    soon(made.answered()).await.expect("answered");
    let Some(Notice::Incoming(session)) = soon(notices.recv()).await else {
        panic!("a call comes in first");
    };
    made.hang_up().await.expect("up");
    let mut ladder = Vec::new();
    while ladder.len() < 6 {
        let message = soon(tap.next()).await.expect("running");
        let line = message
            .data
            .split(|byte| *byte == b'\r')
            .next()
            .unwrap_or_default();
        let line = String::from_utf8_lossy(line).replace(" SIP/2.0", "");
        let line = line.split(" sip:").next().unwrap_or_default().to_owned();
        ladder.push((message.direction, line, message.session == Some(session)));
    }
    use sip_stack::tap::Direction::{Received, Sent};
    let ladder: Vec<_> = ladder
        .iter()
        .map(|(way, line, is_its)| (*way, &**line, *is_its))
        .collect();
    assert_eq!(
        ladder,
        [
            (Received, "INVITE", true),
            (Sent, "SIP/2.0 100 Trying", true),
            (Sent, "SIP/2.0 200 OK", true),
            (Received, "ACK", true),
            (Received, "BYE", true),
            (Sent, "SIP/2.0 200 OK", true),
        ]
    );
    assert_eq!(tap.missed(), 0);
    SessionControl::stop(&server).await;
}
