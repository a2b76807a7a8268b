//! One channel: packets in the order of their numbers, decoded and put at their places.

use std::collections::BTreeMap;

use super::line::Line;
use super::placement::{Placement, stretch};
use crate::codec::{self, Decoder, LONGEST, RATE};
use crate::dtmf::Detector;
use crate::negotiated::Codec;
use crate::resample::{Down, Up};
use crate::rtp::{Packet, Unwrap};

/// Time for which a packet waits for those before it: ms.
const PATIENCE: i64 = 200;
/// Sound of a new sender that lies before its first packet's arrival at most: ms.
pub(super) const EARLY: i64 = 40;
/// Packets that wait at most.
const WAITING: usize = 64;
/// Longest loss that is made up for: ms.
const CONCEALED: i64 = 100;
/// Sound before and after a digit that is silenced, by which the detector is late: ms.
const MARGIN: i64 = 60;

/// A packet that waits for those before it.
#[derive(Debug)]
struct Waiting {
    at: i64,
    timestamp: i64,
    codec: Codec,
    payload: Vec<u8>,
}

/// Sound of one channel.
#[derive(Debug)]
pub(super) struct Track {
    rate: u32,
    pub(super) line: Line,
    decoder: Option<Decoder>,
    source: Option<u32>,
    sequences: Unwrap,
    timestamps: Unwrap,
    /// Number of the packet that is next, and the timestamp that follows the last one's.
    next: Option<(i64, i64)>,
    waiting: BTreeMap<i64, Waiting>,
    /// Time until which the packets of a new sender wait, for the first may have been under way for longer than the others.
    opens: i64,
    placement: Option<Placement>,
    digits: Option<Digits>,
    up: Up,
    decoded: Box<[i16; 2 * LONGEST]>,
    wide: Vec<i16>,
    placed: Vec<i16>,
}

/// The ear for digits.
#[derive(Debug, Default)]
struct Digits {
    detector: Detector,
    down: Down,
    narrow: Vec<i16>,
}

impl Track {
    pub(super) fn new(rate: u32, hears_digits: bool) -> Track {
        Track {
            rate,
            line: Line::new(-EARLY * i64::from(rate) / 1_000),
            decoder: None,
            source: None,
            sequences: Unwrap::default(),
            timestamps: Unwrap::default(),
            next: None,
            waiting: BTreeMap::new(),
            opens: i64::MIN,
            placement: None,
            digits: hears_digits.then(Digits::default),
            up: Up::default(),
            decoded: Box::new([0; 2 * LONGEST]),
            wide: Vec::new(),
            placed: Vec::new(),
        }
    }

    /// Takes a packet that came at `at`. The stretch in which a digit was heard, if one was.
    pub(super) fn insert(&mut self, at: i64, codec: Codec, data: &[u8]) -> Option<(i64, i64)> {
        let packet = Packet::parse(data).ok()?;
        let mut heard = None;
        let is_other = self
            .decoder
            .as_ref()
            .is_some_and(|decoder| decoder.codec() != codec);
        if self.source != Some(packet.header.ssrc) || is_other {
            heard = self.release(i64::MAX, true);
            self.source = Some(packet.header.ssrc);
            self.begin(at);
        }
        let number = self.sequences.sequence(packet.header.sequence);
        let timestamp = self.timestamps.timestamp(packet.header.timestamp);
        let ahead = self.next.map_or(0, |(next, _)| number - next);
        if ahead < 0 && ahead > -(WAITING as i64) {
            return heard;
        }
        // The sender began anew.
        if ahead.unsigned_abs() > 1_000 {
            heard = merged(heard, self.release(i64::MAX, true));
            self.next = None;
        }
        let is_next = self.next.is_none_or(|(next, _)| number == next);
        if is_next && at >= self.opens && self.waiting.is_empty() {
            heard = merged(heard, self.play(at, (number, timestamp), codec, packet.payload));
        } else if self.waiting.len() < WAITING {
            let payload = packet.payload.to_vec();
            let waiting = Waiting {
                at,
                timestamp,
                codec,
                payload,
            };
            self.waiting.insert(number, waiting);
        }
        merged(heard, self.release(at, false))
    }

    /// Plays the packets that wait for nothing more: whose turn it is, or who waited long enough, or all.
    pub(super) fn release(&mut self, now: i64, all: bool) -> Option<(i64, i64)> {
        if now < self.opens && !all {
            return None;
        }
        if self.placement.is_none() {
            self.open();
        }
        let patience = PATIENCE * i64::from(self.rate) / 1_000;
        let mut heard = None;
        while let Some(first) = self.waiting.first_entry() {
            let number = *first.key();
            let is_next = self.next.is_none_or(|(next, _)| number <= next);
            if !is_next && !all && now - first.get().at < patience {
                break;
            }
            let Waiting {
                at,
                timestamp,
                codec,
                payload,
            } = first.remove();
            heard = merged(heard, self.play(at, (number, timestamp), codec, &payload));
        }
        heard
    }

    /// Another sender.
    fn begin(&mut self, at: i64) {
        self.sequences = Unwrap::default();
        self.timestamps = Unwrap::default();
        self.next = None;
        self.placement = None;
        self.opens = at + PATIENCE * i64::from(self.rate) / 1_000;
    }

    /// Finds the place of a new sender's first packet, by that which was under way for the shortest time.
    fn open(&mut self) {
        let Some(first) = self.waiting.values().next() else {
            return;
        };
        let clock = first.codec.clock();
        let by_first = |packet: &Waiting| {
            let after = (packet.timestamp - first.timestamp) * i64::from(self.rate) / i64::from(clock);
            packet.at - after
        };
        let least = self.waiting.values().map(by_first).min().unwrap_or(first.at);
        let early = EARLY * i64::from(self.rate) / 1_000;
        let place = least.max(first.at - early).max(self.line.end().min(first.at));
        self.placement = Some(Placement::new(self.rate, clock, place, first.timestamp));
    }

    fn play(
        &mut self,
        at: i64,
        (number, timestamp): (i64, i64),
        codec: Codec,
        payload: &[u8],
    ) -> Option<(i64, i64)> {
        let lasts = i64::from(codec::duration(codec, payload)?);
        let lost = self.next.map_or(0, |(next, _)| number - next);
        let missing = self.next.map_or(0, |(_, expected)| timestamp - expected);
        self.next = Some((number + 1, timestamp + lasts));
        self.decoder_for(codec)?;
        let mut heard = None;
        let longest = CONCEALED * i64::from(codec.clock()) / 1_000;
        if lost > 0 && (1..=longest).contains(&missing) {
            heard = self.make_up(at, timestamp - missing, (missing, lost), payload);
        }
        let decoder = self.decoder.as_mut()?;
        let length = decoder.decode(payload, &mut self.decoded[..]).ok()?;
        merged(heard, self.put(at, timestamp, codec, length))
    }

    fn decoder_for(&mut self, codec: Codec) -> Option<()> {
        if self
            .decoder
            .as_ref()
            .is_none_or(|decoder| decoder.codec() != codec)
        {
            self.decoder = Some(Decoder::new(codec, self.rate).ok()?);
        }
        Some(())
    }

    /// Makes up for lost packets, the last of them from the redundancy of the next one if it has any.
    fn make_up(
        &mut self,
        at: i64,
        from: i64,
        (missing, lost): (i64, i64),
        next: &[u8],
    ) -> Option<(i64, i64)> {
        let decoder = self.decoder.as_ref()?;
        let (codec, rate) = (decoder.codec(), i64::from(decoder.rate()));
        let each = missing / lost;
        let length = (each * rate / i64::from(codec.clock())) as usize;
        let mut heard = None;
        for i in 0..lost {
            let decoder = self.decoder.as_mut()?;
            let pcm = self.decoded.get_mut(..length)?;
            match i + 1 == lost {
                true => decoder.recover(next, pcm),
                false => decoder.conceal(pcm),
            }
            heard = merged(heard, self.put(at, from + i * each, codec, length));
        }
        heard
    }

    /// Puts decoded sound at its place.
    fn put(&mut self, at: i64, timestamp: i64, codec: Codec, length: usize) -> Option<(i64, i64)> {
        let decoded = self.decoded.get(..length)?;
        let is_narrow = self
            .decoder
            .as_ref()
            .is_some_and(|decoder| decoder.rate() < self.rate);
        let sound = if is_narrow {
            self.wide.resize(2 * length, 0);
            self.up.run(decoded, &mut self.wide);
            &self.wide[..]
        } else {
            decoded
        };
        let (rate, clock) = (self.rate, codec.clock());
        let placement = self
            .placement
            .get_or_insert_with(|| Placement::new(rate, clock, at, timestamp));
        let place = placement.place(at, timestamp, sound.len())?;
        if place.length == sound.len() {
            self.line.put(place.at, sound);
        } else {
            stretch(sound, place.length, &mut self.placed);
            self.line.put(place.at, &self.placed);
        }
        let margin = MARGIN * i64::from(rate) / 1_000;
        let heard = self.digits.as_mut()?.listen(sound, rate);
        heard.then(|| (place.at - margin, place.at + place.length as i64 + margin))
    }
}

impl Digits {
    /// True if a digit begins or goes on in this sound.
    fn listen(&mut self, sound: &[i16], rate: u32) -> bool {
        let narrow = if rate > RATE {
            self.narrow.resize(sound.len() / 2, 0);
            self.down.run(sound, &mut self.narrow);
            &self.narrow[..]
        } else {
            sound
        };
        let was_there = self.detector.present().is_some();
        let began = self.detector.listen(narrow).is_some();
        was_there || began || self.detector.present().is_some()
    }
}

/// One stretch that covers both.
fn merged(a: Option<(i64, i64)>, b: Option<(i64, i64)>) -> Option<(i64, i64)> {
    match (a, b) {
        (Some(a), Some(b)) => Some((a.0.min(b.0), a.1.max(b.1))),
        (a, b) => a.or(b),
    }
}
