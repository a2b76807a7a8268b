//! SIP messages (RFC 3261 §7): one buffer and an index of its lines.
//!
//! A received message keeps its octets. [`Message::parse`] finds the lines, checks what every element relies on (start
//! line, `Via`, `From`, `To`, `Call-ID`, `CSeq`, `Max-Forwards`, `Contact`, `Route`, `Content-Length`) and copies nothing;
//! typed views are parsed when they are asked for and borrow from the message. What is edited replaces single lines; the
//! others are written back as they came.
//!
//! Every `Message`, parsed or built, has exactly one valid `From`, `To`, `Call-ID` and `CSeq`, so [`Message::from`],
//! [`Message::to`], [`Message::call_id`] and [`Message::cseq`] cannot fail. A parsed one also has a valid topmost `Via`;
//! a request under construction may not have it yet.

mod address;
mod build;
mod check;
mod content;
mod edit;
mod fields;
#[cfg(feature = "rsip")]
pub mod interop;
pub mod limits;
mod method;
mod name;
pub mod params;
mod parse;
mod referral;
mod reject;
mod status;
mod text;
mod via;
mod views;

pub use address::{Address, Contact, NameAddr};
pub use build::{BuildError, Builder};
pub use content::{Content, MULTIPARTS};
pub use fields::{CSeq, RAck, Refresher, Replaces, SessionExpires, Token};
pub use method::Method;
pub use name::HeaderName;
pub use params::{AuthParams, Params, quote, split_commas};
pub use referral::{Referral, ReplacedDialog};
pub use reject::{Defect, ParseError, Rejected};
pub use status::{InvalidStatus, StatusClass, StatusCode};
pub use via::{MAGIC_COOKIE, Via};

pub(crate) use parse::{content_length, next_line, unfold};

use bytes::Bytes;
use text::{Slot, Span, Text};

/// A request or a response.
#[derive(Clone)]
pub struct Message {
    text: Text,
    start: Start,
    /// Start line with its line end.
    start_line: Span,
    slots: Vec<Slot>,
    /// Place of the body in the buffer.
    body: Span,
    new_body: Option<Bytes>,
    edited: bool,
}

#[derive(Clone, Debug)]
enum Start {
    Request { method: Method, uri: Span },
    Response { code: StatusCode, reason: Span },
}

/// The start line of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartLine<'a> {
    /// `METHOD uri SIP/2.0`
    Request {
        /// The method.
        method: &'a Method,
        /// The Request-URI as written.
        uri: &'a str,
    },
    /// `SIP/2.0 code reason`
    Response {
        /// 100 to 699.
        code: StatusCode,
        /// The reason phrase, possibly empty.
        reason: &'a str,
    },
}

impl Message {
    /// Appends the message as it goes onto the wire: untouched lines as they came.
    pub fn write(&self, out: &mut Vec<u8>) {
        if !self.edited {
            out.extend_from_slice(self.wire());
            return;
        }
        out.reserve(self.text.len() + self.body().len());
        out.extend_from_slice(self.text.octets(self.start_line));
        for slot in &self.slots {
            out.extend_from_slice(self.text.octets(slot.line));
        }
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(self.body());
    }

    /// The message as it goes onto the wire. Nothing is copied when nothing was edited.
    #[must_use]
    pub fn to_bytes(&self) -> Bytes {
        if !self.edited {
            return self.text.share(self.start_line.to(self.body));
        }
        let mut out = Vec::new();
        self.write(&mut out);
        out.into()
    }

    /// Octets that came off the wire.
    #[must_use]
    #[allow(clippy::len_without_is_empty)] // no message is empty
    pub fn len(&self) -> usize {
        self.wire().len()
    }

    fn wire(&self) -> &[u8] {
        self.text.octets(self.start_line.to(self.body))
    }
}

impl std::fmt::Debug for Message {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Debug::fmt(&String::from_utf8_lossy(&self.to_bytes()), f)
    }
}

impl std::fmt::Display for Message {
    /// The octets on the wire, with non-UTF-8 replaced.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.to_bytes()))
    }
}

#[cfg(test)]
mod tests;
