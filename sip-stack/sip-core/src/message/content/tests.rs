//! Session descriptions in bodies of all kinds.

use super::*;

const SDP: &str = "v=0\r\nm=audio 1 RTP/AVP 0\r\n";

fn content(lines: &str, body: &str) -> Content {
    let text = format!(
        "INVITE sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nMax-Forwards: 70\r\nFrom: <sip:a@b>;tag=1\r\n\
         To: <sip:a@b>\r\nCall-ID: c\r\nCSeq: 1 INVITE\r\nContact: <sip:a@h>\r\n{lines}Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    Message::parse(Bytes::from(text)).unwrap().content()
}

/// Content of a multipart with these parts and their fields.
fn parts(kind: &str, parts: &[(&str, &str)]) -> Content {
    let mut body = String::from("preamble\r\n");
    for (fields, text) in parts {
        body.push_str(&format!("--b 1\r\n{fields}\r\n\r\n{text}\r\n"));
    }
    body.push_str("--b 1--\r\nepilogue\r\n--b 1\r\nContent-Type: application/sdp\r\n\r\nno part\r\n");
    content(&format!("Content-Type: {kind};boundary=\"b 1\"\r\n"), &body)
}

fn found(text: &str) -> Content {
    Content {
        session: Some(Bytes::copy_from_slice(text.as_bytes())),
        ..Content::default()
    }
}

const UNKNOWN: Content = Content {
    session: None,
    unknown: true,
    coded: false,
};

#[test]
fn a_description_alone() {
    assert_eq!(content("", ""), Content::default());
    assert_eq!(content("c: Application/SDP;charset=utf-8\r\n", SDP), found(SDP));
    assert_eq!(content("", SDP), UNKNOWN, "a body of a request has a type");
    let optional = "Content-Type: text/plain\r\nContent-Disposition: render;handling=optional\r\n";
    assert_eq!(content(optional, "x"), Content::default());
    let gzip = "Content-Type: application/sdp\r\nContent-Encoding: gzip\r\n";
    assert!(matches!(
        content(gzip, "x"),
        Content {
            session: None,
            unknown: true,
            coded: true
        }
    ));
    let early = "Content-Type: application/sdp\r\nContent-Disposition: early-session\r\n";
    assert_eq!(content(early, SDP), UNKNOWN);
}

#[test]
fn a_description_among_parts() {
    let sdp = ("Content-Type: application/sdp", SDP);
    let isup = ("Content-Type: application/isup;version=x", "\u{1}\r\n\u{2}");
    assert_eq!(parts("multipart/mixed", &[sdp, isup]), found(SDP));
    assert_eq!(parts("multipart/mixed", &[isup, sdp]), found(SDP));
    assert_eq!(
        parts("Multipart/Related", &[isup, sdp]),
        found(SDP),
        "of whatever kind"
    );
    let folded = (
        "Content-Type:\r\n application/sdp\r\nContent-Transfer-Encoding: binary",
        SDP,
    );
    assert_eq!(parts("multipart/mixed", &[folded]), found(SDP));
    let early = (
        "Content-Type: application/sdp\r\nContent-Disposition: early-session",
        "v=1",
    );
    assert_eq!(
        parts(
            "multipart/mixed",
            &[early, sdp, ("Content-Type: application/sdp", "v=2")]
        ),
        found(SDP)
    );
    let better = ("Content-Type: application/sdp", "v=better");
    assert_eq!(
        parts("multipart/alternative", &[sdp, better, isup]),
        found("v=better")
    );
    assert_eq!(parts("multipart/mixed", &[isup]), UNKNOWN);
    assert_eq!(parts("multipart/mixed", &[]), UNKNOWN);
    let optional = (
        "Content-Type: application/isup\r\nContent-Disposition: signal; handling=optional",
        "x",
    );
    assert_eq!(parts("multipart/mixed", &[optional]), Content::default());
    let required = (
        "Content-Type: application/isup\r\nContent-Disposition: signal;handling=REQUIRED",
        "x",
    );
    let both = parts("multipart/mixed", &[required, sdp]);
    assert_eq!(
        both,
        Content {
            unknown: true,
            ..found(SDP)
        }
    );
    assert_eq!(
        parts("multipart/alternative", &[required, sdp]),
        found(SDP),
        "one of them is enough"
    );
    let coded = (
        "Content-Type: application/sdp\r\nContent-Transfer-Encoding: base64",
        "dj0w",
    );
    assert!(matches!(
        parts("multipart/mixed", &[coded]),
        Content {
            session: None,
            unknown: true,
            coded: true
        }
    ));
}

#[test]
fn parts_of_parts_are_bounded() {
    let nested = |depth: usize| {
        let mut body = format!("Content-Type: application/sdp\r\n\r\n{SDP}");
        for level in (1..depth).rev() {
            body = format!(
                "Content-Type: multipart/mixed;boundary=b{level}\r\n\r\n--b{level}\r\n{body}\r\n--b{level}--"
            );
        }
        content(
            "Content-Type: multipart/mixed;boundary=b0\r\n",
            &format!("--b0\r\n{body}\r\n--b0--"),
        )
    };
    assert_eq!(nested(DEPTH), found(SDP));
    assert_eq!(nested(DEPTH + 1), UNKNOWN);
    let many = |count: usize| {
        let isup = ("Content-Type: application/isup", "x");
        let mut all = vec![isup; count];
        all.push(("Content-Type: application/sdp", SDP));
        parts("multipart/mixed", &all)
    };
    assert_eq!(many(PARTS - 1), found(SDP));
    assert_eq!(many(PARTS), UNKNOWN);
    let long = "b".repeat(BOUNDARY + 1);
    let lines = format!("Content-Type: multipart/mixed;boundary={long}\r\n");
    assert_eq!(
        content(
            &lines,
            &format!("--{long}\r\nContent-Type: application/sdp\r\n\r\n{SDP}")
        ),
        UNKNOWN
    );
}

#[test]
fn a_part_that_is_not_closed_reaches_to_the_end_and_lines_may_end_bare() {
    let lines = "Content-Type: multipart/mixed;boundary=b\r\n";
    assert_eq!(
        content(
            lines,
            &format!("--b\r\nContent-Type: application/sdp\r\n\r\n{SDP}")
        ),
        found(SDP)
    );
    assert_eq!(
        content(lines, "--b\nContent-Type: application/sdp\n\nv=0\n--b--\n"),
        found("v=0")
    );
    assert_eq!(
        content(lines, "--b  \r\nContent-Type: application/sdp"),
        found(""),
        "no content"
    );
    assert_eq!(
        content(lines, "--bb\r\nContent-Type: application/sdp\r\n\r\nv=0"),
        UNKNOWN
    );
}
