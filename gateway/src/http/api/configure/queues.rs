//! Settings of queues; `live` shows what happens in them.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use serde::Serialize;
use utoipa::ToSchema;

use super::super::Api;
use super::super::extract::{Body, Id};
use super::super::guard::Admin;
use super::super::problem::{Code, Problem};
use super::{IfMatch, Tag, at, change};
use crate::config::Queue;
use crate::provisioning::Kind;

/// A queue that was added.
#[derive(Debug, Serialize, ToSchema)]
pub(in super::super) struct QueueMade {
    /// Permanent id.
    id: String,
    /// Settings of the queue.
    settings: Queue,
}

/// Adds a queue. It takes calls at once: by its name, its number and the dial plan.
#[utoipa::path(post, path = "/queues", operation_id = "createQueue", tag = "admin", request_body = Queue,
    responses((status = 201, body = QueueMade, headers(("ETag" = String, description = "For `If-Match`"), ("Location" = String))),
        (status = 409, description = "`name-taken`, `too-many`")))]
pub(in super::super) async fn post(
    Admin(who): Admin,
    State(api): State<Api>,
    Body(queue): Body<Queue>,
) -> Result<impl IntoResponse, Problem> {
    let now = api.now();
    let (id, _) = change(&api, Code::UnknownQueue, move |provisioning| async move {
        provisioning.put_queue(now, None, queue).await
    })
    .await?;
    tracing::info!(queue = id, by = who.id, "queue added");
    let (tag, Json(settings)) = found(&api, &id)?;
    let at = at("queues", &id);
    Ok((StatusCode::CREATED, at, tag, Json(QueueMade { id, settings })))
}

/// Settings of a queue.
#[utoipa::path(get, path = "/queues/{id}/settings", operation_id = "getQueueSettings", tag = "admin", params(("id" = String, Path, description = "Id of the queue")),
    responses((status = 200, body = Queue, headers(("ETag" = String, description = "For `If-Match`; `\"file\"`: defined in the configuration file"))),
        (status = 404, description = "`unknown-queue`")))]
pub(in super::super) async fn get(
    Admin(_who): Admin,
    State(api): State<Api>,
    Id(id): Id,
) -> Result<impl IntoResponse, Problem> {
    found(&api, &id)
}

/// Replaces the settings of a queue; omitted fields get the defaults of a new queue. Waiting calls stay.
#[utoipa::path(put, path = "/queues/{id}/settings", operation_id = "setQueueSettings", tag = "admin", request_body = Queue,
    params(("id" = String, Path, description = "Id of the queue"),
        ("If-Match" = String, Header, description = "The `ETag` of the object to change")),
    responses((status = 200, body = Queue, headers(("ETag" = String, description = "For `If-Match`"))),
        (status = 404, description = "`unknown-queue`"), (status = 409, description = "`from-file`"),
        (status = 412, description = "`changed`"), (status = 428, description = "`match-required`")))]
pub(in super::super) async fn put(
    Admin(who): Admin,
    State(api): State<Api>,
    Id(id): Id,
    IfMatch(wanted): IfMatch,
    Body(queue): Body<Queue>,
) -> Result<impl IntoResponse, Problem> {
    let (now, of) = (api.now(), id.clone());
    change(&api, Code::UnknownQueue, move |provisioning| async move {
        provisioning.put_queue(now, Some((&of, wanted)), queue).await
    })
    .await?;
    tracing::info!(queue = id, by = who.id, "queue changed");
    found(&api, &id)
}

/// Removes a queue that has no calls.
#[utoipa::path(delete, path = "/queues/{id}", operation_id = "deleteQueue", tag = "admin",
    params(("id" = String, Path, description = "Id of the queue"),
        ("If-Match" = String, Header, description = "The `ETag` of the object to remove")),
    responses((status = 204), (status = 404, description = "`unknown-queue`"),
        (status = 409, description = "`from-file`, `queue-busy`: it has calls, `in-use`: another queue sends calls there"),
        (status = 412, description = "`changed`"), (status = 428, description = "`match-required`")))]
pub(in super::super) async fn delete(
    Admin(who): Admin,
    State(api): State<Api>,
    Id(id): Id,
    IfMatch(wanted): IfMatch,
) -> Result<StatusCode, Problem> {
    let (now, of) = (api.now(), id.clone());
    change(&api, Code::UnknownQueue, move |provisioning| async move {
        provisioning.remove(now, Kind::Queue, &of, wanted).await
    })
    .await?;
    tracing::info!(queue = id, by = who.id, "queue removed");
    Ok(StatusCode::NO_CONTENT)
}

fn found(api: &Api, id: &str) -> Result<(Tag, Json<Queue>), Problem> {
    let (queue, version) = api.service.provisioning().queue(id).ok_or(Code::UnknownQueue)?;
    Ok((Tag(version), Json(queue)))
}
