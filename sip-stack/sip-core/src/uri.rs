//! URIs (RFC 3261 §19.1, RFC 3966).

mod compare;
mod escape;
mod host;
mod owned;
mod parse;

pub use escape::{escape_header, escape_user, unescape};
pub use host::Host;
pub(crate) use host::parse_host_port;
pub use owned::Uri;

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use crate::message::params::Params;
use parse::parse;

/// Scheme of a URI.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scheme {
    /// `sip:`
    Sip,
    /// `sips:`
    Sips,
    /// `tel:` (RFC 3966)
    Tel,
    /// Any other, `urn:` for instance; [`Uri::opaque`] is what follows it.
    Other,
}

/// Defect in the text of a URI.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UriError {
    /// No `scheme:`, or the scheme has characters that none may have.
    Scheme,
    /// Nothing after the scheme, or a character that no URI may have.
    Text,
    /// A user part that is empty or holds what should have been escaped.
    User,
    /// No host, or none that could be one.
    Host,
    /// A port that is no number up to 65535.
    Port,
    /// Longer than 16 KiB.
    Length,
}

impl fmt::Display for UriError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            UriError::Scheme => "no URI scheme",
            UriError::Text => "a character that a URI may not have",
            UriError::User => "malformed user part",
            UriError::Host => "malformed host",
            UriError::Port => "malformed port",
            UriError::Length => "URI too long",
        })
    }
}

impl std::error::Error for UriError {}

/// Places of a URI's parts in its text.
#[derive(Clone, Copy, Debug)]
struct Parts {
    scheme: Scheme,
    /// First octet after the colon.
    opaque: u16,
    /// Password included; `(0, 0)` when there is none, which no URI's user can be.
    user: (u16, u16),
    host: (u16, u16),
    port: Option<u16>,
    params: (u16, u16),
    /// After the `?`; `(0, 0)` when there is none.
    headers: (u16, u16),
}

/// A URI in somebody else's text, taken apart once.
#[derive(Clone, Copy)]
pub struct UriRef<'a> {
    text: &'a str,
    parts: Parts,
}

impl<'a> UriRef<'a> {
    /// Says nothing; stands where a URI cannot be missing.
    pub(crate) const BLANK: UriRef<'static> = UriRef {
        text: "about:blank",
        parts: Parts {
            scheme: Scheme::Other,
            opaque: 6,
            user: (0, 0),
            host: (0, 0),
            port: None,
            params: (0, 0),
            headers: (0, 0),
        },
    };

    /// Takes `text` apart. Of `sip:` and `sips:` every part is checked; of other schemes only the characters.
    pub fn parse(text: &'a str) -> Result<UriRef<'a>, UriError> {
        Ok(UriRef {
            text,
            parts: parse(text)?,
        })
    }

    fn part(self, (from, to): (u16, u16)) -> &'a str {
        self.text
            .get(Range {
                start: usize::from(from),
                end: usize::from(to),
            })
            .unwrap_or_default()
    }

    fn part_if_any(self, range: (u16, u16)) -> Option<&'a str> {
        (range != (0, 0)).then(|| self.part(range))
    }

    /// As written.
    #[must_use]
    pub fn as_str(self) -> &'a str {
        self.text
    }

    /// Scheme.
    #[must_use]
    pub fn scheme(self) -> Scheme {
        self.parts.scheme
    }

    /// True for `sip:` and `sips:`.
    #[must_use]
    pub fn is_sip(self) -> bool {
        matches!(self.parts.scheme, Scheme::Sip | Scheme::Sips)
    }

    /// Everything after the scheme's colon.
    #[must_use]
    pub fn opaque(self) -> &'a str {
        self.text
            .get(usize::from(self.parts.opaque)..)
            .unwrap_or_default()
    }

    /// The user part as written, escapes kept, without password; of a `tel:` URI the number.
    #[must_use]
    pub fn user(self) -> Option<&'a str> {
        let userinfo = self.part_if_any(self.parts.user)?;
        Some(userinfo.split_once(':').map_or(userinfo, |(user, _)| user))
    }

    /// The user part with its escapes resolved, once. `None` also when that is not UTF-8.
    #[must_use]
    pub fn user_unescaped(self) -> Option<Cow<'a, str>> {
        unescape(self.user()?)
    }

    /// User part with its escapes decoded, and of a telephone number the number alone: its parameters
    /// (`;npdi;rn=…`, `;cpc=…`, `;phone-context=…`: RFC 3966 §3, RFC 4694) describe it and are not part of
    /// it. A user is a number if `user=phone` says so (RFC 3261 §19.1.6) or if it looks like one. In any
    /// other user part a `;` means what its host decides.
    #[must_use]
    pub fn subscriber(self) -> Option<Cow<'a, str>> {
        let user = self.user()?;
        let Some((number, _)) = user.split_once(';').filter(|(number, _)| !number.is_empty()) else {
            return unescape(user);
        };
        let number = unescape(number)?;
        let is_phone = || {
            self.param("user")
                .is_some_and(|kind| kind.eq_ignore_ascii_case("phone"))
        };
        if looks_dialled(&number) || is_phone() {
            Some(number)
        } else {
            unescape(user)
        }
    }

    /// The password as written. RFC 3261 §19.1.1 advises against it.
    #[must_use]
    pub fn password(self) -> Option<&'a str> {
        Some(self.part_if_any(self.parts.user)?.split_once(':')?.1)
    }

    /// The host of a `sip:` or `sips:` URI.
    #[must_use]
    pub fn host(self) -> Option<Host<'a>> {
        Host::parse(self.part_if_any(self.parts.host)?)
    }

    /// The port, when one is written.
    #[must_use]
    pub fn port(self) -> Option<u16> {
        self.parts.port
    }

    /// The URI parameters.
    #[must_use]
    pub fn params(self) -> Params<'a> {
        Params::new(self.part(self.parts.params))
    }

    /// The value of a URI parameter, empty for one without value.
    #[must_use]
    pub fn param(self, name: &str) -> Option<&'a str> {
        self.params().get(name)
    }

    /// The `transport` parameter.
    #[must_use]
    pub fn transport(self) -> Option<&'a str> {
        self.param("transport")
    }

    /// True when the `lr` parameter marks a loose router (RFC 3261 §19.1.1).
    #[must_use]
    pub fn is_loose_router(self) -> bool {
        self.params().has("lr")
    }

    /// The header part after `?`, as written.
    #[must_use]
    pub fn headers(self) -> Option<&'a str> {
        self.part_if_any(self.parts.headers)
    }

    /// The value of a header of the header part, its escapes resolved.
    #[must_use]
    pub fn header(self, name: &str) -> Option<Cow<'a, str>> {
        let pairs = self.headers()?.split('&').filter_map(|pair| pair.split_once('='));
        let (_, value) = pairs
            .into_iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))?;
        unescape(value)
    }

    /// A copy that owns its text.
    #[must_use]
    pub fn to_uri(self) -> Uri {
        Uri {
            text: self.text.into(),
            parts: self.parts,
        }
    }
}

impl PartialEq for UriRef<'_> {
    fn eq(&self, other: &UriRef<'_>) -> bool {
        self.same(*other)
    }
}

impl fmt::Display for UriRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text)
    }
}

impl fmt::Debug for UriRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.text, f)
    }
}

/// Digits with their `+` and visual separators (RFC 3966 §3), as they are dialled.
fn looks_dialled(text: &str) -> bool {
    let digits = text.strip_prefix('+').unwrap_or(text);
    digits.bytes().any(|b| b.is_ascii_digit())
        && digits
            .bytes()
            .all(|b| b.is_ascii_digit() || b"*#-.()".contains(&b))
}

#[cfg(test)]
mod tests;
