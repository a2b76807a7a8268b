//! The body of a SIP message, and the session description in it.

use bytes::Bytes;
use sip_core::message::Message;

use super::Target;

/// See the module.
pub const TARGET: Target = Target {
    name: "body",
    seeds,
    words: WORDS,
    run,
};

const WORDS: &[&str] = &[
    "Content-Type: ",
    "c: ",
    "application/sdp",
    "application/isup",
    "multipart/mixed",
    "multipart/alternative",
    ";boundary=",
    "\"edge\"",
    "edge",
    "inner",
    "--edge",
    "--edge--",
    "--inner",
    "--inner--",
    "--",
    "Content-Disposition: session",
    "Content-Disposition: early-session",
    ";handling=required",
    ";handling=optional",
    "Content-Encoding: gzip",
    "Content-Transfer-Encoding: base64",
    "\r\n",
    "\r\n ",
    "\r\n\r\n",
    "\n",
    "\n\n",
    "v=0\r\n",
    ":",
    "\0",
    "\u{44e}",
];

/// Inputs: the header lines that describe the body, an empty line, the body.
fn seeds() -> Vec<Vec<u8>> {
    OWN.iter()
        .map(|text| text.replace('\n', "\r\n").into_bytes())
        .collect()
}

const OWN: &[&str] = &[
    "Content-Type: application/sdp

v=0
m=audio 4000 RTP/AVP 0
",
    "Content-Type: multipart/mixed;boundary=edge
MIME-Version: 1.0

--edge
Content-Type: application/isup;version=itu-t92+
Content-Disposition: signal;handling=optional

\u{1}\u{11}
--edge
Content-Type: application/sdp
Content-Disposition: session;handling=required

v=0
--edge--
",
    "Content-Type: multipart/mixed; boundary=\"edge\"
Content-Encoding: identity

preamble
--edge
Content-Type: multipart/alternative;boundary=inner

--inner
c: application/sdp

v=0
--inner
Content-Type:
 application/sdp

v=1
--inner--

--edge
Content-Type: application/pidf+xml
Content-ID: <x@a.example>

<presence/>
--edge--
epilogue
",
];

/// Nothing panics; the finding is a piece of the body, whatever surrounds it; a body that is one description
/// is found whole; and every octet is read a bounded number of times.
pub fn run(input: &[u8]) {
    let split = input.windows(4).position(|four| four == b"\r\n\r\n");
    let (lines, body) = match split {
        Some(at) => (&input[..at + 2], &input[at + 4..]),
        None => (&b"Content-Type: multipart/mixed;boundary=edge\r\n"[..], input),
    };
    for head in [
        "INVITE sip:a@b SIP/2.0\r\nMax-Forwards: 70\r\nContact: <sip:a@h>\r\nCSeq: 1 INVITE\r\n",
        "SIP/2.0 183 x\r\nCSeq: 1 INVITE\r\n",
    ] {
        let mut text = head.as_bytes().to_vec();
        text.extend_from_slice(
            b"Via: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:a@b>\r\nCall-ID: c\r\n",
        );
        text.extend_from_slice(lines);
        text.extend_from_slice(format!("Content-Length: {}\r\n\r\n", body.len()).as_bytes());
        text.extend_from_slice(body);
        let Ok(message) = Message::parse(Bytes::from(text)) else {
            continue;
        };
        let whole = message.body_bytes();
        let content = message.content();
        if let Some(session) = &content.session {
            let (from, to) = (whole.as_ptr() as usize, whole.as_ptr() as usize + whole.len());
            let at = session.as_ptr() as usize;
            assert!(
                session.is_empty() || (at >= from && at + session.len() <= to),
                "not of the body"
            );
        }
        if whole.is_empty() {
            assert_eq!(content.session, None);
            assert!(!content.unknown);
        }
        if message.has_content_type("application/sdp") && !content.coded && !whole.is_empty() {
            let found = content.session.as_ref().is_none_or(|session| *session == whole);
            assert!(found, "a description alone is found whole or not at all");
        }
        assert_eq!(content, message.content(), "looking changes nothing");
    }
}
