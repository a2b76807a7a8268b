//! Verbs: what an application asks of live calls.

mod access;
mod legs;
mod questions;

use media_core::control::{Application, LegId};
use sans_io::Time;
use sip_core::message::StatusCode;

use crate::SessionId;
use crate::call::{Call, End, NewCall};
use crate::coordinator::Coordinator;
use crate::dial::{Caller, Dial, Invitation, OutgoingCall, Owner, Party};
use crate::identity::{DiversionReason, Identity};
use crate::record::Cause;

impl Coordinator {
    /// Calls parties for a session whose caller waits: the first attempt now, each other when those before it failed. Ends in
    /// [`Event::Bridged`](crate::Event::Bridged) or [`Event::DialFailed`](crate::Event::DialFailed). A dial in progress goes on; its
    /// branches and the new ones compete.
    pub fn dial(&mut self, now: Time, session: SessionId, dial: Dial) {
        self.with_call(session, |call, cx| call.dial(cx, now, dial));
    }

    /// Makes a call of ours: a session without a caller.
    ///
    /// # Errors
    /// The SIP code that says why the party cannot be called: 404 unknown user or trunk, 480 not registered.
    pub fn create_outgoing_call(
        &mut self,
        now: Time,
        outgoing: OutgoingCall,
    ) -> Result<SessionId, StatusCode> {
        let cx = self.context_mut();
        let place = outgoing.place(cx, now)?;
        let id = cx.next_session();
        let new = NewCall {
            id,
            source: None,
            from: outgoing.caller.clone(),
            to: place.number(),
            identity: Identity::ours(&outgoing.caller),
            began: now,
            answered: None,
            max_forwards: 71,
            shard: cx.index.least_loaded(),
        };
        let mut call = Call::new(cx, new);
        call.ring_place(cx, now, place, outgoing);
        self.insert_call(call);
        Ok(id)
    }

    /// Answers [`Event::Diverted`](crate::Event::Diverted): these parties ring in place of the phone. If none of them can, it is as
    /// if the phone had not answered.
    pub fn follow(&mut self, now: Time, session: SessionId, leg: LegId, parties: &[Party]) {
        self.with_call(session, |call, cx| call.follow(cx, now, leg, parties));
    }

    /// Answers [`Event::Diverted`](crate::Event::Diverted) if the phone is not to ring any more, and nobody in its place: the call goes on
    /// to `to`. Returns the caller's leg, to be answered or dialled for, and how that caller is shown. `None`, and as if the phone had not
    /// answered, while others still ring.
    pub fn undial(&mut self, now: Time, session: SessionId, leg: LegId, to: &str) -> Option<(LegId, Caller)> {
        self.with_call(session, |call, cx| call.undial(cx, now, leg, to))?
    }

    /// True if nobody else rings, or may yet, than the phone of that leg ([`Event::Diverted`](crate::Event::Diverted)).
    #[must_use]
    pub fn rings_alone(&self, session: SessionId, leg: LegId) -> bool {
        self.call(session).is_some_and(|call| call.rings_alone(leg))
    }

    /// Notes that a call goes on to `to`, for that reason, in place of the number that was called last. Whoever is called from now on is
    /// told so (RFC 5806, RFC 7044), and so is the record of the call.
    pub fn divert(&mut self, session: SessionId, reason: DiversionReason, to: &str) {
        self.with_call(session, |call, _| call.divert(reason, to));
    }

    /// Refuses a caller after [`Event::DialFailed`](crate::Event::DialFailed), as if the dial had been told to: with the code, the reason
    /// and the `Retry-After` that it came to. Without such a dial before, with `otherwise`.
    pub fn reject_failed(&mut self, now: Time, session: SessionId, otherwise: StatusCode) {
        self.with_call(session, |call, cx| call.refuse_failed(cx, now, otherwise));
    }

    /// Tells the caller that it rings (180), or makes progress (183). A browser gets our answer SDP with it and hears a
    /// ringing tone; so its keys are agreed by the time somebody answers. Does nothing once the call is answered.
    pub fn ring(&mut self, now: Time, leg: LegId, code: StatusCode) {
        self.with_leg(leg, |call, cx| call.ring(cx, now, leg, code));
    }

    /// Lets the caller hear `application` before anybody answered: 183 with our answer SDP. Does nothing once the call is
    /// answered.
    pub fn progress(&mut self, now: Time, leg: LegId, application: Option<Application>) {
        self.with_leg(leg, |call, cx| call.progress(cx, now, leg, application));
    }

    /// Answers a call that came in: 200, once media is open. Without a bridge the leg hears `application`, or silence.
    pub fn answer(&mut self, now: Time, leg: LegId, application: Option<Application>) {
        if self.answer_asked(now, leg, application.clone()) {
            return;
        }
        let is_now = self.with_leg(leg, |call, _| call.prepare_answer(leg, application));
        if is_now == Some(true) {
            self.answer_now(now, leg);
        }
    }

    /// Refuses a call that came in with a final code, 300 to 699.
    pub fn reject(&mut self, now: Time, session: SessionId, code: StatusCode) {
        self.with_call(session, |call, cx| {
            call.end(cx, now, End::new(Cause::Refused, code))
        });
    }

    /// Ends a session: each leg is refused, cancelled or told BYE, as fits.
    /// [`Event::Ended`](crate::Event::Ended) follows when all is gone.
    pub fn terminate_session(&mut self, now: Time, session: SessionId) {
        self.with_call(session, |call, cx| {
            call.end(cx, now, End::new(Cause::Local, StatusCode::OK))
        });
    }

    /// Calls a party for a session whose caller is answered already. Several invitations may ring at a time, each by itself. Ends in
    /// [`Event::InvitationAnswered`](crate::Event::InvitationAnswered) or [`Event::InvitationEnded`](crate::Event::InvitationEnded), which name it as
    /// this does.
    ///
    /// # Errors
    /// The SIP code that says why the party cannot be called: 404 unknown user or trunk, 480 not registered, 481 no such session,
    /// 400 a header that cannot be written.
    pub fn invite(
        &mut self,
        now: Time,
        session: SessionId,
        invitation: Invitation,
    ) -> Result<LegId, StatusCode> {
        self.with_call(session, |call, cx| {
            call.invite(cx, now, invitation, Owner::Application)
        })
        .unwrap_or(Err(StatusCode::CALL_DOES_NOT_EXIST))
    }

    /// Takes an invitation back: its phones stop ringing. `completed_elsewhere` tells them why (RFC 3326), so that none shows a missed call.
    /// A leg that answered and was not admitted, or that is in the call, is hung up.
    pub fn withdraw(&mut self, now: Time, invitation: LegId, completed_elsewhere: bool) {
        let has = |call: &&Call| call.has_invitation(invitation);
        // The branch that names it may be gone already, while others ring.
        let named = self.call_of(invitation).filter(has);
        // Else it was answered, or is over, before the application knew.
        let Some(session) = named.or_else(|| self.calls().find(has)).map(Call::id) else {
            return;
        };
        self.with_call(session, |call, cx| {
            call.withdraw(cx, now, invitation, completed_elsewhere)
        });
    }

    /// Calls somebody in place of `leg`, whose peer asked for it ([`Event::Refer`](crate::Event::Refer)): a blind transfer. The
    /// peer is told its progress. Ends in [`Event::Transferred`](crate::Event::Transferred) or
    /// [`Event::TransferFailed`](crate::Event::TransferFailed). Without `invitation.caller`, the target is shown one of those who stay.
    pub fn transfer(&mut self, now: Time, leg: LegId, invitation: Invitation) {
        self.with_leg(leg, |call, cx| call.transfer(cx, now, leg, invitation));
    }

    /// Takes `leg`, whose peer asked for it, out of a call of two: for that peer the transfer is done.
    /// Returns the session, the leg that is alone there now, and how its party is shown to others. In any
    /// other call: declined.
    pub fn leave(&mut self, now: Time, leg: LegId) -> Option<(SessionId, LegId, Caller)> {
        let session = self.session_of_leg(leg)?;
        let (other, shown) = self.with_call(session, |call, cx| call.leave(cx, now, leg))??;
        Some((session, other, shown))
    }

    /// Promises the peer of `leg` to do as it asked; [`refer_progress`](Self::refer_progress) tells it how that goes.
    pub fn accept_refer(&mut self, now: Time, leg: LegId) {
        self.with_leg(leg, |call, cx| call.accept_refer(cx, now, leg));
    }

    /// Declines to replace `leg`, with a status of 300 to 699.
    pub fn refuse_refer(&mut self, now: Time, leg: LegId, code: StatusCode) {
        self.with_leg(leg, |call, cx| call.refuse_refer(cx, now, leg, code));
    }

    /// Tells the peer of `leg` the progress of its transfer: a status of the new call, the last one from 200
    /// on. The replaced party is hung up soon.
    pub fn refer_progress(&mut self, now: Time, leg: LegId, code: StatusCode) {
        self.with_leg(leg, |call, cx| call.refer_progress(cx, now, leg, code));
    }
}
