//! Address of the WebSocket that a WebRTC client speaks SIP over.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

/// Address of a WebSocket that carries SIP (RFC 7118).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebSocketUrl {
    /// `wss`, and not `ws`.
    pub secure: bool,
    /// Name or address of the host, IPv6 in brackets.
    pub host: String,
    /// Port; 443 or 80 unless the URL has one.
    pub port: u16,
    /// Path and query.
    pub path: Arc<str>,
}

impl WebSocketUrl {
    /// Reads `ws://host[:port][/path]` or `wss://…`; the path is `/` where there is none. `None` for anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<WebSocketUrl> {
        let (secure, rest) = match text.split_once("://")? {
            (scheme, rest) if scheme.eq_ignore_ascii_case("wss") => (true, rest),
            (scheme, rest) if scheme.eq_ignore_ascii_case("ws") => (false, rest),
            _ => return None,
        };
        let (authority, path) = rest.find('/').map_or((rest, "/"), |at| rest.split_at(at));
        let end_of_host = authority.rfind(']').map_or(0, |at| at + 1);
        let (host, port) = match authority[end_of_host..].rfind(':') {
            Some(at) => {
                let at = end_of_host + at;
                (&authority[..at], authority[at + 1..].parse().ok()?)
            }
            None => (authority, if secure { 443 } else { 80 }),
        };
        let is_host = !host.is_empty() && !host.contains(['@', '?', '#', ' ']) && port > 0;
        is_host.then(|| WebSocketUrl {
            secure,
            host: host.to_ascii_lowercase(),
            port,
            path: path.into(),
        })
    }

    /// Host without brackets.
    #[must_use]
    pub fn bare_host(&self) -> &str {
        self.host.trim_start_matches('[').trim_end_matches(']')
    }

    /// Address of the host, if it is one.
    #[must_use]
    pub fn ip(&self) -> Option<IpAddr> {
        self.bare_host().parse().ok()
    }
}

impl fmt::Display for WebSocketUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.secure { "wss" } else { "ws" };
        write!(f, "{scheme}://{}:{}{}", self.host, self.port, self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_of_websockets_are_taken_apart() {
        let url = |text| WebSocketUrl::parse(text).map(|url| url.to_string());
        for (text, whole) in [
            ("ws://127.0.0.1:8080/ws", "ws://127.0.0.1:8080/ws"),
            ("WSS://Example.com", "wss://example.com:443/"),
            ("ws://[::1]/a?b=c", "ws://[::1]:80/a?b=c"),
            ("wss://[2001:db8::1]:8443/ws", "wss://[2001:db8::1]:8443/ws"),
        ] {
            assert_eq!(url(text).as_deref(), Some(whole));
        }
        for wrong in [
            "http://a/",
            "ws://",
            "ws://:80/",
            "ws://a:b/",
            "ws://a:0/",
            "ws://me@a/",
            "a",
        ] {
            assert_eq!(url(wrong), None, "{wrong}");
        }
        let v6 = WebSocketUrl::parse("ws://[::1]:80/").expect("good");
        assert_eq!(v6.ip(), "::1".parse().ok());
    }
}
