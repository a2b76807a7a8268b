//! Formats that we can neither decode nor encode, between two phones that both have them.

use std::time::Duration;

use super::world::World;
use crate::control::{Application, Event, Mode, Role};
use crate::negotiated::{Codec, Foreign};

const FRAME: Duration = Duration::from_millis(20);
const SECOND: Duration = Duration::from_secs(1);

fn foreign(encoding: &str) -> Codec {
    Codec::Foreign(Foreign::named(encoding, None).unwrap())
}

/// Two phones that have the format by different numbers, and talk with each other.
fn pair(world: &mut World, codec: Codec) -> [usize; 2] {
    let pair = [world.phone(codec), world.phone(codec)];
    world.peers[pair[1]].number = 118;
    world.recode(pair[1], codec);
    world.bridge(pair[0], pair[1]);
    pair
}

/// Lets a peer send packets of that many octets, `ticks` apart.
fn talk(world: &mut World, talker: usize, count: u8, (octets, ticks): (usize, u32)) -> Vec<Vec<u8>> {
    let packets: Vec<_> = (0..count).map(|n| vec![n; octets]).collect();
    for (n, packet) in packets.iter().enumerate() {
        let peer = &mut world.peers[talker];
        let (number, timestamp) = (peer.payload_type(), peer.timestamp);
        peer.send(number, n == 0, timestamp, packet);
        peer.timestamp = timestamp.wrapping_add(ticks);
        world.run(FRAME);
    }
    packets
}

#[test]
fn packets_go_on_as_they_are_under_the_number_of_the_listener() {
    for (encoding, packet) in [
        ("G729/8000", (20, 160)),
        ("G723/8000", (24, 240)),
        ("AMR-WB/16000", (33, 320)),
    ] {
        let codec = foreign(encoding);
        let mut world = World::new(17);
        let [left, right] = pair(&mut world, codec);
        for (talker, listener) in [(left, right), (right, left)] {
            let said = talk(&mut world, talker, 100, packet);
            let heard = &world.peers[listener].heard;
            let payloads: Vec<_> = heard.iter().map(|(.., payload)| payload.clone()).collect();
            assert_eq!(payloads, said, "{encoding}");
            let number = world.peers[listener].payload_type();
            assert!(heard.iter().all(|(_, header, _)| header.payload_type == number));
            assert!(heard[0].1.marker && !heard[1].1.marker, "{encoding}");
            for two in heard.windows(2) {
                let [before, after] = [two[0].1, two[1].1];
                assert_eq!(after.sequence.wrapping_sub(before.sequence), 1);
                assert_eq!(after.timestamp.wrapping_sub(before.timestamp), packet.1);
            }
            let report = world.report(listener);
            assert_eq!((report.mode, report.codec_sent), (Mode::Relay, Some(codec)));
            let report = world.report(talker);
            assert_eq!((report.lost, report.codec_received), (0, Some(codec)));
            assert!(
                report.jitter_us < 25_000,
                "by its own clock: {}",
                report.jitter_us
            );
        }
    }
}

#[test]
fn keys_go_on_beside() {
    let mut world = World::new(18);
    let [left, right] = pair(&mut world, foreign("iLBC/8000"));
    talk(&mut world, left, 5, (38, 160));
    world.peers[left].press(b'5', &[]);
    world.run(SECOND);
    let events = world.peers[right].heard.iter();
    let events: Vec<_> = events
        .filter(|(_, header, _)| header.payload_type == 110)
        .collect();
    assert!(events.len() >= 3 && events.iter().all(|(.., payload)| payload[0] == 5));
    assert!(world.saw(|event| matches!(event, Event::Dtmf { digit: b'5', .. })));
}

#[test]
fn nothing_of_ours_goes_to_a_peer_with_a_foreign_format() {
    let mut world = World::new(19);
    let codec = foreign("G729/8000");
    let (g729, pcmu) = (world.phone(codec), world.phone(Codec::Pcmu));
    let now = world.now;
    world.peers[pcmu].speak(now, 440.0, -10.0);
    // Another codec in a bridge of two, a sound of ours, and a mix.
    world.bridge(g729, pcmu);
    talk(&mut world, g729, 50, (20, 160));
    world.bridge_as(&[]);
    world.play(g729, Some(Application::Music));
    talk(&mut world, g729, 50, (20, 160));
    let third = world.phone(Codec::Pcma);
    world.bridge_as(&[(g729, Role::Party), (pcmu, Role::Party), (third, Role::Party)]);
    talk(&mut world, g729, 50, (20, 160));
    assert_eq!(world.peers[g729].heard.len(), 0);
    // The others hear each other, and not what nobody can decode.
    let (number, heard) = (world.peers[third].payload_type(), &world.peers[third].heard);
    assert!(heard.len() > 40 && heard.iter().all(|(_, header, _)| header.payload_type == number));
}

#[test]
fn an_encoder_of_before_is_not_used_for_a_format_of_now() {
    let mut world = World::new(20);
    let phone = world.phone(Codec::Pcmu);
    world.play(phone, Some(Application::Music));
    world.run(SECOND);
    assert!(world.peers[phone].heard.len() > 40);
    world.recode(phone, foreign("G729/8000"));
    // What was on its way.
    world.run(FRAME);
    world.peers[phone].heard.clear();
    world.run(SECOND);
    assert_eq!(world.peers[phone].heard.len(), 0);
}
