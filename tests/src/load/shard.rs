//! Media shards without sockets: legs of phones, and packets made beforehand.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use media_core::Clock;
use media_core::codec::{FRAME, Pool, RATE};
use media_core::control::{BridgeId, Command, LegId, LegKind, MediaSource, Member, Role, SocketId};
use media_core::dtls::Identity;
use media_core::negotiated::{Codec, Direction, Labels, Negotiated, OpusParameters, StreamAgreed, Transport};
use media_core::rtp::{HEADER, Header};
use media_core::shard::{Input, Output, Shard, ShardConfig};
use sans_io::{Rng, Time};

/// An empty shard of that number.
///
/// # Panics
/// The system has no randomness for a certificate.
#[must_use]
pub fn shard(number: u8, now: Time, max_legs: usize) -> Shard {
    let config = ShardConfig {
        browser_sockets: Vec::new(),
        shard: number,
        dtls: Arc::new(Identity::generate().expect("a certificate")),
        clock: Clock::new(now, Instant::now()),
        prompts: Arc::default(),
        silence: Some(Duration::from_secs(10)),
        max_legs,
    };
    Shard::new(config, Rng::seeded(1))
}

/// A party of a bridge.
#[must_use]
pub fn party(leg: usize, shard: u8) -> Member {
    Member {
        leg: LegId(leg as u64),
        role: Role::Party,
        shard,
    }
}

/// The command for a bridge.
#[must_use]
pub fn bridge(bridge: usize, home: u8, members: Vec<Member>) -> Input {
    Input::Command(Command::Bridge {
        bridge: BridgeId(bridge as u64),
        home,
        members,
    })
}

/// Opens and connects a phone's leg that speaks one codec.
pub fn open(shard: &mut Shard, now: Time, leg: usize, codec: Codec) {
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
    let stream = StreamAgreed {
        direction: Direction::SendRecv,
        send: offered,
        receive: vec![offered],
        telephone_event: None,
        ptime_ms: 20,
        opus: OpusParameters::default(),
        labels: Labels::default(),
    };
    let media = Negotiated {
        streams: [stream].into_iter().collect(),
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

/// Address that a leg's packets come from.
#[must_use]
pub fn address(leg: usize) -> SocketAddr {
    SocketAddr::new([192, 0, 2, 1].into(), 4_000 + 2 * leg as u16)
}

const fn payload_type(codec: Codec) -> u8 {
    match codec {
        Codec::Opus => 111,
        Codec::Pcmu => 0,
        Codec::Pcma => 8,
        Codec::G722 => 9,
        Codec::Foreign(_) => 18,
    }
}

/// Harmonics that swell and fade, as so many packets of 20 ms.
///
/// # Panics
/// There is no such encoder.
#[must_use]
pub fn packets(codec: Codec, count: usize) -> Vec<Vec<u8>> {
    let mut encoder = Pool::default()
        .encoder(codec, RATE, &OpusParameters::default())
        .expect("an encoder");
    (0..count)
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

/// Takes everything that a shard wants done; says how many datagrams that were.
pub fn drain(shard: &mut Shard) -> usize {
    let mut sent = 0;
    loop {
        match shard.poll_output() {
            Output::Timeout(_) => return sent,
            Output::Transmit { data, .. } => sent += usize::from(!std::hint::black_box(data).is_empty()),
            _ => {}
        }
    }
}
