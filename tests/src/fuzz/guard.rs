//! The guard against guessing, with attempts in any order: three octets a step (action, source, user).

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use sans_io::Time;
use session_core::guard::{Config, Guard};

use super::Target;

/// See the module.
pub const TARGET: Target = Target {
    name: "guard",
    seeds,
    words: &[],
    run,
};

const NOW: Time = Time::from_secs(1_000);

fn seeds() -> Vec<Vec<u8>> {
    let fast: Vec<u8> = (0..100).flat_map(|n| [0, 1, n]).collect();
    let slow: Vec<u8> = (0..100).flat_map(|_| [0, 1, 7, 4, 0, 20]).collect();
    let many: Vec<u8> = (0..100).flat_map(|n| [0, n, 7]).collect();
    let mixed: Vec<u8> = (0..100).flat_map(|n| [n % 6, n % 3, n % 5]).collect();
    vec![fast, slow, many, mixed, Vec::new()]
}

fn run(input: &[u8]) {
    let mut guard = Guard::new(Config::default());
    let mut now = NOW;
    let mut guesses: BTreeMap<IpAddr, u64> = BTreeMap::new();
    let mut inside: BTreeSet<(IpAddr, u8)> = BTreeSet::new();
    for step in input.chunks_exact(3) {
        let address = IpAddr::V4(Ipv4Addr::from_bits(0x0a00_0000 + u32::from(step[1])));
        let name = step[2].to_string();
        match step[0] % 6 {
            0 => {
                if let Ok(taken) = guard.take(now, address, &name) {
                    guard.failed(now, address, taken);
                    // A user who got in there before is limited separately.
                    if !inside.contains(&(address, step[2])) {
                        *guesses.entry(address).or_default() += 1;
                    }
                }
            }
            1 => {
                if let Ok(taken) = guard.take(now, address, &name) {
                    guard.succeeded(now, taken);
                    inside.insert((address, step[2]));
                    assert!(!guard.is_silenced(now, address), "{address} has a user of ours");
                }
            }
            2 => guard.unknown_name(now, address, &name),
            3 => {
                if let Ok(taken) = guard.take(now, address, &name) {
                    guard.give_back(taken);
                }
            }
            4 => now += Duration::from_millis(u64::from(step[1]) * 1_000 + u64::from(step[2]) * 50),
            _ => {
                guard.lift(now, address);
                guesses.remove(&address);
            }
        }
        let most = 21 + now.since(NOW).as_secs();
        assert!(
            guesses.values().all(|count| *count <= most),
            "{guesses:?} in {most} s"
        );
        assert!(
            guard
                .bans(now)
                .iter()
                .all(|ban| ban.until > now && ban.since <= now)
        );
    }
}
