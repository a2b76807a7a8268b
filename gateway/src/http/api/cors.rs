//! Cross-origin requests (the Fetch standard's CORS protocol): pages of other sites that may call the API.

use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use axum::body::Body;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::header::{
    ACCESS_CONTROL_REQUEST_METHOD, AUTHORIZATION, CONTENT_TYPE, ETAG, HeaderName, IF_MATCH, IF_NONE_MATCH,
    LOCATION, RETRY_AFTER, WWW_AUTHENTICATE,
};
use axum::http::request::Parts;
use axum::http::{Extensions, HeaderValue, Method};
use axum::middleware::Next;
use axum::response::Response;
use sip_stack::transport::ws::Origins;
use tower::{Layer, ServiceExt, service_fn};
use tower_http::cors::{AllowOrigin, CorsLayer};

use crate::http::Ends;

/// Time that a browser may keep the answer to a preflight.
const MAX_AGE: Duration = Duration::from_secs(600);

/// Answers preflights, and lets pages of `origins` read the API's answers. No cookie is ever used, so none is allowed.
pub(crate) fn layer(origins: Origins) -> CorsLayer {
    let may =
        move |_: &HeaderValue, request: &Parts| origins.allow(&request.headers, peer(&request.extensions));
    CorsLayer::new()
        .allow_origin(AllowOrigin::predicate(may))
        .allow_methods([Method::GET, Method::POST, Method::PUT, Method::DELETE])
        .allow_headers([
            AUTHORIZATION,
            CONTENT_TYPE,
            IF_MATCH,
            IF_NONE_MATCH,
            HeaderName::from_static("idempotency-key"),
        ])
        .expose_headers([ETAG, LOCATION, RETRY_AFTER, WWW_AUTHENTICATE])
        .max_age(MAX_AGE)
}

/// Middleware that applies `cors` to every request but a plain OPTIONS, which lacks `Access-Control-Request-Method` and so is not a
/// preflight. The API answers that one like any other request.
pub(crate) async fn apply(State(cors): State<CorsLayer>, request: Request, next: Next) -> Response {
    let is_preflight = request.headers().contains_key(ACCESS_CONTROL_REQUEST_METHOD);
    if request.method() == Method::OPTIONS && !is_preflight {
        return next.run(request).await;
    }
    let api = service_fn(move |request| {
        let next = next.clone();
        async move { Ok::<_, Infallible>(next.run(request).await) }
    });
    match cors.layer(api).oneshot(request).await {
        Ok(response) => response.map(Body::new),
        Err(never) => match never {},
    }
}

/// Address that a request came from; unspecified where there is no connection, as in a test.
pub(super) fn peer(extensions: &Extensions) -> IpAddr {
    extensions
        .get::<ConnectInfo<Ends>>()
        .map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |ends| ends.0.remote.ip())
}
