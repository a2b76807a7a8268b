//! Other agents, queues and numbers, while calls go on.

use std::sync::Arc;

use call_engine::acd::{AgentId, Input, QueueId, Work};

use super::super::command::{Reconfiguration, Refused};
use super::super::context::Ctx;
use super::super::reconfigure::Differences;
use super::super::view::Change;
use super::QueueCalls;

impl QueueCalls {
    /// Applies another configuration, all of it or nothing.
    pub(super) fn reconfigure(
        &mut self,
        reconfiguration: Reconfiguration,
        cx: &mut Ctx<'_>,
    ) -> Result<(), Refused> {
        let before = Arc::clone(self.directory());
        let after = Arc::new((*reconfiguration.directory).clone().after(&before));
        let differences = Differences::between(&before, &after);
        let mut queues = differences.gone_queues.iter();
        if queues.any(|queue| self.has_calls(queue.config.id)) {
            return Err(Refused::QueueBusy);
        }
        let mut agents = differences.gone_agents.iter();
        if agents.any(|(agent, _)| self.has_call(agent.id)) {
            return Err(Refused::AgentBusy);
        }
        self.set_directory(Arc::clone(&after));
        self.apply_differences(&differences, cx);
        self.publish_changed_queues(cx.now);
        for what in &reconfiguration.what {
            let what = (*what).to_owned();
            self.publication().change(cx.now, Change::Config { what });
        }
        let_register(reconfiguration, cx);
        // Somebody whose phone is registered takes calls from now on.
        for person in differences.joined() {
            if cx.coordinator.is_reachable(&person.name) {
                self.reachable(&person.name, true, cx);
            }
        }
        Ok(())
    }

    fn apply_differences(&mut self, differences: &Differences<'_>, cx: &mut Ctx<'_>) {
        for queue in differences.queues() {
            self.publication().set_queue(queue);
        }
        for input in differences.inputs() {
            self.input(input, cx);
        }
        self.publication().queues(differences.queues_to_publish());
        for agent in differences.agents() {
            self.publication().agent(agent.id);
        }
        for (agent, person) in &differences.gone_agents {
            self.input(Input::RemoveAgent(agent.id), cx);
            self.unregister(agent.id);
            let id = person.id.clone();
            self.publication().change(cx.now, Change::AgentRemoved { id });
        }
        for queue in &differences.gone_queues {
            self.input(Input::RemoveQueue(queue.config.id), cx);
            let id = queue.id.clone();
            self.publication().change(cx.now, Change::QueueRemoved { id });
        }
    }

    fn has_calls(&self, queue: QueueId) -> bool {
        self.engine().calls().any(|call| call.queue == queue)
            || self
                .calls()
                .values()
                .any(|call| call.queue() == queue || call.fallback() == Some(queue))
    }

    fn has_call(&self, agent: AgentId) -> bool {
        let state = self.engine().agent(agent);
        let works = state.is_some_and(|state| matches!(state.work, Work::Call(_)));
        works || self.calls().of_agent(agent).next().is_some()
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
