//! Legs that take part in a bridge of another shard.
//!
//! All members of a bridge meet on one shard, its home. A member that was opened on another shard has a stand-in there: a leg
//! with the same codecs whose transport is the lane between the two shards. Its own shard keeps the leg's sockets, keys, statistics,
//! reports and applications, and a `Tie` to the home: what the peer sends goes to the stand-in as plain RTP, and what the
//! stand-in is to hear comes back the same way and is relayed to the peer. So relay, transcode, mix, roles and digits are done
//! by the home as for its own legs.
//!
//! Each side trusts only its own commands: the leg's shard makes and ends the tie, the home decides who hears whom. A message
//! about a leg that is not known, or not known in that way, is dropped and counted, so the order in which signalling's
//! commands reach the two shards does not matter.

use crate::control::{BridgeId, LegId, StreamIndex};
use crate::negotiated::StreamAgreed;
use crate::stats::Mode;

/// Message of one shard to another.
#[derive(Debug)]
pub enum Message<'a> {
    /// An RTP packet, plain: of the leg's peer to the stand-in, or of the stand-in to the leg.
    Packet {
        /// The leg.
        leg: LegId,
        /// Its stream.
        stream: StreamIndex,
        /// The packet.
        data: &'a [u8],
    },
    /// Anything else; rare, and never dropped.
    Notice(Notice),
}

/// News of a leg or of its stand-in.
#[derive(Clone, Debug)]
pub enum Notice {
    /// To the home: the leg is to take part in a bridge, or something about it changed.
    Tied {
        /// The leg.
        leg: LegId,
        /// The bridge.
        bridge: BridgeId,
        /// Agreements of the leg and its peer; none before the first.
        streams: Vec<StreamAgreed>,
        /// True if its peer has a jitter buffer of its own that is better than ours: a browser.
        buffers: bool,
        /// True if there is an application for it to hear while the bridge is muted by hold.
        application: bool,
    },
    /// To the home: the leg takes no part any more.
    Untied {
        /// The leg.
        leg: LegId,
    },
    /// To the leg: a stream of it hears the bridge, or its application.
    Bridged {
        /// The leg.
        leg: LegId,
        /// Its stream.
        stream: StreamIndex,
        /// True: the bridge.
        bridged: bool,
    },
    /// To the leg, once a second: counts of a stream of its stand-in.
    Counts {
        /// The leg.
        leg: LegId,
        /// Its stream.
        stream: StreamIndex,
        /// The counts.
        counts: Counts,
    },
    /// To the home: loss that the leg's peer reports.
    Loss {
        /// The leg.
        leg: LegId,
        /// Its stream.
        stream: StreamIndex,
        /// Percent to protect against; 0: no loss any more.
        percent: u8,
    },
}

/// Counts of a stand-in that belong into the report of its leg.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    pub(crate) mode: Mode,
    pub(crate) buffer_us: u32,
    pub(crate) concealed: u64,
    pub(crate) fec_recovered: u64,
}

/// Part of a leg in a bridge of another shard.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tie {
    pub(crate) home: u8,
    pub(crate) bridge: BridgeId,
}

/// Messages of the home of a bridge about one stream of a leg that takes part there; nothing while it does not.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Away {
    /// False: the bridge is muted, or not made yet.
    pub(crate) bridged: bool,
    /// The last counts of the stand-in.
    pub(crate) counts: Counts,
}
