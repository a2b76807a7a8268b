//! `Idempotency-Key`: a POST that is sent again with the same key is answered as it was at first and does nothing more.

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::header::{CONTENT_TYPE, ETAG, LOCATION};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use ring::digest;

use super::extract::MAX_BODY;
use super::problem::{Code, Problem};
use super::{Api, guard};
use crate::service::idempotency::{Begun, KeyInUse};

/// The header.
pub(super) const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// Says that an answer was given before.
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// The longest key.
const MAX_KEY: usize = 255;

/// Answer of the API, to be given again.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    status: StatusCode,
    headers: Vec<(HeaderName, HeaderValue)>,
    body: Bytes,
    problem: Option<Problem>,
}

/// Passes on what comes for the first time. Refusals of who is asking and what could not be done for now are not kept, so that the
/// request can be sent again.
pub(super) async fn once(State(api): State<Api>, request: Request, next: Next) -> Response {
    match pass(api, request, next).await {
        Ok(response) => response,
        Err(problem) => problem.into_response(),
    }
}

async fn pass(api: Api, request: Request, next: Next) -> Result<Response, Problem> {
    let is_sign_in = request.uri().path().starts_with("/api/v1/auth/");
    let Some(key) = request.headers().get(IDEMPOTENCY_KEY).filter(|_| !is_sign_in) else {
        return Ok(next.run(request).await);
    };
    if request.method() != Method::POST {
        return Ok(next.run(request).await);
    }
    let key = key
        .to_str()
        .ok()
        .filter(|key| !key.is_empty() && key.len() <= MAX_KEY);
    let key =
        key.ok_or_else(|| Problem::from(Code::BadRequest).detail("Idempotency-Key: 1 to 255 characters"))?;
    let Ok(principal) = guard::principal(request.headers(), &api) else {
        // The route reports the error in it.
        return Ok(next.run(request).await);
    };
    let name = (principal.id, key.to_owned());
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, MAX_BODY).await.map_err(|_| Code::TooLarge)?;
    let print = fingerprint(&parts.method, parts.uri.path(), &body);
    let work = match api.requests.begin(api.now(), name, print)? {
        Begun::Again(answer) => return Ok(answer.again()),
        Begun::New(work) => work,
    };
    let request = Request::from_parts(parts, Body::from(body));
    // The request continues even if the client hangs up.
    let done = tokio::spawn(async move {
        let response = next.run(request).await;
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, usize::MAX).await.unwrap_or_default();
        let answer = Answer {
            status: parts.status,
            headers: repeated_headers(&parts.headers),
            body: body.clone(),
            problem: parts.extensions.get::<Problem>().cloned(),
        };
        work.end(Some(answer).filter(|answer| is_final(answer.status)));
        Response::from_parts(parts, Body::from(body))
    });
    done.await.map_err(|_| Code::Internal.into())
}

impl Answer {
    fn again(self) -> Response {
        let mut response = Response::new(Body::from(self.body));
        *response.status_mut() = self.status;
        response
            .headers_mut()
            .insert(REPLAYED, HeaderValue::from_static("true"));
        response.headers_mut().extend(self.headers);
        if let Some(problem) = self.problem {
            response.extensions_mut().insert(problem);
        }
        response
    }
}

impl From<KeyInUse> for Problem {
    fn from(used: KeyInUse) -> Problem {
        match used {
            KeyInUse::Mismatch => Code::IdempotencyMismatch.into(),
            KeyInUse::InProgress => Code::IdempotencyInProgress.into(),
        }
    }
}

fn is_final(status: StatusCode) -> bool {
    let for_now = [
        StatusCode::UNAUTHORIZED,
        StatusCode::FORBIDDEN,
        StatusCode::TOO_MANY_REQUESTS,
    ];
    !status.is_server_error() && !for_now.contains(&status)
}

fn repeated_headers(headers: &HeaderMap) -> Vec<(HeaderName, HeaderValue)> {
    let known = [CONTENT_TYPE, ETAG, LOCATION].into_iter();
    known
        .filter_map(|name| Some((name.clone(), headers.get(name)?.clone())))
        .collect()
}

fn fingerprint(method: &Method, path: &str, body: &[u8]) -> [u8; 32] {
    let mut context = digest::Context::new(&digest::SHA256);
    for part in [method.as_str().as_bytes(), b" ", path.as_bytes(), b"\n", body] {
        context.update(part);
    }
    let mut print = [0; 32];
    print.copy_from_slice(context.finish().as_ref());
    print
}
