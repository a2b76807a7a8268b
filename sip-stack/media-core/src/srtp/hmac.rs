//! HMAC-SHA1 (RFC 2104) with both key blocks hashed once: of the 160-bit tag SRTP takes the first 80 bits.

use sha1::compress;
use sha1::digest::generic_array::GenericArray;

const START: [u32; 5] = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476, 0xc3d2_e1f0];
const BLOCK: usize = 64;

/// The state of SHA-1 after the inner and after the outer key block.
#[derive(Clone)]
pub(super) struct HmacSha1 {
    inner: [u32; 5],
    outer: [u32; 5],
}

impl HmacSha1 {
    pub(super) fn new(key: &[u8; 20]) -> HmacSha1 {
        let keyed = |pad: u8| {
            let mut block = [pad; BLOCK];
            block.iter_mut().zip(key).for_each(|(byte, key)| *byte ^= key);
            let mut state = START;
            absorb(&mut state, &block);
            state
        };
        HmacSha1 {
            inner: keyed(0x36),
            outer: keyed(0x5c),
        }
    }

    /// The first 80 bits of the tag of `data` with `suffix` behind it.
    pub(super) fn tag80(&self, data: &[u8], suffix: &[u8; 4]) -> [u8; 10] {
        let mut inner = self.inner;
        let whole = data.len() / BLOCK * BLOCK;
        absorb(&mut inner, &data[..whole]);
        // The rest, the suffix, a one bit and the length take one block or two.
        let rest = &data[whole..];
        let mut tail = [0; 2 * BLOCK];
        let mut end = rest.len();
        tail[..end].copy_from_slice(rest);
        tail[end..end + 4].copy_from_slice(suffix);
        end += 4;
        tail[end] = 0x80;
        let blocks = if end + 1 + 8 <= BLOCK { BLOCK } else { 2 * BLOCK };
        let bits = (BLOCK + data.len() + 4) as u64 * 8;
        tail[blocks - 8..blocks].copy_from_slice(&bits.to_be_bytes());
        absorb(&mut inner, &tail[..blocks]);

        let mut block = [0; BLOCK];
        write(&inner, &mut block);
        block[20] = 0x80;
        block[BLOCK - 8..].copy_from_slice(&((BLOCK as u64 + 20) * 8).to_be_bytes());
        let mut outer = self.outer;
        absorb(&mut outer, &block);
        let mut tag = [0; BLOCK];
        write(&outer, &mut tag);
        std::array::from_fn(|i| tag[i])
    }
}

/// `blocks` is a whole number of blocks.
fn absorb(state: &mut [u32; 5], blocks: &[u8]) {
    for block in blocks.chunks_exact(BLOCK) {
        compress(state, std::slice::from_ref(GenericArray::from_slice(block)));
    }
}

fn write(state: &[u32; 5], out: &mut [u8; BLOCK]) {
    for (word, out) in state.iter().zip(out.chunks_exact_mut(4)) {
        out.copy_from_slice(&word.to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use ring::hmac;

    use super::*;

    #[test]
    fn agrees_with_another_implementation_at_every_length() {
        let key: [u8; 20] = std::array::from_fn(|i| i as u8 * 11);
        let ours = HmacSha1::new(&key);
        let theirs = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &key);
        let data: Vec<u8> = (0..1500_u32).map(|i| (i * 7) as u8).collect();
        for length in 0..=data.len() {
            let suffix = (length as u32).to_be_bytes();
            let expected = hmac::sign(&theirs, &[&data[..length], &suffix].concat());
            assert_eq!(
                ours.tag80(&data[..length], &suffix),
                expected.as_ref()[..10],
                "{length}"
            );
        }
    }
}
