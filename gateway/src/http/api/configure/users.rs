//! Users, as admins configure them.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use serde::Serialize;
use utoipa::ToSchema;

use super::super::Api;
use super::super::extract::{Body, Id, Params};
use super::super::guard::Admin;
use super::super::list::{List, Part};
use super::super::problem::{Code, Problem};
use super::{IfMatch, Tag, at, change};
use crate::auth::Role;
use crate::config::Work;
use crate::provisioning::{Kind, Person, UserSettings};

/// A user without secrets.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = UserAccount)]
pub(in super::super) struct Account {
    /// Permanent id.
    id: String,
    /// Name that the user signs in and registers with.
    name: String,
    /// Name shown to people.
    display: String,
    /// Roles of the user.
    roles: Vec<Role>,
    /// Settings for taking calls; none without the role `agent`.
    agent: Option<Work>,
    /// True if the user has a password to sign in with.
    has_password: bool,
    /// True if the user has a password for a phone.
    has_sip_password: bool,
    /// True if defined in the configuration file, where the API cannot change it.
    from_file: bool,
}

impl From<&Person> for Account {
    fn from(person: &Person) -> Account {
        Account {
            id: person.id.clone(),
            name: person.name.clone(),
            display: person.display.clone(),
            roles: person.roles.clone(),
            agent: person.agent.clone(),
            has_password: person.signs_in,
            has_sip_password: person.has_phone,
            from_file: person.version.is_none(),
        }
    }
}

/// All users who have a role or were added by the API.
#[utoipa::path(get, path = "/users", operation_id = "listUsers", tag = "admin", params(Part), responses((status = 200, body = List<Account>)))]
pub(in super::super) async fn list(
    Admin(_who): Admin,
    State(api): State<Api>,
    Params(part): Params<Part>,
) -> Result<Json<List<Account>>, Problem> {
    part.of(&api.service.provisioning().people(), |person| {
        Some(Account::from(person))
    })
    .map(Json)
}

/// A user.
#[utoipa::path(get, path = "/users/{id}", operation_id = "getUser", tag = "admin", params(("id" = String, Path, description = "Id of the user")),
    responses((status = 200, body = Account, headers(("ETag" = String, description = "For `If-Match`"))),
        (status = 404, description = "`unknown-user`")))]
pub(in super::super) async fn get(
    Admin(_who): Admin,
    State(api): State<Api>,
    Id(id): Id,
) -> Result<impl IntoResponse, Problem> {
    found(&api, &id)
}

/// Adds a user, who can sign in and take calls at once.
#[utoipa::path(post, path = "/users", operation_id = "createUser", tag = "admin", request_body = UserSettings,
    responses((status = 201, body = Account, headers(("ETag" = String, description = "For `If-Match`"), ("Location" = String))),
        (status = 409, description = "`name-taken`, `too-many`")))]
pub(in super::super) async fn post(
    Admin(who): Admin,
    State(api): State<Api>,
    Body(settings): Body<UserSettings>,
) -> Result<impl IntoResponse, Problem> {
    let now = api.now();
    let (id, _) = change(&api, Code::UnknownUser, move |provisioning| async move {
        provisioning.put_user(now, None, settings).await
    })
    .await?;
    tracing::info!(user = id, by = who.id, "user added");
    Ok((StatusCode::CREATED, at("users", &id), found(&api, &id)?))
}

/// Replaces a user; omitted passwords stay as they are. A new password ends the user's sign-ins.
#[utoipa::path(put, path = "/users/{id}", operation_id = "setUser", tag = "admin", request_body = UserSettings,
    params(("id" = String, Path, description = "Id of the user"),
        ("If-Match" = String, Header, description = "The `ETag` of the object to change")),
    responses((status = 200, body = Account, headers(("ETag" = String, description = "For `If-Match`"))),
        (status = 404, description = "`unknown-user`"),
        (status = 409, description = "`from-file`, `last-admin`, `agent-busy`: it is in a call and would be an agent no longer"),
        (status = 412, description = "`changed`"), (status = 428, description = "`match-required`")))]
pub(in super::super) async fn put(
    Admin(who): Admin,
    State(api): State<Api>,
    Id(id): Id,
    IfMatch(wanted): IfMatch,
    Body(settings): Body<UserSettings>,
) -> Result<impl IntoResponse, Problem> {
    let (now, user) = (api.now(), id.clone());
    change(&api, Code::UnknownUser, move |provisioning| async move {
        provisioning.put_user(now, Some((&user, wanted)), settings).await
    })
    .await?;
    tracing::info!(user = id, by = who.id, "user changed");
    found(&api, &id)
}

/// Removes a user; sign-ins, event streams and registrations end.
#[utoipa::path(delete, path = "/users/{id}", operation_id = "deleteUser", tag = "admin",
    params(("id" = String, Path, description = "Id of the user"),
        ("If-Match" = String, Header, description = "The `ETag` of the object to remove")),
    responses((status = 204), (status = 404, description = "`unknown-user`"),
        (status = 409, description = "`from-file`, `last-admin`, `agent-busy`: it is in a call"),
        (status = 412, description = "`changed`"), (status = 428, description = "`match-required`")))]
pub(in super::super) async fn delete(
    Admin(who): Admin,
    State(api): State<Api>,
    Id(id): Id,
    IfMatch(wanted): IfMatch,
) -> Result<StatusCode, Problem> {
    let (now, user) = (api.now(), id.clone());
    change(&api, Code::UnknownUser, move |provisioning| async move {
        provisioning.remove(now, Kind::User, &user, wanted).await
    })
    .await?;
    tracing::info!(user = id, by = who.id, "user removed");
    Ok(StatusCode::NO_CONTENT)
}

fn found(api: &Api, id: &str) -> Result<(Tag, Json<Account>), Problem> {
    let people = api.service.provisioning().people();
    let person = people.get(id).ok_or(Code::UnknownUser)?;
    Ok((Tag(person.version), Json(Account::from(person))))
}
