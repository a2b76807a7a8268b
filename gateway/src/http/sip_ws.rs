//! `GET /ws`: SIP over WebSocket (RFC 7118).

use axum::body::Body;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use sip_stack::transport::{Home, ws};

use super::{Ends, Http};
use crate::auth::sentry::Refused;

/// 101, and SIP from then on; 400, 403 or 426 when the handshake is not for us, 503 when there are too many connections.
pub(super) async fn upgrade(
    State(http): State<Http>,
    ConnectInfo(ends): ConnectInfo<Ends>,
    mut request: Request,
) -> Response {
    let client = http.sentry.client(ends.remote, request.headers());
    let refused = |status: StatusCode, reason: &'static str| {
        http.sentry.refused(Refused {
            peer: client,
            method: "WEBSOCKET",
            user: "",
            code: Some(status.as_u16()),
            reason,
        });
    };
    if http.sentry.is_silenced(client.ip()) {
        refused(StatusCode::FORBIDDEN, "banned");
        return (StatusCode::FORBIDDEN, "this address is banned").into_response();
    }
    let answer = match ws::upgrade(&request, ends.remote.ip(), &http.policy) {
        Ok(answer) => answer,
        Err(refusal) => {
            if refusal.status == StatusCode::FORBIDDEN {
                refused(refusal.status, "foreign-origin");
            }
            return (refusal.status, refusal.reason).into_response();
        }
    };
    let Some(upgraded) = request.extensions_mut().remove::<OnUpgrade>() else {
        return (StatusCode::UPGRADE_REQUIRED, "this connection cannot be upgraded").into_response();
    };
    let Some(admission) = http.acceptor.admit() else {
        return (StatusCode::SERVICE_UNAVAILABLE, "too many connections").into_response();
    };
    let acceptor = http.acceptor.clone();
    let runtime = acceptor.runtime().clone();
    if let Some(home) = request.extensions().get::<Home>() {
        home.set(&runtime);
    }
    // The task ends with its connection, and the connection with the driver.
    runtime.spawn(async move {
        match upgraded.await {
            Ok(stream) => {
                acceptor
                    .serve(admission, TokioIo::new(stream), client, ends.local, ends.secure)
                    .await;
            }
            Err(error) => tracing::debug!(%error, "WebSocket upgrade"),
        }
    });
    answer.map(|()| Body::empty())
}
