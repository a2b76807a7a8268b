//! Setting up a client.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use media_core::dtls::Identity;
use media_core::negotiated::Codec;
use session_core::{Access, Config, PeerMedia, SrtpPolicy};
use sip_core::flow::Transport;
use sip_core::message::Method;
use sip_core::uri::{Host, Uri};
use tokio::sync::mpsc;

use super::agent::{Agent, CALLS};
use super::{Client, ClientError};
use crate::driver::Application;
use crate::handle::Handle;
use crate::media::MediaConfig;
use crate::stack::{Stack, StackConfig, StartError};
use crate::transport::tls::ClientTls;
use crate::transport::ws::Policy;
use crate::transport::{Limits, Listen, Outbound, local_addresses};

/// Time that the media of a peer with WebRTC may be gone before its call ends: its BYE, or its page, comes within it.
const GRACE: Duration = Duration::from_secs(5);

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
    media: PeerMedia,
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
            media: PeerMedia::default(),
        }
    }
}

/// Settings of a stack that serves users, beside those of a client.
#[derive(Debug, Default)]
pub(crate) struct Server {
    pub(crate) access: Option<Access>,
    /// Listens for browsers here as well.
    pub(crate) websocket: Option<SocketAddr>,
}

impl Builder {
    /// Local address of SIP; port 0 takes any.
    #[must_use]
    pub fn bind(mut self, addr: SocketAddr) -> Self {
        self.bind = addr;
        self
    }

    /// Local address of SIP: that of the route to a SIP URI, such as one's account; port and all else as before. Where the URI names no
    /// address but a host, every address of this machine.
    ///
    /// # Errors
    /// [`ClientError::Uri`].
    pub fn towards(mut self, uri: &str) -> Result<Self, ClientError> {
        let uri = Uri::parse(uri).ok().filter(Uri::is_sip).ok_or(ClientError::Uri)?;
        self.bind.set_ip(local_address(&uri));
        Ok(self)
    }

    /// Sets the transport that it listens on, and for URIs without `transport`. Over a WebSocket a gateway
    /// takes every client that registers for a browser, and offers media that this client speaks with
    /// [`webrtc`](Self::webrtc) alone: without, it can call, but not be called.
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

    /// Encryption of media with keys in SDP (SDES, RFC 4568); off unless given. The keys are only as secret as the signalling: use TLS.
    #[must_use]
    pub fn srtp(mut self, policy: SrtpPolicy) -> Self {
        self.media.srtp = policy;
        self
    }

    /// Speaks as a browser does: SIP over a WebSocket ([`transport`](Self::transport) `Wss`, or `Ws`), full ICE, DTLS-SRTP, and Opus before
    /// G.711. It calls, and is called by, whoever serves browsers: a gateway such as Cordboard, or another client like this. ICE has one
    /// candidate, the local address ([`media_ip`](Self::media_ip)): enough for a server that is reached from everywhere.
    #[must_use]
    pub fn webrtc(mut self, speak: bool) -> Self {
        self.media.webrtc = speak;
        self
    }

    /// Agrees on digits as telephone events (RFC 4733), which is the default; without them digits go and come by INFO.
    #[must_use]
    pub fn telephone_events(mut self, agree: bool) -> Self {
        self.media.telephone_events = agree;
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
        self.serve(application, Server::default()).await
    }

    /// The same sockets under an application that may have users.
    pub(crate) async fn serve<A: Application>(
        self,
        application: A,
        server: Server,
    ) -> Result<Handle<A::Request>, BuildError> {
        let identity = Identity::generate().map_err(|error| BuildError::Identity(error.to_string()))?;
        let media_ip = self.media_ip.unwrap_or_else(|| usable(self.bind.ip()));
        let mut endpoint = sip_core::endpoint::Config {
            user_agent: self.user_agent,
            ..Default::default()
        };
        endpoint.allow.push(Method::Message);
        if server.access.is_none() {
            // Nobody has a phone of ours call somebody else.
            endpoint.allow.retain(|method| *method != Method::Refer);
        }
        let sessions = Config {
            endpoint,
            access: server.access.unwrap_or(Access::Anyone(self.media)),
            realm: media_ip.to_string(),
            phone_ips: vec![media_ip],
            phone_codecs: self.codecs,
            pass_through: session_core::PassThrough::off(),
            grace: GRACE,
            ..Config::new(media_ip.to_string(), identity.fingerprint().clone())
        };
        let mut listen = match self.transport {
            Transport::Udp => vec![Listen::Udp(self.bind)],
            Transport::Tcp => vec![Listen::Tcp(self.bind)],
            // Peers come back over the connection that the client opened.
            Transport::Tls | Transport::Ws | Transport::Wss => Vec::new(),
        };
        listen.extend(server.websocket.map(|addr| Listen::Ws(addr, Policy::default())));
        let config = StackConfig {
            tls_host: None,
            listen,
            outbound: self.outbound,
            limits: Limits::default(),
            media: MediaConfig {
                browsers: server.websocket.is_some(),
                browser_addresses: server.websocket.iter().map(|_| media_ip).collect(),
                browser_port: 0,
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

/// Local address from which a URI is reached: that of the route to it, where it names an address.
fn local_address(uri: &Uri) -> IpAddr {
    let remote = match uri.host() {
        Some(Host::V4(ip)) => IpAddr::V4(ip),
        Some(Host::V6(ip)) => IpAddr::V6(ip),
        _ => return Ipv4Addr::UNSPECIFIED.into(),
    };
    let any: IpAddr = match remote {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    // Nothing is sent: connecting only looks up the route.
    let route = UdpSocket::bind((any, 0)).and_then(|socket| {
        socket.connect((remote, 5060))?;
        socket.local_addr()
    });
    route.map_or(any, |local| local.ip())
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
