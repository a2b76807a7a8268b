//! Messages that wait for their user, in the order in which they came.

use std::collections::{BTreeMap, VecDeque};

use sans_io::{Deadline, Time};

use super::content::Content;
use crate::dial::Caller;

/// Octets of all messages that wait.
const MAX_OCTETS: usize = 64 << 20;

/// A message that waits.
#[derive(Clone, Debug)]
pub(super) struct Waiting {
    pub(super) from: Caller,
    pub(super) content: Content,
    pub(super) max_forwards: u8,
    /// Time after which nobody wants it any more.
    pub(super) until: Time,
}

/// Messages that wait, by user.
#[derive(Debug, Default)]
pub(super) struct Kept {
    users: BTreeMap<String, VecDeque<Waiting>>,
    octets: usize,
}

impl Kept {
    /// Keeps a message, after those that wait already; false if there is no room.
    pub(super) fn push(&mut self, user: &str, waiting: Waiting, most: usize) -> bool {
        let octets = waiting.content.len();
        let number = self.users.get(user).map_or(0, VecDeque::len);
        if number >= most || self.octets + octets > MAX_OCTETS {
            return false;
        }
        self.octets += octets;
        self.users.entry(user.to_owned()).or_default().push_back(waiting);
        true
    }

    /// The message that a user gets first.
    pub(super) fn first(&self, user: &str) -> Option<&Waiting> {
        self.users.get(user)?.front()
    }

    /// Forgets the message that a user gets first.
    pub(super) fn pop(&mut self, user: &str) {
        let Some(queue) = self.users.get_mut(user) else {
            return;
        };
        if let Some(waiting) = queue.pop_front() {
            self.octets -= waiting.content.len();
        }
        if queue.is_empty() {
            self.users.remove(user);
        }
    }

    /// Forgets what nobody wants any more, but for the first message of a user who is `busy` with it. Gives the number.
    pub(super) fn expire(&mut self, now: Time, busy: impl Fn(&str) -> bool) -> u64 {
        let mut expired = 0;
        let octets = &mut self.octets;
        self.users.retain(|user, queue| {
            let mut spared = usize::from(busy(user));
            queue.retain(|waiting| {
                let is_spared = spared > 0;
                spared = spared.saturating_sub(1);
                let stays = is_spared || waiting.until > now;
                if !stays {
                    expired += 1;
                    *octets -= waiting.content.len();
                }
                stays
            });
            !queue.is_empty()
        });
        expired
    }

    /// Forgets what waits for users that are not `known`. Gives the number.
    pub(super) fn forget(&mut self, known: impl Fn(&str) -> bool) -> u64 {
        let gone: Vec<String> = self.users.keys().filter(|user| !known(user)).cloned().collect();
        let mut forgotten = 0;
        for user in gone {
            for waiting in self.users.remove(&user).into_iter().flatten() {
                forgotten += 1;
                self.octets -= waiting.content.len();
            }
        }
        forgotten
    }

    /// Time at which the next message expires.
    pub(super) fn deadline(&self) -> Deadline {
        let all = self.users.values().flatten();
        let next = all.map(|waiting| waiting.until).min()?;
        Some((next, "messages that waited for too long"))
    }

    pub(super) fn len(&self) -> usize {
        self.users.values().map(VecDeque::len).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sans_io::Rng;
    use sip_core::endpoint::Body;

    fn waiting(until: u64, octets: usize) -> Waiting {
        Waiting {
            from: Caller::default(),
            content: Content {
                headers: Vec::new(),
                body: Some(Body {
                    content_type: String::new(),
                    data: vec![b'x'; octets].into(),
                }),
            },
            max_forwards: 70,
            until: Time::from_secs(until),
        }
    }

    #[test]
    fn they_leave_in_the_order_in_which_they_came_and_there_is_an_end_to_them() {
        let mut kept = Kept::default();
        for until in [10, 30, 20] {
            assert!(kept.push("a", waiting(until, 5), 3));
        }
        assert!(!kept.push("a", waiting(40, 5), 3), "enough of this user");
        assert!(!kept.push("b", waiting(40, MAX_OCTETS), 3), "enough of all");
        assert_eq!(kept.deadline().map(|(at, _)| at), Some(Time::from_secs(10)));
        assert_eq!(kept.expire(Time::from_secs(20), |_| true), 1, "not the first");
        assert_eq!(kept.expire(Time::from_secs(20), |_| false), 1);
        assert_eq!(kept.first("a").map(|w| w.until), Some(Time::from_secs(30)));
        kept.pop("a");
        assert!(kept.first("a").is_none() && kept.octets == 0);
    }

    /// Whatever comes and goes, the octets are those of the messages that are there.
    #[test]
    fn octets_are_counted_right() {
        for seed in 0..200 {
            let mut rng = Rng::seeded(seed);
            let mut kept = Kept::default();
            for step in 0..200 {
                let user = ["a", "b", "c"][rng.below(3) as usize];
                match rng.below(5) {
                    0 => kept.pop(user),
                    1 => drop(kept.expire(Time::from_secs(step), |busy| busy == user)),
                    2 => drop(kept.forget(|known| known != user || step % 3 > 0)),
                    _ => {
                        let octets = rng.below(1_000) as usize;
                        kept.push(user, waiting(step + rng.below(50), octets), 20);
                    }
                }
                let all = kept.users.values().flatten();
                assert_eq!(all.map(|w| w.content.len()).sum::<usize>(), kept.octets);
                assert!(kept.users.values().all(|queue| (1..=20).contains(&queue.len())));
            }
        }
    }
}
