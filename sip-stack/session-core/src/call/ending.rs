//! Ending: a leg, a call, and the record of what there was.

use std::time::Duration;

use media_core::control::LegId;
use sans_io::Time;
use sip_core::endpoint::Reason;
use sip_core::message::StatusCode;

use super::{Call, Lifetime, PassedReason};
use crate::context::Context;
use crate::coordinator::Timer;
use crate::event::Event;
use crate::leg::{Leg, Purpose};
use crate::record::{CallRecord, Cause, Fault};

/// Phase of a call.
#[derive(Clone, Copy, Debug)]
pub(super) enum Phase {
    Live,
    /// Its legs were told to end.
    Ending(Ending),
    /// Its record is made.
    Over,
}

/// Cause and time of a call's end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ending {
    at: Time,
    cause: Cause,
    code: StatusCode,
    retry_after: Option<Duration>,
}

/// A way for a call to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct End {
    pub(crate) cause: Cause,
    /// Answers a caller that waits for one; for a call that was answered it is 200.
    pub(crate) code: StatusCode,
    /// What the other parties are told of the one who ended it.
    pub(crate) reason: Option<PassedReason>,
    /// Time after which its caller may try again.
    pub(crate) retry_after: Option<Duration>,
}

impl End {
    pub(crate) fn new(cause: Cause, code: StatusCode) -> End {
        End {
            cause,
            code,
            reason: None,
            retry_after: None,
        }
    }
}

impl Call {
    /// Ends it: each leg is refused, cancelled or told BYE, as fits. [`Event::Ended`] follows when all is gone. A call that nobody
    /// answered was declined, or given up, when no code says more.
    pub(crate) fn end(&mut self, cx: &mut Context, now: Time, end: End) {
        if self.is_ending() {
            return;
        }
        let cause = end.cause;
        let code = match self.answered {
            None if end.code.is_success() && cause == Cause::Local && self.caller().is_some() => {
                StatusCode::DECLINE
            }
            None if end.code.is_success() => StatusCode::REQUEST_TERMINATED,
            _ => end.code,
        };
        self.phase = Phase::Ending(Ending {
            at: now,
            cause,
            code,
            retry_after: end.retry_after,
        });
        self.dialling = None;
        self.invitations.clear();
        let legs: Vec<LegId> = self.legs().map(Leg::id).collect();
        for leg in &legs {
            self.transfer_over(cx, now, *leg, StatusCode::REQUEST_TERMINATED);
        }
        for l in self.legs_mut().filter(|l| !l.is_member()) {
            l.set_purpose(Purpose::Leaving);
        }
        cx.timers.cancel(Timer::Session(self.id));
        cx.timers.cancel(Timer::Absent(self.id));
        cx.timers.cancel(Timer::Attempt(self.id));
        let refused = self.target_refused(code);
        self.asked_over(
            cx,
            now,
            match code.is_success() {
                true => StatusCode::REQUEST_TERMINATED,
                false => code,
            },
        );
        if let Some(bridge) = self.shared_bridge() {
            cx.bridge_changed(bridge);
        }
        for leg in legs {
            let is_away = self.leg(leg).is_some_and(Leg::is_away);
            let reason = match cause {
                Cause::Lost => Some(super::silence::lost()),
                Cause::Away if !is_away => Some(connection_lost()),
                _ => end
                    .reason
                    .map(PassedReason::to_reason)
                    .or_else(|| refused.clone()),
            };
            self.end_leg(cx, now, leg, reason);
        }
        self.conclude(cx);
    }

    /// Ends one leg, signalling and media.
    pub(crate) fn end_leg(&mut self, cx: &mut Context, now: Time, leg: LegId, reason: Option<Reason>) {
        let refusal = match self.phase {
            Phase::Ending(ending) => (ending.code, ending.retry_after),
            Phase::Live | Phase::Over => (StatusCode::DECLINE, None),
        };
        if let Some(l) = self.leg_mut(leg) {
            l.hang_up(cx, now, refusal, reason);
        }
    }

    /// The dialog of a leg is gone, by whomever. `end` is what becomes of the call where it cannot go on without it.
    pub(crate) fn leg_ended(&mut self, cx: &mut Context, now: Time, leg: LegId, end: Option<End>) {
        let Some(l) = self.found_leg(leg) else { return };
        let was_live = l.set_ended();
        l.close_media(cx);
        cx.release(now, l);
        if was_live
            && let Some(end) = end
            && !self.member_left(cx, leg, end.cause, end.code)
        {
            self.end(cx, now, end);
        }
        self.conclude(cx);
    }

    /// A leg left by itself: the call goes on where it can, and ends otherwise.
    pub(crate) fn lose_leg(
        &mut self,
        cx: &mut Context,
        now: Time,
        leg: LegId,
        end: End,
        reason: Option<Reason>,
    ) {
        if self.member_left(cx, leg, end.cause, end.code) {
            self.end_leg(cx, now, leg, reason);
            self.conclude(cx);
        } else {
            self.end(cx, now, end);
        }
    }

    /// A leg has talked for as long as a cap allows.
    pub(crate) fn talked_too_long(&mut self, cx: &mut Context, now: Time, leg: LegId) {
        self.set_fault(Some(Fault::Capped));
        self.lose_leg(cx, now, leg, End::new(Cause::Local, StatusCode::OK), None);
    }

    /// Removes legs that are over; with the last of them an ending call is over, and its record is made.
    pub(crate) fn conclude(&mut self, cx: &mut Context) {
        let mut at = 0;
        while let Some(leg) = self.legs.get(at) {
            if leg.is_over() {
                let leg = self.legs.remove(at);
                cx.index.remove_leg(&leg);
                self.records.push(leg.into_record());
            } else {
                at += 1;
            }
        }
        let Phase::Ending(ending) = self.phase else {
            return;
        };
        if !self.legs.is_empty() {
            return;
        }
        self.phase = Phase::Over;
        let mut legs = std::mem::take(&mut self.records);
        legs.sort_by_key(|leg| (leg.began.is_none(), leg.began, leg.leg));
        cx.index.remove_call(self.source.as_ref());
        let record = CallRecord {
            session: self.id,
            source: self.source.clone(),
            from: self.from.user.clone(),
            to: self.to.clone(),
            forwarded: std::mem::take(&mut self.forwarded),
            began: self.began,
            answered: self.answered,
            ended: ending.at,
            cause: ending.cause,
            code: ending.code,
            fault: self.fault.filter(|fault| match ending.cause {
                Cause::Refused | Cause::Failed => true,
                Cause::Local => *fault == Fault::Capped,
                Cause::Caller | Cause::Callee | Cause::Away | Cause::Lost => false,
            }),
            legs,
        };
        cx.event(Event::Ended {
            session: self.id,
            record: Box::new(record),
        });
    }

    /// The call goes on without this leg.
    pub(crate) fn may_lose(&self, leg: LegId) -> bool {
        if self.is_ending() || (self.is_caller(leg) && self.lifetime == Lifetime::Caller) {
            return false;
        }
        let is_replaced = self
            .invitations
            .iter()
            .any(|invitation| invitation.is_for_transfer_by(leg));
        if is_replaced || self.lifetime == Lifetime::Caller || !self.is_member(leg) {
            return true;
        }
        let is_party = |l: &Leg| l.role() == media_core::control::Role::Party;
        let listens = self.leg(leg).is_some_and(|l| !is_party(l));
        let parties = self
            .legs()
            .filter(|l| l.id() != leg && l.is_member() && is_party(l));
        listens || parties.count() >= 2
    }
}

/// Reason header (RFC 3326) of the BYE to a party whose call ends because the other party is gone without
/// having hung up.
fn connection_lost() -> Reason {
    Reason {
        protocol: "SIP".into(),
        cause: Some(StatusCode::TEMPORARILY_UNAVAILABLE.get()),
        text: Some("Connection of the other side lost".into()),
    }
}
