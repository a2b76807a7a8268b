//! Users, queues, pause reasons, dispositions and call handling, as admins and users configure them.
//!
//! Each has an `ETag`; what changes or removes it says in `If-Match` which version it means (RFC 9110 §13.1.1).

pub(super) mod call_handling;
pub(super) mod choices;
pub(super) mod groups;
pub(super) mod queues;
pub(super) mod users;

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::http::header::{ETAG, IF_MATCH, LOCATION};
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue};
use axum::response::{AppendHeaders, IntoResponseParts, ResponseParts};
use tokio::time::timeout;

use super::Api;
use super::problem::{Code, Problem};
use crate::provisioning::{Match, Provisioning, ProvisioningError};

/// Time that the answer to a change may take. A change that takes longer is made all the same.
const PATIENCE: Duration = Duration::from_secs(10);

/// Tag of what the file says.
const OF_FILE: &str = "\"file\"";

/// `If-Match`, which must be there: one tag, or `*`.
#[derive(Debug)]
pub(super) struct IfMatch(Match);

impl FromRequestParts<Api> for IfMatch {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Api) -> Result<IfMatch, Problem> {
        let value = parts.headers.get(IF_MATCH).ok_or(Code::MatchRequired)?;
        let value = value
            .to_str()
            .map_err(|_| Problem::from(Code::BadRequest).detail("If-Match: not ASCII"))?;
        let version = |tag: &str| tag.strip_prefix("\"v")?.strip_suffix('"')?.parse().ok();
        Ok(IfMatch(match value.trim() {
            "*" => Match::Any,
            OF_FILE => Match::File,
            tag => version(tag).map_or(Match::Never, Match::Version),
        }))
    }
}

/// The tag of a version; none: the file's.
pub(super) struct Tag(Option<u64>);

impl IntoResponseParts for Tag {
    type Error = Infallible;

    fn into_response_parts(self, mut response: ResponseParts) -> Result<ResponseParts, Infallible> {
        let tag = self
            .0
            .map_or(OF_FILE.to_owned(), |version| format!("\"v{version}\""));
        if let Ok(tag) = HeaderValue::from_str(&tag) {
            response.headers_mut().insert(ETAG, tag);
        }
        Ok(response)
    }
}

/// Location of a new object.
fn at(path: &str, id: &str) -> AppendHeaders<[(HeaderName, String); 1]> {
    AppendHeaders([(LOCATION, format!("/api/v1/{path}/{id}"))])
}

/// Makes a change of the configuration, to the end even if the client hangs up; `unknown` is the problem if the object does not exist.
async fn change<T, F>(
    api: &Api,
    unknown: Code,
    change: impl FnOnce(Provisioning) -> F + Send + 'static,
) -> Result<T, Problem>
where
    T: Send + 'static,
    F: Future<Output = Result<T, ProvisioningError>> + Send,
{
    let provisioning = api.service.provisioning().clone();
    let work = tokio::spawn(async move { change(provisioning).await });
    match timeout(PATIENCE, work).await {
        Ok(Ok(Ok(done))) => Ok(done),
        Ok(Ok(Err(why))) => Err(problem_of(unknown, why)),
        Ok(Err(_)) => Err(Code::Internal.into()),
        Err(_) => Err(Code::Busy.into()),
    }
}

/// The problem for a change that was not made; `unknown` is that of an object that does not exist.
fn problem_of(unknown: Code, why: ProvisioningError) -> Problem {
    let of_file = "defined in the configuration file, or built in; it can only be changed in the file";
    match why {
        ProvisioningError::Unknown => unknown.into(),
        ProvisioningError::FromFile => Problem::from(Code::FromFile).detail(of_file),
        ProvisioningError::Changed => Code::Changed.into(),
        ProvisioningError::Taken => Code::NameTaken.into(),
        ProvisioningError::TooMany => Code::TooMany.into(),
        ProvisioningError::Invalid(fields) => Problem::fields(fields),
        ProvisioningError::LastAdmin => {
            Problem::from(Code::LastAdmin).detail("nobody else can sign in and configure")
        }
        ProvisioningError::InUse(queue) => {
            Problem::from(Code::InUse).detail(format!("the queue {queue} sends calls there"))
        }
        ProvisioningError::Refused(refused) => refused.into(),
        ProvisioningError::Unavailable => Problem::store_away(),
    }
}
