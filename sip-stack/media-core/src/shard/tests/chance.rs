//! Bridges at random: legs come, go, listen, coach, hold and fall silent, and each ear hears exactly the legs
//! that it should.

use std::collections::BTreeMap;
use std::time::Duration;

use sans_io::{Rng, Time};

use super::mixes::{G722, OPUS, PCMA, PCMU, TONES, talkers};
use super::world::{Conditions, World};
use crate::control::{Application, BridgeId, Command, LegId, Role};
use crate::negotiated::{Codec, Direction};
use crate::tone::{amplitude, power_at};

const SECOND: Duration = Duration::from_secs(1);
const LEGS: usize = 6;

/// Expected state: the bridges, and for each leg whether it is there, on hold, silent.
#[derive(Debug, Default)]
struct Model {
    bridges: BTreeMap<u64, Vec<(usize, Role)>>,
    closed: [bool; LEGS],
    held: [bool; LEGS],
    hushed: [bool; LEGS],
}

impl Model {
    fn bridge(&mut self, bridge: u64, members: &[(usize, Role)]) {
        let members: Vec<(usize, Role)> = members
            .iter()
            .copied()
            .filter(|(leg, _)| !self.closed[*leg])
            .collect();
        for (leg, _) in &members {
            self.leave(*leg, Some(bridge));
        }
        self.bridges.insert(bridge, members);
        self.bridges.retain(|_, members| members.len() > 1);
    }

    fn leave(&mut self, leg: usize, except: Option<u64>) {
        for (bridge, members) in &mut self.bridges {
            if Some(*bridge) != except {
                members.retain(|(member, _)| *member != leg);
            }
        }
        self.bridges.retain(|_, members| members.len() > 1);
    }

    /// Legs whose tones a leg hears.
    fn hears(&self, leg: usize) -> Vec<usize> {
        let Some(members) = self
            .bridges
            .values()
            .find(|m| m.iter().any(|(member, _)| *member == leg))
        else {
            return Vec::new();
        };
        // One on hold hears its music.
        if self.held[leg] {
            return Vec::new();
        }
        members
            .iter()
            .filter(|(other, role)| {
                let to_all = *role == Role::Party;
                *other != leg && (to_all || *role == Role::Coach(LegId(leg as u64 + 1)))
            })
            .map(|(other, _)| *other)
            .filter(|other| !self.held[*other] && !self.hushed[*other])
            .collect()
    }
}

/// Level of each tone that a leg hears, dB below its talker's, by the power in pieces of 50 ms: a seam
/// between two of them shifts a tone and takes nothing from it.
fn heard(world: &World, peer: usize, from: Time) -> [f64; LEGS] {
    let sound = world.peers[peer].sound(from);
    let said = f64::from(amplitude(-18.0));
    let pieces = sound.chunks_exact(400);
    let count = pieces.len().max(1) as f64;
    let mut power = [0.0; LEGS];
    for piece in pieces {
        let hann = |i: usize| 0.5 - 0.5 * (std::f64::consts::TAU * i as f64 / 399.0).cos();
        let piece: Vec<i16> = piece
            .iter()
            .enumerate()
            .map(|(i, sample)| (f64::from(*sample) * hann(i) * 2.0) as i16)
            .collect();
        for (power, hertz) in power.iter_mut().zip(TONES) {
            *power += power_at(&piece, hertz, 8_000);
        }
    }
    power.map(|power| 10.0 * (power / count / said / said).max(1e-12).log10())
}

fn any_members(rng: &mut Rng) -> Vec<(usize, Role)> {
    let count = 1 + rng.below(LEGS as u64 + 1);
    let mut members: Vec<(usize, Role)> = Vec::new();
    for _ in 0..count {
        let leg = rng.below(LEGS as u64) as usize;
        let role = match rng.below(5) {
            0 => Role::Listener,
            1 => Role::Coach(LegId(1 + rng.below(LEGS as u64 + 2))),
            _ => Role::Party,
        };
        if members.iter().all(|(member, _)| *member != leg) {
            members.push((leg, role));
        }
    }
    members
}

/// One step; false if it disturbs the sound and nothing is to be compared after it.
fn step(world: &mut World, model: &mut Model, rng: &mut Rng) -> bool {
    let leg = rng.below(LEGS as u64) as usize;
    match rng.below(12) {
        0..=4 => {
            let bridge = 1 + rng.below(2);
            let members = any_members(rng);
            model.bridge(bridge, &members);
            let members = members
                .iter()
                .map(|(leg, role)| world.member(*leg, *role))
                .collect();
            world.connect_members(bridge, members);
        }
        5 => {
            let bridge = 1 + rng.below(2);
            model.bridges.remove(&bridge);
            world.command(Command::Unbridge {
                bridge: BridgeId(bridge),
            });
        }
        6 | 7 if !model.closed[leg] => {
            let held = !model.held[leg];
            model.held[leg] = held;
            let music = held.then_some(Application::Music);
            world.direct(
                leg,
                if held {
                    Direction::SendOnly
                } else {
                    Direction::SendRecv
                },
            );
            world.play(leg, music);
        }
        8 if !model.closed[leg] => {
            let now = world.now;
            model.hushed[leg] = !model.hushed[leg];
            if model.hushed[leg] {
                world.peers[leg].hush();
            } else {
                world.peers[leg].speak(now, TONES[leg], -18.0);
            }
        }
        9 if !model.closed[leg] && rng.percent(40) => {
            model.closed[leg] = true;
            model.leave(leg, None);
            world.peers[leg].hush();
            let leg = LegId(leg as u64 + 1);
            world.command(Command::Close { leg });
        }
        10 if !model.closed[leg] => {
            // Whatever its peer's numbers and payloads are.
            for _ in 0..rng.below(40) {
                let mut payload = vec![0; rng.below(400) as usize];
                rng.fill(&mut payload);
                let peer = &mut world.peers[leg];
                let kind = [peer.payload_type(), peer.payload_type(), 101, 13, 77][rng.below(5) as usize];
                if rng.percent(10) {
                    // SRTP does not follow such a jump.
                    if peer.browser.is_none() {
                        peer.sequence = rng.u32() as u16;
                    }
                    peer.timestamp = rng.u32();
                }
                let timestamp = peer.timestamp;
                if kind != 101 {
                    peer.send(kind, rng.percent(10), timestamp, &payload);
                }
                world.run(Duration::from_millis(rng.below(30)));
            }
            world.run(12 * SECOND);
        }
        11 => {
            world.conditions = Conditions {
                loss_percent: 10,
                repeat_percent: 5,
                spread: Duration::from_millis(40),
            };
            world.run(SECOND);
            world.conditions = Conditions::default();
            world.run(4 * SECOND);
        }
        _ => return false,
    }
    true
}

fn run(seed: u64, shards: u8) {
    let mut rng = Rng::seeded(seed);
    let mut world = World::with_shards(seed, shards);
    let kinds: Vec<(bool, Codec)> = (0..LEGS)
        .map(|_| [OPUS, PCMU, PCMA, G722, (true, Codec::Pcmu)][rng.below(5) as usize])
        .collect();
    talkers(&mut world, &kinds);
    let mut model = Model::default();
    for number in 0..16 {
        if !step(&mut world, &mut model, &mut rng) {
            continue;
        }
        for peer in &mut world.peers {
            peer.heard.clear();
        }
        world.run(SECOND + SECOND / 2);
        let from = world.now - SECOND / 2;
        for leg in (0..LEGS).filter(|leg| !model.closed[*leg]) {
            let (levels, expected) = (heard(&world, leg, from), model.hears(leg));
            // Opus takes chords of sines for speech, and a decoder that missed their beginning is never quite right again.
            let exact = if kinds[leg].1 == Codec::Opus { 14.0 } else { 3.0 };
            for (other, level) in levels.iter().enumerate() {
                let right = if expected.contains(&other) {
                    level.abs() < exact
                } else {
                    // Music has notes everywhere.
                    *level < -24.0 || model.held[leg]
                };
                assert!(
                    right,
                    "seed {seed}, step {number}: {leg} hears {other} at {level:.1} dB, should hear {expected:?}; {kinds:?} {model:?}"
                );
            }
        }
    }
    for leg in 1..=LEGS as u64 {
        world.command(Command::Close { leg: LegId(leg) });
    }
    world.run(Duration::from_millis(50));
    for shard in &world.shards {
        assert_eq!(shard.legs(), 0, "seed {seed}");
        assert!(shard.bridges.is_empty() && shard.ties.is_empty(), "seed {seed}");
        assert_eq!(
            shard.pool.out(),
            [0, 0],
            "seed {seed}: codec states that nobody gave back"
        );
    }
}

#[test]
fn each_ear_hears_whom_it_should_whatever_happens() {
    let seeds = std::env::var("CORDBOARD_MIX_SEEDS")
        .ok()
        .and_then(|n| n.parse().ok());
    for seed in 0..seeds.unwrap_or(12) {
        run(seed, 1);
    }
}

#[test]
fn each_ear_hears_whom_it_should_wherever_the_legs_are() {
    let seeds = std::env::var("CORDBOARD_MIX_SEEDS")
        .ok()
        .and_then(|n| n.parse().ok());
    for seed in 0..seeds.unwrap_or(6) {
        run(seed, 2 + (seed % 2) as u8);
    }
}
