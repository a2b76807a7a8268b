//! Reports of who speaks, for legs that are asked about.

use std::time::Duration;

use super::world::World;
use crate::control::{Command, Event, LegId, Role};
use crate::negotiated::Codec;

const SECOND: Duration = Duration::from_secs(1);

fn watch(world: &mut World, peer: usize, on: bool) {
    let leg = world.leg(peer);
    world.command(Command::WatchSpeech { leg, on });
}

fn changes(world: &World) -> Vec<(LegId, bool)> {
    let changes = world.events.iter().filter_map(|(_, event)| match event {
        Event::Speaking { leg, speaking } => Some((*leg, *speaking)),
        _ => None,
    });
    changes.collect()
}

/// One speaks for a second and is silent for two: by DTX it sends nothing, or comfort noise.
fn speak(world: &mut World, peer: usize, noise: bool) {
    let now = world.now;
    world.peers[peer].speak(now, 440.0, -20.0);
    world.run(SECOND);
    world.peers[peer].hush();
    if noise {
        let now = world.now;
        world.peers[peer].speak(now, 440.0, -70.0);
    }
    world.run(2 * SECOND);
}

#[test]
fn speech_is_reported_however_the_leg_is_bridged() {
    for (left, right) in [
        (Codec::Opus, Codec::Opus),
        (Codec::Pcmu, Codec::Pcmu),
        (Codec::Opus, Codec::Pcma),
    ] {
        for third in [false, true] {
            for noise in [false, true] {
                let mut world = World::new(61);
                let mut peers = vec![world.browser(left), world.phone(right)];
                if third {
                    peers.push(world.phone(Codec::Pcmu));
                }
                let parties: Vec<_> = peers.iter().map(|peer| (*peer, Role::Party)).collect();
                world.bridge_as(&parties);
                watch(&mut world, peers[0], true);
                watch(&mut world, peers[1], true);
                speak(&mut world, peers[0], noise);
                let (a, b) = (world.leg(peers[0]), world.leg(peers[1]));
                assert_eq!(
                    changes(&world),
                    [(a, true), (a, false)],
                    "{left:?} {third} {noise}"
                );
                speak(&mut world, peers[1], noise);
                assert_eq!(
                    changes(&world)[2..],
                    [(b, true), (b, false)],
                    "{right:?} {third} {noise}"
                );
            }
        }
    }
}

#[test]
fn nothing_is_reported_unasked_or_any_longer() {
    let mut world = World::new(62);
    let (a, b) = (world.browser(Codec::Opus), world.phone(Codec::Pcmu));
    world.bridge(a, b);
    speak(&mut world, a, false);
    watch(&mut world, a, true);
    watch(&mut world, a, false);
    speak(&mut world, a, false);
    assert_eq!(changes(&world), []);
}

#[test]
fn a_leg_of_another_shard_reports_once() {
    let mut world = World::with_shards(63, 2);
    let (a, b) = (world.browser(Codec::Opus), world.phone(Codec::Pcmu));
    world.bridge(a, b);
    watch(&mut world, b, true);
    speak(&mut world, b, true);
    let leg = world.leg(b);
    assert_eq!(changes(&world), [(leg, true), (leg, false)]);
}
