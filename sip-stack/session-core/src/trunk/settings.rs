//! Settings of calls to a trunk: its places, what they are asked, and the limits on calls.

use std::ops::RangeInclusive;
use std::time::Duration;

use sip_core::message::StatusCode;

use super::pace::CallRate;

/// Time that a target may stay silent while there is another way, unless configured: T1, after which the INVITE would be
/// repeated anyway (RFC 3261 §17.1.1.1).
const CONNECT_TIMEOUT: Duration = Duration::from_millis(500);
/// Time between two OPTIONS, unless configured.
const OPTIONS: Duration = Duration::from_secs(30);
/// Time that a call waits for its turn at the last trunk, unless configured.
const WAIT: Duration = Duration::from_secs(2);

/// Targets of a trunk that OPTIONS are sent to, and how often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Watch {
    /// None.
    Never,
    /// All, if there is more than one.
    Several(Duration),
    /// All.
    Always(Duration),
}

impl Watch {
    /// Time between two OPTIONS to each of so many targets.
    pub(super) fn interval(self, targets: usize) -> Option<Duration> {
        match self {
            Watch::Always(interval) => Some(interval),
            Watch::Several(interval) => Some(interval).filter(|_| targets > 1),
            Watch::Never => None,
        }
    }
}

/// Settings of calls to a trunk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// Places that calls go to; empty: the trunk's own host and port alone.
    pub places: Vec<Place>,
    /// Whether OPTIONS are sent to its targets, or they are judged by calls alone.
    pub options: Watch,
    /// Time that a target may stay silent while there is another one, or another trunk.
    pub connect_timeout: Duration,
    /// Calls at a time, both ways together.
    pub channels: Option<usize>,
    /// Rate of new calls to it.
    pub rate: Option<CallRate>,
    /// Time that a call waits for its turn if there is no other trunk for it.
    pub wait: Duration,
    /// Responses after which the call goes on elsewhere.
    pub failover: FailoverCodes,
}

impl Default for Outgoing {
    fn default() -> Outgoing {
        Outgoing {
            places: Vec::new(),
            options: Watch::Several(OPTIONS),
            connect_timeout: CONNECT_TIMEOUT,
            channels: None,
            rate: None,
            wait: WAIT,
            failover: FailoverCodes::default(),
        }
    }
}

/// Host that calls to a trunk go to, and its rank among others (as in RFC 2782).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Name or address.
    pub host: String,
    /// Port, if not the transport's own, or that of SRV.
    pub port: Option<u16>,
    /// Lower ones are tried first.
    pub priority: u16,
    /// Share of the calls among those of one priority.
    pub weight: u16,
}

/// Responses to an INVITE after which the call goes on elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailoverCodes(Vec<RangeInclusive<u16>>);

impl FailoverCodes {
    /// These codes.
    #[must_use]
    pub fn new(codes: Vec<RangeInclusive<u16>>) -> FailoverCodes {
        FailoverCodes(codes)
    }

    /// True if `code` is one of them.
    #[must_use]
    pub fn contains(&self, code: StatusCode) -> bool {
        self.0.iter().any(|codes| codes.contains(&code.get()))
    }
}

impl Default for FailoverCodes {
    /// Faults of the network: time-outs, what carriers answer beyond their rate (429), unreachable, faults of servers. A person who is
    /// busy (486) or declines (603) is not called by another way.
    fn default() -> FailoverCodes {
        FailoverCodes(vec![408..=408, 429..=429, 480..=480, 500..=599])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_are_not_called_again_by_another_way() {
        let codes = FailoverCodes::default();
        for code in [486, 600, 603, 604, 404, 484, 487, 403] {
            assert!(
                !codes.contains(StatusCode::try_from(code).expect("a code")),
                "{code}"
            );
        }
        for code in [408, 429, 480, 500, 503, 504, 599] {
            assert!(
                codes.contains(StatusCode::try_from(code).expect("a code")),
                "{code}"
            );
        }
    }
}
