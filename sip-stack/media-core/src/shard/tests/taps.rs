//! Taps of legs: every packet, both ways, whatever becomes of it.

use std::time::Duration;

use sans_io::Time;

use super::world::{Conditions, World};
use crate::codec::{FRAME, RATE};
use crate::control::{Application, Command, LegId, StreamIndex};
use crate::negotiated::{Codec, Direction};
use crate::rtp::Packet;
use crate::srtp::Profile;
use crate::tap::{Playout, Way};
use crate::tone::{Measured, level_dbm0, measure};

const SECOND: Duration = Duration::from_secs(1);
const TICK: Duration = Duration::from_millis(20);

fn tap(world: &mut World, peer: usize, on: bool) {
    let leg = world.leg(peer);
    let stream = StreamIndex::FIRST;
    world.command(Command::Tap { leg, stream, on });
}

/// Packets that were tapped of a leg in one direction.
fn packets(world: &World, leg: LegId, way: Way) -> Vec<(Time, Option<Codec>, Vec<u8>)> {
    let of = world
        .tapped
        .iter()
        .filter(|(_, other, its, ..)| (*other, *its) == (leg, way));
    of.map(|(at, _, _, codec, data)| (*at, *codec, data.clone()))
        .collect()
}

/// Sound that a listener makes of a leg's packets, at the rate of the decoder; what is missing is silence.
fn sound(world: &World, leg: LegId, way: Way, rate: u32) -> Vec<i16> {
    let packets = packets(world, leg, way);
    let mut playout = Playout::new(rate);
    let mut sound = Vec::new();
    let Some(mut at) = packets.first().map(|(at, ..)| *at) else {
        return sound;
    };
    let mut packets = packets.into_iter().peekable();
    while packets.peek().is_some() {
        while let Some((arrived, codec, data)) = packets.next_if(|(arrived, ..)| *arrived <= at) {
            if let Some(codec) = codec {
                playout.insert(arrived, codec, &data);
            }
        }
        match playout.pull(at) {
            Some(pcm) => sound.extend(pcm),
            None => sound.extend([0; FRAME]),
        }
        at += TICK;
    }
    sound
}

fn heard(world: &World, leg: LegId, way: Way) -> Measured {
    let sound = sound(world, leg, way, RATE);
    let half = sound.len() / 2;
    assert!(half > 4_000, "{} samples", sound.len());
    measure(&sound[half..], RATE)
}

#[track_caller]
fn assert_tone(found: Measured, hertz: f64) {
    assert!((found.hertz - hertz).abs() < 1.0, "{hertz} Hz: {found:?}");
    assert!(found.purity > 0.9, "{hertz} Hz: {found:?}");
}

#[test]
fn a_relayed_or_transcoded_leg_is_heard_in_both_directions() {
    for (left, right) in [
        (Codec::Opus, Codec::Opus),
        (Codec::Pcmu, Codec::Pcmu),
        (Codec::Opus, Codec::Pcmu),
        (Codec::Pcma, Codec::Opus),
        (Codec::Opus, Codec::G722),
        (Codec::G722, Codec::Pcmu),
    ] {
        let mut world = World::new(31);
        let (a, b) = (world.browser(left), world.phone(right));
        world.bridge(a, b);
        tap(&mut world, a, true);
        let now = world.now;
        world.peers[a].speak(now, 440.0, -14.0);
        world.peers[b].speak(now, 1_004.0, -14.0);
        world.run(3 * SECOND);
        let leg = world.leg(a);
        assert_tone(heard(&world, leg, Way::Received), 440.0);
        assert_tone(heard(&world, leg, Way::Sent), 1_004.0);
        // Exactly what went over the wire, and nothing of anybody else.
        let sent: Vec<Vec<u8>> = packets(&world, leg, Way::Sent)
            .into_iter()
            .map(|(_, _, data)| Packet::parse(&data).unwrap().payload.to_vec())
            .collect();
        let wire: Vec<Vec<u8>> = world.peers[a]
            .heard
            .iter()
            .map(|(_, _, payload)| payload.clone())
            .collect();
        assert!(
            sent.len() >= wire.len() && sent[..wire.len()] == wire[..],
            "{left:?} {right:?}"
        );
        assert!(world.tapped.iter().all(|(_, other, ..)| *other == leg));
        assert!(
            packets(&world, leg, Way::Received)
                .iter()
                .all(|(_, codec, _)| *codec == Some(left))
        );
    }
}

#[test]
fn srtp_by_sdes_is_tapped_open() {
    let mut world = World::new(32);
    let a = world.secure_phone(Codec::Pcmu, Profile::Aes128CmSha1_80);
    let b = world.phone(Codec::Pcmu);
    world.bridge(a, b);
    tap(&mut world, a, true);
    let now = world.now;
    world.peers[a].speak(now, 440.0, -14.0);
    world.peers[b].speak(now, 1_004.0, -14.0);
    world.run(3 * SECOND);
    let leg = world.leg(a);
    assert_tone(heard(&world, leg, Way::Received), 440.0);
    assert_tone(heard(&world, leg, Way::Sent), 1_004.0);
}

#[test]
fn a_member_of_a_mix_is_heard_alone_and_what_it_hears_is_the_others() {
    let mut world = World::new(33);
    let peers = [
        world.browser(Codec::Opus),
        world.phone(Codec::Pcmu),
        world.browser(Codec::Opus),
    ];
    world.bridge_as(&peers.map(|peer| (peer, crate::control::Role::Party)));
    tap(&mut world, peers[1], true);
    let now = world.now;
    world.peers[peers[0]].speak(now, 440.0, -14.0);
    world.peers[peers[1]].speak(now, 1_004.0, -14.0);
    world.run(3 * SECOND);
    let leg = world.leg(peers[1]);
    assert_tone(heard(&world, leg, Way::Received), 1_004.0);
    assert_tone(heard(&world, leg, Way::Sent), 440.0);
}

#[test]
fn a_leg_of_another_shard_is_tapped_on_its_own() {
    let mut world = World::with_shards(34, 2);
    let (a, b) = (world.browser(Codec::Opus), world.phone(Codec::Pcmu));
    world.bridge(a, b);
    tap(&mut world, b, true);
    let now = world.now;
    world.peers[a].speak(now, 440.0, -14.0);
    world.peers[b].speak(now, 1_004.0, -14.0);
    world.run(3 * SECOND);
    let leg = world.leg(b);
    assert_tone(heard(&world, leg, Way::Received), 1_004.0);
    assert_tone(heard(&world, leg, Way::Sent), 440.0);
}

#[test]
fn a_leg_without_a_bridge_and_one_on_hold_are_tapped() {
    let mut world = World::new(35);
    let alone = world.phone(Codec::Pcmu);
    tap(&mut world, alone, true);
    let tone = Application::Tone {
        hertz: 800,
        dbm0: -12,
    };
    world.play(alone, Some(tone));
    let now = world.now;
    world.peers[alone].speak(now, 440.0, -14.0);
    world.run(2 * SECOND);
    let leg = world.leg(alone);
    assert_tone(heard(&world, leg, Way::Received), 440.0);
    assert_tone(heard(&world, leg, Way::Sent), 800.0);

    // Held by us: its peer hears the application, in a bridge too.
    let other = world.browser(Codec::Opus);
    world.bridge(alone, other);
    world.direct(alone, Direction::SendOnly);
    world.tapped.clear();
    world.run(2 * SECOND);
    assert_tone(heard(&world, leg, Way::Sent), 800.0);
}

#[test]
fn sound_survives_loss_and_is_wide_where_the_codec_is() {
    let mut world = World::new(36);
    let (a, b) = (world.browser(Codec::Opus), world.browser(Codec::Opus));
    world.bridge(a, b);
    tap(&mut world, a, true);
    world.conditions = Conditions {
        loss_percent: 3,
        repeat_percent: 2,
        spread: Duration::from_millis(20),
    };
    let now = world.now;
    world.peers[a].speak(now, 440.0, -14.0);
    world.run(10 * SECOND);
    let leg = world.leg(a);
    let sound = sound(&world, leg, Way::Received, 16_000);
    let frames: Vec<f64> = sound[16_000..].chunks_exact(320).map(level_dbm0).collect();
    let bad = frames.iter().filter(|level| (**level + 14.0).abs() > 3.0).count();
    assert!(
        frames.len() > 400 && bad * 100 < frames.len() * 5,
        "{bad} of {}",
        frames.len()
    );
    assert_tone(measure(&sound[80_000..96_000], 16_000), 440.0);
}

#[test]
fn a_tap_ends_when_it_is_told_to_and_with_its_leg() {
    let mut world = World::new(37);
    let (a, b) = (world.phone(Codec::Pcmu), world.phone(Codec::Pcma));
    world.bridge(a, b);
    let now = world.now;
    world.peers[a].speak(now, 440.0, -14.0);
    tap(&mut world, a, true);
    world.run(SECOND);
    assert!(world.tapped.len() > 40);
    tap(&mut world, a, false);
    world.tapped.clear();
    world.run(SECOND);
    assert!(world.tapped.is_empty());
    // The call was not disturbed by any of it.
    let found = measure(&world.peers[b].sound(now), RATE);
    assert_tone(found, 440.0);
    let report = world.report(a);
    assert_eq!((report.lost, report.refused), (0, 0));

    tap(&mut world, a, true);
    let (leg, stranger) = (world.leg(a), LegId(2_000));
    world.command(Command::Close { leg });
    world.command_to(
        0,
        Command::Tap {
            leg: stranger,
            stream: StreamIndex::FIRST,
            on: true,
        },
    );
    assert_eq!(world.closed, [leg, stranger]);
}

#[test]
fn a_new_agreement_and_new_keys_reach_a_tapped_leg() {
    let mut world = World::new(38);
    let (a, b) = (world.phone(Codec::Pcmu), world.phone(Codec::Pcmu));
    world.bridge(a, b);
    tap(&mut world, a, true);
    let now = world.now;
    world.peers[a].speak(now, 440.0, -14.0);
    world.run(SECOND);
    // Another codec, and SRTP after plain RTP.
    world.peers[a].secure(Profile::AeadAes128Gcm);
    world.recode(a, Codec::Pcma);
    world.tapped.clear();
    world.run(2 * SECOND);
    let leg = world.leg(a);
    assert_tone(heard(&world, leg, Way::Received), 440.0);
    let received = packets(&world, leg, Way::Received);
    assert!(
        received
            .iter()
            .rev()
            .take(50)
            .all(|(_, codec, _)| *codec == Some(Codec::Pcma))
    );
}
