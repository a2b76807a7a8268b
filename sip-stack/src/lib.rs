//! The tokio shell: sockets, the signalling task, a thread for each media shard, DNS and TLS; and on the same parts a SIP
//! client ([`client`]).
//!
//! [`Stack::start`] binds everything and starts the task that owns the
//! [`Coordinator`](session_core::Coordinator) and an [`Application`], which decides about calls. A [`Handle`] reaches
//! them from outside. [`sessions`] is the same for whoever writes against calls rather than events. [`signalling`] is SIP
//! alone, for a client whose sound another stack carries.

pub mod client;
mod clock;
mod digits;
pub mod dns;
mod driver;
mod dscp;
mod fetch;
mod handle;
pub mod media;
pub mod probe;
pub mod sessions;
pub mod signalling;
mod spin;
mod stack;
pub mod tap;
mod trace;
pub mod transport;

pub use clock::Clock;
pub use driver::Application;
pub use dscp::Dscp;
pub use fetch::FetchSettings;
pub use handle::{Busy, Gone, Handle};
pub use stack::{Stack, StackConfig, StartError};
