//! Ownership of a call: one of three leaves, an agent signs out, a call goes to a colleague with its history.

use cordboard::centre::view::{AgentNotes, Change, Record, RecordKind};

use super::*;

/// Caller, first and second agent talk; returns the second agent's call.
fn three(world: &mut World) -> (SessionId, String, String) {
    let (session, first) = talk(world);
    consult(world, Target::Agent(id("1002")));
    let second = answer(world, 1);
    on(world, |call| Command::Merge { call }).expect("merged");
    world.run(SECOND);
    assert_eq!(
        (call(world).state, bridges(world)),
        (CallPhase::Conference, vec![3])
    );
    (session, first, second)
}

/// Checks that the second agent has the caller alone, as if it had been handed over.
fn second_has_it(world: &World, session: SessionId) {
    let call = call(world);
    assert_eq!(
        (call.state, call.agent, call.transferred_by.map(|by| by.id)),
        (CallPhase::Talking, Some(id("1002")), Some(id("1001")))
    );
    assert_eq!(call.agents, [id("1001"), id("1002")]);
    assert_eq!(call.joined, [""; 0]);
    assert_eq!(call.parties.len(), 2, "{:?}", call.parties);
    assert_eq!(status(world, "1002"), Status::Talking);
    assert_eq!((bridges(world), caller_is_up(world, session)), (vec![2], true));
}

fn logged(world: &World) -> Vec<Record> {
    let events = world.switch.view.since(0, usize::MAX).expect("kept");
    let logged = events.iter().filter_map(|event| match &event.change {
        Change::Logged { record } => Some(record.clone()),
        _ => None,
    });
    logged.collect()
}

fn ended(world: &World) -> Vec<Record> {
    let events = world.switch.view.since(0, usize::MAX).expect("kept");
    let ended = events.iter().filter_map(|event| match &event.change {
        Change::CallEnded { record, .. } => Some(record.clone()),
        _ => None,
    });
    ended.collect()
}

#[test]
fn a_colleague_who_stays_has_the_call_whether_the_agent_leaves_or_hangs_up() {
    for hangs_up in [false, true] {
        let mut world = world(2);
        let (session, first, second) = three(&mut world);
        assert_eq!(call(&world).joined, [id("1002")]);
        world.run(5 * SECOND);
        if hangs_up {
            world.agent(0, |a| a.bye(&first));
        } else {
            on(&mut world, |call| Command::Leave { call }).expect("left");
        }
        world.run(SECOND);
        assert_eq!(world.agents[0].state(&first), State::Over);
        assert_eq!(status(&world, "1001"), Status::WrapUp);
        second_has_it(&world, session);
        world.run(20 * SECOND);
        assert_eq!(status(&world, "1001"), Status::Available, "the first is free");

        // A supervisor listens, and the new one does what agents do.
        let tab = world.browser("1004");
        assert!(world.run_until(SECOND, |w| w.agents[tab].registered));
        let listen = Command::Supervise {
            call: call(&world).id,
            mode: Mode::Listen,
        };
        world.ask(By::Supervisor(id("1004")), listen).expect("allowed");
        let ear = wait_for_ring(&mut world, tab);
        world.agent(tab, |a| a.answer(&ear));
        world.run(SECOND);
        assert_eq!(bridges(&world), [3]);
        world.agent(tab, |a| a.bye(&ear));
        world.run(SECOND);
        let held = Command::Hold {
            call: call(&world).id,
            held: true,
        };
        world.ask(by("1002"), held).expect("held");
        world.agent(1, |a| a.bye(&second));
        world.run(SECOND);
        assert_eq!(status(&world, "1002"), Status::WrapUp);
        let world = over(world);
        let [record] = &ended(&world)[..] else {
            panic!("{:?}", ended(&world))
        };
        let names: Vec<&str> = record.agents.iter().map(|agent| agent.id.as_str()).collect();
        assert_eq!(names, [id("1001"), id("1002")]);
        assert!(record.talked_s > 20.0, "{record:?}");
        let second = world
            .switch
            .view
            .read(|view| view.agents[&id("1002")].today.clone());
        assert_eq!(second.calls, 1);
    }
}

#[test]
fn a_colleague_takes_over_from_an_agent_whose_tab_is_lost_and_not_from_one_who_reloads() {
    for reloads in [false, true] {
        let mut world = world(2);
        let (session, ..) = three(&mut world);
        world.vanish(0, true);
        world.run(3 * SECOND);
        assert_eq!(call(&world).state, CallPhase::Away);
        assert_eq!(bridges(&world), [2], "the two talk on");
        if reloads {
            let tab = world.browser("1001");
            assert!(world.run_until(SECOND, |w| w.agents[tab].registered));
            let again = wait_for_ring(&mut world, tab);
            world.agent(tab, |a| a.answer(&again));
            world.run(30 * SECOND);
            assert_eq!(
                (call(&world).state, call(&world).agent, bridges(&world)),
                (CallPhase::Conference, Some(id("1001")), vec![3])
            );
        } else {
            world.run(20 * SECOND);
            second_has_it(&world, session);
            world.run(20 * SECOND);
            second_has_it(&world, session);
            assert_eq!(status(&world, "1001"), Status::Paused, "as after any lost page");
        }
        over(world);
    }
}

#[test]
fn the_agent_keeps_the_call_that_a_colleague_leaves() {
    let mut world = world(2);
    let (session, _, second) = three(&mut world);
    world.agent(1, |a| a.bye(&second));
    world.run(SECOND);
    let left = call(&world);
    assert_eq!(
        (left.state, left.agent, left.joined.len(), left.parties.len()),
        (CallPhase::Talking, Some(id("1001")), 0, 2)
    );
    assert_eq!((bridges(&world), caller_is_up(&world, session)), (vec![2], true));
    assert_eq!(
        [status(&world, "1001"), status(&world, "1002")],
        [Status::Talking, Status::Available]
    );
    over(world);
}

#[test]
fn a_call_of_which_only_others_are_left_shows_no_agent() {
    let mut world = world(1);
    talk(&mut world);
    consult(&mut world, Target::Number("3000".into()));
    world.run(SECOND);
    on(&mut world, |call| Command::Merge { call }).expect("merged");
    world.run(SECOND);
    on(&mut world, |call| Command::Leave { call }).expect("left");
    world.run(SECOND);
    let left = call(&world);
    assert_eq!((left.state, left.agent), (CallPhase::Talking, None));
    assert!(
        left.parties
            .iter()
            .all(|party| party.kind != ParticipantKind::Agent)
    );
    over(world);
}

#[test]
fn of_two_who_asked_the_same_colleague_the_first_gives_the_call_and_the_other_caller_is_not_lost() {
    let mut world = world(3);
    talk(&mut world);
    let first = call(&world).id;
    world.node_calls(1, "7000").expect("a call");
    answer(&mut world, 1);
    let second = calls(&world)
        .into_iter()
        .find(|call| call.id != first)
        .expect("a call")
        .id;
    let both = [("1001", &first), ("1002", &second)];
    for (name, call) in both {
        let (call, to) = (call.clone(), Target::Agent(id("1003")));
        world.ask(by(name), Command::Consult { call, to }).expect("asked");
        answer(&mut world, 2);
    }
    for (name, call) in both {
        let call = call.clone();
        world
            .ask(by(name), Command::Complete { call })
            .expect("connected");
        world.run(SECOND);
    }
    let seen: Vec<(CallPhase, Option<String>)> = calls(&world)
        .into_iter()
        .map(|call| (call.state, call.agent))
        .collect();
    assert_eq!(
        seen,
        [(CallPhase::Talking, Some(id("1003"))), (CallPhase::Talking, None)]
    );
    assert_eq!(bridges(&world), [2, 2]);
    over(world);
}

fn sign_out(world: &mut World, name: &str) {
    let agent = id(name);
    world
        .ask(by(name), Command::SignOut { agent })
        .expect("signed out");
    world.run(Duration::from_millis(500));
}

#[test]
fn an_agent_who_signs_out_in_a_call_gives_the_caller_back_at_the_old_place() {
    for holds in [false, true] {
        let mut world = world(1);
        let (session, first) = talk(&mut world);
        if holds {
            on(&mut world, |call| Command::Hold { call, held: true }).expect("held");
        }
        let came = call(&world).entered_at;
        let later = world.node_calls(1, "7000").expect("a call");
        world.run(SECOND);
        sign_out(&mut world, "1001");
        assert_eq!(world.agents[0].state(&first), State::Over);
        assert_eq!(status(&world, "1001"), Status::Offline);
        assert!(caller_is_up(&world, session) && caller_is_up(&world, later));
        let waiting = calls(&world);
        let back = waiting
            .iter()
            .find(|call| call.entered_at == came)
            .expect("it waits");
        assert_eq!((back.state, back.position), (CallPhase::Waiting, Some(1)));
        world.browser("1002");
        assert!(world.run_until(SECOND, |w| w.agents.last().is_some_and(|a| a.registered)));
        available(&mut world, "1002");
        answer(&mut world, 1);
        let taken = calls(&world).into_iter().find(|call| call.entered_at == came);
        assert_eq!(taken.and_then(|call| call.agent), Some(id("1002")));
        over(world);
    }
}

#[test]
fn an_agent_who_signs_out_leaves_a_call_of_three_and_asks_nobody_any_longer() {
    let mut world = world(2);
    let (session, ..) = three(&mut world);
    sign_out(&mut world, "1001");
    second_has_it(&world, session);
    assert_eq!(status(&world, "1001"), Status::Offline);
    over(world);

    let mut world = super::world(2);
    let (session, _) = talk(&mut world);
    consult(&mut world, Target::Agent(id("1002")));
    let asked = wait_for_ring(&mut world, 1);
    sign_out(&mut world, "1001");
    assert_eq!(world.agents[1].state(&asked), State::Over, "nobody is asked");
    assert!(caller_is_up(&world, session));
    answer(&mut world, 1);
    assert_eq!(call(&world).agent, Some(id("1002")));
    over(world);
}

#[test]
fn who_sends_a_call_and_what_was_noted_go_with_it() {
    for target in [Target::Agent(id("1002")), Target::Queue("que_support".into())] {
        let mut world = world(2);
        talk(&mut world);
        on(&mut world, |call| Command::Note {
            call,
            disposition: Some("follow-up".into()),
            notes: Some("Wants the invoice.".into()),
        })
        .expect("noted");
        on(&mut world, |call| Command::Transfer { call, to: target }).expect("transferred");
        world.run(SECOND);
        let offered = world
            .switch
            .view
            .read(|view| view.assignments.values().next().cloned())
            .expect("an offer");
        assert_eq!(offered.agent, id("1002"));
        let by_first = AgentNotes {
            agent: id("1001"),
            name: "Demo 1001".into(),
            notes: "Wants the invoice.".into(),
        };
        assert_eq!(offered.call.transferred_by.map(|by| by.id), Some(id("1001")));
        assert_eq!(offered.call.notes, std::slice::from_ref(&by_first));
        answer(&mut world, 1);
        let second = Command::Note {
            call: call(&world).id,
            disposition: None,
            notes: Some("Sent it.".into()),
        };
        world.ask(by("1002"), second).expect("noted");
        assert_eq!(call(&world).notes.len(), 2);
        let foreign = Command::Note {
            call: call(&world).id,
            disposition: None,
            notes: Some("Nosy.".into()),
        };
        assert_eq!(world.ask(by("1003"), foreign), Err(Refused::UnknownCall));
        let world = over(world);
        let [record] = &ended(&world)[..] else {
            panic!("{:?}", ended(&world))
        };
        assert_eq!(record.disposition.as_deref(), Some("follow-up"));
        assert_eq!(record.notes_by.len(), 2);
        let text = record.notes.clone().expect("notes");
        assert_eq!(text, "Demo 1001: Wants the invoice.\nDemo 1002: Sent it.");
    }
}

#[test]
fn a_colleague_who_is_asked_is_told_about_which_call() {
    let mut world = world(2);
    talk(&mut world);
    let about = call(&world).id;
    consult(&mut world, Target::Agent(id("1002")));
    let ringing = wait_for_ring(&mut world, 1);
    assert_eq!(
        world.agents[1].calls[&ringing].header("X-Cordboard-Consult"),
        Some(about.as_str())
    );
    assert_eq!(
        world.agents[1].calls[&ringing].header("X-Cordboard-Queue"),
        Some("support")
    );
    assert_eq!(call(&world).joined, [id("1002")]);
    on(&mut world, |call| Command::Abort { call }).expect("back");
    world.run(SECOND);
    assert_eq!(call(&world).joined, [""; 0]);
    let world = over(world);
    let [missed] = &logged(&world)[..] else {
        panic!("{:?}", logged(&world))
    };
    assert_eq!(
        (missed.kind, missed.outcome),
        (RecordKind::Internal, Outcome::Abandoned)
    );
    assert_eq!((missed.from.number.as_str(), missed.agents.len()), ("1001", 1));
}

#[test]
fn a_caller_whom_a_supervisor_hangs_up_did_not_give_up() {
    let mut world = world(0);
    caller(&mut world);
    let waiting = call(&world).id;
    world
        .ask(By::Supervisor(id("1004")), Command::HangUp { call: waiting })
        .expect("hung up");
    world.run(SECOND);
    let world = over(world);
    assert_eq!(outcomes(&world), [Outcome::HungUp]);
    let day = world
        .switch
        .view
        .read(|view| view.queues["que_support"].today.clone());
    assert_eq!((day.entered, day.abandoned, day.hung_up), (1, 0, 1));
}

#[test]
fn agents_find_what_they_missed_and_whom_they_called_in_their_history() {
    let mut world = world(2);
    // A queued call rings at the first agent until its time is up, and the second declines it.
    caller(&mut world);
    let first = wait_for_ring(&mut world, 0);
    world.agent(0, |a| a.ring(&first, 180, false));
    world.run(21 * SECOND);
    let second = wait_for_ring(&mut world, 1);
    world.agent(1, |a| a.reject(&second, 486, ""));
    world.run(SECOND);
    for session in world.nodes[1].coordinator.sessions().collect::<Vec<_>>() {
        world.hang_up(1, session);
    }
    world.run(SECOND);
    // The first calls outside, then the second, who does not answer; somebody outside calls the second.
    let out = world.agent(0, |a| a.invite("3000", false));
    assert!(world.run_until(2 * SECOND, |w| w.agents[0].state(&out) == State::Up));
    world.run(3 * SECOND);
    world.agent(0, |a| a.bye(&out));
    world.run(SECOND);
    world.agent(0, |a| a.invite("1002", false));
    let inside = wait_for_ring(&mut world, 1);
    world.agent(1, |a| a.reject(&inside, 486, ""));
    world.run(SECOND);
    world.node_calls(1, "1002").expect("a call");
    world.run(Duration::from_millis(200));
    answer(&mut world, 1);
    world.run(2 * SECOND);
    let world = over(world);
    let mut entries = logged(&world);
    entries.extend(
        ended(&world)
            .into_iter()
            .filter(|record| record.kind != RecordKind::Queue),
    );
    let seen: Vec<(RecordKind, Outcome, Vec<String>)> = entries
        .iter()
        .map(|record| {
            let agents = record.agents.iter().map(|agent| agent.id.clone()).collect();
            (record.kind, record.outcome, agents)
        })
        .collect();
    let (one, two) = (id("1001"), id("1002"));
    assert_eq!(
        seen,
        [
            (RecordKind::Missed, Outcome::NoAnswer, vec![one.clone()]),
            (RecordKind::Missed, Outcome::Rejected, vec![two.clone()]),
            (RecordKind::Outbound, Outcome::Completed, vec![one.clone()]),
            (RecordKind::Internal, Outcome::Rejected, vec![one, two.clone()]),
            (RecordKind::Inbound, Outcome::Completed, vec![two]),
        ]
    );
    let outbound = &entries[2];
    assert_eq!(
        (outbound.from.number.as_str(), outbound.to.as_str()),
        ("1001", "3000")
    );
    assert!(outbound.talked_s > 2.9, "{outbound:?}");
    let ids: std::collections::BTreeSet<String> = entries.iter().map(|record| record.id.clone()).collect();
    assert_eq!(ids.len(), 5);
}
