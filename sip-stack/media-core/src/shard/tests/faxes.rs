//! Faxes in the place of audio: datagrams that go from one phone to the other as they are.

use std::net::SocketAddr;
use std::time::Duration;

use smallvec::SmallVec;

use super::world::World;
use crate::control::{Application, Command};
use crate::negotiated::{Codec, Direction, Negotiated, Transport};
use crate::tone::measure;

const SECOND: Duration = Duration::from_secs(1);

/// A peer and we agree on a fax.
fn fax(world: &mut World, peer: usize) -> SocketAddr {
    let remote = world.peers[peer].address;
    let media = Box::new(Negotiated {
        streams: SmallVec::new(),
        transport: Transport::Udptl { remote: Some(remote) },
    });
    let leg = world.leg(peer);
    world.command(Command::Connect { leg, media });
    remote
}

/// A datagram that the peers of these tests, who know nothing but RTP, can read as well.
fn datagram(number: u8) -> Vec<u8> {
    let mut data = vec![0x80, number];
    data.extend([number; 30]);
    data
}

#[test]
fn datagrams_of_a_fax_are_relayed_as_they_are_and_the_voice_returns() {
    let mut world = World::new(71);
    let (one, other) = (world.phone(Codec::Pcmu), world.phone(Codec::Pcma));
    world.bridge(one, other);
    let now = world.now;
    world.peers[one].speak(now, 440.0, -14.0);
    world.peers[other].speak(now, 1_004.0, -14.0);
    world.run(SECOND);
    let from = fax(&mut world, one);
    let back = fax(&mut world, other);
    world.peers[one].hush();
    world.peers[other].hush();
    world.run(SECOND);
    let before = world.peers[other].heard.len();
    for number in 1..=20 {
        world.inject(one, false, from, &datagram(number));
        world.inject(other, false, back, &datagram(100 + number));
    }
    // Nobody else takes part, and nothing of the voice does.
    world.inject(one, false, "198.51.100.1:4040".parse().unwrap(), &datagram(99));
    let mut late = datagram(98);
    late[8..12].copy_from_slice(&world.peers[one].ssrc.to_be_bytes());
    world.inject(one, false, from, &late);
    world.run(SECOND);
    let numbers = |peer: usize, from: usize| -> Vec<u8> {
        world.peers[peer].heard[from..]
            .iter()
            .map(|(_, _, payload)| payload[0])
            .collect()
    };
    assert_eq!(numbers(other, before), (1..=20).collect::<Vec<u8>>());
    assert_eq!(
        world.peers[one]
            .heard
            .iter()
            .filter(|(_, _, payload)| payload[0] > 100 && payload.len() == 20)
            .count(),
        20
    );
    for peer in [one, other] {
        world.direct(peer, Direction::SendRecv);
        let now = world.now;
        world.peers[peer].speak(now, 440.0, -14.0);
    }
    let from = world.now + SECOND;
    world.run(3 * SECOND);
    for peer in [one, other] {
        let found = measure(&world.peers[peer].sound(from), 8_000);
        assert!((found.hertz - 440.0).abs() < 1.0, "{found:?}");
    }
}

#[test]
fn a_fax_in_g711_is_relayed_octet_for_octet_and_at_once() {
    let mut world = World::new(73);
    let (one, other) = (world.phone(Codec::Pcma), world.phone(Codec::Pcma));
    world.bridge(one, other);
    let before = world.peers[other].heard.len();
    let mut sent = Vec::new();
    for number in 0..100_u8 {
        // Loud, and never two alike: whatever mends or stretches sound would change it.
        let payload: Vec<u8> = (0..160).map(|at| number.wrapping_mul(31) ^ at).collect();
        // Two are lost on the way to us.
        if number % 40 == 9 {
            world.peers[one].sequence += 1;
        } else {
            world.peers[one].send(8, number == 0, 160 * u32::from(number), &payload);
            sent.push((world.now, payload));
        }
        world.run(Duration::from_millis(20));
    }
    let heard = &world.peers[other].heard[before..];
    let payloads = heard.iter().map(|(_, _, payload)| payload);
    assert!(payloads.eq(sent.iter().map(|(_, payload)| payload)));
    for ((at, ..), (then, _)) in heard.iter().zip(&sent) {
        assert!(at.since(*then) < Duration::from_millis(20));
    }
}

#[test]
fn a_fax_that_nobody_hears_goes_nowhere() {
    let mut world = World::new(72);
    let phone = world.phone(Codec::Pcmu);
    world.play(phone, Some(Application::Echo));
    let from = fax(&mut world, phone);
    let refused = world.report(phone).refused;
    world.inject(phone, false, from, &datagram(1));
    world.run(SECOND);
    assert!(world.peers[phone].heard.is_empty());
    assert_eq!(world.report(phone).refused, refused + 1);
}
