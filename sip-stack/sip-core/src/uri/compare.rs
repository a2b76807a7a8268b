//! Equality of URIs (RFC 3261 §19.1.4).

use super::UriRef;
use super::escape::{same_escaped, unescaped_octets};
use crate::message::params::Params;

impl UriRef<'_> {
    /// Equal as RFC 3261 §19.1.4 says. This is not transitive: a parameter that only one side has is mostly ignored.
    #[must_use]
    pub fn same(self, other: UriRef<'_>) -> bool {
        // also where a parameter stands twice, which no URI should have
        if self.text == other.text {
            return true;
        }
        if self.scheme() != other.scheme() {
            return false;
        }
        if !self.is_sip() {
            return self.text.eq_ignore_ascii_case(other.text);
        }
        let same_user = match (
            self.part_if_any(self.parts.user),
            other.part_if_any(other.parts.user),
        ) {
            (Some(a), Some(b)) => same_escaped(a, b, false),
            (a, b) => a.is_none() && b.is_none(),
        };
        let same_host = match (self.host(), other.host()) {
            (Some(a), Some(b)) => a.same(b),
            _ => false,
        };
        same_user
            && same_host
            && self.port() == other.port()
            && same_params(self.params(), other.params())
            && same_params(other.params(), self.params())
            && same_headers(self.headers(), other.headers())
    }
}

/// Every parameter of `a` that `b` has too has the same value, and those that may not be missing are not.
fn same_params(a: Params<'_>, b: Params<'_>) -> bool {
    a.iter().all(|(name, value)| match b.get(name) {
        Some(other) => same_escaped(value.unwrap_or(""), other, true),
        None => !["user", "ttl", "method", "maddr", "transport"]
            .iter()
            .any(|k| k.eq_ignore_ascii_case(name)),
    })
}

fn same_headers(a: Option<&str>, b: Option<&str>) -> bool {
    fn sorted(headers: Option<&str>) -> Vec<(String, Vec<u8>)> {
        let mut all: Vec<_> = headers
            .unwrap_or("")
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
            .map(|(name, value)| (name.to_ascii_lowercase(), unescaped_octets(value).collect()))
            .collect();
        all.sort();
        all
    }
    match (a, b) {
        (None, None) => true,
        _ => sorted(a) == sorted(b),
    }
}
