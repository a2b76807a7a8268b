//! Legs: the transport to one peer, and the streams that go by it. `assign` finds the stream that a packet belongs to, `silence`
//! reports a peer that sends nothing. A leg knows neither bridges nor shards.

mod assign;
mod silence;

use std::time::Duration;

use sans_io::{Deadline, Rng};
use slab::Slab;
use smallvec::{SmallVec, smallvec};

use crate::control::{BridgeId, LegId, StreamIndex};
use crate::deadlines::{Armed, Earliest};
use crate::lane::Tie;
use crate::stream::{End, Place, Stream};
use crate::transport::Transport;
use assign::Sources;
use silence::Silence;

/// Streams of a leg at most; those beyond are not carried.
pub(crate) const MOST_STREAMS: usize = 16;

/// One leg: a peer, and all that goes to it and comes from it.
#[derive(Debug)]
pub(crate) struct Leg {
    pub(crate) id: LegId,
    pub(crate) transport: Transport,
    /// At least one, which is there before anything is agreed.
    pub(crate) streams: SmallVec<[Stream; 1]>,
    /// Sources whose stream is known.
    sources: Sources,
    /// True if the peer named an address.
    pub(crate) addressed: bool,
    /// True if signalling was told that media may flow.
    pub(crate) announced: bool,
    pub(crate) silence: Silence,
    /// Bridge that it takes part in.
    pub(crate) bridge: Option<BridgeId>,
    /// Part in a bridge of another shard.
    pub(crate) tie: Option<Tie>,
    pub(crate) armed: Armed,
}

impl Leg {
    pub(crate) fn new(id: LegId, transport: Transport, rng: &mut Rng, generation: u64) -> Leg {
        Leg {
            id,
            transport,
            streams: smallvec![Stream::new(rng)],
            sources: Sources::default(),
            addressed: false,
            announced: false,
            silence: Silence::default(),
            bridge: None,
            tie: None,
            armed: Armed::new(generation),
        }
    }

    /// One of its streams, with what it needs of the leg.
    #[inline]
    pub(crate) fn end(&mut self, index: StreamIndex) -> Option<End<'_>> {
        Some(End {
            leg: self.id,
            index,
            transport: &mut self.transport,
            stream: self.streams.get_mut(usize::from(index.0))?,
        })
    }

    #[inline]
    pub(crate) fn stream(&self, index: StreamIndex) -> Option<&Stream> {
        self.streams.get(usize::from(index.0))
    }

    #[inline]
    pub(crate) fn stream_mut(&mut self, index: StreamIndex) -> Option<&mut Stream> {
        self.streams.get_mut(usize::from(index.0))
    }

    /// The names of its streams.
    pub(crate) fn indices(&self) -> impl Iterator<Item = StreamIndex> + use<> {
        (0..self.streams.len() as u8).map(StreamIndex)
    }

    /// Adds streams until there are so many, each with an SSRC of its own (RFC 3550 §8).
    pub(crate) fn grow(&mut self, streams: usize, rng: &mut Rng) {
        while self.streams.len() < streams.min(MOST_STREAMS) {
            let fresh = Stream::new(rng);
            let ssrc = fresh.egress.ssrc();
            if self.streams.iter().all(|stream| stream.egress.ssrc() != ssrc) {
                self.streams.push(fresh);
            }
        }
    }

    /// Counts a packet that belongs to none of the streams.
    pub(crate) fn refuse(&mut self) {
        if let Some(stream) = self.streams.first_mut() {
            stream.count.refused += 1;
        }
    }

    /// True if a stream hears the bridge of another shard that the leg takes part in; `None` if it takes part in none.
    #[inline]
    pub(crate) fn hears_by_lane(&self, index: StreamIndex) -> Option<bool> {
        self.tie.as_ref()?;
        let stream = self.stream(index)?;
        Some(stream.away.bridged || stream.player.is_none())
    }

    /// True if somebody outside must be told when the leg ends.
    pub(crate) fn is_observed(&self) -> bool {
        self.transport.is_tapped() || self.streams.iter().any(|stream| stream.injected.is_some())
    }

    /// Time at which the leg must be looked at; after `silence` without a sign of its peer it is silent.
    pub(crate) fn deadline(&self, silence: Option<Duration>) -> Deadline {
        let mut next = Earliest::default();
        next.or(self.transport.deadline());
        for stream in &self.streams {
            stream.deadline(&mut next);
        }
        next.or(self.silence_deadline(silence));
        next.deadline()
    }

    /// The part of that which a packet of a stream may have brought nearer.
    #[inline]
    pub(crate) fn deadline_after_packet(&self, index: StreamIndex, silence: Option<Duration>) -> Deadline {
        let mut next = Earliest::default();
        if let Some(stream) = self.stream(index) {
            stream.deadline_after_packet(&mut next);
        }
        next.or(self.silence_deadline(silence));
        next.deadline()
    }
}

/// The stream at a place.
#[inline]
pub(crate) fn end_at(legs: &mut Slab<Leg>, place: Place) -> Option<End<'_>> {
    legs.get_mut(place.leg)?.end(place.stream)
}

/// The streams at two places, of two legs.
#[inline]
pub(crate) fn ends_at(legs: &mut Slab<Leg>, one: Place, other: Place) -> Option<(End<'_>, End<'_>)> {
    if one.leg == other.leg {
        return None;
    }
    let (a, b) = legs.get2_mut(one.leg, other.leg)?;
    Some((a.end(one.stream)?, b.end(other.stream)?))
}
