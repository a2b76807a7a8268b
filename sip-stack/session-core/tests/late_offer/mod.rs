//! Calls to a trunk that wants to offer first: the INVITE brings no description, the 200 brings the peer's, the ACK ours.

use std::time::Duration;

use media_core::control::Command;
use session_core::Event;
use sip_core::message::StatusCode;

use crate::world::{CALLEE, CALLER, GATEWAY, Network, World};

fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// Legs whose media were connected at a node.
fn connected(world: &World, node: usize) -> usize {
    let connects = world.commands(node).iter();
    connects.filter(|c| matches!(c, Command::Connect { .. })).count()
}

#[test]
fn the_peer_offers_in_its_answer_and_both_hear_each_other() {
    for seed in 0..20 {
        let network = Network {
            loss: 20,
            duplicate: 5,
            jitter: Duration::from_millis(50),
        };
        let mut world = World::new(seed, network);
        world.offer_late();
        world.call();
        world.run_until(secs(60), |w| w.bridges(GATEWAY) == 1 && connected(w, CALLEE) == 1);
        assert_eq!(
            (world.bridges(GATEWAY), connected(&world, GATEWAY)),
            (1, 2),
            "seed {seed}"
        );
        assert_eq!(
            connected(&world, CALLEE),
            1,
            "seed {seed}: our ACK brings the answer"
        );
        world.hold(CALLEE, true);
        world.run(secs(40));
        assert!(world.count(GATEWAY, |e| matches!(e, Event::Hold { held: false, .. })) <= 1);
        world.hangup(CALLEE);
        world.run(secs(200));
        let codes: Vec<StatusCode> = world.ended(GATEWAY).iter().map(|record| record.code).collect();
        assert_eq!(codes, [StatusCode::OK], "seed {seed}");
        world.assert_empty();
    }
}

#[test]
fn who_refuses_or_gives_up_leaves_nothing() {
    let mut world = World::new(1, Network::perfect());
    world.offer_late();
    world.callee_rejects = Some(StatusCode::BUSY_HERE);
    world.call();
    world.run(secs(60));
    assert_eq!(world.ended(CALLER)[0].code, StatusCode::BUSY_HERE);
    world.assert_empty();

    let mut world = World::new(2, Network::perfect());
    world.offer_late();
    world.callee_answers = false;
    world.call();
    world.run(secs(2));
    world.hangup(CALLER);
    world.run(secs(60));
    assert_eq!(world.ended(GATEWAY)[0].answered, None);
    world.assert_empty();
}
