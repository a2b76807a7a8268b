//! Questions about live calls and legs.

use media_core::control::LegId;
use sip_core::endpoint::UsageId;
use sip_core::uri::Uri;

use crate::SessionId;
use crate::call::{Call, CallSession};
use crate::coordinator::Coordinator;
use crate::leg::{Leg, LegInfo};

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

    /// The trunk that a leg belongs to; `None` for a leg of a user.
    #[must_use]
    pub fn trunk_of(&self, leg: LegId) -> Option<&str> {
        self.leg(leg)?.trunk()
    }

    /// The party of a leg, as records show it.
    #[must_use]
    pub fn party_of(&self, leg: LegId) -> Option<&str> {
        Some(self.leg(leg)?.party())
    }

    /// `Contact` of the peer of a leg, at which it is reached within its dialog. `None` before it gave one that is a SIP URI.
    #[must_use]
    pub fn peer_contact(&self, leg: LegId) -> Option<Uri> {
        let usage = self.leg(leg)?.usage()?;
        Uri::parse(&self.context().endpoint.usage(usage)?.remote_target).ok()
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

    /// A phone of this user that rings, and whose place another one may take ([`replace`](Self::replace)); of several, that of the call that
    /// came first.
    #[must_use]
    pub fn ringing_at(&self, user: &str) -> Option<LegId> {
        let legs = self.legs_of_user(user).into_iter();
        legs.filter(|leg| self.rings_replaceably(*leg)).min()
    }

    /// A phone that rings for a session, and whose place another one may take.
    #[must_use]
    pub fn ringing_in(&self, session: SessionId) -> Option<LegId> {
        let legs = self.call(session)?.legs().map(Leg::id);
        legs.into_iter().find(|leg| self.rings_replaceably(*leg))
    }

    /// A user is registered.
    #[must_use]
    pub fn is_reachable(&self, user: &str) -> bool {
        self.context().directory.is_reachable(user)
    }
}
