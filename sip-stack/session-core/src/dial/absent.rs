//! Users whose connection closes while their phone rings: a page that is loaded again, a network that
//! changes. The caller hears ringing until the user is back, or has been away for too long.

use media_core::control::LegId;
use sans_io::Time;
use sip_core::endpoint::Ended;
use sip_core::message::{StatusClass, StatusCode};

use super::Party;
use super::branch::{Branch, Ring};
use crate::call::Call;
use crate::context::Context;
use crate::coordinator::Timer;
use crate::leg::Purpose;

impl Call {
    /// Handles the end of a ringing branch whose call goes on elsewhere: at the target of a 3xx, or at the
    /// next connection of its user. True if the branch is done with; otherwise, and for a 3xx to other
    /// networks, it has failed like any other.
    pub(crate) fn rings_elsewhere(&mut self, cx: &mut Context, now: Time, leg: LegId, cause: &Ended) -> bool {
        match cause {
            Ended::Rejected { code, headers, .. } if code.class() == StatusClass::Redirection => {
                self.redirected(cx, now, leg, headers);
                // RFC 3261 §21.3.4 and §21.3.5: the other statuses name no place to call.
                matches!(
                    *code,
                    StatusCode::MULTIPLE_CHOICES
                        | StatusCode::MOVED_PERMANENTLY
                        | StatusCode::MOVED_TEMPORARILY
                ) && self.diverted(cx, now, leg, headers)
            }
            Ended::Transport => self.lost_while_ringing(cx, now, leg),
            _ => false,
        }
    }

    fn lost_while_ringing(&mut self, cx: &mut Context, now: Time, leg: LegId) -> bool {
        let Some(l) = self.leg(leg) else { return false };
        let (Some(user), Some(flow)) = (l.user().map(str::to_owned), l.flow()) else {
            return false;
        };
        let grace = cx.config.grace;
        if !flow.transport.is_reliable() || grace.is_zero() || self.dialling().is_none() {
            return false;
        }
        self.branch_gone(cx, now, leg);
        if let Some(dialling) = self.dialling_mut() {
            dialling.add_absent(&user);
        }
        cx.timers.set(
            Timer::Absent(self.id()),
            now + grace,
            "grace of one who is called",
        );
        // The page may have come back before its old connection was seen to close.
        self.ring_at_new_contacts(cx, now, &user);
        self.wire(cx);
        true
    }

    /// A branch is over, and its call rings on elsewhere.
    pub(super) fn branch_gone(&mut self, cx: &mut Context, now: Time, leg: LegId) {
        if let Some(l) = self.leg_mut(leg) {
            l.set_purpose(Purpose::Leaving);
        }
        self.leg_ended(cx, now, leg, None);
        if let Some(dialling) = self.dialling_mut() {
            dialling.forget(leg);
        }
    }

    /// True if it lost this user while the user's phone rang, and waits.
    pub(crate) fn waits_for(&self, user: &str) -> bool {
        self.dialling().is_some_and(|dialling| dialling.is_absent(user))
    }

    /// Rings where a user registered since.
    pub(crate) fn ring_at_new_contacts(&mut self, cx: &mut Context, now: Time, user: &str) {
        let Some(dialling) = self.dialling() else {
            debug_assert!(false, "a call that waits for a user is dialled");
            return;
        };
        let (timeout, caller) = dialling.settings();
        let ringing = self.branches().filter_map(|l| l.flow());
        let known: Vec<_> = ringing.chain(dialling.failed().iter().copied()).collect();
        let mut found = Branch::all_of(cx, now, &Party::User(user.to_owned())).unwrap_or_default();
        found.retain(|branch| branch.flow.is_some_and(|flow| !known.contains(&flow)));
        found.retain(|branch| self.suits(cx, branch));
        if found.is_empty() {
            return;
        }
        for branch in found {
            self.start_branch(cx, now, branch, &caller, Ring::within(timeout));
        }
        if let Some(dialling) = self.dialling_mut() {
            dialling.remove_absent(user);
        }
    }

    /// Whoever lost the connection while ringing did not come back.
    pub(crate) fn absent_over(&mut self, cx: &mut Context, now: Time) {
        if let Some(dialling) = self.dialling_mut()
            && dialling.give_absent_up()
        {
            dialling.note(StatusCode::TEMPORARILY_UNAVAILABLE);
            self.dial_settled(cx, now);
        }
    }
}
