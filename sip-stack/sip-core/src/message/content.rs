//! The session description in a body, wherever it is (RFC 3261 §7.4, RFC 5621).
//!
//! A body is a description, something else, or several of both in a multipart. Parts other than descriptions
//! are ignored here, unless a request says that they must be understood.

use std::ops::Range;

use bytes::Bytes;
use memchr::memchr;

use super::params::Params;
use super::{HeaderName, Message, Method};

/// Depth to which multiparts within multiparts are read; deeper ones count as unreadable.
const DEPTH: usize = 4;
/// Number of parts, of all multiparts of a message, that are read; later ones are ignored.
const PARTS: usize = 32;
/// Longest boundary (RFC 2046 §5.1.1).
const BOUNDARY: usize = 70;

/// Multiparts as `Accept` lists them. Others are read as `multipart/mixed` (RFC 2046 §5.1.7).
pub const MULTIPARTS: [&str; 2] = ["multipart/mixed", "multipart/alternative"];

/// Parts of a body that we understand, and demands of the others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Content {
    /// The session description; `None` if the message has none.
    pub session: Option<Bytes>,
    /// True if something must be understood and is not: for a request a reason to answer 415 (RFC 3261
    /// §8.2.3), for a response of no consequence.
    pub unknown: bool,
    /// True if it is not understood because of its encoding.
    pub coded: bool,
}

/// Fields of a body, or of a part of one, that describe it.
#[derive(Clone, Copy, Default)]
struct Fields<'a> {
    kind: Option<&'a str>,
    disposition: Option<&'a str>,
    /// True if it is encoded in a way that is not read here.
    coded: bool,
}

/// Findings in a part, and in those within it.
#[derive(Default)]
struct Found {
    session: Option<Range<usize>>,
    unknown: bool,
    coded: bool,
}

impl Message {
    /// Looks for the session description in the body: as the whole of it, or as a part of a multipart of any kind.
    ///
    /// The first counts of several descriptions in a row, the last of alternatives, which is the best (RFC 2046 §5.1.4). One
    /// with the disposition `early-session` (RFC 3959) is for another session. A part that is no description has to be
    /// understood where it says `handling=required` itself: peers that put ISUP or a location beside a description leave the
    /// disposition out, and do not expect a refusal. A body that has no description at all has to be understood unless it
    /// says `handling=optional` (RFC 3261 §20.11).
    #[must_use]
    pub fn content(&self) -> Content {
        let body = self.body();
        if body.is_empty() {
            return Content::default();
        }
        let fields = Fields {
            // A response or an ACK cannot be refused for a missing type.
            kind: self
                .header(HeaderName::ContentType)
                .or((!self.is_request() || self.is(&Method::Ack)).then_some("application/sdp")),
            disposition: self.header(HeaderName::ContentDisposition),
            coded: self
                .headers(HeaderName::ContentEncoding)
                .any(|coding| !is_plain(coding)),
        };
        let found = look(body, 0..body.len(), &fields, 0, &mut { PARTS });
        Content {
            session: found.session.map(|at| self.body_bytes().slice(at)),
            unknown: found.unknown,
            coded: found.coded,
        }
    }
}

fn look(body: &[u8], at: Range<usize>, fields: &Fields<'_>, depth: usize, parts: &mut usize) -> Found {
    let required = match handling(fields) {
        Some(handling) => !handling.eq_ignore_ascii_case("optional"),
        None => depth == 0,
    };
    let not_understood = Found {
        session: None,
        unknown: required,
        coded: fields.coded,
    };
    if fields.coded {
        return not_understood;
    }
    let (kind, params) = split(fields.kind.unwrap_or("text/plain"));
    if kind.eq_ignore_ascii_case("application/sdp") {
        let early = fields
            .disposition
            .is_some_and(|it| split(it).0.eq_ignore_ascii_case("early-session"));
        return match early {
            true => not_understood,
            false => Found {
                session: Some(at),
                ..Found::default()
            },
        };
    }
    let multipart = kind
        .split_once('/')
        .filter(|(top, _)| top.eq_ignore_ascii_case("multipart"));
    let boundary = params
        .get("boundary")
        .filter(|boundary| (1..=BOUNDARY).contains(&boundary.len()));
    let (Some((_, sub)), Some(boundary), true) = (multipart, boundary, depth < DEPTH) else {
        return not_understood;
    };
    within(body, at, (sub, boundary), required, depth, parts)
}

/// Reads the parts of a multipart.
fn within(
    body: &[u8],
    at: Range<usize>,
    (sub, boundary): (&str, &str),
    required: bool,
    depth: usize,
    parts: &mut usize,
) -> Found {
    let alternative = sub.eq_ignore_ascii_case("alternative");
    let mut found = Found::default();
    let mut all_optional = None;
    for part in Parts::new(body, at, boundary) {
        let Some(left) = parts.checked_sub(1) else { break };
        *parts = left;
        let (fields, content) = part_fields(body, part);
        all_optional = Some(all_optional.unwrap_or(true) && is_optional(&fields));
        let inner = look(body, content, &fields, depth + 1, parts);
        match inner.session {
            Some(session) if alternative || found.session.is_none() => found.session = Some(session),
            _ => {}
        }
        found.unknown |= inner.unknown;
        found.coded |= inner.coded;
    }
    if found.session.is_none() {
        found.unknown |= required && all_optional != Some(true);
    } else if alternative {
        found.unknown = false; // one of them is enough
    }
    found
}

/// The parts of a multipart between its delimiter lines (RFC 2046 §5.1.1). A multipart that is not closed
/// reaches to the end.
struct Parts<'a> {
    body: &'a [u8],
    boundary: &'a [u8],
    /// Beginning of the next part; `None` behind the last.
    next: Option<usize>,
    end: usize,
}

impl<'a> Parts<'a> {
    fn new(body: &'a [u8], at: Range<usize>, boundary: &'a str) -> Parts<'a> {
        let mut parts = Parts {
            body,
            boundary: boundary.as_bytes(),
            next: None,
            end: at.end,
        };
        // Octets before the first delimiter are a preamble.
        parts.next = parts.delimiter(at.start).and_then(|(_, next)| next);
        parts
    }

    /// Next delimiter line at or after `from`, the start of a line: the end of the part before it, and the
    /// beginning of the part after it, `None` if it is the last.
    fn delimiter(&self, from: usize) -> Option<(usize, Option<usize>)> {
        let mut at = from;
        while at < self.end {
            let line_end = memchr(b'\n', &self.body[at..self.end]).map_or(self.end, |n| at + n + 1);
            let line = self.body[at..line_end].trim_ascii_end();
            if let Some(rest) = line
                .strip_prefix(b"--")
                .and_then(|line| line.strip_prefix(self.boundary))
                && (rest.is_empty() || rest == b"--")
            {
                // The line end before a delimiter belongs to the delimiter.
                let before = &self.body[from..at];
                let before = before.strip_suffix(b"\n").unwrap_or(before);
                let before = before.strip_suffix(b"\r").unwrap_or(before);
                return Some((from + before.len(), rest.is_empty().then_some(line_end)));
            }
            at = line_end;
        }
        None
    }
}

impl Iterator for Parts<'_> {
    type Item = Range<usize>;

    fn next(&mut self) -> Option<Range<usize>> {
        let from = self.next.take()?;
        match self.delimiter(from) {
            Some((end, next)) => {
                self.next = next;
                Some(from..end)
            }
            None => Some(from..self.end),
        }
    }
}

/// Header fields of a part, and the range of its content.
fn part_fields(body: &[u8], part: Range<usize>) -> (Fields<'_>, Range<usize>) {
    let mut fields = Fields::default();
    let mut at = part.start;
    while at < part.end {
        let mut end = line_end(body, at, part.end);
        if body[at..end].trim_ascii().is_empty() {
            return (fields, end..part.end);
        }
        // A folded line goes on (RFC 5322 §2.2.3).
        while end < part.end && matches!(body[end], b' ' | b'\t') {
            end = line_end(body, end, part.end);
        }
        let line = std::str::from_utf8(&body[at..end]).unwrap_or_default();
        if let Some((name, value)) = line.split_once(':') {
            let value = value.trim();
            match HeaderName::of(name.trim()) {
                HeaderName::ContentType => fields.kind = Some(value),
                HeaderName::ContentDisposition => fields.disposition = Some(value),
                HeaderName::ContentEncoding => fields.coded |= !is_plain(value),
                _ if name.trim().eq_ignore_ascii_case("Content-Transfer-Encoding") => {
                    fields.coded |= !is_plain(value);
                }
                _ => {}
            }
        }
        at = end;
    }
    (fields, part.end..part.end)
}

fn line_end(body: &[u8], at: usize, end: usize) -> usize {
    memchr(b'\n', &body[at..end]).map_or(end, |n| at + n + 1)
}

/// True for a coding that leaves the octets as they are.
fn is_plain(coding: &str) -> bool {
    ["identity", "binary", "8bit", "7bit"]
        .iter()
        .any(|plain| coding.trim().eq_ignore_ascii_case(plain))
}

fn is_optional(fields: &Fields<'_>) -> bool {
    handling(fields).is_some_and(|handling| handling.eq_ignore_ascii_case("optional"))
}

/// `handling` of a Content-Disposition (RFC 3261 §20.11).
fn handling<'a>(fields: &Fields<'a>) -> Option<&'a str> {
    split(fields.disposition?).1.get("handling")
}

/// A value and its parameters.
fn split(value: &str) -> (&str, Params<'_>) {
    let (head, params) = value.split_at(value.find(';').unwrap_or(value.len()));
    (head.trim(), Params::new(params))
}

#[cfg(test)]
mod tests {
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
}
