//! Hosts that are no strangers: those that we sent requests to over UDP, and those where somebody of ours got in.
//!
//! Datagrams come from anybody and wear any address. So that a flood of them keeps nobody's calls away, those of familiar hosts are
//! taken first, and of all others together only so many in a second.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock};
use std::time::{Duration, Instant};

use sans_io::Time;

/// Hosts that are remembered.
const MOST: usize = 65_536;

/// When it is asked again whether a host is familiar.
const AGAIN: Duration = Duration::from_secs(60);

/// When a host that is not heard of may be forgotten.
const STALE: Duration = Duration::from_secs(600);

/// The driver learns, sockets look up.
#[derive(Debug, Default)]
pub(crate) struct Familiar {
    /// When it was learnt last.
    hosts: RwLock<BTreeMap<IpAddr, Time>>,
    /// Counts changes of who is familiar.
    version: AtomicU64,
}

impl Familiar {
    /// Looked at for each datagram.
    pub(crate) fn contains(&self, host: IpAddr) -> bool {
        let hosts = self.hosts.read().unwrap_or_else(PoisonError::into_inner);
        hosts.contains_key(&host)
    }

    /// Another one when others are familiar.
    pub(super) fn version(&self) -> u64 {
        self.version.load(Ordering::Relaxed)
    }

    /// All of them.
    pub(super) fn hosts(&self) -> Vec<IpAddr> {
        let hosts = self.hosts.read().unwrap_or_else(PoisonError::into_inner);
        hosts.keys().copied().collect()
    }

    /// Learns of a host, or forgets it, by what `is_known` says, where it was not asked lately.
    pub(crate) fn learn(&self, now: Time, host: IpAddr, is_known: impl FnOnce() -> bool) {
        let last = {
            let hosts = self.hosts.read().unwrap_or_else(PoisonError::into_inner);
            hosts.get(&host).copied()
        };
        if last.is_some_and(|at| now.since(at) < AGAIN) {
            return;
        }
        let is_known = is_known();
        if !is_known && last.is_none() {
            return;
        }
        let mut hosts = self.hosts.write().unwrap_or_else(PoisonError::into_inner);
        if !is_known || last.is_none() {
            self.version.fetch_add(1, Ordering::Relaxed);
        }
        if !is_known {
            hosts.remove(&host);
            return;
        }
        if hosts.len() >= MOST {
            hosts.retain(|_, at| now.since(*at) < STALE);
        }
        if hosts.len() < MOST || last.is_some() {
            hosts.insert(host, now);
        }
    }
}

/// So many in a second, and as many at once.
#[derive(Debug)]
pub(crate) struct Share {
    rate: u32,
    left: u32,
    since: Instant,
}

impl Share {
    pub(crate) fn new(rate: u32) -> Share {
        Share {
            rate,
            left: rate,
            since: Instant::now(),
        }
    }

    /// What came back meanwhile.
    pub(crate) fn refill(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.since);
        let more = (passed.as_secs_f64() * f64::from(self.rate)) as u32;
        if more > 0 {
            self.left = self.left.saturating_add(more).min(self.rate);
            self.since = now;
        }
    }

    pub(crate) fn take(&mut self) -> bool {
        let is_left = self.left > 0;
        self.left -= u32::from(is_left);
        is_left
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Time = Time::from_secs(1_000);

    fn host(n: u32) -> IpAddr {
        IpAddr::V4(n.into())
    }

    #[test]
    fn a_host_is_familiar_while_it_is_known() {
        let familiar = Familiar::default();
        familiar.learn(NOW, host(1), || false);
        assert!(!familiar.contains(host(1)));
        familiar.learn(NOW, host(1), || true);
        assert!(familiar.contains(host(1)) && !familiar.contains(host(2)));
        familiar.learn(NOW + AGAIN / 2, host(1), || panic!("asked just now"));
        familiar.learn(NOW + AGAIN, host(1), || false);
        assert!(!familiar.contains(host(1)));
    }

    #[test]
    fn so_many_are_remembered_and_the_silent_go_first() {
        let familiar = Familiar::default();
        let most = u32::try_from(MOST).expect("small");
        for n in 0..most {
            familiar.learn(NOW, host(n), || true);
        }
        familiar.learn(NOW, host(most), || true);
        assert!(!familiar.contains(host(most)) && familiar.contains(host(0)));
        familiar.learn(NOW + STALE, host(0), || true);
        familiar.learn(NOW + STALE, host(most), || true);
        assert!(familiar.contains(host(most)) && familiar.contains(host(0)) && !familiar.contains(host(1)));
    }

    #[test]
    fn a_share_is_so_much_in_a_second_and_at_once() {
        let mut share = Share::new(100);
        let began = share.since;
        let mut taken = 0;
        for millis in 0..2_000 {
            share.refill(began + Duration::from_millis(millis));
            for _ in 0..10 {
                taken += u32::from(share.take());
            }
        }
        assert!((290..=300).contains(&taken), "{taken}");
    }
}
