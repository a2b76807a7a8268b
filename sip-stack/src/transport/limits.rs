//! Settings of sockets: bounds on what peers may take of us, and how we connect to others.

use std::sync::Arc;
use std::time::Duration;

use super::Seats;
use super::tls::{ClientTls, PeersTls};
use crate::dscp::Dscp;

/// Bounds on what peers may take of us.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Limits on open connections, in either direction. Those that never sent a message make room for others.
    pub connections: Seats,
    /// Octets that may wait to be written to a connection; a peer that lets more pile up is cut off.
    pub write_octets: usize,
    /// Octets that may wait to be written to all connections. Beyond that, every peer that lets any pile up
    /// is cut off.
    pub all_write_octets: usize,
    /// Octets of datagrams that may wait for the driver; more are dropped. Half as many again may wait from strangers.
    pub datagram_octets: usize,
    /// Datagrams from all strangers together that each socket takes in a second, and at once; more are dropped.
    pub stranger_datagrams: u32,
    /// Time without progress after which a write ends its connection.
    pub write: Duration,
    /// Time from its first byte within which a message must be complete (slow loris).
    pub message: Duration,
    /// Time for the first octets of a TLS handshake to arrive.
    pub client_hello: Duration,
    /// Time for a peer that connected to send one whole message, TLS and WebSocket handshakes included.
    /// Keep-alives do not count.
    pub first_message: Duration,
    /// Time without input after which a TCP or TLS connection is closed.
    pub idle: Duration,
    /// Time to connect, and to finish each handshake on top.
    pub connect: Duration,
    /// Between two pings on a WebSocket; after two without a sign of life it is dead.
    pub ping: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            connections: Seats::new(20_000),
            write_octets: 1 << 20,
            all_write_octets: 64 << 20,
            datagram_octets: 8 << 20,
            stranger_datagrams: 10_000,
            write: Duration::from_secs(10),
            message: Duration::from_secs(10),
            client_hello: Duration::from_secs(3),
            first_message: Duration::from_secs(30),
            idle: Duration::from_secs(3600),
            connect: Duration::from_secs(5),
            ping: Duration::from_secs(25),
        }
    }
}

/// Settings of what goes out: connections to others, and packets.
#[derive(Clone, Debug)]
pub struct Outbound {
    /// Trusted certificates for TLS; `None`: TLS towards others fails.
    pub tls: Option<Arc<ClientTls>>,
    /// Peers with settings of their own.
    pub peers: Arc<PeersTls>,
    /// Path of WebSockets that we open, e.g. `/ws`.
    pub ws_path: Arc<str>,
    /// Mark of all that we send, over connections that others opened as well.
    pub dscp: Dscp,
}

impl Default for Outbound {
    fn default() -> Self {
        Outbound {
            tls: None,
            peers: Arc::default(),
            ws_path: "/".into(),
            dscp: Dscp::NONE,
        }
    }
}
