//! Bodies, queries and path parameters, and the problems for wrong ones.

use std::borrow::Cow;

use axum::extract::rejection::{BytesRejection, PathRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::HeaderMap;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use bytes::Bytes;
use sans_io::Time;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::problem::{Code, Problem};

/// The largest body.
pub(super) const MAX_BODY: usize = 64 << 10;

/// A JSON object.
#[derive(Debug)]
pub(super) struct Body<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Body<T>, Problem> {
        if !is_json(request.headers()) {
            return Err(Code::UnsupportedMediaType.into());
        }
        let bytes = Bytes::from_request(request, state).await.map_err(unread)?;
        object(&bytes).map(Body)
    }
}

/// Parameters of the query.
#[derive(Debug)]
pub(super) struct Params<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Params<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Params<T>, Problem> {
        let query = Query::<T>::from_request_parts(parts, state).await;
        let Query(params) = query.map_err(|error: QueryRejection| Problem::field("query", cause(&error)))?;
        Ok(Params(params))
    }
}

/// A moment in a query, as RFC 3339. A moment before 1970 is taken for 1970: nothing is older.
#[derive(Clone, Copy, Debug)]
pub(super) struct When(pub(super) Time);

impl<'de> Deserialize<'de> for When {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<When, D::Error> {
        let text = <Cow<'de, str>>::deserialize(deserializer)?;
        let timestamp: jiff::Timestamp = text.parse().map_err(serde::de::Error::custom)?;
        Ok(When(Time(
            u64::try_from(timestamp.as_microsecond()).unwrap_or_default(),
        )))
    }
}

/// The id in a path.
#[derive(Debug)]
pub(super) struct Id(pub(super) String);

impl<S: Send + Sync> FromRequestParts<S> for Id {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Id, Problem> {
        let path = Path::<String>::from_request_parts(parts, state).await;
        let Path(id) =
            path.map_err(|error: PathRejection| Problem::from(Code::BadRequest).detail(error.to_string()))?;
        Ok(Id(id))
    }
}

/// Reads a JSON object.
pub(super) fn object<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let value: Value = serde_json::from_slice(bytes)
        .map_err(|error| Problem::from(Code::MalformedJson).detail(error.to_string()))?;
    // serde reads a struct from an array as well.
    if !value.is_object() {
        return Err(Problem::field("body", "must be an object"));
    }
    serde_json::from_value(whole(value)).map_err(|error| Problem::field("body", error.to_string()))
}

/// Numbers without a fraction are integers, however they are written (JSON Schema, 6.1.1): `20.0` is `20`.
fn whole(value: Value) -> Value {
    match value {
        Value::Number(number) => match number.as_f64() {
            // Up to there each integer has a number of its own.
            Some(float) if number.is_f64() && float.fract() == 0.0 && float.abs() <= 9e15 => {
                Value::from(float as i64)
            }
            _ => Value::Number(number),
        },
        Value::Array(items) => items.into_iter().map(whole).collect(),
        Value::Object(fields) => fields
            .into_iter()
            .map(|(name, value)| (name, whole(value)))
            .collect(),
        other => other,
    }
}

/// Text that people wrote: at most `max` characters, no control characters but line breaks and tabs.
pub(super) fn text(field: &str, value: &str, max: usize) -> Result<(), Problem> {
    let control = |c: char| c.is_control() && !matches!(c, '\n' | '\t' | '\r');
    if value.chars().any(control) {
        return Err(Problem::field(field, "no control characters"));
    }
    short(field, value, max)
}

/// One line of such text that is not empty.
pub(super) fn line(field: &str, value: &str, max: usize) -> Result<(), Problem> {
    if value.is_empty() {
        return Err(Problem::field(field, "must not be empty"));
    }
    if value.chars().any(char::is_control) {
        return Err(Problem::field(field, "no control characters"));
    }
    short(field, value, max)
}

/// At most `max` characters.
pub(super) fn short(field: &str, value: &str, max: usize) -> Result<(), Problem> {
    if value.chars().count() > max {
        return Err(Problem::field(field, format!("at most {max} characters")));
    }
    Ok(())
}

fn is_json(headers: &HeaderMap) -> bool {
    let Some(value) = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()) else {
        return false;
    };
    let media = value.split(';').next().unwrap_or_default().trim();
    media.eq_ignore_ascii_case("application/json")
}

fn unread(error: BytesRejection) -> Problem {
    if error.status() == StatusCode::PAYLOAD_TOO_LARGE {
        Code::TooLarge.into()
    } else {
        Code::BadRequest.into()
    }
}

fn cause(error: &dyn std::error::Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}
