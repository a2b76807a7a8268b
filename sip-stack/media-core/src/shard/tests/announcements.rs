use std::time::Duration;

use sans_io::Time;

use super::world::{PROMPTS, World};
use crate::codec::RATE;
use crate::control::{Application, Event, Phrase};
use crate::music::Music;
use crate::negotiated::Codec;
use crate::tone::{level_dbm0, measure};

const SECOND: Duration = Duration::from_secs(1);
/// Time that the music takes to go, and to come.
const FADE: Duration = Duration::from_millis(150);

const FIFTH: Phrase = Phrase {
    position: Some(5),
    wait: None,
};

/// Duration of a phrase without the fades.
fn length(phrase: Phrase) -> Duration {
    let pieces = PROMPTS.say(phrase);
    let samples: usize = pieces.iter().map(|(clip, rest)| clip.len() + rest).sum();
    Duration::from_micros(samples as u64 * 1_000_000 / u64::from(RATE))
}

/// Times at which an announcement was reported over, and whether it was whole.
fn announced(world: &World) -> Vec<(Time, bool)> {
    let announced = world.events.iter().filter_map(|(at, event)| match event {
        Event::Announced { whole, .. } => Some((*at, *whole)),
        _ => None,
    });
    announced.collect()
}

#[test]
fn every_kind_of_peer_hears_it_in_the_place_of_the_music_which_goes_on_where_it_stopped() {
    for (browser, codec) in [
        (true, Codec::Opus),
        (true, Codec::Pcmu),
        (false, Codec::Pcmu),
        (false, Codec::Pcma),
    ] {
        let mut world = World::new(51);
        let peer = if browser {
            world.browser(codec)
        } else {
            world.phone(codec)
        };
        let began = world.now;
        world.play(peer, Some(Application::Music));
        world.run(3 * SECOND);
        let at = world.now;
        world.announce(peer, FIFTH);
        world.run(10 * SECOND);
        let over = FADE * 2 + length(FIFTH);
        let announced = announced(&world);
        assert!(matches!(announced[..], [(_, true)]), "{codec:?}: {announced:?}");
        let late = (announced[0].0 - (at + over)).as_millis();
        assert!(late <= 40, "{codec:?}: {late} ms late");
        // No packet is missing, and none comes twice.
        let packets = world.peers[peer]
            .heard
            .iter()
            .filter(|heard| heard.0 >= began)
            .count();
        assert!(packets.abs_diff(650) <= 3, "{codec:?}: {packets}");
        if codec == Codec::Opus {
            continue;
        }
        // G.711 shows the samples: the sound is the tune with the pause cut out.
        let sound = world.peers[peer].sound(began);
        let tune = Music::default().at(RATE);
        let samples = |length: Duration| length.as_micros() as usize * RATE as usize / 1_000_000;
        let (faded, back) = (
            samples(3 * SECOND + FADE),
            samples(3 * SECOND + FADE + length(FIFTH)),
        );
        let same = |heard: &[i16], tune: &[i16]| {
            let pairs = heard.iter().zip(tune);
            pairs
                .clone()
                .all(|(a, b)| (i32::from(*a) - i32::from(*b)).abs() <= 16 + i32::from(b.unsigned_abs()) / 16)
        };
        let before = samples(3 * SECOND - FADE);
        assert!(
            same(&sound[..before], &tune[..before]),
            "{codec:?}: the tune is heard first"
        );
        let after = samples(FADE + Duration::from_millis(40));
        let rest = &tune[faded + after..faded + after + samples(SECOND)];
        let found = (back + after - 400..back + after + 400)
            .find(|from| same(&sound[*from..from + rest.len()], rest));
        assert!(found.is_some(), "{codec:?}: the tune goes on where it stopped");
        // In between there is speech, as loud as the music, and nothing of the music.
        let spoken = &sound[faded + 400..back - 3_200];
        let level = level_dbm0(spoken) - level_dbm0(&tune);
        assert!(level.abs() < 3.0, "{codec:?}: {level} dB");
        // Nothing jumps: the largest step is not larger than in the music.
        let step = |pcm: &[i16]| {
            pcm.windows(2)
                .map(|two| (i32::from(two[0]) - i32::from(two[1])).abs())
                .max()
        };
        let edge = [
            &sound[samples(3 * SECOND - FADE)..faded + 80],
            &sound[back - 800..back + 1_200],
        ];
        for edge in edge {
            assert!(
                step(edge) < step(&tune).map(|step| step * 3 / 2),
                "{codec:?}: a click"
            );
        }
    }
}

#[test]
fn an_agent_who_answers_is_heard_at_once() {
    let mut world = World::new(52);
    let (caller, agent) = (world.phone(Codec::Pcmu), world.phone(Codec::Pcmu));
    let now = world.now;
    world.peers[agent].speak(now, 1_004.0, -14.0);
    world.play(caller, Some(Application::Music));
    world.run(SECOND);
    world.announce(caller, FIFTH);
    world.run(Duration::from_millis(700));
    let answered = world.now;
    world.bridge(caller, agent);
    assert!(matches!(announced(&world)[..], [(at, false)] if at == answered));
    world.run(SECOND);
    let sound = world.peers[caller].sound(answered + Duration::from_millis(40));
    let found = measure(&sound, RATE);
    assert!(
        found.purity > 0.95 && (found.hertz - 1_004.0).abs() < 1.0,
        "{found:?}"
    );
    assert!(sound.len() > 7_000, "{}", sound.len());
    // The announcement does not come later either.
    world.run(5 * SECOND);
    assert_eq!(announced(&world).len(), 1);
}

#[test]
fn what_cannot_be_said_is_told_at_once() {
    let mut world = World::new(53);
    let peer = world.phone(Codec::Pcmu);
    // This leg hears nothing that could pause.
    world.announce(peer, FIFTH);
    assert!(matches!(announced(&world)[..], [(_, false)]));
    world.play(peer, Some(Application::Music));
    world.announce(peer, FIFTH);
    // One at a time.
    world.announce(peer, FIFTH);
    world.run(SECOND);
    assert_eq!(announced(&world).len(), 1);
    // Something else is to be heard.
    world.play(peer, Some(Application::Ringback));
    assert!(matches!(announced(&world)[..], [(_, false), (_, false)]));
    // A leg that leaves hears no end.
    world.announce(peer, FIFTH);
    let leg = world.leg(peer);
    world.command(crate::control::Command::Close { leg });
    assert_eq!(announced(&world).len(), 3);
}

#[test]
fn what_comes_meanwhile_follows_and_the_last_of_it_counts() {
    let second = Phrase {
        position: Some(2),
        wait: None,
    };
    // While it is said, and while the music comes back.
    for early in [true, false] {
        let mut world = World::new(55);
        let peer = world.phone(Codec::Pcmu);
        world.play(peer, Some(Application::Music));
        world.run(SECOND);
        let at = world.now;
        world.announce(peer, FIFTH);
        world.run(if early {
            SECOND
        } else {
            FADE + length(FIFTH) + FADE / 2
        });
        world.announce(peer, FIFTH);
        world.announce(peer, second);
        world.run(12 * SECOND);
        let fades = if early { 2 } else { 4 };
        let over = FADE * fades + length(FIFTH) + length(second);
        let announced = announced(&world);
        assert!(matches!(announced[..], [(_, true)]), "{announced:?}");
        let late = (announced[0].0 - (at + over)).as_millis();
        assert!(late <= 40, "{late} ms late");
    }
}

#[test]
fn an_announcement_does_not_allocate_once_it_runs() {
    let mut world = World::new(54);
    let peers = [world.browser(Codec::Opus), world.phone(Codec::Pcmu)];
    for peer in peers {
        world.play(peer, Some(Application::Music));
    }
    world.run(3 * SECOND);
    for peer in peers {
        world.announce(peer, FIFTH);
    }
    world.run(Duration::from_millis(100));
    world.allocations = 0;
    world.run(Duration::from_millis(1_500));
    assert_eq!(world.allocations, 0);
    assert!(announced(&world).is_empty());
}
