//! AES in counter mode with HMAC-SHA1 (RFC 3711 §4.1.1, §4.2.1; RFC 6188 for keys of 256 bits).

use aes::cipher::generic_array::GenericArray;
use aes::cipher::{BlockEncrypt as _, KeyInit as _};
use aes::{Aes128, Aes256, Block};
use subtle::ConstantTimeEq as _;

use super::hmac::HmacSha1;

/// Octets of the longest tag.
const TAG: usize = 10;
/// Blocks of key stream made at once: what AES-NI keeps in flight.
const LANES: usize = 8;

/// Encryption and authentication of either SRTP or SRTCP in one direction.
pub(super) struct AesCm {
    cipher: Cipher,
    mac: HmacSha1,
    salt: [u8; 14],
    tag: usize,
}

#[allow(
    clippy::large_enum_variant,
    reason = "the suite that all speak is reached without another step"
)]
enum Cipher {
    Aes128(Aes128),
    Aes256(Box<Aes256>),
}

impl Cipher {
    fn encrypt(&self, blocks: &mut [Block]) {
        match self {
            Cipher::Aes128(cipher) => cipher.encrypt_blocks(blocks),
            Cipher::Aes256(cipher) => cipher.encrypt_blocks(blocks),
        }
    }
}

impl AesCm {
    /// `tag` is the number of octets of the tag, at most 10.
    pub(super) fn aes128(key: &[u8; 16], mac: &[u8; 20], salt: [u8; 14], tag: usize) -> AesCm {
        AesCm::new(Cipher::Aes128(Aes128::new(key.into())), mac, salt, tag)
    }

    pub(super) fn aes256(key: &[u8; 32], mac: &[u8; 20], salt: [u8; 14]) -> AesCm {
        AesCm::new(Cipher::Aes256(Box::new(Aes256::new(key.into()))), mac, salt, TAG)
    }

    fn new(cipher: Cipher, mac: &[u8; 20], salt: [u8; 14], tag: usize) -> AesCm {
        AesCm {
            cipher,
            mac: HmacSha1::new(mac),
            salt,
            tag: tag.min(TAG),
        }
    }

    /// Octets of the tag.
    pub(super) fn tag_len(&self) -> usize {
        self.tag
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
            self.cipher.encrypt(&mut stream[..blocks]);
            for (data, mask) in chunk.chunks_mut(16).zip(&stream) {
                data.iter_mut().zip(mask).for_each(|(byte, mask)| *byte ^= mask);
            }
        }
    }

    /// Writes the tag of a packet; `suffix` is the rollover counter for SRTP, the E bit and the index for SRTCP.
    pub(super) fn write_tag(&self, packet: &[u8], suffix: u32, tag: &mut [u8]) {
        let whole = self.mac.tag80(packet, &suffix.to_be_bytes());
        tag.copy_from_slice(&whole[..tag.len()]);
    }

    /// True if `tag` is the packet's; it has [`AesCm::tag_len`] octets.
    pub(super) fn is_authentic(&self, packet: &[u8], suffix: u32, tag: &[u8]) -> bool {
        let whole = self.mac.tag80(packet, &suffix.to_be_bytes());
        whole[..self.tag].ct_eq(tag).into()
    }
}
