//! Health of the database: every query and transaction passes here, and when there are none the database is probed.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::time::timeout;

use super::Health;
use super::database::{Database, Failure, Migrating, Running, Statement};
use super::migrations::Plan;

/// Time after which a transaction counts as failed. A server that can no longer be reached says nothing at all.
const WRITE: Duration = Duration::from_secs(5);
/// Time after which a query counts as failed. Queries at a start read much.
const READ: Duration = Duration::from_secs(15);
/// Time between two checks of the database.
const LOOK: Duration = Duration::from_millis(500);
/// Time without a transaction after which one is made, to see whether that still works.
const IDLE: Duration = Duration::from_secs(10);

/// A database whose health is known.
pub(super) struct Watched {
    database: Box<dyn Database>,
    health: watch::Sender<Health>,
    began: Instant,
    /// Milliseconds from the beginning to the last transaction that succeeded.
    written: AtomicU64,
    closed: AtomicBool,
}

impl Watched {
    /// Needs a runtime: a task watches the database for as long as it is in use.
    pub(super) fn new(database: Box<dyn Database>) -> Arc<Watched> {
        let watched = Arc::new(Watched {
            database,
            health: watch::Sender::new(Health::Up),
            began: Instant::now(),
            written: AtomicU64::new(0),
            closed: AtomicBool::new(false),
        });
        tokio::spawn(look_after(Arc::downgrade(&watched)));
        watched
    }

    pub(super) fn health(&self) -> watch::Receiver<Health> {
        self.health.subscribe()
    }

    fn up(&self) {
        let now = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.written.store(now, Relaxed);
        let was_down = self
            .health
            .send_if_modified(|health| std::mem::replace(health, Health::Up) != Health::Up);
        if was_down {
            tracing::info!("store: the database works again");
        }
    }

    fn down(&self, why: &str) {
        if self.closed.load(Relaxed) {
            return;
        }
        self.health.send_if_modified(|health| {
            let was_up = *health == Health::Up;
            if was_up {
                tracing::warn!(
                    "store: the database cannot be written; changes are kept in memory until it can: {why}"
                );
            }
            let changed = *health != Health::Down(why.to_owned());
            *health = Health::Down(why.to_owned());
            changed
        });
    }

    fn is_idle(&self) -> bool {
        let written = Duration::from_millis(self.written.load(Relaxed));
        self.began.elapsed().saturating_sub(written) >= IDLE
    }

    async fn look_once(&self) {
        if let Err(Failure::Unavailable(why)) = self.database.look().await {
            return self.down(&why);
        }
        if self.is_idle() || *self.health.borrow() != Health::Up {
            let sql = "INSERT INTO streams (stream, epoch, last_seq) VALUES ($1, 1, 0) \
                       ON CONFLICT (stream) DO UPDATE SET last_seq = streams.last_seq + 1";
            // `run` has noted the result.
            let _ = self.run(vec![Statement::execute(sql).bind("health")]).await;
        }
    }
}

async fn look_after(watched: Weak<Watched>) {
    loop {
        tokio::time::sleep(LOOK).await;
        match watched.upgrade() {
            Some(watched) if !watched.closed.load(Relaxed) => watched.look_once().await,
            _ => return,
        }
    }
}

async fn within<T>(limit: Duration, work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let late = |_| Err(Failure::Unavailable("it does not answer".into()));
    timeout(limit, work).await.unwrap_or_else(late)
}

impl Database for Watched {
    fn run(&self, batch: Vec<Statement>) -> Running<'_> {
        Box::pin(async move {
            let done = within(WRITE, self.database.run(batch)).await;
            match &done {
                Ok(_) | Err(Failure::Untouched(_) | Failure::Taken) => self.up(),
                Err(Failure::Unavailable(why)) => self.down(why),
            }
            done
        })
    }

    fn read(&self, statement: Statement) -> Running<'_> {
        Box::pin(async move {
            let done = within(READ, self.database.read(statement)).await;
            // A query that succeeds says nothing about the next transaction: a full disk can still be read.
            if let Err(Failure::Unavailable(why)) = &done {
                self.down(why);
            }
            done
        })
    }

    fn migrate(&self, plan: Plan) -> Migrating<'_> {
        self.database.migrate(plan)
    }

    fn look(&self) -> Running<'_> {
        self.database.look()
    }

    fn migration_lock(&self) -> Option<&'static str> {
        self.database.migration_lock()
    }

    fn text_type(&self) -> &'static str {
        self.database.text_type()
    }

    fn close(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        self.closed.store(true, Relaxed);
        self.database.close()
    }
}
