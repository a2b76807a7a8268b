//! Sources of plain RTP that a phone's leg accepts or not: an input is a row of steps of four octets, packets of an honest
//! phone, of its NAT and of strangers, and offers and answers between them.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use media_core::control::{MediaSource, SocketId};
use media_core::rtp::Header;
use media_core::transport::Rtp;
use sans_io::Time;

use super::Target;

/// See the module.
pub const TARGET: Target = Target {
    name: "latching",
    seeds,
    words: &[],
    run,
};

const PACKET: u8 = 0;
const REPORT: u8 = 1;
const CONNECT: u8 = 2;
const VOUCH: u8 = 3;
const WAIT: u8 = 4;

/// Time after an offer or answer in which a host may be learnt that signalling does not name.
const WINDOW: Duration = Duration::from_secs(5);
/// Shortest probation.
const LASTS: Duration = Duration::from_millis(40);

fn seeds() -> Vec<Vec<u8>> {
    let packets = |steps: &mut Vec<[u8; 4]>, stream: u8, count: usize| {
        for _ in 0..count {
            steps.extend([[PACKET, stream, 1, 0], [WAIT, 20, 0, 0]]);
        }
    };
    let mut seeds = Vec::new();
    for policy in [0, 1] {
        for host in [0, 2, 0xff] {
            let mut steps: Vec<[u8; 4]> = vec![[VOUCH, host, 1, 0]];
            packets(&mut steps, 1, 2);
            steps.push([CONNECT, 0x01, 0, 0]);
            packets(&mut steps, 1, 5);
            packets(&mut steps, 0x43, 6);
            // A NAT gives another port, first in the midst of the stream, then after silence.
            packets(&mut steps, 0x12, 6);
            steps.push([WAIT, 0, 3, 0]);
            packets(&mut steps, 0x26, 6);
            steps.extend([[REPORT, 1, 0, 0], [REPORT, 0x43, 1, 0], [CONNECT, 0xff, 1, 0]]);
            packets(&mut steps, 2, 3);
            steps.extend([
                [CONNECT, 0x02, 1, 0],
                [PACKET, 1, 1, 0],
                [PACKET, 2, 1, 0],
                [CONNECT, 0x01, 0, 0],
            ]);
            packets(&mut steps, 1, 6);
            steps.push([WAIT, 0, 60, 0]);
            packets(&mut steps, 0x43, 6);
            seeds.push([&[policy][..], &steps.concat()].concat());
        }
    }
    seeds
}

/// One of 16 addresses: four hosts, private and public ones, with four ports each.
fn address(number: u8) -> SocketAddr {
    let host: [[u8; 4]; 4] = [[10, 0, 0, 7], [192, 0, 2, 1], [192, 0, 2, 2], [203, 0, 113, 66]];
    let ip = Ipv4Addr::from(host[usize::from(number & 3)]);
    SocketAddr::new(ip.into(), 4_000 + 2 * u16::from(number >> 2 & 3))
}

/// A packet that was sent: when, from where, and whether it was admitted.
#[derive(Clone, Copy, Debug)]
struct Seen {
    at: Time,
    from: SocketAddr,
}

struct Bench {
    rtp: Rtp,
    policy: MediaSource,
    now: Time,
    streams: [(u16, u32); 8],
    /// Address in SDP; `None` before the first, and for hold.
    signalled: Option<SocketAddr>,
    host: Option<IpAddr>,
    connected: Option<Time>,
    /// Packets since the last change of the address in SDP or the last source that was learnt.
    seen: Vec<Seen>,
    /// Source that was admitted last.
    source: Option<SocketAddr>,
}

/// Nobody is heard before signalling, a strict leg hears the address in SDP alone, a host that signalling does not name is learnt
/// in the window only, a source that SDP does not name passes a probation, and packets go to SDP's address or to a source
/// that was admitted.
pub fn run(input: &[u8]) {
    let Some((policy, steps)) = input.split_first() else {
        return;
    };
    let policy = match policy & 1 {
        0 => MediaSource::Learn,
        _ => MediaSource::Strict,
    };
    let mut rtp = Rtp::new(policy);
    rtp.bind(SocketId(4), SocketId(5));
    let mut bench = Bench {
        rtp,
        policy,
        now: Time::from_secs(1_000),
        streams: [(65_520, u32::MAX - 4_000); 8],
        signalled: None,
        host: None,
        connected: None,
        seen: Vec::new(),
        source: None,
    };
    for step in steps.as_chunks::<4>().0.iter().take(600) {
        bench.step(*step);
        bench.check();
    }
}

impl Bench {
    fn step(&mut self, [kind, a, b, c]: [u8; 4]) {
        match kind % 5 {
            PACKET => self.packet(a, b, c),
            REPORT => {
                let from = address(a);
                let from = SocketAddr::new(from.ip(), from.port() + u16::from(b & 1));
                let admitted = self.rtp.admit_rtcp(from, u32::from(a >> 4 & 7));
                assert!(!admitted || self.connected.is_some());
                assert!(!admitted || self.policy == MediaSource::Learn || self.is_named(from.ip()));
            }
            CONNECT => {
                let remote = (a != 0xff).then(|| address(a));
                let rtcp = remote.map(|rtp| SocketAddr::new(rtp.ip(), rtp.port() + 1));
                self.rtp.connect(self.now, remote, rtcp, b & 1 == 1);
                if remote.is_some() && remote != self.signalled {
                    self.seen.clear();
                    if self.connected.is_some() {
                        self.source = None;
                    }
                }
                if remote.is_some() || self.connected.is_none() {
                    self.signalled = remote;
                }
                self.connected = Some(self.now);
            }
            VOUCH => {
                self.host = (a != 0xff).then(|| address(a).ip());
                self.rtp.vouch(self.host, b & 1 == 1);
            }
            _ => self.now += Duration::from_millis(u64::from(a) + 100 * u64::from(b)),
        }
    }

    fn packet(&mut self, a: u8, step: u8, c: u8) {
        let from = address(a);
        let stream = usize::from(a >> 4 & 7);
        let (sequence, timestamp) = &mut self.streams[stream];
        *sequence = sequence.wrapping_add(u16::from(step));
        *timestamp = timestamp
            .wrapping_add(160 * u32::from(step))
            .wrapping_add(u32::from(c) << 20);
        let header = Header {
            marker: false,
            payload_type: 0,
            sequence: *sequence,
            timestamp: *timestamp,
            ssrc: stream as u32,
        };
        let admitted = self.rtp.admit(self.now, from, &header);
        self.seen.push(Seen { at: self.now, from });
        if !admitted {
            return;
        }
        let connected = self.connected.expect("nobody is heard before signalling");
        if self.policy == MediaSource::Strict {
            assert_eq!(self.signalled, Some(from), "a strict leg hears SDP's address");
        }
        if self.source != Some(from) {
            let first = self.source.is_none() && self.signalled == Some(from);
            if !first {
                let hidden = self
                    .signalled
                    .is_none_or(|signalled| signalled.ip() == address(0).ip());
                let open = self.now < connected + WINDOW && self.host.is_none() && hidden;
                let moved = self.source.is_some_and(|source| source.ip() == from.ip());
                assert!(self.is_named(from.ip()) || open || moved, "{from} is nobody's");
                let own = self.seen.iter().filter(|seen| seen.from == from);
                let (count, began) = (own.clone().count(), own.map(|seen| seen.at).next());
                assert!(count >= 3, "{count} packets prove nothing");
                assert!(
                    began.is_some_and(|began| self.now.since(began) >= LASTS),
                    "a burst proves nothing"
                );
            }
            self.source = Some(from);
            self.seen.clear();
        }
        assert!(self.rtp.is_source(from));
    }

    fn is_named(&self, host: IpAddr) -> bool {
        self.signalled.is_some_and(|signalled| signalled.ip() == host) || self.host == Some(host)
    }

    fn check(&self) {
        let to = self.rtp.remote().map(|(socket, to)| {
            assert_eq!(socket, SocketId(4));
            to
        });
        assert_eq!(
            to,
            self.source.or(self.signalled),
            "packets go to the source, or where SDP says"
        );
    }
}
