//! SRTP with the keys of both directions in SDP (RFC 4568), on the sockets and by the rules of symmetric RTP. A packet that the
//! peer's key opens proves where the peer is; nothing else moves the leg.

use sans_io::Time;

use super::rtp::Rtp;
use super::{Arrival, Received};
use crate::outbox::Outbox;
use crate::rtcp;
use crate::rtp::{Packet, is_rtcp};
use crate::srtp::{Keys, RTP_OVERHEAD, Receiver, Sender};

/// A leg's transport by SDES.
#[derive(Debug)]
pub struct Sdes {
    pub(super) path: Rtp,
    keys: Keys,
    sender: Sender,
    receiver: Receiver,
}

impl Sdes {
    /// SRTP by these keys over a path that may be in use already.
    #[must_use]
    pub fn new(path: Rtp, keys: &Keys) -> Sdes {
        Sdes {
            path,
            keys: *keys,
            sender: Sender::new(&keys.local),
            receiver: Receiver::new(&keys.remote),
        }
    }

    /// Keys by the latest offer and answer. Each direction goes on where its key is the same (RFC 4568 §7.1.4): its rollover
    /// counter and what was received count on.
    pub fn set_keys(&mut self, keys: &Keys) {
        if keys.local != self.keys.local {
            self.sender = Sender::new(&keys.local);
        }
        if keys.remote != self.keys.remote {
            self.receiver = Receiver::new(&keys.remote);
        }
        self.keys = *keys;
    }

    /// Opens a datagram of one of the leg's sockets, in place.
    pub fn receive<'a>(&mut self, now: Time, at: Arrival, data: &'a mut [u8]) -> Received<'a> {
        // With rtcp-mux both come to one port (RFC 5761 §4).
        if at.rtcp || is_rtcp(data) {
            let Ok(packet) = self.receiver.open_rtcp(data) else {
                return Received::Refused;
            };
            if let Some(ssrc) = rtcp::sender(packet) {
                self.path.rtcp_proved(at.from, ssrc);
            }
            return Received::Rtcp(packet);
        }
        let Ok((packet, newest)) = self.receiver.open_rtp(data) else {
            return Received::Refused;
        };
        if newest && let Ok(opened) = Packet::parse(packet) {
            self.path.proved(now, at.from, &opened.header);
        }
        Received::Rtp(packet)
    }

    /// Sends the RTP packet that `write` makes of at most `room` octets; `None` if it could not go.
    #[inline]
    pub(super) fn send(
        &mut self,
        out: &mut Outbox,
        room: usize,
        write: impl FnOnce(&mut [u8]) -> Option<usize>,
    ) -> Option<usize> {
        let (socket, to) = self.path.remote()?;
        if !self.path.spend() {
            return None;
        }
        out.compose(socket, to, room + RTP_OVERHEAD, |buffer| {
            let length = write(&mut buffer[..room])?;
            self.protect_rtp(buffer, length)
        })
    }

    /// Protects the RTP packet in the first `length` octets of `buffer`: [`Sender::protect_rtp`].
    pub fn protect_rtp(&mut self, buffer: &mut [u8], length: usize) -> Option<usize> {
        self.sender.protect_rtp(buffer, length)
    }

    /// Protects an RTCP packet: [`Sender::protect_rtcp`].
    pub fn protect_rtcp(&mut self, buffer: &mut [u8], length: usize) -> Option<usize> {
        self.sender.protect_rtcp(buffer, length)
    }
}
