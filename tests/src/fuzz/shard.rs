//! Commands, packets and messages of other shards to a media shard of phone legs: an input is a row of steps of four octets each,
//! what to do and with what. All inputs go to one shard, from which every leg is closed after each.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use media_core::Clock;
use media_core::control::{
    Application, BridgeId, Command, Event, InjectionId, LegId, LegKind, MediaSource, Member, Phrase, Role,
    SocketId, SoundRate, StreamIndex,
};
use media_core::dtls::Identity;
use media_core::lane::{Counts, Message, Notice};
use media_core::negotiated::{
    Codec, Direction, Foreign, Labels, Mid, Negotiated, OpusParameters, StreamAgreed, TelephoneEvent,
    Transport,
};
use media_core::rtcp::{Outgoing, ReportBlock, SenderInfo, write_bye, write_report};
use media_core::rtp::{HEADER, Header};
use media_core::shard::{Input, Output, Shard, ShardConfig};
use media_core::stats::{ntp, ntp_middle};
use sans_io::{Rng, Time};

use super::Target;

/// See the module.
pub const TARGET: Target = Target {
    name: "shard",
    seeds,
    words: &[],
    run,
};

const LEGS: u8 = 8;
/// Steps of one input at most.
const MOST_STEPS: usize = 240;
const OPEN: u8 = 0;
const CONNECT: u8 = 1;
const BRIDGE: u8 = 2;
const UNBRIDGE: u8 = 3;
const PLAY: u8 = 4;
const DIGIT: u8 = 5;
const CLOSE: u8 = 6;
const WAIT: u8 = 7;
const OBSERVE: u8 = 8;
const INJECT: u8 = 9;
const SOUND: u8 = 10;
const MESSAGE: u8 = 11;
const RTCP: u8 = 12;
const FAX: u8 = 13;
/// And all above: packets.
const PACKET: u8 = 16;

fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for codecs in [[0, 0, 0], [0, 1, 2], [0, 0, 1], [1, 2, 2]] {
        let begin = || -> Vec<[u8; 4]> {
            let legs = (0..3).zip(codecs);
            legs.flat_map(|(leg, codec)| [[OPEN, leg, 0, 0], [CONNECT, leg, codec, 20]])
                .collect()
        };
        let mut steps = begin();
        let talk = |steps: &mut Vec<[u8; 4]>| {
            for _ in 0..4 {
                steps.extend((0..3).map(|leg| [PACKET, leg, 60, 0]));
                steps.push([WAIT, 20, 0, 0]);
            }
        };
        // Two, three as parties, with a listener, with a coach, on hold, two again.
        for members in [[0b11, 0], [0b111, 0], [0b111, 0x10], [0b111, 0x20], [0b11, 0]] {
            steps.push([BRIDGE, 1, members[0], members[1]]);
            talk(&mut steps);
            steps.extend([[CONNECT, 1, codecs[1] | 0x40, 20], [PLAY, 1, 2, 0]]);
            talk(&mut steps);
            steps.extend([
                [CONNECT, 1, codecs[1], 30],
                [PLAY, 1, 0, 0],
                [DIGIT, 0, b'5', 100],
            ]);
            steps.extend([[PACKET + 1, 2, 4, 5], [PACKET + 2, 0, 90, 200], [WAIT, 250, 0, 0]]);
        }
        seeds.push(steps.concat());
        let mut steps = begin();
        steps.push([BRIDGE, 1, 0b11, 0]);
        talk(&mut steps);
        // Reports of the peers: of senders and receivers, with loss and with BYE, damaged.
        for kind in [0, 1, 4, 8, 0x10, 0x21, 0xe2] {
            for leg in 0..3 {
                steps.extend([[RTCP, leg, kind, 40], [PACKET, leg, 60, 0], [WAIT, 20, 0, 0]]);
            }
        }
        // Tapped, watched and injected into, as two, as three, and alone.
        steps.extend([[OBSERVE, 0, 3, 0], [INJECT, 1, 2, 1], [SOUND, 1, 200, 1]]);
        talk(&mut steps);
        steps.push([BRIDGE, 1, 0b111, 0]);
        steps.extend([[INJECT, 0, 1, 0], [SOUND, 0, 90, 0]]);
        talk(&mut steps);
        steps.extend([[UNBRIDGE, 1, 0, 0], [SOUND, 1, 255, 1]]);
        talk(&mut steps);
        steps.extend([[INJECT, 1, 0, 1], [OBSERVE, 0, 0, 0]]);
        talk(&mut steps);
        steps.extend([[CLOSE, 2, 0, 0], [UNBRIDGE, 1, 0, 0]]);
        seeds.push(steps.concat());
    }
    seeds.push(across());
    seeds.push(faxes());
    seeds.push(two_streams());
    assert!(seeds.iter().all(|seed| seed.len() <= 4 * MOST_STEPS));
    seeds
}

/// A leg of this shard and a stand-in for one of another talk here; then a leg of this one takes part in a bridge there.
fn across() -> Vec<u8> {
    let mut steps: Vec<[u8; 4]> = vec![[OPEN, 0, 0, 0], [CONNECT, 0, 1, 20]];
    let there = 0x40;
    for codec in [0, 1] {
        steps.extend([[BRIDGE, there | 1, 0b11, 0], [MESSAGE, there | 1, TIED, codec]]);
        for _ in 0..5 {
            steps.extend([
                [PACKET, 0, 160, 0],
                [MESSAGE, there | 1, SAID, 60],
                [WAIT, 20, 0, 0],
            ]);
        }
        steps.extend([[MESSAGE, there | 1, LOSS, 7], [MESSAGE, there | 1, UNTIED, 0]]);
    }
    steps.extend([[BRIDGE, 0x20, 0b11, 0], [MESSAGE, there, BRIDGED, 1]]);
    for _ in 0..5 {
        steps.extend([
            [MESSAGE, there, SAID, 160],
            [MESSAGE, there, COUNTS, 0],
            [WAIT, 20, 0, 0],
        ]);
    }
    steps.extend([
        [INJECT, 0, 2, 1],
        [SOUND, 0, 200, 1],
        [MESSAGE, there, SAID, 160],
        [WAIT, 40, 0, 0],
    ]);
    steps.extend([
        [MESSAGE, there, BRIDGED, 0],
        [WAIT, 40, 0, 0],
        [UNBRIDGE, 2, 0, 0],
    ]);
    steps.concat()
}

/// Two legs change over to a fax and back, one after the other.
fn faxes() -> Vec<u8> {
    let mut steps: Vec<[u8; 4]> = Vec::new();
    for leg in 0..2 {
        steps.extend([[OPEN, leg, 0, 0], [CONNECT, leg, leg, 20], [PACKET, leg, 160, 0]]);
    }
    steps.push([BRIDGE, 1, 0b11, 0]);
    for leg in [0, 1, 0] {
        steps.extend([[FAX, leg, 1, 0], [FAX, leg, 0, 40], [PACKET, 1 - leg, 160, 0]]);
        steps.extend([[FAX, 1 - leg, 0, 200], [OBSERVE, leg, 3, 0], [WAIT, 20, 0, 0]]);
    }
    steps.extend([[CONNECT, 0, 1, 20], [PACKET, 0, 160, 0], [FAX, 1, 0, 3]]);
    steps.concat()
}

/// Legs with two streams each, told apart by payload types and by MIDs; then the second streams end.
fn two_streams() -> Vec<u8> {
    let mut steps: Vec<[u8; 4]> = Vec::new();
    for leg in 0..3 {
        steps.extend([[OPEN, leg, 0, 0], [CONNECT, leg, 1, 21], [OBSERVE, leg, 3, leg]]);
    }
    for (members, milliseconds) in [(0b11, 21), (0b111, 21), (0b11, 20), (0b111, 30)] {
        steps.push([BRIDGE, 1, members, 0]);
        for round in 0..5 {
            for leg in 0..3 {
                steps.extend([
                    [PACKET, leg, 160, 0],
                    [PACKET + 4 + (round & 1), leg, 60, 0],
                    [PACKET + 8 + 5, leg, 160, 1],
                ]);
            }
            steps.push([WAIT, 20, 0, 0]);
        }
        steps.extend([[CONNECT, 0, 1, milliseconds], [CONNECT, 2, 2, milliseconds]]);
    }
    steps.concat()
}

/// Kinds of messages.
const SAID: u8 = 0;
const TIED: u8 = 1;
const UNTIED: u8 = 2;
const BRIDGED: u8 = 3;
const COUNTS: u8 = 4;
const LOSS: u8 = 5;

thread_local! {
    static BENCH: RefCell<Bench> = RefCell::new(Bench::new());
}

/// A shard, and what its peers' numbers are.
struct Bench {
    shard: Shard,
    now: Time,
    /// Legs are never named again: the first of this input.
    first: u64,
    sequence: [u16; LEGS as usize],
    timestamp: [u32; LEGS as usize],
    codec: [Codec; LEGS as usize],
    /// SSRCs of the streams of each leg.
    ssrcs: [BTreeSet<u32>; LEGS as usize],
    /// A leg has one, and one more each time that it may have got a second stream.
    most_sources: [usize; LEGS as usize],
    /// True if a leg had a fax: whatever its peer sends is relayed as it is.
    has_faxes: bool,
}

/// Nothing panics, nothing is due for ever, the packets of a stream have one SSRC, and a leg that was opened can
/// be closed.
pub fn run(input: &[u8]) {
    BENCH.with_borrow_mut(|bench| bench.take(input));
}

impl Bench {
    fn new() -> Bench {
        let now = Time::from_secs(1_800_000_000);
        let config = ShardConfig {
            browser_sockets: Vec::new(),
            shard: 0,
            dtls: Arc::new(Identity::seeded(1).expect("randomness for a certificate")),
            clock: Clock::new(now, Instant::now()),
            prompts: Arc::new(crate::prompts::tones()),
            silence: Some(std::time::Duration::from_secs(10)),
            max_legs: usize::from(LEGS),
        };
        Bench {
            shard: Shard::new(config, Rng::seeded(1)),
            now,
            first: 1,
            sequence: [0; LEGS as usize],
            timestamp: [0; LEGS as usize],
            codec: [Codec::Pcmu; LEGS as usize],
            ssrcs: Default::default(),
            most_sources: [1; LEGS as usize],
            has_faxes: false,
        }
    }

    fn take(&mut self, input: &[u8]) {
        // So many steps are a call; more is only more of the same. No seed has more.
        for step in input.as_chunks::<4>().0.iter().take(MOST_STEPS) {
            self.step(*step);
        }
        for leg in 0..LEGS {
            let leg = self.leg(leg);
            self.command(Command::Close { leg });
        }
        assert_eq!(self.shard.legs(), 0);
        self.wait(Duration::from_millis(50));
        self.first += u64::from(LEGS);
        self.ssrcs = Default::default();
        self.most_sources = [1; LEGS as usize];
        self.has_faxes = false;
    }

    fn step(&mut self, [kind, a, b, c]: [u8; 4]) {
        let index = a % LEGS;
        let leg = self.leg(index);
        match kind {
            OPEN => {
                let local = Ipv4Addr::LOCALHOST.into();
                let kind = LegKind::Phone {
                    local,
                    source: MediaSource::Learn,
                };
                self.command(Command::Open { leg, kind });
                let bound = |offset: u8| (socket(index, offset), SocketAddr::new(local, 20_000));
                let (rtp, rtcp) = (bound(0), bound(1));
                self.input(Input::Bound { leg, rtp, rtcp });
            }
            CONNECT => {
                let media = Box::new(Negotiated {
                    streams: self.streams(index, b, c).into_iter().collect(),
                    transport: Transport::Rtp {
                        remote: Some(address(index)),
                        remote_rtcp: None,
                        rtcp_mux: true,
                    },
                });
                self.command(Command::Connect { leg, media });
            }
            BRIDGE => {
                let role = |member: u8| match (c >> (2 * (member % 4))) & 3 {
                    1 => Role::Listener,
                    2 => Role::Coach(self.leg((member + 1) % LEGS)),
                    _ => Role::Party,
                };
                let members = (0..LEGS).filter(|member| b >> member & 1 == 1);
                // Some legs are said to be on another shard, and some bridges to have their home there.
                let members = members.map(|member| Member {
                    leg: self.leg(member),
                    role: role(member),
                    shard: a >> 6,
                });
                self.command(Command::Bridge {
                    bridge: BridgeId(u64::from(a % 3)),
                    home: a >> 5 & 1,
                    members: members.collect(),
                });
            }
            UNBRIDGE => self.command(Command::Unbridge {
                bridge: BridgeId(u64::from(a % 3)),
            }),
            PLAY => {
                let application = match b % 4 {
                    0 => None,
                    1 => Some(Application::Echo),
                    2 => Some(Application::Music),
                    _ => Some(Application::Busy),
                };
                self.command(Command::Play { leg, application });
                if c > 0 {
                    let phrase = Phrase {
                        position: Some(u32::from(c)),
                        wait: (c & 1 == 1).then(|| Duration::from_secs(u64::from(c) * 40)),
                    };
                    self.command(Command::Announce { leg, phrase });
                }
            }
            DIGIT => self.command(Command::SendDtmf {
                leg,
                digit: b,
                duration_ms: u16::from(c) * 4,
            }),
            CLOSE => {
                self.command(Command::Close { leg });
                self.ssrcs[usize::from(index)].clear();
                self.most_sources[usize::from(index)] = 1;
            }
            OBSERVE => {
                let stream = StreamIndex(c % 3);
                self.command(Command::Tap {
                    leg,
                    stream,
                    on: b & 1 == 1,
                });
                self.command(Command::WatchSpeech { leg, on: b & 2 == 2 });
            }
            INJECT => {
                let injection = InjectionId(u64::from(c));
                let rates = [SoundRate::Hz8000, SoundRate::Hz16000, SoundRate::Hz48000];
                self.command(match b.checked_sub(1) {
                    None => Command::EndInjection { leg, injection },
                    Some(rate) => Command::Inject {
                        leg,
                        injection,
                        rate: rates[usize::from(rate) % 3],
                        over: b < 100,
                    },
                });
            }
            SOUND => {
                let pcm = vec![i16::from(b) * 128; 8 * usize::from(b)];
                let taken = self.shard.handle_sound(leg, InjectionId(u64::from(c)), &pcm);
                assert!(taken.is_none_or(|taken| taken <= pcm.len()));
            }
            MESSAGE => self.message(a, b, c),
            RTCP => {
                self.rtcp(index, b, c);
                self.command(Command::Report { leg });
            }
            FAX if b & 1 == 1 => {
                self.has_faxes = true;
                let media = Box::new(Negotiated {
                    streams: Vec::new().into_iter().collect(),
                    transport: Transport::Udptl {
                        remote: (c & 1 == 0).then(|| address(index)),
                    },
                });
                self.command(Command::Connect { leg, media });
            }
            FAX => {
                // The sequence number is one that no RTP packet begins with.
                let mut data = vec![b >> 1; usize::from(c) * 8];
                let from = address(index);
                self.shard
                    .handle_datagram(self.now, socket(index, b >> 7), from, &mut data);
                self.drain();
            }
            WAIT => self.wait(Duration::from_millis(u64::from(a) + 10 * u64::from(b))),
            _ => self.packet(kind, index, b, c),
        }
    }

    /// A compound packet of a leg's peer about one of our sources, or about another; damaged if `kind` says so.
    fn rtcp(&mut self, index: u8, kind: u8, c: u8) {
        let ours = self.ssrcs[usize::from(index)].iter();
        let ours = if kind & 1 == 0 { ours.min() } else { ours.max() };
        let block = ReportBlock {
            ssrc: ours.copied().unwrap_or(u32::from(c)),
            fraction_lost: c,
            jitter: u32::from(c) << (kind & 15),
            last_sr: ntp_middle(self.now).wrapping_sub(u32::from(c) << 8),
            delay_since_last_sr: u32::from(kind) << 4,
            ..ReportBlock::default()
        };
        let report = Outgoing {
            ssrc: 7 + u32::from(kind >> 1 & 1),
            sender: (kind & 4 == 0).then(|| SenderInfo {
                ntp: ntp(self.now),
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
        let socket = socket(index, kind & 1);
        self.shard
            .handle_datagram(self.now, socket, address(index), &mut data);
        self.drain();
    }

    /// A message of the shard that the first two bits of `a` name.
    fn message(&mut self, a: u8, kind: u8, c: u8) {
        let (from, index) = (a >> 6, a % LEGS);
        let leg = self.leg(index);
        let notice = match kind % 6 {
            SAID => {
                let data = self.rtp(kind >> 4, index, c, kind);
                let stream = StreamIndex(kind >> 6);
                let data = &data;
                let message = Message::Packet { leg, stream, data };
                self.shard.handle_message(self.now, from, message);
                self.drain();
                return;
            }
            TIED => Notice::Tied {
                leg,
                bridge: BridgeId(u64::from(a % 3)),
                streams: match c & 0x80 {
                    0 => self.streams(index, c, c),
                    _ => Vec::new(),
                },
                buffers: kind & 0x80 != 0,
                application: kind & 0x40 != 0,
            },
            UNTIED => Notice::Untied { leg },
            BRIDGED => Notice::Bridged {
                leg,
                stream: StreamIndex(kind >> 6),
                bridged: c & 1 == 1,
            },
            COUNTS => Notice::Counts {
                leg,
                stream: StreamIndex(kind >> 6),
                counts: Counts::default(),
            },
            _ => Notice::Loss {
                leg,
                stream: StreamIndex(kind >> 6),
                percent: c,
            },
        };
        self.shard.handle_message(self.now, from, Message::Notice(notice));
        self.drain();
    }

    fn leg(&self, index: u8) -> LegId {
        LegId(self.first + u64::from(index))
    }

    /// One stream, or with an odd number of milliseconds two, of which the second has other payload types and a MID.
    fn streams(&mut self, index: u8, kind: u8, ptime: u8) -> Vec<StreamAgreed> {
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
        self.most_sources[usize::from(index)] += 1;
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

    fn packet(&mut self, kind: u8, index: u8, length: u8, first: u8) {
        let mut packet = self.rtp(kind, index, length, first);
        self.shard
            .handle_datagram(self.now, socket(index, 0), address(index), &mut packet);
        self.drain();
    }

    /// `length` octets that begin with `first`, of the codec, of an event or of another codec.
    fn rtp(&mut self, kind: u8, index: u8, length: u8, first: u8) -> Vec<u8> {
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

    fn command(&mut self, command: Command) {
        self.input(Input::Command(command));
    }

    fn input(&mut self, input: Input) {
        self.shard.handle_input(self.now, input);
        self.drain();
    }

    /// Lets time pass from deadline to deadline.
    fn wait(&mut self, length: Duration) {
        let until = self.now + length;
        let mut looks = 0;
        while let Some((at, reason)) = self.drain().filter(|(at, _)| *at <= until) {
            self.now = self.now.max(at);
            self.shard.handle_input(self.now, Input::Timeout);
            looks += 1;
            assert!(looks < 20_000, "{reason} is due for ever");
        }
        self.now = until;
    }

    fn drain(&mut self) -> Option<(Time, &'static str)> {
        let mut sent = 0;
        loop {
            match self.shard.poll_output() {
                Output::Timeout(deadline) => return deadline,
                Output::Transmit { socket, data, .. } => {
                    sent += 1;
                    assert!(
                        data.len() <= 1_500 && sent < 2_000,
                        "{sent} of {} octets",
                        data.len()
                    );
                    let (leg, rtcp) = (
                        socket.0 as usize / 2,
                        data.len() > 1 && (192..=223).contains(&data[1]),
                    );
                    if let (false, Some(ssrc)) = (rtcp || self.has_faxes, data.get(8..12)) {
                        let ssrc = u32::from_be_bytes([ssrc[0], ssrc[1], ssrc[2], ssrc[3]]);
                        self.ssrcs[leg].insert(ssrc);
                        assert!(
                            self.ssrcs[leg].len() <= self.most_sources[leg],
                            "the SSRC of a stream changed"
                        );
                    }
                }
                Output::Event(Event::Report { report, .. }) => {
                    assert!(
                        report.mos == 0.0 || (1.0..=4.5).contains(&report.mos),
                        "{report:?}"
                    );
                    assert!(report.round_trip_us <= 30_000_000, "{report:?}");
                    assert!(report.buffer_us <= 2_000_000, "{report:?}");
                }
                _ => {}
            }
        }
    }
}

fn socket(leg: u8, offset: u8) -> SocketId {
    SocketId(u32::from(leg) * 2 + u32::from(offset))
}

fn address(leg: u8) -> SocketAddr {
    SocketAddr::new(Ipv4Addr::new(192, 0, 2, leg + 1).into(), 4_000)
}

/// A format that is passed on undecoded.
fn foreign() -> Codec {
    Codec::Foreign(Foreign::fixed(18, None).expect("G.729"))
}
