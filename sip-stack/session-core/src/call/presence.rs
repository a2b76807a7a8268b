//! Members whose browser leaves and comes back.

use std::time::Duration;

use media_core::control::LegId;
use sans_io::Time;
use sip_core::flow::Flow;
use sip_core::message::StatusCode;

use super::{Call, End};
use crate::context::Context;
use crate::coordinator::Timer;
use crate::event::Event;
use crate::leg::{Attendance, Leg};
use crate::record::Cause;

/// Longest grace of a browser whose call nobody has answered yet. A page that was closed cannot go on with it, and the phones that
/// ring would ring for nobody; one that only lost its network is back within that time or calls again.
const UNANSWERED: Duration = Duration::from_secs(4);

impl Call {
    /// The dialog of a leg is reached over `flow` from now on.
    pub(crate) fn move_leg(&mut self, cx: &mut Context, now: Time, leg: LegId, flow: Flow) {
        if let Some(l) = self.leg_mut(leg) {
            l.move_to(cx, now, flow);
            self.judge_attendance(cx, now, leg);
            self.ask_to_go_on(cx, now, leg);
        }
    }

    /// The connection of a leg closed.
    pub(crate) fn flow_lost(&mut self, cx: &mut Context, now: Time, leg: LegId) {
        if let Some(l) = self.leg_mut(leg) {
            l.set_flow_lost();
            self.judge_attendance(cx, now, leg);
        }
    }

    /// RTP of a leg's peer stopped or flows.
    pub(crate) fn rtp_flows(&mut self, cx: &mut Context, now: Time, leg: LegId, flowing: bool) {
        let Some(l) = self.found_leg(leg) else { return };
        if l.rtp_flows(now, flowing) {
            self.wire(cx);
        }
        self.judge_attendance(cx, now, leg);
    }

    /// The shard saw a leg's peer leave.
    pub(crate) fn peer_gone(&mut self, cx: &mut Context, now: Time, leg: LegId) {
        if let Some(l) = self.found_leg(leg) {
            l.peer_gone();
            self.judge_attendance(cx, now, leg);
        }
    }

    fn judge_attendance(&mut self, cx: &mut Context, now: Time, leg: LegId) {
        let Some(l) = self.found_leg(leg) else { return };
        if l.page_closed() {
            return self.end(cx, now, End::new(Cause::Caller, StatusCode::REQUEST_TERMINATED));
        }
        // It is as it was judged before.
        let Some(attendance) = l.judge_attendance() else {
            return;
        };
        let is_unanswered = l.waits_for_answer();
        let away = attendance == Attendance::Away;
        if away {
            let mut grace = self.grace.unwrap_or(cx.config.grace);
            if is_unanswered {
                grace = grace.min(UNANSWERED);
            }
            cx.timers
                .set(Timer::Grace(leg), now + grace, "grace of an absent browser");
        } else {
            cx.timers.cancel(Timer::Grace(leg));
        }
        let session = self.id;
        cx.event(Event::Away { session, leg, away });
        self.wire(cx);
        if away {
            // Perhaps the browser's successor was there before we saw it go.
            self.leg_returned(cx, leg);
        }
    }

    /// The user of a leg that is away registered: in a kept call, the user may be called into it again.
    pub(crate) fn leg_returned(&self, cx: &mut Context, leg: LegId) {
        let Some(l) = self.leg(leg).filter(|l| l.is_away()) else {
            return;
        };
        // Else its peer is a server that a client of ours speaks WebRTC with: nobody who registers here.
        let Some(user) = l.user() else { return };
        let over_another = |contact: &sip_core::registrar::Binding| Some(contact.flow.id) != l.registered();
        if self.is_kept() && !l.is_caller() && cx.directory.contacts(user).any(over_another) {
            cx.event(Event::Returned {
                session: self.id,
                leg,
                user: user.to_owned(),
            });
        }
    }

    /// The browser of a leg did not come back.
    pub(crate) fn grace_over(&mut self, cx: &mut Context, now: Time, leg: LegId) {
        if self.leg(leg).is_some_and(Leg::is_live) {
            self.lose_leg(cx, now, leg, End::new(Cause::Away, StatusCode::OK), None);
        }
    }
}
