//! ADPCM of one sub-band (G.722 §3 and §4). Names in comments are those of the blocks and signals of §6.2.

use super::OperatingMode;
use super::tables::{
    HIGHER_LEVEL, HIGHER_OUTPUT, HIGHER_STEP, LOGARITHMS, LOWER_4, LOWER_5, LOWER_6, LOWER_LEVEL_OF,
    LOWER_STEP,
};

/// Most that the logarithm of the step may be (LOGSCL, LOGSCH).
const LOWER_MOST: i32 = 18_432;
const HIGHER_MOST: i32 = 22_528;

/// State of one sub-band, which encoder and decoder share: the step of the quantizer, and the predictor.
#[derive(Clone, Copy, Debug)]
pub(super) struct Band {
    /// Logarithm of the step (NBL, NBH).
    logarithm: i32,
    /// Step of the quantizer (DETL, DETH).
    step: i32,
    /// Predicted sample (SL, SH), and the part of it that the zeros make (SZL, SZH).
    predicted: i32,
    by_zeros: i32,
    /// Coefficients of the poles (AL), of which the first is that of the last sample,
    poles: [i32; 2],
    /// and of the zeros (BL); two more, which count for nothing, make them a vector.
    zeros: [i16; 8],
    /// Past of the output (RLT) and of the differences (DLT), doubled, and of the signs of the partial output (PLT): all bits set if negative.
    output: [i32; 2],
    differences: [i16; 8],
    negative: [i32; 2],
}

/// Codes of the lower sub-band less their levels: for samples that are not negative, and for those that are, up to two levels and more.
const BASES: [[u8; 2]; 2] = [[61, 61], [63, 33]];

impl Band {
    pub(super) const LOWER: Band = Band::new(32);
    pub(super) const HIGHER: Band = Band::new(8);

    const fn new(step: i32) -> Band {
        Band {
            logarithm: 0,
            step,
            predicted: 0,
            by_zeros: 0,
            poles: [0; 2],
            zeros: [0; 8],
            output: [0; 2],
            differences: [0; 8],
            negative: [0; 2],
        }
    }

    /// Six bits for a sample of 15 bits (QUANTL).
    pub(super) fn encode_lower(&mut self, sample: i32) -> u8 {
        let error = saturated(sample - self.predicted);
        let sign = error >> 31;
        let size = error ^ sign;
        // A level is at most the sample if `(level * step) >> 12 <= size`: if it is at most this.
        let most = (((size + 1) << 12) - 1).cast_unsigned() / self.step.cast_unsigned();
        let level = LOWER_LEVEL_OF[(most as usize).min(LOWER_LEVEL_OF.len() - 1)];
        let code = BASES[usize::from(sign != 0)][usize::from(level > 1)] - level;
        self.adapt_lower(code);
        code
    }

    /// Two bits for a sample (QUANTH).
    pub(super) fn encode_higher(&mut self, sample: i32) -> u8 {
        let error = saturated(sample - self.predicted);
        let size = if error < 0 { !error } else { error };
        let large = size >= (HIGHER_LEVEL * self.step) >> 12;
        let code = (u8::from(error >= 0) << 1) | u8::from(!large);
        self.adapt_higher(code);
        code
    }

    /// A sample of the lower sub-band, from the six lower bits of an octet (INVQBL, RECONS, LIMIT).
    pub(super) fn decode_lower(&mut self, octet: u8, mode: OperatingMode) -> i32 {
        let code = octet & 0x3f;
        let part = match mode {
            OperatingMode::One => LOWER_6[usize::from(code)],
            OperatingMode::Two => LOWER_5[usize::from(code >> 1)],
            OperatingMode::Three => LOWER_4[usize::from(code >> 2)],
        };
        let sample = self.predicted + product(self.step, part);
        self.adapt_lower(code);
        sample.clamp(-16_384, 16_383)
    }

    /// A sample of the higher sub-band, from two bits (INVQAH, RECONS, LIMIT).
    pub(super) fn decode_higher(&mut self, code: u8) -> i32 {
        let sample = self.predicted + product(self.step, HIGHER_OUTPUT[usize::from(code & 3)]);
        self.adapt_higher(code);
        sample.clamp(-16_384, 16_383)
    }

    /// Adapts to a code of which four bits count (INVQAL, LOGSCL, SCALEL).
    fn adapt_lower(&mut self, code: u8) {
        let code = usize::from((code >> 2) & 15);
        let difference = product(self.step, LOWER_4[code]);
        self.scale(LOWER_STEP[code], LOWER_MOST, 8);
        self.predict(difference);
    }

    /// Adapts to a code (INVQAH, LOGSCH, SCALEH).
    fn adapt_higher(&mut self, code: u8) {
        let code = usize::from(code & 3);
        let difference = product(self.step, HIGHER_OUTPUT[code]);
        self.scale(HIGHER_STEP[code], HIGHER_MOST, 10);
        self.predict(difference);
    }

    /// The next step: its logarithm leaks, and grows or shrinks with the code.
    fn scale(&mut self, change: i32, most: i32, shift: i32) {
        self.logarithm = (((self.logarithm * 127) >> 7) + change).clamp(0, most);
        let mantissa = LOGARITHMS[((self.logarithm >> 6) & 31) as usize];
        self.step = ((mantissa << (self.logarithm >> 11)) >> shift) << 2;
    }

    /// Adapts the predictor to a difference and predicts the next sample (block 4).
    fn predict(&mut self, difference: i32) {
        let output = saturated(self.predicted + difference);
        let negative = (self.by_zeros + difference) >> 31;
        self.adapt_poles(negative);
        self.adapt_zeros(difference);

        self.negative = [negative, self.negative[0]];
        self.output = [saturated(2 * output), self.output[0]];
        let [a, b, c, d, e, ..] = self.differences;
        self.differences = [saturated(2 * difference) as i16, a, b, c, d, e, 0, 0];

        // FILTEP, FILTEZ, PREDIC
        let [first, second] = self.poles;
        let by_poles = product(first, self.output[0]) + product(second, self.output[1]);
        self.by_zeros = self.filter_zeros();
        self.predicted = saturated(saturated(by_poles) + self.by_zeros);
    }

    /// FILTEZ
    fn filter_zeros(&self) -> i32 {
        let (mut parts, mut sum, mut most) = ([0; 8], 0, 0);
        for ((part, zero), difference) in parts.iter_mut().zip(&self.zeros).zip(&self.differences) {
            *part = product(i32::from(*zero), i32::from(*difference));
        }
        for part in &parts {
            sum += part;
            most += part.abs();
        }
        if most <= 32_767 {
            return sum;
        }
        parts.iter().fold(0, |sum, part| saturated(sum + part))
    }

    /// UPPOL2, UPPOL1
    fn adapt_poles(&mut self, negative: i32) {
        let [first, second] = self.poles;
        // All bits set where the signs differ.
        let [one, two] = self.negative.map(|before| before ^ negative);
        let towards = negated(saturated(4 * first), !one);
        let second = (towards.min(32_767) >> 7) + negated(128, two) + product(second, 32_512);
        let second = second.clamp(-12_288, 12_288);
        let most = 15_360 - second;
        let first = (product(first, 32_640) + negated(192, one)).clamp(-most, most);
        self.poles = [first, second];
    }

    /// UPZERO
    fn adapt_zeros(&mut self, difference: i32) {
        let kick = if difference == 0 { 0 } else { 128 };
        let sign = (difference >> 31) as i16;
        for (zero, past) in self.zeros.iter_mut().zip(&self.differences) {
            let differs = (past >> 15) ^ sign;
            // Never more than 16 bits: at most 32,640 and the kick.
            *zero = product(i32::from(*zero), 32_640) as i16 + ((kick ^ differs) - differs);
        }
    }
}

/// The value, or its negative where all bits of `sign` are set.
fn negated(value: i32, sign: i32) -> i32 {
    (value ^ sign) - sign
}

/// The nearest value of 16 bits.
fn saturated(value: i32) -> i32 {
    value.clamp(-32_768, 32_767)
}

/// Product of two fractions of 15 bits.
fn product(a: i32, b: i32) -> i32 {
    (a * b) >> 15
}
