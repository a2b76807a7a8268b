//! The caller's leg: how it begins, what is saved of it, and what it hears.

use call_engine::acd::{AgentId, Input, QueueId, Requeue};
use media_core::control::Phrase;
use session_core::Application;

use super::super::legs::Role;
use super::{Call, Context, GRACE};

impl Call {
    /// Answers the caller, who hears music and waits.
    pub(in crate::centre) fn begin(&self, cx: &mut Context<'_>) {
        self.index_caller(cx);
        let music = Some(Application::Music);
        cx.coordinator.answer(cx.now, self.caller, music);
        cx.coordinator.keep(self.session, true);
        cx.coordinator.set_grace(self.session, GRACE);
    }

    /// Lets events of the caller's session and leg find the call.
    pub(in crate::centre) fn index_caller(&self, cx: &mut Context<'_>) {
        cx.legs.set_session(self.session, cx.id);
        cx.legs.set(self.caller, Role::Caller(cx.id));
    }

    /// Has the caller's leg saved anew after a change. One that has not gone on since a restart is saved already.
    pub(in crate::centre) fn save(&self, cx: &mut Context<'_>) {
        if !self.is_recovering()
            && let Some(saved) = cx.coordinator.save(self.caller)
        {
            cx.publisher.leg(cx.id, Some(saved));
        }
    }

    /// The caller goes on after a restart.
    pub(in crate::centre) fn caller_recovered(&mut self, cx: &mut Context<'_>) -> Input {
        self.go_on();
        cx.publish();
        Input::Recovered {
            call: cx.id,
            with_agent: false,
        }
    }

    /// Asks a silent caller for a sign of life.
    pub(in crate::centre) fn ask_caller(&self, cx: &mut Context<'_>) {
        cx.coordinator.ask_peer(cx.now, self.caller);
    }

    /// Tells the caller its place in the queue, if it has one.
    pub(in crate::centre) fn announce(&self, position: Option<u32>, cx: &mut Context<'_>) {
        let phrase = Phrase { position, wait: None };
        cx.coordinator.announce(self.caller, phrase);
    }

    /// Takes the caller off hold.
    pub(in crate::centre) fn resume(&self, cx: &mut Context<'_>) {
        cx.coordinator.resume(cx.now, self.caller);
    }

    /// Takes the caller off hold, to wait in `queue`, or in the same queue at the same place, where `agent` is asked first.
    pub(in crate::centre) fn requeue(
        &self,
        queue: Option<QueueId>,
        agent: Option<AgentId>,
        cx: &mut Context<'_>,
    ) -> Input {
        self.resume(cx);
        Call::requeued(queue, agent, cx)
    }

    /// Input for a caller who waits again.
    pub(super) fn requeued(queue: Option<QueueId>, sticky: Option<AgentId>, cx: &Context<'_>) -> Input {
        Input::Requeue(Requeue {
            call: cx.id,
            queue,
            priority: 0,
            sticky,
        })
    }

    /// Ends the session of the call.
    pub(in crate::centre) fn terminate(&self, cx: &mut Context<'_>) {
        cx.coordinator.terminate_session(cx.now, self.session);
    }
}
