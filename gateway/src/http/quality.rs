//! `GET /api/v1/calls/{Call-ID}/quality`: how a live call sounds at the gateway, leg by leg.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use tokio::sync::oneshot;

use super::Http;
use crate::switch::{CallQuality, Request};

/// Sound quality of a live call at the gateway, leg by leg.
///
/// Anybody who knows the SIP Call-ID of one of its legs may ask.
#[utoipa::path(get, path = "/api/v1/calls/{id}/quality", operation_id = "getCallQuality", tag = "call", security(()),
    params(("id" = String, Path, description = "SIP Call-ID of a leg")),
    responses((status = 200, body = CallQuality),
        (status = 404, description = "`not-found`: no live call has that Call-ID"),
        (status = 503, description = "`busy`")))]
pub(super) async fn get(State(http): State<Http>, Path(call_id): Path<String>) -> Response {
    let (reply, answer) = oneshot::channel();
    if http
        .stack
        .try_request(Request::Quality { call_id, reply })
        .is_err()
    {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    match answer.await {
        Ok(Some(quality)) => Json(quality).into_response(),
        Ok(None) => StatusCode::NOT_FOUND.into_response(),
        Err(_) => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}
