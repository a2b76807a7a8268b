//! Databases that are away for a while: a full disk, a lock, a file that is removed or replaced, a server
//! that is killed. Everything works again within five seconds of the cause going away, and nothing that was
//! accepted is lost.

use std::fs::{File, remove_file, rename};
use std::future::Future;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cordboard::centre::directory::Directory;
use cordboard::centre::event_stream::EventStream;
use cordboard::centre::journal::{Answer, Batch, Journal};
use cordboard::centre::persistence::Past;
use cordboard::centre::view::Change;
use cordboard::config::Config;
use cordboard::store::{Durability, Expect, Health, Put, Receipt, Store, StoreError, Table};
use sans_io::Time;
use sqlx::{ConnectOptions as _, Connection as _, Executor as _};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use crate::Backend;
use crate::log::entry;

/// Time within which everything works again.
const HEALED: Duration = Duration::from_secs(5);
/// Environment variable with the folder that a test fills, for the process that does it.
const SMALL: &str = "CORDBOARD_SMALL_DISK";

/// A store and the entries written to it.
struct World {
    store: Store,
    table: Table<String>,
    epoch: u64,
    seq: u64,
}

impl World {
    async fn open(url: &str) -> World {
        let store = Store::open(url, Durability::Full).await.expect("a store");
        let epoch = store.log().begin_epoch("acd").await.expect("an epoch");
        World {
            table: store.table("note"),
            store,
            epoch,
            seq: 0,
        }
    }

    fn append(&mut self) -> Receipt {
        self.seq += 1;
        let next = entry("acd", self.epoch, self.seq);
        self.store.log().append(next).expect("room")
    }

    async fn put(&self) -> Result<u64, StoreError> {
        let put = Put {
            id: "one",
            name: None,
            number: None,
            body: &"text".to_owned(),
            now_micros: 1,
        };
        self.table.put(put, Expect::Anything).await
    }

    /// Waits until the store reports that it is down.
    async fn is_down(&self) {
        let mut health = self.store.health();
        let down = health.wait_for(|health| matches!(health, Health::Down(_)));
        timeout(Duration::from_secs(12), down)
            .await
            .expect("it is noticed")
            .expect("a store");
    }

    /// Checks that waiting entries become durable, and new ones are accepted, within five seconds.
    async fn heals(&mut self, waiting: Vec<Receipt>) {
        let began = Instant::now();
        let left = || HEALED.saturating_sub(began.elapsed());
        for receipt in waiting {
            let durable = timeout(left(), receipt).await;
            assert_eq!(durable.expect("in time"), Ok(()));
        }
        let receipt = self.append();
        assert_eq!(timeout(left(), receipt).await.expect("in time"), Ok(()));
        timeout(left(), self.put())
            .await
            .expect("in time")
            .expect("written");
        assert_eq!(*self.store.health().borrow(), Health::Up);
    }

    /// Checks that everything that was appended is there, for a gateway that starts anew too.
    async fn all_is_there(self, url: &str) {
        self.store.close().await;
        let store = Store::open(url, Durability::Full).await.expect("a store");
        assert_eq!(store.log().last("acd").await, Ok(self.seq));
        let read = store.log().read("acd", 1, 10_000).await.expect("entries");
        let expected: Vec<_> = (1..=self.seq).map(|seq| entry("acd", self.epoch, seq)).collect();
        assert_eq!(read, expected);
        let note = store.table::<String>("note").get("one").await.expect("read");
        assert_eq!(note.expect("there").body, "text");
        store.close().await;
    }
}

/// A working database is never reported as down, even if nobody uses it.
pub(crate) async fn a_database_that_works_is_never_said_to_be_down(backend: Backend) {
    let mut world = World::open(&backend.url()).await;
    let mut health = world.store.health();
    let changed = timeout(Duration::from_secs(12), health.changed()).await;
    assert!(changed.is_err(), "{:?}", *health.borrow());
    assert_eq!(*health.borrow(), Health::Up);
    world.append().await.expect("durable");
}

fn file(backend: &Backend) -> PathBuf {
    match backend {
        Backend::Sqlite(folder) => folder.path().join("store.db"),
        Backend::Postgres(_) => unreachable!("it was made so"),
    }
}

/// Writes until there is no room.
fn fill(path: &Path) {
    let mut file = File::create(path).expect("a file");
    for size in [65_536, 4_096, 512, 1] {
        while file.write_all(&vec![1; size]).is_ok() {}
    }
}

#[test]
fn a_full_disk_is_outlived() {
    if let Some(folder) = std::env::var_os(SMALL) {
        return crate::backend::block_on(on_a_small_disk(PathBuf::from(folder)));
    }
    let folder = tempfile::tempdir().expect("a folder");
    let script = "mount -t tmpfs -o size=1m tmpfs \"$CORDBOARD_SMALL_DISK\" || exit 77; exec \"$0\" \"$@\"";
    let this = std::env::current_exe().expect("a name");
    let done = Command::new("unshare")
        .args(["--mount", "sh", "-c", script])
        .arg(this)
        .args(["--exact", "outage::a_full_disk_is_outlived", "--nocapture"])
        .env(SMALL, folder.path())
        .output();
    match done {
        Ok(done) if done.status.success() => {}
        Ok(done) => {
            let errors = String::from_utf8_lossy(&done.stderr).into_owned();
            let cannot = done.status.code() == Some(77) || errors.contains("unshare failed");
            assert!(cannot, "{}{errors}", String::from_utf8_lossy(&done.stdout));
            eprintln!("left out: a full disk takes a file system of its own, and this user may mount none");
        }
        Err(error) => eprintln!("left out: a full disk takes unshare(1): {error}"),
    }
}

async fn on_a_small_disk(folder: PathBuf) {
    let url = format!("sqlite:{}", folder.join("store.db").display());
    let mut world = World::open(&url).await;
    world.append().await.expect("durable");
    for _ in 0..3 {
        fill(&folder.join("fill"));
        // Free room in the log of the database is filled first.
        let mut waiting = Vec::new();
        while *world.store.health().borrow() == Health::Up {
            waiting.push(world.append());
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let refused = world.put().await;
        assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert_ne!(*world.store.health().borrow(), Health::Up);
        remove_file(folder.join("fill")).expect("removed");
        world.heals(waiting).await;
    }
    world.all_is_there(&url).await;
}

/// A full disk is noticed even if nobody uses the database.
#[test]
fn a_removed_file_is_written_again() {
    crate::backend::block_on(async {
        let backend = Backend::sqlite();
        let (url, path) = (backend.url(), file(&backend));
        let mut world = World::open(&url).await;
        for with_log in [false, true] {
            world.append().await.expect("durable");
            remove_file(&path).expect("removed");
            if with_log {
                for suffix in ["-wal", "-shm"] {
                    let _ = remove_file(format!("{}{suffix}", path.display()));
                }
            }
            let waiting = vec![world.append()];
            world.heals(waiting).await;
            assert!(path.exists());
        }
        world.all_is_there(&url).await;
    });
}

#[test]
fn a_replaced_file_is_put_aside_and_ours_put_back() {
    crate::backend::block_on(async {
        let backend = Backend::sqlite();
        let (url, path) = (backend.url(), file(&backend));
        let mut world = World::open(&url).await;
        world.append().await.expect("durable");
        // Another database, and then something else altogether.
        let other = path.with_file_name("other.db");
        let stranger = Store::open(&format!("sqlite:{}", other.display()), Durability::Full).await;
        stranger.expect("a store").close().await;
        rename(&other, &path).expect("replaced");
        let waiting = vec![world.append()];
        world.heals(waiting).await;
        File::create(&other)
            .and_then(|mut file| file.write_all(b"no database"))
            .expect("a file");
        rename(&other, &path).expect("replaced");
        let waiting = vec![world.append()];
        world.heals(waiting).await;
        let aside = std::fs::read(path.with_file_name("store.db.replaced-2")).expect("it is kept");
        assert_eq!(aside, b"no database");
        assert!(path.with_file_name("store.db.replaced-1").exists());
        world.all_is_there(&url).await;
    });
}

#[test]
fn a_lock_is_outlived() {
    crate::backend::block_on(async {
        let backend = Backend::sqlite();
        let url = backend.url();
        let mut world = World::open(&url).await;
        world.append().await.expect("durable");
        let options: sqlx::sqlite::SqliteConnectOptions = url.parse().expect("a URL");
        let mut other = options.connect().await.expect("a connection");
        other.execute("BEGIN EXCLUSIVE").await.expect("locked");
        let waiting = vec![world.append()];
        world.is_down().await;
        let refused = world.put().await;
        assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
        other.execute("ROLLBACK").await.expect("let go");
        other.close().await.expect("closed");
        world.heals(waiting).await;
        world.all_is_there(&url).await;
    });
}

#[test]
fn a_killed_server_is_noticed_by_itself_and_outlived() {
    crate::backend::block_on(async {
        let mut backend = Backend::postgres();
        let url = backend.url();
        let mut world = World::open(&url).await;
        world.append().await.expect("durable");
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(*world.store.health().borrow(), Health::Up);
        server(&mut backend).kill().expect("killed");
        world.is_down().await;
        let waiting = vec![world.append()];
        let refused = world.put().await;
        assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
        server(&mut backend).restart().expect("restarted");
        world.heals(waiting).await;
        world.all_is_there(&url).await;
    });
}

fn server(backend: &mut Backend) -> &mut cordboard_tests::postgres::Postgres {
    match backend {
        Backend::Postgres(server) => server,
        Backend::Sqlite(_) => unreachable!("it was made so"),
    }
}

/// Agents see their calls while the database is away, and are answered; all of it is written afterwards.
#[test]
fn people_are_told_while_the_database_is_away_and_it_is_kept_afterwards() {
    crate::backend::block_on(async {
        let mut backend = Backend::postgres();
        let store = backend.open().await;
        let directory = Arc::new(Directory::of(&Config::default()));
        let (past, writer) = Past::read(&store, &directory).await.expect("what was kept");
        let stream = EventStream::after(past.seq, past.events);
        let journal = Journal::new(stream.clone(), Arc::clone(&directory), Box::new(()), past.seq).kept(
            writer,
            past.callers,
            past.unwritten,
        );
        let (sender, batches) = mpsc::channel(64);
        let running = tokio::spawn(journal.run(batches));
        server(&mut backend).kill().expect("killed");
        for n in 1..=20 {
            let (reply, answered) = oneshot::channel();
            let mut batch = Batch {
                answers: vec![Answer {
                    reply,
                    result: Ok(()),
                }],
                ..Batch::default()
            };
            batch.change(
                Time::from_secs(n),
                Change::Config {
                    what: "queues".into(),
                },
            );
            sender.send(batch).await.expect("it runs");
            soon(answered).await.expect("answered").expect("agreed");
            assert_eq!(stream.read(|view| view.seq), n);
        }
        server(&mut backend).restart().expect("restarted");
        let mut health = store.health();
        let up = health.wait_for(|health| *health == Health::Up);
        timeout(HEALED, up).await.expect("in time").expect("a store");
        drop(sender);
        timeout(HEALED, running).await.expect("in time").expect("written");
        assert_eq!(store.log().last("event").await, Ok(20));
        store.close().await;
    });
}

async fn soon<T>(future: impl Future<Output = T>) -> T {
    timeout(Duration::from_secs(4), future)
        .await
        .expect("nobody waits for the database")
}
