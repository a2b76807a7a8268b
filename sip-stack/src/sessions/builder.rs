//! Setting up a stack whose calls are managed from code.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::sync::Arc;

use media_core::negotiated::Codec;
use session_core::{Access, User};
use tokio::sync::broadcast;

use super::SessionCoordinator;
use super::application::Sessions;
use super::handler::{CallHandler, Nobody};
use crate::client::{BuildError, Client, Server};

/// Changes of bridges that a subscriber may be behind by.
const BRIDGE_EVENTS: usize = 1_024;

/// Settings of a [`SessionCoordinator`]: SIP over UDP on loopback and any port, unless told otherwise.
pub struct SessionManagerBuilder {
    sip_port: u16,
    address: IpAddr,
    media_ports: RangeInclusive<u16>,
    codecs: Vec<Codec>,
    users: BTreeMap<String, User>,
    websocket: Option<SocketAddr>,
    handler: Arc<dyn CallHandler>,
}

impl std::fmt::Debug for SessionManagerBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SessionManagerBuilder")
            .field("sip_port", &self.sip_port)
            .field("address", &self.address)
            .field("media_ports", &self.media_ports)
            .finish_non_exhaustive()
    }
}

impl Default for SessionManagerBuilder {
    fn default() -> Self {
        SessionManagerBuilder {
            sip_port: 0,
            address: Ipv4Addr::LOCALHOST.into(),
            media_ports: 30_000..=39_999,
            codecs: vec![Codec::Pcmu, Codec::Pcma],
            users: BTreeMap::new(),
            websocket: None,
            handler: Arc::new(Nobody),
        }
    }
}

impl SessionManagerBuilder {
    /// The default settings, under which every call that comes in is refused.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// UDP port of SIP; 0 takes any.
    #[must_use]
    pub fn with_sip_port(mut self, port: u16) -> Self {
        self.sip_port = port;
        self
    }

    /// Local address of SIP and RTP.
    #[must_use]
    pub fn with_local_address(mut self, address: IpAddr) -> Self {
        self.address = address;
        self
    }

    /// Ports of RTP, two for each call.
    #[must_use]
    pub fn with_media_ports(mut self, ports: RangeInclusive<u16>) -> Self {
        self.media_ports = ports;
        self
    }

    /// Codecs offered and accepted, best first; G.711 µ-law and A-law unless given.
    #[must_use]
    pub fn with_codecs(mut self, codecs: Vec<Codec>) -> Self {
        self.codecs = codecs;
        self
    }

    /// A user who may register phones here and call from them, by this name and password (digest). As soon as there is one, nobody
    /// else calls or writes. [`CallDecision::Connect`](super::CallDecision::Connect) rings registered users.
    #[must_use]
    pub fn with_user(mut self, name: &str, password: &str) -> Self {
        self.users.insert(name.to_owned(), User::new(password));
        self
    }

    /// Address at which browsers, and other WebRTC clients, speak SIP over a WebSocket (RFC 7118) as well; port 0 takes any. Calls
    /// between them and phones are translated.
    #[must_use]
    pub fn with_websocket(mut self, address: SocketAddr) -> Self {
        self.websocket = Some(address);
        self
    }

    /// Decides about calls that come in.
    #[must_use]
    pub fn with_handler(mut self, handler: Arc<dyn CallHandler>) -> Self {
        self.handler = handler;
        self
    }

    /// Binds the sockets. Calls that come in are refused with 503 until [`SessionControl::start`](super::SessionControl::start).
    ///
    /// # Errors
    /// A socket cannot be bound, or the system gives no randomness for the keys.
    pub async fn build(self) -> Result<Arc<SessionCoordinator>, BuildError> {
        let (bridges, _) = broadcast::channel(BRIDGE_EVENTS);
        let sessions = Sessions::new(self.handler, bridges.clone());
        let directory = Access::Directory {
            users: self.users.clone(),
            trunks: BTreeMap::new(),
        };
        let server = Server {
            access: (!self.users.is_empty()).then_some(directory),
            websocket: self.websocket,
        };
        let handle = Client::builder()
            .bind(SocketAddr::new(self.address, self.sip_port))
            .rtp_ports(self.media_ports)
            .codecs(self.codecs)
            .user_agent(concat!("Cordboard/", env!("CARGO_PKG_VERSION")))
            .serve(sessions, server)
            .await?;
        Ok(Arc::new(SessionCoordinator::new(handle, bridges)))
    }
}
