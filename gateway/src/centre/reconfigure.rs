//! Differences between the agents and queues of two configurations.

use std::collections::BTreeSet;

use call_engine::acd::{AgentConfig, Input, QueueId};

use super::directory::{Directory, Person, QueueInfo};

/// Everything that is to be changed, to come from one directory to the next.
pub(super) struct Differences<'a> {
    /// Queues that are new or otherwise.
    queues: Vec<Changed<'a, QueueInfo>>,
    /// Agents who are new or otherwise.
    agents: Vec<Changed<'a, Person>>,
    /// Queues that are there no longer.
    pub(super) gone_queues: Vec<&'a QueueInfo>,
    /// Agents who are there no longer.
    pub(super) gone_agents: Vec<(&'a AgentConfig, &'a Person)>,
}

/// A queue or an agent, before and after.
struct Changed<'a, T> {
    before: Option<&'a T>,
    after: &'a T,
}

impl<'a> Differences<'a> {
    pub(super) fn between(before: &'a Directory, after: &'a Directory) -> Differences<'a> {
        let queues = after.queues().map(|queue| Changed {
            before: before.queue(queue.config.id),
            after: queue,
        });
        let agents = after.people().filter_map(|person| {
            let agent = person.agent.as_ref()?;
            // A former agent who is one again is new.
            let is_old = before.has_agent(agent.id);
            Some(Changed {
                before: is_old.then(|| before.agent(agent.id)).flatten(),
                after: person,
            })
        });
        let gone_queues = before.queues();
        let gone_agents = before
            .people()
            .filter_map(|person| Some((person.agent.as_ref()?, person)));
        Differences {
            queues: queues.filter(|queue| queue.before != Some(queue.after)).collect(),
            agents: agents.filter(|agent| agent.before != Some(agent.after)).collect(),
            gone_queues: gone_queues
                .filter(|queue| after.queue(queue.config.id).is_none())
                .collect(),
            gone_agents: gone_agents
                .filter(|(agent, _)| !after.has_agent(agent.id))
                .collect(),
        }
    }

    /// Queues whose settings are new or otherwise.
    pub(super) fn queues(&self) -> impl Iterator<Item = &'a QueueInfo> {
        self.queues.iter().map(|queue| queue.after)
    }

    /// Agents about whom anything is new or otherwise.
    pub(super) fn agents(&self) -> impl Iterator<Item = &'a AgentConfig> {
        self.agents
            .iter()
            .filter_map(|person| person.after.agent.as_ref())
    }

    /// People who are agents from now on.
    pub(super) fn joined(&self) -> impl Iterator<Item = &'a Person> {
        let new = self.agents.iter().filter(|person| person.before.is_none());
        new.map(|person| person.after)
    }

    /// Inputs for the engine, which knows less of queues and agents than the directory: queues first, since agents serve them.
    pub(super) fn inputs(&self) -> Vec<Input> {
        let queues = self.queues.iter().filter_map(|queue| {
            let config = &queue.after.config;
            let is_new = queue.before.map(|before| &before.config) != Some(config);
            is_new.then(|| Input::SetQueue(Box::new(config.clone())))
        });
        let agents = self.agents.iter().filter_map(|person| {
            let agent = person.after.agent.as_ref()?;
            let is_new = person.before.and_then(|before| before.agent.as_ref()) != Some(agent);
            is_new.then(|| Input::SetAgent(agent.clone()))
        });
        queues.chain(agents).collect()
    }

    /// Queues to publish anew: those that changed, and those of agents who did, before and after.
    pub(super) fn queues_to_publish(&self) -> BTreeSet<QueueId> {
        let served = self.agents.iter().flat_map(|person| {
            let agents = person.before.into_iter().chain([person.after]);
            agents
                .filter_map(|person| person.agent.as_ref())
                .flat_map(|agent| agent.queues.iter().map(|member| member.queue))
        });
        let own = self.queues.iter().map(|queue| queue.after.config.id);
        own.chain(served).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::config::{Config, Queue};

    fn directory(queues: Vec<Queue>) -> Directory {
        let config = Config {
            queues,
            ..Config::default()
        };
        Directory::of(&config)
    }

    #[test]
    fn the_engine_learns_of_what_is_new_to_it_and_of_nothing_else() {
        let before = directory(["support", "sales", "service"].map(Queue::new).into());
        let timely = Queue {
            service_level: Duration::from_secs(7),
            ..Queue::new("sales")
        };
        let after = directory(vec![Queue::new("support"), timely, Queue::new("billing")]);
        let differences = Differences::between(&before, &after);
        let named = |queues: Vec<&QueueInfo>| -> BTreeSet<String> {
            queues.iter().map(|queue| queue.display.clone()).collect()
        };
        let names =
            |names: &[&str]| -> BTreeSet<String> { names.iter().map(|&name| name.to_owned()).collect() };
        assert_eq!(
            named(differences.queues().collect()),
            names(&["sales", "billing"])
        );
        assert_eq!(named(differences.gone_queues.clone()), names(&["service"]));
        assert_eq!(differences.queues_to_publish().len(), 2);
        let [Input::SetQueue(set)] = &differences.inputs()[..] else {
            panic!(
                "the level of service is none of the engine's: {:?}",
                differences.inputs()
            );
        };
        assert_eq!(
            after.queue(set.id).map(|queue| queue.display.as_str()),
            Some("billing")
        );
        let same = Differences::between(&after, &after);
        assert!(same.inputs().is_empty() && same.queues_to_publish().is_empty());
    }
}
