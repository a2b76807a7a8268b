//! Signatures of the calls that go to a trunk (RFC 8224 §6.1, RFC 8588).

use std::fmt;
use std::sync::Arc;

use ring::digest::{SHA256, digest};
use sans_io::Time;
use sip_core::endpoint::{Headers, OutgoingInvite};
use sip_core::message::NameAddr;

use super::passport::Kind;
use super::{Attestation, CertificateUrl, Claims, Numbers, Parties, Party, Passport};
use crate::calendar::date;
use crate::incoming::user_of;

/// Digits of the shortest number that is signed.
const SHORTEST: usize = 7;

/// Signing of a trunk's calls.
#[derive(Clone, Debug, PartialEq)]
pub struct Signing {
    /// Address at which others fetch the certificate.
    pub url: CertificateUrl,
    /// Key of the certificate.
    pub signer: Signer,
    /// Numbers that callers have the right to: they are attested in full.
    pub numbers: Vec<NumberPattern>,
}

/// A key that signs. It is called as each INVITE leaves, and must not wait for anything.
#[derive(Clone)]
pub struct Signer {
    sign: Arc<Sign>,
    /// Digest of the public key.
    id: Vec<u8>,
}

/// Makes the signature of a text: r and s of ECDSA on P-256 with SHA-256, 32 octets each. `None`: it cannot.
type Sign = dyn Fn(&[u8]) -> Option<Vec<u8>> + Send + Sync;

/// Numbers that begin alike, or one number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NumberPattern {
    /// Digits in canonical form.
    digits: String,
    /// True if more digits may follow.
    open: bool,
}

/// Text that is no pattern of numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotNumbers;

/// Facts about a call that is signed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Grounds {
    /// True if it came from a trunk.
    pub(crate) from_trunk: bool,
    /// Place where it came in, such as a trunk or a user: told to others as an identifier that means nothing to them.
    pub(crate) origin: String,
    /// `Identity` headers that it came with, and that were found good.
    pub(crate) passed: Vec<String>,
}

impl Signer {
    /// Signs with `sign`, whose public key is this.
    #[must_use]
    pub fn new(public_key: &[u8], sign: impl Fn(&[u8]) -> Option<Vec<u8>> + Send + Sync + 'static) -> Signer {
        Signer {
            sign: Arc::new(sign),
            id: digest(&SHA256, public_key).as_ref().to_vec(),
        }
    }
}

impl PartialEq for Signer {
    fn eq(&self, other: &Signer) -> bool {
        self.id == other.id
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signer(..)")
    }
}

impl fmt::Display for NotNumbers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("is neither a number such as +49301234 nor a beginning such as +4930*")
    }
}

impl std::error::Error for NotNumbers {}

impl NumberPattern {
    /// Reads a number such as `+49301234`, or a beginning such as `+4930*`.
    ///
    /// # Errors
    /// It is neither.
    pub fn parse(text: &str) -> Result<NumberPattern, NotNumbers> {
        let (number, open) = match text.strip_suffix('*') {
            Some(beginning) => (beginning, true),
            None => (text, false),
        };
        let digits = number.strip_prefix('+').ok_or(NotNumbers)?;
        let is_number = (1..=15).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
        is_number
            .then(|| NumberPattern {
                digits: digits.to_owned(),
                open,
            })
            .ok_or(NotNumbers)
    }

    fn covers(&self, number: &str) -> bool {
        match number.strip_prefix(self.digits.as_str()) {
            Some(rest) => self.open || rest.is_empty(),
            None => false,
        }
    }
}

impl Signing {
    /// `Date` and `Identity` of an INVITE that leaves now. None where caller or callee are no telephone numbers.
    ///
    /// The caller is that of `P-Asserted-Identity` where the trunk is told one, else of `From` (ATIS-1000074 §5.2.2). A call that came in
    /// signed, and goes on between the same numbers, keeps its signature.
    pub(crate) fn headers(
        &self,
        invite: &OutgoingInvite,
        grounds: &Grounds,
        (numbers, secret): (&Numbers, &[u8]),
        now: Time,
    ) -> Headers {
        // An extension or the number of a service is nobody's in the world outside.
        let is_whole = |number: &String| number.len() >= SHORTEST;
        let number = |address: NameAddr<'_>| numbers.canonical(&user_of(address.uri)).filter(is_whole);
        let asserted = invite
            .extra
            .iter()
            .find(|(name, _)| name == "P-Asserted-Identity");
        let from = asserted.map_or_else(|| invite.from.to_string(), |(_, value)| value.clone());
        let to = invite.to.to_string();
        let orig = NameAddr::parse(&from).and_then(number);
        let dest = NameAddr::parse(&to).and_then(number);
        let (Some(orig), Some(dest)) = (orig, dest) else {
            return Headers::new();
        };
        let is_of = |value: &&String| {
            Passport::parse(value, None).is_ok_and(|passport| {
                passport.claims.orig.tn.as_ref() == Some(&orig) && passport.claims.dest.tn.contains(&dest)
            })
        };
        let named = |value: String| ("Identity".to_owned(), value);
        let passed: Headers = grounds.passed.iter().filter(is_of).cloned().map(named).collect();
        if !passed.is_empty() {
            return passed;
        }
        let attest = match grounds.from_trunk {
            true => Attestation::C,
            false if self.numbers.iter().any(|pattern| pattern.covers(&orig)) => Attestation::A,
            false => Attestation::B,
        };
        let claims = Claims {
            attest: Some(attest),
            dest: Parties {
                tn: vec![dest],
                uri: Vec::new(),
            },
            div: None,
            iat: now.as_secs(),
            orig: Party {
                tn: Some(orig),
                uri: None,
            },
            origid: Some(identifier(secret, &grounds.origin)),
        };
        let signed = Passport::to_sign(Kind::Shaken, &self.url, &claims);
        let Some(signature) = (self.signer.sign)(signed.as_bytes()) else {
            return Headers::new();
        };
        let passport = Passport {
            kind: Kind::Shaken,
            url: self.url.clone(),
            claims,
            signed,
            signature,
        };
        vec![("Date".to_owned(), date(now.as_secs())), named(passport.header())]
    }
}

/// Identifier of a place (a UUID of RFC 9562 §5.8), the same at each call from there.
fn identifier(secret: &[u8], origin: &str) -> String {
    let hash = digest(&SHA256, &[secret, b"origid", origin.as_bytes()].concat());
    let mut bytes = [0_u8; 16];
    bytes.copy_from_slice(&hash.as_ref()[..16]);
    bytes[6] = bytes[6] & 0x0f | 0x80;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}
