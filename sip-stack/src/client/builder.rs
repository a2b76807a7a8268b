//! Setting up a client.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use media_core::dtls::Identity;
use media_core::negotiated::Codec;
use session_core::{Access, Config, Credentials};
use sip_core::flow::Transport;
use sip_core::message::Method;
use tokio::sync::mpsc;

use super::Client;
use super::agent::{Agent, CALLS};
use crate::driver::Application;
use crate::handle::Handle;
use crate::media::MediaConfig;
use crate::stack::{Stack, StackConfig, StartError};
use crate::transport::tls::ClientTls;
use crate::transport::{Limits, Listen, Outbound, local_addresses};

/// Settings of a [`Client`].
#[derive(Clone, Debug)]
pub struct Builder {
    bind: SocketAddr,
    transport: Transport,
    media_ip: Option<IpAddr>,
    rtp_ports: RangeInclusive<u16>,
    codecs: Vec<Codec>,
    user_agent: String,
    outbound: Outbound,
}

impl Default for Builder {
    fn default() -> Self {
        Builder {
            bind: SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 0),
            transport: Transport::Udp,
            media_ip: None,
            rtp_ports: 30_000..=39_999,
            codecs: vec![Codec::Pcmu, Codec::Pcma],
            user_agent: concat!("Cordboard phone/", env!("CARGO_PKG_VERSION")).into(),
            outbound: Outbound::default(),
        }
    }
}

impl Builder {
    /// Local address of SIP; port 0 takes any.
    #[must_use]
    pub fn bind(mut self, addr: SocketAddr) -> Self {
        self.bind = addr;
        self
    }

    /// Sets the transport that it listens on, and for URIs without `transport`. Over a WebSocket a gateway
    /// takes every client that registers for a browser, and offers media that this client does not speak: it
    /// can call, but not be called.
    #[must_use]
    pub fn transport(mut self, transport: Transport) -> Self {
        self.transport = transport;
        self
    }

    /// Local address of RTP; the address of SIP unless given.
    #[must_use]
    pub fn media_ip(mut self, ip: IpAddr) -> Self {
        self.media_ip = Some(ip);
        self
    }

    /// Ports of RTP, two for each call.
    #[must_use]
    pub fn rtp_ports(mut self, ports: RangeInclusive<u16>) -> Self {
        self.rtp_ports = ports;
        self
    }

    /// Codecs offered and accepted, best first.
    #[must_use]
    pub fn codecs(mut self, codecs: Vec<Codec>) -> Self {
        self.codecs = codecs;
        self
    }

    /// Sets the name in `User-Agent`.
    #[must_use]
    pub fn user_agent(mut self, name: &str) -> Self {
        name.clone_into(&mut self.user_agent);
        self
    }

    /// Sets the trusted certificates for TLS; none by default.
    #[must_use]
    pub fn tls(mut self, tls: ClientTls) -> Self {
        self.outbound.tls = Some(Arc::new(tls));
        self
    }

    /// Path of WebSockets, `/ws` for Cordboard itself; `/` unless given.
    #[must_use]
    pub fn websocket_path(mut self, path: &str) -> Self {
        self.outbound.ws_path = path.into();
        self
    }

    /// Binds its sockets and starts.
    ///
    /// # Errors
    /// A socket cannot be bound, or the system gives no randomness for the keys.
    pub async fn start(self) -> Result<Client, BuildError> {
        let transport = self.transport;
        let (calls, incoming) = mpsc::channel(CALLS);
        let handle = self.start_with(Agent::new(calls)).await?;
        Ok(Client {
            handle,
            transport,
            incoming,
        })
    }

    /// The same sockets under another application.
    pub(crate) async fn start_with<A: Application>(
        self,
        application: A,
    ) -> Result<Handle<A::Request>, BuildError> {
        let identity = Identity::generate().map_err(|error| BuildError::Identity(error.to_string()))?;
        let media_ip = self.media_ip.unwrap_or_else(|| usable(self.bind.ip()));
        let mut endpoint = sip_core::endpoint::Config {
            user_agent: self.user_agent,
            ..Default::default()
        };
        // Nobody has a phone of ours call somebody else.
        endpoint.allow.retain(|method| *method != Method::Refer);
        let sessions = Config {
            endpoint,
            access: Access::Anyone,
            credentials: Credentials::default(),
            guard: session_core::guard::Config::default(),
            domains: Vec::new(),
            realm: String::new(),
            algorithms: Vec::new(),
            host: media_ip.to_string(),
            advertise: None,
            phone_ips: vec![media_ip],
            fingerprint: identity.fingerprint().clone(),
            shards: 1,
            first_id: 0,
            browser_codecs: Vec::new(),
            phone_codecs: self.codecs,
            grace: Duration::ZERO,
            max_sessions: 1_000,
            session_timer: None,
            inactivity: None,
            limits: session_core::Limits::default(),
            register_rate: 50,
            upstream: None,
            upstream_rate: 200,
            stir: session_core::stir::StirSettings::default(),
            emergency: Default::default(),
            secret: [0; 32],
            messages: session_core::MessageSettings::default(),
            max_contacts: 0,
        };
        let listen = match self.transport {
            Transport::Udp => vec![Listen::Udp(self.bind)],
            Transport::Tcp => vec![Listen::Tcp(self.bind)],
            // Peers come back over the connection that the client opened.
            Transport::Tls | Transport::Ws | Transport::Wss => Vec::new(),
        };
        let config = StackConfig {
            tls_host: None,
            listen,
            outbound: self.outbound,
            limits: Limits::default(),
            media: MediaConfig {
                browsers: false,
                phone_ports: self.rtp_ports,
                ..MediaConfig::default()
            },
            identity: Arc::new(identity),
            sessions,
            fetch: crate::FetchSettings::default(),
        };
        Stack::start(config, application).await.map_err(BuildError::Start)
    }
}

/// An address that can stand in SDP.
fn usable(ip: IpAddr) -> IpAddr {
    if !ip.is_unspecified() {
        return ip;
    }
    let ours = local_addresses().unwrap_or_default();
    ours.into_iter()
        .find(|other| other.is_ipv4() == ip.is_ipv4())
        .unwrap_or(ip)
}

/// Why a client did not start.
#[derive(Debug)]
pub enum BuildError {
    /// A socket.
    Start(StartError),
    /// No keys.
    Identity(String),
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BuildError::Start(error) => error.fmt(f),
            BuildError::Identity(error) => write!(f, "cannot make keys: {error}"),
        }
    }
}

impl std::error::Error for BuildError {}
