//! SIP without sound, over a real connection, towards a phone of our own with sound.

use std::time::Duration;

use media_core::negotiated::Codec;
use session_core::EndedBy;
use sip_core::flow::Transport;
use sip_core::message::StatusCode;
use sip_core::uri::Uri;
use sip_stack::client::{Client, Sound};
use sip_stack::signalling::{Call, CallEvent, ConnectError, Login, Server, Signalling};

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(10);

const OFFER: &str = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n\
                     m=audio 40000 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\na=sendrecv\r\n";

async fn phone() -> (Client, Server) {
    let phone = Client::builder()
        .transport(Transport::Tcp)
        .codecs(vec![Codec::Pcmu])
        .rtp_ports(26_000..=26_099)
        .start()
        .await
        .expect("a phone");
    let server = Server {
        transport: Transport::Tcp,
        addr: phone.listeners()[0].addr,
        name: None,
        path: "/".into(),
        tls: None,
    };
    (phone, server)
}

fn login() -> Login {
    Login {
        aor: Uri::parse("sip:1001@127.0.0.1").expect("a URI"),
        username: "1001".into(),
        password: "secret".into(),
    }
}

async fn next(call: &mut Call) -> CallEvent {
    let event = tokio::time::timeout(PATIENCE, call.event()).await;
    event.expect("in time").expect("an event")
}

#[tokio::test]
async fn a_call_rings_is_answered_changes_and_ends_from_the_far_side() {
    let (mut phone, server) = phone().await;
    let connected = Signalling::connect(server, login(), "test").await;
    let (signalling, _incoming) = connected.expect("connected");
    let mut call = signalling.invite("42", OFFER.to_owned()).await.expect("called");
    let mut answering = phone.next_call().await.expect("a call");
    let caller = answering.caller().expect("its caller").clone();
    assert_eq!((&*caller.from, &*caller.to), ("1001", "42"));
    assert_eq!(
        next(&mut call).await,
        CallEvent::Ringing {
            code: StatusCode::RINGING,
            answer: None
        }
    );
    answering.answer(Sound::silence()).await.expect("answered");
    let CallEvent::Answered { answer: Some(answer) } = next(&mut call).await else {
        panic!("no answer")
    };
    assert!(answer.contains("m=audio 26"), "{answer}");
    answering.hold().await.expect("held");
    let CallEvent::Offer { offer: Some(offer) } = next(&mut call).await else {
        panic!("no offer")
    };
    assert!(
        offer.contains("a=sendonly") || offer.contains("a=inactive"),
        "{offer}"
    );
    let held = OFFER.replace("1 1 IN", "1 2 IN").replace("sendrecv", "recvonly");
    call.answer_offer(Ok(held)).await.expect("answered");
    answering.hang_up().await.expect("hung up");
    let ended = CallEvent::Ended {
        code: StatusCode::OK,
        by: EndedBy::Peer,
        fault: None,
    };
    assert_eq!(next(&mut call).await, ended);
    assert_eq!(call.event().await, None, "it was the last one");
    signalling.close().await;
    phone.stop().await;
}

#[tokio::test]
async fn an_end_of_ours_reaches_the_far_side_also_when_the_connection_is_closed_with_it() {
    let (mut phone, server) = phone().await;
    let connected = Signalling::connect(server, login(), "test").await;
    let (signalling, _incoming) = connected.expect("connected");
    let mut call = signalling.invite("42", OFFER.to_owned()).await.expect("called");
    let mut answering = phone.next_call().await.expect("a call");
    answering.answer(Sound::silence()).await.expect("answered");
    while !matches!(next(&mut call).await, CallEvent::Answered { .. }) {}
    signalling.close().await;
    let record = tokio::time::timeout(PATIENCE, answering.ended()).await;
    assert_eq!(
        record.expect("in time").map(|record| record.code),
        Some(StatusCode::OK)
    );
    let CallEvent::Ended { by: EndedBy::Us, .. } = next(&mut call).await else {
        panic!("somebody else ended it")
    };
    phone.stop().await;
}

#[tokio::test]
async fn what_is_refused_says_the_code_and_who_is_not_there_the_reason() {
    let (phone, server) = phone().await;
    let connected = Signalling::connect(server.clone(), login(), "test").await;
    let (signalling, _incoming) = connected.expect("connected");
    assert!(signalling.register().await.is_err(), "a phone is no registrar");
    let mut call = signalling.invite("42", "hello".to_owned()).await.expect("called");
    let CallEvent::Ended { code, by, fault } = next(&mut call).await else {
        panic!("no end")
    };
    assert_eq!((code, by, fault), (StatusCode::BAD_REQUEST, EndedBy::Peer, None));
    signalling.close().await;
    phone.stop().await;
    let gone = Signalling::connect(server, login(), "test").await;
    let Err(ConnectError::Connection(reason)) = gone else {
        panic!("connected to nobody")
    };
    assert!(reason.contains("refused"), "{reason}");
}
