//! Peers with the right keys: a browser whose keys come from a DTLS handshake, a phone whose keys are in SDP, and a phone without.

use std::net::SocketAddr;
use std::sync::Arc;

use media_core::Clock;
use media_core::control::{MediaSource, SocketId};
use media_core::dtls::Identity;
use media_core::negotiated::{DtlsRole, Fingerprint, IceCredentials};
use media_core::rtp::{HEADER, Header};
use media_core::srtp::{Keys, RTCP_OVERHEAD};
use media_core::transport::{Arrival, DtlsSrtp, Received, Rtp, Sdes};
use sans_io::Time;

use super::super::super::browser_leg::{CHECK, octets};
use super::super::super::srtp::{key, profile};

/// Packets that a peer remembers, to send them again.
const PAST: usize = 32;
/// Octets of 20 ms.
const FRAME: u32 = 160;

/// Suite and numbers of the keys of both directions, as the peer sees them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Agreed {
    pub(super) suite: u8,
    pub(super) local: u8,
    pub(super) remote: u8,
}

impl Agreed {
    /// The keys as the peer has them.
    pub(super) fn keys(self) -> Keys {
        let suite = profile(self.suite);
        Keys {
            local: key(suite, self.local),
            remote: key(suite, self.remote),
        }
    }

    /// The same keys as the gateway has them.
    pub(super) fn reversed(self) -> Agreed {
        Agreed {
            local: self.remote,
            remote: self.local,
            ..self
        }
    }
}

enum Kind {
    Browser(Box<DtlsSrtp>),
    Sealed(Box<Sdes>),
    Plain,
}

/// The far end of a leg.
pub(super) struct Peer {
    kind: Kind,
    ssrc: u32,
    sequence: u16,
    timestamp: u32,
    /// What it sent last, as it was on the wire.
    past: Vec<Vec<u8>>,
    /// Packets of sound that it heard.
    pub(super) heard: u32,
}

impl Peer {
    fn new(kind: Kind, ssrc: u32) -> Peer {
        Peer {
            kind,
            ssrc,
            // Far from the turn of the numbers: who heard nothing before it cannot know of it (RFC 3711 §3.3.1).
            sequence: 1_000,
            timestamp: u32::MAX - 3_000,
            past: Vec::new(),
            heard: 0,
        }
    }

    /// A browser that begins the handshake with the one who has this fingerprint.
    pub(super) fn browser(
        now: Time,
        (ice, gateway): (&IceCredentials, &Fingerprint),
        (identity, clock): (&Arc<Identity>, Clock),
    ) -> Peer {
        let mut leg = DtlsSrtp::new(now, ice, identity, clock);
        leg.connect(now, ice, gateway, DtlsRole::Active);
        let mut peer = Peer::new(Kind::Browser(Box::new(leg)), 70);
        peer.check(now);
        peer
    }

    /// A phone whose keys are in SDP.
    pub(super) fn sealed(agreed: Agreed) -> Peer {
        let mut path = Rtp::new(MediaSource::Learn);
        path.bind(SocketId(0), SocketId(1));
        let sdes = Sdes::new(path, &agreed.keys());
        Peer::new(Kind::Sealed(Box::new(sdes)), 71)
    }

    pub(super) fn plain() -> Peer {
        Peer::new(Kind::Plain, 72)
    }

    /// A check of the gateway's, which a browser needs from time to time.
    pub(super) fn check(&mut self, now: Time) {
        if let Kind::Browser(leg) = &mut self.kind {
            leg.handle_datagram(now, SocketId(0), gateway(), &mut octets(CHECK));
        }
    }

    /// True once it has keys, or needs none.
    pub(super) fn is_connected(&self) -> bool {
        match &self.kind {
            Kind::Browser(leg) => leg.is_connected(),
            Kind::Sealed(_) | Kind::Plain => true,
        }
    }

    pub(super) fn set_keys(&mut self, agreed: Agreed) {
        if let Kind::Sealed(sdes) = &mut self.kind {
            sdes.set_keys(&agreed.keys());
            // What it sent by another key is none of this one's.
            self.past.clear();
        }
    }

    /// Time at which its handshake has something to do.
    pub(super) fn deadline(&self) -> Option<Time> {
        match &self.kind {
            Kind::Browser(leg) => leg.poll_timeout().map(|(at, _)| at),
            Kind::Sealed(_) | Kind::Plain => None,
        }
    }

    pub(super) fn handle_timeout(&mut self, now: Time) {
        if let Kind::Browser(leg) = &mut self.kind {
            leg.handle_timeout(now);
        }
    }

    /// Next datagram of its handshake.
    pub(super) fn poll_transmit(&mut self) -> Option<Vec<u8>> {
        match &mut self.kind {
            Kind::Browser(leg) => leg.poll_transmit().map(|transmit| transmit.data.to_vec()),
            Kind::Sealed(_) | Kind::Plain => None,
        }
    }

    /// The next packet of 20 ms, before it is protected.
    pub(super) fn speak(&mut self) -> Vec<u8> {
        self.sequence = self.sequence.wrapping_add(1);
        self.timestamp = self.timestamp.wrapping_add(FRAME);
        let header = Header {
            marker: false,
            payload_type: 0,
            sequence: self.sequence,
            timestamp: self.timestamp,
            ssrc: self.ssrc,
        };
        let mut packet = vec![0x55; HEADER + FRAME as usize];
        header.write(packet.first_chunk_mut().expect("12 octets"));
        packet
    }

    /// Protects a packet by its key, and remembers it. `None` while there is no key, and for one that SRTP does not take.
    pub(super) fn protect(&mut self, mut packet: Vec<u8>, rtcp: bool) -> Option<Vec<u8>> {
        let length = packet.len();
        packet.resize(length + RTCP_OVERHEAD, 0);
        let length = match (&mut self.kind, rtcp) {
            (Kind::Browser(leg), false) => leg.protect_rtp(&mut packet, length)?,
            (Kind::Browser(leg), true) => leg.protect_rtcp(&mut packet, length)?,
            (Kind::Sealed(sdes), false) => sdes.protect_rtp(&mut packet, length)?,
            (Kind::Sealed(sdes), true) => sdes.protect_rtcp(&mut packet, length)?,
            (Kind::Plain, _) => length,
        };
        packet.truncate(length);
        if self.past.len() == PAST {
            self.past.remove(0);
        }
        self.past.push(packet.clone());
        Some(packet)
    }

    /// A packet that it sent before.
    pub(super) fn past(&self, back: u8) -> Option<Vec<u8>> {
        self.past.iter().rev().nth(usize::from(back)).cloned()
    }

    /// Takes a datagram of the gateway.
    pub(super) fn take(&mut self, now: Time, data: &mut [u8]) {
        let received = match &mut self.kind {
            Kind::Browser(leg) => {
                let received = leg.handle_datagram(now, SocketId(0), gateway(), data);
                matches!(received, Received::Rtp(_))
            }
            Kind::Sealed(sdes) => {
                let at = Arrival {
                    socket: SocketId(0),
                    rtcp: false,
                    from: gateway(),
                };
                matches!(sdes.receive(now, at, data), Received::Rtp(_))
            }
            Kind::Plain => data.get(1).is_some_and(|second| !(192..=223).contains(second)),
        };
        self.heard += u32::from(received);
    }
}

/// The gateway's address, as peers see it.
pub(super) const fn gateway() -> SocketAddr {
    SocketAddr::new(
        std::net::IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 200)),
        10_000,
    )
}
