use bytes::Bytes;

use super::HeaderName;

/// Octets in one of two places: the buffer of the message, or beside it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Span {
    from: u32,
    to: u32,
}

/// Positions from here on lie beside the buffer.
const BESIDE: u32 = 1 << 31;

impl Span {
    /// In the buffer. Positions fit, since a message is at most 64 KiB.
    pub(super) fn new(from: usize, to: usize) -> Span {
        Span {
            from: from as u32,
            to: to as u32,
        }
    }

    pub(super) fn len(self) -> usize {
        (self.to - self.from) as usize
    }

    /// Position in the buffer.
    pub(super) fn start(self) -> usize {
        self.from as usize
    }

    /// From the beginning of this one to the end of `last`, which lies behind it.
    pub(super) fn to(self, last: Span) -> Span {
        Span {
            from: self.from,
            to: last.to,
        }
    }

    pub(super) fn is_beside(self) -> bool {
        self.from >= BESIDE
    }
}

/// A header field. Its name is the first `name_len` octets of its line.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slot {
    pub(super) id: HeaderName,
    pub(super) name_len: u16,
    /// Continuation lines and line end included.
    pub(super) line: Span,
    /// Trimmed. Beside the buffer when the field was folded or not UTF-8, else in the line.
    pub(super) value: Span,
}

/// The octets of a message: received or built ones, and later additions.
#[derive(Clone, Debug, Default)]
pub(super) struct Text {
    buf: Bytes,
    beside: Vec<u8>,
}

impl Text {
    pub(super) fn new(buf: Bytes) -> Text {
        Text {
            buf,
            beside: Vec::new(),
        }
    }

    pub(super) fn octets(&self, span: Span) -> &[u8] {
        let (place, from, to) = if span.is_beside() {
            (&self.beside[..], span.from - BESIDE, span.to - BESIDE)
        } else {
            (&self.buf[..], span.from, span.to)
        };
        place.get(from as usize..to as usize).unwrap_or_default()
    }

    /// Values and reason phrases are UTF-8: the parser moved other octets away.
    pub(super) fn str(&self, span: Span) -> &str {
        std::str::from_utf8(self.octets(span)).unwrap_or_default()
    }

    pub(super) fn share(&self, span: Span) -> Bytes {
        if span.is_beside() {
            return Bytes::copy_from_slice(self.octets(span));
        }
        self.buf.slice(span.from as usize..span.to as usize)
    }

    /// Keeps `octets` beside the buffer.
    pub(super) fn keep(&mut self, octets: &[u8]) -> Span {
        let from = BESIDE + self.beside.len() as u32;
        self.beside.extend_from_slice(octets);
        Span {
            from,
            to: BESIDE + self.beside.len() as u32,
        }
    }

    /// Writes `name: value` with its line end beside the buffer.
    pub(super) fn keep_line(&mut self, id: HeaderName, name: &str, value: &str) -> Slot {
        let from = self.keep(name.as_bytes());
        self.keep(b": ");
        let value = self.keep(value.as_bytes());
        let end = self.keep(b"\r\n");
        Slot {
            id,
            name_len: name.len() as u16,
            line: from.to(end),
            value,
        }
    }

    pub(super) fn name(&self, slot: &Slot) -> &str {
        let name = self
            .octets(slot.line)
            .get(..usize::from(slot.name_len))
            .unwrap_or_default();
        std::str::from_utf8(name).unwrap_or_default()
    }

    /// A measure for the size of the whole.
    pub(super) fn len(&self) -> usize {
        self.buf.len() + self.beside.len()
    }
}
