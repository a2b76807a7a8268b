//! Callers who wait, and whom we call for them: each walk over a virtual network, and random ones.

use std::collections::BTreeMap;
use std::time::Duration;

use media_core::control::Phrase;
use sans_io::Rng;
use session_core::{Event, Invitation, LegId, Party, Role, SessionId, User};
use sip_core::auth::Password;
use sip_core::message::StatusCode;
use sip_core::uri::Uri;

use crate::world::{CALLEE, CALLER, GATEWAY, Network, World};

fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

fn right() -> Invitation {
    invitation(Party::Trunk {
        name: "right".into(),
        number: "777".into(),
    })
}

fn invitation(party: Party) -> Invitation {
    Invitation {
        party,
        caller: None,
        ring_timeout: secs(30),
        headers: vec![("Alert-Info".into(), "<urn:alert:source:internal>".into())],
        diverted: Vec::new(),
    }
}

/// A caller who waits: their session at the gateway, and their leg.
fn waiting(world: &mut World) -> (SessionId, LegId) {
    world.centre = true;
    world.call();
    world.run_until(secs(30), |w| w.answered == 1);
    let session = world.sessions(GATEWAY)[0];
    (session, world.legs(GATEWAY)[0].expect("a caller"))
}

fn answered(world: &World) -> Option<LegId> {
    world.events(GATEWAY).iter().rev().find_map(|event| match event {
        Event::InvitationAnswered { leg, .. } => Some(*leg),
        _ => None,
    })
}

/// A waiting caller, connected to an agent.
fn talking(world: &mut World) -> (SessionId, LegId, LegId) {
    let (session, caller) = waiting(world);
    world
        .verb(GATEWAY, |c, now| c.invite(now, session, right()))
        .expect("invited");
    world.run_until(secs(10), |w| answered(w).is_some());
    let agent = answered(world).expect("answered");
    world.verb(GATEWAY, |c, now| c.admit_leg(now, session, agent));
    world.run(secs(1));
    (session, caller, agent)
}

fn all_gone(world: &mut World) {
    world.hangup(CALLER);
    world.run(secs(100));
    assert_eq!(world.ended(CALLER).len(), 1);
    world.assert_empty();
}

#[test]
fn a_kept_caller_outlives_the_one_who_was_called() {
    let mut world = World::new(1, Network::perfect());
    let (_, _, agent) = talking(&mut world);
    assert_eq!(world.bridges(GATEWAY), 1);
    world.hangup(CALLEE);
    world.run(secs(5));
    assert_eq!(
        world.count(GATEWAY, |e| matches!(e, Event::Left { leg, .. } if *leg == agent)),
        1
    );
    assert!(world.ended(GATEWAY).is_empty());
    all_gone(&mut world);
    assert_eq!(world.ended(GATEWAY)[0].legs.len(), 2);
}

#[test]
fn who_answered_and_hangs_up_before_being_admitted_is_told_of() {
    let mut world = World::new(2, Network::perfect());
    let (session, _) = waiting(&mut world);
    world
        .verb(GATEWAY, |c, now| c.invite(now, session, right()))
        .expect("invited");
    world.run_until(secs(10), |w| answered(w).is_some());
    let leg = answered(&world).expect("answered");
    world.run(secs(1));
    world.hangup(CALLEE);
    world.run(secs(5));
    assert_eq!(
        world.count(
            GATEWAY,
            |e| matches!(e, Event::Left { leg: left, .. } if *left == leg)
        ),
        1
    );
    all_gone(&mut world);
}

#[test]
fn an_invitation_is_taken_back_by_its_name_whichever_contact_answered() {
    let mut named = Vec::new();
    for node in [CALLER, CALLEE] {
        let mut world = World::new(3, Network::perfect());
        world.callee_answers = false;
        world.register(CALLER);
        world.register(CALLEE);
        world.run(secs(5));
        let (session, _) = waiting(&mut world);
        let name = world
            .verb(GATEWAY, |c, now| {
                c.invite(now, session, invitation(Party::User("agent".into())))
            })
            .expect("registered");
        world.run(secs(2));
        let rings = |node| {
            world.events(node).iter().find_map(|event| match event {
                Event::Incoming { leg, .. } => Some(*leg),
                _ => None,
            })
        };
        let (Some(left), Some(right)) = (rings(CALLER), rings(CALLEE)) else {
            panic!("both contacts ring");
        };
        let leg = if node == CALLER { left } else { right };
        world.verb(node, |c, now| c.answer(now, leg, None));
        world.run(secs(2));
        named.push(answered(&world) == Some(name));
        world.verb(GATEWAY, |c, now| c.withdraw(now, name, true));
        world.run(secs(2));
        assert_eq!(world.stats(GATEWAY).legs, 1, "only the caller is left");
        assert_eq!(world.stats(node).legs, usize::from(node == CALLER));
    }
    named.sort();
    assert_eq!(named, [false, true]);
}

#[test]
fn a_consultation_becomes_a_talk_of_three_and_then_a_transfer() {
    let mut world = World::new(4, Network::perfect());
    let (session, _, agent) = talking(&mut world);
    let aside = world.verb(GATEWAY, |c, now| c.split(now, agent)).expect("split");
    world
        .verb(GATEWAY, |c, now| c.invite(now, aside, right()))
        .expect("invited");
    world.run(secs(2));
    let third = answered(&world).expect("answered");
    world.verb(GATEWAY, |c, now| c.admit_leg(now, aside, third));
    assert_eq!(world.bridges(GATEWAY), 2);
    world
        .verb(GATEWAY, |c, now| c.join(now, session, aside))
        .expect("joined");
    world.run(secs(1));
    let three = world.events(GATEWAY).iter().rev().find_map(|event| match event {
        Event::Bridged { legs, .. } => Some(legs.len()),
        _ => None,
    });
    assert_eq!(three, Some(3));
    world.verb(GATEWAY, |c, now| c.drop_leg(now, agent));
    world.run(secs(5));
    assert_eq!(world.stats(GATEWAY).legs, 2);
    world.hangup(CALLER);
    world.run(secs(100));
    assert_eq!(world.ended(GATEWAY)[0].legs.len(), 3);
    world.assert_empty();
}

/// Any verb at any time, over a network that loses, doubles and reorders: each session ends once or was joined to another, each leg is
/// in one record, and nothing is left.
#[test]
fn whatever_is_done_with_calls_all_end_and_leave_nothing() {
    let (mut joined, mut left, mut mixed, mut transferred) = (0, 0, 0, 0);
    for seed in 0..400 {
        let network = Network {
            loss: 10,
            duplicate: 10,
            jitter: Duration::from_millis(60),
        };
        let mut world = match seed % 3 {
            0 => World::with_user(seed, network),
            _ => World::new(seed, network),
        };
        let mut rng = Rng::seeded(seed ^ 0x5eed);
        world.centre = seed % 3 != 0;
        world.callee_answers = seed % 5 != 0;
        world.call();
        for _ in 0..30 {
            world.run(Duration::from_millis(rng.below(2_000)));
            random(&mut world, &mut rng);
        }
        for node in [CALLER, CALLEE, GATEWAY] {
            world.hangup(node);
        }
        world.run(secs(500));
        for node in [CALLER, CALLEE, GATEWAY] {
            world.hangup(node);
        }
        world.run(secs(500));
        let mut sessions: Vec<SessionId> = world.ended(GATEWAY).iter().map(|r| r.session).collect();
        let mut legs: Vec<LegId> = world
            .ended(GATEWAY)
            .iter()
            .flat_map(|r| r.legs.iter().map(|l| l.leg))
            .collect();
        let (ends, recorded) = (sessions.len(), legs.len());
        sessions.sort();
        sessions.dedup();
        legs.sort();
        legs.dedup();
        assert_eq!(
            (sessions.len(), legs.len()),
            (ends, recorded),
            "seed {seed}: told twice"
        );
        assert_eq!(world.opened(GATEWAY), legs, "seed {seed}: each leg in one record");
        world.assert_empty();
        joined += world.count(GATEWAY, |e| matches!(e, Event::Joined { .. }));
        left += world.count(GATEWAY, |e| matches!(e, Event::Left { .. }));
        transferred += world.count(GATEWAY, |e| matches!(e, Event::Transferred { .. }));
        mixed += world.count(
            GATEWAY,
            |e| matches!(e, Event::Bridged { legs, .. } if legs.len() > 2),
        );
    }
    assert!(
        joined > 20 && left > 20 && mixed > 20 && transferred > 50,
        "{joined} joined, {left} left, {mixed} mixed, {transferred} transferred"
    );
}

/// The caller asks to be replaced in one of its calls, or calls once more.
fn ask_for_transfer(world: &mut World, rng: &mut Rng, calls: bool) {
    let sessions = world.sessions(CALLER);
    let legs = world.verb(CALLER, |c, _| {
        let legs = sessions.iter().filter_map(|session| c.legs(*session)[1]);
        legs.collect::<Vec<LegId>>()
    });
    if calls && legs.len() < 3 {
        return world.call();
    }
    let Some(&leg) = legs.first() else { return };
    let other = legs
        .last()
        .copied()
        .filter(|other| *other != leg && rng.percent(50));
    let to = Uri::sip(Some("777"), "192.0.2.11", None).expect("uri");
    world.verb(CALLER, |c, now| c.refer(now, leg, &to, other));
}

fn random(world: &mut World, rng: &mut Rng) {
    let pick = |rng: &mut Rng, n: usize| rng.below(n.max(1) as u64) as usize;
    let sessions = world.sessions(GATEWAY);
    let mut legs = world.opened(GATEWAY);
    legs.drain(..legs.len().saturating_sub(5));
    let (Some(&session), Some(&leg)) = (
        sessions.get(pick(rng, sessions.len())),
        legs.get(pick(rng, legs.len())),
    ) else {
        return;
    };
    let other = sessions[pick(rng, sessions.len())];
    let coached = legs[pick(rng, legs.len())];
    // Most who answer are admitted to the session that called them.
    let newest = world.events(GATEWAY).iter().rev().find_map(|event| match event {
        Event::InvitationAnswered { session, leg, .. } => Some((*session, *leg)),
        _ => None,
    });
    let what = rng.below(32);
    if let 28..=31 = what {
        return ask_for_transfer(world, rng, what == 28);
    }
    world.verb(GATEWAY, |c, now| match what {
        0..=3 => drop(c.invite(now, session, right())),
        4..=9 => {
            let (session, leg) = newest.unwrap_or((session, leg));
            c.admit_leg(now, session, leg);
        }
        10 => c.admit_leg(now, session, leg),
        11 => c.withdraw(now, leg, true),
        12..=14 => drop(c.split(now, leg)),
        15..=17 => drop(c.join(now, session, other)),
        18 => c.set_role(leg, Role::Listener),
        19 => c.set_role(leg, Role::Coach(coached)),
        20 => c.drop_leg(now, leg),
        21 => c.keep(session, leg.0.is_multiple_of(2)),
        22 => c.hold(now, leg),
        23 => c.transfer(now, leg, right()),
        24 => c.transfer_attended(now, leg, coached),
        25 => c.refuse_refer(now, leg, StatusCode::DECLINE),
        26 => drop(c.leave(now, leg)),
        _ => c.resume(now, leg),
    });
    if what == 21 && rng.percent(20) {
        world.hangup(CALLEE);
    }
}

fn users(password: Option<&str>) -> BTreeMap<String, User> {
    let user = |password: &str| User::new(Password::keys("agent", "test", password));
    let agent = password.map(|password| ("agent".to_owned(), user(password)));
    agent.into_iter().collect()
}

#[test]
fn a_user_who_is_removed_is_reached_and_admitted_no_more_and_the_call_goes_on() {
    let mut world = World::new(1, Network::perfect());
    world.register(CALLEE);
    world.run(secs(2));
    assert_eq!(world.stats(GATEWAY).contacts, 1);
    let (session, _) = waiting(&mut world);
    world
        .verb(GATEWAY, |c, now| {
            c.invite(now, session, invitation(Party::User("agent".into())))
        })
        .expect("invited");
    world.run_until(secs(10), |w| answered(w).is_some());
    let agent = answered(&world).expect("answered");
    world.verb(GATEWAY, |c, now| c.admit_leg(now, session, agent));
    world.run(secs(1));
    world.verb(GATEWAY, |c, now| c.set_users(now, users(None)));
    world.run(secs(10));
    assert_eq!(world.stats(GATEWAY).contacts, 0);
    let answered = |e: &Event| matches!(e, Event::Reachable { user, reachable: false } if user == "agent");
    assert_eq!(world.count(GATEWAY, answered), 1);
    assert_eq!(world.bridges(GATEWAY), 1, "whoever talks is not cut off");
    let refused = world.verb(GATEWAY, |c, now| {
        c.invite(now, session, invitation(Party::User("agent".into())))
    });
    assert_eq!(refused, Err(StatusCode::NOT_FOUND));
    world.register(CALLEE);
    world.run(secs(10));
    assert_eq!(world.stats(GATEWAY).contacts, 0);
    all_gone(&mut world);
}

#[test]
fn a_user_comes_back_with_a_key_in_place_of_the_password_and_another_password_ends_what_the_old_one_opened() {
    let mut world = World::new(1, Network::perfect());
    world.verb(GATEWAY, |c, now| c.set_users(now, users(Some("secret"))));
    world.register(CALLEE);
    world.run(secs(2));
    assert_eq!(world.stats(GATEWAY).contacts, 1, "the key serves");
    world.verb(GATEWAY, |c, now| c.set_users(now, users(Some("secret"))));
    assert_eq!(world.stats(GATEWAY).contacts, 1, "nothing changed");
    world.verb(GATEWAY, |c, now| c.set_users(now, users(Some("another"))));
    assert_eq!(world.stats(GATEWAY).contacts, 0);
    world.register(CALLEE);
    world.run(secs(2));
    assert_eq!(world.stats(GATEWAY).contacts, 0, "the old password is over");
}

/// Number of times that this leg heard an announcement to its end.
fn announcements(world: &World, leg: LegId) -> usize {
    world.count(
        GATEWAY,
        |e| matches!(e, Event::Announced { leg: of, whole: true, .. } if *of == leg),
    )
}

#[test]
fn who_waits_is_told_the_place_and_who_talks_is_not() {
    let mut world = World::new(1, Network::perfect());
    let place = Phrase {
        position: Some(3),
        wait: None,
    };
    let (session, caller) = waiting(&mut world);
    assert!(world.verb(GATEWAY, |c, _| c.announce(caller, place)));
    world.run(secs(1));
    assert_eq!(announcements(&world, caller), 1);
    // The agent's phone rings: the caller still waits.
    world
        .verb(GATEWAY, |c, now| c.invite(now, session, right()))
        .expect("invited");
    assert!(world.verb(GATEWAY, |c, _| c.announce(caller, place)));
    world.run_until(secs(10), |w| answered(w).is_some());
    let agent = answered(&world).expect("answered");
    world.verb(GATEWAY, |c, now| c.admit_leg(now, session, agent));
    world.run(secs(1));
    // They talk: there is nothing to announce, not to the agent either.
    assert!(!world.verb(GATEWAY, |c, _| c.announce(caller, place)));
    assert!(!world.verb(GATEWAY, |c, _| c.announce(agent, place)));
    // The agent left, and the caller waits again.
    world.hangup(CALLEE);
    world.run(secs(5));
    assert!(world.verb(GATEWAY, |c, _| c.announce(caller, place)));
    assert!(!world.verb(GATEWAY, |c, _| c.announce(agent, place)));
    world.run(secs(1));
    assert_eq!(announcements(&world, caller), 3);
    assert_eq!(announcements(&world, agent), 0);
    all_gone(&mut world);
}
