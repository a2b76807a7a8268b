//! The shard under test, what is done to it, and what must hold of what it sends.

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
use media_core::negotiated::{Negotiated, StreamAgreed, Transport};
use media_core::shard::{Input, Output, Shard, ShardConfig};
use sans_io::{Rng, Time};

use super::packets::{Peers, report};
use super::steps::*;

/// A shard, and the peers of its legs.
pub(super) struct Bench {
    shard: Shard,
    now: Time,
    /// Legs are never named again: the first of this input.
    first: u64,
    peers: Peers,
    /// SSRCs of the streams of each leg.
    ssrcs: [BTreeSet<u32>; LEGS as usize],
    /// A leg has one, and one more each time that it may have got a second stream.
    most_sources: [usize; LEGS as usize],
    /// True if a leg had a fax: whatever its peer sends is relayed as it is.
    has_faxes: bool,
}

impl Bench {
    pub(super) fn new() -> Bench {
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
            peers: Peers::new(),
            ssrcs: Default::default(),
            most_sources: [1; LEGS as usize],
            has_faxes: false,
        }
    }

    pub(super) fn take(&mut self, input: &[u8]) {
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
        let mut data = report(self.now, ours.copied(), kind, c);
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
                let data = self.peers.rtp(kind >> 4, index, c, kind);
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

    /// One stream or two, as agreed with the leg's peer.
    fn streams(&mut self, index: u8, kind: u8, ptime: u8) -> Vec<StreamAgreed> {
        let streams = self.peers.streams(index, kind, ptime);
        self.most_sources[usize::from(index)] += streams.len() - 1;
        streams
    }

    fn packet(&mut self, kind: u8, index: u8, length: u8, first: u8) {
        let mut packet = self.peers.rtp(kind, index, length, first);
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
