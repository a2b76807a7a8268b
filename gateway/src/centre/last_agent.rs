//! Agents whom callers last talked with: a queue may let callers wait for that agent first.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use call_engine::acd::{AgentId, QueueId};
use sans_io::Time;

use super::directory::{Directory, QueueInfo};
use super::event_stream::Event;
use super::view::Change;

/// Callers beyond which those who called longest ago are forgotten.
const CALLERS: usize = 100_000;
/// No queue remembers longer.
const LONGEST: Duration = Duration::from_secs(90 * 86_400);

/// The agent who had the last call of each number in each queue.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LastAgents {
    last: BTreeMap<(QueueId, String), (Time, AgentId)>,
}

impl LastAgents {
    /// Collects them from the last events before a restart.
    #[must_use]
    pub fn new(events: &[Arc<Event>], directory: &Directory) -> LastAgents {
        let mut last_agents = LastAgents::default();
        for event in events {
            let Change::CallEnded { record, .. } = &event.change else {
                continue;
            };
            let queue = record.queue.as_ref().and_then(|id| directory.queue_by_id(id));
            let agent = record
                .agents
                .last()
                .and_then(|agent| directory.person_by_id(&agent.id)?.agent.as_ref());
            if let (Some(queue), Some(agent), Some(_)) = (queue, agent, record.answered_at) {
                last_agents.talked(record.ended_at.0, queue, &record.from.number, agent.id);
            }
        }
        last_agents
    }

    /// A caller talked with an agent.
    pub(super) fn talked(&mut self, now: Time, queue: &QueueInfo, number: &str, agent: AgentId) {
        if queue.settings.remembered().is_none() || !tells_callers_apart(number) {
            return;
        }
        if self.last.len() >= CALLERS {
            self.forget(now);
        }
        self.last
            .insert((queue.config.id, number.to_owned()), (now, agent));
    }

    /// The agent whom a caller last talked with, if the queue still remembers.
    pub(super) fn agent(&self, now: Time, queue: &QueueInfo, number: &str) -> Option<AgentId> {
        let remembered = queue.settings.remembered()?;
        let (at, agent) = self.last.get(&(queue.config.id, number.to_owned()))?;
        (now.since(*at) <= remembered).then_some(*agent)
    }

    /// Forgets entries that are too old, and the older half if that is not enough.
    fn forget(&mut self, now: Time) {
        self.last.retain(|_, (at, _)| now.since(*at) <= LONGEST);
        if self.last.len() < CALLERS {
            return;
        }
        let mut times: Vec<Time> = self.last.values().map(|(at, _)| *at).collect();
        let middle = times.len() / 2;
        let (_, half, _) = times.select_nth_unstable(middle);
        let half = *half;
        self.last.retain(|_, (at, _)| *at > half);
    }
}

/// True if a number tells callers apart: an empty one does not, nor does that of all who hide theirs
/// (RFC 3323 §4.1.1.3).
pub(super) fn tells_callers_apart(number: &str) -> bool {
    !number.is_empty() && !number.eq_ignore_ascii_case("anonymous")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Queue};

    #[test]
    fn a_caller_is_known_for_as_many_days_as_the_queue_says() {
        let sticky = Queue {
            sticky: Some(Duration::from_secs(20)),
            sticky_days: 2,
            ..Queue::new("support")
        };
        let config = Config {
            queues: vec![sticky, Queue::new("sales")],
            ..Config::default()
        };
        let directory = Directory::of(&config);
        let (support, sales) = (
            directory.queue_by_name("support").expect("a queue"),
            directory.queue_by_name("sales").expect("a queue"),
        );
        let (day, anna) = (86_400, AgentId(7));
        let at = |seconds: u64| Time::from_secs(1_000_000 + seconds);
        let mut last_agents = LastAgents::default();
        last_agents.talked(at(0), support, "+4930", anna);
        last_agents.talked(at(0), support, "anonymous", anna);
        last_agents.talked(at(0), sales, "+4930", anna);
        assert_eq!(last_agents.agent(at(2 * day), support, "+4930"), Some(anna));
        assert_eq!(last_agents.agent(at(2 * day + 1), support, "+4930"), None);
        assert_eq!(last_agents.agent(at(0), support, "anonymous"), None);
        assert_eq!(last_agents.agent(at(0), sales, "+4930"), None, "not sticky");
        last_agents.talked(at(day), support, "+4930", AgentId(8));
        assert_eq!(last_agents.agent(at(day), support, "+4930"), Some(AgentId(8)));
    }
}
