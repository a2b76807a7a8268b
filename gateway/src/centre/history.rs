//! Calls that agents' own histories show besides the queued calls that they had: calls that came through no
//! queue, and missed calls.

use call_engine::Origin;
use call_engine::acd::{AgentId, AssignmentEnd, AssignmentId, CallId};
use sans_io::Time;
use session_core::{CallRecord, Cause, Party as Reachable, Source};
use sip_core::message::StatusCode;

use super::call::ConsultStage;
use super::consult::ConsultEnd;
use super::context::Ctx;
use super::controller::Controller;
use super::ids;
use super::view::{AgentName, Change, Moment, Mos, Outcome, Party, Record, RecordKind};
use crate::routing::Destination;

impl Controller {
    /// Logs a call that came through no queue and is over.
    pub(super) fn log_direct(&mut self, call: &CallRecord, cx: &Ctx<'_>) {
        let (caller, kind, callee) = match &call.source {
            // A session of ours, split off a call.
            None => return,
            Some(Source::User(user)) => {
                let callee = match cx.routing.route(Origin::User(user.clone()), &call.to) {
                    Destination::Party(party) => match *party {
                        Reachable::User(name) => Some(name),
                        _ => None,
                    },
                    _ => None,
                };
                let kind = match callee {
                    Some(_) => RecordKind::Internal,
                    None => RecordKind::Outbound,
                };
                (Some(user.clone()), kind, callee)
            }
            Some(Source::Trunk(_) | Source::Anyone) => {
                let called = call.legs.iter().skip(1).map(|leg| leg.party.clone());
                let is_agent = |name: &String| self.directory.agent_of(name).is_some();
                (
                    None,
                    RecordKind::Inbound,
                    called.chain([call.to.clone()]).find(is_agent),
                )
            }
        };
        let of = |user: &Option<String>| user.as_ref().and_then(|name| self.directory.agent_of(name));
        let agents: Vec<AgentId> = of(&caller).into_iter().chain(of(&callee)).collect();
        if agents.is_empty() {
            return;
        }
        let display = |name: &Option<String>| {
            let person = name.as_ref().and_then(|name| self.directory.person(name));
            person.map(|person| person.display.clone()).unwrap_or_default()
        };
        let from = Party {
            number: caller.clone().unwrap_or_else(|| call.from.clone()),
            display: display(&caller),
        };
        let outcome = match (call.answered, call.cause) {
            (Some(_), _) => Outcome::Completed,
            (None, Cause::Caller) => Outcome::Abandoned,
            (None, _) => outcome_of(call.code),
        };
        let mos = |leg: usize| {
            call.legs
                .get(leg)
                .map(|leg| leg.report.mos)
                .filter(|mos| *mos > 0.0)
        };
        let mos = Mos {
            caller: mos(0),
            agent: mos(1),
        };
        let to = callee.unwrap_or_else(|| call.to.clone());
        let times = (call.began, call.answered, call.ended);
        let record = Record {
            outcome,
            mos,
            ..self.logged(cx.now, kind, (from, to), times, agents)
        };
        self.publisher.change(cx.now, Change::Logged { record });
    }

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
            id: format!("dir_{}", ids::record(number).trim_start_matches("rec_")),
            call: ids::call(number),
            ..self.record_of(kind, parties, times, agents)
        }
    }

    /// A record without parties and kind. `times`: when the call arrived, was answered, and ended.
    fn record_of(
        &self,
        kind: RecordKind,
        (from, to): (Party, String),
        (came, answered, ended): (Time, Option<Time>, Time),
        agents: Vec<AgentId>,
    ) -> Record {
        let names: Vec<AgentName> = agents
            .into_iter()
            .filter_map(|agent| self.agent_name(agent))
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
        }
    }
}

/// Outcome of a call that nobody answered, from its final SIP response.
const fn outcome_of(code: StatusCode) -> Outcome {
    match code {
        StatusCode::BUSY_HERE | StatusCode::BUSY_EVERYWHERE | StatusCode::DECLINE => Outcome::Rejected,
        StatusCode::REQUEST_TIMEOUT
        | StatusCode::TEMPORARILY_UNAVAILABLE
        | StatusCode::REQUEST_TERMINATED => Outcome::NoAnswer,
        _ => Outcome::Failed,
    }
}
