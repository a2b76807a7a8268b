//! Scenarios of a call centre's day, one at a time.

use std::time::Duration;

use super::world::{QUEUE, World, agent, call};
use crate::acd::{
    AgentId, AssignmentEnd, CallId, Enqueue, Fact, Hours, Input, Intent, LOST, NO_ANSWER, Output,
    OverflowCause, QueueConfig, QueueId, Reach, Refusal, Requeue, ReturnCause, Settings, Status, Strategy,
    Target,
};

fn status(world: &World, agent: u32) -> Status {
    world.acd.state().agents[&AgentId(agent)].status
}

fn overflows(said: &[Output]) -> Vec<(u64, Target, OverflowCause)> {
    said.iter()
        .filter_map(|output| match output {
            Output::Overflow { call, target, why } => Some((call.0, target.clone(), *why)),
            _ => None,
        })
        .collect()
}

#[test]
fn a_call_from_arrival_to_the_end_of_wrap_up() {
    let mut world = World::with(Strategy::LongestIdle, 1);
    let said = world.tell(Input::Enqueue(call(1)));
    assert!(matches!(
        said[..],
        [Output::Assign {
            call: CallId(1),
            agent: AgentId(1),
            ..
        }]
    ));
    assert_eq!(status(&world, 1), Status::Ringing);
    let assignment = world.assignment_to(1);
    world.tell(Input::Rung { assignment });
    world.pass(4);
    world.tell(Input::Accept { assignment });
    assert_eq!(status(&world, 1), Status::Connecting);
    world.pass(1);
    world.tell(Input::Connected { call: CallId(1) });
    assert_eq!(status(&world, 1), Status::Talking);
    world.pass(60);
    world.tell(Input::Held {
        call: CallId(1),
        held: true,
    });
    assert_eq!(status(&world, 1), Status::Held);
    world.pass(10);
    world.tell(Input::Held {
        call: CallId(1),
        held: false,
    });
    world.tell(Input::Ended { call: CallId(1) });
    assert_eq!(status(&world, 1), Status::WrapUp);
    world.pass(9);
    assert_eq!(status(&world, 1), Status::WrapUp);
    world.pass(1);
    assert_eq!(status(&world, 1), Status::Available);
    let agent = &world.acd.state().agents[&AgentId(1)];
    let seconds = |status| agent.time_in(status, world.now) / 1_000_000;
    assert_eq!(
        [
            Status::Ringing,
            Status::Connecting,
            Status::Talking,
            Status::Held,
            Status::WrapUp
        ]
        .map(seconds),
        [4, 1, 60, 10, 10]
    );
}

#[test]
fn who_does_not_answer_is_paused_and_the_next_is_asked() {
    let mut world = World::with(Strategy::LongestIdle, 2);
    world.tell(Input::Enqueue(call(1)));
    let assignment = world.assignment_to(1);
    world.tell(Input::Rung { assignment });
    world.pass(20);
    assert_eq!(world.ringing(), [(1, 2)]);
    assert_eq!(
        world.acd.state().agents[&AgentId(1)].intent,
        Intent::Paused(NO_ANSWER.into())
    );
}

#[test]
fn a_silent_caller_is_asked_before_an_agent_rings_and_keeps_its_place() {
    let mut world = World::with(Strategy::LongestIdle, 1);
    world.tell(Input::Intent {
        agent: AgentId(1),
        intent: Intent::Paused("lunch".into()),
    });
    for id in 1..=3 {
        world.tell(Input::Enqueue(call(id)));
        world.pass(1);
    }
    for id in [1, 2] {
        let call = CallId(id);
        assert_eq!(world.tell(Input::CallerSilent { call, silent: true }), []);
    }
    let asked = |said: &[Output]| -> Vec<u64> {
        let asked = said.iter().filter_map(|output| match output {
            Output::AskCaller { call } => Some(call.0),
            _ => None,
        });
        asked.collect()
    };
    let available = Input::Intent {
        agent: AgentId(1),
        intent: Intent::Available,
    };
    // A caller who may be gone is asked, and the next who is heard gets the agent.
    assert_eq!(asked(&world.tell(available.clone())), [1, 2]);
    assert_eq!(world.ringing(), [(3, 1)]);
    assert_eq!(
        world.acd.line(QUEUE).map(|call| call.0).collect::<Vec<_>>(),
        [1, 2, 3]
    );
    world.tell(Input::Ended { call: CallId(3) });
    assert_eq!(world.ringing(), [], "nobody knows of the others yet");
    world.tell(Input::Intent {
        agent: AgentId(1),
        intent: Intent::Paused("lunch".into()),
    });
    // The first is there; but by the time an agent is, that sign of life is too old.
    world.tell(Input::CallerPresent { call: CallId(1) });
    world.pass(30);
    assert_eq!(asked(&world.tell(available)), [1]);
    assert_eq!(world.ringing(), []);
    world.tell(Input::CallerPresent { call: CallId(1) });
    assert_eq!(world.ringing(), [(1, 1)]);
    // The second is gone, and no agent was assigned the call.
    world.tell(Input::Ended { call: CallId(2) });
    assert!(world.facts().iter().any(|fact| matches!(
        fact,
        Fact::Left {
            call: CallId(2),
            how: crate::acd::Departure::Abandoned,
            ..
        }
    )));
    let assigned = world
        .facts()
        .iter()
        .any(|fact| matches!(fact, Fact::Assigned { call: CallId(2), .. }));
    assert!(!assigned);
}

#[test]
fn a_caller_who_is_heard_again_need_not_answer() {
    let mut world = World::with(Strategy::RingAll, 2);
    let call = CallId(1);
    world.tell(Input::Intent {
        agent: AgentId(2),
        intent: Intent::Paused("lunch".into()),
    });
    world.tell(Input::Enqueue(super::world::call(1)));
    let assignment = world.assignment_to(1);
    world.tell(Input::CallerSilent { call, silent: true });
    assert_eq!(world.ringing(), [(1, 1)], "what rings goes on ringing");
    world.tell(Input::AssignmentLost { assignment });
    world.pass(10);
    assert!(world.said.contains(&Output::AskCaller { call }));
    assert_eq!(world.ringing(), []);
    world.tell(Input::CallerSilent { call, silent: false });
    assert_eq!(world.ringing(), [(1, 1)]);
}

#[test]
fn a_phone_that_does_not_ring_costs_three_seconds_and_no_blame() {
    let mut world = World::with(Strategy::LongestIdle, 2);
    world.tell(Input::Enqueue(call(1)));
    assert_eq!(world.ringing(), [(1, 1)]);
    world.pass(3);
    assert_eq!(world.ringing(), [(1, 2)]);
    let first = &world.acd.state().agents[&AgentId(1)];
    assert_eq!((&first.intent, first.unanswered), (&Intent::Available, 0));
}

#[test]
fn who_rejects_rests_and_gets_another_call_first() {
    let mut world = World::with(Strategy::LongestIdle, 2);
    world.tell(Input::Intent {
        agent: AgentId(2),
        intent: Intent::Paused("lunch".into()),
    });
    world.tell(Input::Enqueue(call(1)));
    let assignment = world.assignment_to(1);
    world.tell(Input::Reject { assignment });
    assert_eq!(world.ringing(), [], "cooling down");
    world.pass(5);
    assert_eq!(world.ringing(), [(1, 1)], "nobody else is there");
    let assignment = world.assignment_to(1);
    world.tell(Input::Reject { assignment });
    world.tell(Input::Enqueue(call(2)));
    world.tell(Input::Intent {
        agent: AgentId(2),
        intent: Intent::Available,
    });
    world.take(2);
    world.pass(5);
    assert_eq!(
        world.ringing(),
        [(2, 1)],
        "the first is not assigned again at once"
    );
    let assignment = world.assignment_to(1);
    world.tell(Input::Rung { assignment });
    world.pass(20);
}

#[test]
fn the_caller_gives_up_and_the_agent_stops_ringing() {
    let mut world = World::with(Strategy::LongestIdle, 1);
    world.tell(Input::Enqueue(call(1)));
    let assignment = world.assignment_to(1);
    let said = world.tell(Input::Ended { call: CallId(1) });
    assert!(matches!(
        said[..],
        [Output::Rescind {
            how: AssignmentEnd::Cancelled,
            elsewhere: false,
            ..
        }]
    ));
    let said = world.tell(Input::Accept { assignment });
    assert_eq!(said, [Output::Refused(Refusal::AssignmentGone(assignment))]);
    assert_eq!(status(&world, 1), Status::Available);
}

#[test]
fn a_page_that_dies_while_ringing_loses_the_assignment_at_once() {
    let mut world = World::new(
        Settings::default(),
        vec![QueueConfig::new(QUEUE, Strategy::LongestIdle)],
        vec![agent(1, &[(1, 0)]), agent(2, &[(1, 0)])],
    );
    let conn = world.attach(AgentId(1));
    world.tell(Input::Intent {
        agent: AgentId(1),
        intent: Intent::Available,
    });
    world.pass(1);
    world.sign_in(AgentId(2));
    world.tell(Input::Enqueue(call(1)));
    assert_eq!(world.ringing(), [(1, 1)]);
    world.tell(Input::Detached {
        agent: AgentId(1),
        conn,
    });
    assert_eq!(world.ringing(), [(1, 2)]);
    world.take(2);
    assert_eq!(status(&world, 1), Status::Unreachable);
    assert_eq!(world.acd.reach(AgentId(1)), Some(Reach::Suspect));
    world.pass(15);
    assert_eq!(world.acd.reach(AgentId(1)), Some(Reach::Detached));
    world.attach(AgentId(1));
    assert_eq!(status(&world, 1), Status::Available);
}

#[test]
fn a_page_whose_program_hangs_gets_no_assignment() {
    let mut world = World::with(Strategy::LongestIdle, 1);
    // Nobody answers the probes now.
    let mut probes = 0;
    for _ in 0..12 {
        world.now += Duration::from_secs(1);
        let said = world.tell(Input::Timeout);
        probes += said
            .iter()
            .filter(|output| matches!(output, Output::Probe { .. }))
            .count();
    }
    assert!(probes >= 2, "asked {probes} times");
    assert_eq!(status(&world, 1), Status::Unreachable);
    world.tell(Input::Enqueue(call(1)));
    assert_eq!(world.ringing(), []);
    world.tell(Input::Proof { agent: AgentId(1) });
    assert_eq!(world.ringing(), [(1, 1)]);
}

#[test]
fn a_second_tab_takes_over_from_the_first() {
    let mut world = World::with(Strategy::LongestIdle, 1);
    world.tell(Input::Attached {
        agent: AgentId(1),
        conn: crate::acd::ConnId(99),
    });
    world.tell(Input::Detached {
        agent: AgentId(1),
        conn: crate::acd::ConnId(1),
    });
    assert_eq!(
        status(&world, 1),
        Status::Available,
        "the old tab's end changes nothing"
    );
}

#[test]
fn an_agent_lost_in_a_call_gives_it_back_at_its_old_place() {
    let mut world = World::with(Strategy::LongestIdle, 2);
    world.tell(Input::Enqueue(call(1)));
    world.take(1);
    world.tell(Input::Enqueue(call(2)));
    world.take(2);
    world.tell(Input::Enqueue(call(3)));
    world.tell(Input::Away {
        call: CallId(1),
        away: true,
    });
    world.pass(29);
    world.tell(Input::Away {
        call: CallId(1),
        away: false,
    });
    world.pass(10);
    assert_eq!(
        world.acd.state().calls[&CallId(1)].phase.agent(),
        Some(AgentId(1)),
        "it came back"
    );
    world.tell(Input::Away {
        call: CallId(1),
        away: true,
    });
    let said = world.pass(30);
    assert!(said.contains(&Output::Wait {
        call: CallId(1),
        agent: AgentId(1)
    }));
    assert_eq!(
        world.acd.state().agents[&AgentId(1)].intent,
        Intent::Paused(LOST.into())
    );
    assert_eq!(world.acd.line(QUEUE).collect::<Vec<_>>(), [CallId(1), CallId(3)]);
    world.tell(Input::Ended { call: CallId(2) });
    world.pass(10);
    assert_eq!(world.ringing(), [(1, 2)]);
}

#[test]
fn who_does_not_get_through_waits_on() {
    let mut world = World::with(Strategy::LongestIdle, 2);
    world.tell(Input::Enqueue(call(1)));
    let assignment = world.assignment_to(1);
    world.tell(Input::Accept { assignment });
    world.pass(10);
    assert!(world.facts().contains(&&Fact::Returned {
        call: CallId(1),
        why: ReturnCause::NotConnected,
        sticky: None,
        wrap_up: None
    }));
    assert_eq!(world.ringing(), [(1, 2)]);
}

#[test]
fn what_an_agent_wants_in_a_call_comes_after_it() {
    let mut world = World::with(Strategy::LongestIdle, 1);
    world.tell(Input::Enqueue(call(1)));
    world.take(1);
    let lunch = Intent::Paused("lunch".into());
    world.tell(Input::Intent {
        agent: AgentId(1),
        intent: lunch.clone(),
    });
    assert_eq!(status(&world, 1), Status::Talking);
    world.tell(Input::Ended { call: CallId(1) });
    assert_eq!(status(&world, 1), Status::WrapUp);
    world.tell(Input::WrappedUp {
        agent: AgentId(1),
        code: Some("sold".into()),
    });
    assert_eq!(world.acd.state().agents[&AgentId(1)].intent, lunch);
    assert_eq!(status(&world, 1), Status::Paused);
}

#[test]
fn a_call_handed_over_leaves_the_first_to_wrap_up() {
    let mut world = World::with(Strategy::LongestIdle, 2);
    world.tell(Input::Enqueue(call(1)));
    world.take(1);
    world.tell(Input::HandOver {
        call: CallId(1),
        to: AgentId(2),
    });
    assert_eq!(
        (status(&world, 1), status(&world, 2)),
        (Status::WrapUp, Status::Talking)
    );
    world.tell(Input::Ended { call: CallId(1) });
    assert_eq!(status(&world, 2), Status::WrapUp);
}

#[test]
fn a_call_sent_to_another_queue_comes_there_anew_and_one_sent_back_keeps_its_place() {
    let other = QueueId(2);
    let mut world = World::new(
        Settings::default(),
        vec![
            QueueConfig::new(QUEUE, Strategy::LongestIdle),
            QueueConfig::new(other, Strategy::LongestIdle),
        ],
        vec![agent(1, &[(1, 0)])],
    );
    world.sign_in(AgentId(1));
    world.tell(Input::Enqueue(call(1)));
    world.take(1);
    world.pass(30);
    world.tell(Input::Enqueue(call(2)));
    world.tell(Input::Requeue(Requeue {
        call: CallId(1),
        queue: None,
        priority: 0,
        sticky: None,
    }));
    assert_eq!(world.acd.line(QUEUE).collect::<Vec<_>>(), [CallId(1), CallId(2)]);
    world.pass(10);
    world.take(1);
    let call = world.acd.state().agents[&AgentId(1)].work;
    let crate::acd::Work::Call(call) = call else {
        panic!("{call:?}")
    };
    world.tell(Input::Requeue(Requeue {
        call,
        queue: Some(other),
        priority: 0,
        sticky: None,
    }));
    assert_eq!(world.acd.line(other).collect::<Vec<_>>(), [call]);
    assert_eq!(world.acd.state().calls[&call].since, world.now.as_micros());
}

#[test]
fn a_call_meant_for_another_agent_waits_for_that_one_first() {
    let mut world = World::with(Strategy::LongestIdle, 3);
    world.tell(Input::Enqueue(call(1)));
    world.take(1);
    world.tell(Input::Requeue(Requeue {
        call: CallId(1),
        queue: None,
        priority: 0,
        sticky: Some(AgentId(3)),
    }));
    assert_eq!(world.ringing(), [(1, 3)], "not the one who has been idle longest");
    let assignment = world.assignment_to(3);
    world.tell(Input::Reject { assignment });
    assert_eq!(world.ringing(), [(1, 2)]);
}

#[test]
fn a_caller_waits_for_the_agent_it_knows_and_then_for_all() {
    let mut world = World::with(Strategy::LongestIdle, 2);
    world.tell(Input::Enqueue(Enqueue {
        sticky: Some(AgentId(2)),
        ..call(1)
    }));
    assert_eq!(world.ringing(), [(1, 2)]);
    world.take(2);
    world.tell(Input::Enqueue(Enqueue {
        sticky: Some(AgentId(2)),
        ..call(2)
    }));
    world.pass(19);
    assert_eq!(world.ringing(), []);
    world.pass(1);
    assert_eq!(world.ringing(), [(2, 1)]);
    world.take(1);
    world.tell(Input::Enqueue(Enqueue {
        sticky: Some(AgentId(2)),
        ..call(3)
    }));
    world.tell(Input::Intent {
        agent: AgentId(2),
        intent: Intent::Offline,
    });
    world.tell(Input::Ended { call: CallId(1) });
    world.pass(10);
    world.tell(Input::Ended { call: CallId(2) });
    world.pass(10);
    assert_eq!(world.ringing(), [(3, 1)], "who went home is not waited for");
}

#[test]
fn a_queue_that_is_full_closed_or_empty_sends_calls_on() {
    let mut first = QueueConfig::new(QUEUE, Strategy::LongestIdle);
    first.max_length = Some(1);
    first.overflow = Target::Queue(QueueId(2));
    let mut second = QueueConfig::new(QueueId(2), Strategy::LongestIdle);
    second.hours = Some(Hours::default());
    second.overflow = Target::Number("0".into());
    second.closed = Some(Target::Number("1".into()));
    let mut third = QueueConfig::new(QueueId(3), Strategy::LongestIdle);
    third.leave_when_empty = true;
    let mut world = World::new(
        Settings::default(),
        vec![first, second, third],
        vec![agent(1, &[(3, 0)])],
    );
    world.tell(Input::Enqueue(call(1)));
    let said = world.tell(Input::Enqueue(call(2)));
    assert_eq!(
        overflows(&said),
        [(2, Target::Number("1".into()), OverflowCause::Closed)],
        "full, and where it went was closed"
    );
    let in_third = |id| Enqueue {
        queue: QueueId(3),
        ..call(id)
    };
    let said = world.tell(Input::Enqueue(in_third(3)));
    assert_eq!(overflows(&said), [(3, Target::HangUp, OverflowCause::Empty)]);
    world.sign_in(AgentId(1));
    world.tell(Input::Enqueue(in_third(4)));
    world.take(1);
    world.tell(Input::Enqueue(in_third(5)));
    world.tell(Input::Intent {
        agent: AgentId(1),
        intent: Intent::Offline,
    });
    world.tell(Input::Ended { call: CallId(4) });
    let said = world.pass(10);
    assert_eq!(overflows(&said), [(5, Target::HangUp, OverflowCause::Empty)]);
}

#[test]
fn a_call_moves_on_after_the_longest_wait_and_keeps_its_age() {
    let mut first = QueueConfig::new(QUEUE, Strategy::LongestIdle);
    first.max_wait = Some(Duration::from_secs(60));
    first.overflow = Target::Queue(QueueId(2));
    let second = QueueConfig::new(QueueId(2), Strategy::LongestIdle);
    let mut world = World::new(
        Settings::default(),
        vec![first, second],
        vec![agent(1, &[(2, 0)])],
    );
    world.tell(Input::Enqueue(call(1)));
    world.pass(30);
    world.tell(Input::Enqueue(Enqueue {
        queue: QueueId(2),
        ..call(2)
    }));
    world.pass(30);
    assert_eq!(
        world.acd.line(QueueId(2)).collect::<Vec<_>>(),
        [CallId(1), CallId(2)]
    );
}

#[test]
fn callers_are_told_their_place() {
    let mut queue = QueueConfig::new(QUEUE, Strategy::LongestIdle);
    queue.announce = Some(Duration::from_secs(30));
    let mut world = World::new(Settings::default(), vec![queue], vec![]);
    for id in 1..=51 {
        world.tell(Input::Enqueue(call(id)));
    }
    let reported = |said: Vec<Output>| {
        said.into_iter()
            .filter_map(|output| match output {
                Output::Announce { call, position, .. } => Some((call.0, position)),
                _ => None,
            })
            .collect::<Vec<_>>()
    };
    let first = reported(world.pass(2));
    assert_eq!((first[0], first[50]), ((1, Some(1)), (51, None)));
    world.tell(Input::Ended { call: CallId(1) });
    let second = reported(world.pass(30));
    assert_eq!((second[0], second[49]), ((2, Some(1)), (51, Some(50))));
}

#[test]
fn direct_calls_keep_assignments_away() {
    let mut world = World::with(Strategy::LongestIdle, 1);
    world.tell(Input::Lines {
        agent: AgentId(1),
        lines: 1,
    });
    assert_eq!(status(&world, 1), Status::Direct);
    world.tell(Input::Enqueue(call(1)));
    assert_eq!(world.ringing(), []);
    world.tell(Input::Lines {
        agent: AgentId(1),
        lines: 0,
    });
    assert_eq!(world.ringing(), [(1, 1)]);
}

#[test]
fn after_a_restart_callers_keep_their_place_and_late_answers_are_late() {
    let queues = [QueueConfig::new(QUEUE, Strategy::LongestIdle)];
    let agents = [agent(1, &[(1, 0)]), agent(2, &[(1, 0)])];
    let mut world = World::new(Settings::default(), queues.to_vec(), agents.to_vec());
    world.sign_in(AgentId(1));
    world.tell(Input::Enqueue(call(1)));
    world.take(1);
    world.sign_in(AgentId(2));
    for id in 2..=4 {
        world.tell(Input::Enqueue(call(id)));
    }
    let assignment = world.assignment_to(2);
    world.restart(usize::MAX, Settings::default(), &queues, &agents);
    assert_eq!(
        world.tell(Input::Accept { assignment }),
        [Output::Refused(Refusal::AssignmentGone(assignment))]
    );
    world.sign_in(AgentId(2));
    assert_eq!(
        world.ringing(),
        [],
        "nobody knows yet whether the callers are there"
    );
    for id in [3, 2] {
        world.tell(Input::Recovered {
            call: CallId(id),
            with_agent: false,
        });
    }
    world.tell(Input::Recovered {
        call: CallId(1),
        with_agent: false,
    });
    assert_eq!(
        world.ringing(),
        [(3, 2)],
        "assigned as soon as it was found again"
    );
    world.tell(Input::Enqueue(call(5)));
    assert_eq!(
        world.tell(Input::NotRecovered { call: CallId(5) }),
        [],
        "it was not there before"
    );
    let assignment = world.assignment_to(2);
    world.tell(Input::Rung { assignment });
    let said = world.pass(30);
    assert!(said.contains(&Output::HangUp { call: CallId(4) }), "{said:?}");
    assert_eq!(
        world.acd.line(QUEUE).collect::<Vec<_>>(),
        [CallId(1), CallId(2), CallId(3), CallId(5)],
        "each at its old place, the one whose agent did not come back too"
    );
}
