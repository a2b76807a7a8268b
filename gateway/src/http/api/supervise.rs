//! Actions of supervisors on agents and calls, and the demo caller.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Api;
use super::agent::WantedIntent;
use super::extract::{self, Body, Id};
use super::guard::{SignedIn, Supervisor};
use super::problem::{Code, Problem};
use crate::centre::view::{Agent, Mode};

/// Mode in which a supervisor takes part in a call.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Supervision {
    mode: SupervisionMode,
}

/// Mode in which a supervisor takes part in a call.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum SupervisionMode {
    /// Hears all.
    Listen,
    /// Hears all and is heard by the agent.
    Whisper,
    /// Hears all and is heard by all.
    Barge,
}

/// Queue that a demo caller calls.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DemoCall {
    /// Id of the queue; default: the first one.
    #[schema(max_length = 64)]
    queue: Option<String>,
}

/// A demo caller who is on the way.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct DemoCaller {
    /// Id of the queue that it calls.
    queue: String,
}

/// Sets the intent of an agent.
#[utoipa::path(put, path = "/agents/{id}/intent", operation_id = "setAgentIntent", tag = "supervisor", params(("id" = String, Path, description = "Id of the agent")), request_body = WantedIntent,
    responses((status = 200, body = Agent),
        (status = 404, description = "`unknown-agent`")))]
pub(super) async fn put_intent(
    Supervisor(who): Supervisor,
    State(api): State<Api>,
    Id(agent): Id,
    Body(wanted): Body<WantedIntent>,
) -> Result<Json<Agent>, Problem> {
    let agent = api.service.set_intent(&who, agent, wanted.checked()?).await?;
    Ok(Json(agent))
}

/// Listens, whispers or barges in: the supervisor's own phone rings, or takes part in another way from now on.
#[utoipa::path(put, path = "/calls/{id}/supervision", operation_id = "superviseCall", tag = "supervisor", params(("id" = String, Path, description = "Id of the call")), request_body = Supervision,
    responses((status = 202, description = "The supervisor's phone rings"),
        (status = 404, description = "`unknown-call`"),
        (status = 409, description = "`wrong-state`, `unreachable`")))]
pub(super) async fn put(
    Supervisor(who): Supervisor,
    State(api): State<Api>,
    Id(call): Id,
    Body(Supervision { mode }): Body<Supervision>,
) -> Result<StatusCode, Problem> {
    let mode = match mode {
        SupervisionMode::Listen => Mode::Listen,
        SupervisionMode::Whisper => Mode::Whisper,
        SupervisionMode::Barge => Mode::Party,
    };
    api.service.supervise(&who, call, mode).await?;
    Ok(StatusCode::ACCEPTED)
}

/// Stops listening.
#[utoipa::path(delete, path = "/calls/{id}/supervision", operation_id = "endSupervision", tag = "supervisor", params(("id" = String, Path, description = "Id of the call")),
    responses((status = 204),
        (status = 404, description = "`unknown-call`"),
        (status = 409, description = "`wrong-state`")))]
pub(super) async fn delete(
    Supervisor(who): Supervisor,
    State(api): State<Api>,
    Id(call): Id,
) -> Result<StatusCode, Problem> {
    api.service.unsupervise(&who, call).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Brings a demo caller in, by the same path as any other caller.
#[utoipa::path(post, path = "/demo/call", operation_id = "createDemoCall", tag = "demo", request_body = DemoCall,
    responses((status = 202, body = DemoCaller, description = "Accepted; events report the call"),
        (status = 404, description = "`no-demo`, `unknown-queue`")))]
pub(super) async fn demo_call(
    SignedIn(_who): SignedIn,
    State(api): State<Api>,
    Body(DemoCall { queue }): Body<DemoCall>,
) -> Result<(StatusCode, Json<DemoCaller>), Problem> {
    if !api.service.is_demo() {
        return Err(Code::NoDemo.into());
    }
    if let Some(queue) = &queue {
        extract::short("queue", queue, 64)?;
    }
    let queue = api.service.call_queue(queue.as_deref())?;
    Ok((StatusCode::ACCEPTED, Json(DemoCaller { queue })))
}
