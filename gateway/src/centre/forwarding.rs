//! Forwarding: a phone outside of the call centre rings for a caller, who may come back to the queue.

use call_engine::acd::{CallId, Enqueue, Input, QueueId};
use session_core::{Application, LegId, Party};

use super::call::Call;
use super::context::Ctx;
use super::controller::Controller;
use super::invitation::invitation;
use super::journal::Ended;
use super::legs::{Legs, Role};

impl Call {
    /// Lets a phone outside ring for the caller, who hears that; `id` is the number of this call. False if nobody can be called there.
    fn ring_outside(
        &mut self,
        (id, name): (CallId, String),
        party: Party,
        fallback: Option<QueueId>,
        legs: &mut Legs,
        cx: &mut Ctx<'_>,
    ) -> bool {
        cx.coordinator.play(self.caller, Some(Application::Ringback));
        let invitation = invitation(party, None, Vec::new());
        let Ok(leg) = cx.coordinator.invite(cx.now, self.session, invitation) else {
            return false;
        };
        self.forward(name, leg, fallback);
        legs.set(leg, Role::Forwarded(id));
        true
    }

    /// Somebody outside answered: caller and leg hear each other.
    fn answered_outside(&mut self, id: CallId, leg: LegId, legs: &mut Legs, cx: &mut Ctx<'_>) {
        self.forwarded(cx.now, leg);
        legs.set(leg, Role::Other(id));
        cx.coordinator.play(self.caller, None);
        cx.coordinator.admit_leg(cx.now, self.session, leg);
    }
}

impl Controller {
    /// Forwards the call of an agent, who is out of it. If nobody answers, the caller waits in the queue again.
    pub(super) fn forward_from_agent(&mut self, id: CallId, to: (Party, String), cx: &mut Ctx<'_>) {
        let Some(call) = self.calls.get(&id) else {
            return;
        };
        let (caller, queue) = (call.caller, call.queue);
        cx.coordinator.resume(cx.now, caller);
        self.input(Input::Ended { call: id }, cx);
        if let Some(call) = self.calls.get_mut(&id) {
            let released = call.release(cx.now);
            released.hang_up(&mut self.legs, cx);
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
        if !call.ring_outside((id, name), party, fallback, &mut self.legs, cx) {
            self.come_back(id, fallback, cx);
        }
        self.publisher.call(id);
    }

    /// Somebody outside answered.
    pub(super) fn forwarded(&mut self, id: CallId, leg: LegId, cx: &mut Ctx<'_>) {
        if let Some(call) = self.calls.get_mut(&id) {
            call.answered_outside(id, leg, &mut self.legs, cx);
            self.publisher.call(id);
        }
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
        for leg in call.enter_again(cx.now) {
            self.legs.remove(leg);
        }
        self.legs.renumber(id, again);
        self.open_records.renumber(id, again);
        cx.coordinator.play(call.caller, Some(Application::Music));
        self.calls.insert(again, call);
        self.publisher.leg(id, None);
        self.save_leg(again, cx);
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
