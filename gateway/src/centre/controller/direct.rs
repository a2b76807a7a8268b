//! Direct calls, which came through no queue, beside those of the call centre.

use session_core::{CallRecord, SessionId};

use super::super::context::Ctx;
use super::super::direct::{self, Arrived, DirectCalls};
use super::super::view::Parking;
use super::Controller;

impl Controller {
    /// Takes note of a call that came through no queue. One that a queue took meanwhile is that queue's.
    pub fn arrived(&mut self, arrived: Arrived<'_>, cx: &Ctx<'_>) {
        if self.legs.call_of_session(arrived.session).is_none() {
            let id = self.numbers.next(cx.now);
            let (direct, context) = self.direct_calls(cx);
            direct.arrived(id, arrived, &context);
        }
    }

    /// Takes note of where a direct call is parked; `None`: it is no longer.
    pub fn park(&mut self, session: SessionId, parking: Option<Parking>, cx: &Ctx<'_>) {
        self.direct.park(cx.now, session, parking);
    }

    /// Publishes the direct calls that changed, once it is time.
    pub(super) fn publish_direct(&mut self, cx: &Ctx<'_>) {
        let (direct, mut context) = self.direct_calls(cx);
        direct.publish(&mut context);
    }

    /// Records a direct call that is over.
    pub(super) fn direct_ended(&mut self, session: SessionId, call: &CallRecord, cx: &Ctx<'_>) {
        let (direct, mut context) = self.direct_calls(cx);
        direct.ended(session, call, &mut context);
    }

    /// A call went on in another one.
    pub(super) fn direct_joined(&mut self, guest: SessionId, into: SessionId, cx: &Ctx<'_>) {
        let queued = self.legs.call_of_session(into);
        let (direct, mut context) = self.direct_calls(cx);
        direct.joined(guest, (into, queued), &mut context);
    }

    fn direct_calls<'a>(&'a mut self, cx: &'a Ctx<'_>) -> (&'a mut DirectCalls, direct::Context<'a>) {
        let context = direct::Context {
            now: cx.now,
            coordinator: cx.coordinator,
            directory: &self.directory,
            publisher: &mut self.publisher,
        };
        (&mut self.direct, context)
    }
}
