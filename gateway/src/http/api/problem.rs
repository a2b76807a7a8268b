//! Problem details (RFC 9457): every error response says what was wrong, for people in `detail` and for
//! programs in `code`.

mod code;
mod reasons;

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

pub use code::Code;

/// Media type of problem details.
pub const PROBLEM_JSON: &str = "application/problem+json";

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
