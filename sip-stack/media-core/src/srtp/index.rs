//! Packets seen so far: the rollover counter that RTP does not carry, and the replay window.

/// Distance that a packet may be behind the newest one: 2.5 s of audio (RFC 3711 §3.3.2 asks for 64 packets).
const WINDOW: u64 = 128;

/// The indices of one stream that were used. Sender and receiver keep the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Indices {
    /// The highest one, once there is one.
    highest: Option<u64>,
    /// Bit n: `highest - n` was used.
    used: u128,
}

impl Indices {
    /// The 48-bit index of a sequence number (RFC 3711 §3.3.1); `None` after the last one. Before the first
    /// rollover a number far ahead is taken literally, as libsrtp does: there is nothing it could be behind.
    pub(super) fn guess(&self, sequence: u16) -> Option<u64> {
        let Some(highest) = self.highest else {
            return Some(u64::from(sequence));
        };
        let near = highest as u16;
        // The distance is in -32,768..=32,767: the index nearest to the highest one.
        let ahead = i64::from(sequence.wrapping_sub(near) as i16);
        let index = highest.checked_add_signed(ahead).unwrap_or(u64::from(sequence));
        (index >> 48 == 0).then_some(index)
    }

    /// True if a packet is new and not too old.
    pub(super) fn is_fresh(&self, index: u64) -> bool {
        let Some(highest) = self.highest else { return true };
        match highest.checked_sub(index) {
            Some(behind) => behind < WINDOW && self.used & (1 << behind) == 0,
            None => true,
        }
    }

    /// Marks a fresh index as used; true when it is higher than all before.
    pub(super) fn mark(&mut self, index: u64) -> bool {
        let ahead = match self.highest {
            Some(highest) if index <= highest => {
                self.used |= 1_u128.checked_shl((highest - index) as u32).unwrap_or(0);
                return false;
            }
            Some(highest) => index - highest,
            None => WINDOW,
        };
        self.used = if ahead < WINDOW { self.used << ahead | 1 } else { 1 };
        self.highest = Some(index);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(index: u64) -> Indices {
        let mut indices = Indices::default();
        indices.mark(index);
        indices
    }

    #[test]
    fn guesses_the_rollover_counter() {
        assert_eq!(Indices::default().guess(65_535), Some(65_535));
        assert_eq!(at(65_535).guess(0), Some(65_536));
        assert_eq!(at(65_536).guess(65_535), Some(65_535));
        assert_eq!(at(3 << 16 | 10).guess(65_000), Some(2 << 16 | 65_000));
        assert_eq!(at(3 << 16 | 40_000).guess(5), Some(4 << 16 | 5));
        assert_eq!(at(100).guess(40_000), Some(40_000));
        assert_eq!(at((1 << 48) - 1).guess(0), None, "the key is used up");
    }

    #[test]
    fn takes_each_index_once_and_none_too_old() {
        let mut indices = at(1_000);
        assert!(indices.is_fresh(873) && !indices.is_fresh(872) && !indices.is_fresh(1_000));
        assert!(!indices.mark(990));
        assert!(!indices.is_fresh(990) && indices.is_fresh(991));
        assert!(indices.mark(1_010));
        assert!(!indices.is_fresh(990) && !indices.is_fresh(1_000) && indices.is_fresh(1_009));
        assert!(indices.mark(100_000));
        assert!(indices.is_fresh(99_999) && !indices.is_fresh(1_010));
    }

    #[test]
    fn agrees_with_a_set_of_all_that_was_used() {
        let mut rng = sans_io::Rng::seeded(3);
        let (mut indices, mut used, mut highest) = (Indices::default(), std::collections::BTreeSet::new(), 0);
        for _ in 0..50_000 {
            let index = (highest + rng.below(40)).saturating_sub(rng.below(300));
            let fresh =
                index > highest || used.is_empty() || (highest - index < WINDOW && !used.contains(&index));
            assert_eq!(indices.is_fresh(index), fresh, "{index} of {highest}");
            if fresh {
                indices.mark(index);
                used.insert(index);
                highest = highest.max(index);
            }
        }
    }
}
