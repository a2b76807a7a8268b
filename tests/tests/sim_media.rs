//! Whole calls with real media at every node, in virtual time: a tone in at one end, the tone out at the other.

use std::time::Duration;

use cordboard_tests::sim::{Conditions, GATEWAY, Manner, Voice, World};
use media_core::negotiated::Codec::{self, G722, Opus, Pcma, Pcmu};
use media_core::tone::{level_dbm0, measure};

/// Samples of 20 ms.
const FRAME: usize = 160;

/// Both trunks say a tone.
fn world(seed: u64, conditions: Conditions, codecs: [Codec; 2]) -> World {
    with_voices(World::new(seed, conditions, Some(codecs)))
}

fn with_voices(mut world: World) -> World {
    world.phones[1].voice = Some(Voice::tone(500.0, -10.0));
    world.phones[2].voice = Some(Voice::tone(1_000.0, -16.0));
    world.phones[2].manner = Some(Manner::Rings(300));
    world
}

/// Left calls right by way of the gateway, and is answered.
fn connect(world: &mut World) {
    let before = world.nodes[GATEWAY].count("answered");
    world.node_calls(1, "3000").expect("a call");
    assert!(
        world.run_until(Duration::from_secs(30), |w| w.nodes[GATEWAY].count("answered")
            == before + 2),
        "not answered"
    );
}

fn call(seed: u64, conditions: Conditions, codecs: [Codec; 2]) -> World {
    let mut world = world(seed, conditions, codecs);
    connect(&mut world);
    world
}

/// Sound that each end hears for so long.
fn listen(world: &mut World, time: Duration) -> [Vec<i16>; 2] {
    for phone in &world.phones[1..] {
        drop(phone.voice.as_ref().map(Voice::heard));
    }
    world.run(time);
    [1, 2].map(|n| {
        world.phones[n]
            .voice
            .as_ref()
            .map(Voice::heard)
            .unwrap_or_default()
    })
}

fn over(mut world: World) -> World {
    let session = world.nodes[1].coordinator.sessions().next().expect("up");
    world.hang_up(1, session);
    world.run(Duration::from_secs(120));
    world.assert_over();
    let record = &world.nodes[GATEWAY].records[0];
    assert_eq!((record.code.get(), record.legs.len()), (200, 2));
    for leg in &record.legs {
        assert!(
            leg.report.packets_received > 0 && leg.report.packets_sent > 0,
            "{record:?}"
        );
    }
    world
}

/// Frames in which the tone is missing.
fn gaps(heard: &[i16], dbm0: f64) -> usize {
    heard
        .chunks_exact(FRAME)
        .filter(|frame| level_dbm0(frame) < dbm0 - 6.0)
        .count()
}

#[test]
fn each_end_hears_the_tone_of_the_other_at_its_level_and_without_a_gap() {
    let pairs = [
        [Pcmu, Pcmu],
        [Pcma, Pcmu],
        [Pcma, Pcma],
        [Opus, Pcmu],
        [Pcma, Opus],
        [Opus, Opus],
        [Opus, G722],
        [G722, Pcmu],
        [G722, G722],
    ];
    for (seed, codecs) in (1..).zip(pairs) {
        let mut world = call(seed, Conditions::perfect(), codecs);
        world.run(Duration::from_secs(1));
        let heard = listen(&mut world, Duration::from_secs(3));
        for (heard, (hertz, dbm0)) in heard.iter().zip([(1_000.0, -16.0), (500.0, -10.0)]) {
            assert!(
                (23_700..=24_300).contains(&heard.len()),
                "{codecs:?}: {} samples",
                heard.len()
            );
            let found = measure(heard, 8_000);
            assert!((found.hertz - hertz).abs() < 1.0, "{codecs:?}: {found:?}");
            assert!((found.dbm0 - dbm0).abs() < 0.5, "{codecs:?}: {found:?}");
            assert!(found.purity > 0.97, "{codecs:?}: {found:?}");
            assert_eq!(gaps(heard, dbm0), 0, "{codecs:?}");
        }
        over(world);
    }
}

#[test]
fn packets_that_overtake_and_repeat_leave_no_gap() {
    let conditions = Conditions {
        loss: 0,
        duplicate: 10,
        jitter: Duration::from_millis(15),
    };
    for (seed, codecs) in (50..).zip([[Pcmu, Pcmu], [Opus, Pcmu], [Pcma, Pcmu]]) {
        let mut world = call(seed, conditions, codecs);
        world.run(Duration::from_secs(3));
        let heard = listen(&mut world, Duration::from_secs(4));
        for (heard, (hertz, dbm0)) in heard.iter().zip([(1_000.0, -16.0), (500.0, -10.0)]) {
            let found = measure(heard, 8_000);
            assert!((found.hertz - hertz).abs() < 3.0, "{codecs:?}: {found:?}");
            assert!((found.dbm0 - dbm0).abs() < 0.5, "{codecs:?}: {found:?}");
            assert_eq!(gaps(heard, dbm0), 0, "{codecs:?}");
        }
        over(world);
    }
}

#[test]
fn hold_by_the_gateway_plays_music_and_resume_brings_the_tone_back() {
    let mut world = call(90, Conditions::perfect(), [Opus, Pcmu]);
    let session = world.nodes[GATEWAY].coordinator.sessions().next().expect("up");
    let callee = world.nodes[GATEWAY].coordinator.legs(session)[1].expect("answered");
    let now = world.now;
    world.nodes[GATEWAY].coordinator.hold(now, callee);
    world.drain(GATEWAY);
    world.run(Duration::from_millis(500));
    for (n, heard) in listen(&mut world, Duration::from_secs(3)).iter().enumerate() {
        let found = measure(heard, 8_000);
        assert!(level_dbm0(heard) > -40.0, "end {n} hears silence, not music");
        assert!(found.purity < 0.9, "end {n} hears a tone, not music: {found:?}");
    }
    let now = world.now;
    world.nodes[GATEWAY].coordinator.resume(now, callee);
    world.drain(GATEWAY);
    world.run(Duration::from_millis(500));
    let heard = listen(&mut world, Duration::from_secs(2));
    for (heard, hertz) in heard.iter().zip([1_000.0, 500.0]) {
        let found = measure(heard, 8_000);
        assert!(
            (found.hertz - hertz).abs() < 1.0 && found.purity > 0.97,
            "{found:?}"
        );
    }
    over(world);
}

#[test]
fn calls_on_two_shards_are_joined_and_go_on_as_one() {
    let mut world = with_voices(World::with_shards(
        200,
        Conditions::perfect(),
        Some([Opus, Pcmu]),
        2,
    ));
    connect(&mut world);
    connect(&mut world);
    assert_eq!(world.nodes[GATEWAY].legs_on_shards(), [2, 2], "a call on each");
    let gateway = &mut world.nodes[GATEWAY].coordinator;
    let sessions: Vec<_> = gateway.sessions().collect();
    let [[Some(left), Some(dropped)], [Some(also), Some(right)]] =
        [gateway.legs(sessions[0]), gateway.legs(sessions[1])]
    else {
        panic!("two calls of two legs");
    };
    gateway.join(world.now, sessions[0], sessions[1]).expect("joined");
    world.drain(GATEWAY);
    world.run(Duration::from_secs(1));
    assert_eq!(
        world.nodes[GATEWAY].legs_on_shards(),
        [4, 2],
        "the guests have stand-ins"
    );
    for leg in [dropped, also] {
        let now = world.now;
        world.nodes[GATEWAY].coordinator.drop_leg(now, leg);
        world.drain(GATEWAY);
        world.run(Duration::from_secs(1));
    }
    assert_eq!(world.nodes[GATEWAY].legs_on_shards(), [2, 1]);
    let heard = listen(&mut world, Duration::from_secs(3));
    for (heard, (hertz, dbm0)) in heard.iter().zip([(1_000.0, -16.0), (500.0, -10.0)]) {
        assert!(
            (23_700..=24_300).contains(&heard.len()),
            "{} samples",
            heard.len()
        );
        let found = measure(heard, 8_000);
        assert!((found.hertz - hertz).abs() < 1.0, "{found:?}");
        assert!((found.dbm0 - dbm0).abs() < 0.5, "{found:?}");
        assert_eq!(gaps(heard, dbm0), 0);
    }
    let now = world.now;
    world.nodes[GATEWAY].coordinator.drop_leg(now, right);
    world.drain(GATEWAY);
    world.run(Duration::from_secs(120));
    world.assert_over();
    let record = &world.nodes[GATEWAY].records[0];
    for leg in record.legs.iter().filter(|l| [left, right].contains(&l.leg)) {
        assert!(
            leg.report.packets_received > 300 && leg.report.packets_sent > 300,
            "{record:?}"
        );
    }
}

/// A hundred short calls over ten bad networks: who was connected hears the other; nothing is left.
fn a_hundred(first: u64) {
    let codecs = [Pcmu, Pcma, Opus];
    for seed in first..first + 10 {
        let pair = [codecs[seed as usize % 3], codecs[seed as usize / 3 % 3]];
        let conditions = Conditions {
            loss: seed % 5,
            duplicate: 5,
            jitter: Duration::from_millis(seed % 40),
        };
        let mut world = world(1_000 + seed, conditions, pair);
        for number in 0..10 {
            connect(&mut world);
            world.run(Duration::from_millis(500));
            let heard = listen(&mut world, Duration::from_millis(500));
            for (heard, (hertz, dbm0)) in heard.iter().zip([(1_000.0, -16.0), (500.0, -10.0)]) {
                let found = measure(heard, 8_000);
                assert!(
                    (found.hertz - hertz).abs() < 10.0,
                    "seed {seed}.{number} {pair:?}: {found:?}"
                );
                assert!(
                    (found.dbm0 - dbm0).abs() < 5.0,
                    "seed {seed}.{number} {pair:?}: {found:?}"
                );
            }
            let session = world.nodes[1].coordinator.sessions().next().expect("up");
            world.hang_up(1, session);
            world.run(Duration::from_secs(1));
        }
        world.run(Duration::from_secs(120));
        world.assert_over();
        assert_eq!(world.nodes[GATEWAY].records.len(), 10);
    }
}

#[test]
fn a_hundred_calls_with_media_1() {
    a_hundred(0);
}

#[test]
fn a_hundred_calls_with_media_2() {
    a_hundred(10);
}

#[test]
fn a_hundred_calls_with_media_3() {
    a_hundred(20);
}
