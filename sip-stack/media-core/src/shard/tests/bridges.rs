use std::time::Duration;

use super::world::{Conditions, World};
use crate::control::Mode;
use crate::negotiated::Codec;
use crate::tone::{level_dbm0, measure};

const SECOND: Duration = Duration::from_secs(1);
/// Tones of the two ends, hertz.
const LEFT: f64 = 440.0;
const RIGHT: f64 = 1_004.0;
/// Kinds of ends: whether it is a browser, and its codec.
const KINDS: [(bool, Codec); 5] = [
    (true, Codec::Opus),
    (true, Codec::Pcmu),
    (false, Codec::Pcmu),
    (false, Codec::Pcma),
    (false, Codec::G722),
];

fn add(world: &mut World, (browser, codec): (bool, Codec)) -> usize {
    if browser {
        world.browser(codec)
    } else {
        world.phone(codec)
    }
}

/// The tone at the far end: its frequency, its level within 0.5 dB, and in every 20 ms.
fn assert_heard(world: &World, peer: usize, from: sans_io::Time, hertz: f64, dbm0: f64, what: &str) {
    let sound = world.peers[peer].sound(from);
    assert!(sound.len() > 6_000, "{what}: {} samples", sound.len());
    let found = measure(&sound, 8_000);
    assert!((found.hertz - hertz).abs() < 0.5, "{what}: {found:?}");
    assert!((found.dbm0 - dbm0).abs() < 0.5, "{what}: {found:?}");
    for (i, frame) in sound.chunks_exact(160).enumerate() {
        let level = level_dbm0(frame);
        assert!((level - dbm0).abs() < 1.5, "{what}: {level} dBm0 in frame {i}");
    }
}

#[test]
fn every_pair_hears_each_other() {
    for a in KINDS {
        for b in KINDS {
            let what = format!("{a:?} and {b:?}");
            let mut world = World::new(5);
            let (left, right) = (add(&mut world, a), add(&mut world, b));
            world.bridge(left, right);
            let now = world.now;
            world.peers[left].speak(now, LEFT, -14.0);
            world.peers[right].speak(now, RIGHT, -10.0);
            let from = now + SECOND;
            world.run(3 * SECOND);
            assert_heard(&world, right, from, LEFT, -14.0, &what);
            assert_heard(&world, left, from, RIGHT, -10.0, &what);
            let mode = if a.1 == b.1 { Mode::Relay } else { Mode::Transcode };
            let (l, r) = (world.report(left), world.report(right));
            assert_eq!((l.mode, r.mode), (mode, mode), "{what}");
            assert_eq!((l.lost, l.concealed, r.lost, r.concealed), (0, 0, 0, 0), "{what}");
            let paced = a.0 && !b.0 && mode == Mode::Transcode;
            assert_eq!(l.buffer_us > 0, paced, "{what}: {}", l.buffer_us);
        }
    }
}

#[test]
fn a_bad_network_takes_little_of_the_tone() {
    for (a, b) in [
        (KINDS[0], KINDS[2]),
        (KINDS[0], KINDS[1]),
        (KINDS[2], KINDS[3]),
        (KINDS[1], KINDS[3]),
    ] {
        let mut world = World::new(11);
        let (left, right) = (add(&mut world, a), add(&mut world, b));
        world.bridge(left, right);
        world.conditions = Conditions {
            loss_percent: 3,
            repeat_percent: 3,
            spread: Duration::from_millis(30),
        };
        let now = world.now;
        world.peers[left].speak(now, LEFT, -14.0);
        world.peers[right].speak(now, RIGHT, -10.0);
        world.run(20 * SECOND);
        for (peer, hertz, dbm0) in [(right, LEFT, -14.0), (left, RIGHT, -10.0)] {
            let sound = world.peers[peer].sound(now + 2 * SECOND);
            let found = measure(&sound, 8_000);
            let frames = sound.chunks_exact(160);
            let total = frames.len();
            let bad = frames
                .filter(|frame| (level_dbm0(frame) - dbm0).abs() > 3.0)
                .count();
            assert!((found.hertz - hertz).abs() < 1.0, "{a:?} {b:?}: {found:?}");
            assert!(
                bad * 100 < total * 5,
                "{a:?} {b:?}: {bad} of {total} frames are off"
            );
            assert!((850..=1_000).contains(&total), "{total}");
        }
    }
}
