//! The leg towards a phone or trunk: plain RTP and RTCP on two sockets of its own, symmetric (RFC 4961): we
//! send to where the peer sends from, since the address in its SDP is often behind a NAT (RFC 7362 §4).
//!
//! Nothing protects plain RTP, so the peer is recognised by where it sends from and how:
//! - The address that SDP names is the peer's, and is where we send until another source is learnt.
//! - Another source is learnt when several packets in sequence, of one SSRC and of a payload type that was agreed, came from a
//!   host that signalling names: that of the SDP, or the one that signalling itself comes from. Where proxies stand between
//!   and SDP names an address that cannot be reached, any host serves, but only right after an offer or answer.
//! - A source that was learnt is given up to another port of its own host alone: when its stream goes on there (a NAT gave
//!   another port), or when it is silent. Never to another host, unless signalling follows.
//! - When signalling names another address, we send there at once, and the previous source is not accepted
//!   again while SDP names another (RFC 3264 §8.3.1).

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use sans_io::Time;

use super::probation::{Numbers, Probation};
use super::{Arrival, Received};
use crate::control::{MediaSource, SocketId};
use crate::outbox::Outbox;
use crate::rtcp;
use crate::rtp::{Header, Packet, is_rtcp};

/// Silence after which a source may have moved to another port of its host.
const SILENT: Duration = Duration::from_millis(200);
/// Time after an offer or answer in which a host that signalling does not name may be learnt.
const WINDOW: Duration = Duration::from_secs(5);
/// Packets sent to an address from which none came, while nothing proves that the peer is there.
pub(super) const UNPROVEN: u8 = 10;

/// Admission of packets, and destination of ours. The leg knows nothing about the content of packets.
#[derive(Clone, Debug)]
pub struct Rtp {
    policy: MediaSource,
    sockets: Option<[SocketId; 2]>,
    signalled: Option<SocketAddr>,
    signalled_rtcp: Option<SocketAddr>,
    /// Host that signalling comes from, with nothing between.
    host: Option<IpAddr>,
    mux: bool,
    learnt: Option<Learnt>,
    learnt_rtcp: Option<SocketAddr>,
    /// Sources and addresses that signalling has replaced.
    former: [Option<SocketAddr>; 4],
    /// Sources on probation, of hosts that signalling names and of others: strangers keep nobody waiting.
    known: Probation,
    foreign: Probation,
    /// End of the time in which other hosts are considered.
    window: Time,
    connected: bool,
    /// The peer receives what we send, as far as signalling can tell.
    proven: bool,
    credit: u8,
}

/// The source that is accepted.
#[derive(Clone, Copy, Debug)]
struct Learnt {
    address: SocketAddr,
    numbers: Numbers,
    heard: Time,
}

impl Rtp {
    /// A leg that accepts media according to `policy`.
    #[must_use]
    pub fn new(policy: MediaSource) -> Rtp {
        Rtp {
            policy,
            sockets: None,
            signalled: None,
            signalled_rtcp: None,
            host: None,
            mux: false,
            learnt: None,
            learnt_rtcp: None,
            former: [None; 4],
            known: Probation::default(),
            foreign: Probation::default(),
            window: Time::ZERO,
            connected: false,
            proven: true,
            credit: UNPROVEN,
        }
    }

    /// The sockets that were bound for it: RTP and RTCP.
    pub fn bind(&mut self, rtp: SocketId, rtcp: SocketId) {
        self.sockets = Some([rtp, rtcp]);
    }

    /// RTP and RTCP, once bound.
    #[must_use]
    pub fn sockets(&self) -> Option<[SocketId; 2]> {
        self.sockets
    }

    /// Evidence from signalling: the host that it comes from with nothing between, if any, and whether the
    /// peer receives what we send. Until it does, an address from which nothing came is sent a few packets only.
    pub fn vouch(&mut self, host: Option<IpAddr>, proven: bool) {
        self.host = host;
        self.proven = proven;
    }

    /// Sets the peer's address as its SDP says, the first time or again. If it changed, we send there at
    /// once; `None` (hold by `c=0.0.0.0`) only stops sending to an address from which nothing ever came.
    pub fn connect(
        &mut self,
        now: Time,
        remote: Option<SocketAddr>,
        remote_rtcp: Option<SocketAddr>,
        mux: bool,
    ) {
        let moved = self.connected && remote.is_some() && remote != self.signalled;
        if moved {
            let before = [self.learnt.take().map(|learnt| learnt.address), self.signalled];
            before
                .into_iter()
                .flatten()
                .for_each(|address| self.leave(address));
            self.learnt_rtcp = None;
            self.known.clear();
            self.foreign.clear();
        }
        if remote.is_some() || !self.connected {
            self.signalled = remote;
            self.signalled_rtcp = remote_rtcp;
        }
        for former in &mut self.former {
            if *former == self.signalled {
                *former = None;
            }
        }
        self.window = now + WINDOW;
        self.mux = mux;
        self.connected = true;
    }

    /// Remembers a former source, and forgets the oldest one.
    fn leave(&mut self, address: SocketAddr) {
        if !self.former.contains(&Some(address)) {
            self.former.rotate_right(1);
            self.former[0] = Some(address);
        }
    }

    /// Judges a datagram of one of the leg's sockets: who sent it, and whether its content was agreed on, which `agreed` says of
    /// an RTP packet.
    #[inline]
    pub fn receive<'a>(
        &mut self,
        now: Time,
        at: Arrival,
        data: &'a mut [u8],
        agreed: impl FnOnce(&Packet<'_>) -> bool,
    ) -> Received<'a> {
        // With rtcp-mux both come to one port (RFC 5761 §4).
        if at.rtcp || is_rtcp(data) {
            let admitted = rtcp::sender(data).is_some_and(|ssrc| self.admit_rtcp(at.from, ssrc));
            return if admitted {
                Received::Rtcp(data)
            } else {
                Received::Refused
            };
        }
        let admitted = match Packet::parse(data) {
            Ok(packet) if agreed(&packet) => self.admit(now, at.from, &packet.header),
            // The packet proves nothing.
            Ok(_) => self.is_source(at.from),
            Err(_) => false,
        };
        if admitted {
            Received::Rtp(data)
        } else {
            Received::Refused
        }
    }

    /// Goes with the peer to where a packet came from that proved itself.
    pub(super) fn proved(&mut self, now: Time, from: SocketAddr, header: &Header) {
        match self.learnt.as_mut().filter(|learnt| learnt.address == from) {
            Some(learnt) => {
                learnt.numbers = Numbers::of(header);
                learnt.heard = now;
            }
            None => self.learn(now, from, header),
        }
    }

    /// The same for RTCP, which has an address of its own without rtcp-mux; `ssrc` is its sender.
    pub(super) fn rtcp_proved(&mut self, from: SocketAddr, ssrc: u32) {
        let expected = self.learnt.is_none_or(|learnt| learnt.numbers.ssrc == ssrc);
        if !self.mux && expected {
            self.learnt_rtcp = Some(from);
        }
    }

    /// True if a packet of an agreed payload type is the peer's, by where it comes from. None is before the
    /// first [`Rtp::connect`].
    pub fn admit(&mut self, now: Time, from: SocketAddr, header: &Header) -> bool {
        if !self.connected {
            return false;
        }
        if self.policy == MediaSource::Strict && self.signalled != Some(from) {
            return false;
        }
        if let Some(learnt) = self.learnt.as_mut().filter(|learnt| learnt.address == from) {
            learnt.numbers = Numbers::of(header);
            learnt.heard = now;
            return true;
        }
        if self.learnt.is_none() && self.signalled == Some(from) {
            self.learn(now, from, header);
            return true;
        }
        if self.former.contains(&Some(from)) || !self.may_replace(now, from, header) {
            return false;
        }
        let list = if self.is_named(from.ip()) {
            &mut self.known
        } else {
            &mut self.foreign
        };
        let passed = list.passed(now, from, header);
        if passed {
            self.learn(now, from, header);
        }
        passed
    }

    /// True if the peer sends from here, as far as is known: oddities there are the peer's own affair.
    #[must_use]
    pub fn is_source(&self, from: SocketAddr) -> bool {
        self.connected && self.learnt.map(|learnt| learnt.address).or(self.signalled) == Some(from)
    }

    /// True for a host that signalling names.
    fn is_named(&self, host: IpAddr) -> bool {
        self.signalled.is_some_and(|signalled| signalled.ip() == host) || self.host == Some(host)
    }

    /// True if another source may replace the present one, or be the first, once it has proven itself.
    fn may_replace(&self, now: Time, from: SocketAddr, header: &Header) -> bool {
        let open = now < self.window && self.may_be_anywhere();
        let Some(learnt) = &self.learnt else {
            return self.is_named(from.ip()) || open;
        };
        let goes_on = learnt.numbers.go_on_with(header);
        let silent = now.since(learnt.heard) >= SILENT;
        if learnt.address.ip() == from.ip() {
            return goes_on || silent;
        }
        match (self.is_named(from.ip()), self.is_named(learnt.address.ip())) {
            // The present source was learnt for want of a better one.
            (true, false) => true,
            (true, true) => silent && self.signalled == Some(from),
            (false, _) => open && goes_on,
        }
    }

    /// True if the peer's packets may come from a host that signalling does not name: its signalling came
    /// through proxies, and its SDP names an address behind a NAT, or none.
    fn may_be_anywhere(&self) -> bool {
        self.host.is_none() && self.signalled.is_none_or(|signalled| is_private(signalled.ip()))
    }

    fn learn(&mut self, now: Time, from: SocketAddr, header: &Header) {
        self.learnt = Some(Learnt {
            address: from,
            numbers: Numbers::of(header),
            heard: now,
        });
        self.known.clear();
        self.foreign.clear();
        if self.learnt_rtcp.is_some_and(|rtcp| rtcp.ip() != from.ip()) {
            self.learnt_rtcp = None;
        }
    }

    /// True if RTCP from there is the peer's: from the address in SDP, or from the host of its RTP, and of
    /// the stream's source once that is known. From now on we send RTCP there.
    pub fn admit_rtcp(&mut self, from: SocketAddr, ssrc: u32) -> bool {
        if !self.connected {
            return false;
        }
        let named = if self.mux {
            self.signalled
        } else {
            self.signalled_rtcp
        };
        if self.policy == MediaSource::Strict && named != Some(from) {
            return false;
        }
        let (host, expected) = match &self.learnt {
            Some(learnt) => (Some(learnt.address.ip()), Some(learnt.numbers.ssrc)),
            None => (self.signalled.map(|signalled| signalled.ip()), None),
        };
        let admitted = named == Some(from) || (host == Some(from.ip()) && !self.former.contains(&Some(from)));
        if admitted && !self.mux && expected.is_none_or(|expected| expected == ssrc) {
            self.learnt_rtcp = Some(from);
        }
        admitted
    }

    /// Path of RTP: our socket, and the peer's address.
    #[must_use]
    pub fn remote(&self) -> Option<(SocketId, SocketAddr)> {
        let learnt = self.learnt.map(|learnt| learnt.address);
        Some((self.sockets?[0], learnt.or(self.signalled)?))
    }

    /// Path of RTCP.
    #[must_use]
    pub fn remote_rtcp(&self) -> Option<(SocketId, SocketAddr)> {
        if self.mux {
            return self.remote();
        }
        Some((self.sockets?[1], self.learnt_rtcp.or(self.signalled_rtcp)?))
    }

    /// Sends the RTP packet that `write` makes of at most `room` octets; `None` if it could not go.
    #[inline]
    pub(super) fn send(
        &mut self,
        out: &mut Outbox,
        room: usize,
        write: impl FnOnce(&mut [u8]) -> Option<usize>,
    ) -> Option<usize> {
        let (socket, to) = self.remote()?;
        if !self.spend() {
            return None;
        }
        out.compose(socket, to, room, write)
    }

    /// True if a packet may go out now: the peer was heard or is known to be there, or this is one of the few
    /// that may go out before.
    pub(crate) fn spend(&mut self) -> bool {
        if self.proven || self.learnt.is_some() {
            return true;
        }
        let left = self.credit > 0;
        self.credit = self.credit.saturating_sub(1);
        left
    }

    /// True if packets of this source were accepted last.
    pub(super) fn has_heard(&self, ssrc: u32) -> bool {
        self.learnt.is_some_and(|learnt| learnt.numbers.ssrc == ssrc)
    }

    /// True for a host where the peer is known to be: one that signalling names, or that its packets came from.
    pub(super) fn is_at(&self, host: IpAddr) -> bool {
        self.is_named(host) || self.learnt.is_some_and(|learnt| learnt.address.ip() == host)
    }

    /// True if nothing but the address in the peer's SDP counts.
    pub(super) fn is_strict(&self) -> bool {
        self.policy == MediaSource::Strict
    }

    /// True if the peer has sent something that was accepted.
    pub(crate) fn was_heard(&self) -> bool {
        self.learnt.is_some()
    }
}

/// True for an address that can be reached only within its own network: RFC 1918, RFC 6598, RFC 3927, RFC
/// 4193, RFC 4291 §2.5.6.
fn is_private(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => {
            let shared = ip.octets()[0] == 100 && ip.octets()[1] & 0xc0 == 64;
            ip.is_private() || ip.is_link_local() || ip.is_loopback() || shared
        }
        IpAddr::V6(ip) => ip.is_unique_local() || ip.is_unicast_link_local() || ip.is_loopback(),
    }
}
