use std::net::{Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;

use super::*;

const NOW: Time = Time::from_secs(1_000);

fn host(n: u32) -> IpAddr {
    IpAddr::V4(Ipv4Addr::from_bits(0x0a00_0000 + n))
}

fn at(millis: u64) -> Time {
    NOW + Duration::from_millis(millis)
}

/// A wrong guess; true if it was checked.
fn guess(guard: &mut Guard, now: Time, address: IpAddr, name: &str) -> bool {
    match guard.take(now, address, name) {
        Ok(taken) => {
            guard.failed(now, address, taken);
            true
        }
        Err(_) => false,
    }
}

fn gets_in(guard: &mut Guard, now: Time, address: IpAddr, name: &str) -> bool {
    match guard.take(now, address, name) {
        Ok(taken) => {
            guard.succeeded(now, taken);
            true
        }
        Err(_) => false,
    }
}

#[test]
fn a_fast_guesser_gets_few_guesses_and_a_ban_that_grows_and_ends() {
    let mut guard = Guard::default();
    let mut now = NOW;
    for (times, seconds) in [(1, 600), (2, 1_200), (3, 2_400)] {
        let looked_at = (0..100_000)
            .filter(|n| guess(&mut guard, now, host(1), &format!("user{}", n % 7)))
            .count();
        assert!(looked_at <= 20, "{looked_at}");
        let ban = guard.poll_ban().expect("a ban");
        assert_eq!(
            (ban.times, ban.address, ban.reason),
            (times, host(1), Offence::Guessing)
        );
        assert_eq!(ban.until.since(now), Duration::from_secs(seconds));
        assert_eq!(guard.poll_ban(), None);
        assert_eq!(guard.bans(now), std::slice::from_ref(&ban));
        assert!(guard.is_silenced(now, host(1)) && !guard.is_silenced(now, host(2)));
        now = ban.until;
        assert!(guard.bans(now).is_empty() && !guard.is_silenced(now, host(1)));
    }
    now += Duration::from_secs(48 * 3600);
    for _ in 0..100 {
        guess(&mut guard, now, host(1), "anna");
    }
    assert_eq!(
        guard.poll_ban().expect("a ban").times,
        1,
        "what is long ago is forgotten"
    );
}

#[test]
fn a_guesser_who_waits_gets_one_guess_a_second() {
    let mut guard = Guard::new(Config {
        ban: Duration::ZERO,
        ..Config::default()
    });
    let mut looked_at = 0;
    for n in 0..6_000 {
        looked_at += u32::from(guess(&mut guard, at(n * 10), host(1), &format!("user{n}")));
    }
    assert!((70..=80).contains(&looked_at), "{looked_at} in a minute");
    assert!(guard.bans(at(60_000)).is_empty());
}

#[test]
fn one_user_is_guessed_once_a_second_from_everywhere_together() {
    let mut guard = Guard::default();
    let mut looked_at = 0;
    for n in 0..60_000u32 {
        looked_at += u32::from(guess(&mut guard, at(u64::from(n)), host(n % 500), "anna"));
    }
    assert!(looked_at <= 80, "{looked_at} in a minute");
}

#[test]
fn whoever_got_in_before_is_locked_out_by_nobody() {
    let mut guard = Guard::default();
    assert!(gets_in(&mut guard, NOW, host(1), "anna"));
    for n in 0..60_000u32 {
        let now = at(u64::from(n));
        guess(&mut guard, now, host(2 + n % 50), "anna");
        // Other users from the same address.
        guess(&mut guard, now, host(1), &format!("user{n}"));
        if n % 1_000 == 0 {
            assert!(gets_in(&mut guard, now, host(1), "anna"), "after {n} ms");
        }
    }
    let now = at(60_000);
    assert!(guard.bans(now).iter().any(|ban| ban.address == host(1)));
    assert!(!guard.is_silenced(now, host(1)), "anna is heard there");
    assert!(!gets_in(&mut guard, now, host(1), "ben"), "a stranger is not");
}

#[test]
fn an_address_is_known_as_long_as_anybody_got_in_there() {
    let mut guard = Guard::default();
    assert!(!guard.knows(NOW, host(1)));
    for n in 0..20u64 {
        let name = format!("user{n}");
        assert!(gets_in(&mut guard, at(n * 1_000), host(1), &name));
    }
    let first_is_forgotten = NOW + KNOWN_FOR;
    assert!(guard.knows(first_is_forgotten + Duration::from_secs(18), host(1)));
    assert!(!guard.knows(first_is_forgotten + Duration::from_secs(19), host(1)));
    assert!(!guard.knows(NOW, host(2)));
}

#[test]
fn a_stranger_who_tries_now_and_then_locks_nobody_out_at_another_address() {
    let mut guard = Guard::default();
    for n in 0..1_000 {
        guess(&mut guard, at(n * 2_000), host(66), "anna");
        let address = host(u32::try_from(n).expect("small") + 1_000);
        assert!(gets_in(&mut guard, at(n * 2_000 + 1_000), address, "anna"), "{n}");
    }
}

#[test]
fn a_phone_with_a_wrong_password_bans_nobody() {
    let mut guard = Guard::default();
    for n in 0..100_000 {
        guess(&mut guard, at(n * 1_500), host(1), "1001");
    }
    assert_eq!(guard.poll_ban(), None);
    assert!(gets_in(&mut guard, at(150_000_000), host(1), "1002"));
}

#[test]
fn a_scanner_is_banned_by_the_names_it_looks_for() {
    let mut guard = Guard::default();
    for n in 0..29 {
        guard.unknown_name(NOW, host(1), &format!("{n}"));
        guard.unknown_name(NOW, host(1), "0");
    }
    assert_eq!(guard.poll_ban(), None);
    guard.unknown_name(NOW, host(1), "999");
    assert_eq!(guard.poll_ban().map(|ban| ban.reason), Some(Offence::Scanning));
    for n in 0..1_000 {
        guard.unknown_name(at(n * 60_000), host(2), &format!("{n}"));
    }
    let many = guard.poll_ban().is_some();
    assert!(!many, "one a minute is nobody who looks for names");
}

#[test]
fn trunks_are_slowed_down_and_never_banned_and_what_is_allowed_is_let_alone() {
    let mut guard = Guard::new(Config {
        allow: vec!["10.0.0.2".parse().expect("an address")],
        spare: vec!["10.0.0.1/32".parse().expect("a network")],
        ..Config::default()
    });
    let looked_at = (0..1_000)
        .filter(|_| guess(&mut guard, NOW, host(1), "anna"))
        .count();
    assert_eq!(looked_at, 10);
    assert!((0..1_000).all(|n| guess(&mut guard, NOW, host(2), &format!("u{n}"))));
    assert_eq!(guard.poll_ban(), None);
    for _ in 0..1_000 {
        guess(&mut guard, NOW, host(3), "anna");
    }
    assert!(guard.poll_ban().is_some() && guard.is_silenced(NOW, host(3)));
    guard.spare(vec![host(3).into()]);
    assert!(!guard.is_silenced(NOW, host(3)), "it is a trunk's now");
}

#[test]
fn a_ban_is_lifted_and_adopted() {
    let mut guard = Guard::default();
    for n in 0..100 {
        guess(&mut guard, NOW, host(1), &format!("u{n}"));
    }
    let ban = guard.poll_ban().expect("a ban");
    let mut other = Guard::default();
    other.adopt(NOW, ban.clone());
    assert!(other.is_silenced(NOW, host(1)) && other.poll_ban().is_none());
    assert_eq!(other.bans(NOW), [ban]);
    assert!(guard.lift(NOW, host(1)) && !guard.lift(NOW, host(1)));
    assert!(gets_in(&mut guard, NOW, host(1), "another"));
}

#[test]
fn one_network_of_ipv6_is_one_source() {
    let ip = |last: u16| IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 1, last, 0, 0, last));
    let mut guard = Guard::default();
    for n in 0..100 {
        guess(&mut guard, NOW, ip(n), &format!("u{n}"));
    }
    assert_eq!(guard.poll_ban().map(|ban| ban.address), Some(ip(0)));
    assert!(guard.is_silenced(NOW, ip(7)) && guard.lift(NOW, ip(9)));
}

#[test]
fn networks_are_read_and_compared() {
    let network: Network = "10.1.0.0/16".parse().expect("a network");
    assert!(network.contains("10.1.2.3".parse().expect("an address")));
    assert!(network.contains("::ffff:10.1.2.3".parse().expect("an address")));
    assert!(!network.contains("10.2.0.0".parse().expect("an address")));
    let all: Network = "::/0".parse().expect("a network");
    assert!(all.contains("2001:db8::1".parse().expect("an address")) && !all.contains(host(1)));
    for wrong in ["", "10.0.0.0/33", "10.0.0.0/", "::/129", "here", "10.0.0.0/-1"] {
        assert_eq!(
            wrong.parse::<Network>(),
            Err(sip_core::network::NoNetwork),
            "{wrong}"
        );
    }
}

#[derive(Clone, Debug)]
enum Step {
    Guess(u32, u8),
    Right(u32, u8),
    Name(u32, u16),
    GiveBack(u32, u8),
    Lift(u32),
    Wait(u32),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let address = 0..40u32;
    prop::collection::vec(
        prop_oneof![
            8 => (address.clone(), 0..20u8).prop_map(|(a, u)| Step::Guess(a, u)),
            2 => (address.clone(), 0..20u8).prop_map(|(a, u)| Step::Right(a, u)),
            2 => (address.clone(), 0..200u16).prop_map(|(a, n)| Step::Name(a, n)),
            1 => (address.clone(), 0..20u8).prop_map(|(a, u)| Step::GiveBack(a, u)),
            1 => address.prop_map(Step::Lift),
            2 => (0..90_000u32).prop_map(Step::Wait),
        ],
        1..800,
    )
}

proptest! {
    /// Whatever happens, a source where nobody got in has at most 20 guesses and one a second; those who got
    /// in still do, unless they fail themselves; and no two runs differ.
    #[test]
    fn limits_hold_in_any_order(steps in steps()) {
        let mut guard = Guard::default();
        let mut again = Guard::default();
        let mut now = NOW;
        let mut guesses: BTreeMap<u32, u64> = BTreeMap::new();
        let mut in_before: BTreeSet<(u32, u8)> = BTreeSet::new();
        let mut own_failures: BTreeSet<(u32, u8)> = BTreeSet::new();
        for step in steps {
            let mut both = |run: &dyn Fn(&mut Guard) -> bool| {
                let first = run(&mut guard);
                assert_eq!(first, run(&mut again));
                first
            };
            match step {
                Step::Guess(a, u) => {
                    let looked_at = both(&|guard| guess(guard, now, host(a), &u.to_string()));
                    if in_before.contains(&(a, u)) {
                        own_failures.insert((a, u));
                    } else if looked_at {
                        *guesses.entry(a).or_default() += 1;
                    }
                }
                Step::Right(a, u) => {
                    if both(&|guard| gets_in(guard, now, host(a), &u.to_string())) {
                        in_before.insert((a, u));
                    } else {
                        prop_assert!(!in_before.contains(&(a, u)) || own_failures.contains(&(a, u)));
                    }
                }
                Step::Name(a, n) => {
                    both(&|guard| { guard.unknown_name(now, host(a), &format!("n{n}")); true });
                }
                Step::GiveBack(a, u) => {
                    both(&|guard| match guard.take(now, host(a), &u.to_string()) {
                        Ok(taken) => { guard.give_back(taken); true }
                        Err(_) => false,
                    });
                }
                Step::Lift(a) => {
                    both(&|guard| guard.lift(now, host(a)));
                    // Lifting a ban lets its source begin anew.
                    guesses.remove(&a);
                }
                Step::Wait(millis) => now += Duration::from_millis(millis.into()),
            }
            let seconds = now.since(NOW).as_secs();
            for (a, count) in &guesses {
                prop_assert!(*count <= 20 + seconds + 1, "{a}: {count} in {seconds} s");
            }
        }
        prop_assert!(guard.bans(now + LONGEST * 2).is_empty());
    }
}

#[test]
fn memory_is_bounded() {
    let mut guard = Guard::default();
    for n in 0..60_000u32 {
        let address = IpAddr::V4(Ipv4Addr::from_bits(n * 7));
        guess(&mut guard, NOW, address, &n.to_string());
        gets_in(&mut guard, NOW, address, &format!("in{n}"));
        guard.unknown_name(NOW, address, &n.to_string());
    }
    for n in 0..6_000u32 {
        guard.ban(NOW, host(n), Offence::Guessing);
    }
    assert!(guard.buckets.len() <= BUCKETS && guard.failed.len() <= PAIRS && guard.known.len() <= PAIRS);
    assert!(guard.scanning.len() <= SCANNERS && guard.names.len() <= SCANNERS);
    assert!(guard.banned.len() <= BANS && guard.bans.len() <= BANS && guard.begun.len() <= BANS);
}
