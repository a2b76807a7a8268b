//! Call handling of users: one's own, and that of others for admins.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use serde::Serialize;
use utoipa::ToSchema;

use super::super::Api;
use super::super::extract::{Body, Id};
use super::super::guard::{Admin, User};
use super::super::problem::{Code, Problem};
use super::{IfMatch, Tag, change};
use crate::config::{CallHandling, Forward};
use crate::provisioning::Match;

/// Call handling of a user as it is in force.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = UserCallHandling)]
pub(in super::super) struct Handling {
    /// True if no phone of the user rings: calls go to the number for `busy`, or are refused (480).
    do_not_disturb: bool,
    /// Forwarding.
    forward: Forward,
    /// True while the configuration file says so, or nobody said anything.
    from_file: bool,
}

/// Forwarding and do not disturb of the user who is signed in.
#[utoipa::path(get, path = "/me/call-handling", operation_id = "getMyCallHandling", tag = "agent",
    responses((status = 200, body = Handling, headers(("ETag" = String, description = "For `If-Match`"))),
        (status = 404, description = "`unknown-user`")))]
pub(in super::super) async fn own(
    User(me): User,
    State(api): State<Api>,
) -> Result<impl IntoResponse, Problem> {
    found(&api, &me.id)
}

/// Replaces them, from the next call on. They count until they are reset, whatever the configuration file says.
#[utoipa::path(put, path = "/me/call-handling", operation_id = "setMyCallHandling", tag = "agent", request_body = CallHandling,
    params(("If-Match" = String, Header, description = "The `ETag` of the object to change")),
    responses((status = 200, body = Handling, headers(("ETag" = String, description = "For `If-Match`"))),
        (status = 404, description = "`unknown-user`"),
        (status = 412, description = "`changed`"), (status = 428, description = "`match-required`")))]
pub(in super::super) async fn put_own(
    User(me): User,
    State(api): State<Api>,
    IfMatch(wanted): IfMatch,
    Body(handling): Body<CallHandling>,
) -> Result<impl IntoResponse, Problem> {
    set(&api, &me.id, (&me.id, wanted), handling).await
}

/// Lets the configuration file say again how one's calls are handled.
#[utoipa::path(delete, path = "/me/call-handling", operation_id = "resetMyCallHandling", tag = "agent",
    params(("If-Match" = String, Header, description = "The `ETag` of the object to reset")),
    responses((status = 204), (status = 404, description = "`unknown-user`"),
        (status = 412, description = "`changed`"), (status = 428, description = "`match-required`")))]
pub(in super::super) async fn reset_own(
    User(me): User,
    State(api): State<Api>,
    IfMatch(wanted): IfMatch,
) -> Result<StatusCode, Problem> {
    reset(&api, &me.id, (&me.id, wanted)).await
}

/// Forwarding and do not disturb of a user. Users of the file without a role have an id as well: `usr_` and the name.
#[utoipa::path(get, path = "/users/{id}/call-handling", operation_id = "getCallHandling", tag = "admin",
    params(("id" = String, Path, description = "Id of the user")),
    responses((status = 200, body = Handling, headers(("ETag" = String, description = "For `If-Match`"))),
        (status = 404, description = "`unknown-user`")))]
pub(in super::super) async fn get(
    Admin(_who): Admin,
    State(api): State<Api>,
    Id(id): Id,
) -> Result<impl IntoResponse, Problem> {
    found(&api, &id)
}

/// Replaces them, from the next call on. They count until they are reset, whatever the configuration file says.
#[utoipa::path(put, path = "/users/{id}/call-handling", operation_id = "setCallHandling", tag = "admin", request_body = CallHandling,
    params(("id" = String, Path, description = "Id of the user"),
        ("If-Match" = String, Header, description = "The `ETag` of the object to change")),
    responses((status = 200, body = Handling, headers(("ETag" = String, description = "For `If-Match`"))),
        (status = 404, description = "`unknown-user`"),
        (status = 412, description = "`changed`"), (status = 428, description = "`match-required`")))]
pub(in super::super) async fn put(
    Admin(who): Admin,
    State(api): State<Api>,
    Id(id): Id,
    IfMatch(wanted): IfMatch,
    Body(handling): Body<CallHandling>,
) -> Result<impl IntoResponse, Problem> {
    set(&api, &who.id, (&id, wanted), handling).await
}

/// Lets the configuration file say again how calls to a user are handled.
#[utoipa::path(delete, path = "/users/{id}/call-handling", operation_id = "resetCallHandling", tag = "admin",
    params(("id" = String, Path, description = "Id of the user"),
        ("If-Match" = String, Header, description = "The `ETag` of the object to reset")),
    responses((status = 204), (status = 404, description = "`unknown-user`"),
        (status = 412, description = "`changed`"), (status = 428, description = "`match-required`")))]
pub(in super::super) async fn delete(
    Admin(who): Admin,
    State(api): State<Api>,
    Id(id): Id,
    IfMatch(wanted): IfMatch,
) -> Result<StatusCode, Problem> {
    reset(&api, &who.id, (&id, wanted)).await
}

async fn set(
    api: &Api,
    by: &str,
    (id, wanted): (&str, Match),
    handling: CallHandling,
) -> Result<(Tag, Json<Handling>), Problem> {
    let (now, user) = (api.now(), id.to_owned());
    change(api, Code::UnknownUser, move |provisioning| async move {
        provisioning
            .put_call_handling(now, (&user, wanted), handling)
            .await
    })
    .await?;
    tracing::info!(user = id, by, "call handling changed");
    found(api, id)
}

async fn reset(api: &Api, by: &str, (id, wanted): (&str, Match)) -> Result<StatusCode, Problem> {
    let (now, user) = (api.now(), id.to_owned());
    change(api, Code::UnknownUser, move |provisioning| async move {
        provisioning.reset_call_handling(now, (&user, wanted)).await
    })
    .await?;
    tracing::info!(user = id, by, "call handling reset");
    Ok(StatusCode::NO_CONTENT)
}

fn found(api: &Api, id: &str) -> Result<(Tag, Json<Handling>), Problem> {
    let known = api.service.provisioning().call_handling(id);
    let (handling, version) = known.ok_or(Code::UnknownUser)?;
    let handling = Handling {
        do_not_disturb: handling.do_not_disturb,
        forward: handling.forward,
        from_file: version.is_none(),
    };
    Ok((Tag(version), Json(handling)))
}
