//! Whole calls between three coordinators (a caller, the gateway, a callee) over a seeded network on a virtual clock. Media
//! shards stand aside: their commands are recorded, and answered as a shard answers them.

mod access;
mod asked;
mod bridges;
mod carried;
mod centre;
mod codecs;
mod emergency;
mod failover;
mod instant;
mod joining;
mod late_offer;
mod passing;
mod registration;
mod replaces;
mod restore;
mod silence;
mod srtp;
mod stir;
mod strangers;
mod targets;
mod transfer;
mod upstream;
mod watching;
mod world;

use std::time::Duration;

use media_core::control::{Application, Command, Event as MediaEvent, StreamIndex};
use sans_io::Time;
use session_core::{Cause, Event};
use sip_core::message::StatusCode;
use world::{CALLEE, CALLER, GATEWAY, Network, World};

fn minute() -> Duration {
    Duration::from_secs(60)
}

#[test]
fn a_call_is_bridged_and_ends_with_its_record() {
    let mut world = World::new(1, Network::perfect());
    world.call();
    world.run_until(minute(), |w| w.answered == 1);
    assert_eq!(world.bridges(GATEWAY), 1);
    let session = world.sessions(GATEWAY)[0];
    world.hangup(CALLER);
    world.run(minute());
    let ended = world.ended(GATEWAY);
    assert_eq!(ended.len(), 1);
    assert_eq!(
        (ended[0].session, ended[0].cause, ended[0].code),
        (session, Cause::Caller, StatusCode::OK)
    );
    assert_eq!(ended[0].legs.len(), 2);
    assert!(ended[0].answered.is_some());
    world.assert_empty();
}

#[test]
fn the_callee_hangs_up() {
    let mut world = World::new(2, Network::perfect());
    world.call();
    world.run_until(minute(), |w| w.answered == 1);
    world.hangup(CALLEE);
    world.run(minute());
    assert_eq!(world.ended(GATEWAY)[0].cause, Cause::Callee);
    assert_eq!(world.ended(CALLER).len(), 1);
    world.assert_empty();
}

#[test]
fn cancel_while_ringing_ends_both_sides() {
    let mut world = World::new(3, Network::perfect());
    world.callee_answers = false;
    world.call();
    world.run_until(minute(), |w| w.rings > 0);
    world.hangup(CALLER);
    world.run(minute());
    let ended = world.ended(GATEWAY);
    assert_eq!(
        (ended[0].cause, ended[0].code, ended[0].answered),
        (Cause::Caller, StatusCode::REQUEST_TERMINATED, None)
    );
    assert_eq!(world.ended(CALLEE)[0].code, StatusCode::REQUEST_TERMINATED);
    world.assert_empty();
}

#[test]
fn busy_reaches_the_caller_as_busy() {
    let mut world = World::new(4, Network::perfect());
    world.callee_rejects = Some(StatusCode::BUSY_HERE);
    world.call();
    world.run(minute());
    assert_eq!(world.ended(GATEWAY)[0].code, StatusCode::BUSY_HERE);
    assert_eq!(
        (world.ended(CALLER)[0].cause, world.ended(CALLER)[0].code),
        (Cause::Refused, StatusCode::BUSY_HERE)
    );
    world.assert_empty();
}

#[test]
fn nobody_answers_within_the_ring_timeout() {
    let mut world = World::new(5, Network::perfect());
    world.callee_answers = false;
    world.call();
    world.run(Duration::from_secs(120));
    assert_eq!(world.ended(CALLER)[0].code, StatusCode::TEMPORARILY_UNAVAILABLE);
    world.assert_empty();
}

#[test]
fn hold_by_the_callers_side_plays_music_to_the_callee_and_resume_bridges_again() {
    let mut world = World::new(6, Network::perfect());
    world.call();
    world.run_until(minute(), |w| w.answered == 1);
    let callee = world.legs(GATEWAY)[1].expect("answered");
    let caller = world.legs(GATEWAY)[0].expect("caller");
    world.media(
        GATEWAY,
        MediaEvent::Talking {
            leg: caller,
            stream: StreamIndex::FIRST,
        },
    );
    world.hold(CALLER, true);
    world.run(Duration::from_secs(2));
    // A phone that holds with sendonly brings its own music: the gateway lets it through.
    assert_eq!(world.bridges(GATEWAY), 1);
    world.gateway_hold(true);
    world.run(Duration::from_secs(2));
    assert!(matches!(
        world.last_command(
            GATEWAY,
            |c| matches!(c, Command::Play { leg, .. } if *leg == callee)
        ),
        Some(Command::Play {
            application: Some(_),
            ..
        })
    ));
    world.gateway_hold(false);
    world.hold(CALLER, false);
    world.run(Duration::from_secs(2));
    assert_eq!(world.bridges(GATEWAY), 2);
    world.hangup(CALLER);
    world.run(minute());
    world.assert_empty();
}

#[test]
fn who_is_held_by_a_phone_that_sends_nothing_hears_our_music_until_it_sends() {
    let mut world = World::new(6, Network::perfect());
    world.call();
    world.run_until(minute(), |w| w.answered == 1);
    let [caller, callee] = world.legs(GATEWAY).map(|leg| leg.expect("a leg"));
    let flow = |world: &mut World, flowing| {
        world.media(
            GATEWAY,
            MediaEvent::Flow {
                leg: caller,
                stream: StreamIndex::FIRST,
                flowing,
            },
        );
        world.run(Duration::from_secs(2));
    };
    let music = |world: &World| {
        let last = world.last_command(GATEWAY, |c| {
            matches!(c, Command::Bridge { .. }) || matches!(c, Command::Play { leg, .. } if *leg == callee)
        });
        matches!(
            last,
            Some(Command::Play {
                application: Some(Application::Music),
                ..
            })
        )
    };
    world.media(
        GATEWAY,
        MediaEvent::Talking {
            leg: caller,
            stream: StreamIndex::FIRST,
        },
    );
    world.hold(CALLER, true);
    world.run(Duration::from_secs(2));
    assert!(!music(&world), "it still sends");
    flow(&mut world, false);
    assert!(music(&world));
    flow(&mut world, true);
    assert!(!music(&world), "it brings its own");
    flow(&mut world, false);
    assert!(!music(&world), "which pauses");
    world.hold(CALLER, false);
    world.run(Duration::from_secs(2));
    assert!(!music(&world));
    world.hold(CALLER, true);
    world.run(Duration::from_secs(2));
    assert!(music(&world), "held again, without a packet");
    world.hangup(CALLER);
    world.run(minute());
    world.assert_empty();
}

#[test]
fn a_caller_is_vouched_for_by_its_ack_and_a_callee_by_its_answer() {
    let mut world = World::new(8, Network::perfect());
    world.call();
    world.run_until(minute(), |w| w.answered == 1);
    world.run(Duration::from_secs(2));
    let [caller, callee] = world.legs(GATEWAY).map(|leg| leg.expect("a leg"));
    let said = |world: &World, of| {
        let vouched = world
            .commands(GATEWAY)
            .iter()
            .filter_map(|command| match command {
                Command::Vouch { leg, host, reached } if *leg == of => Some((*host, *reached)),
                _ => None,
            });
        vouched.collect::<Vec<_>>()
    };
    let at = |node: u8| Some([192, 0, 2, 10 + node].into());
    let [.., answered, acknowledged] = said(&world, caller)[..] else {
        panic!("{:?}", said(&world, caller));
    };
    assert_eq!(answered, (at(CALLER as u8), false), "between our 200 and the ACK");
    assert_eq!(acknowledged, (at(CALLER as u8), true));
    let said = said(&world, callee);
    assert!(
        !said.is_empty() && said.iter().all(|(_, reached)| *reached),
        "whom we called answered: {said:?}"
    );
}

#[test]
fn a_digit_is_told_to_the_application_once() {
    let mut world = World::new(7, Network::perfect());
    world.call();
    world.run_until(minute(), |w| w.answered == 1);
    let caller = world.legs(GATEWAY)[0].expect("caller");
    world.media(
        GATEWAY,
        MediaEvent::Dtmf {
            leg: caller,
            stream: StreamIndex::FIRST,
            digit: b'5',
            duration_ms: 100,
        },
    );
    world.run(Duration::from_secs(1));
    let heard = world.count(GATEWAY, |e| matches!(e, Event::Dtmf { digit: '5', .. }));
    assert_eq!(heard, 1);
    world.hangup(CALLER);
    world.run(minute());
    world.assert_empty();
}

#[test]
fn a_port_that_cannot_be_had_refuses_the_call() {
    let mut world = World::new(8, Network::perfect());
    world.no_ports = true;
    world.call();
    world.run(minute());
    assert_eq!(world.ended(CALLER)[0].code, StatusCode::SERVICE_UNAVAILABLE);
    world.assert_empty();
}

#[test]
fn hundreds_of_calls_over_a_bad_network_all_end_and_leave_nothing() {
    let mut bridged = 0;
    for seed in 0..300 {
        let mut world = World::new(
            seed,
            Network {
                loss: 20,
                duplicate: 10,
                jitter: Duration::from_millis(80),
            },
        );
        world.callee_rejects = (seed % 7 == 0).then_some(StatusCode::BUSY_HERE);
        world.callee_answers = seed % 5 != 0;
        world.call();
        let patience = Duration::from_secs(1 + seed % 20);
        world.run(patience);
        bridged += world.bridges(GATEWAY).min(1);
        world.hangup(if seed % 2 == 0 { CALLER } else { CALLEE });
        world.run(Duration::from_secs(400));
        for who in [CALLER, GATEWAY, CALLEE] {
            let ended = world.ended(who).len();
            assert!(
                ended <= 1 && world.incoming(who) <= 1 || who == CALLEE,
                "seed {seed}: {who} ended {ended}"
            );
        }
        assert_eq!(world.ended(CALLER).len(), 1, "seed {seed}");
        world.assert_empty();
    }
    assert!(bridged > 150, "{bridged} of 300 were bridged");
}

#[test]
fn the_same_seed_is_the_same_run() {
    let trace = |seed| {
        let mut world = World::new(
            seed,
            Network {
                loss: 30,
                duplicate: 5,
                jitter: Duration::from_millis(50),
            },
        );
        world.call();
        world.run(Duration::from_secs(5));
        world.hangup(CALLEE);
        world.run(Duration::from_secs(200));
        (world.now, world.packets, world.digest)
    };
    assert_eq!(trace(42), trace(42));
    assert_ne!(trace(42).2, trace(43).2);
    assert!(trace(42).0 > Time::ZERO);
}
