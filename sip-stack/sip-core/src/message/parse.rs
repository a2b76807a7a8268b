use bytes::Bytes;
use memchr::{memchr, memrchr};

use super::params::is_token_char;
use super::reject::{Defect, ParseError};
use super::text::{Slot, Span, Text};
use super::{HeaderName, Message, Method, Start, StatusCode, limits};

impl Message {
    /// Takes one message apart: a datagram, a WebSocket frame, or what the stream framer cut out. Octets behind
    /// `Content-Length` are ignored (RFC 3261 §18.3); without it the body reaches to the end. Lines may end in LF alone.
    pub fn parse(buf: Bytes) -> Result<Message, ParseError> {
        match index(&buf) {
            Ok(message) => match super::check::received(&message) {
                Ok(()) => Ok(message),
                Err(defect) => Err(ParseError::new(defect, &buf)),
            },
            Err(defect) => Err(ParseError::new(defect, &buf)),
        }
    }
}

fn index(buf: &Bytes) -> Result<Message, Defect> {
    let octets = &buf[..];
    if octets.len() > limits::MESSAGE {
        return Err(Defect::TooLarge);
    }
    // RFC 3261 §7.5
    let mut at = octets.iter().take_while(|b| matches!(b, b'\r' | b'\n')).count();
    let line_end = at + memchr(b'\n', &octets[at..]).ok_or(Defect::Incomplete)?;
    let start_line = Span::new(at, line_end + 1);
    if start_line.len() > limits::LINE {
        return Err(Defect::LineTooLong);
    }
    let start_end = if octets[..line_end].ends_with(b"\r") {
        line_end - 1
    } else {
        line_end
    };
    let start = start(octets, at, start_end)?;
    let mut text = Text::new(buf.clone());
    let mut slots = Vec::with_capacity(32);
    let mut length = None;
    at = line_end + 1;
    let body_at = loop {
        match octets.get(at) {
            None => return Err(Defect::Incomplete),
            Some(b'\n') => break at + 1,
            Some(b'\r') if octets.get(at + 1) == Some(&b'\n') => break at + 2,
            Some(_) => {}
        }
        let slot = header(octets, at, &mut text)?;
        at += slot.line.len();
        if slots.len() == limits::HEADERS {
            return Err(Defect::TooManyHeaders);
        }
        if slot.id == HeaderName::ContentLength {
            // an unclear length is no basis to go on
            if length.is_some() {
                return Err(Defect::Repeated(HeaderName::ContentLength));
            }
            length = Some(content_length(text.octets(slot.value))?);
        }
        slots.push(slot);
    };
    let rest = octets.len() - body_at;
    let length = length.unwrap_or(rest);
    if length > rest {
        return Err(Defect::BodyTooShort);
    }
    let mut message = Message {
        text,
        start,
        start_line,
        slots,
        body: Span::new(body_at, body_at + length),
        new_body: None,
        edited: false,
    };
    if std::str::from_utf8(&octets[..body_at]).is_err() {
        message.make_utf8();
    }
    Ok(message)
}

fn start(octets: &[u8], from: usize, to: usize) -> Result<Start, Defect> {
    let line = &octets[from..to];
    if line.len() >= 4 && line[..4].eq_ignore_ascii_case(b"SIP/") {
        let space = memchr(b' ', line).ok_or(Defect::StartLine)?;
        if !line[..space].eq_ignore_ascii_case(b"SIP/2.0") {
            return Err(Defect::Version);
        }
        let rest = &line[space + 1..];
        let (digits, reason_at) = match memchr(b' ', rest) {
            Some(end) => (&rest[..end], space + 1 + end + 1),
            // the SP before an empty reason phrase is often forgotten
            None => (rest, line.len()),
        };
        let code = match digits {
            [a @ b'1'..=b'6', b @ b'0'..=b'9', c @ b'0'..=b'9'] => {
                u16::from(a - b'0') * 100 + u16::from(b - b'0') * 10 + u16::from(c - b'0')
            }
            _ => return Err(Defect::StartLine),
        };
        let code = StatusCode::try_from(code).map_err(|_| Defect::StartLine)?;
        if line[reason_at..]
            .iter()
            .any(|b| (*b < b' ' && *b != b'\t') || *b == 0x7f)
        {
            return Err(Defect::StartLine);
        }
        return Ok(Start::Response {
            code,
            reason: Span::new(from + reason_at, to),
        });
    }
    let method_end = memchr(b' ', line).ok_or(Defect::StartLine)?;
    let uri_end = memrchr(b' ', line).ok_or(Defect::StartLine)?;
    let method = &line[..method_end];
    if method.is_empty() || !method.iter().all(|b| is_token_char(*b)) {
        return Err(Defect::StartLine);
    }
    let version = &line[uri_end + 1..];
    if !version.eq_ignore_ascii_case(b"SIP/2.0") {
        return Err(if is_sip_version(version) {
            Defect::Version
        } else {
            Defect::StartLine
        });
    }
    // one SP between the parts and none in the URI
    if uri_end <= method_end + 1 || memchr(b' ', &line[method_end + 1..uri_end]).is_some() {
        return Err(Defect::StartLine);
    }
    let method = std::str::from_utf8(method).map_err(|_| Defect::StartLine)?;
    Ok(Start::Request {
        method: Method::new(method),
        uri: Span::new(from + method_end + 1, from + uri_end),
    })
}

/// `SIP/` and a version that is not ours.
fn is_sip_version(text: &[u8]) -> bool {
    let number = text.get(4..).unwrap_or_default();
    text.len() > 4
        && text[..4].eq_ignore_ascii_case(b"SIP/")
        && number.split(|b| *b == b'.').count() == 2
        && number
            .split(|b| *b == b'.')
            .all(|part| !part.is_empty() && part.iter().all(u8::is_ascii_digit))
}

/// The header field whose line begins at `at`.
fn header(octets: &[u8], at: usize, text: &mut Text) -> Result<Slot, Defect> {
    let mut line_end = at + memchr(b'\n', &octets[at..]).ok_or(Defect::Incomplete)?;
    let colon = at + memchr(b':', &octets[at..line_end]).ok_or(Defect::HeaderLine)?;
    let mut folded = false;
    while matches!(octets.get(line_end + 1), Some(b' ' | b'\t')) {
        folded = true;
        line_end = line_end + 1 + memchr(b'\n', &octets[line_end + 1..]).ok_or(Defect::Incomplete)?;
    }
    if line_end + 1 - at > limits::LINE {
        return Err(Defect::LineTooLong);
    }
    let mut name_end = colon;
    while name_end > at && matches!(octets[name_end - 1], b' ' | b'\t') {
        name_end -= 1;
    }
    let name = &octets[at..name_end];
    if name.is_empty() || !name.iter().all(|b| is_token_char(*b)) {
        return Err(Defect::HeaderLine);
    }
    // a CR that is not part of a line end is no space: some peers would begin a line there
    let value_end = if octets[line_end - 1] == b'\r' {
        line_end - 1
    } else {
        line_end
    };
    let value = trim_blanks(octets, colon + 1, value_end.max(colon + 1));
    let unfolded;
    let (value_octets, value_span) = if folded {
        unfolded = unfold(&octets[value.0..value.1]);
        (&unfolded[..], text.keep(&unfolded))
    } else {
        (&octets[value.0..value.1], Span::new(value.0, value.1))
    };
    if has_controls(value_octets) {
        return Err(Defect::HeaderLine);
    }
    Ok(Slot {
        id: HeaderName::of_bytes(name),
        // fits: the line is at most 16 KiB
        name_len: name.len() as u16,
        line: Span::new(at, line_end + 1),
        value: value_span,
    })
}

/// A line with its continuations, without line end, and what follows it.
pub(crate) fn next_line(octets: &[u8]) -> (&[u8], &[u8]) {
    let mut end = 0;
    loop {
        match memchr::memchr(b'\n', &octets[end..]) {
            None => return (octets, &[]),
            Some(at) => end += at + 1,
        }
        let line = octets[..end].strip_suffix(b"\n").unwrap_or_default();
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() || !matches!(octets.get(end), Some(b' ' | b'\t')) {
            return (line, &octets[end..]);
        }
    }
}

fn trim_blanks(octets: &[u8], mut from: usize, mut to: usize) -> (usize, usize) {
    let blank = |b: u8| matches!(b, b' ' | b'\t');
    while from < to && blank(octets[from]) {
        from += 1;
    }
    while to > from && blank(octets[to - 1]) {
        to -= 1;
    }
    (from, to)
}

/// A line end with the space around it becomes one SP (RFC 3261 §7.3.1); there is no space at either end.
pub(crate) fn unfold(value: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(value.len());
    let mut lines = value.split(|b| *b == b'\n').peekable();
    while let Some(line) = lines.next() {
        let line = match line {
            // only where an LF followed
            [rest @ .., b'\r'] if lines.peek().is_some() => rest,
            line => line,
        };
        let (from, to) = trim_blanks(line, 0, line.len());
        if from < to {
            if !plain.is_empty() {
                plain.push(b' ');
            }
            plain.extend_from_slice(&line[from..to]);
        }
    }
    plain
}

/// True for control characters that are not the second half of a quoted pair (`"NUL:\<NUL>"`, RFC 4475 §3.1.1.2).
pub(super) fn has_controls(value: &[u8]) -> bool {
    let is_control = |b: u8| (b < b' ' && b != b'\t') || b == 0x7f;
    // no early exit: this way the compiler looks at many octets at a time
    if !value.iter().fold(false, |any, b| any | is_control(*b)) {
        return false;
    }
    let escaped = |i: usize| i > 0 && value[i - 1] == b'\\' && !matches!(value[i], b'\r' | b'\n');
    value
        .iter()
        .enumerate()
        .any(|(i, b)| is_control(*b) && !escaped(i))
}

pub(crate) fn content_length(value: &[u8]) -> Result<usize, Defect> {
    let digits = std::str::from_utf8(value)
        .ok()
        .filter(|v| !v.is_empty() && v.bytes().all(|b| b.is_ascii_digit()));
    let digits = digits.ok_or(Defect::Malformed(HeaderName::ContentLength))?;
    // what does not fit is larger than any message
    Ok(digits.parse().unwrap_or(usize::MAX))
}

impl Message {
    /// Keeps a readable copy of every value that is not UTF-8, taking the octets that are not for Latin-1, which old
    /// phones send in display names. The line itself stays as it is.
    fn make_utf8(&mut self) {
        for at in 0..self.slots.len() {
            let value = self.slots[at].value;
            if let Some(copy) = latin1_repaired(self.text.octets(value)) {
                self.slots[at].value = self.text.keep(copy.as_bytes());
            }
        }
        if let Start::Response { reason, .. } = &mut self.start
            && let Some(copy) = latin1_repaired(self.text.octets(*reason))
        {
            *reason = self.text.keep(copy.as_bytes());
        }
    }
}

/// `None` when the octets are UTF-8.
fn latin1_repaired(octets: &[u8]) -> Option<String> {
    if std::str::from_utf8(octets).is_ok() {
        return None;
    }
    let mut text = String::with_capacity(octets.len() + 8);
    for chunk in octets.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|b| char::from(*b)));
    }
    Some(text)
}
