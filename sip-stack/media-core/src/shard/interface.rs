use std::net::SocketAddr;

use crate::control::{Command, LegId, SocketId};

/// Inputs of a shard besides datagrams, which come through `Shard::handle_datagram`, and messages of other shards, which come
/// through `Shard::handle_message`.
#[derive(Clone, Debug)]
pub enum Input {
    /// From signalling.
    Command(Command),
    /// Answer to [`Output::Bind`](crate::shard::Output::Bind): the pair of sockets of a phone leg.
    Bound {
        /// The leg that they belong to.
        leg: LegId,
        /// The even port and the address to tell the peer.
        rtp: (SocketId, SocketAddr),
        /// The odd port above it.
        rtcp: (SocketId, SocketAddr),
    },
    /// Answer to [`Output::Bind`](crate::shard::Output::Bind): no pair of ports was free, or the address is not ours.
    BindFailed {
        /// The leg.
        leg: LegId,
    },
    /// The moment that [`Output::Timeout`](crate::shard::Output::Timeout) named has come.
    Timeout,
}
