//! The leg of a fax: UDPTL datagrams (ITU-T T.38 §9.1) on the RTP socket of a phone's leg, opaque and as they come.
//!
//! The peer is known from its voice: its datagrams come from where the SDP of the fax says, or from a host that signalling names
//! or that its voice came from, since the port may be another one behind a NAT. What is not from there is refused, and so is what no fax
//! machine sends: datagrams too large or too many.

use std::net::SocketAddr;
use std::time::Duration;

use sans_io::Time;

use super::rtp::Rtp;
use super::{Arrival, Received};
use crate::control::SocketId;
use crate::outbox::Outbox;
use crate::rtp::Packet;

/// Octets of a datagram at most: what fits a packet of any network.
const MAX_OCTETS: usize = 1_400;
/// Octets of the shortest: a sequence number, an empty packet, no repair.
const MIN_OCTETS: usize = 4;
/// Datagrams a second at most. A fax sends up to one hundred.
const MAX_RATE: u16 = 250;
/// Silence after which another source of the peer's is taken.
const SILENT: Duration = Duration::from_millis(200);

/// Admission of a fax's datagrams, and destination of ours.
#[derive(Debug)]
pub(crate) struct Udptl {
    /// The transport of its voice, which it returns to.
    pub(super) voice: Box<Rtp>,
    signalled: Option<SocketAddr>,
    learnt: Option<(SocketAddr, Time)>,
    /// Second that is counted, and datagrams in it.
    second: (Time, u16),
}

impl Udptl {
    pub(super) fn new(voice: Box<Rtp>) -> Udptl {
        Udptl {
            voice,
            signalled: None,
            learnt: None,
            second: (Time::ZERO, 0),
        }
    }

    /// Sets the peer's address as its SDP says, the first time or again.
    pub(super) fn connect(&mut self, remote: Option<SocketAddr>) {
        if remote != self.signalled {
            self.signalled = remote;
            self.learnt = None;
        }
    }

    /// Judges a datagram of one of the leg's sockets.
    #[cold]
    #[inline(never)]
    pub(super) fn receive<'a>(&mut self, now: Time, at: Arrival, data: &'a mut [u8]) -> Received<'a> {
        if at.rtcp || self.is_voice(data) {
            return Received::Nothing;
        }
        let fits = (MIN_OCTETS..=MAX_OCTETS).contains(&data.len());
        if fits && self.admit(now, at.from) && self.count(now) {
            Received::Fax(data)
        } else {
            Received::Refused
        }
    }

    /// A late packet of the voice before.
    fn is_voice(&self, data: &[u8]) -> bool {
        Packet::parse(data).is_ok_and(|packet| self.voice.has_heard(packet.header.ssrc))
    }

    fn admit(&mut self, now: Time, from: SocketAddr) -> bool {
        let is_signalled = self.signalled == Some(from);
        let admitted = match self.learnt {
            Some((learnt, _)) if learnt == from => true,
            Some((learnt, heard)) => {
                let is_silent = now.since(heard) >= SILENT;
                is_silent && (is_signalled || (learnt.ip() == from.ip() && self.is_peer(from)))
            }
            None => is_signalled || self.is_peer(from),
        };
        if admitted {
            self.learnt = Some((from, now));
        }
        admitted
    }

    /// True for a host where the peer is known to be.
    fn is_peer(&self, from: SocketAddr) -> bool {
        let is_named = self
            .signalled
            .is_some_and(|signalled| signalled.ip() == from.ip());
        !self.voice.is_strict() && (is_named || self.voice.is_at(from.ip()))
    }

    fn count(&mut self, now: Time) -> bool {
        if now.since(self.second.0) >= Duration::from_secs(1) {
            self.second = (now, 0);
        }
        self.second.1 = self.second.1.saturating_add(1);
        self.second.1 <= MAX_RATE
    }

    /// Path of the datagrams: our socket, and the peer's address.
    pub(super) fn remote(&self) -> Option<(SocketId, SocketAddr)> {
        let learnt = self.learnt.map(|(learnt, _)| learnt);
        Some((self.voice.sockets()?[0], learnt.or(self.signalled)?))
    }

    /// Sends a datagram; false if it could not go.
    pub(super) fn send(&mut self, out: &mut Outbox, data: &[u8]) -> bool {
        let Some((socket, to)) = self.remote() else {
            return false;
        };
        let may = self.learnt.is_some() || self.voice.spend();
        if may {
            out.datagram(socket, to, data);
        }
        may
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::MediaSource;

    const DATA: [u8; 8] = [0, 1, 3, 6, 1, 2, 3, 0];

    fn at(from: &str) -> Arrival {
        Arrival {
            socket: SocketId(1),
            rtcp: false,
            from: from.parse().unwrap(),
        }
    }

    fn leg(policy: MediaSource) -> Udptl {
        let mut voice = Rtp::new(policy);
        voice.bind(SocketId(1), SocketId(2));
        let remote = "192.0.2.9:4000".parse().unwrap();
        voice.connect(Time::ZERO, Some(remote), None, false);
        let mut udptl = Udptl::new(Box::new(voice));
        udptl.connect(Some("192.0.2.9:4002".parse().unwrap()));
        udptl
    }

    fn takes(udptl: &mut Udptl, now: Time, from: &str) -> bool {
        matches!(udptl.receive(now, at(from), &mut DATA.clone()), Received::Fax(_))
    }

    #[test]
    fn the_peer_is_where_its_sdp_says_or_at_another_port_of_its_host() {
        let second = Time::from_secs(1);
        let mut udptl = leg(MediaSource::Learn);
        assert!(!takes(&mut udptl, second, "198.51.100.1:4002"));
        assert!(takes(&mut udptl, second, "192.0.2.9:61000"), "behind a NAT");
        assert_eq!(
            udptl.remote(),
            Some((SocketId(1), "192.0.2.9:61000".parse().unwrap()))
        );
        assert!(
            !takes(&mut udptl, second, "192.0.2.9:61001"),
            "while the first one speaks"
        );
        assert!(takes(&mut udptl, second + SILENT, "192.0.2.9:4002"));
        let mut strict = leg(MediaSource::Strict);
        assert!(!takes(&mut strict, second, "192.0.2.9:61000"));
        assert!(takes(&mut strict, second, "192.0.2.9:4002"));
    }

    #[test]
    fn what_no_fax_sends_is_refused() {
        let mut udptl = leg(MediaSource::Learn);
        let from = at("192.0.2.9:4002");
        let now = Time::from_secs(1);
        for length in [0, MIN_OCTETS - 1, MAX_OCTETS + 1] {
            let mut data = vec![0; length];
            assert_eq!(udptl.receive(now, from, &mut data), Received::Refused, "{length}");
        }
        let taken = (0..1_000).filter(|_| takes(&mut udptl, now, "192.0.2.9:4002"));
        assert_eq!(taken.count(), usize::from(MAX_RATE));
        assert!(takes(&mut udptl, now + Duration::from_secs(1), "192.0.2.9:4002"));
        let rtcp = Arrival { rtcp: true, ..from };
        assert_eq!(udptl.receive(now, rtcp, &mut DATA.clone()), Received::Nothing);
    }
}
