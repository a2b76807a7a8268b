//! Silent phones: asked for a sign of life, and ended if there is none.

use std::time::Duration;

use media_core::control::Event as MediaEvent;
use session_core::{Cause, Event, LegId};
use sip_core::message::StatusCode;

use crate::world::{CALLEE, CALLER, GATEWAY, Network, World};

fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// A call of two by way of the gateway, or of one whom the gateway keeps; and the gateway's legs.
fn up(centre: bool) -> (World, [Option<LegId>; 2]) {
    let mut world = World::new(91, Network::perfect());
    world.centre = centre;
    world.call();
    world.run(secs(2));
    let legs = world.legs(GATEWAY);
    (world, legs)
}

fn silent(world: &mut World, leg: Option<LegId>, silent: bool) {
    let leg = leg.expect("a leg");
    world.media(GATEWAY, MediaEvent::Silent { leg, silent });
}

fn present(world: &World) -> usize {
    world.count(GATEWAY, |e| matches!(e, Event::Present { .. }))
}

#[test]
fn a_call_whose_far_end_lost_its_power_ends_for_both() {
    let (mut world, [_, callee]) = up(false);
    world.cut_off = Some(CALLEE);
    // The shard says so after ten seconds.
    silent(&mut world, callee, true);
    world.run(secs(49));
    assert_eq!(world.sessions(GATEWAY).len(), 1);
    world.run(secs(20));
    let ended = world.ended(GATEWAY);
    assert_eq!(
        (ended.len(), ended[0].cause, ended[0].code),
        (1, Cause::Lost, StatusCode::REQUEST_TIMEOUT)
    );
    let answered = world.ended(CALLER);
    assert_eq!((answered.len(), answered[0].cause), (1, Cause::Callee));
    assert_eq!(
        world.reason(CALLER).as_deref(),
        Some("SIP;cause=408;text=\"Media inactivity\"")
    );
}

#[test]
fn a_phone_that_is_muted_or_only_listens_answers_and_stays() {
    let (mut world, [caller, callee]) = up(false);
    silent(&mut world, caller, true);
    silent(&mut world, callee, true);
    world.run(secs(49));
    assert_eq!(present(&world), 0);
    for round in 1..=3 {
        world.run(secs(60));
        assert_eq!((present(&world), world.sessions(GATEWAY).len()), (2 * round, 1));
    }
    // Heard again, it is asked no more.
    silent(&mut world, caller, false);
    silent(&mut world, callee, false);
    world.run(secs(600));
    assert_eq!((present(&world), world.sessions(GATEWAY).len()), (6, 1));
    world.hangup(CALLER);
    world.run(secs(40));
    assert_eq!(world.ended(GATEWAY)[0].cause, Cause::Caller);
    world.run(secs(200));
    world.assert_empty();
}

#[test]
fn a_caller_who_waits_is_asked_before_its_time_and_ends_when_it_is_gone() {
    let (mut world, [caller, _]) = up(true);
    silent(&mut world, caller, true);
    world.verb(GATEWAY, |c, now| c.ask_peer(now, caller.unwrap()));
    world.run(secs(1));
    assert_eq!(present(&world), 1);
    world.cut_off = Some(CALLER);
    world.verb(GATEWAY, |c, now| c.ask_peer(now, caller.unwrap()));
    world.run(secs(9));
    let ended = world.ended(GATEWAY);
    assert_eq!((ended.len(), ended[0].cause), (1, Cause::Lost));
}

#[test]
fn whoever_is_heard_while_the_question_is_out_is_there() {
    let (mut world, [caller, _]) = up(true);
    silent(&mut world, caller, true);
    world.cut_off = Some(CALLER);
    world.verb(GATEWAY, |c, now| c.ask_peer(now, caller.unwrap()));
    world.run(secs(2));
    silent(&mut world, caller, false);
    world.run(secs(20));
    assert_eq!((present(&world), world.sessions(GATEWAY).len()), (1, 1));
}

#[test]
fn legs_of_phones_are_timed_and_their_sessions_last() {
    let (mut world, _) = up(false);
    world.run(secs(20_000));
    assert_eq!(world.sessions(GATEWAY).len(), 1, "both ends answer the refreshes");
    world.cut_off = Some(CALLEE);
    world.run(secs(1_900));
    assert_eq!(world.sessions(GATEWAY).len(), 0, "and one that does not is gone");
    assert_eq!(world.ended(CALLER).len(), 1);
}
