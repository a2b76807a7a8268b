//! Whole calls through the gateway, as ladders: messages, commands to the gateway's media, events to its application.

use std::time::Duration;

use cordboard_tests::sim::{Conditions, GATEWAY, Heard, Manner, State, World};

const MINUTE: Duration = Duration::from_secs(60);

/// A world without faults in which two tabs are registered, and both trunks answer in the same manner.
fn world(manner: Manner) -> World {
    let mut world = World::new(1, Conditions::perfect(), None);
    for phone in &mut world.phones {
        phone.manner = Some(manner);
    }
    world.browser("1001");
    world.browser("1002");
    world.run(Duration::from_secs(1));
    world.wire.draw(world.now);
    world
}

/// Tab 0 calls a number and waits until that is answered.
fn talk(world: &mut World, number: &str) -> String {
    let id = world.agent(0, |a| a.invite(number, false));
    assert!(world.run_until(MINUTE, |w| w.agents[0].state(&id) == State::Up));
    world.run(Duration::from_secs(1));
    id
}

/// The whole ladder; nothing may be left but the registrations.
fn ladder(mut world: World) -> String {
    world.run(MINUTE);
    let drawn = world.wire.ladder().to_owned();
    for tab in 0..world.agents.len() {
        world.vanish(tab, true);
    }
    world.run(Duration::from_secs(300));
    world.assert_over();
    drawn
}

fn call_id_of_the_last_invitation(world: &World, agent: usize) -> Option<String> {
    world.log.iter().rev().find_map(|(who, heard)| match heard {
        Heard::Invited(id) if *who == agent => Some(id.clone()),
        _ => None,
    })
}

#[test]
fn a_call_from_a_tab_to_a_trunk() {
    let mut world = world(Manner::Rings(2_000));
    let id = talk(&mut world, "2000");
    world.agent(0, |a| a.bye(&id));
    insta::assert_snapshot!(ladder(world));
}

#[test]
fn a_call_from_a_trunk_to_a_tab() {
    let mut world = world(Manner::Silent);
    world.on_heard = |world, tab, heard| {
        if let Heard::Invited(id) = heard {
            world.agent(tab, |a| a.ring(&id, 180, false));
            world.after(1_000, move |w| w.agent(tab, |a| a.answer(&id)));
        }
    };
    world.node_calls(1, "1002");
    world.run(Duration::from_secs(3));
    let id = call_id_of_the_last_invitation(&world, 1).expect("rung");
    world.agent(1, |a| a.bye(&id));
    insta::assert_snapshot!(ladder(world));
}

#[test]
fn early_media_reaches_the_tab_and_the_answer_is_one_and_the_same() {
    let mut world = world(Manner::Early(2_000));
    // The agent itself panics when two answers differ by an octet.
    let id = talk(&mut world, "2000");
    let answers = world
        .log
        .iter()
        .filter(|(_, h)| matches!(h, Heard::Media(..)))
        .count();
    assert_eq!(answers, 1);
    world.agent(0, |a| a.bye(&id));
    insta::assert_snapshot!(ladder(world));
}

#[test]
fn cancel_while_it_rings() {
    let mut world = world(Manner::Silent);
    let id = world.agent(0, |a| a.invite("2000", false));
    world.run(Duration::from_secs(3));
    world.agent(0, |a| a.cancel(&id));
    insta::assert_snapshot!(ladder(world));
}

#[test]
fn all_branches_ring_and_the_losers_are_cancelled_with_a_reason() {
    let mut world = world(Manner::Silent);
    world.phones[1].manner = Some(Manner::Refuses(486, 0));
    world.phones[2].manner = Some(Manner::Rings(3_000));
    world.browser("1002"); // a second tab of the same user
    world.run(Duration::from_secs(1));
    world.wire.draw(world.now);
    world.on_heard = |world, tab, heard| {
        if let Heard::Invited(id) = heard {
            world.agent(tab, |a| a.ring(&id, 180, false));
        }
    };
    let id = talk(&mut world, "4000");
    world.agent(0, |a| a.bye(&id));
    insta::assert_snapshot!(ladder(world));
}

/// Invitations that an agent heard.
fn rung(world: &World, agent: usize) -> usize {
    let invited = |(who, heard): &&(usize, Heard)| *who == agent && matches!(heard, Heard::Invited(_));
    world.log.iter().filter(invited).count()
}

#[test]
fn whoever_declines_at_one_phone_is_rung_at_no_other() {
    let mut world = world(Manner::Silent);
    let second = world.browser("1002");
    world.run(Duration::from_secs(1));
    world.on_heard = |world, tab, heard| {
        if let Heard::Invited(id) = heard {
            world.agent(tab, |a| a.ring(&id, 180, false));
            if tab == 1 {
                world.after(1_000, move |w| w.agent(1, |a| a.reject(&id, 603, "")));
            }
        }
    };
    let id = world.agent(0, |a| a.invite("1002", false));
    world.run(Duration::from_secs(3));
    assert_eq!(world.agents[0].calls[&id].code, 603);
    assert_eq!((rung(&world, 1), rung(&world, second)), (1, 1));
    let drawn = ladder(world);
    assert!(drawn.contains("CANCEL"), "{drawn}");
}

#[test]
fn a_phone_that_was_busy_does_not_ring_again_for_another_that_comes_back() {
    let mut world = world(Manner::Silent);
    let second = world.browser("1002");
    world.run(Duration::from_secs(1));
    world.on_heard = |world, tab, heard| {
        if let Heard::Invited(id) = heard {
            match tab {
                1 => world.agent(1, |a| a.reject(&id, 486, "")),
                _ => world.agent(tab, |a| a.ring(&id, 180, false)),
            }
        }
    };
    let id = world.agent(0, |a| a.invite("1002", false));
    world.run(Duration::from_secs(1));
    world.vanish(second, true);
    world.run(Duration::from_secs(3));
    world.connect(second);
    world.run(Duration::from_secs(2));
    assert_eq!((rung(&world, 1), rung(&world, second)), (1, 2));
    world.agent(0, |a| a.cancel(&id));
    ladder(world);
}

#[test]
fn busy_at_the_first_trunk_goes_on_to_the_second() {
    let mut world = world(Manner::Refuses(486, 0));
    world.phones[2].manner = Some(Manner::AtOnce);
    let id = talk(&mut world, "5000");
    world.agent(0, |a| a.bye(&id));
    insta::assert_snapshot!(ladder(world));
}

#[test]
fn busy_everywhere() {
    let mut world = world(Manner::Refuses(486, 500));
    let id = world.agent(0, |a| a.invite("2000", false));
    world.run(Duration::from_secs(3));
    assert_eq!(world.agents[0].calls[&id].code, 486);
    insta::assert_snapshot!(ladder(world));
}

#[test]
fn a_tab_holds_and_resumes() {
    let mut world = world(Manner::AtOnce);
    let id = talk(&mut world, "2000");
    world.agent(0, |a| a.reinvite(&id, "sendonly"));
    world.run(Duration::from_secs(1));
    world.agent(0, |a| a.reinvite(&id, "sendrecv"));
    world.run(Duration::from_secs(1));
    world.agent(0, |a| a.bye(&id));
    insta::assert_snapshot!(ladder(world));
}

#[test]
fn a_call_without_an_offer_gets_ours() {
    let mut world = world(Manner::AtOnce);
    let id = world.agent(0, |a| a.invite("2000", true));
    world.run(Duration::from_secs(3));
    world.agent(0, |a| a.bye(&id));
    insta::assert_snapshot!(ladder(world));
}

#[test]
fn a_digit_by_info_becomes_one_by_rtp() {
    let mut world = world(Manner::AtOnce);
    let id = talk(&mut world, "2000");
    world.agent(0, |a| a.digit(&id, '5'));
    world.run(Duration::from_secs(1));
    world.agent(0, |a| a.bye(&id));
    insta::assert_snapshot!(ladder(world));
}

#[test]
fn the_websocket_is_cut_and_found_again() {
    let mut world = world(Manner::AtOnce);
    let id = talk(&mut world, "2000");
    world.cut(0);
    world.run(Duration::from_secs(3));
    world.connect(0);
    world.run(Duration::from_secs(1));
    // The far side hangs up: its BYE finds the new connection.
    let session = world.nodes[1].coordinator.sessions().next().expect("up");
    world.hang_up(1, session);
    world.run(Duration::from_secs(1));
    assert_eq!(world.agents[0].state(&id), State::Over);
    assert_eq!(world.nodes[GATEWAY].count("away"), 0);
    insta::assert_snapshot!(ladder(world));
}

#[test]
fn a_tab_that_does_not_come_back_ends_its_call_after_the_grace() {
    let mut world = world(Manner::AtOnce);
    talk(&mut world, "2000");
    world.vanish(0, false);
    world.run(Duration::from_secs(20));
    assert_eq!(world.nodes[GATEWAY].records.len(), 1);
    insta::assert_snapshot!(ladder(world));
}

#[test]
fn a_tab_refreshes_by_update_and_unregisters_without_ending_its_call() {
    let mut world = world(Manner::AtOnce);
    let id = talk(&mut world, "2000");
    for _ in 0..2 {
        world.run(Duration::from_secs(45));
        world.agent(0, |a| a.update(&id));
    }
    world.agent(0, |a| a.register(0));
    world.run(Duration::from_secs(30));
    assert_eq!(world.agents[0].state(&id), State::Up);
    world.agent(0, |a| a.bye(&id));
    insta::assert_snapshot!(ladder(world));
}

#[test]
fn a_trunk_that_sends_us_elsewhere_is_followed() {
    let mut world = world(Manner::AtOnce);
    let hand = world.hand();
    world.on_heard = |world, agent, heard| {
        if let Heard::Invited(id) = heard {
            let contacts =
                "Contact: <sip:777@192.0.2.99>;q=0.2, <sip:778@192.0.2.12>;q=0.9, <mailto:a@b.c>\r\n";
            world.agent(agent, |a| a.reject(&id, 302, contacts));
        }
    };
    let id = talk(&mut world, "6000");
    assert_eq!(hand, 2);
    world.agent(0, |a| a.bye(&id));
    insta::assert_snapshot!(ladder(world));
}

#[test]
fn redirections_that_lead_in_circles_end() {
    let mut world = world(Manner::AtOnce);
    world.hand();
    world.on_heard = |world, agent, heard| {
        if let Heard::Invited(id) = heard {
            let next = world.rng.below(1_000);
            let contacts = format!("Contact: <sip:6000@192.0.2.99>, <sip:{next}@192.0.2.99>\r\n");
            world.agent(agent, |a| a.reject(&id, 302, &contacts));
        }
    };
    let id = world.agent(0, |a| a.invite("6000", false));
    world.run(MINUTE);
    assert_eq!(world.agents[0].calls[&id].code, 480);
    // The first one and five redirections.
    let invited = world
        .log
        .iter()
        .filter(|(_, h)| matches!(h, Heard::Invited(_)))
        .count();
    assert_eq!(invited, 6);
    ladder(world);
}

#[test]
fn who_hangs_up_while_media_is_being_opened_leaves_nothing() {
    let mut world = world(Manner::Silent);
    world.media_delay = 50;
    let id = world.agent(0, |a| a.invite("2000", false));
    world.run(Duration::from_millis(6));
    world.agent(0, |a| a.cancel(&id));
    let session = world.nodes[GATEWAY].coordinator.sessions().next().expect("begun");
    world.hang_up(GATEWAY, session);
    insta::assert_snapshot!(ladder(world));
}

#[test]
fn cancel_comes_while_media_is_being_opened() {
    let mut world = world(Manner::Silent);
    world.media_delay = 50;
    let id = world.agent(0, |a| a.invite("9196", false));
    world.run_until(MINUTE, |w| w.agents[0].state(&id) == State::Proceeding);
    world.agent(0, |a| a.cancel(&id));
    insta::assert_snapshot!(ladder(world));
}

#[test]
fn a_trunk_asks_for_an_offer_within_the_call() {
    let mut world = world(Manner::AtOnce);
    let hand = world.hand();
    let id = world.agent(hand, |a| a.invite("9196", false));
    world.run(Duration::from_secs(1));
    world.agent(hand, |a| a.reinvite_late(&id));
    world.run(Duration::from_secs(1));
    world.agent(hand, |a| a.reinvite(&id, "sendonly"));
    world.run(Duration::from_secs(1));
    world.agent(hand, |a| a.bye(&id));
    insta::assert_snapshot!(ladder(world));
}

#[test]
fn the_gateway_holds_a_trunk_and_says_bye_meanwhile() {
    let mut world = world(Manner::AtOnce);
    talk(&mut world, "2000");
    let (now, session) = (
        world.now,
        world.nodes[GATEWAY].coordinator.sessions().next().expect("up"),
    );
    let callee = world.nodes[GATEWAY].coordinator.legs(session)[1].expect("answered");
    world.nodes[GATEWAY].coordinator.hold(now, callee);
    world.drain(GATEWAY);
    world.run(Duration::from_millis(2));
    world.hang_up(GATEWAY, session);
    insta::assert_snapshot!(ladder(world));
}

#[test]
fn a_tab_transfers_a_trunk_to_another_blind() {
    let mut world = world(Manner::Rings(2_000));
    let id = talk(&mut world, "2000");
    world.agent(0, |a| a.refer(&id, "3000", None));
    world.run(Duration::from_secs(5));
    let live: Vec<_> = world.nodes[1].coordinator.sessions().collect();
    for session in live {
        world.hang_up(1, session);
    }
    insta::assert_snapshot!(ladder(world));
}

#[test]
fn a_tab_joins_the_two_whom_it_talks_with() {
    let mut world = world(Manner::Rings(500));
    let first = talk(&mut world, "2000");
    let second = talk(&mut world, "3000");
    world.agent(0, |a| a.refer(&first, "3000", Some(&second)));
    world.run(Duration::from_secs(5));
    let live: Vec<_> = world.nodes[2].coordinator.sessions().collect();
    for session in live {
        world.hang_up(2, session);
    }
    insta::assert_snapshot!(ladder(world));
}

/// A trunk written by hand calls the first one, and both talk.
fn transit() -> (World, usize, String) {
    let mut world = world(Manner::AtOnce);
    let hand = world.hand();
    let id = world.agent(hand, |a| a.invite("2000", false));
    assert!(world.run_until(MINUTE, |w| w.agents[hand].state(&id) == State::Up));
    world.run(Duration::from_secs(1));
    (world, hand, id)
}

/// A trunk holds, or resumes, by itself.
fn hold(world: &mut World, node: usize, held: bool) {
    let (now, calls) = (world.now, &mut world.nodes[node].coordinator);
    let session = calls.sessions().next().expect("up");
    let [Some(leg), _] = calls.legs(session) else {
        panic!("no leg")
    };
    if held {
        calls.hold(now, leg)
    } else {
        calls.resume(now, leg)
    }
    world.drain(node);
}

#[test]
fn a_hold_from_trunk_to_trunk_is_passed_on_and_so_is_its_end() {
    let (mut world, hand, id) = transit();
    for direction in ["sendonly", "sendrecv"] {
        world.agent(hand, |a| a.reinvite(&id, direction));
        world.run(Duration::from_secs(1));
    }
    world.agent(hand, |a| a.bye(&id));
    insta::assert_snapshot!(ladder(world));
}

#[test]
fn two_trunks_that_hold_at_the_same_time_are_both_told_to_wait() {
    let (mut world, hand, id) = transit();
    world.agent(hand, |a| a.reinvite(&id, "sendonly"));
    hold(&mut world, 1, true);
    world.run(Duration::from_secs(6));
    world.agent(hand, |a| a.bye(&id));
    insta::assert_snapshot!(ladder(world));
}

#[test]
fn a_fax_that_the_other_trunk_does_not_have_is_refused_and_the_call_goes_on() {
    let (mut world, hand, id) = transit();
    world.agent(hand, |a| a.reinvite_fax(&id));
    world.run(Duration::from_secs(1));
    world.agent(hand, |a| a.reinvite(&id, "sendrecv"));
    world.run(Duration::from_secs(1));
    world.agent(hand, |a| a.bye(&id));
    insta::assert_snapshot!(ladder(world));
}
