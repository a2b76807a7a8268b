//! Recordings: the list, their sound, and what people wish while a call lasts.

use std::ops::Range;
use std::sync::Arc;

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header::{
    ACCEPT_RANGES, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, RANGE,
};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde::{Deserialize, Serialize};
use sip_stack::Handle;
use tokio::sync::oneshot;
use tokio::task::spawn_blocking;
use utoipa::{IntoParams, ToSchema};

use super::Api;
use super::exposition::Page;
use super::extract::{self, Id, Params};
use super::guard::{Admin, CallReader, Operator, Watcher};
use super::list::{List, Part};
use super::problem::{Code, Problem};
use crate::auth::Principal;
use crate::recording::control::{Wanted, Wish};
use crate::recording::{Content, Deed, Library, Recording};
use crate::service::rights::supervises;
use crate::switch::Request;

/// Recordings, and the way to those who make them.
#[derive(Clone, Debug)]
pub struct Recordings {
    /// The folder.
    pub library: Arc<Library>,
    /// The signalling task.
    pub stack: Handle<Request>,
}

/// Selection of recordings.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Filter {
    /// Maximum number of items; default 50.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// `next_cursor` of the previous part.
    #[param(max_length = 200)]
    cursor: Option<String>,
    /// Only recordings of the call with this id.
    #[param(max_length = 64)]
    call: Option<String>,
    /// Only recordings of calls through the queue with this id.
    #[param(max_length = 64)]
    queue: Option<String>,
}

/// A recording that was begun or changed.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Recorded {
    /// Id of the recording.
    recording: String,
}

/// Recordings, newest first.
#[utoipa::path(get, path = "/recordings", operation_id = "listRecordings", tag = "supervisor", params(Filter),
    responses((status = 200, body = List<Recording>)))]
pub(super) async fn list(
    Watcher(_who): Watcher,
    State(api): State<Api>,
    Params(filter): Params<Filter>,
) -> Result<Json<List<Recording>>, Problem> {
    for (field, value) in [("call", &filter.call), ("queue", &filter.queue)] {
        if let Some(value) = value {
            extract::short(field, value, 64)?;
        }
    }
    let part = Part {
        limit: filter.limit,
        cursor: filter.cursor,
    };
    let limit = part.limit()?;
    let Some(recordings) = &api.recordings else {
        return Ok(Json(List {
            items: Vec::new(),
            next_cursor: None,
        }));
    };
    if part
        .cursor
        .as_ref()
        .is_some_and(|cursor| !cursor.starts_with("recording_"))
    {
        return Err(Code::BadCursor.into());
    }
    let is = |wanted: &Option<String>, found: &Option<String>| wanted.is_none() || wanted == found;
    let wanted =
        |recording: &Recording| is(&filter.call, &recording.call) && is(&filter.queue, &recording.queue);
    // One more tells whether there are more.
    let mut items = recordings.library.list(part.cursor.as_deref(), limit + 1, wanted);
    let has_more = items.len() > limit;
    items.truncate(limit);
    let last = items.last().filter(|_| has_more);
    let next_cursor = last.map(|recording| recording.id.clone());
    Ok(Json(List { items, next_cursor }))
}

/// A recording; for an agent, one of a call that it had.
#[utoipa::path(get, path = "/recordings/{id}", operation_id = "getRecording", tag = "supervisor",
    params(("id" = String, Path, description = "Id of the recording")),
    responses((status = 200, body = Recording), (status = 404, description = "`not-found`")))]
pub(super) async fn get(
    CallReader(who): CallReader,
    State(api): State<Api>,
    Id(id): Id,
) -> Result<Json<Recording>, Problem> {
    Ok(Json(seen(&api, &who, &id).await?.1))
}

/// Sound of a saved recording as a WAV file: the far side on the left, ours on the right. A range (RFC 9110 §14) gives a part of it. It is
/// written down who listens.
#[utoipa::path(get, path = "/recordings/{id}/audio", operation_id = "getRecordingAudio", tag = "supervisor",
    params(("id" = String, Path, description = "Id of the recording")),
    responses((status = 200, description = "The whole file", content_type = "audio/wav"),
        (status = 206, description = "The range", content_type = "audio/wav"),
        (status = 404, description = "`not-found`"),
        (status = 409, description = "`wrong-state`: it is not saved yet")))]
pub(super) async fn audio(
    CallReader(who): CallReader,
    State(api): State<Api>,
    Id(id): Id,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let (recordings, recording) = seen(&api, &who, &id).await?;
    if recording.is_live() {
        return Err(Code::WrongState.into());
    }
    let (library, now) = (Arc::clone(&recordings.library), api.now());
    let opened = spawn_blocking(move || {
        library.note(now, &who.id, Deed::Listened, &recording.id)?;
        library.content(&recording)
    });
    let content = match opened.await {
        Ok(Ok(content)) => content,
        Ok(Err(error)) => {
            tracing::error!(recording = id, %error, "a recording cannot be heard");
            return Err(
                Problem::from(Code::Unavailable).detail("the recording cannot be read; the log says why")
            );
        }
        Err(_) => return Err(Code::Unavailable.into()),
    };
    Ok(answer(&id, content, &headers))
}

fn answer(id: &str, content: Content, headers: &HeaderMap) -> Response {
    let size = content.size();
    let wanted = headers.get(RANGE).and_then(|value| value.to_str().ok());
    let range = wanted.and_then(|value| range(value, size));
    let (status, part) = match &range {
        Some(range) => (StatusCode::PARTIAL_CONTENT, range.clone()),
        None => (StatusCode::OK, 0..size),
    };
    let fixed = [
        (CONTENT_TYPE, "audio/wav".to_owned()),
        (ACCEPT_RANGES, "bytes".to_owned()),
        (CONTENT_LENGTH, (part.end - part.start).to_string()),
        (CONTENT_DISPOSITION, format!("attachment; filename=\"{id}.wav\"")),
    ];
    let mut response = (status, fixed, body(content, part.clone())).into_response();
    let of_all = format!("bytes {}-{}/{size}", part.start, part.end.saturating_sub(1));
    if let (Some(_), Ok(value)) = (range, of_all.parse()) {
        response.headers_mut().insert(CONTENT_RANGE, value);
    }
    response
}

/// The part of a file, piece by piece, as the client reads it.
fn body(content: Content, part: Range<u64>) -> Body {
    let pieces = stream::try_unfold((Arc::new(content), part), |(content, part)| async move {
        if part.is_empty() {
            return Ok(None);
        }
        let (of, range) = (Arc::clone(&content), part.clone());
        let piece = spawn_blocking(move || of.read(range)).await;
        let piece = piece.map_err(std::io::Error::other)??;
        let rest = part.start + piece.len() as u64..part.end;
        Ok::<_, std::io::Error>(Some((Bytes::from(piece), (content, rest))))
    });
    Body::from_stream(pieces)
}

/// The one range that is asked for, if it is one of the file; anything else is answered with the whole (RFC 9110 §14.2).
fn range(value: &str, size: u64) -> Option<Range<u64>> {
    let (first, last) = value.strip_prefix("bytes=")?.split_once('-')?;
    let (first, last) = (first.trim(), last.trim());
    let range = if first.is_empty() {
        size.saturating_sub(last.parse().ok()?)..size
    } else if last.is_empty() {
        first.parse().ok()?..size
    } else {
        first.parse().ok()?..last.parse::<u64>().ok()?.saturating_add(1).min(size)
    };
    (!range.is_empty()).then_some(range)
}

/// Deletes a saved recording. It is written down who does.
#[utoipa::path(delete, path = "/recordings/{id}", operation_id = "deleteRecording", tag = "admin",
    params(("id" = String, Path, description = "Id of the recording")),
    responses((status = 204), (status = 404, description = "`not-found`"),
        (status = 409, description = "`wrong-state`: it is not saved yet")))]
pub(super) async fn delete(
    Admin(who): Admin,
    State(api): State<Api>,
    Id(id): Id,
) -> Result<StatusCode, Problem> {
    let (recordings, recording) = seen(&api, &who, &id).await?;
    if recording.is_live() {
        return Err(Code::WrongState.into());
    }
    let (library, now) = (Arc::clone(&recordings.library), api.now());
    let deleted = spawn_blocking(move || {
        library.note(now, &who.id, Deed::Deleted, &id)?;
        Ok::<_, std::io::Error>(library.delete(&id))
    });
    match deleted.await {
        Ok(Ok(true)) => Ok(StatusCode::NO_CONTENT),
        Ok(Ok(false)) => Err(Code::NotFound.into()),
        _ => Err(Code::Unavailable.into()),
    }
}

/// Records a call from now on, where the rules allow it.
#[utoipa::path(post, path = "/calls/{id}/recording", operation_id = "startRecording", tag = "call",
    params(("id" = String, Path, description = "Id of the call")),
    responses((status = 202, body = Recorded), (status = 404, description = "`unknown-call`"),
        (status = 409, description = "`wrong-state`: it is recorded already; `not-allowed`")))]
pub(super) async fn start(
    Operator(who): Operator,
    State(api): State<Api>,
    Id(call): Id,
) -> Result<(StatusCode, Json<Recorded>), Problem> {
    wish(&api, &who, call, Wish::Start).await
}

/// Ends the recording of a call that goes on.
#[utoipa::path(delete, path = "/calls/{id}/recording", operation_id = "stopRecording", tag = "call",
    params(("id" = String, Path, description = "Id of the call")),
    responses((status = 202, body = Recorded), (status = 404, description = "`unknown-call`"),
        (status = 409, description = "`wrong-state`: it is not recorded")))]
pub(super) async fn stop(
    Operator(who): Operator,
    State(api): State<Api>,
    Id(call): Id,
) -> Result<(StatusCode, Json<Recorded>), Problem> {
    wish(&api, &who, call, Wish::Stop).await
}

/// Records silence instead of what is said, such as the number of a card.
#[utoipa::path(post, path = "/calls/{id}/recording/pause", operation_id = "pauseRecording", tag = "call",
    params(("id" = String, Path, description = "Id of the call")),
    responses((status = 202, body = Recorded), (status = 404, description = "`unknown-call`"),
        (status = 409, description = "`wrong-state`: it is not recorded, or paused already")))]
pub(super) async fn pause(
    Operator(who): Operator,
    State(api): State<Api>,
    Id(call): Id,
) -> Result<(StatusCode, Json<Recorded>), Problem> {
    wish(&api, &who, call, Wish::Pause).await
}

/// Records what is said again.
#[utoipa::path(post, path = "/calls/{id}/recording/resume", operation_id = "resumeRecording", tag = "call",
    params(("id" = String, Path, description = "Id of the call")),
    responses((status = 202, body = Recorded), (status = 404, description = "`unknown-call`"),
        (status = 409, description = "`wrong-state`: it is not paused")))]
pub(super) async fn resume(
    Operator(who): Operator,
    State(api): State<Api>,
    Id(call): Id,
) -> Result<(StatusCode, Json<Recorded>), Problem> {
    wish(&api, &who, call, Wish::Resume).await
}

async fn wish(
    api: &Api,
    who: &Principal,
    call: String,
    wish: Wish,
) -> Result<(StatusCode, Json<Recorded>), Problem> {
    let is_own = api.service.stream().read(|view| {
        let live = view.calls.get(&call);
        live.is_some_and(|live| live.agent.as_deref() == Some(who.id.as_str()))
    });
    let Some(recordings) = api.recordings.as_ref().filter(|_| is_own || supervises(who)) else {
        return Err(Code::UnknownCall.into());
    };
    let (reply, answer) = oneshot::channel();
    let wanted = Request::Recording(Wanted { call, wish, reply });
    recordings.stack.try_request(wanted).map_err(|_| Code::Busy)?;
    let recording = answer.await.map_err(|_| Code::Busy)??;
    Ok((StatusCode::ACCEPTED, Json(Recorded { recording })))
}

/// A recording that somebody may see: supervisors all, agents those of calls that they have or had.
async fn seen<'a>(api: &'a Api, who: &Principal, id: &str) -> Result<(&'a Recordings, Recording), Problem> {
    let recordings = api.recordings.as_ref().ok_or(Code::NotFound)?;
    let recording = recordings.library.get(id).ok_or(Code::NotFound)?;
    if who.sees_all() {
        return Ok((recordings, recording));
    }
    let is_own = match &recording.call {
        Some(call) => api.service.is_own(&who.id, call).await?,
        None => false,
    };
    is_own
        .then_some((recordings, recording))
        .ok_or_else(|| Code::NotFound.into())
}

impl Recordings {
    /// Appends the numbers of recordings.
    pub(super) fn append(&self, page: &mut Page) {
        let (saved, size) = self.library.total();
        let live = self.library.unfinished().len();
        page.gauge("recordings_live", "Recordings of calls that go on.");
        page.sample(&[], live as f64);
        page.gauge("recordings_saved", "Recordings that are saved.");
        page.sample(&[], saved as f64);
        page.gauge("recordings_bytes", "Size of the recordings that are saved.");
        page.sample(&[], size as f64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_one_of_the_file_or_none() {
        for (value, found) in [
            ("bytes=0-", Some(0..100)),
            ("bytes=10-19", Some(10..20)),
            ("bytes=90-500", Some(90..100)),
            ("bytes=-30", Some(70..100)),
            ("bytes=-300", Some(0..100)),
            ("bytes=100-", None),
            ("bytes=20-10", None),
            ("bytes=-0", None),
            ("bytes=0-1,5-6", None),
            ("lines=0-1", None),
            ("bytes=x-", None),
        ] {
            assert_eq!(range(value, 100), found, "{value}");
        }
    }
}
