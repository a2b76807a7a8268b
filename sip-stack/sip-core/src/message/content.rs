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
mod tests;
