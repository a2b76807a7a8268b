//! Sound that comes in: packets to frames at even times, counts, and keys. Told the time, it neither waits nor reads.

use std::time::Duration;

use media_core::codec::{Decoder, FRAME, LONGEST, Pool, RATE, duration, opus};
use media_core::dtmf::{self, Heard};
use media_core::jitter::{Buffer, Noise, Step, Stretch, lengthen, shorten};
use media_core::negotiated::Codec;
use media_core::rtp::Header;
use media_core::stats::{Source, Verdict};
use sans_io::Time;

use super::description::Terms;

/// Length of a frame.
const LENGTH: Duration = Duration::from_millis(20);

/// Lateness beyond which pacing starts anew, since the machine stood still.
const BEHIND: Duration = Duration::from_millis(200);

/// The receiving side of a call.
#[derive(Debug, Default)]
pub(super) struct Playout {
    source: Source,
    keys: dtmf::Receiver,
    pool: Pool,
    noise: Noise,
    stream: Option<Stream>,
    packets: u64,
    octets: u64,
}

/// Packets of one codec on their way to sound.
#[derive(Debug)]
struct Stream {
    buffer: Buffer,
    decoder: Decoder,
    /// Decoded sound that waits for its frame.
    waiting: Vec<i16>,
}

/// Counts of the receiving side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Received {
    /// Codec received last.
    pub(super) codec: Option<Codec>,
    /// Packets received.
    pub(super) packets: u64,
    /// Octets of their payloads.
    pub(super) octets: u64,
    /// Packets that never came.
    pub(super) lost: u64,
    /// Interarrival jitter, µs.
    pub(super) jitter_us: u32,
    /// Delay in the jitter buffer, µs.
    pub(super) buffer_us: u32,
}

impl Playout {
    /// Takes a packet in; returns the keys that it reports as pressed.
    pub(super) fn packet(&mut self, now: Time, header: &Header, payload: &[u8], terms: &Terms) -> Vec<char> {
        let number = header.payload_type;
        if payload.is_empty() || self.source.receive(header.ssrc, header.sequence) == Verdict::Doubtful {
            return Vec::new();
        }
        self.packets += 1;
        self.octets += payload.len() as u64;
        if let Some(event) = terms.event.filter(|event| event.receive == number) {
            let heard = self.keys.packet(now, header, event.clock, payload);
            return heard.into_iter().filter_map(pressed).collect();
        }
        let Some((_, codec)) = terms.receive.iter().find(|(known, _)| *known == number) else {
            return Vec::new();
        };
        let Some(ticks) = duration(*codec, payload) else {
            return Vec::new();
        };
        self.source.arrived(now, header.timestamp, codec.clock());
        if let Some(stream) = self.stream_of(*codec) {
            let silent = *codec == Codec::Opus && opus::is_dtx(payload);
            stream
                .buffer
                .insert(now, header.sequence, header.timestamp, ticks, silent, payload);
        }
        Vec::new()
    }

    /// Hands `sink` each frame of 20 ms at 8 kHz that is due.
    pub(super) fn frames(&mut self, now: Time, mut sink: impl FnMut(&[i16])) {
        let _ = self.keys.timeout(now);
        let Some(stream) = &mut self.stream else { return };
        while let Some(due) = stream.buffer.due().filter(|due| *due <= now) {
            if now.since(due) > BEHIND {
                stream.buffer.catch_up(now);
            }
            while stream.waiting.len() < FRAME {
                stream.decode(&mut self.noise);
            }
            sink(&stream.waiting[..FRAME]);
            stream.waiting.drain(..FRAME);
            stream.buffer.advance(LENGTH);
        }
    }

    /// Counts so far.
    pub(super) fn received(&self) -> Received {
        let depth = self.stream.as_ref().map_or(0, Stream::depth);
        Received {
            codec: self.stream.as_ref().map(|stream| stream.decoder.codec()),
            packets: self.packets,
            octets: self.octets,
            lost: self.source.lost(),
            jitter_us: self.source.jitter_us(),
            buffer_us: u32::try_from(depth).unwrap_or(0),
        }
    }

    /// The stream of this codec, made anew when the peer changes to another one.
    fn stream_of(&mut self, codec: Codec) -> Option<&mut Stream> {
        let fits = |stream: &Stream| stream.decoder.codec() == codec;
        if !self.stream.as_ref().is_some_and(fits) {
            self.stream = Some(Stream {
                buffer: Buffer::new(codec.clock()),
                decoder: self.pool.decoder(codec, RATE).ok()?,
                waiting: Vec::with_capacity(2 * LONGEST),
            });
        }
        self.stream.as_mut()
    }
}

impl Stream {
    /// Adds the next piece of sound: decoded, recovered or made up.
    fn decode(&mut self, noise: &mut Noise) {
        let mut pcm = [0; LONGEST + FRAME];
        let is_opus = self.decoder.codec() == Codec::Opus;
        let ticks = i64::from(self.decoder.codec().clock() / RATE);
        let samples = |of: i64| usize::try_from(of / ticks).unwrap_or(0).clamp(1, LONGEST);
        let before = micros(self.waiting.len());
        let step = self.buffer.next(
            before,
            |payload| is_opus && opus::is_dtx(payload),
            |payload| is_opus && opus::has_fec(payload),
        );
        let made = match step {
            Step::Packet(index) => {
                let payload = self.buffer.payload(index);
                match self.decoder.decode(payload, &mut pcm[..LONGEST]) {
                    Ok(decoded) => {
                        noise.learn(&pcm[..decoded]);
                        let quiet = noise.is_quiet(&pcm[..decoded]);
                        self.stretched(&mut pcm, decoded, before, quiet)
                    }
                    Err(_) => {
                        self.decoder.conceal(&mut pcm[..FRAME]);
                        FRAME
                    }
                }
            }
            Step::Recover(index, length) => {
                let length = samples(length);
                self.decoder
                    .recover(self.buffer.payload(index), &mut pcm[..length]);
                length
            }
            Step::Conceal(length) => {
                let length = samples(length);
                self.decoder.conceal(&mut pcm[..length]);
                length
            }
            Step::Noise(length) => {
                let length = samples(length);
                noise.fill(&mut pcm[..length]);
                length
            }
        };
        self.waiting.extend_from_slice(&pcm[..made]);
    }

    /// Makes a decoded packet shorter or longer where the buffer is too deep or too shallow.
    fn stretched(&mut self, pcm: &mut [i16], decoded: usize, before: i64, quiet: bool) -> usize {
        let most = |us: i64| usize::try_from(us * i64::from(RATE) / 1_000_000).unwrap_or(0);
        let made = match self.buffer.stretch(before, before + micros(decoded)) {
            Stretch::Shorten(by, may) if may || quiet => shorten(pcm, decoded, RATE, most(by), quiet),
            Stretch::Lengthen(by, may) if may || quiet => lengthen(pcm, decoded, RATE, most(by), quiet),
            _ => decoded,
        };
        if made != decoded && !quiet {
            self.buffer.stretched();
        }
        made
    }

    fn depth(&self) -> i64 {
        self.buffer.depth(micros(self.waiting.len()))
    }
}

fn pressed(heard: Heard) -> Option<char> {
    match heard {
        Heard::Pressed(key) => Some(char::from(key)),
        Heard::Released(..) => None,
    }
}

fn micros(samples: usize) -> i64 {
    samples as i64 * 1_000_000 / i64::from(RATE)
}

#[cfg(test)]
mod tests {
    use media_core::negotiated::{Direction, OpusParameters, TelephoneEvent};
    use media_core::tone::{Sine, amplitude, measure};

    use super::*;

    fn terms() -> Terms {
        Terms {
            send: (111, Codec::Opus),
            receive: vec![(111, Codec::Opus), (0, Codec::Pcmu)],
            event: Some(TelephoneEvent {
                send: 110,
                receive: 110,
                clock: 48_000,
            }),
            direction: Direction::SendRecv,
        }
    }

    fn header(sequence: u16, timestamp: u32, payload_type: u8) -> Header {
        Header {
            marker: false,
            payload_type,
            sequence,
            timestamp,
            ssrc: 7,
        }
    }

    /// Three seconds of 1,004 Hz in Opus, packet by packet, without those that `lost` names.
    fn play(lost: impl Fn(u16) -> bool) -> (Playout, Vec<i16>) {
        let mut encoder = Pool::default()
            .encoder(Codec::Opus, RATE, &OpusParameters::default())
            .expect("an encoder");
        let mut sine = Sine::new(1_004.0, amplitude(-10.0));
        let (mut playout, mut heard) = (Playout::default(), Vec::new());
        let mut now = Time::from_secs(1_000);
        for sequence in 0..150 {
            let (mut pcm, mut packet) = ([0; FRAME], [0; 400]);
            sine.add(&mut pcm);
            let length = encoder.encode(&pcm, &mut packet).expect("encoded").expect("sent");
            if !lost(sequence) {
                let header = header(sequence, u32::from(sequence) * 960, 111);
                assert!(
                    playout
                        .packet(now, &header, &packet[..length], &terms())
                        .is_empty()
                );
            }
            playout.frames(now, |frame| heard.extend_from_slice(frame));
            now += LENGTH;
        }
        (playout, heard)
    }

    #[test]
    fn a_tone_comes_out_as_it_went_in_and_what_is_lost_is_counted() {
        let (playout, heard) = play(|_| false);
        let found = measure(&heard[4_000..20_000], RATE);
        assert!(
            (found.hertz - 1_004.0).abs() < 0.5 && (found.dbm0 + 10.0).abs() < 0.5,
            "{found:?}"
        );
        let received = playout.received();
        assert_eq!(
            (received.codec, received.packets, received.lost),
            (Some(Codec::Opus), 150, 0)
        );
        assert!(
            received.jitter_us < 100 && received.buffer_us >= 20_000,
            "{received:?}"
        );

        let (playout, with_gaps) = play(|sequence| sequence % 25 == 20);
        let received = playout.received();
        assert_eq!((received.packets, received.lost), (144, 6));
        assert!(
            with_gaps.len().abs_diff(heard.len()) <= 2 * FRAME,
            "what is lost is made up"
        );
    }

    #[test]
    fn a_key_is_told_once_and_is_no_sound() {
        let mut playout = Playout::default();
        let now = Time::from_secs(1_000);
        let event = |sequence, payload: [u8; 4]| (header(sequence, 96_000, 110), payload);
        let mut keys = Vec::new();
        for (header, payload) in [
            event(1, [5, 0x0a, 0x03, 0xc0]),
            event(2, [5, 0x0a, 0x07, 0x80]),
            event(3, [5, 0x8a, 0x0b, 0x40]),
            event(4, [5, 0x8a, 0x0b, 0x40]),
        ] {
            keys.extend(playout.packet(now, &header, &payload, &terms()));
        }
        assert_eq!(keys, ['5']);
        playout.frames(now + LENGTH, |_| panic!("no sound came"));
        assert_eq!(playout.received().codec, None);
    }
}
