//! Certificates and the two configurations of rustls. ring is the only provider of cryptography.

mod peers;

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use rustls::client::ResolvesClientCert;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{ClientHello, ResolvesServerCert, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, ServerConfig, SignatureScheme};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};

pub use peers::{PeerTls, PeersTls};

/// Why certificates cannot be used.
#[derive(Debug)]
pub enum TlsError {
    /// No certificate where one was expected, or one that cannot be read.
    Certificate(String),
    /// No private key where one was expected, or one that cannot be read.
    Key(String),
    /// The two do not belong together, or use an algorithm that is not supported.
    Unusable(rustls::Error),
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TlsError::Certificate(what) => write!(f, "certificate: {what}"),
            TlsError::Key(what) => write!(f, "private key: {what}"),
            TlsError::Unusable(error) => write!(f, "certificate and key: {error}"),
        }
    }
}

impl std::error::Error for TlsError {}

/// Configuration of listeners: a certificate chain and its key in PEM. `alpn` is offered to HTTP clients,
/// e.g. `http/1.1`; empty for SIP.
pub fn server_config(chain: &[u8], key: &[u8], alpn: &[&str]) -> Result<Arc<ServerConfig>, TlsError> {
    Certificate::new(KeyPair::read(chain, key)?).server_config(alpn, None)
}

/// Authorities whose word is taken for clients of a listener. A client may show no certificate; one that shows a certificate that they
/// do not vouch for gets no connection.
#[derive(Clone, Debug)]
pub struct ClientAuthorities(Arc<dyn ClientCertVerifier>);

impl ClientAuthorities {
    /// These (PEM) and no others.
    ///
    /// # Errors
    /// They cannot be read, or there are none.
    pub fn new(pem: &[u8]) -> Result<ClientAuthorities, TlsError> {
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots(pem)?), provider())
            .allow_unauthenticated()
            .build()
            .map_err(|error| TlsError::Certificate(error.to_string()))?;
        Ok(ClientAuthorities(verifier))
    }
}

/// Names of a peer that showed a certificate which was checked: DNS names, and hosts of SIP URIs without a user (RFC 5922 §7.1).
pub(super) fn names(certificate: &CertificateDer<'_>) -> Vec<String> {
    let Ok(certificate) = webpki::EndEntityCert::try_from(certificate) else {
        return Vec::new();
    };
    let dns = certificate.valid_dns_names();
    let uris = certificate
        .valid_uri_names()
        .filter_map(|uri| uri.strip_prefix("sip:"))
        .filter(|host| !host.contains('@'));
    dns.chain(uris).map(str::to_ascii_lowercase).collect()
}

/// A certificate chain and the key that belongs to it.
#[derive(Clone, Debug)]
pub struct KeyPair(Arc<CertifiedKey>);

impl KeyPair {
    /// Reads PEM: the chain, leaf first, and the key.
    ///
    /// # Errors
    /// One of the two cannot be read, or they do not belong together.
    pub fn read(chain: &[u8], key: &[u8]) -> Result<KeyPair, TlsError> {
        let chain = certificates(chain)?;
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|e| TlsError::Key(e.to_string()))?;
        let pair = CertifiedKey::from_der(chain, key, &provider()).map_err(TlsError::Unusable)?;
        Ok(KeyPair(Arc::new(pair)))
    }
}

/// The certificate of listeners, which can be replaced while they run: open connections stay, new ones get
/// the new one.
#[derive(Debug)]
pub struct Certificate(RwLock<KeyPair>);

impl Certificate {
    /// Starts with this certificate.
    #[must_use]
    pub fn new(pair: KeyPair) -> Arc<Certificate> {
        Arc::new(Certificate(RwLock::new(pair)))
    }

    /// Replaces the certificate from now on.
    pub fn replace(&self, pair: KeyPair) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = pair;
    }

    /// The configuration of a listener; `alpn` as in [`server_config`]. Clients are asked for a certificate if there are authorities for it.
    ///
    /// # Errors
    /// The provider of cryptography cannot serve TLS.
    pub fn server_config(
        self: &Arc<Self>,
        alpn: &[&str],
        clients: Option<&ClientAuthorities>,
    ) -> Result<Arc<ServerConfig>, TlsError> {
        let resolver: Arc<dyn ResolvesServerCert> = Arc::clone(self) as _;
        let builder = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(TlsError::Unusable)?;
        let builder = match clients {
            Some(ClientAuthorities(verifier)) => builder.with_client_cert_verifier(Arc::clone(verifier)),
            None => builder.with_no_client_auth(),
        };
        let mut config = builder.with_cert_resolver(resolver);
        config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        Ok(Arc::new(config))
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let pair = self.0.read().unwrap_or_else(PoisonError::into_inner);
        Some(Arc::clone(&pair.0))
    }
}

/// Trusted certificates for our connections over TLS, and our own where the peer asks for it.
#[derive(Clone, Debug)]
pub struct ClientTls {
    config: Arc<ClientConfig>,
}

/// Authorities whose word is taken for a peer.
#[derive(Clone, Copy, Debug)]
pub enum Trust<'a> {
    /// Those that this system trusts.
    System,
    /// These (PEM) and no others.
    Authorities(&'a [u8]),
    /// Anybody: encryption without knowing with whom. For a laboratory, or a trunk on a private line.
    Anybody,
}

impl ClientTls {
    /// Configuration for rustls.
    pub(crate) fn rustls(&self) -> Arc<ClientConfig> {
        Arc::clone(&self.config)
    }

    /// Trusts these; `identity` is shown to a peer that asks for a certificate (mutual TLS).
    ///
    /// # Errors
    /// The authorities cannot be read, or there are none.
    pub fn new(trust: Trust<'_>, identity: Option<KeyPair>) -> Result<ClientTls, TlsError> {
        let builder = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(TlsError::Unusable)?;
        let builder = match trust {
            Trust::System => builder.with_root_certificates(of_system()?),
            Trust::Authorities(pem) => builder.with_root_certificates(roots(pem)?),
            Trust::Anybody => builder
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(Anybody(provider()))),
        };
        let config = match identity {
            Some(KeyPair(pair)) => builder.with_client_cert_resolver(Arc::new(Shown(pair))),
            None => builder.with_no_client_auth(),
        };
        Ok(ClientTls {
            config: Arc::new(config),
        })
    }

    /// The authorities that this system trusts.
    pub fn system() -> Result<ClientTls, TlsError> {
        ClientTls::new(Trust::System, None)
    }

    /// These authorities (PEM) and no others.
    pub fn authorities(pem: &[u8]) -> Result<ClientTls, TlsError> {
        ClientTls::new(Trust::Authorities(pem), None)
    }

    /// Anybody: encryption without knowing with whom. For a laboratory, or a trunk on a private line.
    pub fn unverified() -> Result<ClientTls, TlsError> {
        ClientTls::new(Trust::Anybody, None)
    }

    pub(super) fn config(&self) -> Arc<ClientConfig> {
        Arc::clone(&self.config)
    }
}

fn of_system() -> Result<RootCertStore, TlsError> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    let (added, _) = roots.add_parsable_certificates(found.certs);
    if added == 0 {
        let why = found
            .errors
            .first()
            .map_or_else(|| "none found".to_owned(), ToString::to_string);
        return Err(TlsError::Certificate(format!("authorities of the system: {why}")));
    }
    Ok(roots)
}

fn roots(pem: &[u8]) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(pem)? {
        roots.add(certificate).map_err(TlsError::Unusable)?;
    }
    Ok(roots)
}

/// Our certificate, for whoever asks for one.
#[derive(Debug)]
struct Shown(Arc<CertifiedKey>);

impl ResolvesClientCert for Shown {
    fn resolve(&self, _: &[&[u8]], schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.0.key.choose_scheme(schemes)?;
        Some(Arc::clone(&self.0))
    }

    fn has_certs(&self) -> bool {
        true
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<_, _>>()
        .map_err(|e| TlsError::Certificate(e.to_string()))?;
    if chain.is_empty() {
        return Err(TlsError::Certificate("no PEM block CERTIFICATE found".into()));
    }
    Ok(chain)
}

/// Takes any certificate, but wants the peer to own its key.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
