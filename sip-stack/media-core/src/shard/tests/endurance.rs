use std::time::Duration;

use super::world::World;
use crate::control::{Application, Event, Mode, StreamIndex};
use crate::negotiated::{Codec, Direction};
use crate::tone::{level_dbm0, measure};

const SECOND: Duration = Duration::from_secs(1);

/// Clicks: bends sharper than a tone of that frequency and peak has, by half.
fn clicks(sound: &[i16], hertz: f64, peak: f64) -> usize {
    let omega = hertz * std::f64::consts::TAU / 8_000.0;
    let sharpest = peak * 2.0 * (1.0 - omega.cos());
    let bend = |w: &[i16]| (f64::from(w[0]) - 2.0 * f64::from(w[1]) + f64::from(w[2])).abs();
    // 400 is a step of G.711 at that peak, twice.
    sound
        .windows(3)
        .filter(|w| bend(w) > sharpest * 1.5 + 1_200.0)
        .count()
}

#[test]
fn an_hour_of_drift_neither_deepens_the_buffer_nor_clicks() {
    for drift in [-200, 200] {
        let mut world = World::new(31);
        let (browser, phone) = (world.browser(Codec::Pcmu), world.phone(Codec::Pcma));
        world.bridge(browser, phone);
        world.peers[browser].drift_ppm = drift;
        let now = world.now;
        world.peers[browser].speak(now, 440.0, -10.0);
        let mut deepest = 0;
        for minute in 0..60 {
            world.peers[phone].heard.clear();
            let from = world.now;
            world.run(60 * SECOND);
            let report = world.report(browser);
            deepest = deepest.max(report.buffer_us);
            assert_eq!(
                (report.lost, report.concealed),
                (0, 0),
                "{drift} ppm, minute {minute}"
            );
            if minute % 10 == 9 {
                let sound = world.peers[phone].sound(from);
                assert!(sound.len() >= 60 * 8_000 - 400, "{}", sound.len());
                assert_eq!(
                    clicks(&sound[160..], 440.0, 7_200.0),
                    0,
                    "{drift} ppm, minute {minute}"
                );
                for frame in sound.chunks_exact(160) {
                    assert!((level_dbm0(frame) + 10.0).abs() < 1.5);
                }
            }
        }
        assert!(deepest < 50_000, "{drift} ppm: {deepest} us");
    }
}

#[test]
fn numbers_wrap_and_hold_does_not_disturb_them() {
    for relay in [true, false] {
        let mut world = World::new(32);
        let browser = if relay {
            world.browser(Codec::Pcmu)
        } else {
            world.phone(Codec::Pcma)
        };
        let phone = world.phone(Codec::Pcmu);
        world.bridge(browser, phone);
        let now = world.now;
        world.peers[browser].speak(now, 440.0, -10.0);
        world.peers[phone].speak(now, 1_004.0, -10.0);
        // 70,000 packets each way, with a hold of 5 s every 100 s.
        let mut total = 0;
        for round in 0..14 {
            world.direct(browser, Direction::Inactive);
            world.play(phone, Some(Application::Music));
            world.run(5 * SECOND);
            world.play(phone, None);
            world.direct(browser, Direction::SendRecv);
            for peer in [browser, phone] {
                total += world.peers[peer].heard.len();
                world.peers[peer].heard.clear();
            }
            let from = world.now + SECOND;
            world.run(95 * SECOND);
            for (peer, hertz) in [(phone, 440.0), (browser, 1_004.0)] {
                let sound = world.peers[peer].sound(from);
                let found = measure(&sound[sound.len() - 8_000..], 8_000);
                assert!((found.hertz - hertz).abs() < 0.5, "round {round}: {found:?}");
                assert!((found.dbm0 + 10.0).abs() < 0.5, "round {round}: {found:?}");
                let heard = &world.peers[peer].heard;
                let ssrc = heard[0].1.ssrc;
                for pair in heard.windows(2) {
                    assert_eq!(
                        pair[1].1.sequence,
                        pair[0].1.sequence.wrapping_add(1),
                        "round {round}"
                    );
                    assert_eq!(pair[1].1.ssrc, ssrc);
                }
            }
        }
        for peer in [browser, phone] {
            total += world.peers[peer].heard.len();
        }
        assert!(total > 2 * 65_536, "{total}");
    }
}

#[test]
fn a_listener_on_hold_hears_music_and_then_the_talker_again() {
    let mut world = World::new(33);
    let (browser, phone) = (world.browser(Codec::Opus), world.phone(Codec::Pcmu));
    world.bridge(browser, phone);
    let now = world.now;
    world.peers[browser].speak(now, 440.0, -10.0);
    world.run(SECOND);
    // The browser holds: it sends and does not listen. The phone is given music for it.
    world.direct(browser, Direction::RecvOnly);
    world.play(phone, Some(Application::Music));
    let held = world.now;
    world.run(2 * SECOND);
    let sound = world.peers[phone].sound(held + SECOND / 2);
    assert!(measure(&sound, 8_000).purity < 0.7 && level_dbm0(&sound) > -35.0);
    assert_eq!(world.report(phone).mode, Mode::Application);
    world.direct(browser, Direction::SendRecv);
    world.play(phone, None);
    let back = world.now;
    world.run(SECOND);
    let found = measure(&world.peers[phone].sound(back + SECOND / 4), 8_000);
    assert!((found.hertz - 440.0).abs() < 0.5, "{found:?}");
    assert_eq!(world.report(phone).mode, Mode::Transcode);
}

#[test]
fn silence_of_the_network_is_told_and_the_sound_comes_back() {
    let mut world = World::new(34);
    let (browser, phone) = (world.browser(Codec::Opus), world.phone(Codec::Pcmu));
    world.bridge(browser, phone);
    let now = world.now;
    world.peers[browser].speak(now, 1_004.0, -10.0);
    world.run(2 * SECOND);
    world.peers[browser].hush();
    let stopped = world.now;
    world.run(3 * SECOND);
    let leg = world.leg(browser);
    let flow_at = |world: &World, flowing| {
        let stream = StreamIndex::FIRST;
        let event = Event::Flow { leg, stream, flowing };
        world
            .events
            .iter()
            .find(|(_, seen)| *seen == event)
            .map(|(at, _)| *at)
    };
    let at = flow_at(&world, false).expect("it stopped");
    assert!(
        (180..=230).contains(&(at - stopped).as_millis()),
        "{:?}",
        at - stopped
    );
    // The phone hears quiet noise meanwhile, without a break in its packets.
    let quiet = world.peers[phone].sound(stopped + SECOND);
    assert!(
        quiet.len() > 15_000 && level_dbm0(&quiet) < -50.0,
        "{} {}",
        quiet.len(),
        level_dbm0(&quiet)
    );
    let now = world.now;
    world.peers[browser].speak(now, 1_004.0, -10.0);
    world.run(2 * SECOND);
    assert!(flow_at(&world, true).is_some());
    let found = measure(&world.peers[phone].sound(now + SECOND), 8_000);
    assert!(
        (found.hertz - 1_004.0).abs() < 0.5 && (found.dbm0 + 10.0).abs() < 0.5,
        "{found:?}"
    );
    assert!(
        world.report(browser).buffer_us < 45_000,
        "{}",
        world.report(browser).buffer_us
    );
}
