//! Present state: agents, queues, calls.

use axum::Json;
use axum::extract::State;

use super::Api;
use super::extract::{Id, Params};
use super::guard::{CallReader, SignedIn, Watcher};
use super::list::{List, Part};
use super::problem::Problem;
use crate::centre::event_stream::View;
use crate::centre::view::{Agent, Call, Queue};
use crate::service::rights::sees_queue;

/// All agents.
#[utoipa::path(get, path = "/agents", operation_id = "listAgents", tag = "supervisor", params(Part), responses((status = 200, body = List<Agent>)))]
pub(super) async fn agents(
    Watcher(_who): Watcher,
    State(api): State<Api>,
    Params(part): Params<Part>,
) -> Result<Json<List<Agent>>, Problem> {
    api.service
        .stream()
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
    Ok(Json(api.service.agent(&id)?))
}

/// All queues; for an agent, those that it serves.
#[utoipa::path(get, path = "/queues", operation_id = "listQueues", tag = "supervisor", params(Part), responses((status = 200, body = List<Queue>)))]
pub(super) async fn queues(
    SignedIn(who): SignedIn,
    State(api): State<Api>,
    Params(part): Params<Part>,
) -> Result<Json<List<Queue>>, Problem> {
    let seen = |view: &View, queue: &Queue| sees_queue(view, &who, &queue.id).then(|| queue.clone());
    api.service
        .stream()
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
    Ok(Json(api.service.queue(&who, &id)?))
}

/// All live calls.
#[utoipa::path(get, path = "/calls", operation_id = "listCalls", tag = "supervisor", params(Part), responses((status = 200, body = List<Call>)))]
pub(super) async fn calls(
    Watcher(_who): Watcher,
    State(api): State<Api>,
    Params(part): Params<Part>,
) -> Result<Json<List<Call>>, Problem> {
    api.service
        .stream()
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
    Ok(Json(api.service.call(&who, &id)?))
}
