//! Where a SIP URI leads (RFC 3263): NAPTR, then SRV, then addresses. Runs outside the signalling task.

mod system;

use std::future::Future;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use sans_io::Rng;
use sip_core::flow::Transport;
use sip_core::uri::{Host, Scheme, UriRef};

pub use system::System;

/// One place to try, best first: how, where, and the name to expect in a certificate.
pub type Target = (Transport, SocketAddr, Option<String>);

/// Places that are tried at most.
const TARGETS: usize = 16;

/// Time for all queries of one URI together.
const PATIENCE: Duration = Duration::from_secs(10);

/// A NAPTR record with flag `s`: how to go on.
#[derive(Clone, Debug)]
pub struct Naptr {
    /// Lower first; then `preference`.
    pub order: u16,
    /// Lower first within an order.
    pub preference: u16,
    /// E.g. `SIP+D2U`.
    pub service: String,
    /// Name of the SRV records.
    pub replacement: String,
}

/// An SRV record (RFC 2782).
#[derive(Clone, Debug)]
pub struct Srv {
    /// Lower first.
    pub priority: u16,
    /// Share of the attempts within a priority.
    pub weight: u16,
    /// Of the service.
    pub port: u16,
    /// Host.
    pub target: String,
}

/// Whoever answers queries. What does not exist, or cannot be asked, is empty.
pub trait Records {
    /// Records that lead to SRV.
    fn naptr(&self, name: &str) -> impl Future<Output = Vec<Naptr>> + Send;
    /// Services.
    fn srv(&self, name: &str) -> impl Future<Output = Vec<Srv>> + Send;
    /// A and AAAA.
    fn addresses(&self, name: &str) -> impl Future<Output = Vec<IpAddr>> + Send;
}

/// Targets that need no query: IP literals and `localhost`. Names of `.invalid` lead nowhere (RFC 6761 §6.4).
#[must_use]
pub fn immediate(uri: UriRef<'_>) -> Option<Vec<Target>> {
    let Some(host) = destination(uri) else {
        return Some(Vec::new());
    };
    let ips: Vec<IpAddr> = match host {
        Host::V4(ip) => vec![ip.into()],
        Host::V6(ip) => vec![ip.into()],
        Host::Name(name) if name.eq_ignore_ascii_case("localhost") => {
            vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]
        }
        Host::Name(name) if is_invalid(name) => Vec::new(),
        Host::Name(_) => return None,
    };
    let Some(transport) = transport(uri) else {
        return Some(Vec::new());
    };
    let port = uri.port().unwrap_or(transport.default_port());
    Some(
        ips.into_iter()
            .map(|ip| (transport, SocketAddr::new(ip, port), name_of(host)))
            .collect(),
    )
}

/// All targets, in the order to try them; empty when there are none.
pub async fn resolve(uri: UriRef<'_>, records: &impl Records, rng: &mut Rng) -> Vec<Target> {
    if let Some(targets) = immediate(uri) {
        return targets;
    }
    let mut targets = tokio::time::timeout(PATIENCE, query(uri, records, rng))
        .await
        .unwrap_or_default();
    targets.truncate(TARGETS);
    targets
}

async fn query(uri: UriRef<'_>, records: &impl Records, rng: &mut Rng) -> Vec<Target> {
    let (Some(Host::Name(name)), Some(default)) = (destination(uri), transport(uri)) else {
        return Vec::new();
    };
    let mut targets = Vec::new();
    if let Some(port) = uri.port() {
        // An explicit port rules out NAPTR and SRV (RFC 3263 §4.2).
        add(&mut targets, records, default, name, port, name).await;
        return targets;
    }
    for (transport, service) in services(uri, name, default, records).await {
        for srv in in_order(records.srv(&service).await, rng) {
            add(&mut targets, records, transport, &srv.target, srv.port, name).await;
            if targets.len() >= TARGETS {
                return targets;
            }
        }
    }
    if targets.is_empty() {
        add(&mut targets, records, default, name, default.default_port(), name).await;
    }
    targets
}

/// SRV names to ask, best transport first (RFC 3263 §4.1).
async fn services(
    uri: UriRef<'_>,
    name: &str,
    default: Transport,
    records: &impl Records,
) -> Vec<(Transport, String)> {
    let secure = uri.scheme() == Scheme::Sips;
    if uri.transport().is_some() {
        return vec![(default, srv_name(default, name))];
    }
    let mut naptr = records.naptr(name).await;
    naptr.sort_by_key(|n| (n.order, n.preference));
    let wanted = |n: &Naptr| match n.service.to_ascii_uppercase().as_str() {
        "SIPS+D2T" => Some(Transport::Tls),
        "SIP+D2U" if !secure => Some(Transport::Udp),
        "SIP+D2T" if !secure => Some(Transport::Tcp),
        _ => None,
    };
    let found: Vec<_> = naptr
        .iter()
        .filter_map(|n| Some((wanted(n)?, n.replacement.clone())))
        .collect();
    if !found.is_empty() {
        return found;
    }
    let usual: &[Transport] = if secure {
        &[Transport::Tls]
    } else {
        &[Transport::Udp, Transport::Tcp, Transport::Tls]
    };
    usual.iter().map(|t| (*t, srv_name(*t, name))).collect()
}

fn srv_name(transport: Transport, name: &str) -> String {
    let prefix = match transport {
        Transport::Udp => "_sip._udp",
        Transport::Tcp => "_sip._tcp",
        Transport::Tls => "_sips._tcp",
        Transport::Ws => "_sip._ws",
        Transport::Wss => "_sips._ws",
    };
    format!("{prefix}.{name}")
}

async fn add(
    targets: &mut Vec<Target>,
    records: &impl Records,
    transport: Transport,
    host: &str,
    port: u16,
    expected: &str,
) {
    let ips = match host.parse::<IpAddr>() {
        Ok(ip) => vec![ip],
        Err(_) => records.addresses(host).await,
    };
    // The certificate must be for the name that was asked for, not for where SRV led (RFC 5922 §4).
    for ip in ips {
        targets.push((transport, SocketAddr::new(ip, port), Some(expected.to_owned())));
    }
}

/// RFC 2782: by priority; within one, drawn by weight.
fn in_order(mut records: Vec<Srv>, rng: &mut Rng) -> Vec<Srv> {
    // A single record with target "." says that the service is not offered.
    records.retain(|srv| !srv.target.is_empty() && srv.target != ".");
    records.sort_by_key(|srv| (srv.priority, srv.weight));
    let mut ordered = Vec::with_capacity(records.len());
    while let Some(priority) = records.first().map(|srv| srv.priority) {
        let peers = records.iter().take_while(|srv| srv.priority == priority);
        let sum: u64 = peers.map(|srv| u64::from(srv.weight)).sum();
        let mut drawn = rng.below(sum + 1);
        let chosen = records.iter().position(|srv| {
            let weight = u64::from(srv.weight);
            let hit = weight >= drawn;
            drawn = drawn.saturating_sub(weight);
            hit
        });
        ordered.push(records.remove(chosen.unwrap_or(0)));
    }
    ordered
}

/// The host to look for: `maddr` when given (RFC 3261 §19.1.1).
fn destination(uri: UriRef<'_>) -> Option<Host<'_>> {
    match uri.param("maddr") {
        Some(maddr) => Host::parse(maddr),
        None => uri.host(),
    }
}

/// What the URI asks for; UDP, or TLS for `sips:`, when it says nothing. `None`: a transport that we do not speak.
fn transport(uri: UriRef<'_>) -> Option<Transport> {
    let secure = uri.scheme() == Scheme::Sips;
    let named = uri.transport().map(str::to_ascii_lowercase);
    Some(match (named.as_deref(), secure) {
        (None | Some("tls"), true) | (Some("tcp"), true) | (Some("tls"), false) => Transport::Tls,
        (None | Some("udp"), false) => Transport::Udp,
        (Some("tcp"), false) => Transport::Tcp,
        (Some("ws"), false) => Transport::Ws,
        (Some("wss"), _) | (Some("ws"), true) => Transport::Wss,
        _ => return None,
    })
}

fn is_invalid(name: &str) -> bool {
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    name == "invalid" || name.ends_with(".invalid")
}

fn name_of(host: Host<'_>) -> Option<String> {
    match host {
        Host::Name(name) => Some(name.to_owned()),
        Host::V4(_) | Host::V6(_) => None,
    }
}

#[cfg(test)]
mod tests;
