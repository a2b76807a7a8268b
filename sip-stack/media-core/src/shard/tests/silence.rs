//! Phone legs that should send and do not.

use std::time::Duration;

use super::world::World;
use crate::control::Event;
use crate::negotiated::{Codec, Direction};
use crate::rtcp::{Outgoing, write_report};

const SECOND: Duration = Duration::from_secs(1);

/// Reports about a leg: tenths of a second after `since`, and the state.
fn silences(world: &World, peer: usize, since: sans_io::Time) -> Vec<(u64, bool)> {
    let leg = world.leg(peer);
    let mut silences = Vec::new();
    for (at, event) in &world.events {
        if let Event::Silent { leg: of, silent } = event
            && *of == leg
            && *at >= since
        {
            silences.push(((*at - since).as_millis() as u64 / 100, *silent));
        }
    }
    silences
}

#[test]
fn a_phone_that_stops_and_comes_back_is_told_once_each() {
    let mut world = World::new(81);
    let (phone, other) = (world.phone(Codec::Pcmu), world.phone(Codec::Pcmu));
    world.bridge(phone, other);
    let now = world.now;
    world.peers[phone].speak(now, 440.0, -14.0);
    world.run(20 * SECOND);
    assert_eq!(silences(&world, phone, now), []);
    // The other never sent anything.
    assert!(matches!(silences(&world, other, now)[..], [(99..=101, true)]));
    world.peers[phone].hush();
    let stopped = world.now;
    world.run(40 * SECOND);
    let (spoke, talk) = (world.now, silences(&world, phone, stopped));
    assert!(matches!(talk[..], [(99..=101, true)]), "{talk:?}");
    world.peers[phone].speak(spoke, 440.0, -14.0);
    world.run(SECOND);
    assert!(matches!(silences(&world, phone, spoke)[..], [(0..=1, false)]));
    world.peers[phone].hush();
    let stopped = world.now;
    world.run(12 * SECOND);
    assert!(matches!(silences(&world, phone, stopped)[..], [(99..=101, true)]));
}

#[test]
fn rtcp_is_a_sign_of_life() {
    let mut world = World::new(82);
    let phone = world.phone(Codec::Pcmu);
    let began = world.now;
    for _ in 0..8 {
        let mut data = Vec::new();
        let report = Outgoing {
            ssrc: world.peers[phone].ssrc,
            sender: None,
            block: None,
            cname: "p",
        };
        write_report(&mut data, &report);
        world.peers[phone].out.push((true, data));
        world.run(5 * SECOND);
    }
    assert_eq!(silences(&world, phone, began), []);
    world.run(10 * SECOND);
    assert!(matches!(silences(&world, phone, began)[..], [(_, true)]));
}

#[test]
fn nothing_is_due_from_a_leg_on_hold_nor_from_one_that_only_listens() {
    let mut world = World::new(83);
    let phone = world.phone(Codec::Pcmu);
    for direction in [Direction::SendOnly, Direction::Inactive] {
        world.direct(phone, direction);
        let held = world.now;
        world.run(60 * SECOND);
        assert_eq!(silences(&world, phone, held), [], "{direction:?}");
    }
    // Taken off hold it has its time again.
    world.direct(phone, Direction::SendRecv);
    let back = world.now;
    world.run(12 * SECOND);
    assert!(matches!(silences(&world, phone, back)[..], [(99..=101, true)]));
    // A new agreement is a sign of life too.
    world.direct(phone, Direction::SendRecv);
    let again = world.now;
    world.run(SECOND);
    assert!(matches!(silences(&world, phone, again)[..], [(0, false)]));
}

#[test]
fn a_browser_is_watched_by_ice() {
    let mut world = World::new(84);
    let browser = world.browser(Codec::Opus);
    let began = world.now;
    world.run(30 * SECOND);
    assert_eq!(silences(&world, browser, began), []);
}
