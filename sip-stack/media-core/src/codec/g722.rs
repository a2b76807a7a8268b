//! G.722 at 64 kbit/s (ITU-T G.722, 11/88 and 09/2012): two sub-bands of 8 kHz each, coded as ADPCM with 6 and 2 bits a sample.
//!
//! Sound is 16 kHz, or 8 kHz by way of that: the lower sub-band alone would do, but the filter between the two leaves in it a fifth of
//! what is at 4.7 kHz. An octet is 125 µs, which RFC 3551 §4.5.2 counts as one tick of an 8 kHz clock.

mod band;
mod tables;

use super::{CodecError, FRAME, WIDE, wide_or_narrow};
use crate::resample::{Down, Up};
use band::Band;

/// Taps of one phase of the quadrature mirror filter (table 4, every other coefficient), of which the other phase has the same in reverse.
const FILTER: [i32; 12] = [3, -11, 12, 32, -210, 951, 3_876, -805, 362, -156, 53, -11];

/// Samples that the mirror filter looks back.
const TAPS: usize = 2 * FILTER.len();

/// The past of a quadrature mirror filter, twice in a row, so that it is in one piece wherever it begins.
#[derive(Clone, Copy, Debug)]
struct Past {
    samples: [i32; 2 * TAPS],
    at: usize,
}

impl Past {
    const EMPTY: Past = Past {
        samples: [0; 2 * TAPS],
        at: 0,
    };

    /// Takes the next two samples and gives what the two phases of the filter make of the last 24.
    fn step(&mut self, first: i32, second: i32) -> (i32, i32) {
        for (i, sample) in [first, second].into_iter().enumerate() {
            self.samples[self.at + i] = sample;
            self.samples[self.at + i + TAPS] = sample;
        }
        self.at = (self.at + 2) % TAPS;
        let (mut even, mut odd) = (0, 0);
        let window = &self.samples[self.at..self.at + TAPS];
        for (i, pair) in window.chunks_exact(2).enumerate() {
            even += pair[0] * FILTER[i];
            odd += pair[1] * FILTER[FILTER.len() - 1 - i];
        }
        (even, odd)
    }
}

/// Operating mode of a decoder (table 1): how many bits of the lower sub-band are sound, the others being somebody else's data.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OperatingMode {
    /// 64 kbit/s, 6 bits: what RTP carries.
    #[default]
    One,
    /// 56 kbit/s, 5 bits.
    Two,
    /// 48 kbit/s, 4 bits.
    Three,
}

/// Sound to octets.
#[derive(Clone, Debug)]
pub struct Encoder {
    lower: Band,
    higher: Band,
    past: Past,
    up: Up,
    rate: u32,
}

impl Encoder {
    /// From sound at `rate`: 16 kHz, or 8 kHz for any other value.
    #[must_use]
    pub fn new(rate: u32) -> Encoder {
        Encoder {
            lower: Band::LOWER,
            higher: Band::HIGHER,
            past: Past::EMPTY,
            up: Up::default(),
            rate: wide_or_narrow(rate),
        }
    }

    /// Sample rate of its input.
    #[must_use]
    pub fn rate(&self) -> u32 {
        self.rate
    }

    /// Goes over to sound at another rate; the peer's decoder, which follows the octets alone, notices nothing.
    pub fn set_rate(&mut self, rate: u32) {
        let rate = wide_or_narrow(rate);
        if self.rate != rate {
            self.rate = rate;
            self.up = Up::default();
        }
    }

    /// Encodes into the beginning of `out`; the number of octets.
    ///
    /// # Errors
    /// `out` is too short, or the samples at 16 kHz are not even in number.
    pub fn encode(&mut self, pcm: &[i16], out: &mut [u8]) -> Result<usize, CodecError> {
        if self.rate == WIDE {
            return self.encode_wide(pcm, out);
        }
        let out = out.get_mut(..pcm.len()).ok_or(CodecError)?;
        for (pcm, out) in pcm.chunks(FRAME).zip(out.chunks_mut(FRAME)) {
            let mut wide = [0; 2 * FRAME];
            let wide = &mut wide[..2 * pcm.len()];
            self.up.run(pcm, wide);
            self.encode_wide(wide, out)?;
        }
        Ok(out.len())
    }

    fn encode_wide(&mut self, pcm: &[i16], out: &mut [u8]) -> Result<usize, CodecError> {
        let (pairs, rest) = pcm.as_chunks::<2>();
        let out = out.get_mut(..pairs.len()).ok_or(CodecError)?;
        if !rest.is_empty() {
            return Err(CodecError);
        }
        for ([first, second], octet) in pairs.iter().zip(out.iter_mut()) {
            let (even, odd) = self.past.step(i32::from(*first), i32::from(*second));
            // The phases add up to a gain of 2^13, and sub-bands have 15 bits.
            *octet = self.code((odd + even) >> 14, (odd - even) >> 14);
        }
        Ok(out.len())
    }

    /// The octet for one sample of each sub-band.
    fn code(&mut self, low: i32, high: i32) -> u8 {
        (self.higher.encode_higher(high) << 6) | self.lower.encode_lower(low)
    }
}

/// Octets to sound.
#[derive(Clone, Debug)]
pub struct Decoder {
    lower: Band,
    higher: Band,
    past: Past,
    down: Down,
    rate: u32,
    mode: OperatingMode,
}

impl Decoder {
    /// To sound at `rate`: 16 kHz, or 8 kHz for any other value. In operating mode 1.
    #[must_use]
    pub fn new(rate: u32) -> Decoder {
        Decoder {
            lower: Band::LOWER,
            higher: Band::HIGHER,
            past: Past::EMPTY,
            down: Down::default(),
            rate: wide_or_narrow(rate),
            mode: OperatingMode::One,
        }
    }

    /// Sample rate of its output.
    #[must_use]
    pub fn rate(&self) -> u32 {
        self.rate
    }

    /// Goes over to sound at another rate, in the midst of it.
    pub fn set_rate(&mut self, rate: u32) {
        let rate = wide_or_narrow(rate);
        if self.rate != rate {
            self.rate = rate;
            self.down = Down::default();
        }
    }

    /// Sets how many bits of the lower sub-band are sound.
    pub fn set_mode(&mut self, mode: OperatingMode) {
        self.mode = mode;
    }

    /// Decodes into the beginning of `pcm`; the number of samples.
    ///
    /// # Errors
    /// `pcm` is too short.
    pub fn decode(&mut self, payload: &[u8], pcm: &mut [i16]) -> Result<usize, CodecError> {
        if self.rate == WIDE {
            let pcm = pcm.get_mut(..2 * payload.len()).ok_or(CodecError)?;
            self.decode_wide(payload, pcm);
            return Ok(pcm.len());
        }
        let pcm = pcm.get_mut(..payload.len()).ok_or(CodecError)?;
        for (payload, pcm) in payload.chunks(FRAME).zip(pcm.chunks_mut(FRAME)) {
            let mut wide = [0; 2 * FRAME];
            let wide = &mut wide[..2 * payload.len()];
            self.decode_wide(payload, wide);
            self.down.run(wide, pcm);
        }
        Ok(pcm.len())
    }

    fn decode_wide(&mut self, payload: &[u8], pcm: &mut [i16]) {
        let (pairs, _) = pcm.as_chunks_mut::<2>();
        for (octet, pair) in payload.iter().zip(pairs) {
            let (low, high) = self.bands(*octet);
            let (even, odd) = self.past.step(low + high, low - high);
            *pair = [saturated(odd >> 11), saturated(even >> 11)];
        }
    }

    /// One sample of each sub-band.
    fn bands(&mut self, octet: u8) -> (i32, i32) {
        let low = self.lower.decode_lower(octet, self.mode);
        (low, self.higher.decode_higher(octet >> 6))
    }
}

/// The nearest sample.
fn saturated(value: i32) -> i16 {
    value.clamp(i32::from(i16::MIN), i32::from(i16::MAX)) as i16
}

#[cfg(test)]
mod tests;
