//! A call centre over the whole gateway in virtual time: callers from a trunk, agents in browser tabs, and
//! their actions on calls.

use std::time::Duration;

use cordboard::centre::command::{By, Command, Refused, Target};
use cordboard::centre::view::{
    Call, CallKind, CallPhase, ConsultState, Intent, IntentKind, Mode, Outcome, ParticipantKind, Status,
};
use cordboard_tests::sim::{Conditions, GATEWAY, Heard, Manner, State, World};
use session_core::SessionId;

#[path = "centre/direct.rs"]
mod direct;
#[path = "centre/owner.rs"]
mod owner;
#[path = "centre/park.rs"]
mod park;
#[path = "centre/reach.rs"]
mod reach;

const SECOND: Duration = Duration::from_secs(1);

/// Agents 1001 and on, each in a tab and available, 1004 as their supervisor.
fn world(agents: usize) -> World {
    let mut world = World::new(1, Conditions::perfect(), None);
    world.phones[2].manner = Some(Manner::Rings(300));
    for number in 1_001..1_001 + agents {
        let name = number.to_string();
        world.browser(&name);
        assert!(world.run_until(SECOND, |w| w.agents.last().is_some_and(|a| a.registered)));
        available(&mut world, &name);
    }
    world
}

fn id(name: &str) -> String {
    format!("usr_{name}")
}

fn by(name: &str) -> By {
    By::Agent(id(name))
}

fn available(world: &mut World, name: &str) {
    let intent = Intent {
        intent: IntentKind::Available,
        reason: None,
    };
    let agent = id(name);
    world
        .ask(by(name), Command::Intent { agent, intent })
        .expect("signed in");
}

fn status(world: &World, name: &str) -> Status {
    world.switch.view.read(|view| view.agents[&id(name)].status)
}

fn all_calls(world: &World) -> Vec<Call> {
    world
        .switch
        .view
        .read(|view| view.calls.values().cloned().collect())
}

/// Calls of queues.
fn calls(world: &World) -> Vec<Call> {
    let mut calls = all_calls(world);
    calls.retain(|call| call.kind == CallKind::Queue);
    calls
}

fn call(world: &World) -> Call {
    let mut calls = calls(world);
    assert_eq!(calls.len(), 1, "{calls:?}");
    calls.remove(0)
}

/// The invitation that rings at an agent, if one does.
fn rings(world: &World, agent: usize) -> Option<String> {
    let calls = &world.agents[agent].calls;
    calls
        .iter()
        .find(|(_, call)| call.state == State::Incoming)
        .map(|(id, _)| id.clone())
}

fn wait_for_ring(world: &mut World, agent: usize) -> String {
    assert!(
        world.run_until(2 * SECOND, |w| rings(w, agent).is_some()),
        "agent {agent} is not called"
    );
    rings(world, agent).expect("it rings")
}

fn answer(world: &mut World, agent: usize) -> String {
    let id = wait_for_ring(world, agent);
    world.agent(agent, |a| a.ring(&id, 180, false));
    world.run(Duration::from_millis(200));
    world.agent(agent, |a| a.answer(&id));
    assert!(world.run_until(2 * SECOND, |w| w.agents[agent].state(&id) == State::Up));
    world.run(Duration::from_millis(100));
    id
}

/// The first trunk calls the queue.
fn caller(world: &mut World) -> SessionId {
    let session = world.node_calls(1, "7000").expect("a call");
    world.run(Duration::from_millis(200));
    session
}

/// A caller talks with the first agent.
fn talk(world: &mut World) -> (SessionId, String) {
    let session = caller(world);
    let id = answer(world, 0);
    assert_eq!(call(world).state, CallPhase::Talking);
    assert_eq!(status(world, "1001"), Status::Talking);
    (session, id)
}

/// Legs of each bridge at the gateway.
fn bridges(world: &World) -> Vec<usize> {
    let mut sizes: Vec<usize> = world.nodes[GATEWAY].bridged().map(|legs| legs.len()).collect();
    sizes.sort_unstable();
    sizes
}

fn on(world: &mut World, command: impl FnOnce(String) -> Command) -> Result<(), Refused> {
    let call = call(world).id;
    world.ask(by("1001"), command(call))
}

fn caller_is_up(world: &World, session: SessionId) -> bool {
    world.nodes[1].coordinator.sessions().any(|live| live == session)
}

/// Everybody hangs up; nothing is left. Returns the published records.
fn over(mut world: World) -> World {
    for node in [1, 2] {
        let live: Vec<SessionId> = world.nodes[node].coordinator.sessions().collect();
        for session in live {
            world.hang_up(node, session);
        }
    }
    go_home(&mut world);
    world.assert_over();
    assert_eq!(all_calls(&world), []);
    world
}

/// Ends everything under way, and closes all tabs.
fn go_home(world: &mut World) {
    world.run(100 * SECOND);
    for agent in 0..world.agents.len() {
        world.vanish(agent, true);
    }
    world.run(100 * SECOND);
}

fn outcomes(world: &World) -> Vec<Outcome> {
    use cordboard::centre::view::{Change, RecordKind};
    let events = world.switch.view.since(0, usize::MAX).expect("kept");
    let ended = events.iter().filter_map(|event| match &event.change {
        Change::CallEnded { record, .. } if record.kind == RecordKind::Queue => Some(record.outcome),
        _ => None,
    });
    ended.collect()
}

#[test]
fn a_caller_waits_with_music_is_offered_and_talks() {
    let mut world = world(1);
    let session = caller(&mut world);
    let offered = call(&world);
    assert_eq!((offered.state, offered.position), (CallPhase::Ringing, Some(1)));
    assert_eq!(offered.queue.map(|queue| queue.name), Some("support".into()));
    assert_eq!(offered.from.number, "491");
    assert_eq!(status(&world, "1001"), Status::Ringing);
    assert_eq!(bridges(&world), [0; 0], "music");
    let id = answer(&mut world, 0);
    assert_eq!(bridges(&world), [2]);
    assert_eq!(call(&world).agent, Some("usr_1001".into()));
    world.run(30 * SECOND);
    world.hang_up(1, session);
    world.run(SECOND);
    assert_eq!(world.agents[0].state(&id), State::Over);
    assert_eq!(status(&world, "1001"), Status::WrapUp);
    world.run(20 * SECOND);
    assert_eq!(status(&world, "1001"), Status::Available);
    let world = over(world);
    assert_eq!(outcomes(&world), [Outcome::Completed]);
    let queue = world.switch.view.read(|view| view.queues["que_support"].clone());
    assert_eq!(
        (queue.today.entered, queue.today.answered, queue.live.waiting),
        (1, 1, 0)
    );
}

#[test]
fn who_does_not_answer_or_does_not_want_it_is_followed_by_the_next() {
    let mut world = world(3);
    caller(&mut world);
    let first = wait_for_ring(&mut world, 0);
    world.agent(0, |a| a.ring(&first, 180, false));
    assert!(rings(&world, 1).is_none());
    world.run(21 * SECOND);
    assert_eq!(world.agents[0].state(&first), State::Over, "it does not ring on");
    assert_eq!(status(&world, "1001"), Status::Paused);
    let second = wait_for_ring(&mut world, 1);
    world.agent(1, |a| a.reject(&second, 486, ""));
    answer(&mut world, 2);
    assert_eq!(call(&world).agent, Some("usr_1003".into()));
    over(world);
}

#[test]
fn the_caller_gives_up_and_the_phone_stops_ringing() {
    let mut world = world(1);
    let session = caller(&mut world);
    let id = wait_for_ring(&mut world, 0);
    world.agent(0, |a| a.ring(&id, 180, false));
    world.run(5 * SECOND);
    world.hang_up(1, session);
    world.run(SECOND);
    assert_eq!(world.agents[0].state(&id), State::Over);
    assert_eq!(status(&world, "1001"), Status::Available);
    assert_eq!(outcomes(&over(world)), [Outcome::Abandoned]);
}

#[test]
fn a_page_that_hangs_is_not_offered_a_call() {
    let mut world = world(2);
    world.agents[0].silent = true;
    world.run(13 * SECOND);
    assert_eq!(status(&world, "1001"), Status::Unreachable);
    caller(&mut world);
    answer(&mut world, 1);
    world.agents[0].silent = false;
    world.run(10 * SECOND);
    assert_eq!(status(&world, "1001"), Status::Available);
    over(world);
}

#[test]
fn a_tab_that_is_reloaded_in_the_call_has_it_back() {
    for says_so in [true, false] {
        let mut world = world(2);
        let (session, _) = talk(&mut world);
        world.vanish(0, says_so);
        let lost = world.now;
        assert!(world.run_until(16 * SECOND, |w| call(w).state == CallPhase::Away));
        assert_eq!(bridges(&world), [0; 0], "the caller hears music");
        let tab = world.browser("1001");
        assert!(world.run_until(SECOND, |w| w.agents[tab].registered));
        let id = wait_for_ring(&mut world, tab);
        world.agent(tab, |a| a.answer(&id));
        world.run(SECOND);
        assert_eq!(bridges(&world), [2], "after {:?}", world.now - lost);
        assert_eq!(
            (call(&world).state, status(&world, "1001")),
            (CallPhase::Talking, Status::Talking)
        );
        assert!(rings(&world, 1).is_none(), "nobody else was asked");
        assert!(caller_is_up(&world, session));
        over(world);
    }
}

#[test]
fn a_tab_that_does_not_come_back_gives_the_caller_to_another_agent() {
    let mut world = world(2);
    let (session, _) = talk(&mut world);
    world.vanish(0, true);
    world.run(29 * SECOND);
    assert!(rings(&world, 1).is_none());
    world.run(3 * SECOND);
    answer(&mut world, 1);
    assert!(caller_is_up(&world, session));
    assert_eq!(call(&world).agent, Some("usr_1002".into()));
    assert_eq!(status(&world, "1001"), Status::Paused);
    let world = over(world);
    assert_eq!(outcomes(&world), [Outcome::Completed]);
}

#[test]
fn a_websocket_lost_in_a_call_changes_nothing_for_the_caller() {
    let mut world = world(1);
    let (session, id) = talk(&mut world);
    world.cut(0);
    world.run(3 * SECOND);
    world.connect(0);
    world.run(5 * SECOND);
    assert_eq!(
        (call(&world).state, bridges(&world)),
        (CallPhase::Talking, vec![2])
    );
    assert!(caller_is_up(&world, session));
    world.agent(0, |a| a.bye(&id));
    world.run(SECOND);
    assert!(!caller_is_up(&world, session), "the agent hung up");
    over(world);
}

#[test]
fn hold_is_seen_and_heard() {
    let mut world = world(1);
    talk(&mut world);
    on(&mut world, |call| Command::Hold { call, held: true }).expect("held");
    world.run(SECOND);
    assert_eq!(
        (call(&world).state, status(&world, "1001")),
        (CallPhase::Held, Status::Held)
    );
    assert_eq!(bridges(&world), [0; 0]);
    on(&mut world, |call| Command::Hold { call, held: false }).expect("resumed");
    world.run(SECOND);
    assert_eq!(
        (call(&world).state, bridges(&world)),
        (CallPhase::Talking, vec![2])
    );
    over(world);
}

#[test]
fn a_call_is_transferred_to_another_agent_who_may_not_answer() {
    let mut world = world(3);
    let (session, first) = talk(&mut world);
    on(&mut world, |call| Command::Transfer {
        call,
        to: Target::Agent(id("1003")),
    })
    .expect("transferred");
    world.run(SECOND);
    assert_eq!(world.agents[0].state(&first), State::Over);
    assert_eq!(status(&world, "1001"), Status::WrapUp);
    let ringing = wait_for_ring(&mut world, 2);
    assert!(rings(&world, 1).is_none());
    world.agent(2, |a| a.reject(&ringing, 486, ""));
    answer(&mut world, 1);
    assert!(caller_is_up(&world, session));
    over(world);
}

#[test]
fn a_call_is_transferred_to_a_number_outside() {
    let mut world = world(1);
    let (session, first) = talk(&mut world);
    on(&mut world, |call| Command::Transfer {
        call,
        to: Target::Number("3000".into()),
    })
    .expect("transferred");
    world.run(2 * SECOND);
    assert_eq!(world.agents[0].state(&first), State::Over);
    assert_eq!((bridges(&world), caller_is_up(&world, session)), (vec![2], true));
    assert_eq!(status(&world, "1001"), Status::WrapUp);
    let world = over(world);
    assert_eq!(outcomes(&world), [Outcome::Completed]);
}

#[test]
fn a_number_that_does_not_answer_gives_the_caller_back_to_the_queue() {
    let mut world = world(2);
    world.phones[2].manner = Some(Manner::Refuses(486, 500));
    let (session, _) = talk(&mut world);
    on(&mut world, |call| Command::Transfer {
        call,
        to: Target::Number("3000".into()),
    })
    .expect("transferred");
    world.run(2 * SECOND);
    answer(&mut world, 1);
    assert!(caller_is_up(&world, session));
    assert_eq!(call(&world).agent, Some("usr_1002".into()));
    over(world);
}

/// The first agent asks `to`, who answers.
fn consult(world: &mut World, to: Target) {
    on(world, |call| Command::Consult { call, to }).expect("asked");
    world.run(Duration::from_millis(100));
    assert_eq!(call(world).state, CallPhase::Consulting);
}

#[test]
fn an_agent_asks_a_colleague_and_hands_the_call_over() {
    let mut world = world(2);
    let (session, first) = talk(&mut world);
    consult(&mut world, Target::Agent(id("1002")));
    assert_eq!(
        call(&world).consult.map(|consult| consult.state),
        Some(ConsultState::Ringing)
    );
    answer(&mut world, 1);
    assert_eq!(
        call(&world).consult.map(|consult| consult.state),
        Some(ConsultState::Talking)
    );
    assert_eq!(bridges(&world), [2], "the two agents");
    assert_eq!(status(&world, "1002"), Status::Direct);
    on(&mut world, |call| Command::Complete { call }).expect("handed over");
    world.run(SECOND);
    assert_eq!(world.agents[0].state(&first), State::Over);
    assert_eq!(
        (status(&world, "1001"), status(&world, "1002")),
        (Status::WrapUp, Status::Talking)
    );
    assert_eq!(
        (bridges(&world), call(&world).agent),
        (vec![2], Some("usr_1002".into()))
    );
    assert!(caller_is_up(&world, session));
    over(world);
}

#[test]
fn three_talk_and_the_agent_leaves_the_two() {
    let mut world = world(1);
    let (session, first) = talk(&mut world);
    consult(&mut world, Target::Number("3000".into()));
    world.run(SECOND);
    on(&mut world, |call| Command::Merge { call }).expect("merged");
    world.run(SECOND);
    assert_eq!(
        (call(&world).state, bridges(&world)),
        (CallPhase::Conference, vec![3])
    );
    on(&mut world, |call| Command::Leave { call }).expect("left");
    world.run(SECOND);
    assert_eq!(world.agents[0].state(&first), State::Over);
    assert_eq!((bridges(&world), caller_is_up(&world, session)), (vec![2], true));
    assert_eq!(status(&world, "1001"), Status::WrapUp);
    over(world);
}

#[test]
fn an_agent_who_was_asked_to_join_takes_calls_again_afterwards() {
    let mut world = world(2);
    let (session, _) = talk(&mut world);
    consult(&mut world, Target::Agent(id("1002")));
    let asked = answer(&mut world, 1);
    on(&mut world, |call| Command::Merge { call }).expect("merged");
    world.run(SECOND);
    assert_eq!(status(&world, "1002"), Status::Direct, "still in the call");
    world.agent(1, |a| a.bye(&asked));
    world.run(SECOND);
    assert_eq!(
        (bridges(&world), status(&world, "1002")),
        (vec![2], Status::Available)
    );
    assert!(caller_is_up(&world, session));
    world.node_calls(1, "7000").expect("a call");
    wait_for_ring(&mut world, 1);
    over(world);
}

#[test]
fn an_agent_in_a_call_of_its_own_is_offered_none() {
    for calls_out in [true, false] {
        let mut world = world(2);
        let direct = if calls_out {
            let id = world.agent(0, |a| a.invite("3000", false));
            world.run(SECOND);
            id
        } else {
            world.node_calls(1, "1001").expect("a call");
            world.run(Duration::from_millis(200));
            answer(&mut world, 0)
        };
        assert_eq!(status(&world, "1001"), Status::Direct);
        caller(&mut world);
        assert!(rings(&world, 0).is_none());
        let offered = wait_for_ring(&mut world, 1);
        world.agent(1, |a| a.reject(&offered, 486, ""));
        world.agent(0, |a| a.bye(&direct));
        wait_for_ring(&mut world, 0);
        over(world);
    }
}

#[test]
fn a_call_in_another_queue_is_shown_there() {
    let mut world = world(1);
    talk(&mut world);
    on(&mut world, |call| Command::Transfer {
        call,
        to: Target::Queue("que_sales".into()),
    })
    .expect("transferred");
    world.run(SECOND);
    let waiting = call(&world);
    assert_eq!(waiting.queue.map(|queue| queue.name), Some("sales".into()));
    let live = |world: &World, queue: &str| world.switch.view.read(|view| view.queues[queue].live.waiting);
    assert_eq!((live(&world, "que_support"), live(&world, "que_sales")), (0, 1));
    over(world);
}

#[test]
fn what_a_queue_does_not_keep_goes_where_it_says_or_ends() {
    for there in [true, false] {
        let mut world = world(1);
        let tab = there.then(|| {
            let tab = world.browser("1003");
            assert!(world.run_until(SECOND, |w| w.agents[tab].registered));
            tab
        });
        let session = world.node_calls(1, "7001").expect("a call");
        world.run(Duration::from_millis(200));
        if let Some(tab) = tab {
            answer(&mut world, tab);
            assert_eq!((bridges(&world), caller_is_up(&world, session)), (vec![2], true));
        } else {
            world.run(SECOND);
            assert!(!caller_is_up(&world, session), "nobody is there");
        }
        assert_eq!(outcomes(&over(world)), [Outcome::Overflowed]);
    }
}

#[test]
fn an_agent_goes_back_to_the_caller_whether_somebody_answered_or_not() {
    for manner in [Manner::Rings(300), Manner::Silent, Manner::Refuses(486, 100)] {
        let mut world = world(1);
        world.phones[2].manner = Some(manner);
        talk(&mut world);
        consult(&mut world, Target::Number("3000".into()));
        world.run(SECOND);
        let state = call(&world).consult.map(|consult| (consult.state, consult.code));
        let expected = match manner {
            Manner::Silent => (ConsultState::Ringing, None),
            Manner::Refuses(code, _) => (ConsultState::Failed, Some(code)),
            _ => (ConsultState::Talking, None),
        };
        assert_eq!(state, Some(expected));
        on(&mut world, |call| Command::Abort { call }).expect("back");
        world.run(SECOND);
        assert_eq!(
            (call(&world).state, bridges(&world)),
            (CallPhase::Talking, vec![2]),
            "{manner:?}"
        );
        assert_eq!(world.nodes[2].coordinator.sessions().count(), 0, "{manner:?}");
        over(world);
    }
}

#[test]
fn a_supervisor_listens_whispers_and_barges_in() {
    let mut world = world(1);
    let tab = world.browser("1004");
    assert!(world.run_until(SECOND, |w| w.agents[tab].registered));
    let (session, _) = talk(&mut world);
    let boss = || By::Supervisor(id("1004"));
    let supervise = |world: &mut World, mode| {
        let call = call(world).id;
        world
            .ask(boss(), Command::Supervise { call, mode })
            .expect("allowed");
    };
    supervise(&mut world, Mode::Listen);
    let ear = wait_for_ring(&mut world, tab);
    world.agent(tab, |a| a.answer(&ear));
    world.run(SECOND);
    assert_eq!(bridges(&world), [3]);
    for mode in [Mode::Whisper, Mode::Party, Mode::Listen] {
        supervise(&mut world, mode);
        world.run(SECOND);
        let seen = call(&world)
            .parties
            .into_iter()
            .find(|party| party.kind == ParticipantKind::Supervisor);
        assert_eq!(seen.map(|party| party.mode), Some(mode));
        assert_eq!(bridges(&world), [3]);
    }
    let id = call(&world).id;
    world.ask(boss(), Command::Unsupervise { call: id }).expect("out");
    world.run(SECOND);
    assert_eq!((bridges(&world), caller_is_up(&world, session)), (vec![2], true));
    assert_eq!(world.agents[tab].state(&ear), State::Over);
    over(world);
}

#[test]
fn nobody_does_anything_with_the_call_of_another() {
    let mut world = world(2);
    talk(&mut world);
    let call = call(&world).id;
    for command in [
        Command::HangUp { call: call.clone() },
        Command::Hold {
            call: call.clone(),
            held: true,
        },
        Command::Supervise {
            call: call.clone(),
            mode: Mode::Listen,
        },
    ] {
        assert_eq!(world.ask(by("1002"), command), Err(Refused::UnknownCall));
    }
    let listen = Command::Supervise {
        call,
        mode: Mode::Listen,
    };
    assert_eq!(world.ask(by("1001"), listen), Err(Refused::NotAllowed));
    over(world);
}

#[test]
fn hundreds_of_calls_over_a_bad_network_leave_nothing() {
    let (mut asked, mut done) = (0, 0);
    for seed in 0..40 {
        let mut world = World::new(seed, Conditions::bad(), None);
        world.on_heard = |world, agent, heard| {
            if let Heard::Invited(id) = heard {
                let chance = world.rng.below(100);
                let after = 100 + world.rng.below(4_000);
                world.agent(agent, |a| a.ring(&id, 180, false));
                world.after(after, move |world| match chance {
                    0..=9 => {}
                    10..=19 => world.agent(agent, |a| a.reject(&id, 486, "")),
                    _ => world.agent(agent, |a| a.answer(&id)),
                });
            }
        };
        for name in ["1001", "1002", "1003"] {
            world.browser(name);
            world.run_until(30 * SECOND, |w| w.agents.last().is_some_and(|a| a.registered));
        }
        for step in 0..30 {
            for name in ["1001", "1002", "1003"] {
                available(&mut world, name);
            }
            world.node_calls(1, "7000");
            let pause = world.rng.below(8_000);
            world.run(Duration::from_millis(pause));
            meddle(&mut world, step);
        }
        for node in [1, 2] {
            let live: Vec<SessionId> = world.nodes[node].coordinator.sessions().collect();
            for session in live {
                world.hang_up(node, session);
            }
        }
        go_home(&mut world);
        world.assert_over();
        assert_eq!(calls(&world), [], "seed {seed}");
        let (entered, gone) = world.switch.view.read(|view| {
            let day = &view.queues["que_support"].today;
            (
                day.entered,
                day.abandoned + day.completed + day.overflowed + day.sent_on + day.hung_up,
            )
        });
        assert_eq!(entered, gone, "seed {seed}");
        assert!(entered >= 20, "seed {seed}: {entered}");
        asked += world.nodes[GATEWAY].count("refer");
        let reported = world.agents.iter().flat_map(|agent| agent.calls.values());
        done += reported.filter(|call| call.reported.contains(&200)).count();
    }
    assert!(asked > 50 && done > 20, "{asked} REFERs, {done} done");
}

fn reported(world: &World, agent: usize, call: &str) -> Vec<u16> {
    world.agents[agent].calls[call].reported.clone()
}

#[test]
fn an_agents_phone_transfers_by_refer() {
    for (number, next) in [("1003", Some(2)), ("7000", Some(1)), ("3000", None)] {
        let mut world = world(3);
        let (session, first) = talk(&mut world);
        world.agent(0, |a| a.refer(&first, number, None));
        world.run(SECOND);
        assert_eq!(reported(&world, 0, &first), [202, 100, 200], "{number}");
        assert_eq!(world.agents[0].state(&first), State::Over);
        assert_eq!(status(&world, "1001"), Status::WrapUp);
        match next {
            Some(agent) => {
                answer(&mut world, agent);
                let name = format!("usr_{}", 1_001 + agent);
                assert_eq!(call(&world).agent, Some(name));
            }
            None => world.run(SECOND),
        }
        assert_eq!((bridges(&world), caller_is_up(&world, session)), (vec![2], true));
        let world = over(world);
        assert_eq!(outcomes(&world).last(), Some(&Outcome::Completed), "{number}");
    }
}

#[test]
fn a_refer_that_leads_nowhere_leaves_the_agent_with_the_caller() {
    let mut world = world(1);
    let (_, first) = talk(&mut world);
    world.agent(0, |a| a.refer(&first, "5551", None));
    world.agent(0, |a| a.refer(&first, "1001", None));
    world.run(SECOND);
    let reported = reported(&world, 0, &first);
    assert!(reported.len() >= 3 && !reported.contains(&200), "{reported:?}");
    assert_eq!(
        (call(&world).state, bridges(&world)),
        (CallPhase::Talking, vec![2])
    );
    over(world);
}

/// The first agent calls a number beside the caller, and somebody answers there.
fn ask_by_phone(world: &mut World, first: &str, number: &str) -> String {
    world.agent(0, |a| a.reinvite(first, "sendonly"));
    world.run(SECOND);
    let second = world.agent(0, |a| a.invite(number, false));
    if number == "1002" {
        answer(world, 1);
    }
    assert!(world.run_until(2 * SECOND, |w| w.agents[0].state(&second) == State::Up));
    world.run(Duration::from_millis(200));
    second
}

#[test]
fn an_agents_phone_hands_the_caller_over_by_refer_with_replaces() {
    for (number, reversed) in [("1002", false), ("1002", true), ("3000", false)] {
        let mut world = world(2);
        let (session, first) = talk(&mut world);
        let second = ask_by_phone(&mut world, &first, number);
        assert_eq!(status(&world, "1001"), Status::Held);
        let (asks, other) = if reversed {
            (&second, &first)
        } else {
            (&first, &second)
        };
        world.agent(0, |a| a.refer(asks, number, Some(other)));
        world.run(2 * SECOND);
        assert_eq!(reported(&world, 0, asks), [202, 100, 200], "{number} {reversed}");
        for id in [&first, &second] {
            assert_eq!(world.agents[0].state(id), State::Over);
        }
        assert_eq!(status(&world, "1001"), Status::WrapUp);
        assert_eq!((bridges(&world), caller_is_up(&world, session)), (vec![2], true));
        if number == "1002" {
            assert_eq!(call(&world).agent, Some("usr_1002".into()));
            assert_eq!(status(&world, "1002"), Status::Talking);
        }
        let world = over(world);
        assert_eq!(outcomes(&world), [Outcome::Completed]);
    }
}

#[test]
fn the_call_of_a_colleague_is_not_to_be_had_by_refer() {
    let mut world = world(2);
    talk(&mut world);
    let theirs = world.agents[0].calls.keys().next().cloned().expect("a call");
    let own = world.agent(1, |a| a.invite("3000", false));
    world.run(SECOND);
    // Named with both tags, as only its two ends know them.
    let stolen = world.agents[0].calls[&theirs].name(&theirs);
    world.agent(1, |a| a.refer_to(&own, "1001", &stolen));
    world.run(SECOND);
    assert_eq!(reported(&world, 1, &own), [603]);
    assert_eq!(bridges(&world), [2, 2]);
    over(world);
}

#[test]
fn an_agent_goes_on_with_the_caller_at_another_phone_and_no_colleague_does() {
    let mut world = world(2);
    let (session, first) = talk(&mut world);
    let dialog = world.agents[0].calls[&first].dialog(&first);
    let stolen = world.agent(1, |a| a.take_over("1001", &dialog));
    world.run(SECOND);
    let refused = &world.agents[1].calls[&stolen];
    assert_eq!((refused.state, refused.code), (State::Over, 603));
    assert_eq!(
        (bridges(&world), status(&world, "1002")),
        (vec![2], Status::Available)
    );

    let tab = world.browser("1001");
    assert!(world.run_until(SECOND, |w| w.agents[tab].registered));
    let second = world.agent(tab, |a| a.take_over("1001", &dialog));
    world.run(SECOND);
    assert_eq!(world.agents[0].state(&first), State::Over);
    assert_eq!(world.agents[tab].state(&second), State::Up);
    assert_eq!((bridges(&world), caller_is_up(&world, session)), (vec![2], true));
    assert_eq!(
        (call(&world).state, status(&world, "1001")),
        (CallPhase::Talking, Status::Talking)
    );
    // What the agent does with it, the agent does with the new leg.
    on(&mut world, |call| Command::Hold { call, held: true }).expect("held");
    world.run(SECOND);
    assert_eq!((status(&world, "1001"), bridges(&world)), (Status::Held, vec![]));
    world.agent(tab, |a| a.bye(&second));
    world.run(2 * SECOND);
    assert_eq!(status(&world, "1001"), Status::WrapUp);
    let world = over(world);
    assert_eq!(outcomes(&world), [Outcome::Completed]);
}

#[test]
fn an_agent_transfers_a_call_of_its_own_and_is_free_again() {
    let mut world = world(3);
    let own = world.agent(0, |a| a.invite("1002", false));
    answer(&mut world, 1);
    assert_eq!(status(&world, "1001"), Status::Direct);
    world.agent(0, |a| a.refer(&own, "1003", None));
    let ringing = wait_for_ring(&mut world, 2);
    world.agent(2, |a| a.ring(&ringing, 180, false));
    world.run(SECOND);
    assert_eq!(
        status(&world, "1003"),
        Status::Direct,
        "nothing is offered to whom it rings"
    );
    world.agent(2, |a| a.answer(&ringing));
    world.run(3 * SECOND);
    assert_eq!(reported(&world, 0, &own), [202, 100, 180, 200]);
    assert_eq!(
        [
            status(&world, "1001"),
            status(&world, "1002"),
            status(&world, "1003")
        ],
        [Status::Available, Status::Direct, Status::Direct]
    );
    assert_eq!(bridges(&world), [2]);
    over(world);
}

#[test]
fn a_call_is_transferred_into_the_queue_and_to_an_application() {
    for number in ["7000", "9664"] {
        let mut world = world(1);
        let tab = world.browser("1004");
        assert!(world.run_until(SECOND, |w| w.agents[tab].registered));
        let id = world.agent(tab, |a| a.invite("3000", false));
        world.run(SECOND);
        world.agent(tab, |a| a.refer(&id, number, None));
        world.run(2 * SECOND);
        assert_eq!(reported(&world, tab, &id), [202, 100, 200]);
        assert_eq!(world.agents[tab].state(&id), State::Over);
        if number == "7000" {
            answer(&mut world, 0);
            assert_eq!(bridges(&world), [2]);
            assert_eq!(call(&world).from.number, "3000");
        }
        over(world);
    }
}

/// Somebody does something with some call.
fn meddle(world: &mut World, step: u64) {
    let agent = world.rng.below(3) as usize;
    let up: Vec<String> = world.agents[agent]
        .calls
        .iter()
        .filter(|(_, call)| call.state == State::Up)
        .map(|(id, _)| id.clone())
        .collect();
    match (world.rng.below(8), up.first(), up.last()) {
        (0 | 1, Some(first), Some(last)) if first != last => {
            world.agent(agent, |a| a.refer(first, "1002", Some(last)));
        }
        (0, Some(id), _) => world.agent(agent, |a| a.refer(id, "1002", None)),
        (1, Some(id), _) => world.agent(agent, |a| a.refer(id, "3000", None)),
        (2, Some(_), _) => drop(world.agent(agent, |a| a.invite("3000", false))),
        _ => {}
    }
    let calls = calls(world);
    if calls.is_empty() {
        return;
    }
    let picked = calls[world.rng.below(calls.len() as u64) as usize].clone();
    let call = picked.id;
    let target = match world.rng.below(3) {
        0 => Target::Agent(id("1002")),
        1 => Target::Number("3000".into()),
        _ => Target::Queue("que_support".into()),
    };
    let command = match world.rng.below(13) {
        0 => Command::HangUp { call },
        12 => Command::SignOut {
            agent: id(["1001", "1002", "1003"][agent]),
        },
        1 | 2 => Command::Transfer { call, to: target },
        3..=5 => Command::Consult { call, to: target },
        6 => Command::Complete { call },
        7 => Command::Merge { call },
        8 => Command::Abort { call },
        9 => Command::Leave { call },
        10 => Command::Hold {
            call,
            held: step.is_multiple_of(2),
        },
        _ => {
            if step.is_multiple_of(5) {
                let agent = world.rng.below(3) as usize;
                let says_so = world.rng.percent(50);
                let user = world.agents[agent].user.clone();
                world.vanish(agent, says_so);
                world.browser(&user);
            }
            return;
        }
    };
    // Most are refused: the call is not in a state for it.
    let _ = world.ask(By::Supervisor(id("1004")), command);
}

#[test]
fn the_answer_to_an_invitation_goes_to_whoever_sent_it() {
    let mut world = world(2);
    let session = world.node_calls(1, "8000").expect("a call");
    let id = answer(&mut world, 1);
    world.run(2 * SECOND);
    assert_eq!(world.agents[1].state(&id), State::Up, "nobody else ends it");
    assert_eq!(bridges(&world), [2]);
    assert_eq!(status(&world, "1002"), Status::Direct, "it is no call of a queue");
    assert_eq!(calls(&world), []);
    world.hang_up(1, session);
    over(world);
}
