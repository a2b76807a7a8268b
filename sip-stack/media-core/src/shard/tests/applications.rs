use std::time::Duration;

use super::world::World;
use crate::control::{Application, Event, Mode};
use crate::negotiated::{Codec, Direction};
use crate::tone::{level_dbm0, measure};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_tone_is_heard_exactly_by_every_kind_of_peer() {
    for (browser, codec) in [
        (true, Codec::Opus),
        (true, Codec::Pcmu),
        (false, Codec::Pcmu),
        (false, Codec::Pcma),
        (false, Codec::G722),
    ] {
        let mut world = World::new(1);
        let peer = if browser {
            world.browser(codec)
        } else {
            world.phone(codec)
        };
        world.play(
            peer,
            Some(Application::Tone {
                hertz: 1_004,
                dbm0: -10,
            }),
        );
        let from = world.now + Duration::from_millis(200);
        world.run(2 * SECOND);
        let sound = world.peers[peer].sound(from);
        assert!(sound.len() >= 14_000, "{codec:?}: {}", sound.len());
        let found = measure(&sound, 8_000);
        assert!((found.hertz - 1_004.0).abs() < 0.5, "{codec:?}: {found:?}");
        assert!((found.dbm0 + 10.0).abs() < 0.5, "{codec:?}: {found:?}");
        // Each 20 ms by itself: no gap.
        for (i, frame) in sound.chunks_exact(160).enumerate() {
            assert!((level_dbm0(frame) + 10.0).abs() < 1.0, "{codec:?}: frame {i}");
        }
        let report = world.report(peer);
        assert_eq!((report.mode, report.codec_sent), (Mode::Application, Some(codec)));
    }
}

#[test]
fn an_echo_returns_what_was_said_under_our_own_numbers() {
    let mut world = World::new(2);
    let peer = world.browser(Codec::Opus);
    world.play(peer, Some(Application::Echo));
    let now = world.now;
    world.peers[peer].speak(now, 440.0, -16.0);
    world.run(2 * SECOND);
    assert!(world.saw(|event| matches!(event, Event::Talking { .. })));
    let found = measure(&world.peers[peer].sound(now + SECOND), 8_000);
    assert!(
        (found.hertz - 440.0).abs() < 0.5 && (found.dbm0 + 16.0).abs() < 0.5,
        "{found:?}"
    );
    let (_, header, _) = &world.peers[peer].heard[0];
    assert_ne!(header.ssrc, world.peers[peer].ssrc);
    assert!(world.peers[peer].heard.len() > 95);
}

#[test]
fn hold_keeps_the_numbers_and_the_sound_comes_back() {
    let mut world = World::new(3);
    let peer = world.browser(Codec::Opus);
    world.play(
        peer,
        Some(Application::Tone {
            hertz: 800,
            dbm0: -12,
        }),
    );
    world.run(SECOND);
    world.direct(peer, Direction::Inactive);
    world.run(Duration::from_millis(100));
    let silent = world.peers[peer].heard.len();
    world.run(5 * SECOND);
    assert_eq!(world.peers[peer].heard.len(), silent);
    world.direct(peer, Direction::SendRecv);
    let resumed = world.now;
    world.run(SECOND);
    let heard = &world.peers[peer].heard;
    let (before, after) = (&heard[silent - 1], &heard[silent]);
    assert_eq!(after.1.ssrc, before.1.ssrc);
    assert_eq!(after.1.sequence, before.1.sequence.wrapping_add(1));
    let passed = (after.0 - before.0).as_millis() as i64;
    let ticks = i64::from(after.1.timestamp.wrapping_sub(before.1.timestamp)) / 48;
    assert!(
        (ticks - passed).abs() <= 20,
        "{ticks} ms of timestamp for {passed} ms"
    );
    assert!(after.1.marker);
    let found = measure(&world.peers[peer].sound(resumed), 8_000);
    assert!((found.hertz - 800.0).abs() < 0.5, "{found:?}");
}
