//! Actions on a call, by the agent who has it or by a supervisor.

use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use utoipa::ToSchema;

use super::Api;
use super::extract::{Body, Id};
use super::guard::Operator;
use super::problem::Problem;
use crate::auth::Principal;
use crate::centre::command::{Command, Target};

/// Digits to dial within a call.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Digits {
    #[schema(min_length = 1, max_length = 64, pattern = "^[0-9*#A-D]+$", example = "12#")]
    digits: String,
}

/// Destination of a transfer.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Destination {
    to: AnyTarget,
}

/// Party to consult.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Question {
    to: PersonTarget,
}

/// A target: exactly one of these fields.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Target, min_properties = 1, max_properties = 1)]
struct AnyTarget {
    /// An agent, by id.
    #[schema(
        nullable = false,
        min_length = 1,
        max_length = 64,
        pattern = r"^[A-Za-z0-9+*#._-]+$"
    )]
    agent: Option<String>,
    /// A queue, by id.
    #[schema(
        nullable = false,
        min_length = 1,
        max_length = 64,
        pattern = r"^[A-Za-z0-9+*#._-]+$"
    )]
    queue: Option<String>,
    /// A number, resolved by the dial plan.
    #[schema(
        nullable = false,
        min_length = 1,
        max_length = 64,
        pattern = r"^[A-Za-z0-9+*#._-]+$"
    )]
    number: Option<String>,
}

/// A target: exactly one of these fields.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(min_properties = 1, max_properties = 1)]
struct PersonTarget {
    /// An agent, by id.
    #[schema(
        nullable = false,
        min_length = 1,
        max_length = 64,
        pattern = r"^[A-Za-z0-9+*#._-]+$"
    )]
    agent: Option<String>,
    /// A number, resolved by the dial plan.
    #[schema(
        nullable = false,
        min_length = 1,
        max_length = 64,
        pattern = r"^[A-Za-z0-9+*#._-]+$"
    )]
    number: Option<String>,
}

impl AnyTarget {
    fn checked(self) -> Result<Target, Problem> {
        let (field, target, value) = match (self.agent, self.queue, self.number) {
            (Some(id), None, None) => ("to.agent", Target::Agent(id.clone()), id),
            (None, Some(id), None) => ("to.queue", Target::Queue(id.clone()), id),
            (None, None, Some(number)) => ("to.number", Target::Number(number.clone()), number),
            _ => return Err(Problem::field("to", "one of agent, queue and number")),
        };
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"+*#._-".contains(&byte);
        if value.is_empty() || value.len() > 64 || !value.bytes().all(plain) {
            return Err(Problem::field(
                field,
                "1 to 64 letters, digits, +, *, #, ., _ and -",
            ));
        }
        Ok(target)
    }
}

impl From<PersonTarget> for AnyTarget {
    fn from(target: PersonTarget) -> AnyTarget {
        AnyTarget {
            agent: target.agent,
            queue: None,
            number: target.number,
        }
    }
}

async fn act(
    api: &Api,
    who: &Principal,
    call: String,
    make: impl FnOnce(String) -> Command,
) -> Result<(), Problem> {
    Ok(api.service.act(who, call, make).await?)
}

/// Puts the caller on hold, with music.
#[utoipa::path(post, path = "/calls/{id}/hold", operation_id = "holdCall", tag = "call", params(("id" = String, Path, description = "Id of the call")),
    responses((status = 204),
        (status = 404, description = "`unknown-call`"),
        (status = 409, description = "`wrong-state`")))]
pub(super) async fn hold(
    Operator(who): Operator,
    State(api): State<Api>,
    Id(call): Id,
) -> Result<StatusCode, Problem> {
    act(&api, &who, call, |call| Command::Hold { call, held: true }).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Takes the caller off hold.
#[utoipa::path(post, path = "/calls/{id}/unhold", operation_id = "resumeCall", tag = "call", params(("id" = String, Path, description = "Id of the call")),
    responses((status = 204),
        (status = 404, description = "`unknown-call`"),
        (status = 409, description = "`wrong-state`")))]
pub(super) async fn unhold(
    Operator(who): Operator,
    State(api): State<Api>,
    Id(call): Id,
) -> Result<StatusCode, Problem> {
    act(&api, &who, call, |call| Command::Hold { call, held: false }).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Sends digits to the caller's side.
#[utoipa::path(post, path = "/calls/{id}/dtmf", operation_id = "sendDtmf", tag = "call", params(("id" = String, Path, description = "Id of the call")), request_body = Digits,
    responses((status = 204),
        (status = 404, description = "`unknown-call`"),
        (status = 409, description = "`wrong-state`")))]
pub(super) async fn dtmf(
    Operator(who): Operator,
    State(api): State<Api>,
    Id(call): Id,
    Body(Digits { digits }): Body<Digits>,
) -> Result<StatusCode, Problem> {
    let dialled = |byte: u8| byte.is_ascii_digit() || b"*#ABCD".contains(&byte);
    if digits.is_empty() || digits.len() > 64 || !digits.bytes().all(dialled) {
        return Err(Problem::field("digits", "1 to 64 of 0-9, *, #, A-D"));
    }
    act(&api, &who, call, |call| Command::Dtmf { call, digits }).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Transfers the call at once; the agent leaves it.
#[utoipa::path(post, path = "/calls/{id}/transfer", operation_id = "transferCall", tag = "call", params(("id" = String, Path, description = "Id of the call")), request_body = Destination,
    responses((status = 202, description = "Accepted; events report the progress"),
        (status = 404, description = "`unknown-call`, `unknown-agent`, `unknown-queue`"),
        (status = 409, description = "`wrong-state`, `agent-busy`, `unreachable`")))]
pub(super) async fn transfer(
    Operator(who): Operator,
    State(api): State<Api>,
    Id(call): Id,
    Body(destination): Body<Destination>,
) -> Result<StatusCode, Problem> {
    let to = destination.to.checked()?;
    act(&api, &who, call, |call| Command::Transfer { call, to }).await?;
    Ok(StatusCode::ACCEPTED)
}

/// Consults somebody while the caller hears music. A queue cannot be consulted.
#[utoipa::path(post, path = "/calls/{id}/consult", operation_id = "consult", tag = "call", params(("id" = String, Path, description = "Id of the call")), request_body = Question,
    responses((status = 202, description = "Accepted; events report the progress"),
        (status = 404, description = "`unknown-call`, `unknown-agent`"),
        (status = 409, description = "`wrong-state`, `agent-busy`, `unreachable`")))]
pub(super) async fn consult(
    Operator(who): Operator,
    State(api): State<Api>,
    Id(call): Id,
    Body(question): Body<Question>,
) -> Result<StatusCode, Problem> {
    let to = AnyTarget::from(question.to).checked()?;
    act(&api, &who, call, |call| Command::Consult { call, to }).await?;
    Ok(StatusCode::ACCEPTED)
}

/// Attended transfer: connects the caller with the consulted party; the agent leaves.
#[utoipa::path(post, path = "/calls/{id}/consult/complete", operation_id = "completeConsult", tag = "call", params(("id" = String, Path, description = "Id of the call")),
    responses((status = 204),
        (status = 404, description = "`unknown-call`"),
        (status = 409, description = "`wrong-state`")))]
pub(super) async fn complete(
    Operator(who): Operator,
    State(api): State<Api>,
    Id(call): Id,
) -> Result<StatusCode, Problem> {
    act(&api, &who, call, |call| Command::Complete { call }).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Three-way call: caller, agent and the consulted party all talk.
#[utoipa::path(post, path = "/calls/{id}/consult/merge", operation_id = "mergeConsult", tag = "call", params(("id" = String, Path, description = "Id of the call")),
    responses((status = 204),
        (status = 404, description = "`unknown-call`"),
        (status = 409, description = "`wrong-state`")))]
pub(super) async fn merge(
    Operator(who): Operator,
    State(api): State<Api>,
    Id(call): Id,
) -> Result<StatusCode, Problem> {
    act(&api, &who, call, |call| Command::Merge { call }).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Returns to the caller; the consulted party leaves.
#[utoipa::path(delete, path = "/calls/{id}/consult", operation_id = "cancelConsult", tag = "call", params(("id" = String, Path, description = "Id of the call")),
    responses((status = 204),
        (status = 404, description = "`unknown-call`"),
        (status = 409, description = "`wrong-state`")))]
pub(super) async fn abort(
    Operator(who): Operator,
    State(api): State<Api>,
    Id(call): Id,
) -> Result<StatusCode, Problem> {
    act(&api, &who, call, |call| Command::Abort { call }).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Leaves a three-way call; the others go on.
#[utoipa::path(post, path = "/calls/{id}/leave", operation_id = "leaveCall", tag = "call", params(("id" = String, Path, description = "Id of the call")),
    responses((status = 204),
        (status = 404, description = "`unknown-call`"),
        (status = 409, description = "`wrong-state`")))]
pub(super) async fn leave(
    Operator(who): Operator,
    State(api): State<Api>,
    Id(call): Id,
) -> Result<StatusCode, Problem> {
    act(&api, &who, call, |call| Command::Leave { call }).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Hangs up.
#[utoipa::path(delete, path = "/calls/{id}", operation_id = "hangUpCall", tag = "call", params(("id" = String, Path, description = "Id of the call")),
    responses((status = 204),
        (status = 404, description = "`unknown-call`")))]
pub(super) async fn hang_up(
    Operator(who): Operator,
    State(api): State<Api>,
    Id(call): Id,
) -> Result<StatusCode, Problem> {
    act(&api, &who, call, |call| Command::HangUp { call }).await?;
    Ok(StatusCode::NO_CONTENT)
}
