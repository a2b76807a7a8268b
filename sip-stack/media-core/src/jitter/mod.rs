//! Even streams from what the network delivers.
//!
//! Towards a phone sound is paced: [`Buffer`] holds each packet until it is due, as late as the network's unevenness asks
//! ([`Delay`]) and no later. Towards a browser, which has a buffer of its own, packets are only put in order
//! ([`Reorder`]).

mod buffer;
mod delay;
mod noise;
mod reorder;
mod slots;
mod stretch;

pub use buffer::{Buffer, Inserted, Step, Stretch};
pub use delay::Delay;
pub use noise::Noise;
pub use reorder::Reorder;
pub use stretch::{lengthen, shorten};
