//! Events of the media of a call's legs.

use std::net::SocketAddr;

use media_core::control::{Failure, LegId, Report};
use sans_io::Time;
use sip_core::message::StatusCode;

use super::{Call, End};
use crate::context::Context;
use crate::dial::Redirect;
use crate::event::Event;
use crate::leg::{Leg, Pending};
use crate::record::{Cause, Fault};

impl Call {
    /// The ports of a leg are there. Says whether it is to be answered now.
    pub(crate) fn media_opened(
        &mut self,
        cx: &mut Context,
        now: Time,
        leg: LegId,
        addresses: &[SocketAddr],
    ) -> bool {
        let Some(l) = self.leg_mut(leg) else { return false };
        let mut answer = false;
        for pending in l.opened(cx, addresses) {
            match pending {
                Pending::Invite(invite) => {
                    if let Some(l) = self.leg_mut(leg) {
                        let is_turn = |trunk| cx.trunks.is_turn(trunk, now, leg);
                        let is_urgent = l.redirect().is_some_and(Redirect::is_urgent);
                        match is_urgent || l.trunk().is_none_or(is_turn) {
                            true => l.send_invite(cx, now, invite),
                            false => l.hold_invite(invite),
                        }
                    }
                }
                Pending::Ring(code, early) => self.ring_now(cx, now, leg, code, early),
                Pending::Answer => answer = true,
                Pending::Recover => self.ask_to_go_on(cx, now, leg),
            }
        }
        answer
    }

    /// Sends the INVITE of a leg whose turn at its trunk has come.
    pub(crate) fn turn_came(&mut self, cx: &mut Context, now: Time, leg: LegId) {
        if let Some(l) = self.leg_mut(leg)
            && let Some(invite) = l.take_held()
        {
            l.send_invite(cx, now, invite);
        }
    }

    /// The ports of a leg could not be had, or its media broke: the shard has closed it.
    pub(crate) fn media_failed(&mut self, cx: &mut Context, now: Time, leg: LegId, reason: Failure) {
        let Some(l) = self.found_leg(leg) else { return };
        let (code, fault) = match reason {
            Failure::NoPort => (StatusCode::SERVICE_UNAVAILABLE, Fault::NoPort),
            Failure::Full => (StatusCode::SERVICE_UNAVAILABLE, Fault::Overloaded),
            Failure::Fingerprint | Failure::Dtls => (StatusCode::NOT_ACCEPTABLE_HERE, Fault::Media),
            Failure::Closed | Failure::Consent => (StatusCode::REQUEST_TIMEOUT, Fault::Media),
        };
        l.media_closed(Box::default());
        l.set_fault(Some(fault));
        if l.is_unanswered() && l.rings() {
            self.end_leg(cx, now, leg, None);
            self.branch_failed(cx, now, leg, code);
        } else if self.member_left(cx, leg, Cause::Failed, code) {
            self.end_leg(cx, now, leg, None);
        } else {
            self.set_fault(Some(fault));
            self.end(cx, now, End::new(Cause::Failed, code));
        }
        self.conclude(cx);
    }

    /// Counts of a leg, the last ones when it is closed.
    pub(crate) fn reported(&mut self, cx: &mut Context, leg: LegId, report: Box<Report>, last: bool) {
        let session = self.id();
        if last {
            if let Some(l) = self.leg_mut(leg) {
                l.media_closed(report);
            }
            self.conclude(cx);
        } else if self.leg(leg).is_some() {
            cx.event(Event::Report { session, leg, report });
        }
    }

    /// The first authentic packet of a leg's peer.
    pub(crate) fn talking(&mut self, cx: &mut Context, now: Time, leg: LegId) {
        let session = self.id();
        if self.leg(leg).is_some() {
            cx.event(Event::Talking { session, leg });
        }
        self.rtp_flows(cx, now, leg, true);
    }
}

impl Leg {
    /// Rings for its call or for an invitation.
    pub(crate) fn rings(&self) -> bool {
        self.is_branch()
            || self
                .invitation()
                .is_some_and(|invitation| self.is_invited_for(invitation))
    }
}
