use std::fmt;
use std::net::IpAddr;

use super::params::{Params, class, find_octet, is_token, trim};
use crate::flow::Transport;
use crate::uri::{Host, parse_host_port};

/// The magic cookie that begins each branch of RFC 3261 (§8.1.1.7).
pub const MAGIC_COOKIE: &str = "z9hG4bK";

/// One value of a `Via` field (RFC 3261 §20.42).
#[derive(Clone, Copy, Debug)]
pub struct Via<'a> {
    /// The transport as written; see [`Via::known_transport`].
    pub transport: &'a str,
    /// Host of `sent-by`.
    pub host: Host<'a>,
    /// Port of `sent-by`, when one is written.
    pub port: Option<u16>,
    /// `sent-by` as written.
    pub sent_by: &'a str,
    /// The parameters.
    pub params: Params<'a>,
}

impl<'a> Via<'a> {
    /// One value, no list.
    #[must_use]
    pub fn parse(value: &'a str) -> Option<Via<'a>> {
        let rest = match value.strip_prefix("SIP/2.0/") {
            Some(rest) => rest,
            None => {
                let (protocol, rest) = value.split_once('/')?;
                let (version, rest) = rest.split_once('/')?;
                if !trim(protocol).eq_ignore_ascii_case("SIP") || trim(version) != "2.0" {
                    return None;
                }
                rest
            }
        };
        let rest = trim(rest);
        let space = rest.bytes().position(|byte| class::is(byte, class::SPACE))?;
        let (transport, rest) = (&rest[..space], &rest[space + 1..]);
        let (sent_by, params) = rest.split_at(find_octet(rest, b';').unwrap_or(rest.len()));
        let sent_by = trim(sent_by);
        let (host, port) = parse_host_port(sent_by)?;
        let params = Params::new(trim(params));
        (is_token(transport) && params.is_well_formed()).then_some(Via {
            transport,
            host,
            port,
            sent_by,
            params,
        })
    }

    /// The transport, when it is one of ours.
    #[must_use]
    pub fn known_transport(&self) -> Option<Transport> {
        [
            Transport::Udp,
            Transport::Tcp,
            Transport::Tls,
            Transport::Ws,
            Transport::Wss,
        ]
        .into_iter()
        .find(|transport| transport.name().eq_ignore_ascii_case(self.transport))
    }

    /// The `branch` parameter; RFC 2543 peers send none.
    #[must_use]
    pub fn branch(&self) -> Option<&'a str> {
        self.params.get("branch").filter(|branch| !branch.is_empty())
    }

    /// The `branch`, when it begins with the magic cookie and says more than that: it then identifies the transaction
    /// (RFC 3261 §17.2.3; RFC 4475 §3.2.1).
    #[must_use]
    pub fn transaction_branch(&self) -> Option<&'a str> {
        self.branch().filter(|b| {
            b.len() > MAGIC_COOKIE.len()
                && b.get(..MAGIC_COOKIE.len())
                    .is_some_and(|cookie| cookie.eq_ignore_ascii_case(MAGIC_COOKIE))
        })
    }

    /// The `received` parameter. An IPv6 address may be in brackets or not (RFC 5118 §4.5).
    #[must_use]
    pub fn received(&self) -> Option<IpAddr> {
        let text = self.params.get("received")?;
        text.strip_prefix('[')
            .and_then(|text| text.strip_suffix(']'))
            .unwrap_or(text)
            .parse()
            .ok()
    }

    /// The `rport` parameter (RFC 3581): `None` when absent, `Some(None)` when the client asks for it, `Some(Some(port))`
    /// when the server filled it in.
    #[must_use]
    pub fn rport(&self) -> Option<Option<u16>> {
        self.params.get("rport").map(|port| port.parse().ok())
    }

    /// The `maddr` parameter.
    #[must_use]
    pub fn maddr(&self) -> Option<&'a str> {
        self.params.get("maddr")
    }

    /// The host of `sent-by` as written.
    #[must_use]
    pub fn host_text(&self) -> &'a str {
        match self.port {
            Some(_) => trim(
                self.sent_by
                    .rsplit_once(':')
                    .map_or(self.sent_by, |(host, _)| host),
            ),
            None => self.sent_by,
        }
    }

    /// The port of `sent-by`, or the default of the transport (RFC 3261 §18.2.2).
    #[must_use]
    pub fn port_or_default(&self) -> u16 {
        self.port
            .unwrap_or_else(|| self.known_transport().map_or(5060, Transport::default_port))
    }

    /// This value with what a server records on it when it receives a request from `source`: `received` when it differs
    /// from `sent-by` or `rport` was asked for (RFC 3261 §18.2.1, RFC 3581 §4), and the port in `rport`.
    #[must_use]
    pub fn stamped(&self, source: std::net::SocketAddr) -> String {
        let asks_rport = self.rport().is_some();
        let ip = source.ip().to_canonical();
        let differs = self.host.ip().is_none_or(|host| host.to_canonical() != ip);
        let mut text = format!("SIP/2.0/{} {}", self.transport, self.sent_by);
        for (name, value) in self.params.iter() {
            // what the peer claims it received is not what we received
            if !name.eq_ignore_ascii_case("received") && !name.eq_ignore_ascii_case("rport") {
                text.push(';');
                text.push_str(name);
                if let Some(value) = value {
                    text.push('=');
                    text.push_str(value);
                }
            }
        }
        if differs || asks_rport {
            text.push_str(&format!(";received={ip}"));
        }
        if asks_rport {
            text.push_str(&format!(";rport={}", source.port()));
        }
        text
    }
}

impl fmt::Display for Via<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "SIP/2.0/{} {}{}",
            self.transport,
            self.sent_by,
            self.params.as_str()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_a_via() {
        let via = Via::parse(
            "SIP  /   2.0 / UDP  192.0.2.2 : 5061 ; branch = z9hG4bK1 ;rport;received=[2001:db8::9]",
        )
        .unwrap();
        assert_eq!(
            (via.transport, via.port, via.sent_by),
            ("UDP", Some(5061), "192.0.2.2 : 5061")
        );
        assert_eq!(via.host.ip(), Some("192.0.2.2".parse().unwrap()));
        assert_eq!(via.transaction_branch(), Some("z9hG4bK1"));
        assert_eq!(via.rport(), Some(None));
        assert_eq!(via.received(), Some("2001:db8::9".parse().unwrap()));
        let via = Via::parse("SIP/2.0/WSS x.invalid;branch=z9hG4bK;received=2001:db8::9:255").unwrap();
        assert_eq!(via.known_transport(), Some(Transport::Wss));
        assert_eq!((via.branch(), via.transaction_branch()), (Some("z9hG4bK"), None));
        assert_eq!(via.received(), Some("2001:db8::9:255".parse().unwrap()));
        assert_eq!(via.port_or_default(), 443);
        assert_eq!(Via::parse("SIP/2.0/UNKNOWN [::1]:7").unwrap().port, Some(7));
        for bad in [
            "",
            "SIP/2.0/UDP",
            "SIP/7.0/UDP h",
            "SIP/2.0/UDP h;;x",
            "SIP/2.0/UDP h:99999",
            "SIP/2.0/U P h",
            "HTTP/2.0/UDP h",
            "SIP/2.0/UDP ::1",
            "SIP/2.0/UDP h;branch=",
        ] {
            assert!(Via::parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn the_source_is_recorded_where_it_differs_or_is_asked_for() {
        let source = "192.0.2.7:4444".parse().unwrap();
        let stamped = |value: &str| Via::parse(value).unwrap().stamped(source);
        assert_eq!(
            stamped("SIP/2.0/UDP 192.0.2.7;branch=b"),
            "SIP/2.0/UDP 192.0.2.7;branch=b"
        );
        assert_eq!(
            stamped("SIP/2.0/UDP h:1;branch=b"),
            "SIP/2.0/UDP h:1;branch=b;received=192.0.2.7"
        );
        assert_eq!(
            stamped("SIP/2.0/UDP 192.0.2.7;rport;branch=b;received=1.1.1.1"),
            "SIP/2.0/UDP 192.0.2.7;branch=b;received=192.0.2.7;rport=4444"
        );
    }
}
