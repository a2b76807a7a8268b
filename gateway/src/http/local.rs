//! Host names of a demonstration. Its passwords are published, so it answers only to names of its own
//! machine: a page of another site whose name resolves to loopback (DNS rebinding) would otherwise pass for
//! one of its own.

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::HOST;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use sip_stack::transport::ws::is_local_host;

/// Answers 421 where only local names are allowed and `Host` is another name (RFC 9110 §15.5.20).
pub(super) async fn names_only(State(local_only): State<bool>, request: Request, next: Next) -> Response {
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok());
    if local_only && !host.is_some_and(is_local_host) {
        let why = "This gateway is a demonstration with published passwords. It answers to localhost and loopback addresses only.\n\
            Configure users to serve it by another name.\n";
        return (StatusCode::MISDIRECTED_REQUEST, why).into_response();
    }
    next.run(request).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;
    use axum::routing::get;
    use axum::{Router, middleware};
    use tower::ServiceExt;

    #[tokio::test]
    async fn a_demonstration_answers_to_local_names_alone() {
        for (local_only, host, status) in [
            (true, "127.0.0.1:8080", StatusCode::OK),
            (true, "localhost", StatusCode::OK),
            (true, "[::1]:8080", StatusCode::OK),
            (true, "evil.test:8080", StatusCode::MISDIRECTED_REQUEST),
            (true, "192.0.2.1", StatusCode::MISDIRECTED_REQUEST),
            (false, "pbx.example", StatusCode::OK),
        ] {
            let app = Router::new()
                .route("/", get(async || "here"))
                .layer(middleware::from_fn_with_state(local_only, names_only));
            let request = Request::get("/").header(HOST, host).body(Body::empty());
            let answer = app.oneshot(request.expect("a request")).await.expect("an answer");
            assert_eq!(answer.status(), status, "{host}");
        }
    }
}
