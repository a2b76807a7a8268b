//! HTTP: the page at `/`, SIP over WebSocket at `/ws`, the quality of live calls under `/api/v1`.

pub mod api;
mod local;
mod page;
mod quality;
mod sip_ws;

use std::convert::Infallible;
use std::net::SocketAddr;

use axum::Router;
use axum::extract::connect_info::Connected;
use axum::middleware;
use axum::routing::get;
use axum::serve::{IncomingStream, Listener};
use sip_stack::Handle;
use sip_stack::transport::ws::{Acceptor, Policy};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use self::api::Api;
use crate::auth::sentry::{Refused, Sentry};
use crate::switch::Request;

/// What handlers share.
#[derive(Clone)]
pub struct Http {
    /// The signalling task.
    pub stack: Handle<Request>,
    /// Takes WebSockets over.
    pub acceptor: Acceptor,
    /// Who may open one.
    pub policy: Policy,
    /// Only names of this machine are its own; see [`local`].
    pub local_only: bool,
    /// Is told of those who may not.
    pub sentry: Sentry,
}

/// Both ends of the connection that a request came over.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ends {
    pub(crate) local: SocketAddr,
    pub(crate) remote: SocketAddr,
    pub(crate) secure: bool,
}

/// Serves until `shutdown` ends.
///
/// # Errors
/// When the listener breaks.
pub async fn serve(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    http: Http,
    api: Api,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let local_only = http.local_only;
    let cors = api::cors::layer(http.policy.origins.clone());
    let sentry = http.sentry.clone();
    let app = Router::new()
        .route("/ws", get(sip_ws::upgrade))
        .route(
            "/api/v1/calls/{id}/quality",
            get(quality::get)
                .layer::<_, Infallible>(middleware::from_fn(api::problem::finish))
                .layer(cors),
        )
        .with_state(http)
        .merge(api::routes(api))
        .merge(page::routes())
        .layer(middleware::from_fn_with_state(local_only, local::names_only))
        .into_make_service_with_connect_info::<Ends>();
    match tls {
        None => {
            axum::serve(AtOnce(listener), app)
                .with_graceful_shutdown(shutdown)
                .await
        }
        Some(acceptor) => {
            axum::serve(Secure::new(AtOnce(listener), acceptor, sentry), app)
                .with_graceful_shutdown(shutdown)
                .await
        }
    }
}

/// A listener whose connections send each message at once. Two in a row, the answer to REGISTER and an INVITE say, would be 40 ms
/// apart where the kernel may wait for the first to be acknowledged.
struct AtOnce(TcpListener);

impl Listener for AtOnce {
    type Io = TcpStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (TcpStream, SocketAddr) {
        // Waits when descriptors are used up.
        let (stream, remote) = Listener::accept(&mut self.0).await;
        // A connection that is gone already is found out when it is read.
        let _ = stream.set_nodelay(true);
        (stream, remote)
    }

    fn local_addr(&self) -> std::io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

impl Connected<IncomingStream<'_, AtOnce>> for Ends {
    fn connect_info(stream: IncomingStream<'_, AtOnce>) -> Ends {
        let unknown = SocketAddr::from(([0, 0, 0, 0], 0));
        Ends {
            local: stream.io().local_addr().unwrap_or(unknown),
            remote: *stream.remote_addr(),
            secure: false,
        }
    }
}

impl Connected<IncomingStream<'_, Secure>> for Ends {
    fn connect_info(stream: IncomingStream<'_, Secure>) -> Ends {
        let unknown = SocketAddr::from(([0, 0, 0, 0], 0));
        let local = stream.io().get_ref().0.local_addr().unwrap_or(unknown);
        Ends {
            local,
            remote: *stream.remote_addr(),
            secure: true,
        }
    }
}

/// A listener whose connections speak TLS. Handshakes run beside each other, so that a slow one holds nobody up.
struct Secure {
    listener: AtOnce,
    acceptor: TlsAcceptor,
    sentry: Sentry,
    handshakes: tokio::task::JoinSet<Option<(TlsStream<TcpStream>, SocketAddr)>>,
}

/// Handshakes under way at a time; more wait in the kernel's queue.
const MAX_HANDSHAKES: usize = 256;

impl Secure {
    fn new(listener: AtOnce, acceptor: TlsAcceptor, sentry: Sentry) -> Secure {
        Secure {
            listener,
            acceptor,
            sentry,
            handshakes: tokio::task::JoinSet::new(),
        }
    }
}

impl Listener for Secure {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            tokio::select! {
                Some(done) = self.handshakes.join_next(), if !self.handshakes.is_empty() => {
                    if let Ok(Some(ready)) = done {
                        return ready;
                    }
                }
                (stream, remote) = self.listener.accept(), if self.handshakes.len() < MAX_HANDSHAKES => {
                    let (acceptor, sentry) = (self.acceptor.clone(), self.sentry.clone());
                    self.handshakes.spawn(async move {
                        let handshake = acceptor.accept(stream);
                        match tokio::time::timeout(std::time::Duration::from_secs(10), handshake).await {
                            Ok(Ok(stream)) => Some((stream, remote)),
                            Ok(Err(error)) => {
                                tracing::debug!(peer = %remote, %error, "TLS handshake");
                                sentry.refused(Refused::handshake(remote, "tls-handshake"));
                                None
                            }
                            Err(_) => {
                                sentry.refused(Refused::handshake(remote, "tls-handshake-too-slow"));
                                None
                            }
                        }
                    });
                }
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<Self::Addr> {
        self.listener.local_addr()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn no_message_waits_for_the_one_before_it_to_be_acknowledged() -> std::io::Result<()> {
        let mut listener = AtOnce(TcpListener::bind("127.0.0.1:0").await?);
        let address = listener.local_addr()?;
        let (client, (served, _)) = tokio::join!(TcpStream::connect(address), listener.accept());
        client?;
        assert!(served.nodelay()?);
        Ok(())
    }
}
