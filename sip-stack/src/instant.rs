//! Instant messages, as code reads them.

use std::borrow::Cow;

use bytes::Bytes;
use session_core::{Coordinator, IncomingMessage, MessageId};
use sip_core::endpoint::Body;

/// An instant message that came in (MESSAGE, RFC 3428).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstantMessage {
    /// User part of the sender.
    pub from: String,
    /// Number or name that it is for.
    pub to: String,
    /// Type of the body, `text/plain` for what people write.
    pub content_type: String,
    /// The body, as it came.
    pub body: Bytes,
}

impl InstantMessage {
    /// A message that waits for the application's word.
    pub(crate) fn waiting(calls: &Coordinator, message: MessageId, about: IncomingMessage) -> InstantMessage {
        let body = calls.message_body(message).unwrap_or_else(|| plain(""));
        InstantMessage {
            from: about.from,
            to: about.to,
            content_type: body.content_type,
            body: body.data,
        }
    }

    /// The body as text; octets that are none are replaced.
    #[must_use]
    pub fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.body)
    }
}

/// Text as a body.
pub(crate) fn plain(text: &str) -> Body {
    Body {
        content_type: "text/plain;charset=UTF-8".into(),
        data: text.to_owned().into_bytes().into(),
    }
}
