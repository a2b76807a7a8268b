//! Digest authentication (RFC 3261 §22, RFC 7616, RFC 8760): [`Challenger`] asks, [`Answerer`] answers.

mod answerer;
mod challenger;
mod digest;
#[cfg(test)]
mod tests;

pub use answerer::{Answered, Answerer, Credentials};
pub use challenger::{Challenger, Password, Verdict};
pub use digest::Algorithm;
