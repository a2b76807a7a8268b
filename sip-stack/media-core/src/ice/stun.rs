//! STUN binding messages (RFC 8489) with the attributes of ICE (RFC 8445 §16.1): read where they lie, written into a
//! buffer that the caller keeps.

use std::net::{IpAddr, SocketAddr};

use ring::hmac;
use subtle::ConstantTimeEq as _;

const MAGIC_COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
const HEADER: usize = 20;

const BINDING_REQUEST: u16 = 0x0001;
const BINDING_SUCCESS: u16 = 0x0101;
const BINDING_ERROR: u16 = 0x0111;

const USERNAME: u16 = 0x0006;
const MESSAGE_INTEGRITY: u16 = 0x0008;
const ERROR_CODE: u16 = 0x0009;
const UNKNOWN_ATTRIBUTES: u16 = 0x000a;
const XOR_MAPPED_ADDRESS: u16 = 0x0020;
const PRIORITY: u16 = 0x0024;
const USE_CANDIDATE: u16 = 0x0025;
const FINGERPRINT: u16 = 0x8028;
const ICE_CONTROLLED: u16 = 0x8029;
const ICE_CONTROLLING: u16 = 0x802a;

const INTEGRITY_LEN: usize = 20;
const FINGERPRINT_XOR: u32 = 0x5354_554e;
/// Attributes below this must be understood (RFC 8489 §14).
const OPTIONAL: u16 = 0x8000;

/// Class and method of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Request,
    Success,
    Error,
}

/// Role that the sender of a check has, and its tie-breaker (RFC 8445 §16.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Controlling(u64),
    Controlled(u64),
}

/// A check of ours.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Check<'a> {
    pub(crate) transaction: [u8; 12],
    /// User name: the peer's fragment, a colon, and ours.
    pub(crate) username: &'a str,
    pub(crate) role: Role,
    pub(crate) nominates: bool,
}

/// PRIORITY of a check: that of a peer-reflexive candidate (RFC 8445 §5.1.2, §7.1.1).
const PEER_REFLEXIVE: u32 = (110 << 24) | (65_535 << 8) | 255;

/// A binding message, parsed but not yet believed.
#[derive(Clone, Debug)]
pub(crate) struct Binding<'a> {
    raw: &'a [u8],
    pub(crate) kind: Kind,
    pub(crate) username: Option<&'a str>,
    pub(crate) priority: u32,
    pub(crate) use_candidate: bool,
    /// Role that its sender claims.
    pub(crate) role: Option<Role>,
    /// Code of an error response.
    pub(crate) error: Option<u16>,
    /// The first attribute that we must understand and do not.
    pub(crate) unknown: Option<u16>,
    /// Offset at which MESSAGE-INTEGRITY begins.
    integrity: Option<usize>,
}

impl<'a> Binding<'a> {
    /// A well-formed binding message whose FINGERPRINT, if it has one, is right.
    pub(crate) fn parse(raw: &'a [u8]) -> Option<Binding<'a>> {
        let header = raw.first_chunk::<HEADER>()?;
        let length = usize::from(u16::from_be_bytes([header[2], header[3]]));
        if header[4..8] != MAGIC_COOKIE || length % 4 != 0 || raw.len() != HEADER + length {
            return None;
        }
        let kind = match u16::from_be_bytes([header[0], header[1]]) {
            BINDING_REQUEST => Kind::Request,
            BINDING_SUCCESS => Kind::Success,
            BINDING_ERROR => Kind::Error,
            _ => return None,
        };
        let mut binding = Binding {
            raw,
            kind,
            username: None,
            priority: 0,
            use_candidate: false,
            role: None,
            error: None,
            unknown: None,
            integrity: None,
        };
        let mut fingerprint = None;
        for attribute in (Attributes { raw, at: HEADER }) {
            let Attribute { at, kind, value } = attribute?;
            if fingerprint.is_some() {
                return None; // FINGERPRINT is the last one (RFC 8489 §14.7)
            }
            if kind == FINGERPRINT {
                fingerprint = Some((at, u32::from_be_bytes(value.try_into().ok()?)));
            }
            if binding.integrity.is_some() {
                continue; // ignored after MESSAGE-INTEGRITY (RFC 8489 §14.5)
            }
            match kind {
                USERNAME => binding.username = Some(std::str::from_utf8(value).ok()?),
                PRIORITY => binding.priority = u32::from_be_bytes(value.try_into().ok()?),
                USE_CANDIDATE => binding.use_candidate = true,
                ICE_CONTROLLED => binding.role = Some(Role::Controlled(tie_breaker(value)?)),
                ICE_CONTROLLING => binding.role = Some(Role::Controlling(tie_breaker(value)?)),
                ERROR_CODE => {
                    let [class, number] = *value.get(2..)?.first_chunk::<2>()?;
                    binding.error = Some(u16::from(class & 7) * 100 + u16::from(number));
                }
                MESSAGE_INTEGRITY if value.len() == INTEGRITY_LEN => binding.integrity = Some(at),
                UNKNOWN_ATTRIBUTES | XOR_MAPPED_ADDRESS => {}
                _ if kind < OPTIONAL => binding.unknown = binding.unknown.or(Some(kind)),
                _ => {}
            }
        }
        match fingerprint {
            Some((at, value)) if value != crc32(&raw[..at]) ^ FINGERPRINT_XOR => None,
            _ => Some(binding),
        }
    }

    /// The fragment before the colon of USERNAME: that of the request's recipient.
    pub(crate) fn local_ufrag(&self) -> Option<&'a str> {
        Some(self.username?.split_once(':')?.0)
    }

    /// The message was made by who knows the password.
    pub(crate) fn is_authentic(&self, password: &hmac::Key) -> bool {
        let Some(at) = self.integrity else { return false };
        // The length covers everything up to and with MESSAGE-INTEGRITY (RFC 8489 §14.5). `at` is below 65,536.
        let length = (at - HEADER + 4 + INTEGRITY_LEN) as u16;
        let mut mac = hmac::Context::with_key(password);
        mac.update(&self.raw[..2]);
        mac.update(&length.to_be_bytes());
        mac.update(&self.raw[4..at]);
        mac.sign()
            .as_ref()
            .ct_eq(&self.raw[at + 4..at + 4 + INTEGRITY_LEN])
            .into()
    }

    /// Its transaction ID, without the magic cookie.
    pub(crate) fn transaction_id(&self) -> [u8; 12] {
        let mut id = [0; 12];
        id.copy_from_slice(&self.raw[8..HEADER]);
        id
    }

    fn transaction(&self) -> [u8; 16] {
        let mut id = [0; 16];
        id.copy_from_slice(&self.raw[4..HEADER]);
        id
    }
}

fn tie_breaker(value: &[u8]) -> Option<u64> {
    Some(u64::from_be_bytes(value.try_into().ok()?))
}

/// A key for [`Binding::is_authentic`] and [`Writer::finish`] (RFC 8489 §9.1.1: the password itself).
pub(crate) fn key(password: &str) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, password.as_bytes())
}

/// User name fragment of a binding request's recipient, found without any verification: it tells where a
/// shard sends the datagram. `None` for anything but a binding request with a USERNAME.
#[must_use]
pub fn local_ufrag(datagram: &[u8]) -> Option<&str> {
    if datagram.first_chunk::<2>()? != &BINDING_REQUEST.to_be_bytes() || datagram.get(4..8)? != MAGIC_COOKIE {
        return None;
    }
    let name = (Attributes {
        raw: datagram,
        at: HEADER,
    })
    .map_while(|attribute| attribute)
    .find(|attribute| attribute.kind == USERNAME)?
    .value;
    let colon = name.iter().position(|&byte| byte == b':')?;
    std::str::from_utf8(&name[..colon]).ok()
}

struct Attribute<'a> {
    at: usize,
    kind: u16,
    value: &'a [u8],
}

/// Yields `None` once where the rest is no attribute.
struct Attributes<'a> {
    raw: &'a [u8],
    at: usize,
}

impl<'a> Iterator for Attributes<'a> {
    type Item = Option<Attribute<'a>>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.at >= self.raw.len() {
            return None;
        }
        let at = self.at;
        let found = self.raw[at..].first_chunk::<4>().and_then(|head| {
            let kind = u16::from_be_bytes([head[0], head[1]]);
            let length = usize::from(u16::from_be_bytes([head[2], head[3]]));
            let value = self.raw.get(at + 4..at + 4 + length)?;
            self.at = at + 4 + length.next_multiple_of(4);
            Some(Attribute { at, kind, value })
        });
        if found.is_none() {
            self.at = self.raw.len();
        }
        Some(found)
    }
}

/// Writes one message at the end of a buffer.
pub(crate) struct Writer<'a> {
    out: &'a mut Vec<u8>,
    start: usize,
}

impl<'a> Writer<'a> {
    /// A response to `request`.
    pub(crate) fn response(out: &'a mut Vec<u8>, kind: Kind, request: &Binding<'_>) -> Writer<'a> {
        Writer::begin(out, kind, request.transaction())
    }

    /// Writes a check (RFC 8445 §7.2.4), whole.
    pub(crate) fn check(out: &'a mut Vec<u8>, check: &Check<'_>, password: &hmac::Key) {
        let mut transaction = [0; 16];
        transaction[..4].copy_from_slice(&MAGIC_COOKIE);
        transaction[4..].copy_from_slice(&check.transaction);
        let mut writer = Writer::begin(out, Kind::Request, transaction);
        writer.attribute(USERNAME, check.username.as_bytes());
        writer.attribute(PRIORITY, &PEER_REFLEXIVE.to_be_bytes());
        match check.role {
            Role::Controlling(tie) => writer.attribute(ICE_CONTROLLING, &tie.to_be_bytes()),
            Role::Controlled(tie) => writer.attribute(ICE_CONTROLLED, &tie.to_be_bytes()),
        }
        if check.nominates {
            writer.attribute(USE_CANDIDATE, &[]);
        }
        writer.finish(password);
    }

    /// `transaction` begins with the magic cookie.
    fn begin(out: &'a mut Vec<u8>, kind: Kind, transaction: [u8; 16]) -> Writer<'a> {
        let start = out.len();
        let kind = match kind {
            Kind::Request => BINDING_REQUEST,
            Kind::Success => BINDING_SUCCESS,
            Kind::Error => BINDING_ERROR,
        };
        out.extend_from_slice(&kind.to_be_bytes());
        out.extend_from_slice(&[0, 0]);
        out.extend_from_slice(&transaction);
        Writer { out, start }
    }

    fn attribute(&mut self, kind: u16, value: &[u8]) {
        self.out.extend_from_slice(&kind.to_be_bytes());
        self.out.extend_from_slice(&(value.len() as u16).to_be_bytes());
        self.out.extend_from_slice(value);
        self.out
            .resize(self.start + (self.out.len() - self.start).next_multiple_of(4), 0);
    }

    /// XOR-MAPPED-ADDRESS (RFC 8489 §14.2).
    pub(crate) fn mapped(mut self, address: SocketAddr) -> Writer<'a> {
        let mut value = [0; 20];
        let port = address.port() ^ u16::from_be_bytes([MAGIC_COOKIE[0], MAGIC_COOKIE[1]]);
        value[2..4].copy_from_slice(&port.to_be_bytes());
        let length = match address.ip() {
            IpAddr::V4(ip) => {
                value[1] = 1;
                value[4..8].copy_from_slice(&ip.octets());
                8
            }
            IpAddr::V6(ip) => {
                value[1] = 2;
                value[4..20].copy_from_slice(&ip.octets());
                20
            }
        };
        for (byte, mask) in value[4..length]
            .iter_mut()
            .zip(&self.out[self.start + 4..self.start + HEADER])
        {
            *byte ^= mask;
        }
        self.attribute(XOR_MAPPED_ADDRESS, &value[..length]);
        self
    }

    /// ERROR-CODE (RFC 8489 §14.8); `code` is 300 to 699.
    pub(crate) fn error(mut self, code: u16, reason: &str) -> Writer<'a> {
        let mut value = Vec::with_capacity(4 + reason.len());
        value.extend_from_slice(&[0, 0, (code / 100) as u8, (code % 100) as u8]);
        value.extend_from_slice(reason.as_bytes());
        self.attribute(ERROR_CODE, &value);
        self
    }

    /// UNKNOWN-ATTRIBUTES (RFC 8489 §14.13).
    pub(crate) fn unknown(mut self, attribute: u16) -> Writer<'a> {
        self.attribute(UNKNOWN_ATTRIBUTES, &attribute.to_be_bytes());
        self
    }

    /// MESSAGE-INTEGRITY and FINGERPRINT, and the length of it all.
    pub(crate) fn finish(mut self, password: &hmac::Key) {
        self.set_length(4 + INTEGRITY_LEN);
        let tag = hmac::sign(password, &self.out[self.start..]);
        self.attribute(MESSAGE_INTEGRITY, tag.as_ref());
        self.set_length(8);
        let sum = crc32(&self.out[self.start..]) ^ FINGERPRINT_XOR;
        self.attribute(FINGERPRINT, &sum.to_be_bytes());
    }

    /// Sets the length field, as if `more` bytes followed the written ones.
    fn set_length(&mut self, more: usize) {
        let length = (self.out.len() - self.start - HEADER + more) as u16;
        self.out[self.start + 2..self.start + 4].copy_from_slice(&length.to_be_bytes());
    }
}

/// CRC-32 of ISO 3309, as FINGERPRINT uses it (RFC 8489 §14.7).
fn crc32(data: &[u8]) -> u32 {
    const TABLE: [u32; 256] = {
        let mut table = [0; 256];
        let mut n = 0;
        while n < 256 {
            let mut value = n as u32;
            let mut bit = 0;
            while bit < 8 {
                value = if value & 1 == 1 {
                    0xedb8_8320 ^ (value >> 1)
                } else {
                    value >> 1
                };
                bit += 1;
            }
            table[n] = value;
            n += 1;
        }
        table
    };
    !data
        .iter()
        .fold(!0, |sum, &byte| TABLE[usize::from(sum as u8 ^ byte)] ^ (sum >> 8))
}

#[cfg(test)]
pub(crate) mod tests;
