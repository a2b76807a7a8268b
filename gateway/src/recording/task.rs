//! The task between the switch, the writer and the folder: it taps calls, ends files, and tells what became of them.

use std::sync::Arc;
use std::sync::mpsc::{SyncSender, TrySendError};
use std::time::Duration;

use media_core::recording::{Recorder, RecorderSettings};
use sip_stack::Handle;
use tokio::sync::mpsc;
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::{MissedTickBehavior, interval};

use super::control::Ask;
use super::entry::{Recording, RecordingState};
use super::library::{Library, Outcome};
use super::writer::{self, Begin, News, Order};
use crate::centre::view::{Change, Moment};
use crate::serve::wall_clock;
use crate::switch::Request;

/// Packets of a call that may wait for the writer, at the least: 5 s of a usual call.
const WAITING: usize = 64;
/// News of the writer that may wait; the writer waits for more room.
const NEWS: usize = 4_096;
/// Time between two looks for what is too old or too much.
const TIDY: Duration = Duration::from_secs(600);

/// Way in which sound is recorded.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Manner {
    pub(crate) silences_digits: bool,
}

/// Keeps recordings until the switch is gone and all of them are ended.
pub(crate) async fn run(
    mut asked: mpsc::Receiver<Ask>,
    library: Arc<Library>,
    manner: Manner,
    stack: Handle<Request>,
) {
    let (news, mut of_writer) = mpsc::channel(NEWS);
    let orders = match writer::start(news) {
        Ok(orders) => orders,
        Err(error) => return tracing::error!(%error, "no call is recorded"),
    };
    let mut task = Task {
        library,
        manner,
        stack,
        ending: JoinSet::new(),
    };
    for id in task.library.unfinished() {
        let interrupted = true;
        task.end(
            id,
            Outcome {
                interrupted,
                ..Outcome::default()
            },
        );
    }
    let mut tidy = interval(TIDY);
    tidy.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            ask = asked.recv() => match ask {
                Some(ask) => task.ask(ask, &orders).await,
                None => break,
            },
            Some(news) = of_writer.recv() => task.news(news).await,
            Some(ended) = task.ending.join_next() => task.ended(ended.ok().flatten()).await,
            _ = tidy.tick() => task.tidy().await,
        }
    }
    drop(orders);
    while let Some(news) = of_writer.recv().await {
        task.news(news).await;
    }
    while let Some(ended) = task.ending.join_next().await {
        task.ended(ended.ok().flatten()).await;
    }
}

struct Task {
    library: Arc<Library>,
    manner: Manner,
    stack: Handle<Request>,
    /// Files that are being ended.
    ending: JoinSet<Option<Recording>>,
}

impl Task {
    async fn ask(&mut self, ask: Ask, orders: &SyncSender<Order>) {
        let order = match ask {
            Ask::Begin { recording, leg } => {
                let id = recording.id.clone();
                let settings = RecorderSettings {
                    rate: recording.rate,
                    silences_digits: self.manner.silences_digits,
                };
                let Ok(tap) = self.stack.tap_media(leg, WAITING).await else {
                    return;
                };
                let library = Arc::clone(&self.library);
                let appender = match spawn_blocking(move || library.begin(*recording)).await {
                    Ok(Ok(appender)) => appender,
                    Ok(Err(error)) => {
                        return tracing::error!(recording = id, %error, "a call is not recorded");
                    }
                    Err(_) => return,
                };
                Order::Begin(Box::new(Begin {
                    id,
                    tap,
                    recorder: Recorder::new(settings),
                    appender,
                }))
            }
            Ask::Pause(id) => {
                self.paused(&id, true).await;
                Order::Pause(id)
            }
            Ask::Resume(id) => {
                self.paused(&id, false).await;
                Order::Resume(id)
            }
            Ask::Stop(id) => Order::Stop(id),
        };
        if let Err(TrySendError::Full(Order::Begin(begin))) = orders.try_send(order) {
            tracing::error!(
                recording = begin.id,
                "a call is not recorded: the disk is too slow"
            );
            self.library.forget(&begin.id);
        }
    }

    async fn paused(&self, id: &str, is_paused: bool) {
        // It may be over meanwhile.
        if !self.library.get(id).is_some_and(|recording| recording.is_live()) {
            return;
        }
        let changed = self.library.change(id, |recording| {
            recording.state = match is_paused {
                true => RecordingState::Paused,
                false => RecordingState::Recording,
            };
        });
        if let Some(recording) = changed {
            self.publish(match is_paused {
                true => Change::RecordingPaused(recording),
                false => Change::RecordingResumed(recording),
            })
            .await;
        }
    }

    async fn news(&mut self, news: News) {
        match news {
            News::Began { id, at } => {
                let began = |recording: &mut Recording| recording.began = Moment(at);
                if let Some(recording) = self.library.change(&id, began) {
                    tracing::info!(recording = id, call = recording.call, "recording");
                    self.publish(Change::RecordingStarted(recording)).await;
                }
            }
            News::Over { id, outcome } => self.end(id, outcome),
        }
    }

    /// Ends the file of a recording, beside everything else.
    fn end(&mut self, id: String, outcome: Outcome) {
        let library = Arc::clone(&self.library);
        self.ending.spawn_blocking(move || {
            if let Some(error) = &outcome.error {
                tracing::error!(recording = id, error, "a recording ended before its call");
            }
            if outcome.missed_packets > 0 {
                let missed = outcome.missed_packets;
                tracing::warn!(
                    recording = id,
                    missed,
                    "packets are missing in a recording: the disk is too slow"
                );
            }
            match library.finish(&id, outcome) {
                Ok(recording) if recording.duration_s <= 0.0 => {
                    tracing::info!(recording = id, "nothing was heard: nothing is saved");
                    library.forget(&id);
                    None
                }
                Ok(recording) => Some(recording),
                Err(error) => {
                    tracing::error!(recording = id, %error, "a recording cannot be ended");
                    None
                }
            }
        });
    }

    async fn ended(&self, recording: Option<Recording>) {
        let Some(recording) = recording else { return };
        tracing::info!(
            recording = recording.id,
            call = recording.call,
            duration_s = recording.duration_s,
            interrupted = recording.interrupted,
            "recording saved"
        );
        self.publish(Change::RecordingSaved(recording)).await;
    }

    async fn tidy(&self) {
        let library = Arc::clone(&self.library);
        let gone = spawn_blocking(move || library.tidy(wall_clock())).await;
        if let Ok(gone) = gone
            && !gone.is_empty()
        {
            tracing::info!(recordings = gone.len(), "old recordings deleted");
        }
    }

    /// Publishes a change. Nobody is told once the signalling task has ended.
    async fn publish(&self, change: Change) {
        let _ = self.stack.request(Request::Recorded(Box::new(change))).await;
    }
}
