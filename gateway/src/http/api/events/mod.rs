//! `GET /api/v1/events`: every change of the call centre by its number, over a WebSocket.

mod connection;
mod feed;
mod pages;

use std::net::SocketAddr;

use axum::body::Body;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::header::SEC_WEBSOCKET_PROTOCOL;
use axum::http::{HeaderMap, HeaderValue};
use axum::response::Response;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::server::create_response_with_body;
use tokio_tungstenite::tungstenite::protocol::{Role as Side, WebSocketConfig};

use super::problem::{Code, Problem};
use super::{Api, cors::peer, guard};
use crate::auth::sentry::Refused;
use crate::auth::{Principal, Role};
use crate::http::Ends;

pub(crate) use pages::Pages;

/// The subprotocol of the stream.
const PROTOCOL: &str = "cordboard.events.v1";
/// Before a ticket, in a subprotocol that only carries it.
const BEARER: &str = "bearer.";

/// Connections that may be open.
pub(super) const MAX_CONNECTIONS: usize = 4096;

/// The largest frame that is read; one that is larger cuts the connection.
const MAX_FRAME: usize = 64 << 10;

/// Every change of the call centre, over a WebSocket.
///
/// A browser names the subprotocols `cordboard.events.v1` and `bearer.<ticket>`; a program may send `Authorization` instead of a
/// ticket. Then `{"op":"subscribe","from":"snapshot"}` or `{"op":"subscribe","from":<seq>}`; see `docs/API.md`.
#[utoipa::path(get, path = "/events", operation_id = "openEventStream", tag = "events",
    params(
        ("Sec-WebSocket-Protocol" = Option<String>, Header, description = "`cordboard.events.v1, bearer.<ticket>`"),
    ),
    responses((status = 101, description = "A WebSocket from now on"),
        (status = 426, description = "`upgrade-required`")))]
pub(super) async fn upgrade(State(api): State<Api>, mut request: Request) -> Result<Response, Problem> {
    if !is_ours(&api, &request) {
        let unknown = SocketAddr::from(([0, 0, 0, 0], 0));
        let ends = request.extensions().get::<ConnectInfo<Ends>>();
        let peer = ends.map_or(unknown, |ends| ends.0.remote);
        api.accounts.sentry().refused(Refused {
            peer: api.accounts.sentry().client(peer, request.headers()),
            method: "EVENTS",
            user: "",
            code: Some(403),
            reason: "foreign-origin",
        });
        return Err(Problem::from(Code::Forbidden)
            .detail("pages of this origin may not connect: list it under `origins`"));
    }
    let ticket = ticket(request.headers());
    let principal = match &ticket {
        Some(ticket) => api.accounts.redeem(api.now(), ticket),
        None => Some(guard::principal(request.headers(), &api)?),
    };
    let mut response =
        create_response_with_body(&request, Body::empty).map_err(|_| Problem::from(Code::UpgradeRequired))?;
    let upgraded = request
        .extensions_mut()
        .remove::<OnUpgrade>()
        .ok_or(Code::UpgradeRequired)?;
    if protocols(request.headers()).any(|name| name == PROTOCOL) {
        response
            .headers_mut()
            .insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(PROTOCOL));
    } else if ticket.is_some() {
        return Err(Problem::from(Code::BadRequest).detail("subprotocol cordboard.events.v1 is missing"));
    }
    let place = api.counters.events_connection().ok_or(Code::Busy)?;
    // The task ends with its connection.
    tokio::spawn(async move {
        let _place = place;
        match upgraded.await {
            Ok(stream) => serve(TokioIo::new(stream), api, principal).await,
            Err(error) => tracing::debug!(%error, "WebSocket upgrade"),
        }
    });
    Ok(response)
}

/// A browser gets no details of a refused handshake, so an invalid ticket is reported by a close code.
async fn serve<S>(stream: S, api: Api, principal: Option<Principal>)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let socket = WebSocketStream::from_raw_socket(stream, Side::Server, Some(config())).await;
    match principal {
        None => connection::refuse(socket, connection::TOKEN_INVALID, "invalid ticket").await,
        Some(principal) => connection::run(socket, api, principal).await,
    }
}

fn config() -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(4 << 10)
        .write_buffer_size(16 << 10)
        .max_write_buffer_size(16 << 20)
        .max_message_size(Some(MAX_FRAME))
        .max_frame_size(Some(MAX_FRAME))
}

/// Agents and those who see everything.
fn may_subscribe(principal: &Principal) -> bool {
    principal.is(Role::Agent) || principal.sees_all()
}

fn protocols(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let values = headers.get_all(SEC_WEBSOCKET_PROTOCOL).iter();
    values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
}

fn ticket(headers: &HeaderMap) -> Option<String> {
    protocols(headers)
        .find_map(|name| name.strip_prefix(BEARER))
        .map(str::to_owned)
}

/// False for another site's page, which may not connect even with a ticket.
fn is_ours(api: &Api, request: &Request) -> bool {
    let peer = peer(request.extensions());
    api.settings.origins.allow(request.headers(), peer)
}

#[cfg(test)]
mod tests;
