//! Watch over targets: OPTIONS at intervals and when calls meet trouble, and what becomes of it.

use std::time::Duration;

use sans_io::{Rng, Time};
use sip_core::endpoint::{Endpoint, OutgoingContact, OutgoingRequest, RequestId, Target as To};
use sip_core::message::{Address, Method};
use sip_core::uri::Uri;

use super::health::Met;
use super::target::{Target, TargetId};
use super::{Alarm, State, Trunks};

/// Time for the answer to OPTIONS: three transmissions over UDP.
const PATIENCE: Duration = Duration::from_secs(2);
/// Likewise while a target is in doubt.
const IMPATIENCE: Duration = Duration::from_secs(1);

impl Trunks {
    /// Something happened at a target: to a call, a registration, or OPTIONS.
    pub(crate) fn met(&mut self, now: Time, target: TargetId, met: Met) {
        let Some((state, index)) = self.find(target) else {
            // It is a trunk's no longer.
            return;
        };
        let is_watched = state.options.is_some();
        let found = &mut state.targets[index];
        let changed = found.health.met(now, met, is_watched);
        let is_asked = found.asked.is_some();
        let (in_doubt, until) = (found.health.is_in_doubt(), found.health.until());
        match until {
            Some(until) => self
                .timers
                .set(Alarm::Rested(target), until, "pause of a trunk's target"),
            None => {
                self.timers.cancel(Alarm::Rested(target));
            }
        }
        if changed {
            self.changes.push_back(target);
        }
        // What calls met is checked at once, and what is certain soon.
        if changed && is_watched && !is_asked && matches!(met, Met::Trouble(..)) {
            match in_doubt {
                true => self.ask_now(target),
                false => {
                    let at = until.unwrap_or(now + IMPATIENCE);
                    self.timers.set(Alarm::Ask(target), at, "OPTIONS to a trunk");
                }
            }
        }
    }

    /// The connection to this address closed: whoever is behind it is asked at once.
    pub(crate) fn connection_lost(&mut self, address: std::net::SocketAddr) {
        let watched = self.by_name.values().filter(|state| state.options.is_some());
        let there = watched
            .flat_map(|state| &state.targets)
            .filter(|target| target.address == address);
        let there: Vec<TargetId> = there.filter(|t| t.asked.is_none()).map(|t| t.id).collect();
        for target in there {
            self.ask_now(target);
        }
    }

    /// Has OPTIONS sent as soon as the time is known.
    pub(super) fn ask_now(&mut self, target: TargetId) {
        self.timers
            .set(Alarm::Ask(target), Time::default(), "OPTIONS to a trunk");
    }

    /// Sends the OPTIONS that are due, and ends pauses that are over. `host` is our own, for `From`.
    pub(crate) fn handle_timeout(&mut self, endpoint: &mut Endpoint, host: &str, now: Time) {
        while let Some(alarm) = self.timers.pop_due(now) {
            match alarm {
                Alarm::Ask(target) => self.ask(endpoint, host, now, target),
                Alarm::Rested(target) => {
                    if let Some((state, index)) = self.find(target) {
                        let is_watched = state.options.is_some();
                        let found = &mut state.targets[index];
                        let (changed, is_asked) =
                            (found.health.rested(now, is_watched), found.asked.is_some());
                        if changed {
                            self.changes.push_back(target);
                        }
                        if is_watched && !is_asked {
                            self.ask_now(target);
                        }
                    }
                }
                // Whoever drains the turns arms it again.
                Alarm::Turn => {}
            }
        }
    }

    fn ask(&mut self, endpoint: &mut Endpoint, host: &str, now: Time, id: TargetId) {
        let Some((state, index)) = self.find(id) else {
            return;
        };
        let target = &mut state.targets[index];
        let place = (target.place.host.as_str(), target.place.port);
        let uri = super::uri_at(target.transport(), place, None);
        let (Ok(uri), Ok(me)) = (uri, Uri::sip(Some("ping"), host, None)) else {
            debug_assert!(false, "hosts of trunks and our own are hosts of URIs");
            return;
        };
        let request = OutgoingRequest {
            method: Method::Options,
            target: To::Address(target.destination()),
            from: Address::new(me),
            to: Address::new(uri.clone()),
            request_uri: uri,
            contact: Some(OutgoingContact::default()),
            call: None,
            body: None,
            extra: Vec::new(),
            answerer: None,
            response_timeout: Some(match target.health.is_in_doubt() {
                true => IMPATIENCE,
                false => PATIENCE,
            }),
        };
        let request = endpoint.request(now, request);
        target.asked = Some(request);
        self.probes.insert(request, id);
    }

    /// The outcome of a request outside dialogs; false if it was none of ours.
    pub(crate) fn answered(&mut self, rng: &mut Rng, now: Time, request: RequestId, met: Met) -> bool {
        let Some(target) = self.probes.remove(&request) else {
            return false;
        };
        if let Some((state, index)) = self.find(target) {
            let found = &mut state.targets[index];
            found.asked = None;
            found.failures = match met {
                Met::Answer | Met::Life => 0,
                Met::NoAnswer(..) | Met::Trouble(..) => found.failures.saturating_add(1),
            };
        }
        self.met(now, target, met);
        if let Some((state, index)) = self.find(target)
            && let Some(interval) = state.options
        {
            let at = now + state.targets[index].pause(rng, interval);
            self.timers.set(Alarm::Ask(target), at, "OPTIONS to a trunk");
        }
        true
    }

    fn find(&mut self, target: TargetId) -> Option<(&mut State, usize)> {
        self.by_name.values_mut().find_map(|state| {
            let index = state
                .targets
                .iter()
                .position(|other: &Target| other.id == target)?;
            Some((state, index))
        })
    }
}
