//! Legs of several shards that hear each other.

use std::time::Duration;

use sans_io::Time;

use super::mixes::{G722, OPUS, PCMA, PCMU};
use super::world::{FIRST, World};
use crate::control::{Application, BridgeId, Command, Event, Mode, Role};
use crate::negotiated::{Codec, Direction};
use crate::tone::{level_dbm0, measure};

const SECOND: Duration = Duration::from_secs(1);
const LEFT: f64 = 440.0;
const RIGHT: f64 = 1_004.0;

/// The first peer is on the home of every bridge, the second and each second one after it on another shard.
fn world(seed: u64, kinds: &[(bool, Codec)]) -> World {
    let mut world = World::with_shards(seed, 2);
    for (browser, codec) in kinds {
        let _ = if *browser {
            world.browser(*codec)
        } else {
            world.phone(*codec)
        };
    }
    world
}

fn speak(world: &mut World, peer: usize, hertz: f64) {
    let now = world.now;
    world.peers[peer].speak(now, hertz, -14.0);
}

/// A peer has heard this tone in every 20 ms since then.
fn assert_hears(world: &World, peer: usize, from: Time, hertz: f64, what: &str) {
    let sound = world.peers[peer].sound(from);
    assert!(sound.len() > 3_000, "{what}: {} samples", sound.len());
    let found = measure(&sound, 8_000);
    assert!((found.hertz - hertz).abs() < 0.5, "{what}: {found:?}");
    for (i, frame) in sound.chunks_exact(160).enumerate() {
        let level = level_dbm0(frame);
        assert!((level + 14.0).abs() < 1.5, "{what}: {level} dBm0 in frame {i}");
    }
}

/// No packet of what a peer heard since then is missing, none came twice or late.
fn assert_gapless(world: &World, peer: usize, from: Time, what: &str) {
    let heard = world.peers[peer].heard.iter().filter(|(at, ..)| *at >= from);
    let heard: Vec<_> = heard.map(|(at, header, _)| (*at, header.sequence)).collect();
    assert!(heard.len() > 10, "{what}: {} packets", heard.len());
    for pair in heard.windows(2) {
        assert_eq!(pair[1].1, pair[0].1.wrapping_add(1), "{what}: {pair:?}");
        assert!(
            pair[1].0 - pair[0].0 < Duration::from_millis(45),
            "{what}: {pair:?}"
        );
    }
}

#[test]
fn two_legs_on_two_shards_hear_each_other_as_on_one() {
    for a in [OPUS, PCMU, PCMA, (true, Codec::Pcmu)] {
        for b in [OPUS, PCMU, G722, (true, Codec::Pcmu)] {
            let what = format!("{a:?} and {b:?}");
            let mut world = world(5, &[a, b]);
            world.bridge(0, 1);
            speak(&mut world, 0, LEFT);
            speak(&mut world, 1, RIGHT);
            let from = world.now + SECOND;
            world.run(3 * SECOND);
            assert_hears(&world, 1, from, LEFT, &what);
            assert_hears(&world, 0, from, RIGHT, &what);
            assert_gapless(&world, 0, from, &what);
            assert_gapless(&world, 1, from, &what);
            let mode = if a.1 == b.1 { Mode::Relay } else { Mode::Transcode };
            let (l, r) = (world.report(0), world.report(1));
            assert_eq!((l.mode, r.mode), (mode, mode), "{what}");
            assert_eq!((l.lost, l.concealed, r.lost, r.concealed), (0, 0, 0, 0), "{what}");
            // Browsers towards phones are paced, wherever either is.
            let paced = |from: (bool, Codec), to: (bool, Codec)| from.0 && !to.0 && mode == Mode::Transcode;
            assert_eq!(l.buffer_us > 0, paced(a, b), "{what}");
            assert_eq!(r.buffer_us > 0, paced(b, a), "{what}");
            assert!(r.mos > 3.5 && r.packets_sent > 140, "{what}: {r:?}");
            assert!(world.shards.iter().all(|shard| shard.strays() == 0), "{what}");
        }
    }
}

#[test]
fn the_order_in_which_two_shards_are_told_does_not_matter() {
    for first in [0, 1] {
        let mut world = world(6, &[OPUS, PCMU]);
        speak(&mut world, 0, LEFT);
        speak(&mut world, 1, RIGHT);
        world.run(SECOND);
        let members = vec![world.member(0, Role::Party), world.member(1, Role::Party)];
        for shard in [first, 1 - first] {
            world.arrange_on(shard, 1, members.clone());
            world.run(Duration::from_millis(33));
        }
        let from = world.now + SECOND;
        world.run(3 * SECOND);
        assert_hears(&world, 1, from, LEFT, "told");
        assert_hears(&world, 0, from, RIGHT, "told");
        for shard in [first, 1 - first] {
            world.arrange_on(shard, 1, Vec::new());
            world.run(Duration::from_millis(33));
        }
        world.run(SECOND);
        assert_eq!(world.shards[0].legs(), 1, "no stand-in is left");
        assert!(world.shards.iter().all(|shard| shard.bridges.is_empty()));
    }
}

#[test]
fn a_supervisor_and_a_third_party_of_another_shard_come_and_go_without_a_gap() {
    // Two on the home talk; the one of the other shard listens, whispers, takes part and leaves.
    let mut world = world(7, &[OPUS, PCMU, PCMU, OPUS]);
    speak(&mut world, 0, LEFT);
    speak(&mut world, 2, RIGHT);
    let pair = [(0, Role::Party), (2, Role::Party)];
    let with = |role| [(0, Role::Party), (2, Role::Party), (1, role)];
    world.bridge_as(&pair);
    world.run(2 * SECOND);
    let from = world.now;
    let coach = Role::Coach(world.leg(0));
    for role in [Role::Listener, coach, Role::Party] {
        world.bridge_as(&with(role));
        world.run(2 * SECOND);
    }
    let heard = world.peers[1].sound(from + SECOND);
    assert!(heard.len() > 30_000, "{}", heard.len());
    assert_gapless(&world, 1, from + SECOND, "third");
    world.bridge_as(&pair);
    world.run(2 * SECOND);
    assert_gapless(&world, 0, from, "left");
    assert_gapless(&world, 2, from, "right");
    // The legs of both of them are home's own, so they are relayed or transcoded again.
    assert_eq!(world.report(0).mode, Mode::Transcode);
    assert_eq!(world.report(1).mode, Mode::None);
}

#[test]
fn a_transfer_joins_calls_of_two_shards() {
    // 0 talks to 2 on one shard, 1 to 3 on the other; 2 and 3 leave.
    let mut world = world(8, &[PCMU, PCMA, PCMU, PCMA]);
    speak(&mut world, 0, LEFT);
    speak(&mut world, 1, RIGHT);
    world.bridge(0, 2);
    let other = vec![world.member(1, Role::Party), world.member(3, Role::Party)];
    for shard in 0..2 {
        let command = Command::Bridge {
            bridge: BridgeId(2),
            home: FIRST + 1,
            members: other.clone(),
        };
        world.command_to(shard, command);
    }
    world.run(2 * SECOND);
    let before = world.now;
    world.bridge(0, 1);
    world.run(2 * SECOND);
    assert_hears(&world, 0, before + SECOND, RIGHT, "left");
    assert_hears(&world, 1, before + SECOND, LEFT, "right");
    for peer in [0, 1] {
        let heard = &world.peers[peer].heard;
        let first = heard
            .iter()
            .find(|(at, ..)| *at > before + Duration::from_millis(10));
        let first = first.expect("sound").0;
        assert!(
            first - before < Duration::from_millis(60),
            "{peer}: {:?}",
            first - before
        );
        assert_gapless(&world, peer, first, "transferred");
    }
}

#[test]
fn keys_reach_the_other_shard_and_are_told_once() {
    let mut world = world(9, &[OPUS, PCMU]);
    world.bridge(0, 1);
    speak(&mut world, 0, LEFT);
    speak(&mut world, 1, RIGHT);
    world.run(SECOND);
    for (from, to) in [(0, 1), (1, 0)] {
        world.events.clear();
        world.peers[to].heard.clear();
        world.peers[from].press(b'7', &[]);
        world.run(SECOND);
        let leg = world.leg(from);
        let reported = world
            .events
            .iter()
            .filter(|(_, event)| matches!(event, Event::Dtmf { .. }));
        let reported: Vec<_> = reported.map(|(_, event)| event.clone()).collect();
        assert!(
            matches!(reported[..], [Event::Dtmf { leg: of, digit: b'7', .. }] if of == leg),
            "{reported:?}"
        );
        let events = world.peers[to]
            .heard
            .iter()
            .filter(|(_, header, _)| header.payload_type == 110);
        let events: Vec<_> = events
            .map(|(_, header, payload)| (header.timestamp, payload[0]))
            .collect();
        assert!(events.len() >= 4, "{events:?}");
        assert!(
            events.iter().all(|event| *event == (events[0].0, 7)),
            "{events:?}"
        );
    }
    // Nobody is told twice of anything else either.
    assert!(!world.saw(|event| matches!(event, Event::Talking { .. } | Event::Flow { .. })));
}

#[test]
fn music_plays_on_the_legs_own_shard_while_the_bridge_is_held() {
    let mut world = world(10, &[PCMU, OPUS]);
    world.bridge(0, 1);
    speak(&mut world, 0, LEFT);
    world.run(2 * SECOND);
    world.play(
        1,
        Some(Application::Tone {
            hertz: 700,
            dbm0: -14,
        }),
    );
    world.run(SECOND);
    let from = world.now - SECOND / 2;
    assert_hears(&world, 1, from, LEFT, "not held");
    world.direct(0, Direction::SendOnly);
    world.run(2 * SECOND);
    assert_hears(&world, 1, world.now - SECOND, 700.0, "held");
    assert_eq!(world.report(1).mode, Mode::Application);
    world.direct(0, Direction::SendRecv);
    world.run(2 * SECOND);
    assert_hears(&world, 1, world.now - SECOND, LEFT, "back");
}

#[test]
fn a_leg_that_changes_its_codec_changes_its_stand_in() {
    let mut world = world(11, &[PCMU, PCMU]);
    world.bridge(0, 1);
    speak(&mut world, 0, LEFT);
    speak(&mut world, 1, RIGHT);
    world.run(2 * SECOND);
    assert_eq!(world.report(1).mode, Mode::Relay);
    world.recode(1, Codec::Pcma);
    world.run(3 * SECOND);
    assert_eq!(
        (world.report(0).mode, world.report(1).mode),
        (Mode::Transcode, Mode::Transcode)
    );
    assert_hears(&world, 0, world.now - SECOND, RIGHT, "changed");
}

#[test]
fn a_leg_that_closes_takes_its_stand_in_with_it() {
    let mut world = world(12, &[PCMU, OPUS, PCMU]);
    world.bridge_as(&[(0, Role::Party), (1, Role::Party), (2, Role::Party)]);
    for (peer, hertz) in [(0, LEFT), (1, 700.0), (2, RIGHT)] {
        speak(&mut world, peer, hertz);
    }
    world.run(2 * SECOND);
    let from = world.now;
    let leg = world.leg(1);
    world.command(Command::Close { leg });
    world.run(2 * SECOND);
    assert_eq!([world.shards[0].legs(), world.shards[1].legs()], [2, 0]);
    assert_gapless(&world, 0, from, "left");
    assert_hears(&world, 0, from + SECOND, RIGHT, "left");
    let reports = world
        .events
        .iter()
        .filter(|(_, event)| matches!(event, Event::Report { last: true, .. }));
    assert_eq!(reports.count(), 1);
}

#[test]
fn what_a_dead_shard_would_have_said_is_not_missed() {
    let mut world = world(13, &[PCMU, OPUS, PCMU]);
    world.bridge_as(&[(0, Role::Party), (1, Role::Party), (2, Role::Party)]);
    speak(&mut world, 0, LEFT);
    speak(&mut world, 2, RIGHT);
    world.run(SECOND);
    world.dead = Some(1);
    let from = world.now;
    world.run(2 * SECOND);
    assert_gapless(&world, 0, from, "left");
    world.bridge(0, 2);
    world.run(2 * SECOND);
    assert_hears(&world, 0, world.now - SECOND, RIGHT, "left");
}
