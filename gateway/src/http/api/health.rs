//! Liveness, and readiness to take calls.

use axum::extract::State;

use super::Api;
use super::problem::{Code, Problem};

/// The gateway answers.
#[utoipa::path(get, path = "/healthz", operation_id = "getHealth", tag = "operation", security(()), responses((status = 200, body = String, content_type = "text/plain; charset=utf-8")))]
pub(super) async fn healthz() -> &'static str {
    "ok\n"
}

/// Readiness: the signalling task accepts requests, and the database can be written.
#[utoipa::path(get, path = "/readyz", operation_id = "getReadiness", tag = "operation", security(()),
    responses((status = 200, body = String, content_type = "text/plain; charset=utf-8"), (status = 503, description = "`busy`; `unavailable`: the database cannot be written, calls go on")))]
pub(super) async fn readyz(State(api): State<Api>) -> Result<&'static str, Problem> {
    if !api.service.signalling().is_ready() {
        return Err(Code::Busy.into());
    }
    if !api.service.archive().is_up() {
        return Err(Problem::store_away());
    }
    Ok("ready\n")
}
