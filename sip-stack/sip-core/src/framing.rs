//! Framing: the border between messages (RFC 3261 §18.3, RFC 5626 §4.4.1, RFC 7118 §5).

use std::fmt;

use bytes::{Buf, Bytes, BytesMut};
use memchr::memchr;
use sans_io::Time;

use crate::message::{Defect, HeaderName, ParseError, Rejected, content_length, limits, next_line, unfold};

/// Input from a peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// The octets of one message, for [`Message::parse`](crate::message::Message::parse).
    Message(Bytes),
    /// CRLF CRLF: to be answered with CRLF (RFC 5626 §4.4.1).
    KeepAlivePing,
    /// CRLF: the answer to our ping.
    KeepAlivePong,
}

impl Frame {
    /// A datagram or a WebSocket frame, which is one message or one keep-alive. `None` when there is nothing in it.
    #[must_use]
    pub fn from_datagram(data: Bytes) -> Option<Frame> {
        match &data[..] {
            b"" => None,
            b"\r\n" => Some(Frame::KeepAlivePong),
            octets if octets.iter().all(|b| matches!(b, b'\r' | b'\n' | 0)) => Some(Frame::KeepAlivePing),
            _ => Some(Frame::Message(data)),
        }
    }
}

/// Nobody can say where the next message begins: the connection must be closed.
#[derive(Clone, Debug)]
pub struct FramingError {
    /// Defect found.
    pub defect: Defect,
    /// Answer to send before the connection is closed, if any.
    pub rejected: Option<Rejected>,
}

impl fmt::Display for FramingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.defect.fmt(f)
    }
}

impl std::error::Error for FramingError {}

/// Cuts a TCP or TLS stream into messages by their `Content-Length`, which is mandatory there (RFC 3261 §20.14).
///
/// A message that is malformed otherwise is cut out like any other and left to the parser; the stream goes on behind it.
/// A header block that is too large, or says nothing clear about the length of its body, ends the stream.
///
/// The framer holds at most one incomplete message: drain [`StreamFramer::next_frame`] after each [`StreamFramer::push`].
#[derive(Debug, Default)]
pub struct StreamFramer {
    buf: BytesMut,
    /// Up to here no end of a header block begins.
    scanned: usize,
    /// Length of header block and body, once known.
    total: Option<usize>,
    /// Since when the message at the front is incomplete.
    since: Option<Time>,
    last_push: Time,
    /// A CRLF was just reported; one more makes it a ping.
    half_ping: bool,
    failed: Option<Defect>,
}

impl StreamFramer {
    /// At the beginning of a stream.
    #[must_use]
    pub fn new() -> StreamFramer {
        StreamFramer::default()
    }

    /// Takes received octets. After an error nothing more is taken.
    pub fn push(&mut self, now: Time, octets: &[u8]) {
        if self.failed.is_none() && !octets.is_empty() {
            self.buf.extend_from_slice(octets);
            self.since.get_or_insert(now);
            self.last_push = now;
        }
    }

    /// Time since when a message has been incomplete; `None` between messages. The connection's owner closes
    /// it when this lasts too long: a peer that sends an octet a minute gains nothing, since arriving octets
    /// do not move it.
    #[must_use]
    pub fn waiting_since(&self) -> Option<Time> {
        self.since
    }

    /// Octets held.
    #[must_use]
    pub fn buffered(&self) -> usize {
        self.buf.len()
    }

    /// The next frame, `None` when more octets are needed.
    ///
    /// A lone CRLF is a pong at once; when another one follows it directly, that is reported as a ping.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, FramingError> {
        if let Some(defect) = self.failed {
            return Err(FramingError {
                defect,
                rejected: None,
            });
        }
        let frame = match self.cut() {
            Ok(frame) => frame,
            Err(defect) => {
                self.failed = Some(defect);
                let head = std::mem::take(&mut self.buf).freeze();
                let rejected = ParseError::new(defect, &head).rejected;
                self.since = None;
                return Err(FramingError { defect, rejected });
            }
        };
        if frame.is_some() && !self.buf.is_empty() {
            // the rest came with the last push: before it, this frame was incomplete
            self.since = Some(self.last_push);
        } else if self.buf.is_empty() {
            self.since = None;
        }
        Ok(frame)
    }

    fn cut(&mut self) -> Result<Option<Frame>, Defect> {
        if self.total.is_none() {
            if let Some(keep_alive) = self.keep_alive() {
                return Ok(Some(keep_alive));
            }
            let Some(head) = self.head_len()? else {
                return Ok(None);
            };
            self.half_ping = false;
            let body = body_length(&self.buf[..head])?;
            let total = head.checked_add(body).filter(|total| *total <= limits::MESSAGE);
            self.total = Some(total.ok_or(Defect::TooLarge)?);
        }
        match self.total {
            Some(total) if self.buf.len() >= total => {
                self.total = None;
                self.scanned = 0;
                Ok(Some(Frame::Message(self.buf.split_to(total).freeze())))
            }
            _ => Ok(None),
        }
    }

    fn keep_alive(&mut self) -> Option<Frame> {
        while self.buf.starts_with(b"\n") {
            self.buf.advance(1);
        }
        if self.buf.starts_with(b"\r\n\r\n") {
            self.buf.advance(4);
            self.half_ping = false;
            return Some(Frame::KeepAlivePing);
        }
        if self.buf.starts_with(b"\r\n") && self.buf[..] != *b"\r\n\r" {
            self.buf.advance(2);
            let second = std::mem::replace(&mut self.half_ping, false);
            if second {
                return Some(Frame::KeepAlivePing);
            }
            self.half_ping = self.buf.is_empty();
            return Some(Frame::KeepAlivePong);
        }
        None
    }

    /// Length of the header block with the empty line that ends it.
    fn head_len(&mut self) -> Result<Option<usize>, Defect> {
        // a line end directly behind a line end; lines may end in LF alone
        let mut line = self.scanned;
        while let Some(found) = memchr(b'\n', &self.buf[line..]) {
            let next = line + found + 1;
            within_limits(line, next)?;
            match &self.buf[next..] {
                [b'\n', ..] => return Ok(Some(next + 1)),
                [b'\r', b'\n', ..] => return Ok(Some(next + 2)),
                // this line end is examined again when more octets are there
                [] | [b'\r'] => break,
                _ => line = next,
            }
        }
        self.scanned = line;
        within_limits(line, self.buf.len()).map(|()| None)
    }
}

/// Whichever limit the octets from `line` to `end` meet first, so that it does not matter how they arrived. A line is one
/// of a field; fields of several are the parser's to measure.
fn within_limits(line: usize, end: usize) -> Result<(), Defect> {
    if end > (line + limits::LINE).min(limits::MESSAGE) {
        return Err(if line + limits::LINE <= limits::MESSAGE {
            Defect::LineTooLong
        } else {
            Defect::TooLarge
        });
    }
    Ok(())
}

/// The one `Content-Length` of a header block.
fn body_length(head: &[u8]) -> Result<usize, Defect> {
    let start = head.iter().take_while(|b| matches!(b, b'\r' | b'\n')).count();
    let mut rest = next_line(&head[start..]).1;
    let (mut length, mut fields) = (None, 0);
    while !rest.is_empty() {
        let (line, behind) = next_line(rest);
        rest = behind;
        fields += 1;
        // the empty line counts as one
        if fields > limits::HEADERS + 1 {
            return Err(Defect::TooManyHeaders);
        }
        let Some(colon) = memchr(b':', line) else { continue };
        if HeaderName::of_bytes(line[..colon].trim_ascii_end()) == HeaderName::ContentLength {
            if length.is_some() {
                return Err(Defect::Repeated(HeaderName::ContentLength));
            }
            length = Some(content_length(&unfold(&line[colon + 1..]))?);
        }
    }
    length.ok_or(Defect::Missing(HeaderName::ContentLength))
}

#[cfg(test)]
mod tests;
