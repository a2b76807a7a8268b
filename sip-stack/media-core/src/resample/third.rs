/// Taps of the low pass at 48 kHz: a sinc that is 6 dB down at 7.3 kHz, under a Blackman window.
const TAPS: usize = 75;
/// Half the power at this part of the rate.
const CUT: f64 = 7_300.0 / 48_000.0;
/// Samples at 48 kHz that are filtered at a time.
const STEP: usize = 960;

/// From 48 to 16 kHz, 0.8 ms late.
#[derive(Clone, Debug)]
pub struct Third {
    taps: [f32; TAPS],
    past: [f32; TAPS - 1],
}

impl Default for Third {
    fn default() -> Self {
        let middle = (TAPS / 2) as f64;
        let tap = |i: usize| {
            let (x, turn) = (
                i as f64 - middle,
                i as f64 / (TAPS - 1) as f64 * std::f64::consts::TAU,
            );
            let window = 0.42 - 0.5 * turn.cos() + 0.08 * (2.0 * turn).cos();
            let angle = std::f64::consts::TAU * CUT * x;
            let sinc = if x == 0.0 { 1.0 } else { angle.sin() / angle };
            window * sinc
        };
        let taps: [f64; TAPS] = std::array::from_fn(tap);
        let sum: f64 = taps.iter().sum();
        Third {
            taps: taps.map(|tap| (tap / sum) as f32),
            past: [0.0; TAPS - 1],
        }
    }
}

impl Third {
    /// Fills `out` with `pcm` at a third of its rate. `out` is a third as long.
    pub fn run(&mut self, pcm: &[i16], out: &mut [i16]) {
        for (pcm, out) in pcm.chunks(STEP).zip(out.chunks_mut(STEP / 3)) {
            let mut x = [0.0; TAPS - 1 + STEP];
            x[..TAPS - 1].copy_from_slice(&self.past);
            for (x, sample) in x[TAPS - 1..].iter_mut().zip(pcm) {
                *x = f32::from(*sample);
            }
            for (i, out) in out.iter_mut().enumerate().take(pcm.len() / 3) {
                let x = &x[3 * i..3 * i + TAPS];
                *out = x.iter().zip(&self.taps).map(|(x, tap)| x * tap).sum::<f32>() as i16;
            }
            self.past.copy_from_slice(&x[pcm.len()..pcm.len() + TAPS - 1]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tone::{level_dbm0, measure};

    fn third(hertz: f64) -> Vec<i16> {
        let sample = |i: u32| (f64::from(i) * hertz * std::f64::consts::TAU / 48_000.0).sin() * 10_000.0;
        let sound: Vec<i16> = (0..48_000).map(|i| sample(i) as i16).collect();
        let (mut third, mut out) = (Third::default(), vec![0; 16_000]);
        for (pcm, out) in sound.chunks(480).zip(out.chunks_mut(160)) {
            third.run(pcm, out);
        }
        out.split_off(200)
    }

    #[test]
    fn speech_passes_and_what_the_lower_rate_cannot_carry_does_not() {
        let expected = level_dbm0(&third(300.0));
        for hertz in [300.0, 1_004.0, 3_400.0] {
            let found = measure(&third(hertz), 16_000);
            assert!((found.hertz - hertz).abs() < 0.5, "{hertz}: {found:?}");
            assert!((found.dbm0 - expected).abs() < 0.1, "{hertz}: {found:?}");
        }
        assert!((level_dbm0(&third(6_000.0)) - expected).abs() < 0.5);
        for hertz in [9_200.0, 12_000.0, 20_000.0] {
            let quiet = level_dbm0(&third(hertz));
            assert!(quiet < expected - 55.0, "{hertz}: {quiet} dBm0");
        }
    }
}
