//! The loop of a media thread: wait for packets, commands and deadlines; feed the shard; send its output.

use std::collections::VecDeque;
use std::io;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::Duration;

use media_core::control::{Command, Event, LegId, SocketId, StreamIndex};
use media_core::shard::{Input, Output, Shard};
use mio::{Events, Poll};
use rtrb::Producer;
use sans_io::{Deadline, Time};
use tokio::sync::mpsc::Sender;
use tokio::sync::mpsc::error::TrySendError;

use super::counters::{Load, SharedCounters, count};
use super::gather::Traffic;
use super::injection::{Given, Source};
use super::lane::Order;
use super::mesh::Lanes;
use super::sockets::{Pair, Sockets, WAKER};
use super::tap::Taps;
use crate::clock::Clock;
use crate::spin::SpinGuard;

/// The largest datagram there is.
const DATAGRAM: usize = 65_535;

/// Datagrams taken from one socket in a row.
const BURST: usize = 64;

/// Commands taken in a row.
const COMMANDS: usize = 64;

/// Sockets that one wait reports.
const READY: usize = 256;

/// Time until trying again when signalling took no more events.
const RETRY: Duration = Duration::from_millis(2);

/// A media thread: one shard, its sockets, and its ends of all lanes.
pub(super) struct Thread {
    pub(super) number: u8,
    pub(super) shard: Shard,
    pub(super) poll: Poll,
    pub(super) sockets: Sockets,
    pub(super) commands: Receiver<Order>,
    /// Pairs of ports lent to signalling, for legs to come.
    pub(super) lent: Producer<Pair>,
    /// The leg that is being opened, whose addresses signalling knows already, and the pair that was lent for it.
    pub(super) announced: Option<LegId>,
    pub(super) borrowed: Option<Pair>,
    pub(super) taps: Taps,
    /// Tapped legs to which nobody listens any more.
    pub(super) untapped: Vec<LegId>,
    pub(super) sources: Vec<Source>,
    pub(super) lanes: Lanes,
    pub(super) events: Sender<(u8, Event)>,
    /// Events that signalling did not take yet.
    pub(super) unsent: VecDeque<Event>,
    /// Notices that another thread did not take yet.
    pub(super) notices_wait: bool,
    pub(super) traffic: Traffic,
    pub(super) load: Load,
    pub(super) counters: SharedCounters,
    pub(super) clock: Clock,
}

impl Thread {
    /// Until signalling lets go of its lane.
    pub(super) fn run(mut self) -> io::Result<()> {
        let mut ready_events = Events::with_capacity(READY);
        let mut buffer = vec![0; DATAGRAM];
        // Sockets that may hold more: epoll tells only of news.
        let mut ready: Vec<SocketId> = Vec::with_capacity(READY);
        let mut commands_wait = false;
        let mut guard = SpinGuard::default();
        let mut deadline = self.drain(self.clock.now());
        loop {
            let wait = if ready.is_empty() && !commands_wait {
                self.gather(deadline);
                self.wait(&mut guard, deadline)
            } else {
                Some(Duration::ZERO)
            };
            let polled = self.poll.poll(&mut ready_events, wait);
            self.load.wakes(self.clock.now());
            match polled {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            }
            for event in &ready_events {
                if event.token() != WAKER {
                    let id = SocketId((event.token().0 - 1) as u32);
                    if !ready.contains(&id) {
                        ready.push(id);
                    }
                }
            }
            // Before any packet, and without having been woken for them: some commands do not wake.
            match self.take_commands(&mut deadline) {
                Taken::Everything => commands_wait = false,
                Taken::Some => commands_wait = true,
                Taken::End => return Ok(()),
            }
            if self.lanes.bell.answer() {
                self.take_messages(&mut buffer, &mut deadline);
            }
            ready.retain(|id| self.receive(*id, &mut buffer, &mut deadline));
            if !self.sources.is_empty() || !self.untapped.is_empty() {
                self.serve_outsiders(&mut deadline);
            }
            let now = self.clock.now();
            if let Some((at, _)) = deadline.filter(|(at, _)| *at <= now) {
                self.counters.late(now - at);
                self.shard.handle_input(now, Input::Timeout);
                deadline = self.drain(now);
            }
            self.resend();
            self.flush_lanes();
            self.lend();
        }
    }

    /// Lends signalling pairs of ports that have rested, so that it can describe legs to come without asking.
    fn lend(&mut self) {
        let now = self.clock.now();
        while !self.lent.is_full() {
            let Some(pair) = self.sockets.lend(now) else {
                return;
            };
            let _ = self.lent.push(pair);
        }
    }

    /// To fall asleep and be woken costs more than to relay a packet, so that a thread with many calls would spend most of
    /// its time on it: it takes together what comes within a short while, as network cards do with their interrupts.
    fn gather(&mut self, deadline: Deadline) {
        let now = self.clock.now();
        self.load.rests(now, &self.counters);
        let pause = self.traffic.pause(now);
        let pause = deadline.map_or(pause, |(at, _)| pause.min(at - now));
        if !pause.is_zero() {
            std::thread::sleep(pause);
        }
    }

    fn wait(&self, guard: &mut SpinGuard, deadline: Deadline) -> Option<Duration> {
        let now = self.clock.now();
        let wait = guard.check("shard", now, deadline).map(|at| at - now);
        if self.unsent.is_empty() && !self.notices_wait {
            wait
        } else {
            Some(wait.map_or(RETRY, |wait| wait.min(RETRY)))
        }
    }

    fn take_commands(&mut self, deadline: &mut Deadline) -> Taken {
        for _ in 0..COMMANDS {
            match self.commands.try_recv() {
                Ok(order) => {
                    let now = self.clock.now();
                    let command = self.obey(order);
                    self.shard.handle_input(now, Input::Command(command));
                    *deadline = self.drain(now);
                    self.announced = None;
                    if let Some(pair) = self.borrowed.take() {
                        // The leg was refused.
                        self.sockets.release(now, pair.map(|(id, _)| id));
                    }
                }
                Err(TryRecvError::Empty) => {
                    self.counters
                        .legs
                        .store(self.shard.legs() as u64, Ordering::Relaxed);
                    return Taken::Everything;
                }
                Err(TryRecvError::Disconnected) => return Taken::End,
            }
        }
        Taken::Some
    }

    /// Takes the ends of a tap or an injection; what that means for the shard.
    fn obey(&mut self, order: Order) -> Command {
        match order {
            Order::Command(command) => command,
            Order::Open(command, pair) => {
                if let Command::Open { leg, .. } = &command {
                    self.announced = Some(*leg);
                }
                self.borrowed = pair;
                command
            }
            Order::Tap(leg, feed) => {
                self.taps.add(leg, feed);
                Command::Tap {
                    leg,
                    stream: StreamIndex::FIRST,
                    on: true,
                }
            }
            Order::Inject(source) => {
                let command = Command::Inject {
                    leg: source.leg,
                    injection: source.id,
                    rate: source.rate,
                    over: source.over,
                };
                self.sources.push(source);
                command
            }
        }
    }

    /// Moves sound on to the legs that are to hear it, and ends taps and injections that are over.
    fn serve_outsiders(&mut self, deadline: &mut Deadline) {
        let now = self.clock.now();
        for leg in std::mem::take(&mut self.untapped) {
            if self.taps.listens_to(leg) {
                // Somebody came meanwhile.
                continue;
            }
            let command = Command::Tap {
                leg,
                stream: StreamIndex::FIRST,
                on: false,
            };
            self.shard.handle_input(now, Input::Command(command));
        }
        let shard = &mut self.shard;
        self.sources.retain_mut(|source| match source.give(shard) {
            Given::GoesOn => true,
            Given::Closed => false,
            Given::Ended => {
                let (leg, injection) = (source.leg, source.id);
                let command = Command::EndInjection { leg, injection };
                shard.handle_input(now, Input::Command(command));
                false
            }
        });
        *deadline = self.drain(now);
    }

    /// Takes what other threads have sent.
    fn take_messages(&mut self, buffer: &mut [u8], deadline: &mut Deadline) {
        for from in 0..self.lanes.inward.len() {
            let Some(mut lane) = self.lanes.inward.get_mut(from).and_then(Option::take) else {
                continue;
            };
            lane.receive(buffer, |message| {
                let now = self.clock.now();
                self.traffic.packets += 1;
                self.shard.handle_message(now, from as u8, message);
                *deadline = self.drain(now);
            });
            self.lanes.inward[from] = Some(lane);
        }
        self.counters
            .lane_stray
            .store(self.shard.strays(), Ordering::Relaxed);
    }

    /// Wakes the threads for which there is something new.
    fn flush_lanes(&mut self) {
        self.notices_wait = false;
        for lane in self.lanes.outward.iter_mut().flatten() {
            self.notices_wait |= lane.flush();
        }
    }

    /// Takes a burst from one socket. False when it is empty.
    fn receive(&mut self, id: SocketId, buffer: &mut [u8], deadline: &mut Deadline) -> bool {
        for _ in 0..BURST {
            match self.sockets.receive(id, buffer) {
                Ok((len, from)) => {
                    let now = self.clock.now();
                    self.traffic.packets += 1;
                    self.shard.handle_datagram(now, id, from, &mut buffer[..len]);
                    *deadline = self.drain(now);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return false,
                // An error that the system reports for an earlier datagram (ICMP).
                Err(error) => tracing::trace!(%error, "receive"),
            }
        }
        true
    }

    fn drain(&mut self, now: Time) -> Deadline {
        loop {
            match self.shard.poll_output() {
                Output::Transmit { socket, to, data } => self.sockets.send(socket, to, data),
                Output::Bind { leg, local } => {
                    let lent = self.borrowed.take();
                    let lent = lent.inspect(|pair| self.sockets.use_again(*pair));
                    let answer = match lent.or_else(|| self.sockets.bind_pair(now, local)) {
                        Some([rtp, rtcp]) => Input::Bound { leg, rtp, rtcp },
                        None => Input::BindFailed { leg },
                    };
                    self.shard.handle_input(now, answer);
                }
                Output::Release { sockets } => self.sockets.release(now, sockets),
                Output::Message { to, message } => {
                    let lane = self.lanes.outward.get_mut(usize::from(to));
                    if !lane
                        .and_then(Option::as_mut)
                        .is_some_and(|lane| lane.send(message))
                    {
                        count(&self.counters.lane_full);
                    }
                }
                Output::Tapped(packet) => {
                    if !self.taps.hand_on(now, &packet, &self.counters) {
                        self.untapped.push(packet.leg);
                    }
                }
                Output::Closed { leg } => {
                    self.taps.remove(leg);
                    self.sources.retain(|source| source.leg != leg);
                }
                Output::Event(Event::Opened { leg, .. }) if self.announced == Some(leg) => {}
                Output::Event(event) => self.emit(event),
                Output::Timeout(deadline) => return deadline,
            }
        }
    }

    fn emit(&mut self, event: Event) {
        if self.unsent.is_empty() {
            match self.events.try_send((self.number, event)) {
                Ok(()) | Err(TrySendError::Closed(_)) => {}
                Err(TrySendError::Full((_, event))) => self.unsent.push_back(event),
            }
            return;
        }
        if let Event::Report {
            leg,
            stream,
            last: false,
            ..
        } = &event
        {
            let older = |e: &&mut Event| matches!(e, Event::Report { leg: its, stream: of, last: false, .. } if (its, of) == (leg, stream));
            if let Some(slot) = self.unsent.iter_mut().find(older) {
                *slot = event;
                return count(&self.counters.coalesced);
            }
        }
        self.unsent.push_back(event);
    }

    fn resend(&mut self) {
        while let Some(event) = self.unsent.pop_front() {
            if let Err(TrySendError::Full((_, event))) = self.events.try_send((self.number, event)) {
                self.unsent.push_front(event);
                return;
            }
        }
    }
}

enum Taken {
    Everything,
    Some,
    End,
}
