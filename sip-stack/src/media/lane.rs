//! Commands on their way from signalling to a media thread.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;

use media_core::control::{Command, Event, Failure, LegId, LegKind};
use mio::Waker;
use rtrb::Consumer;

use super::SharedCounters;
use super::injection::Source;
use super::sockets::Pair;
use super::tap::TapFeed;

/// Commands that may wait for a media thread. When it is full, new legs are refused, so that their callers hear 503;
/// every other command waits on our side, bounded by the legs there are.
const COMMANDS: usize = 1024;

/// Pairs of ports on other addresses that are passed over, at most.
const ELSEWHERE: usize = 32;

/// Message of signalling to a media thread.
#[derive(Debug)]
pub(super) enum Order {
    /// For the shard.
    Command(Command),
    /// A leg whose addresses signalling knows already: with a pair of ports that was lent for it, or on the sockets for browsers.
    Open(Command, Option<Pair>),
    /// Somebody listens to a leg.
    Tap(LegId, TapFeed),
    /// Somebody makes sound for a leg.
    Inject(Source),
}

/// Signalling's end. Dropping it ends the thread.
#[derive(Debug)]
pub struct Lane {
    commands: Option<SyncSender<Order>>,
    waiting: VecDeque<Order>,
    /// Pairs of ports that the thread lends for legs to come.
    lent: Consumer<Pair>,
    /// Those of them that were taken and not used: they are on another address than the leg that looked for one, or that was refused.
    pairs: VecDeque<Pair>,
    /// The sockets that all browsers share.
    browsers: Vec<SocketAddr>,
    waker: Arc<Waker>,
    unseen: bool,
    thread: Option<JoinHandle<()>>,
    counters: SharedCounters,
}

impl Lane {
    pub(super) fn channel() -> (SyncSender<Order>, Receiver<Order>) {
        sync_channel(COMMANDS)
    }

    pub(super) fn new(
        commands: SyncSender<Order>,
        (lent, browsers): (Consumer<Pair>, Vec<SocketAddr>),
        waker: Arc<Waker>,
        thread: JoinHandle<()>,
        counters: SharedCounters,
    ) -> Lane {
        Lane {
            commands: Some(commands),
            waiting: VecDeque::new(),
            lent,
            pairs: VecDeque::new(),
            browsers,
            waker,
            unseen: false,
            thread: Some(thread),
            counters,
        }
    }

    /// Takes a command without waiting; [`flush`](Lane::flush) must follow. An event that is known at once: that a leg is open, since its
    /// addresses are known here, or that it cannot be opened, because the thread is too far behind.
    pub fn send(&mut self, command: Command) -> Option<Event> {
        let (order, opened) = match command {
            Command::Open { leg, ref kind } => match self.addresses_for(kind) {
                Some((addresses, pair)) => {
                    (Order::Open(command, pair), Some(Event::Opened { leg, addresses }))
                }
                None => (Order::Command(command), None),
            },
            command => (Order::Command(command), None),
        };
        match self.order(order) {
            Ok(()) => opened,
            Err(leg) => {
                let reason = Failure::Full;
                Some(Event::Failed { leg, reason })
            }
        }
    }

    /// Addresses of a leg that is to be opened, where they are known before the thread has seen it.
    fn addresses_for(&mut self, kind: &LegKind) -> Option<(Vec<SocketAddr>, Option<Pair>)> {
        match kind {
            LegKind::Browser { .. } => (!self.browsers.is_empty()).then(|| (self.browsers.clone(), None)),
            LegKind::Phone { local, .. } => {
                let pair = self.borrow_pair(*local)?;
                Some((pair.map(|(_, address)| address).to_vec(), Some(pair)))
            }
            // RTCP goes where RTP does.
            LegKind::WebRtc { local, .. } => {
                let pair = self.borrow_pair(*local)?;
                Some((vec![pair[0].1], Some(pair)))
            }
        }
    }

    /// A pair on this address. No more are taken than are needed: what is not taken is not replaced, and the thread closes what it has
    /// too many of.
    fn borrow_pair(&mut self, local: IpAddr) -> Option<Pair> {
        let is_there = |pair: &Pair| pair[0].1.ip() == local;
        if let Some(at) = self.pairs.iter().position(is_there) {
            return self.pairs.remove(at);
        }
        while self.pairs.len() < ELSEWHERE {
            let pair = self.lent.pop().ok()?;
            if is_there(&pair) {
                return Some(pair);
            }
            self.pairs.push_back(pair);
        }
        None
    }

    /// Lets somebody listen to a leg; [`flush`](Lane::flush) must follow.
    pub fn tap(&mut self, leg: LegId, feed: TapFeed) {
        let _ = self.order(Order::Tap(leg, feed));
    }

    /// Lets a leg hear sound of somebody; [`flush`](Lane::flush) must follow.
    pub fn inject(&mut self, source: Source) {
        let _ = self.order(Order::Inject(source));
    }

    fn order(&mut self, command: Order) -> Result<(), LegId> {
        // These change nothing until a packet or another command comes, and the thread takes all commands before that.
        let is_urgent = !matches!(command, Order::Open(..) | Order::Command(Command::Vouch { .. }));
        self.unseen |= is_urgent || !self.waiting.is_empty();
        let Some(commands) = &self.commands else {
            return Ok(());
        };
        if self.waiting.is_empty() {
            match commands.try_send(command) {
                Ok(()) | Err(TrySendError::Disconnected(_)) => return Ok(()),
                Err(TrySendError::Full(command)) => {
                    self.unseen = true;
                    self.waiting.push_back(command);
                }
            }
        } else {
            self.waiting.push_back(command);
        }
        match self.waiting.back() {
            Some(Order::Command(Command::Open { leg, .. }) | Order::Open(Command::Open { leg, .. }, _)) => {
                let leg = *leg;
                if let Some(Order::Open(_, Some(pair))) = self.waiting.pop_back() {
                    self.pairs.push_front(pair);
                }
                Err(leg)
            }
            _ => Ok(()),
        }
    }

    /// Wakes the thread when there is something new. True when commands still wait: flush again soon.
    pub fn flush(&mut self) -> bool {
        if let Some(commands) = &self.commands {
            while let Some(command) = self.waiting.pop_front() {
                if let Err(TrySendError::Full(command)) = commands.try_send(command) {
                    self.waiting.push_front(command);
                    break;
                }
            }
        }
        if std::mem::take(&mut self.unseen) && self.waker.wake().is_err() {
            self.unseen = true;
        }
        !self.waiting.is_empty()
    }

    /// Counters of the thread.
    #[must_use]
    pub fn counters(&self) -> &SharedCounters {
        &self.counters
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        self.flush();
        self.commands = None;
        let _ = self.waker.wake();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("a media thread panicked");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use media_core::control::{MediaSource, SocketId};
    use media_core::negotiated::IceCredentials;
    use mio::{Poll, Token};
    use rtrb::RingBuffer;

    use super::*;

    const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    fn pair(ip: IpAddr, number: u32) -> Pair {
        let port = 20_000 + number as u16;
        [0, 1].map(|n| (SocketId(number + n), SocketAddr::new(ip, port + n as u16)))
    }

    fn open(leg: u64, kind: LegKind) -> Command {
        let leg = LegId(leg);
        Command::Open { leg, kind }
    }

    fn phone(leg: u64, local: IpAddr) -> Command {
        let source = MediaSource::default();
        open(leg, LegKind::Phone { local, source })
    }

    /// A lane with these pairs lent, a socket for browsers, and nobody at its other end.
    fn lane(lent: &[Pair]) -> (Lane, Receiver<Order>) {
        let poll = Poll::new().expect("poll");
        let waker = Arc::new(Waker::new(poll.registry(), Token(0)).expect("waker"));
        let (mut lender, pairs) = RingBuffer::new(8);
        lent.iter().for_each(|pair| lender.push(*pair).expect("room"));
        let (orders, received) = Lane::channel();
        let browsers = vec![SocketAddr::new(LOCAL, 8_443)];
        let thread = std::thread::spawn(|| {});
        let lane = Lane::new(
            orders,
            (pairs, browsers),
            waker,
            thread,
            SharedCounters::default(),
        );
        (lane, received)
    }

    #[test]
    fn a_leg_opens_at_once_on_the_pair_that_was_lent_for_its_address() {
        let elsewhere = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
        let (first, other) = (pair(LOCAL, 4), pair(elsewhere, 8));
        let (mut lane, orders) = lane(&[other, first]);
        let opened = lane.send(phone(1, LOCAL));
        let addresses = first.map(|(_, address)| address).to_vec();
        let leg = LegId(1);
        assert!(
            matches!(opened, Some(Event::Opened { leg: its, addresses: at }) if its == leg && at == addresses)
        );
        assert!(!lane.unseen, "it can wait for the next packet or command");
        assert!(matches!(orders.try_recv(), Ok(Order::Open(_, Some(lent))) if lent == first));
        // No pair is left for this address: the thread is asked.
        assert!(lane.send(phone(2, LOCAL)).is_none());
        assert!(lane.unseen);
        assert!(matches!(orders.try_recv(), Ok(Order::Command(_))));
    }

    #[test]
    fn no_more_pairs_are_taken_than_are_needed() {
        let elsewhere = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
        let (mut lane, _orders) = lane(&[
            pair(elsewhere, 0),
            pair(LOCAL, 4),
            pair(LOCAL, 8),
            pair(LOCAL, 12),
        ]);
        assert!(lane.send(phone(1, LOCAL)).is_some());
        assert_eq!((lane.pairs.len(), lane.lent.slots()), (1, 2));
        assert!(lane.send(phone(2, elsewhere)).is_some());
        assert_eq!((lane.pairs.len(), lane.lent.slots()), (0, 2));
    }

    #[test]
    fn a_browser_leg_opens_at_once_and_waits_for_its_first_check() {
        let (mut lane, orders) = lane(&[]);
        let ice = IceCredentials {
            ufrag: "ufrag".into(),
            pwd: "password".into(),
        };
        let opened = lane.send(open(1, LegKind::Browser { ice }));
        assert!(matches!(opened, Some(Event::Opened { addresses, .. }) if addresses.len() == 1));
        assert!(!lane.unseen);
        assert!(matches!(orders.try_recv(), Ok(Order::Open(_, None))));
    }

    #[test]
    fn a_leg_that_finds_no_room_is_refused_and_its_pair_serves_the_next() {
        let lent = pair(LOCAL, 4);
        let (mut lane, orders) = lane(&[lent]);
        for leg in 0..COMMANDS as u64 {
            assert!(lane.send(Command::Close { leg: LegId(leg) }).is_none());
        }
        let refused = lane.send(phone(9_000, LOCAL));
        assert!(matches!(
            refused,
            Some(Event::Failed {
                reason: Failure::Full,
                ..
            })
        ));
        orders.try_iter().for_each(drop);
        let opened = lane.send(phone(9_001, LOCAL));
        assert!(matches!(opened, Some(Event::Opened { .. })), "{opened:?}");
    }
}
