//! The UDP sockets of one media thread: a few for browsers, a pair for each phone leg.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;

use media_core::control::SocketId;
use mio::net::UdpSocket;
use mio::{Interest, Registry, Token};
use slab::Slab;
use socket2::{Domain, Protocol, SockRef, Socket, Type};

use super::counters::{SharedCounters, count};
use crate::dscp::Dscp;

/// Kernel buffer for a socket that all browsers share.
const BROWSER_BUFFER: usize = 4 << 20;

/// Token of the waker; a socket's token is its number plus one.
pub(super) const WAKER: Token = Token(0);

/// RTP and RTCP socket of a phone leg, each with its address.
pub(super) type Pair = [(SocketId, SocketAddr); 2];

#[derive(Debug)]
pub(super) struct Sockets {
    registry: Registry,
    open: Slab<UdpSocket>,
    ports: Ports,
    dscp: Dscp,
    counters: SharedCounters,
}

impl Sockets {
    /// `turn` of `turns`: media threads that share a range begin at different places in it.
    pub(super) fn new(
        registry: Registry,
        range: &RangeInclusive<u16>,
        dscp: Dscp,
        (turn, turns): (u8, u8),
        counters: SharedCounters,
    ) -> Sockets {
        let mut ports = Ports::new(range);
        ports.next = ports.pairs * u32::from(turn) / u32::from(turns).max(1);
        Sockets {
            registry,
            open: Slab::new(),
            ports,
            dscp,
            counters,
        }
    }

    /// A socket that all browsers of the shard share.
    pub(super) fn bind_browser(&mut self, addr: SocketAddr) -> io::Result<(SocketId, SocketAddr)> {
        self.add(bind(addr, Some(BROWSER_BUFFER), self.dscp)?)
    }

    /// The next free pair of the range: each pair is tried once, beginning after the one handed out last, so that a port
    /// rests before it serves the next call.
    pub(super) fn bind_pair(&mut self, ip: IpAddr) -> Option<Pair> {
        for _ in 0..self.ports.pairs {
            let even = self.ports.take();
            let Ok(rtp) = bind(SocketAddr::new(ip, even), None, self.dscp) else {
                continue;
            };
            let Ok(rtcp) = bind(SocketAddr::new(ip, even + 1), None, self.dscp) else {
                continue;
            };
            if let (Ok(rtp), Ok(rtcp)) = (self.add(rtp), self.add(rtcp)) {
                return Some([rtp, rtcp]);
            }
        }
        count(&self.counters.bind_failed);
        tracing::warn!(%ip, "no free pair of ports for a phone leg");
        None
    }

    pub(super) fn release(&mut self, id: SocketId) {
        if let Some(mut socket) = self.open.try_remove(id.0 as usize) {
            let _ = self.registry.deregister(&mut socket);
        }
    }

    /// `WouldBlock` also for a socket that is gone.
    pub(super) fn receive(&self, id: SocketId, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        let socket = self.open.get(id.0 as usize).ok_or(io::ErrorKind::WouldBlock)?;
        let received = socket.recv_from(buffer)?;
        count(&self.counters.received);
        Ok(received)
    }

    /// Media that cannot be sent now is late already: it is dropped and counted.
    pub(super) fn send(&self, id: SocketId, to: SocketAddr, data: &[u8]) {
        match self
            .open
            .get(id.0 as usize)
            .map(|socket| socket.send_to(data, to))
        {
            Some(Ok(_)) => count(&self.counters.sent),
            Some(Err(error)) => {
                tracing::trace!(%to, %error, "datagram not sent");
                count(&self.counters.send_failed);
            }
            None => count(&self.counters.send_failed),
        }
    }

    fn add(&mut self, socket: std::net::UdpSocket) -> io::Result<(SocketId, SocketAddr)> {
        let mut socket = UdpSocket::from_std(socket);
        let addr = socket.local_addr()?;
        let entry = self.open.vacant_entry();
        let id = entry.key();
        self.registry
            .register(&mut socket, Token(id + 1), Interest::READABLE)?;
        entry.insert(socket);
        Ok((SocketId(id as u32), addr))
    }
}

fn bind(addr: SocketAddr, buffer: Option<usize>, dscp: Dscp) -> io::Result<std::net::UdpSocket> {
    let socket = Socket::new(Domain::for_address(addr), Type::DGRAM, Some(Protocol::UDP))?;
    if addr.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    if let Some(size) = buffer {
        // The kernel gives what its limits allow.
        let _ = socket.set_recv_buffer_size(size);
        let _ = socket.set_send_buffer_size(size);
    }
    dscp.mark(&SockRef::from(&socket), addr.is_ipv6());
    socket.set_nonblocking(true)?;
    socket.bind(&addr.into())?;
    Ok(socket.into())
}

/// Even ports of a range, handed out in turn.
#[derive(Debug)]
struct Ports {
    first: u16,
    pairs: u32,
    next: u32,
}

impl Ports {
    fn new(range: &RangeInclusive<u16>) -> Ports {
        let first = u32::from(*range.start()).next_multiple_of(2);
        let end = u32::from(*range.end()) + 1;
        let pairs = end.saturating_sub(first) / 2;
        Ports {
            first: u16::try_from(first).unwrap_or(u16::MAX),
            pairs,
            next: 0,
        }
    }

    fn take(&mut self) -> u16 {
        let pair = self.next % self.pairs.max(1);
        self.next = pair + 1;
        // fits: pair is below the number of pairs that fit in the range
        self.first + (pair * 2) as u16
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_even_and_inside_the_range() {
        let all = |range: RangeInclusive<u16>| {
            let mut ports = Ports::new(&range);
            (0..ports.pairs).map(|_| ports.take()).collect::<Vec<_>>()
        };
        assert_eq!(all(20_000..=20_005), [20_000, 20_002, 20_004]);
        assert_eq!(all(20_001..=20_006), [20_002, 20_004]);
        assert_eq!(all(65_534..=65_535), [65_534]);
        assert_eq!(all(65_535..=65_535), [0u16; 0]);
        assert_eq!(all(7..=7), [0u16; 0]);
    }

    #[test]
    fn a_range_that_is_used_up_says_so_and_a_released_pair_comes_back() {
        let poll = mio::Poll::new().expect("poll");
        let counters = SharedCounters::default();
        let ip: IpAddr = [127, 0, 0, 1].into();
        // A range of four ports somewhere where nothing listens now.
        let mut sockets = (0..100).find_map(|n| {
            let first = 41_000 + n * 16;
            let registry = poll.registry().try_clone().expect("registry");
            let mut sockets = Sockets::new(
                registry,
                &(first..=first + 3),
                Dscp::EF,
                (0, 1),
                SharedCounters::clone(&counters),
            );
            let pairs = [sockets.bind_pair(ip)?, sockets.bind_pair(ip)?];
            assert_eq!(
                pairs.map(|[rtp, rtcp]| (rtp.1.port(), rtcp.1.port())),
                [(first, first + 1), (first + 2, first + 3)]
            );
            Some((sockets, pairs))
        });
        let (sockets, [one, _]) = sockets.as_mut().expect("four free ports");
        assert!(sockets.bind_pair(ip).is_none(), "the range is used up");
        for (id, _) in one.iter() {
            let socket = sockets.open.get(id.0 as usize).expect("a socket");
            assert_eq!(SockRef::from(socket).tos_v4().expect("TOS"), 46 << 2);
        }
        one.iter().for_each(|(id, _)| sockets.release(*id));
        assert_eq!(sockets.bind_pair(ip).map(|[rtp, _]| rtp.1), Some(one[0].1));
    }

    #[test]
    fn a_port_that_another_process_holds_is_passed_over() {
        let poll = mio::Poll::new().expect("poll");
        let ip: IpAddr = [127, 0, 0, 1].into();
        let found = (0..100).find_map(|n| {
            let first = 43_000 + n * 16;
            let other = std::net::UdpSocket::bind((ip, first + 1)).ok()?;
            let registry = poll.registry().try_clone().expect("registry");
            let range = first..=first + 3;
            let mut sockets = Sockets::new(registry, &range, Dscp::NONE, (0, 1), SharedCounters::default());
            let [rtp, _] = sockets.bind_pair(ip)?;
            drop(other);
            Some((first, rtp.1.port()))
        });
        let (first, port) = found.expect("four free ports");
        assert_eq!(port, first + 2);
    }
}
