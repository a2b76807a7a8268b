//! Routes: the trunks and targets of a call to a number, and the next of them when one does not take the call.

use std::sync::Arc;
use std::time::Duration;

use media_core::control::LegId;
use sans_io::Time;
use sip_core::endpoint::Ended;
use sip_core::message::StatusCode;

use super::branch::{Branch, Ring};
use super::{Caller, better, is_for_all_phones};
use crate::call::Call;
use crate::caps::Outbound;
use crate::config::CallerId;
use crate::context::Context;
use crate::emergency::{EmergencyCall, Urgent};
use crate::event::{Event, Source};
use crate::leg::Leg;
use crate::record::{EndedBy, Fault, LegEnd};
use crate::trunk::{Chosen, Met, TargetId, Trouble, pause};

/// Route of a call to a number: the trunks that may take it, and those that did not.
#[derive(Clone, Debug)]
pub(crate) struct Route {
    number: String,
    /// Number that the trunks are shown; `None`: as each of them says.
    caller_id: Option<CallerId>,
    /// On whose account it is; `None`: the gateway's own.
    on_account_of: Option<Source>,
    /// Names of trunks, best first.
    trunks: Vec<String>,
    tried: Vec<Stop>,
    /// Best of the codes so far.
    best: Option<StatusCode>,
    /// Emergency call, which no limit stops.
    urgent: Urgent,
}

/// Stop on a route: a trunk, and the target if we chose it.
#[derive(Clone, Debug)]
pub(crate) struct Stop {
    trunk: String,
    target: Option<TargetId>,
}

/// Way of a leg that was called by a route.
#[derive(Clone, Debug)]
pub(crate) struct Way {
    route: Route,
    caller: Caller,
    ring: Ring,
}

/// Refusal of a call before anybody is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) code: StatusCode,
    pub(super) fault: Fault,
    /// Time after which another call would have been taken.
    pub(super) retry_after: Option<Duration>,
}

impl Refusal {
    pub(super) fn of(code: StatusCode, fault: Fault) -> Refusal {
        Refusal {
            code,
            fault,
            retry_after: None,
        }
    }

    /// No such user or trunk.
    pub(super) fn unknown() -> Refusal {
        Refusal::of(StatusCode::NOT_FOUND, Fault::Unknown)
    }

    /// All channels are in use, or the rate is exceeded for that time.
    fn full(retry_after: Duration) -> Refusal {
        Refusal {
            retry_after: Some(retry_after),
            ..Refusal::of(StatusCode::SERVICE_UNAVAILABLE, Fault::TrunkFull)
        }
    }
}

/// Time to wait for a channel that `Retry-After` names.
const CHANNEL: Duration = Duration::from_secs(10);

impl Route {
    /// A route by these trunks: those of a tier in an order that is drawn by their weights.
    pub(super) fn new(
        cx: &mut Context,
        tiers: &[Vec<(String, u16)>],
        number: &str,
        (caller_id, on_account_of): (Option<CallerId>, Option<Source>),
    ) -> Route {
        let mut trunks = Vec::new();
        for tier in tiers {
            let mut left: Vec<&(String, u16)> = tier.iter().collect();
            while !left.is_empty() {
                let sum: u64 = left.iter().map(|(_, weight)| u64::from(*weight)).sum();
                let mut drawn = match left.len() {
                    1 => 0,
                    _ => cx.rng.below(sum.max(1)),
                };
                let chosen = left.iter().position(|(_, weight)| {
                    let hit = drawn < u64::from(*weight);
                    drawn = drawn.saturating_sub(u64::from(*weight));
                    hit
                });
                trunks.push(left.remove(chosen.unwrap_or(0)).0.clone());
            }
        }
        Route {
            number: number.to_owned(),
            caller_id,
            on_account_of,
            trunks,
            tried: Vec::new(),
            best: None,
            urgent: None,
        }
    }

    /// The same route for an emergency call.
    pub(super) fn urgently(self, call: Arc<EmergencyCall>) -> Route {
        Route {
            urgent: Some(call),
            ..self
        }
    }

    /// Emergency call that it is for.
    pub(super) fn urgent(&self) -> &Urgent {
        &self.urgent
    }

    /// The branch to the next stop. Targets that are down are called only if nothing else was.
    ///
    /// # Errors
    /// Nobody is left: the best of what was met.
    pub(super) fn next(mut self, cx: &mut Context, now: Time) -> Result<Branch, Refusal> {
        let mut refusal = None;
        let mut capped = Vec::new();
        for desperate in [false, true] {
            if desperate && !self.tried.is_empty() {
                break;
            }
            for at in 0..self.trunks.len() {
                if capped.contains(&at) {
                    continue;
                }
                match self.stop_at(cx, now, at, desperate) {
                    Ok(Some((stop, chosen))) => {
                        self.tried.push(stop);
                        return Branch::of_trunk(cx, self, chosen);
                    }
                    Ok(None) => {}
                    Err(other) => {
                        if other.fault == Fault::Capped {
                            capped.push(at);
                        }
                        refusal = Some(worse(refusal, other));
                    }
                }
            }
        }
        let refusal = refusal.unwrap_or(Refusal::of(StatusCode::SERVICE_UNAVAILABLE, Fault::Unreachable));
        Err(match self.best {
            Some(best) => Refusal {
                code: better(Some(best), refusal.code),
                ..refusal
            },
            None => refusal,
        })
    }

    /// The branch to the best stop, for something else than a call: limits on calls do not count.
    ///
    /// # Errors
    /// There is no such trunk.
    pub(super) fn first(mut self, cx: &mut Context) -> Result<Branch, Refusal> {
        let Some(name) = self.trunks.first().cloned() else {
            return Err(Refusal::unknown());
        };
        let chosen = match cx.directory.target_at(&name) {
            None => cx
                .trunks
                .choose(&name, &[], (cx.directory.registrar_at(&name), true), &mut cx.rng),
            Some(_) => None,
        };
        self.tried.push(Stop {
            target: chosen.as_ref().map(|chosen| chosen.target),
            trunk: name,
        });
        Branch::of_trunk(cx, self, chosen)
    }

    /// The next stop at a trunk: `None` if nothing is left there.
    fn stop_at(
        &self,
        cx: &mut Context,
        now: Time,
        at: usize,
        desperate: bool,
    ) -> Result<Option<(Stop, Option<Chosen>)>, Refusal> {
        let name = &self.trunks[at];
        cx.directory.trunk(name).ok_or(Refusal::unknown())?;
        let tried = self.tried_at(name);
        let chosen = match cx.directory.target_at(name).is_none() && cx.trunks.has_targets(name) {
            true => {
                let preferred = cx.directory.registrar_at(name);
                let chosen = cx
                    .trunks
                    .choose(name, &tried, (preferred, desperate), &mut cx.rng);
                if chosen.is_none() {
                    return Ok(None);
                }
                chosen
            }
            // By its proxy, or its registrar's route: there are no targets of ours.
            false if self.tried.iter().any(|stop| stop.trunk == *name) => return Ok(None),
            false => None,
        };
        if self.urgent.is_none() {
            self.admits(cx, now, at)?;
        }
        let stop = Stop {
            trunk: name.clone(),
            target: chosen.as_ref().map(|chosen| chosen.target),
        };
        Ok(Some((stop, chosen)))
    }

    /// Finds out whether a trunk takes another call: the last one is waited for.
    fn admits(&self, cx: &mut Context, now: Time, at: usize) -> Result<(), Refusal> {
        let name = self.trunks[at].as_str();
        let trunk = cx.directory.trunk(name).ok_or(Refusal::unknown())?;
        if cx.index.is_full(name, trunk) {
            return Err(Refusal::full(CHANNEL));
        }
        let is_last = at + 1 == self.trunks.len();
        let wait = match is_last {
            true => trunk.outgoing.wait,
            false => Duration::ZERO,
        };
        cx.trunks.admits(name, now, wait).map_err(Refusal::full)?;
        let known = trunk.numbers.known(&self.number);
        let call = Outbound {
            number: &known,
            on_account_of: self.on_account_of.as_ref(),
            trunk: name,
        };
        if let Err(cap) = cx.caps.admits(now, &call, !self.tried.is_empty()) {
            let by = self.on_account_of.clone();
            cx.event(Event::CapReached { cap, by });
            return Err(Refusal::of(StatusCode::FORBIDDEN, Fault::Capped));
        }
        Ok(())
    }

    fn tried_at(&self, trunk: &str) -> Vec<TargetId> {
        let there = self.tried.iter().filter(|stop| stop.trunk == trunk);
        there.filter_map(|stop| stop.target).collect()
    }

    pub(super) fn number(&self) -> &str {
        &self.number
    }

    /// On whose account it is; `None`: the gateway's own.
    pub(super) fn on_account_of(&self) -> Option<&Source> {
        self.on_account_of.as_ref()
    }

    /// Number that the trunks are shown; `None`: as each of them says.
    pub(super) fn caller_id(&self) -> Option<&CallerId> {
        self.caller_id.as_ref()
    }

    /// Trunk of the last stop.
    pub(super) fn trunk(&self) -> &str {
        self.tried.last().map_or("", |stop| &stop.trunk)
    }

    /// True if there is somewhere else to go that is not down.
    pub(super) fn has_more(&self, cx: &Context) -> bool {
        self.trunks.iter().any(|name| {
            let is_new = self.tried.iter().all(|stop| stop.trunk != *name);
            match cx.trunks.has_targets(name) {
                true => cx.trunks.has_other(name, &self.tried_at(name)),
                false => is_new,
            }
        })
    }

    fn target(&self) -> Option<TargetId> {
        self.tried.last()?.target
    }
}

/// The one of two refusals that says more: that of a trunk that could take the call later, soonest first.
fn worse(one: Option<Refusal>, other: Refusal) -> Refusal {
    match one {
        Some(one) => match (one.retry_after, other.retry_after) {
            (Some(a), Some(b)) if b < a => other,
            (None, Some(_)) => other,
            _ => one,
        },
        None => other,
    }
}

impl Way {
    pub(super) fn new(route: Route, caller: Caller, ring: Ring) -> Way {
        Way { route, caller, ring }
    }

    /// True for an emergency call, which waits for no turn.
    pub(crate) fn is_urgent(&self) -> bool {
        self.route.urgent.is_some()
    }

    /// Target that was called, if we chose it.
    pub(crate) fn target(&self) -> Option<TargetId> {
        self.route.target()
    }
}

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
