//! Parts of header field values: lists, parameters, quoted strings (RFC 3261 §25.1).

use std::borrow::Cow;

/// Classes of octets.
pub(crate) mod class {
    /// `token`
    pub(crate) const TOKEN: u8 = 1;
    /// A parameter value that is not quoted: everything but space, controls and separators.
    pub(crate) const VALUE: u8 = 2;
    /// White space within a field.
    pub(crate) const SPACE: u8 = 4;
    /// Display names without quotes.
    pub(crate) const DISPLAY: u8 = 8;
    /// URIs, escapes included.
    pub(crate) const URI: u8 = 16;
    /// User parts of URIs, but for the `%` of an escape. More than the grammar has, since phones dial `#` unescaped.
    pub(crate) const USER: u8 = 32;
    /// Host names and IPv4 addresses.
    pub(crate) const HOST: u8 = 64;

    const OF: [u8; 256] = {
        let mut table = [0; 256];
        let mut octet = 0;
        while octet < 256 {
            let byte = octet as u8;
            if byte.is_ascii_alphanumeric() {
                table[octet] |= TOKEN | USER | HOST;
            }
            if matches!(byte, b' ' | b'\t' | b'\r' | b'\n') {
                table[octet] |= SPACE | DISPLAY;
            }
            if byte > b' ' && byte != 0x7f && !matches!(byte, b'"' | b',' | b';' | b'<' | b'>' | b'\\') {
                table[octet] |= VALUE | DISPLAY;
            }
            if byte > b' ' && byte < 0x7f && !matches!(byte, b'<' | b'>' | b'"') {
                table[octet] |= URI;
            }
            octet += 1;
        }
        mark(
            mark(
                mark(table, b"-.!%*_+`'~", TOKEN),
                b"-_.!~*'()&=+$,;?/:#[]^|{}`",
                USER,
            ),
            b"-._",
            HOST,
        )
    };

    const fn mark(mut table: [u8; 256], octets: &[u8], class: u8) -> [u8; 256] {
        let mut at = 0;
        while at < octets.len() {
            table[octets[at] as usize] |= class;
            at += 1;
        }
        table
    }

    /// True for an octet of one of these classes.
    #[inline]
    pub(crate) const fn is(byte: u8, classes: u8) -> bool {
        OF[byte as usize] & classes != 0
    }

    /// True for text of octets of these classes alone.
    #[inline]
    pub(crate) fn all(text: &str, classes: u8) -> bool {
        text.bytes().all(|byte| is(byte, classes))
    }
}

/// True for the characters of a `token`.
#[must_use]
pub const fn is_token_char(byte: u8) -> bool {
    class::is(byte, class::TOKEN)
}

/// True for a `token`: one character or more.
#[must_use]
pub fn is_token(text: &str) -> bool {
    !text.is_empty() && class::all(text, class::TOKEN)
}

pub(super) fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n')
}

pub(crate) fn trim(text: &str) -> &str {
    let bytes = text.as_bytes();
    let is_text = |byte: &u8| !class::is(*byte, class::SPACE);
    let Some(start) = bytes.iter().position(is_text) else {
        return "";
    };
    let end = bytes.iter().rposition(is_text).map_or(start, |last| last + 1);
    text.get(start..end).unwrap_or_default()
}

/// Position of the first such octet. Values are short: for them a search that begins at once is faster than one that is faster.
#[inline]
pub(crate) fn find_octet(text: &str, wanted: u8) -> Option<usize> {
    text.bytes().position(|byte| byte == wanted)
}

/// Text before the first such octet, and after it.
#[inline]
pub(crate) fn split_at_octet(text: &str, wanted: u8) -> Option<(&str, &str)> {
    let at = find_octet(text, wanted)?;
    Some((&text[..at], &text[at + 1..]))
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
        let comma = if self.whole || !text.as_bytes().contains(&b',') {
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
        let mut rest = trim(self.text).as_bytes();
        while !rest.is_empty() {
            match well_formed(rest) {
                Some(after) => rest = after,
                None => return false,
            }
        }
        true
    }
}

/// Takes one parameter off, from its `;` on; `None` if it breaks the grammar.
fn well_formed(text: &[u8]) -> Option<&[u8]> {
    let text = after(text.strip_prefix(b";")?, class::SPACE);
    let name = text.len();
    let text = after(text, class::TOKEN);
    if text.len() == name {
        return None;
    }
    let text = after(text, class::SPACE);
    let Some(value) = text.strip_prefix(b"=") else {
        return ends(text);
    };
    let value = after(value, class::SPACE);
    if let Some(quoted) = value.strip_prefix(b"\"") {
        return ends(after(after_quote(quoted)?, class::SPACE));
    }
    let rest = after(value, class::VALUE);
    if rest.len() == value.len() {
        return None;
    }
    ends(after(rest, class::SPACE))
}

/// The text, if it is at its end or at the next parameter.
fn ends(text: &[u8]) -> Option<&[u8]> {
    matches!(text.first(), None | Some(b';')).then_some(text)
}

/// Text behind the octets of a class that it begins with.
#[inline]
fn after(text: &[u8], class: u8) -> &[u8] {
    let end = text.iter().position(|byte| !class::is(*byte, class));
    text.get(end.unwrap_or(text.len())..).unwrap_or_default()
}

/// Text behind the `"` that ends a quoted string.
fn after_quote(text: &[u8]) -> Option<&[u8]> {
    let mut at = 0;
    loop {
        match text.get(at)? {
            b'\\' => at += 1,
            b'"' => return text.get(at + 1..),
            _ => {}
        }
        at += 1;
    }
}

#[derive(Clone)]
struct ParamIter<'a> {
    rest: &'a str,
}

impl<'a> Iterator for ParamIter<'a> {
    type Item = (&'a str, Option<&'a str>);
    fn next(&mut self) -> Option<Self::Item> {
        let bytes = self.rest.as_bytes();
        let semicolon = bytes.len() - after(bytes, class::SPACE).len();
        if bytes.get(semicolon) != Some(&b';') {
            return None;
        }
        let text = &self.rest[semicolon + 1..];
        let end = find_outside(text, |b| b == b';').unwrap_or(text.len());
        self.rest = &text[end..];
        let param = &text[..end];
        Some(match split_at_octet(param, b'=') {
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
    fn well_formed_parameters_are_those_whose_parts_are_well_formed() {
        let value_ok =
            |value: &str| is_quoted_string(value) || (!value.is_empty() && class::all(value, class::VALUE));
        let by_parts = |text: &str| {
            let text = trim(text);
            let mut parts = Params::new(text).iter();
            text.is_empty()
                || (text.starts_with(';')
                    && parts.all(|(name, value)| is_token(name) && value.is_none_or(value_ok)))
        };
        let octets = [
            b';', b'=', b'a', b' ', b'"', b'\\', b'<', b'>', b',', b'\n', b'\xc3',
        ];
        let mut well_formed = 0;
        for number in 0..11_u32.pow(5) {
            let text: Vec<u8> = (0..5)
                .map(|at| octets[(number / 11_u32.pow(at) % 11) as usize])
                .collect();
            let Ok(text) = std::str::from_utf8(&text) else {
                continue;
            };
            assert_eq!(Params::new(text).is_well_formed(), by_parts(text), "{text:?}");
            well_formed += u32::from(by_parts(text));
        }
        assert!(well_formed > 100, "{well_formed}");
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
