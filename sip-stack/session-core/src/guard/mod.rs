//! The guard against guessed passwords and scanned names: it counts failures by source and by user, slows
//! them down, and bans a source that goes on.
//!
//! | attempts of | that may fail |
//! |---|---|
//! | a source, by strangers | 20 in a row, then one a second |
//! | a user, by strangers from anywhere | 20 in a row, then one a second |
//! | a user, by strangers of one source | 10 in a row, then one in 6 s |
//! | a user, from a source where that user got in before | 20 in a row, then one a second; nothing that strangers do counts here |
//!
//! A source that tries more than that, or names one unknown user after another, is banned, longer each time.
//! Users who got in from there before are spared by the ban, so a stranger who shares the address of an
//! office, or forges it, locks nobody out. A phone with a wrong password that tries again every second or
//! less often is slowed down and bans nobody.
//!
//! Every table has a bound; when one is full, the entry that would be forgotten first goes.

mod ban;
mod rate;
mod table;

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::IpAddr;
use std::time::Duration;

use sans_io::Time;

pub use ban::{Ban, Offence};
use rate::{
    APART, BANS, BUCKETS, KNOWN, KNOWN_FOR, LONGEST, NAMES, PAIR, PAIRS, PATIENCE, REMEMBERED, REPEATED,
    Rate, SCANNERS, SOURCE, USER,
};
pub use sip_core::network::Network;
use table::Table;

/// Settings of a guard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Duration of a source's first ban; each further one within a day is twice as long, up to a day. Zero:
    /// nobody is banned.
    pub ban: Duration,
    /// Sources that are neither slowed down nor banned.
    pub allow: Vec<Network>,
    /// Sources that are slowed down and never banned: trunks, proxies.
    pub spare: Vec<Network>,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            ban: Duration::from_secs(600),
            allow: Vec::new(),
            spare: Vec::new(),
        }
    }
}

/// One customer: an IPv4 address, or a /64 of IPv6.
type Source = u128;
/// A user's name, hashed.
type User = u64;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Bucket {
    Source(Source),
    User(User),
    Pair(Source, User),
    Patience(Source),
}

/// An attempt that counts as a failure for now: report its outcome by [`Guard::failed`], [`Guard::succeeded`]
/// or [`Guard::give_back`].
#[derive(Debug)]
#[must_use]
pub struct Try {
    source: Source,
    user: User,
    taken: Vec<(Bucket, Rate)>,
    counts: bool,
}

impl Try {
    /// True if the user never got in from this source.
    #[must_use]
    pub fn is_strangers(&self) -> bool {
        self.counts
    }
}

/// Reason why an attempt may not be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Denied {
    /// The next one may be made after this time.
    TooFast(Duration),
    /// Its source is banned until this time.
    Banned(Time),
}

/// The tables of one door: SIP has one guard, signing in over HTTP another.
#[derive(Debug, Default)]
pub struct Guard {
    config: Config,
    /// Times at which the buckets are full again; a full one is not kept.
    buckets: Table<Bucket>,
    /// Times at which a pair's last failure is forgotten.
    failed: Table<(Source, User)>,
    /// Users who got in, with their sources, and the times at which that is forgotten.
    known: Table<(Source, User)>,
    /// Unknown names, by source.
    scanning: Table<Source>,
    names: BTreeMap<Source, BTreeSet<User>>,
    /// Sources that are or were banned, and the times at which that is forgotten.
    banned: Table<Source>,
    bans: BTreeMap<Source, Ban>,
    begun: Vec<Ban>,
}

impl Guard {
    /// A guard that knows and bans nobody.
    #[must_use]
    pub fn new(config: Config) -> Guard {
        Guard {
            config,
            ..Guard::default()
        }
    }

    /// These sources are slowed down and never banned from now on; bans of theirs are lifted.
    pub fn spare(&mut self, sources: Vec<Network>) {
        self.config.spare = sources;
        let spared: Vec<Source> = self
            .bans
            .iter()
            .filter(|(_, ban)| {
                self.config
                    .spare
                    .iter()
                    .any(|network| network.contains(ban.address))
            })
            .map(|(source, _)| *source)
            .collect();
        for source in spared {
            self.bans.remove(&source);
            self.banned.remove(&source);
        }
    }

    /// Takes an attempt, which counts as failed until its outcome is reported.
    ///
    /// # Errors
    /// The attempt may not be made now; nothing must be checked then.
    pub fn take(&mut self, now: Time, address: IpAddr, name: &str) -> Result<Try, Denied> {
        let (source, user) = (source(address), hash(name));
        let mut taken = Try {
            source,
            user,
            taken: Vec::new(),
            counts: false,
        };
        if self.is_allowed(address) {
            return Ok(taken);
        }
        let known = self.known.get(&(source, user)).is_some_and(|until| until > now);
        if known {
            taken.taken.push((Bucket::Pair(source, user), KNOWN));
        } else {
            if let Some(ban) = self.ban_of(now, source) {
                return Err(Denied::Banned(ban.until));
            }
            taken.counts = true;
            taken.taken.extend([
                (Bucket::Source(source), SOURCE),
                (Bucket::Pair(source, user), PAIR),
                (Bucket::User(user), USER),
            ]);
        }
        let wait = taken
            .taken
            .iter()
            .filter_map(|(bucket, rate)| self.wait(now, *bucket, *rate))
            .max();
        if let Some(wait) = wait {
            if taken.counts {
                self.try_patience(now, address, &taken);
            }
            return Err(match self.ban_of(now, source).filter(|_| !known) {
                Some(ban) => Denied::Banned(ban.until),
                None => Denied::TooFast(wait),
            });
        }
        for (bucket, rate) in &taken.taken {
            self.spend(now, *bucket, *rate);
        }
        Ok(taken)
    }

    /// The password was wrong, or there is no such user.
    pub fn failed(&mut self, now: Time, address: IpAddr, taken: Try) {
        if taken.counts {
            self.try_patience(now, address, &taken);
        }
    }

    /// The user got in.
    pub fn succeeded(&mut self, now: Time, taken: Try) {
        let pair = (taken.source, taken.user);
        let was_known = self.known.get(&pair).is_some_and(|until| until > now);
        self.known.set(pair, now + KNOWN_FOR, PAIRS);
        self.give_back(taken);
        if !was_known {
            self.buckets.remove(&Bucket::Pair(pair.0, pair.1));
        }
    }

    /// The outcome is unknown.
    pub fn give_back(&mut self, taken: Try) {
        for (bucket, rate) in taken.taken {
            if let Some(full_at) = self.buckets.get(&bucket) {
                self.buckets.set(bucket, full_at - rate.refill, BUCKETS);
            }
        }
    }

    /// A stranger named an unknown user, without a password. Scanners name many.
    pub fn unknown_name(&mut self, now: Time, address: IpAddr, name: &str) {
        if self.is_allowed(address) {
            return;
        }
        let source = source(address);
        for forgotten in self.scanning.expire(now) {
            self.names.remove(&forgotten);
        }
        if self.scanning.get(&source).is_none()
            && let Some(evicted) = self.scanning.set(source, now + REMEMBERED, SCANNERS)
        {
            self.names.remove(&evicted);
        }
        let names = self.names.entry(source).or_default();
        names.insert(hash(name));
        if names.len() >= NAMES {
            self.scanning.remove(&source);
            self.names.remove(&source);
            self.ban(now, address, Offence::Scanning);
        }
    }

    /// True if nobody at this address needs to be heard: it is banned, and nobody ever got in from there.
    /// Looks at one or two entries.
    #[must_use]
    pub fn is_silenced(&self, now: Time, address: IpAddr) -> bool {
        // Most of the time there are none.
        if self.bans.is_empty() {
            return false;
        }
        self.ban_of(now, source(address)).is_some() && !self.knows(now, address)
    }

    /// Somebody got in from there, and that is not forgotten yet.
    #[must_use]
    pub fn knows(&self, now: Time, address: IpAddr) -> bool {
        let source = source(address);
        self.known
            .is_any_after(now, (source, User::MIN)..=(source, User::MAX))
    }

    /// Bans in force, by address.
    #[must_use]
    pub fn bans(&self, now: Time) -> Vec<Ban> {
        self.bans
            .values()
            .filter(|ban| ban.until > now)
            .cloned()
            .collect()
    }

    /// A ban that began since the last call.
    pub fn poll_ban(&mut self) -> Option<Ban> {
        self.begun.pop()
    }

    /// Bans an address that another guard has banned. It is not reported here.
    pub fn adopt(&mut self, now: Time, ban: Ban) {
        if ban.until > now && !self.is_spared(ban.address) {
            self.put(now, source(ban.address), ban);
        }
    }

    /// Ends a ban and forgets what led to it; false when there is none.
    pub fn lift(&mut self, now: Time, address: IpAddr) -> bool {
        let source = source(address);
        self.banned.remove(&source);
        self.buckets.remove(&Bucket::Patience(source));
        self.buckets.remove(&Bucket::Source(source));
        self.bans.remove(&source).is_some_and(|ban| ban.until > now)
    }

    fn is_allowed(&self, address: IpAddr) -> bool {
        self.config.allow.iter().any(|network| network.contains(address))
    }

    fn is_spared(&self, address: IpAddr) -> bool {
        self.config.ban.is_zero()
            || self.is_allowed(address)
            || self.config.spare.iter().any(|network| network.contains(address))
    }

    fn ban_of(&self, now: Time, source: Source) -> Option<&Ban> {
        self.bans.get(&source).filter(|ban| ban.until > now)
    }

    /// Time until a bucket allows another attempt; `None`: now.
    fn wait(&self, now: Time, bucket: Bucket, rate: Rate) -> Option<Duration> {
        let missing = self.buckets.get(&bucket)?.since(now);
        let most = rate.refill * (rate.burst - 1);
        missing.checked_sub(most).filter(|wait| !wait.is_zero())
    }

    fn spend(&mut self, now: Time, bucket: Bucket, rate: Rate) {
        self.buckets.expire(now);
        let full_at = self.buckets.get(&bucket).unwrap_or(now).max(now);
        self.buckets.set(bucket, full_at + rate.refill, BUCKETS);
    }

    /// An attempt failed or came too fast.
    fn try_patience(&mut self, now: Time, address: IpAddr, taken: &Try) {
        let pair = (taken.source, taken.user);
        self.failed.expire(now);
        let last = self.failed.get(&pair);
        self.failed.set(pair, now + REMEMBERED, PAIRS);
        if last.is_some_and(|forgotten| now + REMEMBERED >= forgotten + APART) {
            return;
        }
        let patience = Bucket::Patience(taken.source);
        self.spend(now, patience, PATIENCE);
        if self.wait(now, patience, PATIENCE).is_some() {
            self.ban(now, address, Offence::Guessing);
        }
    }

    fn ban(&mut self, now: Time, address: IpAddr, reason: Offence) {
        if self.is_spared(address) {
            return;
        }
        let source = source(address);
        for forgotten in self.banned.expire(now) {
            self.bans.remove(&forgotten);
        }
        let times = self.bans.get(&source).map_or(0, |ban| ban.times) + 1;
        let longer = 1u32.checked_shl(times - 1).unwrap_or(u32::MAX);
        let ban = Ban {
            address: first_of(source, address),
            since: now,
            until: now
                + self
                    .config
                    .ban
                    .saturating_mul(longer)
                    .min(LONGEST.max(self.config.ban)),
            reason,
            times,
        };
        self.buckets.remove(&Bucket::Patience(source));
        self.put(now, source, ban.clone());
        // Bans that nobody collects are bounded as well.
        if self.begun.len() < BANS {
            self.begun.push(ban);
        }
    }

    fn put(&mut self, now: Time, source: Source, ban: Ban) {
        if let Some(evicted) = self.banned.set(source, ban.until.max(now) + REPEATED, BANS) {
            self.bans.remove(&evicted);
        }
        self.bans.insert(source, ban);
    }
}

fn source(address: IpAddr) -> Source {
    match address.to_canonical() {
        IpAddr::V4(v4) => u128::from(v4.to_bits()),
        IpAddr::V6(v6) => v6.to_bits() & !u128::from(u64::MAX),
    }
}

/// The address that stands for a source.
fn first_of(source: Source, address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(v4) => IpAddr::V4(v4),
        IpAddr::V6(_) => IpAddr::V6(source.into()),
    }
}

fn hash(name: &str) -> User {
    let mut hasher = DefaultHasher::new();
    name.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests;
