//! Commands, packets and messages of other shards to a media shard of phone legs: an input is a row of steps of four octets each,
//! what to do and with what. All inputs go to one shard, from which every leg is closed after each.

mod bench;
mod packets;
pub mod secured;
mod seeds;
mod steps;

use std::cell::RefCell;

use super::Target;
use bench::Bench;

/// See the module.
pub const TARGET: Target = Target {
    name: "shard",
    seeds: seeds::seeds,
    words: &[],
    run,
};

thread_local! {
    static BENCH: RefCell<Bench> = RefCell::new(Bench::new());
}

/// Nothing panics, nothing is due for ever, the packets of a stream have one SSRC, and a leg that was opened can
/// be closed.
pub fn run(input: &[u8]) {
    BENCH.with_borrow_mut(|bench| bench.take(input));
}
