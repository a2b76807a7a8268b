//! Callers after a restart: how they become calls again.

use call_engine::acd::CallId;

use super::super::call::Call;
use super::super::context::Ctx;
use super::QueueCalls;

impl QueueCalls {
    /// Offers the next callers to go on.
    pub(super) fn recover_due(&mut self, cx: &mut Ctx<'_>) {
        for id in self.offer_recovery(cx) {
            self.with(id, cx, |call, cx| call.index_caller(cx));
            self.publication().call(id);
        }
    }

    /// A caller goes on. An agent who had the call, and whose page is there, is called back into it.
    pub(super) fn caller_recovered(&mut self, id: CallId, cx: &mut Ctx<'_>) {
        self.drive(id, cx, |call, cx| Some(call.caller_recovered(cx)));
        self.with(id, cx, |call, cx| call.save(cx));
        let agent = self.calls().get(id).and_then(Call::agent);
        if let Some(agent) = agent.filter(|agent| self.agents().is_registered(*agent)) {
            self.call_back(agent, cx);
        }
    }
}
