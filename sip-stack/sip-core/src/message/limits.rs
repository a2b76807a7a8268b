//! Limits of a message, whoever sends it.

/// Octets of a whole message: what a UDP datagram can carry, kept for every transport.
pub const MESSAGE: usize = 65_535;
/// Octets of one header field, name and continuation lines included, and of the start line.
pub const LINE: usize = 16_384;
/// Header fields of a message.
pub const HEADERS: usize = 256;
/// Via values of a message: as many hops as the default Max-Forwards allows (RFC 3261 §8.1.1.6).
pub const VIAS: usize = 70;
