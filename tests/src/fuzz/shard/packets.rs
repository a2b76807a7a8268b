//! The peers of the legs: agreements with them, and the packets that they send.

use media_core::negotiated::{
    Codec, Direction, Foreign, Labels, Mid, OpusParameters, StreamAgreed, TelephoneEvent,
};
use media_core::rtcp::{Outgoing, ReportBlock, SenderInfo, write_bye, write_report};
use media_core::rtp::{HEADER, Header};
use media_core::stats::{ntp, ntp_middle};
use sans_io::Time;

use super::steps::LEGS;

/// Numbers of the peers' packets.
pub(super) struct Peers {
    sequence: [u16; LEGS as usize],
    timestamp: [u32; LEGS as usize],
    codec: [Codec; LEGS as usize],
}

impl Peers {
    pub(super) fn new() -> Peers {
        Peers {
            sequence: [0; LEGS as usize],
            timestamp: [0; LEGS as usize],
            codec: [Codec::Pcmu; LEGS as usize],
        }
    }

    /// One stream, or with an odd number of milliseconds two, of which the second has other payload types and a MID.
    pub(super) fn streams(&mut self, index: u8, kind: u8, ptime: u8) -> Vec<StreamAgreed> {
        let mut first = self.stream(index, kind, ptime);
        if ptime & 1 == 0 {
            return vec![first];
        }
        let mut second = first.clone();
        second.receive = vec![(96, Codec::Opus), (97, Codec::Pcma)];
        second.telephone_event = None;
        second.send = second.receive[usize::from(kind & 1)];
        for (number, stream) in [&mut first, &mut second].into_iter().enumerate() {
            stream.labels.mid = Some(Mid {
                extension: 1,
                value: number.to_string(),
            });
        }
        vec![first, second]
    }

    fn stream(&mut self, index: u8, kind: u8, ptime: u8) -> StreamAgreed {
        let codecs = [
            (111, Codec::Opus),
            (0, Codec::Pcmu),
            (8, Codec::Pcma),
            (9, Codec::G722),
            (18, foreign()),
        ];
        let send = codecs[usize::from(kind & 0x0f) % codecs.len()];
        self.codec[usize::from(index)] = send.1;
        let directions = [
            Direction::SendRecv,
            Direction::SendOnly,
            Direction::RecvOnly,
            Direction::Inactive,
        ];
        StreamAgreed {
            direction: directions[usize::from(kind >> 6)],
            send,
            receive: codecs.to_vec(),
            telephone_event: (kind & 0x20 == 0).then_some(TelephoneEvent {
                send: 101,
                receive: 101,
                clock: send.1.clock(),
            }),
            ptime_ms: ptime,
            opus: OpusParameters {
                dtx: kind & 0x10 != 0,
                ..OpusParameters::default()
            },
            labels: Labels::default(),
        }
    }

    /// `length` octets that begin with `first`, of the codec, of an event or of another codec.
    pub(super) fn rtp(&mut self, kind: u8, index: u8, length: u8, first: u8) -> Vec<u8> {
        let at = usize::from(index);
        let codec = self.codec[at];
        let own = match codec {
            Codec::Opus => 111,
            Codec::Pcmu => 0,
            Codec::Pcma => 8,
            Codec::G722 => 9,
            Codec::Foreign(_) => 18,
        };
        if kind & 0xf0 == 0xf0 {
            self.sequence[at] = self.sequence[at].wrapping_add(u16::from(first) << 7);
            self.timestamp[at] = self.timestamp[at].wrapping_add(u32::from(length) << 23);
        }
        let header = Header {
            marker: false,
            payload_type: [own, 101, 111, 0, 96, 97, own, own][usize::from(kind & 7)],
            sequence: self.sequence[at],
            timestamp: self.timestamp[at],
            ssrc: if kind & 4 == 0 { 7 } else { 8 },
        };
        let mut packet = vec![first; HEADER + usize::from(length)];
        if let Some(head) = packet.first_chunk_mut() {
            header.write(head);
        }
        if kind & 8 != 0 {
            // A MID of one digit, or whatever the octet is.
            packet[0] |= 0x10;
            packet.splice(HEADER..HEADER, [0xbe, 0xde, 0, 1, 0x10, b'0' + first % 3, 0, 0]);
        }
        self.sequence[at] = self.sequence[at].wrapping_add(1);
        self.timestamp[at] = self.timestamp[at].wrapping_add(codec.clock() / 50);
        packet
    }
}

/// A compound packet about one of our sources, `ours`, or about another; damaged if `kind` says so.
pub(super) fn report(now: Time, ours: Option<u32>, kind: u8, c: u8) -> Vec<u8> {
    let block = ReportBlock {
        ssrc: ours.unwrap_or(u32::from(c)),
        fraction_lost: c,
        jitter: u32::from(c) << (kind & 15),
        last_sr: ntp_middle(now).wrapping_sub(u32::from(c) << 8),
        delay_since_last_sr: u32::from(kind) << 4,
        ..ReportBlock::default()
    };
    let report = Outgoing {
        ssrc: 7 + u32::from(kind >> 1 & 1),
        sender: (kind & 4 == 0).then(|| SenderInfo {
            ntp: ntp(now),
            ..SenderInfo::default()
        }),
        block: (kind & 8 == 0).then_some(block),
        cname: "peer",
    };
    let mut data = Vec::new();
    write_report(&mut data, &report);
    if kind & 0x10 != 0 {
        write_bye(&mut data, report.ssrc);
    }
    if kind & 0x20 != 0 {
        let at = usize::from(c) % data.len();
        data[at] ^= 1 << (kind >> 6);
    }
    data
}

/// A format that is passed on undecoded.
fn foreign() -> Codec {
    Codec::Foreign(Foreign::fixed(18, None).expect("G.729"))
}
