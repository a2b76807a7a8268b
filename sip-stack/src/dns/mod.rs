//! Locating SIP servers (RFC 3263): NAPTR, then SRV, then addresses. Runs outside the signalling task.

mod follow;
mod system;

use std::future::Future;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use sans_io::Rng;
use session_core::Located;
use sip_core::flow::Transport;
use sip_core::uri::{Host, Scheme, UriRef};

pub(crate) use follow::{Followed, Follower};
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
    /// Port of the service.
    pub port: u16,
    /// Host.
    pub target: String,
}

/// The answer to a query.
#[derive(Clone, Debug)]
pub struct Answer<T> {
    /// The records; empty if there are none, or nobody answered.
    pub records: Vec<T>,
    /// Time for which they are valid.
    pub ttl: Duration,
    /// False if no name server answered: there may be records.
    pub is_certain: bool,
}

impl<T> Answer<T> {
    /// No records: certainly, or because nobody answered.
    #[must_use]
    pub fn none(is_certain: bool) -> Answer<T> {
        Answer {
            records: Vec::new(),
            ttl: Duration::MAX,
            is_certain,
        }
    }

    /// The records that `convert` takes.
    fn map<U>(self, convert: impl FnMut(T) -> Option<U>) -> Answer<U> {
        Answer {
            records: self.records.into_iter().filter_map(convert).collect(),
            ttl: self.ttl,
            is_certain: self.is_certain,
        }
    }
}

/// Counters of the queries to name servers since the start.
#[derive(Debug, Default)]
pub struct Counters {
    /// Queries, those that a cache answered included.
    pub queries: AtomicU64,
    /// Queries that no name server answered.
    pub unanswered: AtomicU64,
}

/// Queries to name servers, as far as they are needed here.
pub trait Records {
    /// Records that lead to SRV.
    fn naptr(&self, name: &str) -> impl Future<Output = Answer<Naptr>> + Send;
    /// Services.
    fn srv(&self, name: &str) -> impl Future<Output = Answer<Srv>> + Send;
    /// A and AAAA.
    fn addresses(&self, name: &str) -> impl Future<Output = Answer<IpAddr>> + Send;
}

/// Targets of a URI, and the time for which they are valid.
#[derive(Clone, Debug)]
pub struct Resolution {
    /// Targets, in the order to try them, each with its rank.
    pub targets: Vec<Located>,
    /// Shortest lifetime of the records that led there.
    pub ttl: Duration,
    /// False if a name server that was needed did not answer.
    pub is_certain: bool,
}

impl Resolution {
    fn of(targets: Vec<Located>) -> Resolution {
        Resolution {
            targets,
            ttl: Duration::MAX,
            is_certain: true,
        }
    }

    /// The records of an answer; its lifetime and certainty count for the whole.
    fn take<T>(&mut self, answer: Answer<T>) -> Vec<T> {
        if !answer.records.is_empty() {
            self.ttl = self.ttl.min(answer.ttl);
        }
        self.is_certain &= answer.is_certain;
        answer.records
    }
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
    let found = locate(uri, records, rng).await.targets;
    found.into_iter().map(target).collect()
}

/// As [`resolve`], with the time for which the answer is valid.
pub async fn locate(uri: UriRef<'_>, records: &impl Records, rng: &mut Rng) -> Resolution {
    if let Some(targets) = immediate(uri) {
        let ranked = (0..)
            .zip(targets)
            .map(|(priority, (transport, address, server_name))| Located {
                priority,
                weight: 1,
                transport,
                address,
                server_name,
            });
        return Resolution::of(ranked.collect());
    }
    let mut found = Resolution::of(Vec::new());
    if tokio::time::timeout(PATIENCE, query(&mut found, uri, records, rng))
        .await
        .is_err()
    {
        found.is_certain = false;
    }
    found.targets.truncate(TARGETS);
    found
}

/// A target without its rank.
pub fn target(located: Located) -> Target {
    (located.transport, located.address, located.server_name)
}

async fn query(found: &mut Resolution, uri: UriRef<'_>, records: &impl Records, rng: &mut Rng) {
    let (Some(Host::Name(name)), Some(default)) = (destination(uri), transport(uri)) else {
        return;
    };
    if let Some(port) = uri.port() {
        // An explicit port rules out NAPTR and SRV (RFC 3263 §4.2).
        return add(found, records, (default, port, (0, 1)), name, name).await;
    }
    let services = services(found, uri, name, default, records).await;
    for (at, (transport, service)) in (0u32..).zip(services) {
        let offered = found.take(records.srv(&service).await);
        for srv in in_order(offered, rng) {
            let rank = ((at << 16) | u32::from(srv.priority), srv.weight);
            add(found, records, (transport, srv.port, rank), &srv.target, name).await;
            if found.targets.len() >= TARGETS {
                return;
            }
        }
    }
    if found.targets.is_empty() {
        add(
            found,
            records,
            (default, default.default_port(), (0, 1)),
            name,
            name,
        )
        .await;
    }
}

/// SRV names to ask, best transport first (RFC 3263 §4.1).
async fn services(
    found: &mut Resolution,
    uri: UriRef<'_>,
    name: &str,
    default: Transport,
    records: &impl Records,
) -> Vec<(Transport, String)> {
    let secure = uri.scheme() == Scheme::Sips;
    if uri.transport().is_some() {
        return vec![(default, srv_name(default, name))];
    }
    let mut naptr = found.take(records.naptr(name).await);
    naptr.sort_by_key(|n| (n.order, n.preference));
    let wanted = |n: &Naptr| match n.service.to_ascii_uppercase().as_str() {
        "SIPS+D2T" => Some(Transport::Tls),
        "SIP+D2U" if !secure => Some(Transport::Udp),
        "SIP+D2T" if !secure => Some(Transport::Tcp),
        _ => None,
    };
    let led: Vec<_> = naptr
        .iter()
        .filter_map(|n| Some((wanted(n)?, n.replacement.clone())))
        .collect();
    if !led.is_empty() {
        return led;
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
    found: &mut Resolution,
    records: &impl Records,
    (transport, port, (priority, weight)): (Transport, u16, (u32, u16)),
    host: &str,
    expected: &str,
) {
    let ips = match host.parse::<IpAddr>() {
        Ok(ip) => vec![ip],
        Err(_) => found.take(records.addresses(host).await),
    };
    // The certificate must be for the name that was asked for, not for where SRV led (RFC 5922 §4).
    for (at, ip) in (0..=u32::from(u8::MAX)).zip(ips) {
        found.targets.push(Located {
            // The addresses of one host are tried in the order of the answer.
            priority: (priority << 8) | at,
            weight,
            transport,
            address: SocketAddr::new(ip, port),
            server_name: Some(expected.to_owned()),
        });
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

/// Transport that the URI asks for; UDP, or TLS for `sips:`, if it names none. `None`: a transport that we do
/// not speak.
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
