//! A transport under observation: its packets go to a tap as well, or are heard for speech.
//!
//! The wrapper stands in the place of the transport and is matched where that one would be, so that a leg that nobody observes
//! has nothing to test. Its methods are kept out of line: those of [`Transport`] are written into the packet path as if it
//! were not there. Which way a packet takes afterwards, relayed, transcoded or mixed, makes no difference.

use smallvec::SmallVec;

use sans_io::{Deadline, Time, earlier};

use super::{Arrival, Lane, Received, Transport};
use crate::control::{LegId, StreamIndex};
use crate::negotiated::{Codec, StreamAgreed};
use crate::outbox::Outbox;
use crate::rtp::Packet;
use crate::tap::{Tapped, Way};
use crate::voice_activity::VoiceActivity;

/// Octets of the largest packet that needs no more room.
const ROOM: usize = 2_048;

/// A transport, and who observes it.
#[derive(Debug)]
pub(crate) struct Observed {
    pub(super) inner: Transport,
    leg: LegId,
    /// The streams that are tapped.
    tapped: SmallVec<[StreamIndex; 2]>,
    /// Speech of the leg's voice.
    voice: Option<VoiceActivity>,
    /// Payload types of the agreements about the streams.
    codecs: SmallVec<[(StreamIndex, u8, Codec); 4]>,
    /// The packet that is being sent, before encryption.
    sent: Vec<u8>,
}

impl Observed {
    fn new(leg: LegId) -> Observed {
        Observed {
            // Nowhere, until the real one takes this place.
            inner: Transport::Lane(Lane {
                to: 0,
                leg,
                buffers: false,
                application: false,
            }),
            leg,
            tapped: SmallVec::new(),
            voice: None,
            codecs: SmallVec::new(),
            sent: Vec::with_capacity(ROOM),
        }
    }

    /// Takes the payload types of new agreements.
    #[cold]
    #[inline(never)]
    pub(super) fn agree<'a>(&mut self, streams: impl Iterator<Item = Option<&'a StreamAgreed>>) {
        self.codecs.clear();
        for (index, media) in (0..).map(StreamIndex).zip(streams) {
            let Some(media) = media else { continue };
            let codecs = [media.send].into_iter().chain(media.receive.iter().copied());
            self.codecs
                .extend(codecs.map(|(number, codec)| (index, number, codec)));
        }
    }

    /// Takes a packet of the peer, open.
    #[cold]
    #[inline(never)]
    pub(super) fn receive(&mut self, now: Time, stream: StreamIndex, packet: &[u8], out: &mut Outbox) {
        let Ok(parsed) = Packet::parse(packet) else { return };
        let codec = self.codec(stream, parsed.header.payload_type);
        if self.tapped.contains(&stream) {
            out.tapped(Tapped {
                leg: self.leg,
                stream,
                way: Way::Received,
                codec,
                data: packet,
            });
        }
        if let (Some(voice), Some(codec)) = (&mut self.voice, codec)
            && stream == StreamIndex::FIRST
        {
            voice.packet(now, codec, parsed.payload);
        }
    }

    /// Sends as [`Transport::send`] does.
    #[cold]
    #[inline(never)]
    pub(super) fn send(
        &mut self,
        out: &mut Outbox,
        stream: StreamIndex,
        room: usize,
        write: impl FnOnce(&mut [u8]) -> Option<usize>,
    ) -> Option<usize> {
        let sent = &mut self.sent;
        sent.clear();
        let write = |buffer: &mut [u8]| {
            let length = write(buffer)?;
            sent.extend_from_slice(buffer.get(..length)?);
            Some(length)
        };
        let result = match &mut self.inner {
            Transport::DtlsSrtp(dtls) => dtls.send(out, room, write),
            Transport::Rtp(path) => path.send(out, room, write),
            Transport::Sdes(sdes) => sdes.send(out, room, write),
            Transport::Lane(lane) => lane.send(out, stream, room, write),
            Transport::Udptl(_) | Transport::Observed(_) => None,
        };
        if result.is_some() && self.tapped.contains(&stream) {
            let kind = self.sent.get(1).map_or(0, |octet| octet & 0x7f);
            out.tapped(Tapped {
                leg: self.leg,
                stream,
                way: Way::Sent,
                codec: self.codec(stream, kind),
                data: &self.sent,
            });
        }
        result
    }

    /// Judges and opens a datagram as [`Transport::receive`] does.
    #[cold]
    #[inline(never)]
    pub(super) fn open<'a>(
        &mut self,
        now: Time,
        at: Arrival,
        data: &'a mut [u8],
        agreed: impl FnOnce(&Packet<'_>) -> bool,
    ) -> Received<'a> {
        // Not `Transport::receive`, which would hold a copy of this function in itself.
        let received = match &mut self.inner {
            Transport::DtlsSrtp(dtls) => dtls.handle_datagram(now, at.socket, at.from, data),
            Transport::Rtp(path) => path.receive(now, at, data, agreed),
            Transport::Sdes(sdes) => sdes.receive(now, at, data),
            Transport::Udptl(fax) => fax.receive(now, at, data),
            Transport::Lane(_) | Transport::Observed(_) => Received::Nothing,
        };
        match received {
            Received::Rtp(packet) => Received::Observed(packet),
            other => other,
        }
    }

    /// The lane, if the leg is a stand-in.
    #[cold]
    #[inline(never)]
    pub(super) fn lane(&self) -> Option<&Lane> {
        self.inner.lane()
    }

    /// True if the peer has a jitter buffer that is better than ours.
    #[cold]
    #[inline(never)]
    pub(super) fn buffers(&self) -> bool {
        self.inner.buffers()
    }

    /// True if checks of its own tell whether the peer is there.
    #[cold]
    #[inline(never)]
    pub(super) fn checks_peer(&self) -> bool {
        self.inner.checks_peer()
    }

    fn codec(&self, stream: StreamIndex, payload_type: u8) -> Option<Codec> {
        let mut known = self.codecs.iter();
        let known = known.find(|(of, number, _)| *of == stream && *number == payload_type);
        known.map(|(.., codec)| *codec)
    }

    #[cold]
    #[inline(never)]
    pub(super) fn deadline(&self) -> Deadline {
        let voice = self.voice.as_ref().and_then(VoiceActivity::deadline);
        earlier(self.inner.deadline(), voice)
    }

    #[cold]
    #[inline(never)]
    pub(super) fn handle_timeout(&mut self, now: Time) {
        if self.inner.deadline().is_some_and(|(at, _)| at <= now) {
            self.inner.handle_timeout(now);
        }
        if let Some(voice) = &mut self.voice {
            voice.handle_timeout(now);
        }
    }

    /// The next news of speech.
    #[cold]
    #[inline(never)]
    pub(super) fn speaking(&mut self) -> Option<bool> {
        self.voice.as_mut()?.poll()
    }
}

impl Transport {
    /// Lets each packet of a stream go to its tap, or ends that. `streams` are the agreements about all of the leg's.
    pub(crate) fn tap<'a>(
        &mut self,
        leg: LegId,
        streams: impl Iterator<Item = Option<&'a StreamAgreed>>,
        stream: StreamIndex,
        on: bool,
    ) {
        self.observe(leg, streams, |observed| {
            observed.tapped.retain(|tapped| *tapped != stream);
            if on {
                observed.tapped.push(stream);
            }
        });
    }

    /// Lets the leg be heard for speech, or ends that.
    pub(crate) fn listen_for_speech<'a>(
        &mut self,
        leg: LegId,
        streams: impl Iterator<Item = Option<&'a StreamAgreed>>,
        on: bool,
    ) {
        self.observe(leg, streams, |observed| {
            if on {
                observed.voice.get_or_insert_default();
            } else {
                observed.voice = None;
            }
        });
    }

    /// True if a stream of the leg is tapped.
    pub(crate) fn is_tapped(&self) -> bool {
        matches!(self, Transport::Observed(observed) if !observed.tapped.is_empty())
    }

    /// Wraps or unwraps the transport, as it is observed or not after the change.
    fn observe<'a>(
        &mut self,
        leg: LegId,
        streams: impl Iterator<Item = Option<&'a StreamAgreed>>,
        change: impl FnOnce(&mut Observed),
    ) {
        if !matches!(self, Transport::Observed(_)) {
            let mut observed = Box::new(Observed::new(leg));
            observed.agree(streams);
            std::mem::swap(self, &mut observed.inner);
            *self = Transport::Observed(observed);
        }
        let Transport::Observed(observed) = self else {
            return;
        };
        change(observed);
        if observed.tapped.is_empty() && observed.voice.is_none() {
            let nowhere = Observed::new(leg).inner;
            let inner = std::mem::replace(&mut observed.inner, nowhere);
            *self = inner;
        }
    }
}
