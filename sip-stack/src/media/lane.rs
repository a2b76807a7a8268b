//! Commands on their way from signalling to a media thread.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;

use media_core::control::{Command, LegId};
use mio::Waker;

use super::SharedCounters;
use super::injection::Source;
use super::tap::TapFeed;

/// Commands that may wait for a media thread. When it is full, new legs are refused, so that their callers hear 503;
/// every other command waits on our side, bounded by the legs there are.
const COMMANDS: usize = 1024;

/// Message of signalling to a media thread.
#[derive(Debug)]
pub(super) enum Order {
    /// For the shard.
    Command(Command),
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
        waker: Arc<Waker>,
        thread: JoinHandle<()>,
        counters: SharedCounters,
    ) -> Lane {
        Lane {
            commands: Some(commands),
            waiting: VecDeque::new(),
            waker,
            unseen: false,
            thread: Some(thread),
            counters,
        }
    }

    /// Takes a command without waiting; [`flush`](Lane::flush) must follow. The leg is handed back when it cannot be
    /// opened because the thread is too far behind.
    pub fn send(&mut self, command: Command) -> Result<(), LegId> {
        self.order(Order::Command(command))
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
        self.unseen = true;
        let Some(commands) = &self.commands else {
            return Ok(());
        };
        if self.waiting.is_empty() {
            match commands.try_send(command) {
                Ok(()) | Err(TrySendError::Disconnected(_)) => return Ok(()),
                Err(TrySendError::Full(command)) => self.waiting.push_back(command),
            }
        } else {
            self.waiting.push_back(command);
        }
        match self.waiting.back() {
            Some(Order::Command(Command::Open { leg, .. })) => {
                let leg = *leg;
                self.waiting.pop_back();
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
