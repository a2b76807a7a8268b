//! Stand-in for systems whose kernel has no sieve: all datagrams come through, and only the driver's order helps.

use std::net::UdpSocket;
use std::time::{Duration, Instant};

use super::familiar::Familiar;

pub(super) const INTERVAL: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct Sieve;

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Seen {
    pub(super) strangers: u32,
    pub(super) caught_up: bool,
}

impl Sieve {
    pub(super) fn new(_is_ipv6: bool, _rate: u32) -> Sieve {
        Sieve
    }

    pub(super) fn is_on(&self) -> bool {
        false
    }

    pub(super) fn is_due(&self, _now: Instant, _seen: Seen) -> bool {
        false
    }

    pub(super) fn adjust(
        &mut self,
        _now: Instant,
        _seen: Seen,
        _socket: &UdpSocket,
        _familiar: &Familiar,
    ) -> u64 {
        0
    }
}
