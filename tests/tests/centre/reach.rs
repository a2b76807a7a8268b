//! Reaching users: forwarding, do not disturb and ring groups, over the whole gateway.

use call_engine::CallHandling;
use cordboard::centre::view::{Change, Record, RecordKind};

use super::*;

/// Sets the call handling of a user.
fn handle(world: &mut World, user: &str, change: impl FnOnce(&mut CallHandling)) {
    let mut handling = CallHandling {
        no_answer_after: 7 * SECOND,
        ..CallHandling::default()
    };
    change(&mut handling);
    let command = Command::HandleCalls {
        user: user.to_owned(),
        handling: Box::new(handling),
    };
    world.ask(By::Gateway, command).expect("set");
}

fn to(number: &str) -> Option<String> {
    Some(number.to_owned())
}

/// The last call's record.
fn record(world: &World) -> Record {
    let events = world.switch.view.since(0, usize::MAX).expect("kept");
    let mut ended = events.iter().filter_map(|event| match &event.change {
        Change::CallEnded { record, .. } => Some(record.clone()),
        _ => None,
    });
    ended.next_back().expect("a record")
}

/// Steps that a record tells of: who was called, why the call went on, and where.
fn steps(record: &Record) -> Vec<[&str; 3]> {
    let steps = record.forwarded.iter();
    steps.map(|step| [&*step.by, &*step.reason, &*step.to]).collect()
}

/// Number of calls that an agent was ever invited to.
fn invited(world: &World, agent: usize) -> usize {
    world.agents[agent].calls.len()
}

/// An agent calls; returns the call.
fn calls(world: &mut World, agent: usize, number: &str) -> String {
    let id = world.agent(agent, |a| a.invite(number, false));
    world.run(Duration::from_millis(500));
    id
}

fn code(world: &World, agent: usize, call: &str) -> u16 {
    world.agents[agent].calls[call].code
}

/// An agent lets its phone ring.
fn lets_ring(world: &mut World, agent: usize) -> String {
    let id = wait_for_ring(world, agent);
    world.agent(agent, |a| a.ring(&id, 180, false));
    world.run(Duration::from_millis(200));
    id
}

#[test]
fn all_calls_go_elsewhere_and_the_record_says_why() {
    let mut world = world(3);
    handle(&mut world, "1001", |h| h.always = to("1002"));
    let own = calls(&mut world, 2, "1001");
    answer(&mut world, 1);
    assert_eq!(world.agents[2].state(&own), State::Up);
    world.run(SECOND);
    world.agent(2, |a| a.bye(&own));
    world.run(SECOND);
    assert_eq!(invited(&world, 0), 0, "no phone of 1001 rang");
    assert_eq!(steps(&record(&world)), [["1001", "unconditional", "1002"]]);
    // The next call is handled as is said by then.
    handle(&mut world, "1001", |_| {});
    let own = calls(&mut world, 2, "1001");
    answer(&mut world, 0);
    world.agent(2, |a| a.bye(&own));
    world.run(SECOND);
    assert_eq!(steps(&record(&world)), [[""; 3]; 0]);
    over(world);
}

#[test]
fn a_call_that_rings_too_long_goes_on_and_the_caller_hears_ringing_all_the_time() {
    let mut world = world(3);
    handle(&mut world, "1001", |h| h.no_answer = to("1002"));
    let own = calls(&mut world, 2, "1001");
    let first = lets_ring(&mut world, 0);
    // Each provisional response begins the limit of a ringing phone anew, but not the user's time.
    for _ in 0..3 {
        world.run(2 * SECOND);
        world.agent(0, |a| a.ring(&first, 180, false));
    }
    assert_eq!(invited(&world, 1), 0);
    world.run(2 * SECOND);
    assert_eq!(world.agents[0].state(&first), State::Over, "it rings no longer");
    assert_eq!(world.agents[2].state(&own), State::Proceeding);
    let second = answer(&mut world, 1);
    assert_eq!(world.agents[2].state(&own), State::Up);
    world.agent(1, |a| a.bye(&second));
    world.run(SECOND);
    let record = record(&world);
    assert_eq!(steps(&record), [["1001", "no-answer", "1002"]]);
    assert_eq!((record.outcome, record.legs.len()), (Outcome::Completed, 3));
    over(world);
}

#[test]
fn who_is_busy_or_declines_forwards_to_a_trunk() {
    for refusal in [486, 603] {
        let mut world = world(2);
        handle(&mut world, "1001", |h| h.busy = to("3000"));
        let own = calls(&mut world, 1, "1001");
        let first = wait_for_ring(&mut world, 0);
        world.agent(0, |a| a.reject(&first, refusal, ""));
        assert!(world.run_until(2 * SECOND, |w| w.agents[1].state(&own) == State::Up));
        world.run(SECOND);
        world.agent(1, |a| a.bye(&own));
        world.run(SECOND);
        let record = record(&world);
        assert_eq!(steps(&record), [["1001", "user-busy", "3000"]]);
        assert_eq!(
            record.legs.last().and_then(|leg| leg.trunk.as_deref()),
            Some("right")
        );
        over(world);
    }
}

#[test]
fn whoever_has_no_phone_forwards_to_a_number_with_the_rights_of_the_user() {
    let mut world = world(0);
    let hand = world.hand();
    // The trunk alone would not be let through there.
    let session = world.node_calls(1, "6000").expect("a call");
    world.run(SECOND);
    assert_eq!(record(&world).code, Some(404));
    assert!(!caller_is_up(&world, session));
    handle(&mut world, "1001", |h| h.unreachable = to("6000"));
    let session = world.node_calls(1, "1001").expect("a call");
    let id = answer(&mut world, hand);
    assert!(caller_is_up(&world, session));
    world.agent(hand, |a| a.bye(&id));
    world.run(SECOND);
    assert_eq!(steps(&record(&world)), [["1001", "unavailable", "6000"]]);
    over(world);
}

#[test]
fn who_does_not_want_to_be_disturbed_is_not_rung_by_anybody_but_queues() {
    let mut world = world(3);
    handle(&mut world, "1001", |h| h.do_not_disturb = true);
    let own = calls(&mut world, 2, "1001");
    assert_eq!((code(&world, 2, &own), invited(&world, 0)), (480, 0));
    assert_eq!(record(&world).code, Some(480));
    handle(&mut world, "1001", |h| {
        h.do_not_disturb = true;
        h.busy = to("1002");
    });
    let own = calls(&mut world, 2, "1001");
    answer(&mut world, 1);
    world.agent(2, |a| a.bye(&own));
    world.run(SECOND);
    assert_eq!(steps(&record(&world)), [["1001", "do-not-disturb", "1002"]]);
    assert_eq!(invited(&world, 0), 0);
    // Queues offer calls by the states of their agents.
    caller(&mut world);
    wait_for_ring(&mut world, 0);
    over(world);
}

#[test]
fn circles_and_chains_that_are_too_long_end() {
    let mut world = world(3);
    handle(&mut world, "1001", |h| h.always = to("1002"));
    handle(&mut world, "1002", |h| h.always = to("1001"));
    let own = calls(&mut world, 2, "1001");
    assert_eq!(code(&world, 2, &own), 482);
    // A circle that phones are part of ends with what the last of them said.
    for (user, next) in [("1001", "1002"), ("1002", "1001")] {
        handle(&mut world, user, |h| h.busy = to(next));
    }
    let own = calls(&mut world, 2, "1001");
    for agent in [0, 1] {
        let ringing = wait_for_ring(&mut world, agent);
        world.agent(agent, |a| a.reject(&ringing, 486, ""));
        world.run(SECOND);
    }
    assert_eq!(code(&world, 2, &own), 486);
    assert_eq!([invited(&world, 0), invited(&world, 1)], [1, 1]);
    // A number that leads nowhere does not hide that nobody answered.
    handle(&mut world, "1001", |h| h.busy = to("99"));
    let own = calls(&mut world, 2, "1001");
    let ringing = wait_for_ring(&mut world, 0);
    world.agent(0, |a| a.reject(&ringing, 486, ""));
    world.run(SECOND);
    assert_eq!(code(&world, 2, &own), 486);
    over(world);
}

#[test]
fn calls_are_forwarded_to_queues_and_applications() {
    let mut world = world(2);
    handle(&mut world, "1003", |h| h.unreachable = to("7000"));
    let session = world.node_calls(1, "1003").expect("a call");
    answer(&mut world, 0);
    assert!(caller_is_up(&world, session));
    world.run(SECOND);
    world.hang_up(1, session);
    world.run(SECOND);
    let queued = record(&world);
    assert_eq!(
        (queued.kind, steps(&queued)),
        (RecordKind::Queue, vec![["1003", "unavailable", "7000"]])
    );
    handle(&mut world, "1003", |h| h.always = to("9196"));
    let own = calls(&mut world, 1, "1003");
    world.run(SECOND);
    assert_eq!(world.agents[1].state(&own), State::Up);
    world.agent(1, |a| a.bye(&own));
    over(world);
}

#[test]
fn a_caller_who_gives_up_while_the_call_is_forwarded_leaves_nothing() {
    let mut world = world(3);
    handle(&mut world, "1001", |h| h.no_answer = to("1002"));
    let own = calls(&mut world, 2, "1001");
    lets_ring(&mut world, 0);
    world.run(7 * SECOND);
    let second = lets_ring(&mut world, 1);
    world.agent(2, |a| a.cancel(&own));
    world.run(SECOND);
    assert_eq!(world.agents[1].state(&second), State::Over);
    let record = record(&world);
    assert_eq!(record.outcome, Outcome::Abandoned);
    assert_eq!(steps(&record), [["1001", "no-answer", "1002"]]);
    over(world);
}

#[test]
fn a_phone_that_forwards_to_a_colleague_is_subject_to_how_that_one_is_reached() {
    let mut world = world(3);
    handle(&mut world, "1002", |h| h.always = to("3000"));
    let own = calls(&mut world, 2, "1001");
    let first = wait_for_ring(&mut world, 0);
    world.agent(0, |a| {
        a.reject(&first, 302, "Contact: <sip:1002@gateway.test>\r\n")
    });
    assert!(world.run_until(2 * SECOND, |w| w.agents[2].state(&own) == State::Up));
    assert_eq!(invited(&world, 1), 0);
    world.agent(2, |a| a.bye(&own));
    world.run(SECOND);
    assert_eq!(
        steps(&record(&world)),
        [
            ["1001", "unconditional", "1002"],
            ["1002", "unconditional", "3000"]
        ]
    );
    over(world);
}

#[test]
fn a_transfer_goes_where_its_target_forwards_all_calls() {
    let mut world = world(3);
    handle(&mut world, "1003", |h| h.always = to("1002"));
    let session = world.node_calls(1, "1001").expect("a call");
    let first = answer(&mut world, 0);
    world.agent(0, |a| a.refer(&first, "1003", None));
    answer(&mut world, 1);
    assert!(caller_is_up(&world, session));
    assert_eq!(invited(&world, 2), 0);
    over(world);
}

#[test]
fn calls_that_a_queue_or_an_agent_sends_on_go_where_the_user_forwards_all_calls() {
    let mut world = world(2);
    handle(&mut world, "1003", |h| h.always = to("3000"));
    // Nobody serves this queue, whose calls go to 1003.
    let session = world.node_calls(1, "7001").expect("a call");
    world.run(2 * SECOND);
    assert!(caller_is_up(&world, session));
    assert_eq!(bridges(&world), [2]);
    assert_eq!(
        world.nodes[2].coordinator.sessions().count(),
        1,
        "the trunk has it"
    );
    world.hang_up(1, session);
    world.run(SECOND);
    talk(&mut world);
    handle(&mut world, "1003", |h| h.do_not_disturb = true);
    let target = Target::Number("1003".into());
    let refused = on(&mut world, |call| Command::Transfer { call, to: target });
    assert_eq!(refused, Err(Refused::Unreachable));
    handle(&mut world, "1003", |h| h.always = to("3000"));
    let target = Target::Number("1003".into());
    on(&mut world, |call| Command::Transfer { call, to: target }).expect("sent on");
    world.run(2 * SECOND);
    assert_eq!(world.nodes[2].coordinator.sessions().count(), 1);
    over(world);
}

#[test]
fn the_members_of_a_group_ring_together_and_the_first_answer_wins() {
    let mut world = world(3);
    let session = world.node_calls(1, "7100").expect("a call");
    let first = lets_ring(&mut world, 0);
    answer(&mut world, 1);
    assert!(caller_is_up(&world, session));
    assert_eq!(world.agents[0].state(&first), State::Over);
    assert_eq!(invited(&world, 2), 0);
    world.hang_up(1, session);
    world.run(SECOND);
    // Whoever declines, or does not want to be disturbed, does not keep the others from answering.
    handle(&mut world, "1001", |h| h.do_not_disturb = true);
    let own = calls(&mut world, 2, "7100");
    answer(&mut world, 1);
    assert_eq!((world.agents[2].state(&own), invited(&world, 0)), (State::Up, 1));
    world.agent(2, |a| a.bye(&own));
    over(world);
}

#[test]
fn the_members_of_a_group_ring_one_after_the_other_and_then_the_call_goes_on() {
    let mut world = world(3);
    // A forwarding of a member counts for its own calls alone.
    handle(&mut world, "1001", |h| h.busy = to("3000"));
    let own = calls(&mut world, 2, "7101");
    let first = wait_for_ring(&mut world, 0);
    assert_eq!(invited(&world, 1), 0);
    world.agent(0, |a| a.reject(&first, 603, ""));
    let second = lets_ring(&mut world, 1);
    world.run(10 * SECOND);
    assert_eq!(world.agents[1].state(&second), State::Over);
    assert!(world.run_until(2 * SECOND, |w| w.agents[2].state(&own) == State::Up));
    world.agent(2, |a| a.bye(&own));
    world.run(SECOND);
    let record = record(&world);
    assert_eq!(steps(&record), [["7101", "no-answer", "3000"]]);
    assert_eq!(record.legs.len(), 4);
    over(world);
}

#[test]
fn a_phone_in_a_group_does_not_forward_and_a_group_can_be_a_target() {
    let mut world = world(3);
    let own = calls(&mut world, 2, "7100");
    let first = wait_for_ring(&mut world, 0);
    world.agent(0, |a| {
        a.reject(&first, 302, "Contact: <sip:3000@gateway.test>\r\n")
    });
    world.run(SECOND);
    answer(&mut world, 1);
    assert_eq!(world.agents[2].state(&own), State::Up);
    world.agent(2, |a| a.bye(&own));
    world.run(SECOND);
    let trunks = record(&world).legs.into_iter().filter_map(|leg| leg.trunk);
    assert_eq!(trunks.collect::<Vec<_>>(), [""; 0], "nobody else was called");
    handle(&mut world, "1003", |h| h.always = to("7100"));
    let session = world.node_calls(1, "1003").expect("a call");
    answer(&mut world, 0);
    assert!(caller_is_up(&world, session));
    world.hang_up(1, session);
    over(world);
}
