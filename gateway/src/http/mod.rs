//! HTTP: the page at `/`, SIP over WebSocket at `/ws`, the quality of live calls under `/api/v1`.

pub mod api;
mod local;
mod pace;
mod page;
mod quality;
mod server;
mod sip_ws;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::middleware;
use axum::routing::get;
use rustls::ServerConfig;
use sip_stack::Handle;
use sip_stack::transport::Crowd;
use sip_stack::transport::ws::{Acceptor, Policy};
use tokio::net::TcpListener;

use self::api::Api;
pub use self::pace::Deadlines;
use crate::auth::sentry::Sentry;
use crate::switch::Request;

/// State that handlers share.
#[derive(Clone)]
pub struct Http {
    /// The signalling task.
    pub stack: Handle<Request>,
    /// Takes WebSockets over.
    pub acceptor: Acceptor,
    /// Rule for who may open a connection.
    pub policy: Policy,
    /// Answer only to names of this machine; see [`local`].
    pub local_only: bool,
    /// Reports those who are refused.
    pub sentry: Sentry,
}

/// Both ends of the connection that a request came over.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ends {
    pub(crate) local: SocketAddr,
    pub(crate) remote: SocketAddr,
    pub(crate) secure: bool,
}

/// Serves until `shutdown` ends. Connections take their places in `crowd`.
pub async fn serve(
    listener: TcpListener,
    tls: Option<Arc<ServerConfig>>,
    http: Http,
    api: Api,
    crowd: Arc<Crowd>,
    shutdown: impl Future<Output = ()> + Send + 'static,
) {
    let local_only = http.local_only;
    let cors = api::cors::layer(http.policy.origins.clone());
    let sentry = http.sentry.clone();
    let app = Router::new()
        .route("/ws", get(sip_ws::upgrade))
        .route(
            "/api/v1/calls/{id}/quality",
            get(quality::get)
                .layer::<_, Infallible>(middleware::from_fn(api::problem::finish))
                .layer::<_, Infallible>(middleware::from_fn_with_state(cors, api::cors::apply))
                .layer(middleware::from_fn(api::problem::seal)),
        )
        .with_state(http)
        .merge(api::routes(api))
        .merge(page::routes())
        .layer(middleware::from_fn_with_state(local_only, local::names_only));
    server::run(listener, tls, app, crowd, sentry, Deadlines::default(), shutdown).await;
}
