//! Services of the gateway, whatever protocol asks for them: commands, queries, rights and idempotency.
//!
//! A query reads the present state from the [`EventStream`] or a record from the [`Archive`]. A command goes to the signalling task,
//! which alone decides.

pub mod archive;
mod commands;
mod error;
pub mod idempotency;
mod queries;
mod records;
pub mod rights;
pub mod stored;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use sans_io::Time;

use crate::auth::Accounts;
use crate::centre::event_stream::EventStream;
use crate::centre::signalling::Signalling;
use crate::centre::statistics::Statistics;
use crate::demo::Callers;
use crate::provisioning::Provisioning;

use archive::Archive;
pub use error::{Missing, ServiceError};
pub use records::Page;

/// Services over the parts of a gateway. Clones are handles of one.
#[derive(Clone)]
pub struct Service {
    stream: EventStream,
    signalling: Arc<dyn Signalling>,
    accounts: Accounts,
    archive: Arc<dyn Archive>,
    /// Number of the last event that the archive has.
    archived: Arc<Mutex<u64>>,
    statistics: Arc<Statistics>,
    provisioning: Provisioning,
    demo: Option<Callers>,
    clock: Arc<dyn Fn() -> Time + Send + Sync>,
}

/// Parts that the services work with.
pub struct Parts {
    /// The present state.
    pub stream: EventStream,
    /// Way to the signalling task.
    pub signalling: Arc<dyn Signalling>,
    /// Accounts and rights.
    pub accounts: Accounts,
    /// Has the calls that are over.
    pub archive: Arc<dyn Archive>,
    /// Numbers of queues and agents.
    pub statistics: Arc<Statistics>,
    /// Everybody and every queue, to be changed.
    pub provisioning: Provisioning,
    /// Callers of the demonstration, if this is one.
    pub demo: Option<Callers>,
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service").finish_non_exhaustive()
    }
}

impl fmt::Debug for Parts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parts").finish_non_exhaustive()
    }
}

impl Service {
    /// Services over these parts; `clock` tells the time. Within a runtime: a task hands calls that are over to the archive for as long
    /// as the services live.
    #[must_use]
    pub fn new(parts: Parts, clock: impl Fn() -> Time + Send + Sync + 'static) -> Service {
        let seq = parts.stream.read(|view| view.seq);
        let service = Service {
            stream: parts.stream,
            signalling: parts.signalling,
            accounts: parts.accounts,
            archive: parts.archive,
            archived: Arc::new(Mutex::new(seq)),
            statistics: parts.statistics,
            provisioning: parts.provisioning,
            demo: parts.demo,
            clock: Arc::new(clock),
        };
        tokio::spawn(follow(
            service.stream.clone(),
            Arc::downgrade(&service.archived),
            Arc::clone(&service.archive),
        ));
        service
    }

    /// Present moment.
    #[must_use]
    pub fn now(&self) -> Time {
        (self.clock)()
    }

    /// Present state, and its changes.
    #[must_use]
    pub fn stream(&self) -> &EventStream {
        &self.stream
    }

    /// Accounts and rights.
    #[must_use]
    pub fn accounts(&self) -> &Accounts {
        &self.accounts
    }

    /// Way to the signalling task.
    #[must_use]
    pub fn signalling(&self) -> &dyn Signalling {
        &*self.signalling
    }

    /// Calls that are over, all that the event stream says.
    #[must_use]
    pub fn archive(&self) -> &dyn Archive {
        catch_up(&self.stream, &self.archived, &*self.archive);
        &*self.archive
    }

    /// Numbers of queues and agents.
    #[must_use]
    pub fn statistics(&self) -> &Statistics {
        &self.statistics
    }

    /// Everybody and every queue, to be changed.
    #[must_use]
    pub fn provisioning(&self) -> &Provisioning {
        &self.provisioning
    }

    /// True where a demonstration runs.
    #[must_use]
    pub fn is_demo(&self) -> bool {
        self.demo.is_some()
    }
}

/// Hands the archive the events since the last time.
fn catch_up(stream: &EventStream, archived: &Mutex<u64>, archive: &dyn Archive) {
    let mut archived = archived.lock().unwrap_or_else(PoisonError::into_inner);
    match stream.since(*archived, usize::MAX) {
        Ok(events) => {
            for event in events {
                archive.take(&event);
                *archived = event.seq;
            }
        }
        // Events that are no longer kept are missed.
        Err(_) => *archived = stream.read(|view| view.seq),
    }
}

/// Keeps the archive at the end of the event stream until the services are gone.
async fn follow(stream: EventStream, archived: Weak<Mutex<u64>>, archive: Arc<dyn Archive>) {
    let mut changes = stream.watch();
    while changes.changed().await.is_ok() {
        let Some(archived) = archived.upgrade() else {
            return;
        };
        catch_up(&stream, &archived, &*archive);
    }
}
