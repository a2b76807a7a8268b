//! Instant messages (RFC 3428): to whom they go, what their senders are told, what waits for whom, and what is said within a call.

mod saved;

use std::time::Duration;

use session_core::{Config, MessageCounts, MessageSettings};
use sip_core::flow::Destination;
use sip_core::message::{HeaderName, Message, Method, StatusCode};

use crate::carried::bench::{Bench, CARRIER, OTHER, PAGE, PHONE, Peer, config, sdp};

const TEXT: &str = "Content-Type: text/plain;charset=utf-8\r\n";

fn with_messages() -> Config {
    let mut config = config();
    config.endpoint.allow.push(Method::Message);
    config
}

fn bench() -> Bench {
    Bench::with(with_messages())
}

/// 1002 sends 1001 a text; the last answer, which may be to something else.
fn says(bench: &mut Bench, lines: &str, body: &str) -> StatusCode {
    let lines = format!("{TEXT}{lines}");
    bench.authenticated(OTHER, "MESSAGE", "sip:1001@192.0.2.1", &lines, body)
}

/// Messages that reached a peer, in order, without copies.
fn got(bench: &Bench, peer: Peer) -> Vec<Message> {
    let at = |to: &Destination| match to {
        Destination::Flow(flow) => flow.remote,
        Destination::Address { addr, .. } => *addr,
    };
    let mut found: Vec<Message> = Vec::new();
    for (to, message) in &bench.sent {
        let is_new = found.iter().all(|known| known.call_id() != message.call_id());
        if at(to) == peer.flow.remote && message.is(&Method::Message) && is_new {
            found.push(message.clone());
        }
    }
    found
}

fn texts(bench: &Bench, peer: Peer) -> Vec<String> {
    let bodies = got(bench, peer).into_iter();
    bodies
        .map(|message| String::from_utf8_lossy(message.body()).into_owned())
        .collect()
}

/// The final answers to MESSAGEs of peers, in order.
fn answers(bench: &Bench) -> Vec<StatusCode> {
    let to_messages = bench
        .sent
        .iter()
        .filter(|(_, message)| message.cseq().method == Method::Message);
    let codes = to_messages.filter_map(|(_, message)| message.status());
    codes
        .filter(|code| !matches!(*code, StatusCode::UNAUTHORIZED | StatusCode::TRYING))
        .collect()
}

fn counts(bench: &mut Bench) -> MessageCounts {
    bench.act(|gateway, _| gateway.stats().messages)
}

fn accept(bench: &mut Bench, peer: Peer, number: usize) {
    let message = got(bench, peer)[number].clone();
    bench.respond(peer, &message, StatusCode::OK, "m", "", "");
}

#[test]
fn a_message_goes_to_every_contact_unchanged_and_its_sender_hears_of_the_first() {
    let mut bench = bench();
    bench.register(PHONE, "");
    let desk = Peer { user: "1001", ..PAGE };
    bench.register(desk, "");
    let lines = "Subject: Lunch\r\nContent-Language: de\r\nX-Private: 1\r\n";
    let body = "Grüße \u{1f600}\r\n--x\r\n";
    says(&mut bench, lines, body);
    assert!(answers(&bench).is_empty(), "nobody has it yet");
    for peer in [PHONE, desk] {
        let messages = got(&bench, peer);
        assert_eq!(messages.len(), 1);
        let message = &messages[0];
        assert_eq!(message.body(), body.as_bytes());
        assert_eq!(
            message.header(HeaderName::ContentType),
            Some("text/plain;charset=utf-8")
        );
        assert_eq!(message.header_named("Subject"), Some("Lunch"));
        assert_eq!(message.header_named("Content-Language"), Some("de"));
        assert_eq!(message.header_named("X-Private"), None);
        assert_eq!(message.max_forwards(), Some(69));
        assert_eq!(message.from().uri.to_string(), "sip:1002@192.0.2.1");
        assert!(message.header(HeaderName::Contact).is_none(), "RFC 3428 §4");
    }
    accept(&mut bench, desk, 0);
    assert_eq!(answers(&bench), [StatusCode::OK]);
    bench.respond(PHONE, &got(&bench, PHONE)[0], StatusCode::BUSY_HERE, "m", "", "");
    bench.wait(40);
    assert_eq!(answers(&bench), [StatusCode::OK], "once");
    assert_eq!(
        counts(&mut bench),
        MessageCounts {
            delivered: 1,
            ..MessageCounts::default()
        }
    );
}

#[test]
fn what_is_for_somebody_absent_is_delivered_in_order_when_they_come() {
    let mut bench = bench();
    for text in ["one", "two", "three"] {
        assert_eq!(says(&mut bench, "", text), StatusCode::ACCEPTED);
    }
    assert_eq!(counts(&mut bench).waiting, 3);
    bench.register(PHONE, "");
    assert_eq!(texts(&bench, PHONE), ["one"], "the next one follows the answer");
    // What comes meanwhile comes last.
    assert_eq!(says(&mut bench, "", "four"), StatusCode::ACCEPTED);
    for number in 0..4 {
        accept(&mut bench, PHONE, number);
    }
    assert_eq!(texts(&bench, PHONE), ["one", "two", "three", "four"]);
    bench.wait(40);
    assert_eq!(
        counts(&mut bench),
        MessageCounts {
            delivered: 4,
            kept: 4,
            ..MessageCounts::default()
        }
    );
    bench.register(PHONE, "");
    assert_eq!(got(&bench, PHONE).len(), 4, "nothing comes twice");
}

#[test]
fn a_phone_that_is_off_gets_it_later_and_the_sender_does_not_wait_for_that() {
    let mut bench = bench();
    bench.register(PHONE, "");
    says(&mut bench, "", "hello");
    bench.wait(7);
    assert!(answers(&bench).is_empty());
    bench.wait(2);
    assert_eq!(answers(&bench), [StatusCode::ACCEPTED], "it is under way");
    bench.wait(30);
    assert_eq!(counts(&mut bench).waiting, 1, "nobody answered: it is kept");
    assert_eq!(answers(&bench), [StatusCode::ACCEPTED]);
    bench.register(PHONE, "");
    accept(&mut bench, PHONE, 1);
    assert_eq!(texts(&bench, PHONE), ["hello", "hello"]);
    assert_eq!(counts(&mut bench).waiting, 0);
}

#[test]
fn a_phone_that_cannot_read_it_says_so_to_the_sender() {
    let mut bench = bench();
    bench.register(PHONE, "");
    says(&mut bench, "", "hello");
    let message = got(&bench, PHONE)[0].clone();
    bench.respond(PHONE, &message, StatusCode::UNSUPPORTED_MEDIA_TYPE, "m", "", "");
    assert_eq!(answers(&bench), [StatusCode::UNSUPPORTED_MEDIA_TYPE]);
    assert_eq!(
        counts(&mut bench),
        MessageCounts {
            refused: 1,
            ..MessageCounts::default()
        }
    );
    // One that waited, and that is not wanted, makes room for the next.
    bench.close(PHONE.flow);
    for text in ["one", "two"] {
        assert_eq!(says(&mut bench, "", text), StatusCode::ACCEPTED);
    }
    bench.register(PHONE, "");
    let message = got(&bench, PHONE)[1].clone();
    bench.respond(PHONE, &message, StatusCode::UNSUPPORTED_MEDIA_TYPE, "m", "", "");
    assert_eq!(texts(&bench, PHONE)[1..], ["one", "two"]);
}

#[test]
fn messages_wait_for_as_long_as_their_sender_and_we_say() {
    let mut bench = bench();
    assert_eq!(says(&mut bench, "Expires: 60\r\n", "brief"), StatusCode::ACCEPTED);
    assert_eq!(says(&mut bench, "", "long"), StatusCode::ACCEPTED);
    bench.wait(61);
    let after = counts(&mut bench);
    assert_eq!((after.waiting, after.expired), (1, 1));
    // One that is for now or never is not kept.
    assert_eq!(
        says(&mut bench, "Expires: 0\r\n", "now"),
        StatusCode::TEMPORARILY_UNAVAILABLE
    );
    let mut settings = with_messages();
    settings.messages = MessageSettings {
        keep: Duration::ZERO,
        ..MessageSettings::default()
    };
    let mut bench = Bench::with(settings);
    assert_eq!(says(&mut bench, "", "x"), StatusCode::TEMPORARILY_UNAVAILABLE);
}

#[test]
fn one_that_is_on_its_way_does_not_expire() {
    let mut bench = bench();
    says(&mut bench, "Expires: 60\r\n", "hello");
    bench.wait(58);
    bench.register(PHONE, "");
    bench.wait(5);
    assert_eq!(counts(&mut bench).waiting, 1);
    accept(&mut bench, PHONE, 0);
    assert_eq!((counts(&mut bench).waiting, counts(&mut bench).delivered), (0, 1));
    // Nor does it stay if it finds nobody.
    says(&mut bench, "Expires: 40\r\n", "again");
    bench.wait(80);
    let after = counts(&mut bench);
    assert_eq!((after.waiting, after.expired), (0, 1));
}

#[test]
fn there_are_limits() {
    let mut settings = with_messages();
    settings.messages = MessageSettings {
        max_size: 10,
        max_kept: 1,
        ..MessageSettings::default()
    };
    let mut bench = Bench::with(settings);
    assert_eq!(
        says(&mut bench, "", "eleven octs"),
        StatusCode::REQUEST_ENTITY_TOO_LARGE
    );
    assert_eq!(says(&mut bench, "", "ten octets"), StatusCode::ACCEPTED);
    assert_eq!(says(&mut bench, "", "more"), StatusCode::TEMPORARILY_UNAVAILABLE);
    // Of one sender only so many are under way.
    bench.register(PHONE, "");
    bench.register(PAGE, "");
    for number in 0..60 {
        let text = format!("{number}");
        bench.request(PAGE, "MESSAGE", "sip:0301234@192.0.2.1", TEXT, &text);
    }
    let busy = answers(&bench).into_iter();
    assert_eq!(
        busy.filter(|code| *code == StatusCode::SERVICE_UNAVAILABLE)
            .count(),
        10
    );
    // It has come too far.
    let far = "Max-Forwards: 0\r\n";
    let text = bench.request(PAGE, "MESSAGE", "sip:1001@192.0.2.1", TEXT, "x");
    let text = text
        .replace("Max-Forwards: 70\r\n", far)
        .replace("z9hG4bKp", "z9hG4bKq")
        .replace("Call-ID: call", "Call-ID: far");
    bench.receive(PAGE, text);
    assert_eq!(bench.last_response().status(), Some(StatusCode::TOO_MANY_HOPS));
}

#[test]
fn a_user_who_is_removed_gets_nothing_more() {
    let mut bench = bench();
    says(&mut bench, "", "hello");
    bench.act(|gateway, now| {
        let session_core::Access::Directory { mut users, .. } = config().access else {
            panic!("a directory")
        };
        users.remove("1001");
        gateway.set_users(now, users);
    });
    assert_eq!(counts(&mut bench).waiting, 0);
    assert_eq!(says(&mut bench, "", "hello"), StatusCode::NOT_FOUND);
}

#[test]
fn carriers_send_and_are_sent_messages() {
    let mut bench = bench();
    bench.register(PHONE, "");
    bench.request(CARRIER, "MESSAGE", "sip:+49301234@192.0.2.1", TEXT, "from afar");
    assert_eq!(texts(&bench, PHONE), ["from afar"]);
    accept(&mut bench, PHONE, 0);
    assert_eq!(answers(&bench), [StatusCode::OK]);
    bench.authenticated(OTHER, "MESSAGE", "sip:0301234@192.0.2.1", TEXT, "to afar");
    let message = got(&bench, CARRIER)[0].clone();
    assert_eq!(message.request_uri(), Some("sip:0301234@192.0.2.20"));
    bench.respond(CARRIER, &message, StatusCode::ACCEPTED, "c", "", "");
    assert_eq!(
        answers(&bench),
        [StatusCode::OK, StatusCode::ACCEPTED],
        "as it said"
    );
    // A carrier that is silent is no reason to promise anything.
    bench.authenticated(OTHER, "MESSAGE", "sip:0309999@192.0.2.1", TEXT, "to nobody");
    bench.wait(20);
    assert_eq!(answers(&bench).len(), 2);
    bench.wait(20);
    assert_eq!(counts(&mut bench).refused, 1);
    // Nobody sends in another's name, and who proves nothing is challenged.
    let code = bench.authenticated(
        OTHER,
        "MESSAGE",
        "sip:1001@192.0.2.1",
        &format!("{TEXT}From: <sip:1003@192.0.2.1>;tag=x\r\n"),
        "",
    );
    assert_eq!(code, StatusCode::FORBIDDEN);
}

/// 1001 and the carrier talk.
fn talk() -> (Bench, Message) {
    let mut bench = bench();
    bench.register(PHONE, "");
    let invite = bench.called_in("");
    bench.respond(PHONE, &invite, StatusCode::OK, "p", "", &sdp(11, 4_000, 0));
    (bench, invite)
}

/// A request of 1001 within its dialog.
fn within(bench: &mut Bench, invite: &Message, method: &str, cseq: u32, lines: &str, body: &str) {
    let from = invite.header(HeaderName::From).unwrap_or_default();
    let to = invite.header(HeaderName::To).unwrap_or_default();
    let text = format!(
        "{method} sip:x@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP {};branch=z9hG4bKw{cseq};rport\r\nMax-Forwards: 70\r\n\
         From: {to};tag=p\r\nTo: {from}\r\nCall-ID: {}\r\nCSeq: {cseq} {method}\r\n{lines}Content-Length: {}\r\n\r\n{body}",
        PHONE.flow.remote,
        invite.call_id(),
        body.len()
    );
    bench.receive(PHONE, text);
}

#[test]
fn what_one_party_says_reaches_the_other_and_the_answer_comes_back() {
    let (mut bench, invite) = talk();
    within(&mut bench, &invite, "MESSAGE", 2, TEXT, "are you there?");
    let message = bench.last(&Method::Message).expect("a MESSAGE");
    assert_ne!(message.call_id(), invite.call_id(), "in the other dialog");
    assert_eq!(message.body(), b"are you there?");
    bench.respond(CARRIER, &message, StatusCode::OK, "", "", "");
    assert_eq!(bench.last_response().status(), Some(StatusCode::OK));
    assert_eq!(bench.last_response().call_id(), invite.call_id());

    let control = "Content-Type: application/media_control+xml\r\n";
    within(&mut bench, &invite, "INFO", 3, control, "<media_control/>");
    let info = bench.last(&Method::Info).expect("an INFO");
    assert_eq!(
        (info.content_type(), info.body()),
        (Some("application/media_control+xml"), &b"<media_control/>"[..])
    );
    let lines = "Content-Type: text/plain\r\nWarning: 399 x \"no\"\r\n";
    bench.respond(
        CARRIER,
        &info,
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "",
        lines,
        "why",
    );
    let answer = bench.last_response();
    assert_eq!(
        (answer.status(), answer.header_named("Warning"), answer.body()),
        (
            Some(StatusCode::UNSUPPORTED_MEDIA_TYPE),
            Some("399 x \"no\""),
            &b"why"[..]
        )
    );
}

#[test]
fn what_is_too_long_is_refused_and_digits_are_for_the_call() {
    let mut settings = with_messages();
    settings.messages.max_size = 10;
    let mut bench = Bench::with(settings);
    bench.register(PHONE, "");
    let invite = bench.called_in("");
    bench.respond(PHONE, &invite, StatusCode::OK, "p", "", &sdp(11, 4_000, 0));
    within(&mut bench, &invite, "MESSAGE", 2, TEXT, "eleven octs");
    assert_eq!(
        bench.last_response().status(),
        Some(StatusCode::REQUEST_ENTITY_TOO_LARGE)
    );
    within(&mut bench, &invite, "INFO", 3, "", "");
    assert_eq!(bench.last_response().status(), Some(StatusCode::OK));
    within(
        &mut bench,
        &invite,
        "INFO",
        4,
        "Content-Type: application/dtmf\r\n",
        "5",
    );
    assert_eq!(bench.last_response().status(), Some(StatusCode::OK));
    within(
        &mut bench,
        &invite,
        "INFO",
        5,
        "Content-Type: application/dtmf\r\n",
        "nine",
    );
    assert_eq!(bench.last_response().status(), Some(StatusCode::BAD_REQUEST));
    assert_eq!(bench.count(&Method::Message), 0);
}
