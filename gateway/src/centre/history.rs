//! Entries of agents' own histories besides the calls that they had: missed calls, and consultations.

use call_engine::acd::{AgentId, AssignmentEnd, AssignmentId, CallId};
use sans_io::Time;
use sip_core::message::StatusCode;

use super::call::{ConsultEnd, ConsultStage};
use super::context::Ctx;
use super::controller::Controller;
use super::direct::direct_record;
use super::ids;
use super::view::{AgentName, Change, Moment, Mos, Outcome, Party, Record, RecordKind};

impl Controller {
    /// Logs that a consulted colleague is out of the call.
    pub(super) fn log_consult(&mut self, id: CallId, how: ConsultEnd, cx: &Ctx<'_>) {
        let Some(call) = self.calls.get(&id) else { return };
        let (Some(asks), Some(consult)) = (call.talking(), call.consult()) else {
            return;
        };
        let Some(asked) = consult.agent else { return };
        let answered = match consult.stage {
            ConsultStage::Ringing { .. } => None,
            ConsultStage::Talking { answered, .. } => Some(answered),
            ConsultStage::Failed { .. } => return,
        };
        let person = |agent| self.directory.agent(agent);
        let from = person(asks.agent).map(|person| Party {
            number: person.name.clone(),
            display: person.display.clone(),
        });
        let to = person(asked).map(|person| person.name.clone());
        let times = (consult.began, answered, cx.now);
        let outcome = match (answered, how) {
            (Some(_), _) => Outcome::Completed,
            (None, ConsultEnd::GaveUp) => Outcome::Abandoned,
            (None, ConsultEnd::Left) => Outcome::Failed,
            (None, ConsultEnd::Refused(code)) => outcome_of(code),
        };
        let parties = (from.unwrap_or_default(), to.unwrap_or_default());
        let record = Record {
            outcome,
            ..self.logged(cx.now, RecordKind::Internal, parties, times, vec![asked])
        };
        self.publisher.change(cx.now, Change::Logged { record });
    }

    /// Logs the end of an assignment of a queued call to an agent.
    pub(super) fn log_missed(
        &mut self,
        now: Time,
        (assignment, call): (AssignmentId, CallId),
        agent: AgentId,
        how: AssignmentEnd,
    ) {
        let outcome = match how {
            AssignmentEnd::Accepted | AssignmentEnd::Cancelled => return,
            AssignmentEnd::Rejected => Outcome::Rejected,
            AssignmentEnd::NoAnswer => Outcome::NoAnswer,
            AssignmentEnd::Lost => Outcome::Failed,
        };
        let Some(missed) = self.calls.get(&call) else {
            return;
        };
        let queue = self.directory.queue(missed.queue);
        let record = Record {
            id: format!("mis_{}", ids::assignment(assignment).trim_start_matches("off_")),
            call: ids::call(call),
            queue: queue.map(|queue| queue.id.clone()),
            queue_name: queue.map(|queue| queue.display.clone()).unwrap_or_default(),
            outcome,
            ..self.record_of(
                RecordKind::Missed,
                (missed.from.clone(), missed.to.clone()),
                (missed.entered, None, now),
                vec![agent],
            )
        };
        self.publisher.change(now, Change::Logged { record });
    }

    /// Logs a record under an id of its own.
    fn logged(
        &mut self,
        now: Time,
        kind: RecordKind,
        parties: (Party, String),
        times: (Time, Option<Time>, Time),
        agents: Vec<AgentId>,
    ) -> Record {
        let number = self.next_call(now);
        Record {
            id: direct_record(number),
            call: ids::call(number),
            ..self.record_of(kind, parties, times, agents)
        }
    }

    /// A record without parties and kind. `times`: when the call arrived, was answered, and ended.
    pub(super) fn record_of(
        &self,
        kind: RecordKind,
        (from, to): (Party, String),
        (came, answered, ended): (Time, Option<Time>, Time),
        agents: Vec<AgentId>,
    ) -> Record {
        let names: Vec<AgentName> = agents
            .into_iter()
            .filter_map(|agent| self.directory.agent_name(agent))
            .collect();
        Record {
            id: String::new(),
            call: String::new(),
            kind,
            queue: None,
            queue_name: String::new(),
            from,
            to,
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
