//! How often sign-in may fail: a bucket of tries for each user and for each address, refilled over time.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use sans_io::Time;

/// Who or what is counted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    User([u8; 32]),
    Address(u128),
}

/// Tries that may fail in a row, and how long one takes to come back.
#[derive(Clone, Copy, Debug)]
struct Rate {
    burst: u32,
    refill: Duration,
}

const USER: Rate = Rate {
    burst: 10,
    refill: Duration::from_secs(6),
};

/// An office has one address for all: only failures count, and more of them.
const ADDRESS: Rate = Rate {
    burst: 30,
    refill: Duration::from_secs(2),
};

/// Buckets that are kept. Beyond, the one that is full again soonest is forgotten.
const MAX_BUCKETS: usize = 2048;

/// Tries of everybody.
#[derive(Debug, Default)]
pub(super) struct Throttle {
    /// When each bucket is full again: a bucket that is full is not kept.
    full_at: BTreeMap<Key, Time>,
}

/// A try that was taken out of both buckets; [`Throttle::give_back`] it when the password was right.
#[derive(Debug)]
pub(super) struct Try(Vec<(Key, Rate)>);

impl Throttle {
    /// Takes a try, or tells how long to wait for one.
    pub(super) fn take(&mut self, now: Time, user: &str, address: Option<IpAddr>) -> Result<Try, Duration> {
        let mut keys = vec![(Key::User(super::digest(user)), USER)];
        if let Some(address) = address {
            keys.push((Key::Address(network(address)), ADDRESS));
        }
        let wait = keys
            .iter()
            .filter_map(|(key, rate)| self.wait(now, key, *rate))
            .max();
        if let Some(wait) = wait {
            return Err(wait);
        }
        for (key, rate) in &keys {
            self.make_room(now, key);
            let full_at = self.full_at.entry(key.clone()).or_insert(now);
            *full_at = (*full_at).max(now) + rate.refill;
        }
        Ok(Try(keys))
    }

    /// The try was no failure.
    pub(super) fn give_back(&mut self, taken: Try) {
        for (key, rate) in taken.0 {
            if let Some(full_at) = self.full_at.get_mut(&key) {
                *full_at = *full_at - rate.refill;
            }
        }
    }

    fn wait(&self, now: Time, key: &Key, rate: Rate) -> Option<Duration> {
        let missing = self.full_at.get(key)?.since(now);
        let most = rate.refill * (rate.burst - 1);
        missing.checked_sub(most).filter(|wait| !wait.is_zero())
    }

    fn make_room(&mut self, now: Time, key: &Key) {
        if self.full_at.len() < MAX_BUCKETS || self.full_at.contains_key(key) {
            return;
        }
        self.full_at.retain(|_, full_at| *full_at > now);
        if self.full_at.len() >= MAX_BUCKETS {
            let soonest = self.full_at.iter().min_by_key(|(_, full_at)| **full_at);
            if let Some(key) = soonest.map(|(key, _)| key.clone()) {
                self.full_at.remove(&key);
            }
        }
    }
}

/// One customer: an IPv4 address, or 64 bits of an IPv6 address.
fn network(address: IpAddr) -> u128 {
    match address.to_canonical() {
        IpAddr::V4(v4) => u128::from(v4.to_bits()),
        IpAddr::V6(v6) => v6.to_bits() & !u128::from(u64::MAX),
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use super::*;

    const NOW: Time = Time::from_secs(1_000);

    fn host(n: u32) -> Option<IpAddr> {
        Some(IpAddr::V4(Ipv4Addr::from_bits(0x0a00_0000 + n)))
    }

    #[test]
    fn a_user_may_fail_ten_times_from_anywhere_and_then_every_six_seconds() {
        let mut throttle = Throttle::default();
        for n in 0..10 {
            throttle.take(NOW, "anna", host(n)).expect("a try");
        }
        assert_eq!(
            throttle.take(NOW, "anna", host(99)).err(),
            Some(Duration::from_secs(6))
        );
        throttle.take(NOW, "ben", host(99)).expect("another user's");
        let later = NOW + Duration::from_secs(6);
        throttle.take(later, "anna", host(99)).expect("one more");
        throttle.take(later, "anna", host(99)).expect_err("and no more");
    }

    #[test]
    fn an_address_may_fail_for_thirty_users() {
        let mut throttle = Throttle::default();
        for n in 0..30 {
            throttle.take(NOW, &format!("user{n}"), host(1)).expect("a try");
        }
        throttle.take(NOW, "anna", host(1)).expect_err("no more");
        throttle.take(NOW, "anna", host(2)).expect("from elsewhere");
    }

    #[test]
    fn signing_in_costs_nothing() {
        let mut throttle = Throttle::default();
        for _ in 0..1_000 {
            let taken = throttle.take(NOW, "anna", host(1)).expect("a try");
            throttle.give_back(taken);
        }
    }

    #[test]
    fn one_network_of_ipv6_is_one_address() {
        let ip = |last: u16| Some(IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 1, last, 0, 0, last)));
        let mut throttle = Throttle::default();
        for n in 0..30 {
            throttle.take(NOW, &format!("user{n}"), ip(n)).expect("a try");
        }
        throttle.take(NOW, "anna", ip(99)).expect_err("no more");
    }

    #[test]
    fn memory_is_bounded_and_those_who_failed_most_are_remembered() {
        let mut throttle = Throttle::default();
        for _ in 0..10 {
            throttle.take(NOW, "anna", None).expect("a try");
        }
        for n in 0..4_000 {
            let _ = throttle.take(NOW, &format!("user{n}"), None);
        }
        assert_eq!(throttle.full_at.len(), MAX_BUCKETS);
        throttle.take(NOW, "anna", None).expect_err("still no more");
    }
}
