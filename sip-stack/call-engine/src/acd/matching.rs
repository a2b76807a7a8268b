//! Matching of calls and agents: decided when an agent or a call becomes ready, from the heads of a few
//! ordered sets.

use std::cmp::Reverse;

use sans_io::Time;

use super::ids::{AgentId, CallId};
use super::index::Place;
use super::{Acd, Agent, Stand};

impl Acd {
    /// Makes every assignment that can be made.
    pub(super) fn match_all(&mut self, now: Time) {
        loop {
            if let Some(agent) = self.ready_agents.pop_first() {
                self.match_agent(now, agent);
            } else if let Some((_, _, call)) = self.ready_calls.pop_first() {
                self.match_call(now, call);
            } else {
                return;
            }
        }
    }

    /// An agent is ready: assigns the best call for the agent to the best agent for that call, and so on until
    /// the agent has one or there is none. Returns the number of assignments.
    fn match_agent(&mut self, now: Time, agent: AgentId) -> usize {
        let mut assignments = 0;
        while let Some(call) = self.best_call(now, agent)
            && let Some(best) = self.best_agent(call)
        {
            if self.ask_first(now, call) {
                continue;
            }
            #[cfg(test)]
            super::tests::check::choice(self, now, call, best, agent);
            self.assign(now, call, best);
            assignments += 1;
            if best == agent {
                break;
            }
        }
        assignments
    }

    /// A call is ready: its best agent takes the best call that there is for that agent, until that is this one.
    fn match_call(&mut self, now: Time, call: CallId) {
        while let Some(agent) = self.best_agent(call) {
            if self.match_agent(now, agent) == 0 {
                return;
            }
        }
    }

    /// The call that waits longest, by virtual enqueue time and its queue's rate, of those that an idle agent may take.
    fn best_call(&self, now: Time, id: AgentId) -> Option<CallId> {
        let agent = self.agents.get(&id).filter(|agent| agent.idle.is_some())?;
        let now = i64::try_from(now.as_micros()).unwrap_or(i64::MAX);
        let score = |rate: u32, place: &Place| i128::from(rate) * i128::from(now - place.0);
        let mut best: Option<(i128, Reverse<u64>, CallId)> = None;
        let mut consider = |rate: u32, place: &Place| {
            let candidate = (score(rate, place), Reverse(place.1), place.2);
            if best.is_none_or(|best| candidate > best) {
                best = Some(candidate);
            }
        };
        for &index in &self.index.classes[agent.class].buckets {
            let bucket = &self.index.buckets[index];
            for set in [&bucket.waiting, &bucket.ringing] {
                let head = if agent.excluded.is_empty() {
                    set.first()
                } else {
                    set.iter().find(|place| !self.excludes(agent, place.2, index))
                };
                if let Some(place) = head {
                    consider(bucket.rate, place);
                }
            }
        }
        for place in &agent.sticky {
            consider(self.rate_of(place.2), place);
        }
        best.map(|(_, _, call)| call)
    }

    /// The agent that a call's queue prefers among the idle ones of the lowest tier.
    fn best_agent(&self, call: CallId) -> Option<AgentId> {
        let index = match self.calls.get(&call)?.stand {
            Stand::Nowhere => return None,
            Stand::Sticky(agent) => {
                return self.agents.get(&agent)?.idle.is_some().then_some(agent);
            }
            Stand::Waiting(index) | Stand::Ringing(index) => index,
        };
        let bucket = &self.index.buckets[index];
        let mut best: Option<(u8, Reverse<u32>, u64, AgentId)> = None;
        for serves in &bucket.serves {
            if self.index.idle[serves.class] == 0 {
                continue;
            }
            let idle = &self.index.classes[serves.class].idle[serves.set].1;
            let head = if self.excluders.is_empty() {
                idle.first()
            } else {
                idle.iter().find(|(_, id)| {
                    self.agents
                        .get(id)
                        .is_some_and(|agent| !self.excludes(agent, call, index))
                })
            };
            let Some(&(key, agent)) = head else { continue };
            let proficiency = if bucket.by_proficiency {
                serves.proficiency
            } else {
                0
            };
            let candidate = (serves.tier, Reverse(proficiency), key, agent);
            if best.is_none_or(|best| candidate < best) {
                best = Some(candidate);
            }
        }
        best.map(|(_, _, _, agent)| agent)
    }

    /// True when the agent did not take this call a moment ago, and somebody else could.
    fn excludes(&self, agent: &Agent, call: CallId, bucket: usize) -> bool {
        agent.excluded.iter().any(|(other, _)| *other == call) && self.index.logged_in(bucket) > 1
    }

    fn rate_of(&self, call: CallId) -> u32 {
        self.state
            .calls
            .get(&call)
            .and_then(|call| self.queues.get(&call.queue))
            .map_or(1, |queue| queue.rate.max(1))
    }
}
