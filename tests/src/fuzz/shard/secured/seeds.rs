//! Inputs to begin with: each fate of each flight, packets that are damaged, made up or repeated, keys that change, and strangers.

use super::{
    CRAFT, CUT, DAMAGE, DAMAGED, FLIGHT, LATE, LEGS, LOST, MOST_STEPS, REKEY, RELOAD, REPLAY, REPORT, SEALED,
    STRANGER, TALK, TWICE, WAIT,
};

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = vec![Vec::new()];
    // Each datagram of the handshake has each fate once, and the page is opened again in the midst of it.
    for fate in [LOST, TWICE, DAMAGED, CUT, LATE] {
        for at in [0, 1, 2, 4] {
            let mut steps = vec![[FLIGHT, 0, 0, 0]; at];
            steps.extend([[FLIGHT, fate, 40, 3], [FLIGHT, fate, 200, 1], [TALK, 5, 0, 0]]);
            steps.extend([[RELOAD, 0, 0, 0], [TALK, 3, 0, 0]]);
            seeds.push(steps.concat());
        }
    }
    // Packets of each peer, damaged in header, payload and tag; made up; and again.
    for leg in 0..LEGS {
        let mut steps = vec![[TALK, 5, 0, 0]];
        for at in [0, 1, 4, 9, 12, 40, 171, 180] {
            steps.extend([[DAMAGE, leg, at, 0x41], [CRAFT, leg, at, 0xff], [TALK, 1, 0, 0]]);
        }
        steps.extend((0..8).map(|back| [REPLAY, leg, back, back & 1]));
        for kind in [0, 1, 4, 8, 0x10, 0x21, 0xe2, 0x30] {
            steps.extend([[REPORT, leg, kind, 40], [TALK, 1, 0, 0]]);
        }
        seeds.push(steps.concat());
    }
    // New keys for one direction, for both, the same ones again, and other suites; late at one end.
    for suite in 0..5 {
        let mut steps = vec![[TALK, 4, 0, 0]];
        for (local, remote) in [(3, 2), (3, 5), (3, 5), (7, 8)] {
            steps.extend([[REKEY, suite, local, remote], [TALK, 3, 0, 0]]);
            steps.extend([[REKEY, suite | 0x80, local + 8, remote], [DAMAGE, SEALED, 3, 1]]);
            steps.extend([[REPLAY, SEALED, 2, 0], [TALK, 3, 0, 0]]);
        }
        seeds.push(steps.concat());
    }
    // Streams of strangers before, in the midst of, and after silence.
    for leg in 0..LEGS {
        let mut steps = Vec::new();
        for host in 0..5 {
            steps.extend([
                [STRANGER, leg, host, 6],
                [TALK, 2, 0, 0],
                [STRANGER, leg, host | 0x80, 9],
            ]);
            steps.extend([[WAIT, 250, 1, 0], [STRANGER, leg, host, 12]]);
        }
        seeds.push(steps.concat());
    }
    assert!(seeds.iter().all(|seed| seed.len() <= 4 * MOST_STEPS));
    seeds
}
