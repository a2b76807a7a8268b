//! Cost of a 20 ms frame inside a media shard, without sockets and without SRTP: relay, G.711 to G.711, Opus
//! to and from PCMU, and mixes. One line for each: µs of this thread per frame and direction.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use media_core::codec::{FRAME, Pool, RATE};
use media_core::control::{BridgeId, Command, LegId, LegKind, MediaSource, Role, SocketId};
use media_core::leg::Clock;
use media_core::leg::browser::Identity;
use media_core::negotiated::{Codec, Direction, Negotiated, OpusParameters, Transport};
use media_core::rtp::{HEADER, Header};
use media_core::shard::{Input, Output, Shard, ShardConfig};
use sans_io::{Rng, Time};

const CALLS: usize = 50;
const FRAMES: usize = 500;

fn main() {
    println!("{CALLS} calls, {FRAMES} frames each way; median of 5 runs");
    for (left, right) in [
        (Codec::Pcmu, Codec::Pcmu),
        (Codec::Pcmu, Codec::Pcma),
        (Codec::Opus, Codec::Pcmu),
    ] {
        let mut runs: Vec<[f64; 2]> = (0..5).map(|_| run(left, right)).collect();
        let mut median = |side: usize| {
            runs.sort_by(|a, b| a[side].total_cmp(&b[side]));
            runs[2][side]
        };
        let (forth, back) = (median(0), median(1));
        println!("{} -> {}  {forth:.2} us", left.name(), right.name());
        println!("{} -> {}  {back:.2} us", right.name(), left.name());
    }
    for members in [
        &[Codec::Pcmu; 3][..],
        &[Codec::Opus, Codec::Pcmu, Codec::Pcmu],
        &[Codec::Opus; 3],
        &[Codec::Opus; 6],
    ] {
        let mut runs: Vec<f64> = (0..5).map(|_| run_mix(members)).collect();
        runs.sort_by(f64::total_cmp);
        let names: Vec<&str> = members.iter().map(|codec| codec.name()).collect();
        println!("mix of {}  {:.2} us a member", names.join(", "), runs[2]);
    }
}

/// µs for each member and 20 ms of a mix: its packet in, and its sound out.
fn run_mix(members: &[Codec]) -> f64 {
    let mut now = Time::from_secs(1_800_000_000);
    let mixes = CALLS * 2 / members.len();
    let legs = mixes * members.len();
    let mut shard = shard(now, legs);
    for leg in 0..legs {
        open(&mut shard, now, leg, members[leg % members.len()]);
    }
    for mix in 0..mixes {
        let first = mix * members.len();
        let party = |leg: usize| (LegId(leg as u64), Role::Party);
        let members = (first..first + members.len()).map(party).collect();
        let bridge = BridgeId(mix as u64);
        shard.handle_input(now, Input::Command(Command::Bridge { bridge, members }));
    }
    let mut speech: Vec<_> = members.iter().map(|codec| packets(*codec).into_iter()).collect();
    let (mut spent, mut sent) = (Duration::ZERO, 0);
    for _ in 0..FRAMES {
        now += Duration::from_millis(20);
        let said: Vec<Vec<u8>> = speech.iter_mut().filter_map(Iterator::next).collect();
        let mut datagrams: Vec<Vec<u8>> = said.iter().cycle().take(legs).cloned().collect();
        let start = Instant::now();
        for (leg, data) in datagrams.iter_mut().enumerate() {
            shard.handle_datagram(now, SocketId(2 * leg as u32), address(leg), data);
        }
        shard.handle_input(now, Input::Timeout);
        sent += drain(&mut shard);
        spent += start.elapsed();
    }
    assert!(sent >= legs * (FRAMES - 5), "{sent} packets came out");
    spent.as_secs_f64() * 1e6 / (legs * FRAMES) as f64
}

/// µs a frame, from left to right and back.
fn run(left: Codec, right: Codec) -> [f64; 2] {
    let mut now = Time::from_secs(1_800_000_000);
    let mut shard = shard(now, 2 * CALLS);
    for leg in 0..2 * CALLS {
        open(&mut shard, now, leg, if leg % 2 == 0 { left } else { right });
    }
    for call in 0..CALLS as u64 {
        let members = [LegId(2 * call), LegId(2 * call + 1)].map(|leg| (leg, Role::Party));
        shard.handle_input(
            now,
            Input::Command(Command::Bridge {
                bridge: BridgeId(call),
                members: members.to_vec(),
            }),
        );
    }
    let speech = [packets(left), packets(right)];
    let mut spent = [Duration::ZERO; 2];
    let mut sent = 0;
    for (forth, back) in speech[0].iter().zip(&speech[1]) {
        now += Duration::from_millis(20);
        for (side, packet) in [forth, back].into_iter().enumerate() {
            let mut datagrams: Vec<Vec<u8>> = vec![packet.clone(); CALLS];
            let start = Instant::now();
            for (call, data) in datagrams.iter_mut().enumerate() {
                let leg = 2 * call + side;
                shard.handle_datagram(now, SocketId(2 * leg as u32), address(leg), data);
            }
            sent += drain(&mut shard);
            spent[side] += start.elapsed();
        }
        shard.handle_input(now, Input::Timeout);
        drain(&mut shard);
    }
    assert!(sent >= 2 * CALLS * (FRAMES - 1), "{sent} packets came out");
    spent.map(|spent| spent.as_secs_f64() * 1e6 / (CALLS * FRAMES) as f64)
}

fn shard(now: Time, max_legs: usize) -> Shard {
    let config = ShardConfig {
        browser_sockets: Vec::new(),
        shard: 0,
        dtls: Arc::new(Identity::generate().expect("a certificate")),
        clock: Clock::new(now, Instant::now()),
        prompts: Arc::default(),
        silence: Some(Duration::from_secs(10)),
        max_legs,
    };
    Shard::new(config, Rng::seeded(1))
}

fn open(shard: &mut Shard, now: Time, leg: usize, codec: Codec) {
    let (id, local) = (LegId(leg as u64), std::net::Ipv4Addr::LOCALHOST.into());
    shard.handle_input(
        now,
        Input::Command(Command::Open {
            leg: id,
            kind: LegKind::Phone {
                local,
                source: MediaSource::Learn,
            },
        }),
    );
    let bound = |offset: usize| {
        let at = SocketAddr::new(local, (20_000 + 2 * leg + offset) as u16);
        (SocketId((2 * leg + offset) as u32), at)
    };
    shard.handle_input(
        now,
        Input::Bound {
            leg: id,
            rtp: bound(0),
            rtcp: bound(1),
        },
    );
    let offered = (payload_type(codec), codec);
    let media = Negotiated {
        direction: Direction::SendRecv,
        send: offered,
        receive: vec![offered],
        telephone_event: None,
        ptime_ms: 20,
        opus: OpusParameters::default(),
        transport: Transport::Rtp {
            remote: Some(address(leg)),
            remote_rtcp: None,
            rtcp_mux: false,
        },
    };
    shard.handle_input(
        now,
        Input::Command(Command::Connect {
            leg: id,
            media: Box::new(media),
        }),
    );
    drain(shard);
}

fn address(leg: usize) -> SocketAddr {
    SocketAddr::new([192, 0, 2, 1].into(), 4_000 + 2 * leg as u16)
}

const fn payload_type(codec: Codec) -> u8 {
    match codec {
        Codec::Opus => 111,
        Codec::Pcmu => 0,
        Codec::Pcma => 8,
    }
}

/// Harmonics that swell and fade, as packets.
fn packets(codec: Codec) -> Vec<Vec<u8>> {
    let mut encoder = Pool::default()
        .encoder(codec, RATE, &OpusParameters::default())
        .expect("an encoder");
    (0..FRAMES)
        .map(|frame| {
            let pcm: Vec<i16> = (0..FRAME)
                .map(|i| {
                    let t = (frame * FRAME + i) as f64 / 8_000.0 * std::f64::consts::TAU;
                    let pitch = 120.0 + 30.0 * (t / 5.0).sin();
                    let voice: f64 = (1..20)
                        .map(|h| (t * pitch * f64::from(h)).sin() / f64::from(h))
                        .sum();
                    (voice * (0.5 + 0.5 * (t * 3.0).sin()) * 5_000.0) as i16
                })
                .collect();
            let header = Header {
                marker: frame == 0,
                payload_type: payload_type(codec),
                sequence: frame as u16,
                timestamp: frame as u32 * codec.clock() / 50,
                ssrc: 7,
            };
            let mut packet = vec![0; HEADER + 400];
            header.write(packet.first_chunk_mut().expect("12 octets"));
            let length = encoder
                .encode(&pcm, &mut packet[HEADER..])
                .ok()
                .flatten()
                .unwrap_or(0);
            packet.truncate(HEADER + length);
            packet
        })
        .collect()
}

fn drain(shard: &mut Shard) -> usize {
    let mut sent = 0;
    loop {
        match shard.poll_output() {
            Output::Timeout(_) => return sent,
            Output::Transmit { data, .. } => sent += usize::from(!std::hint::black_box(data).is_empty()),
            _ => {}
        }
    }
}
