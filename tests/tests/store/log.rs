//! The event log.

use cordboard::store::{BACKLOG, Durability, Entry, Store, StoreError};

use crate::Backend;

pub(crate) fn entry(stream: &'static str, epoch: u64, seq: u64) -> Entry {
    Entry {
        stream,
        seq,
        epoch,
        at_micros: 1_000_000 + seq,
        kind: "test".into(),
        body: format!("{{\"text\":\"ä'\\\"\\u0000\",\"n\":{seq}}}"),
    }
}

pub(crate) async fn entries_come_back_in_order(backend: Backend) {
    let store = backend.open().await;
    let log = store.log();
    let epoch = log.begin_epoch("acd").await.expect("an epoch");
    let entries: Vec<Entry> = (1..=1000).map(|seq| entry("acd", epoch, seq)).collect();
    let receipts: Vec<_> = entries
        .iter()
        .map(|e| log.append(e.clone()).expect("room"))
        .collect();
    for receipt in receipts {
        receipt.await.expect("durable");
    }
    assert_eq!(log.read("acd", 1, 2000).await.expect("entries"), entries);
    assert_eq!(log.read("acd", 400, 3).await.expect("entries"), entries[399..402]);
    assert_eq!(log.last("acd").await, Ok(1000));
    let commits = store.meter().commit_entries.count();
    assert!(commits < 500, "{commits} commits for 1000 entries");
    assert_eq!(store.meter().commit_entries.sum() as u64, 1000);
}

pub(crate) async fn a_gap_or_a_duplicate_is_refused(backend: Backend) {
    let store = backend.open().await;
    let log = store.log();
    let epoch = log.begin_epoch("acd").await.expect("an epoch");
    let append = |seq| log.append(entry("acd", epoch, seq)).expect("room");
    let refused = |expected| {
        Err(StoreError::OutOfOrder {
            stream: "acd",
            expected,
        })
    };
    let together = [append(1), append(3), append(2), append(2)];
    let [one, three, two, again] = together;
    assert_eq!(one.await, Ok(()));
    assert_eq!(three.await, refused(2));
    assert_eq!(two.await, Ok(()));
    assert_eq!(again.await, refused(3));
    assert_eq!(append(3).await, Ok(()));
    assert_eq!(log.read("acd", 1, 10).await.map(|read| read.len()), Ok(3));
}

pub(crate) async fn an_older_epoch_is_fenced(backend: Backend) {
    let (old, new) = (backend.open().await, backend.open().await);
    let fenced = Err(StoreError::Fenced { stream: "acd" });
    assert_eq!(old.log().append(entry("acd", 1, 1)).expect("room").await, fenced);
    let first = old.log().begin_epoch("acd").await.expect("an epoch");
    assert_eq!(
        old.log().append(entry("acd", first, 1)).expect("room").await,
        Ok(())
    );
    let second = new.log().begin_epoch("acd").await.expect("an epoch");
    assert_eq!(second, first + 1);
    assert_eq!(
        old.log().append(entry("acd", first, 2)).expect("room").await,
        fenced
    );
    assert_eq!(
        new.log().append(entry("acd", second, 2)).expect("room").await,
        Ok(())
    );
    assert_eq!(new.log().last("acd").await, Ok(2));
}

pub(crate) async fn pruning_and_snapshots(backend: Backend) {
    let store = backend.open().await;
    let log = store.log();
    let epoch = log.begin_epoch("acd").await.expect("an epoch");
    assert_eq!(log.latest_snapshot("acd").await, Ok(None));
    for seq in 1..=10 {
        log.append(entry("acd", epoch, seq))
            .expect("room")
            .await
            .expect("durable");
    }
    log.put_snapshot("acd", 4, "four".into()).await.expect("kept");
    log.put_snapshot("acd", 8, "eight".into()).await.expect("kept");
    assert_eq!(log.latest_snapshot("acd").await, Ok(Some((8, "eight".into()))));
    assert_eq!(log.prune("acd", 9).await, Ok(8));
    let left = log.read("acd", 1, 10).await.expect("entries");
    assert_eq!(left.iter().map(|e| e.seq).collect::<Vec<_>>(), [9, 10]);
    assert_eq!(log.prune("acd", 100).await, Ok(2));
    assert_eq!(log.last("acd").await, Ok(10));
    assert_eq!(log.append(entry("acd", epoch, 11)).expect("room").await, Ok(()));
}

pub(crate) async fn streams_share_commits(backend: Backend) {
    let store = backend.open().await;
    let log = store.log();
    let acd = log.begin_epoch("acd").await.expect("an epoch");
    let event = log.begin_epoch("event").await.expect("an epoch");
    let newer = log.begin_epoch("event").await.expect("an epoch");
    let mut good = Vec::new();
    let mut bad = Vec::new();
    for seq in 1..=100 {
        good.push(log.append(entry("acd", acd, seq)).expect("room"));
        bad.push(log.append(entry("event", event, seq)).expect("room"));
    }
    for receipt in good {
        assert_eq!(receipt.await, Ok(()));
    }
    for receipt in bad {
        assert_eq!(receipt.await, Err(StoreError::Fenced { stream: "event" }));
    }
    assert_eq!(log.append(entry("event", newer, 1)).expect("room").await, Ok(()));
    assert_eq!(log.last("acd").await, Ok(100));
}

pub(crate) async fn close_writes_what_waits(backend: Backend) {
    let store = backend.open().await;
    let log = store.log();
    let epoch = log.begin_epoch("acd").await.expect("an epoch");
    let receipts: Vec<_> = (1..=700)
        .map(|seq| log.append(entry("acd", epoch, seq)).expect("room"))
        .collect();
    store.close().await;
    for receipt in receipts {
        assert_eq!(receipt.await, Ok(()));
    }
    assert_eq!(
        log.append(entry("acd", epoch, 701)).err(),
        Some(StoreError::Closed)
    );
    assert_eq!(backend.open().await.log().last("acd").await, Ok(700));
}

pub(crate) async fn a_full_backlog_is_told(backend: Backend) {
    let store = backend.open().await;
    let log = store.log();
    let epoch = log.begin_epoch("acd").await.expect("an epoch");
    let mut receipts = Vec::new();
    let mut seq = 0;
    while receipts.len() < 4 * BACKLOG {
        seq += 1;
        match log.append(entry("acd", epoch, seq)) {
            Ok(receipt) => receipts.push(receipt),
            Err(error) => {
                assert_eq!(error, StoreError::Full);
                break;
            }
        }
    }
    assert!(receipts.len() >= BACKLOG && receipts.len() < 4 * BACKLOG);
    for receipt in receipts {
        assert_eq!(receipt.await, Ok(()));
    }
    assert_eq!(log.append(entry("acd", epoch, seq)).expect("room").await, Ok(()));
}

pub(crate) async fn older_schemas_are_brought_up_to_date(backend: Backend) {
    Store::migrate_to(&backend.url(), 1).await.expect("step 1");
    let (one, two) = tokio::join!(backend.open(), backend.open());
    let epoch = one.log().begin_epoch("acd").await.expect("an epoch");
    assert_eq!(
        one.log().append(entry("acd", epoch, 1)).expect("room").await,
        Ok(())
    );
    assert_eq!(two.log().last("acd").await, Ok(1));
    one.close().await;
    two.close().await;
    assert_eq!(backend.open().await.log().last("acd").await, Ok(1));
}

#[test]
fn a_url_without_a_store_is_refused_without_telling_its_password() {
    crate::backend::block_on(async {
        for url in ["", "mysql://u:hush@h/d", "postgres://u:hush@h:port/d"] {
            let error = Store::open(url, Durability::Full).await.expect_err(url);
            assert!(matches!(error, StoreError::Url(_)), "{error}");
            assert!(!error.to_string().contains("hush"), "{error}");
        }
    });
}
