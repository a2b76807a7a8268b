//! Routes: the trunks and targets of a call to a number, and the next of them when one does not take the call.

mod next;

use std::sync::Arc;
use std::time::Duration;

use sans_io::Time;
use sip_core::message::StatusCode;

use super::branch::{Branch, Ring};
use super::{Caller, better};
use crate::caps::Outbound;
use crate::config::CallerId;
use crate::context::Context;
use crate::emergency::{EmergencyCall, Urgent};
use crate::event::{Event, Source};
use crate::record::Fault;
use crate::trunk::{Chosen, TargetId};

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
