//! Parts of header field values: lists, parameters, quoted strings (RFC 3261 §25.1).

use std::borrow::Cow;

/// Classes of octets.
mod class {
    /// `token`
    pub(super) const TOKEN: u8 = 1;
    /// A parameter value that is not quoted: everything but space, controls and separators.
    pub(super) const VALUE: u8 = 2;

    pub(super) const OF: [u8; 256] = {
        let mut table = [0; 256];
        let mut octet = 0;
        while octet < 256 {
            let byte = octet as u8;
            if byte.is_ascii_alphanumeric() {
                table[octet] |= TOKEN;
            }
            if byte > b' ' && byte != 0x7f && !matches!(byte, b'"' | b',' | b';' | b'<' | b'>' | b'\\') {
                table[octet] |= VALUE;
            }
            octet += 1;
        }
        let marks = b"-.!%*_+`'~";
        let mut at = 0;
        while at < marks.len() {
            table[marks[at] as usize] |= TOKEN;
            at += 1;
        }
        table
    };
}

/// True for the characters of a `token`.
#[must_use]
pub const fn is_token_char(byte: u8) -> bool {
    class::OF[byte as usize] & class::TOKEN != 0
}

/// True for a `token`: one character or more.
#[must_use]
pub fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(is_token_char)
}

pub(super) fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n')
}

pub(crate) fn trim(text: &str) -> &str {
    text.trim_matches(is_space)
}

/// The position of the first wanted octet that stands outside quoted strings and angle brackets; `None` when there is none.
/// An unterminated quoted string or angle bracket reaches to the end.
#[inline]
pub(super) fn find_outside(text: &str, wanted: impl Fn(u8) -> bool) -> Option<usize> {
    let bytes = text.as_bytes();
    let (mut quoted, mut angle, mut at) = (false, false, 0);
    while let Some(&byte) = bytes.get(at) {
        if quoted {
            match byte {
                b'\\' => at += 1,
                b'"' => quoted = false,
                _ => {}
            }
        } else if !angle && wanted(byte) {
            return Some(at);
        } else {
            match byte {
                // a quote inside the brackets belongs to the URI there, which has none
                b'"' if !angle => quoted = true,
                b'<' => angle = true,
                b'>' => angle = false,
                _ => {}
            }
        }
        at += 1;
    }
    None
}

/// The values of a comma-separated list, trimmed; commas inside quotes and angle brackets do not separate. Empty values
/// are left out.
pub fn split_commas(text: &str) -> impl Iterator<Item = &str> + Clone {
    Commas::split(text).filter(|value| !value.is_empty())
}

/// The values of a comma-separated list, trimmed, empty ones included.
#[derive(Clone, Debug)]
pub(super) struct Commas<'a> {
    rest: Option<&'a str>,
    whole: bool,
}

impl<'a> Commas<'a> {
    pub(super) fn split(text: &'a str) -> Commas<'a> {
        Commas {
            rest: Some(text),
            whole: false,
        }
    }

    /// The text as its one value.
    pub(super) fn whole(text: &'a str) -> Commas<'a> {
        Commas {
            rest: Some(text),
            whole: true,
        }
    }
}

impl<'a> Iterator for Commas<'a> {
    type Item = &'a str;
    fn next(&mut self) -> Option<&'a str> {
        let text = self.rest?;
        let comma = if self.whole {
            None
        } else {
            find_outside(text, |b| b == b',')
        };
        let value = match comma {
            Some(comma) => {
                self.rest = Some(&text[comma + 1..]);
                &text[..comma]
            }
            None => {
                self.rest = None;
                text
            }
        };
        Some(trim(value))
    }
}

/// The text of a quoted string without its quotes; any other text as it is. Escapes stay.
#[must_use]
pub fn strip_quotes(text: &str) -> &str {
    match text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Some(inner) => inner,
        None => text,
    }
}

/// The text that a quoted string stands for: quotes removed, escapes resolved. Other text as it is.
#[must_use]
pub fn unquote(text: &str) -> Cow<'_, str> {
    let inner = strip_quotes(text);
    if inner.len() == text.len() || !inner.contains('\\') {
        return Cow::Borrowed(inner);
    }
    let mut plain = String::with_capacity(inner.len());
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        plain.extend(if c == '\\' { chars.next() } else { Some(c) });
    }
    Cow::Owned(plain)
}

/// A quoted string that stands for `text`: quotes added, `"` and `\` escaped.
#[must_use]
pub fn quote(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        if matches!(c, '"' | '\\') {
            quoted.push('\\');
        }
        quoted.push(c);
    }
    quoted.push('"');
    quoted
}

/// True for one whole quoted string.
pub(super) fn is_quoted_string(text: &str) -> bool {
    let Some(rest) = text.strip_prefix('"') else {
        return false;
    };
    let bytes = rest.as_bytes();
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'\\' => at += 1,
            b'"' => return at + 1 == bytes.len(),
            _ => {}
        }
        at += 1;
    }
    false
}

/// Parameters: `;name=value;flag` of a header field value. Names compare without regard to case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Params<'a> {
    text: &'a str,
}

impl<'a> Params<'a> {
    /// Over text that is empty or begins with `;`.
    #[must_use]
    pub const fn new(text: &'a str) -> Params<'a> {
        Params { text }
    }

    /// As written, from the first `;` on.
    #[must_use]
    pub const fn as_str(self) -> &'a str {
        self.text
    }

    /// Names and raw values in order; `None` for a parameter without `=`.
    pub fn iter(self) -> impl Iterator<Item = (&'a str, Option<&'a str>)> + Clone {
        ParamIter { rest: self.text }
    }

    /// The value of the first parameter of this name: quotes stripped (escapes stay), empty for a parameter without value.
    #[must_use]
    pub fn get(self, name: &str) -> Option<&'a str> {
        let (_, value) = self.iter().find(|(key, _)| key.eq_ignore_ascii_case(name))?;
        Some(value.map_or("", strip_quotes))
    }

    /// True when there is a parameter of this name.
    #[must_use]
    pub fn has(self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// True when the grammar is kept: each `;` followed by a token, each `=` by a token, host or quoted string
    /// (`generic-param`). More characters than a token's are allowed in a value, as in `received=2001:db8::1`
    /// (RFC 5118 §4.5), but neither space nor separator.
    pub(super) fn is_well_formed(self) -> bool {
        let text = trim(self.text);
        text.is_empty() || (text.starts_with(';') && self.iter().all(|(name, value)| param_ok(name, value)))
    }
}

fn param_ok(name: &str, value: Option<&str>) -> bool {
    let value_ok = |value: &str| {
        is_quoted_string(value)
            || (!value.is_empty()
                && !value
                    .bytes()
                    .any(|b| b <= b' ' || b == 0x7f || b"\",;<>\\".contains(&b)))
    };
    is_token(name) && value.is_none_or(value_ok)
}

#[derive(Clone)]
struct ParamIter<'a> {
    rest: &'a str,
}

impl<'a> Iterator for ParamIter<'a> {
    type Item = (&'a str, Option<&'a str>);
    fn next(&mut self) -> Option<Self::Item> {
        let text = self.rest.trim_start_matches(is_space).strip_prefix(';')?;
        let end = find_outside(text, |b| b == b';').unwrap_or(text.len());
        self.rest = &text[end..];
        let param = &text[..end];
        Some(match param.split_once('=') {
            Some((name, value)) => (trim(name), Some(trim(value))),
            None => (trim(param), None),
        })
    }
}

/// A challenge or credentials: scheme and comma-separated `name=value` pairs (RFC 3261 §20.7, §20.44).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuthParams<'a> {
    /// `Digest`, as written.
    pub scheme: &'a str,
    text: &'a str,
}

impl<'a> AuthParams<'a> {
    /// From the value of an `Authorization`, `WWW-Authenticate` or related field.
    #[must_use]
    pub fn parse(value: &'a str) -> Option<AuthParams<'a>> {
        let value = trim(value);
        let (scheme, text) = value.split_once(is_space).unwrap_or((value, ""));
        is_token(scheme).then_some(AuthParams { scheme, text })
    }

    /// True for the `Digest` scheme.
    #[must_use]
    pub fn is_digest(self) -> bool {
        self.scheme.eq_ignore_ascii_case("digest")
    }

    /// Names and raw values in order.
    pub fn iter(self) -> impl Iterator<Item = (&'a str, &'a str)> + Clone {
        split_commas(self.text).filter_map(|pair| {
            let (name, value) = pair.split_once('=')?;
            Some((trim(name), trim(value)))
        })
    }

    /// The first value of this name, quotes stripped, escapes kept (digest computes over them as they are, RFC 7616
    /// §3.4).
    #[must_use]
    pub fn get(self, name: &str) -> Option<&'a str> {
        self.iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| strip_quotes(value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commas_in_quotes_and_brackets_do_not_separate() {
        let text = r#""a, \", b" <sip:a,b@c>;x="1,2", <sip:d> ,, sip:e"#;
        let values: Vec<_> = split_commas(text).collect();
        assert_eq!(values, [r#""a, \", b" <sip:a,b@c>;x="1,2""#, "<sip:d>", "sip:e"]);
    }

    #[test]
    fn parameters_are_found_behind_quotes_and_spaces() {
        let params = Params::new(" ; a = 1;B=\"x;y\" ;flag; +sip.instance=\"<urn:uuid:0;1>\"");
        assert_eq!(params.get("A"), Some("1"));
        assert_eq!(params.get("b"), Some("x;y"));
        assert_eq!(params.get("flag"), Some(""));
        assert_eq!(params.get("+sip.instance"), Some("<urn:uuid:0;1>"));
        assert_eq!(params.get("y"), None);
        assert!(params.is_well_formed());
        for bad in [
            ";",
            ";;a",
            ";a=",
            ";=1",
            "; a b",
            ";a=b c",
            ";a=\"x",
            "a",
            ";a=<x>",
            ";a=\"x\"y",
        ] {
            assert!(!Params::new(bad).is_well_formed(), "{bad}");
        }
    }

    #[test]
    fn quoting_and_its_inverse() {
        for text in ["", "plain", "a \"b\" \\ c", "\\", "\u{44e}"] {
            assert!(is_quoted_string(&quote(text)));
            assert_eq!(unquote(&quote(text)), text);
        }
        assert_eq!(unquote("token"), "token");
        assert!(!is_quoted_string("\"a\\\"") && !is_quoted_string("\"") && !is_quoted_string("\"a\" b"));
    }

    #[test]
    fn digest_parameters() {
        let auth =
            AuthParams::parse("Digest realm=\"a, b\", qop=\"auth,auth-int\",nc=0000000a , stale = TRUE")
                .unwrap();
        assert!(auth.is_digest());
        assert_eq!(auth.get("Realm"), Some("a, b"));
        assert_eq!(auth.get("qop"), Some("auth,auth-int"));
        assert_eq!(auth.get("nc"), Some("0000000a"));
        assert_eq!(auth.get("stale"), Some("TRUE"));
        assert!(AuthParams::parse("").is_none());
    }
}
