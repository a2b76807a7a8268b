//! Presence of a leg's browser: gone (the tab closed, the page crashed, the network died), or back.
//!
//! A lost WebSocket alone changes nothing that anybody hears: the dialog belongs to the user, and moves to the user's
//! next flow. The browser is away on DTLS close_notify, when no authenticated STUN check came for 15 s, or when its
//! WebSocket closed and no RTP came for 200 ms. It is back when its RTP flows again.

use std::time::Duration;

use media_core::control::LegId;
use sans_io::Time;
use sip_core::flow::{Flow, FlowId};

use crate::coordinator::{Coordinator, Timer};
use crate::leg::{OwnMusic, State};
use crate::{Cause, Event};

/// Time after which the sound of a phone that holds us counts as music of its own, which may have pauses.
const OWN_MUSIC: Duration = Duration::from_secs(1);

/// Longest grace of a browser whose call nobody has answered yet. A page that was closed cannot go on with it, and the phones that
/// ring would ring for nobody; one that only lost its network is back within that time or calls again.
const UNANSWERED: Duration = Duration::from_secs(4);

impl Coordinator {
    /// A connection closed.
    pub(crate) fn flow_lost(&mut self, now: Time, flow: FlowId) {
        self.flow_rights_lost(flow);
        let lost: Vec<LegId> = self
            .legs
            .values()
            .filter(|l| l.flow.is_some_and(|f| f.id == flow))
            .map(|l| l.id)
            .collect();
        for leg in lost {
            if let Some(l) = self.legs.get_mut(&leg) {
                l.presence.flow_lost = true;
            }
            self.judge_presence(now, leg);
        }
    }

    /// A user is reachable over `flow`: legs of that user that lost theirs move to it.
    pub(crate) fn flow_found(&mut self, now: Time, user: &str, flow: Flow) {
        let moved: Vec<LegId> = self
            .legs
            .values()
            .filter(|l| l.browser && l.presence.flow_lost && l.user.as_deref() == Some(user))
            .filter(|l| self.is_same_client(l, user, flow))
            .map(|l| l.id)
            .collect();
        for leg in moved {
            self.move_leg(now, leg, flow);
        }
    }

    /// The dialog of a leg is reached over `flow` from now on.
    pub(crate) fn move_leg(&mut self, now: Time, leg: LegId, flow: Flow) {
        let Some(l) = self.legs.get_mut(&leg) else { return };
        l.flow = Some(flow);
        l.presence.flow_lost = false;
        if let Some(usage) = l.usage {
            self.endpoint.move_flow(now, usage, flow);
        }
        self.judge_presence(now, leg);
        self.offer_to_go_on(now, leg);
    }

    /// RTP of a leg's peer stopped or flows.
    pub(crate) fn rtp_flows(&mut self, now: Time, leg: LegId, flowing: bool) {
        let Some(l) = self.legs.get_mut(&leg) else { return };
        l.presence.flowing = flowing;
        if flowing {
            l.presence.gone = false;
        }
        if l.hears_nothing() {
            // Its sound is music of its own; while there is none the others hear ours.
            l.own_music = match l.own_music {
                OwnMusic::None if flowing => OwnMusic::Since(now),
                OwnMusic::Since(began) if !flowing && now.since(began) >= OWN_MUSIC => OwnMusic::Pausing,
                OwnMusic::Since(_) if !flowing => OwnMusic::None,
                before => before,
            };
            let session = l.session;
            self.wire(session);
        }
        self.judge_presence(now, leg);
    }

    /// The shard saw a leg's peer leave.
    pub(crate) fn peer_gone(&mut self, now: Time, leg: LegId) {
        let Some(l) = self.legs.get_mut(&leg) else { return };
        l.presence.gone = true;
        l.presence.flowing = false;
        self.judge_presence(now, leg);
    }

    fn judge_presence(&mut self, now: Time, leg: LegId) {
        let Some(l) = self.legs.get_mut(&leg) else { return };
        if !l.browser || l.state >= State::Ending {
            return;
        }
        let p = &mut l.presence;
        // The page was closed: it cannot go on with a call of its own that nobody has answered.
        if p.gone && p.flow_lost && l.incoming && l.state < State::Up {
            let session = l.session;
            return self.end_session(now, session, Cause::Caller, 487);
        }
        let (away, session) = match p.away {
            // A held browser may send nothing at all: only the shard's word counts then.
            false if p.gone || (p.flow_lost && !p.flowing && !l.held) => (true, l.session),
            true if p.flowing => (false, l.session),
            _ => return,
        };
        p.away = away;
        let is_unanswered = l.incoming && l.state < State::Up;
        let mut grace = self
            .sessions
            .get(&session)
            .and_then(|s| s.grace)
            .unwrap_or(self.config.grace);
        if is_unanswered {
            grace = grace.min(UNANSWERED);
        }
        if away {
            self.timers
                .set(Timer::Grace(leg), now + grace, "grace of an absent browser");
        } else {
            self.timers.cancel(Timer::Grace(leg));
        }
        self.event(Event::Away { session, leg, away });
        self.wire(session);
        if away {
            // Perhaps the browser's successor was there before we saw it go.
            self.leg_returned(leg);
        }
    }

    /// A user registered: whose browser is away from a kept session may be called into it again.
    pub(crate) fn user_returned(&mut self, user: &str) {
        let away: Vec<LegId> = self
            .legs
            .values()
            .filter(|l| l.presence.away && l.user.as_deref() == Some(user))
            .map(|l| l.id)
            .collect();
        for leg in away {
            self.leg_returned(leg);
        }
    }

    fn leg_returned(&mut self, leg: LegId) {
        let Some(l) = self.legs.get(&leg).filter(|l| l.presence.away) else {
            return;
        };
        let (Some(user), session) = (l.user.clone(), l.session) else {
            return;
        };
        let kept = self
            .sessions
            .get(&session)
            .is_some_and(|s| s.kept && s.caller != Some(leg));
        let since = l.registered;
        if kept
            && self
                .registrar
                .lookup(&user)
                .any(|contact| Some(contact.flow.id) != since)
        {
            self.event(Event::Returned { session, leg, user });
        }
    }

    /// The browser did not come back.
    pub(crate) fn grace_over(&mut self, now: Time, leg: LegId) {
        let Some(session) = self.legs.get(&leg).map(|l| l.session) else {
            return;
        };
        if self.member_left(session, leg, Cause::Away, 200) {
            self.end_leg(now, leg, None);
            self.conclude(session);
        } else {
            self.end_session(now, session, Cause::Away, 200);
        }
    }
}
