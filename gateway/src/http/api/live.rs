//! Present state: agents, queues, calls.

use axum::Json;
use axum::extract::State;

use super::Api;
use super::extract::{Id, Params};
use super::guard::{CallReader, SignedIn, Watcher};
use super::list::{List, Part};
use super::problem::{Code, Problem};
use crate::auth::Principal;
use crate::centre::event_stream::View;
use crate::centre::view::{Agent, Call, Mode, Participant, ParticipantKind, Queue};

/// All agents.
#[utoipa::path(get, path = "/agents", operation_id = "listAgents", tag = "supervisor", params(Part), responses((status = 200, body = List<Agent>)))]
pub(super) async fn agents(
    Watcher(_who): Watcher,
    State(api): State<Api>,
    Params(part): Params<Part>,
) -> Result<Json<List<Agent>>, Problem> {
    api.stream
        .read(|view| part.of(&view.agents, |agent| Some(agent.clone())))
        .map(Json)
}

/// An agent.
#[utoipa::path(get, path = "/agents/{id}", operation_id = "getAgent", tag = "supervisor", params(("id" = String, Path, description = "Id of the agent")),
    responses((status = 200, body = Agent),
        (status = 404, description = "`unknown-agent`")))]
pub(super) async fn agent(
    Watcher(_who): Watcher,
    State(api): State<Api>,
    Id(id): Id,
) -> Result<Json<Agent>, Problem> {
    super::agent::find(&api, &id)
}

/// All queues; for an agent, those that it serves.
#[utoipa::path(get, path = "/queues", operation_id = "listQueues", tag = "supervisor", params(Part), responses((status = 200, body = List<Queue>)))]
pub(super) async fn queues(
    SignedIn(who): SignedIn,
    State(api): State<Api>,
    Params(part): Params<Part>,
) -> Result<Json<List<Queue>>, Problem> {
    let seen = |view: &View, queue: &Queue| sees_queue(view, &who, &queue.id).then(|| queue.clone());
    api.stream
        .read(|view| part.of(&view.queues, |queue| seen(view, queue)))
        .map(Json)
}

/// A queue.
#[utoipa::path(get, path = "/queues/{id}", operation_id = "getQueue", tag = "supervisor", params(("id" = String, Path, description = "Id of the queue")),
    responses((status = 200, body = Queue),
        (status = 404, description = "`unknown-queue`")))]
pub(super) async fn queue(
    SignedIn(who): SignedIn,
    State(api): State<Api>,
    Id(id): Id,
) -> Result<Json<Queue>, Problem> {
    let queue = api.stream.read(|view| {
        view.queues
            .get(&id)
            .filter(|_| sees_queue(view, &who, &id))
            .cloned()
    });
    queue.map(Json).ok_or_else(|| Code::UnknownQueue.into())
}

/// All live calls.
#[utoipa::path(get, path = "/calls", operation_id = "listCalls", tag = "supervisor", params(Part), responses((status = 200, body = List<Call>)))]
pub(super) async fn calls(
    Watcher(_who): Watcher,
    State(api): State<Api>,
    Params(part): Params<Part>,
) -> Result<Json<List<Call>>, Problem> {
    api.stream
        .read(|view| part.of(&view.calls, |call| Some(call.clone())))
        .map(Json)
}

/// A live call; for an agent, its own.
#[utoipa::path(get, path = "/calls/{id}", operation_id = "getCall", tag = "call", params(("id" = String, Path, description = "Id of the call")),
    responses((status = 200, body = Call),
        (status = 404, description = "`unknown-call`")))]
pub(super) async fn call(
    CallReader(who): CallReader,
    State(api): State<Api>,
    Id(id): Id,
) -> Result<Json<Call>, Problem> {
    let call = api.stream.read(|view| {
        let call = view.calls.get(&id).filter(|call| sees_call(&who, call))?;
        Some(shown_call(view, &who, call))
    });
    call.map(Json).ok_or_else(|| Code::UnknownCall.into())
}

/// Agents see in full what they serve.
pub(super) fn sees_queue(view: &View, who: &Principal, queue: &str) -> bool {
    let serves = |agent: &Agent| agent.queues.iter().any(|id| id == queue);
    who.sees_all() || view.agents.get(&who.id).is_some_and(serves)
}

/// A call as `who` may see it: supervisors who only listen are hidden from agents of a queue with silent monitoring.
pub(super) fn shown_call(view: &View, who: &Principal, call: &Call) -> Call {
    let mut call = call.clone();
    let queue = call.queue.as_ref().and_then(|queue| view.queues.get(&queue.id));
    if !who.sees_all() && queue.is_some_and(|queue| queue.silent_monitoring) {
        let listens =
            |party: &Participant| party.kind == ParticipantKind::Supervisor && party.mode == Mode::Listen;
        call.parties.retain(|party| !listens(party));
    }
    call
}

/// Agents see the calls that they have, are consulted about, or joined.
pub(super) fn sees_call(who: &Principal, call: &Call) -> bool {
    who.sees_all() || call.agent.as_deref() == Some(who.id.as_str()) || call.joined.contains(&who.id)
}
