//! Codes of problems, each with its status and title.

use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Problem code, for programs. A code never changes its meaning; new ones may be added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Code {
    /// The body is not valid JSON.
    MalformedJson,
    /// A path, a query or a header cannot be read.
    BadRequest,
    /// A body, a query or a path is understood but wrong; `errors` says where.
    Invalid,
    /// A cursor that this list did not give.
    BadCursor,
    /// No access token or API key was sent.
    Unauthenticated,
    /// The token or key is not ours, or over.
    InvalidToken,
    /// No such user, or another password.
    BadCredentials,
    /// A refresh token was used again; its sign-in is over.
    TokenReused,
    /// The role or scope does not allow it.
    Forbidden,
    /// There is nothing at this path.
    NotFound,
    /// There is something at this path, but not for this method.
    MethodNotAllowed,
    /// There is no such user.
    UnknownUser,
    /// There is no such agent.
    UnknownAgent,
    /// There is no such call, or it is not yours.
    UnknownCall,
    /// There is no such queue.
    UnknownQueue,
    /// There is no such record, or it is not yours.
    UnknownRecord,
    /// There is no such API key.
    UnknownKey,
    /// No such ban.
    UnknownBan,
    /// There is no such pause reason or disposition.
    UnknownCode,
    /// Defined in the configuration file, and changed there.
    FromFile,
    /// Something else names it.
    InUse,
    /// Nobody else could configure anything then.
    LastAdmin,
    /// There are as many of them as there may be.
    TooMany,
    /// The queue has calls.
    QueueBusy,
    /// The offer is over.
    #[serde(rename = "offer-gone")]
    AssignmentGone,
    /// The call is not in a state for this.
    WrongState,
    /// The agent is not wrapping up.
    NotWrappingUp,
    /// The agent has another call.
    AgentBusy,
    /// Nobody can be reached there.
    Unreachable,
    /// The dial plan does not allow it.
    NotAllowed,
    /// This gateway has no demonstration.
    NoDemo,
    /// Another one has that name.
    NameTaken,
    /// There are as many API keys as there may be.
    TooManyKeys,
    /// The object has changed since it was read: `If-Match` names an older version.
    Changed,
    /// `If-Match` is missing.
    MatchRequired,
    /// The same `Idempotency-Key` came with another request.
    IdempotencyMismatch,
    /// The first request with this `Idempotency-Key` is still worked on.
    IdempotencyInProgress,
    /// The body is larger than 64 KiB.
    TooLarge,
    /// The body is not `application/json`.
    UnsupportedMediaType,
    /// This path is a WebSocket.
    UpgradeRequired,
    /// Too many sign-ins failed; `Retry-After` says when to try again.
    TooManyAttempts,
    /// Too much to do; `Retry-After` says when to try again.
    Busy,
    /// The store cannot keep or look up what is needed just now.
    Unavailable,
    /// A fault of the gateway.
    Internal,
}

impl Code {
    /// The status that goes with it.
    #[must_use]
    pub const fn status(self) -> StatusCode {
        match self {
            Code::MalformedJson | Code::BadRequest | Code::BadCursor => StatusCode::BAD_REQUEST,
            Code::Unauthenticated | Code::InvalidToken | Code::BadCredentials | Code::TokenReused => {
                StatusCode::UNAUTHORIZED
            }
            Code::Forbidden | Code::NotAllowed => StatusCode::FORBIDDEN,
            Code::NotFound
            | Code::UnknownUser
            | Code::UnknownAgent
            | Code::UnknownCall
            | Code::UnknownQueue
            | Code::UnknownRecord
            | Code::UnknownKey
            | Code::UnknownBan
            | Code::UnknownCode
            | Code::NoDemo => StatusCode::NOT_FOUND,
            Code::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Code::AssignmentGone
            | Code::WrongState
            | Code::NotWrappingUp
            | Code::AgentBusy
            | Code::Unreachable
            | Code::NameTaken
            | Code::FromFile
            | Code::InUse
            | Code::LastAdmin
            | Code::TooMany
            | Code::QueueBusy
            | Code::TooManyKeys
            | Code::IdempotencyInProgress => StatusCode::CONFLICT,
            Code::Changed => StatusCode::PRECONDITION_FAILED,
            Code::MatchRequired => StatusCode::PRECONDITION_REQUIRED,
            Code::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Code::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Code::Invalid | Code::IdempotencyMismatch => StatusCode::UNPROCESSABLE_ENTITY,
            Code::UpgradeRequired => StatusCode::UPGRADE_REQUIRED,
            Code::TooManyAttempts => StatusCode::TOO_MANY_REQUESTS,
            Code::Busy | Code::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Code::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    pub(super) const fn title(self) -> &'static str {
        match self {
            Code::MalformedJson => "The body is not valid JSON",
            Code::BadRequest => "The request cannot be read",
            Code::Invalid => "The request contains errors",
            Code::BadCursor => "Not a cursor of this list",
            Code::Unauthenticated => "Sign in first",
            Code::InvalidToken => "The token is invalid or has expired",
            Code::BadCredentials => "User or password is wrong",
            Code::TokenReused => "The refresh token has already been used",
            Code::Forbidden => "Not allowed",
            Code::NotFound => "Not found",
            Code::MethodNotAllowed => "Method not allowed",
            Code::UnknownUser => "No such user",
            Code::UnknownAgent => "No such agent",
            Code::UnknownCall => "No such call",
            Code::UnknownQueue => "No such queue",
            Code::UnknownRecord => "No such record",
            Code::UnknownKey => "No such API key",
            Code::UnknownBan => "No such ban",
            Code::UnknownCode => "No such code",
            Code::AssignmentGone => "The offer has ended",
            Code::WrongState => "Not possible in this state",
            Code::NotWrappingUp => "The agent is not in wrap-up",
            Code::AgentBusy => "The agent is busy",
            Code::Unreachable => "Nobody can be reached there",
            Code::NotAllowed => "The dial plan does not allow it",
            Code::NoDemo => "This gateway is not a demonstration",
            Code::NameTaken => "The name is taken",
            Code::FromFile => "Defined in the configuration file",
            Code::InUse => "It is still in use",
            Code::LastAdmin => "This is the last admin",
            Code::TooMany => "The maximum number is reached",
            Code::QueueBusy => "The queue has calls",
            Code::TooManyKeys => "Too many API keys",
            Code::Changed => "It has changed in the meantime",
            Code::MatchRequired => "If-Match is missing",
            Code::IdempotencyMismatch => "The idempotency key belongs to another request",
            Code::IdempotencyInProgress => "The first request is still in progress",
            Code::TooLarge => "The body is too large",
            Code::UnsupportedMediaType => "Only application/json is accepted",
            Code::UpgradeRequired => "This path is a WebSocket",
            Code::TooManyAttempts => "Too many attempts",
            Code::Busy => "Too much to do",
            Code::Unavailable => "Temporarily unavailable",
            Code::Internal => "Internal error",
        }
    }

    /// As in JSON.
    pub(super) fn name(self) -> String {
        match serde_json::to_value(self) {
            Ok(serde_json::Value::String(name)) => name,
            _ => String::new(),
        }
    }
}
