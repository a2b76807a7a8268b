use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use sans_io::Time;

use crate::flow::{Destination, Flow, Transport};
use crate::message::NameAddr;
use crate::uri::{Host, Scheme, Uri, UriRef};

use super::Endpoint;
use super::client::Purpose;
use super::event::Output;
use super::ids::{QueryId, UsageId};
use super::outgoing::Target;
use super::wire::Draft;

/// Time for which targets that failed are tried last, unless they named another time (`Retry-After`).
const AVOID: Duration = Duration::from_secs(30);
/// Never longer than this, whatever they said.
const AVOID_AT_MOST: Duration = Duration::from_secs(300);
const MAX_AVOIDED: usize = 1024;

/// Request that waits for a name.
#[derive(Debug)]
pub(super) enum Pending {
    /// A request.
    Request {
        draft: Draft,
        usage: Option<UsageId>,
        purpose: Purpose,
    },
    /// The ACK to a 2xx that came to this client transaction.
    Ack {
        client: u64,
        draft: Draft,
        tag: Option<String>,
        usage: Option<UsageId>,
    },
}

/// Next hop of a request.
#[derive(Debug)]
pub(super) enum Hop {
    /// There, in this order.
    To(VecDeque<Destination>),
    /// To be asked.
    Name(Uri),
    /// Nowhere: under `.invalid`, or no SIP URI.
    Nowhere,
}

impl Endpoint {
    /// Next hop of a request outside a dialog.
    pub(super) fn hop_to_target(&self, target: &Target, request_uri: &Uri) -> Hop {
        match target {
            Target::Flow(flow) => Hop::To(VecDeque::from([Destination::Flow(*flow)])),
            Target::Contact { flow, path } => hop_to_contact(*flow, path),
            Target::Routes(routes) => hop_to_first(routes),
            Target::Address(to) => Hop::To(VecDeque::from([to.clone()])),
            Target::Uri { proxy } => hop(proxy.as_ref().unwrap_or(request_uri).borrow()),
        }
    }

    /// Next hop of a request within the dialog of `usage`, by `uri` (RFC 3261 §12.2.1.1, RFC 3263 §4).
    pub(super) fn hop_in_dialog(&self, usage: UsageId, uri: &str) -> Hop {
        let Some(state) = self.usages.get(&usage) else {
            return Hop::Nowhere;
        };
        if let Some(flow) = state.sticky {
            return Hop::To(VecDeque::from([Destination::Flow(flow)]));
        }
        let reached = state.reached.clone();
        if let Some((name, targets)) = &state.resolved
            && name == uri
        {
            return Hop::To(targets.clone());
        }
        hop_near(uri, reached.as_ref(), state.info.flow)
    }

    /// Asks for a name on behalf of `pending`.
    pub(super) fn ask(&mut self, uri: Uri, pending: Pending) -> QueryId {
        let query = QueryId(self.random_id());
        self.queries.insert(query, pending);
        self.out.push_back(Output::Resolve { query, uri });
        query
    }

    pub(super) fn resolved(
        &mut self,
        now: Time,
        query: QueryId,
        targets: Vec<(Transport, SocketAddr, Option<String>)>,
    ) {
        let Some(pending) = self.queries.remove(&query) else {
            return;
        };
        let mut targets: VecDeque<Destination> = targets
            .into_iter()
            .map(|(transport, addr, server_name)| Destination::Address {
                transport,
                addr,
                server_name,
            })
            .collect();
        if targets.is_empty() {
            targets.extend(self.reached_by(&pending));
        }
        match pending {
            Pending::Request {
                draft,
                usage,
                purpose,
            } => {
                self.remember(usage, &targets);
                let over =
                    usage.is_some_and(|usage| self.usages.get(&usage).is_none_or(|usage| usage.is_over()));
                if over && !matches!(purpose, Purpose::Bye | Purpose::Farewell) {
                    self.settle(usage, purpose);
                    return usage.into_iter().for_each(|usage| self.reap(usage));
                }
                if !self.is_unwanted(purpose, &draft.method) {
                    self.launch(now, draft, targets, usage, purpose);
                }
            }
            Pending::Ack {
                client,
                draft,
                tag,
                usage,
            } => {
                self.remember(usage, &targets);
                if let Some(to) = targets.into_iter().next() {
                    self.transmit_ack(client, &draft, tag.as_deref(), to);
                }
            }
        }
    }

    /// Place where the INVITE of a dialog found its peer, for a request whose next hop does not resolve: a
    /// PBX may write a name into its `Contact` that only its own network knows.
    fn reached_by(&self, pending: &Pending) -> Option<Destination> {
        match pending {
            Pending::Request { usage, purpose, .. } => {
                purpose.in_dialog_method()?;
                let state = self.usages.get(&(*usage)?)?;
                state.reached.clone().or(state.info.flow.map(Destination::Flow))
            }
            Pending::Ack { client, .. } => self.clients.get(client).map(|tx| tx.to.clone()),
        }
    }

    /// Keeps the answer for later requests of the dialog.
    fn remember(&mut self, usage: Option<UsageId>, targets: &VecDeque<Destination>) {
        let Some(state) = usage.and_then(|usage| self.usages.get_mut(&usage)) else {
            return;
        };
        state.query = None;
        let dialog = state.dialogs.first().map(|dialog| dialog.routed().next_hop);
        if let Some(next_hop) = dialog
            && !targets.is_empty()
        {
            state.resolved = Some((next_hop, targets.clone()));
        }
    }

    /// A target failed: others are tried before it for a while.
    pub(super) fn avoid(&mut self, now: Time, to: &Destination, retry_after: Option<Duration>) {
        let Destination::Address { transport, addr, .. } = to else {
            return;
        };
        self.avoided.retain(|_, until| *until > now);
        if self.avoided.len() < MAX_AVOIDED {
            let until = now + retry_after.unwrap_or(AVOID).min(AVOID_AT_MOST);
            self.avoided.insert((*transport, *addr), until);
        }
    }

    pub(super) fn is_avoided(&self, now: Time, to: &Destination) -> bool {
        match to {
            Destination::Address { transport, addr, .. } => self
                .avoided
                .get(&(*transport, *addr))
                .is_some_and(|until| *until > now),
            Destination::Flow(_) => false,
        }
    }

    /// Host and port in the `Via` of what goes to `to`.
    pub(super) fn sent_by(&self, to: &Destination) -> String {
        let (transport, remote, local) = match to {
            Destination::Flow(flow) => (flow.transport, flow.remote, Some(flow.local)),
            Destination::Address { transport, addr, .. } => (*transport, *addr, None),
        };
        let of_transport = || {
            self.config
                .advertised
                .iter()
                .filter(move |ours| ours.transport == transport)
        };
        let ipv6 = remote.is_ipv6();
        match of_transport()
            .find(|ours| ours.ipv6 == ipv6)
            .or_else(|| of_transport().next())
        {
            Some(ours) => ours.address.clone(),
            None => match local {
                Some(local) if !local.ip().is_unspecified() => local.to_string(),
                _ => self.nameless.clone(),
            },
        }
    }
}

/// The transport of a destination.
pub(super) fn transport_of(to: &Destination) -> Transport {
    match to {
        Destination::Flow(flow) => flow.transport,
        Destination::Address { transport, .. } => *transport,
    }
}

/// Transport parameter of our `Contact`. Secure WebSocket is written `ws` (RFC 7118 §5.2).
pub(super) fn contact_transport(transport: Transport) -> &'static str {
    match transport {
        Transport::Udp => "",
        Transport::Tcp => ";transport=tcp",
        Transport::Tls => ";transport=tls",
        Transport::Ws | Transport::Wss => ";transport=ws",
    }
}

/// An address needs no name service (RFC 3263 §4.1 and §4.2).
fn hop(uri: UriRef<'_>) -> Hop {
    let (true, Some(host)) = (uri.is_sip(), uri.host()) else {
        return Hop::Nowhere;
    };
    let secure = uri.scheme() == Scheme::Sips;
    match host {
        Host::Name(name) if is_invalid(name) => Hop::Nowhere,
        Host::Name(_) => Hop::Name(uri.to_uri()),
        Host::V4(_) | Host::V6(_) => {
            let (Some(ip), Some(transport)) = (host.ip(), transport_param(uri, secure)) else {
                return Hop::Nowhere;
            };
            let addr = SocketAddr::new(ip, uri.port().unwrap_or(transport.default_port()));
            Hop::To(VecDeque::from([Destination::Address {
                transport,
                addr,
                server_name: None,
            }]))
        }
    }
}

fn transport_param(uri: UriRef<'_>, secure: bool) -> Option<Transport> {
    let Some(name) = uri.transport() else {
        return Some(if secure { Transport::Tls } else { Transport::Udp });
    };
    let known = [
        Transport::Udp,
        Transport::Tcp,
        Transport::Tls,
        Transport::Ws,
        Transport::Wss,
    ]
    .into_iter()
    .find(|transport| transport.name().eq_ignore_ascii_case(name))?;
    Some(match known {
        Transport::Tcp if secure => Transport::Tls,
        Transport::Ws if secure => Transport::Wss,
        other => other,
    })
}

/// RFC 7118 §5: the host of a browser is a name that nobody may look up.
pub(super) fn is_invalid(name: &str) -> bool {
    let name = name.trim_end_matches('.');
    name.len() >= 7
        && name
            .get(name.len() - 7..)
            .is_some_and(|tail| tail.eq_ignore_ascii_case("invalid"))
        && (name.len() == 7 || name.as_bytes()[name.len() - 8] == b'.')
}

/// First hop of a request with a route set.
fn hop_to_first(routes: &[String]) -> Hop {
    match routes.first().and_then(|first| NameAddr::parse(first)) {
        Some(first) => hop(first.uri),
        None => Hop::Nowhere,
    }
}

/// First hop to a registered contact. A connection is the way to it, whatever its path says; over UDP the
/// proxy to be asked first may have another address than the one that sent the REGISTER.
fn hop_to_contact(flow: Flow, path: &[String]) -> Hop {
    let first = path.first().and_then(|first| NameAddr::parse(first));
    if let Some(first) = first
        && flow.transport == Transport::Udp
        && first
            .uri
            .host()
            .and_then(Host::ip)
            .is_some_and(|ip| ip.to_canonical() != flow.remote.ip().to_canonical())
        && let to @ Hop::To(_) = hop(first.uri)
    {
        return to;
    }
    Hop::To(VecDeque::from([Destination::Flow(flow)]))
}

/// True for an address of a private network (RFC 1918, RFC 4193, RFC 6598, link-local).
fn is_private(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => {
            let [a, b, ..] = ip.octets();
            ip.is_private() || ip.is_link_local() || (a == 100 && b & 0xc0 == 64)
        }
        IpAddr::V6(ip) => ip.is_unique_local() || ip.is_unicast_link_local(),
    }
}

/// As [`hop`], but stays with the destination that the INVITE reached if the URI leads to the same address,
/// or nowhere: a private address written by a peer with a public one belongs to a network that we are not in.
pub(super) fn hop_near(uri: &str, reached: Option<&Destination>, flow: Option<Flow>) -> Hop {
    let stay = || match reached.cloned().or(flow.map(Destination::Flow)) {
        Some(to) => Hop::To(VecDeque::from([to])),
        None => Hop::Nowhere,
    };
    let Ok(parsed) = UriRef::parse(uri) else {
        return stay();
    };
    match hop(parsed) {
        Hop::To(targets) => {
            let same = |to: &Destination, known: SocketAddr| {
                matches!(to, Destination::Address { addr, .. } if *addr == known)
                    && parsed.transport().is_none()
            };
            let known = match reached {
                Some(Destination::Address { addr, .. }) => Some(*addr),
                Some(Destination::Flow(flow)) => Some(flow.remote),
                None => None,
            };
            let peer = known.or(flow.map(|flow| flow.remote));
            let elsewhere = |to: &Destination, peer: SocketAddr| {
                matches!(to, Destination::Address { addr, .. } if is_private(addr.ip()))
                    && !is_private(peer.ip())
            };
            if let (Some(to), Some(peer)) = (targets.front(), peer)
                && elsewhere(to, peer)
            {
                return stay();
            }
            match (targets.front(), known) {
                (Some(to), Some(known)) if same(to, known) => stay(),
                _ => Hop::To(targets),
            }
        }
        Hop::Nowhere => stay(),
        name => name,
    }
}
