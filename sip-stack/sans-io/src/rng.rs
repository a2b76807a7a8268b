use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng};

/// Letters and digits that no reader mistakes for one another (no 0, O, 1, l, I).
const ALPHABET: &[u8; 56] = b"abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789";

/// A seeded, cryptographically strong generator (ChaCha12). The shell seeds it from the operating system, a test from a
/// number; the same seed gives the same run.
#[derive(Clone, Debug)]
pub struct Rng(ChaCha12Rng);

impl Rng {
    /// From 32 bytes of entropy.
    #[must_use]
    pub fn from_entropy(seed: [u8; 32]) -> Rng {
        Rng(ChaCha12Rng::from_seed(seed))
    }

    /// From a number, for tests and simulations.
    #[must_use]
    pub fn seeded(seed: u64) -> Rng {
        Rng(ChaCha12Rng::seed_from_u64(seed))
    }

    /// A generator of its own for a child, derived from this one.
    #[must_use]
    pub fn fork(&mut self) -> Rng {
        let mut seed = [0; 32];
        self.fill(&mut seed);
        Rng::from_entropy(seed)
    }

    /// Any 32-bit number.
    pub fn u32(&mut self) -> u32 {
        self.0.next_u32()
    }

    /// Any 64-bit number.
    pub fn u64(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A number below `n`; 0 when `n` is 0.
    pub fn below(&mut self, n: u64) -> u64 {
        if n == 0 {
            0
        } else {
            ((u128::from(self.u64()) * u128::from(n)) >> 64) as u64
        }
    }

    /// True `percent` times in a hundred.
    pub fn percent(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// Fills `out` with random bytes.
    pub fn fill(&mut self, out: &mut [u8]) {
        self.0.fill_bytes(out);
    }

    /// `len` letters and digits (5.8 bits each): a token of RFC 3261 and an ice-char string of RFC 8839.
    pub fn token(&mut self, len: usize) -> String {
        (0..len)
            .map(|_| char::from(ALPHABET[self.below(ALPHABET.len() as u64) as usize]))
            .collect()
    }
}
