//! `/records`, and notes on calls.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::Api;
use super::archive::{Kinds, Note, Unavailable, Wanted};
use super::extract::{self, Body, Id, Params, When};
use super::guard::{Agent, CallReader, Watcher};
use super::list::{List, Part};
use super::problem::{Code, Problem};
use crate::auth::Principal;
use crate::centre::command::{By, Command};
use crate::centre::view::{AgentName, Moment, Record};

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
    /// Only records of this kind; default `queue`.
    kind: Option<KindFilter>,
}

/// Kinds of records to list.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum KindFilter {
    /// Callers of queues.
    Queue,
    /// Calls of queues that an agent was offered and did not take.
    Missed,
    /// Calls of agents that came through no queue: outbound, inbound, internal.
    Direct,
    /// All of them.
    All,
}

impl From<KindFilter> for Kinds {
    fn from(kind: KindFilter) -> Kinds {
        match kind {
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

impl From<Unavailable> for Problem {
    fn from(_: Unavailable) -> Problem {
        Problem::store_away()
    }
}

/// Calls that are over, newest first.
#[utoipa::path(get, path = "/records", operation_id = "listRecords", tag = "supervisor", params(Filter), responses((status = 200, body = List<Record>)))]
pub(super) async fn list(
    Watcher(_who): Watcher,
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
    find(&api, part, wanted).await
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
        agent: Some(me.id),
        ..Wanted::default()
    };
    find(&api, part, wanted).await
}

/// A call that is over; for an agent, one that it had.
#[utoipa::path(get, path = "/records/{id}", operation_id = "getRecord", tag = "supervisor", params(("id" = String, Path, description = "Id of the record")),
    responses((status = 200, body = Record), (status = 404, description = "`unknown-record`")))]
pub(super) async fn get(
    CallReader(who): CallReader,
    State(api): State<Api>,
    Id(id): Id,
) -> Result<Json<Record>, Problem> {
    let record = api.archive().record(&id).await?;
    let is_seen = |record: &Record| who.sees_all() || record.agents.iter().any(|agent| agent.id == who.id);
    record
        .filter(is_seen)
        .map(Json)
        .ok_or_else(|| Code::UnknownRecord.into())
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
    if !is_own(&api, &me.id, &call).await? {
        return Err(Code::UnknownCall.into());
    }
    write(&api, &me, &call, note).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Saves notes of an agent about its own call, and publishes them while the call is live.
pub(super) async fn write(api: &Api, me: &Principal, call: &str, note: Note) -> Result<(), Problem> {
    let display = api.accounts.user(&me.id).map(|user| user.display);
    let author = AgentName {
        id: me.id.clone(),
        name: display.unwrap_or_else(|| me.name.clone()),
    };
    api.archive().note(call, &author, note.clone()).await?;
    if api.stream.read(|view| view.calls.contains_key(call)) {
        let command = Command::Note {
            call: call.to_owned(),
            disposition: note.disposition,
            notes: note.notes,
        };
        match api.ask(By::Agent(me.id.clone()), command).await {
            // The call ended in the same moment: its record has the notes.
            Err(problem) if problem.code() == Code::UnknownCall => {}
            told => drop(told?),
        }
    }
    Ok(())
}

/// The call that an agent wraps up: the given one, if it is the agent's own, or the agent's last one.
pub(super) async fn wrapped_up(
    api: &Api,
    agent: &str,
    said: Option<String>,
) -> Result<Option<String>, Problem> {
    if let Some(call) = said {
        if !is_own(api, agent, &call).await? {
            return Err(Code::UnknownCall.into());
        }
        return Ok(Some(call));
    }
    let last = api
        .stream
        .read(|view| view.agents.get(agent).and_then(|agent| agent.last_call.clone()));
    if last.is_some() {
        return Ok(last);
    }
    // Nobody had a call since the gateway was started.
    let wanted = Wanted {
        agent: Some(agent.to_owned()),
        limit: 1,
        ..Wanted::default()
    };
    let last = api.archive().records(&wanted).await?;
    Ok(last.into_iter().next().map(|record| record.call))
}

async fn is_own(api: &Api, agent: &str, call: &str) -> Result<bool, Problem> {
    let is_live = api.stream.read(|view| {
        let live = view.calls.get(call);
        live.is_some_and(|live| live.agents.iter().any(|had| had == agent))
    });
    if is_live {
        return Ok(true);
    }
    let Some(number) = call.strip_prefix("call_") else {
        return Ok(false);
    };
    let record = api.archive().record(&format!("rec_{number}")).await?;
    Ok(record.is_some_and(|record| record.agents.iter().any(|known| known.id == agent)))
}

async fn find(api: &Api, part: Part, mut wanted: Wanted) -> Result<Json<List<Record>>, Problem> {
    let limit = part.limit()?;
    if let Some(cursor) = &part.cursor
        && api.archive().record(cursor).await?.is_none()
    {
        return Err(Code::BadCursor.into());
    }
    wanted.before = part.cursor;
    // One more tells whether there are more.
    wanted.limit = limit + 1;
    let mut items = api.archive().records(&wanted).await?;
    let more = items.len() > limit;
    items.truncate(limit);
    let next_cursor = items.last().filter(|_| more).map(|record| record.id.clone());
    Ok(Json(List { items, next_cursor }))
}
