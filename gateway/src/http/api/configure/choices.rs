//! Pause reasons and dispositions.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;

use super::super::Api;
use super::super::extract::{Body, Id};
use super::super::guard::{Admin, SignedIn};
use super::super::list::List;
use super::super::problem::{Code, Problem};
use super::{IfMatch, Tag, at, change};
use crate::config::Choice;
use crate::provisioning::{Kind, Match};

macro_rules! choices {
    ($module:ident, $kind:expr, $path:literal, $one:literal, $what:literal, $ids:expr) => {
        #[doc = $what]
        pub(in super::super) mod $module {
            use super::*;

            #[doc = $what]
            #[utoipa::path(get, path = $path, operation_id = $ids[0], tag = "agent", responses((status = 200, body = List<Choice>)))]
            pub(in super::super::super) async fn list(SignedIn(_who): SignedIn, State(api): State<Api>) -> Json<List<Choice>> {
                Json(List {
                    items: api.service.provisioning().choices($kind),
                    next_cursor: None,
                })
            }

            /// One of them.
            #[utoipa::path(get, path = $one, operation_id = $ids[1], tag = "admin", params(("id" = String, Path, description = "Code of the pause reason or disposition")),
                responses((status = 200, body = Choice, headers(("ETag" = String, description = "For `If-Match`; `\"file\"`: defined in the configuration file"))),
                    (status = 404, description = "`unknown-code`")))]
            pub(in super::super::super) async fn get(
                Admin(_who): Admin,
                State(api): State<Api>,
                Id(code): Id,
            ) -> Result<impl IntoResponse, Problem> {
                found(&api, $kind, &code)
            }

            /// Adds one.
            #[utoipa::path(post, path = $path, operation_id = $ids[2], tag = "admin", request_body = Choice,
                responses((status = 201, body = Choice, headers(("ETag" = String, description = "For `If-Match`"), ("Location" = String))),
                    (status = 409, description = "`name-taken`, `too-many`")))]
            pub(in super::super::super) async fn post(
                Admin(_who): Admin,
                State(api): State<Api>,
                Body(choice): Body<Choice>,
            ) -> Result<impl IntoResponse, Problem> {
                let code = choice.code.clone();
                store(&api, $kind, None, choice).await?;
                let path = $path.trim_start_matches('/');
                Ok((StatusCode::CREATED, at(path, &code), found(&api, $kind, &code)?))
            }

            /// Changes the label of one.
            #[utoipa::path(put, path = $one, operation_id = $ids[3], tag = "admin", request_body = Choice,
                params(("id" = String, Path, description = "Code of the pause reason or disposition"),
                    ("If-Match" = String, Header, description = "The `ETag` of the object to change")),
                responses((status = 200, body = Choice, headers(("ETag" = String, description = "For `If-Match`"))),
                    (status = 404, description = "`unknown-code`"), (status = 409, description = "`from-file`"),
                    (status = 412, description = "`changed`"), (status = 428, description = "`match-required`")))]
            pub(in super::super::super) async fn put(
                Admin(_who): Admin,
                State(api): State<Api>,
                Id(code): Id,
                IfMatch(wanted): IfMatch,
                Body(choice): Body<Choice>,
            ) -> Result<impl IntoResponse, Problem> {
                store(&api, $kind, Some((code.clone(), wanted)), choice).await?;
                found(&api, $kind, &code)
            }

            /// Removes one. Records that use it keep it.
            #[utoipa::path(delete, path = $one, operation_id = $ids[4], tag = "admin",
                params(("id" = String, Path, description = "Code of the pause reason or disposition"),
                    ("If-Match" = String, Header, description = "The `ETag` of the object to remove")),
                responses((status = 204), (status = 404, description = "`unknown-code`"), (status = 409, description = "`from-file`"),
                    (status = 412, description = "`changed`"), (status = 428, description = "`match-required`")))]
            pub(in super::super::super) async fn delete(
                Admin(_who): Admin,
                State(api): State<Api>,
                Id(code): Id,
                IfMatch(wanted): IfMatch,
            ) -> Result<StatusCode, Problem> {
                let now = api.now();
                change(&api, Code::UnknownCode, move |provisioning| async move {
                    provisioning.remove(now, $kind, &code, wanted).await
                })
                .await?;
                Ok(StatusCode::NO_CONTENT)
            }
        }
    };
}

choices!(
    pause_reasons,
    Kind::PauseReason,
    "/pause-reasons",
    "/pause-reasons/{id}",
    "Why agents pause.",
    [
        "listPauseReasons",
        "getPauseReason",
        "createPauseReason",
        "setPauseReason",
        "deletePauseReason"
    ]
);
choices!(
    dispositions,
    Kind::Disposition,
    "/dispositions",
    "/dispositions/{id}",
    "Dispositions, which agents choose for calls.",
    [
        "listDispositions",
        "getDisposition",
        "createDisposition",
        "setDisposition",
        "deleteDisposition"
    ]
);

async fn store(
    api: &Api,
    kind: Kind,
    changed: Option<(String, Match)>,
    choice: Choice,
) -> Result<u64, Problem> {
    let now = api.now();
    change(api, Code::UnknownCode, move |provisioning| async move {
        let changed = changed.as_ref().map(|(code, wanted)| (code.as_str(), *wanted));
        provisioning.put_choice(now, kind, changed, choice).await
    })
    .await
}

fn found(api: &Api, kind: Kind, code: &str) -> Result<(Tag, Json<Choice>), Problem> {
    let (choice, version) = api
        .service
        .provisioning()
        .choice(kind, code)
        .ok_or(Code::UnknownCode)?;
    Ok((Tag(version), Json(choice)))
}
