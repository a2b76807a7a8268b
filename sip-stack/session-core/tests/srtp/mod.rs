//! Keys in SDP from one end of a call to the other: each leg has its own.

use std::time::Duration;

use media_core::control::{Command, LegId};
use media_core::negotiated::Transport;
use media_core::srtp::Keys;
use session_core::{Cause, SrtpPolicy};
use sip_core::message::StatusCode;

use super::minute;
use super::world::{CALLEE, CALLER, GATEWAY, Network, World};

/// Keys that the shard of a node was told of for a leg last; `None` for plain RTP.
fn keys(world: &World, node: usize, leg: LegId) -> Option<Keys> {
    let connected = |command: &Command| matches!(command, Command::Connect { leg: of, .. } if *of == leg);
    match world.last_command(node, connected) {
        Some(Command::Connect { media, .. }) => match &media.transport {
            Transport::Sdes { keys, .. } => Some(**keys),
            _ => None,
        },
        _ => None,
    }
}

#[test]
fn a_trunk_with_required_srtp_is_offered_savp_and_the_caller_stays_plain() {
    for policy in [SrtpPolicy::Optional, SrtpPolicy::Required] {
        let mut world = World::new(61, Network::perfect());
        world.encrypt("right", policy);
        world.call();
        world.run_until(minute(), |w| w.answered == 1);
        world.run(Duration::from_secs(1));
        let [caller, callee] = world.legs(GATEWAY).map(|leg| leg.expect("a leg"));
        assert_eq!(keys(&world, GATEWAY, caller), None);
        let ours = keys(&world, GATEWAY, callee);
        // The callee's policy is off: it answers what must be encrypted, and takes no keys beside RTP/AVP.
        assert_eq!(ours.is_some(), policy == SrtpPolicy::Required);
        let theirs = keys(&world, CALLEE, world.legs(CALLEE)[0].expect("a leg"));
        assert_eq!(
            ours.map(|keys| (keys.local, keys.remote)),
            theirs.map(|keys| (keys.remote, keys.local))
        );
        // Hold and resume keep the keys.
        world.hold(CALLER, true);
        world.run(Duration::from_secs(2));
        world.hold(CALLER, false);
        world.run(Duration::from_secs(2));
        assert_eq!(keys(&world, GATEWAY, callee), ours);
        world.hangup(CALLER);
        world.run(minute());
        world.assert_empty();
    }
}

#[test]
fn a_caller_in_the_clear_is_refused_where_srtp_is_required() {
    let mut world = World::new(62, Network::perfect());
    world.encrypt("left", SrtpPolicy::Required);
    world.call();
    world.run(minute());
    let ended = world.ended(CALLER);
    assert_eq!(
        (ended[0].cause, ended[0].code),
        (Cause::Refused, StatusCode::NOT_ACCEPTABLE_HERE)
    );
    assert_eq!(world.rings, 0);
    world.assert_empty();
}
