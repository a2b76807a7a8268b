//! Failover: what a dial has tried, what it tries next, and what the caller hears of it in the end.

use std::collections::VecDeque;

use media_core::control::LegId;
use sans_io::Time;
use sip_core::endpoint::Reason;
use sip_core::flow::Flow;
use sip_core::message::{StatusClass, StatusCode};

use super::branch::{Branch, Ring};
use super::route::Refusal;
use super::{Attempt, Caller, Dial, Next, OnFailure, better, is_for_all_phones};
use crate::call::{Call, End, PassedReason};
use crate::context::Context;
use crate::coordinator::Timer;
use crate::event::Event;
use crate::identity::Diversion;
use crate::leg::Leg;
use crate::record::{Cause, Fault};
use std::time::Duration;

/// A dial in progress. Its branches are legs of the call.
#[derive(Debug)]
pub(crate) struct Dialling {
    /// The branch whose early media the caller hears.
    early: Option<LegId>,
    /// Best final response so far, and what its sender gave as the reason.
    best: Option<StatusCode>,
    reason: Option<PassedReason>,
    /// Time after which a trunk that took the call no more would have.
    retry_after: Option<Duration>,
    on_failure: OnFailure,
    /// Time that each branch may ring.
    ring_timeout: Duration,
    /// End of the present attempt, if there is a limit.
    until: Option<Time>,
    /// True if a branch of the present attempt rang.
    rang: bool,
    /// Caller as shown.
    caller: Caller,
    /// Condition for the next attempt.
    next: Next,
    /// Attempts to come.
    attempts: VecDeque<Attempt>,
    /// Targets that redirections led to already, as text: none is tried twice.
    redirected: Vec<String>,
    /// Phones of users that name another place, and wait for the application's decision.
    diverted: Vec<(LegId, Diversion)>,
    /// Users whose connection closed while they rang: they ring again as soon as they are back.
    absent: Vec<String>,
    /// Connections of phones that rang in vain: they do not ring again for somebody who comes back elsewhere.
    failed: Vec<Flow>,
}

impl Dialling {
    pub(super) fn new(on_failure: OnFailure, ring_timeout: Duration, caller: Caller) -> Dialling {
        Dialling {
            early: None,
            best: None,
            reason: None,
            retry_after: None,
            on_failure,
            ring_timeout,
            until: None,
            rang: false,
            caller,
            next: Next::IfUnanswered,
            attempts: VecDeque::new(),
            redirected: Vec::new(),
            diverted: Vec::new(),
            absent: Vec::new(),
            failed: Vec::new(),
        }
    }

    /// The branch whose early media the caller hears.
    pub(crate) fn early(&self) -> Option<LegId> {
        self.early
    }

    pub(super) fn hear_early(&mut self, branch: LegId) {
        self.early.get_or_insert(branch);
    }

    /// A branch rings, or makes progress.
    pub(super) fn rings(&mut self) {
        self.rang = true;
    }

    /// Time that each branch may ring, and the caller as shown.
    pub(super) fn settings(&self) -> (Duration, Caller) {
        (self.ring_timeout, self.caller.clone())
    }

    pub(super) fn note(&mut self, code: StatusCode) {
        self.best = Some(better(self.best, code));
    }

    /// A party could not be called.
    pub(super) fn refused(&mut self, refusal: Refusal) {
        self.note(refusal.code);
        self.retry_after = match (self.retry_after, refusal.retry_after) {
            (Some(known), Some(other)) => Some(known.min(other)),
            (known, other) => known.or(other),
        };
    }

    /// A branch is over without an answer. True if its code is the best so far.
    pub(super) fn branch_failed(
        &mut self,
        branch: LegId,
        flow: Option<Flow>,
        (code, reason): (StatusCode, Option<PassedReason>),
    ) -> bool {
        self.forget(branch);
        self.failed.extend(flow);
        let before = self.best;
        self.note(code);
        let is_best = self.best != before;
        if is_best {
            self.reason = reason;
        }
        is_best
    }

    /// A branch is over.
    pub(super) fn forget(&mut self, branch: LegId) {
        if self.early == Some(branch) {
            self.early = None;
        }
    }

    pub(super) fn failed(&self) -> &[Flow] {
        &self.failed
    }

    pub(super) fn redirected(&self) -> &[String] {
        &self.redirected
    }

    pub(super) fn set_redirected(&mut self, redirected: Vec<String>) {
        self.redirected = redirected;
    }

    /// A user's phone names another place; the application is asked.
    pub(super) fn add_diverted(&mut self, leg: LegId, diversion: Diversion) {
        self.diverted.push((leg, diversion));
    }

    /// The application's word about a phone that named another place. `None` if nobody waits for it.
    pub(super) fn take_diverted(&mut self, leg: LegId) -> Option<Diversion> {
        let at = self.diverted.iter().position(|(other, _)| *other == leg)?;
        Some(self.diverted.remove(at).1)
    }

    /// The connection of a user who rang closed.
    pub(super) fn add_absent(&mut self, user: &str) {
        if !self.is_absent(user) {
            self.absent.push(user.to_owned());
        }
    }

    pub(super) fn is_absent(&self, user: &str) -> bool {
        self.absent.iter().any(|absent| absent == user)
    }

    pub(super) fn remove_absent(&mut self, user: &str) {
        self.absent.retain(|absent| absent != user);
    }

    /// Waits for nobody who is away any longer. False if it waited for none.
    pub(super) fn give_absent_up(&mut self) -> bool {
        let waited = !self.absent.is_empty();
        self.absent.clear();
        waited
    }

    /// True if somebody who does not ring now may ring yet.
    fn waits(&self) -> bool {
        !self.diverted.is_empty() || !self.absent.is_empty()
    }

    /// Nobody but the phone of that leg, which names another place, is called or will be.
    pub(super) fn has_only(&self, leg: LegId) -> bool {
        self.absent.is_empty()
            && self.attempts.is_empty()
            && self.diverted.iter().all(|(other, _)| *other == leg)
    }

    /// The next attempt, if what came of those before allows one.
    fn next_attempt(&mut self) -> Option<Attempt> {
        let allowed = match self.next {
            Next::IfUnanswered => !self.best.is_some_and(is_for_all_phones),
            Next::InAnyCase => true,
            Next::IfUnreachable => self.best.is_none_or(says_unreachable),
        };
        self.attempts.pop_front_if(|_| allowed)
    }
}

impl Call {
    /// Dials: the first attempt now, the others as those before them fail. A dial in progress goes on; its branches and the new ones
    /// compete.
    pub(crate) fn dial(&mut self, cx: &mut Context, now: Time, dial: Dial) {
        if self.is_ending() || self.callee().is_some() {
            return;
        }
        let caller = dial.caller.unwrap_or_else(|| self.from().clone());
        let mut attempts = VecDeque::from(dial.attempts);
        let first = attempts.pop_front();
        let timeout = first.as_ref().map_or(Duration::ZERO, |first| first.ring_timeout);
        if self.dialling().is_none() {
            self.set_dialling(Some(Dialling::new(dial.on_failure, timeout, caller.clone())));
        }
        if let Some(dialling) = self.dialling_mut() {
            dialling.attempts.extend(attempts);
        }
        self.set_fault(None);
        self.set_failed(None);
        if let Some(attempt) = first {
            self.start_attempt(cx, now, attempt, &caller);
        }
        self.dial_settled(cx, now);
    }

    /// Lets the parties of an attempt ring together.
    fn start_attempt(&mut self, cx: &mut Context, now: Time, attempt: Attempt, caller: &Caller) {
        let mut refusals = Vec::new();
        let mut branches = Vec::new();
        for party in &attempt.parties {
            match Branch::all_of(cx, now, party) {
                Ok(found) => branches.extend(found),
                Err(refusal) => {
                    self.set_fault(Some(refusal.fault));
                    refusals.push(refusal);
                }
            }
        }
        let found = branches.len();
        branches.retain(|branch| self.suits(cx, branch));
        let is_unfit = branches.len() < found;
        if is_unfit && branches.is_empty() && self.fax().is_none() {
            self.explain_no_codec(cx);
        }
        for branch in branches {
            self.start_branch(cx, now, branch, caller, Ring::within(attempt.ring_timeout));
        }
        if let Some(dialling) = self.dialling_mut() {
            if is_unfit {
                dialling.note(StatusCode::NOT_ACCEPTABLE_HERE);
            }
            for refusal in refusals {
                dialling.refused(refusal);
            }
            dialling.ring_timeout = attempt.ring_timeout;
            dialling.next = attempt.next;
            dialling.rang = false;
            dialling.until = attempt.within.map(|within| now + within);
            match dialling.until {
                Some(until) => {
                    cx.timers
                        .set(Timer::Attempt(self.id()), until, "time for an attempt");
                }
                None => {
                    cx.timers.cancel(Timer::Attempt(self.id()));
                }
            }
        }
    }

    /// The time for an attempt is over: its phones stop ringing, as when each had rung for as long as it may.
    pub(crate) fn attempt_over(&mut self, cx: &mut Context, now: Time) {
        let is_due = |dialling: &Dialling| dialling.until.is_some_and(|until| until <= now);
        // Else it was answered meanwhile, or another attempt began.
        if !self.dialling().is_some_and(is_due) {
            return;
        }
        let ringing: Vec<LegId> = self.branches().map(Leg::id).collect();
        for leg in ringing {
            self.remove_member(leg);
            self.end_leg(cx, now, leg, Some(not_answered()));
            if let Some(dialling) = self.dialling_mut() {
                dialling.forget(leg);
            }
        }
        if let Some(dialling) = self.dialling_mut() {
            dialling.until = None;
            dialling.give_absent_up();
            dialling.note(StatusCode::TEMPORARILY_UNAVAILABLE);
        }
        self.set_fault(Some(Fault::NoAnswer));
        self.dial_settled(cx, now);
        self.conclude(cx);
        self.wire(cx);
    }

    /// Nobody is left to answer: tries the next attempt, or says so, or refuses the caller.
    pub(super) fn dial_settled(&mut self, cx: &mut Context, now: Time) {
        while !self.is_ending() && self.branches().next().is_none() {
            let Some(dialling) = self.dialling_mut().filter(|dialling| !dialling.waits()) else {
                return;
            };
            if let Some(attempt) = dialling.next_attempt() {
                let (_, caller) = dialling.settings();
                self.start_attempt(cx, now, attempt, &caller);
                continue;
            }
            let (code, reason, on_failure) = (dialling.best, dialling.reason, dialling.on_failure);
            let (retry_after, rang) = (dialling.retry_after, dialling.rang);
            let code = code.unwrap_or(StatusCode::TEMPORARILY_UNAVAILABLE);
            self.set_dialling(None);
            cx.timers.cancel(Timer::Attempt(self.id()));
            cx.event(Event::DialFailed {
                session: self.id(),
                code,
                rang,
            });
            let end = End {
                reason,
                retry_after: retry_after.filter(|_| code == StatusCode::SERVICE_UNAVAILABLE),
                ..End::new(Cause::Refused, code)
            };
            if on_failure == OnFailure::Reject {
                self.end(cx, now, end);
            } else {
                self.set_failed(Some(end));
                cx.timers.cancel(Timer::Session(self.id()));
            }
            return;
        }
    }

    /// Refuses its caller with what the last dial came to, or with `otherwise` if there was none.
    pub(crate) fn refuse_failed(&mut self, cx: &mut Context, now: Time, otherwise: StatusCode) {
        let end = self.failed();
        self.end(cx, now, end.unwrap_or(End::new(Cause::Refused, otherwise)));
    }

    /// Nobody rings for it, nor may yet: the caller may be answered for something else. False if somebody does.
    pub(super) fn stop_dialling(&mut self) -> bool {
        let over = self.branches().next().is_none() && self.dialling().is_some_and(|d| !d.waits());
        if over {
            self.set_dialling(None);
        }
        over
    }

    /// Branches to a user.
    pub(super) fn branches_of(&self, user: &str) -> Vec<LegId> {
        let theirs = self.branches().filter(|l| l.user() == Some(user));
        theirs.map(Leg::id).collect()
    }
}

/// Reason (RFC 3326) of the CANCEL to phones that rang for as long as they may.
fn not_answered() -> Reason {
    Reason {
        protocol: "SIP".into(),
        cause: Some(StatusCode::REQUEST_TIMEOUT.get()),
        text: Some("Ringing limit".into()),
    }
}

/// True for a final response that says that the party could not be reached, not what it wants.
fn says_unreachable(code: StatusCode) -> bool {
    matches!(
        code,
        StatusCode::REQUEST_TIMEOUT | StatusCode::TEMPORARILY_UNAVAILABLE
    ) || code.class() == StatusClass::ServerError
}
