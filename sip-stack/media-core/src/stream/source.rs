//! Packets of the peer.

use std::time::Duration;

use sans_io::{Deadline, Time};

use super::feed::Feed;
use super::{End, Stream};
use crate::codec::Pool;
use crate::control::Event;
use crate::negotiated::Codec;
use crate::outbox::Outbox;
use crate::rtp::{Header, Packet};
use crate::stats::Verdict;

/// Time without RTP after which it has stopped.
const STOPPED: Duration = Duration::from_millis(200);
/// A peer that says it is silent (DTX) sends something at least every 400 ms.
const STOPPED_IN_DTX: Duration = Duration::from_millis(1_000);
/// RFC 3389; says only that there is nothing to say.
const COMFORT_NOISE: u8 = 13;

/// Content of a datagram.
pub(crate) enum Arrived<'a> {
    /// Nothing that counts.
    Nothing,
    /// A packet that is not relayed.
    Silence(Header),
    /// Sound; `restarted` when the peer began its numbers anew.
    Sound {
        codec: Codec,
        packet: Packet<'a>,
        restarted: bool,
    },
    /// A packet of a telephone event, with the clock of its stream.
    Key { packet: Packet<'a>, clock: u32 },
}

impl End<'_> {
    /// Classifies and counts an RTP packet of the peer.
    pub(crate) fn receive<'a>(&mut self, now: Time, data: &'a [u8], out: &mut Outbox) -> Arrived<'a> {
        let (leg, index) = (self.leg, self.index);
        let stream = &mut *self.stream;
        let Some(media) = &stream.media else {
            return Arrived::Nothing;
        };
        let Ok(packet) = Packet::parse(data) else {
            stream.count.refused += 1;
            return Arrived::Nothing;
        };
        let kind = packet.header.payload_type;
        let codec = media
            .receive
            .iter()
            .find(|(number, _)| *number == kind)
            .map(|(_, codec)| *codec);
        let event = media.event(kind);
        if codec.is_none() && event.is_none() && kind != COMFORT_NOISE {
            stream.count.refused += 1;
            return Arrived::Nothing;
        }
        let verdict = stream.source.receive(packet.header.ssrc, packet.header.sequence);
        if verdict == Verdict::Doubtful {
            stream.count.refused += 1;
            return Arrived::Nothing;
        }
        stream.count.received += 1;
        stream.count.octets += packet.payload.len() as u64;
        let first = stream.heard.replace(now).is_none();
        let began = !std::mem::replace(&mut stream.flowing, true);
        if (first || began) && self.transport.lane().is_none() {
            out.event(if first {
                Event::Talking { leg, stream: index }
            } else {
                Event::Flow {
                    leg,
                    stream: index,
                    flowing: true,
                }
            });
        }
        if let Some(event) = event {
            return Arrived::Key {
                packet,
                clock: event.clock,
            };
        }
        let Some(codec) = codec else {
            return Arrived::Silence(packet.header);
        };
        stream.source.arrived(now, packet.header.timestamp, codec.clock());
        stream.count.codec_received = Some(codec);
        // A foreign format may pause at any time: most are silent in one way or another.
        stream.in_dtx =
            codec.is_foreign() || codec == Codec::Opus && crate::codec::opus::is_dtx(packet.payload);
        if packet.payload.is_empty() || !media.direction.receives() {
            return Arrived::Silence(packet.header);
        }
        Arrived::Sound {
            codec,
            packet,
            restarted: verdict == Verdict::Restarted && !first,
        }
    }

    /// Says when the peer's packets stopped.
    pub(crate) fn check_flow(&mut self, now: Time, out: &mut Outbox) {
        if self.stream.flowing && self.stream.flow_deadline().is_some_and(|(at, _)| at <= now) {
            self.stream.flowing = false;
            let stopped = Event::Flow {
                leg: self.leg,
                stream: self.index,
                flowing: false,
            };
            self.emit(out, stopped);
        }
    }
}

impl Stream {
    /// Puts a packet of the peer into the jitter buffer from which its mix takes it.
    pub(crate) fn speak(&mut self, now: Time, codec: Codec, packet: &Packet<'_>, rate: u32, pool: &mut Pool) {
        if self.keys.pressed() {
            return;
        }
        let follows = std::mem::take(&mut self.follows);
        if !self
            .feed
            .as_ref()
            .is_some_and(|feed| feed.is_paced() && feed.codec() == codec)
        {
            let fresh = if follows {
                Feed::following(codec, rate, pool)
            } else {
                Feed::new(codec, true, rate, pool)
            };
            if let Some(old) = std::mem::replace(&mut self.feed, fresh) {
                old.give_back(pool);
            }
        }
        if let Some(feed) = &mut self.feed {
            feed.insert_paced(now, packet);
        }
    }

    /// Is not heard in a mix any more.
    pub(crate) fn be_mixed_no_more(&mut self, pool: &mut Pool) {
        self.follows = false;
        if self.mixed.take().is_some()
            && self.listener.is_none()
            && let Some(feed) = self.feed.take()
        {
            feed.give_back(pool);
        }
    }

    #[inline]
    pub(super) fn flow_deadline(&self) -> Deadline {
        let limit = if self.in_dtx { STOPPED_IN_DTX } else { STOPPED };
        self.heard
            .filter(|_| self.flowing)
            .map(|heard| (heard + limit, "flow of a leg"))
    }

    /// Time at which the peer's sound is due; in a mix it is the mix that asks.
    #[inline]
    pub(crate) fn feed_deadline(&self) -> Deadline {
        let feed = self.feed.as_ref().filter(|_| self.mixed.is_none())?;
        feed.deadline()
    }
}
