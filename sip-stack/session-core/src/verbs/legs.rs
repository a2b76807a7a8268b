//! Verbs for legs: who takes part, and what they hear.

use std::time::Duration;

use media_core::control::{Application, LegId, Phrase, Role};
use sans_io::Time;

use crate::SessionId;
use crate::call::Lifetime;
use crate::coordinator::Coordinator;
use crate::leg::Leg;

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
