//! The pages of `web-demo/`, embedded in the program by `build.rs`: telephone, agent desktop, wallboard.
//!
//! All content is fixed at build time: an HTML file for each page, and under `/assets/` files whose names carry a hash of
//! their content, each also in a brotli and a gzip form.

use axum::Router;
use axum::body::Body;
use axum::extract::Path;
use axum::http::header::{
    ACCEPT, ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG,
    HOST, IF_NONE_MATCH, REFERRER_POLICY, VARY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use rust_embed::{EmbeddedFile, RustEmbed};

#[derive(RustEmbed)]
#[folder = "$OUT_DIR/page"]
struct Files;

/// Forms of a file beside the plain one, best first: token of `Accept-Encoding`, ending of the file's name.
const ENCODINGS: [(&str, &str); 2] = [("br", ".br"), ("gzip", ".gz")];

/// `/`, `/agent`, `/wallboard`, `/assets/{file}`, and a page with the way back for any other path that a browser navigates to.
pub(super) fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    // Pages load everything by relative paths, so that a proxy may put all of it in a folder of its own.
    let beside = |to: &'static str| move || async move { Redirect::permanent(to) };
    Router::new()
        .route("/", get(index))
        .route("/agent", get(agent))
        .route("/agent/", get(beside("../agent")))
        .route("/wallboard", get(wallboard))
        .route("/wallboard/", get(beside("../wallboard")))
        .route("/assets/{file}", get(asset))
        .fallback(fallback)
}

async fn index(headers: HeaderMap) -> Response {
    page("index.html", &headers)
}

async fn agent(headers: HeaderMap) -> Response {
    page("agent.html", &headers)
}

async fn wallboard(headers: HeaderMap) -> Response {
    page("wallboard.html", &headers)
}

fn page(name: &str, headers: &HeaderMap) -> Response {
    let mut response = file(name, headers);
    guard(response.headers_mut(), headers);
    response
}

/// Adds the headers of every page.
fn guard(set: &mut HeaderMap, request: &HeaderMap) {
    // Asked for again each time, and answered with 304 as long as it is the same.
    set.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    set.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    set.insert(
        "permissions-policy",
        HeaderValue::from_static("microphone=(self), camera=(), geolocation=()"),
    );
    if let Ok(policy) = HeaderValue::try_from(content_security_policy(request)) {
        set.insert(CONTENT_SECURITY_POLICY, policy);
    }
}

async fn asset(Path(name): Path<String>, headers: HeaderMap) -> Response {
    let mut response = file(&format!("assets/{name}"), &headers);
    if response.status() != StatusCode::NOT_FOUND {
        let forever = HeaderValue::from_static("public, max-age=31536000, immutable");
        response.headers_mut().insert(CACHE_CONTROL, forever);
    }
    response
}

async fn fallback(uri: Uri, headers: HeaderMap) -> Response {
    let wants_page = headers
        .get(ACCEPT)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|v| v.contains("text/html"));
    if wants_page && !uri.path().starts_with("/api/") {
        missing(&uri, &headers)
    } else {
        not_found()
    }
}

fn not_found() -> Response {
    (StatusCode::NOT_FOUND, "not found\n").into_response()
}

/// The page for an address that has none, with links to those that exist.
fn missing(uri: &Uri, request: &HeaderMap) -> Response {
    let Some(html) = Files::get("missing.html").and_then(|found| String::from_utf8(found.data.into()).ok())
    else {
        return not_found();
    };
    // Its links begin with `./`, and must lead to where the pages are, however deep the address is.
    let folders = uri.path().matches('/').count().saturating_sub(1);
    let up = if folders == 0 {
        "./".into()
    } else {
        "../".repeat(folders)
    };
    let mut response = (StatusCode::NOT_FOUND, html.replace("=\"./", &format!("=\"{up}"))).into_response();
    let headers = response.headers_mut();
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static(content_type("missing.html")),
    );
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    guard(headers, request);
    response
}

/// The file in the best form that the client takes, or 304 where it has that form already, or 404.
fn file(name: &str, request: &HeaderMap) -> Response {
    let Some((found, encoding)) = best_form(name, request) else {
        return not_found();
    };
    let mut response = Response::new(Body::empty());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type(name)));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(VARY, HeaderValue::from_static("accept-encoding"));
    if let Some(encoding) = encoding {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static(encoding));
    }
    let tag = entity_tag(&found);
    if let Ok(value) = HeaderValue::try_from(&tag) {
        headers.insert(ETAG, value);
    }
    if request
        .get(IF_NONE_MATCH)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|known| known.contains(&tag))
    {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    } else {
        *response.body_mut() = Body::from(found.data);
    }
    response
}

fn best_form(name: &str, request: &HeaderMap) -> Option<(EmbeddedFile, Option<&'static str>)> {
    let accepted = request
        .get(ACCEPT_ENCODING)
        .and_then(|value| value.to_str().ok())
        .unwrap_or("");
    let takes = |encoding: &str| {
        accepted.split(',').any(|item| {
            let mut parts = item.split(';').map(str::trim);
            parts.next() == Some(encoding) && !parts.any(|q| q == "q=0")
        })
    };
    ENCODINGS
        .iter()
        .filter(|(encoding, _)| takes(encoding))
        .find_map(|(encoding, ending)| Some((Files::get(&format!("{name}{ending}"))?, Some(*encoding))))
        .or_else(|| Some((Files::get(name)?, None)))
}

fn entity_tag(found: &EmbeddedFile) -> String {
    let hash = found.metadata.sha256_hash();
    let hex: String = hash[..8].iter().map(|byte| format!("{byte:02x}")).collect();
    format!("\"{hex}\"")
}

fn content_type(name: &str) -> &'static str {
    match name.rsplit('.').next() {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        _ => "application/octet-stream",
    }
}

/// Everything from here and nothing from elsewhere. `'self'` covers the WebSocket only in newer browsers, so the
/// host that the page was asked from is named as well.
fn content_security_policy(request: &HeaderMap) -> String {
    let host = request
        .get(HOST)
        .and_then(|value| value.to_str().ok())
        .filter(|host| is_host(host));
    let sockets = host
        .map(|host| format!(" ws://{host} wss://{host}"))
        .unwrap_or_default();
    format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; media-src 'self' blob: mediastream:; \
         connect-src 'self'{sockets}; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
    )
}

/// Host and port as they may stand in a policy; anything else came from no browser.
fn is_host(host: &str) -> bool {
    !host.is_empty()
        && host
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b".:-[]_".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::header::LOCATION;
    use axum::http::{HeaderName, Request};
    use tower::ServiceExt;

    fn headers(pairs: &[(HeaderName, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (name.clone(), HeaderValue::from_static(value)))
            .collect()
    }

    fn text(response: &Response, name: HeaderName) -> &str {
        response
            .headers()
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or("")
    }

    async fn body(response: Response) -> Vec<u8> {
        axum::body::to_bytes(response.into_body(), 1 << 20)
            .await
            .expect("an embedded file")
            .to_vec()
    }

    fn any_script() -> String {
        let script = Files::iter().find(|name| name.starts_with("assets/main-") && name.ends_with(".js"));
        script
            .map(|name| name.trim_start_matches("assets/").to_owned())
            .unwrap_or_default()
    }

    #[tokio::test]
    async fn index_is_revalidated_and_allows_its_own_websocket() {
        let response = index(headers(&[(HOST, "127.0.0.1:8080")])).await;
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(text(&response, CONTENT_TYPE), "text/html; charset=utf-8");
        assert_eq!(text(&response, CACHE_CONTROL), "no-cache");
        let policy = text(&response, CONTENT_SECURITY_POLICY).to_owned();
        assert!(
            policy.contains("connect-src 'self' ws://127.0.0.1:8080 wss://127.0.0.1:8080;"),
            "{policy}"
        );
        let tag = text(&response, ETAG).to_owned();
        let html = String::from_utf8(body(response).await).expect("HTML");
        assert!(html.contains("<title>Cordboard"), "{html}");

        let known = HeaderMap::from_iter([(IF_NONE_MATCH, HeaderValue::try_from(tag).expect("a tag"))]);
        let again = index(known).await;
        assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
        assert!(body(again).await.is_empty());
    }

    #[tokio::test]
    async fn every_page_is_guarded_alike() {
        for response in [
            index(headers(&[(HOST, "pbx.example")])).await,
            agent(headers(&[(HOST, "pbx.example")])).await,
            wallboard(headers(&[(HOST, "pbx.example")])).await,
        ] {
            assert_eq!(response.status(), StatusCode::OK);
            assert_eq!(text(&response, CACHE_CONTROL), "no-cache");
            assert_eq!(text(&response, REFERRER_POLICY), "no-referrer");
            assert_eq!(text(&response, X_CONTENT_TYPE_OPTIONS), "nosniff");
            let policy = text(&response, CONTENT_SECURITY_POLICY);
            assert!(
                policy.contains("default-src 'none'") && policy.contains("wss://pbx.example"),
                "{policy}"
            );
        }
        let html = String::from_utf8(body(agent(HeaderMap::new()).await).await).expect("HTML");
        let scripts = Files::iter().any(|name| name.starts_with("assets/agent-"));
        assert_eq!(html.contains("<title>Agent desktop"), scripts, "{html}");
    }

    #[tokio::test]
    async fn a_slash_too_much_is_mended() {
        for (from, to) in [("/agent/", "../agent"), ("/wallboard/", "../wallboard")] {
            let request = Request::get(from).body(Body::empty()).expect("a request");
            let response = routes::<()>().oneshot(request).await.expect("an answer");
            assert_eq!(response.status(), StatusCode::PERMANENT_REDIRECT);
            assert_eq!(text(&response, LOCATION), to);
        }
    }

    #[tokio::test]
    async fn a_host_that_is_none_cannot_widen_the_policy() {
        let response = index(headers(&[(HOST, "x; script-src *")])).await;
        let policy = text(&response, CONTENT_SECURITY_POLICY);
        assert!(
            policy.contains("connect-src 'self';") && !policy.contains('*'),
            "{policy}"
        );
    }

    #[tokio::test]
    async fn scripts_are_served_compressed_and_kept_for_ever() {
        let name = any_script();
        if name.is_empty() {
            // Built without Node: the substitute page has no scripts, and says why.
            let html = body(index(HeaderMap::new()).await).await;
            assert!(String::from_utf8_lossy(&html).contains("without its page"));
            return;
        }
        let plain = asset(Path(name.clone()), HeaderMap::new()).await;
        assert_eq!(text(&plain, CONTENT_TYPE), "text/javascript; charset=utf-8");
        assert!(text(&plain, CACHE_CONTROL).contains("immutable"));
        assert_eq!(text(&plain, CONTENT_ENCODING), "");
        let brotli = asset(
            Path(name.clone()),
            headers(&[(ACCEPT_ENCODING, "gzip, deflate, br")]),
        )
        .await;
        assert_eq!(text(&brotli, CONTENT_ENCODING), "br");
        assert_ne!(text(&brotli, ETAG), text(&plain, ETAG));
        let gzip = asset(Path(name), headers(&[(ACCEPT_ENCODING, "gzip;q=0.8, br;q=0")])).await;
        assert_eq!(text(&gzip, CONTENT_ENCODING), "gzip");
        assert!(body(brotli).await.len() < body(plain).await.len() / 2);
    }

    #[tokio::test]
    async fn an_address_without_a_page_is_404_with_links_to_the_pages() {
        let ask = |path: &'static str, headers| fallback(Uri::from_static(path), headers);
        for (path, up) in [
            ("/wallbord", "./"),
            ("/agent/", "../"),
            ("/call/9196", "../"),
            ("/a/b/c.html", "../../"),
        ] {
            let response = ask(
                path,
                headers(&[(ACCEPT, "text/html,*/*;q=0.8"), (HOST, "pbx.example")]),
            )
            .await;
            assert_eq!(response.status(), StatusCode::NOT_FOUND, "{path}");
            if any_script().is_empty() {
                continue; // built without Node, and so without this page
            }
            assert_eq!(text(&response, CONTENT_TYPE), "text/html; charset=utf-8");
            assert!(text(&response, CONTENT_SECURITY_POLICY).contains("default-src 'none'"));
            let html = String::from_utf8(body(response).await).expect("HTML");
            for link in ["\"", "agent\"", "wallboard\"", "assets/"] {
                assert!(
                    html.contains(&format!("href=\"{up}{link}")),
                    "{path} {link}: {html}"
                );
            }
        }
        let others = [
            ("/favicon.ico", "image/avif,*/*;q=0.8"),
            ("/call", "application/json"),
            ("/api/nothing", "text/html"),
        ];
        for (path, accept) in others {
            let response = ask(path, headers(&[(ACCEPT, accept)])).await;
            assert_eq!(response.status(), StatusCode::NOT_FOUND);
            assert_eq!(body(response).await, b"not found\n");
        }
        assert_eq!(
            asset(Path("../index.html".into()), HeaderMap::new())
                .await
                .status(),
            StatusCode::NOT_FOUND
        );
    }
}
