//! Direct calls, which come through no queue: live with their legs while they last, and recorded with all of them.

use cordboard::centre::view::{
    CallKind, CallLeg, Change, HungUpBy, LegDirection, LegEndedBy, LegState, Record, RecordKind, RecordLeg,
};

use super::*;

/// Records of all calls that are over.
fn ended(world: &World) -> Vec<Record> {
    let events = world.switch.view.since(0, usize::MAX).expect("kept");
    let ended = events.iter().filter_map(|event| match &event.change {
        Change::CallEnded { record, .. } => Some(record.clone()),
        _ => None,
    });
    ended.collect()
}

fn one_record(world: &World) -> Record {
    let mut records = ended(world);
    assert_eq!(records.len(), 1, "{records:#?}");
    records.remove(0)
}

/// The one direct call that is live.
fn direct(world: &World) -> Call {
    let mut calls = all_calls(world);
    calls.retain(|call| call.kind != CallKind::Queue);
    assert_eq!(calls.len(), 1, "{calls:#?}");
    calls.remove(0)
}

fn leg(leg: &CallLeg) -> (&str, Option<&str>, LegDirection, bool, LegState) {
    let trunk = leg.trunk.as_deref();
    (&leg.number, trunk, leg.direction, leg.browser, leg.state)
}

fn number(leg: &RecordLeg) -> (&str, Option<&str>) {
    (&leg.number, leg.trunk.as_deref())
}

#[test]
fn a_browser_that_calls_out_is_live_and_recorded_with_both_legs() {
    let mut world = world(1);
    let own = world.agent(0, |a| a.invite("3000", false));
    world.run(Duration::from_millis(100));
    let ringing = direct(&world);
    assert_eq!(
        (ringing.kind, ringing.queue.is_none()),
        (CallKind::Outbound, true)
    );
    assert_eq!((&*ringing.from.number, &*ringing.to), ("1001", "3000"));
    assert_eq!(ringing.agent, None, "it is not offered to pages as theirs");
    assert_eq!(ringing.legs.len(), 2, "{ringing:?}");
    world.run(SECOND);
    let talking = direct(&world);
    assert_eq!(talking.id, ringing.id);
    assert_eq!(talking.state, CallPhase::Talking);
    assert_eq!(
        talking.legs.iter().map(leg).collect::<Vec<_>>(),
        [
            ("1001", None, LegDirection::Incoming, true, LegState::Up),
            ("3000", Some("right"), LegDirection::Outgoing, false, LegState::Up)
        ]
    );
    assert_eq!(
        talking.legs[0].user.as_ref().map(|user| &*user.id),
        Some("usr_1001")
    );
    assert!(talking.answered_at > Some(talking.entered_at));
    world.run(4 * SECOND);
    world.agent(0, |a| a.bye(&own));
    world.run(Duration::from_millis(100));
    assert_eq!(all_calls(&world), []);
    let record = one_record(&world);
    assert_eq!((&record.call, record.kind), (&talking.id, RecordKind::Outbound));
    assert!(record.id.starts_with("dir_"), "{}", record.id);
    assert_eq!(record.outcome, Outcome::Completed);
    assert_eq!(
        (record.code, record.hung_up_by),
        (Some(200), Some(HungUpBy::Caller))
    );
    assert_eq!(record.reason.as_deref(), Some("the caller hung up"));
    assert_eq!(
        record.legs.iter().map(number).collect::<Vec<_>>(),
        [("1001", None), ("3000", Some("right"))]
    );
    let ends = record
        .legs
        .iter()
        .map(|leg| leg.end.as_ref().map(|end| (end.by, end.code)));
    assert_eq!(
        ends.collect::<Vec<_>>(),
        [Some((LegEndedBy::Peer, 200)), Some((LegEndedBy::Gateway, 200))]
    );
    assert!(
        record
            .legs
            .iter()
            .all(|leg| !leg.call_id.is_empty() && leg.answered_at.is_some())
    );
    assert_ne!(record.legs[0].call_id, record.legs[1].call_id);
    let agents: Vec<&str> = record.agents.iter().map(|agent| &*agent.id).collect();
    assert_eq!(agents, ["usr_1001"]);
    over(world);
}

#[test]
fn a_refused_call_and_one_that_is_given_up_are_recorded_with_whoever_ended_them() {
    let mut world = world(2);
    world.agent(0, |a| a.invite("1002", false));
    let offered = wait_for_ring(&mut world, 1);
    world.agent(1, |a| a.ring(&offered, 180, false));
    world.run(SECOND);
    let ringing = direct(&world);
    assert_eq!(
        (ringing.kind, ringing.state),
        (CallKind::Internal, CallPhase::Ringing)
    );
    world.agent(1, |a| a.reject(&offered, 486, ""));
    world.run(SECOND);
    let record = one_record(&world);
    assert_eq!(
        (record.outcome, record.code, record.hung_up_by),
        (Outcome::Rejected, Some(486), Some(HungUpBy::Called))
    );
    let end = record.legs[1].end.as_ref().expect("its end");
    assert_eq!((end.by, end.code), (LegEndedBy::Peer, 486));
    let agents: Vec<&str> = record.agents.iter().map(|agent| &*agent.id).collect();
    assert_eq!(agents, ["usr_1001", "usr_1002"]);

    // A number that leads nowhere has a record too, and was never live.
    world.agent(0, |a| a.invite("99", false));
    world.run(SECOND);
    let nowhere = ended(&world).pop().expect("a record");
    assert_eq!(
        (nowhere.code, nowhere.hung_up_by),
        (Some(404), Some(HungUpBy::Gateway))
    );
    assert_eq!(nowhere.legs.len(), 1);
    over(world);
}

#[test]
fn a_call_from_one_trunk_to_the_other_and_a_call_to_an_application_are_seen() {
    let mut world = world(0);
    let session = world.node_calls(1, "3000").expect("a call");
    world.run(SECOND);
    let call = direct(&world);
    assert_eq!(call.kind, CallKind::Transit);
    let trunks: Vec<Option<&str>> = call.legs.iter().map(|leg| leg.trunk.as_deref()).collect();
    assert_eq!(trunks, [Some("left"), Some("right")]);
    world.hang_up(1, session);
    world.run(SECOND);
    let session = world.node_calls(1, "9196").expect("a call");
    world.run(SECOND);
    let echo = direct(&world);
    assert_eq!((echo.kind, echo.legs.len()), (CallKind::Inbound, 1));
    world.hang_up(1, session);
    world.run(SECOND);
    let kinds: Vec<RecordKind> = ended(&world).iter().map(|record| record.kind).collect();
    assert_eq!(kinds, [RecordKind::Transit, RecordKind::Inbound]);
    over(world);
}

#[test]
fn a_supervisor_ends_a_direct_call_and_an_agent_does_not() {
    let mut world = world(2);
    world.agent(0, |a| a.invite("3000", false));
    world.run(SECOND);
    let call = direct(&world).id;
    let hang_up = || Command::HangUp { call: call.clone() };
    assert_eq!(world.ask(by("1002"), hang_up()), Err(Refused::UnknownCall));
    world.run(SECOND);
    direct(&world);
    world.ask(By::Supervisor(id("1004")), hang_up()).expect("hung up");
    world.run(SECOND);
    assert_eq!(one_record(&world).hung_up_by, Some(HungUpBy::Gateway));
    over(world);
}

#[test]
fn a_call_that_is_transferred_into_a_queue_keeps_its_id() {
    let mut world = world(1);
    let tab = world.browser("1004");
    assert!(world.run_until(SECOND, |w| w.agents[tab].registered));
    let own = world.agent(tab, |a| a.invite("3000", false));
    world.run(SECOND);
    let direct = direct(&world).id;
    world.agent(tab, |a| a.refer(&own, "7000", None));
    answer(&mut world, 0);
    let queued = call(&world);
    assert_eq!((queued.id, queued.kind), (direct, CallKind::Queue));
    assert_eq!(all_calls(&world).len(), 1);
    let world = over(world);
    let record = one_record(&world);
    assert_eq!(record.kind, RecordKind::Queue);
    let parties: Vec<(&str, Option<&str>)> = record.legs.iter().map(number).collect();
    assert_eq!(
        parties,
        [("1004", None), ("3000", Some("right")), ("1001", None)],
        "whoever was in it before as well"
    );
}

#[test]
fn two_calls_of_a_user_that_are_joined_are_one_from_then_on() {
    let mut world = world(3);
    let first = world.agent(0, |a| a.invite("1002", false));
    answer(&mut world, 1);
    let second = world.agent(0, |a| a.invite("1003", false));
    answer(&mut world, 2);
    assert_eq!(all_calls(&world).len(), 2);
    world.agent(0, |a| a.refer(&first, "1003", Some(&second)));
    world.run(3 * SECOND);
    assert_eq!(bridges(&world), [2]);
    let rest = direct(&world);
    assert_eq!(rest.legs.len(), 2, "{:?}", rest.legs);
    let events = world.switch.view.since(0, usize::MAX).expect("kept");
    let joined = events.iter().find_map(|event| match &event.change {
        Change::CallJoined { into, .. } => into.clone(),
        _ => None,
    });
    assert_eq!(joined, Some(rest.id));
    let world = over(world);
    assert_eq!(
        one_record(&world).legs.len(),
        4,
        "both calls of the user and the two others"
    );
}

#[test]
fn the_record_of_a_queued_call_has_the_legs_of_a_consultation_however_it_ends() {
    for caller_hangs_up in [true, false] {
        let mut world = world(2);
        let (session, _) = talk(&mut world);
        consult(&mut world, Target::Agent(id("1002")));
        answer(&mut world, 1);
        let numbers = |call: &Call| call.legs.iter().map(|leg| leg.number.clone()).collect::<Vec<_>>();
        assert_eq!(numbers(&call(&world)), ["491", "1001", "1002"]);
        if caller_hangs_up {
            world.hang_up(1, session);
        } else {
            on(&mut world, |call| Command::Abort { call }).expect("back");
            world.run(SECOND);
            assert_eq!(numbers(&call(&world)), ["491", "1001"]);
            world.hang_up(1, session);
        }
        world.run(2 * SECOND);
        let record = one_record(&world);
        let parties: Vec<&str> = record.legs.iter().map(|leg| &*leg.number).collect();
        assert_eq!(parties, ["491", "1001", "1002"], "{record:#?}");
        assert!(record.legs.iter().all(|leg| leg.end.is_some()));
        assert_eq!(all_calls(&world), []);
        over(world);
    }
}

#[test]
fn hold_and_a_lost_browser_show_in_the_call() {
    let mut world = world(1);
    let own = world.agent(0, |a| a.invite("3000", false));
    world.run(SECOND);
    world.agent(0, |a| a.reinvite(&own, "sendonly"));
    world.run(SECOND);
    let held = direct(&world);
    assert_eq!(
        (held.state, held.legs[0].state),
        (CallPhase::Held, LegState::Held)
    );
    world.agent(0, |a| a.reinvite(&own, "sendrecv"));
    world.run(SECOND);
    assert_eq!(direct(&world).state, CallPhase::Talking);
    world.vanish(0, true);
    world.run(SECOND);
    let away = direct(&world);
    assert_eq!(
        (away.state, away.legs[0].state),
        (CallPhase::Away, LegState::Away)
    );
    over(world);
}
