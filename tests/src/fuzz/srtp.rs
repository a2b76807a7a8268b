//! SRTP and SRTCP with the right keys and without: an input is a suite and a row of steps of four octets, which send packets,
//! deliver them late, twice or damaged, and turn sequence numbers over.

use std::collections::BTreeSet;

use media_core::rtp::{HEADER, Header};
use media_core::srtp::{MasterKey, Profile, RTCP_OVERHEAD, RTP_OVERHEAD, Receiver, Sender};

use super::Target;

/// See the module.
pub const TARGET: Target = Target {
    name: "srtp",
    seeds,
    words: &[],
    run,
};

const SEND: u8 = 0;
const REPORT: u8 = 1;
const DELIVER: u8 = 2;
const DAMAGE: u8 = 3;
const CUT: u8 = 4;
const RAW: u8 = 5;

/// Packets behind the newest one that a receiver still tells apart (RFC 3711 §3.3.2 asks for 64).
const WINDOW: u64 = 64;
/// Largest such distance that it may tell apart.
const FURTHEST: u64 = 128;

fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for suite in 0..5 {
        // In order over two rollovers; then the last ones again, damaged, cut and late.
        let mut steps: Vec<[u8; 4]> = Vec::new();
        for round in 0..40 {
            steps.push([SEND, round % 3, 0x20, 60]);
            steps.push([DELIVER, 0, 0, 0]);
        }
        for back in 0..6 {
            steps.extend([
                [DELIVER, back, 0, 0],
                [SEND, 0, 0, 20],
                [DAMAGE, 0, 13 + back, 1 << back],
            ]);
            steps.extend([
                [DELIVER, 0, 0, 0],
                [REPORT, 1, 0, 8],
                [CUT, 0, 1 + back, 0],
                [DELIVER, 0, 0, 0],
            ]);
        }
        // Far ahead, and sources without number.
        for source in 0..40 {
            steps.extend([
                [SEND, source, 0x7f, 4],
                [DELIVER, 0, 0, 0],
                [REPORT, source, 0, 0],
                [DELIVER, 0, 0, 0],
            ]);
        }
        steps.push([RAW, 0x80, 40, 9]);
        seeds.push([&[suite][..], &steps.concat()].concat());
    }
    seeds
}

/// The suite of this number.
pub(super) const fn profile(number: u8) -> Profile {
    match number % 5 {
        0 => Profile::Aes128CmSha1_80,
        1 => Profile::Aes128CmSha1_32,
        2 => Profile::Aes256CmSha1_80,
        3 => Profile::AeadAes128Gcm,
        _ => Profile::AeadAes256Gcm,
    }
}

/// The key of this number.
pub(super) fn key(profile: Profile, number: u8) -> MasterKey {
    MasterKey::new(
        profile,
        &vec![number; profile.key_len()],
        &vec![number ^ 0x5a; profile.salt_len()],
    )
    .expect("lengths of the profile")
}

/// An RTP packet of 20 ms.
pub(super) fn rtp(ssrc: u32, sequence: u16, length: u8) -> Vec<u8> {
    let header = Header {
        marker: false,
        payload_type: 0,
        sequence,
        timestamp: u32::from(sequence) * 160,
        ssrc,
    };
    let mut packet = vec![sequence as u8; HEADER + usize::from(length)];
    header.write(packet.first_chunk_mut().expect("12 octets"));
    packet
}

/// A source as a receiver that makes no mistake knows it.
#[derive(Debug, Default)]
pub(super) struct Known {
    highest: Option<u64>,
    opened: BTreeSet<u64>,
}

/// Whether an authentic packet must be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expected {
    Opened,
    Refused,
    /// The standard leaves it open.
    Either,
}

impl Known {
    /// Fate of the packet with this index (RFC 3711 §3.3.1 and §3.3.2).
    pub(super) fn expects(&self, index: u64) -> Expected {
        if self.opened.contains(&index) {
            return Expected::Refused;
        }
        match self.highest {
            // Before its first packet a source has not turned over.
            None if index < 1 << 16 => Expected::Opened,
            None => Expected::Refused,
            Some(highest) if index + FURTHEST <= highest => Expected::Refused,
            Some(highest) if index + WINDOW <= highest => Expected::Either,
            Some(highest) if index < highest + (1 << 15) => Expected::Opened,
            // So far ahead that it could be behind, if a number could be behind before the first rollover.
            Some(highest) if highest < 1 << 15 && index < 1 << 16 => Expected::Either,
            Some(_) => Expected::Refused,
        }
    }

    /// Notes that it was opened.
    pub(super) fn open(&mut self, index: u64) {
        assert!(self.opened.insert(index), "{index} was opened twice");
        self.highest = self.highest.max(Some(index));
    }

    /// True once a packet of it was opened.
    pub(super) fn is_known(&self) -> bool {
        self.highest.is_some()
    }
}

/// A protected packet.
struct Sent {
    source: usize,
    index: u64,
    plain: Vec<u8>,
    wire: Vec<u8>,
    report: bool,
}

/// Sources that two senders with one key speak as: more than a receiver remembers.
const SOURCES: usize = 2 * Sender::MAX_STREAMS;

struct Bench {
    senders: [Sender; 2],
    receiver: Receiver,
    /// Index of the last packet of each source.
    last: [Option<u64>; SOURCES],
    reports: [u64; 2],
    sent: Vec<Sent>,
    /// By RTP or RTCP, and by source.
    known: [Vec<Known>; 2],
}

/// What is opened is what was protected, once; a packet that is not damaged, late or repeated is opened; and one that is refused
/// changes nothing.
pub fn run(input: &[u8]) {
    let Some((suite, steps)) = input.split_first() else {
        return;
    };
    let master = key(profile(*suite), 1);
    let known = || (0..SOURCES).map(|_| Known::default()).collect();
    let mut bench = Bench {
        senders: [Sender::new(&master), Sender::new(&master)],
        receiver: Receiver::new(&master),
        last: [None; SOURCES],
        reports: [0; 2],
        sent: Vec::new(),
        known: [known(), known()],
    };
    for step in steps.as_chunks::<4>().0.iter().take(400) {
        bench.step(*step);
    }
}

impl Bench {
    fn step(&mut self, [kind, a, b, c]: [u8; 4]) {
        match kind % 6 {
            SEND => self.send(usize::from(a) % SOURCES, b, c),
            REPORT => self.report(usize::from(a) % SOURCES, c),
            DELIVER => self.deliver(a),
            DAMAGE => {
                let Some(sent) = self.back(a) else { return };
                let (mut wire, report) = (sent.wire.clone(), sent.report);
                let at = usize::from(b) % wire.len();
                wire[at] ^= c.max(1);
                self.refuse(&mut wire, report);
            }
            CUT => {
                let Some(sent) = self.back(a) else { return };
                let (mut wire, report) = (sent.wire.clone(), sent.report);
                wire.truncate(wire.len().saturating_sub(1 + usize::from(b)));
                self.refuse(&mut wire, report);
            }
            _ => {
                let mut raw = vec![c; usize::from(b)];
                if let Some(first) = raw.first_mut() {
                    *first = a;
                }
                self.refuse(&mut raw, c & 1 == 1);
            }
        }
    }

    fn back(&self, back: u8) -> Option<&Sent> {
        self.sent.iter().rev().nth(usize::from(back))
    }

    fn send(&mut self, source: usize, step: u8, length: u8) {
        let ahead = 1 + (u64::from(step) << 7);
        let index = self.last[source].map_or(u64::from(step) << 8, |last| last + ahead);
        let plain = rtp(source as u32, index as u16, length);
        let mut wire = plain.clone();
        wire.resize(plain.len() + RTP_OVERHEAD, 0);
        let sender = &mut self.senders[source / Sender::MAX_STREAMS];
        let protected = sender.protect_rtp(&mut wire, plain.len());
        wire.truncate(protected.expect("a fresh index"));
        assert!(length < 8 || wire[..plain.len()] != plain[..], "in the clear");
        self.last[source] = Some(index);
        let mut again = plain.clone();
        again.resize(plain.len() + RTP_OVERHEAD, 0);
        assert_eq!(
            sender.protect_rtp(&mut again, plain.len()),
            None,
            "an index serves once"
        );
        self.keep(source, index, plain, wire, false);
    }

    fn report(&mut self, source: usize, words: u8) {
        // A second sender would use indices a second time.
        let source = source % Sender::MAX_STREAMS;
        let mut plain = vec![0x80, 201, 0, words.saturating_add(1)];
        plain.extend((source as u32).to_be_bytes());
        plain.resize(8 + 4 * usize::from(words), 7);
        let mut wire = plain.clone();
        wire.resize(plain.len() + RTCP_OVERHEAD, 0);
        let protected = self.senders[0].protect_rtcp(&mut wire, plain.len());
        wire.truncate(protected.expect("an index"));
        let index = self.reports[0];
        self.reports[0] += 1;
        self.keep(source, index, plain, wire, true);
    }

    fn keep(&mut self, source: usize, index: u64, plain: Vec<u8>, wire: Vec<u8>, report: bool) {
        self.sent.push(Sent {
            source,
            index,
            plain,
            wire,
            report,
        });
    }

    fn deliver(&mut self, back: u8) {
        let Some(sent) = self.sent.iter().rev().nth(usize::from(back)) else {
            return;
        };
        let known = &mut self.known[usize::from(sent.report)];
        let room = known.iter().filter(|known| known.is_known()).count() < Receiver::MAX_STREAMS;
        let expected = match known[sent.source].is_known() {
            // The index of SRTCP is in the packet.
            false if sent.report && room => Expected::Opened,
            false if !room => Expected::Refused,
            _ => known[sent.source].expects(sent.index),
        };
        let mut wire = sent.wire.clone();
        let opened = if sent.report {
            self.receiver.open_rtcp(&mut wire).map(|packet| &*packet)
        } else {
            self.receiver.open_rtp(&mut wire).map(|(packet, _)| &*packet)
        };
        match opened {
            Ok(plain) => {
                assert_ne!(expected, Expected::Refused, "{} of {}", sent.index, sent.source);
                assert_eq!(plain, sent.plain);
                known[sent.source].open(sent.index);
            }
            Err(reason) => assert_ne!(expected, Expected::Opened, "{reason:?}: {}", sent.index),
        }
    }

    fn refuse(&mut self, wire: &mut [u8], report: bool) {
        let refused = if report {
            self.receiver.open_rtcp(wire).err()
        } else {
            self.receiver.open_rtp(wire).err()
        };
        assert!(refused.is_some(), "nobody protected this");
    }
}
