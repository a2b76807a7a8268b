//! Transports and what is around them: how a datagram came, what it was, what happened on the way, and what an agreement leads to.

use std::net::SocketAddr;

use crate::control::{Failure, SocketId};
use crate::ice::Path;

/// Path by which a datagram came.
#[derive(Clone, Copy, Debug)]
pub struct Arrival {
    /// Our socket.
    pub socket: SocketId,
    /// True if that socket is the one for RTCP.
    pub rtcp: bool,
    /// Address that it came from.
    pub from: SocketAddr,
}

/// Kind of a datagram.
#[derive(Debug, PartialEq, Eq)]
pub enum Received<'a> {
    /// Nothing the shard must act on: a check from a known address, DTLS, or RTP that came before its keys.
    Nothing,
    /// Refused: forged, replayed, malformed, or from an address that proved nothing.
    Refused,
    /// An authentic check from a new address: datagrams from it are this leg's from now on. If it took the place of
    /// another one, that one is nobody's now.
    Bound {
        /// Path that is forgotten.
        forgotten: Option<Path>,
    },
    /// An RTP packet of the peer, open.
    Rtp(&'a mut [u8]),
    /// An RTP packet of the peer, open, that is observed as well.
    Observed(&'a mut [u8]),
    /// An RTCP packet of the peer, open; compound or not.
    Rtcp(&'a mut [u8]),
    /// A datagram of the peer's fax, as it came.
    Fax(&'a mut [u8]),
}

/// Event of a leg. Nothing follows [`Event::Gone`] and [`Event::Failed`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// Keys agreed with the very peer that SDP named: media may flow.
    Connected,
    /// The peer left: [`Failure::Closed`] or [`Failure::Consent`].
    Gone(Failure),
    /// Setting up failed: [`Failure::Fingerprint`] or [`Failure::Dtls`].
    Failed(Failure),
    /// The leg's peer began to speak, or stopped; only of a transport that is observed for it.
    Speaking(bool),
}

/// Effect of an offer and answer on a transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Agreed {
    /// Agreement for another kind of transport: nothing changes.
    Unfit,
    /// Media may flow once the peer has proved itself, or names an address.
    Pending,
    /// Media may flow.
    Ready,
}
