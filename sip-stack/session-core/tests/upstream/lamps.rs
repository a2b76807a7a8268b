//! Subscriptions of browsers at the PBX: lamps of colleagues, and message lamps.

use bytes::Bytes;
use sip_core::message::{HeaderName, Message, Method};

use super::bench::{Bench, Client, PBX, US, browser, respond, status};
use super::contact;

const DIALOG: &str = "Event: dialog\r\nAccept: application/dialog-info+xml\r\nExpires: 600\r\n";
const BOB: &str = "sip:bob@pbx.example";
const GRANTED: &str = "Contact: <sip:pbx@192.0.2.50>\r\nExpires: 300\r\n";

/// NOTIFY of the PBX within the dialog of a SUBSCRIBE of ours.
fn notify(subscribe: &Message, cseq: u32, state: &str, body: &str) -> Bytes {
    let of = |name: HeaderName| subscribe.header(name).unwrap_or_default().to_owned();
    let target = subscribe.contact().expect("a Contact").uri.to_string();
    let tag = match subscribe.to().tag() {
        Some(_) => "",
        None => ";tag=pbx",
    };
    Bytes::from(format!(
        "NOTIFY {target} SIP/2.0\r\nVia: SIP/2.0/UDP {PBX};branch=z9hG4bKn{cseq}\r\nMax-Forwards: 70\r\nFrom: {}{tag}\r\nTo: {}\r\n\
         Call-ID: {}\r\nCSeq: {cseq} NOTIFY\r\nContact: <sip:pbx@{PBX}>\r\nEvent: dialog\r\nSubscription-State: {state}\r\n\
         Content-Type: application/dialog-info+xml\r\nContent-Length: {}\r\n\r\n{body}",
        of(HeaderName::To),
        of(HeaderName::From),
        of(HeaderName::CallId),
        body.len()
    ))
}

/// Alice watches Bob: the PBX's 200 as she got it, and our SUBSCRIBE that the PBX granted.
fn watching(bench: &mut Bench, alice: &mut Client) -> (Message, Message) {
    alice.register(bench, 300);
    bench.at_pbx(&Method::Register);
    bench.pbx.lines = GRANTED;
    let answers = alice.request(bench, "SUBSCRIBE", BOB, DIALOG, "");
    let ok = answers
        .into_iter()
        .find(|answer| status(answer) == 200)
        .expect("200");
    let sent = bench.at_pbx(&Method::Subscribe);
    (ok, sent.last().expect("a SUBSCRIBE").clone())
}

/// The only NOTIFY that came to Alice, whose browser answers it.
fn told(bench: &mut Bench) -> Message {
    let came = bench.take(1);
    let notifies: Vec<&Message> = came
        .iter()
        .filter(|message| message.is(&Method::Notify))
        .collect();
    assert_eq!(notifies.len(), 1, "{came:?}");
    let notify = notifies[0].clone();
    bench.receive(browser(1), respond(&notify, 200, "", ""));
    notify
}

fn state(notify: &Message) -> String {
    notify
        .header(HeaderName::SubscriptionState)
        .unwrap_or_default()
        .to_owned()
}

#[test]
fn a_lamp_of_the_pbx_is_a_lamp_in_the_browser() {
    let (mut bench, mut alice) = (Bench::new(), Client::new("alice", 1));
    alice.register(&mut bench, 300);
    bench.at_pbx(&Method::Register);
    bench.pbx.lines = GRANTED;
    let answers = alice.request(&mut bench, "SUBSCRIBE", BOB, DIALOG, "");
    let ok = answers.iter().find(|answer| status(answer) == 200).expect("200");
    assert_eq!(ok.expires(), Some(300), "as the PBX grants");
    let sent = bench.at_pbx(&Method::Subscribe);
    assert_eq!(sent.len(), 2, "the challenge was the browser's to answer");
    let subscribe = &sent[1];
    assert_eq!(subscribe.request_uri(), Some(BOB));
    assert_eq!(
        subscribe.from().to_string().split(";tag").next(),
        Some("\"Me\" <sip:alice@pbx.example>")
    );
    assert_eq!(
        subscribe.header(HeaderName::Accept),
        Some("application/dialog-info+xml")
    );
    assert_eq!(
        (subscribe.expires(), subscribe.max_forwards()),
        (Some(600), Some(68))
    );
    for (cseq, body) in [(1, "<one/>"), (2, "<two/>"), (3, "<three/>")] {
        bench.pbx_sends(notify(subscribe, cseq, "active;expires=290", body));
        let notify = told(&mut bench);
        assert_eq!(notify.body(), body.as_bytes(), "none is left out");
        assert!(
            state(&notify).starts_with("active;expires="),
            "{}",
            state(&notify)
        );
        assert_eq!(notify.event().map(|event| event.value), Some("dialog"));
        assert!(
            !format!("{notify:?}").contains(PBX),
            "nobody sees where the PBX is"
        );
    }
}

#[test]
fn the_browser_prolongs_and_ends_its_subscription_at_the_pbx() {
    let (mut bench, mut alice) = (Bench::new(), Client::new("alice", 1));
    let (ok, subscribe) = watching(&mut bench, &mut alice);
    bench.pbx_sends(notify(&subscribe, 1, "active;expires=290", "<one/>"));
    told(&mut bench);
    // Nobody refreshes it but the browser.
    bench.seconds(200);
    assert_eq!(bench.at_pbx(&Method::Subscribe).len(), 0);
    let answers = alice.within(
        &mut bench,
        &ok,
        "SUBSCRIBE",
        20,
        "Event: dialog\r\nExpires: 600\r\n",
        "",
    );
    assert_eq!(status(&answers[0]), 200);
    let again = bench.at_pbx(&Method::Subscribe);
    assert_eq!((again.len(), again[0].expires()), (1, Some(600)));
    assert_eq!(again[0].call_id(), subscribe.call_id());
    assert!(again[0].to().tag().is_some());
    bench.seconds(400);
    bench.pbx_sends(notify(&subscribe, 2, "active;expires=200", "<two/>"));
    told(&mut bench);
    let answers = alice.within(
        &mut bench,
        &ok,
        "SUBSCRIBE",
        21,
        "Event: dialog\r\nExpires: 0\r\n",
        "",
    );
    assert_eq!((status(&answers[0]), answers[0].expires()), (200, Some(0)));
    let last = bench.at_pbx(&Method::Subscribe);
    assert_eq!((last.len(), last[0].expires()), (1, Some(0)));
    bench.pbx_sends(notify(&subscribe, 3, "terminated;reason=timeout", "<last/>"));
    let notify = told(&mut bench);
    assert!(state(&notify).starts_with("terminated"), "{}", state(&notify));
    assert_eq!(notify.body(), b"<last/>");
    let counts = bench.coordinator.stats().endpoint;
    assert_eq!(counts.subscriptions, 0, "{counts:?}");
}

#[test]
fn refusals_go_back_as_they_came_and_a_challenged_refresh_leaves_the_lamp() {
    let (mut bench, mut alice) = (Bench::new(), Client::new("alice", 1));
    let (ok, subscribe) = watching(&mut bench, &mut alice);
    bench.pbx_sends(notify(&subscribe, 1, "active;expires=290", "<one/>"));
    told(&mut bench);
    bench.pbx.refusal = Some((
        401,
        "WWW-Authenticate: Digest realm=\"pbx.example\", nonce=\"n\"\r\n",
    ));
    let answers = alice.within(
        &mut bench,
        &ok,
        "SUBSCRIBE",
        20,
        "Event: dialog\r\nExpires: 600\r\n",
        "",
    );
    assert_eq!(status(&answers[0]), 401);
    assert!(answers[0].header(HeaderName::WwwAuthenticate).is_some());
    bench.pbx.refusal = None;
    let lines = "Event: dialog\r\nExpires: 600\r\nAuthorization: Digest username=\"alice\", nonce=\"n\"\r\n";
    let answers = alice.within(&mut bench, &ok, "SUBSCRIBE", 21, lines, "");
    assert_eq!(status(&answers[0]), 200);
    let sent = bench.at_pbx(&Method::Subscribe);
    assert!(
        sent[1]
            .header(HeaderName::Authorization)
            .is_some_and(|value| value.contains("alice"))
    );
    assert!(sent[0].header(HeaderName::Authorization).is_none());
    bench.pbx_sends(notify(&subscribe, 2, "active;expires=290", "<two/>"));
    told(&mut bench);

    bench.pbx.refusal = Some((489, "Allow-Events: presence\r\n"));
    let answers = alice.ask(&mut bench, "SUBSCRIBE", BOB, DIALOG, "");
    assert_eq!(
        (status(&answers[0]), answers[0].header_named("Allow-Events")),
        (489, Some("presence"))
    );
    bench.pbx.refusal = Some((423, "Min-Expires: 900\r\n"));
    let answers = alice.ask(&mut bench, "SUBSCRIBE", BOB, DIALOG, "");
    assert_eq!(
        (status(&answers[0]), answers[0].min_expires()),
        (423, Some(900)),
        "the browser's to ask again"
    );
    bench.pbx.refusal = None;
    bench.pbx.is_silent = true;
    alice.send(&mut bench, "SUBSCRIBE", BOB, DIALOG, "");
    bench.seconds(6);
    let came = bench.take(1);
    assert_eq!(came.iter().map(status).find(|code| *code >= 300), Some(408));
}

#[test]
fn a_state_that_overtakes_the_answer_is_told_all_the_same() {
    let (mut bench, mut alice) = (Bench::new(), Client::new("alice", 1));
    alice.register(&mut bench, 300);
    bench.at_pbx(&Method::Register);
    let challenge = alice.ask(&mut bench, "SUBSCRIBE", BOB, DIALOG, "");
    let more = alice.credentials(&mut bench, &challenge[0], "SUBSCRIBE", BOB);
    bench.at_pbx(&Method::Subscribe);
    bench.pbx.is_silent = true;
    alice.send(&mut bench, "SUBSCRIBE", BOB, &format!("{DIALOG}{more}"), "");
    let subscribe = bench.at_pbx(&Method::Subscribe).remove(0);
    assert_eq!(bench.take(1).len(), 0);
    bench.pbx_sends(notify(&subscribe, 1, "active;expires=290", "<one/>"));
    let came = bench.take(1);
    assert_eq!(
        came.iter().map(status).collect::<Vec<_>>(),
        [200, 0],
        "the grant comes first"
    );
    assert_eq!((came[0].expires(), came[1].body()), (Some(290), &b"<one/>"[..]));
    bench.pbx_sends(respond(&subscribe, 200, GRANTED, ""));
    assert_eq!(bench.take(1).len(), 0);
}

#[test]
fn a_lamp_that_the_pbx_takes_away_goes_out_and_a_stranger_gets_none() {
    let (mut bench, mut alice) = (Bench::new(), Client::new("alice", 1));
    let (_, subscribe) = watching(&mut bench, &mut alice);
    bench.pbx_sends(notify(&subscribe, 1, "terminated;reason=noresource", ""));
    let notify = told(&mut bench);
    assert_eq!(state(&notify), "terminated;reason=noresource");
    // Who is not registered over the connection is nobody there.
    let mut eve = Client::new("eve", 9);
    let answers = eve.ask(&mut bench, "SUBSCRIBE", BOB, DIALOG, "");
    assert_eq!(status(&answers[0]), 403);
    assert_eq!(bench.at_pbx(&Method::Subscribe).len(), 0);
}

#[test]
fn a_message_lamp_that_nobody_asked_for_comes_to_every_connection_of_its_user() {
    let (mut bench, mut alice) = (Bench::new(), Client::new("alice", 1));
    alice.register(&mut bench, 300);
    let ours = contact(&bench.at_pbx(&Method::Register)[0]);
    let second = "Contact: <sip:second@y.invalid;transport=ws>\r\nExpires: 300\r\n";
    Client::new("alice", 2).request(&mut bench, "REGISTER", "sip:pbx.example", second, "");
    bench.at_pbx(&Method::Register);
    let body = "Messages-Waiting: yes\r\nVoice-Message: 2/0\r\n";
    bench.pbx_sends(format!(
        "NOTIFY sip:{ours}@{US} SIP/2.0\r\nVia: SIP/2.0/UDP {PBX};branch=z9hG4bKw\r\nMax-Forwards: 70\r\n\
         From: <sip:asterisk@pbx.example>;tag=1\r\nTo: <sip:alice@pbx.example>\r\nCall-ID: w\r\nCSeq: 1 NOTIFY\r\n\
         Event: message-summary\r\nSubscription-State: active\r\nContent-Type: application/simple-message-summary\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    ));
    let answers: Vec<u16> = bench.pbx.got.iter().map(|(_, message)| status(message)).collect();
    assert_eq!(answers, [200]);
    for flow in [1, 2] {
        let came = bench.take(flow);
        assert_eq!(came.len(), 1, "{flow}");
        assert_eq!(came[0].body(), body.as_bytes());
        assert_eq!(came[0].event().map(|event| event.value), Some("message-summary"));
        assert_eq!(came[0].header(HeaderName::SubscriptionState), Some("active"));
    }
}
