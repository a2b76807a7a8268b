//! Strangers neither hear nor are heard, and take nothing from the peers. A packet from the shard to an
//! address that is nobody's fails the test.

use std::net::SocketAddr;
use std::time::Duration;

use sans_io::{Rng, Time};

use super::world::World;
use crate::control::{Application, Command};
use crate::negotiated::{Codec, Direction};
use crate::rtp::{HEADER, Header};
use crate::tone::measure;

const SECOND: Duration = Duration::from_secs(1);
const FRAME: Duration = Duration::from_millis(20);

fn packet(header: Header, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0; HEADER];
    header.write(packet.first_chunk_mut().unwrap());
    packet.extend_from_slice(payload);
    packet
}

/// A stranger who tries everything that needs no knowledge of the call, and some of what does.
fn attack(world: &mut World, rng: &mut Rng, victims: &[usize], header: &mut Header) {
    let from = SocketAddr::new([203, 0, 113, 66].into(), 9_000 + rng.below(3) as u16);
    header.sequence = header.sequence.wrapping_add(1);
    header.timestamp = header.timestamp.wrapping_add(160);
    header.payload_type = [0, 0, 0, 101, 99, 13][rng.below(6) as usize];
    let payload = [&[][..], &[0x10; 160][..], &[5, 0x8a, 3, 0x20][..]][rng.below(3) as usize];
    for victim in victims {
        world.inject(*victim, false, from, &packet(*header, payload));
        // A receiver report, and one that is cut.
        let mut report = vec![0x80, 201, 0, 1];
        report.extend_from_slice(&world.peers[*victim].ssrc.to_be_bytes());
        world.inject(*victim, true, from, &report);
        world.inject(*victim, rng.percent(50), from, &report[..6]);
    }
}

fn assert_hears(world: &World, peer: usize, from: Time, hertz: f64, what: &str) {
    let sound = world.peers[peer].sound(from);
    assert!(sound.len() > 3_000, "{what}: {} samples", sound.len());
    let found = measure(&sound, 8_000);
    assert!((found.hertz - hertz).abs() < 1.0, "{what}: {found:?}");
}

#[test]
fn a_stranger_neither_hears_nor_is_heard_in_any_state() {
    for seed in 0..6 {
        let mut world = World::new(seed);
        let (left, right) = (world.phone(Codec::Pcmu), world.phone(Codec::Pcmu));
        world.bridge(left, right);
        let mut rng = Rng::seeded(seed);
        let mut header = Header {
            marker: false,
            payload_type: 0,
            sequence: 1,
            timestamp: 1,
            ssrc: 99,
        };
        let mut phase = |world: &mut World, length: Duration| {
            for _ in 0..length.as_millis() / FRAME.as_millis() {
                attack(world, &mut rng, &[left, right], &mut header);
                world.run(FRAME);
            }
        };
        phase(&mut world, SECOND);
        let heard = |world: &World, peer: usize| world.peers[peer].heard.len();
        assert!(
            heard(&world, left) <= 15 && heard(&world, right) <= 15,
            "but for our own silence"
        );
        let now = world.now;
        world.peers[left].speak(now, 440.0, -14.0);
        world.peers[right].speak(now, 700.0, -14.0);
        phase(&mut world, SECOND);
        let from = now + Duration::from_millis(200);
        assert_hears(&world, left, from, 700.0, "while both talk");
        assert_hears(&world, right, from, 440.0, "while both talk");
        // One falls silent, is held, and goes on listening.
        world.peers[left].hush();
        // Packets on their way arrive.
        phase(&mut world, FRAME * 10);
        for direction in [Direction::SendRecv, Direction::RecvOnly, Direction::SendRecv] {
            world.direct(left, direction);
            let from = world.now + Duration::from_millis(200);
            let before = heard(&world, right);
            phase(&mut world, SECOND);
            assert_eq!(heard(&world, right), before, "nobody speaks for it");
            if direction == Direction::SendRecv {
                assert_hears(&world, left, from, 700.0, "in its silence");
            }
        }
        let now = world.now;
        world.peers[left].speak(now, 500.0, -14.0);
        phase(&mut world, SECOND);
        assert_hears(&world, right, now + FRAME * 2, 500.0, "it speaks again");
        assert!(world.report(left).refused > 100);
    }
}

#[test]
fn two_who_wait_for_the_first_packet_get_one_each() {
    let mut world = World::new(1);
    let (left, right) = (world.phone(Codec::Pcmu), world.phone(Codec::Pcma));
    world.bridge(left, right);
    world.run(Duration::from_millis(300));
    for peer in [left, right] {
        assert_eq!(world.peers[peer].heard.len(), 3, "a little silence");
    }
    world.run(20 * SECOND);
    for peer in [left, right] {
        assert_eq!(world.peers[peer].heard.len(), 9, "and no more than that");
    }
    // A peer that is sent something, or speaks itself, needs none.
    let mut world = World::new(2);
    let peer = world.phone(Codec::Pcmu);
    let now = world.now;
    world.peers[peer].speak(now, 440.0, -14.0);
    world.run(5 * SECOND);
    assert!(world.peers[peer].heard.is_empty());
}

#[test]
fn an_address_that_nothing_vouches_for_gets_a_few_packets() {
    let mut world = World::new(3);
    let peer = world.phone(Codec::Pcmu);
    let leg = world.leg(peer);
    let vouch = |reached| Command::Vouch {
        leg,
        host: Some([192, 0, 2, 1].into()),
        reached,
    };
    world.command(vouch(false));
    world.play(peer, Some(Application::Music));
    world.run(32 * SECOND);
    let sent = world.peers[peer].heard.len() + world.peers[peer].rtcp.len();
    assert_eq!(sent, 10);
    world.command(vouch(true));
    world.run(SECOND);
    assert!(world.peers[peer].heard.len() >= 50);
    // A peer that sends is proof enough.
    let mut world = World::new(4);
    let peer = world.phone(Codec::Pcmu);
    world.command(vouch(false));
    world.play(peer, Some(Application::Music));
    let now = world.now;
    world.peers[peer].speak(now, 440.0, -14.0);
    world.run(2 * SECOND);
    assert!(world.peers[peer].heard.len() >= 95);
}
