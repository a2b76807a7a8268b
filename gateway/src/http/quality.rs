//! `GET /api/v1/calls/{Call-ID}/quality`: how a live call sounds at the gateway, leg by leg.

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use tokio::sync::oneshot;
use utoipa::IntoParams;

use super::Http;
use crate::quality::{CallQuality, Inquiry};
use crate::switch::Request;

/// Proof of the client that asks.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Asker {
    /// Tag of the gateway in the dialog with that leg: in `To` of its responses, in `From` of its INVITE
    #[serde(default)]
    tag: String,
}

/// Sound quality of a live call at the gateway, leg by leg.
///
/// The client of a leg may ask: besides the SIP Call-ID, which others may see, it knows the gateway's tag of the dialog.
#[utoipa::path(get, path = "/api/v1/calls/{id}/quality", operation_id = "getCallQuality", tag = "call", security(()),
    params(("id" = String, Path, description = "SIP Call-ID of a leg"), Asker),
    responses((status = 200, body = CallQuality),
        (status = 404, description = "`not-found`: no live call has that Call-ID and tag"),
        (status = 503, description = "`busy`")))]
pub(super) async fn get(
    State(http): State<Http>,
    Path(call_id): Path<String>,
    Query(Asker { tag }): Query<Asker>,
) -> Response {
    let (reply, answer) = oneshot::channel();
    if http
        .stack
        .try_request(Request::Quality(Inquiry { call_id, tag, reply }))
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
