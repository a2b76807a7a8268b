//! The tokio shell: sockets, the signalling task, a thread for each media shard, DNS and TLS.

mod clock;
pub mod dns;
pub mod transport;

pub use clock::Clock;
