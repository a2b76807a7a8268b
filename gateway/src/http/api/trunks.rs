//! Trunks and their state.

use axum::Json;
use axum::extract::State;
use session_core::TrunkStatus;

use super::Api;
use super::extract::{Id, Params};
use super::guard::Admin;
use super::list::{List, Part};
use super::problem::{Code, Problem};
use crate::centre::view::Trunk;

/// All trunks, by name.
#[utoipa::path(get, path = "/trunks", operation_id = "listTrunks", tag = "admin", params(Part),
    responses((status = 200, body = List<Trunk>, description = "A part of the list")))]
pub(super) async fn list(
    Admin(_who): Admin,
    State(api): State<Api>,
    Params(part): Params<Part>,
) -> Result<Json<List<Trunk>>, Problem> {
    let trunks = ask(&api).await?.into_iter();
    let by_name = trunks
        .map(|trunk| (trunk.name.clone(), Trunk::from(trunk)))
        .collect();
    part.of(&by_name, |trunk: &Trunk| Some(trunk.clone())).map(Json)
}

/// A trunk.
#[utoipa::path(get, path = "/trunks/{name}", operation_id = "getTrunk", tag = "admin",
    params(("name" = String, Path, description = "Name of the trunk")),
    responses((status = 200, body = Trunk), (status = 404, description = "`unknown-trunk`")))]
pub(super) async fn get(
    Admin(_who): Admin,
    State(api): State<Api>,
    Id(name): Id,
) -> Result<Json<Trunk>, Problem> {
    let mut trunks = ask(&api).await?.into_iter();
    let found = trunks
        .find(|trunk| trunk.name == name)
        .ok_or(Code::UnknownTrunk)?;
    Ok(Json(Trunk::from(found)))
}

/// Asks the signalling task; there are no trunks without one.
async fn ask(api: &Api) -> Result<Vec<TrunkStatus>, Problem> {
    let Some(machine) = &api.machine else {
        return Ok(Vec::new());
    };
    Ok(machine.trunks().await.ok_or(Code::Busy)?)
}
