//! Certificates of the listeners.

use std::sync::Arc;

use sip_stack::transport::tls::{Certificate, PeersTls};

use super::error::{ServeError, failed};
use crate::config::{Config, Tls};
use crate::reload::Certificates;

/// Reads the certificates that a configuration names.
pub(super) fn certificates(config: &Config) -> Result<Certificates, ServeError> {
    let trunks = Arc::<PeersTls>::default();
    trunks.replace(config.trunks_tls().map_err(ServeError)?);
    Ok(Certificates {
        http: certificate(config.http.tls.as_ref())?,
        sip: certificate(config.sip.identity.as_ref())?,
        trunks,
    })
}

fn certificate(files: Option<&Tls>) -> Result<Option<Arc<Certificate>>, ServeError> {
    match files {
        Some(files) => Ok(Some(Certificate::new(files.key_pair().map_err(ServeError)?))),
        None => Ok(None),
    }
}

/// TLS of a listener that speaks the protocols `alpn`.
pub(super) fn server(
    certificate: &Arc<Certificate>,
    alpn: &[&str],
) -> Result<Arc<rustls::ServerConfig>, ServeError> {
    certificate
        .server_config(alpn)
        .map_err(|error| failed("TLS", error))
}
