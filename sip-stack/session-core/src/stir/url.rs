//! Addresses of certificates (`x5u`).

use std::fmt;
use std::net::IpAddr;

/// Address of a certificate: HTTPS, to a host and a path.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CertificateUrl {
    text: String,
    host: (usize, usize),
    port: u16,
    /// Beginning of path and query.
    path: usize,
}

/// Fault of a certificate's address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UrlError {
    /// Longer than [`CertificateUrl::LONGEST`].
    TooLong,
    /// Not beginning with `https://`.
    NotHttps,
    /// With characters that no URL has, a user, or a fragment.
    Malformed,
    /// The port is none.
    Port,
}

impl fmt::Display for UrlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            UrlError::TooLong => write!(f, "is longer than {} characters", CertificateUrl::LONGEST),
            UrlError::NotHttps => f.write_str("does not begin with https://"),
            UrlError::Malformed => f.write_str("is no address of a file"),
            UrlError::Port => f.write_str("has a port that is none"),
        }
    }
}

impl std::error::Error for UrlError {}

impl CertificateUrl {
    /// Most characters.
    pub const LONGEST: usize = 2_048;

    /// Reads an address such as `https://cr.example/a.pem`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<CertificateUrl, UrlError> {
        const SCHEME: &str = "https://";
        if text.len() > Self::LONGEST {
            return Err(UrlError::TooLong);
        }
        let scheme = text.get(..SCHEME.len()).ok_or(UrlError::NotHttps)?;
        if !scheme.eq_ignore_ascii_case(SCHEME) {
            return Err(UrlError::NotHttps);
        }
        let is_odd =
            |b: u8| !b.is_ascii_graphic() || matches!(b, b'"' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'#');
        if text.bytes().any(is_odd) {
            return Err(UrlError::Malformed);
        }
        let begin = SCHEME.len();
        let end = text[begin..].find(['/', '?']).map_or(text.len(), |at| begin + at);
        let (host, port) = host_and_port(&text[begin..end])?;
        Ok(CertificateUrl {
            host: (begin, begin + host),
            port,
            path: end,
            text: text.to_owned(),
        })
    }

    /// Host: a name, an IPv4 address, or an IPv6 address in brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.text[self.host.0..self.host.1]
    }

    /// The host, if it is an address.
    #[must_use]
    pub fn ip(&self) -> Option<IpAddr> {
        self.host()
            .trim_start_matches('[')
            .trim_end_matches(']')
            .parse()
            .ok()
    }

    /// Port; 443 unless another one is given.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Path and query, `/` at least.
    #[must_use]
    pub fn path(&self) -> String {
        match &self.text[self.path..] {
            path if path.starts_with('/') => path.to_owned(),
            query => format!("/{query}"),
        }
    }

    /// The address as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

/// Length of the host, and the port.
fn host_and_port(authority: &str) -> Result<(usize, u16), UrlError> {
    let host = match authority.strip_prefix('[') {
        Some(rest) => rest.find(']').ok_or(UrlError::Malformed)? + 2,
        None => authority.find(':').unwrap_or(authority.len()),
    };
    let (name, rest) = authority.split_at_checked(host).ok_or(UrlError::Malformed)?;
    let is_name = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_');
    let is_host = match name.strip_prefix('[').and_then(|name| name.strip_suffix(']')) {
        Some(v6) => v6.parse::<std::net::Ipv6Addr>().is_ok(),
        None => !name.is_empty() && name.bytes().all(is_name),
    };
    if !is_host {
        return Err(UrlError::Malformed);
    }
    let port = match rest.strip_prefix(':') {
        Some(port) if port.bytes().all(|b| b.is_ascii_digit()) => port.parse().map_err(|_| UrlError::Port)?,
        Some(_) => return Err(UrlError::Port),
        None if rest.is_empty() => 443,
        None => return Err(UrlError::Malformed),
    };
    if port == 0 {
        Err(UrlError::Port)
    } else {
        Ok((host, port))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_host_a_port_and_a_path() {
        for (text, host, port, path) in [
            (
                "https://cr.example/a/b.pem?v=1",
                "cr.example",
                443,
                "/a/b.pem?v=1",
            ),
            ("HTTPS://cr.example:8443", "cr.example", 8443, "/"),
            ("https://cr.example?x", "cr.example", 443, "/?x"),
            ("https://[2001:db8::1]:443/c", "[2001:db8::1]", 443, "/c"),
            ("https://192.0.2.1/c", "192.0.2.1", 443, "/c"),
        ] {
            let url = CertificateUrl::parse(text).unwrap();
            assert_eq!((url.host(), url.port(), url.path().as_str()), (host, port, path));
        }
        assert!(
            CertificateUrl::parse("https://[2001:db8::1]/")
                .unwrap()
                .ip()
                .is_some()
        );
    }

    #[test]
    fn what_is_no_address_of_a_file_is_refused() {
        for (text, error) in [
            ("", UrlError::NotHttps),
            ("http://cr.example/a", UrlError::NotHttps),
            ("file:///etc/passwd", UrlError::NotHttps),
            ("https://", UrlError::Malformed),
            ("https:///a", UrlError::Malformed),
            ("https://user@cr.example/a", UrlError::Malformed),
            ("https://cr.example/a#b", UrlError::Malformed),
            ("https://cr.example/a b", UrlError::Malformed),
            ("https://cr.example/a\r\nHost: x", UrlError::Malformed),
            ("https://[::1/a", UrlError::Malformed),
            ("https://[::1]x/a", UrlError::Malformed),
            ("https://cr.example:/a", UrlError::Port),
            ("https://cr.example:0/a", UrlError::Port),
            ("https://cr.example:70000/a", UrlError::Port),
            ("https://cr.example:+1/a", UrlError::Port),
        ] {
            assert_eq!(CertificateUrl::parse(text), Err(error), "{text}");
        }
        let long = format!("https://cr.example/{}", "a".repeat(2_048));
        assert_eq!(CertificateUrl::parse(&long), Err(UrlError::TooLong));
    }
}
