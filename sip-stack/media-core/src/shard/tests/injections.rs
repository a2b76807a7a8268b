//! Sound that is injected into legs, over what they hear or instead of it.

use std::time::Duration;

use sans_io::Time;

use super::world::{Conditions, World};
use crate::codec::RATE;
use crate::control::{Application, Command, InjectionId, LegId, Mode, Role, SoundRate};
use crate::negotiated::{Codec, Direction};
use crate::tone::{level_dbm0, power_at};

const SECOND: Duration = Duration::from_secs(1);
const TICK: Duration = Duration::from_millis(20);
const ID: InjectionId = InjectionId(1);
/// Tone of the injection; the peers' are 440 and 1,004.
const INJECTED: f64 = 1_700.0;

fn inject(world: &mut World, peer: usize, rate: SoundRate, over: bool) {
    let leg = world.leg(peer);
    world.command(Command::Inject {
        leg,
        injection: ID,
        rate,
        over,
    });
}

fn end(world: &mut World, peer: usize) {
    let leg = world.leg(peer);
    world.command(Command::EndInjection { leg, injection: ID });
}

/// Lets time pass in which the source makes a tone of -14 dBm0 or so.
fn play(world: &mut World, peer: usize, rate: SoundRate, length: Duration) {
    let (leg, shard) = (world.leg(peer), world.shard_of(peer));
    let (until, mut at) = (world.now + length, 0_u32);
    while world.now < until {
        let step = std::f64::consts::TAU * INJECTED / f64::from(rate.hertz());
        let sample = |i: u32| ((f64::from(i) * step).sin() * 4_500.0) as i16;
        let sound: Vec<i16> = (at..at + rate.hertz() / 50).map(sample).collect();
        at += sound.len() as u32;
        assert_eq!(
            world.shards[shard].handle_sound(leg, ID, &sound),
            Some(sound.len())
        );
        world.run(TICK);
    }
}

/// Tones that a peer has heard since then, of the two peers and of the injection.
#[track_caller]
fn assert_hears(world: &World, peer: usize, from: Time, tones: &[f64], what: &str) {
    let sound = world.peers[peer].sound(from);
    assert!(sound.len() > 6_000, "{what}: {} samples", sound.len());
    for hertz in [440.0, 1_004.0, INJECTED] {
        let amplitude = power_at(&sound[sound.len() - 4_000..], hertz, RATE).sqrt();
        assert_eq!(
            amplitude > 1_000.0,
            tones.contains(&hertz),
            "{what}: {hertz} Hz at {amplitude}"
        );
    }
}

/// Two who talk: 440 Hz from the first, 1,004 Hz from the second.
fn talk(world: &mut World, a: usize, b: usize) {
    let now = world.now;
    world.peers[a].speak(now, 440.0, -14.0);
    world.peers[b].speak(now, 1_004.0, -14.0);
    world.run(SECOND);
}

#[test]
fn a_relayed_or_transcoded_leg_hears_it_and_the_other_does_not() {
    for (left, right, rate) in [
        (Codec::Opus, Codec::Opus, SoundRate::Hz48000),
        (Codec::Pcmu, Codec::Pcmu, SoundRate::Hz8000),
        (Codec::Opus, Codec::Pcmu, SoundRate::Hz16000),
        (Codec::Pcma, Codec::Opus, SoundRate::Hz16000),
        (Codec::G722, Codec::Opus, SoundRate::Hz48000),
    ] {
        for over in [true, false] {
            let what = format!("{left:?} {right:?} {over}");
            let mut world = World::new(51);
            let (a, b) = (world.browser(left), world.phone(right));
            world.bridge(a, b);
            talk(&mut world, a, b);
            inject(&mut world, a, rate, over);
            let from = world.now + SECOND / 5;
            play(&mut world, a, rate, 2 * SECOND);
            let tones = if over {
                &[1_004.0, INJECTED][..]
            } else {
                &[INJECTED]
            };
            assert_hears(&world, a, from, tones, &what);
            assert_hears(&world, b, from, &[440.0], &what);
            // And as it was before.
            end(&mut world, a);
            let mode = if left == right {
                Mode::Relay
            } else {
                Mode::Transcode
            };
            let from = world.now + SECOND / 5;
            world.run(2 * SECOND);
            assert_hears(&world, a, from, &[1_004.0], &what);
            assert_hears(&world, b, from, &[440.0], &what);
            assert_eq!(
                (world.report(a).mode, world.report(b).mode),
                (mode, mode),
                "{what}"
            );
        }
    }
}

#[test]
fn one_member_of_a_conference_hears_it() {
    for over in [true, false] {
        let mut world = World::new(52);
        let peers = [
            world.browser(Codec::Opus),
            world.phone(Codec::Pcmu),
            world.browser(Codec::Opus),
        ];
        world.bridge_as(&peers.map(|peer| (peer, Role::Party)));
        talk(&mut world, peers[0], peers[1]);
        inject(&mut world, peers[2], SoundRate::Hz48000, over);
        let from = world.now + SECOND / 5;
        play(&mut world, peers[2], SoundRate::Hz48000, 2 * SECOND);
        let tones = if over {
            &[440.0, 1_004.0, INJECTED][..]
        } else {
            &[INJECTED]
        };
        assert_hears(&world, peers[2], from, tones, "injected");
        assert_hears(&world, peers[0], from, &[1_004.0], "first");
        assert_hears(&world, peers[1], from, &[440.0], "second");
        assert_eq!(world.report(peers[2]).mode, Mode::Mix);
    }
}

#[test]
fn a_leg_whose_bridge_is_on_another_shard_hears_it() {
    for (codec, over) in [(Codec::Pcmu, true), (Codec::Pcmu, false), (Codec::Opus, true)] {
        let mut world = World::with_shards(53, 2);
        let (a, b) = (world.browser(Codec::Opus), world.phone(codec));
        world.bridge(a, b);
        talk(&mut world, a, b);
        inject(&mut world, b, SoundRate::Hz16000, over);
        let from = world.now + SECOND / 5;
        play(&mut world, b, SoundRate::Hz16000, 2 * SECOND);
        let tones = if over { &[440.0, INJECTED][..] } else { &[INJECTED] };
        assert_hears(&world, b, from, tones, "injected");
        assert_hears(&world, a, from, &[1_004.0], "other");
        end(&mut world, b);
        let from = world.now + SECOND / 5;
        world.run(2 * SECOND);
        assert_hears(&world, b, from, &[440.0], "afterwards");
    }
}

#[test]
fn a_leg_without_a_peer_hears_it_alone_and_over_its_application() {
    for codec in [Codec::Pcmu, Codec::Opus] {
        let mut world = World::new(54);
        let a = world.phone(codec);
        inject(&mut world, a, SoundRate::Hz16000, true);
        let from = world.now + SECOND / 5;
        play(&mut world, a, SoundRate::Hz16000, 2 * SECOND);
        assert_hears(&world, a, from, &[INJECTED], "alone");
        let tone = Application::Tone {
            hertz: 1_004,
            dbm0: -14,
        };
        world.play(a, Some(tone));
        let from = world.now + SECOND / 5;
        play(&mut world, a, SoundRate::Hz16000, 2 * SECOND);
        assert_hears(&world, a, from, &[1_004.0, INJECTED], "over an application");
        // An echo makes no sound of its own.
        world.play(a, Some(Application::Echo));
        let from = world.now + SECOND / 5;
        play(&mut world, a, SoundRate::Hz16000, 2 * SECOND);
        assert_hears(&world, a, from, &[INJECTED], "echo");
    }
}

#[test]
fn a_leg_on_hold_hears_it_over_the_music_and_one_that_holds_us_nothing() {
    let mut world = World::new(55);
    let (a, b) = (world.browser(Codec::Opus), world.phone(Codec::Pcmu));
    world.bridge(a, b);
    talk(&mut world, a, b);
    let tone = Application::Tone {
        hertz: 440,
        dbm0: -14,
    };
    world.play(b, Some(tone));
    world.direct(b, Direction::SendOnly);
    inject(&mut world, b, SoundRate::Hz8000, true);
    let from = world.now + SECOND / 5;
    play(&mut world, b, SoundRate::Hz8000, 2 * SECOND);
    assert_hears(&world, b, from, &[440.0, INJECTED], "held");
    world.direct(b, Direction::RecvOnly);
    let from = world.now + SECOND / 5;
    let before = world.peers[b].heard.len();
    play(&mut world, b, SoundRate::Hz8000, SECOND);
    let since = world.peers[b].heard.iter().skip(before);
    assert_eq!(
        since.filter(|(at, ..)| *at >= from).count(),
        0,
        "its peer wants nothing"
    );
}

#[test]
fn what_does_not_come_in_time_is_silence_and_holds_nobody_up() {
    let mut world = World::new(56);
    let (a, b) = (world.browser(Codec::Opus), world.phone(Codec::Pcmu));
    world.bridge(a, b);
    talk(&mut world, a, b);
    inject(&mut world, b, SoundRate::Hz8000, false);
    let from = world.now + SECOND / 5;
    world.run(2 * SECOND);
    let sound = world.peers[b].sound(from);
    assert!(sound.len() > 13_000, "{}", sound.len());
    assert!(level_dbm0(&sound) < -60.0, "{}", level_dbm0(&sound));
    // It goes on where it begins again; no more is kept than 200 ms.
    let (leg, shard) = (world.leg(b), world.shard_of(b));
    let taken = world.shards[shard].handle_sound(leg, ID, &[5_000; 8_000]);
    assert_eq!(taken, Some(1_600));
    world.run(SECOND);
    let loud = world.peers[b]
        .sound(from)
        .iter()
        .filter(|sample| **sample > 4_000)
        .count();
    assert_eq!(loud, 1_600);
}

#[test]
fn loss_takes_little_of_either() {
    let mut world = World::new(57);
    let (a, b) = (world.browser(Codec::Opus), world.browser(Codec::Opus));
    world.bridge(a, b);
    world.conditions = Conditions {
        loss_percent: 3,
        repeat_percent: 3,
        spread: Duration::from_millis(20),
    };
    talk(&mut world, a, b);
    inject(&mut world, a, SoundRate::Hz48000, true);
    let from = world.now + SECOND / 2;
    play(&mut world, a, SoundRate::Hz48000, 5 * SECOND);
    assert_hears(&world, a, from, &[1_004.0, INJECTED], "loss");
}

#[test]
fn an_injection_ends_with_its_leg() {
    let mut world = World::new(58);
    let a = world.phone(Codec::Pcmu);
    inject(&mut world, a, SoundRate::Hz8000, true);
    let leg = world.leg(a);
    world.command(Command::Close { leg });
    let stranger = LegId(2_000);
    world.command_to(
        0,
        Command::Inject {
            leg: stranger,
            injection: ID,
            rate: SoundRate::Hz8000,
            over: true,
        },
    );
    assert_eq!(world.closed, [leg, stranger]);
    assert_eq!(world.shards[0].handle_sound(leg, ID, &[0; 160]), None);
}
