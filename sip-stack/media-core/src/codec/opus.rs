//! Opus through libopus, decoded straight to and encoded straight from 8 or 16 kHz.

use opus::{Application, Bandwidth, Bitrate, Channels, Signal};

use super::{CodecError, WIDE};
use crate::negotiated::OpusParameters;

/// Bit/s unless the peer asks for less.
const BITRATE: i32 = 24_000;
/// Below this level, dBm0 (about -60), a frame is silence.
const SILENCE_PEAK: i16 = 32;
/// Frames of silence that are still encoded.
const HANGOVER: u32 = 10;
/// libopus's effort for speech, 0 to 10.
const COMPLEXITY: i32 = 1;
const TONE_COMPLEXITY: i32 = 5;
/// Frames of nothing but tones after which they are coded as such.
const TONAL: u32 = 6;
/// In silence one of this many frames is sent (400 ms, RFC 7587 §3.1.3).
const REFRESH: u32 = 20;

/// One direction of one call. Mono: libopus mixes two channels down by itself.
#[derive(Debug)]
pub struct Decoder {
    inner: opus::Decoder,
    rate: u32,
}

impl Decoder {
    /// To `rate`, 8 or 16 kHz. Allocates about 20 KB.
    ///
    /// # Errors
    /// Libopus has no memory, or not this rate.
    pub fn new(rate: u32) -> Result<Decoder, CodecError> {
        let inner = opus::Decoder::new(rate, Channels::Mono)?;
        Ok(Decoder { inner, rate })
    }

    /// Sample rate of its output.
    #[must_use]
    pub fn rate(&self) -> u32 {
        self.rate
    }

    /// As new.
    pub fn reset(&mut self) {
        // Cannot fail: the request takes no argument.
        let _ = self.inner.reset_state();
    }

    /// Decodes a packet; the number of samples.
    ///
    /// # Errors
    /// The payload is not an Opus packet, or longer than `pcm`.
    pub fn decode(&mut self, payload: &[u8], pcm: &mut [i16]) -> Result<usize, CodecError> {
        if payload.is_empty() {
            return Err(CodecError);
        }
        Ok(self.inner.decode(payload, pcm, false)?)
    }

    /// Recovers the packet before `next`, which lasted `pcm.len()` samples, from the redundancy in `next`.
    ///
    /// # Errors
    /// `next` is not an Opus packet.
    pub fn recover(&mut self, next: &[u8], pcm: &mut [i16]) -> Result<usize, CodecError> {
        if next.is_empty() {
            return Err(CodecError);
        }
        Ok(self.inner.decode(next, pcm, true)?)
    }

    /// Conceals `pcm.len()` samples, a multiple of 2.5 ms.
    ///
    /// # Errors
    /// Libopus refuses the length.
    pub fn conceal(&mut self, pcm: &mut [i16]) -> Result<usize, CodecError> {
        Ok(self.inner.decode(&[], pcm, false)?)
    }
}

/// One direction of one call.
#[derive(Debug)]
pub struct Encoder {
    inner: opus::Encoder,
    rate: u32,
    dtx: bool,
    silent: u32,
    /// Frames in a row that are nothing but tones.
    tonal: u32,
    /// They are coded as tones now.
    tones: bool,
    fec: bool,
}

impl Encoder {
    /// From `rate`, 8 or 16 kHz. Allocates about 25 KB. Complexity 1, 24 kbit/s, no FEC.
    ///
    /// # Errors
    /// Libopus has no memory, or not this rate.
    pub fn new(rate: u32) -> Result<Encoder, CodecError> {
        let mut inner = opus::Encoder::new(rate, Channels::Mono, Application::Voip)?;
        let bandwidth = if rate >= WIDE {
            Bandwidth::Wideband
        } else {
            Bandwidth::Narrowband
        };
        inner.set_complexity(COMPLEXITY)?;
        inner.set_max_bandwidth(bandwidth)?;
        inner.set_bitrate(Bitrate::Bits(BITRATE))?;
        Ok(Encoder {
            inner,
            rate,
            dtx: false,
            silent: 0,
            tonal: 0,
            tones: false,
            fec: false,
        })
    }

    /// Sample rate of its input.
    #[must_use]
    pub fn rate(&self) -> u32 {
        self.rate
    }

    /// Resets it for this peer. Its `maxplaybackrate` is ignored here: the user of [`WIDE`] has checked it.
    pub fn reset(&mut self, peer: &OpusParameters) {
        // None of these can fail with arguments in range.
        let _ = self.inner.reset_state();
        let _ = self.inner.set_signal(Signal::Auto);
        let _ = self.inner.set_complexity(COMPLEXITY);
        self.tonal = 0;
        self.tones = false;
        self.set_loss(0);
        self.adapt(peer);
    }

    /// Takes over what the peer asks now, without a break.
    pub fn adapt(&mut self, peer: &OpusParameters) {
        let limit = peer
            .max_average_bitrate
            .map_or(BITRATE, |rate| rate.clamp(6_000, BITRATE as u32) as i32);
        let _ = self.inner.set_bitrate(Bitrate::Bits(limit));
        self.dtx = peer.dtx;
        self.silent = 0;
        if !peer.in_band_fec {
            self.set_loss(0);
        }
    }

    /// Sets the packet loss at the peer, percent. Above 0 every frame carries the previous one at a low rate:
    /// libopus does so only when told of at least 10.
    pub fn set_loss(&mut self, percent: u8) {
        let fec = percent > 0;
        if fec || self.fec {
            let _ = self.inner.set_inband_fec(fec);
            let _ = self
                .inner
                .set_packet_loss_perc(if fec { i32::from(percent.clamp(10, 30)) } else { 0 });
        }
        self.fec = fec;
    }

    /// Encodes 10, 20, 40 or 60 ms; the number of octets, or `None` in silence that a peer with `usedtx=1` need not get.
    ///
    /// # Errors
    /// The length is none of these, or `out` is too short.
    pub fn encode(&mut self, pcm: &[i16], out: &mut [u8]) -> Result<Option<usize>, CodecError> {
        if self.dtx {
            if pcm
                .iter()
                .all(|sample| sample.unsigned_abs() <= SILENCE_PEAK as u16)
            {
                self.silent += 1;
                if self.silent > HANGOVER && !(self.silent - HANGOVER).is_multiple_of(REFRESH) {
                    return Ok(None);
                }
            } else {
                self.silent = 0;
            }
        }
        self.tonal = if is_tonal(pcm) { self.tonal + 1 } else { 0 };
        if self.tonal == TONAL {
            // Speech coding at this rate takes up to 6 dB off a lone tone (busy, ringback, test tones); the other half of
            // Opus keeps it exactly. libopus takes it for 24 kbit/s of music only when it may spend a little time.
            let _ = self.inner.set_signal(Signal::Music);
            let _ = self.inner.set_complexity(TONE_COMPLEXITY);
            self.tones = true;
        } else if self.tonal == 0 && self.tones {
            let _ = self.inner.set_signal(Signal::Auto);
            let _ = self.inner.set_complexity(COMPLEXITY);
            self.tones = false;
        }
        Ok(Some(self.inner.encode(pcm, out)?))
    }
}

/// True if a frame is one or two sines and hardly anything else (33 dB below them): then each sample follows
/// from the four before it as `x[n] + x[n-4] = a (x[n-1] + x[n-3]) + b x[n-2]`. 0.2 µs.
fn is_tonal(pcm: &[i16]) -> bool {
    let (mut uu, mut uv, mut vv, mut uy, mut vy, mut yy) = (0.0f32, 0.0f32, 0.0f32, 0.0f32, 0.0f32, 0.0f32);
    for x in pcm.windows(5) {
        let [x0, x1, v, x3, x4] = [x[0], x[1], x[2], x[3], x[4]].map(f32::from);
        let (u, y) = (x1 + x3, x0 + x4);
        uu += u * u;
        uv += u * v;
        vv += v * v;
        uy += u * y;
        vy += v * y;
        yy += y * y;
    }
    // Under -50 dBm0 nothing is worth it.
    if vv < 5_000.0 * pcm.len() as f32 {
        return false;
    }
    // One sine alone leaves `a` and `b` open; the least of them will do.
    let ridge = vv * 1e-4;
    let (p, q) = (uu + ridge, vv + ridge);
    let determinant = p * q - uv * uv;
    let a = (uy * q - vy * uv) / determinant;
    let b = (vy * p - uy * uv) / determinant;
    let rest = yy - 2.0 * (a * uy + b * vy) + a * a * uu + 2.0 * a * b * uv + b * b * vv;
    rest < vv * (2.0 + 2.0 * a * a + b * b) * NOISE
}

/// Power that a frame may contain besides its tones, relative to theirs.
const NOISE: f32 = 5e-4;

/// Duration of a packet in 48 kHz ticks (RFC 6716 §3.1, §3.2); `None` if it is not one or lasts over 120 ms.
#[must_use]
#[inline]
pub fn duration(payload: &[u8]) -> Option<u32> {
    let toc = *payload.first()?;
    let frame: u32 = match toc >> 3 {
        silk @ 0..=11 => [480, 960, 1_920, 2_880][usize::from(silk & 3)],
        hybrid @ 12..=15 => [480, 960][usize::from(hybrid & 1)],
        celt => [120, 240, 480, 960][usize::from(celt & 3)],
    };
    let frames = match toc & 3 {
        0 => 1,
        1 | 2 => 2,
        _ => u32::from(*payload.get(1)? & 0x3f),
    };
    let total = frame * frames;
    (1..=5_760).contains(&total).then_some(total)
}

/// True if the packet repeats the previous one at a low rate (LBRR, RFC 6716 §4.2.3 and §4.2.4). Packets of
/// code 3 are not parsed: no encoder makes them for speech.
#[must_use]
pub fn has_fec(payload: &[u8]) -> bool {
    let Some(&toc) = payload.first() else { return false };
    if toc >> 3 > 15 {
        return false;
    }
    let frame = match toc & 3 {
        0 | 1 => payload.get(1),
        2 => match payload.get(1) {
            Some(252..) => payload.get(3),
            _ => payload.get(2),
        },
        _ => None,
    };
    let Some(&first) = frame else { return false };
    let frames = match toc >> 3 {
        silk @ 0..=11 => [1, 1, 2, 3][usize::from(silk & 3)],
        _ => 1,
    };
    let mid = first >> (7 - frames) & 1 == 1;
    let stereo = toc & 4 != 0;
    // The side channel's flags follow those of the middle, with 2 + 1, 4 + 2 or 6 + 3 bits before; three frames of two
    // channels do not fit into an octet.
    mid || stereo && frames < 3 && first >> (6 - 2 * frames) & 1 == 1
}

/// True if the packet only says that there is silence (DTX, RFC 6716 §2.1.9).
#[must_use]
pub fn is_dtx(payload: &[u8]) -> bool {
    payload.len() <= 2
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Harmonics of 150 Hz that swell four times a second: libopus takes it for speech, a lone sine not.
    fn vowels(len: u32) -> Vec<i16> {
        (0..len)
            .map(|i| {
                let t = f64::from(i) / 8_000.0 * std::f64::consts::TAU;
                let voice: f64 = (1..16)
                    .map(|h| (t * 150.0 * f64::from(h)).sin() / f64::from(h))
                    .sum();
                (voice * (0.6 + 0.4 * (t * 4.0).sin()) * 5_000.0) as i16
            })
            .collect()
    }

    #[test]
    fn durations_are_those_that_libopus_decodes() {
        let pcm: Vec<i16> = (0..480)
            .map(|i| ((f64::from(i) * 0.7).sin() * 8_000.0) as i16)
            .collect();
        let mut decoder = Decoder::new(8_000).unwrap();
        let mut encoder = Encoder::new(8_000).unwrap();
        let mut out = [0; 400];
        let mut back = [0; 960];
        for samples in [80, 160, 320, 480] {
            let len = encoder.encode(&pcm[..samples], &mut out).unwrap().unwrap();
            assert_eq!(duration(&out[..len]), Some(samples as u32 * 6));
            assert_eq!(decoder.decode(&out[..len], &mut back), Ok(samples));
        }
        assert_eq!(duration(&[]), None);
        assert_eq!(duration(&[0x03]), None);
        assert_eq!(duration(&[0x1b, 63]), None, "63 frames of 60 ms");
    }

    #[test]
    fn redundancy_appears_when_the_peer_loses_and_brings_the_frame_back() {
        let tone = vowels(8_000);
        let mut encoder = Encoder::new(8_000).unwrap();
        let mut out = [0; 400];
        for frame in tone.chunks_exact(160).take(10) {
            let len = encoder.encode(frame, &mut out).unwrap().unwrap();
            assert!(!has_fec(&out[..len]));
        }
        encoder.set_loss(3);
        let packets: Vec<Vec<u8>> = tone
            .chunks_exact(160)
            .map(|frame| {
                let len = encoder.encode(frame, &mut out).unwrap().unwrap();
                out[..len].to_vec()
            })
            .collect();
        // libopus adds it where it hears speech.
        let redundant = packets.iter().filter(|p| has_fec(p)).count();
        assert!(redundant > 25, "{redundant} of {}", packets.len());
        let next = (20..50).find(|k| has_fec(&packets[*k])).unwrap();
        let mut decoder = Decoder::new(8_000).unwrap();
        let mut pcm = [0; 160];
        for packet in &packets[..next - 1] {
            decoder.decode(packet, &mut pcm).unwrap();
        }
        assert_eq!(decoder.recover(&packets[next], &mut pcm), Ok(160));
        let power = |pcm: &[i16]| pcm.iter().map(|s| f64::from(*s).powi(2)).sum::<f64>();
        let lost = (next - 1) * 160 - 20;
        let ratio = power(&pcm) / power(&tone[lost..lost + 160]);
        assert!((0.4..2.5).contains(&ratio), "{ratio}");
        encoder.set_loss(0);
        let len = encoder.encode(&tone[..160], &mut out).unwrap().unwrap();
        let len2 = encoder.encode(&tone[160..320], &mut out[len..]).unwrap().unwrap();
        assert!(!has_fec(&out[len..len + len2]));
    }

    #[test]
    fn silence_is_skipped_only_for_a_peer_that_asked() {
        let mut encoder = Encoder::new(8_000).unwrap();
        let mut out = [0; 400];
        for dtx in [false, true] {
            encoder.reset(&OpusParameters {
                dtx,
                ..OpusParameters::default()
            });
            let sent = (0..100)
                .filter(|_| encoder.encode(&[3; 160], &mut out).unwrap().is_some())
                .count();
            assert_eq!(sent, if dtx { 14 } else { 100 });
            assert!(encoder.encode(&[3_000; 160], &mut out).unwrap().is_some());
        }
    }

    #[test]
    fn keeps_below_what_the_peer_allows() {
        let mut encoder = Encoder::new(8_000).unwrap();
        encoder.reset(&OpusParameters {
            max_average_bitrate: Some(8_000),
            ..OpusParameters::default()
        });
        let mut rng = sans_io::Rng::seeded(1);
        let mut out = [0; 400];
        let mut octets = 0;
        for _ in 0..200 {
            let pcm: Vec<i16> = (0..160).map(|_| rng.u32() as i16 / 8).collect();
            octets += encoder.encode(&pcm, &mut out).unwrap().unwrap();
        }
        let rate = octets * 8 / 4;
        assert!(rate < 9_000, "{rate} bit/s");
    }
}
