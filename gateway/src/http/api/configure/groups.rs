//! Ring groups, which the configuration file defines.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::super::Api;
use super::super::guard::Watcher;
use super::super::list::List;
use super::super::problem::Problem;
use crate::config::Group;

/// A ring group.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RingGroup)]
pub(in super::super) struct Shown {
    /// Name, which can be called as well.
    name: String,
    /// Number to call it by.
    number: Option<String>,
    /// Users by name, and numbers, in their order.
    members: Vec<String>,
    /// `all`, `in-order` or `round-robin`.
    strategy: &'static str,
    /// Seconds that members ring: all together, or each.
    ring: u64,
    /// Number that calls go to which nobody answers.
    overflow: Option<String>,
}

impl From<Group> for Shown {
    fn from(group: Group) -> Shown {
        Shown {
            name: group.ring.name,
            number: group.number,
            members: group.ring.members,
            strategy: group.ring.strategy.name(),
            ring: group.ring.ring.as_secs(),
            overflow: group.ring.overflow,
        }
    }
}

/// All ring groups, in the order of the configuration file, where they are changed.
#[utoipa::path(get, path = "/groups", operation_id = "listGroups", tag = "admin", responses((status = 200, body = List<Shown>)))]
pub(in super::super) async fn list(
    Watcher(_who): Watcher,
    State(api): State<Api>,
) -> Result<Json<List<Shown>>, Problem> {
    let groups = api.service.provisioning().groups();
    Ok(Json(List {
        items: groups.into_iter().map(Shown::from).collect(),
        next_cursor: None,
    }))
}
