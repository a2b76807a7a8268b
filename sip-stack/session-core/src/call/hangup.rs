//! The end of a leg's dialog, as the SIP machine reports it, and what it means for the call.

use media_core::control::LegId;
use sans_io::Time;
use sip_core::endpoint::{Ended, Reason};
use sip_core::message::{StatusClass, StatusCode};

use super::{Call, End, PassedReason};
use crate::context::Context;
use crate::leg::Leg;
use crate::record::{Cause, EndedBy, Fault, LegEnd};
use crate::response_code::passed_on;
use crate::upstream::passed_back;

impl Call {
    /// The dialog of a leg ended.
    pub(crate) fn dialog_ended(&mut self, cx: &mut Context, now: Time, leg: LegId, cause: Ended) {
        // A call of ours, without a caller on another leg, reports its peer's own status.
        let code = match final_code(&cause) {
            code if self.passes_challenge(leg, code, &cause) => code,
            code if self.source.is_some() => passed_on(code),
            code => code,
        };
        let fault = fault_of(&cause);
        let Some(l) = self.found_leg(leg) else { return };
        l.set_fault(fault);
        l.note_end(end_of(now, &cause));
        if l.rings() && l.is_unanswered() {
            self.tell_target(cx, now, leg, Some(&cause));
            if self.goes_on(cx, now, leg, &cause) {
                return;
            }
            let is_branch = self.leg(leg).is_some_and(Leg::is_branch);
            if is_branch && self.rings_elsewhere(cx, now, leg, &cause) {
                return;
            }
            let code = match cause {
                // A caller is never told addresses that we were told.
                Ended::Rejected { code, .. } if code.class() == StatusClass::Redirection => {
                    StatusCode::TEMPORARILY_UNAVAILABLE
                }
                _ => code,
            };
            self.leg_ended(cx, now, leg, None);
            return self.branch_failed(cx, now, leg, code);
        }
        let is_caller = l.is_caller();
        if l.is_up() && matches!(cause, Ended::Cancelled { .. } | Ended::Expired) {
            let answered = l.take_answer_back();
            self.answered = self.answered.filter(|at| Some(*at) != answered);
        }
        let Some(l) = self.leg(leg) else { return };
        // One that answered an invitation is nobody's fork, even before it is admitted.
        let in_call = l.invitation().is_some() || l.is_member();
        if in_call && !self.is_ending() {
            self.fault = fault;
        }
        let by = if is_caller { Cause::Caller } else { Cause::Callee };
        let reason = reason_of(&cause).as_ref().and_then(PassedReason::of);
        let end = match cause {
            Ended::Bye { .. } => Some(End::new(by, StatusCode::OK)),
            Ended::Cancelled { .. } | Ended::Expired => {
                Some(End::new(Cause::Caller, StatusCode::REQUEST_TERMINATED))
            }
            Ended::LocalHangup => None,
            Ended::Rejected { .. } => Some(End::new(Cause::Refused, code)),
            _ => Some(End::new(Cause::Failed, code)),
        };
        let end = end.filter(|_| in_call).map(|end| End { reason, ..end });
        self.leg_ended(cx, now, leg, end);
    }

    /// True for a challenge to the caller's own credentials: the caller gets it as it is.
    fn passes_challenge(&mut self, leg: LegId, code: StatusCode, cause: &Ended) -> bool {
        let Ended::Rejected { headers, .. } = cause else {
            return false;
        };
        if !self.outward().is_some_and(|outward| outward.is_leg(leg)) {
            return false;
        }
        if let Some(caller) = self.caller_mut() {
            caller.set_refusal(passed_back(headers));
        }
        matches!(
            code,
            StatusCode::UNAUTHORIZED | StatusCode::PROXY_AUTHENTICATION_REQUIRED
        )
    }

    /// ACK to our 200. With a late offer it carries the answer (RFC 3261 §13.2.2.4). True if it is the first, and the caller's: then
    /// the caller is answered.
    pub(crate) fn acknowledged(
        &mut self,
        cx: &mut Context,
        now: Time,
        leg: LegId,
        sdp: Option<&[u8]>,
    ) -> bool {
        let Some(l) = self.leg_mut(leg) else { return false };
        // A PRACK answers an offer before the call is answered.
        let is_answered = !l.is_unanswered();
        let first = l.negotiation().media().is_none();
        l.acknowledge(cx);
        match sdp {
            Some(sdp) => self.offer_answered(cx, now, leg, sdp),
            None if first => {
                self.end(cx, now, End::new(Cause::Failed, StatusCode::NOT_ACCEPTABLE_HERE));
                return false;
            }
            None => {}
        }
        let is_caller = self.is_caller(leg);
        let first = is_answered && is_caller && self.leg_mut(leg).is_some_and(Leg::note_ack);
        // Either may have held from the start, or while it rang.
        if let Some(callee) = self.callee().filter(|_| first) {
            self.tell_other(cx, now, callee);
        }
        self.tell_other(cx, now, leg);
        first
    }
}

/// Reason that a peer gave for the end of its dialog; in a refusal it is a cause of the telephone network (RFC 6432).
fn reason_of(cause: &Ended) -> Option<Reason> {
    match cause {
        Ended::Bye { reason } | Ended::Cancelled { reason } => reason.clone(),
        Ended::Rejected { headers, .. } => Reason::of(headers),
        _ => None,
    }
}

/// The end of a leg, as its record shows it.
fn end_of(at: Time, cause: &Ended) -> LegEnd {
    let by = match cause {
        Ended::Bye { .. } | Ended::Cancelled { .. } | Ended::Rejected { .. } => EndedBy::Peer,
        Ended::LocalHangup => EndedBy::Us,
        Ended::Expired
        | Ended::Timeout
        | Ended::Transport
        | Ended::Nowhere
        | Ended::NoAck
        | Ended::SessionExpired
        | Ended::RingTimeout => EndedBy::Failure,
    };
    LegEnd {
        at,
        by,
        code: final_code(cause),
        reason: reason_of(cause),
    }
}

fn fault_of(cause: &Ended) -> Option<Fault> {
    Some(match cause {
        Ended::Rejected { .. } => Fault::Rejected,
        Ended::Timeout => Fault::NoResponse,
        Ended::NoAck => Fault::NotAcknowledged,
        Ended::RingTimeout => Fault::NoAnswer,
        Ended::Transport => Fault::Unreachable,
        Ended::Nowhere => Fault::Unresolved,
        Ended::SessionExpired => Fault::SessionExpired,
        Ended::Expired => Fault::NoAnswer,
        Ended::Cancelled { .. } | Ended::LocalHangup | Ended::Bye { .. } => return None,
    })
}

fn final_code(cause: &Ended) -> StatusCode {
    match cause {
        Ended::Rejected { code, .. } => *code,
        Ended::Cancelled { .. } | Ended::Expired | Ended::LocalHangup => StatusCode::REQUEST_TERMINATED,
        Ended::Timeout | Ended::NoAck => StatusCode::REQUEST_TIMEOUT,
        Ended::RingTimeout => StatusCode::TEMPORARILY_UNAVAILABLE,
        Ended::Transport | Ended::Nowhere => StatusCode::SERVICE_UNAVAILABLE,
        Ended::SessionExpired => StatusCode::REQUEST_TIMEOUT,
        Ended::Bye { .. } => StatusCode::OK,
    }
}
