//! The gateway dies while callers wait, and goes on with them.

use std::time::Duration;

use media_core::control::{Application, Command};
use media_core::negotiated::{Direction, Transport};
use session_core::{Cause, Event, Invitation, LegId, Party, SavedLeg, SessionId};
use sip_core::message::StatusCode;

use crate::world::{CALLEE, CALLER, GATEWAY, Network, World};

fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// A waiting caller, and the saved leg.
fn waiting(world: &mut World) -> (LegId, SavedLeg) {
    world.centre = true;
    world.call();
    world.run_until(secs(60), |w| w.count(GATEWAY, is_answered) == 1);
    let leg = world.legs(GATEWAY)[0].expect("a caller");
    let saved = world.verb(GATEWAY, |c, _| c.save(leg)).expect("answered");
    (leg, saved)
}

fn is_answered(event: &Event) -> bool {
    matches!(event, Event::Answered { .. })
}

fn is_restored(event: &Event) -> bool {
    matches!(event, Event::Restored { .. })
}

fn restore(world: &mut World, saved: &SavedLeg) -> (SessionId, LegId) {
    world
        .verb(GATEWAY, |c, now| c.restore(now, saved, Some(Application::Music)))
        .expect("restored")
}

/// Direction of audio on a leg.
fn direction(world: &World, leg: LegId) -> Direction {
    let connected = world.last_command(
        GATEWAY,
        |c| matches!(c, Command::Connect { leg: l, .. } if *l == leg),
    );
    match connected {
        Some(Command::Connect { media, .. }) => media.streams[0].direction,
        _ => panic!("no media"),
    }
}

fn all_gone(world: &mut World) {
    world.run(secs(100));
    world.assert_empty();
}

#[test]
fn a_caller_who_waits_hears_music_again_and_is_connected() {
    let mut world = World::new(1, Network::perfect());
    let (_, saved) = waiting(&mut world);
    world.crash(GATEWAY);
    world.run(secs(3));
    let (session, leg) = restore(&mut world, &saved);
    world.run(secs(1));
    assert_eq!(world.count(GATEWAY, is_restored), 1);
    let connected = world.last_command(
        GATEWAY,
        |c| matches!(c, Command::Connect { leg: l, .. } if *l == leg),
    );
    let Some(Command::Connect { media, .. }) = connected else {
        panic!("no media")
    };
    assert!(matches!(media.transport, Transport::Rtp { remote: Some(_), .. }));
    let played = world.last_command(
        GATEWAY,
        |c| matches!(c, Command::Play { leg: l, .. } if *l == leg),
    );
    assert!(matches!(
        played,
        Some(Command::Play {
            application: Some(Application::Music),
            ..
        })
    ));

    let invitation = Invitation {
        party: Party::Trunk {
            name: "right".into(),
            number: "777".into(),
        },
        caller: None,
        ring_timeout: secs(30),
        headers: Vec::new(),
        diverted: Vec::new(),
    };
    world
        .verb(GATEWAY, |c, now| c.invite(now, session, invitation))
        .expect("invited");
    world.run(secs(2));
    let agent = world.events(GATEWAY).iter().find_map(|event| match event {
        Event::InvitationAnswered { leg, .. } => Some(*leg),
        _ => None,
    });
    let agent = agent.expect("answered");
    world.verb(GATEWAY, |c, now| c.admit_leg(now, session, agent));
    world.run(secs(1));
    assert_eq!(world.bridges(GATEWAY), 1);
    world.hangup(CALLER);
    all_gone(&mut world);
    let ended = world.ended(GATEWAY);
    assert_eq!((ended[0].cause, ended[0].code), (Cause::Caller, StatusCode::OK));
    assert_eq!(ended[0].from, "alice");
    assert_eq!(ended[0].to, "5551234");
    assert_eq!(world.ended(CALLER).len(), 1);
    assert_eq!(world.ended(CALLEE).len(), 1);
}

#[test]
fn who_hung_up_meanwhile_is_gone() {
    let mut world = World::new(2, Network::perfect());
    let (_, saved) = waiting(&mut world);
    world.crash(GATEWAY);
    world.cut_off = Some(GATEWAY);
    world.hangup(CALLER);
    world.run(secs(60));
    world.cut_off = None;
    restore(&mut world, &saved);
    world.run(secs(1));
    assert_eq!(world.count(GATEWAY, is_restored), 0);
    assert_eq!(world.ended(GATEWAY).len(), 1);
    all_gone(&mut world);
}

#[test]
fn a_call_that_cannot_go_on_is_ended_with_bye() {
    let mut world = World::new(3, Network::perfect());
    let (_, saved) = waiting(&mut world);
    world.crash(GATEWAY);
    let (session, _) = restore(&mut world, &saved);
    world.verb(GATEWAY, |c, now| c.terminate_session(now, session));
    world.run(secs(1));
    assert_eq!(world.ended(CALLER).len(), 1);
    all_gone(&mut world);
}

#[test]
fn a_caller_is_restored_once_and_again_after_the_next_crash() {
    let mut world = World::new(4, Network::perfect());
    let (_, saved) = waiting(&mut world);
    let mut saved = saved;
    for _ in 0..3 {
        world.crash(GATEWAY);
        let (_, leg) = restore(&mut world, &saved);
        assert!(
            world
                .verb(GATEWAY, |c, now| c.restore(now, &saved, None))
                .is_none()
        );
        world.run(secs(1));
        assert_eq!(world.count(GATEWAY, is_restored), 1);
        let changed = world.count(
            GATEWAY,
            |e| matches!(e, Event::Changed { leg: l, .. } if *l == leg),
        );
        assert_eq!(changed, 1, "what is kept is another one now");
        let next = world.verb(GATEWAY, |c, _| c.save(leg)).expect("still there");
        assert_ne!(next, saved);
        saved = next;
    }
    world.hangup(CALLER);
    all_gone(&mut world);
}

#[test]
fn a_caller_who_moved_before_the_crash_is_found_where_they_are() {
    let mut world = World::new(5, Network::perfect());
    let (leg, _) = waiting(&mut world);
    world.hold(CALLER, true);
    world.run(secs(1));
    assert_eq!(
        world.count(
            GATEWAY,
            |e| matches!(e, Event::Changed { leg: l, .. } if *l == leg)
        ),
        1
    );
    let saved = world.verb(GATEWAY, |c, _| c.save(leg)).expect("still there");
    world.crash(GATEWAY);
    let (_, leg) = restore(&mut world, &saved);
    world.run(secs(1));
    assert_eq!(world.count(GATEWAY, is_restored), 1);
    // The gateway's offer does not end the caller's hold.
    assert_eq!(direction(&world, leg), Direction::RecvOnly);
    world.hold(CALLER, false);
    world.run(secs(1));
    assert_eq!(direction(&world, leg), Direction::SendRecv);
    world.hangup(CALLER);
    all_gone(&mut world);
}

#[test]
fn a_stranger_changes_nothing_of_a_call_that_goes_on() {
    let mut world = World::new(6, Network::perfect());
    let (_, saved) = waiting(&mut world);
    world.crash(GATEWAY);
    restore(&mut world, &saved);
    world.run(secs(1));
    let dialog = &saved.dialog;
    // With both tags, as whoever reads the network knows them.
    let update = format!(
        "UPDATE sip:gw@192.0.2.11 SIP/2.0\r\nVia: SIP/2.0/UDP 198.51.100.66;branch=z9hG4bKs\r\nMax-Forwards: 70\r\n\
         From: <sip:alice@192.0.2.10>;tag={}\r\nTo: <sip:5551234@192.0.2.11>;tag={}\r\nCall-ID: {}\r\nCSeq: 9000 UPDATE\r\n\
         Contact: <sip:s@198.51.100.66>\r\nContent-Length: 0\r\n\r\n",
        dialog.remote_tag.as_deref().expect("a tag"),
        dialog.local_tag,
        dialog.call_id
    );
    let answers = world.exchange(GATEWAY, "198.51.100.66:5060".parse().unwrap(), update);
    assert!(
        answers.iter().any(|answer| answer.starts_with(b"SIP/2.0 403")),
        "{answers:?}"
    );
    world.hangup(CALLER);
    all_gone(&mut world);
}

#[test]
fn whatever_is_lost_a_call_goes_on_or_ends_and_nothing_is_left() {
    let mut restored = 0;
    for seed in 0..300 {
        let mut world = World::new(seed, Network::perfect());
        let (_, saved) = waiting(&mut world);
        world.degrade(
            seed,
            Network {
                loss: 20,
                duplicate: 10,
                jitter: Duration::from_millis(300),
            },
        );
        world.run(Duration::from_millis(seed * 7));
        world.crash(GATEWAY);
        restore(&mut world, &saved);
        if seed % 3 == 0 {
            // The caller hangs up while it is asked.
            world.run(Duration::from_millis(seed));
            world.hangup(CALLER);
        }
        world.run(secs(40));
        restored += world.count(GATEWAY, is_restored);
        world.hangup(CALLER);
        world.run(secs(200));
        assert_eq!(world.ended(GATEWAY).len(), 1, "seed {seed}");
        assert_eq!(world.ended(CALLER).len(), 1, "seed {seed}");
        world.assert_empty();
    }
    assert!(restored > 200, "{restored}");
}
