//! All routes, and the OpenAPI 3.1 document made from them. `docs/openapi.json` is the same document, checked in:
//! `CORDBOARD_WRITE_OPENAPI=1 cargo test -p cordboard openapi` writes it anew.

use std::sync::LazyLock;

use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::response::{Response as ResponseObject, ResponseBuilder};
use utoipa::openapi::schema::{Object, Schema};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{Components, ContentBuilder, OpenApi, Ref, RefOr};
use utoipa::{OpenApi as _, PartialSchema, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::configure::choices::{dispositions, pause_reasons};
use super::configure::{call_handling, groups, queues, users};
use super::problem::{Code, FieldError, PROBLEM_JSON, ProblemDetails};
use super::{
    Api, admin, agent, bans, calls, events, health, live, metrics, recordings, records, sign_in, statistics,
    supervise, trunks,
};

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "Cordboard",
        version = "1",
        description = "Agents in browser tabs take queued calls. Sign in at /api/v1/auth/login, or use an API key; both go into \
            `Authorization: Bearer`. Every error response is application/problem+json with a stable `code`. \
            A POST with the header `Idempotency-Key` (1 to 255 printable characters) that is sent again with the same key within a \
            day is answered as at first and does nothing more; with another body it is refused with 422 `idempotency-mismatch`.",
        license(name = "MIT", identifier = "MIT"),
    ),
    servers((url = "/", description = "The gateway that serves this document")),
    paths(crate::http::quality::get),
    components(schemas(ProblemDetails, Code, FieldError, records::KindFilter)),
    tags(
        (name = "sign-in", description = "Signing in, and identity"),
        (name = "agent", description = "State and calls of agents"),
        (name = "call", description = "Actions on a call, by the agent who has it or by a supervisor"),
        (name = "supervisor", description = "Views and actions of supervisors"),
        (name = "admin", description = "Users, queues, API keys and bans"),
        (name = "events", description = "Changes, each with a number"),
        (name = "demo", description = "The demonstration"),
        (name = "operation", description = "Operation of the gateway"),
    ),
)]
struct Document;

/// Every route of the API with its description.
pub(super) fn router() -> OpenApiRouter<Api> {
    let v1 = OpenApiRouter::default()
        .routes(routes!(sign_in::login))
        .routes(routes!(sign_in::refresh))
        .routes(routes!(sign_in::logout))
        .routes(routes!(sign_in::ticket))
        .routes(routes!(sign_in::me))
        .routes(routes!(sign_in::sip_session))
        .routes(routes!(agent::get))
        .routes(routes!(agent::put_intent))
        .routes(routes!(agent::wrap_up))
        .routes(routes!(agent::reject))
        .routes(routes!(agent::directory))
        .routes(routes!(calls::hold))
        .routes(routes!(calls::unhold))
        .routes(routes!(calls::dtmf))
        .routes(routes!(calls::transfer))
        .routes(routes!(calls::consult, calls::abort))
        .routes(routes!(calls::complete))
        .routes(routes!(calls::merge))
        .routes(routes!(calls::leave))
        .routes(routes!(live::call, calls::hang_up))
        .routes(routes!(live::calls))
        .routes(routes!(live::agents))
        .routes(routes!(live::agent))
        .routes(routes!(live::queues, queues::post))
        .routes(routes!(live::queue, queues::delete))
        .routes(routes!(queues::get, queues::put))
        .routes(routes!(supervise::put_intent))
        .routes(routes!(supervise::put, supervise::delete))
        .routes(routes!(supervise::demo_call))
        .routes(routes!(records::own))
        .routes(routes!(records::list))
        .routes(routes!(records::get))
        .routes(routes!(records::put_notes))
        .routes(routes!(recordings::list))
        .routes(routes!(recordings::get, recordings::delete))
        .routes(routes!(recordings::audio))
        .routes(routes!(recordings::start, recordings::stop))
        .routes(routes!(recordings::pause))
        .routes(routes!(recordings::resume))
        .routes(routes!(statistics::queues))
        .routes(routes!(statistics::agents))
        .routes(routes!(users::list, users::post))
        .routes(routes!(users::get, users::put, users::delete))
        .routes(routes!(
            call_handling::own,
            call_handling::put_own,
            call_handling::reset_own
        ))
        .routes(routes!(
            call_handling::get,
            call_handling::put,
            call_handling::delete
        ))
        .routes(routes!(groups::list))
        .routes(routes!(admin::keys, admin::make_key))
        .routes(routes!(admin::remove_key))
        .routes(routes!(trunks::list))
        .routes(routes!(trunks::get))
        .routes(routes!(bans::bans))
        .routes(routes!(bans::lift))
        .routes(routes!(pause_reasons::list, pause_reasons::post))
        .routes(routes!(
            pause_reasons::get,
            pause_reasons::put,
            pause_reasons::delete
        ))
        .routes(routes!(dispositions::list, dispositions::post))
        .routes(routes!(
            dispositions::get,
            dispositions::put,
            dispositions::delete
        ))
        .routes(routes!(events::upgrade))
        .routes(routes!(get))
        .fallback(nothing);
    OpenApiRouter::with_openapi(Document::openapi())
        .nest("/api/v1", v1)
        .routes(routes!(metrics::get))
        .routes(routes!(health::healthz))
        .routes(routes!(health::readyz))
}

/// The document.
pub fn document() -> OpenApi {
    let (_, mut document) = router().split_for_parts();
    let components = document.components.get_or_insert_default();
    for item in document.paths.paths.values_mut() {
        for operation in operations(item) {
            describe(operation, components);
        }
    }
    for schema in components.schemas.values_mut() {
        if let RefOr::T(Schema::Object(object)) = schema {
            mend_defaults(object);
        }
    }
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some(
            "An access token of /api/v1/auth/login, or an API key (`cbk_…`)",
        ))
        .build();
    components.add_security_scheme("bearer", SecurityScheme::Http(bearer));
    document.security = Some(vec![SecurityRequirement::new("bearer", [] as [&str; 0])]);
    leave_out_unused(&mut document);
    document
}

/// Removes schemas that nothing refers to: a list of things holds their schema itself.
fn leave_out_unused(document: &mut OpenApi) {
    loop {
        let text = document.to_json().unwrap_or_default();
        let Some(components) = &mut document.components else {
            return;
        };
        let known = components.schemas.len();
        components
            .schemas
            .retain(|name, _| text.contains(&format!("\"#/components/schemas/{name}\"")));
        if components.schemas.len() == known {
            return;
        }
    }
}

/// This document.
#[utoipa::path(get, path = "/openapi.json", operation_id = "getOpenApi", tag = "operation", security(()),
    responses((status = 200, body = Object, content_type = "application/json")))]
async fn get() -> Response {
    static TEXT: LazyLock<String> = LazyLock::new(|| document().to_json().unwrap_or_default());
    ([(CONTENT_TYPE, "application/json")], TEXT.as_str()).into_response()
}

async fn nothing() -> super::Problem {
    Code::NotFound.into()
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [&mut item.get, &mut item.put, &mut item.post, &mut item.delete]
        .into_iter()
        .flatten()
}

/// Writes defaults as the API reads them: durations as whole seconds, and none for required fields.
fn mend_defaults(object: &mut Object) {
    for (name, property) in &mut object.properties {
        let RefOr::T(Schema::Object(property)) = property else {
            continue;
        };
        match &property.default {
            Some(Value::Object(span)) if span.contains_key("secs") => {
                property.default = span.get("secs").cloned();
            }
            Some(Value::String(text)) if text.chars().count() < property.min_length.unwrap_or_default() => {
                property.default = None;
                object.required.push(name.clone());
            }
            _ => {}
        }
    }
}

/// Describes the content of a success: OpenAPI wants a description of every response.
fn describe_success(status: &str, response: &mut ResponseObject, components: &Components) {
    if !response.description.is_empty() {
        return;
    }
    let schema = response
        .content
        .values()
        .find_map(|content| match content {
            RefOr::T(content) => content.schema.as_ref(),
            RefOr::Ref(_) => None,
        })
        .and_then(|schema| match schema {
            RefOr::Ref(schema) => schema.ref_location.rsplit('/').next(),
            RefOr::T(_) => None,
        });
    let described = schema.and_then(|name| match components.schemas.get(name)? {
        RefOr::T(Schema::Object(object)) => object.description.clone(),
        _ => None,
    });
    response.description = match (described, status) {
        (Some(words), _) => words,
        (None, "204") => "Done".to_owned(),
        (None, _) => "Success".to_owned(),
    };
}

/// Adds what every operation has in common.
fn describe(operation: &mut Operation, components: &Components) {
    // The first paragraph of the documentation is the summary; if there is no other, it is the description too.
    if operation.description.as_ref().is_none_or(String::is_empty) {
        operation.description.clone_from(&operation.summary);
    }
    let has_body = operation.request_body.is_some();
    let parameters = operation.parameters.get_or_insert_default();
    let has_parameters = !parameters.is_empty();
    let is_open = operation.security.is_some();
    let common: [(&str, &str, bool); 7] = [
        (
            "400",
            "`bad-request`, `malformed-json`",
            has_body || has_parameters,
        ),
        ("401", "`unauthenticated`, `invalid-token`", !is_open),
        ("403", "`forbidden`", !is_open),
        ("413", "`too-large`", has_body),
        ("415", "`unsupported-media-type`", has_body),
        ("422", "`invalid`", has_body || has_parameters),
        ("default", "Any other problem", true),
    ];
    let responses = &mut operation.responses.responses;
    for (status, codes, applies) in common {
        if applies && !responses.contains_key(status) {
            let response = ResponseBuilder::new().description(codes).build();
            responses.insert(status.to_owned(), RefOr::T(response));
        }
    }
    for (status, response) in responses.iter_mut() {
        let RefOr::T(response) = response else {
            continue;
        };
        if status.starts_with('2') {
            describe_success(status, response, components);
        }
        if status == "default" || status.starts_with(['4', '5']) {
            let schema = Ref::from_schema_name(ProblemDetails::name());
            let content = ContentBuilder::new().schema(Some(RefOr::Ref(schema))).build();
            response
                .content
                .insert(PROBLEM_JSON.to_owned(), RefOr::T(content));
        }
        if matches!(status.as_str(), "429" | "503") {
            let seconds = HeaderBuilder::new()
                .schema(Some(u64::schema()))
                .description(Some("Seconds"))
                .build();
            response
                .headers
                .insert("Retry-After".to_owned(), RefOr::T(seconds));
        }
        if status == "401" {
            let challenge = HeaderBuilder::new().schema(Some(String::schema())).build();
            response
                .headers
                .insert("WWW-Authenticate".to_owned(), RefOr::T(challenge));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checked_in_document_is_the_one_that_is_served() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/openapi.json");
        let now = document().to_pretty_json().expect("JSON") + "\n";
        if std::env::var_os("CORDBOARD_WRITE_OPENAPI").is_some() {
            std::fs::write(path, &now).expect("docs/openapi.json");
        }
        let kept = std::fs::read_to_string(path).unwrap_or_default();
        assert!(
            kept == now,
            "docs/openapi.json is not what the routes say: CORDBOARD_WRITE_OPENAPI=1 cargo test -p cordboard openapi"
        );
    }

    #[test]
    fn every_operation_has_a_name_of_its_own_and_every_response_a_description() {
        let mut document = document();
        let mut names = std::collections::BTreeSet::new();
        for (path, item) in &mut document.paths.paths {
            for operation in operations(item) {
                let name = operation.operation_id.clone().unwrap_or_default();
                assert!(!name.is_empty(), "{path}");
                let camel = name.starts_with(|c: char| c.is_ascii_lowercase()) && !name.contains('_');
                assert!(camel, "{path}: name {name} with `operation_id`");
                assert!(names.insert(name.clone()), "{path}: {name} is another one's name");
                for (status, response) in &operation.responses.responses {
                    if let RefOr::T(response) = response {
                        assert!(!response.description.is_empty(), "{path} {status}");
                    }
                }
            }
        }
    }
}
