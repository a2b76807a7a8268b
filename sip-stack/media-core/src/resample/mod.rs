//! Sound from one rate to another: whole clips at a time, off the packet path, by [`resample`]; between 8 and 16 kHz as it
//! comes by [`Up`] and [`Down`], and from 48 kHz by [`Third`].

mod half;
mod third;

pub use half::{Down, Up};
pub use third::Third;

use rubato::audioadapter_buffers::owned::InterleavedOwned;
use rubato::{Fft, FixedSync, Resampler as _};

/// The clip at another rate; as it is when the rates are equal, empty when a rate is out of all reason (1 kHz to 384 kHz
/// is in) or the clip is empty.
#[must_use]
pub fn resample(pcm: &[i16], from: u32, to: u32) -> Vec<i16> {
    if from == to {
        return pcm.to_vec();
    }
    let sane = 1_000..=384_000;
    if pcm.is_empty() || !sane.contains(&from) || !sane.contains(&to) {
        return Vec::new();
    }
    let input: Vec<f32> = pcm.iter().map(|s| f32::from(*s)).collect();
    let length = input.len();
    let resampled = InterleavedOwned::new_from(input, 1, length)
        .ok()
        .and_then(|input| {
            let mut resampler =
                Fft::<f32>::new(from as usize, to as usize, 1_024, 1, FixedSync::Both).ok()?;
            resampler.process_all(&input, length, None).ok()
        });
    resampled.map_or_else(Vec::new, |clip| {
        clip.take_data().into_iter().map(|s| s.round() as i16).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tone::measure;

    #[test]
    fn a_tone_keeps_its_pitch_its_level_and_its_length() {
        for (from, to) in [
            (48_000u32, 8_000u32),
            (16_000, 8_000),
            (44_100, 8_000),
            (8_000, 16_000),
        ] {
            let pcm: Vec<i16> = (0..from)
                .map(|i| (f64::from(i) * 1_004.0 * std::f64::consts::TAU / f64::from(from)).sin() * 10_000.0)
                .map(|s| s as i16)
                .collect();
            let out = resample(&pcm, from, to);
            assert!(out.len().abs_diff(to as usize) < 4, "{} at {to}", out.len());
            let (before, after) = (measure(&pcm, from), measure(&out, to));
            assert!(
                (before.hertz - after.hertz).abs() < 0.5,
                "{from} to {to}: {after:?}"
            );
            assert!(
                (before.dbm0 - after.dbm0).abs() < 0.05,
                "{from} to {to}: {after:?}"
            );
        }
        assert_eq!(resample(&[1, 2, 3], 8_000, 8_000), [1, 2, 3]);
        assert!(resample(&[1, 2, 3], 0, 8_000).is_empty());
    }
}
