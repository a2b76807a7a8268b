//! Bans: sources that are refused because they guessed passwords or scanned for names.

use std::net::IpAddr;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use session_core::guard::Ban;
use utoipa::ToSchema;

use super::Api;
use super::extract::{Id, Params};
use super::guard::Admin;
use super::list::{List, Part};
use super::problem::{Code, Problem};
use crate::centre::view::Moment;

/// A banned source.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Ban)]
pub(super) struct BanShown {
    /// An IPv4 address, or the first address of a /64 of IPv6.
    #[schema(example = "192.0.2.66")]
    address: String,
    /// `guessing` passwords, or `scanning` for names.
    reason: &'static str,
    /// Time at which the ban began.
    since: Moment,
    /// Time at which the ban ends.
    until: Moment,
    /// Bans of this source within a day, this one included; each is twice as long as the one before.
    times: u32,
}

/// All banned sources, by address. Users who signed in from there before the ban are still served.
#[utoipa::path(get, path = "/bans", operation_id = "listBans", tag = "admin", params(Part), responses((status = 200, body = List<BanShown>, description = "A part of the list")))]
pub(super) async fn bans(
    Admin(_who): Admin,
    State(api): State<Api>,
    Params(part): Params<Part>,
) -> Result<Json<List<BanShown>>, Problem> {
    let now = api.now();
    let bans = api.accounts.sentry().bans();
    let by_address = bans
        .into_iter()
        .map(|ban| (ban.0.address.to_string(), ban))
        .collect();
    let shown = part.of(&by_address, |(ban, since, left): &(Ban, Duration, Duration)| {
        Some(BanShown {
            address: ban.address.to_string(),
            reason: ban.reason.name(),
            since: Moment(now - *since),
            until: Moment(now + *left),
            times: ban.times,
        })
    });
    shown.map(Json)
}

/// Lifts a ban; what led to it is forgotten.
#[utoipa::path(delete, path = "/bans/{address}", operation_id = "liftBan", tag = "admin",
    params(("address" = String, Path, description = "Address of the source")),
    responses((status = 204, description = "The ban is lifted"), (status = 404, description = "`unknown-ban`")))]
pub(super) async fn lift(
    Admin(who): Admin,
    State(api): State<Api>,
    Id(address): Id,
) -> Result<StatusCode, Problem> {
    let parsed = address.parse::<IpAddr>().map_err(|_| Code::UnknownBan)?;
    if !api.accounts.sentry().lift(parsed) {
        return Err(Code::UnknownBan.into());
    }
    tracing::info!(%address, by = who.id, "ban lifted");
    Ok(StatusCode::NO_CONTENT)
}
