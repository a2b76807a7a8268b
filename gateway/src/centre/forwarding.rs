//! Forwarding: a phone outside of the call centre rings for a caller, who may come back to the queue.

use call_engine::acd::{CallId, Enqueue, Input, QueueId};
use session_core::{Application, LegId, Party};

use super::context::Ctx;
use super::controller::Controller;
use super::invitation::invitation;
use super::journal::Ended;
use super::legs::Role;

impl Controller {
    /// Forwards the call of an agent, who is out of it. If nobody answers, the caller waits in the queue again.
    pub(super) fn forward_from_agent(&mut self, id: CallId, to: (Party, String), cx: &mut Ctx<'_>) {
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        call.since = cx.now;
        let (caller, queue) = (call.caller, call.queue);
        cx.coordinator.resume(cx.now, caller);
        self.input(Input::Ended { call: id }, cx);
        if let Some(call) = self.calls.get_mut(&id) {
            let released = call.release();
            self.hang_up_agent(released, cx);
        }
        self.forward(id, to, Some(queue), cx);
    }

    /// Calls somebody outside for a caller whom the engine has let go of.
    pub(super) fn forward(
        &mut self,
        id: CallId,
        (party, name): (Party, String),
        fallback: Option<QueueId>,
        cx: &mut Ctx<'_>,
    ) {
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        cx.coordinator.play(call.caller, Some(Application::Ringback));
        let invitation = invitation(party, None, Vec::new());
        match cx.coordinator.invite(cx.now, call.session, invitation) {
            Ok(leg) => {
                call.forward(name, leg, fallback);
                self.legs.set(leg, Role::Forwarded(id));
            }
            Err(_) => self.come_back(id, fallback, cx),
        }
        self.publisher.call(id);
    }

    /// Somebody outside answered.
    pub(super) fn forwarded(&mut self, id: CallId, leg: LegId, cx: &mut Ctx<'_>) {
        let Some(call) = self.calls.get_mut(&id) else {
            return;
        };
        call.forwarded(cx.now, leg);
        self.legs.set(leg, Role::Other(id));
        cx.coordinator.play(call.caller, None);
        cx.coordinator.admit_leg(cx.now, call.session, leg);
        self.publisher.call(id);
    }

    /// Nobody answered outside.
    pub(super) fn forwarding_failed(&mut self, id: CallId, cx: &mut Ctx<'_>) {
        let fallback = self.calls.get(&id).and_then(|call| call.fallback());
        self.come_back(id, fallback, cx);
    }

    /// Lets a caller whom an agent sent away wait for an agent again, in front of those who came since, under another number. One
    /// whom a queue did not keep has nowhere else to go.
    fn come_back(&mut self, id: CallId, fallback: Option<QueueId>, cx: &mut Ctx<'_>) {
        let Some(queue) = fallback else {
            if let Some(call) = self.calls.get(&id) {
                cx.coordinator.terminate_session(cx.now, call.session);
            }
            return;
        };
        let Some(mut call) = self.calls.remove(&id) else {
            return;
        };
        let again = self.next_call(cx.now);
        let ended = Ended {
            from: call.from.clone(),
            to: call.to.clone(),
            ..Ended::default()
        };
        self.publisher.over(id, ended);
        call.enter_again(cx.now);
        self.legs.renumber(id, again);
        self.open_records.renumber(id, again);
        cx.coordinator.play(call.caller, Some(Application::Music));
        self.calls.insert(again, call);
        self.forget_leg(id);
        self.keep_leg(again, cx);
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
