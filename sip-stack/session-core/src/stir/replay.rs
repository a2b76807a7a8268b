//! Signatures that were accepted a short while ago: each is for one call (RFC 8224 §12.1).

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use ring::digest::{SHA256, digest};
use sans_io::Time;

/// Time after which no signature is fresh any more, whichever way the clocks differ.
const REMEMBERED: Duration = Duration::from_secs(121);
/// Most signatures that are remembered: 120 s of 500 calls a second.
const MOST: usize = 65_536;

type Digest = [u8; 32];

/// Signed texts and the calls that they came with. The text counts rather than the signature, because whoever has a signature of ECDSA
/// can make another one of the same text.
#[derive(Debug, Default)]
pub(crate) struct Replays {
    seen: BTreeMap<Digest, Digest>,
    /// The same texts, oldest first, with the time at which they are forgotten.
    order: VecDeque<(Time, Digest)>,
}

impl Replays {
    /// Notes that a text came with that call. False if it came with another one before.
    pub(crate) fn admit(&mut self, now: Time, signed: &str, call_id: &str) -> bool {
        while self.order.len() >= MOST || self.order.front().is_some_and(|(until, _)| *until <= now) {
            if let Some((_, text)) = self.order.pop_front() {
                self.seen.remove(&text);
            }
        }
        let (text, call) = (of(signed), of(call_id));
        match self.seen.get(&text) {
            Some(known) => *known == call,
            None => {
                self.seen.insert(text, call);
                self.order.push_back((now + REMEMBERED, text));
                true
            }
        }
    }
}

fn of(text: &str) -> Digest {
    let mut out = Digest::default();
    out.copy_from_slice(digest(&SHA256, text.as_bytes()).as_ref());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_for_one_call_as_long_as_it_could_be_fresh() {
        let mut replays = Replays::default();
        let at = Time::from_secs;
        assert!(replays.admit(at(1_000), "a.b", "1"));
        assert!(
            replays.admit(at(1_001), "a.b", "1"),
            "the same call on another way"
        );
        assert!(!replays.admit(at(1_120), "a.b", "2"));
        assert!(replays.admit(at(1_121), "a.b", "2"), "forgotten");
    }

    #[test]
    fn memory_is_bounded() {
        let mut replays = Replays::default();
        for n in 0..MOST + 100 {
            assert!(replays.admit(Time::from_secs(1), &n.to_string(), "1"));
        }
        assert_eq!((replays.seen.len(), replays.order.len()), (MOST, MOST));
        assert!(!replays.admit(Time::from_secs(1), &MOST.to_string(), "2"));
    }
}
