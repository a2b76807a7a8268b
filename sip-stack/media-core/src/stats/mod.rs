//! What is known of a stream: who sends it, what is lost of it, how it varies (RFC 3550 A.1, A.3, A.8), the round trip,
//! and what a listener would say of it (ITU-T G.107).

mod mos;
mod round_trip;
mod source;

pub use mos::{Impairment, mos};
pub use round_trip::{ntp, ntp_middle, round_trip};
pub use source::{Source, Verdict};
