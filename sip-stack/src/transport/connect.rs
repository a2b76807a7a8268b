//! Connections that we open because a message has to go somewhere.

use std::net::SocketAddr;
use std::sync::Arc;

use rustls_pki_types::ServerName;
use sip_core::flow::{Flow, FlowId, Transport};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::connection::{Connection, End, Link, Queue};
use super::tls::PeerTls;
use super::{Outbound, Shared, count, listen, stream, ws};

/// Starts to connect. Messages may be queued at once: they go out when it stands, or are reported when it fails.
pub(super) fn start(
    shared: &Arc<Shared>,
    transport: Transport,
    remote: SocketAddr,
    name: Option<String>,
    outbound: &Outbound,
) -> (FlowId, Connection) {
    let id = shared.new_flow();
    let (connection, queue) = Connection::pair(shared);
    let wanted = Wanted {
        id,
        transport,
        remote,
        name,
        outbound: outbound.clone(),
    };
    let runtime = shared.runtime_of(transport);
    runtime.spawn(run(wanted, Arc::clone(shared), queue));
    (id, connection)
}

struct Wanted {
    id: FlowId,
    transport: Transport,
    remote: SocketAddr,
    name: Option<String>,
    outbound: Outbound,
}

impl Wanted {
    fn flow(&self, local: SocketAddr) -> Flow {
        Flow {
            id: self.id,
            transport: self.transport,
            local,
            remote: self.remote,
        }
    }

    /// For the `Host` of a WebSocket handshake.
    fn authority(&self) -> String {
        match &self.name {
            Some(name) => format!("{name}:{}", self.remote.port()),
            None => self.remote.to_string(),
        }
    }
}

async fn run(wanted: Wanted, shared: Arc<Shared>, queue: Queue) {
    let unspecified = SocketAddr::new(wanted.remote.ip(), 0);
    let Some(mut place) = shared.crowd.admit(None) else {
        count(&shared.counters.of(wanted.transport).refused);
        let link = Link {
            flow: wanted.flow(unspecified),
            shared,
            queue,
            place: None,
        };
        return link.closed(End::Failed("too many connections".into())).await;
    };
    place.set_idle(false);
    let mut link = Link {
        flow: wanted.flow(unspecified),
        shared,
        queue,
        place: Some(place),
    };
    match connect(&wanted, &link.shared).await {
        Ok((open, local)) => {
            link.flow = wanted.flow(local);
            carry(open, link).await;
        }
        Err(reason) => {
            tracing::info!(transport = wanted.transport.name(), peer = %wanted.remote, reason, "cannot connect");
            link.closed(End::Failed(reason)).await;
        }
    }
}

/// Connects, and comes back when the connection stands.
///
/// # Errors
/// The reason, for people.
pub(super) async fn open(
    shared: &Arc<Shared>,
    transport: Transport,
    remote: SocketAddr,
    name: Option<String>,
    outbound: &Outbound,
) -> Result<(Flow, Connection), String> {
    let mut place = shared.crowd.admit(None).ok_or("too many connections")?;
    place.set_idle(false);
    let wanted = Wanted {
        id: shared.new_flow(),
        transport,
        remote,
        name,
        outbound: outbound.clone(),
    };
    let (open, local) = connect(&wanted, shared).await?;
    let flow = wanted.flow(local);
    let (connection, queue) = Connection::pair(shared);
    let link = Link {
        flow,
        shared: Arc::clone(shared),
        queue,
        place: Some(place),
    };
    tokio::spawn(carry(open, link));
    Ok((flow, connection))
}

/// Carries messages over a connection that stands, until it ends.
async fn carry(open: Open, link: Link) {
    let Flow {
        id,
        transport,
        remote,
        ..
    } = link.flow;
    tracing::debug!(flow = id.0, transport = transport.name(), peer = %remote, "connected");
    match open {
        Open::Tcp(stream) => stream::run(stream, link).await,
        Open::Tls(stream) => stream::run(*stream, link).await,
        Open::Ws(socket) => ws::run(*socket, link).await,
        Open::Wss(socket) => ws::run(*socket, link).await,
    }
}

enum Open {
    Tcp(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
    Ws(Box<ws::Socket<TcpStream>>),
    Wss(Box<ws::Socket<TlsStream<TcpStream>>>),
}

async fn connect(wanted: &Wanted, shared: &Shared) -> Result<(Open, SocketAddr), String> {
    let limit = shared.limits.connect;
    let late = |what: &str| format!("{what} not finished in {} s", limit.as_secs_f32());
    let stream = timeout(limit, TcpStream::connect(wanted.remote))
        .await
        .map_err(|_| late("connection"))?
        .map_err(|error| error.to_string())?;
    listen::tune(&stream, shared.dscp);
    let local = stream.local_addr().map_err(|error| error.to_string())?;
    let open = match wanted.transport {
        Transport::Udp | Transport::Tcp => Open::Tcp(stream),
        Transport::Tls => {
            let handshake = timeout(limit, secure(wanted, stream));
            Open::Tls(Box::new(handshake.await.map_err(|_| late("TLS handshake"))??))
        }
        Transport::Ws => {
            let authority = wanted.authority();
            let handshake = timeout(
                limit,
                ws::connect(stream, &authority, &wanted.outbound.ws_path, false),
            );
            Open::Ws(Box::new(
                handshake.await.map_err(|_| late("WebSocket handshake"))??,
            ))
        }
        Transport::Wss => {
            let handshake = timeout(limit, async {
                let stream = secure(wanted, stream).await?;
                ws::connect(stream, &wanted.authority(), &wanted.outbound.ws_path, true).await
            });
            Open::Wss(Box::new(
                handshake
                    .await
                    .map_err(|_| late("secure WebSocket handshake"))??,
            ))
        }
    };
    Ok((open, local))
}

/// The TLS handshake; the peer's certificate must be for the name that was asked for (RFC 5922 §7.3), or for its address
/// when there was no name, unless its settings name another.
async fn secure(wanted: &Wanted, stream: TcpStream) -> Result<TlsStream<TcpStream>, String> {
    let Outbound { tls, peers, .. } = &wanted.outbound;
    let own = peers.of(wanted.name.as_deref(), wanted.remote.ip());
    let tls = own.as_ref().map(PeerTls::tls).or(tls.as_deref());
    let tls = tls.ok_or("TLS towards peers is not configured")?;
    let name = match (own.as_ref().and_then(PeerTls::name), &wanted.name) {
        (Some(name), _) => name,
        (None, Some(name)) => {
            ServerName::try_from(name.clone()).map_err(|_| format!("{name}: not a host name"))?
        }
        (None, None) => ServerName::IpAddress(wanted.remote.ip().into()),
    };
    TlsConnector::from(tls.config())
        .connect(name, stream)
        .await
        .map_err(|error| error.to_string())
}
