//! Speech of the calls: one minute, as Opus and as G.711 of the same samples.

use std::path::Path;

use opus::{Application, Bitrate, Channels, Encoder};

use super::Outcome;

/// Samples of one frame at 8 kHz: 20 ms.
pub(crate) const FRAME: usize = 160;

/// Frames after which the speech begins again.
const FRAMES: usize = 3_000;

/// The packets' payloads, frame by frame.
pub(crate) struct Speech {
    /// 24 kbit/s, encoded at 48 kHz as a browser does.
    pub(crate) opus: Vec<Vec<u8>>,
    /// G.711 µ-law.
    pub(crate) pcmu: Vec<[u8; FRAME]>,
    /// Samples of both: 8 kHz, full scale 32,768.
    pub(crate) samples: Vec<f32>,
    /// Origin, for the report.
    pub(crate) source: String,
}

impl Speech {
    /// Encodes the 8 kHz prompts in `corpora/speech-prompts`; without them, a synthetic voice.
    pub(crate) fn load(corpora: Option<&Path>) -> Outcome<Speech> {
        let (samples, name) = match corpora.map(|folder| folder.join("speech-prompts")) {
            Some(folder) if folder.is_dir() => (read_prompts(&folder)?, "speech prompts"),
            _ => (
                synthetic_voice(),
                "a synthetic voice (speech-prompts are not in CORDBOARD_CORPORA)",
            ),
        };
        let opus = encode(&up_sample(&samples))?;
        let octets: usize = opus.iter().map(Vec::len).sum();
        let source = format!(
            "{name}, {} s, Opus {:.1} kbit/s",
            FRAMES / 50,
            octets as f64 * 0.4 / FRAMES as f64
        );
        let pcmu = samples
            .chunks(FRAME)
            .map(|frame| std::array::from_fn(|n| mu_law(frame[n])))
            .collect();
        let samples = samples.into_iter().map(f32::from).collect();
        Ok(Speech {
            opus,
            pcmu,
            samples,
            source,
        })
    }

    /// Number of frames.
    pub(crate) fn frames(&self) -> usize {
        self.pcmu.len()
    }
}

fn read_prompts(folder: &Path) -> Outcome<Vec<i16>> {
    let mut files: Vec<_> = std::fs::read_dir(folder)?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "wav"));
    files.sort();
    let mut samples = Vec::new();
    for path in files {
        let reader = hound::WavReader::open(&path)?;
        let spec = reader.spec();
        if (spec.sample_rate, spec.channels, spec.bits_per_sample) != (8_000, 1, 16) {
            return Err(format!("{}: 16-bit mono at 8 kHz is wanted", path.display()).into());
        }
        for sample in reader.into_samples::<i16>() {
            samples.push(sample?);
        }
    }
    if samples.is_empty() {
        return Err(format!("{}: no WAV file", folder.display()).into());
    }
    Ok(samples.iter().copied().cycle().take(FRAMES * FRAME).collect())
}

/// Harmonics of a moving pitch under moving formants, in syllables, with pauses.
fn synthetic_voice() -> Vec<i16> {
    let mut phase = 0.0_f64;
    let voice = |n: usize| {
        let t = n as f64 / 8_000.0;
        let wave = |hertz: f64| (std::f64::consts::TAU * hertz * t).sin();
        let pitch = 120.0 + 25.0 * wave(0.7) + 15.0 * wave(2.3);
        phase += std::f64::consts::TAU * pitch / 8_000.0;
        let formants = [500.0 + 250.0 * wave(1.3), 1_500.0 + 700.0 * wave(0.9), 2_600.0];
        let harmonics = (1..)
            .map(|k| (k, pitch * f64::from(k)))
            .take_while(|(_, hertz)| *hertz < 3_300.0);
        let sum: f64 = harmonics
            .map(|(k, hertz)| {
                let gain: f64 = formants
                    .iter()
                    .map(|peak| 1.0 / (1.0 + ((hertz - peak) / 150.0).powi(2)))
                    .sum();
                gain * (phase * f64::from(k)).sin()
            })
            .sum();
        let syllable = (0.5 + 0.5 * wave(3.5)).powf(0.7);
        let speaking = f64::from(u8::from(t % 2.5 < 2.05));
        (sum * syllable * speaking * 4_000.0).clamp(-32_000.0, 32_000.0) as i16
    };
    (0..FRAMES * FRAME).map(voice).collect()
}

/// Six times the rate, through a windowed sinc.
fn up_sample(samples: &[i16]) -> Vec<i16> {
    const HALF: i64 = 24;
    let tap = |distance: f64| {
        let x = std::f64::consts::PI * distance;
        let sinc = if distance == 0.0 { 1.0 } else { x.sin() / x };
        sinc * (0.5 + 0.5 * (x / (HALF + 1) as f64).cos())
    };
    let taps: Vec<Vec<f64>> = (0..6)
        .map(|phase| {
            (-HALF..=HALF)
                .map(|k| tap(k as f64 - f64::from(phase) / 6.0))
                .collect()
        })
        .collect();
    let at = |n: i64| {
        usize::try_from(n)
            .ok()
            .and_then(|n| samples.get(n))
            .map_or(0.0, |sample| f64::from(*sample))
    };
    let mut out = Vec::with_capacity(samples.len() * 6);
    for n in 0..samples.len() as i64 {
        for phase in &taps {
            let sum: f64 = phase.iter().zip(-HALF..).map(|(tap, k)| tap * at(n + k)).sum();
            out.push(sum.clamp(-32_768.0, 32_767.0) as i16);
        }
    }
    out
}

fn encode(samples: &[i16]) -> Outcome<Vec<Vec<u8>>> {
    let mut encoder = Encoder::new(48_000, Channels::Mono, Application::Voip)?;
    encoder.set_bitrate(Bitrate::Bits(24_000))?;
    encoder.set_complexity(9)?;
    encoder.set_inband_fec(true)?;
    Ok(samples
        .chunks(6 * FRAME)
        .map(|frame| encoder.encode_vec(frame, 1_275))
        .collect::<Result<_, _>>()?)
}

/// G.711 µ-law (RFC 3551 §4.5.14).
fn mu_law(sample: i16) -> u8 {
    let magnitude = i32::from(sample).abs().min(32_635) + 132;
    let exponent = 24 - magnitude.leading_zeros();
    let mantissa = (magnitude >> (exponent + 3)) & 15;
    let sign = if sample < 0 { 0x80 } else { 0 };
    !(sign | (exponent << 4) as u8 | mantissa as u8)
}

/// The sample behind an octet of G.711 µ-law.
pub(crate) fn from_mu_law(octet: u8) -> f32 {
    let octet = !octet;
    let magnitude = (((i32::from(octet & 15) << 3) + 132) << (octet >> 4 & 7)) - 132;
    (if octet & 0x80 != 0 { -magnitude } else { magnitude }) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mu_law_keeps_every_level_within_its_step() {
        for sample in (i16::MIN..=i16::MAX).step_by(7) {
            let back = from_mu_law(mu_law(sample));
            let step = (f32::from(sample).abs() + 132.0) / 16.0;
            assert!(
                (back - f32::from(sample).clamp(-32_124.0, 32_124.0)).abs() <= step,
                "{sample} {back}"
            );
        }
        assert_eq!((mu_law(0), mu_law(32_767), mu_law(-32_768)), (0xff, 0x80, 0x00));
    }

    #[test]
    fn up_sampling_keeps_the_samples_that_were_there() {
        let voice = synthetic_voice();
        let up = up_sample(&voice[..800]);
        assert_eq!(up.len(), 4_800);
        for n in 30..770 {
            assert!((up[6 * n] - voice[n]).abs() <= 1);
        }
    }
}
