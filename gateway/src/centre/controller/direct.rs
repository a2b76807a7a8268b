//! Direct calls, which came through no queue, beside those of the call centre.

use session_core::stir::Verdict;
use session_core::{CallRecord, SessionId};

use super::super::context::Ctx;
use super::super::direct::{self, Arrived, DirectCalls};
use super::super::ids;
use super::super::view::{self, CallerVerification, Moment, Parking};
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

    /// Takes the verdict on the caller of a call, in a queue or not.
    pub(super) fn verified(&mut self, session: SessionId, verdict: &Verdict, cx: &Ctx<'_>) {
        let verification = CallerVerification::from(verdict);
        let Some(id) = self.legs.call_of_session(session) else {
            return self.direct.verified(cx.now, session, verification);
        };
        // The verdict that a call came with is known already.
        let call = self.calls.get_mut(&id);
        if let Some(call) = call.filter(|call| call.from().verification.as_ref() != Some(&verification)) {
            call.set_verification(verification);
            self.publisher.call(id);
        }
    }

    /// Tells supervisors that a user calls the emergency services: user, number, and the number that is shown to them.
    pub fn emergency(&mut self, session: SessionId, (user, number, shown): (&str, &str, &str), cx: &Ctx<'_>) {
        let Some(id) = self.direct.id_of(session) else {
            debug_assert!(false, "an emergency call is a direct call");
            return;
        };
        let person = self.directory.person(user);
        let call = view::Change::EmergencyCall {
            call: ids::call(id),
            user: person.map_or_else(|| user.to_owned(), |person| person.name.clone()),
            number: number.to_owned(),
            shown: shown.to_owned(),
            at: Moment(cx.now),
        };
        self.publisher.change(cx.now, call);
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
