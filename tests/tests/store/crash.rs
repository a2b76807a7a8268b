//! Writers and servers that are killed at any moment.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};

use cordboard::store::{Health, Store};

use crate::Backend;
use crate::log::entry;

const KILLS: u64 = 20;

/// Kills a writer after it reported so many entries; returns the last one.
fn append_and_kill(url: &str, entries: u64) -> u64 {
    let mut child: Child = Command::new(env!("CARGO_BIN_EXE_store-append"))
        .arg(url)
        .stdout(Stdio::piped())
        .spawn()
        .expect("a writer");
    let mut out = BufReader::new(child.stdout.take().expect("its output"));
    let mut text = String::new();
    for _ in 0..entries {
        assert!(
            out.read_line(&mut text).expect("a line") > 0,
            "the writer ended by itself"
        );
    }
    child.kill().expect("killed");
    child.wait().expect("gone");
    out.read_to_string(&mut text).expect("the rest");
    // A line may be cut off by the kill.
    let whole = &text[..text.rfind('\n').map_or(0, |end| end + 1)];
    whole.lines().last().expect("an entry").parse().expect("a number")
}

async fn check_log(store: &Store, reported: u64) {
    let mut next = 1;
    loop {
        let read = store.log().read("acd", next, 10_000).await.expect("entries");
        if read.is_empty() {
            break;
        }
        for entry in read {
            assert_eq!(entry.seq, next);
            assert_eq!(entry.body, format!("{{\"n\":{next}}}"));
            next += 1;
        }
    }
    assert!(next > reported, "{reported} was reported, {next} is missing");
    assert_eq!(store.log().last("acd").await, Ok(next - 1));
}

pub(crate) async fn a_killed_writer_loses_nothing_that_it_reported(backend: Backend) {
    for kill in 0..KILLS {
        let reported = append_and_kill(&backend.url(), 1 + kill * 37 % 211);
        let store = backend.open().await;
        check_log(&store, reported).await;
        store.close().await;
    }
}

#[test]
fn a_killed_server_delays_receipts_and_loses_none() {
    crate::backend::block_on(async {
        let mut backend = Backend::postgres();
        let store = backend.open().await;
        let log = store.log();
        let epoch = log.begin_epoch("acd").await.expect("an epoch");
        let mut health = store.health();
        let mut seq = 0;
        for round in 1..=5 {
            let mut receipts = Vec::new();
            for _ in 0..3000 {
                seq += 1;
                receipts.push(log.append(entry("acd", epoch, seq)).expect("room"));
            }
            let Backend::Postgres(server) = &mut backend else {
                unreachable!("it was made so");
            };
            // In the midst of them.
            receipts.remove(0).await.expect("durable");
            server.kill().expect("killed");
            health
                .wait_for(|health| matches!(health, Health::Down(_)))
                .await
                .expect("a writer");
            server.restart().expect("restarted");
            for receipt in receipts {
                assert_eq!(receipt.await, Ok(()));
            }
            assert_eq!(*health.borrow(), Health::Up);
            assert_eq!(log.last("acd").await, Ok(round * 3000));
        }
        let mut next = 1;
        while next <= seq {
            let read = log.read("acd", next, 4000).await.expect("entries");
            assert!(!read.is_empty());
            for found in read {
                assert_eq!(found, entry("acd", epoch, next));
                next += 1;
            }
        }
    });
}
