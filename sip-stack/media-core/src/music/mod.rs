//! Music for waiting callers: a short tune made by code, so that nothing need be shipped or licensed.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::resample::resample;

/// The tune is made at this rate and brought to others by [`resample`].
const RATE: u32 = 16_000;
/// Seconds a beat: 75 a minute.
const BEAT: f64 = 0.8;
/// Four bars of four beats.
const BEATS: usize = 16;
/// MIDI notes of the chords, one a bar: C, A minor, F, G.
const CHORDS: [[u8; 4]; 4] = [
    [48, 60, 64, 67],
    [45, 60, 64, 69],
    [41, 60, 65, 69],
    [43, 59, 62, 67],
];
/// The melody: beat, note, beats that it lasts.
const MELODY: [(f64, u8, f64); 17] = [
    (0.0, 76, 1.0),
    (1.0, 74, 0.5),
    (1.5, 72, 0.5),
    (2.0, 79, 1.5),
    (3.5, 76, 0.5),
    (4.0, 76, 1.0),
    (5.0, 72, 1.0),
    (6.0, 69, 2.0),
    (8.0, 72, 1.0),
    (9.0, 77, 0.5),
    (9.5, 76, 0.5),
    (10.0, 74, 1.5),
    (11.5, 72, 0.5),
    (12.0, 74, 1.0),
    (13.0, 71, 1.0),
    (14.0, 67, 1.0),
    (15.0, 74, 1.0),
];
/// Peak, relative to full scale: about -14 dBm0 in loud moments.
const PEAK: f64 = 0.28;

/// The tune at every rate that was asked for, made once each.
#[derive(Debug, Default)]
pub struct Music {
    rates: BTreeMap<u32, Arc<[i16]>>,
}

impl Music {
    /// One round of the tune, 12.8 s, that ends where it begins. The first call for a rate takes some 20 ms; call it before the
    /// first packet.
    pub fn at(&mut self, rate: u32) -> Arc<[i16]> {
        if let Some(tune) = self.rates.get(&rate) {
            return tune.clone();
        }
        let tune: Arc<[i16]> = resample(&compose(), RATE, rate).into();
        self.rates.insert(rate, tune.clone());
        tune
    }
}

fn compose() -> Vec<i16> {
    let length = (BEAT * BEATS as f64 * f64::from(RATE)) as usize;
    let mut mix = vec![0.0f64; length];
    for (bar, chord) in CHORDS.iter().enumerate() {
        let start = bar as f64 * 4.0;
        strike(&mut mix, start, chord[0], 4.0, 0.9);
        // The chord broken upward, and once more.
        for (step, note) in chord.iter().chain(&chord[1..]).enumerate() {
            strike(&mut mix, start + step as f64 * 0.5, *note, 2.0, 0.35);
        }
    }
    for (beat, note, beats) in MELODY {
        strike(&mut mix, beat, note, beats + 0.5, 0.8);
    }
    let loudest = mix.iter().fold(1e-9f64, |a, b| a.max(b.abs()));
    mix.iter()
        .map(|s| (s / loudest * PEAK * 32_767.0) as i16)
        .collect()
}

/// Adds a struck string: harmonics that die away, the higher the sooner. Sound that rings past the end
/// continues at the beginning, so the loop has no seam.
fn strike(mix: &mut [f64], beat: f64, note: u8, beats: f64, level: f64) {
    let rate = f64::from(RATE);
    let hertz = 440.0 * 2f64.powf((f64::from(note) - 69.0) / 12.0);
    let start = (beat * BEAT * rate) as usize;
    let length = (beats * BEAT * rate) as usize;
    let total = mix.len();
    for i in 0..length {
        let t = i as f64 / rate;
        let attack = (t / 0.008).min(1.0);
        let release = ((length - i) as f64 / rate / 0.06).min(1.0);
        let mut sample = 0.0;
        for harmonic in 1..=5u8 {
            let h = f64::from(harmonic);
            if hertz * h < 3_400.0 {
                sample +=
                    (t * hertz * h * std::f64::consts::TAU).sin() * (-t * (1.6 + 1.4 * h)).exp() / (h * h);
            }
        }
        mix[(start + i) % total] += sample * attack * release * level;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tone::level_dbm0;

    #[test]
    fn is_a_tune_without_seam_or_silence() {
        let mut music = Music::default();
        let tune = music.at(8_000);
        assert!(tune.len().abs_diff(102_400) < 8, "{}", tune.len());
        for (i, half) in tune.chunks_exact(4_000).enumerate() {
            let level = level_dbm0(half);
            assert!((-35.0..-8.0).contains(&level), "{level} dBm0 in half second {i}");
        }
        let step = i32::from(tune[0]) - i32::from(tune[tune.len() - 1]);
        assert!(step.abs() < 3_000, "{step}");
        assert!(Arc::ptr_eq(&tune, &music.at(8_000)));
        assert!(music.at(16_000).len() > 200_000);
    }
}
