//! To and from the types of the `rsip` crate, for applications that hold them, and what both must agree on.
//!
//! `rsip` reads fewer messages than we do and loses parts of some. A message that both accept must mean the
//! same, or the difference has a name in [`EXCEPTIONS`].

use std::fmt;

use bytes::Bytes;
use rsip::headers::{ToTypedHeader, UntypedHeader};
use rsip::message::{HasHeaders, HeadersExt};

use super::{HeaderName, Message, Method, ParseError, StartLine, StatusCode};
use crate::uri::{Host, Uri, UriError, UriRef};

/// Why something has no counterpart.
#[derive(Debug)]
pub enum InteropError {
    /// `rsip` knows no such method.
    Method(String),
    /// A value of `rsip` with a line end in it.
    LineEnd,
    /// `rsip` cannot express it.
    Theirs(rsip::Error),
    /// We refuse it.
    Ours(ParseError),
}

impl fmt::Display for InteropError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            InteropError::Method(name) => write!(f, "rsip knows no method {name}"),
            InteropError::LineEnd => f.write_str("a value with a line end"),
            InteropError::Theirs(error) => error.fmt(f),
            InteropError::Ours(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for InteropError {}

impl TryFrom<&Method> for rsip::Method {
    type Error = InteropError;
    fn try_from(method: &Method) -> Result<rsip::Method, InteropError> {
        // rsip compares without regard to case, we do not
        let other = || InteropError::Method(method.to_string());
        match method {
            Method::Other(_) => Err(other()),
            known => known.as_str().parse().map_err(|_| other()),
        }
    }
}

impl From<rsip::Method> for Method {
    fn from(method: rsip::Method) -> Method {
        Method::new(&method.to_string())
    }
}

impl TryFrom<UriRef<'_>> for rsip::Uri {
    type Error = InteropError;
    fn try_from(uri: UriRef<'_>) -> Result<rsip::Uri, InteropError> {
        rsip::Uri::try_from(uri.as_str()).map_err(InteropError::Theirs)
    }
}

impl TryFrom<&rsip::Uri> for Uri {
    type Error = UriError;
    fn try_from(uri: &rsip::Uri) -> Result<Uri, UriError> {
        Uri::parse(&uri.to_string())
    }
}

impl TryFrom<&Message> for rsip::SipMessage {
    type Error = InteropError;

    /// Lines are unfolded, names written out, and each `Via` gets a line of its own, since `rsip` reads one of a line.
    fn try_from(message: &Message) -> Result<rsip::SipMessage, InteropError> {
        let mut head = match message.start_line() {
            StartLine::Request { method, uri } => {
                rsip::Method::try_from(method)?;
                format!("{method} {uri} SIP/2.0\r\n")
            }
            StartLine::Response { code, reason } => format!("SIP/2.0 {code} {reason}\r\n"),
        };
        for (id, name, value) in message.fields() {
            let name = if id == HeaderName::Other {
                name
            } else {
                id.as_str()
            };
            if id == HeaderName::Via {
                for via in super::split_commas(value) {
                    head.push_str(&format!("{name}: {via}\r\n"));
                }
            } else {
                head.push_str(&format!("{name}: {value}\r\n"));
            }
        }
        head.push_str("\r\n");
        let mut theirs = rsip::SipMessage::try_from(head.as_bytes()).map_err(InteropError::Theirs)?;
        *theirs.body_mut() = message.body().to_vec();
        Ok(theirs)
    }
}

impl TryFrom<&rsip::SipMessage> for Message {
    type Error = InteropError;

    /// The result satisfies everything that [`Message::parse`] asks for.
    fn try_from(theirs: &rsip::SipMessage) -> Result<Message, InteropError> {
        let mut text = match theirs {
            rsip::SipMessage::Request(request) => format!("{} {} SIP/2.0\r\n", request.method, request.uri),
            rsip::SipMessage::Response(response) => {
                let code = response.status_code.code();
                let reason = StatusCode::try_from(code).map(StatusCode::reason);
                format!("SIP/2.0 {code} {}\r\n", reason.unwrap_or_default())
            }
        };
        for header in theirs.headers().iter() {
            let line = header.to_string();
            if line.contains(['\r', '\n']) {
                return Err(InteropError::LineEnd);
            }
            text.push_str(&line);
            text.push_str("\r\n");
        }
        text.push_str("\r\n");
        let mut octets = text.into_bytes();
        octets.extend_from_slice(theirs.body());
        Message::parse(octets.into()).map_err(InteropError::Ours)
    }
}

/// Something that the two read differently.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Part of the message.
    pub what: &'static str,
    /// Our reading.
    pub ours: String,
    /// Reading of `rsip`.
    pub theirs: String,
}

/// A difference that is known: its name, and how to recognise it.
pub type Exception = (&'static str, fn(&Message, &Difference) -> bool);

/// Every way in which `rsip` 0.4 may read something else than we do.
pub const EXCEPTIONS: &[Exception] = &[
    // the body then reaches to the end of the octets
    ("it ignores Content-Length", |_, d| {
        d.what == "body" && d.theirs.starts_with(&d.ours)
    }),
    // RFC 3261 §7.3.1 and peers that send LF alone
    ("it ends lines at CRLF only", |message, _| {
        let head = message.to_bytes();
        let head = &head[..head.len() - message.body().len()];
        head.iter()
            .enumerate()
            .any(|(i, b)| *b == b'\n' && (i == 0 || head[i - 1] != b'\r'))
    }),
    // Call-ID stays text there
    ("it keeps space behind a value", |_, d| {
        d.theirs.trim_end() == d.ours
    }),
    ("it takes every URI apart like a SIP URI", |message, d| {
        named_uri(message, d).is_some_and(|uri| !uri.is_sip())
    }),
    (
        "it takes the header part of a URI for a part of the host",
        |_, d| {
            d.theirs
                .strip_prefix(&d.ours)
                .is_some_and(|rest| rest.starts_with('?'))
        },
    ),
    // `sip:user;par=x@host`, RFC 4475 §3.1.1.9
    ("it ends a user part at `;`", |message, d| {
        let uri = named_uri(message, d);
        uri.and_then(|uri| uri.as_str().split_once('@'))
            .is_some_and(|(user, _)| user.contains([';', '?']))
    }),
    // `received=[2001:db8::1]` for instance; what follows is lost too
    (
        "it ends a parameter at the first character that is none of a token's",
        |message, d| {
            params(message, d).any(|(_, value)| value.is_some_and(|value| !super::params::is_token(value)))
        },
    ),
    ("it knows no space around `=`, `;` and `:`", |message, d| {
        let apart = |pair: &[u8]| {
            matches!(
                pair,
                [b'=' | b';' | b':', b' ' | b'\t'] | [b' ' | b'\t', b'=' | b';' | b':']
            )
        };
        line(message, d).is_some_and(|line| line.as_bytes().windows(2).any(apart))
    }),
    ("it knows no list of Via", |message, d| {
        d.what.starts_with("Via") && line(message, d).is_some_and(|line| line.contains(','))
    }),
    ("it compares methods without regard to case", |_, d| {
        ["method", "CSeq"].contains(&d.what) && d.ours.eq_ignore_ascii_case(&d.theirs)
    }),
    (
        "it finds the long form of a name although the compact one stands above",
        |message, d| {
            let id = HeaderName::of(d.what.split(' ').next().unwrap_or_default());
            message
                .fields()
                .any(|(own, name, _)| own == id && name.len() == 1)
        },
    ),
];

fn named_uri<'a>(message: &'a Message, difference: &Difference) -> Option<UriRef<'a>> {
    match difference.what {
        "Request-URI" => message.uri(),
        "From URI" => Some(message.from().uri),
        "To URI" => Some(message.to().uri),
        _ => None,
    }
}

fn line<'a>(message: &'a Message, difference: &Difference) -> Option<&'a str> {
    let (name, _) = difference.what.split_once(' ')?;
    message.header(HeaderName::of(name))
}

/// The parameters of the field in which the difference is.
fn params<'a>(
    message: &'a Message,
    difference: &Difference,
) -> impl Iterator<Item = (&'a str, Option<&'a str>)> + use<'a> {
    let params = match difference.what.split(' ').next() {
        Some("Via") => message.top_via().map(|via| via.params),
        Some("From") => Some(message.from().params),
        Some("To") => Some(message.to().params),
        _ => None,
    };
    params.unwrap_or_default().iter()
}

/// Differences between the two readings of these octets, without the [`EXCEPTIONS`]. Empty also if one of
/// them refuses the message, or a part of it.
#[must_use]
pub fn differences(octets: &[u8]) -> Vec<Difference> {
    let Ok(ours) = Message::parse(Bytes::copy_from_slice(octets)) else {
        return Vec::new();
    };
    let Ok(theirs) = rsip::SipMessage::try_from(octets) else {
        return Vec::new();
    };
    let mut found = facts(&ours, &theirs);
    found.retain(|difference| !EXCEPTIONS.iter().any(|(_, is_known)| is_known(&ours, difference)));
    found
}

fn facts(ours: &Message, theirs: &rsip::SipMessage) -> Vec<Difference> {
    let mut found = Vec::new();
    let mut compare = |what, ours: String, theirs: Option<String>| {
        if let Some(theirs) = theirs.filter(|theirs| *theirs != ours) {
            found.push(Difference { what, ours, theirs });
        }
    };
    let tag = |tag: Option<&str>| tag.unwrap_or_default().to_owned();
    let text = |value: &dyn fmt::Display| value.to_string();
    match theirs {
        rsip::SipMessage::Request(request) => {
            compare(
                "method",
                ours.method().map(Method::to_string).unwrap_or_default(),
                Some(text(&request.method)),
            );
            compare(
                "Request-URI",
                ours.uri().map(uri).unwrap_or_default(),
                Some(their_uri(&request.uri)),
            );
        }
        rsip::SipMessage::Response(response) => {
            let code = ours.status().map_or(0, StatusCode::get);
            compare("status", text(&code), Some(text(&response.status_code.code())));
        }
    }
    let via = theirs.via_header().ok().and_then(|via| via.typed().ok());
    if let (Some(own), Some(via)) = (ours.top_via(), via) {
        compare(
            "Via transport",
            own.transport.to_ascii_uppercase(),
            Some(text(&via.transport)),
        );
        compare(
            "Via sent-by",
            sent_by(own.host, own.port),
            Some(text(&via.uri.host_with_port)),
        );
        compare(
            "Via branch",
            tag(own.branch()),
            Some(tag(via.branch().map(|branch| branch.value()))),
        );
    }
    let from = theirs.from_header().ok().and_then(|from| from.typed().ok());
    if let Some(from) = from {
        compare(
            "From tag",
            tag(ours.from().tag()),
            Some(tag(from.tag().map(|tag| tag.value()))),
        );
        compare("From URI", uri(ours.from().uri), Some(their_uri(&from.uri)));
    }
    let to = theirs.to_header().ok().and_then(|to| to.typed().ok());
    if let Some(to) = to {
        compare(
            "To tag",
            tag(ours.to().tag()),
            Some(tag(to.tag().map(|tag| tag.value()))),
        );
        compare("To URI", uri(ours.to().uri), Some(their_uri(&to.uri)));
    }
    let cseq = theirs.cseq_header().ok().and_then(|cseq| cseq.typed().ok());
    if let Some(cseq) = cseq {
        compare(
            "CSeq",
            text(&ours.cseq()),
            Some(format!("{} {}", cseq.seq, cseq.method)),
        );
    }
    let call_id = theirs.call_id_header().ok().map(|id| id.value().to_owned());
    compare("Call-ID", ours.call_id().to_owned(), call_id);
    let octets = |octets: &[u8]| octets.escape_ascii().to_string();
    compare("body", octets(ours.body()), Some(octets(theirs.body())));
    found
}

fn sent_by(host: Host<'_>, port: Option<u16>) -> String {
    let port = port.map(|port| format!(":{port}")).unwrap_or_default();
    format!("{host}{port}")
}

/// User, host and port, which both take apart.
fn uri(uri: UriRef<'_>) -> String {
    let user = uri.user().map(|user| format!("{user}@")).unwrap_or_default();
    match uri.host() {
        Some(host) => format!("{user}{}", sent_by(host, uri.port())),
        None => uri.as_str().to_owned(),
    }
}

fn their_uri(uri: &rsip::Uri) -> String {
    let user = uri.user().map(|user| format!("{user}@")).unwrap_or_default();
    format!("{user}{}", uri.host_with_port)
}

#[cfg(test)]
mod tests {
    use super::*;

    const INVITE: &str = "INVITE sip:a@example.com SIP/2.0\r\n\
        v: SIP/2.0/UDP h:5070;branch=z9hG4bK1, SIP/2.0/TCP g;branch=z9hG4bK2\r\n\
        From: \"A\" <sip:b@example.com>;tag=1\r\n\
        To: <sip:a@example.com>\r\n\
        Call-ID: c\r\n\
        CSeq: 1\r\n INVITE\r\n\
        Subject: s\r\n\
        Content-Length: 3\r\n\r\n\x00\x7f\x01trailing";

    #[test]
    fn a_message_survives_the_way_there_and_back() {
        let ours = Message::parse(Bytes::from_static(INVITE.as_bytes())).unwrap();
        let theirs = rsip::SipMessage::try_from(&ours).unwrap();
        assert_eq!(
            (
                theirs
                    .via_header()
                    .unwrap()
                    .typed()
                    .unwrap()
                    .branch()
                    .unwrap()
                    .value(),
                &theirs.body()[..]
            ),
            ("z9hG4bK1", &b"\0\x7f\x01"[..])
        );
        let back = Message::try_from(&theirs).unwrap();
        assert_eq!((back.start_line(), back.body()), (ours.start_line(), ours.body()));
        assert_eq!(
            back.vias()
                .map(|via| via.branch().unwrap().len())
                .collect::<Vec<_>>(),
            [8, 8]
        );
        let fields = |message: &Message| -> Vec<(HeaderName, String)> {
            let others = message.fields().filter(|field| field.0 != HeaderName::Via);
            others.map(|(id, _, value)| (id, value.to_owned())).collect()
        };
        assert_eq!(fields(&back), fields(&ours));
    }

    #[test]
    fn what_has_no_counterpart_is_an_error() {
        assert!(matches!(
            rsip::Method::try_from(&Method::Other("FOO".into())),
            Err(InteropError::Method(_))
        ));
        assert_eq!(
            rsip::Method::try_from(&Method::Prack).unwrap(),
            rsip::Method::PRack
        );
        for method in rsip::Method::all() {
            assert_eq!(rsip::Method::try_from(&Method::from(method)).unwrap(), method);
        }
        let ours = Message::parse(Bytes::from_static(INVITE.as_bytes())).unwrap();
        let mut theirs = rsip::SipMessage::try_from(&ours).unwrap();
        theirs
            .headers_mut()
            .push(rsip::Header::Subject(rsip::headers::Subject::new("x\r\nVia: y")));
        assert!(matches!(Message::try_from(&theirs), Err(InteropError::LineEnd)));
    }

    #[test]
    fn uris_go_both_ways() {
        let ours = Uri::parse("sips:alice@example.com:5061;transport=tcp").unwrap();
        let theirs = rsip::Uri::try_from(ours.borrow()).unwrap();
        assert_eq!(
            (theirs.user(), theirs.port().map(|port| *port.value())),
            (Some("alice"), Some(5061))
        );
        assert_eq!(Uri::try_from(&theirs).unwrap(), ours);
    }

    #[test]
    fn a_difference_without_a_name_is_told() {
        let octets = INVITE
            .replace("CSeq: 1\r\n INVITE", "CSeq: 1 INVITE")
            .replace("trailing", "");
        assert_eq!(differences(octets.as_bytes()), []);
        let ours = Message::parse(octets.clone().into()).unwrap();
        let other = octets.replace("tag=1", "tag=2").replace("CSeq: 1", "CSeq: 2");
        let found = facts(&ours, &rsip::SipMessage::try_from(other.as_bytes()).unwrap());
        assert_eq!(
            found.iter().map(|d| d.what).collect::<Vec<_>>(),
            ["From tag", "CSeq"]
        );
        assert!(!EXCEPTIONS.iter().any(|(_, known)| known(&ours, &found[0])));
    }
}
