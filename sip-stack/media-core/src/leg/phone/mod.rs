//! The leg towards a phone or trunk: plain RTP and RTCP on two sockets of its own, symmetric (RFC 4961): we answer to
//! where the peer sends from, since what its SDP says is often behind a NAT.

use std::net::SocketAddr;
use std::time::Duration;

use sans_io::Time;

use crate::control::SocketId;

/// A peer that was silent for so long may come back from elsewhere.
const SILENT: Duration = Duration::from_millis(200);

/// Who may send to us and where we send. Knows nothing of what the packets carry.
#[derive(Clone, Debug, Default)]
pub struct Leg {
    sockets: Option<[SocketId; 2]>,
    signalled: Option<SocketAddr>,
    signalled_rtcp: Option<SocketAddr>,
    mux: bool,
    latched: Option<SocketAddr>,
    latched_rtcp: Option<SocketAddr>,
    heard: Time,
    /// The next source may become the one: at first, and after signalling named another remote.
    open: bool,
    connected: bool,
}

impl Leg {
    /// The sockets that were bound for it: RTP and RTCP.
    pub fn bind(&mut self, rtp: SocketId, rtcp: SocketId) {
        self.sockets = Some([rtp, rtcp]);
    }

    /// RTP and RTCP, once bound.
    #[must_use]
    pub fn sockets(&self) -> Option<[SocketId; 2]> {
        self.sockets
    }

    /// What SDP says of the peer, the first time or again. Another address than before opens the latch; `None` (hold by
    /// `c=0.0.0.0`) changes nothing but that we stop sending to an address that was never heard of.
    pub fn connect(&mut self, remote: Option<SocketAddr>, remote_rtcp: Option<SocketAddr>, mux: bool) {
        if !self.connected || (remote.is_some() && remote != self.signalled) {
            self.open = true;
            if self.connected {
                self.latched = None;
                self.latched_rtcp = None;
            }
        }
        if remote.is_some() || !self.connected {
            self.signalled = remote;
            self.signalled_rtcp = remote_rtcp;
        }
        self.mux = mux;
        self.connected = true;
    }

    /// Whether RTP from there is the peer's. Nothing is before the first [`Leg::connect`]. The first source is; another
    /// one only when it is the address that SDP names, when signalling just changed that, or when the peer was silent.
    pub fn admit(&mut self, now: Time, from: SocketAddr) -> bool {
        if !self.connected {
            return false;
        }
        if self.latched != Some(from) {
            let silent = now.since(self.heard) >= SILENT;
            if !(self.open || silent || self.signalled == Some(from) || self.latched.is_none()) {
                return false;
            }
            self.latched = Some(from);
            self.open = false;
        }
        self.heard = now;
        true
    }

    /// The same for RTCP: from the RTP peer's host, or from where SDP says.
    pub fn admit_rtcp(&mut self, from: SocketAddr) -> bool {
        let host = self.latched.or(self.signalled).map(|peer| peer.ip());
        let known = host == Some(from.ip()) || self.signalled_rtcp == Some(from);
        if known && !self.mux {
            self.latched_rtcp = Some(from);
        }
        known && self.connected
    }

    /// Where RTP goes: from which socket, to whom.
    #[must_use]
    pub fn remote(&self) -> Option<(SocketId, SocketAddr)> {
        Some((self.sockets?[0], self.latched.or(self.signalled)?))
    }

    /// Where RTCP goes.
    #[must_use]
    pub fn remote_rtcp(&self) -> Option<(SocketId, SocketAddr)> {
        if self.mux {
            return self.remote();
        }
        Some((self.sockets?[1], self.latched_rtcp.or(self.signalled_rtcp)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Option<SocketAddr> {
        Some(text.parse().unwrap())
    }

    #[test]
    fn latches_to_the_first_source_and_keeps_it() {
        let mut leg = Leg::default();
        leg.bind(SocketId(4), SocketId(5));
        let (said, nat, other) = (
            address("10.0.0.9:4000"),
            address("192.0.2.7:31000"),
            address("192.0.2.66:9"),
        );
        assert!(!leg.admit(Time(0), nat.unwrap()), "before the answer");
        leg.connect(said, address("10.0.0.9:4001"), false);
        assert_eq!(leg.remote(), Some((SocketId(4), said.unwrap())));
        let mut now = Time::from_secs(1);
        assert!(leg.admit(now, nat.unwrap()));
        assert_eq!(leg.remote(), Some((SocketId(4), nat.unwrap())));
        assert_eq!(
            leg.remote_rtcp(),
            Some((SocketId(5), "10.0.0.9:4001".parse().unwrap()))
        );
        now += Duration::from_millis(20);
        assert!(!leg.admit(now, other.unwrap()), "a stranger while the peer talks");
        assert!(leg.admit(now, nat.unwrap()));
        now += SILENT;
        assert!(leg.admit(now, other.unwrap()), "the peer moved");
        assert!(leg.admit(now, said.unwrap()), "what SDP names is always the peer");
        assert!(!leg.admit(now, other.unwrap()));
    }

    #[test]
    fn a_new_remote_in_sdp_opens_the_latch_and_hold_does_not() {
        let mut leg = Leg::default();
        leg.bind(SocketId(4), SocketId(5));
        let (first, second, from) = (
            address("192.0.2.1:4000"),
            address("192.0.2.2:4000"),
            address("192.0.2.3:1"),
        );
        leg.connect(first, None, true);
        assert!(leg.admit(Time(1), first.unwrap()));
        leg.connect(None, None, true);
        assert_eq!(leg.remote(), Some((SocketId(4), first.unwrap())));
        assert!(!leg.admit(Time(2), from.unwrap()));
        leg.connect(second, None, true);
        assert_eq!(leg.remote_rtcp(), Some((SocketId(4), second.unwrap())));
        assert!(leg.admit(Time(3), from.unwrap()));
        assert_eq!(leg.remote(), Some((SocketId(4), from.unwrap())));
    }
}
