//! Trunks as calls to them find them.
//!
//! The walk of a call: a dial rule names trunks in an order, each trunk has targets (the addresses of its places), each target a
//! [health](health). The call's route takes the first trunk that has a channel free and whose [pace](pace) lets the call go at once, and
//! its best target that was not tried; the INVITE of the leg goes to that one address. If the target is silent, refuses with one of
//! the trunk's failover codes, or is found dead meanwhile, and the caller has heard no ringing from there, the route goes on with
//! the next one. What the leg met is told to the target's health; OPTIONS find out the rest.

mod health;
mod pace;
mod probe;
mod settings;
mod target;

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use media_core::control::LegId;
use sans_io::{Deadline, Rng, Time, Timers};
use sip_core::endpoint::RequestId;
use sip_core::flow::Destination;
use sip_core::uri::Uri;

pub(crate) use health::{Met, pause};
pub use health::{TargetState, Trouble};
pub use pace::CallRate;
use pace::Pace;
pub use settings::{FailoverCodes, Outgoing, Place, Watch};
pub use target::{Located, TargetStatus};
use target::{Target, best, places};
pub(crate) use target::{TargetId, uri_at};

use crate::config::Trunk;

/// Targets and paces of all trunks.
#[derive(Debug, Default)]
pub(crate) struct Trunks {
    by_name: BTreeMap<String, State>,
    /// Targets that OPTIONS are under way to.
    probes: BTreeMap<RequestId, TargetId>,
    timers: Timers<Alarm>,
    /// Targets whose state has changed.
    changes: VecDeque<TargetId>,
    last_id: u64,
}

/// State of a trunk.
#[derive(Debug)]
struct State {
    /// Places with their URIs, and the addresses that they resolve to.
    places: Vec<(Place, Uri, Vec<Located>)>,
    targets: Vec<Target>,
    pace: Option<Pace>,
    watch: Watch,
    /// Time between two OPTIONS to each of its targets.
    options: Option<Duration>,
    /// True if a proxy stands between it and us: its addresses are no targets of ours.
    is_proxied: bool,
    /// True if its names are to be followed.
    is_followed: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Alarm {
    /// OPTIONS are due.
    Ask(TargetId),
    /// The pause of a target is over.
    Rested(TargetId),
    /// A call that waits for its turn may go.
    Turn,
}

/// Target that is chosen for a call or a registration.
#[derive(Clone, Debug)]
pub(crate) struct Chosen {
    pub(crate) target: TargetId,
    pub(crate) to: Destination,
    pub(crate) place: Place,
    pub(crate) is_up: bool,
}

impl Trunks {
    /// Takes the trunks of the directory. Addresses, health and paces of what stays the same go on.
    pub(crate) fn set<'t>(&mut self, trunks: impl Iterator<Item = (&'t str, &'t Trunk)>) {
        let mut before = std::mem::take(&mut self.by_name);
        for (name, trunk) in trunks {
            let (places, targets, pace) = match before.remove(name) {
                Some(earlier) => (earlier.places, earlier.targets, earlier.pace),
                None => Default::default(),
            };
            let mut state = State::new(trunk, &places);
            state.pace = trunk.outgoing.rate.map(|rate| match pace {
                Some(mut pace) => {
                    pace.set_rate(rate);
                    pace
                }
                None => Pace::new(rate),
            });
            self.set_targets(&mut state, targets);
            self.by_name.insert(name.to_owned(), state);
        }
        for gone in before.into_values().flat_map(|state| state.targets) {
            self.forget_target(gone.id);
        }
        self.arm_turn();
    }

    /// A name of a trunk resolves to these addresses now. False if it is none of the trunk's names.
    pub(crate) fn located(&mut self, trunk: &str, name: &Uri, found: Vec<Located>) -> bool {
        let Some(mut state) = self.by_name.remove(trunk) else {
            return false;
        };
        let mut places = state.places.iter_mut();
        let place = places.find(|(place, uri, _)| uri == name && place.literal().is_none());
        let is_known = place.is_some();
        if let Some((_, _, located)) = place {
            *located = found;
            let before = std::mem::take(&mut state.targets);
            self.set_targets(&mut state, before);
        }
        self.by_name.insert(trunk.to_owned(), state);
        is_known
    }

    /// Makes the targets of a trunk from the addresses of its places; those that were there before go on.
    fn set_targets(&mut self, state: &mut State, mut before: Vec<Target>) {
        let found = state.places.iter().flat_map(|(place, _, located)| {
            let located = located.iter().filter(|_| !state.is_proxied);
            located.map(move |located| (place.clone(), located.clone()))
        });
        let mut targets: Vec<Target> = Vec::new();
        for (place, located) in found {
            self.last_id += 1;
            let mut target = Target::new(TargetId(self.last_id), place, located);
            if targets.iter().any(|other| other.is_same(&target)) {
                continue;
            }
            if let Some(at) = before.iter().position(|earlier| earlier.is_same(&target)) {
                target.succeed(before.remove(at));
            }
            targets.push(target);
        }
        state.options = state.watch.interval(targets.len());
        for target in &targets {
            match state.options {
                Some(_) if target.asked.is_none() => self.ask_now(target.id),
                Some(_) => {}
                None => {
                    self.timers.cancel(Alarm::Ask(target.id));
                }
            }
        }
        for gone in before {
            self.forget_target(gone.id);
        }
        state.targets = targets;
    }

    fn forget_target(&mut self, target: TargetId) {
        self.timers.cancel(Alarm::Ask(target));
        self.timers.cancel(Alarm::Rested(target));
    }

    /// Names of trunks, and the URIs that they are resolved by.
    pub(crate) fn names(&self) -> Vec<(String, Uri)> {
        let mut names = Vec::new();
        let followed = self.by_name.iter().filter(|(_, state)| state.is_followed);
        for (trunk, state) in followed {
            let places = state
                .places
                .iter()
                .filter(|(place, ..)| place.literal().is_none());
            names.extend(places.map(|(_, uri, _)| (trunk.clone(), uri.clone())));
        }
        names
    }

    /// Addresses of a trunk, as far as they are known.
    pub(crate) fn addresses(&self, trunk: &str) -> Vec<IpAddr> {
        let places = self
            .by_name
            .get(trunk)
            .into_iter()
            .flat_map(|state| &state.places);
        let mut addresses: Vec<IpAddr> = places
            .flat_map(|(_, _, located)| located)
            .map(|located| located.address.ip())
            .collect();
        addresses.sort_unstable();
        addresses.dedup();
        addresses
    }

    /// The best target of a trunk for the next call, those at `tried` left out; one that is down only if `desperate`.
    pub(crate) fn choose(
        &self,
        trunk: &str,
        tried: &[TargetId],
        (preferred, desperate): (Option<SocketAddr>, bool),
        rng: &mut Rng,
    ) -> Option<Chosen> {
        let targets = self.by_name.get(trunk)?.targets.iter();
        let left = targets.filter(|target| !tried.contains(&target.id));
        let chosen = best(
            left.filter(|target| desperate || !target.health.is_down()),
            preferred,
            rng,
        )?;
        Some(Chosen {
            target: chosen.id,
            to: chosen.destination(),
            place: chosen.place.clone(),
            is_up: chosen.health.is_up(),
        })
    }

    /// The target of a trunk at that address.
    pub(crate) fn at(&self, trunk: &str, address: SocketAddr) -> Option<Destination> {
        let mut targets = self.by_name.get(trunk)?.targets.iter();
        let there = targets.find(|target| target.address == address);
        there.map(Target::destination)
    }

    /// True if the trunk has targets, so that calls go to one of them.
    pub(crate) fn has_targets(&self, trunk: &str) -> bool {
        self.by_name
            .get(trunk)
            .is_some_and(|state| !state.targets.is_empty())
    }

    /// True if a target of the trunk is left that is not down.
    pub(crate) fn has_other(&self, trunk: &str, tried: &[TargetId]) -> bool {
        let targets = self
            .by_name
            .get(trunk)
            .into_iter()
            .flat_map(|state| &state.targets);
        targets
            .filter(|target| !tried.contains(&target.id))
            .any(|target| !target.health.is_down())
    }

    /// State of the targets of a trunk.
    pub(crate) fn status(&self, trunk: &str) -> Vec<TargetStatus> {
        let state = self.by_name.get(trunk);
        let of = |state: &State| {
            let statuses = state
                .targets
                .iter()
                .map(|target| target.status(state.options.is_some()));
            statuses.collect()
        };
        state.map(of).unwrap_or_default()
    }

    /// A target whose state has changed: its trunk, its state, and whether it is down.
    pub(crate) fn next_change(&mut self) -> Option<(String, TargetId, TargetStatus)> {
        while let Some(changed) = self.changes.pop_front() {
            for (trunk, state) in &self.by_name {
                if let Some(target) = state.targets.iter().find(|target| target.id == changed) {
                    return Some((trunk.clone(), changed, target.status(state.options.is_some())));
                }
            }
        }
        None
    }

    /// Earliest deadline.
    pub(crate) fn deadline(&self) -> Deadline {
        self.timers.next()
    }

    /// Whether another call to the trunk may go within `wait`; else the time after which it could.
    pub(crate) fn admits(&self, trunk: &str, now: Time, wait: Duration) -> Result<(), Duration> {
        let pace = self.by_name.get(trunk).and_then(|state| state.pace.as_ref());
        match pace.map(|pace| pace.wait(now)) {
            Some(turn) if turn > wait => Err(turn),
            _ => Ok(()),
        }
    }

    /// An INVITE of this leg is to come.
    pub(crate) fn expect(&mut self, trunk: &str, leg: LegId) {
        if let Some(pace) = self.pace_mut(trunk) {
            pace.expect(leg);
        }
    }

    /// No INVITE of this leg is to come.
    pub(crate) fn forget(&mut self, trunk: &str, leg: LegId) {
        if let Some(pace) = self.pace_mut(trunk) {
            pace.forget(leg);
            self.arm_turn();
        }
    }

    /// The leg can send its INVITE. True if it is to send it now, which is counted; else [`next_turn`](Self::next_turn) names it later.
    pub(crate) fn is_turn(&mut self, trunk: &str, now: Time, leg: LegId) -> bool {
        let Some(pace) = self.pace_mut(trunk) else {
            return true;
        };
        let is_turn = pace.is_turn(now, leg);
        self.arm_turn();
        is_turn
    }

    /// A leg whose INVITE is to be sent now, which is counted.
    pub(crate) fn next_turn(&mut self, now: Time) -> Option<LegId> {
        let mut paces = self.by_name.values_mut().filter_map(|state| state.pace.as_mut());
        let leg = paces.find_map(|pace| pace.take(now));
        self.arm_turn();
        leg
    }

    fn pace_mut(&mut self, trunk: &str) -> Option<&mut Pace> {
        self.by_name.get_mut(trunk)?.pace.as_mut()
    }

    fn arm_turn(&mut self) {
        let paces = self.by_name.values().filter_map(|state| state.pace.as_ref());
        match paces.filter_map(Pace::next).min() {
            Some(at) => self.timers.set(Alarm::Turn, at, "turn of a call at a trunk"),
            None => {
                self.timers.cancel(Alarm::Turn);
            }
        }
    }
}

impl State {
    /// A trunk without targets. Names that were resolved before are so still.
    fn new(trunk: &Trunk, before: &[(Place, Uri, Vec<Located>)]) -> State {
        let mut state = State {
            places: Vec::new(),
            targets: Vec::new(),
            pace: None,
            watch: trunk.outgoing.options,
            options: None,
            is_proxied: trunk.outbound_proxy.is_some(),
            is_followed: trunk.outbound_proxy.is_none() || trunk.follows_name,
        };
        for place in places(trunk) {
            let Ok(uri) = uri_at(trunk.transport, (&place.host, place.port), None) else {
                debug_assert!(false, "the host of a trunk is a host of a URI");
                continue;
            };
            let known = before.iter().find(|(_, known, _)| *known == uri);
            let located = match (place.literal(), known) {
                (Some(ip), _) => vec![Located {
                    priority: 0,
                    weight: 1,
                    transport: trunk.transport,
                    address: SocketAddr::new(ip, place.port.unwrap_or(trunk.transport.default_port())),
                    server_name: None,
                }],
                (None, Some((_, _, located))) => located.clone(),
                (None, None) => Vec::new(),
            };
            state.places.push((place, uri, located));
        }
        state
    }
}
