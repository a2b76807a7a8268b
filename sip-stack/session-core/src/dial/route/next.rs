//! The next stop of a route, when a leg ended unanswered at the one before.

use media_core::control::LegId;
use sans_io::Time;
use sip_core::endpoint::Ended;
use sip_core::message::StatusCode;

use super::super::branch::{Branch, Ring};
use super::super::{Caller, better, is_for_all_phones};
use super::Way;
use crate::call::Call;
use crate::context::Context;
use crate::leg::Leg;
use crate::record::{EndedBy, Fault, LegEnd};
use crate::trunk::{Met, Trouble, pause};

impl Call {
    /// Notes the experience of a leg at the target that it was called at.
    pub(crate) fn tell_target(&self, cx: &mut Context, now: Time, leg: LegId, cause: Option<&Ended>) {
        let Some(target) = self.leg(leg).and_then(Leg::way).and_then(Way::target) else {
            return;
        };
        if let Some(met) = met(cause) {
            cx.trunks.met(now, target, met);
        }
    }

    /// A leg that was called by a route ended unanswered: the next stop is called in its place, if this is an end after which that is
    /// done. Never after ringing: the caller has heard it. True if the leg is done with.
    pub(crate) fn goes_on(&mut self, cx: &mut Context, now: Time, leg: LegId, cause: &Ended) -> bool {
        let Some(l) = self.leg(leg).filter(|l| !l.is_early()) else {
            return false;
        };
        let Some(trunk) = l.way().and_then(|way| cx.directory.trunk(way.route.trunk())) else {
            return false;
        };
        let code = match cause {
            Ended::Timeout => StatusCode::REQUEST_TIMEOUT,
            Ended::Transport | Ended::Nowhere => StatusCode::SERVICE_UNAVAILABLE,
            Ended::Rejected { code, .. } if trunk.outgoing.failover.contains(*code) => *code,
            // Whoever takes the call will do, unless it is the services themselves that are busy.
            Ended::Rejected { code, .. }
                if l.way().is_some_and(Way::is_urgent)
                    && *code != StatusCode::BUSY_HERE
                    && !is_for_all_phones(*code) =>
            {
                *code
            }
            _ => return false,
        };
        let Some(next) = self.next_of(cx, now, leg, code) else {
            return false;
        };
        self.branch_gone(cx, now, leg);
        self.call_next(cx, now, next);
        true
    }

    /// The target of a leg is dead: the next stop is called in its place, unless it rings. Without another stop it stays.
    pub(crate) fn leave_target(&mut self, cx: &mut Context, now: Time, leg: LegId) {
        let waits = |l: &&Leg| l.rings() && l.is_unanswered() && !l.is_early();
        let way = self.leg(leg).filter(waits).and_then(Leg::way);
        if !way.is_some_and(|way| way.route.has_more(cx)) {
            return;
        }
        let Some(next) = self.next_of(cx, now, leg, StatusCode::REQUEST_TIMEOUT) else {
            return;
        };
        if let Some(l) = self.leg_mut(leg) {
            l.set_fault(Some(Fault::NoResponse));
            l.note_end(LegEnd {
                at: now,
                by: EndedBy::Failure,
                code: StatusCode::REQUEST_TIMEOUT,
                reason: None,
            });
        }
        self.remove_member(leg);
        self.end_leg(cx, now, leg, None);
        if let Some(dialling) = self.dialling_mut() {
            dialling.forget(leg);
        }
        self.call_next(cx, now, next);
    }

    /// The next stop of a leg's route, which ended with `code`. The leg has no route any more.
    fn next_of(&mut self, cx: &mut Context, now: Time, leg: LegId, code: StatusCode) -> Option<Next> {
        let l = self.leg_mut(leg)?;
        let Way {
            mut route,
            caller,
            ring,
        } = *l.take_way()?;
        let invitation = l.invitation();
        // Its channel and its turn are free, for the next stop may be at the same trunk.
        cx.release(now, l);
        route.best = Some(better(route.best, code));
        match route.next(cx, now) {
            Ok(branch) if !self.suits(cx, &branch) => {
                if let Some(dialling) = self.dialling_mut() {
                    dialling.note(StatusCode::NOT_ACCEPTABLE_HERE);
                }
                None
            }
            Ok(branch) => Some(Next {
                branch,
                caller,
                ring,
                invitation,
            }),
            Err(refusal) => {
                if let Some(dialling) = self.dialling_mut() {
                    dialling.refused(refusal);
                }
                None
            }
        }
    }

    fn call_next(&mut self, cx: &mut Context, now: Time, next: Next) {
        let leg = self.start_branch(cx, now, next.branch, &next.caller, next.ring);
        if let Some(invitation) = next.invitation
            && let Some(l) = self.leg_mut(leg)
        {
            l.invite_for(invitation);
        }
        self.wire(cx);
    }
}

/// Branch that takes the place of another one.
struct Next {
    branch: Branch,
    caller: Caller,
    ring: Ring,
    /// Invitation that it rings for.
    invitation: Option<LegId>,
}

/// Experience with the target that the end of a call, or its progress, stands for.
fn met(cause: Option<&Ended>) -> Option<Met> {
    Some(match cause {
        None => Met::Life,
        Some(Ended::Timeout) => Met::Trouble(Trouble::Silent, None),
        Some(Ended::Transport) => Met::Trouble(Trouble::Unreachable, None),
        Some(Ended::Rejected { code, headers, .. }) if *code == StatusCode::SERVICE_UNAVAILABLE => {
            Met::Trouble(Trouble::Refusing, pause(headers))
        }
        Some(Ended::Rejected { .. }) => Met::Life,
        Some(_) => return None,
    })
}
