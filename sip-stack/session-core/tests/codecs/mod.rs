//! Codecs of the two legs of a call: wideband where both have it, and the same where that saves a conversion.

use media_core::control::{Command, LegId};
use media_core::negotiated::Codec::{self, G722, Opus, Pcma, Pcmu};

use super::minute;
use super::world::{CALLEE, CALLER, GATEWAY, Network, World};

/// Codec that the gateway sends a leg.
fn codec(world: &World, leg: LegId) -> Option<Codec> {
    let connected = |command: &Command| matches!(command, Command::Connect { leg: of, .. } if *of == leg);
    match world.last_command(GATEWAY, connected) {
        Some(Command::Connect { media, .. }) => media.audio().map(|audio| audio.send.1),
        _ => None,
    }
}

/// A call of a caller who offers these codecs, to a callee who speaks PCMU.
fn called(seed: u64, codecs: &[Codec]) -> World {
    let mut world = World::new(seed, Network::perfect());
    world.speak(&[G722, Pcmu, Pcma, Opus]);
    world.caller_codecs = codecs.to_vec();
    world.call();
    world.run_until(minute(), |w| w.answered == 1);
    world
}

fn over(mut world: World) {
    world.hangup(CALLER);
    world.run(minute());
    world.assert_empty();
}

#[test]
fn the_callee_is_offered_first_what_suits_the_codec_of_the_caller() {
    for (seed, offered, passed_on) in [
        (1, &[Pcma, G722][..], [9, 0, 8, 111, 101, 110]),
        (2, &[Pcma, Pcmu], [0, 8, 9, 111, 101, 110]),
        (3, &[Opus], [111, 9, 0, 8, 101, 110]),
    ] {
        let world = called(seed, offered);
        assert_eq!(world.offered(CALLEE), passed_on, "{offered:?}");
        over(world);
    }
}

#[test]
fn codecs_that_a_trunk_has_of_its_own_stay_in_their_order() {
    let mut world = World::new(7, Network::perfect());
    world.speak_with_callee(&[Opus, Pcmu, Pcma]);
    world.call();
    world.run_until(minute(), |w| w.answered == 1);
    assert_eq!(world.offered(CALLEE), [111, 0, 8, 101, 110]);
    over(world);
}

#[test]
fn a_caller_is_answered_with_wideband_where_the_callee_has_it_or_nothing_else_will_do() {
    let codecs = |world: &World| world.legs(GATEWAY).map(|leg| codec(world, leg.expect("a leg")));
    // The callee took PCMU: the same for the caller is passed on as it is.
    let world = called(4, &[G722, Pcmu]);
    assert_eq!(codecs(&world), [Some(Pcmu), Some(Pcmu)]);
    over(world);
    let world = called(5, &[G722]);
    assert_eq!(codecs(&world), [Some(G722), Some(Pcmu)]);
    over(world);
    // A phone with Opus alone.
    let world = called(6, &[Opus]);
    assert_eq!(codecs(&world), [Some(Opus), Some(Pcmu)]);
    over(world);
}
