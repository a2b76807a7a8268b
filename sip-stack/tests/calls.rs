//! Whole calls between clients of ours, over real sockets on loopback.

mod audio;
mod programs;
mod registrar;
mod server;
mod sessions;

use std::future::Future;
use std::time::Duration;

use media_core::negotiated::Codec;
use media_core::tone::measure;
use session_core::Fault;
use sip_core::flow::Transport;
use sip_core::message::StatusCode;
use sip_stack::client::{Call, CallEvent, Client, ClientError, DemoPhone, Recorder, Sound, State};

const PATIENCE: Duration = Duration::from_secs(60);

/// `RUST_LOG=trace` shows what went over the wire in a test that failed.
fn log() {
    let filter = tracing_subscriber::EnvFilter::from_default_env();
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_test_writer()
        .try_init();
}

async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, what).await.expect("in time")
}

async fn client(transport: Transport) -> Client {
    log();
    Client::builder()
        .transport(transport)
        .start()
        .await
        .expect("client")
}

fn uri(of: &Client) -> String {
    let listener = of.listeners()[0];
    format!(
        "sip:bob@{};transport={}",
        listener.addr,
        listener.transport.name().to_ascii_lowercase()
    )
}

/// Both ends of an answered call: the one that was made and the one that was taken.
async fn connect(alice: &Client, bob: &mut Client, sounds: [Sound; 2]) -> [Call; 2] {
    let [from_alice, from_bob] = sounds;
    let mut made = alice.dial(&uri(bob), from_alice).await.expect("dialled");
    let mut taken = soon(bob.next_call()).await.expect("a call");
    soon(made.ringing()).await.expect("ringing");
    soon(taken.answer(from_bob)).await.expect("answered");
    soon(made.answered()).await.expect("answered");
    [made, taken]
}

/// Waits for so many milliseconds of sound that is not silence.
async fn listen(recorder: Recorder, ms: usize) -> (Recorder, Vec<i16>) {
    let heard = tokio::task::spawn_blocking(move || {
        let mut heard = Vec::new();
        while heard.len() < ms * 8 {
            let frame = recorder.next_frame().expect("media lasts");
            if !heard.is_empty() || frame.iter().any(|s| s.abs() > 500) {
                heard.extend(frame);
            }
        }
        (recorder, heard)
    });
    soon(heard).await.expect("heard")
}

fn assert_tone(pcm: &[i16], hertz: f64, dbm0: f64) {
    let tone = measure(pcm, 8_000);
    assert!((tone.hertz - hertz).abs() < 2.0, "{tone:?} instead of {hertz} Hz");
    assert!((tone.dbm0 - dbm0).abs() < 0.5, "{tone:?} instead of {dbm0} dBm0");
    let silent = pcm.chunks(80).filter(|c| c.iter().all(|s| s.abs() < 200)).count();
    assert_eq!(silent, 0, "gaps of 10 ms among {}", pcm.len() / 80);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_hears_the_tone_of_the_other() {
    for transport in [Transport::Udp, Transport::Tcp] {
        let (alice, mut bob) = (client(transport).await, client(transport).await);
        let sounds = [
            Sound::tone(1_004, -10).recorded(),
            Sound::tone(440, -16).recorded(),
        ];
        let [mut made, mut taken] = connect(&alice, &mut bob, sounds).await;
        let (recorders, caller) = ((made.recorder(), taken.recorder()), taken.caller().cloned());
        assert_eq!(caller.expect("caller").to, "bob");
        let (at_alice, at_bob) = (recorders.0.expect("recorder"), recorders.1.expect("recorder"));
        let (_alices, heard) = listen(at_alice, 1_500).await;
        assert_tone(&heard[4_000..], 440.0, -16.0);
        let (_bobs, heard) = listen(at_bob, 1_500).await;
        assert_tone(&heard[4_000..], 1_004.0, -10.0);
        let report = soon(made.report()).await.expect("report");
        assert_eq!(
            (report.codec_received, report.codec_sent),
            (Some(Codec::Pcmu), Some(Codec::Pcmu))
        );
        assert!(report.packets_received > 50 && report.lost == 0, "{report:?}");
        made.hang_up().await.expect("hung up");
        for call in [&mut made, &mut taken] {
            let record = soon(call.ended()).await.expect("record");
            assert_eq!(record.code, StatusCode::OK);
            assert!(record.answered.is_some());
            assert!(
                record.legs[0].report.packets_sent > 50,
                "{:?}",
                record.legs[0].report
            );
        }
        alice.stop().await;
        bob.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_arrive_once_each_and_in_order() {
    let (alice, mut bob) = (client(Transport::Udp).await, client(Transport::Udp).await);
    let [made, mut taken] = connect(&alice, &mut bob, [Sound::silence(), Sound::silence()]).await;
    assert_eq!(made.send_dtmf("12x").await, Err(ClientError::Digit('x')));
    let sent = soon(made.send_dtmf("159D*#")).await;
    assert_eq!(sent, Ok(()));
    let mut digits = String::new();
    while digits.len() < 6 {
        if let CallEvent::Dtmf { digit, .. } = soon(taken.event()).await.expect("event") {
            digits.push(digit);
        }
    }
    assert_eq!(digits, "159D*#");
    taken.hang_up().await.expect("hung up");
    while let Some(event) = soon(taken.event()).await {
        assert!(!matches!(event, CallEvent::Dtmf { .. }), "one event a key");
    }
}

/// Listens until the last half second is the tone of 700 Hz, or is not.
async fn until(recorder: Recorder, tone: bool) -> Recorder {
    let heard = tokio::task::spawn_blocking(move || {
        let mut window: Vec<i16> = Vec::new();
        loop {
            window.extend(recorder.next_frame().expect("media lasts"));
            let excess = window.len().saturating_sub(4_000);
            window.drain(..excess);
            let now = measure(&window, 8_000);
            let is_tone = (now.hertz - 700.0).abs() < 2.0 && (now.dbm0 + 10.0).abs() < 0.5;
            if window.len() == 4_000 && is_tone == tone {
                return recorder;
            }
        }
    });
    soon(heard).await.expect("heard")
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_held_hears_no_more_of_the_other_until_taken_back() {
    let (alice, mut bob) = (client(Transport::Udp).await, client(Transport::Udp).await);
    let sounds = [Sound::tone(700, -10), Sound::silence().recorded()];
    let [made, mut taken] = connect(&alice, &mut bob, sounds).await;
    let recorder = until(taken.recorder().expect("recorder"), true).await;
    made.hold().await.expect("held");
    let recorder = until(recorder, false).await;
    made.resume().await.expect("resumed");
    until(recorder, true).await;
    made.hang_up().await.expect("hung up");
    soon(taken.ended()).await.expect("record");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_refused_cancelled_or_meets_nobody() {
    let (alice, mut bob) = (client(Transport::Udp).await, client(Transport::Udp).await);
    let mut refused = alice.dial(&uri(&bob), Sound::silence()).await.expect("dialled");
    soon(bob.next_call())
        .await
        .expect("a call")
        .reject(StatusCode::BUSY_HERE)
        .await
        .expect("rejected");
    assert_eq!(
        soon(refused.answered()).await,
        Err(ClientError::Refused(StatusCode::BUSY_HERE))
    );

    let mut cancelled = alice.dial(&uri(&bob), Sound::silence()).await.expect("dialled");
    let mut ringing = soon(bob.next_call()).await.expect("a call");
    soon(cancelled.ringing()).await.expect("ringing");
    cancelled.hang_up().await.expect("hung up");
    let record = soon(ringing.ended()).await.expect("record");
    assert!(record.answered.is_none());
    assert_eq!(
        soon(ringing.answer(Sound::silence())).await,
        Err(ClientError::Refused(record.code))
    );
    soon(cancelled.ended()).await.expect("record");

    let nobody = std::net::TcpListener::bind("127.0.0.1:0")
        .expect("bind")
        .local_addr()
        .expect("address");
    let uri = format!("sip:x@{nobody};transport=tcp");
    let mut lost = alice.dial(&uri, Sound::silence()).await.expect("dialled");
    assert_eq!(
        soon(lost.answered()).await,
        Err(ClientError::Failed(Fault::Unreachable))
    );
    let invalid = alice.dial("sip:x@nowhere.invalid", Sound::silence()).await;
    assert_eq!(
        soon(invalid.expect("dialled").answered()).await,
        Err(ClientError::Failed(Fault::Unresolved))
    );
    assert_eq!(
        alice.dial("tel:+1555", Sound::silence()).await.map(|_| ()),
        Err(ClientError::Uri)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_free_port_a_call_fails_at_once_and_the_next_one_gets_the_port() {
    let mut bob = client(Transport::Udp).await;
    let mut first = 0;
    let alice = loop {
        // Two ports that are free now: found by asking the system for one and hoping for its neighbour.
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").expect("bind");
        let even = socket.local_addr().expect("address").port() & !1;
        drop(socket);
        let free = |port| std::net::UdpSocket::bind(("127.0.0.1", port)).is_ok();
        if free(even) && free(even + 1) {
            break Client::builder()
                .rtp_ports(even..=even + 1)
                .start()
                .await
                .expect("client");
        }
        first += 1;
        assert!(first < 100, "no two free ports");
    };
    let [one, mut taken] = connect(&alice, &mut bob, [Sound::silence(), Sound::silence()]).await;
    let mut two = alice.dial(&uri(&bob), Sound::silence()).await.expect("dialled");
    assert_eq!(
        soon(two.answered()).await,
        Err(ClientError::Failed(Fault::NoPort))
    );
    one.hang_up().await.expect("hung up");
    soon(taken.ended()).await.expect("record");
    let [three, _taken] = connect(&alice, &mut bob, [Sound::silence(), Sound::silence()]).await;
    assert!(matches!(three.state(), State::Answered));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_phone_rings_answers_with_pcmu_and_plays_back() {
    let phone = DemoPhone::start().await.expect("phone");
    let alice = Client::builder()
        .codecs(vec![Codec::Pcma, Codec::Pcmu])
        .start()
        .await
        .expect("client");
    let uri = format!("sip:5551234@{}", phone.address());
    let mut call = alice
        .dial(&uri, Sound::tone(1_004, -10).recorded())
        .await
        .expect("dialled");
    soon(call.ringing()).await.expect("ringing");
    assert!(matches!(call.state(), State::Ringing { early_media: false }));
    soon(call.answered()).await.expect("answered");
    let (_recorder, heard) = listen(call.recorder().expect("recorder"), 1_500).await;
    assert_tone(&heard[4_000..], 1_004.0, -10.0);
    assert_eq!(
        soon(call.report()).await.expect("report").codec_received,
        Some(Codec::Pcmu)
    );
    soon(phone.shutdown()).await;
    let record = soon(call.ended()).await.expect("record");
    assert_eq!(record.code, StatusCode::OK, "the phone hangs up when it goes");
}
