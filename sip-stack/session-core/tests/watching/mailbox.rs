//! Message lamps (RFC 3842): a voice mail system says what waits, and the user's phones are told.

use sip_core::message::{HeaderName, Method, StatusCode};

use super::bench;
use crate::carried::bench::{Bench, CARRIER, OTHER, PHONE, Peer};

const WANTS: &str =
    "Event: message-summary\r\nExpires: 600\r\nAccept: application/simple-message-summary\r\n";
const NEW: &str =
    "Messages-Waiting: yes\r\nMessage-Account: sip:1001@vmail.example.com\r\nVoice-Message: 2/8 (0/2)\r\n";

fn notice(bench: &mut Bench, from: Peer, number: &str, lines: &str, body: &str) -> StatusCode {
    let kind = if lines.contains("Content-Type") || body.is_empty() {
        ""
    } else {
        "Content-Type: application/simple-message-summary\r\n"
    };
    let lines = format!("Subscription-State: active\r\n{kind}{lines}");
    bench.request(from, "NOTIFY", &format!("sip:{number}@192.0.2.1"), &lines, body);
    bench.last_response().status().expect("a status")
}

/// Document of the last NOTIFY, which its watcher answers.
fn told(bench: &mut Bench) -> String {
    let notify = bench.last(&Method::Notify).expect("a NOTIFY");
    bench.respond(PHONE, &notify, StatusCode::OK, "", "", "");
    assert_eq!(
        notify.header(HeaderName::ContentType),
        Some("application/simple-message-summary")
    );
    String::from_utf8(notify.body().to_vec()).expect("text")
}

#[test]
fn a_lamp_shows_what_the_voice_mail_system_says() {
    let mut bench = bench();
    let code = bench.authenticated(PHONE, "SUBSCRIBE", "sip:1001@192.0.2.1", WANTS, "");
    assert_eq!(code, StatusCode::OK);
    assert_eq!(
        told(&mut bench),
        "Messages-Waiting: no\r\nMessage-Account: sip:1001@192.0.2.1\r\n"
    );
    bench.wait(2);
    let code = notice(&mut bench, CARRIER, "1001", "Event: message-summary\r\n", NEW);
    assert_eq!(code, StatusCode::OK);
    bench.wait(1);
    let new = "Messages-Waiting: yes\r\nMessage-Account: sip:1001@192.0.2.1\r\nVoice-Message: 2/8 (0/2)\r\n";
    assert_eq!(told(&mut bench), new);
    // The same again is no news; who subscribes later is told at once.
    let before = bench.count(&Method::Notify);
    assert_eq!(
        notice(&mut bench, CARRIER, "1001", "Event: message-summary\r\n", NEW),
        StatusCode::OK
    );
    bench.wait(3);
    assert_eq!(bench.count(&Method::Notify), before);
    bench.authenticated(PHONE, "SUBSCRIBE", "sip:1001@192.0.2.1", WANTS, "");
    assert_eq!(told(&mut bench), new);
}

#[test]
fn a_mailbox_is_its_users_business() {
    let mut bench = bench();
    let code = bench.authenticated(OTHER, "SUBSCRIBE", "sip:1001@192.0.2.1", WANTS, "");
    assert_eq!(code, StatusCode::FORBIDDEN);
    let lines = "Event: message-summary\r\nSubscription-State: active\r\nContent-Type: application/simple-message-summary\r\n";
    let code = bench.authenticated(OTHER, "NOTIFY", "sip:1001@192.0.2.1", lines, NEW);
    assert_eq!(code, StatusCode::FORBIDDEN, "a user is no voice mail system");
}

#[test]
fn what_is_no_notice_of_a_mailbox_is_refused() {
    for (number, lines, body, code) in [
        (
            "1001",
            "Event: presence\r\n",
            NEW,
            StatusCode::CALL_DOES_NOT_EXIST,
        ),
        ("1001", "", NEW, StatusCode::CALL_DOES_NOT_EXIST),
        (
            "0301234",
            "Event: message-summary\r\n",
            NEW,
            StatusCode::NOT_FOUND,
        ),
        (
            "1001",
            "Event: message-summary\r\nContent-Type: text/plain\r\n",
            NEW,
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
        ),
        (
            "1001",
            "Event: message-summary\r\n",
            "Voice-Message: 2/8\r\n",
            StatusCode::BAD_REQUEST,
        ),
        (
            "1001",
            "Event: message-summary\r\n",
            &format!("{NEW}{}", "X-Pad: 0\r\n".repeat(500)),
            StatusCode::REQUEST_ENTITY_TOO_LARGE,
        ),
    ] {
        let mut bench = bench();
        assert_eq!(notice(&mut bench, CARRIER, number, lines, body), code, "{lines}");
    }
}
