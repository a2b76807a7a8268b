//! TLS towards peers with settings of their own: their authorities, our certificate for them, the name in theirs.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{PoisonError, RwLock};

use rustls_pki_types::ServerName;

use super::{ClientTls, TlsError};

/// Settings of TLS towards one peer.
#[derive(Clone, Debug)]
pub struct PeerTls {
    tls: ClientTls,
    name: Option<ServerName<'static>>,
}

impl PeerTls {
    /// Settings for a peer. `name` is asked for in the handshake (SNI, RFC 6066 §3) and expected in the peer's certificate, instead
    /// of the host by which it is reached.
    ///
    /// # Errors
    /// `name` is no host name.
    pub fn new(tls: ClientTls, name: Option<&str>) -> Result<PeerTls, TlsError> {
        let name = name
            .map(|name| ServerName::try_from(name.to_owned()))
            .transpose()
            .map_err(|_| TlsError::Certificate("the name to expect in it is no host name".into()))?;
        Ok(PeerTls { tls, name })
    }

    pub(in super::super) fn tls(&self) -> &ClientTls {
        &self.tls
    }

    pub(in super::super) fn name(&self) -> Option<ServerName<'static>> {
        self.name.clone()
    }
}

/// Settings of all such peers, which can be replaced while connections are open: those stay, and new ones use the new settings.
#[derive(Debug, Default)]
pub struct PeersTls(RwLock<HashMap<String, PeerTls>>);

impl PeersTls {
    /// Replaces the settings of all peers. Each is named by the host or the address by which it is reached.
    pub fn replace(&self, peers: impl IntoIterator<Item = (String, PeerTls)>) {
        let peers = peers.into_iter().map(|(host, tls)| (key(&host), tls)).collect();
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = peers;
    }

    /// Settings of the peer with this name, or, if it has none, at this address.
    pub(in super::super) fn of(&self, name: Option<&str>, ip: IpAddr) -> Option<PeerTls> {
        let peers = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let key = name.map_or_else(|| ip.to_canonical().to_string(), key);
        peers.get(&key).cloned()
    }
}

/// Hosts are compared without regard to case, and addresses by their value.
fn key(host: &str) -> String {
    let bare = host.trim_matches(['[', ']']).trim_end_matches('.');
    match bare.parse::<IpAddr>() {
        Ok(ip) => ip.to_canonical().to_string(),
        Err(_) => bare.to_ascii_lowercase(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_is_found_by_its_name_or_else_by_its_address() -> Result<(), TlsError> {
        let peer = |name| PeerTls::new(ClientTls::unverified()?, Some(name));
        let peers = PeersTls::default();
        peers.replace([
            ("SIP.Example.com.".to_owned(), peer("a.example")?),
            ("[2001:DB8::1]".to_owned(), peer("b.example")?),
            ("192.0.2.1".to_owned(), peer("c.example")?),
        ]);
        let found = |name, ip: &str| {
            let peer = peers.of(name, ip.parse().expect("an address"))?;
            Some(peer.name()?.to_str().into_owned())
        };
        assert_eq!(
            found(Some("sip.example.com"), "192.0.2.9").as_deref(),
            Some("a.example")
        );
        assert_eq!(found(None, "2001:db8::1").as_deref(), Some("b.example"));
        assert_eq!(found(None, "::ffff:192.0.2.1").as_deref(), Some("c.example"));
        // The certificate is checked against the name by which the peer was asked for.
        assert_eq!(found(Some("other.example.com"), "192.0.2.1"), None);
        peers.replace([]);
        assert_eq!(found(None, "192.0.2.1"), None);
        assert!(PeerTls::new(ClientTls::unverified()?, Some("no host")).is_err());
        Ok(())
    }
}
