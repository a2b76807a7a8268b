//! The page at `/`.

use axum::Router;
use axum::response::Html;
use axum::routing::get;

/// What stands there when the page was not built.
const ABSENT: &str = "<!doctype html><html lang=en><meta charset=utf-8><title>Cordboard</title>\
<h1>Cordboard runs</h1><p>Its page was not built, because Node.js was not there when the gateway was. Install Node.js 20 or \
newer with npm and build again: <code>make run</code>. SIP over WebSocket is served at <code>/ws</code> all the same.";

/// Routes of the page.
pub(super) fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    Router::new().route("/", get(|| async { Html(ABSENT) }))
}
