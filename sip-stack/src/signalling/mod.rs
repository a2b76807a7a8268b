//! SIP without sound: registration and calls over one connection to a server, for a client whose sound another stack
//! carries, as the page in a browser does (RFC 7118).
//!
//! Session descriptions pass through as text. [`Signalling`] owns the connection, a [`Call`] is made or answered.

mod call;
mod registration;
mod task;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use sans_io::Rng;
use sip_core::endpoint::{self, Advertised, Endpoint};
use sip_core::flow::Transport;
use sip_core::message::Method;
use sip_core::uri::Uri;
use tokio::sync::{mpsc, oneshot};

use crate::client::ClientError;
use crate::clock::Clock;
use crate::stack;
use crate::transport::tls::ClientTls;
use crate::transport::{Limits, Outbound, Transports};

pub use call::{Call, CallEvent, Parties};
use registration::Registration;
use task::{Request, Task};

/// Requests on their way to the task; who asks waits when it is full.
const REQUESTS: usize = 64;

/// Calls that came in and wait to be taken; more are refused as busy.
const CALLS: usize = 16;

/// Time for BYE and the end of a registration to be answered at the end.
const FAREWELL: Duration = Duration::from_secs(3);

/// A server, and how to reach it.
#[derive(Clone, Debug)]
pub struct Server {
    /// TCP, TLS, WS or WSS.
    pub transport: Transport,
    /// Address to connect to.
    pub addr: SocketAddr,
    /// Name to expect in the certificate, and for the handshake of a WebSocket; `None`: the address.
    pub name: Option<String>,
    /// Path of a WebSocket, e.g. `/ws`.
    pub path: Arc<str>,
    /// Trusted certificates for TLS and WSS.
    pub tls: Option<Arc<ClientTls>>,
}

/// An account at the server.
#[derive(Clone, Debug)]
pub struct Login {
    /// Address of record, e.g. `sip:1001@example.com`.
    pub aor: Uri,
    /// Name for digest.
    pub username: String,
    /// Password for digest.
    pub password: String,
}

/// Why there is no connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConnectError {
    /// The connection could not be opened: the reason, for people.
    Connection(String),
    /// The system gives no randomness.
    Random,
}

/// A connection to a server, for one account. Clones reach the same connection.
#[derive(Clone, Debug)]
pub struct Signalling {
    requests: mpsc::Sender<Request>,
}

/// Calls that come in.
#[derive(Debug)]
pub struct Incoming(mpsc::Receiver<Call>);

impl Incoming {
    /// The next call that comes in; its caller hears it ring already. Calls are refused as busy while 16 wait here. `None` once the
    /// connection is gone.
    pub async fn next(&mut self) -> Option<Call> {
        self.0.recv().await
    }
}

impl Signalling {
    /// Opens the connection, handshakes included. Must be called inside a tokio runtime. Sends nothing of SIP yet.
    ///
    /// # Errors
    /// The connection could not be opened, or there is no randomness.
    pub async fn connect(
        server: Server,
        login: Login,
        user_agent: &str,
    ) -> Result<(Signalling, Incoming), ConnectError> {
        let clock = Clock::start();
        let mut rng = Rng::from_entropy(stack::entropy().map_err(|_| ConnectError::Random)?);
        let outbound = Outbound {
            tls: server.tls,
            ws_path: server.path,
            ..Outbound::default()
        };
        let (mut transports, inbox) = Transports::bind(&[], outbound, Limits::default(), clock)
            .await
            .map_err(|error| ConnectError::Connection(error.to_string()))?;
        let flow = transports
            .open(server.transport, server.addr, server.name)
            .await
            .map_err(ConnectError::Connection)?;
        let config = config(server.transport, server.addr, user_agent, &mut rng);
        let (requests, receiver) = mpsc::channel(REQUESTS);
        let (calls, incoming) = mpsc::channel(CALLS);
        let task = Task {
            endpoint: Endpoint::new(config, rng.fork()),
            transports,
            inbox,
            clock,
            flow,
            registration: Registration::new(&login, &mut rng),
            login,
            requests: receiver,
            sender: requests.downgrade(),
            incoming: calls,
            calls: std::collections::BTreeMap::new(),
            closing: None,
        };
        tokio::spawn(task.run());
        Ok((Signalling { requests }, Incoming(incoming)))
    }

    /// Registers, and stays registered until [`unregister`](Self::unregister) or [`close`](Self::close). Returns with the
    /// first answer.
    ///
    /// # Errors
    /// [`ClientError::Refused`] with the code of the answer, [`ClientError::Failed`] when there was none.
    pub async fn register(&self) -> Result<(), ClientError> {
        let (reply, answer) = oneshot::channel();
        self.ask(Request::Register { reply }).await?;
        answer.await.map_err(|_| ClientError::Stopped)?
    }

    /// Gives the registration up.
    ///
    /// # Errors
    /// As [`register`](Self::register).
    pub async fn unregister(&self) -> Result<(), ClientError> {
        let (reply, answer) = oneshot::channel();
        self.ask(Request::Unregister { reply }).await?;
        answer.await.map_err(|_| ClientError::Stopped)?
    }

    /// Calls a number at the account's domain, or any SIP URI by way of the server. The INVITE is under way when this comes
    /// back.
    ///
    /// # Errors
    /// `to` cannot be called, or the connection is gone.
    pub async fn invite(&self, to: &str, offer: String) -> Result<Call, ClientError> {
        let (reply, call) = oneshot::channel();
        let to = to.to_owned();
        self.ask(Request::Invite { to, offer, reply }).await?;
        call.await.map_err(|_| ClientError::Stopped)?
    }

    /// Ends all calls, the registration and the connection, and waits up to 3 s for the server's answers.
    pub async fn close(self) {
        let (reply, closed) = oneshot::channel();
        let ask = Request::Close { reply };
        if self.requests.send(ask).await.is_ok() {
            let _ = closed.await;
        }
    }

    async fn ask(&self, request: Request) -> Result<(), ClientError> {
        self.requests
            .send(request)
            .await
            .map_err(|_| ClientError::Stopped)
    }
}

/// Settings of the SIP machine: those of a page, which cannot know its own address (RFC 7118 §5).
fn config(transport: Transport, addr: SocketAddr, user_agent: &str, rng: &mut Rng) -> endpoint::Config {
    let mut config = endpoint::Config {
        user_agent: user_agent.to_owned(),
        ..Default::default()
    };
    if matches!(transport, Transport::Ws | Transport::Wss) {
        config.advertised = vec![Advertised {
            transport,
            ipv6: addr.is_ipv6(),
            address: format!("{}.invalid", rng.token(12).to_ascii_lowercase()),
        }];
    }
    // Nobody has it call somebody else.
    config.allow.retain(|method| *method != Method::Refer);
    config
}
