//! Transitions of a call.

use call_engine::acd::Phase;

use super::super::legs::Role;
use super::*;

const ANNA: AgentId = AgentId(1);
const BEN: AgentId = AgentId(2);
const ASSIGNMENT: AssignmentId = AssignmentId { epoch: 1, number: 1 };
const TALKS: Option<Phase> = Some(Phase::Connected {
    agent: ANNA,
    held: false,
    away: false,
});

fn at(seconds: u64) -> Time {
    Time::from_secs(seconds)
}

fn waiting() -> Call {
    let parties = (Party::default(), "support".to_owned());
    Call::new(at(0), (SessionId(1), LegId(1)), parties, QueueId(1))
}

fn rings(call: &mut Call, id: AssignmentId, leg: LegId) {
    let assignment = Assignment {
        leg,
        made: at(1),
        deadline: at(21),
    };
    call.ring(id, assignment);
}

/// Anna, on leg 2, talks with the caller.
fn talking() -> Call {
    let mut call = waiting();
    rings(&mut call, ASSIGNMENT, LegId(2));
    call.connect(at(5), ASSIGNMENT, ANNA).expect("an assignment");
    call.connected();
    call
}

#[test]
fn a_call_rings_until_the_last_phone_stops() {
    let second = AssignmentId { epoch: 1, number: 2 };
    let mut call = waiting();
    rings(&mut call, ASSIGNMENT, LegId(2));
    rings(&mut call, second, LegId(3));
    assert!(call.stop_ringing(ASSIGNMENT).is_some());
    assert!(matches!(call.state(), CallState::Ringing { .. }));
    assert!(call.stop_ringing(ASSIGNMENT).is_none(), "once");
    assert!(call.stop_ringing(second).is_some());
    assert_eq!(call.state(), &CallState::Waiting);
    assert_eq!(call.connect(at(5), second, ANNA), None, "nobody rings");
}

#[test]
fn the_leg_that_answered_is_the_agents() {
    let mut call = waiting();
    rings(&mut call, ASSIGNMENT, LegId(2));
    call.picked_up(ASSIGNMENT, LegId(7));
    let agent = call.connect(at(5), ASSIGNMENT, ANNA);
    let leg = AgentLeg {
        agent: ANNA,
        leg: LegId(7),
    };
    assert_eq!((agent, call.talking()), (Some(leg), None), "not heard yet");
    call.connected();
    assert_eq!(call.talking(), Some(leg));
    assert_eq!((call.agents.as_slice(), call.since), (&[ANNA][..], at(5)));
}

#[test]
fn a_page_that_is_gone_ends_a_consultation_and_comes_back_to_the_phase_of_the_engine() {
    let mut call = talking();
    let consult = Consult {
        session: SessionId(2),
        to: "Ben".into(),
        agent: Some(BEN),
        began: at(6),
        stage: ConsultStage::Ringing { leg: LegId(4) },
    };
    call.begin_consult(at(6), consult);
    call.set_held(true);
    assert!(call.consult().is_some());
    let (is_new, ended) = call.lose_agent(at(8));
    assert_eq!(
        (is_new, ended.map(|consult| consult.session)),
        (true, Some(SessionId(2)))
    );
    assert!(!call.lose_agent(at(9)).0, "it is gone already");
    assert_eq!(
        (call.agent(), call.talking(), call.since),
        (Some(ANNA), None, at(8))
    );
    call.recall(LegId(5));
    assert_eq!(
        call.agent_is_back(at(10), TALKS),
        Some(LegId(5)),
        "needed no longer"
    );
    let agent = AgentLeg {
        agent: ANNA,
        leg: LegId(2),
    };
    assert_eq!(call.state(), &CallState::Talking { agent, held: false });
}

#[test]
fn only_the_page_that_was_called_takes_the_place_of_the_one_that_is_gone() {
    let mut call = talking();
    call.lose_agent(at(8));
    call.recall(LegId(5));
    assert_eq!(call.recalled(at(9), LegId(6), LegId(6), TALKS), None);
    assert_eq!(
        call.recalled(at(9), LegId(5), LegId(6), TALKS),
        Some(Some(LegId(2)))
    );
    assert_eq!(call.agent_leg().map(|agent| agent.leg), Some(LegId(6)));
}

#[test]
fn a_caller_who_was_sent_outside_comes_back_without_those_who_were_there() {
    let mut call = talking();
    let released = call.release(at(20));
    assert_eq!((released.leg, released.recall), (Some(LegId(2)), None));
    assert!(call.is_alone() && call.is_released());
    call.forward("+4930".into(), LegId(8), Some(QueueId(1)));
    assert!(!call.is_alone(), "a phone rings");
    assert_eq!(call.fallback(), Some(QueueId(1)));
    let ben = Other {
        name: "Ben".into(),
        agent: Some(BEN),
    };
    call.add_other(LegId(7), ben);
    assert!(call.has_leg(LegId(7), &Role::Other(CallId(1))));
    assert_eq!(call.enter_again(at(30)), [LegId(7)]);
    assert!(!call.has_others() && !call.has_leg(LegId(7), &Role::Other(CallId(1))));
    assert_eq!((call.state(), call.fallback()), (&CallState::Waiting, None));
    call.release(at(20));
    call.forward("+4930".into(), LegId(9), None);
    call.forwarded(at(40), LegId(10));
    assert_eq!(call.state(), &CallState::WithOthers);
    assert_eq!(call.others[&LegId(10)].name, "+4930");
}

#[test]
fn a_phone_outside_that_answers_too_late_changes_nothing() {
    let mut call = talking();
    call.forwarded(at(30), LegId(9));
    assert_eq!(call.agent(), Some(ANNA));
    assert!(!call.has_others());
}

#[test]
fn a_call_from_before_a_restart_has_its_agent_away_once_the_caller_goes_on() {
    let mut call = waiting().recovering(Some(ANNA), at(0));
    assert_eq!((call.agent(), call.agent_leg()), (Some(ANNA), None));
    assert_eq!(call.lose_agent(at(1)), (false, None));
    call.go_on();
    call.recall(LegId(5));
    assert_eq!(call.recalled(at(2), LegId(5), LegId(5), TALKS), Some(None));
    let mut alone = waiting().recovering(Some(ANNA), at(0));
    alone.wait_again(at(3));
    assert!(alone.is_recovering(), "the caller is not there yet");
    alone.go_on();
    assert_eq!(alone.state(), &CallState::Waiting);
}
