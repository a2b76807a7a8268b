//! Two parties who hold and resume as they like, over a network that loses, repeats and reorders: their changes cross, and in the end
//! both have what they last asked for.

use std::time::Duration;

use media_core::control::{Command, LegId};
use media_core::negotiated::{Direction, Negotiated};
use sans_io::Rng;

use crate::world::{CALLEE, CALLER, GATEWAY, Network, World};

/// Direction of a leg's last agreement at a node.
fn direction(world: &World, node: usize, leg: LegId) -> Option<Direction> {
    let connect = |command: &Command| matches!(command, Command::Connect { leg: of, .. } if *of == leg);
    match world.last_command(node, connect)? {
        Command::Connect { media, .. } => Negotiated::audio(media).map(|audio| audio.direction),
        _ => None,
    }
}

/// Agreements of all legs between caller and callee: at the caller, at the gateway with both, at the callee.
fn directions(world: &World) -> [Option<Direction>; 4] {
    let of = |node: usize, at: usize| {
        let leg = world.legs(node).into_iter().flatten().nth(at)?;
        direction(world, node, leg)
    };
    [of(CALLER, 0), of(GATEWAY, 0), of(GATEWAY, 1), of(CALLEE, 0)]
}

#[test]
fn changes_that_cross_leave_both_with_what_they_asked_for_last() {
    let mut crossed = 0;
    for seed in 0..120 {
        let network = match seed % 3 {
            0 => Network::perfect(),
            1 => Network {
                loss: 5,
                duplicate: 10,
                jitter: Duration::from_millis(40),
            },
            _ => Network {
                loss: 15,
                duplicate: 5,
                jitter: Duration::from_millis(200),
            },
        };
        let mut rng = Rng::seeded(seed);
        let mut world = World::new(seed, network);
        world.tell_of_holds();
        world.call();
        world.run_until(Duration::from_secs(60), |w| w.bridges(GATEWAY) == 1);
        world.run(Duration::from_secs(10));
        for _ in 0..10 {
            let node = [CALLER, CALLEE][rng.below(2) as usize];
            world.hold(node, rng.percent(60));
            world.run(Duration::from_millis(rng.below(1_500)));
        }
        world.run(Duration::from_secs(90));
        let (caller, callee) = (rng.percent(50), rng.percent(50));
        world.hold(CALLER, caller);
        world.hold(CALLEE, callee);
        crossed += usize::from(caller && callee);
        world.run(Duration::from_secs(90));
        let [at_caller, left, right, at_callee] = directions(&world);
        let expected = match (caller, callee) {
            (false, false) => Direction::SendRecv,
            (true, false) => Direction::SendOnly,
            (false, true) => Direction::RecvOnly,
            (true, true) => Direction::Inactive,
        };
        let there = Some(expected.reversed());
        assert_eq!(
            [at_caller, left, right, at_callee],
            [Some(expected), there, Some(expected), there],
            "seed {seed}: {caller} {callee}"
        );
        for node in [CALLER, CALLEE] {
            world.hold(node, false);
            world.run(Duration::from_secs(60));
        }
        assert_eq!(directions(&world), [Some(Direction::SendRecv); 4], "seed {seed}");
        world.hangup([CALLER, CALLEE][seed as usize % 2]);
        world.run(Duration::from_secs(200));
        assert_eq!(world.ended(GATEWAY).len(), 1, "seed {seed}");
        world.assert_empty();
    }
    assert!(crossed > 10, "{crossed}");
}
