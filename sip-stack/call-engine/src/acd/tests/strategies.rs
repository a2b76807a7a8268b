//! Each strategy on its own; that none ever passes over a preferred agent is checked at every assignment of every test.

use std::collections::BTreeMap;
use std::time::Duration;

use super::world::{QUEUE, World, agent, call, skilled};
use crate::acd::{
    AgentConfig, AgentId, Enqueue, Input, Intent, QueueConfig, Requirement, SkillId, Strategy, Widening,
};

/// Has each call taken, talked for so many seconds and wrapped up; returns the agents who took them.
fn takers(world: &mut World, talks: &[u64]) -> Vec<u32> {
    let mut takers = Vec::new();
    for (id, talk) in talks.iter().enumerate() {
        let id = 10_000 + id as u64 + world.acd.state().entered;
        world.tell(Input::Enqueue(call(id)));
        let (_, taker) = world.ringing()[0];
        let taken = world.take(taker);
        takers.push(taker);
        world.pass(*talk);
        world.tell(Input::Ended { call: taken });
        world.pass(11);
    }
    takers
}

#[test]
fn longest_idle_goes_round() {
    let mut world = World::with(Strategy::LongestIdle, 3);
    assert_eq!(takers(&mut world, &[5, 5, 5, 5]), [1, 2, 3, 1]);
}

#[test]
fn round_robin_counts_assignments_and_not_calls() {
    let mut world = World::with(Strategy::RoundRobin, 3);
    world.tell(Input::Enqueue(call(1)));
    let assignment = world.assignment_to(1);
    world.tell(Input::Reject { assignment });
    world.take(2);
    world.tell(Input::Ended {
        call: crate::acd::CallId(1),
    });
    world.pass(11);
    assert_eq!(takers(&mut world, &[5, 5, 5]), [3, 1, 2]);
}

#[test]
fn fewest_calls_and_least_talk_time_and_occupancy_even_out() {
    let mut world = World::with(Strategy::FewestCalls, 2);
    assert_eq!(takers(&mut world, &[5, 50, 5, 5]), [1, 2, 1, 2]);
    let mut world = World::with(Strategy::LeastTalkTime, 2);
    assert_eq!(
        takers(&mut world, &[5, 50, 5, 5]),
        [1, 2, 1, 1],
        "the second talked for 50 s"
    );
    let mut world = World::with(Strategy::LowestOccupancy, 2);
    world.pass(100);
    assert_eq!(takers(&mut world, &[5, 50, 5, 5]), [1, 2, 1, 1]);
}

#[test]
fn linear_begins_at_the_top_each_time() {
    let mut world = World::of(
        QueueConfig::new(QUEUE, Strategy::Linear),
        vec![
            AgentConfig {
                order: 9,
                ..agent(1, &[(1, 0)])
            },
            agent(2, &[(1, 0)]),
            agent(3, &[(1, 0)]),
        ],
    );
    assert_eq!(takers(&mut world, &[5, 5, 5]), [2, 2, 2]);
    world.tell(Input::Intent {
        agent: AgentId(2),
        intent: Intent::Paused("lunch".into()),
    });
    assert_eq!(takers(&mut world, &[5]), [3]);
}

#[test]
fn tiers_come_before_any_strategy() {
    for strategy in Strategy::ALL {
        let mut world = World::of(
            QueueConfig::new(QUEUE, strategy),
            vec![agent(1, &[(1, 2)]), agent(2, &[(1, 1)]), agent(3, &[(1, 2)])],
        );
        world.tell(Input::Enqueue(call(1)));
        assert_eq!(world.ringing()[0], (1, 2), "{strategy:?}");
    }
}

#[test]
fn random_is_fair_and_weights_are_kept() {
    let share = |strategy, weights: [u16; 4]| {
        let agents = (1..=4)
            .map(|id| {
                let mut agent = agent(id, &[(1, 0)]);
                agent.queues[0].weight = weights[id as usize - 1];
                agent
            })
            .collect();
        let mut queue = QueueConfig::new(QUEUE, strategy);
        queue.wrap_up = Duration::ZERO;
        let mut world = World::of(queue, agents);
        let mut share: BTreeMap<u32, u32> = BTreeMap::new();
        for id in 0..4_000 {
            world.tell(Input::Enqueue(call(id)));
            let (_, taker) = world.ringing()[0];
            let taken = world.take(taker);
            *share.entry(taker).or_default() += 1;
            world.tell(Input::Ended { call: taken });
            // Keys are drawn when an agent becomes idle: all draw anew.
            for agent in 1..=4 {
                for intent in [Intent::Paused("again".into()), Intent::Available] {
                    world.tell(Input::Intent {
                        agent: AgentId(agent),
                        intent,
                    });
                }
            }
        }
        share.into_values().collect::<Vec<u32>>()
    };
    // Four standard deviations of a binomial are 110.
    for count in share(Strategy::Random, [1; 4]) {
        assert!(count.abs_diff(1_000) < 110, "{count}");
    }
    let weighted = share(Strategy::WeightedRandom, [1, 2, 3, 4]);
    for (count, expected) in weighted.iter().zip([400, 800, 1_200, 1_600]) {
        assert!(count.abs_diff(expected) < 125, "{weighted:?}");
    }
}

#[test]
fn proficiency_decides_and_required_levels_hold() {
    let mut queue = QueueConfig::new(QUEUE, Strategy::SkillProficiency);
    queue.requires = vec![Requirement {
        skill: SkillId(1),
        level: 50,
    }];
    let mut world = World::of(
        queue,
        vec![
            skilled(1, &[(1, 49), (2, 100)]),
            skilled(2, &[(1, 60)]),
            skilled(3, &[(1, 90)]),
            skilled(4, &[(2, 90)]),
        ],
    );
    world.tell(Input::Enqueue(call(1)));
    assert_eq!(world.take(3).0, 1);
    world.tell(Input::Enqueue(call(2)));
    assert_eq!(world.take(2).0, 2);
    world.tell(Input::Enqueue(call(3)));
    assert_eq!(world.ringing(), [], "nobody else knows enough");
    world.tell(Input::Enqueue(Enqueue {
        requires: vec![Requirement {
            skill: SkillId(3),
            level: 1,
        }],
        ..call(4)
    }));
    world.tell(Input::Ended {
        call: crate::acd::CallId(2),
    });
    world.pass(11);
    assert_eq!(world.ringing(), [(3, 2)]);
}

#[test]
fn a_call_that_waits_accepts_more_agents() {
    let mut queue = QueueConfig::new(QUEUE, Strategy::LongestIdle);
    queue.max_tier = 0;
    queue.requires = vec![Requirement {
        skill: SkillId(1),
        level: 80,
    }];
    queue.widening = vec![
        Widening {
            after: Duration::from_secs(20),
            max_tier: 0,
            lower: 30,
        },
        Widening {
            after: Duration::from_secs(40),
            max_tier: 5,
            lower: 80,
        },
    ];
    let mut world = World::of(
        queue,
        vec![
            AgentConfig {
                skills: Vec::new(),
                ..agent(1, &[(1, 5)])
            },
            skilled(2, &[(1, 50)]),
        ],
    );
    world.tell(Input::Enqueue(call(1)));
    world.tell(Input::Enqueue(call(2)));
    world.pass(19);
    assert_eq!(world.ringing(), []);
    world.pass(1);
    assert_eq!(world.ringing(), [(1, 2)]);
    world.take(2);
    world.pass(20);
    assert_eq!(world.ringing(), [(2, 1)]);
}

#[test]
fn ring_all_rings_all_and_one_has_it() {
    let mut world = World::with(Strategy::RingAll, 3);
    world.tell(Input::Enqueue(call(1)));
    assert_eq!(world.ringing(), [(1, 1), (1, 2), (1, 3)]);
    let late = world.assignment_to(3);
    world.take(2);
    assert_eq!(world.ringing(), []);
    let rescinded = world
        .said
        .iter()
        .filter(|output| matches!(output, crate::acd::Output::Rescind { elsewhere: true, .. }))
        .count();
    assert_eq!(rescinded, 2);
    let said = world.tell(Input::Accept { assignment: late });
    assert_eq!(
        said,
        [crate::acd::Output::Refused(crate::acd::Refusal::AssignmentGone(
            late
        ))],
        "the slower one is told so"
    );
}

#[test]
fn whoever_becomes_idle_joins_a_ringing_group() {
    let mut world = World::with(Strategy::RingAll, 2);
    world.tell(Input::Intent {
        agent: AgentId(2),
        intent: Intent::Paused("lunch".into()),
    });
    world.tell(Input::Enqueue(call(1)));
    assert_eq!(world.ringing(), [(1, 1)]);
    world.tell(Input::Intent {
        agent: AgentId(2),
        intent: Intent::Available,
    });
    assert_eq!(world.ringing(), [(1, 1), (1, 2)]);
}

#[test]
fn ring_progressive_adds_one_after_another() {
    let mut world = World::with(Strategy::RingProgressive, 3);
    world.tell(Input::Enqueue(call(1)));
    assert_eq!(world.ringing(), [(1, 1)]);
    let assignment = world.assignment_to(1);
    world.tell(Input::Rung { assignment });
    world.pass(5);
    assert_eq!(world.ringing(), [(1, 1), (1, 2)]);
    let assignment = world.assignment_to(2);
    world.tell(Input::Rung { assignment });
    world.pass(5);
    assert_eq!(world.ringing(), [(1, 1), (1, 2), (1, 3)]);
}
