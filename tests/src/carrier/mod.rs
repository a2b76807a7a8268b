//! Carriers as their profiles describe them: a gateway with a trunk of the profile, a carrier whose messages are written by hand, and
//! the demands that the profile makes of what the gateway sends.
//!
//! A *run* is a short story (a call out, a registration, …), and leads to one message of the gateway. A *scenario* asks one thing of
//! that message.

mod bench;
mod message;
mod runs;
mod scenario;

pub use bench::Bench;
pub use message::Seen;
pub use runs::play;
pub use scenario::{Check, Scenario, scenarios};
