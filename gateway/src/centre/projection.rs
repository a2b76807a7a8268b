//! Calls, agents, queues and assignments as pages see them.

use call_engine::acd::{AgentId, AgentState, AssignmentId, CallId, Phase, QueueId, Status, Work};
use sans_io::Time;
use sip_core::message::StatusCode;

use super::call::{Call, CallState, Consult, ConsultStage, SupervisorStage};
use super::controller::Controller;
use super::ids;
use super::view::{
    self, Agent, AgentDay, AgentName, Assignment, CallPhase, ConsultState, Intent, Mode, Moment, Participant,
    ParticipantKind, Queue, QueueDay, QueueLive, QueueName,
};

/// Positions that are shown.
const POSITIONS: usize = call_engine::acd::POSITIONS;

impl Controller {
    pub(super) fn project_call(&self, id: CallId) -> Option<view::Call> {
        let call = self.calls.get(&id)?;
        let state = self.engine.call(id);
        let agent = call.agent().and_then(|agent| self.directory.agent(agent));
        let queue = self.directory.queue(call.queue);
        Some(view::Call {
            id: ids::call(id),
            queue: queue.map(|queue| QueueName {
                id: queue.id.clone(),
                name: queue.display.clone(),
            }),
            from: call.from.clone(),
            to: call.to.clone(),
            priority: state.map_or(0, |state| state.priority),
            state: call.phase(),
            since: Moment(call.since),
            entered_at: Moment(call.entered),
            answered_at: call.answered.map(Moment),
            position: self.position(id),
            agent: agent.map(|agent| agent.id.clone()),
            agents: self.ids_of(call.agents.iter().copied()),
            parties: self.participants(call, agent.map(|agent| agent.display.as_str())),
            joined: self.consulted_or_joined(call),
            transferred_by: call.transferred_by.and_then(|agent| self.agent_name(agent)),
            notes: call.notes.clone(),
            disposition: call.disposition.clone(),
            consult: call.consult().map(Consult::project),
        })
    }

    /// Place of a call in its queue, from 1, if it is among the first.
    fn position(&self, call: CallId) -> Option<u32> {
        let state = self.engine.call(call)?;
        if state.phase != Phase::Waiting {
            return None;
        }
        let mut line = self.engine.line(state.queue).take(POSITIONS);
        u32::try_from(line.position(|other| other == call)? + 1).ok()
    }

    fn participants(&self, call: &Call, agent: Option<&str>) -> Vec<Participant> {
        let caller = name(&call.from.display, &call.from.number);
        let mut parties = vec![participant(ParticipantKind::Caller, caller)];
        parties.extend(agent.map(|agent| participant(ParticipantKind::Agent, agent)));
        let others = call.others.values().map(|other| other.name.as_str());
        let forwarded = match call.state() {
            CallState::Forwarding { to, .. } => Some(to.as_str()),
            _ => None,
        };
        parties.extend(
            others
                .chain(forwarded)
                .map(|other| participant(ParticipantKind::Other, other)),
        );
        for (name, supervisor) in &call.supervisors {
            if supervisor.stage == SupervisorStage::Joined {
                let person = self.directory.person(name);
                let display = person.map_or(name.as_str(), |person| &person.display);
                parties.push(Participant {
                    mode: supervisor.mode,
                    ..participant(ParticipantKind::Supervisor, display)
                });
            }
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
            .filter_map(|agent| self.directory.agent(agent))
            .map(|person| person.id.clone())
            .collect()
    }

    pub(super) fn agent_name(&self, agent: AgentId) -> Option<AgentName> {
        self.directory.agent(agent).map(|person| AgentName {
            id: person.id.clone(),
            name: person.display.clone(),
        })
    }

    pub(super) fn project_assignment(
        &self,
        id: AssignmentId,
        call: CallId,
        agent: AgentId,
    ) -> Option<Assignment> {
        let assignment = self.calls.get(&call)?.assignment(id)?;
        Some(Assignment {
            id: ids::assignment(id),
            call: self.project_call(call)?,
            agent: self.directory.agent(agent)?.id.clone(),
            made_at: Moment(assignment.made),
            deadline: Moment(assignment.deadline),
        })
    }

    pub(super) fn project_agent(&self, now: Time, id: AgentId) -> Option<Agent> {
        let person = self.directory.agent(id)?;
        let unknown = AgentState::default();
        let state = self.engine.agent(id).unwrap_or(&unknown);
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
            reach: self.engine.reach(id)?.into(),
            call,
            last_call: self.agents.last_call(id).map(ids::call),
            wrap_up_until,
            queues: served
                .filter_map(|member| self.directory.queue(member.queue))
                .map(|queue| queue.id.clone())
                .collect(),
            today: AgentDay::of(state, now),
        })
    }

    pub(super) fn project_queue(&self, now: Time, id: QueueId) -> Option<Queue> {
        let queue = self.directory.queue(id)?;
        let arrivals = self.engine.line(id).filter_map(|call| self.engine.call(call));
        let mut live = QueueLive {
            waiting: u32::try_from(self.engine.line(id).count()).unwrap_or(u32::MAX),
            line: self.engine.line(id).take(POSITIONS).map(ids::call).collect(),
            oldest_since: arrivals
                .map(|call| call.since)
                .min()
                .map(|since| Moment(Time(since))),
            ..QueueLive::default()
        };
        for person in self.directory.serving(id) {
            let agent = person.agent.as_ref();
            let state = agent.and_then(|agent| self.engine.agent(agent.id));
            live.count(state.map_or(Status::Offline, |state| state.status));
        }
        Some(Queue {
            id: queue.id.clone(),
            name: queue.display.clone(),
            strategy: queue.config.strategy.name().to_owned(),
            service_level_target_s: u32::try_from(queue.level.target.as_secs()).unwrap_or(u32::MAX),
            live,
            today: QueueDay::of(&self.today.queue(now, id)),
            alarms: queue.alarms.clone(),
            silent_monitoring: queue.silent_monitoring,
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
            CallState::Talking { .. } | CallState::Connecting { .. } if !self.others.is_empty() => {
                CallPhase::Conference
            }
            CallState::Connecting { .. } => CallPhase::Connecting,
            CallState::WithOthers if self.others.is_empty() => CallPhase::Connecting,
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
            ConsultStage::Failed { code } => (ConsultState::Failed, code.map(StatusCode::get)),
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

impl QueueDay {
    /// Numbers of a queue from its counts.
    #[must_use]
    pub fn of(counts: &call_engine::acd::metrics::QueueCounts) -> QueueDay {
        QueueDay {
            entered: counts.entered,
            answered: counts.answered,
            abandoned: counts.abandoned,
            overflowed: counts.overflowed,
            completed: counts.completed,
            sent_on: counts.sent_on,
            lost: counts.lost,
            hung_up: counts.hung_up,
            service_level: counts.service_level(),
            asa_s: counts.asa(),
            aht_s: counts.aht(),
            longest_wait_s: counts.longest as f64 / 1_000_000.0,
        }
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
