use crate::codec::RATE;
use crate::tone::amplitude;

/// Samples a block: 12.75 ms, as is usual, so that the bins are 78 Hz wide.
const BLOCK: usize = 102;
const FREQUENCIES: [f32; 8] = [697.0, 770.0, 852.0, 941.0, 1_209.0, 1_336.0, 1_477.0, 1_633.0];
/// Blocks that must agree before a digit counts, and that must be without it before it is over.
const BLOCKS: u8 = 2;

/// Hears digits in 8 kHz sound by eight Goertzel filters (0.4 µs a 20 ms frame); ITU-T Q.24 in spirit: both tones above
/// -33 dBm0, twist within +4/-8 dB, at least 25 ms, most of the power in the two.
#[derive(Clone, Debug)]
pub struct Detector {
    coefficients: [f32; 8],
    states: [(f32, f32); 8],
    energy: f32,
    filled: usize,
    candidate: Option<u8>,
    agreed: u8,
    present: Option<u8>,
}

impl Default for Detector {
    fn default() -> Self {
        Detector {
            coefficients: FREQUENCIES.map(|hertz| 2.0 * (std::f32::consts::TAU * hertz / RATE as f32).cos()),
            states: [(0.0, 0.0); 8],
            energy: 0.0,
            filled: 0,
            candidate: None,
            agreed: 0,
            present: None,
        }
    }
}

impl Detector {
    /// Listens to the next samples; says a digit when it begins.
    pub fn listen(&mut self, pcm: &[i16]) -> Option<u8> {
        let mut began = None;
        for sample in pcm {
            let x = f32::from(*sample);
            for ((s1, s2), coefficient) in self.states.iter_mut().zip(self.coefficients) {
                let s0 = x + coefficient * *s1 - *s2;
                *s2 = *s1;
                *s1 = s0;
            }
            self.energy += x * x;
            self.filled += 1;
            if self.filled == BLOCK {
                began = self.block().or(began);
            }
        }
        began
    }

    /// The digit that sounds now.
    #[must_use]
    pub fn present(&self) -> Option<u8> {
        self.present
    }

    fn block(&mut self) -> Option<u8> {
        let heard = self.judge();
        self.states = [(0.0, 0.0); 8];
        self.energy = 0.0;
        self.filled = 0;
        if heard == self.candidate {
            self.agreed = self.agreed.saturating_add(1);
        } else {
            self.candidate = heard;
            self.agreed = 1;
        }
        if self.agreed >= BLOCKS && self.present != heard {
            self.present = heard;
            return heard;
        }
        None
    }

    fn judge(&self) -> Option<u8> {
        let mut powers = [0.0f32; 8];
        for ((power, (s1, s2)), coefficient) in powers.iter_mut().zip(self.states).zip(self.coefficients) {
            // Amplitude squared.
            *power = (s1 * s1 + s2 * s2 - coefficient * s1 * s2) * 4.0 / (BLOCK * BLOCK) as f32;
        }
        let strongest = |group: &[f32]| {
            let (mut best, mut second) = (0, 0.0);
            for (i, power) in group.iter().enumerate().skip(1) {
                if *power > group[best] {
                    second = group[best];
                    best = i;
                } else if *power > second {
                    second = *power;
                }
            }
            (best, group[best], second)
        };
        let (row, low, low_second) = strongest(&powers[..4]);
        let (column, high, high_second) = strongest(&powers[4..]);
        let floor = amplitude(-33.0) * amplitude(-33.0);
        let loud = low > floor && high > floor;
        let twist = high / low.max(1.0);
        let level = (0.16..6.3).contains(&twist);
        let clear = low > low_second * 4.0 && high > high_second * 4.0;
        // Two sines of these amplitudes have this energy; speech has more besides.
        let pure = (low + high) / 2.0 * BLOCK as f32 > 0.7 * self.energy;
        (loud && level && clear && pure).then(|| b"123A456B789C*0#D"[row * 4 + column])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::corpus;
    use crate::tone::{Dual, digit_frequencies};

    #[test]
    fn every_digit_once() {
        let mut detector = Detector::default();
        let mut heard = Vec::new();
        for digit in *b"0123456789*#ABCD" {
            let mut pcm = vec![0; 480];
            Dual::new(digit_frequencies(digit).unwrap(), -10.0).add(&mut pcm);
            pcm.resize(960, 0);
            heard.extend(pcm.chunks(160).filter_map(|frame| detector.listen(frame)));
        }
        assert_eq!(heard, b"0123456789*#ABCD");
    }

    #[test]
    fn speech_is_no_digit() {
        for name in ["demo-nogo", "queue-periodic-announce", "vm-opts"] {
            let Some(wav) = corpus::read(&format!("speech-prompts/en_US_f_Allison_{name}.wav")) else {
                return;
            };
            let pcm: Vec<i16> = wav[44..]
                .chunks_exact(2)
                .map(|w| i16::from_le_bytes([w[0], w[1]]))
                .collect();
            let mut detector = Detector::default();
            assert_eq!(detector.listen(&pcm), None, "{name}");
        }
    }
}
