//! Times in which an agent gets no call, or not a certain one, after an assignment that came to nothing.

use sans_io::Time;

use super::super::Acd;
use super::super::ids::{AgentId, CallId};
use super::super::timeout::Alarm;

impl Acd {
    pub(in crate::acd) fn cool_down(&mut self, now: Time, id: AgentId) {
        if self.settings.cool_down.is_zero() {
            return;
        }
        if let Some(agent) = self.agents.get_mut(&id) {
            agent.cooling = true;
            self.arm(Alarm::CoolDown(id), now + self.settings.cool_down);
        }
    }

    pub(in crate::acd) fn cooled_down(&mut self, now: Time, id: AgentId) {
        if let Some(agent) = self.agents.get_mut(&id) {
            agent.cooling = false;
        }
        self.refresh(now, id);
    }

    /// The agent does not get this call again for a while.
    pub(in crate::acd) fn exclude(&mut self, now: Time, id: AgentId, call: CallId) {
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

    pub(in crate::acd) fn exclusions_over(&mut self, now: Time, id: AgentId) {
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
}
