//! Steps of an input: four octets each, what to do and with what.

pub(super) const LEGS: u8 = 8;
/// Steps of one input at most.
pub(super) const MOST_STEPS: usize = 240;
pub(super) const OPEN: u8 = 0;
pub(super) const CONNECT: u8 = 1;
pub(super) const BRIDGE: u8 = 2;
pub(super) const UNBRIDGE: u8 = 3;
pub(super) const PLAY: u8 = 4;
pub(super) const DIGIT: u8 = 5;
pub(super) const CLOSE: u8 = 6;
pub(super) const WAIT: u8 = 7;
pub(super) const OBSERVE: u8 = 8;
pub(super) const INJECT: u8 = 9;
pub(super) const SOUND: u8 = 10;
pub(super) const MESSAGE: u8 = 11;
pub(super) const RTCP: u8 = 12;
pub(super) const FAX: u8 = 13;
/// And all above: packets.
pub(super) const PACKET: u8 = 16;

/// Kinds of messages.
pub(super) const SAID: u8 = 0;
pub(super) const TIED: u8 = 1;
pub(super) const UNTIED: u8 = 2;
pub(super) const BRIDGED: u8 = 3;
pub(super) const COUNTS: u8 = 4;
pub(super) const LOSS: u8 = 5;
