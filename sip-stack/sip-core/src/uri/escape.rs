use std::borrow::Cow;

/// Octets of `text`, `%HH` resolved.
pub(super) fn unescaped_octets(text: &str) -> impl Iterator<Item = u8> + '_ {
    let bytes = text.as_bytes();
    let mut at = 0;
    std::iter::from_fn(move || {
        let &byte = bytes.get(at)?;
        let hex = |i: usize| bytes.get(i).and_then(|b| char::from(*b).to_digit(16));
        if byte == b'%'
            && let (Some(high), Some(low)) = (hex(at + 1), hex(at + 2))
        {
            at += 3;
            return Some((high * 16 + low) as u8);
        }
        at += 1;
        Some(byte)
    })
}

pub(super) fn same_escaped(a: &str, b: &str, ignore_case: bool) -> bool {
    if ignore_case {
        return unescaped_octets(a)
            .map(|o| o.to_ascii_lowercase())
            .eq(unescaped_octets(b).map(|o| o.to_ascii_lowercase()));
    }
    unescaped_octets(a).eq(unescaped_octets(b))
}

/// Resolves `%HH` once. `None` when the result is not UTF-8.
#[must_use]
pub fn unescape(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains('%') {
        return Some(Cow::Borrowed(text));
    }
    String::from_utf8(unescaped_octets(text).collect())
        .ok()
        .map(Cow::Owned)
}

/// Escapes everything that a user part may not contain literally (RFC 3261 §25.1 `user`), and `;`, behind
/// which a carrier looks for parameters of a number. Apply it to plain text only.
#[must_use]
pub fn escape_user(text: &str) -> Cow<'_, str> {
    escape(text, b"-_.!~*'()&=+$,?/")
}

/// Escapes everything that a URI header value may not hold as it is (RFC 3261 §25.1 `hvalue`).
#[must_use]
pub fn escape_header(text: &str) -> Cow<'_, str> {
    escape(text, b"-_.!~*'()[]/?:+$")
}

fn escape<'a>(text: &'a str, plain: &[u8]) -> Cow<'a, str> {
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || plain.contains(&b);
    if text.bytes().all(is_plain) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for byte in text.bytes() {
        if is_plain(byte) {
            escaped.push(char::from(byte));
        } else {
            escaped.push('%');
            escaped.extend([byte >> 4, byte & 15].map(|d| char::from(b"0123456789ABCDEF"[usize::from(d)])));
        }
    }
    Cow::Owned(escaped)
}
