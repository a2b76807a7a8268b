//! `AEAD_AES_128_GCM` and `AEAD_AES_256_GCM` (RFC 7714).

use ring::aead::{AES_128_GCM, AES_256_GCM, Aad, Algorithm, LessSafeKey, Nonce, UnboundKey};

/// Octets of the tag.
pub(super) const TAG: usize = 16;

/// Encryption and authentication of either SRTP or SRTCP in one direction.
pub(super) struct AesGcm {
    /// `None` only if `ring` refused a key of the right length, which it does not; then nothing is ever authentic.
    key: Option<LessSafeKey>,
    salt: [u8; 12],
}

impl AesGcm {
    pub(super) fn aes128(key: &[u8; 16], salt: [u8; 12]) -> AesGcm {
        AesGcm::new(&AES_128_GCM, key, salt)
    }

    pub(super) fn aes256(key: &[u8; 32], salt: [u8; 12]) -> AesGcm {
        AesGcm::new(&AES_256_GCM, key, salt)
    }

    fn new(algorithm: &'static Algorithm, key: &[u8], salt: [u8; 12]) -> AesGcm {
        AesGcm {
            key: UnboundKey::new(algorithm, key).ok().map(LessSafeKey::new),
            salt,
        }
    }

    /// The IV of RFC 7714 §8.1 and §9.1: `index` is the rollover counter and the sequence number, or the SRTCP index.
    fn nonce(&self, ssrc: u32, index: u64) -> Nonce {
        let mut nonce = self.salt;
        nonce[2..6]
            .iter_mut()
            .zip(ssrc.to_be_bytes())
            .for_each(|(byte, mask)| *byte ^= mask);
        nonce[6..]
            .iter_mut()
            .zip(&index.to_be_bytes()[2..])
            .for_each(|(byte, mask)| *byte ^= mask);
        Nonce::assume_unique_for_key(nonce)
    }

    /// Encrypts in place and gives the tag.
    pub(super) fn seal(&self, ssrc: u32, index: u64, header: &[u8], data: &mut [u8]) -> Option<[u8; TAG]> {
        let tag = self
            .key
            .as_ref()?
            .seal_in_place_separate_tag(self.nonce(ssrc, index), Aad::from(header), data)
            .ok()?;
        tag.as_ref().try_into().ok()
    }

    /// Decrypts in place what ends with its tag; false, and the data worthless, when it is not authentic.
    pub(super) fn open(&self, ssrc: u32, index: u64, header: &[u8], data: &mut [u8]) -> bool {
        let Some(key) = &self.key else { return false };
        key.open_in_place(self.nonce(ssrc, index), Aad::from(header), data)
            .is_ok()
    }
}
