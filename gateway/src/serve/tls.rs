//! Certificates of the listeners.

use std::path::Path;
use std::sync::Arc;

use sip_stack::transport::tls::{Certificate, ClientAuthorities, PeersTls};

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

/// TLS of a listener that speaks the protocols `alpn`, and asks clients for a certificate that an authority in the file vouches for.
pub(super) fn server(
    certificate: &Arc<Certificate>,
    alpn: &[&str],
    client_ca: Option<&Path>,
) -> Result<Arc<rustls::ServerConfig>, ServeError> {
    let clients = client_ca.map(authorities).transpose()?;
    certificate
        .server_config(alpn, clients.as_ref())
        .map_err(|error| failed("TLS", error))
}

fn authorities(file: &Path) -> Result<ClientAuthorities, ServeError> {
    let pem = std::fs::read(file)
        .map_err(|error| ServeError(format!("{} cannot be read: {error}", file.display())))?;
    ClientAuthorities::new(&pem).map_err(|error| failed("sip.client_ca", error))
}
