//! Transfers: a user of the gateway talks with somebody and asks, by REFER, to be replaced.

use std::time::Duration;

use media_core::control::{Application, Command};
use session_core::{Cause, Event, LegId, SessionId};
use sip_core::message::StatusCode;
use sip_core::uri::Uri;

use crate::world::{CALLEE, CALLER, GATEWAY, Network, World};

fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

fn number(user: &str) -> Uri {
    Uri::sip(Some(user), "192.0.2.11", None).expect("uri")
}

/// The user talks with the callee. Their leg in their own phone.
fn talking(network: Network) -> (World, LegId) {
    let mut world = World::with_user(1, network);
    world.call();
    world.run_until(secs(30), |w| w.answered == 1);
    world.run(secs(1));
    let leg = world.legs(CALLER)[1].expect("a leg");
    (world, leg)
}

fn refer(world: &mut World, leg: LegId, to: &str) {
    world.verb(CALLER, |c, now| c.refer(now, leg, &number(to), None));
}

/// Statuses that the user was told.
fn answered(world: &World) -> Vec<StatusCode> {
    let codes = world.events(CALLER).iter().filter_map(|event| match event {
        Event::ReferProgress { code, .. } => Some(*code),
        _ => None,
    });
    codes.collect()
}

/// Calls that rang at the callee, oldest first.
fn rang(world: &World) -> Vec<(SessionId, LegId)> {
    let calls = world.events(CALLEE).iter().filter_map(|event| match event {
        Event::Incoming { session, leg, .. } => Some((*session, *leg)),
        _ => None,
    });
    calls.collect()
}

fn last_bridge(world: &World) -> Vec<LegId> {
    let bridges = world.events(GATEWAY).iter().rev().find_map(|event| match event {
        Event::Bridged { legs, .. } => Some(legs.clone()),
        _ => None,
    });
    bridges.unwrap_or_default()
}

fn hears_music(world: &World, leg: LegId) -> bool {
    matches!(
        world.last_command(
            GATEWAY,
            |c| matches!(c, Command::Play { leg: of, .. } if *of == leg)
        ),
        Some(Command::Play {
            application: Some(Application::Music),
            ..
        })
    )
}

fn all_gone(world: &mut World) {
    for node in [CALLEE, CALLER] {
        world.hangup(node);
    }
    world.run(secs(100));
    world.assert_empty();
}

#[test]
fn blind_the_target_takes_the_place_of_who_asked() {
    let (mut world, leg) = talking(Network::perfect());
    let [user, party] = world.legs(GATEWAY).map(|leg| leg.expect("two"));
    world.callee_answers = false;
    refer(&mut world, leg, "777");
    world.run(secs(3));
    assert_eq!(answered(&world), [StatusCode::TRYING, StatusCode::RINGING]);
    assert!(hears_music(&world, party));
    assert!(!hears_music(&world, user));
    let target = rang(&world)[1].1;
    world.verb(CALLEE, |c, now| c.answer(now, target, Some(Application::Echo)));
    world.run(Duration::from_millis(500));
    assert_eq!(
        answered(&world),
        [StatusCode::TRYING, StatusCode::RINGING, StatusCode::OK]
    );
    let bridge = last_bridge(&world);
    assert!(bridge.contains(&party) && bridge.len() == 2 && !bridge.contains(&user));
    assert!(
        world.ended(CALLER).is_empty(),
        "who was replaced may hang up by itself"
    );
    world.run(secs(1));
    assert_eq!(world.ended(CALLER).len(), 1, "and is hung up when it does not");
    assert!(world.ended(GATEWAY).is_empty());
    all_gone(&mut world);
    assert_eq!(world.ended(GATEWAY)[0].legs.len(), 3);
}

/// A PBX as a trunk transfers its callers, where the trunk is told to be one that may.
#[test]
fn a_trunk_transfers_where_it_may() {
    for may in [false, true] {
        let mut world = World::new(1, Network::perfect());
        if may {
            world.let_transfer("left");
        }
        world.call();
        world.run_until(secs(30), |w| w.answered == 1);
        world.run(secs(1));
        let leg = world.legs(CALLER)[1].expect("a leg");
        let [trunk, party] = world.legs(GATEWAY).map(|leg| leg.expect("two"));
        refer(&mut world, leg, "777");
        world.run(secs(3));
        if !may {
            assert_eq!(answered(&world), [StatusCode::FORBIDDEN]);
            assert_eq!(rang(&world).len(), 1);
            all_gone(&mut world);
            continue;
        }
        assert_eq!(answered(&world).last(), Some(&StatusCode::OK));
        let bridge = last_bridge(&world);
        assert!(bridge.contains(&party) && bridge.len() == 2 && !bridge.contains(&trunk));
        world.run(secs(2));
        all_gone(&mut world);
    }
}

#[test]
fn blind_to_somebody_busy_leaves_everything_as_it_was() {
    let (mut world, leg) = talking(Network::perfect());
    let before = last_bridge(&world);
    world.callee_rejects = Some(StatusCode::BUSY_HERE);
    refer(&mut world, leg, "777");
    world.run(secs(3));
    assert_eq!(answered(&world).last(), Some(&StatusCode::BUSY_HERE));
    assert_eq!(last_bridge(&world), before);
    assert!(world.ended(CALLER).is_empty());
    // And once more, to somebody who answers.
    world.callee_rejects = None;
    refer(&mut world, leg, "777");
    world.run(secs(5));
    assert_eq!(answered(&world).last(), Some(&StatusCode::OK));
    all_gone(&mut world);
}

#[test]
fn blind_to_nobody_is_told_with_its_own_code() {
    for (to, code) in [
        ("nobody", StatusCode::NOT_FOUND),
        ("absent", StatusCode::TEMPORARILY_UNAVAILABLE),
    ] {
        let (mut world, leg) = talking(Network::perfect());
        let before = last_bridge(&world);
        refer(&mut world, leg, to);
        world.run(secs(3));
        assert_eq!(answered(&world), [StatusCode::TRYING, code]);
        assert_eq!(last_bridge(&world), before);
        all_gone(&mut world);
    }
}

#[test]
fn nobody_answers_the_transfer() {
    let (mut world, leg) = talking(Network::perfect());
    world.callee_answers = false;
    refer(&mut world, leg, "777");
    world.run(secs(60));
    assert_eq!(
        answered(&world).last(),
        Some(&StatusCode::TEMPORARILY_UNAVAILABLE)
    );
    assert!(world.ended(CALLER).is_empty());
    all_gone(&mut world);
}

#[test]
fn a_transfer_goes_on_when_who_asked_hangs_up() {
    for answers in [true, false] {
        let (mut world, leg) = talking(Network::perfect());
        let party = world.legs(GATEWAY)[1].expect("the callee");
        world.callee_answers = false;
        refer(&mut world, leg, "777");
        world.run(secs(2));
        world.hangup(CALLER);
        world.run(secs(2));
        assert_eq!(world.stats(GATEWAY).legs, 2);
        assert!(hears_music(&world, party));
        if answers {
            let target = rang(&world)[1].1;
            world.verb(CALLEE, |c, now| c.answer(now, target, None));
            world.run(secs(60));
            assert_eq!(last_bridge(&world).len(), 2);
            assert!(last_bridge(&world).contains(&party));
        } else {
            world.run(secs(60));
            assert_eq!(world.stats(GATEWAY).sessions, 0, "nobody is left to talk with");
            let record = world.ended(GATEWAY)[0];
            assert_eq!(
                (record.cause, record.code),
                (Cause::Local, StatusCode::OK),
                "it had been answered"
            );
        }
        all_gone(&mut world);
    }
}

#[test]
fn the_party_hangs_up_while_the_target_rings() {
    let (mut world, leg) = talking(Network::perfect());
    world.callee_answers = false;
    refer(&mut world, leg, "777");
    world.run(secs(2));
    let first = rang(&world)[0].0;
    world.verb(CALLEE, |c, now| c.terminate_session(now, first));
    world.run(secs(5));
    assert_eq!(world.ended(CALLEE).len(), 2, "the target rings no longer");
    assert_eq!(
        answered(&world),
        [
            StatusCode::TRYING,
            StatusCode::RINGING,
            StatusCode::REQUEST_TERMINATED
        ]
    );
    assert_eq!(world.ended(CALLER).len(), 1);
    world.run(secs(100));
    world.assert_empty();
}

/// The user has two calls: their legs in their own phone.
fn two_calls() -> (World, LegId, LegId) {
    let (mut world, first) = talking(Network::perfect());
    world.call();
    world.run_until(secs(30), |w| w.answered == 2);
    world.run(secs(1));
    let session = world.sessions(CALLER)[1];
    let second = world.verb(CALLER, |c, _| c.legs(session))[1].expect("a leg");
    (world, first, second)
}

#[test]
fn attended_the_two_parties_hear_each_other_and_both_legs_of_who_asked_end() {
    let (mut world, first, second) = two_calls();
    assert_eq!(world.stats(GATEWAY).sessions, 2);
    world.verb(CALLER, |c, now| c.refer(now, first, &number("777"), Some(second)));
    world.run(secs(5));
    assert_eq!(answered(&world), [StatusCode::TRYING, StatusCode::OK]);
    assert_eq!(world.ended(CALLER).len(), 2);
    assert_eq!((world.stats(GATEWAY).sessions, world.stats(GATEWAY).legs), (1, 2));
    assert_eq!(last_bridge(&world).len(), 2);
    all_gone(&mut world);
    assert_eq!(world.ended(GATEWAY)[0].legs.len(), 4);
}

#[test]
fn a_call_of_somebody_else_cannot_be_taken() {
    let theirs = |world: &World| {
        let dialogs = world.dialogs.iter();
        let dialog = dialogs.rev().find(|dialog| dialog.between == (CALLEE, GATEWAY));
        dialog.cloned().expect("a dialog of the callee")
    };
    let forged = |world: &World, n: u32| {
        let own = world.dialogs.iter().rev();
        let mut own = own
            .clone()
            .find(|dialog| dialog.between == (GATEWAY, CALLER))
            .cloned()
            .expect("a dialog of the user");
        match n {
            0 => return theirs(world),
            1 => own.to_tag = "f00".into(),
            2 => own.from_tag = "f00".into(),
            _ => own.call_id.push('x'),
        }
        own
    };
    for n in 0..4 {
        let (mut world, first, second) = two_calls();
        world.forged = Some(forged(&world, n));
        world.verb(CALLER, |c, now| c.refer(now, first, &number("777"), Some(second)));
        world.run(secs(5));
        assert_eq!(answered(&world), [StatusCode::DECLINE], "{n}");
        assert_eq!((world.stats(GATEWAY).sessions, world.stats(GATEWAY).legs), (2, 4));
        assert!(world.ended(CALLER).is_empty(), "the calls stand");
        all_gone(&mut world);
    }
}

#[test]
fn the_tags_of_an_own_call_may_stand_either_way_round() {
    let (mut world, first, second) = two_calls();
    let dialogs = world.dialogs.iter().rev();
    let mut own = dialogs
        .clone()
        .find(|dialog| dialog.between == (GATEWAY, CALLER))
        .cloned()
        .expect("a dialog of the user");
    std::mem::swap(&mut own.to_tag, &mut own.from_tag);
    world.forged = Some(own);
    world.verb(CALLER, |c, now| c.refer(now, first, &number("777"), Some(second)));
    world.run(secs(5));
    assert_eq!(answered(&world), [StatusCode::TRYING, StatusCode::OK]);
    all_gone(&mut world);
}

#[test]
fn a_lost_notify_comes_again() {
    let (mut world, leg) = talking(Network::perfect());
    world.lost_notifies = 1;
    refer(&mut world, leg, "777");
    world.run(Duration::from_millis(300));
    assert!(!answered(&world).contains(&StatusCode::TRYING));
    world.lost_notifies = 1;
    world.run(secs(5));
    assert_eq!(
        answered(&world).last(),
        Some(&StatusCode::OK),
        "{:?}",
        answered(&world)
    );
    all_gone(&mut world);
}

#[test]
fn who_asked_vanishes() {
    let (mut world, leg) = talking(Network::perfect());
    world.callee_answers = false;
    refer(&mut world, leg, "777");
    world.run(secs(2));
    world.cut_off = Some(CALLER);
    let target = rang(&world)[1].1;
    world.verb(CALLEE, |c, now| c.answer(now, target, None));
    world.run(secs(60));
    assert_eq!(last_bridge(&world).len(), 2);
    assert_eq!(world.stats(GATEWAY).legs, 2, "the two talk");
    world.cut_off = None;
    all_gone(&mut world);
}

#[test]
fn a_trunk_and_a_phone_of_no_user_have_nobody_called() {
    let mut world = World::new(1, Network::perfect());
    world.call();
    world.run_until(secs(30), |w| w.answered == 1);
    world.run(secs(1));
    let leg = world.legs(CALLER)[1].expect("a leg");
    refer(&mut world, leg, "777");
    world.run(secs(3));
    assert_eq!(answered(&world), [StatusCode::FORBIDDEN]);
    assert_eq!(rang(&world).len(), 1);
    all_gone(&mut world);
}

/// Over a network that loses and reorders, with everybody hanging up at any time.
#[test]
fn whenever_anybody_leaves_nothing_is_left() {
    let (mut done, mut failed) = (0, 0);
    for seed in 0..300_u64 {
        let (mut world, first, second) = if seed % 3 == 0 {
            let (world, first, second) = two_calls();
            (world, first, Some(second))
        } else {
            let (world, first) = talking(Network::perfect());
            (world, first, None)
        };
        world.degrade(
            seed,
            Network {
                loss: 15,
                duplicate: 10,
                jitter: Duration::from_millis(60),
            },
        );
        world.callee_answers = seed % 2 == 0;
        world.callee_rejects = (seed % 7 == 0).then_some(StatusCode::BUSY_HERE);
        world.verb(CALLER, |c, now| c.refer(now, first, &number("777"), second));
        world.run(Duration::from_millis(seed * 37 % 4_000));
        world.hangup(if seed % 5 == 0 { CALLEE } else { CALLER });
        world.run(secs(90));
        for node in [CALLER, CALLEE] {
            world.hangup(node);
        }
        world.run(secs(500));
        world.assert_empty();
        done += world.count(GATEWAY, |e| matches!(e, Event::Transferred { .. }));
        failed += world.count(GATEWAY, |e| matches!(e, Event::TransferFailed { .. }));
    }
    assert!(done > 50 && failed > 20, "{done} done, {failed} failed");
}
