//! Forwarding: a phone outside of the call centre rings for a caller, who may come back to the queue.

use call_engine::acd::{CallId, Enqueue, Input, QueueId};

use super::super::call::Call;
use super::super::context::Ctx;
use super::QueueCalls;
use crate::routing::Callee;

impl QueueCalls {
    /// Forwards the call of an agent, who is out of it. If nobody answers, the caller waits in the queue again.
    pub(super) fn forward_from_agent(&mut self, id: CallId, to: (Callee, String), cx: &mut Ctx<'_>) {
        let queue = self.calls().get(id).map(Call::queue);
        self.with(id, cx, |call, cx| call.resume(cx));
        self.input(Input::Ended { call: id }, cx);
        self.with(id, cx, |call, cx| call.let_agent_go(cx));
        self.forward(id, to, queue, cx);
    }

    /// Calls somebody outside for a caller whom the engine has let go of.
    pub(super) fn forward(
        &mut self,
        id: CallId,
        to: (Callee, String),
        fallback: Option<QueueId>,
        cx: &mut Ctx<'_>,
    ) {
        if !self.with(id, cx, |call, cx| call.ring_outside(to, fallback, cx)) {
            self.come_back(id, fallback, cx);
        }
        self.publication().call(id);
    }

    /// Nobody answered outside.
    pub(super) fn forwarding_failed(&mut self, id: CallId, cx: &mut Ctx<'_>) {
        let fallback = self.calls().get(id).and_then(Call::fallback);
        self.come_back(id, fallback, cx);
    }

    /// Lets a caller whom an agent sent away wait for an agent again, in front of those who came since, under another number. One
    /// whom a queue did not keep has nowhere else to go.
    fn come_back(&mut self, id: CallId, fallback: Option<QueueId>, cx: &mut Ctx<'_>) {
        let Some(queue) = fallback else {
            return self.with(id, cx, |call, cx| call.terminate(cx));
        };
        let Some(again) = self.renumber(id, cx) else {
            debug_assert!(false, "no call {id:?} that was outside");
            return;
        };
        self.with(again, cx, |call, cx| call.come_back(cx));
        let enqueue = Enqueue {
            call: again,
            queue,
            priority: 1,
            requires: Vec::new(),
            sticky: None,
            came: None,
        };
        self.input(Input::Enqueue(enqueue), cx);
    }
}
