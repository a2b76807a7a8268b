//! Starting everything, in an order in which nothing is half started: sockets, media threads, then the thread of signalling.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::thread;

use media_core::dtls::Identity;
use sans_io::Rng;
use session_core::Coordinator;
use sip_core::endpoint::Advertised;
use sip_core::flow::Transport;
use tokio::runtime;
use tokio::sync::mpsc;

use crate::clock::Clock;
use crate::driver::{Application, Driver, Ending, Resolver};
use crate::fetch::{FetchSettings, Fetcher};
use crate::handle::{Handle, Shared};
use crate::media::{self, MediaConfig};
use crate::tap::Taps;
use crate::transport::{BindError, Limits, Listen, Listener, Outbound, Transports, local_addresses};

/// Events of media threads on their way to the task. When it is full they wait in their thread, where state is kept and
/// statistics give way to newer ones.
const MEDIA_EVENTS: usize = 4096;

/// Requests of the control plane on their way to the task. When it is full, [`Handle::try_request`] says so (503).
const REQUESTS: usize = 1_024;

/// Everything that a stack needs to know.
#[derive(Clone, Debug)]
pub struct StackConfig {
    /// Listeners to open.
    pub listen: Vec<Listen>,
    /// Settings for connections to others.
    pub outbound: Outbound,
    /// Limits on what peers may take.
    pub limits: Limits,
    /// For media threads.
    pub media: MediaConfig,
    /// Our DTLS certificate.
    pub identity: Arc<Identity>,
    /// Host name by which others reach the TLS listeners, for `Via` and `Contact`, in place of their address: a peer that checks our
    /// certificate finds it there (RFC 5922 §4).
    pub tls_host: Option<String>,
    /// For the coordinator. `fingerprint` is taken from `identity` whatever stands here, and `endpoint.advertised` from
    /// the listeners where it is empty.
    pub sessions: session_core::Config,
    /// For fetching certificates of those who sign calls.
    pub fetch: FetchSettings,
}

/// Why a stack did not start.
#[derive(Debug)]
pub enum StartError {
    /// A SIP listener.
    Listen(BindError),
    /// A media thread.
    Media(media::StartError),
    /// The thread of signalling.
    Signalling(io::Error),
    /// No randomness from the system.
    Random,
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StartError::Listen(error) => error.fmt(f),
            StartError::Media(error) => error.fmt(f),
            StartError::Signalling(error) => write!(f, "cannot start the signalling thread: {error}"),
            StartError::Random => f.write_str("the system gives no randomness"),
        }
    }
}

impl std::error::Error for StartError {}

impl From<BindError> for StartError {
    fn from(error: BindError) -> Self {
        StartError::Listen(error)
    }
}

impl From<media::StartError> for StartError {
    fn from(error: media::StartError) -> Self {
        StartError::Media(error)
    }
}

/// A running gateway or client: see [`Stack::start`].
#[derive(Debug)]
pub struct Stack;

impl Stack {
    /// Binds every socket, starts the media threads and the signalling thread. Must be called inside a tokio runtime, which serves
    /// connections and lookups.
    ///
    /// # Errors
    /// The first listener or media socket that cannot be bound; nothing is left behind then.
    pub async fn start<A: Application>(
        config: StackConfig,
        application: A,
    ) -> Result<Handle<A::Request>, StartError> {
        let clock = Clock::start();
        let mut rng = Rng::from_entropy(entropy()?);
        // A thread of its own: within a pool, every message would wake another thread to look for work.
        let signalling = SignallingRuntime::new().map_err(StartError::Signalling)?;
        let (transports, network) = Transports::bind_beside(
            &config.listen,
            config.outbound,
            config.limits,
            clock,
            &signalling.handle(),
        )?;
        let mut sessions = config.sessions;
        sessions.fingerprint = config.identity.fingerprint().clone();
        if sessions.endpoint.advertised.is_empty() {
            sessions.endpoint.advertised = advertised(
                transports.listeners(),
                sessions.advertise,
                config.tls_host.as_deref(),
            );
        }
        let (events, media) = mpsc::channel(MEDIA_EVENTS);
        let media_config = MediaConfig {
            silence: sessions.silence(),
            ..config.media
        };
        let lanes = media::start(
            sessions.shards,
            &media_config,
            &config.identity,
            clock,
            &mut rng,
            &events,
        )?;
        for listener in transports.listeners() {
            tracing::debug!(transport = listener.transport.name(), addr = %listener.addr, "listening");
        }
        let (control, requests) = mpsc::channel(REQUESTS);
        let resolver = Resolver::new(rng.fork(), runtime::Handle::current());
        let shared = Shared {
            listeners: transports.listeners().to_vec(),
            acceptor: transports.acceptor(),
            media: lanes.iter().map(|lane| Arc::clone(lane.counters())).collect(),
            dns: resolver.counters(),
            injections: AtomicU64::new(1),
        };
        let driver = Driver {
            coordinator: Coordinator::new(sessions, rng.fork()),
            application,
            transports,
            lanes,
            clock,
            network,
            media,
            control: requests,
            fetcher: Fetcher::new(config.fetch, resolver.system(), runtime::Handle::current()),
            resolver,
            ending: Ending::default(),
            taps: Taps::default(),
        };
        thread::Builder::new()
            .name("signalling".into())
            .spawn(move || signalling.run(driver.run()))
            .map_err(StartError::Signalling)?;
        Ok(Handle {
            control,
            shared: Arc::new(shared),
        })
    }
}

/// Runtime of the signalling thread.
struct SignallingRuntime(Option<runtime::Runtime>);

impl SignallingRuntime {
    fn new() -> io::Result<SignallingRuntime> {
        let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(SignallingRuntime(Some(runtime)))
    }

    fn handle(&self) -> runtime::Handle {
        self.0
            .as_ref()
            .map_or_else(runtime::Handle::current, |runtime| runtime.handle().clone())
    }

    /// Runs the driver on this thread to its end.
    fn run(mut self, driver: impl Future<Output = ()> + Send + 'static) {
        if let Some(runtime) = self.0.take() {
            // Waking what `block_on` runs costs a system call, waking a task of the same thread none.
            let task = runtime.spawn(driver);
            let _ = runtime.block_on(task);
        }
    }
}

/// Ends a runtime that did not run, without waiting: a stack that does not start is inside of another runtime.
impl Drop for SignallingRuntime {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// Seeds all randomness of the process.
pub(crate) fn entropy() -> Result<[u8; 32], StartError> {
    let mut seed = [0; 32];
    let random = rustls::crypto::ring::default_provider().secure_random;
    random.fill(&mut seed).map_err(|_| StartError::Random)?;
    Ok(seed)
}

/// Addresses of ours for requests before a flow has a better one: one listener for each transport and family.
/// `tls_host`: as in [`StackConfig::tls_host`].
pub(crate) fn advertised(
    listeners: &[Listener],
    public: Option<std::net::IpAddr>,
    tls_host: Option<&str>,
) -> Vec<Advertised> {
    let mut all: Vec<Advertised> = Vec::new();
    for listener in listeners {
        let ipv6 = listener.addr.is_ipv6();
        if !all
            .iter()
            .any(|known| known.transport == listener.transport && known.ipv6 == ipv6)
        {
            let addr = reachable(*listener, public);
            all.push(Advertised {
                transport: listener.transport,
                ipv6,
                address: match tls_host.filter(|_| listener.transport == Transport::Tls) {
                    Some(host) => format!("{host}:{}", addr.port()),
                    None => addr.to_string(),
                },
            });
        }
    }
    all
}

/// A wildcard is no address that anybody could answer to.
fn reachable(listener: Listener, public: Option<std::net::IpAddr>) -> SocketAddr {
    let Listener { addr, transport } = listener;
    if let Some(public) = public.filter(|ip| ip.is_ipv4() == addr.is_ipv4() && !addr.ip().is_loopback()) {
        return SocketAddr::new(public, addr.port());
    }
    if !addr.ip().is_unspecified() || transport == Transport::Udp {
        return addr;
    }
    let ours = local_addresses().unwrap_or_default();
    let ip = ours
        .into_iter()
        .find(|ip| ip.is_ipv4() == addr.is_ipv4())
        .unwrap_or(addr.ip());
    SocketAddr::new(ip, addr.port())
}
