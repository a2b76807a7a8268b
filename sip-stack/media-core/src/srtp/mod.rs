//! SRTP and SRTCP (RFC 3711, RFC 7714) in place: a packet is protected and opened where it lies, with no allocation and
//! with keys expanded once. Authentic first: a forged packet changes nothing, and nothing grows before a packet proved
//! itself.

mod cm;
mod gcm;
mod hmac;
mod index;
mod keys;
mod packet;
mod receiver;
mod sender;

#[cfg(test)]
mod tests;

pub use keys::{Keys, MasterKey, Profile};
pub use receiver::{Receiver, Refused};
pub use sender::Sender;

/// Octets that [`Sender::protect_rtp`] may add to a packet.
pub const RTP_OVERHEAD: usize = 16;
/// Octets that [`Sender::protect_rtcp`] may add to a packet.
pub const RTCP_OVERHEAD: usize = 20;
