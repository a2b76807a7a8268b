//! store-append URL: appends entries to the stream `acd` for ever, printing the number of each once it is durable.

use std::collections::VecDeque;
use std::io::Write;

use cordboard::store::{Durability, Entry, Store, StoreError};

#[tokio::main]
async fn main() -> Result<(), StoreError> {
    let url = std::env::args().nth(1).unwrap_or_default();
    let store = Store::open(&url, Durability::Full).await?;
    let log = store.log();
    let epoch = log.begin_epoch("acd").await?;
    let mut seq = log.last("acd").await?;
    let mut receipts = VecDeque::new();
    let mut out = std::io::stdout().lock();
    loop {
        // As many at once as a busy centre has.
        while receipts.len() < 100 {
            seq += 1;
            let entry = Entry {
                stream: "acd",
                seq,
                epoch,
                at_micros: seq,
                kind: "test".into(),
                body: format!("{{\"n\":{seq}}}"),
            };
            receipts.push_back((seq, log.append(entry)?));
        }
        if let Some((seq, receipt)) = receipts.pop_front() {
            receipt.await?;
            if writeln!(out, "{seq}").and_then(|()| out.flush()).is_err() {
                return Ok(());
            }
        }
    }
}
