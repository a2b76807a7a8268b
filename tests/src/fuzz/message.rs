//! One SIP message of any kind.

use bytes::Bytes;
use sip_core::message::{Builder, HeaderName, Message, Method, Referral, StartLine, StatusCode, interop};
use sip_core::uri::Uri;

use super::Target;
use crate::corpora;

/// See the module.
pub const TARGET: Target = Target {
    name: "message",
    seeds,
    words: WORDS,
    run,
};

/// Words of a SIP message.
pub const WORDS: &[&str] = &[
    "INVITE",
    "ACK",
    "SIP/2.0",
    "SIP/2.0/UDP",
    "SIP/2.0/WSS ",
    "sip:",
    "sips:",
    "tel:",
    "urn:uuid:",
    "Via: ",
    "v:",
    "From: ",
    "f:",
    "To: ",
    "t:",
    "Call-ID: ",
    "i:",
    "CSeq: ",
    "Contact: ",
    "m:",
    "Content-Length: ",
    "l:",
    "Content-Type: ",
    "Route: ",
    "Record-Route: ",
    "Max-Forwards: ",
    "Expires: ",
    "Authorization: Digest ",
    ";tag=",
    ";branch=z9hG4bK",
    ";received=",
    ";rport",
    ";lr",
    ";transport=",
    ";expires=",
    ";q=",
    ";reg-id=",
    ";+sip.instance=\"<urn:uuid:0>\"",
    "*",
    "\"",
    "\\\"",
    "<",
    ">",
    "<>",
    ";",
    ";;",
    ",",
    ", ",
    "\r\n",
    "\r\n ",
    "\n",
    "\r",
    "\r\n\r\n",
    "%00",
    "%",
    "%4",
    "@",
    "[::1]",
    "[",
    "]",
    ":",
    "\0",
    "\u{feff}",
    "\u{44e}",
    "?Route=%3Csip:a%3E",
];

/// Our own, and those of the corpora that are there.
#[must_use]
pub fn seeds() -> Vec<Vec<u8>> {
    let mut seeds: Vec<Vec<u8>> = OWN
        .iter()
        .map(|text| text.replace('\n', "\r\n").into_bytes())
        .collect();
    for name in [
        "rfc4475",
        "rfc5118/wire",
        "rfc-callflows/rfc3665",
        "rfc-callflows/rfc5626",
    ] {
        let Some(folder) = corpora::folder(name, "seeds for the message fuzz target") else {
            continue;
        };
        let mut files: Vec<_> = std::fs::read_dir(folder)
            .expect("a folder")
            .map(|f| f.expect("a file").path())
            .collect();
        files.sort();
        let wanted =
            |path: &std::path::PathBuf| path.extension().is_some_and(|ext| ext == "dat" || ext == "sip");
        seeds.extend(
            files
                .iter()
                .filter(|path| wanted(path))
                .map(|path| std::fs::read(path).expect("a file")),
        );
    }
    seeds
}

const OWN: &[&str] = &[
    "INVITE sip:9196@example.com SIP/2.0
Via: SIP/2.0/WSS 3b1c.invalid;branch=z9hG4bK2081;rport, SIP/2.0/UDP [2001:db8::9]:5070;branch=z9hG4bKa;received=192.0.2.9
Max-Forwards: 69
To: <sip:9196@example.com>
From: \"1001 \\\"A\\\"\" <sip:1001@example.com>;tag=pqr
Call-ID: a84b4c76e66710
CSeq: 2147483647 INVITE
Contact: <sip:k3@3b1c.invalid;transport=ws;ob>;+sip.instance=\"<urn:uuid:0-1>\";reg-id=1;expires=600
Authorization: Digest username=\"1001\", realm=\"c, d\", nonce=\"n\", uri=\"sip:9196@example.com\", qop=auth, nc=0000000a
Supported: outbound,\n gruu
Session-Expires: 90;refresher=uac
Content-Type: application/sdp
Content-Length: 5

v=0\n",
    "SIP/2.0 200 OK
v: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1;rport=5060
f: sip:a@example.com;tag=1
t: sip:b@example.com;tag=2
i: x
CSeq: 1 REGISTER
m: <sip:a@192.0.2.1>;expires=60;q=0.7, <sip:a@192.0.2.2;x=\"y\">
l: 0

",
    "REFER sips:b@example.com:5061;transport=tcp SIP/2.0
Via: SIP/2.0/TLS h.example.com;branch=z9hG4bK7
From: <sips:a@example.com>;tag=1
To: <sips:b@example.com>;tag=2
Call-ID: y
CSeq: 3 REFER
Max-Forwards: 70
Refer-To: <sip:c@example.com?Replaces=z%3Bto-tag%3D1%3Bfrom-tag%3D2>
Replaces: z;to-tag=1;from-tag=2;early-only
Join: z;to-tag=1;from-tag=2
Reason: Q.850;cause=16;text=\"a;b\"
Record-Route: <sip:p;lr>, <sip:[::1];lr>
Content-Length: 0

",
];

/// Nothing panics; an accepted message is written back as it came, survives edits and can be answered; a
/// refused one is answered without a line that the peer made up.
pub fn run(input: &[u8]) {
    let buf = Bytes::copy_from_slice(input);
    match Message::parse(buf) {
        Ok(message) => accepted(&message, input),
        Err(error) => {
            if let Some(rejected) = error.rejected {
                check_rejection(
                    &rejected.response("tag", Some("192.0.2.1:5060".parse().expect("an address"))),
                );
            }
        }
    }
    let differences = interop::differences(input);
    assert!(
        differences.is_empty(),
        "rsip reads it differently: {differences:?}"
    );
}

fn accepted(message: &Message, input: &[u8]) {
    let written = message.to_bytes();
    let start = input.iter().take_while(|b| matches!(b, b'\r' | b'\n')).count();
    assert!(input[start..].starts_with(&written), "untouched lines change");
    views(message);
    let again = Message::parse(written).expect("what was written is read");
    same_meaning(message, &again);

    let mut edited = message.clone();
    edited
        .append_named("Via", "SIP/2.0/UDP me;branch=z9hG4bK0")
        .expect("a Via more");
    edited
        .set(HeaderName::MaxForwards, 5)
        .expect("Max-Forwards is set");
    edited.set_body("text/plain", "hello").expect("a body");
    match Message::parse(edited.to_bytes()) {
        Ok(read) => {
            assert_eq!((read.max_forwards(), read.body()), (Some(5), &b"hello"[..]));
            assert_eq!(
                (read.call_id(), read.via_count()),
                (message.call_id(), message.via_count() + 1)
            );
        }
        // one line more than there may be
        Err(error) => assert!(error.defect.to_string().starts_with("Too Many"), "{error}"),
    }
    if let Some(method) = message.method() {
        let response = Builder::response(message, StatusCode::BUSY_HERE, "")
            .with_to_tag("tag")
            .build();
        if let Ok(response) = response {
            let response = Message::parse(response.to_bytes()).expect("our response is read");
            assert_eq!(
                (response.call_id(), response.cseq()),
                (message.call_id(), message.cseq())
            );
            assert_eq!(response.cseq().method, *method);
            assert!(response.to().tag().is_some());
        }
    }
}

/// Reads whatever can be read.
fn views(message: &Message) {
    assert!(message.top_via().is_some() && message.via_count() > 0);
    assert!(!message.call_id().is_empty());
    let cseq = message.cseq();
    if let Some(method) = message.method() {
        assert_eq!(cseq.method, *method);
        assert!(message.uri().is_some());
    }
    let addresses = message.contacts().filter_map(|contact| {
        let _ = (
            contact.q(),
            contact.expires(),
            contact.reg_id(),
            contact.instance(),
        );
        contact.address()
    });
    let all = addresses
        .chain(message.route())
        .chain(message.record_route())
        .chain([message.from(), message.to()]);
    for address in all.chain(message.refer_to()) {
        let text = address.to_owned().uri.to_string();
        let again = Uri::parse(&text).expect("a URI that was read is read again");
        assert_eq!(again, address.uri);
        let _ = (
            address.display_name(),
            address.tag(),
            address.uri.user_unescaped(),
            address.uri.header("Replaces"),
        );
    }
    match Referral::read(message) {
        Ok(referral) => {
            assert!(referral.target.headers().is_none());
            let replaced = referral.replaces.iter();
            assert!(replaced.clone().all(|dialog| !dialog.call_id.is_empty()));
        }
        Err(code) => assert!(
            matches!(
                code,
                StatusCode::BAD_REQUEST | StatusCode::UNSUPPORTED_URI_SCHEME | StatusCode::DECLINE
            ),
            "{code}"
        ),
    }
    for via in message.vias() {
        let _ = (
            via.received(),
            via.rport(),
            via.transaction_branch(),
            via.port_or_default(),
        );
    }
    let _ = (
        message.session_expires(),
        message.min_se(),
        message.replaces(),
        message.join(),
        message.rack(),
        message.rseq(),
    );
    let _ = (
        message.expires(),
        message.retry_after(),
        message.event(),
        message.reasons().count(),
        message.allow().count(),
    );
    for auth in message.auth(HeaderName::Authorization) {
        let _ = (auth.is_digest(), auth.get("nonce"), auth.iter().count());
    }
}

fn same_meaning(a: &Message, b: &Message) {
    match (a.start_line(), b.start_line()) {
        (
            StartLine::Request {
                method: Method::Other(_),
                ..
            },
            _,
        ) => assert_eq!(a.method(), b.method()),
        (a, b) => assert_eq!(a, b),
    }
    assert!(a.fields().eq(b.fields()));
    assert_eq!(a.body(), b.body());
}

fn check_rejection(response: &[u8]) {
    let text = std::str::from_utf8(response).expect("a rejection is UTF-8");
    let (head, body) = text.split_once("\r\n\r\n").expect("a rejection has an end");
    assert!(body.is_empty() && text.starts_with("SIP/2.0 "));
    for line in head.split("\r\n").skip(1) {
        let (name, value) = line.split_once(": ").expect("a header line");
        assert!(
            ["Via", "From", "To", "Call-ID", "CSeq", "Content-Length"].contains(&name),
            "{line}"
        );
        assert!(!value.contains(['\r', '\n']), "{line}");
    }
}
