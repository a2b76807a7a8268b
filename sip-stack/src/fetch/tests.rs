//! Fetching from servers on loopback, and what is not asked at all.

use rcgen::{CertificateParams, KeyPair};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::transport::tls::server_config;

/// A server on loopback that answers one request with this; its certificate, and its address.
async fn server(answer: Vec<u8>) -> (String, SocketAddr) {
    let key = KeyPair::generate().expect("key");
    let params =
        CertificateParams::new(vec!["localhost".to_owned(), "127.0.0.1".to_owned()]).expect("parameters");
    let certificate = params.self_signed(&key).expect("certificate").pem();
    let config = server_config(certificate.as_bytes(), key.serialize_pem().as_bytes(), &[]).expect("TLS");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.expect("a client");
        let Ok(mut stream) = TlsAcceptor::from(config).accept(stream).await else {
            return;
        };
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            request.push(stream.read_u8().await.expect("a request"));
        }
        assert!(request.starts_with(b"GET /sp.pem?v=1 HTTP/1.1\r\n"));
        let _ = stream.write_all(&answer).await;
        let _ = stream.shutdown().await;
    });
    (certificate, address)
}

/// Answer for the server's address, if it is asked by whoever trusts this certificate.
async fn asked(trusted: &str, address: SocketAddr, private: bool) -> Result<Fetched, FetchError> {
    let tls = ClientTls::authorities(trusted.as_bytes()).expect("TLS");
    let settings = FetchSettings {
        tls: Some(Arc::new(tls)),
        private,
    };
    let url = format!("https://127.0.0.1:{}/sp.pem?v=1", address.port());
    let url = CertificateUrl::parse(&url).expect("an address");
    fetch(&url, &settings, &dns::System::new()).await
}

#[tokio::test]
async fn a_certificate_is_fetched_with_the_time_that_it_may_be_used_for() {
    for answer in [
        "HTTP/1.1 200 OK\r\nCache-Control: max-age=600\r\nContent-Length: 3\r\n\r\nPEM",
        "HTTP/1.1 200 OK\r\ncache-control: public, max-age=600\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nP\r\n2\r\nEM\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nCache-Control: max-age=600\r\nConnection: close\r\n\r\nPEM",
    ] {
        let (certificate, address) = server(answer.into()).await;
        let expected = Fetched {
            data: Bytes::from_static(b"PEM"),
            fresh_for: Some(Duration::from_secs(600)),
        };
        assert_eq!(asked(&certificate, address, true).await, Ok(expected), "{answer}");
    }
}

#[tokio::test]
async fn redirections_errors_and_answers_without_end_are_no_certificates() {
    let large = [
        b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n".to_vec(),
        vec![b'x'; LARGEST + 1],
    ]
    .concat();
    for (answer, error) in [
        (
            b"HTTP/1.1 302 Found\r\nLocation: https://127.0.0.1/\r\nContent-Length: 0\r\n\r\n".to_vec(),
            FetchError::Failed,
        ),
        (
            b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_vec(),
            FetchError::Failed,
        ),
        (b"SSH-2.0-x\r\n".to_vec(), FetchError::Failed),
        (Vec::new(), FetchError::Failed),
        (large, FetchError::TooLarge),
    ] {
        let (certificate, address) = server(answer).await;
        assert_eq!(asked(&certificate, address, true).await, Err(error));
    }
}

#[tokio::test]
async fn nothing_on_this_host_is_asked_and_no_server_that_is_not_trusted() {
    let (certificate, address) = server(Vec::new()).await;
    assert_eq!(
        asked(&certificate, address, false).await,
        Err(FetchError::Forbidden)
    );
    let (_, address) = server(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".to_vec()).await;
    assert_eq!(asked(&certificate, address, true).await, Err(FetchError::Failed));
}

#[test]
fn addresses_inside_of_a_network_are_not_public() {
    for ip in [
        "127.0.0.1",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "255.255.255.255",
        "192.0.2.1",
        "198.18.0.1",
        "192.0.0.8",
        "240.0.0.1",
        "::1",
        "::",
        "fe80::1",
        "fd00::1",
        "::ffff:127.0.0.1",
        "::ffff:8.8.8.8",
        "64:ff9b::7f00:1",
        "2002:7f00:1::",
        "2001:db8::1",
        "ff02::1",
        "2001::1",
    ] {
        assert!(!is_public(ip.parse().expect("address")), "{ip}");
    }
    for ip in [
        "8.8.8.8",
        "193.0.6.139",
        "100.63.0.1",
        "100.128.0.1",
        "2606:4700::1111",
        "2a00:1450::1",
    ] {
        assert!(is_public(ip.parse().expect("address")), "{ip}");
    }
}

#[test]
fn an_answer_says_how_long_it_may_be_used() {
    let of = |value: &str| {
        let mut headers = HeaderMap::new();
        headers.insert(CACHE_CONTROL, value.parse().expect("value"));
        fresh_for(&headers)
    };
    assert_eq!(of("public, Max-Age=600"), Some(Duration::from_secs(600)));
    assert_eq!(of("max-age=600, no-store"), Some(Duration::ZERO));
    assert_eq!(of("max-age=never"), None);
    assert_eq!(fresh_for(&HeaderMap::new()), None);
}
