//! Cross-origin requests (the Fetch standard's CORS protocol): pages of other sites that may call the API.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use axum::extract::ConnectInfo;
use axum::http::header::{
    AUTHORIZATION, CONTENT_TYPE, ETAG, HeaderName, IF_MATCH, IF_NONE_MATCH, LOCATION, RETRY_AFTER,
    WWW_AUTHENTICATE,
};
use axum::http::request::Parts;
use axum::http::{Extensions, HeaderValue, Method};
use sip_stack::transport::ws::Origins;
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

/// Address that a request came from; unspecified where there is no connection, as in a test.
pub(super) fn peer(extensions: &Extensions) -> IpAddr {
    extensions
        .get::<ConnectInfo<Ends>>()
        .map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |ends| ends.0.remote.ip())
}
