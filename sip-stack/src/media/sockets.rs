//! The UDP sockets of one media thread: a few for browsers, a pair for each phone leg.

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::time::Duration;

use media_core::control::SocketId;
use mio::net::UdpSocket;
use mio::{Interest, Registry, Token};
use sans_io::Time;
use slab::Slab;
use socket2::{Domain, Protocol, SockRef, Socket, Type};

use super::counters::{SharedCounters, count};
use crate::dscp::Dscp;

/// Kernel buffer for a socket that all browsers share.
const BROWSER_BUFFER: usize = 4 << 20;

/// Pairs that stay open after their legs, at most: opening and closing sockets is a good part of what a short call costs.
const KEPT: usize = 512;

/// Time for which a pair rests before it serves the next leg: packets for the one before are still under way.
const REST: Duration = Duration::from_secs(1);

/// Datagrams that may have come to a resting socket; with more, somebody still sends, and it is closed.
const STRAYS: usize = 64;

/// Token of the waker; a socket's token is its number plus one.
pub(super) const WAKER: Token = Token(0);

/// RTP and RTCP socket of a phone leg, each with its address.
pub(super) type Pair = [(SocketId, SocketAddr); 2];

#[derive(Debug)]
pub(super) struct Sockets {
    registry: Registry,
    open: Slab<Open>,
    /// Pairs without a leg, the one that has rested longest first.
    resting: VecDeque<Resting>,
    ports: Ports,
    dscp: Dscp,
    counters: SharedCounters,
}

#[derive(Debug)]
struct Open {
    socket: UdpSocket,
    addr: SocketAddr,
    rests: bool,
}

#[derive(Debug)]
struct Resting {
    since: Time,
    pair: Pair,
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
            resting: VecDeque::new(),
            ports,
            dscp,
            counters,
        }
    }

    /// A socket that all browsers of the shard share.
    pub(super) fn bind_browser(&mut self, addr: SocketAddr) -> io::Result<(SocketId, SocketAddr)> {
        self.add(bind(addr, Some(BROWSER_BUFFER), self.dscp)?)
    }

    /// A pair that has rested, or the next free one of the range: each is tried once, beginning after the one opened last. Where the
    /// range is used up, the pair that has rested longest must do.
    pub(super) fn bind_pair(&mut self, now: Time, ip: IpAddr) -> Option<Pair> {
        if let Some(pair) = self.rested(ip, |since| now.since(since) >= REST) {
            return Some(pair);
        }
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
        let pair = self.rested(ip, |_| true);
        if pair.is_none() {
            count(&self.counters.bind_failed);
            tracing::warn!(%ip, "no free pair of ports for a phone leg");
        }
        pair
    }

    /// A pair that has rested, for whatever leg comes next. What comes to it is thrown away until [`use_again`](Sockets::use_again).
    pub(super) fn lend(&mut self, now: Time) -> Option<Pair> {
        self.resting
            .pop_front_if(|resting| now.since(resting.since) >= REST)
            .map(|resting| resting.pair)
    }

    /// Gives a pair that was lent to a leg.
    pub(super) fn use_again(&mut self, pair: Pair) {
        let ids = pair.map(|(id, _)| id);
        for id in ids {
            self.empty(id);
        }
        self.set_resting(ids, false);
    }

    /// Takes the pair of a leg that is closed, to rest or to be closed.
    pub(super) fn release(&mut self, now: Time, sockets: [SocketId; 2]) {
        let addr = |id: SocketId| Some((id, self.open.get(id.0 as usize)?.addr));
        let pair = (addr(sockets[0]), addr(sockets[1]));
        let (Some(rtp), Some(rtcp)) = pair else {
            return sockets.into_iter().for_each(|id| self.close(id));
        };
        if self.resting.len() >= KEPT {
            return sockets.into_iter().for_each(|id| self.close(id));
        }
        self.set_resting(sockets, true);
        self.resting.push_back(Resting {
            since: now,
            pair: [rtp, rtcp],
        });
    }

    /// Takes the pair of this address that has rested longest, if that is long enough, and throws away what came to it.
    fn rested(&mut self, ip: IpAddr, is_enough: impl Fn(Time) -> bool) -> Option<Pair> {
        loop {
            let at = self
                .resting
                .iter()
                .take_while(|resting| is_enough(resting.since))
                .position(|resting| resting.pair[0].1.ip() == ip)?;
            let Resting { pair, .. } = self.resting.remove(at)?;
            let ids = pair.map(|(id, _)| id);
            if ids.iter().all(|id| self.empty(*id)) {
                self.set_resting(ids, false);
                return Some(pair);
            }
            ids.into_iter().for_each(|id| self.close(id));
        }
    }

    /// Throws away what came to a socket. False if it does not end.
    fn empty(&self, id: SocketId) -> bool {
        let Some(open) = self.open.get(id.0 as usize) else {
            return false;
        };
        let mut octet = [0; 1];
        (0..STRAYS).any(|_| {
            let received = open.socket.recv_from(&mut octet);
            received.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
        })
    }

    fn set_resting(&mut self, sockets: [SocketId; 2], rests: bool) {
        for id in sockets {
            if let Some(open) = self.open.get_mut(id.0 as usize) {
                open.rests = rests;
            }
        }
    }

    fn close(&mut self, id: SocketId) {
        if let Some(mut open) = self.open.try_remove(id.0 as usize) {
            let _ = self.registry.deregister(&mut open.socket);
        }
    }

    /// `WouldBlock` also for a socket that is gone, and for one that rests: what comes to that is thrown away, so that a stranger cannot
    /// fill its buffer.
    pub(super) fn receive(&self, id: SocketId, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        let open = self.open.get(id.0 as usize).ok_or(io::ErrorKind::WouldBlock)?;
        if open.rests {
            self.empty(id);
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let received = open.socket.recv_from(buffer)?;
        count(&self.counters.received);
        Ok(received)
    }

    /// Media that cannot be sent now is late already: it is dropped and counted.
    pub(super) fn send(&self, id: SocketId, to: SocketAddr, data: &[u8]) {
        match self
            .open
            .get(id.0 as usize)
            .map(|open| open.socket.send_to(data, to))
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
        entry.insert(Open {
            socket,
            addr,
            rests: false,
        });
        Ok((SocketId(id as u32), addr))
    }
}

fn bind(addr: SocketAddr, buffer: Option<usize>, dscp: Dscp) -> io::Result<std::net::UdpSocket> {
    let socket = Socket::new(
        Domain::for_address(addr),
        Type::DGRAM.nonblocking(),
        Some(Protocol::UDP),
    )?;
    if addr.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    if let Some(size) = buffer {
        // The kernel gives what its limits allow.
        let _ = socket.set_recv_buffer_size(size);
        let _ = socket.set_send_buffer_size(size);
    }
    dscp.mark(&SockRef::from(&socket), addr.is_ipv6());
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

    /// Sockets in a range of so many ports from `base` on, somewhere where nothing listens now, and the first of the range.
    /// Tests run beside each other: each has a base of its own.
    fn sockets(poll: &mio::Poll, base: u16, ports: u16) -> (u16, Sockets) {
        let found = (0..100).find_map(|n| {
            let first = base + n * 8;
            let range = first..=first + ports - 1;
            let all = range.clone().map(|port| std::net::UdpSocket::bind((IP, port)));
            all.collect::<Result<Vec<_>, _>>().ok()?;
            let registry = poll.registry().try_clone().expect("registry");
            let counters = SharedCounters::default();
            Some((first, Sockets::new(registry, &range, Dscp::EF, (0, 1), counters)))
        });
        found.expect("free ports")
    }

    const IP: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    fn ids(pair: Pair) -> [SocketId; 2] {
        pair.map(|(id, _)| id)
    }

    #[test]
    fn a_range_that_is_used_up_says_so_and_a_released_pair_comes_back() {
        let poll = mio::Poll::new().expect("poll");
        let (first, mut sockets) = sockets(&poll, 41_000, 4);
        let now = Time(0);
        let pairs = [0, 1].map(|_| sockets.bind_pair(now, IP).expect("a pair"));
        assert_eq!(
            pairs.map(|[rtp, rtcp]| (rtp.1.port(), rtcp.1.port())),
            [(first, first + 1), (first + 2, first + 3)]
        );
        assert!(sockets.bind_pair(now, IP).is_none(), "the range is used up");
        for id in ids(pairs[0]) {
            let open = sockets.open.get(id.0 as usize).expect("a socket");
            assert_eq!(SockRef::from(&open.socket).tos_v4().expect("TOS"), 46 << 2);
        }
        sockets.release(now, ids(pairs[0]));
        assert_eq!(sockets.bind_pair(now, IP), Some(pairs[0]));
    }

    #[test]
    fn a_pair_is_lent_when_it_has_rested_and_brings_nothing_of_its_last_leg() {
        let poll = mio::Poll::new().expect("poll");
        let (_, mut sockets) = sockets(&poll, 43_000, 8);
        let pair = sockets.bind_pair(Time(0), IP).expect("a pair");
        let peer = std::net::UdpSocket::bind((IP, 0)).expect("a port");
        sockets.release(Time(0), ids(pair));
        let rested = Time(0) + REST;
        assert!(sockets.lend(Time(0) + REST / 2).is_none(), "it rests");
        assert_eq!(sockets.lend(rested), Some(pair));
        assert!(sockets.lend(rested).is_none(), "it is lent once");
        assert_ne!(
            sockets.bind_pair(rested, IP),
            Some(pair),
            "and nobody else has it"
        );
        peer.send_to(b"late", pair[0].1).expect("sent");
        sockets.use_again(pair);
        let mut buffer = [0; 16];
        let nothing = sockets.receive(pair[0].0, &mut buffer);
        assert!(nothing.is_err(), "what came before is thrown away");
        peer.send_to(b"new", pair[0].1).expect("sent");
        assert_eq!(sockets.receive(pair[0].0, &mut buffer).expect("a packet").0, 3);
    }

    #[test]
    fn a_pair_rests_and_brings_nothing_of_its_last_leg() {
        let poll = mio::Poll::new().expect("poll");
        let (first, mut sockets) = sockets(&poll, 42_000, 8);
        let pair = sockets.bind_pair(Time(0), IP).expect("a pair");
        let peer = std::net::UdpSocket::bind((IP, 0)).expect("a port");
        sockets.release(Time(0), ids(pair));
        peer.send_to(b"late", pair[0].1).expect("sent");
        let mut buffer = [0; 16];
        let received = sockets.receive(pair[0].0, &mut buffer);
        assert!(
            received.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock),
            "a resting socket gives nothing"
        );
        let soon = Time(0) + REST / 2;
        let other = sockets.bind_pair(soon, IP).expect("a pair");
        assert_eq!(other[0].1.port(), first + 2, "another, for this one rests");
        let later = Time(0) + REST;
        assert_eq!(sockets.bind_pair(later, IP), Some(pair));
        let received = sockets.receive(pair[0].0, &mut buffer);
        assert!(received.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock));
        peer.send_to(b"new", pair[0].1).expect("sent");
        let (len, from) = sockets.receive(pair[0].0, &mut buffer).expect("a datagram");
        assert_eq!(
            (&buffer[..len], from),
            (&b"new"[..], peer.local_addr().expect("address"))
        );
    }

    #[test]
    fn a_pair_to_which_somebody_still_sends_is_closed() {
        let poll = mio::Poll::new().expect("poll");
        let (first, mut sockets) = sockets(&poll, 43_000, 4);
        let pair = sockets.bind_pair(Time(0), IP).expect("a pair");
        let peer = std::net::UdpSocket::bind((IP, 0)).expect("a port");
        sockets.release(Time(0), ids(pair));
        for _ in 0..STRAYS {
            peer.send_to(b"late", pair[1].1).expect("sent");
        }
        let other = sockets.bind_pair(Time(0) + REST, IP).expect("a pair");
        assert_eq!(other[0].1.port(), first + 2);
        assert_eq!(sockets.open.len(), 2, "the first pair is closed");
    }

    #[test]
    fn a_port_that_another_process_holds_is_passed_over() {
        let poll = mio::Poll::new().expect("poll");
        let (first, mut sockets) = sockets(&poll, 44_000, 4);
        let _other = std::net::UdpSocket::bind((IP, first + 1)).expect("a free port");
        let [rtp, _] = sockets.bind_pair(Time(0), IP).expect("a pair");
        assert_eq!(rtp.1.port(), first + 2);
    }
}
