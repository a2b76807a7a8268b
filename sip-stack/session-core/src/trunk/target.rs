//! Targets: the addresses that a trunk's calls go to, each with its health.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use sans_io::{Rng, Time};
use sip_core::endpoint::RequestId;
use sip_core::flow::{Destination, Transport};
use sip_core::uri::{Uri, UriError};

use super::Place;
use super::health::{Health, TargetState};
use crate::config::Trunk;

/// Target of a trunk. Never the same for two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct TargetId(pub(super) u64);

/// Address that the name of a trunk resolves to (RFC 3263).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Located {
    /// Lower ones are tried first: that of the SRV record, behind those of better transports.
    pub priority: u32,
    /// Share of the calls among those of one priority; that of the SRV record.
    pub weight: u16,
    /// Transport to it.
    pub transport: Transport,
    /// Address and port.
    pub address: SocketAddr,
    /// Name to expect in its certificate.
    pub server_name: Option<String>,
}

/// State of a target, as applications see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetStatus {
    /// Host of the trunk that led to it.
    pub host: String,
    /// Address and port.
    pub address: SocketAddr,
    /// Transport to it.
    pub transport: Transport,
    /// State.
    pub state: TargetState,
    /// Time of the last change; `None` before the first.
    pub since: Option<Time>,
    /// True if OPTIONS are sent to it.
    pub is_watched: bool,
}

/// A target.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) id: TargetId,
    pub(super) place: Place,
    /// Order among the targets of the trunk: that of its place, then that of its record.
    priority: (u16, u32),
    weight: u64,
    transport: Transport,
    pub(super) address: SocketAddr,
    server_name: Option<String>,
    pub(super) health: Health,
    /// OPTIONS under way.
    pub(super) asked: Option<RequestId>,
    /// OPTIONS in a row that got no answer.
    pub(super) failures: u32,
}

impl Target {
    pub(super) fn new(id: TargetId, place: Place, located: Located) -> Target {
        Target {
            id,
            priority: (place.priority, located.priority),
            weight: u64::from(place.weight.max(1)) * u64::from(located.weight.max(1)),
            transport: located.transport,
            address: located.address,
            server_name: located.server_name,
            health: Health::default(),
            asked: None,
            failures: 0,
            place,
        }
    }

    /// Goes on from an earlier one of the same address.
    pub(super) fn succeed(&mut self, earlier: Target) {
        self.id = earlier.id;
        self.health = earlier.health;
        self.asked = earlier.asked;
        self.failures = earlier.failures;
    }

    pub(super) fn is_same(&self, other: &Target) -> bool {
        (&self.place.host, self.transport, self.address)
            == (&other.place.host, other.transport, other.address)
    }

    pub(super) fn transport(&self) -> Transport {
        self.transport
    }

    pub(super) fn destination(&self) -> Destination {
        Destination::Address {
            transport: self.transport,
            addr: self.address,
            server_name: self.server_name.clone(),
        }
    }

    /// Pause before the next OPTIONS: `interval` with a random tenth, a second after the first doubtful answer, and while it is down a
    /// second that doubles up to `interval`.
    pub(super) fn pause(&self, rng: &mut Rng, interval: Duration) -> Duration {
        const SOON: Duration = Duration::from_secs(1);
        let pause = match (self.health.is_up(), self.health.is_down()) {
            (true, _) => interval,
            (_, true) => SOON
                .saturating_mul(1 << self.failures.clamp(1, 10).saturating_sub(1))
                .min(interval),
            _ => SOON.min(interval),
        };
        let micros = u64::try_from(pause.as_micros()).unwrap_or(u64::MAX / 100);
        Duration::from_micros(micros - micros / 20 + rng.below((micros / 10).max(1)))
    }

    pub(super) fn status(&self, is_watched: bool) -> TargetStatus {
        TargetStatus {
            host: self.place.host.clone(),
            address: self.address,
            transport: self.transport,
            state: self.health.state(),
            since: self.health.since(),
            is_watched,
        }
    }
}

/// The best of these: by health, then the one at `preferred`, then by priority; among equals one that is drawn by weight.
pub(super) fn best<'t>(
    targets: impl Iterator<Item = &'t Target> + Clone,
    preferred: Option<SocketAddr>,
    rng: &mut Rng,
) -> Option<&'t Target> {
    let key = |target: &Target| {
        (
            target.health.rank(),
            Some(target.address) != preferred,
            target.priority,
        )
    };
    let first = targets.clone().map(key).min()?;
    let equals = targets.filter(|target| key(target) == first);
    let mut drawn = rng.below(equals.clone().map(|target| target.weight).sum::<u64>().max(1));
    for target in equals {
        if drawn < target.weight {
            return Some(target);
        }
        drawn -= target.weight;
    }
    None
}

/// A number at a host; without one, the host itself.
pub(crate) fn uri_at(
    transport: Transport,
    (host, port): (&str, Option<u16>),
    number: Option<&str>,
) -> Result<Uri, UriError> {
    let uri = Uri::sip(number, host, port)?;
    match transport {
        Transport::Udp => Ok(uri),
        transport => uri.with_param("transport", &transport.name().to_ascii_lowercase()),
    }
}

/// Places of a trunk.
pub(super) fn places(trunk: &Trunk) -> Vec<Place> {
    if !trunk.outgoing.places.is_empty() {
        return trunk.outgoing.places.clone();
    }
    vec![Place {
        host: trunk.host.clone(),
        port: trunk.port,
        priority: 0,
        weight: 1,
    }]
}

impl Place {
    /// Its address, if it is no name.
    #[must_use]
    pub fn literal(&self) -> Option<IpAddr> {
        self.host.trim_matches(['[', ']']).parse().ok()
    }
}
