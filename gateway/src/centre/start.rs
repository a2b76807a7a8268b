//! Start of the call centre: its past, its staff, and the task that runs its journal.

use std::sync::Arc;

use sans_io::{Rng, Time};
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;

use super::controller::{Controller, Setup};
use super::directory::Directory;
use super::event_stream::EventStream;
use super::journal::{Fold, Journal};
use super::last_agent::LastAgents;
use super::persistence::{Past, Persistence};
use super::recovery::Recovery;

/// Batches that may wait for the journal. When it is full the controller keeps them, and refuses new calls when it has too many.
const BATCHES: usize = 4_096;

/// A call centre that runs.
#[derive(Debug)]
pub struct Centre {
    /// State that everybody sees.
    pub stream: EventStream,
    /// Ends when the signalling task has ended and everything is durable.
    pub journal: JoinHandle<()>,
}

impl Centre {
    /// Starts it. The controller is for the signalling task.
    #[must_use]
    pub fn start(
        now: Time,
        directory: Arc<Directory>,
        fold: Box<dyn Fold>,
        rng: Rng,
        past: Option<(Past, Persistence)>,
    ) -> (Centre, Controller) {
        let (past, persistence) = match past {
            Some((past, persistence)) => (past, Some(persistence)),
            None => {
                let epoch = now.as_micros();
                (
                    Past {
                        epoch,
                        ..Past::default()
                    },
                    None,
                )
            }
        };
        let last_agents = LastAgents::new(&past.events, &directory);
        let stream = EventStream::after(past.seq, past.events);
        let recovery = Recovery::new(past.legs, past.calls);
        let (journal, batches) = mpsc::channel(BATCHES);
        let hurry = Arc::new(Notify::new());
        let writes = Journal::new(stream.clone(), Arc::clone(&directory), fold, past.seq)
            .hurried_by(Arc::clone(&hurry));
        let writes = match persistence {
            Some(store) => writes.kept(store, past.callers, past.unwritten).losing(past.lost),
            None => writes,
        };
        let controller = Controller::new(
            now,
            Setup {
                directory,
                epoch: past.epoch,
                state: past.state,
                metrics: past.metrics,
                recovery,
                last_agents,
                rng,
                journal,
                hurry,
                midnight: Box::new(midnight),
            },
        );
        let centre = Centre {
            stream,
            journal: tokio::spawn(writes.run(batches)),
        };
        (centre, controller)
    }
}

/// Beginning of the day that contains a moment, in the time zone of the machine.
fn midnight(now: Time) -> Time {
    let micros = i64::try_from(now.as_micros()).unwrap_or(i64::MAX);
    let began = jiff::Timestamp::from_microsecond(micros)
        .ok()
        .and_then(|now| now.to_zoned(jiff::tz::TimeZone::system()).start_of_day().ok())
        .and_then(|began| u64::try_from(began.timestamp().as_microsecond()).ok());
    began.map_or(Time::ZERO, Time)
}
