use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use dimpl::{Config, DtlsCertificate};
use ring::digest;

use super::provider::provider;
use crate::negotiated::{Fingerprint, Hash};

/// The first retransmission; doubled each time. RFC 6347 §4.2.4.1 advises a second where nothing is known of the round
/// trip; a caller who waits hears every lost datagram, and browsers begin with these 50 ms, too.
const FIRST_RETRANSMISSION: Duration = Duration::from_millis(50);
/// So many that the time limit ends a handshake, not their number: a flight that the peer repeats counts, too.
const RETRANSMISSIONS: usize = 100;
/// For a whole handshake.
const HANDSHAKE: Duration = Duration::from_secs(30);

/// The certificate that all browser legs of a process show, and the DTLS settings they share. A certificate a call would
/// cost a millisecond each and prove nothing more: a peer believes it through SDP.
pub struct Identity {
    pub(super) config: Arc<Config>,
    pub(super) certificate: DtlsCertificate,
    fingerprint: Fingerprint,
}

/// The operating system gave no randomness, or the primitives fail their known answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentityError(String);

impl Identity {
    /// A new ECDSA P-256 key and a certificate for it that names nobody.
    pub fn generate() -> Result<Identity, IdentityError> {
        Identity::with_seed(None)
    }

    /// For simulations only: what a handshake draws besides its keys, the jitter of its timers too, comes from `seed`, and is
    /// the same for each leg.
    pub fn seeded(seed: u64) -> Result<Identity, IdentityError> {
        Identity::with_seed(Some(seed))
    }

    fn with_seed(seed: Option<u64>) -> Result<Identity, IdentityError> {
        let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).map_err(IdentityError::new)?;
        let mut params = rcgen::CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params
            .distinguished_name
            .push(rcgen::DnType::CommonName, "WebRTC");
        let certificate = params.self_signed(&key).map_err(IdentityError::new)?;
        let config = Config::builder()
            .with_crypto_provider(provider())
            .use_server_cookie(false) // ICE has proven the address; a round trip less
            .flight_start_rto(FIRST_RETRANSMISSION)
            .flight_retries(RETRANSMISSIONS)
            .handshake_timeout(HANDSHAKE);
        let config = match seed {
            Some(seed) => config.dangerously_set_rng_seed(seed),
            None => config,
        };
        let config = config.build().map_err(IdentityError::new)?;
        let certificate = DtlsCertificate {
            certificate: certificate.der().to_vec(),
            private_key: key.serialize_der(),
        };
        let fingerprint = fingerprint(Hash::Sha256, &certificate.certificate);
        Ok(Identity {
            config: Arc::new(config),
            certificate,
            fingerprint,
        })
    }

    /// SHA-256 of the certificate, for `a=fingerprint`.
    #[must_use]
    pub fn fingerprint(&self) -> &Fingerprint {
        &self.fingerprint
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity")
            .field("fingerprint", &self.fingerprint)
            .finish_non_exhaustive()
    }
}

impl IdentityError {
    fn new(error: impl fmt::Display) -> IdentityError {
        IdentityError(error.to_string())
    }
}

impl fmt::Display for IdentityError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no DTLS certificate: {}", self.0)
    }
}

impl std::error::Error for IdentityError {}

/// The hash of a certificate (DER) as `a=fingerprint` has it.
pub(super) fn fingerprint(hash: Hash, certificate: &[u8]) -> Fingerprint {
    let algorithm = match hash {
        Hash::Sha256 => &digest::SHA256,
        Hash::Sha384 => &digest::SHA384,
        Hash::Sha512 => &digest::SHA512,
    };
    Fingerprint {
        hash,
        value: digest::digest(algorithm, certificate).as_ref().to_vec(),
    }
}
