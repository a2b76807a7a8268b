//! Sockets that carry SIP: UDP, TCP, TLS, WebSocket and secure WebSocket, listening and connecting (RFC 3261 §18,
//! RFC 7118).
//!
//! [`Transports`] belongs to the driver, which sends through it without waiting. Each connection and each UDP socket has
//! a task that reads, cuts messages and puts them into one bounded channel of [`Event`]s.

mod connect;
mod connection;
mod counters;
mod crowd;
mod familiar;
mod icmp;
mod inbox;
mod limits;
mod listen;
mod movable;
#[cfg(target_os = "linux")]
mod sieve;
#[cfg(not(target_os = "linux"))]
#[path = "no_sieve.rs"]
mod sieve;
mod stream;
pub mod tls;
mod udp;
pub mod ws;

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use bytes::Bytes;
use sip_core::flow::{Destination, Flow, FlowId, Transport};
use socket2::SockRef;
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, mpsc};

use crate::clock::Clock;
use crate::dscp::Dscp;
use connection::Connection;
pub use connection::Receipt;
pub use crowd::{Crowd, Place, Seats};
use familiar::Familiar;
pub use inbox::Inbox;
pub use limits::{Limits, Outbound};
pub use listen::{BindError, Listen, Listener, local_addresses, secure};
pub use movable::{Home, MovableStream};

/// Events of all sockets on their way to the driver. When it is full, datagrams are dropped and counted; a stream stops
/// reading, so that its peer is slowed down by TCP.
const EVENTS: usize = 2048;

/// Datagrams of strangers that may wait for the driver, besides those events.
const STRANGERS: usize = 1024;

/// Events of sockets for the driver.
#[derive(Debug)]
pub enum Event {
    /// A connection from a peer is open and can be sent to.
    Opened {
        /// Its name and ends.
        flow: Flow,
        /// Handle of the connection.
        connection: Connection,
        /// Names of the certificate that the peer showed and that was checked, in lower case; empty: none.
        names: Vec<String>,
    },
    /// A connection that stands is that of a peer with these names: those of its certificate.
    Identified {
        /// The flow.
        flow: FlowId,
        /// The names, at least one, in lower case.
        names: Vec<String>,
    },
    /// One whole message.
    Message {
        /// Flow that it came over.
        flow: Flow,
        /// The message, framing removed.
        data: Bytes,
        /// To be dropped once the answers to it were sent: its peer may then send more.
        receipt: Receipt,
    },
    /// The connection is gone; nothing more comes of it.
    Closed {
        /// The flow.
        flow: FlowId,
    },
    /// The network reports that nothing sent there over UDP arrives.
    Unreachable {
        /// The address.
        addr: SocketAddr,
    },
    /// A peer connected and did not get as far as a message: its TLS or WebSocket handshake failed.
    Refused {
        /// The peer.
        peer: SocketAddr,
        /// Its transport.
        transport: Transport,
    },
    /// A message handed to [`Transports::send`] was not sent.
    TransmitFailed {
        /// As given with the message.
        token: u64,
    },
}

pub(crate) use counters::count;
pub use counters::{Counters, TransportCounters};

/// State that every socket task shares.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) limits: Limits,
    pub(crate) counters: TransportCounters,
    pub(crate) crowd: Arc<Crowd>,
    /// Octets of datagrams that may still wait for the driver.
    pub(crate) datagrams: Arc<Semaphore>,
    /// The same for those of strangers.
    pub(crate) stranger_datagrams: Arc<Semaphore>,
    pub(crate) familiar: Familiar,
    /// Octets that wait to be written to any connection.
    pub(crate) unwritten: Arc<AtomicUsize>,
    pub(crate) events: mpsc::Sender<Event>,
    /// Messages of strangers over UDP.
    pub(crate) strangers: mpsc::Sender<Event>,
    pub(crate) clock: Clock,
    pub(crate) dscp: Dscp,
    /// Runtime of the driver, of what needs no handshake of TLS, and of WebSockets that an HTTP server upgraded: from there a
    /// message reaches the driver without waking another thread.
    pub(crate) signalling: Handle,
    /// Runtime of handshakes of TLS, and of the connections that they make.
    pub(crate) others: Handle,
    next_flow: AtomicU64,
}

impl Shared {
    /// Runtime that serves connections of a transport.
    pub(crate) fn runtime_of(&self, transport: Transport) -> &Handle {
        match transport {
            Transport::Udp | Transport::Tcp | Transport::Ws => &self.signalling,
            Transport::Tls | Transport::Wss => &self.others,
        }
    }

    /// A name that no flow had before.
    pub(crate) fn new_flow(&self) -> FlowId {
        FlowId(self.next_flow.fetch_add(1, Ordering::Relaxed))
    }
}

/// All sockets that carry SIP.
#[derive(Debug)]
pub struct Transports {
    shared: Arc<Shared>,
    udp: Vec<udp::Udp>,
    listeners: Vec<Listener>,
    connections: HashMap<FlowId, Connection>,
    /// Connections by whom they reach, so that a later message to the same peer finds them (RFC 3261 §18.1.1).
    peers: BTreeMap<Peer, FlowId>,
    outbound: Outbound,
    tasks: tokio::task::JoinSet<()>,
}

/// Peer that a connection reaches. The name is part of it if a certificate was checked against it.
type Peer = (Transport, SocketAddr, Option<String>);

impl Transports {
    /// Binds all listeners, or none: the first that fails is reported. Must be called inside a tokio runtime, which serves all
    /// sockets from then on.
    pub async fn bind(
        listeners: &[Listen],
        outbound: Outbound,
        limits: Limits,
        clock: Clock,
    ) -> Result<(Transports, Inbox), BindError> {
        Transports::bind_beside(listeners, outbound, limits, clock, &Handle::current())
    }

    /// Binds as [`bind`](Transports::bind) does, for a driver on a runtime of its own.
    pub(crate) fn bind_beside(
        listeners: &[Listen],
        outbound: Outbound,
        limits: Limits,
        clock: Clock,
        signalling: &Handle,
    ) -> Result<(Transports, Inbox), BindError> {
        let (events, first) = mpsc::channel(EVENTS);
        let (strangers, later) = mpsc::channel(STRANGERS);
        let shared = Arc::new(Shared {
            crowd: Crowd::new(limits.connections.clone()),
            datagrams: Arc::new(Semaphore::new(limits.datagram_octets)),
            stranger_datagrams: Arc::new(Semaphore::new(limits.datagram_octets / 2)),
            familiar: Familiar::default(),
            unwritten: Arc::default(),
            limits,
            counters: TransportCounters::default(),
            events,
            strangers,
            clock,
            dscp: outbound.dscp,
            signalling: signalling.clone(),
            others: Handle::current(),
            next_flow: AtomicU64::new(1),
        });
        let mut transports = Transports {
            shared,
            udp: Vec::new(),
            listeners: Vec::new(),
            connections: HashMap::new(),
            peers: BTreeMap::new(),
            outbound,
            tasks: tokio::task::JoinSet::new(),
        };
        let bound = listen::bind(listeners)?;
        for socket in bound.udp {
            let is_ipv6 = socket.local_addr()?.is_ipv6();
            transports.outbound.dscp.mark(&SockRef::from(&socket), is_ipv6);
            let (udp, task) = {
                let _guard = signalling.enter();
                udp::Udp::start(socket, Arc::clone(&transports.shared))?
            };
            transports.listeners.push(Listener {
                transport: Transport::Udp,
                addr: udp.local,
            });
            transports.udp.push(udp);
            transports.tasks.spawn_on(task, signalling);
        }
        for listener in bound.streams {
            transports.listeners.push(Listener {
                transport: listener.protocol.transport(),
                addr: listener.local,
            });
            let runtime = transports.shared.runtime_of(listener.protocol.transport());
            let runtime = runtime.clone();
            let task = {
                let _guard = runtime.enter();
                listen::accept(listener, Arc::clone(&transports.shared))?
            };
            transports.tasks.spawn_on(task, &runtime);
        }
        Ok((transports, Inbox::new(first, later)))
    }

    /// Listeners and the addresses that they really have.
    #[must_use]
    pub fn listeners(&self) -> &[Listener] {
        &self.listeners
    }

    /// A way to hand in WebSocket connections that an HTTP server upgraded.
    #[must_use]
    pub fn acceptor(&self) -> ws::Acceptor {
        ws::Acceptor::new(Arc::clone(&self.shared))
    }

    /// Counters so far.
    #[must_use]
    pub fn counters(&self) -> &TransportCounters {
        &self.shared.counters
    }

    /// Sends without waiting. False when it is certain already that it cannot be sent; otherwise
    /// [`Event::TransmitFailed`] may still follow for this token.
    #[must_use]
    pub fn send(&mut self, to: &Destination, data: Bytes, token: u64) -> bool {
        let towards = match to {
            Destination::Flow(flow) => (flow.transport, flow.remote),
            Destination::Address { transport, addr, .. } => (*transport, *addr),
        };
        // Answers go to strangers, requests do not.
        if towards.0 == Transport::Udp && !data.starts_with(b"SIP/2.0 ") {
            self.heard(towards.1.ip(), || true);
        }
        let sent = match to {
            Destination::Flow(flow) if flow.transport == Transport::Udp => self
                .udp
                .iter()
                .find(|udp| udp.id == flow.id)
                .is_some_and(|udp| udp.send(&data, flow.remote)),
            Destination::Flow(flow) => self.enqueue(flow.id, data, token),
            Destination::Address {
                transport: Transport::Udp,
                addr,
                ..
            } => self.udp_towards(*addr).is_some_and(|udp| udp.send(&data, *addr)),
            Destination::Address {
                transport,
                addr,
                server_name,
            } => {
                let flow = self.connection_to(*transport, *addr, server_name.as_deref());
                self.enqueue(flow, data, token)
            }
        };
        let counters = self.shared.counters.of(towards.0);
        count(if sent {
            &counters.sent
        } else {
            &counters.send_failed
        });
        sent
    }

    /// Opens a connection, and comes back when it stands: for a client that has to say why it could not be opened. `name`
    /// is expected in the certificate, and named in the handshake of a WebSocket. Not for UDP, which has no connections.
    ///
    /// # Errors
    /// The reason, for people: nobody listens, the certificate is not trusted, the handshake was refused.
    pub async fn open(
        &mut self,
        transport: Transport,
        addr: SocketAddr,
        name: Option<String>,
    ) -> Result<Flow, String> {
        let (flow, connection) = connect::open(&self.shared, transport, addr, name, &self.outbound).await?;
        self.connections.insert(flow.id, connection);
        Ok(flow)
    }

    /// Records that a datagram of `host` came. If `is_known` says that somebody of ours is there, its later datagrams are taken before
    /// those of strangers.
    pub fn heard(&self, host: IpAddr, is_known: impl FnOnce() -> bool) {
        let now = self.shared.clock.now();
        self.shared.familiar.learn(now, host, is_known);
    }

    /// Keeps the books of connections. Returns events for the SIP machine: all but [`Event::Opened`],
    /// which becomes [`Event::Identified`] if the peer showed a certificate.
    pub fn handle_event(&mut self, event: Event) -> Option<Event> {
        match event {
            Event::Opened {
                flow,
                connection,
                names,
            } => {
                self.connections.insert(flow.id, connection);
                if matches!(flow.transport, Transport::Tcp | Transport::Ws) {
                    self.peers.insert((flow.transport, flow.remote, None), flow.id);
                }
                let flow = flow.id;
                return (!names.is_empty()).then_some(Event::Identified { flow, names });
            }
            Event::Closed { flow } => self.forget(flow),
            Event::Message { .. }
            | Event::Identified { .. }
            | Event::Refused { .. }
            | Event::TransmitFailed { .. }
            | Event::Unreachable { .. } => {}
        }
        Some(event)
    }

    /// The address of ours from which `remote` would be reached.
    #[must_use]
    pub fn local_address(&self, transport: Transport, remote: SocketAddr) -> Option<SocketAddr> {
        if transport == Transport::Udp {
            return self.udp_towards(remote).map(|udp| udp.local);
        }
        let ip = source_address(remote)?;
        let port = self
            .listeners
            .iter()
            .find(|l| l.transport == transport)
            .map_or(0, |l| l.addr.port());
        Some(SocketAddr::new(ip, port))
    }

    /// Address of ours that a message to `to` is sent from; port 0 if its connection is yet to be opened.
    #[must_use]
    pub fn local_of(&self, to: &Destination) -> Option<SocketAddr> {
        match to {
            Destination::Flow(flow) => Some(flow.local),
            Destination::Address { transport, addr, .. } if *transport == Transport::Udp => {
                self.udp_towards(*addr).map(|udp| udp.local)
            }
            Destination::Address { addr, .. } => Some(SocketAddr::new(source_address(*addr)?, 0)),
        }
    }

    /// Closes every connection as soon as what waits for it is written, and stops listening.
    pub fn close(&mut self) {
        self.tasks.abort_all();
        self.connections.clear();
        self.peers.clear();
    }

    fn enqueue(&mut self, flow: FlowId, data: Bytes, token: u64) -> bool {
        let Some(connection) = self.connections.get(&flow) else {
            return false;
        };
        let sent = connection.send(data, token);
        if !sent {
            // Too much waits for the peer, which does not read. Dropping our end closes it.
            self.forget(flow);
        }
        sent
    }

    fn forget(&mut self, flow: FlowId) {
        self.connections.remove(&flow);
        self.peers.retain(|_, known| *known != flow);
    }

    fn connection_to(&mut self, transport: Transport, addr: SocketAddr, name: Option<&str>) -> FlowId {
        let name = name
            .filter(|_| matches!(transport, Transport::Tls | Transport::Wss))
            .map(str::to_owned);
        let peer = (transport, addr, name.clone());
        if let Some(flow) = self.peers.get(&peer) {
            return *flow;
        }
        let (flow, connection) = connect::start(&self.shared, transport, addr, name, &self.outbound);
        self.connections.insert(flow, connection);
        self.peers.insert(peer, flow);
        flow
    }

    /// The socket whose packets to `remote` carry the source address that routing prefers.
    fn udp_towards(&self, remote: SocketAddr) -> Option<&udp::Udp> {
        let mut fitting = self
            .udp
            .iter()
            .filter(|udp| udp.local.is_ipv4() == remote.is_ipv4());
        let first = fitting.next()?;
        let Some(second) = fitting.next() else {
            return Some(first);
        };
        let source = source_address(remote);
        [first, second]
            .into_iter()
            .chain(fitting)
            .find(|udp| Some(udp.local.ip()) == source)
            .or(Some(first))
    }
}

/// The address that the system would send from; nothing is sent to find it out.
fn source_address(remote: SocketAddr) -> Option<IpAddr> {
    let any: SocketAddr = if remote.is_ipv4() {
        ([0, 0, 0, 0], 0).into()
    } else {
        ([0u16; 8], 0).into()
    };
    let socket = std::net::UdpSocket::bind(any).ok()?;
    socket.connect(remote).ok()?;
    Some(socket.local_addr().ok()?.ip())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn sockets_of_sip_are_marked() {
        let outbound = Outbound {
            dscp: Dscp::CS3,
            ..Outbound::default()
        };
        let local = SocketAddr::from(([127, 0, 0, 1], 0));
        let listeners = [Listen::Udp(local)];
        let (transports, _inbox) = Transports::bind(&listeners, outbound, Limits::default(), Clock::start())
            .await
            .expect("a port");
        assert_eq!(transports.udp[0].tos(), 24 << 2);
        let listener = tokio::net::TcpListener::bind(local).await.expect("a port");
        let stream = tokio::net::TcpStream::connect(listener.local_addr().expect("an address"));
        let stream = stream.await.expect("a connection");
        listen::tune(&stream, transports.shared.dscp);
        assert_eq!(SockRef::from(&stream).tos_v4().expect("TOS"), 24 << 2);
    }
}
