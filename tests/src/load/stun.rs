//! As much of STUN (RFC 8489) and of a controlling ICE agent (RFC 8445) as a caller needs towards a gateway whose
//! candidate is in its SDP: checks that nominate, answers to checks, and consent.

use hmac::{Hmac, Mac};
use sha1::Sha1;
use std::net::SocketAddr;

const COOKIE: u32 = 0x2112_A442;
const REQUEST: u16 = 0x0001;
const SUCCESS: u16 = 0x0101;
const USERNAME: u16 = 0x0006;
const INTEGRITY: u16 = 0x0008;
const XOR_MAPPED: u16 = 0x0020;
const PRIORITY: u16 = 0x0024;
const USE_CANDIDATE: u16 = 0x0025;
const FINGERPRINT: u16 = 0x8028;
const CONTROLLING: u16 = 0x802A;

/// User name fragment and password.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Credentials {
    pub(crate) ufrag: String,
    pub(crate) password: String,
}

/// One component of one stream: no candidates to choose from, the peer is where its SDP says.
pub(crate) struct Agent {
    local: Credentials,
    remote: Credentials,
    transaction: u64,
    /// A check of ours was answered and the answer was authentic.
    pub(crate) nominated: bool,
}

impl Agent {
    pub(crate) fn new(local: Credentials, remote: Credentials) -> Agent {
        Agent {
            local,
            remote,
            transaction: 0,
            nominated: false,
        }
    }

    /// A binding request that nominates (RFC 8445 §7.2.2).
    pub(crate) fn check(&mut self) -> Vec<u8> {
        self.transaction += 1;
        let mut message = start(REQUEST, self.id());
        let user = format!("{}:{}", self.remote.ufrag, self.local.ufrag);
        attribute(&mut message, USERNAME, user.as_bytes());
        attribute(&mut message, PRIORITY, &0x7eff_ff00_u32.to_be_bytes());
        attribute(
            &mut message,
            CONTROLLING,
            &0x0123_4567_89ab_cdef_u64.to_be_bytes(),
        );
        attribute(&mut message, USE_CANDIDATE, &[]);
        finish(&mut message, &self.remote.password);
        message
    }

    /// Message to send back, if any.
    pub(crate) fn receive(&mut self, message: &[u8], from: SocketAddr) -> Option<Vec<u8>> {
        let kind = u16::from_be_bytes([*message.first()?, *message.get(1)?]);
        let id: [u8; 12] = message.get(8..20)?.try_into().ok()?;
        match kind {
            REQUEST if authentic(message, &self.local.password) => {
                let mut reply = start(SUCCESS, id);
                attribute(&mut reply, XOR_MAPPED, &xor_mapped(from)?);
                finish(&mut reply, &self.local.password);
                Some(reply)
            }
            SUCCESS if id == self.id() && authentic(message, &self.remote.password) => {
                self.nominated = true;
                None
            }
            _ => None,
        }
    }

    fn id(&self) -> [u8; 12] {
        let mut id = [0; 12];
        id[..8].copy_from_slice(&self.transaction.to_be_bytes());
        for (slot, octet) in id[8..].iter_mut().zip(self.local.ufrag.bytes()) {
            *slot = octet;
        }
        id
    }
}

fn start(kind: u16, id: [u8; 12]) -> Vec<u8> {
    let mut message = Vec::with_capacity(128);
    message.extend_from_slice(&kind.to_be_bytes());
    message.extend_from_slice(&[0, 0]);
    message.extend_from_slice(&COOKIE.to_be_bytes());
    message.extend_from_slice(&id);
    message
}

fn attribute(message: &mut Vec<u8>, kind: u16, value: &[u8]) {
    message.extend_from_slice(&kind.to_be_bytes());
    message.extend_from_slice(&(value.len() as u16).to_be_bytes());
    message.extend_from_slice(value);
    message.resize(message.len().next_multiple_of(4), 0);
}

/// MESSAGE-INTEGRITY and FINGERPRINT (RFC 8489 §14.5 and §14.7): each is computed as if the message ended with it.
fn finish(message: &mut Vec<u8>, password: &str) {
    let length = message.len();
    set_length(message, length + 24);
    let sum = integrity(message, password);
    attribute(message, INTEGRITY, &sum);
    set_length(message, length + 32);
    let sum = crc32(message) ^ 0x5354_554e;
    attribute(message, FINGERPRINT, &sum.to_be_bytes());
}

fn authentic(message: &[u8], password: &str) -> bool {
    let mut at = 20;
    while let Some(head) = message.get(at..at + 4) {
        let length = usize::from(u16::from_be_bytes([head[2], head[3]]));
        if u16::from_be_bytes([head[0], head[1]]) == INTEGRITY {
            let mut covered = message[..at].to_vec();
            set_length(&mut covered, at + 24);
            return message.get(at + 4..at + 24) == Some(&integrity(&covered, password));
        }
        at += 4 + length.next_multiple_of(4);
    }
    false
}

fn set_length(message: &mut [u8], whole: usize) {
    message[2..4].copy_from_slice(&((whole - 20) as u16).to_be_bytes());
}

fn integrity(message: &[u8], password: &str) -> [u8; 20] {
    let mut mac = Hmac::<Sha1>::new_from_slice(password.as_bytes()).expect("HMAC takes a key of any length");
    mac.update(message);
    mac.finalize().into_bytes().into()
}

fn xor_mapped(address: SocketAddr) -> Option<[u8; 8]> {
    let SocketAddr::V4(address) = address else {
        return None;
    };
    let mut value = [0, 1, 0, 0, 0, 0, 0, 0];
    value[2..4].copy_from_slice(&(address.port() ^ (COOKIE >> 16) as u16).to_be_bytes());
    value[4..].copy_from_slice(&(u32::from(*address.ip()) ^ COOKIE).to_be_bytes());
    Some(value)
}

fn crc32(data: &[u8]) -> u32 {
    !data.iter().fold(!0, |sum, octet| {
        (0..8).fold(sum ^ u32::from(*octet), |sum, _| {
            (sum >> 1) ^ (0xEDB8_8320 & 0_u32.wrapping_sub(sum & 1))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crc_of_the_check_string() {
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
    }

    #[test]
    fn two_agents_nominate() {
        let credentials = |name: &str| Credentials {
            ufrag: name.into(),
            password: format!("{name}-password-{name}"),
        };
        let mut caller = Agent::new(credentials("ours"), credentials("them"));
        let mut callee = Agent::new(credentials("them"), credentials("ours"));
        let from = "127.0.0.1:4000".parse().unwrap();
        let reply = callee.receive(&caller.check(), from).unwrap();
        assert_eq!(caller.receive(&reply, from), None);
        assert!(caller.nominated);
        let mut stranger = Agent::new(credentials("them"), credentials("none"));
        stranger.local.password.push('x');
        assert_eq!(stranger.receive(&caller.check(), from), None);
    }
}
