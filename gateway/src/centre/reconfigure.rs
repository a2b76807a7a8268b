//! Other agents, queues and numbers, while calls go on.

use std::sync::Arc;

use call_engine::acd::{AgentId, Input, QueueId, Work};
use sans_io::Time;
use session_core::Coordinator;

use super::command::{Reconfiguration, Refused};
use super::controller::{Controller, Route};
use super::view::Change;

impl Controller {
    /// Numbers name these from now on.
    pub fn route_by(&mut self, route: Route) {
        self.route = route;
    }

    /// Applies another configuration, all of it or nothing.
    pub(super) fn reconfigure(
        &mut self,
        now: Time,
        reconfiguration: Reconfiguration,
        calls: &mut Coordinator,
    ) -> Result<(), Refused> {
        let before = Arc::clone(&self.directory);
        let after = Arc::new((*reconfiguration.directory).clone().after(&before));
        let gone_queues: Vec<(QueueId, String)> = before
            .queues()
            .filter(|queue| after.queue(queue.config.id).is_none())
            .map(|queue| (queue.config.id, queue.id.clone()))
            .collect();
        let gone_agents: Vec<(AgentId, String)> = before
            .people()
            .filter_map(|person| Some((person.agent.as_ref()?.id, person.id.clone())))
            .filter(|(agent, _)| !after.has_agent(*agent))
            .collect();
        if gone_queues.iter().any(|(queue, _)| self.has_calls(*queue)) {
            return Err(Refused::QueueBusy);
        }
        if gone_agents.iter().any(|(agent, _)| self.has_call(*agent)) {
            return Err(Refused::AgentBusy);
        }
        self.directory = Arc::clone(&after);
        self.batch.directory = Some(Arc::clone(&after));
        // Queues first: agents serve them.
        for queue in after.queues() {
            let known = before.queue(queue.config.id);
            if known == Some(queue) {
                continue;
            }
            self.metrics.set_service_level(queue.config.id, queue.level);
            if known.map(|known| &known.config) != Some(&queue.config) {
                self.input(now, Input::SetQueue(Box::new(queue.config.clone())), calls);
            }
            self.changed.queues.insert(queue.config.id);
        }
        for person in after.people() {
            let Some(agent) = &person.agent else { continue };
            let known = before
                .has_agent(agent.id)
                .then(|| before.agent(agent.id))
                .flatten();
            if known == Some(person) {
                continue;
            }
            let served = known.and_then(|known| known.agent.as_ref());
            if served != Some(agent) {
                self.input(now, Input::SetAgent(agent.clone()), calls);
            }
            for member in served.into_iter().chain([agent]).flat_map(|agent| &agent.queues) {
                self.changed.queues.insert(member.queue);
            }
            self.changed.agents.insert(agent.id);
        }
        for (agent, id) in gone_agents {
            self.input(now, Input::RemoveAgent(agent), calls);
            self.registered.remove(&agent);
            self.batch.change(now, Change::AgentRemoved { id });
        }
        for (queue, id) in gone_queues {
            self.input(now, Input::RemoveQueue(queue), calls);
            self.batch.change(now, Change::QueueRemoved { id });
        }
        for queue in std::mem::take(&mut self.changed.queues) {
            if let Some(queue) = self.project_queue(now, queue) {
                self.batch.change(now, Change::Queue(queue));
            }
        }
        for what in &reconfiguration.what {
            let what = (*what).to_owned();
            self.batch.change(now, Change::Config { what });
        }
        self.let_register(now, reconfiguration, calls);
        // Somebody whose phone is registered takes calls from now on.
        let joined = after
            .people()
            .filter_map(|person| Some((person, person.agent.as_ref()?.id)))
            .filter(|(_, agent)| !before.has_agent(*agent));
        for (person, _) in joined {
            if calls.is_reachable(&person.name) {
                self.reachable(now, &person.name, true, calls);
            }
        }
        Ok(())
    }

    fn let_register(&mut self, now: Time, reconfiguration: Reconfiguration, calls: &mut Coordinator) {
        let Reconfiguration { users, again, .. } = reconfiguration;
        if !again.is_empty() {
            let mut others = users.clone();
            others.retain(|name, _| !again.contains(name));
            calls.set_users(now, others);
        }
        calls.set_users(now, users);
    }

    fn has_calls(&self, queue: QueueId) -> bool {
        let waits = self.acd.state().calls.values().any(|call| call.queue == queue);
        waits
            || self
                .calls
                .values()
                .any(|live| live.queue == queue || live.fallback == Some(queue))
    }

    fn has_call(&self, agent: AgentId) -> bool {
        let state = self.acd.state().agents.get(&agent);
        let works = state.is_some_and(|state| matches!(state.work, Work::Call(_)));
        works || self.calls.values().any(|live| live.has() == Some(agent))
    }
}
