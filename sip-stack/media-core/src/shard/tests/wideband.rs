//! Sound of 16 kHz between peers whose codecs carry it.

use std::time::Duration;

use super::world::World;
use crate::codec::{RATE, WIDE, g722};
use crate::control::{Mode, Role};
use crate::negotiated::{Codec, Direction};
use crate::tone::{measure, power_at};

const SECOND: Duration = Duration::from_secs(1);
const FRAME: Duration = Duration::from_millis(20);
/// A tone that a telephone carries, one that it does not, and the amplitude of both.
const LOW: f64 = 1_004.0;
const HIGH: f64 = 5_210.0;
const AMPLITUDE: f64 = 6_000.0;

/// Packets of 20 ms of both tones, made by the talker's own encoder at the highest rate that it has.
fn packets(codec: Codec, count: usize) -> Vec<Vec<u8>> {
    let rate = if codec == Codec::Opus { 48_000 } else { WIDE };
    let mut opus = opus::Encoder::new(48_000, opus::Channels::Mono, opus::Application::Audio).unwrap();
    opus.set_bitrate(opus::Bitrate::Bits(64_000)).unwrap();
    let mut g722 = g722::Encoder::new(WIDE);
    let frame = rate as usize / 50;
    let packet = |packet: usize| {
        let sound = |i: usize| {
            let turn = (packet * frame + i) as f64 / f64::from(rate) * std::f64::consts::TAU;
            (((turn * LOW).sin() + (turn * HIGH).sin()) * AMPLITUDE) as i16
        };
        let pcm: Vec<i16> = (0..frame).map(sound).collect();
        match codec {
            Codec::Opus => opus.encode_vec(&pcm, 1_400).unwrap(),
            _ => {
                let mut octets = vec![0; 160];
                g722.encode(&pcm, &mut octets).unwrap();
                octets
            }
        }
    };
    (0..count).map(packet).collect()
}

/// Lets a peer say all of these, one every 20 ms.
fn say(world: &mut World, talker: usize, packets: &[Vec<u8>]) {
    for packet in packets {
        let peer = &mut world.peers[talker];
        let (number, timestamp) = (peer.payload_type(), peer.timestamp);
        peer.send(number, false, timestamp, packet);
        peer.timestamp = timestamp.wrapping_add(peer.codec.clock() / 50);
        world.run(FRAME);
    }
}

/// Lets a peer say the tones in so many packets.
fn talk(world: &mut World, talker: usize, count: usize) {
    let packets = packets(world.peers[talker].codec, count);
    say(world, talker, &packets);
}

/// Levels of the two tones that a peer heard since then, dB against what was said.
fn tones(world: &World, listener: usize, from: sans_io::Time) -> [f64; 2] {
    let sound = world.peers[listener].sound_at(from, WIDE);
    assert!(sound.len() > 8_000, "{} samples", sound.len());
    [LOW, HIGH].map(|hertz| {
        let amplitude = power_at(&sound, hertz, WIDE).sqrt();
        20.0 * (amplitude / AMPLITUDE).max(1e-6).log10()
    })
}

fn pair(world: &mut World, browser: Codec, phone: Codec) -> [usize; 2] {
    let pair = [world.browser(browser), world.phone(phone)];
    world.bridge(pair[0], pair[1]);
    pair
}

#[test]
fn a_browser_with_opus_and_a_phone_with_g722_hear_each_other_at_16_khz() {
    let mut world = World::new(91);
    let [browser, phone] = pair(&mut world, Codec::Opus, Codec::G722);
    for (talker, listener) in [(browser, phone), (phone, browser)] {
        let from = world.now + SECOND;
        talk(&mut world, talker, 150);
        let [low, high] = tones(&world, listener, from);
        assert!(low.abs() < 1.0 && high.abs() < 2.0, "{low:.1} dB, {high:.1} dB");
        let report = world.report(listener);
        assert_eq!(report.mode, Mode::Transcode);
        assert_eq!(report.codec_sent, Some(world.peers[listener].codec));
        assert_eq!(world.report(talker).concealed, 0);
    }
    // RFC 3551 §4.5.2: 160 ticks of an 8 kHz clock for 20 ms of 16 kHz.
    for packet in world.peers[phone].heard.windows(2) {
        let (before, after) = (&packet[0], &packet[1]);
        assert_eq!(after.2.len(), 160);
        if !after.1.marker {
            assert_eq!(after.1.timestamp.wrapping_sub(before.1.timestamp), 160);
        }
    }
}

#[test]
fn a_browser_that_plays_8_khz_is_sent_no_more() {
    let mut world = World::new(92);
    let browser = world.browser(Codec::Opus);
    world.peers[browser].opus.max_playback_rate = RATE;
    world.direct(browser, Direction::SendRecv);
    let phone = world.phone(Codec::G722);
    world.bridge(browser, phone);
    let from = world.now + SECOND;
    say(&mut world, phone, &packets(Codec::G722, 150));
    let [low, high] = tones(&world, browser, from);
    assert!(low.abs() < 1.0 && high < -30.0, "{low:.1} dB, {high:.1} dB");
}

#[test]
fn of_g722_and_g711_each_hears_what_a_telephone_carries() {
    let mut world = World::new(93);
    let [narrow, wide] = pair(&mut world, Codec::Pcmu, Codec::G722);
    let from = world.now + SECOND;
    say(&mut world, wide, &packets(Codec::G722, 150));
    let sound = world.peers[narrow].sound(from);
    let low = 20.0 * (power_at(&sound, LOW, RATE).sqrt() / AMPLITUDE).log10();
    let folded = power_at(&sound, f64::from(RATE) - HIGH, RATE).sqrt() / AMPLITUDE;
    assert!(low.abs() < 1.0 && folded < 0.01, "{low:.1} dB, {folded}");
    let from = world.now + SECOND;
    let now = world.now;
    world.peers[narrow].speak(now, LOW, -14.0);
    world.run(3 * SECOND);
    let found = measure(&world.peers[wide].sound_at(from, WIDE), WIDE);
    assert!(
        (found.hertz - LOW).abs() < 0.5 && (found.dbm0 + 14.0).abs() < 0.3,
        "{found:?}"
    );
    assert!(found.purity > 0.99, "{found:?}");
    assert_eq!(world.report(narrow).mode, Mode::Transcode);
    assert_eq!(world.report(wide).concealed, 0);
}

#[test]
fn g722_is_passed_on_as_it_is_between_two_who_speak_it() {
    let mut world = World::new(94);
    let [browser, phone] = pair(&mut world, Codec::G722, Codec::G722);
    let said = packets(Codec::G722, 50);
    say(&mut world, phone, &said);
    let heard = &world.peers[browser].heard;
    let heard: Vec<_> = heard.iter().map(|(_, _, payload)| payload.clone()).collect();
    assert_eq!(heard, said[said.len() - heard.len()..]);
    assert!(heard.len() >= 49 && world.report(browser).mode == Mode::Relay);
}

#[test]
fn lost_packets_are_made_up_for() {
    let mut world = World::new(95);
    let [browser, phone] = pair(&mut world, Codec::Opus, Codec::G722);
    for (talker, listener) in [(browser, phone), (phone, browser)] {
        let from = world.now + SECOND;
        for (i, packet) in packets(world.peers[talker].codec, 200).iter().enumerate() {
            if i % 25 == 20 {
                let peer = &mut world.peers[talker];
                peer.sequence = peer.sequence.wrapping_add(1);
                peer.timestamp = peer.timestamp.wrapping_add(peer.codec.clock() / 50);
                world.run(FRAME);
            } else {
                say(&mut world, talker, std::slice::from_ref(packet));
            }
        }
        let [low, high] = tones(&world, listener, from);
        assert!(low > -2.0 && high > -3.0, "{low:.1} dB, {high:.1} dB");
        // Samples at 8 kHz: eight packets of 20 ms.
        let concealed = world.report(talker).concealed;
        assert!((7 * 160..=8 * 160).contains(&concealed), "{concealed}");
    }
}

#[test]
fn jitter_of_the_network_breaks_nothing() {
    let mut world = World::new(96);
    let [browser, phone] = pair(&mut world, Codec::Opus, Codec::G722);
    world.conditions.spread = Duration::from_millis(30);
    for (talker, listener) in [(browser, phone), (phone, browser)] {
        let from = world.now + 2 * SECOND;
        talk(&mut world, talker, 250);
        let [low, high] = tones(&world, listener, from);
        assert!(low.abs() < 3.0 && high.abs() < 6.0, "{low:.1} dB, {high:.1} dB");
    }
}

#[test]
fn a_third_who_joins_and_leaves_costs_the_two_nothing_of_the_width() {
    for third in [Codec::Pcmu, Codec::Opus, Codec::G722] {
        let mut world = World::new(97);
        let [browser, phone] = pair(&mut world, Codec::Opus, Codec::G722);
        let third = world.phone(third);
        say(&mut world, browser, &packets(Codec::Opus, 100));
        world.bridge_as(&[(browser, Role::Party), (phone, Role::Party), (third, Role::Party)]);
        for (mode, members) in [(Mode::Mix, 3), (Mode::Transcode, 2)] {
            if members == 2 {
                world.bridge_as(&[(browser, Role::Party), (phone, Role::Party)]);
            }
            for (talker, listener) in [(browser, phone), (phone, browser)] {
                let from = world.now + SECOND;
                talk(&mut world, talker, 150);
                assert_eq!(world.report(listener).mode, mode);
                let [low, high] = tones(&world, listener, from);
                assert!(
                    low.abs() < 1.5 && high.abs() < 3.0,
                    "{mode:?}: {low:.1} dB, {high:.1} dB"
                );
            }
        }
    }
}
