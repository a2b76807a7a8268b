//! Requests that are answered before anybody is asked.

use sip_core::endpoint::{Ended, Event, Headers, OutgoingContact, OutgoingRequest, Silence, Target};
use sip_core::flow::Transport;
use sip_core::message::{Address, HeaderName, Method, StatusCode};
use sip_core::uri::Uri;

use crate::bench::{Bench, OFFER, outgoing, peer, request};

const UDP: Transport = Transport::Udp;
const CONTACT: &str = "Contact: <sip:bob@192.0.2.9>\r\n";

/// The answer to a request out of the blue, which has one.
fn answer(text: String) -> (StatusCode, Bench) {
    let (code, bench) = answer_if_any(text);
    (code.expect("an answer"), bench)
}

/// The answer to a request out of the blue.
fn answer_if_any(text: String) -> (Option<StatusCode>, Bench) {
    let mut bench = Bench::new();
    bench.receive(peer(UDP), text);
    let partial = bench
        .partial
        .iter()
        .filter_map(|line| StatusCode::try_from(line.split(' ').nth(1)?.parse::<u16>().ok()?).ok());
    let whole = bench.sent.iter().filter_map(|sent| sent.message.status());
    let code = whole.chain(partial).find(|code| *code != StatusCode::TRYING);
    (code, bench)
}

#[test]
fn first_the_method_then_the_extensions_then_the_content() {
    let all = "Require: x-unheard\r\nContent-Encoding: gzip\r\nContact: <sip:b@192.0.2.9>\r\n";
    let body = "not a description";
    let (code, bench) = answer(request("PUBLISH", "sip:1001@192.0.2.1", all, body));
    assert_eq!(code, StatusCode::METHOD_NOT_ALLOWED);
    assert!(bench.last("405").allow().any(|method| method == "INVITE"));
    assert_eq!(
        answer(request("NEWMETHOD", "sip:1001@192.0.2.1", all, body)).0,
        StatusCode::NOT_IMPLEMENTED
    );
    assert_eq!(
        answer(request("INVITE", "soap.beep://192.0.2.1", all, body)).0,
        StatusCode::UNSUPPORTED_URI_SCHEME
    );
    let (code, bench) = answer(request("INVITE", "sip:1001@192.0.2.1", all, body));
    assert_eq!(
        (code, bench.last("420").header(HeaderName::Unsupported)),
        (StatusCode::BAD_EXTENSION, Some("x-unheard"))
    );
    let known = all.replace("x-unheard", "timer");
    let (code, bench) = answer(request("INVITE", "sip:1001@192.0.2.1", &known, body));
    assert_eq!(
        (code, bench.last("415").header(HeaderName::Accept)),
        (
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Some("application/sdp, multipart/mixed, multipart/alternative")
        )
    );
    let picky = format!("{CONTACT}Accept: text/plain\r\n");
    assert_eq!(
        answer(request("INVITE", "sip:1001@192.0.2.1", &picky, OFFER)).0,
        StatusCode::NOT_ACCEPTABLE
    );
}

#[test]
fn a_merged_request_gets_482_and_a_spiral_does_not() {
    let mut bench = Bench::new();
    let invite = request("INVITE", "sip:1001@192.0.2.1", CONTACT, OFFER);
    bench.receive(peer(UDP), invite.clone());
    bench.receive(peer(UDP), invite.replace("z9hG4bKpeer1", "z9hG4bKother"));
    assert_eq!((bench.count("482"), bench.events.len()), (1, 1));
    bench.receive(
        peer(UDP),
        invite
            .replace("z9hG4bKpeer1", "z9hG4bKthird")
            .replace("bobtag", "caroltag"),
    );
    assert_eq!(bench.events.len(), 2);
}

#[test]
fn branches_of_one_call_to_two_users_both_ring() {
    let mut bench = Bench::new();
    let first = bench.called(peer(UDP), CONTACT, OFFER);
    let other =
        request("INVITE", "sip:1002@192.0.2.1", CONTACT, OFFER).replace("z9hG4bKpeer1", "z9hG4bKother");
    bench.receive(peer(UDP), other.clone());
    let Event::Invite { usage: second, .. } = bench.event() else {
        panic!()
    };
    bench.receive(peer(UDP), other.replace("z9hG4bKother", "z9hG4bKthird"));
    assert_eq!(
        (bench.count("482"), bench.events.len()),
        (1, 0),
        "the same user twice"
    );
    // The caller takes the first and cancels the second.
    bench.act(|endpoint, now| endpoint.accept(now, first, None, Headers::new()));
    bench.within(first, "ACK", 100, "", "");
    bench.receive(peer(UDP), other.replace("INVITE", "CANCEL"));
    let ended: Vec<_> = bench.events.drain(..).collect();
    assert!(
        ended
            .iter()
            .any(|event| matches!(event, Event::Ended { usage, .. } if *usage == second)),
        "{ended:?}"
    );
    assert!(bench.endpoint.usage(first).is_some());
}

#[test]
fn what_callers_ask_of_proxies_in_the_name_of_privacy_is_no_reason_to_refuse() {
    let lines = format!("{CONTACT}Privacy: id\r\nProxy-Require: privacy\r\n");
    let (_, mut bench) = answer_if_any(request("INVITE", "sip:1001@192.0.2.1", &lines, OFFER));
    assert!(matches!(bench.event(), Event::Invite { .. }));
    let (code, bench) = answer(request(
        "INVITE",
        "sip:1001@192.0.2.1",
        &lines.replace(": privacy", ": privacy, x-unheard"),
        OFFER,
    ));
    assert_eq!(
        (code, bench.last("420").header(HeaderName::Unsupported)),
        (StatusCode::BAD_EXTENSION, Some("x-unheard"))
    );
}

#[test]
fn a_message_is_a_method_that_we_do_not_take() {
    let (code, bench) = answer(request("MESSAGE", "sip:1001@192.0.2.1", "", "Hello"));
    assert_eq!(code, StatusCode::METHOD_NOT_ALLOWED);
    assert!(!bench.last("405").allow().any(|method| method == "MESSAGE"));
}

#[test]
fn hops_run_out_with_483_and_a_request_that_comes_back_unchanged_is_a_loop() {
    let invite = request("INVITE", "sip:1001@192.0.2.1", CONTACT, OFFER);
    let (code, _) = answer(invite.replace("Max-Forwards: 70", "Max-Forwards: 0"));
    assert_eq!(code, StatusCode::TOO_MANY_HOPS);
    let mut bench = Bench::new();
    bench.receive(
        peer(UDP),
        request("OPTIONS", "sip:192.0.2.1", "", "").replace("Max-Forwards: 70", "Max-Forwards: 0"),
    );
    assert!(
        matches!(bench.event(), Event::Request { .. }),
        "it is for us and goes no further"
    );

    bench.invite(outgoing("sip:bob@192.0.2.9"));
    let sent = bench.last("INVITE").to_string();
    let via = "Via: SIP/2.0/UDP 192.0.2.9:5060;branch=z9hG4bKproxy\r\nVia:";
    bench.receive(peer(UDP), sent.replacen("Via:", via, 1));
    assert_eq!(bench.count("482"), 1);
    // A carrier that turned it into a call to another number of ours sends no loop.
    let hairpin = sent
        .replacen("Via:", via, 1)
        .replace("INVITE sip:bob@192.0.2.9 ", "INVITE sip:1001@192.0.2.1 ");
    bench.receive(
        peer(UDP),
        hairpin
            .replace("bKproxy", "bKproxy2")
            .replace("\r\nCall-ID: ", "\r\nCall-ID: x"),
    );
    assert!(matches!(bench.event(), Event::Invite { .. }));
}

#[test]
fn requests_of_dialogs_that_we_do_not_know_get_481() {
    for method in ["BYE", "INVITE", "INFO", "UPDATE", "NOTIFY"] {
        let text = request(method, "sip:1001@192.0.2.1", CONTACT, "");
        let (code, bench) = answer(text.replace(
            "To: <sip:1001@example.com>",
            "To: <sip:1001@example.com>;tag=gone",
        ));
        assert_eq!(
            (code, bench.events.len()),
            (StatusCode::CALL_DOES_NOT_EXIST, 0),
            "{method}"
        );
    }
    let ack = request("ACK", "sip:1001@192.0.2.1", "", "");
    assert_eq!(answer_if_any(ack).0, None, "an ACK is never answered");
    assert_eq!(
        answer_if_any("ACK sip:a@b SIP/2.0\r\nVia: broken\r\n\r\n".into()).0,
        None
    );
}

#[test]
fn malformed_requests_are_answered_and_malformed_responses_are_not() {
    let good = request("OPTIONS", "sip:192.0.2.1", "", "");
    let (code, bench) = answer(good.replace("CSeq: 100 OPTIONS", "CSeq: 100 INVITE"));
    assert_eq!(
        (code, bench.last("400").top_via().unwrap().rport()),
        (StatusCode::BAD_REQUEST, Some(Some(5060)))
    );
    assert_eq!(
        answer(good.replace("Call-ID: peer-call\r\n", "")).0,
        StatusCode::BAD_REQUEST
    );
    assert_eq!(
        answer(good.replace("SIP/2.0\r\n", "SIP/7.0\r\n")).0,
        StatusCode::VERSION_NOT_SUPPORTED
    );
    assert_eq!(
        answer_if_any(good.replace("OPTIONS sip:192.0.2.1 SIP/2.0", "SIP/2.0 200 OK")).0,
        None
    );
    assert_eq!(answer_if_any("\r\n\r\n".into()).0, None);
}

#[test]
fn a_copy_of_a_request_gets_the_same_answer_and_no_second_event() {
    let mut bench = Bench::new();
    let text = request("OPTIONS", "sip:192.0.2.1", "", "");
    bench.receive(peer(UDP), text.clone());
    bench.receive(peer(UDP), text.clone());
    assert_eq!((bench.sent.len(), bench.events.len()), (0, 1));
    let Event::Request { tx, .. } = bench.event() else {
        panic!()
    };
    bench.act(|endpoint, now| endpoint.reply(now, tx, StatusCode::OK, Headers::new(), None));
    bench.act(|endpoint, now| endpoint.reply(now, tx, StatusCode::NOT_FOUND, Headers::new(), None));
    bench.receive(peer(UDP), text);
    assert_eq!((bench.count("200"), bench.count("404")), (2, 0));
    assert!(bench.last("200").allow().count() > 5 && bench.last("200").to().tag().is_some());
    bench.is_clean_after_a_while();
}

#[test]
fn a_request_that_its_user_never_answers_gets_a_100_and_is_forgotten() {
    let mut bench = Bench::new();
    bench.receive(peer(UDP), request("OPTIONS", "sip:1001@192.0.2.1", "", ""));
    bench.is_clean_after_a_while();
    assert_eq!((bench.sent.len(), bench.count("100")), (1, 1));
}

fn register() -> OutgoingRequest {
    let uri = |text| Uri::parse(text).unwrap();
    OutgoingRequest {
        method: Method::Register,
        target: Target::Uri { proxy: None },
        request_uri: uri("sip:192.0.2.9"),
        from: Address::new(uri("sip:alice@example.com")),
        to: Address::new(uri("sip:alice@example.com")),
        contact: Some(OutgoingContact {
            user: "alice".into(),
            params: ";expires=300".into(),
            ..OutgoingContact::default()
        }),
        call: Some(("steady".into(), 5)),
        body: None,
        extra: vec![("Expires".into(), "300".into())],
        answerer: Some(sip_core::auth::Answerer::new(sip_core::endpoint::Credentials {
            username: "alice".into(),
            password: "x".into(),
        })),
        response_timeout: None,
    }
}

#[test]
fn a_register_of_ours_answers_its_challenge() {
    let mut bench = Bench::new();
    bench.act(|endpoint, now| endpoint.request(now, register()));
    let first = bench.last("REGISTER");
    assert_eq!((first.call_id(), first.cseq().number), ("steady", 5));
    assert_eq!(
        first.header(HeaderName::Contact),
        Some("<sip:alice@192.0.2.1:5060>;expires=300")
    );
    bench.answer(
        "REGISTER",
        StatusCode::UNAUTHORIZED,
        "r",
        "WWW-Authenticate: Digest realm=\"s\", nonce=\"1\", qop=\"auth\"\r\n",
        "",
    );
    assert_eq!(bench.last("REGISTER").cseq().number, 6);
    assert!(bench.last("REGISTER").header(HeaderName::Authorization).is_some());
    bench.answer("REGISTER", StatusCode::OK, "r", "", "");
    let Event::Response { response, .. } = bench.event() else {
        panic!()
    };
    assert_eq!(response.status(), Some(StatusCode::OK));
    insta::assert_snapshot!(bench.ladder());
    bench.is_clean_after_a_while();
}

#[test]
fn a_request_of_ours_without_answer_fails_with_408() {
    let mut bench = Bench::new();
    bench.act(|endpoint, now| endpoint.request(now, register()));
    bench.secs(33);
    assert!(matches!(
        bench.event(),
        Event::RequestFailed {
            silence: Silence::Timeout,
            ..
        }
    ));
    assert_eq!(bench.count("REGISTER"), 11);
    bench.is_clean_after_a_while();
}

#[test]
fn a_refused_call_tells_why() {
    let mut bench = Bench::new();
    bench.invite(outgoing("sip:bob@192.0.2.9"));
    bench.answer(
        "INVITE",
        StatusCode::MOVED_TEMPORARILY,
        "x",
        "Contact: <sip:elsewhere@example.net>\r\n",
        "",
    );
    let Event::Ended {
        cause: Ended::Rejected { code, headers, .. },
        ..
    } = bench.event()
    else {
        panic!()
    };
    assert_eq!(
        (code, headers.contact().unwrap().uri.as_str()),
        (StatusCode::MOVED_TEMPORARILY, "sip:elsewhere@example.net")
    );
}
