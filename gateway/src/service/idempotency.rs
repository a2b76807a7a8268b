//! Idempotency: a request that is sent again under the same key is answered as it was at first and does nothing more.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sans_io::Time;

/// Time that answers are kept.
const KEPT: Duration = Duration::from_secs(24 * 3600);
/// Answers that are kept; beyond, the oldest is forgotten.
const MAX_KEPT: usize = 10_000;

/// Name of a request: owner of the key, and the key.
pub type Name = (String, String);

/// Requests that came with a key, and the answers to them.
#[derive(Debug)]
pub struct Requests<A> {
    inner: Mutex<Inner<A>>,
}

#[derive(Debug)]
struct Inner<A> {
    known: BTreeMap<Name, Known<A>>,
    /// In the order in which they came.
    order: VecDeque<(Time, Name)>,
}

#[derive(Debug)]
struct Known<A> {
    /// Hash of what is asked for.
    request: [u8; 32],
    progress: Progress<A>,
}

#[derive(Debug)]
enum Progress<A> {
    UnderWay,
    Answered(A),
}

/// A request that was let in.
#[derive(Debug)]
pub enum Begun<A> {
    /// Came for the first time.
    New(Work<A>),
    /// Was answered before.
    Again(A),
}

/// Why a request was not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyInUse {
    /// The key was used for another request.
    Mismatch,
    /// The same request is under way.
    InProgress,
}

/// Work on a request that came for the first time. It ends when this is dropped, even by a panic; without an answer, the request can be
/// sent again.
#[derive(Debug)]
pub struct Work<A> {
    requests: Arc<Requests<A>>,
    name: Name,
    answer: Option<A>,
}

impl<A> Work<A> {
    /// Ends the work with an answer that is given again from now on; `None`: the request can be sent again.
    pub fn end(mut self, answer: Option<A>) {
        self.answer = answer;
    }
}

impl<A> Drop for Work<A> {
    fn drop(&mut self) {
        self.requests.end(&self.name, self.answer.take());
    }
}

impl<A> Default for Requests<A> {
    fn default() -> Requests<A> {
        Requests {
            inner: Mutex::new(Inner {
                known: BTreeMap::new(),
                order: VecDeque::new(),
            }),
        }
    }
}

impl<A: Clone> Requests<A> {
    /// Lets a request in. `request` is a hash of what is asked for.
    ///
    /// # Errors
    /// [`KeyInUse`].
    pub fn begin(
        self: &Arc<Requests<A>>,
        now: Time,
        name: Name,
        request: [u8; 32],
    ) -> Result<Begun<A>, KeyInUse> {
        let mut inner = self.lock();
        inner.forget(now);
        match inner.known.get(&name) {
            Some(known) if known.request != request => return Err(KeyInUse::Mismatch),
            Some(Known {
                progress: Progress::UnderWay,
                ..
            }) => return Err(KeyInUse::InProgress),
            Some(Known {
                progress: Progress::Answered(answer),
                ..
            }) => return Ok(Begun::Again(answer.clone())),
            None => {}
        }
        let known = Known {
            request,
            progress: Progress::UnderWay,
        };
        inner.known.insert(name.clone(), known);
        inner.order.push_back((now, name.clone()));
        Ok(Begun::New(Work {
            requests: Arc::clone(self),
            name,
            answer: None,
        }))
    }
}

impl<A> Requests<A> {
    fn end(&self, name: &Name, answer: Option<A>) {
        let mut inner = self.lock();
        match answer {
            Some(answer) => {
                if let Some(known) = inner.known.get_mut(name) {
                    known.progress = Progress::Answered(answer);
                }
            }
            None => {
                inner.known.remove(name);
                inner.order.retain(|(_, known)| known != name);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner<A>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<A> Inner<A> {
    fn forget(&mut self, now: Time) {
        while let Some((since, _)) = self.order.front() {
            if self.order.len() < MAX_KEPT && now.since(*since) < KEPT {
                return;
            }
            if let Some((_, name)) = self.order.pop_front() {
                self.known.remove(&name);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Time = Time::from_secs(1_000);

    fn begin(requests: &Arc<Requests<u8>>, now: Time, key: &str, print: u8) -> Result<Begun<u8>, KeyInUse> {
        requests.begin(now, ("usr_1".into(), key.into()), [print; 32])
    }

    fn work(begun: Result<Begun<u8>, KeyInUse>) -> Work<u8> {
        match begun {
            Ok(Begun::New(work)) => work,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_key_is_one_request_for_a_day() {
        let requests = Arc::default();
        let first = work(begin(&requests, NOW, "a", 1));
        assert_eq!(begin(&requests, NOW, "a", 1).err(), Some(KeyInUse::InProgress));
        first.end(Some(7));
        assert!(matches!(begin(&requests, NOW, "a", 1), Ok(Begun::Again(7))));
        assert_eq!(begin(&requests, NOW, "a", 2).err(), Some(KeyInUse::Mismatch));
        drop(work(begin(&requests, NOW + KEPT, "a", 2)));
    }

    #[test]
    fn what_failed_can_be_sent_again() {
        let requests = Arc::default();
        drop(work(begin(&requests, NOW, "a", 1)));
        work(begin(&requests, NOW, "a", 1)).end(None);
        drop(work(begin(&requests, NOW, "a", 1)));
    }

    #[test]
    fn memory_is_bounded() {
        let requests = Arc::default();
        let all: Vec<Work<u8>> = (0..MAX_KEPT + 10)
            .map(|n| work(begin(&requests, NOW, &n.to_string(), 1)))
            .collect();
        let inner = requests.lock();
        assert_eq!((inner.known.len(), inner.order.len()), (MAX_KEPT, MAX_KEPT));
        drop(inner);
        drop(all);
    }
}
