//! Statistics of a stream: its sender, loss and jitter (RFC 3550 A.1, A.3, A.8), the round trip, and how a
//! listener would rate it (ITU-T G.107).

mod mode;
mod mos;
mod round_trip;
mod source;

pub use mode::Mode;
pub use mos::{Impairment, mos};
pub use round_trip::{ntp, ntp_middle, round_trip};
pub use source::{Source, Verdict};
