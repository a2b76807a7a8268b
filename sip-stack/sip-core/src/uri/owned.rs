use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use super::{Host, Parts, Scheme, UriError, UriRef, escape_user};
use crate::message::params::Params;

/// A URI with its text. Compares as RFC 3261 §19.1.4 says; [`Uri::as_str`] compares exactly.
#[derive(Clone)]
pub struct Uri {
    pub(super) text: Box<str>,
    pub(super) parts: Parts,
}

impl Uri {
    /// Takes `text` apart and keeps it.
    pub fn parse(text: &str) -> Result<Uri, UriError> {
        UriRef::parse(text).map(UriRef::to_uri)
    }

    /// `sip:user@host:port`. The user is plain text and is escaped where it must be; `host` is as in a URI (IPv6 in
    /// brackets; [`Host`] displays so).
    pub fn sip(user: Option<&str>, host: impl fmt::Display, port: Option<u16>) -> Result<Uri, UriError> {
        Uri::compose("sip", user, &host, port)
    }

    /// `sips:user@host:port`, like [`Uri::sip`].
    pub fn sips(user: Option<&str>, host: impl fmt::Display, port: Option<u16>) -> Result<Uri, UriError> {
        Uri::compose("sips", user, &host, port)
    }

    fn compose(
        scheme: &str,
        user: Option<&str>,
        host: &dyn fmt::Display,
        port: Option<u16>,
    ) -> Result<Uri, UriError> {
        let user = user
            .map(|user| format!("{}@", escape_user(user)))
            .unwrap_or_default();
        let port = port.map(|port| format!(":{port}")).unwrap_or_default();
        Uri::parse(&format!("{scheme}:{user}{host}{port}"))
    }

    /// With this parameter, in place of one of the same name. An empty value makes a parameter without value.
    pub fn with_param(&self, name: &str, value: &str) -> Result<Uri, UriError> {
        let uri = self.borrow();
        let headers = uri
            .headers()
            .map(|headers| format!("?{headers}"))
            .unwrap_or_default();
        let mut params = String::new();
        let same = |key: &str| key.eq_ignore_ascii_case(name);
        let given = (name, (!value.is_empty()).then_some(value));
        for (key, value) in uri.params().iter().filter(|(key, _)| !same(key)).chain([given]) {
            params.push(';');
            params.push_str(key);
            if let Some(value) = value {
                params.push('=');
                params.push_str(value);
            }
        }
        let base = &self.text[..usize::from(self.parts.params.0)];
        Uri::parse(&format!("{base}{params}{headers}"))
    }

    /// Without parameters and headers: the form in which an address of record is compared (RFC 3261 §10.3 step 5).
    #[must_use]
    pub fn bare(&self) -> Uri {
        if !self.is_sip() {
            return self.clone();
        }
        let end = self.parts.params.0;
        Uri {
            text: self.text[..usize::from(end)].into(),
            parts: Parts {
                params: (end, end),
                headers: (0, 0),
                ..self.parts
            },
        }
    }

    /// The same URI, borrowed.
    #[must_use]
    pub fn borrow(&self) -> UriRef<'_> {
        UriRef {
            text: &self.text,
            parts: self.parts,
        }
    }

    /// As written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// See [`UriRef::scheme`].
    #[must_use]
    pub fn scheme(&self) -> Scheme {
        self.parts.scheme
    }

    /// See [`UriRef::is_sip`].
    #[must_use]
    pub fn is_sip(&self) -> bool {
        self.borrow().is_sip()
    }

    /// See [`UriRef::user`].
    #[must_use]
    pub fn user(&self) -> Option<&str> {
        self.borrow().user()
    }

    /// See [`UriRef::user_unescaped`].
    #[must_use]
    pub fn user_unescaped(&self) -> Option<Cow<'_, str>> {
        self.borrow().user_unescaped()
    }

    /// See [`UriRef::subscriber`].
    #[must_use]
    pub fn subscriber(&self) -> Option<Cow<'_, str>> {
        self.borrow().subscriber()
    }

    /// See [`UriRef::host`].
    #[must_use]
    pub fn host(&self) -> Option<Host<'_>> {
        self.borrow().host()
    }

    /// See [`UriRef::port`].
    #[must_use]
    pub fn port(&self) -> Option<u16> {
        self.parts.port
    }

    /// See [`UriRef::params`].
    #[must_use]
    pub fn params(&self) -> Params<'_> {
        self.borrow().params()
    }

    /// See [`UriRef::param`].
    #[must_use]
    pub fn param(&self, name: &str) -> Option<&str> {
        self.borrow().param(name)
    }

    /// See [`UriRef::transport`].
    #[must_use]
    pub fn transport(&self) -> Option<&str> {
        self.borrow().transport()
    }

    /// See [`UriRef::is_loose_router`].
    #[must_use]
    pub fn is_loose_router(&self) -> bool {
        self.borrow().is_loose_router()
    }

    /// See [`UriRef::headers`].
    #[must_use]
    pub fn headers(&self) -> Option<&str> {
        self.borrow().headers()
    }

    /// See [`UriRef::header`].
    #[must_use]
    pub fn header(&self, name: &str) -> Option<Cow<'_, str>> {
        self.borrow().header(name)
    }
}

impl FromStr for Uri {
    type Err = UriError;
    fn from_str(text: &str) -> Result<Uri, UriError> {
        Uri::parse(text)
    }
}

impl PartialEq for Uri {
    fn eq(&self, other: &Uri) -> bool {
        self.borrow().same(other.borrow())
    }
}

impl PartialEq<UriRef<'_>> for Uri {
    fn eq(&self, other: &UriRef<'_>) -> bool {
        self.borrow().same(*other)
    }
}

impl fmt::Display for Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.text, f)
    }
}
