//! Packets for the peer: made of sound, passed on as they came, or the events of a digit.

use sans_io::Time;

use super::{End, Stream};
use crate::codec::{Encoder, Pool, RATE};
use crate::negotiated::Codec;
use crate::outbox::Outbox;
use crate::rtp::{HEADER, Header};
use crate::tone::Dual;

/// Octets of the largest payload we write.
const ROOM: usize = 1_400;

/// A digit on its way out.
#[derive(Debug)]
pub(super) enum Digit {
    /// An event that began at this timestamp.
    Event(u32),
    /// Sound, for a peer that knows no events.
    Sound(Dual),
}

impl Stream {
    /// Payload type for sending this codec: that of the agreement, or, for a codec that the peer sends
    /// itself, the one that it uses.
    pub(crate) fn payload_type(&self, codec: Codec) -> Option<u8> {
        let media = self.media.as_ref()?;
        if media.send.1 == codec {
            return Some(media.send.0);
        }
        media
            .receive
            .iter()
            .find(|(_, known)| *known == codec)
            .map(|(number, _)| *number)
    }

    /// True if sound may go to the peer now.
    pub(crate) fn may_send(&self) -> bool {
        self.media.as_ref().is_some_and(|media| media.direction.sends())
    }

    /// Samples of a packet that we make, at `rate`.
    pub(crate) fn samples_of_packet(&self, rate: u32) -> usize {
        self.frame() * (rate / RATE) as usize
    }

    /// Samples of a packet that we make, at 8 kHz.
    pub(crate) fn frame(&self) -> usize {
        let ptime = self.media.as_ref().map_or(20, |media| media.ptime_ms);
        let ptime = match (self.media.as_ref().map(|media| media.send.1), ptime) {
            // Opus has frames of these lengths.
            (Some(Codec::Opus), 0..20) => 10,
            (Some(Codec::Opus), 20..40) => 20,
            (Some(Codec::Opus), 40..60) => 40,
            (Some(Codec::Opus), _) => 60,
            (_, ptime) => ptime.clamp(10, 60),
        };
        usize::from(ptime) * RATE as usize / 1_000
    }

    /// Sees to it that sound at `rate`, if the codec has it, can be encoded for the peer.
    pub(crate) fn prepare_encoder(&mut self, rate: u32, pool: &mut Pool) {
        let Some(media) = &self.media else { return };
        let codec = media.send.1;
        let rate = if codec.is_wideband() { rate } else { RATE };
        if let Some(Encoder::G722(encoder)) = &mut self.encoder
            && codec == Codec::G722
        {
            // The peer's decoder follows its past.
            encoder.set_rate(rate);
            return;
        }
        if self
            .encoder
            .as_ref()
            .is_some_and(|encoder| encoder.codec() == codec && encoder.rate() == rate)
        {
            return;
        }
        let made = pool.encoder(codec, rate, &media.opus).ok();
        if let Some(old) = std::mem::replace(&mut self.encoder, made) {
            pool.give_encoder(old);
        }
    }

    /// True while its peer, which knows no events, is sent the tones of a digit.
    pub(crate) fn sends_tones(&self) -> bool {
        matches!(self.digit, Some(Digit::Sound(_)))
    }

    /// Notes that nothing is sent for so many samples.
    pub(crate) fn pass(&mut self, samples: usize) {
        self.egress.skip(self.ticks(samples));
    }

    /// Converts samples of the encoder to ticks of the outgoing stream.
    fn ticks(&self, samples: usize) -> u32 {
        let rate = self.encoder.as_ref().map_or(RATE, Encoder::rate);
        (samples as u64 * u64::from(self.egress.clock()) / u64::from(rate)) as u32
    }
}

impl End<'_> {
    /// Sends the next frame of sound, unless a digit is being sent or the peer is not to hear anything: then time passes.
    pub(crate) fn send_sound(&mut self, now: Time, pcm: &[i16], out: &mut Outbox) {
        if self.stream.sends_tones() {
            // Their packets take up this time.
            return;
        }
        if self.stream.digits.active() || !self.stream.may_send() {
            self.stream.pass(pcm.len());
        } else {
            self.encode(now, pcm, out);
        }
    }

    /// Sends a frame of so many samples that is encoded already.
    pub(crate) fn send_encoded(&mut self, now: Time, samples: usize, payload: &[u8], out: &mut Outbox) {
        let ticks = self.stream.ticks(samples);
        let Some((number, codec)) = self.stream.media.as_ref().map(|media| media.send) else {
            return;
        };
        let (may, egress) = (self.stream.may_send(), &mut self.stream.egress);
        let sent = may
            && self
                .transport
                .send(out, self.index, HEADER + payload.len(), |buffer| {
                    let (head, body) = buffer.split_first_chunk_mut::<HEADER>()?;
                    egress.next(now, number, ticks, payload.len()).write(head);
                    body.copy_from_slice(payload);
                    Some(buffer.len())
                });
        if sent {
            self.stream.count.codec_sent = Some(codec);
        } else {
            self.stream.egress.skip(ticks);
        }
    }

    pub(super) fn encode(&mut self, now: Time, pcm: &[i16], out: &mut Outbox) {
        let stream = &mut *self.stream;
        let ticks = stream.ticks(pcm.len());
        let (Some(media), Some(encoder)) = (&stream.media, &mut stream.encoder) else {
            return;
        };
        let (number, codec) = media.send;
        let (egress, stale) = (&mut stream.egress, &mut stream.stale);
        let sent = encoder.codec() == codec
            && self.transport.send(out, self.index, HEADER + ROOM, |buffer| {
                let (head, payload) = buffer.split_first_chunk_mut::<HEADER>()?;
                if std::mem::take(stale) {
                    // The encoder takes this frame for its past: no gap where its delay was empty.
                    let _ = encoder.encode(pcm, payload);
                }
                let length = encoder.encode(pcm, payload).ok().flatten()?;
                egress.next(now, number, ticks, length).write(head);
                Some(HEADER + length)
            });
        if sent {
            self.stream.count.codec_sent = Some(codec);
        } else {
            self.stream.egress.skip(ticks);
        }
    }

    /// Passes a packet on: another header, the same payload.
    pub(crate) fn relay(
        &mut self,
        now: Time,
        codec: Codec,
        header: Header,
        payload: &[u8],
        out: &mut Outbox,
    ) {
        let stream = &mut *self.stream;
        let Some(number) = stream.payload_type(codec) else {
            stream.egress.leave_out(header);
            return;
        };
        if stream.digits.active() || !stream.may_send() {
            stream.egress.interrupt();
            return;
        }
        stream.egress.set_clock(codec.clock());
        let ticks = crate::codec::duration(codec, payload).unwrap_or(codec.clock() / 50);
        let egress = &mut stream.egress;
        let sent = self
            .transport
            .send(out, self.index, HEADER + payload.len(), |buffer| {
                let (head, body) = buffer.split_first_chunk_mut::<HEADER>()?;
                egress
                    .relay(now, header, number, ticks, payload.len())
                    .write(head);
                body.copy_from_slice(payload);
                Some(buffer.len())
            });
        if sent {
            self.stream.count.codec_sent = Some(codec);
        }
    }

    /// Passes on a packet of a telephone event, which advances no clock.
    pub(crate) fn relay_event(&mut self, now: Time, header: Header, payload: &[u8], out: &mut Outbox) {
        let stream = &mut *self.stream;
        if stream.digits.active() || !stream.may_send() {
            stream.egress.interrupt();
            return;
        }
        let (kind, egress) = (header.payload_type, &mut stream.egress);
        self.transport
            .send(out, self.index, HEADER + payload.len(), |buffer| {
                let (head, body) = buffer.split_first_chunk_mut::<HEADER>()?;
                egress.relay(now, header, kind, 0, payload.len()).write(head);
                body.copy_from_slice(payload);
                Some(buffer.len())
            });
    }

    /// Sends the due packet of a digit.
    pub(crate) fn send_digit(&mut self, now: Time, pool: &mut Pool, out: &mut Outbox) {
        while let Some(packet) = self.stream.digits.poll(now) {
            let event = self.stream.media.as_ref().and_then(|media| media.telephone_event);
            if packet.first {
                self.stream.egress.resume(now);
                self.stream.digit = match (event, crate::tone::digit_frequencies(packet.digit)) {
                    (None, Some(frequencies)) => {
                        self.stream.prepare_encoder(RATE, pool);
                        Some(Digit::Sound(Dual::new(frequencies, -9.0)))
                    }
                    _ => Some(Digit::Event(self.stream.egress.timestamp())),
                };
            }
            match (&mut self.stream.digit, event) {
                (Some(Digit::Event(began)), Some(event)) if self.transport.is_open() => {
                    let (began, egress) = (*began, &mut self.stream.egress);
                    self.transport.send(out, self.index, HEADER + 4, |buffer| {
                        let (head, body) = buffer.split_first_chunk_mut::<HEADER>()?;
                        egress.event(now, event.send, packet.first, began, 4).write(head);
                        body.copy_from_slice(&packet.payload(event.clock));
                        Some(buffer.len())
                    });
                }
                (Some(Digit::Sound(dual)), _) => {
                    let mut pcm = [0; crate::codec::FRAME];
                    if !packet.end {
                        dual.add(&mut pcm);
                    }
                    self.stream.prepare_encoder(RATE, pool);
                    self.encode(now, &pcm, out);
                }
                _ => {}
            }
            if packet.last {
                self.stream.digit = None;
                self.stream.egress.resume(now);
            }
        }
    }
}
