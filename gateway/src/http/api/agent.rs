//! Routes of agents: `/me/agent`, offers, and the directory of transfer targets.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Api;
use super::extract::{self, Body, Id};
use super::guard::{self, SignedIn};
use super::list::List;
use super::problem::Problem;
use super::records::Noted;
use crate::centre::view::{Agent, Intent, IntentKind, Queue, Status};

/// Intent of an agent.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct WantedIntent {
    intent: IntentKind,
    /// Reason of a pause: a code of `/pause-reasons` or any other.
    #[schema(
        min_length = 1,
        max_length = 64,
        pattern = r"^[^\u0000-\u001F\u007F-\u009F]+$"
    )]
    reason: Option<String>,
}

/// Disposition of a call, chosen by its agent.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct WrapUp {
    /// Id of the call; default: the last one.
    #[schema(max_length = 64)]
    call: Option<String>,
    /// A code of `/dispositions`.
    #[schema(
        min_length = 1,
        max_length = 64,
        pattern = r"^[^\u0000-\u001F\u007F-\u009F]+$"
    )]
    disposition: Option<String>,
    /// Notes as free text.
    #[schema(
        max_length = 4000,
        pattern = r"^[^\u0000-\u0008\u000B\u000C\u000E-\u001F\u007F-\u009F]*$"
    )]
    notes: Option<String>,
}

/// An agent or a queue that a call can be transferred to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(super) struct DirectoryEntry {
    /// Id of the agent or queue.
    pub(super) id: String,
    /// Name that the agent signs in with, or name of the queue.
    pub(super) name: String,
    /// Name shown to people.
    pub(super) display: String,
    /// Status of an agent; none for queues.
    pub(super) status: Option<Status>,
    /// Agent or queue.
    pub(super) kind: EntryKind,
}

/// Kind of directory entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum EntryKind {
    /// Takes calls.
    Agent,
    /// Has agents who do.
    Queue,
}

impl From<&Agent> for DirectoryEntry {
    fn from(agent: &Agent) -> DirectoryEntry {
        DirectoryEntry {
            id: agent.id.clone(),
            name: agent.name.clone(),
            display: agent.display.clone(),
            status: Some(agent.status),
            kind: EntryKind::Agent,
        }
    }
}

impl From<&Queue> for DirectoryEntry {
    fn from(queue: &Queue) -> DirectoryEntry {
        DirectoryEntry {
            id: queue.id.clone(),
            name: queue.name.clone(),
            display: queue.name.clone(),
            status: None,
            kind: EntryKind::Queue,
        }
    }
}

impl WantedIntent {
    pub(super) fn checked(self) -> Result<Intent, Problem> {
        if let Some(reason) = &self.reason {
            extract::line("reason", reason, 64)?;
        }
        let is_pause = self.intent == IntentKind::Paused;
        Ok(Intent {
            intent: self.intent,
            reason: self.reason.filter(|_| is_pause),
        })
    }
}

/// The agent who is signed in.
#[utoipa::path(get, path = "/me/agent", operation_id = "getMyAgent", tag = "agent",
    responses((status = 200, body = Agent),
        (status = 404, description = "`unknown-agent`")))]
pub(super) async fn get(
    guard::Agent(me): guard::Agent,
    State(api): State<Api>,
) -> Result<Json<Agent>, Problem> {
    Ok(Json(api.service.agent(&me.id)?))
}

/// Goes online, pauses or goes offline. In a call or wrap-up this is kept as `next`; `available` ends wrap-up.
#[utoipa::path(put, path = "/me/agent/intent", operation_id = "setMyIntent", tag = "agent", request_body = WantedIntent,
    responses((status = 200, body = Agent),
        (status = 404, description = "`unknown-agent`")))]
pub(super) async fn put_intent(
    guard::Agent(me): guard::Agent,
    State(api): State<Api>,
    Body(wanted): Body<WantedIntent>,
) -> Result<Json<Agent>, Problem> {
    let agent = api.service.set_own_intent(&me, wanted.checked()?).await?;
    Ok(Json(agent))
}

/// Ends wrap-up.
#[utoipa::path(post, path = "/me/agent/wrap-up", operation_id = "endWrapUp", tag = "agent", request_body = WrapUp,
    responses((status = 200, body = Agent),
        (status = 404, description = "`unknown-agent`"),
        (status = 409, description = "`not-wrapping-up`")))]
pub(super) async fn wrap_up(
    guard::Agent(me): guard::Agent,
    State(api): State<Api>,
    Body(done): Body<WrapUp>,
) -> Result<Json<Agent>, Problem> {
    if let Some(call) = &done.call {
        extract::short("call", call, 64)?;
    }
    let noted = Noted {
        disposition: done.disposition,
        notes: done.notes,
    };
    let note = noted.checked()?;
    let agent = api.service.wrap_up(&me, done.call, note).await?;
    Ok(Json(agent))
}

/// Rejects an offer. To accept one, its SIP INVITE is answered.
#[utoipa::path(post, path = "/offers/{id}/reject", operation_id = "rejectOffer", tag = "agent", params(("id" = String, Path, description = "Id of the offer")),
    responses((status = 204),
        (status = 409, description = "`offer-gone`")))]
pub(super) async fn reject(
    guard::Agent(me): guard::Agent,
    State(api): State<Api>,
    Id(assignment): Id,
) -> Result<StatusCode, Problem> {
    api.service.reject(&me, assignment).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Agents and queues that a call can be transferred to.
#[utoipa::path(get, path = "/directory", operation_id = "listDirectory", tag = "agent", responses((status = 200, body = List<DirectoryEntry>)))]
pub(super) async fn directory(
    SignedIn(_who): SignedIn,
    State(api): State<Api>,
) -> Json<List<DirectoryEntry>> {
    let items = api.service.stream().read(|view| {
        let agents = view.agents.values().map(DirectoryEntry::from);
        agents
            .chain(view.queues.values().map(DirectoryEntry::from))
            .collect()
    });
    Json(List {
        items,
        next_cursor: None,
    })
}
