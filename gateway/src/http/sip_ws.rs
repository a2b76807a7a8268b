//! `GET /ws`: SIP over WebSocket (RFC 7118).

use axum::body::Body;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use sip_stack::transport::ws;

use super::{Ends, Http};

/// 101, and SIP from then on; 400, 403 or 426 when the handshake is not for us, 503 when there are too many connections.
pub(super) async fn upgrade(
    State(http): State<Http>,
    ConnectInfo(ends): ConnectInfo<Ends>,
    mut request: Request,
) -> Response {
    let answer = match ws::upgrade(&request, ends.remote.ip(), &http.policy) {
        Ok(answer) => answer,
        Err(refusal) => return (refusal.status, refusal.reason).into_response(),
    };
    let Some(upgraded) = request.extensions_mut().remove::<OnUpgrade>() else {
        return (StatusCode::UPGRADE_REQUIRED, "this connection cannot be upgraded").into_response();
    };
    let Some(admission) = http.acceptor.admit() else {
        return (StatusCode::SERVICE_UNAVAILABLE, "too many connections").into_response();
    };
    let acceptor = http.acceptor.clone();
    // The task ends with its connection, and the connection with the driver.
    tokio::spawn(async move {
        match upgraded.await {
            Ok(stream) => {
                acceptor
                    .serve(
                        admission,
                        TokioIo::new(stream),
                        ends.remote,
                        ends.local,
                        ends.secure,
                    )
                    .await;
            }
            Err(error) => tracing::debug!(%error, "WebSocket upgrade"),
        }
    });
    answer.map(|()| Body::empty())
}
