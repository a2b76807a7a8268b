//! TLS towards trunks: whose word is taken for a trunk, and what we show to it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use session_core::Trunk;
use sip_core::flow::Transport;
use sip_stack::transport::tls::{ClientTls, PeerTls, Trust};

use super::reader::{Reader, Section};
use super::values::{domain, identity, readable};
use super::{Tls, TrunkTls};

/// Keys of a trunk that only TLS has a use for.
const KEYS: [&str; 4] = ["ca", "certificate", "key", "tls_name"];

/// Reads the settings of TLS towards a trunk; `None`: those of every other peer.
pub(super) fn read_tls<'t>(
    r: &mut Reader<'t>,
    trunk: &mut Section<'t>,
    transport: Transport,
    base: &Path,
) -> Option<TrunkTls> {
    let ca = r.get(trunk, "ca", |v| readable(v, base));
    let identity = identity(r, trunk, base);
    let name = r.get(trunk, "tls_name", domain);
    let written = KEYS.into_iter().find_map(|key| Some((key, trunk.span(key)?)));
    let (key, span) = written?;
    if transport != Transport::Tls {
        let message = format!("trunks.{key} has a meaning for `transport = \"tls\"` alone");
        r.fail(span, message);
        return None;
    }
    if let Some(ca) = &ca
        && let Err(error) = ClientTls::authorities(&std::fs::read(ca).unwrap_or_default())
    {
        let at = trunk.span("ca").unwrap_or(span.clone());
        r.fail(
            at,
            format!("trunks.ca: {error}; it must be a PEM file with certificates"),
        );
        return None;
    }
    Some(TrunkTls { ca, identity, name })
}

/// One host has one kind of TLS, whichever trunk reaches it.
pub(super) fn check_hosts(
    r: &mut Reader<'_>,
    trunks: &BTreeMap<String, Trunk>,
    tls: &BTreeMap<String, TrunkTls>,
) {
    let secure = || {
        trunks
            .iter()
            .filter(|(_, trunk)| trunk.transport == Transport::Tls)
    };
    for (n, (name, trunk)) in secure().enumerate() {
        let same =
            |(_, other): &(&String, &Trunk)| hosts(other).iter().any(|host| hosts(trunk).contains(host));
        let Some((other, _)) = secure().take(n).find(same) else {
            continue;
        };
        if tls.get(name) != tls.get(other) {
            r.refuse(format!(
                "the trunks `{other}` and `{name}` reach {} over TLS with different settings ({}): give both the same",
                trunk.host,
                KEYS.join(", ")
            ));
        }
    }
}

/// Hosts that a trunk is reached at, in lower case.
fn hosts(trunk: &Trunk) -> Vec<String> {
    let proxy = trunk
        .outbound_proxy
        .as_ref()
        .and_then(|proxy| Some(proxy.host()?.to_string()));
    let places = trunk.outgoing.places.iter().map(|place| place.host.clone());
    let own = std::iter::once(trunk.host.clone());
    own.chain(places)
        .chain(proxy)
        .map(|host| host.to_ascii_lowercase())
        .collect()
}

impl TrunkTls {
    /// Reads the files, for connections.
    ///
    /// # Errors
    /// A file cannot be read or used; the text says which.
    pub fn open(&self) -> Result<PeerTls, String> {
        let read = |path: &PathBuf| {
            std::fs::read(path).map_err(|error| format!("{} cannot be read: {error}", path.display()))
        };
        let authorities = self.ca.as_ref().map(read).transpose()?;
        let trust = authorities.as_deref().map_or(Trust::System, Trust::Authorities);
        let identity = self.identity.as_ref().map(Tls::key_pair).transpose()?;
        ClientTls::new(trust, identity)
            .and_then(|tls| PeerTls::new(tls, self.name.as_deref()))
            .map_err(|error| error.to_string())
    }
}

impl super::Config {
    /// Settings of TLS towards trunks that have some of their own, by the hosts that they are reached at.
    ///
    /// # Errors
    /// A file cannot be read or used; the text says which, and for which trunk.
    pub fn trunks_tls(&self) -> Result<Vec<(String, PeerTls)>, String> {
        let mut all = Vec::new();
        for (name, tls) in &self.trunk_tls {
            let Some(trunk) = self.trunks.get(name) else {
                continue;
            };
            let opened = tls.open().map_err(|error| format!("trunk `{name}`: {error}"))?;
            all.extend(hosts(trunk).into_iter().map(|host| (host, opened.clone())));
        }
        Ok(all)
    }
}
