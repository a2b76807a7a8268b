//! `/records`, and notes on calls.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::Api;
use super::extract::{self, Body, Id, Params, When};
use super::guard::{Agent, CallReader, Watcher};
use super::list::{List, Part};
use super::problem::Problem;
use crate::auth::Principal;
use crate::centre::view::{Moment, Record};
use crate::service::archive::{Kinds, Note, Wanted};

/// Selection of records.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Filter {
    /// Maximum number of items; default 50.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// `next_cursor` of the previous part.
    #[param(max_length = 200)]
    cursor: Option<String>,
    /// Only calls of the queue with this id.
    #[param(max_length = 64)]
    queue: Option<String>,
    /// Only calls that the agent with this id had.
    #[param(max_length = 64)]
    agent: Option<String>,
    /// Only calls that arrived then or later.
    #[param(value_type = Option<Moment>)]
    from: Option<When>,
    /// Only calls that arrived before then.
    #[param(value_type = Option<Moment>)]
    to: Option<When>,
    /// Only calls whose caller's number contains this.
    #[param(max_length = 64)]
    caller: Option<String>,
    /// Only records of this kind; default `calls`.
    kind: Option<KindFilter>,
}

/// Kinds of records to list.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum KindFilter {
    /// Every call, in a queue or not, once.
    Calls,
    /// Callers of queues.
    Queue,
    /// Calls of queues that an agent was offered and did not take.
    Missed,
    /// Calls that came through no queue: outbound, inbound, internal, transit.
    Direct,
    /// All of them.
    All,
}

impl From<KindFilter> for Kinds {
    fn from(kind: KindFilter) -> Kinds {
        match kind {
            KindFilter::Calls => Kinds::Calls,
            KindFilter::Queue => Kinds::Queue,
            KindFilter::Missed => Kinds::Missed,
            KindFilter::Direct => Kinds::Direct,
            KindFilter::All => Kinds::All,
        }
    }
}

/// Notes of an agent about a call. Omitted fields keep their values.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Noted {
    /// A code of `/dispositions`.
    #[schema(
        min_length = 1,
        max_length = 64,
        pattern = r"^[^\u0000-\u001F\u007F-\u009F]+$"
    )]
    pub(super) disposition: Option<String>,
    /// Notes as free text.
    #[schema(
        max_length = 4000,
        pattern = r"^[^\u0000-\u0008\u000B\u000C\u000E-\u001F\u007F-\u009F]*$"
    )]
    pub(super) notes: Option<String>,
}

impl Noted {
    pub(super) fn checked(self) -> Result<Note, Problem> {
        if let Some(disposition) = &self.disposition {
            extract::line("disposition", disposition, 64)?;
        }
        if let Some(notes) = &self.notes {
            extract::text("notes", notes, 4000)?;
        }
        Ok(Note {
            disposition: self.disposition,
            notes: self.notes,
        })
    }
}

/// Calls that are over, newest first.
#[utoipa::path(get, path = "/records", operation_id = "listRecords", tag = "supervisor", params(Filter), responses((status = 200, body = List<Record>)))]
pub(super) async fn list(
    Watcher(who): Watcher,
    State(api): State<Api>,
    Params(filter): Params<Filter>,
) -> Result<Json<List<Record>>, Problem> {
    for (field, value) in [
        ("queue", &filter.queue),
        ("agent", &filter.agent),
        ("caller", &filter.caller),
    ] {
        if let Some(value) = value {
            extract::short(field, value, 64)?;
        }
    }
    let part = Part {
        limit: filter.limit,
        cursor: filter.cursor,
    };
    let wanted = Wanted {
        kinds: filter.kind.map(Kinds::from).unwrap_or_default(),
        agent: filter.agent,
        queue: filter.queue,
        caller: filter.caller,
        from: filter.from.map(|from| from.0),
        until: filter.to.map(|to| to.0),
        ..Wanted::default()
    };
    find(&api, &who, part, wanted).await
}

/// History of the agent, newest first: calls from queues, missed calls, and calls made or received directly.
#[utoipa::path(get, path = "/me/records", operation_id = "listMyRecords", tag = "agent", params(Part), responses((status = 200, body = List<Record>)))]
pub(super) async fn own(
    Agent(me): Agent,
    State(api): State<Api>,
    Params(part): Params<Part>,
) -> Result<Json<List<Record>>, Problem> {
    let wanted = Wanted {
        kinds: Kinds::All,
        agent: Some(me.id.clone()),
        ..Wanted::default()
    };
    find(&api, &me, part, wanted).await
}

/// A call that is over; for an agent, one that it had.
#[utoipa::path(get, path = "/records/{id}", operation_id = "getRecord", tag = "supervisor", params(("id" = String, Path, description = "Id of the record")),
    responses((status = 200, body = Record), (status = 404, description = "`unknown-record`")))]
pub(super) async fn get(
    CallReader(who): CallReader,
    State(api): State<Api>,
    Id(id): Id,
) -> Result<Json<Record>, Problem> {
    Ok(Json(api.service.record(&who, &id).await?))
}

/// Saves notes about one's own call, live or over. The next agent who has the call sees them.
#[utoipa::path(put, path = "/calls/{id}/notes", operation_id = "setCallNotes", tag = "agent", params(("id" = String, Path, description = "Id of the call")), request_body = Noted,
    responses((status = 204), (status = 404, description = "`unknown-call`")))]
pub(super) async fn put_notes(
    Agent(me): Agent,
    State(api): State<Api>,
    Id(call): Id,
    Body(noted): Body<Noted>,
) -> Result<StatusCode, Problem> {
    let note = noted.checked()?;
    api.service.note(&me, &call, note).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn find(api: &Api, who: &Principal, part: Part, wanted: Wanted) -> Result<Json<List<Record>>, Problem> {
    let limit = part.limit()?;
    let wanted = Wanted {
        before: part.cursor,
        ..wanted
    };
    let page = api.service.records(who, wanted, limit).await?;
    Ok(Json(List {
        items: page.records,
        next_cursor: page.next,
    }))
}
