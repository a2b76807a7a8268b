//! Bridges of calls: each call goes on, ends and is recorded by itself.

use std::time::Duration;

use media_core::control::{Application, Command};
use session_core::{
    BridgeError, BridgeEvent, BridgeId, Caller, Event, LegId, OutgoingCall, Party, SessionId,
};

use crate::world::{CALLEE, CALLER, GATEWAY, Network, World};

fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// Calls of the gateway to its two trunks, both answered.
fn two_calls(world: &mut World) -> [SessionId; 2] {
    let made = ["left", "right"].map(|trunk| {
        let call = OutgoingCall {
            party: Party::Trunk {
                name: trunk.into(),
                number: "777".into(),
            },
            caller: Caller::default(),
            ring_timeout: secs(30),
            application: Some(Application::Music),
        };
        world
            .verb(GATEWAY, |c, now| c.create_outgoing_call(now, call))
            .expect("a trunk")
    });
    world.run(secs(2));
    made
}

/// Legs that hear each other now.
fn heard(world: &World) -> Vec<LegId> {
    let last = world.last_command(GATEWAY, |c| {
        matches!(c, Command::Bridge { .. } | Command::Unbridge { .. })
    });
    match last {
        Some(Command::Bridge { members, .. }) => members.iter().map(|member| member.leg).collect(),
        _ => Vec::new(),
    }
}

fn leg_of(world: &mut World, session: SessionId) -> LegId {
    let legs = world.verb(GATEWAY, |c, _| c.legs(session));
    legs.into_iter().flatten().next().expect("a leg")
}

fn changes(world: &World) -> Vec<BridgeEvent> {
    let changes = world.events(GATEWAY).iter().filter_map(|event| match event {
        Event::Bridge(change) => Some(*change),
        _ => None,
    });
    changes.collect()
}

#[test]
fn two_calls_hear_each_other_until_one_ends_and_the_other_hears_its_own_sound_again() {
    let mut world = World::new(1, Network::perfect());
    let [a, b] = two_calls(&mut world);
    let [of_a, of_b] = [a, b].map(|session| leg_of(&mut world, session));
    let bridge = world
        .verb(GATEWAY, |c, now| c.bridge_sessions(now, a, b))
        .expect("two calls");
    assert_eq!(heard(&world), [of_a, of_b]);
    let info = world.verb(GATEWAY, |c, _| c.list_bridges().collect::<Vec<_>>());
    assert_eq!(
        (info[0].id, &info[0].sessions[..], info[0].participant_count),
        (bridge, &[a, b][..], 2)
    );
    assert_eq!(world.verb(GATEWAY, |c, _| c.session_bridge(a)), Some(bridge));

    world.hangup(CALLEE);
    world.run(secs(2));
    assert_eq!(heard(&world), []);
    let plays = world.last_command(GATEWAY, |c| matches!(c, Command::Play { .. }));
    assert!(
        matches!(plays, Some(Command::Play { leg, application: Some(Application::Music) }) if *leg == of_a),
        "{plays:?}"
    );
    assert_eq!(world.ended(GATEWAY).len(), 1, "the other call goes on");
    assert_eq!(world.sessions(GATEWAY), [a]);

    world
        .verb(GATEWAY, |c, _| c.destroy_bridge(bridge))
        .expect("a bridge");
    use BridgeEvent::{Created, Destroyed, Joined, Left};
    assert_eq!(
        changes(&world),
        [
            Created { bridge },
            Joined { bridge, session: a },
            Joined { bridge, session: b },
            Left { bridge, session: b },
            Left { bridge, session: a },
            Destroyed { bridge },
        ]
    );
    world.hangup(CALLER);
    world.run(secs(60));
    world.assert_empty();
}

#[test]
fn whoever_is_held_is_not_heard_and_whoever_is_taken_out_goes_on() {
    let mut world = World::new(2, Network::perfect());
    let [a, b] = two_calls(&mut world);
    let [of_a, of_b] = [a, b].map(|session| leg_of(&mut world, session));
    let bridge = world.verb(GATEWAY, |c, now| c.create_bridge(now));
    for session in [a, b] {
        world
            .verb(GATEWAY, |c, _| c.add_session_to_bridge(bridge, session))
            .expect("room for all");
    }
    world.verb(GATEWAY, |c, now| c.hold(now, of_b));
    world.run(secs(1));
    assert_eq!(heard(&world), [], "nobody is left to hear");
    world.verb(GATEWAY, |c, now| c.resume(now, of_b));
    world.run(secs(1));
    assert_eq!(heard(&world), [of_a, of_b]);
    world
        .verb(GATEWAY, |c, _| c.remove_session_from_bridge(bridge, a))
        .expect("it is in it");
    assert_eq!(heard(&world), []);
    assert_eq!(world.sessions(GATEWAY), [a, b]);
    // And again, in another one.
    let other = world.verb(GATEWAY, |c, now| c.create_bridge(now));
    for session in [a, b] {
        let outcome = world.verb(GATEWAY, |c, _| c.add_session_to_bridge(other, session));
        assert_eq!(
            outcome.is_ok(),
            session == a,
            "the other one is still in the first"
        );
    }
}

#[test]
fn what_cannot_be_bridged_is_named_and_changes_nothing() {
    let mut world = World::new(3, Network::perfect());
    let [a, b] = two_calls(&mut world);
    let none = (SessionId(u64::MAX), BridgeId(u64::MAX));
    let before = world.commands(GATEWAY).len();
    world.verb(GATEWAY, |c, now| {
        assert_eq!(c.bridge_sessions(now, a, none.0), Err(BridgeError::NoSession));
        assert_eq!(c.bridge_sessions(now, a, a), Err(BridgeError::Taken));
        assert_eq!(c.add_session_to_bridge(none.1, a), Err(BridgeError::NoBridge));
        assert_eq!(c.destroy_bridge(none.1), Err(BridgeError::NoBridge));
        assert_eq!(c.list_bridges().count(), 0);
    });
    assert_eq!(world.commands(GATEWAY).len(), before);
    world.verb(GATEWAY, |c, now| {
        let bridge = c.bridge_sessions(now, a, b).expect("two calls");
        let other = c.create_bridge(now);
        assert_eq!(c.add_session_to_bridge(other, a), Err(BridgeError::Taken));
        assert_eq!(
            c.remove_session_from_bridge(other, a),
            Err(BridgeError::NotInBridge)
        );
        c.destroy_bridge(bridge).expect("a bridge");
        assert_eq!(c.session_bridge(a), None);
    });
}

/// Commands to hear a leg for speech, or no longer.
fn watched(world: &World, from: usize) -> Vec<(LegId, bool)> {
    let commands = world.commands(GATEWAY)[from..].iter();
    commands
        .filter_map(|command| match command {
            Command::WatchSpeech { leg, on } => Some((*leg, *on)),
            _ => None,
        })
        .collect()
}

#[test]
fn who_speaks_is_reported_where_it_was_asked_for() {
    let mut world = World::new(5, Network::perfect());
    let [a, b] = two_calls(&mut world);
    let [of_a, of_b] = [a, b].map(|session| leg_of(&mut world, session));
    let bridge = world
        .verb(GATEWAY, |c, now| c.bridge_sessions(now, a, b))
        .expect("two calls");
    let speaks = |world: &mut World, leg: LegId, speaking: bool| {
        let before = changes(world).len();
        world.media(GATEWAY, media_core::control::Event::Speaking { leg, speaking });
        changes(world)[before..].to_vec()
    };
    let says = |session: SessionId, speaking: bool| BridgeEvent::Speaking {
        bridge,
        session,
        speaking,
    };
    assert_eq!(watched(&world, 0), []);
    assert_eq!(speaks(&mut world, of_a, true), [], "nobody asked");

    world
        .verb(GATEWAY, |c, _| c.watch_speech(bridge, true))
        .expect("a bridge");
    assert_eq!(watched(&world, 0), [(of_a, true), (of_b, true)]);
    assert_eq!(speaks(&mut world, of_a, true), [says(a, true)]);
    assert_eq!(speaks(&mut world, of_a, true), [], "said already");
    assert_eq!(speaks(&mut world, of_b, true), [says(b, true)]);
    assert_eq!(speaks(&mut world, of_a, false), [says(a, false)]);

    // A party on hold is not heard, and its call goes on in the bridge.
    let from = world.commands(GATEWAY).len();
    world.verb(GATEWAY, |c, now| c.hold(now, of_b));
    world.run(secs(1));
    assert_eq!(watched(&world, from), [(of_a, false), (of_b, false)]);
    assert_eq!(changes(&world).last(), Some(&says(b, false)));
    let from = world.commands(GATEWAY).len();
    world.verb(GATEWAY, |c, now| c.resume(now, of_b));
    world.run(secs(1));
    assert_eq!(watched(&world, from), [(of_a, true), (of_b, true)]);

    world
        .verb(GATEWAY, |c, _| c.watch_speech(bridge, false))
        .expect("a bridge");
    assert_eq!(speaks(&mut world, of_a, true), []);
    assert_eq!(
        world.verb(GATEWAY, |c, _| c.watch_speech(BridgeId(77), true)),
        Err(BridgeError::NoBridge)
    );
}
