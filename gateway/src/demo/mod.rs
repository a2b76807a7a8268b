//! The demonstration: a phone that answers every number and plays back what it hears, and people who call the queues. It speaks SIP
//! with the gateway as anybody does.

mod caller;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use session_core::User;
use sip_core::flow::Transport;
use sip_stack::client::{BuildError, DemoPhone};
use sip_stack::transport::Listener;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::config::{Config, DEMO_PHONE};

/// Callers that may wait to be started; more are refused.
const WAITING: usize = 4;

/// A demonstration that runs.
#[derive(Debug)]
pub struct Demonstration {
    phone: DemoPhone,
    password: String,
    wanted: mpsc::Sender<String>,
    queue: Option<mpsc::Receiver<String>>,
    callers: Option<JoinHandle<()>>,
}

/// Handle to start callers with. Clones are handles of one.
#[derive(Clone, Debug)]
pub struct Callers {
    wanted: mpsc::Sender<String>,
}

/// Enough callers wait to be started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooMany;

impl Callers {
    /// Callers that somebody else starts, who receives the names of their queues.
    #[must_use]
    pub fn new(wanted: mpsc::Sender<String>) -> Callers {
        Callers { wanted }
    }

    /// Starts a caller of the queue of this name.
    ///
    /// # Errors
    /// [`TooMany`].
    pub fn call(&self, queue: String) -> Result<(), TooMany> {
        self.wanted.try_send(queue).map_err(|_| TooMany)
    }
}

impl Demonstration {
    /// Starts the phone, if the configuration is one of a demonstration, and adds the account that callers have. Its `password` should
    /// be made anew at each start.
    ///
    /// # Errors
    /// A socket cannot be bound.
    pub async fn start(config: &mut Config, password: String) -> Result<Option<Demonstration>, BuildError> {
        if !config.demo {
            return Ok(None);
        }
        let caller = User {
            display: "Demo caller".into(),
            ..User::new(password.clone())
        };
        config.users.insert(caller::ACCOUNT.into(), caller);
        let (wanted, queue) = mpsc::channel(WAITING);
        Ok(Some(Demonstration {
            phone: DemoPhone::start().await?,
            password,
            wanted,
            queue: Some(queue),
            callers: None,
        }))
    }

    /// Address of the phone, by its name in the dial plan.
    #[must_use]
    pub fn peers(&self) -> BTreeMap<String, SocketAddr> {
        BTreeMap::from([(DEMO_PHONE.to_owned(), self.phone.address())])
    }

    /// Handle to start callers with.
    #[must_use]
    pub fn callers(&self) -> Callers {
        Callers::new(self.wanted.clone())
    }

    /// Lets callers call the gateway, where it listens for SIP over UDP.
    pub fn open(&mut self, listeners: &[Listener]) {
        let udp = listeners
            .iter()
            .find(|listener| listener.transport == Transport::Udp);
        if let (Some(listener), Some(queue)) = (udp, self.queue.take()) {
            let gateway = reachable(listener.addr);
            let password = self.password.clone();
            self.callers = Some(tokio::spawn(caller::run(gateway, password, queue)));
        }
    }

    /// Ends all callers.
    pub fn hang_up(&self) {
        if let Some(callers) = &self.callers {
            callers.abort();
        }
    }

    /// Ends the phone.
    pub async fn shutdown(self) {
        self.phone.shutdown().await;
    }
}

/// Address at which a listener is reached from this machine.
fn reachable(addr: SocketAddr) -> SocketAddr {
    match addr.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => SocketAddr::new(Ipv4Addr::LOCALHOST.into(), addr.port()),
        IpAddr::V6(ip) if ip.is_unspecified() => SocketAddr::new(Ipv6Addr::LOCALHOST.into(), addr.port()),
        _ => addr,
    }
}
