use std::fmt;
use std::net::SocketAddr;

use bytes::Bytes;

use super::params::trim;
use super::parse::{has_controls, next_line, unfold};
use super::{HeaderName, StatusCode, Via, limits};

/// Defect of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Defect {
    /// The message ends before its header block does.
    Incomplete,
    /// The start line is neither a request's nor a response's.
    StartLine,
    /// A version other than `SIP/2.0`.
    Version,
    /// The Request-URI is malformed or has headers.
    RequestUri,
    /// A line without a colon, with a name that is no token, or with control characters.
    HeaderLine,
    /// A field that there must be is not there.
    Missing(HeaderName),
    /// A field that may be there once is there more often.
    Repeated(HeaderName),
    /// The value of this field does not follow its grammar.
    Malformed(HeaderName),
    /// `CSeq` names another method than the request line.
    MethodMismatch {
        /// The request line's is one of ours.
        known: bool,
    },
    /// `Content-Length` announces more than there is.
    BodyTooShort,
    /// Over [`limits::MESSAGE`].
    TooLarge,
    /// Over [`limits::LINE`].
    LineTooLong,
    /// Over [`limits::HEADERS`].
    TooManyHeaders,
    /// Over [`limits::VIAS`].
    TooManyVias,
}

impl Defect {
    /// The status code to answer a request with.
    #[must_use]
    pub const fn code(self) -> StatusCode {
        match self {
            Defect::Version => StatusCode::VERSION_NOT_SUPPORTED,
            Defect::TooLarge => StatusCode::MESSAGE_TOO_LARGE,
            // RFC 4475 §3.1.2.18 prefers this to 400
            Defect::MethodMismatch { known: false } => StatusCode::NOT_IMPLEMENTED,
            _ => StatusCode::BAD_REQUEST,
        }
    }

    /// Reason phrase to answer with; for a 400 it describes the defect (RFC 3261 §21.4.1).
    #[must_use]
    pub fn reason(self) -> String {
        match self {
            Defect::Version => StatusCode::VERSION_NOT_SUPPORTED.reason().to_owned(),
            Defect::TooLarge => StatusCode::MESSAGE_TOO_LARGE.reason().to_owned(),
            Defect::MethodMismatch { known: false } => StatusCode::NOT_IMPLEMENTED.reason().to_owned(),
            other => other.to_string(),
        }
    }
}

impl fmt::Display for Defect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Defect::Incomplete => f.write_str("Incomplete Message"),
            Defect::StartLine => f.write_str("Malformed Start Line"),
            Defect::Version => f.write_str("SIP Version Not Supported"),
            Defect::RequestUri => f.write_str("Malformed Request-URI"),
            Defect::HeaderLine => f.write_str("Malformed Header Line"),
            Defect::Missing(name) => write!(f, "Missing {name} Header Field"),
            Defect::Repeated(name) => write!(f, "More Than One {name} Header Field"),
            Defect::Malformed(name) => write!(f, "Malformed {name} Header Field"),
            Defect::MethodMismatch { .. } => f.write_str("CSeq Method Mismatch"),
            Defect::BodyTooShort => f.write_str("Content-Length Larger Than Message"),
            Defect::TooLarge => f.write_str("Message Too Large"),
            Defect::LineTooLong => f.write_str("Header Line Too Long"),
            Defect::TooManyHeaders => f.write_str("Too Many Header Fields"),
            Defect::TooManyVias => f.write_str("Too Many Via Header Fields"),
        }
    }
}

/// Why octets are no message.
#[derive(Clone, Debug)]
pub struct ParseError {
    /// The defect.
    pub defect: Defect,
    /// Answer to send. `None` if there must be none: to a response, an ACK, or octets that cannot be a request.
    pub rejected: Option<Rejected>,
}

impl ParseError {
    pub(crate) fn new(defect: Defect, buf: &Bytes) -> ParseError {
        ParseError {
            defect,
            rejected: Rejected::new(defect, buf),
        }
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.defect.fmt(f)
    }
}

impl std::error::Error for ParseError {}

/// A malformed request that can be answered from what survived of it.
#[derive(Clone, Debug)]
pub struct Rejected {
    /// 400, 501, 505 or 513.
    pub code: StatusCode,
    /// Reason phrase.
    pub reason: String,
    request: Bytes,
}

impl Rejected {
    fn new(defect: Defect, buf: &Bytes) -> Option<Rejected> {
        // no more of it is read than a message may have
        let request = buf.slice(..buf.len().min(limits::MESSAGE));
        let start = request.iter().position(|b| !matches!(b, b'\r' | b'\n'))?;
        let line = &request[start..];
        let method = &line[..line.iter().position(|b| matches!(b, b' ' | b'\r' | b'\n'))?];
        let is_response = method.len() >= 4 && method[..4].eq_ignore_ascii_case(b"SIP/");
        if is_response || method == b"ACK" {
            return None;
        }
        let rejected = Rejected {
            code: defect.code(),
            reason: defect.reason(),
            request,
        };
        let has_via = rejected.fields().any(|(id, _)| id == HeaderName::Via);
        has_via.then_some(rejected)
    }

    /// The response: every `Via`, the first `From`, `To`, `Call-ID` and `CSeq` that can be repeated without harm, `To`
    /// with `to_tag` when it has none. The topmost `Via` records `source` (RFC 3261 §18.2.1) when it can be read.
    #[must_use]
    pub fn response(&self, to_tag: &str, source: Option<SocketAddr>) -> Bytes {
        let mut out = format!("SIP/2.0 {} {}\r\n", self.code, self.reason);
        let mut line = |id: HeaderName, value: &str| {
            out.push_str(id.as_str());
            out.push_str(": ");
            out.push_str(value);
            out.push_str("\r\n");
        };
        let mut top = true;
        for (_, value) in self.fields().filter(|(id, _)| *id == HeaderName::Via) {
            let stamped = match source.filter(|_| top) {
                Some(source) => stamped(&value, source),
                None => None,
            };
            top = false;
            line(HeaderName::Via, stamped.as_deref().unwrap_or(&value));
        }
        for id in [
            HeaderName::From,
            HeaderName::To,
            HeaderName::CallId,
            HeaderName::CSeq,
        ] {
            let Some((_, mut value)) = self.fields().find(|(other, _)| *other == id) else {
                continue;
            };
            let tagged = super::NameAddr::parse(&value).map(|to| to.tag().is_some());
            if id == HeaderName::To && tagged == Some(false) {
                value.push_str(";tag=");
                value.push_str(to_tag);
            }
            line(id, &value);
        }
        out.push_str("Content-Length: 0\r\n\r\n");
        out.into()
    }

    /// Fields that can be repeated: unfolded, UTF-8, without control characters.
    fn fields(&self) -> impl Iterator<Item = (HeaderName, String)> + '_ {
        let mut rest = &self.request[..];
        rest = rest.trim_ascii_start();
        rest = next_line(rest).1;
        let mut left = limits::HEADERS;
        std::iter::from_fn(move || {
            while !rest.is_empty() && left > 0 {
                left -= 1;
                let (line, behind) = next_line(rest);
                rest = behind;
                if line.is_empty() {
                    return None;
                }
                let Some(colon) = memchr::memchr(b':', line) else {
                    continue;
                };
                let id = HeaderName::of_bytes(line[..colon].trim_ascii_end());
                let value = unfold(&line[colon + 1..]);
                if id == HeaderName::Other
                    || value.is_empty()
                    || value.len() > limits::LINE
                    || has_controls(&value)
                {
                    continue;
                }
                if let Ok(value) = String::from_utf8(value) {
                    return Some((id, value));
                }
            }
            None
        })
    }
}

/// `value` with its first element stamped, when that can be read.
fn stamped(value: &str, source: SocketAddr) -> Option<String> {
    let end = super::params::find_outside(value, |b| b == b',').unwrap_or(value.len());
    let top = Via::parse(trim(&value[..end]))?.stamped(source);
    Some(format!("{top}{}", &value[end..]))
}
