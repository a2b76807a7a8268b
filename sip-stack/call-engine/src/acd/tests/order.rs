//! Order of calls: priorities overtake, but only so far.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;
use sans_io::Time;

use super::world::{QUEUE, World, agent, call};
use crate::acd::{CallId, Enqueue, Fact, Input, QueueConfig, Strategy};

#[test]
fn a_call_is_overtaken_by_those_alone_that_come_within_its_boost() {
    let mut world = World::of(
        QueueConfig::new(QUEUE, Strategy::LongestIdle),
        vec![agent(1, &[(1, 0)])],
    );
    world.tell(Input::Enqueue(call(100)));
    world.take(1);
    for (id, priority, wait) in [(1, 0, 30), (2, 1, 29), (3, 1, 2), (4, 2, 0)] {
        world.tell(Input::Enqueue(Enqueue { priority, ..call(id) }));
        world.pass(wait);
    }
    let mut order = Vec::new();
    let mut last = CallId(100);
    for _ in 0..4 {
        world.tell(Input::Ended { call: last });
        world.pass(10);
        last = world.take(1);
        order.push(last.0);
    }
    // 2 came 30 s after 1 and is worth a minute; 3 came a minute less a second after 1; 4 came 61 s after and is worth two.
    assert_eq!(order, [4, 2, 3, 1]);
}

#[test]
fn who_rings_again_after_a_loss_has_the_old_place_and_nobody_comes_from_the_future() {
    let mut world = World::of(
        QueueConfig::new(QUEUE, Strategy::LongestIdle),
        vec![agent(1, &[(1, 0)])],
    );
    let first = world.now;
    for id in [1, 2] {
        world.pass(10);
        world.tell(Input::Enqueue(call(id)));
    }
    let later = world.now + Duration::from_secs(60);
    for (id, came) in [(3, later), (4, first)] {
        world.tell(Input::Enqueue(Enqueue {
            came: Some(came),
            ..call(id)
        }));
    }
    assert_eq!(
        world.acd.line(QUEUE).map(|call| call.0).collect::<Vec<_>>(),
        [4, 1, 2, 3]
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn overtaking_is_bounded(arrivals in proptest::collection::vec((0_u64..40, 0_u8..4), 2..60)) {
        let mut world = World::of(QueueConfig::new(QUEUE, Strategy::LongestIdle), vec![agent(1, &[(1, 0)])]);
        let boost = Duration::from_secs(60);
        let mut came: BTreeMap<CallId, (Time, u8)> = BTreeMap::new();
        world.tell(Input::Enqueue(call(1_000)));
        let mut talking = world.take(1);
        for (index, (gap, priority)) in arrivals.iter().enumerate() {
            let id = CallId(index as u64);
            world.pass(*gap);
            came.insert(id, (world.now, *priority));
            world.tell(Input::Enqueue(Enqueue { priority: *priority, ..call(id.0) }));
            if index % 3 == 0 {
                world.tell(Input::Ended { call: talking });
                world.pass(10);
                talking = world.take(1);
            }
        }
        while !world.acd.state().calls.is_empty() {
            world.tell(Input::Ended { call: talking });
            world.pass(10);
            if world.acd.assignments().next().is_some() {
                talking = world.take(1);
            }
        }
        let order: Vec<CallId> = world
            .facts()
            .into_iter()
            .filter_map(|fact| match fact {
                Fact::Accepted { call, .. } => Some(*call),
                _ => None,
            })
            .filter(|call| came.contains_key(call))
            .collect();
        prop_assert_eq!(order.len(), came.len());
        for (place, first) in order.iter().enumerate() {
            for second in &order[place + 1..] {
                let (overtaker, overtaken) = (came[first], came[second]);
                if overtaker.0 > overtaken.0 {
                    let ahead = overtaker.1.saturating_sub(overtaken.1);
                    prop_assert!(overtaker.0.since(overtaken.0) <= boost * u32::from(ahead));
                    prop_assert!(overtaker.1 > overtaken.1);
                }
            }
        }
    }
}
