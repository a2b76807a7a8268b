//! Snapshots that cannot be written.

use call_engine::acd::{Fact, QueueId, Record};
use sans_io::Time;
use sqlx::{Connection, SqliteConnection};

use super::super::directory::Directory;
use super::*;
use crate::config::Config;
use crate::store::Durability;

#[tokio::test]
async fn a_snapshot_that_fails_costs_no_number() {
    let folder = tempfile::tempdir().expect("a folder");
    let url = format!("sqlite:{}", folder.path().join("store.db").display());
    let store = Store::open(&url, Durability::Normal).await.expect("a store");
    let directory = Directory::of(&Config::default());
    let (past, mut persistence) = Past::read(&store, &directory).await.expect("nothing yet");
    let mut metrics = past.metrics;
    metrics.watch(true);
    let mut other = SqliteConnection::connect(&url).await.expect("a connection");
    let begin = Time::from_secs(1_800_000_000);
    let mut seq = 0;
    for (queue, away) in [(1, true), (2, false)] {
        seq += 1;
        let record = Record {
            seq,
            epoch: past.epoch,
            at: begin,
            fact: Fact::Entered {
                call: CallId(seq),
                queue: QueueId(queue),
                priority: 0,
                requires: Vec::new(),
                sticky: None,
                vet: 0,
            },
        };
        metrics.apply(&record);
        let kept = persistence.keep(&[record], &[], BTreeMap::new()).await;
        kept.expect("durable");
        if away {
            let rename = sqlx::query("ALTER TABLE slots RENAME TO away");
            rename.execute(&mut other).await.expect("renamed");
        }
        let taken = persistence
            .snapshot(metrics.open().clone(), metrics.changed(), Vec::new())
            .await;
        assert_eq!(taken.is_err(), away, "{taken:?}");
        if away {
            let rename = sqlx::query("ALTER TABLE away RENAME TO slots");
            rename.execute(&mut other).await.expect("renamed");
        }
    }
    let (past, _) = Past::read(&store, &directory).await.expect("what was kept");
    for queue in [1, 2].map(QueueId) {
        let counts = past.metrics.queue_counts(queue, begin, begin + AGAIN);
        assert_eq!(counts.entered, 1, "{queue:?}");
    }
}
