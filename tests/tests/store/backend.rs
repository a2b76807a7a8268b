//! A fresh database of either kind.

use std::future::Future;
use std::path::PathBuf;

use cordboard::store::{Durability, Store};
use cordboard_tests::postgres::Postgres;

/// A database; dropping it removes it.
pub(crate) enum Backend {
    Sqlite(PathBuf),
    Postgres(Postgres),
}

impl Backend {
    pub(crate) fn sqlite() -> Backend {
        use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!(
            "cordboard-store-{}-{}",
            std::process::id(),
            NEXT.fetch_add(1, Relaxed)
        );
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir(&folder).expect("a folder");
        Backend::Sqlite(folder)
    }

    pub(crate) fn postgres() -> Backend {
        Backend::Postgres(Postgres::start().expect("a PostgreSQL server"))
    }

    pub(crate) fn url(&self) -> String {
        match self {
            Backend::Sqlite(folder) => format!("sqlite:{}", folder.join("store.db").display()),
            Backend::Postgres(postgres) => postgres.url(),
        }
    }

    pub(crate) async fn open(&self) -> Store {
        Store::open(&self.url(), Durability::Full).await.expect("a store")
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        if let Backend::Sqlite(folder) = self {
            let _ = std::fs::remove_dir_all(folder);
        }
    }
}

pub(crate) fn block_on(case: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    runtime.expect("a runtime").block_on(case);
}
