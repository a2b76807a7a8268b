//! Taps of media: the packets of a leg, for whoever listens, on whichever thread.
//!
//! A ring that is made at the start leads from the media thread to the listener. A packet that finds no room in it is dropped and
//! counted, so that a slow listener never holds the media thread up. Nothing wakes the listener: it looks when it wants to.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use media_core::control::LegId;
use media_core::negotiated::Codec;
use media_core::tap::{Tapped, Way};
use rtrb::{Consumer, Producer, RingBuffer};
use sans_io::Time;

use super::counters::{MediaCounters, count};
use super::ring::put;

/// Octets before a packet: its time, its direction and codec, and its length.
const HEAD: usize = 12;

/// Octets that a packet takes in a ring at most: more than an Ethernet frame holds.
const ROOM: usize = 1_600;

/// An RTP packet of a tapped leg; its header and payload are read beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TappedPacket {
    /// Time at which it came, or went.
    pub at: Time,
    /// Its direction.
    pub way: Way,
    /// Codec of its payload; `None` for a telephone event, for a format that is passed on without being decoded, and for a payload type
    /// that was not agreed.
    pub codec: Option<Codec>,
}

/// Listener to the media of a leg; it ends when this is dropped.
#[derive(Debug)]
pub struct MediaTap {
    ring: Consumer<u8>,
    missed: Arc<AtomicU64>,
}

impl MediaTap {
    /// Takes the next packet, if one waits: RTP header and payload take the place of what `data` held.
    pub fn read(&mut self, data: &mut Vec<u8>) -> Option<TappedPacket> {
        let mut head = [0; HEAD];
        self.ring.pop_entire_slice(&mut head).ok()?;
        let [at @ .., way, codec, low, high] = head;
        data.clear();
        data.resize(usize::from(u16::from_le_bytes([low, high])), 0);
        self.ring.pop_entire_slice(data).ok()?;
        Some(TappedPacket {
            at: Time(u64::from_le_bytes(at)),
            way: if way == 0 { Way::Received } else { Way::Sent },
            codec: CODECS.into_iter().find(|known| number(Some(*known)) == codec),
        })
    }

    /// True once the leg is over and everything was read.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.ring.is_abandoned() && self.ring.is_empty()
    }

    /// Packets that were dropped because too many waited here.
    #[must_use]
    pub fn missed(&self) -> u64 {
        self.missed.load(Ordering::Relaxed)
    }
}

const CODECS: [Codec; 4] = [Codec::Opus, Codec::Pcmu, Codec::Pcma, Codec::G722];

/// A codec as an octet.
const fn number(codec: Option<Codec>) -> u8 {
    match codec {
        None | Some(Codec::Foreign(_)) => 0,
        Some(Codec::Opus) => 1,
        Some(Codec::Pcmu) => 2,
        Some(Codec::Pcma) => 3,
        Some(Codec::G722) => 4,
    }
}

/// The media thread's end of a tap.
#[derive(Debug)]
pub struct TapFeed {
    ring: Producer<u8>,
    missed: Arc<AtomicU64>,
}

/// A tap for which at least so many packets may wait.
#[must_use]
pub fn tap(waiting: usize) -> (TapFeed, MediaTap) {
    let (producer, consumer) = RingBuffer::new(waiting.max(1) * (HEAD + ROOM));
    let missed = Arc::new(AtomicU64::new(0));
    let feed = TapFeed {
        ring: producer,
        missed: Arc::clone(&missed),
    };
    (
        feed,
        MediaTap {
            ring: consumer,
            missed,
        },
    )
}

impl TapFeed {
    /// False if there was no room.
    fn send(&mut self, at: Time, packet: &Tapped<'_>) -> bool {
        let Ok(length) = u16::try_from(packet.data.len()) else {
            return false;
        };
        let mut head = [0; HEAD];
        head[..8].copy_from_slice(&at.0.to_le_bytes());
        head[8] = u8::from(packet.way == Way::Sent);
        head[9] = number(packet.codec);
        head[10..].copy_from_slice(&length.to_le_bytes());
        put(&mut self.ring, [&head, packet.data])
    }
}

/// Listeners of one thread, by their legs.
#[derive(Debug, Default)]
pub(super) struct Taps(BTreeMap<LegId, Vec<TapFeed>>);

impl Taps {
    pub(super) fn add(&mut self, leg: LegId, feed: TapFeed) {
        self.0.entry(leg).or_default().push(feed);
    }

    /// Hands a packet to everybody who listens to its leg. False if nobody does any more.
    pub(super) fn hand_on(&mut self, at: Time, packet: &Tapped<'_>, counters: &MediaCounters) -> bool {
        let Some(feeds) = self.0.get_mut(&packet.leg) else {
            return false;
        };
        feeds.retain_mut(|feed| {
            if feed.ring.is_abandoned() {
                return false;
            }
            if !feed.send(at, packet) {
                feed.missed.fetch_add(1, Ordering::Relaxed);
                count(&counters.tap_dropped);
            }
            true
        });
        let listens = !feeds.is_empty();
        if !listens {
            self.0.remove(&packet.leg);
        }
        listens
    }

    /// True if somebody listens to a leg.
    pub(super) fn listens_to(&self, leg: LegId) -> bool {
        self.0.contains_key(&leg)
    }

    /// A leg is over.
    pub(super) fn remove(&mut self, leg: LegId) {
        self.0.remove(&leg);
    }
}

#[cfg(test)]
mod tests {
    use media_core::control::StreamIndex;

    use super::*;

    fn packet(data: &[u8], codec: Option<Codec>, way: Way) -> Tapped<'_> {
        Tapped {
            leg: LegId(1),
            stream: StreamIndex::FIRST,
            way,
            codec,
            data,
        }
    }

    #[test]
    fn packets_come_out_as_they_went_in_and_the_listener_sees_the_end() {
        let (mut taps, counters) = (Taps::default(), MediaCounters::default());
        let (feed, mut tap) = tap(3);
        taps.add(LegId(1), feed);
        let mut data = Vec::new();
        for round in 0..500_u64 {
            let sent = vec![round as u8; 12 + (round as usize * 37) % 1_400];
            let codec = [
                None,
                Some(Codec::Opus),
                Some(Codec::Pcmu),
                Some(Codec::Pcma),
                Some(Codec::G722),
            ][round as usize % 5];
            let way = [Way::Received, Way::Sent][round as usize % 2];
            assert!(taps.hand_on(Time(round), &packet(&sent, codec, way), &counters));
            let at = Time(round);
            assert_eq!(tap.read(&mut data), Some(TappedPacket { at, way, codec }));
            assert_eq!(data, sent);
        }
        assert!(tap.read(&mut data).is_none() && !tap.is_over());
        taps.remove(LegId(1));
        assert!(tap.is_over());
        assert_eq!(tap.missed(), 0);
    }

    #[test]
    fn a_slow_listener_loses_what_does_not_fit_and_holds_up_nobody_else() {
        let (mut taps, counters) = (Taps::default(), MediaCounters::default());
        let (slow, mut reads_slowly) = tap(2);
        let (fast, mut reads_at_once) = tap(2);
        taps.add(LegId(1), slow);
        taps.add(LegId(1), fast);
        let (sent, mut data) = ([7; ROOM], Vec::new());
        for at in 0..6 {
            taps.hand_on(Time(at), &packet(&sent, None, Way::Sent), &counters);
            assert!(reads_at_once.read(&mut data).is_some());
        }
        assert_eq!((reads_slowly.missed(), reads_at_once.missed()), (4, 0));
        assert_eq!(counters.tap_dropped.load(Ordering::Relaxed), 4);
        // Whole packets, oldest first.
        let times = std::iter::from_fn(|| reads_slowly.read(&mut data)).map(|packet| packet.at.0);
        assert_eq!(times.collect::<Vec<_>>(), [0, 1]);
        drop((reads_slowly, reads_at_once));
        assert!(!taps.hand_on(Time(9), &packet(&sent, None, Way::Sent), &counters));
    }
}
