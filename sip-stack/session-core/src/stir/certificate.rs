//! Certificates: their chain to an authority that we trust, and the key that signs PASSporTs.

use std::fmt;
use std::time::Duration;

use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, SignatureVerificationAlgorithm, TrustAnchor, UnixTime};
use sans_io::Time;
use webpki::{
    BorrowedCertRevocationList, CertRevocationList, EndEntityCert, KeyUsage, RevocationCheckDepth,
    RevocationOptionsBuilder, UnknownStatusPolicy,
};

use super::{Authority, Flaw};

/// Most certificates of a chain that are read.
const LONGEST: usize = 8;

/// Signatures of certificates: ECDSA as SHAKEN has it (ATIS-1000080 §6.4.1), and RSA for authorities of others.
const ALGORITHMS: &[&dyn SignatureVerificationAlgorithm] = &[
    webpki::ring::ECDSA_P256_SHA256,
    webpki::ring::ECDSA_P256_SHA384,
    webpki::ring::ECDSA_P384_SHA256,
    webpki::ring::ECDSA_P384_SHA384,
    webpki::ring::RSA_PKCS1_2048_8192_SHA256,
    webpki::ring::RSA_PKCS1_2048_8192_SHA384,
    webpki::ring::RSA_PKCS1_2048_8192_SHA512,
];

/// Authorities whose certificates are trusted, and what they revoked.
#[derive(Debug, Default)]
pub struct Anchors {
    anchors: Vec<TrustAnchor<'static>>,
    revoked: Vec<CertRevocationList<'static>>,
}

/// Fault of an authority's certificate or revocation list, by its place from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnchorError {
    /// This one is no certificate of an authority.
    Certificate(usize),
    /// This one is no revocation list.
    RevocationList(usize),
}

impl fmt::Display for AnchorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AnchorError::Certificate(at) => write!(f, "certificate {} is not one of an authority", at + 1),
            AnchorError::RevocationList(at) => write!(f, "revocation list {} cannot be read", at + 1),
        }
    }
}

impl std::error::Error for AnchorError {}

impl Anchors {
    /// Authorities by their certificates, and revocation lists of theirs, all in DER.
    ///
    /// # Errors
    /// The first one that cannot be read.
    pub fn new(certificates: &[Vec<u8>], revoked: &[Vec<u8>]) -> Result<Anchors, AnchorError> {
        let anchor = |(at, der): (usize, &Vec<u8>)| {
            let der = CertificateDer::from(der.as_slice());
            let anchor = webpki::anchor_from_trusted_cert(&der);
            anchor
                .map(|anchor| anchor.to_owned())
                .map_err(|_| AnchorError::Certificate(at))
        };
        let list = |(at, der): (usize, &Vec<u8>)| {
            let list = BorrowedCertRevocationList::from_der(der).and_then(|list| list.to_owned());
            list.map(CertRevocationList::Owned)
                .map_err(|_| AnchorError::RevocationList(at))
        };
        Ok(Anchors {
            anchors: certificates
                .iter()
                .enumerate()
                .map(anchor)
                .collect::<Result<_, _>>()?,
            revoked: revoked.iter().enumerate().map(list).collect::<Result<_, _>>()?,
        })
    }

    /// True if nobody is trusted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.anchors.is_empty()
    }

    /// Finds out whether a chain is valid now and leads to one of the authorities.
    pub(super) fn admit(&self, chain: &Chain, now: Time) -> Result<(), Flaw> {
        let (leaf, others) = chain.0.split_first().ok_or(Flaw::Untrusted)?;
        let leaf = EndEntityCert::try_from(leaf).map_err(|_| Flaw::Untrusted)?;
        let revoked: Vec<&CertRevocationList<'_>> = self.revoked.iter().collect();
        let revocation = RevocationOptionsBuilder::new(&revoked).ok().map(|options| {
            // A list of one authority says nothing about the certificates of another.
            options
                .with_depth(RevocationCheckDepth::Chain)
                .with_status_policy(UnknownStatusPolicy::Allow)
                .build()
        });
        let time = UnixTime::since_unix_epoch(Duration::from_micros(now.as_micros()));
        let usage = KeyUsage::client_auth();
        match leaf.verify_for_usage(ALGORITHMS, &self.anchors, others, time, usage, revocation, None) {
            Ok(_) => Ok(()),
            Err(webpki::Error::CertExpired { .. } | webpki::Error::CertNotValidYet { .. }) => {
                Err(Flaw::Expired)
            }
            Err(webpki::Error::CertRevoked) => Err(Flaw::Revoked),
            Err(_) => Err(Flaw::Untrusted),
        }
    }
}

/// A certificate and those above it, the signer's first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Chain(Vec<CertificateDer<'static>>);

/// Beginning of a P-256 key in DER (RFC 5480 §2): algorithm, curve, and the octets before an uncompressed point.
const P256: &[u8] = &[
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86,
    0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];

impl Chain {
    /// Reads a chain in PEM (RFC 8555 §9.1), or one certificate in DER. `None`: it is neither.
    pub(crate) fn parse(data: &[u8]) -> Option<Chain> {
        let certificates = match data.first() {
            Some(0x30) => vec![CertificateDer::from(data.to_vec())],
            _ => CertificateDer::pem_slice_iter(data)
                .take(LONGEST)
                .collect::<Result<_, _>>()
                .ok()?,
        };
        let leaf: &CertificateDer<'_> = certificates.first()?;
        EndEntityCert::try_from(leaf).ok()?;
        Some(Chain(certificates))
    }

    /// Finds out whether the key of the signer's certificate made that signature.
    pub(super) fn made(&self, signed: &str, signature: &[u8]) -> Result<(), Flaw> {
        let leaf = self.0.first().and_then(|leaf| EndEntityCert::try_from(leaf).ok());
        let key = leaf.ok_or(Flaw::Untrusted)?.subject_public_key_info();
        let point = key.strip_prefix(P256).ok_or(Flaw::Algorithm)?;
        let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point);
        key.verify(signed.as_bytes(), signature)
            .map_err(|_| Flaw::Signature)
    }

    /// TN authorization list of the signer's certificate; `None`: it has none.
    pub(super) fn authority(&self) -> Result<Option<Authority>, Flaw> {
        match self.0.first().and_then(|leaf| Authority::of(leaf)) {
            None => Ok(None),
            Some(Some(authority)) => Ok(Some(authority)),
            Some(None) => Err(Flaw::Untrusted),
        }
    }
}
