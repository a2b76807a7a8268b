//! Origins and destinations of messages.

use std::net::SocketAddr;

/// A transport protocol of SIP, as in `Via` (RFC 3261 §20.42, RFC 7118 §5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Transport {
    /// RFC 3261 §18
    Udp,
    /// RFC 3261 §18
    Tcp,
    /// RFC 3261 §26.2
    Tls,
    /// RFC 7118 over TCP
    Ws,
    /// RFC 7118 over TLS
    Wss,
}

impl Transport {
    /// Delivers or reports failure: no retransmission of requests over it (RFC 3261 §17).
    #[must_use]
    pub const fn is_reliable(self) -> bool {
        !matches!(self, Transport::Udp)
    }

    /// As written in `Via`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Transport::Udp => "UDP",
            Transport::Tcp => "TCP",
            Transport::Tls => "TLS",
            Transport::Ws => "WS",
            Transport::Wss => "WSS",
        }
    }

    /// Port when a URI or `sent-by` names none.
    #[must_use]
    pub const fn default_port(self) -> u16 {
        match self {
            Transport::Udp | Transport::Tcp => 5060,
            Transport::Tls => 5061,
            Transport::Ws => 80,
            Transport::Wss => 443,
        }
    }
}

/// The shell's name for a connection, or for a UDP socket. Never used again after it closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FlowId(pub u64);

/// The way back to a peer (RFC 5626): a connection, or for UDP our socket and the peer's address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Flow {
    /// Connection or UDP socket.
    pub id: FlowId,
    /// Transport.
    pub transport: Transport,
    /// Our end.
    pub local: SocketAddr,
    /// The peer's.
    pub remote: SocketAddr,
}

/// Destination of a message, for the shell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// Over this flow and no other.
    Flow(Flow),
    /// To this address: over a connection that is open already, or a new one; for UDP from the listener whose address
    /// family fits.
    Address {
        /// Transport.
        transport: Transport,
        /// To whom.
        addr: SocketAddr,
        /// Name to expect in the peer's certificate (TLS) and in the handshake (WebSocket).
        server_name: Option<String>,
    },
}
