//! Start of the media threads: their sockets, their lanes, and the threads themselves.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;

use media_core::control::{Event, SocketId};
use media_core::dtls::Identity;
use media_core::shard::{Shard, ShardConfig};
use mio::{Poll, Waker};
use rtrb::RingBuffer;
use sans_io::Rng;
use tokio::sync::mpsc::Sender;

use super::MediaConfig;
use super::counters::{Load, SharedCounters};
use super::gather::Traffic;
use super::lane::Lane;
use super::mesh::{Bell, Lanes, mesh};
use super::sockets::{Sockets, WAKER};
use super::tap::Taps;
use super::thread::Thread;
use crate::clock::Clock;
use crate::transport::local_addresses;

/// Pairs of ports that a thread lends to signalling at most.
const LENT: usize = 64;

/// Why a media thread did not start.
#[derive(Debug)]
pub enum StartError {
    /// The port for browsers cannot be bound on this address.
    Bind(SocketAddr, io::Error),
    /// The system refused a thread, or its means to wait.
    Io(io::Error),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StartError::Bind(addr, error) if error.kind() == io::ErrorKind::AddrInUse => {
                write!(f, "address in use: UDP {addr} for browser media")
            }
            StartError::Bind(addr, error) => write!(f, "cannot bind UDP {addr} for browser media: {error}"),
            StartError::Io(error) => write!(f, "cannot start a media thread: {error}"),
        }
    }
}

impl std::error::Error for StartError {}

impl From<io::Error> for StartError {
    fn from(error: io::Error) -> Self {
        StartError::Io(error)
    }
}

/// Starts the threads of so many shards. Their events go to `events` with the shard's number; when that channel is full they
/// wait on the thread's side, where an unasked-for report gives way to a newer one of the same leg.
pub fn start(
    shards: u8,
    config: &MediaConfig,
    identity: &Arc<Identity>,
    clock: Clock,
    rng: &mut Rng,
    events: &Sender<(u8, Event)>,
) -> Result<Vec<Lane>, StartError> {
    let mut polls = Vec::new();
    for _ in 0..shards {
        let poll = Poll::new()?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKER)?);
        polls.push((poll, waker));
    }
    let bells: Vec<Arc<Bell>> = polls
        .iter()
        .map(|(_, waker)| Bell::new(Arc::clone(waker)))
        .collect();
    let parts = (0..shards).zip(polls).zip(mesh(&bells));
    parts
        .map(|((shard, (poll, waker)), lanes)| {
            let signalling = Signalling {
                identity: Arc::clone(identity),
                events: events.clone(),
                clock,
            };
            start_one(
                (shard, shards),
                config,
                signalling,
                rng.fork(),
                (poll, waker),
                lanes,
            )
        })
        .collect()
}

/// Parts that all threads share.
struct Signalling {
    identity: Arc<Identity>,
    events: Sender<(u8, Event)>,
    clock: Clock,
}

fn start_one(
    (shard, shards): (u8, u8),
    config: &MediaConfig,
    signalling: Signalling,
    rng: Rng,
    (poll, waker): (Poll, Arc<Waker>),
    lanes: Lanes,
) -> Result<Lane, StartError> {
    let Signalling {
        identity,
        events,
        clock,
    } = signalling;
    let counters = SharedCounters::default();
    let mut sockets = Sockets::new(
        poll.registry().try_clone()?,
        &config.phone_ports,
        config.dscp,
        (shard, shards),
        SharedCounters::clone(&counters),
    );
    let browser_sockets = bind_browser(&mut sockets, config, shard)?;
    let (instant, time) = clock.anchor();
    let shard_config = ShardConfig {
        browser_sockets,
        shard,
        dtls: identity,
        clock: media_core::Clock::new(time, instant),
        prompts: Arc::clone(&config.prompts),
        silence: config.silence,
        max_legs: config.max_legs,
    };
    let browsers = shard_config
        .browser_sockets
        .iter()
        .map(|(_, address)| *address)
        .collect();
    let (sender, commands) = Lane::channel();
    let (lender, lent) = RingBuffer::new(LENT);
    let (started, start_result) = sync_channel(1);
    let thread_counters = SharedCounters::clone(&counters);
    let thread = std::thread::Builder::new()
        .name(format!("media-{shard}"))
        .spawn(move || {
            let media = Thread {
                number: shard,
                shard: Shard::new(shard_config, rng),
                poll,
                sockets,
                commands,
                lent: lender,
                announced: None,
                borrowed: None,
                taps: Taps::default(),
                untapped: Vec::new(),
                sources: Vec::new(),
                lanes,
                events,
                unsent: VecDeque::new(),
                notices_wait: false,
                traffic: Traffic::default(),
                load: Load::new(clock.now()),
                counters: thread_counters,
                clock,
            };
            let _ = started.send(());
            if let Err(error) = media.run() {
                tracing::error!(%error, shard, "a media thread ended");
            }
        })?;
    let _ = start_result.recv();
    Ok(Lane::new(sender, (lent, browsers), waker, thread, counters))
}

/// One socket on each address. An address of the host that cannot be bound (a tunnel that went down meanwhile) is left
/// out; one that was asked for, or a port in use, is an error.
fn bind_browser(
    sockets: &mut Sockets,
    config: &MediaConfig,
    shard: u8,
) -> Result<Vec<(SocketId, SocketAddr)>, StartError> {
    if !config.browsers {
        return Ok(Vec::new());
    }
    let asked = &config.browser_addresses;
    let addresses = if asked.is_empty() {
        local_addresses()?
    } else {
        asked.clone()
    };
    let mut port = if config.browser_port == 0 {
        0
    } else {
        config.browser_port.saturating_add(u16::from(shard))
    };
    let mut bound = Vec::new();
    for ip in addresses {
        let addr = SocketAddr::new(ip, port);
        match sockets.bind_browser(addr) {
            Ok((id, addr)) => {
                port = addr.port();
                bound.push((id, addr));
            }
            Err(error) if asked.is_empty() && error.kind() == io::ErrorKind::AddrNotAvailable => {
                tracing::info!(%addr, %error, "address not used for browser media");
            }
            Err(error) => return Err(StartError::Bind(addr, error)),
        }
    }
    Ok(bound)
}
