//! Agents: their intents, reachability and work.

use std::collections::BTreeSet;

use sans_io::Time;

use super::config::AgentConfig;
use super::fact::{AssignmentEnd, Fact, Intent, Status};
use super::ids::{AgentId, CallId, ConnId};
use super::index::Key;
use super::input::{Output, Reach, Refusal};
use super::state::{AgentState, Phase, Work};
use super::timeout::Alarm;
use super::{Acd, Agent};

/// An agent that is not in the log yet.
static UNKNOWN: AgentState = AgentState {
    intent: Intent::Offline,
    next: None,
    work: Work::Idle,
    idle_since: 0,
    unanswered: 0,
    last_assigned: 0,
    calls: 0,
    status: Status::Offline,
    status_since: 0,
    times: [0; Status::COUNT],
    signed_in: 0,
};

impl Acd {
    pub(super) fn agent_state(&self, agent: AgentId) -> &AgentState {
        self.state.agents.get(&agent).unwrap_or(&UNKNOWN)
    }

    pub(super) fn set_agent(&mut self, now: Time, config: AgentConfig) {
        let id = config.id;
        let class = self.index.join(&config, &self.queues);
        match self.agents.get_mut(&id) {
            Some(agent) => {
                let old = agent.class;
                agent.config = config;
                self.withdraw(id);
                if let Some(agent) = self.agents.get_mut(&id) {
                    agent.class = class;
                }
                self.index.leave(old);
            }
            None => {
                self.agents.insert(id, Agent::new(config, class));
                self.stick(id);
            }
        }
        self.refresh(now, id);
    }

    pub(super) fn remove_agent(&mut self, now: Time, id: AgentId) {
        let Some(agent) = self.agents.get(&id) else {
            return self.refuse(Refusal::UnknownAgent(id));
        };
        if matches!(self.agent_state(id).work, Work::Call(_)) {
            return self.refuse(Refusal::AgentBusy(id));
        }
        if let Some(assignment) = agent.assignment {
            self.end_assignment(now, assignment, AssignmentEnd::Cancelled, false);
        }
        if matches!(self.agent_state(id).work, Work::WrapUp(_)) {
            self.record(
                now,
                Fact::WrappedUp {
                    agent: id,
                    code: None,
                },
            );
        }
        self.set_intent(now, id, Intent::Offline);
        self.release_sticky(now, id);
        if let Some(agent) = self.agents.get_mut(&id) {
            agent.lines = 0;
        }
        self.refresh(now, id);
        self.withdraw(id);
        for alarm in [
            Alarm::WrapUp(id),
            Alarm::CoolDown(id),
            Alarm::Exclude(id),
            Alarm::Probe(id),
            Alarm::DetachGrace(id),
        ] {
            self.timers.cancel(alarm);
        }
        self.excluders.remove(&id);
        self.ready_agents.remove(&id);
        if let Some(agent) = self.agents.remove(&id) {
            self.index.leave(agent.class);
        }
    }

    pub(super) fn intend(&mut self, now: Time, id: AgentId, intent: Intent) {
        if !self.agents.contains_key(&id) {
            return self.refuse(Refusal::UnknownAgent(id));
        }
        let state = self.agent_state(id);
        match state.work {
            // An agent who wants calls is done with wrap-up.
            Work::WrapUp(_) if intent == Intent::Available => {
                self.timers.cancel(Alarm::WrapUp(id));
                self.record(
                    now,
                    Fact::WrappedUp {
                        agent: id,
                        code: None,
                    },
                );
                self.set_intent(now, id, intent);
            }
            Work::Call(_) | Work::WrapUp(_) => {
                let next = (state.intent != intent).then_some(intent);
                if state.next != next {
                    self.record(
                        now,
                        Fact::Next {
                            agent: id,
                            intent: next,
                        },
                    );
                }
            }
            Work::Idle => self.set_intent(now, id, intent),
        }
        self.refresh(now, id);
    }

    /// Sets the intent of an idle agent.
    pub(super) fn set_intent(&mut self, now: Time, id: AgentId, intent: Intent) {
        let state = self.agent_state(id);
        if state.intent == intent && state.next.is_none() {
            return;
        }
        let leaves = intent == Intent::Offline;
        if intent == Intent::Available {
            self.timers.cancel(Alarm::CoolDown(id));
            if let Some(agent) = self.agents.get_mut(&id) {
                agent.cooling = false;
                if agent.conn.is_some() && agent.reach != Reach::Attached {
                    // Nobody asked while the agent was not signed in.
                    self.out.push_back(Output::Probe { agent: id });
                }
            }
        } else if let Some(assignment) = self.agents.get(&id).and_then(|agent| agent.assignment) {
            self.end_assignment(now, assignment, AssignmentEnd::Cancelled, false);
        }
        self.record(now, Fact::Intent { agent: id, intent });
        if leaves {
            self.release_sticky(now, id);
        }
    }

    /// Applies the intent that an agent had for after the present work.
    pub(super) fn apply_next(&mut self, now: Time, id: AgentId) {
        let state = self.agent_state(id);
        if state.work == Work::Idle
            && let Some(intent) = state.next.clone()
        {
            self.set_intent(now, id, intent);
        }
    }

    pub(super) fn attached(&mut self, now: Time, id: AgentId, conn: ConnId) {
        let Some(agent) = self.agents.get_mut(&id) else {
            return self.refuse(Refusal::UnknownAgent(id));
        };
        if agent.conn.is_some_and(|newer| newer > conn) {
            return self.refuse(Refusal::Superseded(id, conn));
        }
        agent.conn = Some(conn);
        agent.reach = Reach::Attached;
        agent.proof = now;
        self.timers.cancel(Alarm::DetachGrace(id));
        self.arm(Alarm::Probe(id), now + self.settings.probe_interval);
        self.refresh(now, id);
    }

    pub(super) fn detached(&mut self, now: Time, id: AgentId, conn: ConnId) {
        let Some(agent) = self.agents.get_mut(&id).filter(|agent| agent.conn == Some(conn)) else {
            return;
        };
        agent.conn = None;
        agent.reach = Reach::Suspect;
        self.timers.cancel(Alarm::Probe(id));
        self.arm(Alarm::DetachGrace(id), now + self.settings.detach_grace);
        self.suspect(now, id);
    }

    /// Grace is over.
    pub(super) fn detach(&mut self, now: Time, id: AgentId) {
        if let Some(agent) = self.agents.get_mut(&id) {
            agent.reach = Reach::Detached;
        }
        self.refresh(now, id);
    }

    pub(super) fn proved(&mut self, now: Time, id: AgentId) {
        let Some(agent) = self.agents.get_mut(&id).filter(|agent| agent.conn.is_some()) else {
            return;
        };
        agent.proof = now;
        if agent.reach != Reach::Attached {
            agent.reach = Reach::Attached;
            self.refresh(now, id);
        }
    }

    /// A sign of life is due. Nobody asks those who are not signed in.
    pub(super) fn probe(&mut self, now: Time, id: AgentId) {
        let signed_in = self.agent_state(id).intent != Intent::Offline;
        let Some(agent) = self.agents.get_mut(&id).filter(|agent| agent.conn.is_some()) else {
            return;
        };
        let (interval, max_age) = (self.settings.probe_interval, self.settings.probe_max_age);
        let age = now.since(agent.proof);
        if age >= max_age && agent.reach == Reach::Attached {
            agent.reach = Reach::Suspect;
            self.suspect(now, id);
        }
        let Some(agent) = self.agents.get(&id) else { return };
        let next = if age < interval {
            agent.proof + interval
        } else {
            if signed_in {
                self.out.push_back(Output::Probe { agent: id });
            }
            let expires = agent.proof + max_age;
            if expires > now {
                expires.min(now + interval)
            } else {
                now + interval
            }
        };
        self.arm(Alarm::Probe(id), next);
    }

    fn suspect(&mut self, now: Time, id: AgentId) {
        if let Some(assignment) = self.agents.get(&id).and_then(|agent| agent.assignment) {
            self.lose_assignment(now, assignment);
        }
        self.refresh(now, id);
    }

    pub(super) fn set_lines(&mut self, now: Time, id: AgentId, lines: u32) {
        let Some(agent) = self.agents.get_mut(&id) else {
            return self.refuse(Refusal::UnknownAgent(id));
        };
        agent.lines = lines;
        if lines > 0
            && !agent.config.acd_on_direct
            && let Some(assignment) = agent.assignment
        {
            self.end_assignment(now, assignment, AssignmentEnd::Cancelled, false);
        }
        self.refresh(now, id);
    }

    pub(super) fn wrapped_up(&mut self, now: Time, id: AgentId, code: Option<String>) {
        if !self.agents.contains_key(&id) {
            return self.refuse(Refusal::UnknownAgent(id));
        }
        if matches!(self.agent_state(id).work, Work::WrapUp(_)) {
            self.end_wrap_up(now, id, code);
        } else {
            self.refuse(Refusal::NotWrappingUp(id));
        }
    }

    /// Wrap-up ends, by itself or because the agent says so.
    pub(super) fn end_wrap_up(&mut self, now: Time, agent: AgentId, code: Option<String>) {
        self.timers.cancel(Alarm::WrapUp(agent));
        self.record(now, Fact::WrappedUp { agent, code });
        self.apply_next(now, agent);
        self.refresh(now, agent);
    }

    /// An agent has no call any more: wrap-up, or the next intent.
    pub(super) fn freed(&mut self, now: Time, id: AgentId) {
        match self.agent_state(id).work {
            Work::WrapUp(until) => self.arm(Alarm::WrapUp(id), Time(until)),
            Work::Idle => self.apply_next(now, id),
            Work::Call(_) => {}
        }
        self.refresh(now, id);
    }

    pub(super) fn cool_down(&mut self, now: Time, id: AgentId) {
        if self.settings.cool_down.is_zero() {
            return;
        }
        if let Some(agent) = self.agents.get_mut(&id) {
            agent.cooling = true;
            self.arm(Alarm::CoolDown(id), now + self.settings.cool_down);
        }
    }

    pub(super) fn cooled_down(&mut self, now: Time, id: AgentId) {
        if let Some(agent) = self.agents.get_mut(&id) {
            agent.cooling = false;
        }
        self.refresh(now, id);
    }

    /// The agent does not get this call again for a while.
    pub(super) fn exclude(&mut self, now: Time, id: AgentId, call: CallId) {
        if self.settings.exclude.is_zero() {
            return;
        }
        let Some(agent) = self.agents.get_mut(&id) else {
            return;
        };
        let until = now + self.settings.exclude;
        agent.excluded.retain(|(other, _)| *other != call);
        agent.excluded.push((call, until));
        self.excluders.insert(id);
        if let Some((_, first)) = agent.excluded.first().copied() {
            self.arm(Alarm::Exclude(id), first);
        }
    }

    pub(super) fn exclusions_over(&mut self, now: Time, id: AgentId) {
        let Some(agent) = self.agents.get_mut(&id) else {
            return;
        };
        agent.excluded.retain(|(_, until)| *until > now);
        match agent.excluded.first().copied() {
            Some((_, until)) => self.arm(Alarm::Exclude(id), until),
            None => {
                self.excluders.remove(&id);
            }
        }
        self.ready_agents.insert(id);
    }

    /// Brings everything that follows from an agent's state up to date: eligibility, counts, status. To be called after each change.
    pub(super) fn refresh(&mut self, now: Time, id: AgentId) {
        let Some(agent) = self.agents.get(&id) else { return };
        let state = self.agent_state(id);
        let signed_in = state.intent != Intent::Offline;
        let logged_in = state.intent == Intent::Available && agent.reach == Reach::Attached;
        let eligible = logged_in
            && state.work == Work::Idle
            && agent.assignment.is_none()
            && !agent.cooling
            && (agent.lines == 0 || agent.config.acd_on_direct);
        let status = self.status_of(agent, state);
        let changed = status != state.status;
        let class = agent.class;
        let (was_signed_in, was_logged_in, was_eligible) =
            (agent.signed_in, agent.logged_in, agent.idle.is_some());
        if let Some(agent) = self.agents.get_mut(&id) {
            agent.signed_in = signed_in;
            agent.logged_in = logged_in;
        }
        let counts = &mut self.index.classes[class];
        counts.signed_in = counts.signed_in + u32::from(signed_in) - u32::from(was_signed_in);
        counts.logged_in = counts.logged_in + u32::from(logged_in) - u32::from(was_logged_in);
        if was_logged_in && !logged_in {
            // An agent who refused a call may be the last one left for it.
            self.ready_agents.extend(&self.excluders);
        }
        if changed {
            self.record(now, Fact::Status { agent: id, status });
        }
        match (was_eligible, eligible) {
            (false, true) => self.enter_idle(now, id),
            (true, false) => self.leave_idle(id),
            _ => {}
        }
        if was_signed_in && !signed_in {
            self.emptied(now, class);
        }
    }

    fn status_of(&self, agent: &Agent, state: &AgentState) -> Status {
        match state.work {
            Work::Call(call) => match self.state.calls.get(&call).map(|call| call.phase) {
                Some(Phase::Connected { held: true, .. }) => Status::Held,
                Some(Phase::Connected { .. }) => Status::Talking,
                _ => Status::Connecting,
            },
            Work::WrapUp(_) => Status::WrapUp,
            Work::Idle if agent.lines > 0 && agent.assignment.is_none() => Status::Direct,
            Work::Idle => match &state.intent {
                Intent::Offline => Status::Offline,
                Intent::Paused(_) => Status::Paused,
                Intent::Available if agent.assignment.is_some() => Status::Ringing,
                Intent::Available if agent.reach == Reach::Attached => Status::Available,
                Intent::Available => Status::Unreachable,
            },
        }
    }

    fn enter_idle(&mut self, now: Time, id: AgentId) {
        let Some(agent) = self.agents.get(&id) else { return };
        let state = self.agent_state(id);
        let order = u64::from(agent.config.order);
        let mut keys = Vec::with_capacity(self.index.classes[agent.class].idle.len());
        for (key, _) in &self.index.classes[agent.class].idle {
            keys.push(match *key {
                Key::IdleSince => state.idle_since,
                Key::Calls => u64::from(state.calls),
                Key::Talk => state.talk(now),
                Key::Occupancy => state.occupancy(now),
                Key::LastAssigned => state.last_assigned,
                Key::Order => order,
                Key::Random | Key::Weighted(_) => 0,
            });
        }
        let class = agent.class;
        for (set, value) in keys.iter_mut().enumerate() {
            match self.index.classes[class].idle[set].0 {
                Key::Random => *value = self.rng.u64(),
                Key::Weighted(weight) => *value = weighted(self.rng.u64(), weight),
                _ => {}
            }
            self.index.classes[class].idle[set].1.insert((*value, id));
        }
        self.index.idle[class] += 1;
        if let Some(agent) = self.agents.get_mut(&id) {
            agent.idle = Some(keys);
        }
        self.ready_agents.insert(id);
    }

    fn leave_idle(&mut self, id: AgentId) {
        let Some(agent) = self.agents.get_mut(&id) else {
            return;
        };
        let Some(keys) = agent.idle.take() else { return };
        let class = agent.class;
        for (set, value) in keys.into_iter().enumerate() {
            self.index.classes[class].idle[set].1.remove(&(value, id));
        }
        self.index.idle[class] -= 1;
    }

    /// Takes an agent out of its class's sets and counts.
    pub(super) fn withdraw(&mut self, id: AgentId) {
        self.leave_idle(id);
        let Some(agent) = self.agents.get_mut(&id) else {
            return;
        };
        let counts = &mut self.index.classes[agent.class];
        counts.signed_in -= u32::from(std::mem::take(&mut agent.signed_in));
        counts.logged_in -= u32::from(std::mem::take(&mut agent.logged_in));
        self.ready_agents.extend(&self.excluders);
    }

    /// Agents of the log who are not configured any more are signed out.
    pub(super) fn sign_out_strangers(&mut self, now: Time) {
        let strangers: Vec<AgentId> = self
            .state
            .agents
            .iter()
            .filter(|(id, state)| {
                !self.agents.contains_key(id) && !matches!(state.work, Work::Call(_)) && **state != UNKNOWN
            })
            .map(|(id, _)| *id)
            .collect();
        for id in strangers {
            if matches!(self.agent_state(id).work, Work::WrapUp(_)) {
                self.record(
                    now,
                    Fact::WrappedUp {
                        agent: id,
                        code: None,
                    },
                );
            }
            if self.agent_state(id).intent != Intent::Offline {
                self.record(
                    now,
                    Fact::Intent {
                        agent: id,
                        intent: Intent::Offline,
                    },
                );
            }
            if self.agent_state(id).status != Status::Offline {
                self.record(
                    now,
                    Fact::Status {
                        agent: id,
                        status: Status::Offline,
                    },
                );
            }
        }
    }
}

impl Agent {
    pub(super) fn new(config: AgentConfig, class: usize) -> Agent {
        Agent {
            config,
            class,
            reach: Reach::Detached,
            conn: None,
            proof: Time::ZERO,
            lines: 0,
            assignment: None,
            cooling: false,
            excluded: Vec::new(),
            sticky: BTreeSet::new(),
            idle: None,
            logged_in: false,
            signed_in: false,
        }
    }
}

/// A key by which the least of several is each with a probability in proportion to its weight (Efraimidis and Spirakis 2006):
/// -ln(u)/w, whose bits order as the number does because it is not negative.
fn weighted(random: u64, weight: u16) -> u64 {
    // 53 bits: above 0, at most 1.
    let uniform = ((random >> 11) as f64 + 1.0) / (1_u64 << 53) as f64;
    (-uniform.ln() / f64::from(weight.max(1))).abs().to_bits()
}
