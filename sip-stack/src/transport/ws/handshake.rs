//! The HTTP side of a WebSocket: who may upgrade, and the answer (RFC 6455 §4, RFC 7118 §4.1).

use std::fmt;
use std::net::IpAddr;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio_tungstenite::tungstenite::Error;
use tokio_tungstenite::tungstenite::client::ClientRequestBuilder;
use tokio_tungstenite::tungstenite::handshake::server::{
    ErrorResponse, Request as ServerRequest, Response as ServerResponse, create_response_with_body,
};
use tokio_tungstenite::tungstenite::http::header::{HeaderValue, SEC_WEBSOCKET_PROTOCOL};
use tokio_tungstenite::tungstenite::http::{HeaderMap, Request, Response, StatusCode};
use tokio_tungstenite::{accept_hdr_async_with_config, client_async_with_config};

use super::{Origins, Socket, config};

/// The subprotocol of RFC 7118.
const SIP: &str = "sip";

/// Rule for who may open a WebSocket.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    /// Sites whose pages may open one.
    pub origins: Origins,
}

/// Why a WebSocket was refused: to be sent as an HTTP response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// 400, 403 or 426.
    pub status: StatusCode,
    /// For the body of the response.
    pub reason: &'static str,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.status, self.reason)
    }
}

impl std::error::Error for Refusal {}

/// Answers an HTTP request for SIP over WebSocket: status 101 with all headers, body empty. After it is sent,
/// the connection goes to [`Acceptor::serve`](super::Acceptor::serve).
///
/// # Errors
/// The request is not a handshake for SIP, or comes from a page that may not connect.
pub fn upgrade<B>(request: &Request<B>, peer: IpAddr, policy: &Policy) -> Result<Response<()>, Refusal> {
    check(request.headers(), peer, policy)?;
    let mut response = create_response_with_body(request, || ()).map_err(|_| Refusal {
        status: StatusCode::UPGRADE_REQUIRED,
        reason: "not a WebSocket handshake",
    })?;
    response
        .headers_mut()
        .insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(SIP));
    Ok(response)
}

fn check(headers: &HeaderMap, peer: IpAddr, policy: &Policy) -> Result<(), Refusal> {
    if !policy.origins.allow(headers, peer) {
        return Err(Refusal {
            status: StatusCode::FORBIDDEN,
            reason: "pages of this origin may not connect: list it under `origins`",
        });
    }
    let offered = headers.get_all(SEC_WEBSOCKET_PROTOCOL);
    let mut names = offered
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','));
    if names.any(|name| name.trim().eq_ignore_ascii_case(SIP)) {
        Ok(())
    } else {
        Err(Refusal {
            status: StatusCode::BAD_REQUEST,
            reason: "subprotocol sip is missing (RFC 7118)",
        })
    }
}

/// The handshake on a listener of our own.
pub(in super::super) async fn accept<S>(stream: S, peer: IpAddr, policy: Policy) -> Result<Socket<S>, Error>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    // The type of the error is the library's own.
    #[allow(clippy::result_large_err)]
    let callback = move |request: &ServerRequest, mut response: ServerResponse| {
        check(request.headers(), peer, &policy).map_err(|refusal| {
            let mut error = ErrorResponse::new(Some(refusal.reason.to_owned()));
            *error.status_mut() = refusal.status;
            error
        })?;
        response
            .headers_mut()
            .insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(SIP));
        Ok(response)
    };
    accept_hdr_async_with_config(stream, callback, Some(config())).await
}

/// The handshake of a client.
pub(in super::super) async fn connect<S>(
    stream: S,
    authority: &str,
    path: &str,
    secure: bool,
) -> Result<Socket<S>, String>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let scheme = if secure { "wss" } else { "ws" };
    let uri = format!("{scheme}://{authority}{path}")
        .parse()
        .map_err(|e| format!("{authority}{path}: {e}"))?;
    let request = ClientRequestBuilder::new(uri).with_sub_protocol(SIP);
    let (socket, _) = client_async_with_config(request, stream, Some(config()))
        .await
        .map_err(|error| error.to_string())?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(headers: &[(&str, &str)]) -> Request<()> {
        let mut builder = Request::builder()
            .uri("/ws")
            .header("connection", "keep-alive, Upgrade")
            .header("upgrade", "websocket")
            .header("sec-websocket-version", "13")
            .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
        for (name, value) in headers {
            builder = builder.header(*name, *value);
        }
        builder.body(()).expect("request")
    }

    const PEER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 7));

    #[test]
    fn answers_with_the_key_and_the_subprotocol() {
        let response = upgrade(
            &request(&[("sec-websocket-protocol", "foo, sip")]),
            PEER,
            &Policy::default(),
        )
        .expect("accepted");
        assert_eq!(response.status(), StatusCode::SWITCHING_PROTOCOLS);
        assert_eq!(
            response.headers()["sec-websocket-accept"],
            "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
        );
        assert_eq!(response.headers()["sec-websocket-protocol"], "sip");
    }

    #[test]
    fn refuses_other_subprotocols_other_origins_and_plain_requests() {
        let policy = Policy {
            origins: Origins::new(vec!["https://phone.example".to_owned()]),
        };
        let status =
            |request: &Request<()>| upgrade(request, PEER, &policy).map(|_| ()).map_err(|r| r.status);
        assert_eq!(status(&request(&[])), Err(StatusCode::BAD_REQUEST));
        assert_eq!(
            status(&request(&[("sec-websocket-protocol", "mqtt")])),
            Err(StatusCode::BAD_REQUEST)
        );
        let sip = ("sec-websocket-protocol", "sip");
        assert_eq!(status(&request(&[sip])), Ok(()));
        assert_eq!(
            status(&request(&[sip, ("origin", "https://evil.test")])),
            Err(StatusCode::FORBIDDEN)
        );
        assert_eq!(
            status(&request(&[sip, ("origin", "https://phone.example")])),
            Ok(())
        );
        let plain = Request::builder()
            .uri("/ws")
            .header(sip.0, sip.1)
            .body(())
            .expect("request");
        assert_eq!(status(&plain), Err(StatusCode::UPGRADE_REQUIRED));
    }
}
