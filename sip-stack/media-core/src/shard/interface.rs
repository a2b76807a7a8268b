use std::net::{IpAddr, SocketAddr};

use sans_io::Deadline;

use super::lane::Message;
use crate::control::{Command, Event, LegId, SocketId};

/// Inputs of a shard besides datagrams, which come through `Shard::handle_datagram`, and messages of other shards, which come
/// through `Shard::handle_message`.
#[derive(Clone, Debug)]
pub enum Input {
    /// From signalling.
    Command(Command),
    /// Answer to [`Output::Bind`]: the pair of sockets of a phone leg.
    Bound {
        /// The leg that they belong to.
        leg: LegId,
        /// The even port and the address to tell the peer.
        rtp: (SocketId, SocketAddr),
        /// The odd port above it.
        rtcp: (SocketId, SocketAddr),
    },
    /// Answer to [`Output::Bind`]: no pair of ports was free, or the address is not ours.
    BindFailed {
        /// The leg.
        leg: LegId,
    },
    /// The moment that [`Output::Timeout`] named has come.
    Timeout,
}

/// Outputs of a shard. Drain until [`Output::Timeout`] after each input.
#[derive(Debug)]
pub enum Output<'a> {
    /// Send a datagram.
    Transmit {
        /// From here.
        socket: SocketId,
        /// To there.
        to: SocketAddr,
        /// The datagram; valid until the next call.
        data: &'a [u8],
    },
    /// Bind an even port for RTP and the odd one above it for RTCP. Answered by [`Input::Bound`] or
    /// [`Input::BindFailed`].
    Bind {
        /// For this leg.
        leg: LegId,
        /// On this address.
        local: IpAddr,
    },
    /// Close these two; what still arrives on them goes nowhere.
    Release {
        /// RTP and RTCP.
        sockets: [SocketId; 2],
    },
    /// Hand a message to another shard, in the order in which its messages come.
    Message {
        /// Number of that shard.
        to: u8,
        /// The message; valid until the next call. Packets may be dropped where the lane is full, all else may not.
        message: Message<'a>,
    },
    /// To signalling. Never dropped.
    Event(Event),
    /// Nothing is left to do until then, or until input comes.
    Timeout(Deadline),
}
