//! Inputs to begin with: conversations of two and three, reports, sound from elsewhere, faxes, and legs with two streams.

use super::steps::{
    BRIDGE, BRIDGED, CLOSE, CONNECT, COUNTS, DIGIT, FAX, INJECT, LOSS, MESSAGE, MOST_STEPS, OBSERVE, OPEN,
    PACKET, PLAY, RTCP, SAID, SOUND, TIED, UNBRIDGE, UNTIED, WAIT,
};

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for codecs in [[0, 0, 0], [0, 1, 2], [0, 0, 1], [1, 2, 2]] {
        let begin = || -> Vec<[u8; 4]> {
            let legs = (0..3).zip(codecs);
            legs.flat_map(|(leg, codec)| [[OPEN, leg, 0, 0], [CONNECT, leg, codec, 20]])
                .collect()
        };
        let mut steps = begin();
        let talk = |steps: &mut Vec<[u8; 4]>| {
            for _ in 0..4 {
                steps.extend((0..3).map(|leg| [PACKET, leg, 60, 0]));
                steps.push([WAIT, 20, 0, 0]);
            }
        };
        // Two, three as parties, with a listener, with a coach, on hold, two again.
        for members in [[0b11, 0], [0b111, 0], [0b111, 0x10], [0b111, 0x20], [0b11, 0]] {
            steps.push([BRIDGE, 1, members[0], members[1]]);
            talk(&mut steps);
            steps.extend([[CONNECT, 1, codecs[1] | 0x40, 20], [PLAY, 1, 2, 0]]);
            talk(&mut steps);
            steps.extend([
                [CONNECT, 1, codecs[1], 30],
                [PLAY, 1, 0, 0],
                [DIGIT, 0, b'5', 100],
            ]);
            steps.extend([[PACKET + 1, 2, 4, 5], [PACKET + 2, 0, 90, 200], [WAIT, 250, 0, 0]]);
        }
        seeds.push(steps.concat());
        let mut steps = begin();
        steps.push([BRIDGE, 1, 0b11, 0]);
        talk(&mut steps);
        // Reports of the peers: of senders and receivers, with loss and with BYE, damaged.
        for kind in [0, 1, 4, 8, 0x10, 0x21, 0xe2] {
            for leg in 0..3 {
                steps.extend([[RTCP, leg, kind, 40], [PACKET, leg, 60, 0], [WAIT, 20, 0, 0]]);
            }
        }
        // Tapped, watched and injected into, as two, as three, and alone.
        steps.extend([[OBSERVE, 0, 3, 0], [INJECT, 1, 2, 1], [SOUND, 1, 200, 1]]);
        talk(&mut steps);
        steps.push([BRIDGE, 1, 0b111, 0]);
        steps.extend([[INJECT, 0, 1, 0], [SOUND, 0, 90, 0]]);
        talk(&mut steps);
        steps.extend([[UNBRIDGE, 1, 0, 0], [SOUND, 1, 255, 1]]);
        talk(&mut steps);
        steps.extend([[INJECT, 1, 0, 1], [OBSERVE, 0, 0, 0]]);
        talk(&mut steps);
        steps.extend([[CLOSE, 2, 0, 0], [UNBRIDGE, 1, 0, 0]]);
        seeds.push(steps.concat());
    }
    seeds.push(across());
    seeds.push(faxes());
    seeds.push(two_streams());
    assert!(seeds.iter().all(|seed| seed.len() <= 4 * MOST_STEPS));
    seeds
}

/// A leg of this shard and a stand-in for one of another talk here; then a leg of this one takes part in a bridge there.
fn across() -> Vec<u8> {
    let mut steps: Vec<[u8; 4]> = vec![[OPEN, 0, 0, 0], [CONNECT, 0, 1, 20]];
    let there = 0x40;
    for codec in [0, 1] {
        steps.extend([[BRIDGE, there | 1, 0b11, 0], [MESSAGE, there | 1, TIED, codec]]);
        for _ in 0..5 {
            steps.extend([
                [PACKET, 0, 160, 0],
                [MESSAGE, there | 1, SAID, 60],
                [WAIT, 20, 0, 0],
            ]);
        }
        steps.extend([[MESSAGE, there | 1, LOSS, 7], [MESSAGE, there | 1, UNTIED, 0]]);
    }
    steps.extend([[BRIDGE, 0x20, 0b11, 0], [MESSAGE, there, BRIDGED, 1]]);
    for _ in 0..5 {
        steps.extend([
            [MESSAGE, there, SAID, 160],
            [MESSAGE, there, COUNTS, 0],
            [WAIT, 20, 0, 0],
        ]);
    }
    steps.extend([
        [INJECT, 0, 2, 1],
        [SOUND, 0, 200, 1],
        [MESSAGE, there, SAID, 160],
        [WAIT, 40, 0, 0],
    ]);
    steps.extend([
        [MESSAGE, there, BRIDGED, 0],
        [WAIT, 40, 0, 0],
        [UNBRIDGE, 2, 0, 0],
    ]);
    steps.concat()
}

/// Two legs change over to a fax and back, one after the other.
fn faxes() -> Vec<u8> {
    let mut steps: Vec<[u8; 4]> = Vec::new();
    for leg in 0..2 {
        steps.extend([[OPEN, leg, 0, 0], [CONNECT, leg, leg, 20], [PACKET, leg, 160, 0]]);
    }
    steps.push([BRIDGE, 1, 0b11, 0]);
    for leg in [0, 1, 0] {
        steps.extend([[FAX, leg, 1, 0], [FAX, leg, 0, 40], [PACKET, 1 - leg, 160, 0]]);
        steps.extend([[FAX, 1 - leg, 0, 200], [OBSERVE, leg, 3, 0], [WAIT, 20, 0, 0]]);
    }
    steps.extend([[CONNECT, 0, 1, 20], [PACKET, 0, 160, 0], [FAX, 1, 0, 3]]);
    steps.concat()
}

/// Legs with two streams each, told apart by payload types and by MIDs; then the second streams end.
fn two_streams() -> Vec<u8> {
    let mut steps: Vec<[u8; 4]> = Vec::new();
    for leg in 0..3 {
        steps.extend([[OPEN, leg, 0, 0], [CONNECT, leg, 1, 21], [OBSERVE, leg, 3, leg]]);
    }
    for (members, milliseconds) in [(0b11, 21), (0b111, 21), (0b11, 20), (0b111, 30)] {
        steps.push([BRIDGE, 1, members, 0]);
        for round in 0..5 {
            for leg in 0..3 {
                steps.extend([
                    [PACKET, leg, 160, 0],
                    [PACKET + 4 + (round & 1), leg, 60, 0],
                    [PACKET + 8 + 5, leg, 160, 1],
                ]);
            }
            steps.push([WAIT, 20, 0, 0]);
        }
        steps.extend([[CONNECT, 0, 1, milliseconds], [CONNECT, 2, 2, milliseconds]]);
    }
    steps.concat()
}
