//! Commands and packets to a media shard of phone legs: an input is a row of steps of four octets each, what to do and with
//! what. All inputs go to one shard, from which every leg is closed after each.

use std::cell::RefCell;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use media_core::Clock;
use media_core::control::{
    Application, BridgeId, Command, LegId, LegKind, MediaSource, Member, Phrase, Role, SocketId,
};
use media_core::dtls::Identity;
use media_core::negotiated::{Codec, Direction, Negotiated, OpusParameters, TelephoneEvent, Transport};
use media_core::rtp::{HEADER, Header};
use media_core::shard::{Input, Output, Shard, ShardConfig};
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
const OPEN: u8 = 0;
const CONNECT: u8 = 1;
const BRIDGE: u8 = 2;
const UNBRIDGE: u8 = 3;
const PLAY: u8 = 4;
const DIGIT: u8 = 5;
const CLOSE: u8 = 6;
const WAIT: u8 = 7;
/// And all above: packets.
const PACKET: u8 = 8;

fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for codecs in [[0, 0, 0], [0, 1, 2], [0, 0, 1], [1, 2, 2]] {
        let mut steps: Vec<[u8; 4]> = Vec::new();
        for (leg, codec) in (0..3).zip(codecs) {
            steps.extend([[OPEN, leg, 0, 0], [CONNECT, leg, codec, 20]]);
        }
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
        steps.extend([[CLOSE, 2, 0, 0], [UNBRIDGE, 1, 0, 0]]);
        seeds.push(steps.concat());
    }
    seeds
}

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
    ssrc: [Option<u32>; LEGS as usize],
}

/// Nothing panics, nothing is due for ever, the packets of a leg have one SSRC, and a leg that was opened can
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
            ssrc: [None; LEGS as usize],
        }
    }

    fn take(&mut self, input: &[u8]) {
        // So many steps are a call; more is only more of the same.
        for step in input.as_chunks::<4>().0.iter().take(200) {
            self.step(*step);
        }
        for leg in 0..LEGS {
            let leg = self.leg(leg);
            self.command(Command::Close { leg });
        }
        assert_eq!(self.shard.legs(), 0);
        self.wait(Duration::from_millis(50));
        self.first += u64::from(LEGS);
        self.ssrc = [None; LEGS as usize];
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
                let media = Box::new(self.described(index, b, c));
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
                self.ssrc[usize::from(index)] = None;
            }
            WAIT => self.wait(Duration::from_millis(u64::from(a) + 10 * u64::from(b))),
            _ => self.packet(kind, index, b, c),
        }
    }

    fn leg(&self, index: u8) -> LegId {
        LegId(self.first + u64::from(index))
    }

    fn described(&mut self, index: u8, kind: u8, ptime: u8) -> Negotiated {
        let codecs = [(111, Codec::Opus), (0, Codec::Pcmu), (8, Codec::Pcma)];
        let send = codecs[usize::from(kind & 0x0f) % 3];
        self.codec[usize::from(index)] = send.1;
        let directions = [
            Direction::SendRecv,
            Direction::SendOnly,
            Direction::RecvOnly,
            Direction::Inactive,
        ];
        Negotiated {
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
            transport: Transport::Rtp {
                remote: Some(address(index)),
                remote_rtcp: None,
                rtcp_mux: true,
            },
        }
    }

    /// `length` octets that begin with `first`, of the codec, of an event or of another codec.
    fn packet(&mut self, kind: u8, index: u8, length: u8, first: u8) {
        let at = usize::from(index);
        let codec = self.codec[at];
        let own = match codec {
            Codec::Opus => 111,
            Codec::Pcmu => 0,
            Codec::Pcma => 8,
        };
        if kind & 0xf0 == 0xf0 {
            self.sequence[at] = self.sequence[at].wrapping_add(u16::from(first) << 7);
            self.timestamp[at] = self.timestamp[at].wrapping_add(u32::from(length) << 23);
        }
        let header = Header {
            marker: false,
            payload_type: [own, 101, 111, 0][usize::from(kind & 3)],
            sequence: self.sequence[at],
            timestamp: self.timestamp[at],
            ssrc: 7,
        };
        let mut packet = vec![first; HEADER + usize::from(length)];
        if let Some(head) = packet.first_chunk_mut() {
            header.write(head);
        }
        self.sequence[at] = self.sequence[at].wrapping_add(1);
        self.timestamp[at] = self.timestamp[at].wrapping_add(codec.clock() / 50);
        self.shard
            .handle_datagram(self.now, socket(index, 0), address(index), &mut packet);
        self.drain();
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
                    if let (false, Some(ssrc)) = (rtcp, data.get(8..12)) {
                        let ssrc = u32::from_be_bytes([ssrc[0], ssrc[1], ssrc[2], ssrc[3]]);
                        assert_eq!(
                            *self.ssrc[leg].get_or_insert(ssrc),
                            ssrc,
                            "the SSRC of a leg changed"
                        );
                    }
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
