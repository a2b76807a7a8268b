//! Trunks with several targets: which of them a call goes to, how it goes on, and at what pace.

mod bench;

use std::time::Duration;

use sans_io::Rng;
use session_core::{
    CallRate, Event, FailoverCodes, Input, Located, RegistrationState, TargetState, Trouble,
    TrunkRegistration, Watch,
};
use sip_core::flow::Transport;
use sip_core::message::Method;
use sip_core::uri::Uri;

use bench::{Behaviour, Bench, address, ms, seconds, trunk};

const A: &str = "192.0.2.21";
const B: &str = "192.0.2.22";
const C: &str = "192.0.2.23";

#[test]
fn a_call_goes_on_to_the_next_target_and_those_after_it_go_there_at_once() {
    let mut bench = Bench::new(1, &[("carrier", trunk(&[A, B]))]);
    bench.run(seconds(1));
    bench.set(A, Behaviour::Dead);
    let began = bench.now;
    let first = bench.call();
    bench.run(seconds(3));
    let (at, code) = bench.outcome(&first).expect("an answer");
    assert_eq!(code, 200);
    assert!(at.since(began) <= ms(600), "{:?}", at.since(began));
    assert_eq!(bench.went_to(), [A, B]);
    assert_eq!(
        bench.state("carrier", A),
        Some(TargetState::Down(Trouble::Silent))
    );
    let began = bench.now;
    let second = bench.call();
    bench.run(seconds(1));
    assert!(bench.outcome(&second).expect("an answer").0.since(began) <= ms(100));
    assert_eq!(bench.went_to(), [A, B, B]);
    // It is back.
    bench.set(A, Behaviour::Answers);
    bench.run(seconds(40));
    assert_eq!(bench.state("carrier", A), Some(TargetState::Up));
    bench.call();
    bench.run(seconds(1));
    assert_eq!(bench.went_to(), [A, B, B, A]);
}

#[test]
fn options_find_a_dead_target_before_any_call_does() {
    let mut bench = Bench::new(2, &[("carrier", trunk(&[A, B]))]);
    bench.run(seconds(60));
    let asked = bench
        .requests
        .iter()
        .filter(|(_, _, request)| request.is(&Method::Options));
    assert!(
        (4..=8).contains(&asked.count()),
        "each twice or three times a minute"
    );
    bench.set(A, Behaviour::Dead);
    bench.run(seconds(35));
    assert_eq!(
        bench.state("carrier", A),
        Some(TargetState::Down(Trouble::Silent))
    );
    let states = bench
        .events
        .iter()
        .filter(|event| matches!(event, Event::Target { .. }));
    assert_eq!(states.count(), 1, "one event for one change");
    let call = bench.call();
    bench.run(seconds(1));
    assert_eq!((bench.went_to(), bench.code(&call)), (vec![B.to_owned()], 200));
}

#[test]
fn calls_that_wait_at_a_target_move_as_soon_as_it_is_known_to_be_dead() {
    let mut bench = Bench::new(3, &[("carrier", trunk(&[A, B]))]);
    bench.run(seconds(1));
    // It has answered 100, so nothing limits how long it may take.
    bench.set(A, Behaviour::Tries);
    let waiting = bench.call();
    bench.run(ms(100));
    bench.set(A, Behaviour::Dead);
    bench.run(seconds(10));
    assert_eq!(bench.code(&waiting), 0);
    let finder = bench.call();
    bench.run(ms(1_700));
    assert_eq!((bench.code(&finder), bench.code(&waiting)), (200, 200));
    let cancelled = bench
        .requests
        .iter()
        .any(|(_, to, request)| request.is(&Method::Cancel) && *to == address(A));
    assert!(cancelled, "the target that answered 100 may be alive");
}

#[test]
fn a_call_that_rang_does_not_go_on() {
    for (behaviour, expected, went) in [
        (Behaviour::RingsThen(503), 503, vec![A]),
        (Behaviour::RingsThen(480), 480, vec![A]),
        (Behaviour::Refuses(503, ""), 200, vec![A, B]),
        (Behaviour::Refuses(486, ""), 486, vec![A]),
        (Behaviour::Refuses(603, ""), 603, vec![A]),
        (Behaviour::Refuses(404, ""), 404, vec![A]),
        (Behaviour::Refuses(408, ""), 200, vec![A, B]),
        (Behaviour::Refuses(429, ""), 200, vec![A, B]),
        (Behaviour::Refuses(500, ""), 200, vec![A, B]),
    ] {
        // The next target of a trunk, and the next trunk.
        let shapes = [
            vec![("carrier", trunk(&[A, B]))],
            vec![("one", trunk(&[A])), ("other", trunk(&[B]))],
        ];
        for trunks in shapes {
            let mut bench = Bench::new(4, &trunks);
            bench.run(seconds(1));
            bench.set(A, behaviour);
            let call = bench.call();
            bench.run(seconds(2));
            assert_eq!(
                (bench.code(&call), bench.went_to()),
                (expected, went.iter().map(|s| (*s).to_owned()).collect()),
                "{behaviour:?}"
            );
        }
    }
}

#[test]
fn a_trunk_says_itself_which_codes_lead_on() {
    let mut one = trunk(&[A]);
    one.outgoing.failover = FailoverCodes::new(vec![403..=404]);
    let trunks = [("one", one), ("other", trunk(&[B]))];
    for (code, expected) in [(404, 200), (403, 200), (500, 500)] {
        let mut bench = Bench::new(5, &trunks);
        bench.set(A, Behaviour::Refuses(code, ""));
        let call = bench.call();
        bench.run(seconds(2));
        assert_eq!(bench.code(&call), expected, "{code}");
    }
}

#[test]
fn a_dead_trunk_is_passed_over_and_the_best_of_the_dead_is_called_all_the_same() {
    let mut bench = Bench::new(6, &[("one", trunk(&[A])), ("other", trunk(&[B]))]);
    bench.set(A, Behaviour::Dead);
    bench.call();
    bench.run(seconds(2));
    let call = bench.call();
    bench.run(seconds(2));
    assert_eq!(
        (bench.went_to(), bench.code(&call)),
        (vec![A.to_owned(), B.to_owned(), B.to_owned()], 200)
    );
    bench.set(B, Behaviour::Dead);
    let lost = bench.call();
    bench.run(seconds(20));
    assert_eq!(bench.code(&lost), 408);
    bench.set(A, Behaviour::Answers);
    bench.invites.clear();
    let call = bench.call();
    bench.run(seconds(2));
    assert_eq!(
        (bench.went_to(), bench.code(&call)),
        (vec![A.to_owned()], 200),
        "nobody is left, so they are tried"
    );
}

#[test]
fn retry_after_is_a_pause_that_options_do_not_end() {
    let mut bench = Bench::new(7, &[("carrier", trunk(&[A, B]))]);
    bench.set(A, Behaviour::Refuses(503, "Retry-After: 60\r\n"));
    bench.call();
    bench.run(seconds(1));
    bench.set(A, Behaviour::Answers);
    bench.run(seconds(50));
    bench.call();
    bench.run(seconds(1));
    assert_eq!(bench.went_to(), [A, B, B]);
    bench.run(seconds(30));
    bench.call();
    bench.run(seconds(1));
    assert_eq!(bench.went_to(), [A, B, B, A]);
}

#[test]
fn weights_share_calls_and_costs_order_them() {
    let mut bench = Bench::new(8, &[("a", trunk(&[A])), ("b", trunk(&[B])), ("c", trunk(&[C]))]);
    bench.tiers = vec![vec![("a".into(), 3), ("b".into(), 1)], vec![("c".into(), 1)]];
    for _ in 0..400 {
        bench.call();
        bench.run(ms(20));
    }
    let to = |host: &str| bench.went_to().iter().filter(|other| *other == host).count();
    assert!(
        (260..=340).contains(&to(A)) && to(A) + to(B) == 400,
        "{} {}",
        to(A),
        to(B)
    );
    let mut shared = trunk(&[A, B]);
    for place in &mut shared.outgoing.places {
        place.priority = 0;
    }
    shared.outgoing.places[1].weight = 4;
    let mut bench = Bench::new(9, &[("carrier", shared)]);
    for _ in 0..400 {
        bench.call();
        bench.run(ms(20));
    }
    let to = |host: &str| bench.went_to().iter().filter(|other| *other == host).count();
    assert!(
        (280..=360).contains(&to(B)) && to(A) + to(B) == 400,
        "{} {}",
        to(A),
        to(B)
    );
}

#[test]
fn channels_count_calls_both_ways_and_the_next_trunk_takes_the_rest() {
    let mut narrow = trunk(&[A]);
    narrow.outgoing.channels = Some(2);
    let mut bench = Bench::new(10, &[("narrow", narrow.clone()), ("wide", trunk(&[B]))]);
    for _ in 0..4 {
        bench.call();
        bench.run(ms(200));
    }
    assert_eq!(bench.went_to(), [A, A, B, B]);
    let status = bench.coordinator.trunks();
    let narrow_now = status
        .iter()
        .find(|trunk| trunk.name == "narrow")
        .expect("a trunk");
    assert_eq!((narrow_now.calls, narrow_now.channels), (2, Some(2)));
    // Alone it refuses, and says when to come again.
    let mut bench = Bench::new(11, &[("narrow", narrow)]);
    let calls: Vec<String> = (0..3).map(|_| bench.call()).collect();
    bench.run(seconds(1));
    let codes: Vec<u16> = calls.iter().map(|call| bench.code(call)).collect();
    assert_eq!(codes, [200, 200, 503]);
    let refusal = &bench.heard[&calls[2]].last().expect("a response").1;
    assert_eq!(refusal.retry_after(), Some(10));
}

fn paced(hosts: &[&str], calls: u32, within: Duration) -> session_core::Trunk {
    let mut trunk = trunk(hosts);
    trunk.outgoing.rate = Some(CallRate { calls, within });
    trunk
}

#[test]
fn the_next_trunk_takes_what_is_too_fast_and_the_last_lets_calls_wait() {
    let trunks = [
        ("slow", paced(&[A], 1, seconds(1))),
        ("last", paced(&[B], 1, seconds(1))),
    ];
    let mut bench = Bench::new(12, &trunks);
    let began = bench.now;
    let calls: Vec<String> = (0..6).map(|_| bench.call()).collect();
    bench.run(seconds(5));
    let codes: Vec<u16> = calls.iter().map(|call| bench.code(call)).collect();
    // One at the first, and one at once, one after one second, one after two at the last.
    assert_eq!(codes, [200, 200, 200, 200, 503, 503]);
    assert_eq!(bench.went_to(), [A, B, B, B]);
    let refusal = &bench.heard[&calls[4]].last().expect("a response").1;
    assert_eq!(refusal.retry_after(), Some(1), "the first is free by then");
    let (at, _) = bench.outcome(&calls[4]).expect("a refusal");
    assert!(at.since(began) < ms(50), "refused at once");
}

#[test]
fn a_caller_who_gives_up_gives_the_turn_to_the_next() {
    let mut bench = Bench::new(13, &[("slow", paced(&[A], 1, seconds(1)))]);
    bench.call();
    let given_up = bench.call();
    let last = bench.call();
    bench.run(ms(500));
    bench.cancel(&given_up);
    bench.run(ms(600));
    assert_eq!(bench.code(&last), 200, "after one second, not two");
    assert_eq!(bench.code(&given_up), 487);
}

/// Earliest INVITE of a trunk that came too soon after the one before it.
fn too_soon(bench: &Bench, hosts: &[&str], span: Duration) -> Option<Duration> {
    let there = bench
        .invites
        .iter()
        .filter(|(_, to, _)| hosts.contains(&to.ip().to_string().as_str()));
    let times: Vec<_> = there.map(|(at, ..)| *at).collect();
    let gaps = times.windows(2).map(|pair| pair[1].since(pair[0]));
    gaps.filter(|gap| *gap < span).min()
}

#[test]
fn a_trunk_of_one_call_a_second_never_sees_two_in_a_thousand_tries() {
    let behaviours = [
        Behaviour::Answers,
        Behaviour::Dead,
        Behaviour::Refuses(503, ""),
        Behaviour::Refuses(500, "Retry-After: 1\r\n"),
        Behaviour::Refuses(486, ""),
        Behaviour::Redirects(C),
        Behaviour::Challenges,
        Behaviour::RingsThen(480),
        Behaviour::Tries,
    ];
    let mut invites = 0;
    for seed in 0..1_000 {
        let mut rng = Rng::seeded(seed);
        let mut slow = paced(&[A, B, C], 1, seconds(1));
        slow.username = Some("4930".into());
        slow.password = Some("secret".into());
        let mut trunks = vec![("slow", slow)];
        if rng.below(2) == 0 {
            trunks.insert(0, ("other", trunk(&["192.0.2.31"])));
        }
        let mut bench = Bench::new(seed, &trunks);
        bench.set("192.0.2.31", Behaviour::Refuses(503, ""));
        bench.opening = ms(rng.below(30));
        let mut calls = Vec::new();
        for _ in 0..12 {
            for host in [A, B, C] {
                bench.set(host, behaviours[rng.below(behaviours.len() as u64) as usize]);
            }
            calls.push(bench.call());
            bench.run(Duration::from_micros(rng.below(700_000)));
            if rng.below(5) == 0 {
                let name = calls[rng.below(calls.len() as u64) as usize].clone();
                if bench.outcome(&name).is_none() {
                    bench.cancel(&name);
                }
            }
        }
        bench.run(seconds(5));
        assert_eq!(too_soon(&bench, &[A, B, C], seconds(1)), None, "seed {seed}");
        invites += bench.invites.len();
    }
    assert!(invites > 5_000, "{invites}");
}

#[test]
fn fifty_calls_a_second_survive_the_death_of_a_target() {
    for (seed, shares) in [(1, false), (2, true), (3, true)] {
        let mut carrier = trunk(&[A, B, C]);
        if shares {
            carrier
                .outgoing
                .places
                .iter_mut()
                .for_each(|place| place.priority = 0);
        }
        let mut bench = Bench::new(seed, &[("carrier", carrier)]);
        let mut rng = Rng::seeded(seed);
        let mut calls = Vec::new();
        for n in 0..1_000 {
            if n == 300 {
                bench.set(A, Behaviour::Dead);
            }
            calls.push((bench.now, bench.call()));
            bench.run(Duration::from_micros(rng.below(40_000)));
        }
        bench.run(seconds(10));
        let mut slowest = Duration::ZERO;
        for (began, call) in &calls {
            let (at, code) = bench.outcome(call).expect("an answer");
            assert_eq!(code, 200, "seed {seed}: {call}");
            slowest = slowest.max(at.since(*began));
        }
        let usual = bench.outcome(&calls[0].1).expect("an answer").0.since(calls[0].0);
        assert!(
            slowest <= usual + ms(500),
            "seed {seed}: {slowest:?}, usually {usual:?}"
        );
        let late = calls.iter().filter(|(began, call)| {
            bench
                .outcome(call)
                .is_some_and(|(at, _)| at.since(*began) > usual)
        });
        let late = late.count();
        assert!((1..=60).contains(&late), "seed {seed}: {late} were in flight");
    }
}

fn located(host: &str, priority: u32, weight: u16) -> Located {
    Located {
        priority,
        weight,
        transport: Transport::Udp,
        address: address(host),
        server_name: None,
    }
}

#[test]
fn the_records_of_a_name_become_targets_and_sources() {
    let mut named = trunk(&["sip.carrier.example"]);
    named.outgoing.options = Watch::Never;
    let mut bench = Bench::new(14, &[("carrier", named)]);
    bench.set(A, Behaviour::Answers);
    bench.set(B, Behaviour::Answers);
    let found = vec![located(B, 20, 1), located(A, 10, 1)];
    bench.input(Input::Located {
        trunk: "carrier".into(),
        name: Uri::parse("sip:sip.carrier.example").expect("a URI"),
        found,
    });
    bench.call();
    bench.run(seconds(1));
    let (_, to, called) = &bench.invites[0];
    assert_eq!(
        (*to, called.as_str()),
        (address(A), "sip:0301234@sip.carrier.example")
    );
    bench.set(A, Behaviour::Dead);
    let call = bench.call();
    bench.run(seconds(1));
    assert_eq!(
        (bench.code(&call), bench.went_to()),
        (200, vec![A.to_owned(), A.to_owned(), B.to_owned()])
    );
    // One of them is gone; the state of the other stays.
    bench.input(Input::Located {
        trunk: "carrier".into(),
        name: Uri::parse("sip:sip.carrier.example").expect("a URI"),
        found: vec![located(A, 10, 1)],
    });
    assert_eq!(
        bench.state("carrier", A),
        Some(TargetState::Down(Trouble::Silent))
    );
    assert_eq!(bench.state("carrier", B), None);
}

#[test]
fn a_registration_moves_to_the_next_target_within_two_seconds() {
    let mut carrier = trunk(&[A, B]);
    carrier.username = Some("4930".into());
    carrier.password = Some("secret".into());
    carrier.register = Some(TrunkRegistration {
        registrar: Some(("carrier.example".into(), None)),
        user: "4930".into(),
        expires: seconds(600),
        contact: session_core::ContactUser::Drawn,
        outbound: false,
    });
    let registered = |bench: &Bench| {
        let registers = bench
            .requests
            .iter()
            .filter(|(_, _, request)| request.is(&Method::Register));
        registers.map(|(at, to, _)| (*at, *to)).last()
    };
    let is_registered = |bench: &Bench| {
        let trunks = bench.coordinator.trunks();
        let found = trunks
            .into_iter()
            .find(|trunk| trunk.name == "carrier")
            .and_then(|t| t.registration);
        matches!(found.map(|r| r.state), Some(RegistrationState::Registered { .. }))
    };
    let mut bench = Bench::new(15, &[("carrier", carrier.clone())]);
    bench.run(seconds(3));
    assert_eq!(registered(&bench).map(|(_, to)| to), Some(address(A)));
    assert!(is_registered(&bench));
    bench.set(A, Behaviour::Dead);
    bench.run(seconds(36));
    let down = bench
        .events
        .iter()
        .any(|event| matches!(event, Event::Target { .. }));
    assert!(down);
    let (_, to) = registered(&bench).expect("a REGISTER");
    assert_eq!(to, address(B));
    assert!(is_registered(&bench));
    // And where the first one is dead from the beginning.
    let mut bench = Bench::new(16, &[("carrier", carrier)]);
    bench.set(A, Behaviour::Dead);
    bench.run(seconds(2));
    assert!(is_registered(&bench), "{:?}", registered(&bench));
}
