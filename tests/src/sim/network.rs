//! Behaviour of the wire.

use std::time::Duration;

use bytes::Bytes;
use media_core::control::{self, LegId, SocketId, StreamIndex};
use media_core::lane::Notice;
use sans_io::Rng;
use sip_core::flow::FlowId;
use std::net::SocketAddr;

/// Fates of datagrams, in per cent; those that arrive are late by up to `jitter`, so that they overtake.
#[derive(Clone, Copy, Debug)]
pub struct Conditions {
    /// Never arrives.
    pub loss: u64,
    /// Arrives twice.
    pub duplicate: u64,
    /// On top of 5 ms.
    pub jitter: Duration,
}

impl Conditions {
    /// Everything arrives after 5 ms.
    #[must_use]
    pub fn perfect() -> Conditions {
        Conditions {
            loss: 0,
            duplicate: 0,
            jitter: Duration::ZERO,
        }
    }

    /// A bad day.
    #[must_use]
    pub fn bad() -> Conditions {
        Conditions {
            loss: 15,
            duplicate: 10,
            jitter: Duration::from_millis(80),
        }
    }

    /// Delay of each copy of a datagram.
    pub(super) fn copies(&self, rng: &mut Rng) -> Vec<Duration> {
        let copies = match rng.percent(self.loss) {
            true => 0,
            false => 1 + usize::from(rng.percent(self.duplicate)),
        };
        (0..copies).map(|_| self.delay(rng)).collect()
    }

    pub(super) fn delay(&self, rng: &mut Rng) -> Duration {
        let jitter = rng.below(1 + self.jitter.as_micros() as u64);
        Duration::from_millis(5) + Duration::from_micros(jitter)
    }
}

/// Something on its way.
pub(super) enum Parcel {
    /// SIP to a node: by UDP, or over a connection between nodes.
    ToNode {
        node: usize,
        from: SocketAddr,
        reliable: bool,
        data: Bytes,
    },
    /// SIP to an agent by UDP.
    ToAgent {
        agent: usize,
        data: Bytes,
    },
    /// SIP over a WebSocket, up or down.
    Up {
        flow: FlowId,
        data: Bytes,
    },
    Down {
        flow: FlowId,
        data: Bytes,
    },
    /// The gateway notices that a WebSocket is gone.
    Closed {
        flow: FlowId,
    },
    /// RTP or RTCP to a socket of a shard.
    Rtp {
        node: usize,
        socket: SocketId,
        from: SocketAddr,
        data: Vec<u8>,
    },
    /// From one shard of a node to another.
    Between {
        node: usize,
        from: u8,
        to: u8,
        message: Between,
    },
    /// Event of a shard that only answers.
    Media {
        node: usize,
        event: control::Event,
    },
}

/// A message between shards, on its way.
#[derive(Debug)]
pub(super) enum Between {
    Packet(LegId, StreamIndex, Vec<u8>),
    Notice(Notice),
}
