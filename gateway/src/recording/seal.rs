//! Encryption of recordings: AES-256-GCM in chunks, each of which can be read by itself, so that a listener may seek, and so that all
//! whole chunks can be read of a file that was not ended.
//!
//! A file begins with a head of 64 octets: `CBSEAL1` and a line feed, the id of the key (the beginning of its SHA-256), the rate of the
//! samples, 12 octets of zero, and 32 of salt. The key of the file comes from the gateway's key by HKDF-SHA256 with the salt, and the
//! rest of the head as context. Chunks of 4,096 octets follow, each with 16 octets of tag; the nonce is the chunk's number, and marks
//! the last chunk, which is shorter. So no chunk can be left out, put elsewhere or cut off unnoticed.

use std::io;
use std::path::Path;

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use ring::digest::{SHA256, digest};
use ring::hkdf::{HKDF_SHA256, Salt};
use ring::rand::{SecureRandom, SystemRandom};

/// Octets of the head.
pub(crate) const HEAD: usize = 64;
/// Octets of a chunk before encryption.
pub(crate) const CHUNK: usize = 4_096;
/// Octets of a chunk in the file.
pub(crate) const SEALED: usize = CHUNK + TAG;
/// Octets of a tag.
pub(crate) const TAG: usize = 16;

const MAGIC: &[u8; 8] = b"CBSEAL1\n";

/// Key of all recordings of a gateway.
#[derive(Clone)]
pub struct MasterKey([u8; 32]);

impl std::fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MasterKey")
    }
}

impl PartialEq for MasterKey {
    fn eq(&self, other: &MasterKey) -> bool {
        self.id() == other.id()
    }
}

impl Eq for MasterKey {}

impl MasterKey {
    /// The key in a file: 64 hexadecimal digits.
    ///
    /// # Errors
    /// One line that says what is wrong.
    pub fn read(path: &Path) -> Result<MasterKey, String> {
        let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
        MasterKey::parse(text.trim()).ok_or_else(|| {
            format!(
                "{}: 64 hexadecimal digits are a key; `openssl rand -hex 32` makes one",
                path.display()
            )
        })
    }

    fn parse(text: &str) -> Option<MasterKey> {
        let mut key = [0; 32];
        if text.len() != 64 || !text.is_ascii() {
            return None;
        }
        for (octet, digits) in key.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            let high = char::from(digits[0]).to_digit(16)?;
            let low = char::from(digits[1]).to_digit(16)?;
            *octet = (high << 4 | low) as u8;
        }
        Some(MasterKey(key))
    }

    fn id(&self) -> [u8; 8] {
        let mut id = [0; 8];
        id.copy_from_slice(&digest(&SHA256, &self.0).as_ref()[..8]);
        id
    }
}

/// Key of one file.
pub(crate) struct FileKey {
    key: LessSafeKey,
    rate: u32,
}

impl std::fmt::Debug for FileKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FileKey")
            .field("rate", &self.rate)
            .finish_non_exhaustive()
    }
}

impl FileKey {
    /// Key and head of a new file.
    ///
    /// # Errors
    /// The system gives no randomness.
    pub(crate) fn draw(master: &MasterKey, rate: u32) -> io::Result<(FileKey, [u8; HEAD])> {
        let mut head = [0; HEAD];
        head[..8].copy_from_slice(MAGIC);
        head[8..16].copy_from_slice(&master.id());
        head[16..20].copy_from_slice(&rate.to_le_bytes());
        SystemRandom::new()
            .fill(&mut head[32..])
            .map_err(|_| io::Error::other("the system gives no randomness"))?;
        Ok((FileKey::of(master, &head)?, head))
    }

    /// Key of the file with this head.
    ///
    /// # Errors
    /// It is none, or was sealed with another key.
    pub(crate) fn of(master: &MasterKey, head: &[u8; HEAD]) -> io::Result<FileKey> {
        let wrong = |what| io::Error::new(io::ErrorKind::InvalidData, what);
        if &head[..8] != MAGIC {
            return Err(wrong("no sealed recording"));
        }
        if head[8..16] != master.id() {
            return Err(wrong("the recording was sealed with another key"));
        }
        let context = [&head[..32]];
        let secret = Salt::new(HKDF_SHA256, &head[32..]).extract(&master.0);
        let key = secret
            .expand(&context, &AES_256_GCM)
            .map(UnboundKey::from)
            .map_err(|_| wrong("no key"))?;
        let rate = u32::from_le_bytes([head[16], head[17], head[18], head[19]]);
        Ok(FileKey {
            key: LessSafeKey::new(key),
            rate,
        })
    }

    pub(crate) const fn rate(&self) -> u32 {
        self.rate
    }

    /// Puts a chunk behind `out`, encrypted.
    ///
    /// # Errors
    /// The library refuses, which it does not with chunks of this length.
    pub(crate) fn seal(&self, number: u64, is_last: bool, chunk: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
        let mut sealed = chunk.to_vec();
        let nonce = nonce(number, is_last);
        self.key
            .seal_in_place_append_tag(nonce, Aad::empty(), &mut sealed)
            .map_err(|_| io::Error::other("a chunk cannot be encrypted"))?;
        out.extend_from_slice(&sealed);
        Ok(())
    }

    /// Decrypts a chunk in its place; `None` if it is not the one.
    pub(crate) fn open<'a>(&self, number: u64, is_last: bool, chunk: &'a mut [u8]) -> Option<&'a [u8]> {
        let opened = self
            .key
            .open_in_place(nonce(number, is_last), Aad::empty(), chunk);
        opened.ok().map(|opened| &*opened)
    }
}

fn nonce(number: u64, is_last: bool) -> Nonce {
    let mut nonce = [0; 12];
    nonce[..8].copy_from_slice(&number.to_le_bytes());
    nonce[11] = u8::from(is_last);
    Nonce::assume_unique_for_key(nonce)
}

#[cfg(test)]
impl MasterKey {
    pub(crate) fn of_tests() -> MasterKey {
        MasterKey([7; 32])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunk_opens_in_its_place_with_its_key_alone() -> io::Result<()> {
        let master = MasterKey::of_tests();
        let (key, head) = FileKey::draw(&master, 8_000)?;
        let mut sealed = Vec::new();
        key.seal(3, false, &[5; CHUNK], &mut sealed)?;
        assert_eq!(sealed.len(), SEALED);
        let again = FileKey::of(&master, &head)?;
        assert_eq!(again.open(3, false, &mut sealed.clone()), Some(&[5; CHUNK][..]));
        assert_eq!(again.open(2, false, &mut sealed.clone()), None);
        assert_eq!(again.open(3, true, &mut sealed.clone()), None);
        sealed[100] ^= 1;
        assert_eq!(again.open(3, false, &mut sealed), None);
        // Whoever changes the head changes the key.
        let mut other = head;
        other[16] ^= 1;
        let mut sealed = Vec::new();
        key.seal(0, false, &[5; 10], &mut sealed)?;
        assert_eq!(FileKey::of(&master, &other)?.open(0, false, &mut sealed), None);
        let error = FileKey::of(&MasterKey([8; 32]), &head).expect_err("another key");
        assert_eq!(error.to_string(), "the recording was sealed with another key");
        Ok(())
    }

    #[test]
    fn a_key_is_64_hexadecimal_digits() {
        assert!(MasterKey::parse(&"0aF9".repeat(16)).is_some());
        for wrong in ["", "0a", &"0g".repeat(32), &"é".repeat(32), &"0a".repeat(33)] {
            assert!(MasterKey::parse(wrong).is_none(), "{wrong}");
        }
    }
}
