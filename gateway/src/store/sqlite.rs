//! SQLite: one connection writes, a few read beside it (write-ahead log), and one more only holds the file.
//!
//! A file that is removed or replaced while we work would take everything with it at the next start: the file
//! that we have open no longer has a name. The connection that holds it writes it out again under its name
//! ([`Sqlite::put_back`]), and the file that stood there instead is kept beside it.

use std::fs::{DirBuilder, File, OpenOptions};
use std::future::Future;
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::str::FromStr;
use std::time::Duration;

use sqlx::migrate::MigrateError;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, SqliteConnection, SqlitePool};
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep};

use super::database::{Database, Failure, Migrating, Running, Statement, run_batch, run_statement};
use super::lease::Lease;
use super::migrations::{Plan, migrate_in};
use super::{Durability, StoreError};

/// Connections that only read.
const READERS: u32 = 4;
/// Time to wait for another process that writes.
const BUSY: Duration = Duration::from_secs(3);
/// Time until a file that was locked at once is tried again.
const AGAIN: Duration = Duration::from_millis(10);
/// Time to wait for a connection.
const ACQUIRE: Duration = Duration::from_secs(4);

pub(super) struct Sqlite {
    /// Options for connecting to an existing file.
    options: SqliteConnectOptions,
    /// `None`: in memory.
    path: Option<PathBuf>,
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    pools: Option<Pools>,
    /// Connections to a file that no longer has a name; they must be closed before others are opened, since
    /// the last one to close removes the files beside the name.
    leaving: Option<Pools>,
    /// Connection that holds the file, and does nothing else.
    holder: Option<SqliteConnection>,
    /// Identity of the file.
    file: Option<(u64, u64)>,
}

#[derive(Clone)]
struct Pools {
    writer: SqlitePool,
    readers: SqlitePool,
}

impl Pools {
    async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}

impl Sqlite {
    pub(super) async fn open(url: &str, durability: Durability) -> Result<Sqlite, StoreError> {
        let options = SqliteConnectOptions::from_str(url)
            .map_err(|error| StoreError::Url(error.to_string()))?
            .busy_timeout(BUSY)
            .foreign_keys(true)
            .synchronous(match durability {
                Durability::Full => SqliteSynchronous::Full,
                Durability::Normal => SqliteSynchronous::Normal,
            });
        let unavailable = |error: sqlx::Error| StoreError::Unavailable(error.to_string());
        // A database in memory belongs to one connection.
        if url.contains(":memory:") {
            let writer = pool(1)
                .min_connections(1)
                .connect_with(options.clone())
                .await
                .map_err(unavailable)?;
            let readers = writer.clone();
            return Ok(Sqlite {
                options,
                path: None,
                open: Mutex::new(Open {
                    pools: Some(Pools { writer, readers }),
                    ..Open::default()
                }),
            });
        }
        let options = options.journal_mode(SqliteJournalMode::Wal);
        let first = options.clone().create_if_missing(true);
        let made = made(&first).await.map_err(unavailable)?;
        made.close().await.map_err(unavailable)?;
        let sqlite = Sqlite {
            path: Some(options.get_filename().to_owned()),
            options,
            open: Mutex::default(),
        };
        let mut open = sqlite.open.lock().await;
        match sqlite.reopen(&mut open).await {
            Ok(()) => {}
            Err(failure) => return Err(failure.into()),
        }
        drop(open);
        Ok(sqlite)
    }

    /// The pools, as long as the file has its name.
    async fn pools(&self) -> Result<Pools, Failure> {
        let mut open = self.open.lock().await;
        if let Some(path) = &self.path {
            if open.pools.is_none() {
                self.reopen(&mut open).await?;
            } else if identity(path) != open.file {
                return Err(Failure::Unavailable(format!(
                    "{} was removed or replaced",
                    path.display()
                )));
            }
        }
        open.pools
            .clone()
            .ok_or_else(|| Failure::Unavailable("it is closed".into()))
    }

    async fn reopen(&self, open: &mut Open) -> Result<(), Failure> {
        if let Some(old) = &open.leaving {
            old.close().await;
            open.leaving = None;
        }
        let Some(path) = &self.path else { return Ok(()) };
        let mut holder = self.options.connect().await?;
        // The write-ahead log is opened by name with the first read: later another file may have that name.
        sqlx::query("SELECT COUNT(*) FROM sqlite_schema")
            .execute(&mut holder)
            .await?;
        let writer = pool(1).connect_with(self.options.clone()).await?;
        let readers = pool(READERS).connect_with(self.options.clone()).await?;
        open.file = identity(path);
        open.holder = Some(holder);
        open.pools = Some(Pools { writer, readers });
        Ok(())
    }

    /// Writes the file out under its name if that names nothing, or another file.
    async fn put_back(&self) -> Result<(), Failure> {
        let Some(path) = &self.path else { return Ok(()) };
        let mut open = self.open.lock().await;
        if open.pools.is_none() {
            return self.reopen(&mut open).await;
        }
        if identity(path) == open.file {
            return Ok(());
        }
        let Some(holder) = &mut open.holder else {
            return Ok(());
        };
        let refused = |error: io::Error| Failure::Unavailable(format!("{}: {error}", path.display()));
        let copy = beside(path, ".copy");
        prepare(&copy).map_err(refused)?;
        sqlx::query("VACUUM INTO $1")
            .bind(copy.display().to_string())
            .execute(&mut *holder)
            .await?;
        let aside = replace(&copy, path).map_err(refused)?;
        // From here on the file under the name is ours; it is opened once nobody has the old one open.
        let holder = open.holder.take();
        open.leaving = open.pools.take();
        match aside {
            Some(aside) => tracing::warn!(
                "store: {} was replaced by another file; ours is in its place again, the other one is {}",
                path.display(),
                aside.display()
            ),
            None => tracing::warn!("store: {} was removed; it was written again", path.display()),
        }
        if let Some(holder) = holder {
            let _ = holder.close().await;
        }
        self.reopen(&mut open).await
    }
}

/// The first connection, which makes the file and its write-ahead log. Where another process does so at the same moment, SQLite says
/// that the file is locked without having waited.
async fn made(options: &SqliteConnectOptions) -> sqlx::Result<SqliteConnection> {
    let is_locked = |error: &sqlx::Error| {
        let code = error
            .as_database_error()
            .and_then(|error| error.code()?.parse::<u32>().ok());
        // The lowest octet of an extended code is the plain one: SQLITE_BUSY.
        code.is_some_and(|code| code & 0xff == 5)
    };
    let until = Instant::now() + BUSY;
    loop {
        match options.connect().await {
            Err(error) if is_locked(&error) && Instant::now() < until => sleep(AGAIN).await,
            done => return done,
        }
    }
}

fn pool(size: u32) -> SqlitePoolOptions {
    SqlitePoolOptions::new()
        .max_connections(size)
        .acquire_timeout(ACQUIRE)
        .idle_timeout(None)
        .max_lifetime(None)
}

/// Device and inode number of the file with that name.
fn identity(path: &Path) -> Option<(u64, u64)> {
    let found = path.metadata().ok()?;
    Some((found.dev(), found.ino()))
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// Creates an empty file that only its owner can access, and its folder too if that is gone.
fn prepare(copy: &Path) -> io::Result<()> {
    if let Some(folder) = copy
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty() && !folder.exists())
    {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    remove(copy)?;
    OpenOptions::new()
        .create_new(true)
        .write(true)
        .mode(0o600)
        .open(copy)
        .map(drop)
}

/// Puts `copy` in the place of `path`. Returns the new name of the file that was there.
fn replace(copy: &Path, path: &Path) -> io::Result<Option<PathBuf>> {
    File::open(copy)?.sync_all()?;
    let aside = path.exists().then(|| {
        let free = |n: &u32| !beside(path, &format!(".replaced-{n}")).exists();
        let number = (1..).find(free).unwrap_or(0);
        beside(path, &format!(".replaced-{number}"))
    });
    if let Some(aside) = &aside {
        std::fs::rename(path, aside)?;
    }
    // A write-ahead log found there belongs to another file, and SQLite would read it into this one.
    for suffix in ["-wal", "-shm"] {
        match &aside {
            Some(aside) => rename(&beside(path, suffix), &beside(aside, suffix))?,
            None => remove(&beside(path, suffix))?,
        }
    }
    std::fs::rename(copy, path)?;
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        File::open(folder)?.sync_all()?;
    }
    Ok(aside)
}

fn rename(from: &Path, to: &Path) -> io::Result<()> {
    match std::fs::rename(from, to) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn remove(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

impl Database for Sqlite {
    fn run(&self, batch: Vec<Statement>) -> Running<'_> {
        Box::pin(async move {
            let connection = self.pools().await?.writer.acquire().await?;
            if self.path.is_none() {
                let mut connection = connection;
                let transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
                return run_batch!(transaction, batch);
            }
            let mut lease = Lease::new(connection);
            let done = async {
                // Taking the lock at once, rather than at the first write, makes it possible to wait for it.
                let transaction = lease.connection.begin_with("BEGIN IMMEDIATE").await?;
                run_batch!(transaction, batch)
            }
            .await;
            lease.end(done)
        })
    }

    fn read(&self, statement: Statement) -> Running<'_> {
        Box::pin(async move {
            let mut connection = self.pools().await?.readers.acquire().await?;
            Ok(vec![run_statement!(&mut *connection, statement)])
        })
    }

    fn migrate(&self, plan: Plan) -> Migrating<'_> {
        Box::pin(async move {
            let unavailable = |failure| MigrateError::Source(StoreError::from(failure).into());
            let pools = self.pools().await.map_err(unavailable)?;
            let mut connection = pools.writer.acquire().await?;
            migrate_in!(connection.begin_with("BEGIN IMMEDIATE").await?, plan)
        })
    }

    fn look(&self) -> Running<'_> {
        Box::pin(async move {
            self.put_back().await?;
            Ok(Vec::new())
        })
    }

    fn migration_lock(&self) -> Option<&'static str> {
        None
    }

    fn text_type(&self) -> &'static str {
        "TEXT"
    }

    fn close(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(async move {
            let mut open = self.open.lock().await;
            if let Some(holder) = open.holder.take() {
                let _ = holder.close().await;
            }
            for pools in [open.leaving.take(), open.pools.clone()].into_iter().flatten() {
                pools.close().await;
            }
        })
    }
}
