use super::amplitude;

/// The strongest sine in a stretch of sound.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Measured {
    /// Its frequency.
    pub hertz: f64,
    /// Its level.
    pub dbm0: f64,
    /// Its power in all power, 0 to 1: near 1 for a clean tone.
    pub purity: f64,
}

/// Finds the strongest sine between 100 and 3,900 Hz, to about 0.1 Hz and 0.05 dB on half a second of 8 kHz sound. Takes
/// a Hann window, walks over the spectrum by Goertzel, then narrows down. For tests and probes, not for the packet path.
#[must_use]
pub fn measure(pcm: &[i16], rate: u32) -> Measured {
    let hann = |pcm: &[i16]| -> Vec<f64> {
        let last = (pcm.len().max(2) - 1) as f64;
        let window = |i: usize| 0.5 - 0.5 * (std::f64::consts::TAU * i as f64 / last).cos();
        pcm.iter()
            .enumerate()
            .map(|(i, s)| f64::from(*s) * window(i))
            .collect()
    };
    let n = pcm.len().max(2);
    let highest = 3_900.0f64.min(f64::from(rate) / 2.0);
    let scan = |samples: &[f64], from: f64, to: f64| {
        let step = f64::from(rate) / samples.len().max(2) as f64;
        let mut best = (from, 0.0);
        let mut hertz = from;
        while hertz < to {
            let power = goertzel(samples, hertz, rate);
            if power > best.1 {
                best = (hertz, power);
            }
            hertz += step;
        }
        best.0
    };
    // Roughly on a tenth of a second, then on all of it around there.
    let rough = hann(&pcm[..n.min(rate as usize / 10).min(pcm.len())]);
    let near = scan(&rough, 100.0, highest);
    let windowed = hann(pcm);
    let near = scan(&windowed, (near - 20.0).max(100.0), (near + 20.0).min(highest));
    let step = f64::from(rate) / n as f64;
    let mut best = (near, goertzel(&windowed, near, rate));
    let mut span = step;
    while span > 0.01 {
        for candidate in [best.0 - span / 2.0, best.0 + span / 2.0] {
            let power = goertzel(&windowed, candidate, rate);
            if power > best.1 {
                best = (candidate, power);
            }
        }
        span *= 0.7;
    }
    // A Hann window passes half of the amplitude.
    let peak = 2.0 * best.1.sqrt() / (n as f64 * 0.5);
    let total: f64 = pcm.iter().map(|s| f64::from(*s).powi(2)).sum::<f64>() / n as f64;
    let purity = if total > 0.0 {
        (peak * peak / 2.0 / total).min(1.0)
    } else {
        0.0
    };
    Measured {
        hertz: best.0,
        dbm0: 20.0 * (peak / f64::from(amplitude(0.0))).max(1e-6).log10(),
        purity,
    }
}

/// Level of all sound in `pcm`, dBm0; -120 for none.
#[must_use]
pub fn level_dbm0(pcm: &[i16]) -> f64 {
    let power = pcm.iter().map(|s| f64::from(*s).powi(2)).sum::<f64>() / pcm.len().max(1) as f64;
    let reference = f64::from(amplitude(0.0)).powi(2) / 2.0;
    10.0 * (power / reference).max(1e-12).log10()
}

/// Power of one frequency in `pcm` relative to a sine of that power everywhere: 1.0 means amplitude 1.
#[must_use]
pub fn power_at(pcm: &[i16], hertz: f64, rate: u32) -> f64 {
    let samples: Vec<f64> = pcm.iter().map(|s| f64::from(*s)).collect();
    let n = samples.len().max(1) as f64;
    goertzel(&samples, hertz, rate) * 4.0 / (n * n)
}

fn goertzel(samples: &[f64], hertz: f64, rate: u32) -> f64 {
    let omega = std::f64::consts::TAU * hertz / f64::from(rate);
    let coefficient = 2.0 * omega.cos();
    let (mut s1, mut s2) = (0.0, 0.0);
    for sample in samples {
        let s0 = sample + coefficient * s1 - s2;
        s2 = s1;
        s1 = s0;
    }
    s1 * s1 + s2 * s2 - coefficient * s1 * s2
}

#[cfg(test)]
mod tests {
    use super::super::{Sine, amplitude};
    use super::*;

    #[test]
    fn a_tone_is_found_where_it_was_put() {
        for (hertz, dbm0) in [(1_004.0, -10.0), (300.0, 0.0), (3_400.0, -30.0), (440.3, -16.0)] {
            let mut pcm = vec![0; 4_000];
            Sine::new(hertz, amplitude(dbm0 as f32)).add(&mut pcm);
            let found = measure(&pcm, 8_000);
            assert!((found.hertz - hertz).abs() < 0.2, "{found:?}");
            assert!((found.dbm0 - dbm0).abs() < 0.05, "{found:?}");
            assert!(found.purity > 0.97, "{found:?}");
            assert!((level_dbm0(&pcm) - dbm0).abs() < 0.05);
        }
        assert!(level_dbm0(&[0; 100]) < -100.0);
    }
}
