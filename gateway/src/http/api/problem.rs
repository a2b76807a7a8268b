//! Problem details (RFC 9457): every error response says what was wrong, for people in `detail` and for
//! programs in `code`.

use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::auth::{Denied, NoEntropy};
use crate::centre::command::Refused;
use crate::service::archive::Unavailable;
use crate::service::{Missing, ServiceError};

/// Media type of problem details.
pub const PROBLEM_JSON: &str = "application/problem+json";

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
    /// There is no such trunk.
    UnknownTrunk,
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
            | Code::UnknownTrunk
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

    const fn title(self) -> &'static str {
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
            Code::UnknownTrunk => "No such trunk",
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
    fn name(self) -> String {
        match serde_json::to_value(self) {
            Ok(serde_json::Value::String(name)) => name,
            _ => String::new(),
        }
    }
}

/// One error in a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FieldError {
    /// Field of the body, or parameter.
    pub field: String,
    /// Description of the error.
    pub detail: String,
}

/// An error response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    code: Code,
    detail: Option<String>,
    errors: Vec<FieldError>,
    retry_after: Option<Duration>,
}

/// A problem, as it is sent.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = Problem)]
pub struct ProblemDetails {
    /// `urn:cordboard:problem:` and the code.
    pub r#type: String,
    /// The code in words.
    pub title: String,
    /// The status of the response.
    pub status: u16,
    /// Description of this problem, for people.
    pub detail: String,
    /// Path of the request.
    pub instance: String,
    /// Code for programs.
    pub code: Code,
    /// Fields and parameters that are wrong.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
}

impl Problem {
    /// Code of the problem.
    #[must_use]
    pub const fn code(&self) -> Code {
        self.code
    }

    /// With words of its own.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Problem {
        self.detail = Some(detail.into());
        self
    }

    /// One field is wrong.
    #[must_use]
    pub fn field(field: impl Into<String>, detail: impl Into<String>) -> Problem {
        let (field, detail) = (field.into(), detail.into());
        let mut problem = Problem::from(Code::Invalid).detail(format!("{field}: {detail}"));
        problem.errors.push(FieldError { field, detail });
        problem
    }

    /// These fields are wrong.
    #[must_use]
    pub fn fields(wrong: Vec<(String, String)>) -> Problem {
        let mut problem = Problem::from(Code::Invalid);
        if let Some((field, detail)) = wrong.first() {
            problem = problem.detail(format!("{field}: {detail}"));
        }
        let error = |(field, detail)| FieldError { field, detail };
        problem.errors = wrong.into_iter().map(error).collect();
        problem
    }

    fn retry_after(mut self, wait: Duration) -> Problem {
        self.retry_after = Some(wait);
        self
    }

    fn details(&self, instance: &str) -> ProblemDetails {
        let code = self.code.name();
        ProblemDetails {
            r#type: format!("urn:cordboard:problem:{code}"),
            title: self.code.title().into(),
            status: self.code.status().as_u16(),
            detail: self.detail.clone().unwrap_or_else(|| self.code.title().into()),
            instance: instance.into(),
            code: self.code,
            errors: self.errors.clone(),
        }
    }
}

impl Problem {
    /// The store does not accept or return anything at the moment.
    pub(super) fn store_away() -> Problem {
        Problem::from(Code::Unavailable)
            .detail("the database is unavailable at the moment (the log says why); calls continue")
    }
}

impl From<Code> for Problem {
    fn from(code: Code) -> Problem {
        let retry_after = match code {
            Code::Busy | Code::Unavailable => Some(Duration::from_secs(1)),
            _ => None,
        };
        Problem {
            code,
            detail: None,
            errors: Vec::new(),
            retry_after,
        }
    }
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Problem {
        let code = match refused {
            Refused::UnknownAgent => Code::UnknownAgent,
            Refused::UnknownCall => Code::UnknownCall,
            Refused::UnknownQueue => Code::UnknownQueue,
            Refused::AssignmentGone => Code::AssignmentGone,
            Refused::WrongState => Code::WrongState,
            Refused::NotWrappingUp => Code::NotWrappingUp,
            Refused::AgentBusy => Code::AgentBusy,
            Refused::QueueBusy => Code::QueueBusy,
            Refused::Unreachable => Code::Unreachable,
            Refused::NotAllowed => Code::NotAllowed,
            Refused::Busy => Code::Busy,
        };
        Problem::from(code).detail(refused.to_string())
    }
}

impl From<Missing> for Problem {
    fn from(missing: Missing) -> Problem {
        match missing {
            Missing::Agent => Code::UnknownAgent.into(),
            Missing::Call => Code::UnknownCall.into(),
            Missing::Queue => Code::UnknownQueue.into(),
            Missing::Record => Code::UnknownRecord.into(),
        }
    }
}

impl From<Unavailable> for Problem {
    fn from(_: Unavailable) -> Problem {
        Problem::store_away()
    }
}

impl From<ServiceError> for Problem {
    fn from(error: ServiceError) -> Problem {
        match error {
            ServiceError::Refused(refused) => refused.into(),
            ServiceError::Missing(missing) => missing.into(),
            ServiceError::BadCursor => Code::BadCursor.into(),
            ServiceError::NoDemo => Code::NoDemo.into(),
            ServiceError::StoreAway => Problem::store_away(),
        }
    }
}

impl From<Denied> for Problem {
    fn from(denied: Denied) -> Problem {
        match denied {
            Denied::BadCredentials => Code::BadCredentials.into(),
            Denied::TooMany(wait) => Problem::from(Code::TooManyAttempts).retry_after(wait),
            Denied::Banned(wait) => Problem::from(Code::TooManyAttempts)
                .detail("too many sign-ins from this address failed")
                .retry_after(wait),
            Denied::BadToken => Code::InvalidToken.into(),
            Denied::Reused => Code::TokenReused.into(),
            Denied::Overloaded => Code::Busy.into(),
        }
    }
}

impl From<NoEntropy> for Problem {
    fn from(_: NoEntropy) -> Problem {
        Code::Unavailable.into()
    }
}

impl IntoResponse for Problem {
    /// The status alone; [`finish`], which knows the path, writes the rest.
    fn into_response(self) -> Response {
        let mut response = self.code.status().into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// Makes a problem of every error response of the API, whichever layer sent it.
pub(crate) async fn finish(request: Request, next: Next) -> Response {
    let instance = request.uri().path().to_owned();
    let mut response = next.run(request).await;
    if response.status().is_client_error() || response.status().is_server_error() {
        response = written(response, &instance);
    }
    response
}

/// The outermost layer: caches keep nothing of the API, and browsers take nothing for another type than it
/// has, preflights included.
pub(crate) async fn seal(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers
        .entry(CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

fn written(mut response: Response, instance: &str) -> Response {
    let problem = match response.extensions_mut().remove::<Problem>() {
        Some(problem) => problem,
        // Written already: an answer that is replayed.
        None if is_problem(&response) => return response,
        None => of_status(response.status()),
    };
    let details = problem.details(instance);
    let mut answer = Response::new(Body::from(serde_json::to_vec(&details).unwrap_or_default()));
    *answer.status_mut() = problem.code.status();
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
    if let Some(allow) = response.headers().get(ALLOW) {
        headers.insert(ALLOW, allow.clone());
    }
    if let Some(wait) = problem.retry_after {
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds.max(1)));
    }
    if answer.status() == StatusCode::UNAUTHORIZED {
        let challenge = match problem.code {
            Code::Unauthenticated => "Bearer realm=\"cordboard\"",
            _ => "Bearer realm=\"cordboard\", error=\"invalid_token\"",
        };
        answer
            .headers_mut()
            .insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
    }
    answer
}

fn is_problem(response: &Response) -> bool {
    response
        .headers()
        .get(CONTENT_TYPE)
        .is_some_and(|value| value == PROBLEM_JSON)
}

/// The problem for a status that the router itself answered.
fn of_status(status: StatusCode) -> Problem {
    match status {
        StatusCode::NOT_FOUND => Code::NotFound,
        StatusCode::METHOD_NOT_ALLOWED => Code::MethodNotAllowed,
        StatusCode::PAYLOAD_TOO_LARGE => Code::TooLarge,
        StatusCode::UNSUPPORTED_MEDIA_TYPE => Code::UnsupportedMediaType,
        StatusCode::UPGRADE_REQUIRED => Code::UpgradeRequired,
        StatusCode::SERVICE_UNAVAILABLE => Code::Busy,
        status if status.is_client_error() => Code::BadRequest,
        _ => Code::Internal,
    }
    .into()
}
