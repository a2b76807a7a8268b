//! Certificates of those who sign calls, fetched over HTTPS from addresses that strangers name: nothing inside of our own network is
//! asked, no redirection is followed, and an answer has its limits of size and time.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::header::{CACHE_CONTROL, HOST, HeaderMap};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use rustls_pki_types::ServerName;
use session_core::stir::{CertificateUrl, FetchError, Fetched};
use tokio::net::TcpStream;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio_rustls::TlsConnector;

use crate::dns::{self, Records as _};
use crate::transport::tls::ClientTls;

/// Largest answer, octets.
const LARGEST: usize = 64 * 1024;
/// Time for a whole answer.
const LIMIT: Duration = Duration::from_secs(2);
/// Answers that may wait for the task: as many as are asked for at a time.
const ANSWERS: usize = 32;

/// Settings for fetching certificates.
#[derive(Clone, Debug, Default)]
pub struct FetchSettings {
    /// Authorities of HTTPS; `None`: nothing is fetched.
    pub tls: Option<Arc<ClientTls>>,
    /// True if hosts inside of our own network, or this one, may be asked.
    pub private: bool,
}

/// Certificates that are being fetched, each by a task.
pub(crate) struct Fetcher {
    settings: FetchSettings,
    dns: Arc<dns::System>,
    runtime: Handle,
    sender: mpsc::Sender<Answer>,
    pub(crate) answers: mpsc::Receiver<Answer>,
}

/// Answer for an address.
pub(crate) type Answer = (CertificateUrl, Result<Fetched, FetchError>);

impl Fetcher {
    /// A fetcher whose tasks run on `runtime`.
    pub(crate) fn new(settings: FetchSettings, dns: Arc<dns::System>, runtime: Handle) -> Fetcher {
        let (sender, answers) = mpsc::channel(ANSWERS);
        Fetcher {
            settings,
            dns,
            runtime,
            sender,
            answers,
        }
    }

    /// Fetches a certificate; the answer comes among `answers`.
    pub(crate) fn fetch(&self, url: CertificateUrl) {
        let (settings, dns, sender) = (self.settings.clone(), self.dns.clone(), self.sender.clone());
        self.runtime.spawn(async move {
            let answer = tokio::time::timeout(LIMIT, fetch(&url, &settings, &dns)).await;
            let answer = answer.unwrap_or(Err(FetchError::Slow));
            if let Err(error) = &answer {
                tracing::info!(
                    host = url.host(),
                    ?error,
                    "a certificate for signed calls was not fetched"
                );
            }
            let _ = sender.send((url, answer)).await;
        });
    }
}

async fn fetch(
    url: &CertificateUrl,
    settings: &FetchSettings,
    dns: &dns::System,
) -> Result<Fetched, FetchError> {
    let tls = settings.tls.as_ref().ok_or(FetchError::Forbidden)?;
    let address = address(url, settings.private, dns).await?;
    let name = url
        .host()
        .trim_start_matches('[')
        .trim_end_matches(']')
        .to_owned();
    let name = ServerName::try_from(name).map_err(|_| FetchError::Forbidden)?;
    let failed = |error: std::io::Error| {
        tracing::debug!(%error, %address, "no connection to fetch a certificate");
        FetchError::Failed
    };
    let stream = TcpStream::connect(address).await.map_err(failed)?;
    let stream = TlsConnector::from(tls.rustls())
        .connect(name, stream)
        .await
        .map_err(failed)?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|_| FetchError::Failed)?;
    let asked = async {
        let request = Request::get(url.path())
            .header(HOST, host_field(url))
            .header(
                "accept",
                "application/pem-certificate-chain, application/pkix-cert",
            )
            .body(Empty::<Bytes>::new())
            .map_err(|_| FetchError::Forbidden)?;
        let response = sender
            .send_request(request)
            .await
            .map_err(|_| FetchError::Failed)?;
        if response.status() != StatusCode::OK {
            return Err(FetchError::Failed);
        }
        let fresh_for = fresh_for(response.headers());
        let body = Limited::new(response.into_body(), LARGEST).collect().await;
        let data = body.map_err(|_| FetchError::TooLarge)?.to_bytes();
        Ok(Fetched { data, fresh_for })
    };
    tokio::pin!(asked);
    tokio::pin!(connection);
    tokio::select! {
        answer = &mut asked => answer,
        // A server may close at the end of its answer.
        _ = &mut connection => asked.await,
    }
}

/// Address to connect to: of those that the host has, the first that may be asked.
async fn address(url: &CertificateUrl, private: bool, dns: &dns::System) -> Result<SocketAddr, FetchError> {
    let found = match url.ip() {
        Some(ip) => vec![ip],
        None => dns.addresses(url.host()).await.records,
    };
    if found.is_empty() {
        return Err(FetchError::Failed);
    }
    let mut allowed = found.into_iter().filter(|ip| private || is_public(*ip));
    let ip = allowed.next().ok_or(FetchError::Forbidden)?;
    Ok(SocketAddr::new(ip, url.port()))
}

/// True for an address of the public internet (IANA's registries of special-purpose addresses, RFC 6890).
fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => {
            let [a, b, c, _] = ip.octets();
            let is_special = ip.is_private()
                || ip.is_loopback()
                || ip.is_link_local()
                || ip.is_documentation()
                || ip.is_multicast()
                || a == 0
                || a >= 240
                || (a == 100 && (64..128).contains(&b))
                || (a == 192 && b == 0 && c == 0)
                || (a == 198 && (18..20).contains(&b));
            !is_special
        }
        IpAddr::V6(ip) => {
            let segments = ip.segments();
            // 2000::/3 without Teredo, 6to4 and documentation. A translated address (64:ff9b::/96) leads to an IPv4 one, any at all.
            let is_global = segments[0] & 0xe000 == 0x2000;
            let is_special = (segments[0] == 0x2001 && (segments[1] == 0 || segments[1] == 0xdb8))
                || segments[0] == 0x2002
                || (segments[0] == 0x3fff && segments[1] < 0x1000);
            is_global && !is_special
        }
    }
}

/// `Host` of a request (RFC 9110 §7.2).
fn host_field(url: &CertificateUrl) -> String {
    match url.port() {
        443 => url.host().to_owned(),
        port => format!("{}:{port}", url.host()),
    }
}

/// Time that an answer may be used for (RFC 9111 §5.2.2).
fn fresh_for(headers: &HeaderMap) -> Option<Duration> {
    let values = headers
        .get_all(CACHE_CONTROL)
        .iter()
        .filter_map(|value| value.to_str().ok());
    let mut fresh = None;
    for directive in values.flat_map(|value| value.split(',')).map(str::trim) {
        let (name, value) = directive.split_once('=').unwrap_or((directive, ""));
        match name.to_ascii_lowercase().as_str() {
            "no-store" | "no-cache" => return Some(Duration::ZERO),
            "max-age" => fresh = value.trim_matches('"').parse().ok().map(Duration::from_secs),
            _ => {}
        }
    }
    fresh
}

#[cfg(test)]
mod tests;
