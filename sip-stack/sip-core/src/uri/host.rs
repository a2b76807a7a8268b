use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::message::params::{class, find_octet, trim};

/// The host of a URI or of a `sent-by`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Host<'a> {
    /// A domain name as written.
    Name(&'a str),
    /// An IPv4 address.
    V4(Ipv4Addr),
    /// An IPv6 address, which is written in brackets.
    V6(Ipv6Addr),
}

impl<'a> Host<'a> {
    /// A host as it stands in a URI: IPv6 addresses only in brackets. RFC 5118 §4.10 lets `[2001:db8:::192.0.2.1]`
    /// pass, which the grammar of RFC 3261 produced by mistake.
    #[must_use]
    pub fn parse(text: &'a str) -> Option<Host<'a>> {
        if let Some(inner) = text.strip_prefix('[') {
            let inner = inner.strip_suffix(']')?;
            let address = inner.parse().or_else(|_| inner.replacen(":::", "::", 1).parse());
            return address.ok().map(Host::V6);
        }
        if text.is_empty() || text.len() > 255 || text.starts_with('.') || !class::all(text, class::HOST) {
            return None;
        }
        // a name's last label begins with a letter, so whatever ends in a digit can be an address
        match text.bytes().next_back() {
            Some(b'0'..=b'9') => Some(text.parse().map_or(Host::Name(text), Host::V4)),
            _ => Some(Host::Name(text)),
        }
    }

    /// The address, when it is one.
    #[must_use]
    pub fn ip(self) -> Option<IpAddr> {
        match self {
            Host::Name(_) => None,
            Host::V4(address) => Some(address.into()),
            Host::V6(address) => Some(address.into()),
        }
    }

    /// Equal as RFC 3261 §19.1.4 compares hosts: names without regard to case.
    #[must_use]
    pub fn same(self, other: Host<'_>) -> bool {
        match (self, other) {
            (Host::Name(a), Host::Name(b)) => a.eq_ignore_ascii_case(b),
            (a, b) => a.ip() == b.ip() && a.ip().is_some(),
        }
    }
}

impl From<IpAddr> for Host<'_> {
    fn from(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => Host::V4(address),
            IpAddr::V6(address) => Host::V6(address),
        }
    }
}

impl fmt::Display for Host<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Host::Name(name) => f.write_str(name),
            Host::V4(address) => address.fmt(f),
            Host::V6(address) => write!(f, "[{address}]"),
        }
    }
}

/// `host[:port]` with spaces allowed around the colon, as in `sent-by`.
pub(crate) fn parse_host_port(text: &str) -> Option<(Host<'_>, Option<u16>)> {
    let colon = match text.bytes().rposition(|byte| byte == b']') {
        Some(bracket) => find_octet(&text[bracket..], b':').map(|at| bracket + at),
        None => find_octet(text, b':'),
    };
    let (host, port) = match colon {
        Some(at) => (&text[..at], Some(parse_port(trim(&text[at + 1..]))?)),
        None => (text, None),
    };
    Some((Host::parse(trim(host))?, port))
}

pub(super) fn parse_port(text: &str) -> Option<u16> {
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}
