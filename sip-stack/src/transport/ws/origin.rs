//! Web origins (RFC 6454): the sites whose pages may connect.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use tokio_tungstenite::tungstenite::http::HeaderMap;
use tokio_tungstenite::tungstenite::http::header::{HOST, ORIGIN};

/// Sites whose pages may connect: the server's own, those of a developer's own machine, and those that are listed.
///
/// A browser names the site of a page in `Origin`, which no script can change. Other programs name none; they
/// may connect, because they could name any.
#[derive(Clone, Debug, Default)]
pub struct Origins {
    listed: Arc<[String]>,
    local_only: bool,
}

impl Origins {
    /// Allows pages of these sites besides the server's own, e.g. `https://phone.example`; `*` stands for
    /// every site.
    #[must_use]
    pub fn new(listed: Vec<String>) -> Origins {
        Origins {
            listed: listed.into(),
            local_only: false,
        }
    }

    /// Restricts the server to loopback names: a page of another name is not its own, even if that name
    /// resolves to loopback (DNS rebinding).
    #[must_use]
    pub fn local_only(mut self) -> Origins {
        self.local_only = true;
        self
    }

    /// True if a request with these headers may come from that address.
    ///
    /// Pages of localhost are accepted from this host alone: they are its user's.
    #[must_use]
    pub fn allow(&self, headers: &HeaderMap, peer: IpAddr) -> bool {
        let Some(origin) = headers.get(ORIGIN) else {
            return true;
        };
        let Ok(origin) = origin.to_str() else {
            return false;
        };
        let is_listed = |known: &String| known == "*" || known.eq_ignore_ascii_case(origin);
        if self.listed.iter().any(is_listed) {
            return true;
        }
        let Some(site) = Site::of_origin(origin) else {
            return false;
        };
        if is_loopback(peer) && is_local_name(site.host) {
            return true;
        }
        let host = headers.get(HOST).and_then(|host| host.to_str().ok());
        host.is_some_and(|host| site.is_at(host)) && (!self.local_only || is_local_name(site.host))
    }
}

/// True for a `Host`, with or without a port, that names this machine and nothing else.
#[must_use]
pub fn is_local_host(host: &str) -> bool {
    is_local_name(split_port(host).0)
}

/// The parts of an origin. `null` (a file, a sandboxed frame) has none.
#[derive(Clone, Copy)]
struct Site<'a> {
    host: &'a str,
    port: &'a str,
    default_port: &'static str,
}

impl<'a> Site<'a> {
    fn of_origin(origin: &'a str) -> Option<Site<'a>> {
        let (scheme, authority) = origin.split_once("://")?;
        let default_port = if scheme.eq_ignore_ascii_case("https") {
            "443"
        } else if scheme.eq_ignore_ascii_case("http") {
            "80"
        } else {
            return None;
        };
        let (host, port) = split_port(authority);
        (!host.is_empty()).then_some(Site {
            host,
            port: port.unwrap_or(default_port),
            default_port,
        })
    }

    /// True if the origin is at `host`. The scheme determines a port that `Host` leaves out: a proxy may have
    /// ended TLS.
    fn is_at(&self, host: &str) -> bool {
        let (name, port) = split_port(host);
        name.eq_ignore_ascii_case(self.host) && port.unwrap_or(self.default_port) == self.port
    }
}

fn split_port(authority: &str) -> (&str, Option<&str>) {
    match authority.rsplit_once(':') {
        // A colon within brackets is part of an IPv6 address.
        Some((host, port)) if !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()) => {
            (host, Some(port))
        }
        _ => (authority, None),
    }
}

/// True for names that browsers themselves resolve to loopback: `localhost` and names under it.
fn is_local_name(host: &str) -> bool {
    let host = host.to_ascii_lowercase();
    let v6 = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    match v6 {
        Some(ip) => ip.parse::<Ipv6Addr>().is_ok_and(|ip| ip.is_loopback()),
        None => {
            host == "localhost"
                || host.ends_with(".localhost")
                || host.parse::<Ipv4Addr>().is_ok_and(|ip| ip.is_loopback())
        }
    }
}

fn is_loopback(ip: IpAddr) -> bool {
    ip.to_canonical().is_loopback()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio_tungstenite::tungstenite::http::HeaderValue;

    const FAR: &str = "192.0.2.7";
    const HERE: &str = "127.0.0.1";

    fn allow(origins: &Origins, host: &'static str, origin: &'static str, peer: &str) -> bool {
        let headers = HeaderMap::from_iter([
            (HOST, HeaderValue::from_static(host)),
            (ORIGIN, HeaderValue::from_static(origin)),
        ]);
        origins.allow(&headers, peer.parse().expect("an address"))
    }

    #[test]
    fn own_pages_may_connect_whatever_is_listed() {
        for origins in [
            Origins::default(),
            Origins::new(vec!["https://other.example".into()]),
        ] {
            for (host, origin) in [
                ("pbx.example", "https://pbx.example"),
                ("pbx.example:443", "https://PBX.example"),
                ("pbx.example", "http://pbx.example:80"),
                ("192.0.2.1:8080", "http://192.0.2.1:8080"),
                ("[2001:db8::1]:8080", "http://[2001:db8::1]:8080"),
                ("[2001:db8::1]", "https://[2001:db8::1]"),
            ] {
                assert!(allow(&origins, host, origin, FAR), "{host} {origin}");
            }
        }
    }

    #[test]
    fn other_sites_may_not_unless_listed() {
        let origins = Origins::new(vec!["https://phone.example".into()]);
        assert!(allow(&origins, "pbx.example", "https://PHONE.example", FAR));
        for origin in [
            "https://evil.test",
            "https://phone.example.evil.test",
            "http://phone.example",
            "https://pbx.example:8443",
            "http://pbx.example.evil.test",
            "http://localhost:5173",
            "null",
            "",
            "file://",
            "http://",
        ] {
            assert!(!allow(&origins, "pbx.example", origin, FAR), "{origin}");
        }
        let any = Origins::new(vec!["*".into()]);
        assert!(allow(&any, "pbx.example", "https://evil.test", FAR));
        assert!(allow(&any, "pbx.example", "null", FAR));
    }

    #[test]
    fn pages_of_this_machine_may_connect_from_it() {
        for origin in [
            "http://localhost:5173",
            "http://127.0.0.1:9999",
            "https://[::1]:3000",
            "http://app.localhost",
        ] {
            assert!(
                allow(&Origins::default(), "127.0.0.1:8080", origin, HERE),
                "{origin}"
            );
            assert!(
                !allow(&Origins::default(), "pbx.example", origin, FAR),
                "{origin}"
            );
        }
        for origin in [
            "https://localhost.evil.test",
            "https://127.0.0.1.evil.test",
            "null",
        ] {
            assert!(
                !allow(&Origins::default(), "127.0.0.1:8080", origin, HERE),
                "{origin}"
            );
        }
    }

    #[test]
    fn a_foreign_name_for_loopback_is_not_our_own() {
        let origins = Origins::default().local_only();
        assert!(!allow(&origins, "evil.test:8080", "http://evil.test:8080", HERE));
        assert!(allow(&origins, "localhost:8080", "http://localhost:8080", HERE));
        assert!(is_local_host("[::1]:8080") && is_local_host("LOCALHOST") && !is_local_host("evil.test:80"));
    }

    #[test]
    fn programs_that_name_no_site_may_connect() {
        assert!(Origins::default().allow(&HeaderMap::new(), FAR.parse().expect("an address")));
    }
}
