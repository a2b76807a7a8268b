//! Opening the call centre: its past, its staff, and the task that runs its ledger.

use std::net::SocketAddr;
use std::sync::Arc;

use call_engine::DialPlan;
use sans_io::{Rng, Time};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::desk::{Desk, Setup};
use super::directory::Directory;
use super::hub::Hub;
use super::keep::{Keeper, Past};
use super::known::Known;
use super::ledger::{Fold, Ledger};
use super::restored::Returning;
use crate::switch::reached;

/// Batches that may wait for the ledger. When it is full the desk keeps them, and refuses new calls when it has too many.
const BATCHES: usize = 4_096;

/// Demo callers that may wait to be started; more are refused.
const DEMO_CALLERS: usize = 4;

/// A call centre that is open.
#[derive(Debug)]
pub struct Centre {
    /// State that everybody sees.
    pub hub: Hub,
    /// Names of queues for which a demo caller is wanted.
    pub demo_callers: mpsc::Receiver<String>,
    /// Ends when the signalling task has ended and everything is durable.
    pub ledger: JoinHandle<()>,
}

impl Centre {
    /// Opens it. The desk is for the signalling task.
    #[must_use]
    pub fn open(
        now: Time,
        directory: Arc<Directory>,
        fold: Box<dyn Fold>,
        is_demo: bool,
        (plan, demo_phone): (DialPlan, Option<SocketAddr>),
        rng: Rng,
        past: Option<(Past, Keeper)>,
    ) -> (Centre, Desk) {
        let (past, keeper) = match past {
            Some((past, keeper)) => (past, Some(keeper)),
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
        let known = Known::of(&past.events, &directory);
        let hub = Hub::after(past.seq, past.events);
        let returning = Returning::of(past.legs, past.calls);
        let (ledger, batches) = mpsc::channel(BATCHES);
        let (demo, demo_callers) = mpsc::channel(DEMO_CALLERS);
        let ledger_of = Ledger::new(hub.clone(), Arc::clone(&directory), fold, past.seq);
        let keeper = match keeper {
            Some(store) => ledger_of.kept(store, past.callers, past.unwritten),
            None => ledger_of,
        };
        let desk = Desk::new(
            now,
            Setup {
                directory,
                epoch: past.epoch,
                state: past.state,
                metrics: past.metrics,
                returning,
                known,
                rng,
                ledger,
                midnight: Box::new(midnight),
                route: Box::new(move |user, number| reached(&plan, demo_phone, user, number)),
                demo: is_demo.then_some(demo),
            },
        );
        let centre = Centre {
            hub,
            demo_callers,
            ledger: tokio::spawn(keeper.run(batches)),
        };
        (centre, desk)
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
