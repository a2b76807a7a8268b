//! The two kinds of leg: what stands between the wire and plain RTP.

pub mod browser;
mod clock;
pub mod phone;

pub use clock::Clock;
