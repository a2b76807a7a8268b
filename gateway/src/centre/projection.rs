//! Calls, agents, queues and assignments as pages see them.

use call_engine::acd::{AgentId, AgentState, AssignmentId, CallId, Phase, QueueId, Status, Work};
use sans_io::Time;

use super::call::{Call, CallState, Consult, ConsultStage};
use super::ids;
use super::publication::Published;
use super::today::Today;
use super::view::{
    self, Agent, AgentDay, Assignment, CallPhase, ConsultState, Intent, Mode, Moment, Participant,
    ParticipantKind, Queue, QueueDay, QueueLive, QueueName,
};

/// Positions that are shown.
const POSITIONS: usize = call_engine::acd::POSITIONS;

/// State of the call centre, to be shown.
#[derive(Clone, Copy)]
pub(super) struct Projection<'a> {
    pub(super) of: Published<'a>,
    pub(super) today: &'a Today,
    /// Time at which this engine began.
    pub(super) began: Time,
}

impl Projection<'_> {
    pub(super) fn call(&self, id: CallId) -> Option<view::Call> {
        let call = self.of.calls.get(id)?;
        let state = self.of.engine.call(id);
        let agent = call.agent().and_then(|agent| self.of.directory.agent(agent));
        let queue = self.of.directory.queue(call.queue());
        Some(view::Call {
            id: ids::call(id),
            kind: view::CallKind::Queue,
            queue: queue.map(|queue| QueueName {
                id: queue.id.clone(),
                name: queue.display.clone(),
            }),
            from: call.from().clone(),
            to: call.to().to_owned(),
            priority: state.map_or(0, |state| state.priority),
            state: call.phase(),
            since: Moment(call.since()),
            entered_at: Moment(call.entered()),
            answered_at: call.answered().map(Moment),
            position: self.position(id),
            agent: agent.map(|agent| agent.id.clone()),
            agents: self.ids_of(call.agents().iter().copied()),
            parties: self.participants(call, agent.map(|agent| agent.display.as_str())),
            legs: call.legs().to_vec(),
            joined: self.consulted_or_joined(call),
            transferred_by: call
                .transferred_by()
                .and_then(|agent| self.of.directory.agent_name(agent)),
            notes: call.notes().to_vec(),
            disposition: call.disposition().map(str::to_owned),
            consult: call.consult().map(Consult::project),
            parked: None,
        })
    }

    /// Place of a call in its queue, from 1, if it is among the first.
    fn position(&self, call: CallId) -> Option<u32> {
        let state = self.of.engine.call(call)?;
        if state.phase != Phase::Waiting {
            return None;
        }
        let mut line = self.of.engine.line(state.queue).take(POSITIONS);
        u32::try_from(line.position(|other| other == call)? + 1).ok()
    }

    fn participants(&self, call: &Call, agent: Option<&str>) -> Vec<Participant> {
        let caller = name(&call.from().display, &call.from().number);
        let mut parties = vec![participant(ParticipantKind::Caller, caller)];
        parties.extend(agent.map(|agent| participant(ParticipantKind::Agent, agent)));
        let others = call.others();
        let forwarded = match call.state() {
            CallState::Forwarding { to, .. } => Some(to.as_str()),
            _ => None,
        };
        parties.extend(
            others
                .chain(forwarded)
                .map(|other| participant(ParticipantKind::Other, other)),
        );
        for (name, mode) in call.supervisors().joined() {
            let person = self.of.directory.person(name);
            let display = person.map_or(name, |person| &person.display);
            parties.push(Participant {
                mode,
                ..participant(ParticipantKind::Supervisor, display)
            });
        }
        parties
    }

    /// Ids of agents who take part in a call that another agent has.
    fn consulted_or_joined(&self, call: &Call) -> Vec<String> {
        let consulted = call
            .consult()
            .filter(|consult| consult.leg().is_some())
            .and_then(|consult| consult.agent);
        self.ids_of(
            consulted
                .into_iter()
                .chain(call.colleagues().map(|(_, agent)| agent)),
        )
    }

    fn ids_of(&self, agents: impl Iterator<Item = AgentId>) -> Vec<String> {
        agents
            .filter_map(|agent| self.of.directory.agent(agent))
            .map(|person| person.id.clone())
            .collect()
    }

    pub(super) fn assignment(&self, id: AssignmentId, call: CallId, agent: AgentId) -> Option<Assignment> {
        let assignment = self.of.calls.get(call)?.assignment(id)?;
        Some(Assignment {
            id: ids::assignment(id),
            call: self.call(call)?,
            agent: self.of.directory.agent(agent)?.id.clone(),
            made_at: Moment(assignment.made),
            deadline: Moment(assignment.deadline),
        })
    }

    pub(super) fn agent(&self, now: Time, id: AgentId) -> Option<Agent> {
        let person = self.of.directory.agent(id)?;
        let unknown = AgentState::default();
        let state = self.of.engine.agent(id).unwrap_or(&unknown);
        let intent = Intent::of(&state.intent);
        let (call, wrap_up_until) = match state.work {
            Work::Idle => (None, None),
            Work::Call(call) => (Some(ids::call(call)), None),
            Work::WrapUp(until) => (None, Some(Moment(Time(until)))),
        };
        let began = if state.signed_in == 0 {
            self.began
        } else {
            Time::ZERO
        };
        let served = person.agent.iter().flat_map(|agent| &agent.queues);
        Some(Agent {
            id: person.id.clone(),
            name: person.name.clone(),
            display: person.display.clone(),
            status: state.status.into(),
            since: Moment(Time(state.status_since).max(began)),
            reason: intent.reason,
            next: state.next.as_ref().map(Intent::of),
            reach: self.of.engine.reach(id)?.into(),
            call,
            last_call: self.of.agents.last_call(id).map(ids::call),
            wrap_up_until,
            queues: served
                .filter_map(|member| self.of.directory.queue(member.queue))
                .map(|queue| queue.id.clone())
                .collect(),
            today: AgentDay::of(state, now),
        })
    }

    pub(super) fn queue(&self, now: Time, id: QueueId) -> Option<Queue> {
        let queue = self.of.directory.queue(id)?;
        let arrivals = self
            .of
            .engine
            .line(id)
            .filter_map(|call| self.of.engine.call(call));
        let mut live = QueueLive {
            waiting: u32::try_from(self.of.engine.line(id).count()).unwrap_or(u32::MAX),
            line: self.of.engine.line(id).take(POSITIONS).map(ids::call).collect(),
            oldest_since: arrivals
                .map(|call| call.since)
                .min()
                .map(|since| Moment(Time(since))),
            ..QueueLive::default()
        };
        for person in self.of.directory.serving(id) {
            let agent = person.agent.as_ref();
            let state = agent.and_then(|agent| self.of.engine.agent(agent.id));
            live.count(state.map_or(Status::Offline, |state| state.status));
        }
        Some(Queue {
            id: queue.id.clone(),
            name: queue.display.clone(),
            strategy: queue.config.strategy.name().to_owned(),
            service_level_target_s: u32::try_from(queue.settings.service_level.as_secs()).unwrap_or(u32::MAX),
            live,
            today: QueueDay::of(&self.today.queue(now, id)),
            alarms: queue.alarms(),
            silent_monitoring: queue.settings.silent_monitoring,
        })
    }
}

impl Call {
    /// Phase as pages see it.
    pub(super) fn phase(&self) -> CallPhase {
        match self.state() {
            CallState::Recovering { agent: Some(_) } | CallState::AgentAway { .. } => CallPhase::Away,
            CallState::Recovering { agent: None } | CallState::Waiting => CallPhase::Waiting,
            CallState::Ringing { .. } => CallPhase::Ringing,
            CallState::Consulting { .. } => CallPhase::Consulting,
            CallState::Talking { held: true, .. } => CallPhase::Held,
            CallState::Talking { .. } | CallState::Connecting { .. } if self.has_others() => {
                CallPhase::Conference
            }
            CallState::Connecting { .. } => CallPhase::Connecting,
            CallState::WithOthers if !self.has_others() => CallPhase::Connecting,
            CallState::Talking { .. } | CallState::Forwarding { .. } | CallState::WithOthers => {
                CallPhase::Talking
            }
        }
    }
}

impl Consult {
    fn project(&self) -> view::Consult {
        let (state, code) = match self.stage {
            ConsultStage::Ringing { .. } => (ConsultState::Ringing, None),
            ConsultStage::Talking { .. } => (ConsultState::Talking, None),
            ConsultStage::Failed { how } => (ConsultState::Failed, how.code()),
        };
        view::Consult {
            to: self.to.clone(),
            state,
            code,
        }
    }
}

impl AgentDay {
    fn of(state: &AgentState, now: Time) -> AgentDay {
        let seconds = |status| state.time_in(status, now) / 1_000_000;
        let signed_in: u64 = Status::ALL
            .into_iter()
            .filter(|status| *status != Status::Offline)
            .map(seconds)
            .sum();
        let paused = seconds(Status::Paused);
        let busy = seconds(Status::Connecting)
            + seconds(Status::Talking)
            + seconds(Status::Held)
            + seconds(Status::WrapUp);
        let worked = signed_in.saturating_sub(paused);
        AgentDay {
            calls: state.calls,
            talk_s: seconds(Status::Talking) + seconds(Status::Held),
            wrap_up_s: seconds(Status::WrapUp),
            paused_s: paused,
            signed_in_s: signed_in,
            occupancy: if worked == 0 {
                0.0
            } else {
                busy as f64 / worked as f64
            },
        }
    }
}

impl QueueLive {
    /// Counts an agent who serves the queue and has this status.
    fn count(&mut self, status: Status) {
        match status {
            Status::Offline => return,
            Status::Available => self.agents_available += 1,
            Status::Ringing
            | Status::Connecting
            | Status::Talking
            | Status::Held
            | Status::WrapUp
            | Status::Direct => self.agents_busy += 1,
            Status::Unreachable | Status::Paused => {}
        }
        self.agents_signed_in += 1;
    }
}

fn participant(kind: ParticipantKind, name: &str) -> Participant {
    Participant {
        kind,
        name: name.to_owned(),
        mode: Mode::Party,
    }
}

fn name<'n>(display: &'n str, number: &'n str) -> &'n str {
    if display.is_empty() { number } else { display }
}
