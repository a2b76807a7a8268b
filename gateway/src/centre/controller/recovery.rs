//! Callers after a restart: how they become calls again.

use call_engine::acd::CallId;

use super::super::call::Call;
use super::super::context::Ctx;
use super::super::recovery;
use super::Controller;

impl Controller {
    /// Offers the next callers to go on.
    pub(super) fn recover_due(&mut self, cx: &mut Ctx<'_>) {
        let mut context = recovery::Context {
            now: cx.now,
            coordinator: &mut *cx.coordinator,
            engine: &self.engine,
            directory: &self.directory,
            publisher: &mut self.publisher,
        };
        for (id, call) in self.recovery.offer(&mut context) {
            if let Some(agent) = call.agent() {
                self.agents.took(agent, id);
            }
            self.calls.insert(id, call);
            self.with(id, cx, |call, cx| call.index_caller(cx));
            self.publisher.call(id);
        }
    }

    /// A caller goes on. An agent who had the call, and whose page is there, is called back into it.
    pub(super) fn caller_recovered(&mut self, id: CallId, cx: &mut Ctx<'_>) {
        self.drive(id, cx, |call, cx| Some(call.caller_recovered(cx)));
        self.with(id, cx, |call, cx| call.save(cx));
        let agent = self.calls.get(&id).and_then(Call::agent);
        if let Some(agent) = agent.filter(|agent| self.agents.is_registered(*agent)) {
            self.call_back(agent, cx);
        }
    }
}
