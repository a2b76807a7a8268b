//! Verbs: what an application asks of live calls, and what it may ask about them.

use std::net::IpAddr;
use std::time::Duration;

use media_core::control::{Application, LegId, Phrase, Role};
use sans_io::Time;
use sip_core::endpoint::{RequestId, UsageId};
use sip_core::message::{Message, StatusCode};

use crate::SessionId;
use crate::account::Registration;
use crate::admission::Limits;
use crate::call::{Call, CallSession, End, Lifetime, NewCall};
use crate::coordinator::Coordinator;
use crate::dial::{Caller, Dial, Invitation, OutgoingCall, Owner, Party};
use crate::guard::Ban;
use crate::leg::{Leg, LegInfo};
use crate::record::{Cause, Fault};

/// Calls.
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
        let place = outgoing.place(cx)?;
        let id = cx.next_session();
        let new = NewCall {
            id,
            source: None,
            from: outgoing.caller.clone(),
            to: place.number(),
            began: now,
            answered: None,
            max_forwards: 71,
            shard: cx.index.least_loaded(),
        };
        let mut call = Call::new(cx, new);
        call.ring_place(cx, place, outgoing);
        self.insert_call(call);
        Ok(id)
    }

    /// Answers [`Event::Diverted`](crate::Event::Diverted): these parties ring in place of the phone. If none of them can, it is as
    /// if the phone had not answered.
    pub fn follow(&mut self, now: Time, session: SessionId, leg: LegId, parties: &[Party]) {
        self.with_call(session, |call, cx| call.follow(cx, now, leg, parties));
    }

    /// Answers [`Event::Diverted`](crate::Event::Diverted) if nobody is to be dialled for the caller any more: returns the caller's
    /// leg, to be answered, and how that caller is shown. `None`, and as if the phone had not answered, while
    /// others still ring.
    pub fn undial(&mut self, now: Time, session: SessionId, leg: LegId) -> Option<(LegId, Caller)> {
        self.with_call(session, |call, cx| call.undial(cx, now, leg))?
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
        _: Time,
        session: SessionId,
        invitation: Invitation,
    ) -> Result<LegId, StatusCode> {
        self.with_call(session, |call, cx| {
            call.invite(cx, invitation, Owner::Application)
        })
        .unwrap_or(Err(StatusCode::CALL_DOES_NOT_EXIST))
    }

    /// Takes an invitation back: its phones stop ringing. `completed_elsewhere` tells them why (RFC 3326), so that none shows a missed call.
    /// A leg that answered and was not admitted, or that is in the call, is hung up.
    pub fn withdraw(&mut self, now: Time, invitation: LegId, completed_elsewhere: bool) {
        let has = |call: &&Call| call.has_invitation(invitation);
        // The branch that names it may be gone already, while others ring.
        let named = self.call_of(invitation).filter(has);
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

/// Members and media.
impl Coordinator {
    /// An answered leg takes part in its session from now on: bridged with the others as its role allows.
    pub fn admit_leg(&mut self, _: Time, session: SessionId, leg: LegId) {
        self.with_call(session, |call, cx| call.admit(cx, leg));
    }

    /// Hangs one leg up. The session goes on where it is kept or two parties are left; otherwise it ends.
    pub fn drop_leg(&mut self, now: Time, leg: LegId) {
        self.with_leg(leg, |call, cx| call.drop_leg(cx, now, leg, None));
    }

    /// Takes a leg that is up out of its session into one of its own, where it is the caller. It hears what [`play`](Self::play) says.
    pub fn split(&mut self, now: Time, leg: LegId) -> Option<SessionId> {
        if let Some(invitation) = self.leg(leg).and_then(Leg::aside) {
            self.withdraw(now, invitation, false);
        }
        let call = self.with_leg(leg, |call, cx| call.split(cx, now, leg))??;
        let session = call.id();
        self.insert_call(call);
        Some(session)
    }

    /// A kept session ends with its caller, or when it is told to. [`Event::Left`](crate::Event::Left) reports any other party
    /// that leaves, and the caller then hears the sound set by [`play`](Self::play), or music.
    pub fn keep(&mut self, session: SessionId, keep: bool) {
        self.with_call(session, |call, cx| {
            call.set_lifetime(if keep { Lifetime::Caller } else { Lifetime::Two });
            call.wire(cx);
        });
    }

    /// Sets the time that browsers of this session may be away, in place of
    /// [`Config::grace`](crate::Config::grace).
    pub fn set_grace(&mut self, session: SessionId, grace: Duration) {
        self.with_call(session, |call, _| call.set_grace(grace));
    }

    /// Sets the role of a leg in its session's bridge.
    pub fn set_role(&mut self, leg: LegId, role: Role) {
        self.with_leg(leg, |call, cx| {
            if let Some(l) = call.leg_mut(leg) {
                l.set_role(role);
            }
            call.wire(cx);
        });
    }

    /// Changes what a leg hears while it is in no bridge.
    pub fn play(&mut self, leg: LegId, application: Option<Application>) {
        self.with_leg(leg, |call, cx| call.play(cx, leg, application));
    }

    /// Says something to a leg that hears music or the sound set by [`play`](Self::play), which pauses
    /// meanwhile. Any other sound for the leg, above all an agent who answers, cuts it short. Answered by
    /// [`Event::Announced`](crate::Event::Announced), unless the leg does not exist or hears something else; then false. A phrase that
    /// comes while another is being said follows it (of several, the last), and is answered with it.
    pub fn announce(&mut self, leg: LegId, phrase: Phrase) -> bool {
        let announced = self.with_leg(leg, |call, cx| {
            call.leg(leg).is_some_and(|l| l.announce(cx, phrase))
        });
        announced.unwrap_or_default()
    }

    /// Holds a leg's peer: it hears music, its far side too, until [`resume`](Self::resume).
    pub fn hold(&mut self, now: Time, leg: LegId) {
        self.with_leg(leg, |call, cx| call.hold(cx, now, leg, true));
    }

    /// Ends [`hold`](Self::hold).
    pub fn resume(&mut self, now: Time, leg: LegId) {
        self.with_leg(leg, |call, cx| call.hold(cx, now, leg, false));
    }

    /// Sends a digit to a leg's peer: by RFC 4733 where it was agreed, else by INFO.
    pub fn send_dtmf(&mut self, now: Time, leg: LegId, digit: char, duration_ms: u16) {
        self.with_leg(leg, |call, cx| {
            if let Some(l) = call.leg(leg) {
                l.send_dtmf(cx, now, digit, duration_ms);
            }
        });
    }

    /// Asks the shard for a leg's counters: [`Event::Report`](crate::Event::Report).
    pub fn report(&mut self, leg: LegId) {
        self.with_leg(leg, |call, cx| {
            if let Some(l) = call.leg(leg) {
                l.report(cx);
            }
        });
    }

    /// Asks the peer of a leg for a sign of life. [`Event::Present`](crate::Event::Present) reports one; otherwise the leg ends.
    pub fn ask_peer(&mut self, now: Time, leg: LegId) {
        self.with_leg(leg, |call, cx| call.ask_peer(cx, now, leg));
    }
}

/// Accounts elsewhere, limits and bans.
impl Coordinator {
    /// Registers, and refreshes at half the granted time until [`unregister`](Self::unregister). Failures are
    /// reported and tried again after 5 s, doubling up to 5 min; 403 and 404 end it.
    pub fn register(&mut self, now: Time, registration: Registration) {
        let (accounts, cx) = self.accounts_mut();
        accounts.register(cx, now, registration);
    }

    /// Gives a registration up.
    pub fn unregister(&mut self, now: Time, account: u64) {
        let (accounts, cx) = self.accounts_mut();
        accounts.unregister(cx, now, account);
    }

    pub(crate) fn register_answered(
        &mut self,
        now: Time,
        request: RequestId,
        response: Result<&Message, Fault>,
    ) {
        let (accounts, cx) = self.accounts_mut();
        accounts.answered(cx, now, request, response);
    }

    /// Sets other limits from now on; calls stay.
    pub fn set_limits(&mut self, limits: Limits) {
        let (admission, cx) = self.admission_mut();
        admission.set_limits(cx, limits);
    }

    /// Sources that are banned.
    #[must_use]
    pub fn bans(&self, now: Time) -> Vec<Ban> {
        self.admission().bans(now)
    }

    /// Bans a source that another guard has banned.
    pub fn ban(&mut self, now: Time, ban: Ban) {
        self.admission_mut().0.ban(now, ban);
    }

    /// Ends a ban; false when there is none.
    pub fn lift_ban(&mut self, now: Time, address: IpAddr) -> bool {
        self.admission_mut().0.lift_ban(now, address)
    }

    /// True if somebody of ours is at that address: a user who got in from there lately, or a trunk.
    #[must_use]
    pub fn knows(&self, now: Time, address: IpAddr) -> bool {
        self.admission().knows(now, address) || self.context().directory.trunk_at(address).is_some()
    }
}

/// Questions.
impl Coordinator {
    /// Live sessions, oldest first.
    pub fn sessions(&self) -> impl Iterator<Item = SessionId> + '_ {
        self.calls().map(Call::id)
    }

    /// A live call.
    #[must_use]
    pub fn find_session(&self, session: SessionId) -> Option<CallSession> {
        self.call(session).map(Call::describe)
    }

    /// Live calls, oldest first.
    pub fn list_active_sessions(&self) -> impl Iterator<Item = CallSession> + '_ {
        self.calls().map(Call::describe)
    }

    /// Legs of a call that are not ending, in the order in which they came: the caller's first.
    #[must_use]
    pub fn legs_in(&self, session: SessionId) -> Vec<LegInfo> {
        let call = self.call(session);
        let legs = call.into_iter().flat_map(Call::legs);
        legs.filter_map(Leg::info).collect()
    }

    /// Our description of the first party's media, as an offer of it would be now; nothing is sent.
    #[must_use]
    pub fn generate_sdp_offer(&self, session: SessionId) -> Option<String> {
        let call = self.call(session)?;
        let leg = call.legs().find(|l| l.is_live() && l.is_open())?;
        Some(leg.describe())
    }

    /// Legs of a user that are not ending, each with the [`invite`](Self::invite) that it is or was a branch of.
    pub fn legs_of(&self, user: &str) -> impl Iterator<Item = (LegId, Option<LegId>)> + '_ {
        let legs = self.legs_of_user(user).into_iter();
        legs.filter_map(|leg| self.leg(leg))
            .filter(|leg| leg.is_live())
            .map(|leg| (leg.id(), leg.invitation()))
    }

    /// The user of the directory whose leg it is.
    #[must_use]
    pub fn user_of(&self, leg: LegId) -> Option<&str> {
        self.leg(leg)?.user()
    }

    /// The party of a leg, as records show it.
    #[must_use]
    pub fn party_of(&self, leg: LegId) -> Option<&str> {
        Some(self.leg(leg)?.party())
    }

    /// The session that a leg is in.
    #[must_use]
    pub fn session_of_leg(&self, leg: LegId) -> Option<SessionId> {
        self.context().index.session(leg)
    }

    /// Number of the media shard that a live leg is on.
    #[must_use]
    pub fn shard_of_leg(&self, leg: LegId) -> Option<u8> {
        Some(self.leg(leg)?.shard())
    }

    /// The live session of which a leg has this SIP Call-ID.
    #[must_use]
    pub fn session_of_call_id(&self, call_id: &str) -> Option<SessionId> {
        self.context().index.session_of_call_id(call_id)
    }

    /// The session of the leg whose dialog has this SIP Call-ID and this tag of ours. We drew the tag, and told it to the leg's peer
    /// alone.
    #[must_use]
    pub fn session_of(&self, call_id: &str, tag: &str) -> Option<SessionId> {
        let usage = UsageId::of_tag(tag)?;
        let leg = self.context().index.leg(usage)?;
        (self.leg(leg)?.call_id() == call_id).then(|| self.session_of_leg(leg))?
    }

    /// True while the peer of a leg has put us on hold.
    #[must_use]
    pub fn is_held(&self, leg: LegId) -> bool {
        self.leg(leg).is_some_and(Leg::is_held)
    }

    /// True while the browser of a leg is away: see [`Event::Away`](crate::Event::Away).
    #[must_use]
    pub fn is_away(&self, leg: LegId) -> bool {
        self.leg(leg).is_some_and(Leg::is_away)
    }

    /// The legs of a session: the caller's and the one that answered.
    #[must_use]
    pub fn legs(&self, session: SessionId) -> [Option<LegId>; 2] {
        self.call(session)
            .map_or([None, None], |call| [call.caller().map(Leg::id), call.callee()])
    }

    /// A user is registered.
    #[must_use]
    pub fn is_reachable(&self, user: &str) -> bool {
        self.context().directory.is_reachable(user)
    }
}
