//! `Idempotency-Key`: a POST that is sent again with the same key is answered as it was at first and does nothing more.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::header::{CONTENT_TYPE, ETAG, LOCATION};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use ring::digest;
use sans_io::Time;

use super::extract::MAX_BODY;
use super::problem::{Code, Problem};
use super::{Api, guard};

/// The header.
pub(super) const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// Says that an answer was given before.
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// Time that answers are kept.
const KEPT: Duration = Duration::from_secs(24 * 3600);
/// Answers that are kept; beyond, the oldest is forgotten.
const MAX_KEPT: usize = 10_000;
/// The longest key.
const MAX_KEY: usize = 255;

/// Requests that came with a key.
#[derive(Debug, Default)]
pub(super) struct Requests {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    known: BTreeMap<Name, Known>,
    /// In the order in which they came.
    order: VecDeque<(Time, Name)>,
}

/// Owner of the key, and the key.
type Name = (String, String);

#[derive(Debug)]
struct Known {
    /// Hash of method, path and body.
    request: [u8; 32],
    /// None while it is worked on.
    answer: Option<Answer>,
}

#[derive(Clone, Debug)]
struct Answer {
    status: StatusCode,
    headers: Vec<(HeaderName, HeaderValue)>,
    body: Bytes,
    problem: Option<Problem>,
}

enum Begun {
    New,
    Again(Answer),
}

impl Requests {
    fn begin(&self, now: Time, name: &Name, request: [u8; 32]) -> Result<Begun, Problem> {
        let mut inner = self.lock();
        inner.forget(now);
        match inner.known.get(name) {
            Some(known) if known.request != request => return Err(Code::IdempotencyMismatch.into()),
            Some(Known { answer: None, .. }) => return Err(Code::IdempotencyInProgress.into()),
            Some(Known {
                answer: Some(answer), ..
            }) => return Ok(Begun::Again(answer.clone())),
            None => {}
        }
        inner.known.insert(
            name.clone(),
            Known {
                request,
                answer: None,
            },
        );
        inner.order.push_back((now, name.clone()));
        Ok(Begun::New)
    }

    fn end(&self, name: &Name, answer: Option<Answer>) {
        let mut inner = self.lock();
        match answer {
            Some(answer) => {
                if let Some(known) = inner.known.get_mut(name) {
                    known.answer = Some(answer);
                }
            }
            None => {
                inner.known.remove(name);
                inner.order.retain(|(_, known)| known != name);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn forget(&mut self, now: Time) {
        while let Some((since, _)) = self.order.front() {
            if self.order.len() < MAX_KEPT && now.since(*since) < KEPT {
                return;
            }
            if let Some((_, name)) = self.order.pop_front() {
                self.known.remove(&name);
            }
        }
    }
}

/// Ends the work under way even if it panics.
struct Work {
    requests: Arc<Requests>,
    name: Name,
    answer: Option<Answer>,
}

impl Drop for Work {
    fn drop(&mut self) {
        self.requests.end(&self.name, self.answer.take());
    }
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
    if let Begun::Again(answer) = api.requests.begin(api.now(), &name, print)? {
        return Ok(answer.again());
    }
    let mut work = Work {
        requests: Arc::clone(&api.requests),
        name,
        answer: None,
    };
    let request = Request::from_parts(parts, Body::from(body));
    // The request continues even if the client hangs up.
    let done = tokio::spawn(async move {
        let response = next.run(request).await;
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, usize::MAX).await.unwrap_or_default();
        let answer = Answer {
            status: parts.status,
            headers: told_again(&parts.headers),
            body: body.clone(),
            problem: parts.extensions.get::<Problem>().cloned(),
        };
        work.answer = Some(answer).filter(|answer| is_final(answer.status));
        drop(work);
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

fn is_final(status: StatusCode) -> bool {
    let for_now = [
        StatusCode::UNAUTHORIZED,
        StatusCode::FORBIDDEN,
        StatusCode::TOO_MANY_REQUESTS,
    ];
    !status.is_server_error() && !for_now.contains(&status)
}

fn told_again(headers: &HeaderMap) -> Vec<(HeaderName, HeaderValue)> {
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

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Time = Time::from_secs(1_000);

    fn name(key: &str) -> Name {
        ("usr_1".into(), key.into())
    }

    fn done() -> Option<Answer> {
        Some(Answer {
            status: StatusCode::CREATED,
            headers: Vec::new(),
            body: Bytes::new(),
            problem: None,
        })
    }

    fn begins(requests: &Requests, now: Time, key: &str, print: u8) -> Result<bool, Code> {
        match requests.begin(now, &name(key), [print; 32]) {
            Ok(Begun::New) => Ok(true),
            Ok(Begun::Again(_)) => Ok(false),
            Err(problem) => Err(problem.code()),
        }
    }

    #[test]
    fn a_key_is_one_request_for_a_day() {
        let requests = Requests::default();
        assert_eq!(begins(&requests, NOW, "a", 1), Ok(true));
        assert_eq!(begins(&requests, NOW, "a", 1), Err(Code::IdempotencyInProgress));
        requests.end(&name("a"), done());
        assert_eq!(begins(&requests, NOW, "a", 1), Ok(false));
        assert_eq!(begins(&requests, NOW, "a", 2), Err(Code::IdempotencyMismatch));
        assert_eq!(begins(&requests, NOW + KEPT, "a", 2), Ok(true));
    }

    #[test]
    fn what_failed_can_be_sent_again() {
        let requests = Requests::default();
        assert_eq!(begins(&requests, NOW, "a", 1), Ok(true));
        requests.end(&name("a"), None);
        assert_eq!(begins(&requests, NOW, "a", 1), Ok(true));
    }

    #[test]
    fn memory_is_bounded() {
        let requests = Requests::default();
        for n in 0..MAX_KEPT + 10 {
            assert_eq!(begins(&requests, NOW, &n.to_string(), 1), Ok(true));
        }
        let inner = requests.lock();
        assert_eq!((inner.known.len(), inner.order.len()), (MAX_KEPT, MAX_KEPT));
    }
}
