//! The outcome of an SDP offer and answer, as a leg needs it: what [`crate::sdp`] produces and the shard consumes.

mod foreign;

use std::net::SocketAddr;

use smallvec::SmallVec;

use crate::rtp::Packet;
use crate::srtp::Keys;

pub use foreign::{Foreign, Passed};

/// An audio codec: one that we can speak, or one that we pass on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Codec {
    /// RFC 7587, 48 kHz clock.
    Opus,
    /// G.711 µ-law, 8 kHz (RFC 3551).
    Pcmu,
    /// G.711 A-law, 8 kHz (RFC 3551).
    Pcma,
    /// G.722 at 64 kbit/s: sound of 16 kHz, and a clock of 8 kHz all the same (RFC 3551 §4.5.2).
    G722,
    /// One that we can neither decode nor encode.
    Foreign(Foreign),
}

impl Codec {
    /// Name as in `a=rtpmap`.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Codec::Opus => "opus",
            Codec::Pcmu => "PCMU",
            Codec::Pcma => "PCMA",
            Codec::G722 => "G722",
            Codec::Foreign(format) => format.name(),
        }
    }

    /// RTP clock rate, hertz.
    #[must_use]
    pub const fn clock(self) -> u32 {
        match self {
            Codec::Opus => 48_000,
            Codec::Pcmu | Codec::Pcma | Codec::G722 => 8_000,
            Codec::Foreign(format) => format.clock(),
        }
    }

    /// True if we decode it to sound of 16 kHz.
    #[must_use]
    pub const fn is_wideband(self) -> bool {
        match self {
            Codec::Opus | Codec::G722 => true,
            Codec::Pcmu | Codec::Pcma | Codec::Foreign(_) => false,
        }
    }

    /// The format, if it is one that we can only pass on.
    #[must_use]
    pub const fn foreign(self) -> Option<Foreign> {
        match self {
            Codec::Foreign(format) => Some(format),
            Codec::Opus | Codec::Pcmu | Codec::Pcma | Codec::G722 => None,
        }
    }

    /// True if we can only pass it on.
    #[must_use]
    pub const fn is_foreign(self) -> bool {
        matches!(self, Codec::Foreign(_))
    }
}

/// Direction of media as our side sees it (RFC 3264 §5.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Direction {
    /// Both ways.
    #[default]
    SendRecv,
    /// We send, the peer does not.
    SendOnly,
    /// The peer sends, we do not.
    RecvOnly,
    /// Neither sends.
    Inactive,
}

impl Direction {
    /// We may send.
    #[must_use]
    pub const fn sends(self) -> bool {
        matches!(self, Direction::SendRecv | Direction::SendOnly)
    }

    /// We may receive.
    #[must_use]
    pub const fn receives(self) -> bool {
        matches!(self, Direction::SendRecv | Direction::RecvOnly)
    }

    /// Direction that both allow, each written as our side sees it (RFC 3264 §6.1).
    #[must_use]
    pub const fn intersect(self, other: Direction) -> Direction {
        match (self.sends() && other.sends(), self.receives() && other.receives()) {
            (true, true) => Direction::SendRecv,
            (true, false) => Direction::SendOnly,
            (false, true) => Direction::RecvOnly,
            (false, false) => Direction::Inactive,
        }
    }

    /// The same stream seen from the other end.
    #[must_use]
    pub const fn reversed(self) -> Direction {
        match self {
            Direction::SendOnly => Direction::RecvOnly,
            Direction::RecvOnly => Direction::SendOnly,
            both => both,
        }
    }
}

/// Result of negotiating the media of a leg.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Negotiated {
    /// Streams that were agreed, in the order of the sections; those refused with port 0 are left out. Audio is the only kind that is
    /// agreed to; beside a fax there is none. A stream keeps its place as long as the leg lasts: one that ends before a later one stays here as inactive.
    pub streams: SmallVec<[StreamAgreed; 1]>,
    /// Transport and addresses, which all streams share (BUNDLE, RFC 8843).
    pub transport: Transport,
}

impl Negotiated {
    /// The first stream; `None` if every section was refused.
    #[must_use]
    pub fn audio(&self) -> Option<&StreamAgreed> {
        self.streams.first()
    }
}

/// Result of negotiating one stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamAgreed {
    /// Ours.
    pub direction: Direction,
    /// Payload type and codec that we send.
    pub send: (u8, Codec),
    /// Payload types and codecs that the peer may send, best first.
    pub receive: Vec<(u8, Codec)>,
    /// RFC 4733 digits, if agreed.
    pub telephone_event: Option<TelephoneEvent>,
    /// Milliseconds of audio a packet that we send, 10 to 60.
    pub ptime_ms: u8,
    /// Wishes of the peer for the Opus that we send (RFC 7587 §6.1).
    pub opus: OpusParameters,
    /// Marks by which its packets are told from those of the leg's other streams.
    pub labels: Labels,
}

/// Marks of a stream's packets, where several streams share a transport (RFC 8843 §9.2). Without any, a payload type that no
/// other stream uses tells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Labels {
    /// `a=mid`, if the peer sends it in a header extension.
    pub mid: Option<Mid>,
    /// Sources that the peer names (`a=ssrc`, RFC 5576).
    pub sources: SmallVec<[u32; 1]>,
}

/// Name of a section in the packets of its stream (RFC 8843 §15).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mid {
    /// Number of the header extension (`a=extmap`).
    pub extension: u8,
    /// The name.
    pub value: String,
}

impl StreamAgreed {
    /// True if the peer hears sound of 16 kHz: it is sent a wideband codec, and its `maxplaybackrate` allows that.
    #[must_use]
    pub fn hears_wideband(&self) -> bool {
        self.send.1.is_wideband() && self.opus.max_playback_rate >= crate::codec::WIDE
    }

    /// Telephone events that the peer sends by this payload type. Some peers answer our offer with a number
    /// of their own and send by that, where RFC 3264 §6.1 wants ours; it is accepted if it means nothing else.
    #[must_use]
    pub fn event(&self, payload_type: u8) -> Option<TelephoneEvent> {
        let is_codec = self.receive.iter().any(|(number, _)| *number == payload_type);
        self.telephone_event
            .filter(|event| event.receive == payload_type || (event.send == payload_type && !is_codec))
    }

    /// True if the peer may send by this payload type.
    #[must_use]
    pub fn takes(&self, payload_type: u8) -> bool {
        self.receive.iter().any(|(number, _)| *number == payload_type) || self.event(payload_type).is_some()
    }

    /// True if the packet carries something, by an agreed payload type.
    #[must_use]
    pub fn is_sound_or_key(&self, packet: &Packet<'_>) -> bool {
        self.takes(packet.header.payload_type) && !packet.payload.is_empty()
    }
}

/// RFC 4733 named events, both ways.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TelephoneEvent {
    /// Payload type that we send.
    pub send: u8,
    /// Payload type that we receive.
    pub receive: u8,
    /// RTP clock of the event's stream, hertz: the clock of the codec beside it.
    pub clock: u32,
}

/// The peer's wishes for the Opus we send; the defaults are those of RFC 7587.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpusParameters {
    /// `maxplaybackrate`, hertz.
    pub max_playback_rate: u32,
    /// `maxaveragebitrate`, bit/s, if given.
    pub max_average_bitrate: Option<u32>,
    /// `useinbandfec=1`.
    pub in_band_fec: bool,
    /// `usedtx=1`.
    pub dtx: bool,
    /// `stereo=1`: the peer prefers two channels. We send one whatever it says.
    pub stereo: bool,
}

impl Default for OpusParameters {
    fn default() -> Self {
        OpusParameters {
            max_playback_rate: 48_000,
            max_average_bitrate: None,
            in_band_fec: false,
            dtx: false,
            stereo: false,
        }
    }
}

/// Transport of packets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Transport {
    /// `RTP/AVP`.
    Rtp {
        /// Address where the peer receives RTP; `None` for hold by `c=0.0.0.0` (RFC 2543). We latch to where
        /// it sends from.
        remote: Option<SocketAddr>,
        /// Address where the peer receives RTCP.
        remote_rtcp: Option<SocketAddr>,
        /// RTP and RTCP on one port (RFC 5761).
        rtcp_mux: bool,
    },
    /// `RTP/SAVP` with the keys in SDP (RFC 4568).
    Sdes {
        /// As for plain RTP.
        remote: Option<SocketAddr>,
        /// Address where the peer receives RTCP.
        remote_rtcp: Option<SocketAddr>,
        /// RTP and RTCP on one port (RFC 5761).
        rtcp_mux: bool,
        /// The suite and the keys of both directions. Not for logs, and their `Debug` shows none.
        keys: Box<Keys>,
    },
    /// `udptl`: a fax in the place of the audio (ITU-T T.38), in the clear.
    Udptl {
        /// Address where the peer receives it; `None` where its SDP names none.
        remote: Option<SocketAddr>,
    },
    /// `UDP/TLS/RTP/SAVPF` with ICE, rtcp-mux always.
    Dtls {
        /// The peer's credentials.
        remote_ice: IceCredentials,
        /// Ours: new ones after an ICE restart (RFC 8839 §4.4.1.1.1).
        local_ice: IceCredentials,
        /// The hash of the peer's certificate.
        fingerprint: Fingerprint,
        /// Our role in the handshake; kept over re-offers.
        role: DtlsRole,
        /// Checks of ours; `None` where we are lite, and the peer makes them.
        checks: Option<IceChecks>,
    },
}

impl Transport {
    /// Address where the peer receives RTP, as its SDP says; a browser's is known by ICE alone.
    #[must_use]
    pub const fn remote(&self) -> Option<SocketAddr> {
        match self {
            Transport::Rtp { remote, .. } | Transport::Sdes { remote, .. } | Transport::Udptl { remote } => {
                *remote
            }
            Transport::Dtls { .. } => None,
        }
    }
}

/// `a=ice-ufrag` and `a=ice-pwd` (RFC 8839).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IceCredentials {
    /// 4 to 256 ice-chars.
    pub ufrag: String,
    /// 22 to 256 ice-chars.
    pub pwd: String,
}

/// Checks that a full agent makes (RFC 8445 §6.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IceChecks {
    /// Addresses of the peer, best first.
    pub candidates: Vec<SocketAddr>,
    /// True if we choose among those that answer.
    pub controlling: bool,
}

/// Side that begins the DTLS handshake (RFC 5763 §5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DtlsRole {
    /// We send the ClientHello: `a=setup:active`.
    Active,
    /// The peer does: `a=setup:passive`.
    Passive,
}

/// `a=fingerprint` (RFC 8122).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fingerprint {
    /// The hash function.
    pub hash: Hash,
    /// Its value: 20, 32, 48 or 64 octets.
    pub value: Vec<u8>,
}

/// Hash functions of RFC 8122 that we accept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hash {
    /// `sha-256`
    Sha256,
    /// `sha-384`
    Sha384,
    /// `sha-512`
    Sha512,
}
