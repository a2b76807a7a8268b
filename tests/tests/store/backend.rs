//! A fresh database of either kind.

use std::future::Future;

use cordboard::store::{Durability, Store};
use cordboard_tests::postgres::Postgres;
use tempfile::TempDir;

/// A database; dropping it removes it.
pub(crate) enum Backend {
    Sqlite(TempDir),
    Postgres(Postgres),
}

impl Backend {
    pub(crate) fn sqlite() -> Backend {
        let folder = tempfile::Builder::new().prefix("cordboard-store-").tempdir();
        Backend::Sqlite(folder.expect("a folder"))
    }

    pub(crate) fn postgres() -> Backend {
        Backend::Postgres(Postgres::start().expect("a PostgreSQL server"))
    }

    pub(crate) fn url(&self) -> String {
        match self {
            Backend::Sqlite(folder) => format!("sqlite:{}", folder.path().join("store.db").display()),
            Backend::Postgres(postgres) => postgres.url(),
        }
    }

    pub(crate) async fn open(&self) -> Store {
        Store::open(&self.url(), Durability::Full).await.expect("a store")
    }
}

pub(crate) fn block_on(case: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    runtime.expect("a runtime").block_on(case);
}
