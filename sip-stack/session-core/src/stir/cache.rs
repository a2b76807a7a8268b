//! Certificates by their addresses, and those that could not be fetched.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use sans_io::Time;

use super::certificate::Chain;
use super::{CertificateUrl, Hindrance};

/// Answer to a request for a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    /// The body.
    pub data: Bytes,
    /// Time that it may be used for (`Cache-Control: max-age`, RFC 9111 §5.2.2.1), if the answer says so.
    pub fresh_for: Option<Duration>,
}

/// Reason for which a certificate was not fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FetchError {
    /// The address is one that we do not go to.
    Forbidden,
    /// The name does not resolve, nobody answers, or the answer is not 200.
    Failed,
    /// The answer is too long.
    TooLarge,
    /// The answer took too long.
    Slow,
}

/// Most certificates that are kept.
const MOST: usize = 1_024;
/// Most certificates that are fetched at a time.
const AT_ONCE: usize = 32;
/// Time that a certificate is kept if the answer names none; at least; at most.
const USUAL: Duration = Duration::from_secs(3_600);
const SHORTEST: Duration = Duration::from_secs(60);
const LONGEST: Duration = Duration::from_secs(86_400);
/// Time for which an address that failed is not asked again.
const FAILED: Duration = Duration::from_secs(30);

/// Certificates by their addresses.
#[derive(Debug, Default)]
pub(crate) struct Certificates {
    slots: BTreeMap<CertificateUrl, Slot>,
}

#[derive(Debug)]
enum Slot {
    Fetching,
    Known(Arc<Chain>, Time),
    Failed(Hindrance, Time),
}

/// State of a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Held {
    /// Here.
    Known(Arc<Chain>),
    /// Not to be had.
    Failed(Hindrance),
    /// On its way.
    Fetching,
    /// To be fetched now.
    Missing,
}

impl Certificates {
    /// State of the certificate at an address. One that is missing counts as being fetched from now on.
    pub(crate) fn want(&mut self, now: Time, url: &CertificateUrl) -> Held {
        let held = self.held(now, url);
        if held != Held::Missing {
            return held;
        }
        let fetching = self.slots.values().filter(|slot| matches!(slot, Slot::Fetching));
        if fetching.count() >= AT_ONCE {
            return Held::Failed(Hindrance::Busy);
        }
        self.make_room(now);
        self.slots.insert(url.clone(), Slot::Fetching);
        Held::Missing
    }

    /// State of the certificate at an address.
    pub(crate) fn held(&self, now: Time, url: &CertificateUrl) -> Held {
        match self.slots.get(url) {
            Some(Slot::Known(chain, until)) if now < *until => Held::Known(Arc::clone(chain)),
            Some(Slot::Failed(why, until)) if now < *until => Held::Failed(*why),
            Some(Slot::Fetching) => Held::Fetching,
            Some(_) | None => Held::Missing,
        }
    }

    /// Takes the answer for an address that was wanted.
    pub(crate) fn fetched(&mut self, now: Time, url: &CertificateUrl, answer: Result<Fetched, FetchError>) {
        let Some(slot) = self.slots.get_mut(url) else {
            return;
        };
        *slot = match answer {
            Ok(Fetched { data, fresh_for }) => match Chain::parse(&data) {
                Some(chain) => {
                    let fresh = fresh_for.unwrap_or(USUAL).clamp(SHORTEST, LONGEST);
                    Slot::Known(Arc::new(chain), now + fresh)
                }
                None => Slot::Failed(Hindrance::NotCertificate, now + FAILED),
            },
            Err(FetchError::Slow) => Slot::Failed(Hindrance::Slow, now + FAILED),
            Err(_) => Slot::Failed(Hindrance::Unreachable, now + FAILED),
        };
    }

    /// Forgets what is out of date, or else what would be first.
    fn make_room(&mut self, now: Time) {
        if self.slots.len() < MOST {
            return;
        }
        self.slots
            .retain(|_, slot| slot.until().is_none_or(|until| now < until));
        while self.slots.len() >= MOST {
            let soonest = self
                .slots
                .iter()
                .filter_map(|(url, slot)| Some((slot.until()?, url)));
            let Some(url) = soonest.min().map(|(_, url)| url.clone()) else {
                return;
            };
            self.slots.remove(&url);
        }
    }
}

impl Slot {
    fn until(&self) -> Option<Time> {
        match self {
            Slot::Fetching => None,
            Slot::Known(_, until) | Slot::Failed(_, until) => Some(*until),
        }
    }
}
