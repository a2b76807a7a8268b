//! Transports of a leg: between the wire and plain RTP. Which one a leg has is matched in this file alone; to the rest of the
//! shard they are alike.

mod dtls_srtp;
mod interface;
mod lane;
mod observed;
mod probation;
mod rtp;
mod sdes;
mod udptl;

#[cfg(test)]
pub(crate) mod tests;

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use sans_io::{Deadline, Time};

pub use dtls_srtp::{DtlsSrtp, Transmit};
pub(crate) use interface::Agreed;
pub use interface::{Arrival, Event, Received};
pub(crate) use lane::Lane;
use observed::Observed;
pub use rtp::Rtp;
pub use sdes::Sdes;
use udptl::Udptl;

use crate::control::{SocketId, StreamIndex};
use crate::ice::Path;
use crate::negotiated::{self, StreamAgreed};
use crate::outbox::Outbox;
use crate::rtp::Packet;
use crate::srtp::RTCP_OVERHEAD;

/// Time between two RTCP reports, on average. Browsers speak AVPF, whose reports may be denser (RFC 4585 §3.4).
const AVPF: Duration = Duration::from_millis(2_000);
const AVP: Duration = Duration::from_millis(5_000);
/// Time between two messages of a stand-in that stand for reports.
const COUNTS: Duration = Duration::from_secs(1);

/// Transport of one leg.
#[derive(Debug)]
pub(crate) enum Transport {
    /// ICE, DTLS and SRTP on the shard's own sockets: a browser.
    DtlsSrtp(Box<DtlsSrtp>),
    /// SRTP whose keys came in SDP, on sockets of its own.
    Sdes(Box<Sdes>),
    /// Plain RTP on sockets of its own.
    Rtp(Box<Rtp>),
    /// A fax on the sockets of plain RTP.
    Udptl(Box<Udptl>),
    /// To the shard of the leg that this one stands in for.
    Lane(Lane),
    /// One of those above while somebody taps the leg or asks whether its peer speaks.
    Observed(Box<Observed>),
}

impl Transport {
    /// Takes the sockets that were bound for the leg; false if it has, or needs, none.
    pub(crate) fn bind(&mut self, rtp: SocketId, rtcp: SocketId) -> bool {
        let path = match self {
            Transport::Rtp(path) => path,
            Transport::Sdes(sdes) => &mut sdes.path,
            Transport::Udptl(fax) => &mut fax.voice,
            Transport::Observed(observed) => return observed.inner.bind(rtp, rtcp),
            Transport::DtlsSrtp(dtls) => return dtls.bind(rtp, rtcp),
            Transport::Lane(_) => return false,
        };
        let free = path.sockets().is_none();
        if free {
            path.bind(rtp, rtcp);
        }
        free
    }

    /// RTP and RTCP socket of the leg alone.
    pub(crate) fn sockets(&self) -> Option<[SocketId; 2]> {
        match self {
            Transport::Observed(observed) => observed.inner.sockets(),
            Transport::Rtp(path) => path.sockets(),
            Transport::Sdes(sdes) => sdes.path.sockets(),
            Transport::Udptl(fax) => fax.voice.sockets(),
            Transport::DtlsSrtp(dtls) => dtls.sockets(),
            Transport::Lane(_) => None,
        }
    }

    /// Applies the outcome of an offer and answer. A phone may agree to SRTP after plain RTP, and the reverse, and to a fax after plain
    /// RTP; it does not become a browser.
    pub(crate) fn connect(&mut self, now: Time, agreed: &negotiated::Transport) -> Agreed {
        use negotiated::Transport as Wanted;
        let ready = |remote: Option<SocketAddr>| {
            if remote.is_some() {
                Agreed::Ready
            } else {
                Agreed::Pending
            }
        };
        match (&mut *self, agreed) {
            (Transport::Observed(observed), _) => observed.inner.connect(now, agreed),
            (
                Transport::DtlsSrtp(dtls),
                Wanted::Dtls {
                    remote_ice,
                    local_ice,
                    fingerprint,
                    role,
                    checks,
                },
            ) => {
                if let Some(checks) = checks {
                    dtls.check(now, remote_ice, checks);
                }
                dtls.connect(now, local_ice, fingerprint, *role);
                Agreed::Pending
            }
            (
                Transport::Rtp(path),
                Wanted::Rtp {
                    remote,
                    remote_rtcp,
                    rtcp_mux,
                },
            ) => {
                path.connect(now, *remote, *remote_rtcp, *rtcp_mux);
                ready(*remote)
            }
            (
                Transport::Sdes(sdes),
                Wanted::Sdes {
                    remote,
                    remote_rtcp,
                    rtcp_mux,
                    keys,
                },
            ) => {
                sdes.path.connect(now, *remote, *remote_rtcp, *rtcp_mux);
                sdes.set_keys(keys);
                ready(*remote)
            }
            (Transport::Rtp(path), Wanted::Sdes { keys, .. }) => {
                *self = Transport::Sdes(Box::new(Sdes::new((**path).clone(), keys)));
                self.connect(now, agreed)
            }
            (Transport::Sdes(sdes), Wanted::Rtp { .. }) => {
                *self = Transport::Rtp(Box::new(sdes.path.clone()));
                self.connect(now, agreed)
            }
            (Transport::Rtp(path), Wanted::Udptl { .. }) => {
                *self = Transport::Udptl(Box::new(Udptl::new(path.clone())));
                self.connect(now, agreed)
            }
            (Transport::Udptl(fax), Wanted::Udptl { remote }) => {
                fax.connect(*remote);
                ready(*remote)
            }
            (Transport::Udptl(fax), Wanted::Rtp { .. } | Wanted::Sdes { .. }) => {
                *self = Transport::Rtp(fax.voice.clone());
                self.connect(now, agreed)
            }
            _ => Agreed::Unfit,
        }
    }

    /// Takes the payload types of the agreements about the leg's streams, if they matter here.
    pub(crate) fn agree<'a>(&mut self, streams: impl Iterator<Item = Option<&'a StreamAgreed>>) {
        match self {
            Transport::Observed(observed) => observed.agree(streams),
            Transport::DtlsSrtp(_)
            | Transport::Sdes(_)
            | Transport::Rtp(_)
            | Transport::Udptl(_)
            | Transport::Lane(_) => {}
        }
    }

    /// Observes an RTP packet of the peer, open.
    pub(crate) fn observe_packet(&mut self, now: Time, stream: StreamIndex, packet: &[u8], out: &mut Outbox) {
        match self {
            Transport::Observed(observed) => observed.receive(now, stream, packet, out),
            Transport::DtlsSrtp(_)
            | Transport::Sdes(_)
            | Transport::Rtp(_)
            | Transport::Udptl(_)
            | Transport::Lane(_) => {}
        }
    }

    /// Takes evidence from signalling about the place of the peer: [`Rtp::vouch`].
    pub(crate) fn vouch(&mut self, host: Option<IpAddr>, reached: bool) {
        match self {
            Transport::Observed(observed) => observed.inner.vouch(host, reached),
            Transport::Rtp(path) => path.vouch(host, reached),
            Transport::Sdes(sdes) => sdes.path.vouch(host, reached),
            Transport::Udptl(fax) => fax.voice.vouch(host, reached),
            Transport::DtlsSrtp(_) | Transport::Lane(_) => {}
        }
    }

    /// Judges and opens a datagram of the leg, in place; `agreed` says whether a packet carries something that was agreed on.
    #[inline(always)]
    pub(crate) fn receive<'a>(
        &mut self,
        now: Time,
        at: Arrival,
        data: &'a mut [u8],
        agreed: impl FnOnce(&Packet<'_>) -> bool,
    ) -> Received<'a> {
        match self {
            Transport::Observed(observed) => observed.open(now, at, data, agreed),
            Transport::DtlsSrtp(dtls) => dtls.handle_datagram(now, at.socket, at.from, data),
            Transport::Rtp(path) => path.receive(now, at, data, agreed),
            Transport::Sdes(sdes) => sdes.receive(now, at, data),
            Transport::Udptl(fax) => fax.receive(now, at, data),
            Transport::Lane(_) => Received::Nothing,
        }
    }

    /// Sends the RTP packet of a stream that `write` makes of at most `room` octets; false if it could not go.
    #[inline]
    pub(crate) fn send(
        &mut self,
        out: &mut Outbox,
        stream: StreamIndex,
        room: usize,
        write: impl FnOnce(&mut [u8]) -> Option<usize>,
    ) -> bool {
        let sent = match self {
            Transport::DtlsSrtp(dtls) => dtls.send(out, room, write),
            Transport::Rtp(path) => path.send(out, room, write),
            Transport::Sdes(sdes) => sdes.send(out, room, write),
            Transport::Lane(lane) => lane.send(out, stream, room, write),
            // There is no audio while a fax has its place.
            Transport::Udptl(_) => None,
            Transport::Observed(observed) => observed.send(out, stream, room, write),
        };
        sent.is_some()
    }

    /// Sends an RTCP compound packet, if the peer may be sent one.
    pub(crate) fn send_rtcp(&mut self, out: &mut Outbox, packet: &[u8]) {
        let copy = |buffer: &mut [u8]| buffer[..packet.len()].copy_from_slice(packet);
        let room = packet.len() + RTCP_OVERHEAD;
        match self {
            Transport::Observed(observed) => observed.inner.send_rtcp(out, packet),
            Transport::DtlsSrtp(dtls) => {
                if let Some((socket, to)) = dtls.remote().filter(|_| dtls.is_connected()) {
                    out.compose(socket, to, room, |buffer| {
                        copy(buffer);
                        dtls.protect_rtcp(buffer, packet.len())
                    });
                }
            }
            Transport::Rtp(path) => {
                if let Some((socket, to)) = path.remote_rtcp().filter(|_| path.spend()) {
                    out.datagram(socket, to, packet);
                }
            }
            Transport::Sdes(sdes) => {
                if let Some((socket, to)) = sdes.path.remote_rtcp().filter(|_| sdes.path.spend()) {
                    out.compose(socket, to, room, |buffer| {
                        copy(buffer);
                        sdes.protect_rtcp(buffer, packet.len())
                    });
                }
            }
            Transport::Udptl(_) | Transport::Lane(_) => {}
        }
    }

    /// Sends a datagram of the other party's fax; false if the leg has none, or it could not go.
    pub(crate) fn send_fax(&mut self, out: &mut Outbox, data: &[u8]) -> bool {
        match self {
            Transport::Observed(observed) => observed.inner.send_fax(out, data),
            Transport::Udptl(fax) => fax.send(out, data),
            Transport::DtlsSrtp(_) | Transport::Sdes(_) | Transport::Rtp(_) | Transport::Lane(_) => false,
        }
    }

    /// True if there is somewhere to send to.
    pub(crate) fn is_open(&self) -> bool {
        match self {
            Transport::Observed(observed) => observed.inner.is_open(),
            Transport::DtlsSrtp(dtls) => dtls.is_connected() && dtls.remote().is_some(),
            Transport::Rtp(path) => path.remote().is_some(),
            Transport::Sdes(sdes) => sdes.path.remote().is_some(),
            Transport::Udptl(fax) => fax.remote().is_some(),
            Transport::Lane(_) => true,
        }
    }

    /// True if the peer has a jitter buffer that is better than ours.
    #[inline]
    pub(crate) fn buffers(&self) -> bool {
        match self {
            Transport::Observed(observed) => observed.buffers(),
            Transport::DtlsSrtp(_) => true,
            Transport::Rtp(_) | Transport::Sdes(_) | Transport::Udptl(_) => false,
            Transport::Lane(lane) => lane.buffers,
        }
    }

    /// True if checks of its own tell whether the peer is there: ICE consent, or those of the leg that this one stands in for.
    #[inline]
    pub(crate) fn checks_peer(&self) -> bool {
        match self {
            Transport::Observed(observed) => observed.checks_peer(),
            Transport::DtlsSrtp(_) | Transport::Lane(_) => true,
            Transport::Rtp(_) | Transport::Sdes(_) | Transport::Udptl(_) => false,
        }
    }

    /// True if the peer may be waiting for our first packet, as we wait for its.
    pub(crate) fn awaits_peer(&self) -> bool {
        match self {
            Transport::Observed(observed) => observed.inner.awaits_peer(),
            Transport::DtlsSrtp(_) | Transport::Lane(_) => false,
            Transport::Rtp(path) => !path.was_heard(),
            Transport::Sdes(sdes) => !sdes.path.was_heard(),
            Transport::Udptl(_) => false,
        }
    }

    /// Time between two reports, on average.
    pub(crate) fn report_interval(&self) -> Duration {
        match self {
            Transport::Observed(observed) => observed.inner.report_interval(),
            Transport::DtlsSrtp(_) => AVPF,
            Transport::Rtp(_) | Transport::Sdes(_) | Transport::Udptl(_) => AVP,
            Transport::Lane(_) => COUNTS,
        }
    }

    /// The lane, if the leg is a stand-in.
    #[inline]
    pub(crate) fn lane(&self) -> Option<&Lane> {
        match self {
            Transport::Observed(observed) => observed.lane(),
            Transport::Lane(lane) => Some(lane),
            Transport::DtlsSrtp(_) | Transport::Rtp(_) | Transport::Sdes(_) | Transport::Udptl(_) => None,
        }
    }

    pub(crate) fn lane_mut(&mut self) -> Option<&mut Lane> {
        match self {
            Transport::Observed(observed) => observed.inner.lane_mut(),
            Transport::Lane(lane) => Some(lane),
            Transport::DtlsSrtp(_) | Transport::Rtp(_) | Transport::Sdes(_) | Transport::Udptl(_) => None,
        }
    }

    /// True if it has a protocol of its own, so that [`Transport::poll_transmit`] and [`Transport::poll_event`] may have something.
    pub(crate) fn negotiates(&self) -> bool {
        match self {
            Transport::DtlsSrtp(_) | Transport::Observed(_) => true,
            Transport::Rtp(_) | Transport::Sdes(_) | Transport::Udptl(_) | Transport::Lane(_) => false,
        }
    }

    /// The next datagram of its own protocol.
    pub(crate) fn poll_transmit(&mut self) -> Option<Transmit<'_>> {
        match self {
            Transport::Observed(observed) => observed.inner.poll_transmit(),
            Transport::DtlsSrtp(dtls) => dtls.poll_transmit(),
            Transport::Rtp(_) | Transport::Sdes(_) | Transport::Udptl(_) | Transport::Lane(_) => None,
        }
    }

    /// The next thing that happened in its own protocol.
    pub(crate) fn poll_event(&mut self) -> Option<Event> {
        match self {
            Transport::Observed(observed) => match observed.speaking() {
                Some(speaking) => Some(Event::Speaking(speaking)),
                None => observed.inner.poll_event(),
            },
            Transport::DtlsSrtp(dtls) => dtls.poll_event(),
            Transport::Rtp(_) | Transport::Sdes(_) | Transport::Udptl(_) | Transport::Lane(_) => None,
        }
    }

    /// Time at which [`Transport::handle_timeout`] is due.
    #[inline]
    pub(crate) fn deadline(&self) -> Deadline {
        match self {
            Transport::DtlsSrtp(_) | Transport::Observed(_) => self.own_deadline(),
            Transport::Rtp(_) | Transport::Sdes(_) | Transport::Udptl(_) | Transport::Lane(_) => None,
        }
    }

    /// The deadline of a transport that may have one.
    #[inline(never)]
    fn own_deadline(&self) -> Deadline {
        match self {
            Transport::DtlsSrtp(dtls) => dtls.poll_timeout(),
            Transport::Observed(observed) => observed.deadline(),
            Transport::Rtp(_) | Transport::Sdes(_) | Transport::Udptl(_) | Transport::Lane(_) => None,
        }
    }

    pub(crate) fn handle_timeout(&mut self, now: Time) {
        match self {
            Transport::Observed(observed) => observed.handle_timeout(now),
            Transport::DtlsSrtp(dtls) => dtls.handle_timeout(now),
            Transport::Rtp(_) | Transport::Sdes(_) | Transport::Udptl(_) | Transport::Lane(_) => {}
        }
    }

    /// Says goodbye to the peer, if its protocol has a word for it.
    pub(crate) fn close(&mut self, now: Time) {
        match self {
            Transport::Observed(observed) => observed.inner.close(now),
            Transport::DtlsSrtp(dtls) => dtls.close(now),
            Transport::Rtp(_) | Transport::Sdes(_) | Transport::Udptl(_) | Transport::Lane(_) => {}
        }
    }

    /// Paths of the shared sockets that are bound to the leg.
    pub(crate) fn paths(&self) -> impl Iterator<Item = Path> + '_ {
        let transport = match self {
            Transport::Observed(observed) => &observed.inner,
            other => other,
        };
        let dtls = match transport {
            Transport::DtlsSrtp(dtls) => Some(dtls),
            Transport::Observed(_)
            | Transport::Rtp(_)
            | Transport::Sdes(_)
            | Transport::Udptl(_)
            | Transport::Lane(_) => None,
        };
        dtls.into_iter().flat_map(|dtls| dtls.paths())
    }
}
