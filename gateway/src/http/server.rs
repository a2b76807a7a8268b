//! The connections of the HTTP port: accepted, secured, served, and closed when they take too long or their
//! place is needed.

use std::convert::Infallible;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use axum::http::header::{CONNECTION, STRICT_TRANSPORT_SECURITY};
use axum::http::{HeaderValue, Request, Response, StatusCode};
use axum::response::IntoResponse;
use hyper::body::{Body as _, Incoming};
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use rustls::ServerConfig;
use sip_stack::transport::{Crowd, Home, MovableStream, Place, secure};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::Ends;
use super::pace::{Arriving, Deadlines, Leaving, Pace, Paced};
use crate::auth::sentry::{Refused, Sentry};

/// Maximum size of a request head, octets.
const HEAD: usize = 32 << 10;

/// Octets of a connection that may wait to be read or written.
const BUFFER: usize = 64 << 10;

/// Time for which browsers that saw us with TLS shall not connect without it (RFC 6797): a year.
const HSTS: &str = "max-age=31536000";

/// Time between two warnings that all places are taken.
const WARNED: Duration = Duration::from_secs(60);

/// State that the connections of one listener share.
#[derive(Clone)]
struct Shared {
    app: TowerToHyperService<Router>,
    tls: Option<Arc<ServerConfig>>,
    deadlines: Deadlines,
    sentry: Sentry,
    stopping: watch::Receiver<bool>,
}

/// Serves `app` until `shutdown` ends, and then finishes the answers under way.
pub(super) async fn run(
    listener: TcpListener,
    tls: Option<Arc<ServerConfig>>,
    app: Router,
    crowd: Arc<Crowd>,
    sentry: Sentry,
    deadlines: Deadlines,
    shutdown: impl Future<Output = ()> + Send,
) {
    let (stop, stopping) = watch::channel(false);
    let shared = Shared {
        app: TowerToHyperService::new(app),
        tls,
        deadlines,
        sentry,
        stopping,
    };
    let mut connections = JoinSet::new();
    let mut warned: Option<Instant> = None;
    let mut shutdown = pin!(shutdown);
    loop {
        let (stream, remote) = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    // Mostly for lack of file descriptors: only waiting helps.
                    tracing::warn!(%error, "accept");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            },
            Some(_) = connections.join_next(), if !connections.is_empty() => continue,
            () = &mut shutdown => break,
        };
        let evicted = crowd.evicted();
        let place = crowd.admit(Some(remote.ip()));
        if (place.is_none() || crowd.evicted() > evicted) && warned.is_none_or(|at| at.elapsed() > WARNED) {
            warned = Some(Instant::now());
            tracing::warn!(
                peer = %remote,
                open = crowd.taken(),
                "no free HTTP connections, in all or for this source: idle ones are closed"
            );
        }
        if let Some(place) = place {
            connections.spawn(connection(stream, remote, place, shared.clone()));
        }
    }
    drop(listener);
    let _ = stop.send(true);
    while connections.join_next().await.is_some() {}
}

/// Sends each message at once. Otherwise two in a row, such as the answer to REGISTER and an INVITE, would be
/// 40 ms apart, since the kernel may wait for the first to be acknowledged.
fn send_at_once(stream: &TcpStream) {
    // A connection that is gone already is noticed when it is read.
    let _ = stream.set_nodelay(true);
}

async fn connection(stream: TcpStream, remote: SocketAddr, place: Place, shared: Shared) {
    send_at_once(&stream);
    let unknown = SocketAddr::from(([0, 0, 0, 0], 0));
    let ends = Ends {
        local: stream.local_addr().unwrap_or(unknown),
        remote,
        secure: shared.tls.is_some(),
    };
    let (stream, home) = MovableStream::new(stream);
    let Some(tls) = shared.tls.clone() else {
        return serve(stream, ends, home, place, shared).await;
    };
    let Deadlines { hello, handshake, .. } = shared.deadlines;
    let secured = tokio::select! {
        secured = secure(stream, tls, hello, handshake) => secured,
        () = place.evicted() => return,
    };
    match secured {
        Ok(stream) => serve(stream, ends, home, place, shared).await,
        Err(error) => {
            tracing::debug!(peer = %remote, %error, "TLS handshake");
            let reason = match error.kind() {
                io::ErrorKind::TimedOut => "tls-handshake-too-slow",
                _ => "tls-handshake",
            };
            shared.sentry.refused(Refused::handshake(remote, reason));
        }
    }
}

async fn serve<S>(stream: S, ends: Ends, home: Home, place: Place, mut shared: Shared)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let pace = Pace::new(place, shared.deadlines);
    let service = service_fn({
        let (pace, app) = (Arc::clone(&pace), shared.app.clone());
        move |request| answer(request, ends, home.clone(), Arc::clone(&pace), app.clone())
    });
    let stream = TokioIo::new(Paced {
        stream,
        pace: Arc::clone(&pace),
    });
    let connection = http1::Builder::new()
        .header_read_timeout(None) // ours tells a slow request from a connection that rests
        .max_header_size(HEAD)
        .max_buf_size(BUFFER)
        .serve_connection(stream, service)
        .with_upgrades();
    let mut connection = pin!(connection);
    let mut evicted = pin!(pace.evicted());
    let mut stopping = pin!(shared.stopping.wait_for(|stopping| *stopping));
    let mut is_stopping = false;
    let mut armed = None;
    let mut sleep = pin!(sleep_until(Instant::now()));
    let cut_off = poll_fn(|cx| {
        if !is_stopping && stopping.as_mut().poll(cx).is_ready() {
            is_stopping = true;
            connection.as_mut().graceful_shutdown();
        }
        if connection.as_mut().poll(cx).is_ready() {
            return Poll::Ready(None);
        }
        if evicted.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Some("its place was needed"));
        }
        let due = pace.due();
        if let Some(at) = due.filter(|_| due != armed) {
            sleep.as_mut().reset(at);
        }
        armed = due;
        if due.is_some() && sleep.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Some("too slow"));
        }
        Poll::Pending
    });
    if let Some(reason) = cut_off.await {
        tracing::debug!(peer = %ends.remote, reason, "HTTP connection cut off");
    }
}

async fn answer(
    mut request: Request<Incoming>,
    ends: Ends,
    home: Home,
    pace: Arc<Pace>,
    app: TowerToHyperService<Router>,
) -> Result<Response<Leaving>, Infallible> {
    request.extensions_mut().insert(ConnectInfo(ends));
    request.extensions_mut().insert(home);
    let is_well_formed = pace.begin(!request.body().is_end_stream());
    let mut response = if is_well_formed {
        let request = request.map(|body| Arriving {
            body,
            pace: Arc::clone(&pace),
        });
        app.call(request).await?
    } else {
        let close = [(CONNECTION, HeaderValue::from_static("close"))];
        (
            StatusCode::BAD_REQUEST,
            close,
            "a line of the head ends in LF alone",
        )
            .into_response()
    };
    if ends.secure {
        let hsts = HeaderValue::from_static(HSTS);
        response.headers_mut().insert(STRICT_TRANSPORT_SECURITY, hsts);
    }
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        pace.upgraded();
    }
    Ok(response.map(|body| Leaving { body, pace }))
}

#[cfg(test)]
mod tests;
