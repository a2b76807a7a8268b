//! More than two in a bridge: each ear hears exactly whom it should.

use std::time::Duration;

use sans_io::Time;

use super::world::{Conditions, World};
use crate::control::{Application, Command, Event, Mode, Role};
use crate::negotiated::{Codec, Direction};
use crate::tone::{amplitude, level_dbm0, measure, power_at};

const SECOND: Duration = Duration::from_secs(1);
/// Tones of the members, hertz.
pub(super) const TONES: [f64; 6] = [440.0, 1_004.0, 1_520.0, 2_060.0, 2_610.0, 710.0];
/// And how loud.
const LEVEL: f32 = -18.0;

pub(super) const OPUS: (bool, Codec) = (true, Codec::Opus);
pub(super) const PCMU: (bool, Codec) = (false, Codec::Pcmu);
pub(super) const PCMA: (bool, Codec) = (false, Codec::Pcma);
pub(super) const G722: (bool, Codec) = (false, Codec::G722);

/// Members of these kinds, each saying its tone.
pub(super) fn talkers(world: &mut World, kinds: &[(bool, Codec)]) -> Vec<usize> {
    let peers: Vec<usize> = kinds
        .iter()
        .map(|(browser, codec)| {
            if *browser {
                world.browser(*codec)
            } else {
                world.phone(*codec)
            }
        })
        .collect();
    let now = world.now;
    for peer in &peers {
        world.peers[*peer].speak(now, TONES[*peer], LEVEL);
    }
    peers
}

/// Level of each tone against what its talker says, dB, in what a peer heard since then.
pub(super) fn levels(world: &World, peer: usize, from: Time) -> Vec<f64> {
    let sound = world.peers[peer].sound(from);
    assert!(sound.len() > 3_000, "{} samples at {peer}", sound.len());
    let said = f64::from(amplitude(LEVEL));
    TONES[..world.peers.len()]
        .iter()
        .map(|hertz| 20.0 * (power_at(&sound, *hertz, 8_000).sqrt() / said).max(1e-6).log10())
        .collect()
}

/// Checks that a peer hears these and nobody else.
fn assert_hears(world: &World, peer: usize, from: Time, whom: &[usize], what: &str) {
    for (other, level) in levels(world, peer, from).iter().enumerate() {
        if whom.contains(&other) {
            assert!(level.abs() < 1.0, "{what}: {peer} hears {other} at {level} dB");
        } else {
            assert!(*level < -30.0, "{what}: {peer} hears {other} at {level} dB");
        }
    }
}

fn parties(peers: &[usize]) -> Vec<(usize, Role)> {
    peers.iter().map(|peer| (*peer, Role::Party)).collect()
}

/// Checks that sequence numbers and timestamps run on without a gap, under one SSRC, with the marker on the
/// first packet alone.
fn assert_unbroken(world: &World, peer: usize) {
    let heard = &world.peers[peer].heard;
    let ticks = world.peers[peer].codec.clock() / 50;
    for (i, pair) in heard.windows(2).enumerate() {
        let (a, b) = (pair[0].1, pair[1].1);
        assert_eq!(a.ssrc, b.ssrc, "{i} of {peer}");
        assert_eq!(b.sequence, a.sequence.wrapping_add(1), "{i} of {peer}");
        assert_eq!(b.timestamp.wrapping_sub(a.timestamp), ticks, "{i} of {peer}");
        assert!(!b.marker, "{i} of {peer}");
    }
}

#[test]
fn everybody_hears_the_others_and_not_itself() {
    for kinds in [
        vec![PCMU, PCMU, PCMU],
        vec![OPUS, PCMU, PCMA],
        vec![OPUS, OPUS, PCMU],
        vec![OPUS, OPUS, OPUS, OPUS],
        vec![(true, Codec::Pcmu), OPUS, PCMA, PCMU, OPUS],
        vec![G722, PCMU, PCMA],
        vec![G722, OPUS, PCMU],
        vec![G722, G722, OPUS, PCMA],
    ] {
        let mut world = World::new(71);
        let peers = talkers(&mut world, &kinds);
        world.bridge_as(&parties(&peers));
        world.run(3 * SECOND);
        let from = world.now - SECOND;
        for peer in &peers {
            let others: Vec<usize> = peers.iter().copied().filter(|other| other != peer).collect();
            assert_hears(&world, *peer, from, &others, &format!("{kinds:?}"));
            let report = world.report(*peer);
            assert_eq!(
                (report.mode, report.lost, report.concealed),
                (Mode::Mix, 0, 0),
                "{kinds:?}"
            );
            assert!(report.buffer_us < 60_000, "{kinds:?}: {} us", report.buffer_us);
        }
    }
}

#[test]
fn listeners_hear_all_and_are_heard_by_nobody_and_a_coach_by_one() {
    for supervisor in [OPUS, PCMU, G722] {
        let mut world = World::new(72);
        let peers = talkers(&mut world, &[OPUS, PCMU, supervisor, supervisor, supervisor]);
        let [agent, caller, supervisor, second, third] = peers[..] else {
            panic!()
        };
        let both = [(agent, Role::Party), (caller, Role::Party)];
        let as_role = |role| [both[0], both[1], (supervisor, role)];
        // Listen.
        world.bridge_as(&as_role(Role::Listener));
        world.run(2 * SECOND);
        let from = world.now - SECOND;
        assert_hears(&world, agent, from, &[caller], "listen");
        assert_hears(&world, caller, from, &[agent], "listen");
        assert_hears(&world, supervisor, from, &[agent, caller], "listen");
        // Whisper.
        let whisper = Role::Coach(world.leg(agent));
        world.bridge_as(&as_role(whisper));
        world.run(2 * SECOND);
        let from = world.now - SECOND;
        assert_hears(&world, agent, from, &[caller, supervisor], "whisper");
        assert_hears(&world, caller, from, &[agent], "whisper");
        assert_hears(&world, supervisor, from, &[agent, caller], "whisper");
        // Barge.
        world.bridge_as(&as_role(Role::Party));
        world.run(2 * SECOND);
        let from = world.now - SECOND;
        assert_hears(&world, agent, from, &[caller, supervisor], "barge");
        assert_hears(&world, caller, from, &[agent, supervisor], "barge");
        assert_hears(&world, supervisor, from, &[agent, caller], "barge");
        // Many listeners share their sound; one of them coaches.
        let mut all = as_role(Role::Listener).to_vec();
        all.extend([(second, whisper), (third, Role::Listener)]);
        world.bridge_as(&all);
        world.run(2 * SECOND);
        let from = world.now - SECOND;
        assert_hears(&world, agent, from, &[caller, second], "many");
        assert_hears(&world, caller, from, &[agent], "many");
        for listener in [supervisor, second, third] {
            assert_hears(&world, listener, from, &[agent, caller], "many");
        }
        // The first of them, whose frames the others got, goes.
        world.bridge_as(&[
            both[0],
            both[1],
            (second, Role::Listener),
            (third, Role::Listener),
        ]);
        world.run(2 * SECOND);
        let from = world.now - SECOND;
        for listener in [second, third] {
            assert_hears(&world, listener, from, &[agent, caller], "fewer");
        }
        // Other members came, went and changed roles: nothing broke for these.
        for peer in [agent, caller] {
            assert_unbroken(&world, peer);
        }
        let silent = world.peers[supervisor].heard.last().expect("something").0;
        assert!(silent < from, "{silent:?}");
    }
}

#[test]
fn one_party_and_a_listener() {
    let mut world = World::new(73);
    let peers = talkers(&mut world, &[OPUS, PCMU]);
    world.bridge_as(&[(peers[0], Role::Party), (peers[1], Role::Listener)]);
    world.run(2 * SECOND);
    let from = world.now - SECOND;
    assert_hears(&world, peers[1], from, &[peers[0]], "listen");
    assert_hears(&world, peers[0], from, &[], "alone");
    assert_eq!(world.report(peers[0]).mode, Mode::Mix);
}

/// The strongest click in a tone: what no sine of that frequency goes on with, in one sample.
fn click(sound: &[i16], hertz: f64) -> f64 {
    let turn = 2.0 * (hertz * std::f64::consts::TAU / 8_000.0).cos();
    let rest = |w: &[i16]| f64::from(w[0]) - turn * f64::from(w[1]) + f64::from(w[2]);
    sound.windows(3).map(|w| rest(w).abs()).fold(0.0, f64::max)
}

#[test]
fn a_third_comes_and_goes_and_those_who_stay_hear_no_gap() {
    for (a, b, c) in [
        (PCMU, PCMU, PCMA),
        (PCMU, PCMA, PCMA),
        (OPUS, PCMU, PCMU),
        (OPUS, PCMU, OPUS),
        (PCMU, OPUS, OPUS),
        (OPUS, OPUS, PCMU),
        (OPUS, OPUS, OPUS),
        ((true, Codec::Pcmu), OPUS, PCMU),
    ] {
        // At different moments between two packets.
        for offset in [3, 14] {
            let what = format!("{a:?} {b:?} and {c:?} after {offset} ms");
            let mut world = World::new(74);
            let peers = talkers(&mut world, &[a, b, c]);
            let pair = [peers[0], peers[1]];
            // The third only hears: it would cover a gap.
            world.peers[peers[2]].hush();
            world.bridge_as(&parties(&pair));
            world.run(2 * SECOND);
            let begin = world.now - SECOND;
            world.run(Duration::from_millis(offset));
            world.bridge_as(&parties(&peers));
            world.run(2 * SECOND);
            assert_hears(&world, peers[2], world.now - SECOND, &pair, &what);
            world.bridge_as(&parties(&pair));
            world.run(2 * SECOND);
            for (peer, other) in [(0, 1), (1, 0)] {
                assert_unbroken(&world, peer);
                let sound = world.peers[peer].sound(begin);
                assert!(sound.len().abs_diff(5 * 8_000) <= 480, "{what}: {}", sound.len());
                let bad: Vec<(usize, f64)> = sound
                    .chunks_exact(160)
                    .map(level_dbm0)
                    .enumerate()
                    .filter(|(_, level)| (level - f64::from(LEVEL)).abs() > 3.0)
                    .collect();
                assert!(bad.len() <= 1, "{what}: {peer} hears {other} at {bad:?}");
                // Between two encoders of Opus there is a seam: 38% of the tone's peak at worst, -29 dBFS.
                let limit = if a.1 == b.1 && a.1 == Codec::Opus {
                    1_200.0
                } else {
                    300.0
                };
                let found = click(&sound, TONES[other]);
                assert!(
                    found < limit,
                    "{what}: {peer} hears {other} with a click of {found}"
                );
            }
            for peer in pair {
                let report = world.report(peer);
                assert_eq!((report.lost, report.concealed), (0, 0), "{what}");
                let mode = if a.1 == b.1 { Mode::Relay } else { Mode::Transcode };
                assert_eq!(report.mode, mode, "{what}");
            }
        }
    }
}

#[test]
fn two_of_three_who_began_together_go_on_without_a_gap() {
    for (a, b, c) in [
        (PCMU, PCMA, PCMU),
        (OPUS, PCMU, OPUS),
        (OPUS, (true, Codec::Pcma), OPUS),
        (OPUS, OPUS, OPUS),
    ] {
        let what = format!("{a:?} {b:?} and {c:?}");
        let mut world = World::new(82);
        let peers = talkers(&mut world, &[a, b, c]);
        world.peers[peers[2]].hush();
        world.bridge_as(&parties(&peers));
        world.run(2 * SECOND);
        let begin = world.now - SECOND;
        world.run(Duration::from_millis(7));
        world.bridge_as(&parties(&peers[..2]));
        world.run(2 * SECOND);
        for (peer, other) in [(0, 1), (1, 0)] {
            assert_unbroken(&world, peer);
            let sound = world.peers[peer].sound(begin);
            assert!(sound.len().abs_diff(3 * 8_000) <= 480, "{what}: {}", sound.len());
            for (i, frame) in sound.chunks_exact(160).enumerate() {
                let off = level_dbm0(frame) - f64::from(LEVEL);
                assert!(
                    off.abs() < 3.0,
                    "{what}: {peer} hears {other} {off} dB off in frame {i}"
                );
            }
            let limit = if a.1 == b.1 && a.1 == Codec::Opus {
                1_200.0
            } else {
                500.0
            };
            let found = click(&sound, TONES[other]);
            assert!(
                found < limit,
                "{what}: {peer} hears {other} with a click of {found}"
            );
        }
    }
}

#[test]
fn opus_members_hear_each_other_above_four_kilohertz() {
    let mut world = World::new(75);
    let peers = talkers(&mut world, &[OPUS, OPUS, PCMU]);
    for peer in &peers {
        world.peers[*peer].hush();
    }
    world.bridge_as(&parties(&peers));
    let mut encoder = opus::Encoder::new(16_000, opus::Channels::Mono, opus::Application::Voip).unwrap();
    encoder.set_bitrate(opus::Bitrate::Bits(32_000)).unwrap();
    for packet in 0..150usize {
        let pcm: Vec<i16> = (0..320)
            .map(|i| ((packet * 320 + i) as f64 * 6_000.0 * std::f64::consts::TAU / 16_000.0).sin() * 6_000.0)
            .map(|sample| sample as i16)
            .collect();
        let payload = encoder.encode_vec(&pcm, 400).unwrap();
        let peer = &mut world.peers[peers[0]];
        let timestamp = peer.timestamp;
        peer.send(111, packet == 0, timestamp, &payload);
        peer.timestamp = timestamp.wrapping_add(960);
        world.run(Duration::from_millis(20));
    }
    let mut decoder = opus::Decoder::new(16_000, opus::Channels::Mono).unwrap();
    let mut sound = Vec::new();
    for (_, header, payload) in &world.peers[peers[1]].heard {
        let mut pcm = [0; 1_920];
        assert_eq!(header.payload_type, 111);
        let len = decoder.decode(payload, &mut pcm, false).unwrap();
        sound.extend_from_slice(&pcm[..len]);
    }
    let late = &sound[sound.len() - 16_000..];
    let level = 20.0 * (power_at(late, 6_000.0, 16_000).sqrt() / 6_000.0).log10();
    assert!(level.abs() < 1.5, "{level} dB");
    // A phone cannot hear it, and does not hear it folded either.
    let phone = world.peers[peers[2]].sound(world.now - SECOND);
    assert!(level_dbm0(&phone) < -45.0, "{}", level_dbm0(&phone));
}

#[test]
fn a_member_on_hold_hears_its_music_and_the_others_talk_on() {
    let mut world = World::new(76);
    let peers = talkers(&mut world, &[OPUS, PCMU, PCMA]);
    world.bridge_as(&parties(&peers));
    world.run(SECOND);
    world.direct(peers[1], Direction::SendOnly);
    world.play(peers[1], Some(Application::Music));
    world.run(2 * SECOND);
    let from = world.now - SECOND;
    assert_hears(&world, peers[0], from, &[peers[2]], "hold");
    assert_hears(&world, peers[2], from, &[peers[0]], "hold");
    let music = world.peers[peers[1]].sound(from);
    assert!(measure(&music, 8_000).purity < 0.7 && level_dbm0(&music) > -35.0);
    assert_eq!(world.report(peers[1]).mode, Mode::Application);
    world.direct(peers[1], Direction::SendRecv);
    world.play(peers[1], None);
    world.run(2 * SECOND);
    let from = world.now - SECOND;
    for peer in &peers {
        let others: Vec<usize> = peers.iter().copied().filter(|other| other != peer).collect();
        assert_hears(&world, *peer, from, &others, "back");
    }
    assert_eq!(world.report(peers[1]).mode, Mode::Mix);
}

#[test]
fn who_falls_silent_stops_nobody_and_is_heard_again() {
    let mut world = World::new(77);
    let peers = talkers(&mut world, &[OPUS, PCMU, PCMA]);
    world.bridge_as(&parties(&peers));
    world.run(SECOND);
    world.peers[peers[1]].hush();
    world.run(3 * SECOND);
    let from = world.now - SECOND;
    assert_hears(&world, peers[0], from, &[peers[2]], "silent");
    assert_hears(&world, peers[2], from, &[peers[0]], "silent");
    assert_hears(&world, peers[1], from, &[peers[0], peers[2]], "silent");
    let now = world.now;
    world.peers[peers[1]].speak(now, TONES[1], LEVEL);
    world.run(2 * SECOND);
    assert_hears(
        &world,
        peers[0],
        world.now - SECOND,
        &[peers[1], peers[2]],
        "back",
    );
    for peer in &peers {
        assert_unbroken(&world, *peer);
    }
}

#[test]
fn a_member_that_closes_leaves_the_others_together() {
    let mut world = World::new(78);
    let peers = talkers(&mut world, &[OPUS, PCMU, PCMA, OPUS]);
    world.bridge_as(&parties(&peers));
    world.run(SECOND);
    for (gone, left, mode) in [(3, vec![0, 1, 2], Mode::Mix), (0, vec![1, 2], Mode::Transcode)] {
        let leg = world.leg(peers[gone]);
        world.peers[peers[gone]].hush();
        world.command(Command::Close { leg });
        world.run(2 * SECOND);
        let from = world.now - SECOND;
        for peer in &left {
            let others: Vec<usize> = left.iter().copied().filter(|other| other != peer).collect();
            assert_hears(&world, *peer, from, &others, "left");
            assert_eq!(world.report(*peer).mode, mode);
        }
    }
    let leg = world.leg(1);
    world.command(Command::Close { leg });
    world.run(SECOND);
    assert_eq!(world.report(2).mode, Mode::None);
}

#[test]
fn a_key_reaches_all_who_hear_the_one_that_pressed_it() {
    let mut world = World::new(79);
    let peers = talkers(&mut world, &[OPUS, PCMU, PCMA, PCMU]);
    world.bridge_as(&[
        (peers[0], Role::Party),
        (peers[1], Role::Party),
        (peers[2], Role::Listener),
        (peers[3], Role::Coach(world.leg(peers[0]))),
    ]);
    world.run(SECOND);
    let events = |world: &World, peer: usize| {
        let ends = world.peers[peer].heard.iter();
        ends.filter(|(_, header, payload)| header.payload_type == 110 && payload[1] & 0x80 != 0)
            .count()
    };
    world.peers[peers[0]].press(b'5', &[]);
    world.run(SECOND);
    assert_eq!([0, 1, 2, 3].map(|peer| events(&world, peer)), [0, 3, 3, 3]);
    world.peers[peers[3]].press(b'7', &[]);
    world.run(SECOND);
    assert_eq!([0, 1, 2, 3].map(|peer| events(&world, peer)), [3, 3, 3, 3]);
    let reported = world
        .events
        .iter()
        .filter(|(_, event)| matches!(event, Event::Dtmf { .. }));
    assert_eq!(reported.count(), 2);
    // Nobody hears the same digit as sound.
    for peer in &peers {
        let sound = world.peers[*peer].sound(world.now - 2 * SECOND);
        let mut detector = crate::dtmf::Detector::default();
        assert!(
            sound
                .chunks_exact(160)
                .all(|frame| detector.listen(frame).is_none())
        );
    }
}

#[test]
fn a_bad_network_takes_little_of_one_member() {
    for bad in [OPUS, PCMU] {
        let mut world = World::new(80);
        let peers = talkers(&mut world, &[bad, PCMU, OPUS]);
        world.bridge_as(&parties(&peers));
        world.conditions = Conditions {
            loss_percent: 10,
            repeat_percent: 3,
            spread: Duration::from_millis(30),
        };
        world.run(10 * SECOND);
        world.conditions = Conditions::default();
        let sound = world.peers[peers[1]].sound(world.now - 8 * SECOND);
        let frames = sound.chunks_exact(160);
        let total = frames.len();
        let off = frames
            .filter(|frame| {
                let at = |hertz| power_at(frame, hertz, 8_000).sqrt() / f64::from(amplitude(LEVEL));
                // 20 ms tell the two apart by 50 Hz at best.
                !(0.6..1.6).contains(&at(TONES[0]))
            })
            .count();
        assert!(total > 350 && off * 100 < total * 25, "{bad:?}: {off} of {total}");
        world.run(2 * SECOND);
        assert_hears(
            &world,
            peers[1],
            world.now - SECOND,
            &[peers[0], peers[2]],
            "after",
        );
    }
}

#[test]
fn packets_of_other_lengths() {
    for (ptime, samples) in [(10, 80), (30, 240), (40, 320), (60, 480)] {
        let mut world = World::new(81);
        let peers = talkers(&mut world, &[PCMU, PCMA, OPUS]);
        world.peers[peers[0]].ptime = ptime;
        world.direct(peers[0], Direction::SendRecv);
        world.bridge_as(&parties(&peers));
        world.run(3 * SECOND);
        assert_hears(
            &world,
            peers[0],
            world.now - SECOND,
            &[peers[1], peers[2]],
            "packets",
        );
        let heard = &world.peers[peers[0]].heard;
        assert!(
            heard.iter().all(|(_, _, payload)| payload.len() == samples),
            "{ptime}"
        );
    }
}
