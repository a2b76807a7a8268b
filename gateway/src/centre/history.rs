//! Records of calls, from the facts that are known where each ends: queued calls, direct ones, and the entries of agents' own
//! histories, which are missed calls and consultations.

use call_engine::acd::{AgentId, AssignmentEnd, AssignmentId, CallId};
use sans_io::Time;
use session_core::CallRecord;
use sip_core::message::StatusCode;

use super::call::{Call, Consult, ConsultEnd, ConsultStage};
use super::directory::Directory;
use super::ids;
use super::view::{AgentName, Moment, Mos, Outcome, Party, Record, RecordKind, RecordLeg};

/// Times at which a call arrived, was answered, and ended.
pub(super) type Times = (Time, Option<Time>, Time);

/// Record of a call without ids. `parties`: the caller, and who was called.
pub(super) fn record(
    directory: &Directory,
    kind: RecordKind,
    (from, to): (Party, String),
    (came, answered, ended): Times,
    agents: Vec<AgentId>,
) -> Record {
    let names: Vec<AgentName> = agents
        .into_iter()
        .filter_map(|agent| directory.agent_name(agent))
        .collect();
    Record {
        id: String::new(),
        call: String::new(),
        kind,
        queue: None,
        queue_name: String::new(),
        from,
        to,
        forwarded: Vec::new(),
        entered_at: Moment(came),
        answered_at: answered.map(Moment),
        ended_at: Moment(ended),
        outcome: Outcome::Completed,
        waited_s: answered.unwrap_or(ended).since(came).as_secs_f64(),
        talked_s: answered.map_or(0.0, |answered| ended.since(answered).as_secs_f64()),
        held_s: 0.0,
        agents: names,
        disposition: None,
        notes: None,
        notes_by: Vec::new(),
        mos: Mos::default(),
        code: None,
        reason: None,
        hung_up_by: None,
        legs: Vec::new(),
    }
}

/// Record of a consultation that is over, under the number that it gets; none of one that ended before, or of a party that is no agent.
pub(super) fn consultation(
    directory: &Directory,
    (asks, consult): (AgentId, &Consult),
    how: ConsultEnd,
    now: Time,
    number: impl FnOnce() -> CallId,
) -> Option<Record> {
    let asked = consult.agent?;
    let answered = match consult.stage {
        ConsultStage::Ringing { .. } => None,
        ConsultStage::Talking { answered, .. } => Some(answered),
        ConsultStage::Failed { .. } => return None,
    };
    let from = directory.agent(asks).map(|person| Party {
        number: person.name.clone(),
        display: person.display.clone(),
    });
    let to = directory.agent(asked).map(|person| person.name.clone());
    let outcome = match (answered, how) {
        (Some(_), _) => Outcome::Completed,
        (None, ConsultEnd::GaveUp) => Outcome::Abandoned,
        (None, ConsultEnd::Left) => Outcome::Failed,
        (None, ConsultEnd::Refused(code)) => outcome_of(code),
    };
    let parties = (from.unwrap_or_default(), to.unwrap_or_default());
    let times = (consult.began, answered, now);
    let number = number();
    Some(Record {
        id: ids::direct_record(number),
        call: ids::call(number),
        outcome,
        ..record(directory, RecordKind::Internal, parties, times, vec![asked])
    })
}

/// Record of an assignment that its agent did not take; none of one that the agent took, or that was withdrawn.
pub(super) fn missed(
    directory: &Directory,
    (id, call): (CallId, &Call),
    (assignment, agent): (AssignmentId, AgentId),
    how: AssignmentEnd,
    now: Time,
) -> Option<Record> {
    let outcome = match how {
        AssignmentEnd::Accepted | AssignmentEnd::Cancelled => return None,
        AssignmentEnd::Rejected => Outcome::Rejected,
        AssignmentEnd::NoAnswer => Outcome::NoAnswer,
        AssignmentEnd::Lost => Outcome::Failed,
    };
    let queue = directory.queue(call.queue());
    let parties = (call.from().clone(), call.to().to_owned());
    let times = (call.entered(), None, now);
    Some(Record {
        id: ids::missed(assignment),
        call: ids::call(id),
        queue: queue.map(|queue| queue.id.clone()),
        queue_name: queue.map(|queue| queue.display.clone()).unwrap_or_default(),
        outcome,
        ..record(directory, RecordKind::Missed, parties, times, vec![agent])
    })
}

/// Legs of a session that is over.
pub(super) fn legs(directory: &Directory, call: &CallRecord) -> Vec<RecordLeg> {
    let legs = call.legs.iter();
    legs.map(|leg| RecordLeg::new(leg, directory.user_name(leg.user.as_deref())))
        .collect()
}

/// Outcome of a call that nobody answered, from its final SIP response.
pub(super) const fn outcome_of(code: StatusCode) -> Outcome {
    match code {
        StatusCode::BUSY_HERE | StatusCode::BUSY_EVERYWHERE | StatusCode::DECLINE => Outcome::Rejected,
        StatusCode::REQUEST_TIMEOUT
        | StatusCode::TEMPORARILY_UNAVAILABLE
        | StatusCode::REQUEST_TERMINATED => Outcome::NoAnswer,
        _ => Outcome::Failed,
    }
}
