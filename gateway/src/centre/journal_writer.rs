//! The task that writes into the store what the journal hands it, in order, however long the database is away.

use std::collections::BTreeMap;
use std::sync::Arc;

use call_engine::acd::metrics::{Finished, OpenCounts, Slot};
use call_engine::acd::{self, CallId};
use session_core::SavedLeg;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch};
use tokio::task::JoinHandle;

use super::event_stream::Event;
use super::persistence::Persistence;
use crate::store::Health;

/// Records, changes and legs that may wait for the database. A queued call makes about twenty. Beyond that
/// the journal waits: nothing more is published, and the controller refuses new calls once it holds too many itself.
const ROOM: u32 = 200_000;
/// Pieces of work that may wait; each has at least one entry.
const WORK: usize = 16_384;

enum Work {
    Keep {
        records: Vec<acd::Record>,
        events: Vec<Arc<Event>>,
        legs: BTreeMap<CallId, Option<SavedLeg>>,
        done: oneshot::Sender<()>,
        room: Option<OwnedSemaphorePermit>,
    },
    Snapshot {
        open: OpenCounts,
        slots: Vec<Slot>,
        finished: Vec<Finished>,
        /// Remove what the snapshot covers; at the end there is no time for that.
        cut: bool,
    },
}

/// Handle of the task.
#[derive(Debug)]
pub(super) struct JournalWriter {
    work: mpsc::Sender<Work>,
    room: Arc<Semaphore>,
    health: watch::Receiver<Health>,
    /// The database was away, and not everything that waited for it is written yet.
    away: bool,
    task: JoinHandle<()>,
}

impl JournalWriter {
    /// Starts the task; needs a runtime.
    pub(super) fn start(persistence: Persistence) -> JournalWriter {
        let (work, waiting) = mpsc::channel(WORK);
        JournalWriter {
            work,
            room: Arc::new(Semaphore::new(ROOM as usize)),
            health: persistence.health(),
            away: false,
            task: tokio::spawn(write(persistence, waiting)),
        }
    }

    /// Makes all this durable. Returns once it is, however busy the database is; or at once while the
    /// database is away and until everything that waited for it is written, so that people can go on working.
    pub(super) async fn keep(
        &mut self,
        records: Vec<acd::Record>,
        events: Vec<Arc<Event>>,
        legs: BTreeMap<CallId, Option<SavedLeg>>,
    ) {
        self.away &= self.room.available_permits() < ROOM as usize;
        let entries = u32::try_from(records.len() + events.len() + legs.len()).unwrap_or(u32::MAX);
        // The semaphore is never closed.
        let room = Arc::clone(&self.room)
            .acquire_many_owned(entries.clamp(1, ROOM))
            .await
            .ok();
        let (done, durable) = oneshot::channel();
        let work = Work::Keep {
            records,
            events,
            legs,
            done,
            room,
        };
        if self.work.send(work).await.is_err() || self.away {
            return;
        }
        let away = async { self.health.wait_for(|health| *health != Health::Up).await.is_ok() };
        self.away = tokio::select! {
            biased;
            _ = durable => false,
            away = away => away,
        };
    }

    /// Saves the position of the log after everything handed over so far.
    pub(super) async fn snapshot(
        &self,
        (open, slots): (OpenCounts, Vec<Slot>),
        finished: Vec<Finished>,
        cut: bool,
    ) {
        let work = Work::Snapshot {
            open,
            slots,
            finished,
            cut,
        };
        // The task ends only after we do.
        let _ = self.work.send(work).await;
    }

    /// Returns when everything is durable.
    pub(super) async fn finish(self) {
        drop(self.work);
        let _ = self.task.await;
    }
}

async fn write(persistence: Persistence, mut waiting: mpsc::Receiver<Work>) {
    let mut persistence = Some(persistence);
    while let Some(work) = waiting.recv().await {
        let Some(open) = &mut persistence else { continue };
        match work {
            Work::Keep {
                records,
                events,
                legs,
                done,
                room,
            } => {
                if let Err(error) = open.keep(&records, &events, legs).await {
                    tracing::error!(%error, "the call centre goes on in memory alone: from here on everything is lost when the gateway ends");
                    persistence = None;
                }
                drop(room);
                // The journal may have stopped waiting for it.
                let _ = done.send(());
            }
            Work::Snapshot {
                open: counts,
                slots,
                finished,
                cut,
            } => match open.snapshot(counts, slots, finished).await {
                Ok(()) if cut => open.cut(),
                Ok(()) => {}
                // The log is complete, and the next snapshot writes what this one did not.
                Err(error) => tracing::warn!(%error, "the snapshot of the event log cannot be written"),
            },
        }
    }
}
