use crate::control::{LegId, StreamIndex};
use crate::outbox::Outbox;

/// Transport of a stand-in: the lane between two shards.
#[derive(Debug)]
pub(crate) struct Lane {
    /// Shard of the leg that it stands in for.
    pub(crate) to: u8,
    /// That leg.
    pub(crate) leg: LegId,
    /// The peer of the leg has a jitter buffer that is better than ours.
    pub(crate) buffers: bool,
    /// The leg has an application of its own.
    pub(crate) application: bool,
}

impl Lane {
    /// Sends the RTP packet of a stream that `write` makes of at most `room` octets; `None` if it could not go.
    #[inline]
    pub(super) fn send(
        &self,
        out: &mut Outbox,
        stream: StreamIndex,
        room: usize,
        write: impl FnOnce(&mut [u8]) -> Option<usize>,
    ) -> Option<usize> {
        out.compose_packet(self.to, (self.leg, stream), room, write)
    }
}
