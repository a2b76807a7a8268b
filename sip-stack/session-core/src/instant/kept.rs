//! Messages that wait for their user, in the order in which they came.

use std::collections::{BTreeMap, VecDeque};

use sans_io::{Deadline, Time};
use sip_core::message::StatusCode;

use super::MessageId;
use super::content::Content;
use super::delivery::Sender;
use super::saved::Saving;
use crate::context::Context;
use crate::dial::Caller;
use crate::event::Event;

/// Octets of all messages that wait.
const MAX_OCTETS: usize = 64 << 20;

/// A message that waits.
#[derive(Clone, Debug)]
pub(super) struct Waiting {
    pub(super) id: MessageId,
    pub(super) from: Caller,
    pub(super) content: Content,
    pub(super) max_forwards: u8,
    /// Time after which nobody wants it any more.
    pub(super) until: Time,
    /// Its sender, until told that it waits.
    pub(super) sender: Sender,
    pub(super) saving: Saving,
}

/// Messages that wait, by user.
#[derive(Debug, Default)]
pub(super) struct Kept {
    users: BTreeMap<String, VecDeque<Waiting>>,
    octets: usize,
    /// Those that are over, and were not ended yet.
    over: Vec<Waiting>,
}

impl Waiting {
    /// Ends its wait: its saved form is needed no longer, and a sender who was told nothing yet is told this.
    pub(super) fn end(self, cx: &mut Context, now: Time, code: StatusCode) {
        if self.saving != Saving::Not {
            cx.event(Event::MessageOver { message: self.id });
        }
        self.sender.tell(cx, now, self.id, code);
    }
}

impl Kept {
    /// Keeps a message, after those that wait already; gives it back if there is no room.
    #[must_use]
    pub(super) fn push(&mut self, user: &str, waiting: Waiting, most: usize) -> Option<Waiting> {
        let octets = waiting.content.len();
        let number = self.users.get(user).map_or(0, VecDeque::len);
        if number >= most || self.octets + octets > MAX_OCTETS {
            return Some(waiting);
        }
        self.octets += octets;
        self.users.entry(user.to_owned()).or_default().push_back(waiting);
        None
    }

    /// The message that a user gets first.
    pub(super) fn first(&self, user: &str) -> Option<&Waiting> {
        self.users.get(user)?.front()
    }

    /// A message that waits for a user.
    pub(super) fn find(&mut self, user: &str, id: MessageId) -> Option<&mut Waiting> {
        let queue = self.users.get_mut(user)?;
        queue.iter_mut().find(|waiting| waiting.id == id)
    }

    /// Takes a message out.
    pub(super) fn remove(&mut self, user: &str, id: MessageId) -> Option<Waiting> {
        let queue = self.users.get_mut(user)?;
        let index = queue.iter().position(|waiting| waiting.id == id)?;
        let waiting = queue.remove(index)?;
        self.octets -= waiting.content.len();
        if queue.is_empty() {
            self.users.remove(user);
        }
        Some(waiting)
    }

    /// Messages that expired or were forgotten since the last time.
    pub(super) fn take_over(&mut self) -> Vec<Waiting> {
        std::mem::take(&mut self.over)
    }

    /// Forgets what nobody wants any more, but for the first message of a user who is `busy` with it. Gives the number.
    pub(super) fn expire(&mut self, now: Time, busy: impl Fn(&str) -> bool) -> u64 {
        let before = self.over.len();
        for (user, queue) in &mut self.users {
            let first = usize::from(busy(user)).min(queue.len());
            let rest = queue.split_off(first);
            let (over, stays): (Vec<Waiting>, Vec<Waiting>) =
                rest.into_iter().partition(|waiting| waiting.until <= now);
            queue.extend(stays);
            self.octets -= over.iter().map(|waiting| waiting.content.len()).sum::<usize>();
            self.over.extend(over);
        }
        self.users.retain(|_, queue| !queue.is_empty());
        (self.over.len() - before) as u64
    }

    /// Forgets what waits for users that are not `known`. Gives the number.
    pub(super) fn forget(&mut self, known: impl Fn(&str) -> bool) -> u64 {
        let gone: Vec<String> = self.users.keys().filter(|user| !known(user)).cloned().collect();
        let mut forgotten = 0;
        for user in gone {
            for waiting in self.users.remove(&user).into_iter().flatten() {
                forgotten += 1;
                self.octets -= waiting.content.len();
                self.over.push(waiting);
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
            id: MessageId(until),
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
            sender: Sender::Answered,
            saving: Saving::Not,
        }
    }

    #[test]
    fn they_leave_in_the_order_in_which_they_came_and_there_is_an_end_to_them() {
        let mut kept = Kept::default();
        for until in [10, 30, 20] {
            assert!(kept.push("a", waiting(until, 5), 3).is_none());
        }
        assert!(kept.push("a", waiting(40, 5), 3).is_some(), "enough of this user");
        assert!(
            kept.push("b", waiting(40, MAX_OCTETS), 3).is_some(),
            "enough of all"
        );
        assert_eq!(kept.deadline().map(|(at, _)| at), Some(Time::from_secs(10)));
        assert_eq!(kept.expire(Time::from_secs(20), |_| true), 1, "not the first");
        assert_eq!(kept.expire(Time::from_secs(20), |_| false), 1);
        assert_eq!(kept.first("a").map(|w| w.until), Some(Time::from_secs(30)));
        let over: Vec<u64> = kept.take_over().iter().map(|waiting| waiting.id.0).collect();
        assert_eq!(over, [20, 10], "each is reported");
        assert!(kept.remove("a", MessageId(30)).is_some());
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
                    0 => {
                        if let Some(id) = kept.first(user).map(|first| first.id) {
                            kept.remove(user, id).expect("it is there");
                        }
                    }
                    1 => drop(kept.expire(Time::from_secs(step), |busy| busy == user)),
                    2 => drop(kept.forget(|known| known != user || step % 3 > 0)),
                    _ => {
                        let octets = rng.below(1_000) as usize;
                        drop(kept.push(user, waiting(step + rng.below(50), octets), 20));
                    }
                }
                let all = kept.users.values().flatten();
                assert_eq!(all.map(|w| w.content.len()).sum::<usize>(), kept.octets);
                assert!(kept.users.values().all(|queue| (1..=20).contains(&queue.len())));
            }
        }
    }
}
