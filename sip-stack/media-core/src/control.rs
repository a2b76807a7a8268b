//! Commands of signalling to a media shard, and events back: plain data.

use std::net::SocketAddr;
use std::sync::Arc;

use crate::negotiated::{Codec, IceCredentials, Negotiated};
pub use crate::stats::Mode;

pub use crate::prompts::{Clip, Phrase, Prompts};

/// A leg of a call. Chosen by signalling, unique in the life of the process, never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LegId(pub u64);

/// One of a leg's streams: its place in [`Negotiated::streams`]. The first one is the leg's voice: commands and events that
/// name no stream concern that one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamIndex(pub u8);

impl StreamIndex {
    /// The leg's voice.
    pub const FIRST: StreamIndex = StreamIndex(0);
}

/// Legs that hear each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BridgeId(pub u64);

/// A source of sound that is injected into a leg. Chosen by whoever injects, unique among those of that leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InjectionId(pub u64);

/// Samples a second of 16-bit mono sound that is injected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SoundRate {
    /// Telephone bandwidth.
    Hz8000,
    /// Wideband.
    Hz16000,
    /// As Opus and most speech engines have it; what a leg hears of it ends at 7 kHz.
    Hz48000,
}

impl SoundRate {
    /// The rate, hertz.
    #[must_use]
    pub const fn hertz(self) -> u32 {
        match self {
            SoundRate::Hz8000 => 8_000,
            SoundRate::Hz16000 => 16_000,
            SoundRate::Hz48000 => 48_000,
        }
    }
}

/// A UDP socket that the shell holds for a shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SocketId(pub u32);

/// Protocol of a leg on the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LegKind {
    /// ICE-lite, DTLS-SRTP, rtcp-mux on the shard's browser sockets. The credentials are needed at once: a browser may
    /// check before its answer reaches us.
    Browser {
        /// Our side's user name fragment and password.
        ice: IceCredentials,
    },
    /// A browser from its own side: full ICE, DTLS-SRTP and rtcp-mux on the first of a pair of ports of its own.
    WebRtc {
        /// The address to bind; the shell picks the port in its range.
        local: std::net::IpAddr,
        /// Our side's user name fragment and password.
        ice: IceCredentials,
    },
    /// RTP and RTCP on a pair of ports of its own: plain, or by SDES once [`Command::Connect`] says so and brings the keys.
    Phone {
        /// The address to bind; the shell picks the port in its range.
        local: std::net::IpAddr,
        /// Sources that media are accepted from.
        source: MediaSource,
    },
}

/// Sources that media of a phone or trunk are accepted from, and destination of ours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MediaSource {
    /// A source that proves itself: the address in the peer's SDP, or another port of that host or of the
    /// host that signalling comes from. A peer behind a NAT is heard.
    #[default]
    Learn,
    /// The address in the peer's SDP only.
    Strict,
}

/// Signalling to shard. Commands for one leg take effect in order. A command for a leg that is not there is ignored.
#[derive(Clone, Debug)]
pub enum Command {
    /// Makes a leg. Answered by [`Event::Opened`] or [`Event::Failed`].
    Open {
        /// Its name from now on.
        leg: LegId,
        /// Protocol of the leg.
        kind: LegKind,
    },
    /// The outcome of an offer and answer: the first one and each later one. Keeps SSRC, sequence numbers and keys.
    Connect {
        /// The leg.
        leg: LegId,
        /// Result of the negotiation.
        media: Box<Negotiated>,
    },
    /// Evidence from signalling about the place of a phone leg's peer. Without it the peer counts as reached,
    /// through proxies.
    Vouch {
        /// The leg.
        leg: LegId,
        /// Host that its signalling comes from, if nothing stands between: its media may come from there as well.
        host: Option<std::net::IpAddr>,
        /// True once the peer is known to receive what we send: it acknowledged or answered something. Before
        /// that, an address from which no media came is sent a few packets only.
        reached: bool,
    },
    /// Lets legs hear each other, in place of what each heard before. Sent again with the same name: changes who takes
    /// part and how, without a gap for those who stay. A leg takes part in one bridge at a time: it leaves the one that
    /// it was in. Two parties and nobody else: relay where both speak the same codec, otherwise transcode, which
    /// changes by itself when a later [`Command::Connect`] changes a codec. All else: a mix, in which each hears everybody
    /// but itself as the roles say; at 16 kHz among members with Opus where there are two of them or more, else at 8 kHz.
    ///
    /// Legs with several streams hear each other stream by stream: the first of one that of the others, the second the second.
    ///
    /// Sent to the home, to the shard of every member, and to the shard of every leg that was a member before.
    Bridge {
        /// Its name from now on.
        bridge: BridgeId,
        /// Shard on which its members meet; the same one as long as the bridge lasts.
        home: u8,
        /// Members. Legs that do not exist are left out, and so is the second mention of one; fewer than two end the bridge.
        members: Vec<Member>,
    },
    /// Ends a bridge: its legs hear nothing until told otherwise. Sent to the same shards as the last [`Command::Bridge`].
    Unbridge {
        /// The bridge.
        bridge: BridgeId,
    },
    /// Sound for a leg that is in no bridge, or whose bridge is muted by hold. `None`: silence.
    Play {
        /// The leg.
        leg: LegId,
        /// Application that the leg hears.
        application: Option<Application>,
    },
    /// Says something in the place of the application that the leg hears, which pauses meanwhile. Other sound
    /// for the leg, for example from a bridge, cuts it short at once. A phrase that comes while another is
    /// being said follows it; of several, only the last. Ends in one [`Event::Announced`].
    Announce {
        /// The leg.
        leg: LegId,
        /// Phrase to say.
        phrase: Phrase,
    },
    /// Sends a digit to the leg's peer by RFC 4733, with the end packet three times.
    SendDtmf {
        /// The leg.
        leg: LegId,
        /// `0`-`9`, `*`, `#`, `A`-`D`.
        digit: u8,
        /// 40 to 5,000.
        duration_ms: u16,
    },
    /// Taps a stream, or ends that: each packet of its peer and each packet for it becomes an
    /// [`Output::Tapped`](crate::shard::Output::Tapped) as well, until [`Output::Closed`](crate::shard::Output::Closed).
    Tap {
        /// The leg.
        leg: LegId,
        /// Its stream.
        stream: StreamIndex,
        /// True: from now on; false: no longer.
        on: bool,
    },
    /// Injects sound into what the leg's peer hears. The samples come through
    /// [`Shard::handle_sound`](crate::shard::Shard::handle_sound); where they are missing, they are silence. Sent again with the
    /// same name: begins anew. A bridge of two is mixed while it lasts; an echo is silent.
    Inject {
        /// The leg.
        leg: LegId,
        /// Name of the source.
        injection: InjectionId,
        /// Rate of its samples.
        rate: SoundRate,
        /// True: it is heard over the conversation, or over the application. False: instead of them.
        over: bool,
    },
    /// Ends [`Command::Inject`].
    EndInjection {
        /// The leg.
        leg: LegId,
        /// Name of the source.
        injection: InjectionId,
    },
    /// Asks for [`Event::Speaking`] of a leg, or ends that.
    WatchSpeech {
        /// The leg.
        leg: LegId,
        /// True: from now on; false: no longer.
        on: bool,
    },
    /// Asks for [`Event::Report`].
    Report {
        /// The leg.
        leg: LegId,
    },
    /// Ends a leg: a last report, DTLS close_notify or RTCP BYE, sockets freed. It leaves its bridge, which ends when
    /// fewer than two are left.
    Close {
        /// The leg.
        leg: LegId,
    },
}

/// Leg that takes part in a bridge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member {
    /// The leg.
    pub leg: LegId,
    /// Its part.
    pub role: Role,
    /// Shard that the leg was opened on.
    pub shard: u8,
}

/// Part of a leg in a bridge.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Role {
    /// Is heard by every other member; hears all parties, and the coaches that speak to it.
    #[default]
    Party,
    /// Hears all parties, is heard by nobody (listen).
    Listener,
    /// Hears all parties, is heard by this one alone (whisper).
    Coach(LegId),
}

/// Sound that a leg may hear from the shard itself.
#[derive(Clone, Debug)]
pub enum Application {
    /// The leg's own packets, sent back with rewritten headers.
    Echo,
    /// The bundled tune, in a loop.
    Music,
    /// A sine.
    Tone {
        /// 300 to 3,400.
        hertz: u16,
        /// Level, dBm0 (0 is 3.17 dB under full scale of G.711 µ-law); e.g. -10.
        dbm0: i8,
    },
    /// 440+480 Hz, two seconds on, four off.
    Ringback,
    /// 480+620 Hz, half a second on, half off.
    Busy,
    /// Samples once, or in a loop; and, if a lane is given, what the leg says is put into it.
    Clip {
        /// 16-bit mono at `rate`; empty for silence.
        samples: Arc<[i16]>,
        /// Hertz.
        rate: u32,
        /// Begin again at the end.
        repeat: bool,
        /// Destination of the leg's decoded 8 kHz mono frames; they are dropped and counted when it is full.
        record: Option<std::sync::mpsc::SyncSender<Vec<i16>>>,
    },
}

/// Shard to signalling.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The leg can be described in SDP now.
    Opened {
        /// The leg.
        leg: LegId,
        /// Its addresses: for a browser leg one candidate for each; for a phone leg `[rtp, rtcp]`.
        addresses: Vec<SocketAddr>,
    },
    /// The leg could not be opened, or broke; it is closed already.
    Failed {
        /// The leg.
        leg: LegId,
        /// Why.
        reason: Failure,
    },
    /// Keys agreed (browser) or remote address known (phone): media may flow.
    Connected {
        /// The leg.
        leg: LegId,
    },
    /// The first authentic RTP packet of a stream of the leg's peer.
    Talking {
        /// The leg.
        leg: LegId,
        /// Its stream.
        stream: StreamIndex,
    },
    /// A digit from the leg's peer, once for each press, at its end or when it has lasted.
    Dtmf {
        /// The leg.
        leg: LegId,
        /// Its stream.
        stream: StreamIndex,
        /// `0`-`9`, `*`, `#`, `A`-`D`.
        digit: u8,
        /// Time that the key was held.
        duration_ms: u16,
    },
    /// The leg's peer left: DTLS close_notify, or no authenticated STUN check for 15 s (browser only).
    Gone {
        /// The leg.
        leg: LegId,
        /// Reason of the failure.
        reason: Failure,
    },
    /// Flow of authentic RTP from the leg's peer: reported when it stops for 200 ms and when it comes back.
    Flow {
        /// The leg.
        leg: LegId,
        /// Its stream.
        stream: StreamIndex,
        /// True if it flows.
        flowing: bool,
    },
    /// Silence of a phone's leg from which something should come: neither valid RTP nor RTCP for the
    /// configured time. A leg from which nothing need come (its peer holds us, or we hold it) is never silent.
    Silent {
        /// The leg.
        leg: LegId,
        /// True: silent; false: heard again.
        silent: bool,
    },
    /// The leg's peer began to speak, or has been silent for a while: only after [`Command::WatchSpeech`].
    Speaking {
        /// The leg.
        leg: LegId,
        /// True: it speaks.
        speaking: bool,
    },
    /// An announcement is over.
    Announced {
        /// The leg.
        leg: LegId,
        /// All of it was said, and the application is back. False: it was cut short, the leg hears no application, or there was
        /// nothing to say.
        whole: bool,
    },
    /// Answer to [`Command::Report`], one for each stream, and sent unasked right before a leg closes.
    Report {
        /// The leg.
        leg: LegId,
        /// Its stream.
        stream: StreamIndex,
        /// Counts.
        report: Box<Report>,
        /// The leg is closed with this.
        last: bool,
    },
}

/// Why a leg failed or left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// No free port in the range, or the address cannot be bound.
    NoPort,
    /// The peer's certificate does not match the fingerprint in its SDP (RFC 8122).
    Fingerprint,
    /// The handshake failed or ran out of time.
    Dtls,
    /// DTLS close_notify.
    Closed,
    /// No authenticated STUN check for 15 s.
    Consent,
    /// The shard holds as many legs as it may.
    Full,
}

/// Counts of a stream, from the leg's beginning. Packets that could not be opened or belong to no stream count with the first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    /// Codec received last; none before the first packet.
    pub codec_received: Option<Codec>,
    /// Codec sent last; none before the first packet.
    pub codec_sent: Option<Codec>,
    /// RTP packets received and authentic.
    pub packets_received: u64,
    /// RTP payload octets received.
    pub octets_received: u64,
    /// RTP packets sent.
    pub packets_sent: u64,
    /// RTP payload octets sent.
    pub octets_sent: u64,
    /// Received packets that never came (RFC 3550 A.3).
    pub lost: u64,
    /// Packets refused: forged, replayed, malformed, of an unknown payload type.
    pub refused: u64,
    /// Interarrival jitter, µs (RFC 3550 A.8).
    pub jitter_us: u32,
    /// Loss that the peer reports for what we send, 0 to 255 of 256.
    pub remote_fraction_lost: u8,
    /// Jitter that the peer reports, µs.
    pub remote_jitter_us: u32,
    /// Round trip by RTCP, µs; 0 while unknown.
    pub round_trip_us: u32,
    /// Depth of the jitter buffer now, µs; 0 without one (relay).
    pub buffer_us: u32,
    /// Samples concealed (PLC or FEC) in this leg's receive path, at 8 kHz.
    pub concealed: u64,
    /// Frames recovered from FEC.
    pub fec_recovered: u64,
    /// E-model estimate (G.107) of what we hear from this leg, 1.0 to 4.5; 0.0 before the first packet.
    pub mos: f32,
    /// Present service of the leg.
    pub mode: Mode,
}
