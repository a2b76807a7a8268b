//! SRTP with AES-CM-128 and HMAC-SHA1-80 (RFC 3711), one stream each way: written again here, so that the code under
//! test is not measured against itself.

use aes::Aes128;
use aes::cipher::{KeyIvInit, StreamCipher};
use hmac::{Hmac, Mac};
use sha1::Sha1;

type Cipher = ctr::Ctr128BE<Aes128>;

/// Octets of the authentication tag.
pub(crate) const TAG: usize = 10;

/// Keying material of DTLS-SRTP for this profile: two keys of 16 octets, two salts of 14 (RFC 5764 §4.2).
pub(crate) const MATERIAL: usize = 60;

/// One direction.
pub(crate) struct Stream {
    key: [u8; 16],
    salt: [u8; 14],
    mac: Hmac<Sha1>,
    roll_over: u32,
    highest: Option<u16>,
}

impl Stream {
    /// From a master key and salt (RFC 3711 §4.3.1, key derivation rate 0).
    pub(crate) fn new(master: &[u8; 16], master_salt: &[u8; 14]) -> Stream {
        let derive = |label: u8, out: &mut [u8]| {
            let mut iv = [0; 16];
            iv[..14].copy_from_slice(master_salt);
            iv[7] ^= label;
            Cipher::new(master.into(), &iv.into()).apply_keystream(out);
        };
        let (mut key, mut salt, mut authentication) = ([0; 16], [0; 14], [0; 20]);
        derive(0, &mut key);
        derive(1, &mut authentication);
        derive(2, &mut salt);
        let mac = Hmac::<Sha1>::new_from_slice(&authentication).expect("HMAC takes a key of any length");
        Stream {
            key,
            salt,
            mac,
            roll_over: 0,
            highest: None,
        }
    }

    /// The two directions from DTLS keying material: what we send, what we receive.
    pub(crate) fn pair(material: &[u8; MATERIAL], is_client: bool) -> (Stream, Stream) {
        let part = |key: usize, salt: usize| {
            let key = material[key..key + 16].try_into().expect("16 octets");
            let salt = material[salt..salt + 14].try_into().expect("14 octets");
            Stream::new(key, salt)
        };
        let (client, server) = (part(0, 32), part(16, 46));
        if is_client {
            (client, server)
        } else {
            (server, client)
        }
    }

    /// Encrypts the packet `buffer[..length]` in place and appends the tag. The length of the whole.
    pub(crate) fn protect(&mut self, buffer: &mut [u8], length: usize) -> usize {
        let roll_over = self.index(sequence(buffer));
        self.apply(&mut buffer[..length], roll_over);
        let tag = self.tag(&buffer[..length], roll_over);
        buffer[length..length + TAG].copy_from_slice(&tag);
        length + TAG
    }

    /// Checks and decrypts in place. The length without the tag, or nothing if it is not authentic.
    pub(crate) fn unprotect(&mut self, packet: &mut [u8]) -> Option<usize> {
        let length = packet.len().checked_sub(TAG).filter(|length| *length >= 12)?;
        let before = (self.roll_over, self.highest);
        let roll_over = self.index(sequence(packet));
        if self.tag(&packet[..length], roll_over) != packet[length..] {
            (self.roll_over, self.highest) = before;
            return None;
        }
        self.apply(&mut packet[..length], roll_over);
        Some(length)
    }

    /// RFC 3711 §3.3.1: which roll-over count a sequence number belongs to.
    fn index(&mut self, sequence: u16) -> u32 {
        let Some(highest) = self.highest else {
            self.highest = Some(sequence);
            return self.roll_over;
        };
        let ahead = sequence.wrapping_sub(highest) < 0x8000;
        let wrapped = if ahead {
            sequence < highest
        } else {
            sequence > highest
        };
        match (ahead, wrapped) {
            (true, _) => {
                self.roll_over = self.roll_over.wrapping_add(u32::from(wrapped));
                self.highest = Some(sequence);
                self.roll_over
            }
            (false, true) => self.roll_over.wrapping_sub(1),
            (false, false) => self.roll_over,
        }
    }

    fn apply(&self, packet: &mut [u8], roll_over: u32) {
        let mut iv = [0; 16];
        iv[..14].copy_from_slice(&self.salt);
        for (slot, octet) in iv[4..8].iter_mut().zip(&packet[8..12]) {
            *slot ^= octet;
        }
        for (slot, octet) in iv[8..12].iter_mut().zip(roll_over.to_be_bytes()) {
            *slot ^= octet;
        }
        iv[12] ^= packet[2];
        iv[13] ^= packet[3];
        let start = header_length(packet).min(packet.len());
        Cipher::new(&self.key.into(), &iv.into()).apply_keystream(&mut packet[start..]);
    }

    fn tag(&self, packet: &[u8], roll_over: u32) -> [u8; TAG] {
        let mut mac = self.mac.clone();
        mac.update(packet);
        mac.update(&roll_over.to_be_bytes());
        mac.finalize().into_bytes()[..TAG]
            .try_into()
            .expect("SHA-1 has 20 octets")
    }
}

fn sequence(packet: &[u8]) -> u16 {
    u16::from_be_bytes([packet[2], packet[3]])
}

/// Octets before the payload of an RTP packet: fixed header, CSRCs, extension (RFC 3550 §5.1).
pub(crate) fn header_length(packet: &[u8]) -> usize {
    let fixed = 12 + 4 * usize::from(packet[0] & 0x0f);
    if packet[0] & 0x10 == 0 {
        return fixed;
    }
    let words = packet
        .get(fixed + 2..fixed + 4)
        .map_or(0, |word| usize::from(u16::from_be_bytes([word[0], word[1]])));
    fixed + 4 + 4 * words
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 3711 B.3: session keys from a master key.
    #[test]
    fn derives_the_keys_of_the_rfc() {
        let master = *b"\xE1\xF9\x7A\x0D\x3E\x01\x8B\xE0\xD6\x4F\xA3\x2C\x06\xDE\x41\x39";
        let salt = *b"\x0E\xC6\x75\xAD\x49\x8A\xFE\xEB\xB6\x96\x0B\x3A\xAB\xE6";
        let stream = Stream::new(&master, &salt);
        assert_eq!(
            stream.key,
            *b"\xC6\x1E\x7A\x93\x74\x4F\x39\xEE\x10\x73\x4A\xFE\x3F\xF7\xA0\x87"
        );
        assert_eq!(
            stream.salt,
            *b"\x30\xCB\xBC\x08\x86\x3D\x8C\x85\xD4\x9D\xB3\x4A\x9A\xE1"
        );
    }

    #[test]
    fn what_one_protects_the_other_reads_over_a_roll_over() {
        let (mut out, mut unused) = Stream::pair(&[7; MATERIAL], true);
        let (_, mut into) = Stream::pair(&[7; MATERIAL], false);
        for n in 0..4u16 {
            let mut packet = [0x80; 12 + 160 + TAG];
            packet[2..4].copy_from_slice(&0xfffe_u16.wrapping_add(n).to_be_bytes());
            let plain = packet;
            let length = out.protect(&mut packet, 172);
            assert_ne!(packet[12..172], plain[12..172]);
            assert_eq!(into.unprotect(&mut packet[..length]), Some(172));
            assert_eq!(packet[..172], plain[..172]);
            assert_eq!(unused.unprotect(&mut packet[..length]), None);
        }
    }
}
