//! A transport under observation: its packets go to a tap as well, or are heard for speech.
//!
//! The wrapper stands in the place of the transport and is matched where that one would be, so that a leg that nobody observes
//! has nothing to test. Its methods are kept out of line: those of [`Transport`] are written into the packet path as if it
//! were not there. Which way a packet takes afterwards, relayed, transcoded or mixed, makes no difference.

use smallvec::SmallVec;

use sans_io::{Deadline, Time, earlier};

use super::{Arrival, Lane, Received, Transport};
use crate::control::LegId;
use crate::negotiated::{Codec, StreamAgreed};
use crate::outbox::Outbox;
use crate::rtp::Packet;
use crate::tap::Way;
use crate::voice_activity::VoiceActivity;

/// Octets of the largest packet that needs no more room.
const ROOM: usize = 2_048;

/// A transport, and who observes it.
#[derive(Debug)]
pub(crate) struct Observed {
    pub(super) inner: Transport,
    leg: LegId,
    tapped: bool,
    voice: Option<VoiceActivity>,
    /// Payload types of the leg's agreement.
    codecs: SmallVec<[(u8, Codec); 4]>,
    /// The packet that is being sent, before encryption.
    sent: Vec<u8>,
}

impl Observed {
    fn new(leg: LegId, media: Option<&StreamAgreed>) -> Observed {
        let mut observed = Observed {
            // Nowhere, until the real one takes this place.
            inner: Transport::Lane(Lane {
                to: 0,
                leg,
                buffers: false,
                application: false,
                bridged: false,
            }),
            leg,
            tapped: false,
            voice: None,
            codecs: SmallVec::new(),
            sent: Vec::with_capacity(ROOM),
        };
        if let Some(media) = media {
            observed.agree(media);
        }
        observed
    }

    /// Takes the payload types of a new agreement.
    #[cold]
    #[inline(never)]
    pub(super) fn agree(&mut self, media: &StreamAgreed) {
        self.codecs.clear();
        self.codecs.push(media.send);
        self.codecs.extend(media.receive.iter().copied());
    }

    /// Takes a packet of the peer, open.
    #[cold]
    #[inline(never)]
    pub(super) fn receive(&mut self, now: Time, packet: &[u8], out: &mut Outbox) {
        let Ok(parsed) = Packet::parse(packet) else { return };
        let codec = self.codec(parsed.header.payload_type);
        if self.tapped {
            out.tapped(self.leg, Way::Received, codec, packet);
        }
        if let (Some(voice), Some(codec)) = (&mut self.voice, codec) {
            voice.packet(now, codec, parsed.payload);
        }
    }

    /// Sends as [`Transport::send`] does.
    #[cold]
    #[inline(never)]
    pub(super) fn send(
        &mut self,
        out: &mut Outbox,
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
            Transport::Lane(lane) => lane.send(out, room, write),
            Transport::Observed(_) => None,
        };
        if result.is_some() && self.tapped {
            let kind = self.sent.get(1).map_or(0, |octet| octet & 0x7f);
            out.tapped(self.leg, Way::Sent, self.codec(kind), &self.sent);
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
        media: Option<&StreamAgreed>,
    ) -> Received<'a> {
        match self.inner.receive(now, at, data, media) {
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

    fn codec(&self, payload_type: u8) -> Option<Codec> {
        let known = self.codecs.iter().find(|(number, _)| *number == payload_type);
        known.map(|(_, codec)| *codec)
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
    /// Lets each packet of the leg go to its tap, or ends that.
    pub(crate) fn tap(&mut self, leg: LegId, media: Option<&StreamAgreed>, on: bool) {
        self.observe(leg, media, |observed| observed.tapped = on);
    }

    /// Lets the leg be heard for speech, or ends that.
    pub(crate) fn listen_for_speech(&mut self, leg: LegId, media: Option<&StreamAgreed>, on: bool) {
        self.observe(leg, media, |observed| {
            if on {
                observed.voice.get_or_insert_default();
            } else {
                observed.voice = None;
            }
        });
    }

    /// True if the leg is tapped.
    pub(crate) fn is_tapped(&self) -> bool {
        matches!(self, Transport::Observed(observed) if observed.tapped)
    }

    /// Wraps or unwraps the transport, as it is observed or not after the change.
    fn observe(&mut self, leg: LegId, media: Option<&StreamAgreed>, change: impl FnOnce(&mut Observed)) {
        if !matches!(self, Transport::Observed(_)) {
            let mut observed = Box::new(Observed::new(leg, media));
            std::mem::swap(self, &mut observed.inner);
            *self = Transport::Observed(observed);
        }
        let Transport::Observed(observed) = self else {
            return;
        };
        change(observed);
        if !observed.tapped && observed.voice.is_none() {
            let nowhere = Observed::new(leg, None).inner;
            let inner = std::mem::replace(&mut observed.inner, nowhere);
            *self = inner;
        }
    }
}
