//! Opus from browsers other than 20 ms of one channel.

use std::time::Duration;

use super::world::World;
use crate::negotiated::Codec;
use crate::tone::{level_dbm0, measure};

const SECOND: Duration = Duration::from_secs(1);

/// Packets of a 1,004 Hz tone: so many ms each, one or two channels at 48 kHz as browsers make them.
fn packets(ms: usize, channels: usize, seconds: usize) -> Vec<Vec<u8>> {
    let kind = if channels == 2 {
        opus::Channels::Stereo
    } else {
        opus::Channels::Mono
    };
    let mut encoder = opus::Encoder::new(48_000, kind, opus::Application::Voip).unwrap();
    encoder
        .set_bitrate(opus::Bitrate::Bits(32_000 * channels as i32))
        .unwrap();
    let frame = 48 * ms;
    (0..seconds * 1_000 / ms)
        .map(|packet| {
            let pcm: Vec<i16> = (0..frame)
                .flat_map(|i| {
                    let t = (packet * frame + i) as f64 / 48_000.0;
                    let sample = (t * 1_004.0 * std::f64::consts::TAU).sin() * 8_000.0;
                    vec![sample as i16; channels]
                })
                .collect();
            encoder.encode_vec(&pcm, 1_400).unwrap()
        })
        .collect()
}

#[test]
fn packets_of_any_length_and_of_two_channels_reach_phone_and_browser() {
    for (ms, channels) in [(10, 1), (20, 1), (40, 1), (60, 1), (20, 2), (60, 2)] {
        for listener in [Codec::Pcmu, Codec::Pcma] {
            let mut world = World::new(61);
            let talker = world.browser(Codec::Opus);
            let phone = listener == Codec::Pcmu;
            let other = if phone {
                world.phone(listener)
            } else {
                world.browser(listener)
            };
            world.bridge(talker, other);
            let from = world.now + SECOND;
            for packet in packets(ms, channels, 3) {
                let peer = &mut world.peers[talker];
                let timestamp = peer.timestamp;
                peer.send(111, false, timestamp, &packet);
                peer.timestamp = timestamp.wrapping_add(48 * ms as u32);
                world.run(Duration::from_millis(ms as u64));
            }
            let what = format!("{ms} ms of {channels} to {listener:?}");
            let sound = world.peers[other].sound(from);
            let found = measure(&sound, 8_000);
            let expected = 20.0 * (8_000.0 / f64::from(crate::tone::amplitude(0.0))).log10();
            assert!((found.hertz - 1_004.0).abs() < 0.5, "{what}: {found:?}");
            assert!(
                (found.dbm0 - expected).abs() < 0.5,
                "{what}: {found:?} for {expected}"
            );
            for frame in sound.chunks_exact(160) {
                assert!((level_dbm0(frame) - expected).abs() < 1.5, "{what}");
            }
            assert!(
                world.peers[other]
                    .heard
                    .iter()
                    .all(|(_, _, payload)| payload.len() == 160),
                "{what}"
            );
            assert_eq!(world.report(talker).concealed, 0, "{what}");
        }
    }
}

#[test]
fn a_pause_of_the_sender_is_silence_and_not_loss() {
    let mut encoder = opus::Encoder::new(48_000, opus::Channels::Mono, opus::Application::Voip).unwrap();
    encoder.set_dtx(true).unwrap();
    encoder.set_bitrate(opus::Bitrate::Bits(24_000)).unwrap();
    for phone in [true, false] {
        let mut world = World::new(62);
        let talker = world.browser(Codec::Opus);
        let other = if phone {
            world.phone(Codec::Pcmu)
        } else {
            world.browser(Codec::Pcmu)
        };
        world.bridge(talker, other);
        let start = world.now;
        let mut left_out = 0;
        // A second of sound, three of silence, a second of sound.
        for i in 0..250usize {
            let loud = !(50..200).contains(&i);
            let pcm: Vec<i16> = (0..960)
                .map(|n| {
                    let t = (i * 960 + n) as f64 / 48_000.0 * std::f64::consts::TAU;
                    let voice: f64 = (1..10)
                        .map(|h| (t * 200.0 * f64::from(h)).sin() / f64::from(h))
                        .sum();
                    if loud { (voice * 6_000.0) as i16 } else { 0 }
                })
                .collect();
            let packet = encoder.encode_vec(&pcm, 1_400).unwrap();
            let peer = &mut world.peers[talker];
            let timestamp = peer.timestamp;
            // As browsers do: of what says only that there is silence, the first goes out.
            if packet.len() > 2 || left_out == 0 {
                peer.send(111, false, timestamp, &packet);
            }
            left_out = if packet.len() > 2 { 0 } else { left_out + 1 };
            peer.timestamp = timestamp.wrapping_add(960);
            world.run(Duration::from_millis(20));
        }
        let report = world.report(talker);
        world.run(Duration::from_millis(40));
        assert_eq!((report.lost, report.concealed), (0, 0), "{phone}: {report:?}");
        assert!(
            !world.saw(|event| matches!(event, crate::control::Event::Flow { .. })),
            "{:?}",
            world.events
        );
        let sound = world.peers[other].sound(start);
        assert!(sound.len().abs_diff(40_000) < 2_000, "{}", sound.len());
        assert!(level_dbm0(&sound[3_000..7_000]) > -15.0);
        assert!(level_dbm0(&sound[16_000..30_000]) < -50.0);
        assert!(
            level_dbm0(&sound[34_500..38_500]) > -15.0,
            "{}",
            level_dbm0(&sound[34_500..38_500])
        );
        if phone {
            assert!(report.buffer_us < 50_000, "{}", report.buffer_us);
        }
    }
}
