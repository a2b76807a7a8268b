//! Keys for programs.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Api;
use super::extract::{self, Body, Id, Params};
use super::guard::Admin;
use super::list::{List, Part};
use super::problem::{Code, Problem};
use crate::auth::Scope;
use crate::auth::api_key::ApiKey;
use crate::service::stored::unavailable;

/// API keys that there may be.
const MAX_KEYS: usize = 1_000;

/// A key to create.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewKey {
    /// Name shown to people.
    #[schema(
        min_length = 1,
        max_length = 64,
        pattern = r"^[^\u0000-\u001F\u007F-\u009F]+$",
        example = "nightly report"
    )]
    name: String,
    /// Scopes of the key.
    #[schema(min_items = 1, max_items = 3)]
    scopes: Vec<Scope>,
}

/// A key without its secret.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = ApiKey)]
pub(super) struct KeyShown {
    /// Id for `DELETE`.
    id: String,
    /// Name shown to people.
    name: String,
    /// Scopes of the key.
    scopes: Vec<Scope>,
}

/// A key with its secret, which is shown this once.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct KeyMade {
    /// Id for `DELETE`.
    id: String,
    /// Name shown to people.
    name: String,
    /// Scopes of the key.
    scopes: Vec<Scope>,
    /// Secret for `Authorization: Bearer …`.
    key: String,
}

impl From<ApiKey> for KeyShown {
    fn from(key: ApiKey) -> KeyShown {
        KeyShown {
            id: key.id,
            name: key.name,
            scopes: key.scopes,
        }
    }
}

/// All API keys, without their secrets.
#[utoipa::path(get, path = "/api-keys", operation_id = "listApiKeys", tag = "admin", params(Part), responses((status = 200, body = List<KeyShown>)))]
pub(super) async fn keys(
    Admin(_who): Admin,
    State(api): State<Api>,
    Params(part): Params<Part>,
) -> Result<Json<List<KeyShown>>, Problem> {
    let keys: BTreeMap<String, ApiKey> = api
        .accounts
        .keys()
        .into_iter()
        .map(|key| (key.id.clone(), key))
        .collect();
    part.of(&keys, |key| Some(KeyShown::from(key.clone()))).map(Json)
}

/// Creates an API key. It is good until it is removed.
#[utoipa::path(post, path = "/api-keys", operation_id = "createApiKey", tag = "admin", request_body = NewKey,
    responses((status = 201, body = KeyMade), (status = 409, description = "`too-many-keys`")))]
pub(super) async fn make_key(
    Admin(who): Admin,
    State(api): State<Api>,
    Body(wanted): Body<NewKey>,
) -> Result<(StatusCode, Json<KeyMade>), Problem> {
    extract::line("name", &wanted.name, 64)?;
    if !(1..=3).contains(&wanted.scopes.len()) {
        return Err(Problem::field(
            "scopes",
            "one to three of read, control and configure",
        ));
    }
    if api.accounts.keys().len() >= MAX_KEYS {
        return Err(Code::TooManyKeys.into());
    }
    let (key, secret) = ApiKey::generate(wanted.name, wanted.scopes)?;
    if let Some(credentials) = &api.credentials {
        credentials.put_key(api.now(), &key).await.map_err(unavailable)?;
    }
    tracing::info!(key = key.id, by = who.id, "API key made");
    let made = KeyMade {
        id: key.id.clone(),
        name: key.name.clone(),
        scopes: key.scopes.clone(),
        key: secret,
    };
    api.accounts.put_key(key);
    Ok((StatusCode::CREATED, Json(made)))
}

/// Removes an API key, and closes its event streams.
#[utoipa::path(delete, path = "/api-keys/{id}", operation_id = "deleteApiKey", tag = "admin", params(("id" = String, Path, description = "Id of the key")),
    responses((status = 204), (status = 404, description = "`unknown-key`")))]
pub(super) async fn remove_key(
    Admin(who): Admin,
    State(api): State<Api>,
    Id(id): Id,
) -> Result<StatusCode, Problem> {
    if !api.accounts.keys().iter().any(|key| key.id == id) {
        return Err(Code::UnknownKey.into());
    }
    if let Some(credentials) = &api.credentials {
        credentials.remove_key(&id).await.map_err(unavailable)?;
    }
    api.accounts.remove_key(&id);
    tracing::info!(key = id, by = who.id, "API key removed");
    Ok(StatusCode::NO_CONTENT)
}
