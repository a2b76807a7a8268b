//! Parked calls over the whole gateway: into a slot, back out of it, and back to whoever parked them.

use cordboard::centre::view::{Change, Parking};

use super::*;

/// A trunk's call that 1001 answers; the session at the trunk, and the call of 1001.
fn talks(world: &mut World) -> (SessionId, String) {
    let session = world.node_calls(1, "1001").expect("a call");
    let id = answer(world, 0);
    world.run(SECOND);
    (session, id)
}

/// 1001 transfers the other party of its call there.
fn parks(world: &mut World, call: &str, number: &str) {
    world.agent(0, |a| a.refer(call, number, None));
    world.run(2 * SECOND);
}

/// Slots of the calls that are live, as pages see them.
fn slots(world: &World) -> Vec<Parking> {
    all_calls(world)
        .into_iter()
        .filter_map(|call| call.parked)
        .collect()
}

fn records(world: &World) -> usize {
    let events = world.switch.view.since(0, usize::MAX).expect("kept");
    let ended = |change: &&Change| matches!(change, Change::CallEnded { .. });
    events.iter().map(|event| &event.change).filter(ended).count()
}

#[test]
fn a_parked_call_waits_in_a_free_slot_until_a_colleague_takes_it() {
    let mut world = world(2);
    let (session, first) = talks(&mut world);
    parks(&mut world, &first, "7200");
    assert!(caller_is_up(&world, session));
    assert_eq!(world.agents[0].state(&first), State::Over);
    assert_eq!(bridges(&world), [0; 0], "music");
    let parked = slots(&world);
    assert_eq!(parked.len(), 1);
    assert_eq!(
        (&*parked[0].slot, parked[0].by.as_deref()),
        ("7201", Some("1001"))
    );
    let own = world.agent(1, |a| a.invite("7201", false));
    world.run(SECOND);
    assert_eq!(world.agents[1].state(&own), State::Up);
    assert_eq!((bridges(&world), slots(&world)), (vec![2], vec![]));
    world.agent(1, |a| a.bye(&own));
    world.run(2 * SECOND);
    assert!(!caller_is_up(&world, session));
    assert_eq!(records(&world), 1, "one call, with everybody who was in it");
    over(world);
}

#[test]
fn a_slot_holds_one_call_and_is_free_once_its_party_is_gone() {
    let mut world = world(2);
    let (first_caller, first) = talks(&mut world);
    parks(&mut world, &first, "7202");
    let (second_caller, second) = talks(&mut world);
    parks(&mut world, &second, "7202");
    assert_eq!(world.agents[0].calls[&second].reported.last(), Some(&486));
    assert_eq!(
        world.agents[0].state(&second),
        State::Up,
        "it is back in its call"
    );
    parks(&mut world, &second, "7200");
    assert_eq!(slots(&world).len(), 2);
    world.hang_up(1, first_caller);
    world.run(SECOND);
    let left: Vec<String> = slots(&world).into_iter().map(|parked| parked.slot).collect();
    assert_eq!(left, ["7201"]);
    // Nobody is there now, and nobody outside gets a call that is.
    let own = world.agent(1, |a| a.invite("7202", false));
    world.run(SECOND);
    assert_eq!(world.agents[1].calls[&own].code, 404);
    let outside = world.node_calls(1, "7201").expect("a call");
    world.run(SECOND);
    assert!(!caller_is_up(&world, outside));
    assert!(caller_is_up(&world, second_caller));
    over(world);
}

#[test]
fn a_call_that_nobody_takes_returns_to_whoever_parked_it_and_ends_in_the_end() {
    for answers in [true, false] {
        let mut world = world(1);
        let (session, first) = talks(&mut world);
        parks(&mut world, &first, "7200");
        world.run(19 * SECOND);
        let again = wait_for_ring(&mut world, 0);
        if answers {
            world.agent(0, |a| a.answer(&again));
            world.run(SECOND);
            assert_eq!((bridges(&world), slots(&world)), (vec![2], vec![]));
            world.run(150 * SECOND);
            assert!(caller_is_up(&world, session), "it is no longer parked");
        } else {
            world.agent(0, |a| a.reject(&again, 486, ""));
            world.run(19 * SECOND);
            assert_eq!(slots(&world).len(), 1);
            wait_for_ring(&mut world, 0);
            world.run(100 * SECOND);
            assert!(!caller_is_up(&world, session));
        }
        over(world);
    }
}

#[test]
fn a_user_who_is_called_back_and_a_colleague_who_takes_the_call_do_not_get_in_each_others_way() {
    let mut world = world(2);
    let (session, first) = talks(&mut world);
    parks(&mut world, &first, "7201");
    world.run(19 * SECOND);
    let again = wait_for_ring(&mut world, 0);
    let own = world.agent(1, |a| a.invite("7201", false));
    world.run(SECOND);
    assert_eq!(world.agents[0].state(&again), State::Over);
    assert_eq!(
        (world.agents[1].state(&own), bridges(&world)),
        (State::Up, vec![2])
    );
    assert!(caller_is_up(&world, session));
    over(world);
}
