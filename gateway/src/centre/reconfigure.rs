//! Other agents, queues and numbers, while calls go on.

use std::sync::Arc;

use call_engine::acd::{AgentId, Input, QueueId, Work};

use super::command::{Reconfiguration, Refused};
use super::context::Ctx;
use super::controller::Controller;
use super::directory::Directory;
use super::view::Change;

/// Queues and agents that a directory has no longer, with their ids in the API.
struct Gone {
    queues: Vec<(QueueId, String)>,
    agents: Vec<(AgentId, String)>,
}

impl Gone {
    fn between(before: &Directory, after: &Directory) -> Gone {
        let queues = before
            .queues()
            .filter(|queue| after.queue(queue.config.id).is_none())
            .map(|queue| (queue.config.id, queue.id.clone()));
        let agents = before
            .people()
            .filter_map(|person| Some((person.agent.as_ref()?.id, person.id.clone())))
            .filter(|(agent, _)| !after.has_agent(*agent));
        Gone {
            queues: queues.collect(),
            agents: agents.collect(),
        }
    }
}

impl Controller {
    /// Applies another configuration, all of it or nothing.
    pub(super) fn reconfigure(
        &mut self,
        reconfiguration: Reconfiguration,
        cx: &mut Ctx<'_>,
    ) -> Result<(), Refused> {
        let before = Arc::clone(&self.directory);
        let after = Arc::new((*reconfiguration.directory).clone().after(&before));
        let gone = Gone::between(&before, &after);
        if gone.queues.iter().any(|(queue, _)| self.has_calls(*queue)) {
            return Err(Refused::QueueBusy);
        }
        if gone.agents.iter().any(|(agent, _)| self.has_call(*agent)) {
            return Err(Refused::AgentBusy);
        }
        self.directory = Arc::clone(&after);
        self.publisher.batch().directory = Some(Arc::clone(&after));
        // Queues first: agents serve them.
        self.set_queues(&before, &after, cx);
        self.set_agents(&before, &after, cx);
        self.remove(gone, cx);
        for queue in self.publisher.take_queues() {
            if let Some(queue) = self.projection().queue(cx.now, queue) {
                self.publisher.change(cx.now, Change::Queue(queue));
            }
        }
        for what in &reconfiguration.what {
            let what = (*what).to_owned();
            self.publisher.change(cx.now, Change::Config { what });
        }
        let_register(reconfiguration, cx);
        // Somebody whose phone is registered takes calls from now on.
        let joined = after
            .people()
            .filter_map(|person| Some((person, person.agent.as_ref()?.id)))
            .filter(|(_, agent)| !before.has_agent(*agent));
        for (person, _) in joined {
            if cx.coordinator.is_reachable(&person.name) {
                self.reachable(&person.name, true, cx);
            }
        }
        Ok(())
    }

    fn set_queues(&mut self, before: &Directory, after: &Directory, cx: &mut Ctx<'_>) {
        for queue in after.queues() {
            let old = before.queue(queue.config.id);
            if old == Some(queue) {
                continue;
            }
            self.today
                .set_service_level(queue.config.id, queue.service_level());
            if old.map(|old| &old.config) != Some(&queue.config) {
                self.input(Input::SetQueue(Box::new(queue.config.clone())), cx);
            }
            self.publisher.queues([queue.config.id]);
        }
    }

    fn set_agents(&mut self, before: &Directory, after: &Directory, cx: &mut Ctx<'_>) {
        for person in after.people() {
            let Some(agent) = &person.agent else { continue };
            let old = before
                .has_agent(agent.id)
                .then(|| before.agent(agent.id))
                .flatten();
            if old == Some(person) {
                continue;
            }
            let served = old.and_then(|old| old.agent.as_ref());
            if served != Some(agent) {
                self.input(Input::SetAgent(agent.clone()), cx);
            }
            let queues = served.into_iter().chain([agent]).flat_map(|agent| &agent.queues);
            self.publisher.queues(queues.map(|member| member.queue));
            self.publisher.agent(agent.id);
        }
    }

    fn remove(&mut self, gone: Gone, cx: &mut Ctx<'_>) {
        for (agent, id) in gone.agents {
            self.input(Input::RemoveAgent(agent), cx);
            self.agents.unregister(agent);
            self.publisher.change(cx.now, Change::AgentRemoved { id });
        }
        for (queue, id) in gone.queues {
            self.input(Input::RemoveQueue(queue), cx);
            self.publisher.change(cx.now, Change::QueueRemoved { id });
        }
    }

    fn has_calls(&self, queue: QueueId) -> bool {
        self.engine.calls().any(|call| call.queue == queue)
            || self
                .calls
                .values()
                .any(|call| call.queue == queue || call.fallback() == Some(queue))
    }

    fn has_call(&self, agent: AgentId) -> bool {
        let state = self.engine.agent(agent);
        let works = state.is_some_and(|state| matches!(state.work, Work::Call(_)));
        works || self.calls_of(agent).next().is_some()
    }
}

/// Sets the users who may register. Those who have to register anew are removed first.
fn let_register(reconfiguration: Reconfiguration, cx: &mut Ctx<'_>) {
    let Reconfiguration { users, again, .. } = reconfiguration;
    if !again.is_empty() {
        let mut others = users.clone();
        others.retain(|name, _| !again.contains(name));
        cx.coordinator.set_users(cx.now, others);
    }
    cx.coordinator.set_users(cx.now, users);
}
