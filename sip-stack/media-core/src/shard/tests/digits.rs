use std::time::Duration;

use super::peer::Peer;
use super::world::World;
use crate::control::{Application, Command, Event};
use crate::dtmf::{Detector, Heard, Receiver};
use crate::negotiated::Codec;
use crate::tone::power_at;

/// The digits that a peer was sent as events, with the checks of RFC 4733 §2.5.1 on each.
fn events(peer: &Peer) -> Vec<(u8, u16)> {
    let mut receiver = Receiver::default();
    let mut digits = Vec::new();
    let mut began = None;
    let clock = peer.codec.clock();
    for (at, header, payload) in peer
        .heard
        .iter()
        .filter(|(_, header, _)| header.payload_type == 110)
    {
        for heard in receiver.packet(*at, header, clock, payload) {
            match heard {
                Heard::Pressed(_) => {
                    assert!(header.marker, "an event begins with the marker");
                    began = Some(header.timestamp);
                }
                Heard::Released(digit, ms) => digits.push((digit, ms)),
            }
        }
        assert_eq!(Some(header.timestamp), began, "one timestamp for all of an event");
    }
    let ends = peer
        .heard
        .iter()
        .filter(|(_, h, payload)| h.payload_type == 110 && payload[1] & 0x80 != 0)
        .count();
    assert_eq!(ends, 3 * digits.len(), "three ends each");
    digits
}

fn reported(world: &World, peer: usize) -> Vec<(u8, u16)> {
    let id = world.leg(peer);
    let of = |event: &Event| match event {
        Event::Dtmf {
            leg,
            digit,
            duration_ms,
            ..
        } if *leg == id => Some((*digit, *duration_ms)),
        _ => None,
    };
    world.events.iter().filter_map(|(_, event)| of(event)).collect()
}

#[test]
fn a_key_is_told_once_and_passed_on_in_the_other_leg_s_clock() {
    for (left, right) in [
        (Codec::Opus, Codec::Pcmu),
        (Codec::Pcmu, Codec::Opus),
        (Codec::Opus, Codec::Opus),
    ] {
        let mut world = World::new(21);
        let (a, b) = (
            world.browser(left),
            if right == Codec::Opus {
                world.browser(right)
            } else {
                world.phone(right)
            },
        );
        world.bridge(a, b);
        let now = world.now;
        world.peers[a].speak(now, 440.0, -14.0);
        world.peers[b].speak(now, 1_004.0, -14.0);
        world.run(Duration::from_millis(500));
        for (digit, lose) in [
            (b'5', vec![]),
            (b'#', vec![0, 6, 7]),
            (b'5', vec![5, 6, 7]),
            (b'0', vec![0, 1, 2, 3]),
        ] {
            world.peers[a].press(digit, &lose);
            world.run(Duration::from_millis(600));
        }
        let digits = |list: &[(u8, u16)]| list.iter().map(|(digit, _)| *digit).collect::<Vec<_>>();
        assert_eq!(digits(&reported(&world, a)), b"5#50", "{left:?} {right:?}");
        assert_eq!(digits(&events(&world.peers[b])), b"5#50", "{left:?} {right:?}");
        assert_eq!(reported(&world, a)[0].1, 120);
        assert!(reported(&world, b).is_empty());
        // Between the digits the sound goes on.
        let sound = world.peers[b].sound(now);
        let frames = sound
            .chunks_exact(160)
            .filter(|f| power_at(f, 440.0, 8_000).sqrt() > 2_000.0)
            .count();
        assert!(frames > 80, "{frames}");
    }
}

#[test]
fn digits_are_sent_one_after_the_other() {
    let mut world = World::new(22);
    let phone = world.phone(Codec::Pcmu);
    let leg = world.leg(phone);
    for digit in *b"1*D" {
        world.command(Command::SendDtmf {
            leg,
            digit,
            duration_ms: 100,
        });
    }
    world.run(Duration::from_secs(1));
    assert_eq!(
        events(&world.peers[phone]),
        [(b'1', 100), (b'*', 100), (b'D', 100)]
    );
}

#[test]
fn a_peer_without_events_gets_the_tones() {
    for codec in [Codec::Pcma, Codec::G722] {
        let mut world = World::new(23);
        let (a, b) = (world.browser(Codec::Opus), world.phone(codec));
        world.peers[b].events = false;
        world.direct(b, crate::negotiated::Direction::SendRecv);
        world.bridge(a, b);
        let now = world.now;
        world.peers[a].speak(now, 440.0, -14.0);
        world.run(Duration::from_millis(500));
        world.peers[a].press(b'8', &[]);
        world.run(Duration::from_secs(1));
        // A digit that the other party did not press, and while it speaks.
        let leg = world.leg(b);
        world.command(Command::SendDtmf {
            leg,
            digit: b'2',
            duration_ms: 100,
        });
        world.run(Duration::from_secs(1));
        let sound = world.peers[b].sound(now);
        let mut detector = Detector::default();
        let heard: Vec<u8> = sound
            .chunks_exact(160)
            .filter_map(|frame| detector.listen(frame))
            .collect();
        assert_eq!(heard, b"82", "{codec:?}");
        let expected = (world.now - now).as_millis() as usize * 8;
        assert!(
            sound.len().abs_diff(expected) < 1_600,
            "{codec:?}: {} of {expected}",
            sound.len()
        );
    }
}

#[test]
fn an_echo_leaves_no_hole_where_keys_are_left_out_and_keeps_those_that_the_network_makes() {
    for codec in [Codec::Pcmu, Codec::Opus] {
        let mut world = World::new(8);
        let peer = match codec {
            Codec::Opus => world.browser(codec),
            _ => world.phone(codec),
        };
        world.play(peer, Some(Application::Echo));
        let now = world.now;
        world.peers[peer].speak(now, 440.0, -14.0);
        for digit in *b"123" {
            world.run(Duration::from_millis(400));
            world.peers[peer].press(digit, &[]);
        }
        world.run(Duration::from_millis(400));
        let sequences = |world: &World| -> Vec<u16> {
            let heard = world.peers[peer].heard.iter();
            heard.map(|(_, header, _)| header.sequence).collect()
        };
        let holes = |sequences: &[u16]| {
            let steps = sequences.windows(2).map(|pair| pair[1].wrapping_sub(pair[0]));
            steps.filter(|step| *step != 1).collect::<Vec<_>>()
        };
        let whole = sequences(&world);
        assert!(whole.len() > 60, "{}", whole.len());
        assert_eq!(holes(&whole), [0; 0], "{codec:?}");
        // Packets that never came to us stay a gap, beside digits as well.
        world.peers[peer].sequence = world.peers[peer].sequence.wrapping_add(2);
        world.run(Duration::from_millis(200));
        world.peers[peer].press(b'4', &[2]);
        world.run(Duration::from_millis(400));
        assert_eq!(holes(&sequences(&world)), [3, 2], "{codec:?}");
    }
}

#[test]
fn events_by_the_number_of_the_peer_s_own_answer_are_taken() {
    let mut world = World::new(9);
    let (left, right) = (world.phone(Codec::Pcmu), world.phone(Codec::Pcma));
    world.bridge(left, right);
    let now = world.now;
    world.peers[left].speak(now, 440.0, -14.0);
    world.run(Duration::from_millis(200));
    let timestamp = world.peers[left].timestamp;
    for i in 1..=6_u8 {
        let end = if i == 6 { 0x8a } else { 0x0a };
        let payload = [7, end, i / 2, if i % 2 == 1 { 0xa0 } else { 0x40 }];
        world.peers[left].send(110, i == 1, timestamp, &payload);
    }
    world.run(Duration::from_millis(400));
    let digits: Vec<u8> = reported(&world, left)
        .into_iter()
        .map(|(digit, _)| digit)
        .collect();
    assert_eq!(digits, *b"7");
}
