//! Quotas: calls that trunks and users may place, and phone ports that are kept for users.

use std::collections::BTreeMap;

use sans_io::Time;

use super::Admission;
use crate::caps::Cap;
use crate::context::Context;
use crate::event::Source;

/// Limits on the calls that a trunk or user places.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quota {
    /// Calls at a time.
    pub calls: Option<usize>,
    /// Calls each second, which may come at once.
    pub rate: Option<u32>,
}

/// Limits on all trunks and users.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Quotas of trunks, by name. Others have none.
    pub trunks: BTreeMap<String, Quota>,
    /// Quotas of users, by name.
    pub users: BTreeMap<String, Quota>,
    /// Caps on calls to trunks, against toll fraud.
    pub caps: Vec<Cap>,
    /// Number of phone legs for which there are ports. When three quarters are in use, calls from trunks are
    /// refused, so that users can call.
    pub phone_legs: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            trunks: BTreeMap::new(),
            users: BTreeMap::new(),
            caps: Vec::new(),
            phone_legs: usize::MAX,
        }
    }
}

/// Counts of calls beyond the limits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Excess {
    /// Calls refused because their trunk or user placed too many.
    pub over_quota: u64,
    /// Calls refused because a cap against toll fraud was reached.
    pub capped: u64,
    /// Calls refused because the rest of the phone ports is kept: for users, and the last ones for emergency calls.
    pub ports_reserved: u64,
}

/// A bucket of tokens, exact to the microsecond (the generic cell rate algorithm of ITU-T I.371): the time at
/// which it would be full again, in microseconds times its rate.
#[derive(Clone, Copy, Debug, Default)]
struct Bucket(u128);

/// A token, in microseconds times the rate.
const TOKEN: u128 = 1_000_000;

impl Bucket {
    /// Takes a token of the `rate` that come each second; false if there is none.
    fn take(&mut self, now: Time, rate: u32) -> bool {
        let now = u128::from(now.as_micros()) * u128::from(rate);
        let next = self.0.max(now) + TOKEN;
        let fits = next - now <= u128::from(rate) * TOKEN;
        if fits {
            self.0 = next;
        }
        fits
    }
}

/// Phone legs that are kept for emergency calls.
const KEPT: usize = 8;

/// Use of quotas so far.
#[derive(Debug, Default)]
pub(super) struct Quotas {
    /// Buckets of trunks and users whose call rate is limited.
    buckets: BTreeMap<Source, Bucket>,
    excess: Excess,
}

impl Admission {
    /// Sets other limits from now on; calls stay.
    pub(crate) fn set_limits(&mut self, cx: &mut Context, limits: Limits) {
        self.quotas
            .buckets
            .retain(|source, _| limits.of(source).is_some());
        cx.config.limits = limits;
    }

    /// Calls refused so far.
    pub(crate) fn excess(&self) -> Excess {
        self.quotas.excess
    }

    /// Seconds until a call of `source` could be accepted; `None`: now.
    pub(crate) fn beyond_limits(&mut self, cx: &Context, now: Time, source: &Source) -> Option<u32> {
        let limits = &cx.config.limits;
        if let Some(quota) = limits.of(source) {
            let is_full = quota.calls.is_some_and(|most| cx.index.calls_of(source) >= most);
            if is_full || !self.is_in_rate(now, source, quota.rate) {
                self.quotas.excess.over_quota += 1;
                return Some(if is_full { 10 } else { 1 });
            }
        }
        if let Source::Trunk(name) = source
            && cx
                .directory
                .trunk(name)
                .is_some_and(|trunk| cx.index.is_full(name, trunk))
        {
            self.quotas.excess.over_quota += 1;
            return Some(10);
        }
        let most = limits.phone_legs;
        // The last ports are for emergency calls, each of which needs two.
        let kept = if cx.config.emergency.numbers.is_empty() {
            0
        } else {
            KEPT.min(most / 8)
        };
        if most != usize::MAX && cx.index.phones() >= most - kept {
            self.quotas.excess.ports_reserved += 1;
            return Some(10);
        }
        if matches!(source, Source::Trunk(_)) && most != usize::MAX && cx.index.phones() >= most - most / 4 {
            self.quotas.excess.ports_reserved += 1;
            return Some(10);
        }
        None
    }

    fn is_in_rate(&mut self, now: Time, source: &Source, rate: Option<u32>) -> bool {
        let buckets = &mut self.quotas.buckets;
        rate.is_none_or(|rate| buckets.entry(source.clone()).or_default().take(now, rate))
    }
}

impl Limits {
    fn of(&self, source: &Source) -> Option<Quota> {
        match source {
            Source::Trunk(name) => self.trunks.get(name).copied(),
            Source::User(name) => self.users.get(name).copied(),
            Source::Anyone => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_gives_each_second_what_it_should_and_a_second_s_worth_at_once() {
        for rate in [1, 3, 7, 1_000] {
            let mut bucket = Bucket::default();
            let start = 1_700_000_000_000_000;
            let taken = |bucket: &mut Bucket, from: u64, to: u64| {
                let step = (to - from) / 10_000;
                (0..10_000)
                    .filter(|n| bucket.take(Time(start + from + n * step.max(1)), rate))
                    .count()
            };
            let at_once = (0..10_000).filter(|_| bucket.take(Time(start), rate)).count();
            assert_eq!(at_once, rate as usize, "at once");
            let rest = taken(&mut bucket, 0, 10_000_000);
            assert!(
                (9 * rate as usize..=10 * rate as usize).contains(&rest),
                "{rate}: {rest}"
            );
        }
        let mut bucket = Bucket::default();
        assert!(bucket.take(Time(1_000_000), 1) && !bucket.take(Time(1_999_999), 1));
        assert!(bucket.take(Time(2_000_000), 1), "exactly a second later");
        assert!(!Bucket::default().take(Time(5), 0), "none at all");
    }
}
