//! Digits: RFC 4733 received and sent, and heard in sound.

mod detect;
mod receive;
mod send;

pub use detect::Detector;
pub use receive::{Heard, Receiver};
pub use send::{Packet, Sender};

/// Digits in the order of their event codes (RFC 4733 §3.2).
const DIGITS: &[u8; 16] = b"0123456789*#ABCD";

/// The digit of an event code, `None` for flash and other events.
#[must_use]
pub fn digit(event: u8) -> Option<u8> {
    DIGITS.get(usize::from(event)).copied()
}

/// The event code of a digit.
#[must_use]
pub fn event(digit: u8) -> Option<u8> {
    DIGITS
        .iter()
        .position(|d| *d == digit.to_ascii_uppercase())
        .map(|at| at as u8)
}
