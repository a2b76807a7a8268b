use super::StatusCode;
use super::*;

fn parse(text: &str) -> Message {
    Message::parse(Bytes::copy_from_slice(text.as_bytes())).unwrap_or_else(|e| panic!("{e}: {text}"))
}

fn refused(text: &str) -> ParseError {
    Message::parse(Bytes::copy_from_slice(text.as_bytes())).expect_err(text)
}

const INVITE: &str = "INVITE sip:echo@example.com SIP/2.0\r\n\
    v: SIP/2.0/WSS x.invalid;branch=z9hG4bK1;rport, SIP/2.0/UDP [::1]:5070;branch=z9hG4bK0\r\n\
    Max-Forwards: 069\r\n\
    To: <sip:echo@example.com>\r\n\
    From: \"Al \\\"x\\\" ice\" <sip:alice@example.com>;tag=f1\r\n\
    Call-ID: c1\r\n\
    CSeq: 7 INVITE\r\n\
    Contact: <sip:7@x.invalid;transport=ws;ob>;+sip.instance=\"<urn:uuid:1-2>\";reg-id=1\r\n\
    Route: <sip:p1;lr>,\r\n <sip:p2;lr>\r\n\
    Supported: timer, outbound,\r\n\tgruu\r\n\
    X-Any : kept  as is \r\n\
    Content-Type: application/sdp;charset=utf-8\r\n\
    Content-Length: 4\r\n\r\nv=0\n";

#[test]
fn views_of_a_request() {
    let m = parse(INVITE);
    assert_eq!(
        m.start_line(),
        StartLine::Request {
            method: &Method::Invite,
            uri: "sip:echo@example.com"
        }
    );
    assert!(m.is_request() && m.is(&Method::Invite));
    assert_eq!(
        (m.method(), m.status(), m.reason()),
        (Some(&Method::Invite), None, "")
    );
    assert_eq!(m.uri().unwrap().user(), Some("echo"));
    let via = m.top_via().unwrap();
    assert_eq!(
        (via.transport, via.branch(), via.rport()),
        ("WSS", Some("z9hG4bK1"), Some(None))
    );
    assert_eq!(
        m.vias().map(|via| via.port_or_default()).collect::<Vec<_>>(),
        [443, 5070]
    );
    assert_eq!(m.via_count(), 2);
    assert_eq!(
        (m.from().tag(), m.from().display_name().as_ref()),
        (Some("f1"), "Al \"x\" ice")
    );
    assert_eq!(
        (m.to().tag(), m.to().uri.as_str()),
        (None, "sip:echo@example.com")
    );
    assert_eq!(
        (m.call_id(), m.cseq().number, m.cseq().method),
        ("c1", 7, Method::Invite)
    );
    assert_eq!(m.contacts().next().unwrap().instance(), Some("urn:uuid:1-2"));
    assert_eq!(m.contact().unwrap().uri.transport(), Some("ws"));
    assert_eq!(
        m.route().map(|r| r.uri.as_str()).collect::<Vec<_>>(),
        ["sip:p1;lr", "sip:p2;lr"]
    );
    assert_eq!(m.supported().collect::<Vec<_>>(), ["timer", "outbound", "gruu"]);
    assert_eq!(m.header(HeaderName::Supported), Some("timer, outbound, gruu"));
    assert!(m.supports("Outbound") && !m.supports("100rel"));
    assert_eq!(m.max_forwards(), Some(69));
    assert_eq!(m.header_named("x-any"), Some("kept  as is"));
    assert_eq!(m.header_named("Call-id"), Some("c1"));
    assert_eq!(m.header(HeaderName::Other), None);
    assert_eq!(m.content_type(), Some("application/sdp"));
    assert!(m.has_content_type("application/SDP"));
    assert_eq!((m.body(), &m.body_bytes()[..]), (&b"v=0\n"[..], &b"v=0\n"[..]));
    assert_eq!(m.to_bytes(), INVITE);
    assert_eq!(
        m.fields().nth(9),
        Some((HeaderName::Other, "X-Any", "kept  as is"))
    );
}

#[test]
fn a_folded_value_is_one_line_of_text() {
    for (folded, plain) in [
        ("s:\r\n a\r\n", "a"),
        ("s: a \r\n \t b\r\n", "a b"),
        ("s: a\n b\n", "a b"),
        ("s: a\r\n \r\n\tb\r\n", "a b"),
        ("s:\r\n\t\r\n", ""),
        ("s:\n", ""),
        ("s:\r\n", ""),
    ] {
        let text = INVITE.replace("X-Any : kept  as is \r\n", folded);
        let m = parse(&text);
        assert_eq!(m.header(HeaderName::Subject), Some(plain), "{folded:?}");
        assert_eq!(m.to_bytes(), text);
    }
}

#[test]
fn an_edit_changes_its_line_and_no_other() {
    let mut m = parse(INVITE);
    m.set(HeaderName::MaxForwards, 68).unwrap();
    m.set(HeaderName::Route, "<sip:p3;lr>").unwrap();
    m.append_named("X-New", "1").unwrap();
    let expected = INVITE
        .replace("<sip:p1;lr>,\r\n <sip:p2;lr>", "<sip:p3;lr>")
        .replace("Max-Forwards: 069", "Max-Forwards: 68")
        .replace("Content-Length: 4\r\n", "Content-Length: 4\r\nX-New: 1\r\n");
    assert_eq!(m.to_string(), expected);
    // a written message reads back the same
    assert_eq!(parse(&expected).to_bytes(), m.to_bytes());

    m.set_body("text/plain", "hello").unwrap();
    assert_eq!(
        (m.body(), m.content_type(), m.header(HeaderName::ContentLength)),
        (&b"hello"[..], Some("text/plain"), Some("5"))
    );
    assert!(
        m.to_string()
            .ends_with("X-New: 1\r\nContent-Length: 5\r\n\r\nhello")
    );
}

#[test]
fn an_edit_cannot_break_the_message() {
    let mut m = parse(INVITE);
    for (name, value) in [
        (HeaderName::From, "nobody"),
        (HeaderName::CSeq, "8 BYE"),
        (HeaderName::CSeq, "x INVITE"),
        (HeaderName::CallId, ""),
        (HeaderName::Contact, "<sip:a"),
        (HeaderName::Subject, "a\r\nVia: b"),
        (HeaderName::Subject, "a\0"),
        (HeaderName::ContentLength, "5"),
        (HeaderName::Other, "5"),
    ] {
        assert!(m.set(name, value).is_err(), "{name} {value:?}");
    }
    assert!(m.append_named("To", "<sip:x@y>").is_err());
    assert!(m.append_named("Max-Forwards", 1).is_err());
    assert!(m.append_named("X Y", 1).is_err());
    assert!(m.set_body("a\r\nb", "").is_err());
    assert_eq!(parse(&m.to_string()).to_bytes(), INVITE);
}

#[test]
fn a_request_is_built() {
    let m = Builder::request(Method::Register, "sip:example.com")
        .header(HeaderName::To, "<sip:a@example.com>")
        .header(
            HeaderName::From,
            Address::new("sip:a@example.com".parse().unwrap()).with_tag("t"),
        )
        .header(HeaderName::CallId, "c")
        .header(
            HeaderName::CSeq,
            CSeq {
                number: 1,
                method: Method::Register,
            },
        )
        .headers([("X-A", "1"), ("x-b", "2")])
        .body("text/plain", "hi")
        .build()
        .unwrap();
    let expected = "REGISTER sip:example.com SIP/2.0\r\nTo: <sip:a@example.com>\r\nFrom: <sip:a@example.com>;tag=t\r\nCall-ID: c\r\nCSeq: 1 REGISTER\r\nX-A: 1\r\nx-b: 2\r\nMax-Forwards: 70\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nhi";
    assert_eq!(m.to_bytes(), expected);
    assert_eq!(
        (m.from().tag(), m.header_named("X-B"), m.body()),
        (Some("t"), Some("2"), &b"hi"[..])
    );
    assert!(m.top_via().is_none());
}

#[test]
fn a_response_is_built_from_its_request() {
    let m = parse(INVITE);
    let response = Builder::response(&m, StatusCode::RINGING, "")
        .with_to_tag("t1")
        .copy(&m, HeaderName::Route)
        .build()
        .unwrap();
    assert_eq!(
        (response.status(), response.reason()),
        (Some(StatusCode::RINGING), "Ringing")
    );
    assert_eq!(response.vias().count(), 2);
    assert_eq!(
        (response.to().tag(), response.from().tag()),
        (Some("t1"), Some("f1"))
    );
    assert_eq!((response.call_id(), response.cseq()), (m.call_id(), m.cseq()));
    assert_eq!(
        response.header(HeaderName::Route),
        Some("<sip:p1;lr>, <sip:p2;lr>")
    );
    assert_eq!(parse(&response.to_string()).to_bytes(), response.to_bytes());
    // a tag that is there stays
    let again = Builder::response(
        &parse(&INVITE.replace("To: <sip:echo@example.com>", "To: sip:e@x;tag=old")),
        StatusCode::OK,
        "Fine",
    );
    let again = again.with_to_tag("new").build().unwrap();
    assert_eq!((again.to().tag(), again.reason()), (Some("old"), "Fine"));
}

#[test]
fn a_builder_lets_nothing_begin_a_line() {
    let base = || {
        Builder::request(Method::Bye, "sip:b")
            .header(HeaderName::To, "<sip:a@b>;tag=1")
            .header(HeaderName::From, "<sip:a@b>;tag=2")
            .header(HeaderName::CallId, "c")
            .header(HeaderName::CSeq, "2 BYE")
    };
    assert!(base().build().is_ok());
    for evil in ["a\r\nVia: x", "a\nb", "a\rb", "a\0b", "a\x7fb"] {
        assert_eq!(
            base().header(HeaderName::Subject, evil).build().unwrap_err(),
            BuildError::ControlCharacter("Subject".into())
        );
        assert!(base().header_named("X-Y", evil).build().is_err());
        assert!(base().header_named(evil, "v").build().is_err());
        assert!(base().body(evil, "").build().is_err());
        assert!(
            Builder::request(Method::Other(evil.into()), "sip:b")
                .build()
                .is_err()
        );
        assert!(Builder::request(Method::Bye, evil).build().is_err());
        assert!(
            Builder::response(&parse(INVITE), StatusCode::OK, evil)
                .build()
                .is_err()
        );
        assert!(
            Builder::response(&parse(INVITE), StatusCode::OK, "")
                .with_to_tag(evil)
                .build()
                .is_err()
        );
    }
    let invalid =
        |builder: Builder, defect| assert_eq!(builder.build().unwrap_err(), BuildError::Invalid(defect));
    invalid(
        Builder::request(Method::Bye, "sip:b"),
        Defect::Missing(HeaderName::From),
    );
    invalid(
        base().header(HeaderName::To, "<sip:a@b>"),
        Defect::Repeated(HeaderName::To),
    );
    invalid(
        base().header(HeaderName::Contact, "a b"),
        Defect::Malformed(HeaderName::Contact),
    );
    invalid(
        base().header(HeaderName::Subject, "s".repeat(limits::LINE)),
        Defect::LineTooLong,
    );
    invalid(base().body("a/b", vec![b'x'; limits::MESSAGE]), Defect::TooLarge);
    assert_eq!(
        base().header(HeaderName::ContentLength, 5).build().unwrap_err(),
        BuildError::Name("Content-Length".into())
    );
}

#[test]
fn octets_that_are_not_utf8_are_read_as_latin1_and_written_back_as_they_came() {
    let mut octets = INVITE.as_bytes().to_vec();
    let at = INVITE.find("Al \\\"").unwrap();
    octets[at] = 0xc4;
    octets[at + 1] = 0xff;
    let m = Message::parse(octets.clone().into()).unwrap();
    assert_eq!(m.from().display_name(), "\u{c4}\u{ff} \"x\" ice");
    assert_eq!(m.to_bytes(), octets);
}

#[test]
fn defects_and_what_is_answered() {
    let change = |from: &str, to: &str| refused(&INVITE.replace(from, to));
    let code = |error: &ParseError| error.rejected.as_ref().map(|r| r.code);
    for (error, defect, answer) in [
        (
            change("SIP/2.0\r\nv", "SIP/3.0\r\nv"),
            Defect::Version,
            Some(StatusCode::VERSION_NOT_SUPPORTED),
        ),
        (
            change("SIP/2.0\r\nv", "HTTP/1.1\r\nv"),
            Defect::StartLine,
            Some(StatusCode::BAD_REQUEST),
        ),
        (
            change("sip:echo@example.com SIP", "<sip:echo@example.com> SIP"),
            Defect::RequestUri,
            Some(StatusCode::BAD_REQUEST),
        ),
        (
            change("sip:echo@example.com SIP", "sip:echo@example.com?a=b SIP"),
            Defect::RequestUri,
            Some(StatusCode::BAD_REQUEST),
        ),
        (
            change("v: SIP", "v: SAP"),
            Defect::Malformed(HeaderName::Via),
            Some(StatusCode::BAD_REQUEST),
        ),
        (
            change("To: <sip:echo@example.com>", "To: <sip:echo@example.com>;tag"),
            Defect::Malformed(HeaderName::To),
            Some(StatusCode::BAD_REQUEST),
        ),
        // no space, although Unicode says so
        (
            change("v: SIP", "v: \u{a0}SIP"),
            Defect::Malformed(HeaderName::Via),
            Some(StatusCode::BAD_REQUEST),
        ),
        (change("v: SIP", "w: SIP"), Defect::Missing(HeaderName::Via), None),
        (
            change("Call-ID: c1\r\n", ""),
            Defect::Missing(HeaderName::CallId),
            Some(StatusCode::BAD_REQUEST),
        ),
        (
            change("Call-ID: c1\r\n", "i: c1\r\ni: c1\r\n"),
            Defect::Repeated(HeaderName::CallId),
            Some(StatusCode::BAD_REQUEST),
        ),
        (
            change("7 INVITE", "7 BYE"),
            Defect::MethodMismatch { known: true },
            Some(StatusCode::BAD_REQUEST),
        ),
        (
            change("INVITE sip", "NEW sip"),
            Defect::MethodMismatch { known: false },
            Some(StatusCode::NOT_IMPLEMENTED),
        ),
        (
            change("INVITE sip", "ACK sip"),
            Defect::MethodMismatch { known: true },
            None,
        ),
        (
            change("X-Any :", "X Any :"),
            Defect::HeaderLine,
            Some(StatusCode::BAD_REQUEST),
        ),
        (
            change("X-Any :", "X-Any"),
            Defect::HeaderLine,
            Some(StatusCode::BAD_REQUEST),
        ),
        (
            change("kept", "ke\0pt"),
            Defect::HeaderLine,
            Some(StatusCode::BAD_REQUEST),
        ),
        (
            change("kept", "ke\rpt"),
            Defect::HeaderLine,
            Some(StatusCode::BAD_REQUEST),
        ),
        (
            change("Call-ID: c1", "Call-ID:\rc1"),
            Defect::HeaderLine,
            Some(StatusCode::BAD_REQUEST),
        ),
        (
            change("Call-ID: c1", "Call-ID: c1\r"),
            Defect::HeaderLine,
            Some(StatusCode::BAD_REQUEST),
        ),
        (
            change("Call-ID: c1", "Call-ID:\r c1"),
            Defect::HeaderLine,
            Some(StatusCode::BAD_REQUEST),
        ),
        (
            change("Length: 4", "Length: 5"),
            Defect::BodyTooShort,
            Some(StatusCode::BAD_REQUEST),
        ),
        (
            change("Length: 4", "Length: 4\r\nl: 4"),
            Defect::Repeated(HeaderName::ContentLength),
            Some(StatusCode::BAD_REQUEST),
        ),
        (
            change("069", "256"),
            Defect::Malformed(HeaderName::MaxForwards),
            Some(StatusCode::BAD_REQUEST),
        ),
        (
            change("X-Any", &"X: y\r\n".repeat(256)),
            Defect::TooManyHeaders,
            Some(StatusCode::BAD_REQUEST),
        ),
        (
            change("X-Any", &"v: SIP/2.0/UDP h\r\n".repeat(69)),
            Defect::TooManyVias,
            Some(StatusCode::BAD_REQUEST),
        ),
        (
            change("kept", &"k".repeat(limits::LINE)),
            Defect::LineTooLong,
            Some(StatusCode::BAD_REQUEST),
        ),
        (
            change("v=0\n", &"v".repeat(limits::MESSAGE)),
            Defect::TooLarge,
            Some(StatusCode::MESSAGE_TOO_LARGE),
        ),
        (refused("SIP/2.0 700 x\r\n\r\n"), Defect::StartLine, None),
        (
            refused("SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP h\r\n\r\n"),
            Defect::Missing(HeaderName::From),
            None,
        ),
        (refused(""), Defect::Incomplete, None),
        (refused("\r\n\r\n"), Defect::Incomplete, None),
    ] {
        assert_eq!((error.defect, code(&error)), (defect, answer));
    }
}

#[test]
fn a_rejection_says_what_survived() {
    let text = INVITE
        .replace("7 INVITE", "x INVITE")
        .replace("Call-ID: c1", "Call-ID: c\u{1}1");
    let response = refused(&text)
        .rejected
        .unwrap()
        .response("tt", Some("192.0.2.1:9".parse().unwrap()));
    let expected = "SIP/2.0 400 Malformed Header Line\r\n\
        Via: SIP/2.0/WSS x.invalid;branch=z9hG4bK1;received=192.0.2.1;rport=9, SIP/2.0/UDP [::1]:5070;branch=z9hG4bK0\r\n\
        From: \"Al \\\"x\\\" ice\" <sip:alice@example.com>;tag=f1\r\n\
        To: <sip:echo@example.com>;tag=tt\r\n\
        CSeq: x INVITE\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(response, expected);
}
