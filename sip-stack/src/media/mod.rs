//! Media threads: one shard each, its sockets, and the lanes to and from signalling and between the threads.

mod counters;
mod gather;
mod injection;
mod lane;
pub mod mesh;
mod ring;
mod sockets;
mod start;
mod tap;
mod thread;

use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use media_core::control::Prompts;

use crate::dscp::Dscp;

pub use counters::{LATENESS_BOUNDS, Lateness, MediaCounters, SharedCounters};
pub use injection::{MediaInjection, Source, injection};
pub use lane::Lane;
pub use start::{StartError, start};
pub use tap::{MediaTap, TapFeed, TappedPacket, tap};

/// Settings of a media thread.
#[derive(Clone, Debug)]
pub struct MediaConfig {
    /// True if browsers are served; a phone speaks to none.
    pub browsers: bool,
    /// Local addresses for browsers, with one socket on each; empty: every address of this host.
    pub browser_addresses: Vec<IpAddr>,
    /// UDP port of the first shard for browsers; each further shard takes the next. 0: any.
    pub browser_port: u16,
    /// Ports for phones: RTP on an even one, RTCP on the odd one above it.
    pub phone_ports: RangeInclusive<u16>,
    /// Announcements for waiting callers; empty: they hear the music only.
    pub prompts: Arc<Prompts>,
    /// Time without RTP and RTCP after which a phone's leg that should send counts as silent. The stack sets
    /// it from the coordinator's configuration.
    pub silence: Option<Duration>,
    /// Legs of one shard at a time.
    pub max_legs: usize,
    /// Mark of the packets.
    pub dscp: Dscp,
}

impl Default for MediaConfig {
    fn default() -> Self {
        MediaConfig {
            browsers: true,
            browser_addresses: Vec::new(),
            browser_port: 10_000,
            phone_ports: 20_000..=20_999,
            prompts: Arc::default(),
            silence: None,
            max_legs: 10_000,
            dscp: Dscp::NONE,
        }
    }
}
