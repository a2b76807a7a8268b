//! Calls, agents, queues and offers as pages see them.

use call_engine::acd::{AgentId, CallId, OfferId, Phase, QueueId, Status, Work};
use sans_io::Time;

use super::controller::{Controller, Live};
use super::ids;
use super::view::{
    Agent, AgentDay, AgentName, Call, CallPhase, Consult, Intent, Mode, Moment, Offer, Participant,
    ParticipantKind, Queue, QueueDay, QueueLive, QueueName,
};

/// Positions that are shown.
const POSITIONS: usize = call_engine::acd::POSITIONS;

impl Controller {
    pub(super) fn project_call(&self, id: CallId) -> Option<Call> {
        let live = self.calls.get(&id)?;
        let state = self.acd.state().calls.get(&id);
        let agent = live.has().and_then(|agent| self.directory.agent(agent));
        let phase = match state.map(|state| state.phase) {
            _ if live.away => CallPhase::Away,
            _ if live.consult.is_some() => CallPhase::Consulting,
            Some(Phase::Connected { held: true, .. }) => CallPhase::Held,
            _ if !live.others.is_empty() && live.agent.is_some() => CallPhase::Conference,
            Some(Phase::Waiting) if self.acd.offers().any(|(_, call, _)| call == id) => CallPhase::Ringing,
            Some(Phase::Waiting) => CallPhase::Waiting,
            Some(Phase::Connecting(_)) => CallPhase::Connecting,
            Some(Phase::Connected { .. }) => CallPhase::Talking,
            None if live.outside && live.others.is_empty() => CallPhase::Connecting,
            None => CallPhase::Talking,
        };
        let mut parties = vec![participant(
            ParticipantKind::Caller,
            name(&live.from.display, &live.from.number),
        )];
        if let Some(agent) = agent {
            parties.push(participant(ParticipantKind::Agent, &agent.display));
        }
        parties.extend(
            live.others
                .values()
                .map(|other| participant(ParticipantKind::Other, &other.name)),
        );
        for (name, watcher) in live.watchers.iter().filter(|(_, watcher)| watcher.up) {
            let display = self
                .directory
                .person(name)
                .map_or(name.as_str(), |person| &person.display);
            parties.push(Participant {
                mode: watcher.mode,
                ..participant(ParticipantKind::Supervisor, display)
            });
        }
        let queue = self.directory.queue(live.queue);
        let position = state
            .filter(|state| state.phase == Phase::Waiting)
            .and_then(|state| {
                let place = self
                    .acd
                    .line(state.queue)
                    .take(POSITIONS)
                    .position(|call| call == id)?;
                u32::try_from(place + 1).ok()
            });
        Some(Call {
            id: ids::call(id),
            queue: queue.map(|queue| QueueName {
                id: queue.id.clone(),
                name: queue.display.clone(),
            }),
            from: live.from.clone(),
            to: live.to.clone(),
            priority: state.map_or(0, |state| state.priority),
            state: phase,
            since: Moment(live.since),
            entered_at: Moment(live.entered),
            answered_at: live.answered.map(Moment),
            position,
            agent: agent.map(|agent| agent.id.clone()),
            agents: live
                .had
                .iter()
                .filter_map(|agent| self.directory.agent(*agent))
                .map(|person| person.id.clone())
                .collect(),
            parties,
            joined: self.asked_or_joined(live),
            transferred_by: live.transferred_by.and_then(|agent| self.agent_name(agent)),
            notes: live.notes.clone(),
            disposition: live.disposition.clone(),
            consult: live.consult.as_ref().map(|consult| Consult {
                to: consult.to.clone(),
                state: consult.state,
                code: consult.code,
            }),
        })
    }

    /// Ids of agents who take part in a call that another agent has.
    fn asked_or_joined(&self, live: &Live) -> Vec<String> {
        let asked = live
            .consult
            .iter()
            .filter(|consult| consult.leg.is_some())
            .filter_map(|consult| consult.agent);
        asked
            .chain(live.colleagues().map(|(_, agent)| agent))
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

    pub(super) fn project_offer(&self, offer: OfferId, call: CallId, agent: AgentId) -> Option<Offer> {
        let ringing = self.offers.get(&offer)?;
        Some(Offer {
            id: ids::offer(offer),
            call: self.project_call(call)?,
            agent: self.directory.agent(agent)?.id.clone(),
            made_at: Moment(ringing.made),
            deadline: Moment(ringing.deadline),
        })
    }

    pub(super) fn project_agent(&self, now: Time, id: AgentId) -> Option<Agent> {
        let person = self.directory.agent(id)?;
        let unknown = call_engine::acd::AgentState::default();
        let state = self.acd.state().agents.get(&id).unwrap_or(&unknown);
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
        let intent = Intent::of(&state.intent);
        let (call, wrap_up_until) = match state.work {
            Work::Idle => (None, None),
            Work::Call(call) => (Some(ids::call(call)), None),
            Work::WrapUp(until) => (None, Some(Moment(Time(until)))),
        };
        Some(Agent {
            id: person.id.clone(),
            name: person.name.clone(),
            display: person.display.clone(),
            status: state.status.into(),
            since: Moment(Time(state.status_since).max(if state.signed_in == 0 {
                self.began
            } else {
                Time::ZERO
            })),
            reason: intent.reason,
            next: state.next.as_ref().map(Intent::of),
            reach: self.acd.reach(id)?.into(),
            call,
            last_call: self.last_calls.get(&id).copied().map(ids::call),
            wrap_up_until,
            queues: person
                .agent
                .iter()
                .flat_map(|agent| &agent.queues)
                .filter_map(|member| self.directory.queue(member.queue))
                .map(|queue| queue.id.clone())
                .collect(),
            today: AgentDay {
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
            },
        })
    }

    pub(super) fn project_queue(&self, now: Time, id: QueueId) -> Option<Queue> {
        let queue = self.directory.queue(id)?;
        let mut live = QueueLive {
            waiting: u32::try_from(self.acd.line(id).count()).unwrap_or(u32::MAX),
            line: self.acd.line(id).take(POSITIONS).map(ids::call).collect(),
            oldest_since: self
                .acd
                .line(id)
                .filter_map(|call| self.acd.state().calls.get(&call))
                .map(|call| call.since)
                .min()
                .map(|since| Moment(Time(since))),
            ..QueueLive::default()
        };
        for person in self.directory.serving(id) {
            let state = person
                .agent
                .as_ref()
                .and_then(|agent| self.acd.state().agents.get(&agent.id));
            match state.map_or(Status::Offline, |state| state.status) {
                Status::Offline => continue,
                Status::Available => live.agents_available += 1,
                Status::Ringing
                | Status::Connecting
                | Status::Talking
                | Status::Held
                | Status::WrapUp
                | Status::Direct => {
                    live.agents_busy += 1;
                }
                Status::Unreachable | Status::Paused => {}
            }
            live.agents_signed_in += 1;
        }
        let counts = self.metrics.queue_counts(id, (self.midnight)(now), now);
        Some(Queue {
            id: queue.id.clone(),
            name: queue.display.clone(),
            strategy: queue.config.strategy.name().to_owned(),
            service_level_target_s: u32::try_from(queue.level.target.as_secs()).unwrap_or(u32::MAX),
            live,
            today: QueueDay::of(&counts),
            alarms: queue.alarms.clone(),
            silent_monitoring: queue.silent_monitoring,
        })
    }
}

impl QueueDay {
    /// Portrait of the engine's state.
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
