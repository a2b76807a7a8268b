//! Caps on calls to trunks, against toll fraud: how many at a time, how many in a time, how long they may talk in a time, and for how
//! long each may.

use std::borrow::Cow;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use media_core::control::LegId;
use sans_io::Time;

use crate::event::Source;
use crate::trunk::CallRate;

/// Parts of a span of time in which talk is counted: what was said longer ago is forgotten part by part.
const PARTS: u32 = 60;

/// Cap on the calls to some numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cap {
    /// Its name, for people.
    pub name: String,
    /// Beginnings of the numbers that it is about; none: of all numbers.
    pub prefixes: Vec<String>,
    /// Beginnings of numbers that it is not about.
    pub except: Vec<String>,
    /// Those whose calls are counted together.
    pub per: CapPer,
    /// Calls at a time.
    pub calls: Option<usize>,
    /// New calls in a time.
    pub rate: Option<CallRate>,
    /// Talk in a time.
    pub talk: Option<Talk>,
    /// Longest time that a call may talk; then it ends.
    pub longest: Option<Duration>,
}

/// Talk that a cap allows: so long in any span of that length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Talk {
    /// Sum of the times of all calls, from answer to end.
    pub most: Duration,
    /// Length of the span.
    pub within: Duration,
}

/// Calls that a cap counts together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CapPer {
    /// Those on the account of one user or trunk: of whoever called, transferred or forwarded.
    #[default]
    Caller,
    /// Those to one trunk.
    Trunk,
    /// All.
    All,
}

/// A call that wants to go to a trunk.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outbound<'a> {
    /// Number, in E.164 where it is known.
    pub(crate) number: &'a str,
    /// On whose account; `None`: the gateway's own.
    pub(crate) on_account_of: Option<&'a Source>,
    pub(crate) trunk: &'a str,
}

/// Those who are counted together: the cap by its name, and the account.
type Key = (String, Cow<'static, str>);

/// Counts of one account under one cap.
#[derive(Debug, Default)]
struct Account {
    /// Calls, and when they were answered.
    live: BTreeMap<LegId, Option<Time>>,
    /// Times of the last calls, as many as may come in one span.
    began: VecDeque<Time>,
    /// Talk of calls that are over, by the part of the span in which they ended.
    talked: VecDeque<(u64, Duration)>,
}

/// Caps, and what is counted for them.
#[derive(Debug, Default)]
pub(crate) struct Caps {
    caps: Vec<Cap>,
    accounts: BTreeMap<Key, Account>,
    /// Accounts that each live call counts for, with the longest time that it may talk.
    live: BTreeMap<LegId, (Vec<Key>, Option<Duration>)>,
    /// Calls refused since the start.
    refused: u64,
}

impl Cap {
    fn is_about(&self, number: &str) -> bool {
        let begins = |prefixes: &[String]| prefixes.iter().any(|prefix| number.starts_with(prefix.as_str()));
        (self.prefixes.is_empty() || begins(&self.prefixes)) && !begins(&self.except)
    }

    fn key(&self, call: &Outbound<'_>) -> Key {
        let account = match (self.per, call.on_account_of) {
            (CapPer::All, _) | (CapPer::Caller, None | Some(Source::Anyone)) => Cow::Borrowed(""),
            (CapPer::Trunk, _) => Cow::Owned(call.trunk.to_owned()),
            (CapPer::Caller, Some(Source::User(name))) => Cow::Owned(format!("user {name}")),
            (CapPer::Caller, Some(Source::Trunk(name))) => Cow::Owned(format!("trunk {name}")),
        };
        (self.name.clone(), account)
    }

    /// True if an account has used up what this cap allows. A call that goes on elsewhere (`again`) is one of the new ones already.
    fn is_reached(&self, account: &Account, now: Time, again: bool) -> bool {
        self.calls.is_some_and(|most| account.live.len() >= most)
            || (!again && self.rate.is_some_and(|rate| account.is_beyond(rate, now)))
            || self.talk.is_some_and(|talk| account.talk(talk, now) >= talk.most)
    }
}

impl Account {
    /// True if another call would be one too many in a span.
    fn is_beyond(&self, rate: CallRate, now: Time) -> bool {
        let in_span = self.began.iter().filter(|began| **began + rate.within > now);
        in_span.count() >= rate.calls as usize
    }

    /// Talk in the span that ends now; of calls that go on, what they have talked so far.
    fn talk(&self, talk: Talk, now: Time) -> Duration {
        let oldest = part(now, talk).saturating_sub(u64::from(PARTS));
        let over = self
            .talked
            .iter()
            .filter(|(at, _)| *at > oldest)
            .map(|(_, talked)| *talked);
        let live = self
            .live
            .values()
            .flatten()
            .map(|answered| now.since(*answered).min(talk.within));
        over.chain(live).sum()
    }

    /// A call is over.
    fn end(&mut self, cap: &Cap, leg: LegId, now: Time) {
        let (Some(Some(answered)), Some(talk)) = (self.live.remove(&leg), cap.talk) else {
            return;
        };
        let (at, talked) = (part(now, talk), now.since(answered));
        match self.talked.back_mut() {
            Some((last, sum)) if *last == at => *sum += talked,
            _ => self.talked.push_back((at, talked)),
        }
        let oldest = at.saturating_sub(u64::from(PARTS));
        while self.talked.pop_front_if(|(at, _)| *at <= oldest).is_some() {}
    }

    /// True if nothing is counted any more.
    fn is_empty(&self, cap: &Cap, now: Time) -> bool {
        self.live.is_empty()
            && cap
                .rate
                .is_none_or(|rate| self.began.iter().all(|began| *began + rate.within <= now))
            && cap.talk.is_none_or(|talk| self.talk(talk, now).is_zero())
    }
}

/// Number of the part of a span that a moment is in.
fn part(now: Time, talk: Talk) -> u64 {
    let length = talk.within.as_micros().div_ceil(u128::from(PARTS)).max(1);
    u64::try_from(u128::from(now.as_micros()) / length).unwrap_or(u64::MAX)
}

impl Caps {
    /// Other caps from now on. What was counted for a cap of the same name counts on.
    pub(crate) fn set(&mut self, caps: Vec<Cap>) {
        self.accounts
            .retain(|(name, _), _| caps.iter().any(|cap| cap.name == *name));
        self.caps = caps;
    }

    /// True if a call may go to a trunk. With that it is counted as one that began; one that goes on elsewhere (`again`) was counted.
    ///
    /// # Errors
    /// The cap that is reached.
    pub(crate) fn admits(&mut self, now: Time, call: &Outbound<'_>, again: bool) -> Result<(), String> {
        let about = |cap: &&Cap| cap.is_about(call.number);
        for cap in self.caps.iter().filter(about) {
            let account = self.accounts.get(&cap.key(call));
            if account.is_some_and(|account| cap.is_reached(account, now, again)) {
                self.refused += 1;
                return Err(cap.name.clone());
            }
        }
        if again {
            return Ok(());
        }
        for cap in self.caps.iter().filter(about) {
            let Some(rate) = cap.rate else { continue };
            let account = self.accounts.entry(cap.key(call)).or_default();
            account.began.push_back(now);
            while account.began.len() > rate.calls as usize {
                account.began.pop_front();
            }
        }
        Ok(())
    }

    /// A call that was admitted goes out.
    pub(crate) fn begin(&mut self, leg: LegId, call: &Outbound<'_>) {
        let mut keys = Vec::new();
        let mut longest: Option<Duration> = None;
        for cap in self.caps.iter().filter(|cap| cap.is_about(call.number)) {
            let key = cap.key(call);
            self.accounts
                .entry(key.clone())
                .or_default()
                .live
                .insert(leg, None);
            keys.push(key);
            longest = match (longest, cap.longest) {
                (Some(a), Some(b)) => Some(a.min(b)),
                (a, b) => a.or(b),
            };
        }
        if !keys.is_empty() {
            self.live.insert(leg, (keys, longest));
        }
    }

    /// A call is answered: the longest time that it may talk from now on.
    pub(crate) fn answered(&mut self, leg: LegId, now: Time) -> Option<Duration> {
        let (keys, longest) = self.live.get(&leg)?;
        for key in keys {
            if let Some(account) = self.accounts.get_mut(key) {
                account.live.insert(leg, Some(now));
            }
        }
        *longest
    }

    /// A call is over, or never went out.
    pub(crate) fn end(&mut self, leg: LegId, now: Time) {
        let Some((keys, _)) = self.live.remove(&leg) else {
            return;
        };
        for key in keys {
            let cap = self.caps.iter().find(|cap| cap.name == key.0);
            let (Some(cap), Some(account)) = (cap, self.accounts.get_mut(&key)) else {
                continue;
            };
            account.end(cap, leg, now);
            if account.is_empty(cap, now) {
                self.accounts.remove(&key);
            }
        }
    }

    /// Calls refused since the start.
    pub(crate) fn refused(&self) -> u64 {
        self.refused
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3_600);
    const MINUTE: Duration = Duration::from_secs(60);

    fn cap(name: &str) -> Cap {
        Cap {
            name: name.to_owned(),
            prefixes: Vec::new(),
            except: Vec::new(),
            per: CapPer::Caller,
            calls: None,
            rate: None,
            talk: None,
            longest: None,
        }
    }

    fn by<'a>(source: &'a Source, number: &'a str) -> Outbound<'a> {
        Outbound {
            number,
            on_account_of: Some(source),
            trunk: "carrier",
        }
    }

    fn user(name: &str) -> Source {
        Source::User(name.to_owned())
    }

    fn caps(caps: Vec<Cap>) -> Caps {
        let mut made = Caps::default();
        made.set(caps);
        made
    }

    fn at(seconds: u64) -> Time {
        Time::from_secs(1_800_000_000 + seconds)
    }

    #[test]
    fn each_caller_has_so_many_calls_at_a_time() {
        let mut caps = caps(vec![Cap {
            calls: Some(2),
            prefixes: vec!["+".into()],
            except: vec!["+49".into()],
            ..cap("abroad")
        }]);
        let (anna, ben) = (user("anna"), user("ben"));
        for leg in [1, 2] {
            assert_eq!(caps.admits(at(0), &by(&anna, "+12125550123"), false), Ok(()));
            caps.begin(LegId(leg), &by(&anna, "+12125550123"));
        }
        assert_eq!(
            caps.admits(at(1), &by(&anna, "+33123456789"), false),
            Err("abroad".to_owned())
        );
        assert_eq!(
            caps.admits(at(1), &by(&anna, "+493012345"), false),
            Ok(()),
            "at home"
        );
        assert_eq!(
            caps.admits(at(1), &by(&ben, "+12125550123"), false),
            Ok(()),
            "another caller"
        );
        caps.end(LegId(1), at(2));
        assert_eq!(caps.admits(at(2), &by(&anna, "+33123456789"), false), Ok(()));
        assert_eq!(caps.refused(), 1);
    }

    #[test]
    fn in_no_hour_are_there_more_calls_than_it_says() {
        let rate = CallRate {
            calls: 3,
            within: HOUR,
        };
        let mut caps = caps(vec![Cap {
            rate: Some(rate),
            ..cap("slow")
        }]);
        let anna = user("anna");
        let mut admitted: Vec<u64> = Vec::new();
        for minute in 0..600 {
            if caps.admits(at(minute * 60), &by(&anna, "+1"), false).is_ok() {
                admitted.push(minute);
            }
        }
        assert_eq!(admitted.len(), 30);
        assert!(admitted.windows(4).all(|four| four[3] - four[0] >= 60));
        assert!(caps.admits(at(35_999), &by(&anna, "+1"), false).is_err());
        let elsewhere = caps.admits(at(35_999), &by(&anna, "+1"), true);
        assert_eq!(elsewhere, Ok(()), "one that goes on is not another one");
    }

    #[test]
    fn talk_is_counted_while_it_goes_on_and_forgotten_after_the_span() {
        let talk = Talk {
            most: 10 * MINUTE,
            within: HOUR,
        };
        let mut caps = caps(vec![Cap {
            talk: Some(talk),
            longest: Some(30 * MINUTE),
            ..cap("talk")
        }]);
        let anna = user("anna");
        let call = by(&anna, "+1");
        caps.begin(LegId(1), &call);
        assert_eq!(caps.admits(at(600), &call, false), Ok(()), "not answered yet");
        assert_eq!(caps.answered(LegId(1), at(600)), Some(30 * MINUTE));
        assert_eq!(caps.admits(at(600 + 599), &call, false), Ok(()));
        assert!(
            caps.admits(at(600 + 600), &call, false).is_err(),
            "while it goes on"
        );
        caps.end(LegId(1), at(1_300));
        assert!(caps.admits(at(1_400), &call, false).is_err(), "after it");
        assert!(caps.admits(at(1_300 + 3_500), &call, false).is_err());
        assert_eq!(
            caps.admits(at(1_300 + 3_661), &call, false),
            Ok(()),
            "an hour later"
        );
    }

    #[test]
    fn accounts_that_count_nothing_are_forgotten() {
        let mut caps = caps(vec![Cap {
            calls: Some(1),
            ..cap("one")
        }]);
        for n in 0..1_000 {
            let caller = user(&n.to_string());
            assert_eq!(caps.admits(at(n), &by(&caller, "+1"), false), Ok(()));
            caps.begin(LegId(n), &by(&caller, "+1"));
            caps.answered(LegId(n), at(n));
            caps.end(LegId(n), at(n + 1));
        }
        assert!(caps.accounts.is_empty() && caps.live.is_empty());
    }

    #[test]
    fn other_caps_go_on_with_what_was_counted() {
        let first = Cap {
            calls: Some(1),
            per: CapPer::Trunk,
            ..cap("one")
        };
        let mut caps = caps(vec![first.clone()]);
        let (anna, ben) = (user("anna"), user("ben"));
        caps.begin(LegId(1), &by(&anna, "+1"));
        caps.set(vec![cap("other"), first]);
        assert!(caps.admits(at(0), &by(&ben, "+1"), false).is_err(), "the trunk's");
        caps.set(vec![cap("other")]);
        assert_eq!(caps.admits(at(0), &by(&ben, "+1"), false), Ok(()));
        caps.end(LegId(1), at(1));
        assert!(caps.live.is_empty());
    }
}
