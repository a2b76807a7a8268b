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
const FILTER: [i16; TAPS] = [3, -11, 12, 32, -210, 951, 3_876, -805, 362, -156, 53, -11];
const REVERSED: [i16; TAPS] = [-11, 53, -156, 362, -805, 3_876, 951, -210, 32, 12, -11, 3];
const TAPS: usize = 12;

/// Pairs of samples that are filtered at a time.
const STEP: usize = FRAME;

/// Samples of the two phases of the mirror filter: those that it looks back to, then those of a step.
#[derive(Clone, Copy, Debug)]
struct Phases([[i16; TAPS - 1 + STEP]; 2]);

/// Past of the mirror filter.
#[derive(Clone, Copy, Debug)]
struct Past([[i16; TAPS - 1]; 2]);

impl Past {
    const EMPTY: Past = Past([[0; TAPS - 1]; 2]);

    /// Phases that begin with this past.
    fn phases(&self) -> Phases {
        let mut phases = [[0; TAPS - 1 + STEP]; 2];
        for (phase, past) in phases.iter_mut().zip(&self.0) {
            phase[..TAPS - 1].copy_from_slice(past);
        }
        Phases(phases)
    }

    /// Goes on after so many pairs.
    fn follow(&mut self, phases: &Phases, pairs: usize) {
        for (past, phase) in self.0.iter_mut().zip(&phases.0) {
            past.copy_from_slice(&phase[pairs..pairs + TAPS - 1]);
        }
    }
}

impl Phases {
    fn set(&mut self, at: usize, first: i16, second: i16) {
        let [firsts, seconds] = &mut self.0;
        firsts[TAPS - 1 + at] = first;
        seconds[TAPS - 1 + at] = second;
    }

    /// Output of the two phases of the filter for a pair and those before it.
    fn filtered(&self, at: usize) -> (i32, i32) {
        let [firsts, seconds] = &self.0;
        (
            dot(&firsts[at..at + TAPS], &FILTER),
            dot(&seconds[at..at + TAPS], &REVERSED),
        )
    }
}

fn dot(samples: &[i16], taps: &[i16; TAPS]) -> i32 {
    let products = samples.iter().zip(taps);
    products
        .map(|(sample, tap)| i32::from(*sample) * i32::from(*tap))
        .sum()
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
        for (pairs, octets) in pairs.chunks(STEP).zip(out.chunks_mut(STEP)) {
            let mut phases = self.past.phases();
            for (at, [first, second]) in pairs.iter().enumerate() {
                phases.set(at, *first, *second);
            }
            self.past.follow(&phases, pairs.len());
            let mut bands = [(0, 0); STEP];
            for (at, band) in bands[..octets.len()].iter_mut().enumerate() {
                let (even, odd) = phases.filtered(at);
                // The phases add up to a gain of 2^13, and sub-bands have 15 bits.
                *band = ((odd + even) >> 14, (odd - even) >> 14);
            }
            for ((low, high), octet) in bands.iter().zip(octets) {
                *octet = self.code(*low, *high);
            }
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
        for (octets, pairs) in payload.chunks(STEP).zip(pairs.chunks_mut(STEP)) {
            let mut phases = self.past.phases();
            for (at, octet) in octets.iter().enumerate() {
                // Of 15 bits each: their sum has 16.
                let (low, high) = self.bands(*octet);
                phases.set(at, (low + high) as i16, (low - high) as i16);
            }
            self.past.follow(&phases, octets.len());
            for (at, pair) in pairs.iter_mut().enumerate() {
                let (even, odd) = phases.filtered(at);
                *pair = [saturated(odd >> 11), saturated(even >> 11)];
            }
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
