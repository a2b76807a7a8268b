//! What of a message is passed on: its body, unchanged and unread, and the fields that belong to it.

use sip_core::endpoint::{Body, Headers};
use sip_core::message::{HeaderName, Message};

/// Fields that belong to a body, or to what it says.
const FIELDS: [&str; 8] = [
    "Content-Disposition",
    "Content-Encoding",
    "Content-Language",
    "Content-ID",
    "MIME-Version",
    "Date",
    "Subject",
    "Priority",
];

/// Content of a message.
#[derive(Clone, Debug)]
pub(super) struct Content {
    pub(super) headers: Headers,
    pub(super) body: Option<Body>,
}

impl Content {
    pub(super) fn of(message: &Message) -> Content {
        let mut headers = Headers::new();
        for name in FIELDS {
            let values = message.headers_named(name);
            headers.extend(values.map(|value| (name.to_owned(), value.to_owned())));
        }
        Content {
            headers,
            body: body_of(message),
        }
    }

    /// Octets that it takes in memory.
    pub(super) fn len(&self) -> usize {
        let fields = self.headers.iter().map(|(name, value)| name.len() + value.len());
        fields.sum::<usize>()
            + self
                .body
                .as_ref()
                .map_or(0, |body| body.data.len() + body.content_type.len())
    }
}

/// Body of a message, if it has one.
pub(super) fn body_of(message: &Message) -> Option<Body> {
    let data = message.body_bytes();
    let kind = message.header(HeaderName::ContentType);
    (!data.is_empty()).then(|| Body {
        content_type: kind.unwrap_or("text/plain").to_owned(),
        data,
    })
}
