//! The thread that writes recordings: it reads the taps of all calls every 100 ms. A media thread never waits for it; what does not fit
//! into a call's ring meanwhile is missed, and counted.

use std::collections::BTreeMap;
use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use media_core::recording::{Channel, Recorder};
use media_core::tap::Way;
use sans_io::Time;
use sip_stack::Clock;
use sip_stack::media::MediaTap;
use tokio::sync::mpsc;

use super::entry::RecordingPause;
use super::file::Appender;
use super::library::Outcome;

/// Time between two looks at the taps.
const TICK: Duration = Duration::from_millis(100);
/// Orders that may wait.
const ORDERS: usize = 4_096;

/// Order to the writer.
#[derive(Debug)]
pub(crate) enum Order {
    /// Record what this tap hears.
    Begin(Box<Begin>),
    /// Record silence.
    Pause(String),
    /// Record what is said again.
    Resume(String),
    /// End a recording before its call.
    Stop(String),
}

/// A recording that begins.
#[derive(Debug)]
pub(crate) struct Begin {
    pub(crate) id: String,
    pub(crate) tap: MediaTap,
    pub(crate) recorder: Recorder,
    pub(crate) appender: Appender,
}

/// News of the writer.
#[derive(Debug, PartialEq)]
pub(crate) enum News {
    /// The first sound came.
    Began { id: String, at: Time },
    /// Nothing is added any more.
    Over { id: String, outcome: Outcome },
}

/// Starts the thread. It ends with its orders, after it has ended all recordings.
///
/// # Errors
/// The system has no thread.
pub(crate) fn start(news: mpsc::Sender<News>) -> io::Result<SyncSender<Order>> {
    let (sender, orders) = sync_channel(ORDERS);
    let clock = Clock::start();
    let mut writer = Writer {
        live: BTreeMap::new(),
        packet: Vec::new(),
        news,
    };
    let run = move || writer.run(&orders, clock);
    thread::Builder::new().name("recordings".into()).spawn(run)?;
    Ok(sender)
}

struct Writer {
    live: BTreeMap<String, Live>,
    packet: Vec<u8>,
    news: mpsc::Sender<News>,
}

/// A recording that is written.
struct Live {
    tap: MediaTap,
    recorder: Recorder,
    appender: Appender,
    has_begun: bool,
    is_stopped: bool,
}

impl Writer {
    fn run(&mut self, orders: &Receiver<Order>, clock: Clock) {
        let mut due = Instant::now();
        loop {
            let patience = due.saturating_duration_since(Instant::now());
            let order = match self.live.is_empty() {
                true => orders.recv().map_err(|_| RecvTimeoutError::Disconnected),
                false => orders.recv_timeout(patience),
            };
            match order {
                Ok(order) => self.take(clock.now(), order),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if Instant::now() < due {
                continue;
            }
            // All orders of this moment, before the sound of it.
            while let Ok(order) = orders.try_recv() {
                self.take(clock.now(), order);
            }
            due = Instant::now() + TICK;
            self.write(clock.now(), false);
        }
        self.write(clock.now(), true);
    }

    fn take(&mut self, now: Time, order: Order) {
        match order {
            Order::Begin(begin) => {
                let Begin {
                    id,
                    tap,
                    recorder,
                    appender,
                } = *begin;
                let live = Live {
                    tap,
                    recorder,
                    appender,
                    has_begun: false,
                    is_stopped: false,
                };
                self.live.insert(id, live);
            }
            Order::Pause(id) => {
                if let Some(live) = self.live.get_mut(&id) {
                    live.recorder.pause(now);
                }
            }
            Order::Resume(id) => {
                if let Some(live) = self.live.get_mut(&id) {
                    live.recorder.resume(now);
                }
            }
            Order::Stop(id) => {
                if let Some(live) = self.live.get_mut(&id) {
                    live.is_stopped = true;
                }
            }
        }
    }

    fn write(&mut self, now: Time, all_end: bool) {
        let mut over = Vec::new();
        for (id, live) in &mut self.live {
            let had_begun = live.has_begun;
            let result = live.write(now, &mut self.packet, all_end);
            if let Some(at) = live.recorder.began().filter(|_| !had_begun) {
                live.has_begun = true;
                let _ = self.news.blocking_send(News::Began { id: id.clone(), at });
            }
            match result {
                Ok(true) => {}
                Ok(false) => over.push((id.clone(), None)),
                Err(error) => over.push((id.clone(), Some(error.to_string()))),
            }
        }
        for (id, error) in over {
            if let Some(live) = self.live.remove(&id) {
                let outcome = live.close(error);
                // Nobody asks any more once the gateway stops.
                let _ = self.news.blocking_send(News::Over { id, outcome });
            }
        }
    }
}

impl Live {
    /// Writes what came; false once the recording is over.
    fn write(&mut self, now: Time, packet: &mut Vec<u8>, ends: bool) -> io::Result<bool> {
        let is_over = ends || self.is_stopped || self.tap.is_over();
        while let Some(found) = self.tap.read(packet) {
            let channel = match found.way {
                Way::Received => Channel::Far,
                Way::Sent => Channel::Ours,
            };
            self.recorder.insert(found.at, channel, found.codec, packet);
        }
        if is_over {
            self.recorder.finish();
        }
        while let Some(frame) = self.recorder.pull(now) {
            self.appender.append(frame);
        }
        self.appender.write()?;
        Ok(!is_over)
    }

    fn close(self, error: Option<String>) -> Outcome {
        let outcome = Outcome {
            pauses: self
                .recorder
                .pauses()
                .into_iter()
                .map(RecordingPause::from)
                .collect(),
            missed_packets: self.tap.missed(),
            interrupted: false,
            error,
        };
        match (outcome.error.is_none(), self.appender.close()) {
            (true, Err(error)) => Outcome {
                error: Some(error.to_string()),
                ..outcome
            },
            _ => outcome,
        }
    }
}
