//! The WebSocket and the registration.

use std::sync::Arc;
use std::time::Duration;

use sip_core::flow::Transport;
use sip_core::uri::Uri;
use sip_stack::client::ClientError;
use sip_stack::signalling::{ConnectError, Incoming, Login, Server, Signalling};
use tokio::time::Instant;

use crate::phone::{PhoneError, PhoneOptions, WebRtcNetwork, WebSocketUrl};

/// A WebSocket that stands, with the account registered over it.
pub(crate) struct Line {
    pub(super) signalling: Signalling,
    pub(super) incoming: Incoming,
    /// Time that the WebSocket took.
    pub(super) opening: Duration,
    /// Time that REGISTER took.
    pub(super) registering: Option<Duration>,
}

impl Line {
    /// Opens the WebSocket, and registers unless the options say not to.
    ///
    /// # Errors
    /// The reason, with the address of the server.
    pub(crate) async fn open(
        options: &PhoneOptions,
        network: &WebRtcNetwork,
        until: Instant,
        print: &mut impl FnMut(&str),
    ) -> Result<Line, PhoneError> {
        let opening = open(options, network);
        tokio::select! {
            line = opening => {
                let mut line = line?;
                print(&format!("connected to {}", network.url));
                line.register(options, until, print).await?;
                Ok(line)
            }
            () = tokio::time::sleep_until(until) => {
                Err(options.too_late(&format!("cannot connect to {}", network.url)))
            }
            _ = tokio::signal::ctrl_c() => Err(PhoneError::Interrupted),
        }
    }

    async fn register(
        &mut self,
        options: &PhoneOptions,
        until: Instant,
        print: &mut impl FnMut(&str),
    ) -> Result<(), PhoneError> {
        let Some(account) = options.account.as_ref().filter(|account| account.register) else {
            return Ok(());
        };
        let began = Instant::now();
        tokio::select! {
            registered = self.signalling.register() => {
                registered.map_err(|error| PhoneError::Register(options.server.clone(), error))?;
            }
            () = tokio::time::sleep_until(until) => {
                let what = format!("cannot register: no answer from {}", options.server);
                return Err(options.too_late(&what));
            }
            _ = tokio::signal::ctrl_c() => return Err(PhoneError::Interrupted),
        }
        self.registering = Some(began.elapsed());
        print(&format!("registered {}", account.aor));
        Ok(())
    }

    /// Ends the registration and the connection.
    pub(crate) async fn close(self) {
        self.signalling.close().await;
    }
}

async fn open(options: &PhoneOptions, network: &WebRtcNetwork) -> Result<Line, PhoneError> {
    let url = &network.url;
    let failed = |reason: String| PhoneError::Connect(url.to_string(), reason);
    let account = options.account.as_ref();
    let account = account.ok_or_else(|| PhoneError::Option("an account is needed".into()))?;
    let aor = Uri::parse(&account.aor).ok().filter(|aor| aor.user().is_some());
    let login = Login {
        aor: aor.ok_or_else(|| PhoneError::Register(options.server.clone(), ClientError::Uri))?,
        username: account.username.clone(),
        password: account.password.clone(),
    };
    let tls = if url.secure {
        Some(Arc::new(options.trust.tls()?))
    } else {
        None
    };
    let began = Instant::now();
    let mut failure = "the name has no address".to_owned();
    for addr in addresses(url).await.map_err(|error| failed(error.to_string()))? {
        let server = Server {
            transport: if url.secure { Transport::Wss } else { Transport::Ws },
            addr,
            name: url.ip().is_none().then(|| url.host.clone()),
            path: Arc::clone(&url.path),
            tls: tls.clone(),
        };
        let agent = concat!("Cordboard WebRTC phone/", env!("CARGO_PKG_VERSION"));
        match Signalling::connect(server, login.clone(), agent).await {
            Ok((signalling, incoming)) => {
                return Ok(Line {
                    signalling,
                    incoming,
                    opening: began.elapsed(),
                    registering: None,
                });
            }
            Err(ConnectError::Connection(reason)) => failure = reason,
            Err(ConnectError::Random) => failure = "the system gives no randomness".to_owned(),
        }
    }
    Err(failed(failure))
}

/// Addresses of the host, in the order of the system's resolver.
async fn addresses(url: &WebSocketUrl) -> std::io::Result<Vec<std::net::SocketAddr>> {
    let found = tokio::net::lookup_host((url.bare_host(), url.port)).await?;
    Ok(found.collect())
}
