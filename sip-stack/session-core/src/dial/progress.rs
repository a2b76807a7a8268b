//! Progress of branches: ringing, early media, the answer, the refusal.

use media_core::control::LegId;
use sans_io::Time;
use sip_core::endpoint::ForkId;
use sip_core::message::StatusCode;

use super::branch::{declined, elsewhere};
use super::is_for_all_phones;
use crate::call::{Call, PassedReason};
use crate::context::Context;
use crate::coordinator::Timer;
use crate::event::Event;
use crate::leg::{Ack, Leg, Pending, Purpose};

impl Call {
    /// Handles 101 to 199 of a branch, with or without SDP. The caller hears the fork that sent a description last.
    pub(crate) fn branch_progress(
        &mut self,
        cx: &mut Context,
        now: Time,
        (leg, fork): (LegId, Option<ForkId>),
        code: StatusCode,
        sdp: Option<&[u8]>,
    ) {
        let session = self.id();
        // A proxy may let a fork ring on after another one answered.
        let Some(l) = self.leg_mut(leg).filter(|l| l.is_unanswered()) else {
            return;
        };
        l.progressed();
        let progress = l.fork_progress(fork, sdp);
        let invited = l.invitation().filter(|invitation| l.is_invited_for(*invitation));
        self.tell_target(cx, now, leg, None);
        if let Some(invitation) = invited {
            return self.invitation_rings(cx, now, leg, invitation, code);
        }
        if let Some(negotiated) = progress.agreed
            && let Some(l) = self.leg_mut(leg)
        {
            l.connect(cx, *negotiated);
        }
        let early_media = progress.early_media;
        if let Some(dialling) = self.dialling_mut() {
            dialling.rings();
        }
        if early_media && let Some(dialling) = self.dialling_mut() {
            dialling.hear_early(leg);
        }
        if let Some(caller) = self.caller_mut().filter(|l| l.is_unanswered()) {
            let caller_leg = caller.id();
            let sent = if early_media {
                StatusCode::SESSION_PROGRESS
            } else {
                code
            };
            if !caller.when_open(Pending::Ring(code, false)) {
                self.ring_now(cx, now, caller_leg, sent, early_media);
            }
        }
        self.target_rings(cx, now, code);
        cx.event(Event::Progress {
            session,
            leg,
            code,
            early_media,
        });
        self.wire(cx);
    }

    /// 2xx of a branch: it becomes a member, the others are cancelled, the caller is answered.
    pub(crate) fn branch_answered(
        &mut self,
        cx: &mut Context,
        now: Time,
        (leg, fork): (LegId, ForkId),
        sdp: Option<&[u8]>,
    ) {
        self.tell_target(cx, now, leg, None);
        let Some(l) = self.found_leg(leg) else { return };
        l.follow_flow(cx);
        if !l.is_unanswered() {
            return;
        }
        let agreed = match l.negotiation().awaits_offer() {
            true => l.late_offer(cx, now, sdp),
            false => l.fork_won(cx, fork, sdp),
        };
        if !agreed {
            // It answered with something that we cannot use.
            self.end_leg(cx, now, leg, None);
            if self.caller_has_only_foreign(cx) {
                self.explain_no_codec(cx);
            }
            return self.branch_failed(cx, now, leg, StatusCode::NOT_ACCEPTABLE_HERE);
        }
        l.set_up(now, Ack::Seen);
        if let Some(longest) = cx.caps.answered(leg, now) {
            cx.timers
                .set(Timer::Longest(leg), now + longest, "longest time of a call");
        }
        self.branch_won(cx, now, (leg, leg));
    }

    /// A branch is answered, by its own leg or by another one that takes its place: that is whom the caller wanted, the others are
    /// cancelled.
    pub(crate) fn branch_won(&mut self, cx: &mut Context, now: Time, (branch, leg): (LegId, LegId)) {
        let Some(l) = self.leg(branch) else { return };
        if let Some(invitation) = l.invitation().filter(|name| l.is_invited_for(*name)) {
            return self.invitation_won(cx, now, invitation, leg);
        }
        let losers: Vec<LegId> = self.branches().map(Leg::id).filter(|l| *l != leg).collect();
        self.add_member(leg);
        // Whatever others met is of no consequence.
        self.set_fault(None);
        cx.timers.cancel(Timer::Absent(self.id()));
        cx.timers.cancel(Timer::Attempt(self.id()));
        self.set_dialling(None);
        let calls_back = self.calls_back();
        if self.caller().is_none() && !calls_back {
            self.note_answered(now);
        }
        for loser in losers {
            self.remove_member(loser);
            self.end_leg(cx, now, loser, Some(elsewhere()));
        }
        if calls_back {
            return self.called_back(cx, leg);
        }
        self.target_answered(cx, now);
        cx.event(Event::Answered {
            session: self.id(),
            leg,
        });
        self.answer_caller(cx, now);
        self.wire(cx);
    }

    /// A branch is over without an answer.
    pub(crate) fn branch_failed(&mut self, cx: &mut Context, now: Time, leg: LegId, code: StatusCode) {
        let Some(l) = self.leg_mut(leg) else { return };
        let (fault, flow) = (l.fault(), l.flow());
        let reason = l.end_reason().and_then(PassedReason::of);
        if let Some(invitation) = l.invitation().filter(|name| l.is_invited_for(*name)) {
            return self.invitation_branch_failed(cx, now, leg, invitation, code);
        }
        l.set_purpose(Purpose::Leaving);
        let user = l.user().map(str::to_owned);
        if let Some(dialling) = self.dialling_mut() {
            let is_best = dialling.branch_failed(leg, flow, (code, reason));
            if is_best || self.fault().is_none() {
                self.set_fault(fault);
            }
        }
        if let Some(user) = user.filter(|_| is_for_all_phones(code)) {
            self.quiet_other_phones(cx, now, &user, code);
        }
        self.dial_settled(cx, now);
        self.wire(cx);
    }

    /// Ends the other branches to a user who declined at one phone; phones of that user that come back do not ring either.
    fn quiet_other_phones(&mut self, cx: &mut Context, now: Time, user: &str, code: StatusCode) {
        let others = self.branches_of(user);
        let Some(dialling) = self.dialling_mut() else {
            return;
        };
        dialling.remove_absent(user);
        for other in &others {
            dialling.forget(*other);
        }
        for other in others {
            self.remove_member(other);
            self.end_leg(cx, now, other, Some(declined(code)));
        }
    }
}
