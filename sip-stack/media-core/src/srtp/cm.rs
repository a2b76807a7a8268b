//! `AES_CM_128_HMAC_SHA1_80` (RFC 3711 §4.1.1, §4.2.1).

use aes::Aes128;
use aes::cipher::generic_array::GenericArray;
use aes::cipher::{BlockEncrypt as _, KeyInit as _};
use subtle::ConstantTimeEq as _;

use super::hmac::HmacSha1;

/// Octets of the tag.
pub(super) const TAG: usize = 10;
/// Blocks of key stream made at once: what AES-NI keeps in flight.
const LANES: usize = 8;

/// Encryption and authentication of either SRTP or SRTCP in one direction.
pub(super) struct AesCm {
    cipher: Aes128,
    mac: HmacSha1,
    salt: [u8; 14],
}

impl AesCm {
    pub(super) fn new(key: &[u8; 16], mac: &[u8; 20], salt: [u8; 14]) -> AesCm {
        AesCm {
            cipher: Aes128::new(key.into()),
            mac: HmacSha1::new(mac),
            salt,
        }
    }

    /// Encrypts or decrypts, which is the same. `index` has 48 bits for SRTP, 31 for SRTCP.
    pub(super) fn apply(&self, ssrc: u32, index: u64, data: &mut [u8]) {
        let mut block = [0; 16];
        block[..14].copy_from_slice(&self.salt);
        block[4..8]
            .iter_mut()
            .zip(ssrc.to_be_bytes())
            .for_each(|(byte, mask)| *byte ^= mask);
        block[8..14]
            .iter_mut()
            .zip(&index.to_be_bytes()[2..])
            .for_each(|(byte, mask)| *byte ^= mask);
        let mut counter = 0_u16;
        for chunk in data.chunks_mut(16 * LANES) {
            let mut stream = [GenericArray::from(block); LANES];
            let blocks = chunk.len().div_ceil(16);
            for block in &mut stream[..blocks] {
                block[14..].copy_from_slice(&counter.to_be_bytes());
                counter = counter.wrapping_add(1); // a datagram has fewer than 65,536 blocks
            }
            self.cipher.encrypt_blocks(&mut stream[..blocks]);
            for (data, mask) in chunk.chunks_mut(16).zip(&stream) {
                data.iter_mut().zip(mask).for_each(|(byte, mask)| *byte ^= mask);
            }
        }
    }

    /// The tag of a packet; `suffix` is the rollover counter for SRTP, the E bit and the index for SRTCP.
    pub(super) fn tag(&self, packet: &[u8], suffix: u32) -> [u8; TAG] {
        self.mac.tag80(packet, &suffix.to_be_bytes())
    }

    pub(super) fn is_authentic(&self, packet: &[u8], suffix: u32, tag: &[u8]) -> bool {
        self.tag(packet, suffix).ct_eq(tag).into()
    }
}
