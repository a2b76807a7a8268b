use std::fmt::{self, Display, Write};

use bytes::Bytes;

use super::check;
use super::params::is_token;
use super::text::{Slot, Span, Text};
use super::{Defect, HeaderName, Message, Method, Start, StatusCode, limits};

/// Why a message cannot be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BuildError {
    /// A control character in this field, the Request-URI or the reason phrase: what an application hands over may not
    /// begin a line of its own.
    ControlCharacter(String),
    /// No header field name, or `Other`, or `Content-Length`, which is written for every message.
    Name(String),
    /// A method that is no token, or a status code outside 100 to 699.
    StartLine,
    /// Something is missing, malformed or too much.
    Invalid(Defect),
}

impl Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BuildError::ControlCharacter(place) => write!(f, "control character in {place}"),
            BuildError::Name(name) => write!(f, "{name:?} cannot be set as a header field"),
            BuildError::StartLine => f.write_str("malformed start line"),
            BuildError::Invalid(defect) => defect.fmt(f),
        }
    }
}

impl std::error::Error for BuildError {}

impl From<Defect> for BuildError {
    fn from(defect: Defect) -> BuildError {
        BuildError::Invalid(defect)
    }
}

/// Writes a new message, line after line. An error is kept and comes out of [`Builder::build`].
#[derive(Debug)]
pub struct Builder {
    out: String,
    start: Start,
    start_line: Span,
    slots: Vec<Slot>,
    body: Option<(String, Bytes)>,
    error: Option<BuildError>,
}

impl Builder {
    /// A request. `Max-Forwards: 70` is added when none is set (RFC 3261 §8.1.1.6). `Via` may come later.
    #[must_use]
    pub fn request(method: Method, uri: impl Display) -> Builder {
        let mut out = String::with_capacity(1024);
        out.push_str(method.as_str());
        out.push(' ');
        let from = out.len();
        let written = write!(out, "{uri}");
        let uri = Span::new(from, out.len());
        let mut error = written.err().map(|_| BuildError::StartLine);
        if let Err(defect) = check::request_uri(&out.as_bytes()[from..]) {
            error = Some(defect.into());
        }
        if !is_token(method.as_str()) {
            error = Some(BuildError::StartLine);
        }
        out.push_str(" SIP/2.0\r\n");
        let start_line = Span::new(0, out.len());
        Builder {
            out,
            start: Start::Request { method, uri },
            start_line,
            slots: Vec::with_capacity(24),
            body: None,
            error,
        }
    }

    /// A response to `request`: its `Via` fields, `From`, `To`, `Call-ID` and `CSeq` (RFC 3261 §8.2.6.2), in a 100 also
    /// its `Timestamp`. An empty `reason` becomes the usual one. See [`Builder::with_to_tag`].
    #[must_use]
    pub fn response(request: &Message, code: StatusCode, reason: &str) -> Builder {
        let reason = if reason.is_empty() { code.reason() } else { reason };
        let mut out = String::with_capacity(1024);
        let error = has_controls(reason).then(|| BuildError::ControlCharacter("the reason phrase".into()));
        out.push_str("SIP/2.0 ");
        out.push_str(&code.to_string());
        out.push(' ');
        let from = out.len();
        out.push_str(reason);
        let start = Start::Response {
            code,
            reason: Span::new(from, out.len()),
        };
        out.push_str("\r\n");
        let start_line = Span::new(0, out.len());
        let builder = Builder {
            out,
            start,
            start_line,
            slots: Vec::with_capacity(24),
            body: None,
            error,
        };
        let builder = builder
            .copy(request, HeaderName::Via)
            .copy(request, HeaderName::From)
            .copy(request, HeaderName::To)
            .copy(request, HeaderName::CallId)
            .copy(request, HeaderName::CSeq);
        if code == StatusCode::TRYING {
            builder.copy(request, HeaderName::Timestamp)
        } else {
            builder
        }
    }

    /// Gives `To` this tag, unless it has one. Call it right after [`Builder::response`] or after setting `To`.
    #[must_use]
    pub fn with_to_tag(mut self, tag: &str) -> Builder {
        let Some(at) = self.slots.iter().position(|slot| slot.id == HeaderName::To) else {
            return self;
        };
        let value = self.value_of(at);
        if !is_token(tag) {
            return self.fail(Defect::Malformed(HeaderName::To).into());
        }
        if super::NameAddr::parse(value).is_some_and(|to| to.tag().is_some()) {
            return self;
        }
        // the lines behind `To` are written again
        let later: Vec<_> = self.slots.drain(at..).collect();
        let text = self
            .out
            .split_off(later.first().map_or(0, |slot| slot.line.start()));
        let base = later.first().map_or(0, |slot| slot.line.start());
        for slot in &later {
            let piece = |span: Span| &text[span.start() - base..span.start() - base + span.len()];
            let name = &piece(slot.line)[..usize::from(slot.name_len)];
            if slot.id == HeaderName::To {
                self.push(slot.id, name, &format_args!("{};tag={tag}", piece(slot.value)));
            } else {
                self.push(slot.id, name, &piece(slot.value));
            }
        }
        self
    }

    /// A field more, behind those that are there.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: impl Display) -> Builder {
        if matches!(name, HeaderName::Other | HeaderName::ContentLength) {
            return self.fail(BuildError::Name(name.to_string()));
        }
        self.push(name, name.as_str(), &value);
        self
    }

    /// A field more, by any name.
    #[must_use]
    pub fn header_named(mut self, name: &str, value: impl Display) -> Builder {
        let id = HeaderName::of(name);
        if !is_token(name) || id == HeaderName::ContentLength {
            return self.fail(BuildError::Name(name.to_owned()));
        }
        self.push(id, name, &value);
        self
    }

    /// Several fields more.
    #[must_use]
    pub fn headers<N: AsRef<str>, V: AsRef<str>>(self, fields: impl IntoIterator<Item = (N, V)>) -> Builder {
        fields.into_iter().fold(self, |builder, (name, value)| {
            builder.header_named(name.as_ref(), value.as_ref())
        })
    }

    /// Every field of this name that `message` has, unfolded.
    #[must_use]
    pub fn copy(mut self, message: &Message, name: HeaderName) -> Builder {
        if name != HeaderName::Other && name != HeaderName::ContentLength {
            for value in message.lines(name) {
                self.push_copied(name, value);
            }
        }
        self
    }

    /// The body and its type, in place of an earlier one.
    #[must_use]
    pub fn body(mut self, content_type: &str, body: impl Into<Bytes>) -> Builder {
        self.body = Some((content_type.to_owned(), body.into()));
        self
    }

    /// The message, with `Content-Length`.
    pub fn build(mut self) -> Result<Message, BuildError> {
        if matches!(self.start, Start::Request { .. }) && !self.has(HeaderName::MaxForwards) {
            self.push(HeaderName::MaxForwards, HeaderName::MaxForwards.as_str(), &"70");
        }
        let body = self.body.take();
        if let Some((content_type, _)) = &body {
            self.push(
                HeaderName::ContentType,
                HeaderName::ContentType.as_str(),
                content_type,
            );
        }
        let body = body.map_or(Bytes::new(), |(_, body)| body);
        self.push(
            HeaderName::ContentLength,
            HeaderName::ContentLength.as_str(),
            &body.len(),
        );
        if let Some(error) = self.error {
            return Err(error);
        }
        let mut out = self.out.into_bytes();
        out.extend_from_slice(b"\r\n");
        let body_at = out.len();
        out.extend_from_slice(&body);
        if out.len() > limits::MESSAGE {
            return Err(Defect::TooLarge.into());
        }
        if self.slots.len() > limits::HEADERS {
            return Err(Defect::TooManyHeaders.into());
        }
        let body = Span::new(body_at, out.len());
        let message = Message {
            text: Text::new(out.into()),
            start: self.start,
            start_line: self.start_line,
            slots: self.slots,
            body,
            new_body: None,
            edited: false,
        };
        check::fields(&message)?;
        Ok(message)
    }

    fn has(&self, name: HeaderName) -> bool {
        self.slots.iter().any(|slot| slot.id == name)
    }

    fn value_of(&self, slot: usize) -> &str {
        let value = self.slots[slot].value;
        self.out
            .get(value.start()..value.start() + value.len())
            .unwrap_or_default()
    }

    fn fail(mut self, error: BuildError) -> Builder {
        self.error.get_or_insert(error);
        self
    }

    fn push(&mut self, id: HeaderName, name: &str, value: &dyn Display) {
        let from = self.begin(name);
        // a Display that fails leaves a value that is checked like any other
        let written = write!(self.out, "{value}");
        if written.is_err() || has_controls(&self.out[from + name.len() + 2..]) {
            self.error
                .get_or_insert(BuildError::ControlCharacter(name.to_owned()));
        }
        self.finish(id, name, from);
    }

    /// Copied values may have escaped control characters (RFC 4475 §3.1.1.2), which begin no line.
    fn push_copied(&mut self, id: HeaderName, value: &str) {
        let from = self.begin(id.as_str());
        self.out.push_str(value);
        self.finish(id, id.as_str(), from);
    }

    fn begin(&mut self, name: &str) -> usize {
        let from = self.out.len();
        self.out.push_str(name);
        self.out.push_str(": ");
        from
    }

    fn finish(&mut self, id: HeaderName, name: &str, from: usize) {
        let value = Span::new(from + name.len() + 2, self.out.len());
        self.out.push_str("\r\n");
        if self.out.len() - from > limits::LINE {
            self.error.get_or_insert(Defect::LineTooLong.into());
            // positions are 32 bit; nothing of a refused field is kept
            self.out.truncate(from);
            return;
        }
        self.slots.push(Slot {
            id,
            name_len: name.len() as u16,
            line: Span::new(from, self.out.len()),
            value,
        });
    }
}

/// Control characters, escaped or not.
pub(super) fn has_controls(value: &str) -> bool {
    value
        .bytes()
        .fold(false, |any, b| any | ((b < b' ' && b != b'\t') || b == 0x7f))
}
