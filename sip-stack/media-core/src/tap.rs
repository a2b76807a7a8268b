//! Taps: the packets of one stream of a leg, open, for a recorder, a packet capture or a bot.
//!
//! A tapped stream's packets leave the shard as [`Output::Tapped`](crate::shard::Output::Tapped), each once, whatever becomes of them:
//! relayed, transcoded or mixed. Sound is made of them by whoever listens, with a [`Playout`] for each direction, so that a media
//! thread never decodes for its listeners.

use crate::control::{LegId, StreamIndex};
use crate::negotiated::Codec;

pub use crate::stream::Playout;

/// Direction of a packet as our side sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// From the leg's peer: that which the peer says.
    Received,
    /// To the leg's peer: that which the peer hears.
    Sent,
}

/// An RTP packet of a tapped stream, as it was before encryption or after decryption.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tapped<'a> {
    /// The leg.
    pub leg: LegId,
    /// Its stream.
    pub stream: StreamIndex,
    /// Its direction.
    pub way: Way,
    /// Codec of its payload; `None` for a telephone event, and for a payload type that was not agreed.
    pub codec: Option<Codec>,
    /// Header and payload.
    pub data: &'a [u8],
}
