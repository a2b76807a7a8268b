//! Eligibility of agents for calls: who is idle, in which order, and the status that follows.

use sans_io::Time;

use super::super::fact::{Fact, Intent, Status};
use super::super::ids::AgentId;
use super::super::index::Key;
use super::super::input::Reach;
use super::super::state::{AgentState, Phase, Work};
use super::super::{Acd, Agent};

impl Acd {
    /// Brings everything that follows from an agent's state up to date: eligibility, counts, status. To be called after each change.
    pub(in crate::acd) fn refresh(&mut self, now: Time, id: AgentId) {
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
    pub(in crate::acd) fn withdraw(&mut self, id: AgentId) {
        self.leave_idle(id);
        let Some(agent) = self.agents.get_mut(&id) else {
            return;
        };
        let counts = &mut self.index.classes[agent.class];
        counts.signed_in -= u32::from(std::mem::take(&mut agent.signed_in));
        counts.logged_in -= u32::from(std::mem::take(&mut agent.logged_in));
        self.ready_agents.extend(&self.excluders);
    }
}

/// A key by which the least of several is each with a probability in proportion to its weight (Efraimidis and Spirakis 2006):
/// -ln(u)/w, whose bits order as the number does because it is not negative.
fn weighted(random: u64, weight: u16) -> u64 {
    // 53 bits: above 0, at most 1.
    let uniform = ((random >> 11) as f64 + 1.0) / (1_u64 << 53) as f64;
    (-uniform.ln() / f64::from(weight.max(1))).abs().to_bits()
}
