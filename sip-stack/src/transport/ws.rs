//! SIP over WebSocket (RFC 7118): one message a frame, text or binary; text back unless the peer last sent binary.

mod handshake;
mod origin;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use sip_core::flow::{Flow, Transport};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::runtime::Handle;
use tokio::time::{Instant, MissedTickBehavior, interval_at, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message, Utf8Bytes};

use super::connection::{End, Inbound, Link, LocalSender, Queue};
use super::crowd::Place;
use super::{Crowd, Limits, Shared, TransportCounters, count};

pub use handshake::{Policy, Refusal, upgrade};
pub(super) use handshake::{accept, connect};
pub use origin::{Origins, is_local_host};

/// A WebSocket over any stream.
pub(super) type Socket<S> = WebSocketStream<S>;

/// The largest frame: the largest SIP message that we take.
const FRAME: usize = 64 << 10;

/// Pings that may go without any sign of life.
const MISSES: u32 = 2;

const PING: &[u8] = b"\r\n\r\n";
const PONG: &[u8] = b"\r\n";

fn config() -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(8 << 10)
        .write_buffer_size(0)
        .max_write_buffer_size(4 * FRAME)
        .max_message_size(Some(FRAME))
        .max_frame_size(Some(FRAME))
}

/// Takes WebSockets that an HTTP server upgraded; see [`upgrade`] for the handshake.
#[derive(Clone, Debug)]
pub struct Acceptor {
    shared: Arc<Shared>,
}

/// One of the connections that may be open.
#[derive(Debug)]
pub struct Admission(Place);

impl Acceptor {
    pub(super) fn new(shared: Arc<Shared>) -> Acceptor {
        Acceptor { shared }
    }

    /// A place for one more connection, to be taken before the upgrade is answered. `None`: there are too many, answer
    /// 503.
    #[must_use]
    pub fn admit(&self) -> Option<Admission> {
        // Limits for each source are enforced by the HTTP server, which knows who stands behind a proxy.
        let Some(mut place) = self.shared.crowd.admit(None) else {
            count(&self.shared.counters.of(Transport::Ws).refused);
            return None;
        };
        place.set_idle(false);
        Some(Admission(place))
    }

    /// Runtime for [`serve`](Acceptor::serve): that of signalling.
    #[must_use]
    pub fn runtime(&self) -> &Handle {
        &self.shared.signalling
    }

    /// Counters of all sockets.
    #[must_use]
    pub fn counters(&self) -> &TransportCounters {
        &self.shared.counters
    }

    /// Connections of all transports.
    #[must_use]
    pub fn crowd(&self) -> &Crowd {
        &self.shared.crowd
    }

    /// Carries SIP over an upgraded connection until it ends. `secure`: TLS lies beneath (`wss`).
    pub async fn serve<S>(
        &self,
        admission: Admission,
        stream: S,
        peer: SocketAddr,
        local: SocketAddr,
        secure: bool,
    ) where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let transport = if secure { Transport::Wss } else { Transport::Ws };
        let flow = Flow {
            id: self.shared.new_flow(),
            transport,
            local,
            remote: peer,
        };
        let socket = WebSocketStream::from_raw_socket(stream, Role::Server, Some(config())).await;
        serve_accepted(socket, flow, Arc::clone(&self.shared), admission.0).await;
    }
}

/// Carries SIP over a WebSocket whose handshake is done.
pub(super) async fn serve_accepted<S>(socket: Socket<S>, flow: Flow, shared: Arc<Shared>, place: Place)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    if let Some(link) = Link::opened(flow, shared, place, Vec::new()).await {
        run(socket, link).await;
    }
}

/// Carries messages until either side ends the connection.
pub(super) async fn run<S>(socket: Socket<S>, mut link: Link)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (sink, source) = socket.split();
    let (inbound, local) = (link.queue.inbound(link.flow), link.queue.local());
    let evicted = link.evicted();
    let peer = Peer::default();
    let end = tokio::select! {
        end = read_all(source, &inbound, &link.shared, &peer, local, link.place.as_mut()) => end,
        end = write_all(sink, &mut link.queue, &link.shared.limits, &peer) => end,
        () = evicted => End::CutOff("its place was needed"),
    };
    link.closed(end).await;
}

/// State that the reader shares with the writer.
#[derive(Debug, Default)]
struct Peer {
    /// Something came since the last ping.
    heard: AtomicBool,
    /// Its last message was a binary frame.
    binary: AtomicBool,
}

async fn read_all<S>(
    mut source: SplitStream<Socket<S>>,
    inbound: &Inbound,
    shared: &Shared,
    peer: &Peer,
    local: LocalSender,
    mut place: Option<&mut Place>,
) -> End
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let flow = inbound.flow();
    while let Some(frame) = source.next().await {
        let (data, binary) = match frame {
            Ok(Message::Text(text)) => (Bytes::from(text), false),
            Ok(Message::Binary(data)) => (data, true),
            Ok(Message::Close(_)) => return End::Peer,
            Ok(_) => {
                peer.heard.store(true, Ordering::Relaxed);
                continue;
            }
            Err(Error::ConnectionClosed | Error::AlreadyClosed) => return End::Peer,
            Err(Error::Capacity(_)) => return End::CutOff("frame too large"),
            Err(Error::Utf8(_)) => return End::CutOff("text frame is not UTF-8"),
            Err(error) => return End::Failed(error.to_string()),
        };
        peer.heard.store(true, Ordering::Relaxed);
        match &data[..] {
            PING => local.send(Bytes::from_static(PONG)),
            PONG | b"" => {}
            _ => {
                peer.binary.store(binary, Ordering::Relaxed);
                if let Some(place) = place.take() {
                    place.set_idle(false);
                }
                tracing::trace!(flow = flow.id.0, len = data.len(), binary, "message");
                if let Err(end) = inbound.received(shared, data).await {
                    return end;
                }
            }
        }
    }
    End::Peer
}

async fn write_all<S>(
    mut sink: SplitSink<Socket<S>, Message>,
    queue: &mut Queue,
    limits: &Limits,
    peer: &Peer,
) -> End
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut ticks = interval_at(Instant::now() + limits.ping, limits.ping);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut misses = 0;
    peer.heard.store(true, Ordering::Relaxed);
    loop {
        let written = tokio::select! {
            data = queue.next() => match data {
                Some(data) => timeout(limits.write, sink.send(frame(data, peer))).await,
                None => {
                    let _ = timeout(limits.write, sink.close()).await;
                    return End::Local;
                }
            },
            _ = ticks.tick() => {
                misses = if peer.heard.swap(false, Ordering::Relaxed) { 0 } else { misses + 1 };
                if misses >= MISSES {
                    return End::CutOff("no sign of life");
                }
                timeout(limits.write, ping(&mut sink, peer)).await
            }
        };
        match written {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return End::Failed(error.to_string()),
            Err(_) => return End::CutOff("peer does not read"),
        }
    }
}

/// Both kinds: the WebSocket's own, which the peer's network stack answers, and CRLFCRLF (RFC 5626 §3.5.1), which keeps
/// proxies that look at data only from closing the connection.
async fn ping<S>(sink: &mut SplitSink<Socket<S>, Message>, peer: &Peer) -> Result<(), Error>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    sink.feed(Message::Ping(Bytes::new())).await?;
    sink.send(frame(Bytes::from_static(PING), peer)).await
}

/// A body that is not UTF-8 cannot travel as text.
fn frame(data: Bytes, peer: &Peer) -> Message {
    if peer.binary.load(Ordering::Relaxed) {
        return Message::Binary(data);
    }
    match Utf8Bytes::try_from(data.clone()) {
        Ok(text) => Message::Text(text),
        Err(_) => Message::Binary(data),
    }
}
