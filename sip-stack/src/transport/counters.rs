//! Counters of the sockets that carry SIP, for each transport.

use std::sync::atomic::{AtomicU64, Ordering};

use sip_core::flow::Transport;

/// Counters of the sockets of one transport since the start.
#[derive(Debug, Default)]
pub struct Counters {
    /// Datagrams and messages received.
    pub received: AtomicU64,
    /// Datagrams and messages handed to the system.
    pub sent: AtomicU64,
    /// Datagrams dropped because the driver was behind.
    pub dropped_full: AtomicU64,
    /// Messages that could not be sent.
    pub send_failed: AtomicU64,
    /// Connections accepted.
    pub accepted: AtomicU64,
    /// Connections refused because there were too many.
    pub refused: AtomicU64,
    /// Connections closed for breaking framing, limits or deadlines.
    pub cut_off: AtomicU64,
}

/// Counters of each transport.
#[derive(Debug, Default)]
pub struct TransportCounters {
    udp: Counters,
    tcp: Counters,
    tls: Counters,
    ws: Counters,
    wss: Counters,
}

impl TransportCounters {
    /// Counters of one transport. WebSocket connections that found no place count as `ws`, with TLS or without.
    #[must_use]
    pub fn of(&self, transport: Transport) -> &Counters {
        match transport {
            Transport::Udp => &self.udp,
            Transport::Tcp => &self.tcp,
            Transport::Tls => &self.tls,
            Transport::Ws => &self.ws,
            Transport::Wss => &self.wss,
        }
    }

    /// Each transport with its counters.
    pub fn each(&self) -> impl Iterator<Item = (Transport, &Counters)> {
        let all = [
            Transport::Udp,
            Transport::Tcp,
            Transport::Tls,
            Transport::Ws,
            Transport::Wss,
        ];
        all.into_iter().map(|transport| (transport, self.of(transport)))
    }
}

pub(crate) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}
