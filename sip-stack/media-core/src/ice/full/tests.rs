//! Agents of both kinds that check each other over a network that loses datagrams, in virtual time.

use sans_io::Rng;

use super::*;
use crate::ice::lite::{Agent, Checked};

const STEP: Duration = Duration::from_millis(10);

struct Side {
    agent: Agent,
    at: SocketAddr,
    credentials: IceCredentials,
    /// Checks that it sent so far.
    sent: usize,
}

fn at(port: u16) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 1], port))
}

fn credentials(name: &str) -> IceCredentials {
    IceCredentials {
        ufrag: name.into(),
        pwd: format!("{name} password of {name}, long"),
    }
}

fn side(name: &str, port: u16, full: bool) -> Side {
    let credentials = credentials(name);
    let mut agent = Agent::new(&credentials);
    if full {
        agent.check_from(SocketId(7));
    }
    Side {
        agent,
        at: at(port),
        credentials,
        sent: 0,
    }
}

impl Side {
    fn knows(&mut self, now: Time, other: &Side, ports: &[u16], controlling: bool) {
        let checks = IceChecks {
            candidates: ports.iter().map(|port| at(*port)).collect(),
            controlling,
        };
        self.agent.connect(now, &other.credentials, &checks);
    }

    fn selected(&self) -> Option<SocketAddr> {
        self.agent.selected().map(|(_, to)| to)
    }

    fn controls(&self) -> bool {
        self.agent.controls()
    }
}

/// Lets the two exchange checks for so long; so many datagrams in a hundred are lost.
fn run(now: &mut Time, sides: &mut [Side; 2], time: Duration, (lost, seed): (u64, u64)) {
    let (end, mut rng) = (*now + time, Rng::seeded(seed));
    let mut arrives = || rng.below(100) >= lost;
    while *now < end {
        for from in 0..2 {
            let [one, two] = &mut *sides;
            let (one, two) = if from == 0 { (one, two) } else { (two, one) };
            let mut check = Vec::new();
            while let Some((socket, to)) = one.agent.next_check(*now, &mut check) {
                assert_eq!(socket, SocketId(7));
                one.sent += 1;
                let mut answer = Vec::new();
                if to == two.at && arrives() {
                    two.agent.check(*now, (SocketId(7), one.at), &check, &mut answer);
                }
                if !answer.is_empty() && arrives() {
                    one.agent.answered(*now, (SocketId(7), to), &answer);
                }
                check.clear();
            }
        }
        *now += STEP;
    }
}

#[test]
fn a_lite_peer_is_reached_past_a_dead_address_and_kept() {
    for seed in 0..20 {
        let lost = if seed == 0 { 0 } else { 25 };
        let mut now = Time::from_secs(1);
        let mut sides = [side("full", 1, true), side("lite", 2, false)];
        let [full, lite] = &mut sides;
        full.knows(now, lite, &[99, 2], true);
        run(&mut now, &mut sides, Duration::from_secs(20), (lost, seed));
        let [full, lite] = &sides;
        assert_eq!(
            (full.selected(), lite.selected()),
            (Some(at(2)), Some(at(1))),
            "{seed}"
        );
        let consent = full.agent.consent_until().expect("consent");
        run(&mut now, &mut sides, Duration::from_secs(60), (0, 0));
        assert!(sides[0].agent.consent_until().expect("consent") > consent + Duration::from_secs(50));
        assert!(sides[1].agent.consent_until().expect("consent") > now);
    }
}

#[test]
fn two_full_sides_agree_on_a_path_whatever_role_each_claims() {
    for claims in [(true, false), (false, true), (true, true), (false, false)] {
        for seed in 0..20 {
            let lost = if seed == 0 { 0 } else { 25 };
            let mut now = Time::from_secs(1);
            let mut sides = [side("alice", 1, true), side("bob", 2, true)];
            let [alice, bob] = &mut sides;
            alice.knows(now, bob, &[2], claims.0);
            bob.knows(now, alice, &[1], claims.1);
            run(&mut now, &mut sides, Duration::from_secs(30), (lost, seed));
            let [alice, bob] = &sides;
            assert_eq!(
                (alice.selected(), bob.selected()),
                (Some(at(2)), Some(at(1))),
                "{claims:?} {seed}"
            );
            assert_ne!(alice.controls(), bob.controls(), "{claims:?} {seed}");
        }
    }
}

/// A caller may check before our answer has told us who it is.
#[test]
fn what_checks_us_first_is_checked_once_its_credentials_are_known() {
    let mut now = Time::from_secs(1);
    let mut sides = [side("alice", 1, true), side("bob", 2, true)];
    let [alice, bob] = &mut sides;
    alice.knows(now, bob, &[2], true);
    run(&mut now, &mut sides, Duration::from_millis(500), (0, 0));
    assert_eq!((sides[1].sent, sides[1].selected()), (0, Some(at(1))));
    let [alice, bob] = &mut sides;
    bob.knows(now, alice, &[], false);
    run(&mut now, &mut sides, Duration::from_millis(500), (0, 0));
    assert!(sides[1].sent > 0);
    assert_eq!(sides[0].selected(), Some(at(2)));
}

#[test]
fn who_never_answers_is_asked_seven_times() {
    let mut now = Time::from_secs(1);
    let mut sides = [side("alice", 1, true), side("bob", 2, true)];
    let [alice, bob] = &mut sides;
    alice.knows(now, bob, &[98, 99], true);
    run(&mut now, &mut sides, Duration::from_secs(60), (0, 0));
    assert_eq!(sides[0].sent, 2 * TIMES as usize);
    assert_eq!((sides[0].selected(), sides[0].agent.check_due()), (None, None));
}

#[test]
fn a_restart_of_the_peer_is_checked_with_its_new_credentials() {
    let mut now = Time::from_secs(1);
    let mut sides = [side("alice", 1, true), side("bob", 2, false)];
    let [alice, bob] = &mut sides;
    alice.knows(now, bob, &[2], true);
    run(&mut now, &mut sides, Duration::from_secs(1), (0, 0));
    let [alice, bob] = &mut sides;
    bob.credentials = credentials("bobby");
    bob.agent.set_credentials(&bob.credentials);
    bob.at = at(3);
    alice.knows(now, bob, &[3], true);
    run(&mut now, &mut sides, Duration::from_secs(1), (0, 0));
    assert_eq!(sides[0].selected(), Some(at(3)));
}

#[test]
fn only_the_authentic_answer_from_the_right_place_counts() {
    let now = Time::from_secs(1);
    let mut alice = side("alice", 1, true);
    let bob = side("bob", 2, false);
    alice.knows(now, &bob, &[2], true);
    let mut check = Vec::new();
    alice.agent.next_check(now, &mut check).expect("a check");
    let answer = |by: &Side| {
        let (mut answer, mut agent) = (Vec::new(), Agent::new(&by.credentials));
        agent.check(now, (SocketId(0), at(1)), &check, &mut answer);
        answer
    };
    let right = answer(&bob);
    let mut forged = right.clone();
    if let Some(octet) = forged.get_mut(10) {
        *octet ^= 1;
    }
    let path = |port| (SocketId(7), at(port));
    for (datagram, from) in [(&forged, 2), (&right, 3), (&check, 2)] {
        let judged = alice.agent.answered(now, path(from), datagram);
        assert_eq!((judged, alice.selected()), (Checked::Refused, None), "{from}");
    }
    let judged = alice.agent.answered(now, path(2), &right);
    assert_eq!(
        (judged, alice.selected()),
        (Checked::New { forgotten: None }, Some(at(2)))
    );
    let again = alice.agent.answered(now, path(2), &right);
    assert_eq!(again, Checked::Refused, "each check is answered once");
}
