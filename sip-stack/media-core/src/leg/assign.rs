//! Packets of several streams by one transport (BUNDLE): which stream one belongs to, by RFC 8843 §9.2.

use smallvec::SmallVec;

use super::Leg;
use crate::control::StreamIndex;
use crate::rtp::{Packet, extension};

/// Sources that are remembered for a leg; the oldest gives way.
const MOST_SOURCES: usize = 32;

/// Streams of the sources that a peer sends from.
#[derive(Clone, Debug, Default)]
pub(super) struct Sources(SmallVec<[(u32, StreamIndex); 2]>);

impl Sources {
    fn stream(&self, ssrc: u32) -> Option<StreamIndex> {
        let known = self.0.iter().find(|(source, _)| *source == ssrc);
        known.map(|(_, stream)| *stream)
    }

    fn learn(&mut self, ssrc: u32, stream: StreamIndex) {
        if let Some(known) = self.0.iter_mut().find(|(source, _)| *source == ssrc) {
            known.1 = stream;
            return;
        }
        if self.0.len() >= MOST_SOURCES {
            self.0.remove(0);
        }
        self.0.push((ssrc, stream));
    }
}

impl Leg {
    /// Stream of an RTP packet; `None` if it is nobody's. A leg with one stream has nothing to decide.
    #[inline]
    pub(crate) fn assign(&mut self, data: &[u8]) -> Option<StreamIndex> {
        if self.streams.len() == 1 {
            return Some(StreamIndex::FIRST);
        }
        self.assign_bundled(data)
    }

    /// The steps of RFC 8843 §9.2: the MID in a header extension counts, then what is known of the source, then a payload type
    /// that one stream alone uses. What the last packet taught holds for those to come.
    #[inline(never)]
    fn assign_bundled(&mut self, data: &[u8]) -> Option<StreamIndex> {
        let packet = Packet::parse(data).ok()?;
        let ssrc = packet.header.ssrc;
        match self.named(data) {
            Named::Stream(stream) => {
                self.sources.learn(ssrc, stream);
                return Some(stream);
            }
            // A MID of a section that we do not know, or that was refused.
            Named::Stranger => return None,
            Named::Nothing => {}
        }
        if let Some(stream) = self.sources.stream(ssrc) {
            return Some(stream);
        }
        let stream = self.only(packet.header.payload_type)?;
        self.sources.learn(ssrc, stream);
        Some(stream)
    }

    /// Stream that a packet names by its MID.
    fn named(&self, data: &[u8]) -> Named {
        let mut found = Named::Nothing;
        for index in self.indices() {
            let labels = self
                .stream(index)
                .and_then(|stream| Some(&stream.media.as_ref()?.labels));
            let Some(mid) = labels.and_then(|labels| labels.mid.as_ref()) else {
                continue;
            };
            match extension(data, mid.extension) {
                Some(value) if value == mid.value.as_bytes() => return Named::Stream(index),
                Some(_) => found = Named::Stranger,
                None => {}
            }
        }
        found
    }

    /// The one stream that agreed to this payload type.
    fn only(&self, payload_type: u8) -> Option<StreamIndex> {
        let mut agreed = self.indices().filter(|index| {
            let media = self.stream(*index).and_then(|stream| stream.media.as_ref());
            media.is_some_and(|media| media.takes(payload_type))
        });
        agreed.next().filter(|_| agreed.next().is_none())
    }

    /// Stream of a source that sends reports (RFC 8843 §9.2: RTCP follows the sources).
    pub(crate) fn stream_of_source(&self, ssrc: u32) -> Option<StreamIndex> {
        if self.streams.len() == 1 {
            return Some(StreamIndex::FIRST);
        }
        self.sources.stream(ssrc)
    }

    /// Takes the sources that SDP names, and forgets those of streams that are gone.
    pub(crate) fn learn_sources(&mut self) {
        let streams = self.streams.len();
        self.sources
            .0
            .retain(|(_, stream)| usize::from(stream.0) < streams);
        for index in self.indices() {
            let media = self
                .streams
                .get(usize::from(index.0))
                .and_then(|stream| stream.media.as_ref());
            for ssrc in media.into_iter().flat_map(|media| media.labels.sources.iter()) {
                self.sources.learn(*ssrc, index);
            }
        }
    }
}

/// Stream that a packet names itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Named {
    /// It has no MID.
    Nothing,
    Stream(StreamIndex),
    /// None of ours.
    Stranger,
}
