//! The HTTP port: bound early and opened last, so that nobody is answered before everything is ready.

use std::net::SocketAddr;
use std::sync::Arc;

use sip_stack::Handle;
use sip_stack::transport::{Crowd, ws};
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::error::{ServeError, failed};
use super::tls;
use crate::auth::Accounts;
use crate::config::Config;
use crate::http::{self, Http, api};
use crate::reload::Certificates;
use crate::switch::Request;

/// Connections that the kernel may hold before HTTP accepts them.
const BACKLOG: u32 = 1_024;

/// A port that is ours, to which nobody can connect yet.
pub(super) struct Bound {
    socket: TcpSocket,
    tls: Option<Arc<rustls::ServerConfig>>,
    /// The address it has, with the port that the system chose.
    pub(super) address: SocketAddr,
    /// The address that was asked for.
    asked: SocketAddr,
}

/// A port to which everybody can connect, and whose connections wait to be served.
pub(super) struct Open {
    listener: TcpListener,
    tls: Option<Arc<rustls::ServerConfig>>,
}

/// A server that answers.
pub(super) struct Server {
    task: JoinHandle<()>,
    stop: Option<oneshot::Sender<()>>,
}

impl Bound {
    /// Binds the port of a configuration.
    pub(super) fn new(config: &Config) -> Result<Bound, ServeError> {
        let asked = config.http.listen;
        let socket = bind(asked).map_err(|error| refused(asked, &error))?;
        let address = socket.local_addr().map_err(|error| refused(asked, &error))?;
        Ok(Bound {
            socket,
            tls: None,
            address,
            asked,
        })
    }

    /// The port with TLS, where there is a certificate.
    pub(super) fn with_tls(self, certificates: &Certificates) -> Result<Bound, ServeError> {
        let tls = match &certificates.http {
            Some(certificate) => Some(tls::server(certificate, &["http/1.1"], None)?),
            None => None,
        };
        Ok(Bound { tls, ..self })
    }

    /// Lets everybody connect.
    pub(super) fn listen(self) -> Result<Open, ServeError> {
        let listener = self
            .socket
            .listen(BACKLOG)
            .map_err(|error| refused(self.asked, &error))?;
        tracing::info!(transport = "HTTP", addr = %self.address, "listening");
        Ok(Open {
            listener,
            tls: self.tls,
        })
    }
}

impl Open {
    /// Answers from now on.
    pub(super) fn serve(self, http: Http, api: api::Api, crowd: Arc<Crowd>) -> Server {
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(http::serve(self.listener, self.tls, http, api, crowd, async {
            // A server that was dropped has to stop as well.
            let _ = stopped.await;
        }));
        Server {
            task,
            stop: Some(stop),
        }
    }
}

impl Server {
    /// Takes no more connections.
    pub(super) fn stop(&mut self) {
        if let Some(stop) = self.stop.take() {
            // The server may have ended by itself.
            let _ = stop.send(());
        }
    }

    /// Cuts the connections: pages keep theirs open.
    pub(super) fn cut(self) {
        self.task.abort();
    }
}

/// Sites whose pages may connect.
pub(super) fn origins(config: &Config, is_demo: bool) -> ws::Origins {
    let origins = ws::Origins::new(config.origins.clone());
    if is_demo {
        // Its passwords are published, so a page of another name must not pass for its own.
        origins.local_only()
    } else {
        origins
    }
}

/// Passes bans, and sign-ins that end, to the signalling task.
pub(super) async fn pass_orders_on(accounts: Accounts, stack: Handle<Request>) {
    let Some(mut orders) = accounts.sentry().orders() else {
        return;
    };
    let mut revoked = accounts.revocations();
    loop {
        let request = tokio::select! {
            Some(order) = orders.recv() => Request::Sentry(order),
            Ok(()) = revoked.changed() => Request::SignedOut,
            else => return,
        };
        if stack.request(request).await.is_err() {
            return;
        }
    }
}

/// Binds a port. Nobody can connect before [`TcpSocket::listen`].
fn bind(addr: SocketAddr) -> std::io::Result<TcpSocket> {
    let socket = if addr.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    // A restart must not wait for connections of the last run in TIME_WAIT; a port in use is refused all the same.
    socket.set_reuseaddr(true)?;
    socket.bind(addr)?;
    Ok(socket)
}

fn refused(listen: SocketAddr, error: &std::io::Error) -> ServeError {
    let why = match error.kind() {
        std::io::ErrorKind::AddrInUse => "the port is in use".into(),
        std::io::ErrorKind::AddrNotAvailable => "this host has no such address".into(),
        std::io::ErrorKind::PermissionDenied => "ports below 1024 need a privilege".into(),
        _ => error.to_string(),
    };
    failed(format_args!("HTTP on {listen}"), why)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn http_is_bound_before_anybody_can_connect() -> std::io::Result<()> {
        let socket = bind("127.0.0.1:0".parse().expect("address"))?;
        let address = socket.local_addr()?;
        assert!(
            tokio::net::TcpStream::connect(address).await.is_err(),
            "it is not open yet"
        );
        let listener = socket.listen(BACKLOG)?;
        assert!(bind(address).is_err(), "it is taken");
        let (client, served) = tokio::join!(tokio::net::TcpStream::connect(address), listener.accept());
        client?;
        served?;
        Ok(())
    }
}
