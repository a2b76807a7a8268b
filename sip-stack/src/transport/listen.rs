//! Binding listeners and accepting connections.

use std::fmt;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener as StdTcpListener, UdpSocket as StdUdpSocket};
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use rustls::server::Acceptor;
use sip_core::flow::{Flow, Transport};
use socket2::{Domain, Protocol as SocketProtocol, SockRef, Socket, Type};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::error::Elapsed;
use tokio::time::timeout;
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::server::TlsStream;

use super::connection::Link;
use super::crowd::Place;
use super::udp::SOCKET_BUFFER;
use super::{Event, Limits, Shared, count, stream, tls, ws};
use crate::dscp::Dscp;

/// Connections that the kernel may hold before we accept them.
const BACKLOG: i32 = 1024;

/// A listener to open.
#[derive(Clone, Debug)]
pub enum Listen {
    /// An unspecified address stands for a socket on each address of this host, so that replies leave from the address
    /// that was hit. Port 0: any.
    Udp(SocketAddr),
    /// RFC 3261 §18.3
    Tcp(SocketAddr),
    /// RFC 3261 §26.2
    Tls(SocketAddr, Arc<ServerConfig>),
    /// RFC 7118, at any path. An HTTP server that shares its port hands connections to [`ws::Acceptor`] instead.
    Ws(SocketAddr, ws::Policy),
    /// RFC 7118 over TLS.
    Wss(SocketAddr, ws::Policy, Arc<ServerConfig>),
}

impl Listen {
    /// Transport.
    #[must_use]
    pub fn transport(&self) -> Transport {
        match self {
            Listen::Udp(_) => Transport::Udp,
            Listen::Tcp(_) => Transport::Tcp,
            Listen::Tls(..) => Transport::Tls,
            Listen::Ws(..) => Transport::Ws,
            Listen::Wss(..) => Transport::Wss,
        }
    }

    /// Address, as asked for.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        match self {
            Listen::Udp(addr)
            | Listen::Tcp(addr)
            | Listen::Tls(addr, _)
            | Listen::Ws(addr, _)
            | Listen::Wss(addr, ..) => *addr,
        }
    }
}

/// A listener as it was bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listener {
    /// Transport.
    pub transport: Transport,
    /// Address and port that it really has.
    pub addr: SocketAddr,
}

/// Why we do not listen.
#[derive(Debug)]
pub enum BindError {
    /// Another process has the port.
    InUse(Transport, SocketAddr),
    /// Ports under 1024 want a privilege.
    Forbidden(Transport, SocketAddr),
    /// This host does not have the address.
    NoSuchAddress(Transport, SocketAddr),
    /// Anything else.
    Io(io::Error),
}

impl BindError {
    pub(crate) fn new(transport: Transport, addr: SocketAddr, error: io::Error) -> BindError {
        match error.kind() {
            io::ErrorKind::AddrInUse => BindError::InUse(transport, addr),
            io::ErrorKind::PermissionDenied => BindError::Forbidden(transport, addr),
            io::ErrorKind::AddrNotAvailable => BindError::NoSuchAddress(transport, addr),
            _ => BindError::Io(error),
        }
    }
}

impl fmt::Display for BindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BindError::InUse(transport, addr) => {
                write!(
                    f,
                    "address in use: {} {addr} (is another server running there?)",
                    transport.name()
                )
            }
            BindError::Forbidden(transport, addr) => {
                write!(
                    f,
                    "not allowed to listen on {} {addr}: ports under 1024 want a privilege",
                    transport.name()
                )
            }
            BindError::NoSuchAddress(transport, addr) => {
                write!(
                    f,
                    "cannot listen on {} {addr}: this host does not have that address",
                    transport.name()
                )
            }
            BindError::Io(error) => write!(f, "cannot listen: {error}"),
        }
    }
}

impl std::error::Error for BindError {}

impl From<io::Error> for BindError {
    fn from(error: io::Error) -> Self {
        BindError::Io(error)
    }
}

/// Sockets before they are served.
#[derive(Debug, Default)]
pub(super) struct Bound {
    pub(super) udp: Vec<StdUdpSocket>,
    pub(super) streams: Vec<StreamListener>,
}

#[derive(Debug)]
pub(super) struct StreamListener {
    pub(super) protocol: Protocol,
    pub(super) local: SocketAddr,
    socket: StdTcpListener,
}

/// Protocol of accepted connections.
#[derive(Clone, Debug)]
pub(super) enum Protocol {
    Tcp,
    Tls(Arc<ServerConfig>),
    Ws(ws::Policy),
    Wss(ws::Policy, Arc<ServerConfig>),
}

impl Protocol {
    pub(super) fn transport(&self) -> Transport {
        match self {
            Protocol::Tcp => Transport::Tcp,
            Protocol::Tls(_) => Transport::Tls,
            Protocol::Ws(_) => Transport::Ws,
            Protocol::Wss(..) => Transport::Wss,
        }
    }
}

pub(super) fn bind(wanted: &[Listen]) -> Result<Bound, BindError> {
    let mut bound = Bound::default();
    for listen in wanted {
        let addr = listen.addr();
        let transport = listen.transport();
        let protocol = match listen {
            Listen::Udp(_) => {
                for addr in expand(addr)? {
                    // With port 0 every address gets the port that the first one got.
                    let port = match (addr.port(), bound.udp.last()) {
                        (0, Some(first)) if listen.addr().ip().is_unspecified() => first.local_addr()?.port(),
                        (port, _) => port,
                    };
                    let addr = SocketAddr::new(addr.ip(), port);
                    bound
                        .udp
                        .push(bind_udp(addr).map_err(|e| BindError::new(transport, addr, e))?);
                }
                continue;
            }
            Listen::Tcp(_) => Protocol::Tcp,
            Listen::Tls(_, tls) => Protocol::Tls(Arc::clone(tls)),
            Listen::Ws(_, policy) => Protocol::Ws(policy.clone()),
            Listen::Wss(_, policy, tls) => Protocol::Wss(policy.clone(), Arc::clone(tls)),
        };
        let socket = bind_tcp(addr).map_err(|e| BindError::new(transport, addr, e))?;
        bound.streams.push(StreamListener {
            protocol,
            local: socket.local_addr()?,
            socket,
        });
    }
    Ok(bound)
}

/// An unspecified address becomes all addresses of its family that can be reached without a zone.
fn expand(addr: SocketAddr) -> io::Result<Vec<SocketAddr>> {
    if !addr.ip().is_unspecified() {
        return Ok(vec![addr]);
    }
    let mut all: Vec<SocketAddr> = local_addresses()?
        .into_iter()
        .filter(|ip| ip.is_ipv4() == addr.is_ipv4())
        .map(|ip| SocketAddr::new(ip, addr.port()))
        .collect();
    if all.is_empty() {
        all.push(addr);
    }
    Ok(all)
}

/// Every address of this host but link-local ones of IPv6, loopback last.
pub fn local_addresses() -> io::Result<Vec<IpAddr>> {
    let mut addresses: Vec<IpAddr> = if_addrs::get_if_addrs()?
        .into_iter()
        .map(|interface| interface.ip())
        .filter(|ip| !matches!(ip, IpAddr::V6(v6) if v6.is_unicast_link_local()))
        .collect();
    addresses.sort_by_key(|ip| (ip.is_loopback(), *ip));
    addresses.dedup();
    Ok(addresses)
}

fn bind_udp(addr: SocketAddr) -> io::Result<StdUdpSocket> {
    let socket = Socket::new(Domain::for_address(addr), Type::DGRAM, Some(SocketProtocol::UDP))?;
    if addr.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    // The kernel gives what its limits allow, or more to an administrator; less is no reason to fail.
    let _ = socket.set_recv_buffer_size(SOCKET_BUFFER);
    #[cfg(target_os = "linux")]
    let _ = nix::sys::socket::setsockopt(&socket, nix::sys::socket::sockopt::RcvBufForce, &SOCKET_BUFFER);
    let _ = socket.set_send_buffer_size(SOCKET_BUFFER);
    socket.set_nonblocking(true)?;
    socket.bind(&addr.into())?;
    Ok(socket.into())
}

fn bind_tcp(addr: SocketAddr) -> io::Result<StdTcpListener> {
    let socket = Socket::new(Domain::for_address(addr), Type::STREAM, Some(SocketProtocol::TCP))?;
    if addr.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    // A restart must not wait for connections of the last run in TIME_WAIT; a listener in use is refused all the same.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&addr.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// Accepts until the task is aborted.
pub(super) fn accept(
    listener: StreamListener,
    shared: Arc<Shared>,
) -> io::Result<impl Future<Output = ()> + use<>> {
    let socket = TcpListener::from_std(listener.socket)?;
    let protocol = listener.protocol;
    let transport = protocol.transport();
    Ok(async move {
        loop {
            let (stream, remote) = match socket.accept().await {
                Ok(accepted) => accepted,
                Err(error) => {
                    // Out of file descriptors, mostly: waiting is all that helps.
                    tracing::warn!(%error, "accept");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            };
            let Some(place) = shared.crowd.admit(Some(remote.ip())) else {
                count(&shared.counters.of(transport).refused);
                tracing::debug!(peer = %remote, "too many connections");
                continue;
            };
            tokio::spawn(serve(
                protocol.clone(),
                stream,
                remote,
                Arc::clone(&shared),
                place,
            ));
        }
    })
}

async fn serve(protocol: Protocol, stream: TcpStream, remote: SocketAddr, shared: Arc<Shared>, place: Place) {
    let Ok(local) = stream.local_addr() else { return };
    tune(&stream, shared.dscp);
    let flow = Flow {
        id: shared.new_flow(),
        transport: protocol.transport(),
        local,
        remote,
    };
    let evicted = place.evicted();
    let opened = tokio::select! {
        opened = shake_hands(protocol, stream, remote, &shared.limits) => opened,
        () = evicted => Err(Refused::Late("its place was needed")),
    };
    match opened {
        Ok(Opened::Tcp(stream)) => {
            if let Some(link) = Link::opened(flow, shared, place, Vec::new()).await {
                stream::run(stream, link).await;
            }
        }
        Ok(Opened::Tls(stream)) => {
            // The first one is its own; those after it vouch for it (RFC 8446 §4.4.2).
            let shown = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
            let names = shown.map(tls::names).unwrap_or_default();
            if let Some(link) = Link::opened(flow, shared, place, names).await {
                stream::run(*stream, link).await;
            }
        }
        Ok(Opened::Ws(socket)) => ws::serve_accepted(*socket, flow, shared, place).await,
        Ok(Opened::Wss(socket)) => ws::serve_accepted(*socket, flow, shared, place).await,
        Err(Refused::Late(what)) => cut_off(&shared, flow, what),
        Err(Refused::Failed(error)) => refused(&shared, flow, &error),
    }
}

/// A connection whose handshakes are done.
enum Opened {
    Tcp(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
    Ws(Box<ws::Socket<TcpStream>>),
    Wss(Box<ws::Socket<TlsStream<TcpStream>>>),
}

/// Reason why there is no connection.
enum Refused {
    Late(&'static str),
    Failed(String),
}

impl From<Elapsed> for Refused {
    fn from(_: Elapsed) -> Refused {
        Refused::Late("handshake not finished in time")
    }
}

async fn shake_hands(
    protocol: Protocol,
    stream: TcpStream,
    remote: SocketAddr,
    limits: &Limits,
) -> Result<Opened, Refused> {
    let failed = |error: io::Error| Refused::Failed(error.to_string());
    match protocol {
        Protocol::Tcp => Ok(Opened::Tcp(stream)),
        Protocol::Tls(tls) => {
            let stream = secure(stream, tls, limits.client_hello, limits.first_message).await;
            Ok(Opened::Tls(Box::new(stream.map_err(failed)?)))
        }
        Protocol::Ws(policy) => {
            let socket = timeout(limits.first_message, ws::accept(stream, remote.ip(), policy)).await?;
            let socket = socket.map_err(|error| Refused::Failed(error.to_string()))?;
            Ok(Opened::Ws(Box::new(socket)))
        }
        Protocol::Wss(policy, tls) => {
            let stream = secure(stream, tls, limits.client_hello, limits.first_message).await;
            let socket = timeout(
                limits.first_message,
                ws::accept(stream.map_err(failed)?, remote.ip(), policy),
            )
            .await?;
            let socket = socket.map_err(|error| Refused::Failed(error.to_string()))?;
            Ok(Opened::Wss(Box::new(socket)))
        }
    }
}

/// Performs the TLS handshake of a listener. An honest client sends its ClientHello at once: it has `hello`
/// for that, and `rest` for the remaining messages.
///
/// # Errors
/// The handshake failed, or was not finished in time.
pub async fn secure<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    tls: Arc<ServerConfig>,
    hello: Duration,
    rest: Duration,
) -> io::Result<TlsStream<S>> {
    let late = |what: &str| io::Error::new(io::ErrorKind::TimedOut, format!("{what} in time"));
    let begun = LazyConfigAcceptor::new(Acceptor::default(), stream);
    let begun = timeout(hello, begun)
        .await
        .map_err(|_| late("no ClientHello"))??;
    let finished = timeout(rest, begun.into_stream(tls)).await;
    finished.map_err(|_| late("TLS handshake not finished"))?
}

fn cut_off(shared: &Shared, flow: Flow, what: &'static str) {
    count(&shared.counters.of(flow.transport).cut_off);
    refused(shared, flow, &what);
}

/// Reports a failed handshake.
fn refused(shared: &Shared, flow: Flow, error: &dyn fmt::Display) {
    tracing::debug!(peer = %flow.remote, transport = flow.transport.name(), %error, "handshake");
    let event = Event::Refused {
        peer: flow.remote,
        transport: flow.transport,
    };
    // A busy driver need not count them.
    let _ = shared.events.try_send(event);
}

/// No delay for small writes; a peer that vanished is found by the kernel's own probes; packets are marked.
pub(super) fn tune(stream: &TcpStream, dscp: Dscp) {
    let _ = stream.set_nodelay(true);
    let keepalive = socket2::TcpKeepalive::new()
        .with_time(Duration::from_secs(60))
        .with_interval(Duration::from_secs(20));
    let socket = SockRef::from(stream);
    let _ = socket.set_tcp_keepalive(&keepalive);
    if let Ok(local) = stream.local_addr() {
        dscp.mark(&socket, local.is_ipv6());
    }
}
