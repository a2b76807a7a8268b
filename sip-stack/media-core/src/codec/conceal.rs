use super::RATE;

/// Longest pitch period looked for, in samples at 8 kHz: 66 Hz.
const LONGEST: usize = 120;
/// Shortest: 200 Hz and its multiples.
const SHORTEST: usize = 40;
/// Samples of the past that are kept, at 8 and at 16 kHz.
const HISTORY: usize = 400;
const WIDE_HISTORY: usize = 2 * HISTORY;
/// Samples over which the sound that comes back is blended in.
const BLEND: usize = 32;

/// Packet loss concealment for codecs that have none: the last pitch period again and again, fading out over 100 ms
/// (in the manner of G.711 appendix I, without its delay).
#[derive(Clone, Debug)]
pub struct Concealer {
    /// Past samples, of which the last ones count at 8 kHz.
    history: [i16; WIDE_HISTORY],
    /// Samples for each one at 8 kHz.
    per: usize,
    pitch: usize,
    /// Samples concealed since the last good one; 0 in good times.
    run: usize,
}

impl Default for Concealer {
    fn default() -> Self {
        Concealer::new(RATE)
    }
}

impl Concealer {
    /// For sound at `rate`: 16 kHz, or 8 kHz for any other value.
    #[must_use]
    pub fn new(rate: u32) -> Concealer {
        let per = (super::wide_or_narrow(rate) / RATE) as usize;
        Concealer {
            history: [0; WIDE_HISTORY],
            per,
            pitch: LONGEST * per,
            run: 0,
        }
    }

    /// Takes note of decoded sound; right after a loss its beginning is blended with the concealment.
    pub fn good(&mut self, pcm: &mut [i16]) {
        if self.run > 0 {
            let mut made_up = [0; 2 * BLEND];
            let blend = (BLEND * self.per).min(pcm.len());
            self.extend(&mut made_up[..blend]);
            for (i, (sample, old)) in pcm.iter_mut().zip(&made_up[..blend]).enumerate() {
                let (new, old) = (i32::from(*sample), i32::from(*old));
                *sample = (old + (new - old) * (i as i32 + 1) / (blend as i32 + 1)) as i16;
            }
            self.run = 0;
        }
        self.remember(pcm);
    }

    /// Makes up the sound that is missing.
    pub fn conceal(&mut self, pcm: &mut [i16]) {
        if self.run == 0 {
            self.pitch = self.find_pitch();
        }
        self.extend(pcm);
        self.remember(pcm);
    }

    fn extend(&mut self, pcm: &mut [i16]) {
        for i in 0..pcm.len() {
            let source = if i < self.pitch {
                self.history[WIDE_HISTORY - self.pitch + i]
            } else {
                pcm[i - self.pitch]
            };
            pcm[i] = source;
        }
        // 10 ms as it was, then down to nothing at 100 ms. The history carries the fading, so each period fades by the
        // ratio of two moments of the ramp.
        let per = self.per;
        let level = |run: usize| ((800 * per).saturating_sub(run.max(80 * per)) as f32) / (720 * per) as f32;
        for (i, sample) in pcm.iter_mut().enumerate() {
            let before = level((self.run + i).saturating_sub(self.pitch));
            let ratio = if before > 0.0 {
                level(self.run + i) / before
            } else {
                0.0
            };
            *sample = (f32::from(*sample) * ratio) as i16;
        }
        self.run += pcm.len();
    }

    fn remember(&mut self, pcm: &[i16]) {
        let kept = HISTORY * self.per;
        let history = &mut self.history[WIDE_HISTORY - kept..];
        if pcm.len() >= kept {
            history.copy_from_slice(&pcm[pcm.len() - kept..]);
        } else {
            history.copy_within(pcm.len().., 0);
            history[kept - pcm.len()..].copy_from_slice(pcm);
        }
    }

    /// The lag at which the last 20 ms resemble the samples before them most. At 16 kHz every other sample says enough.
    fn find_pitch(&self) -> usize {
        let per = self.per;
        let recent = &self.history[WIDE_HISTORY - 160 * per..];
        let mut best = (f32::MIN, LONGEST * per);
        for lag in SHORTEST..=LONGEST {
            let lag = lag * per;
            let earlier = &self.history[WIDE_HISTORY - 160 * per - lag..WIDE_HISTORY - lag];
            let (mut cross, mut energy) = (0.0f32, 1.0f32);
            for (a, b) in recent.iter().zip(earlier).step_by(per) {
                cross += f32::from(*a) * f32::from(*b);
                energy += f32::from(*b) * f32::from(*b);
            }
            let score = cross / energy.sqrt();
            if score > best.0 {
                best = (score, lag);
            }
        }
        best.1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sine(from: usize, len: usize) -> Vec<i16> {
        (from..from + len)
            .map(|i| ((i as f64 * 200.0 * std::f64::consts::TAU / 8_000.0).sin() * 9_000.0) as i16)
            .collect()
    }

    #[test]
    fn a_lost_frame_of_a_vowel_goes_on_and_silence_follows() {
        let mut concealer = Concealer::default();
        for frame in 0..10 {
            concealer.good(&mut sine(frame * 160, 160));
        }
        let mut lost = [0; 160];
        concealer.conceal(&mut lost);
        let truth = sine(1_600, 160);
        let error: f64 = lost[..80]
            .iter()
            .zip(&truth)
            .map(|(a, b)| f64::from(a - b).powi(2))
            .sum();
        let energy: f64 = truth[..80].iter().map(|a| f64::from(*a).powi(2)).sum();
        assert!(error < energy / 100.0, "{error} of {energy}");
        let mut back = sine(1_760, 160);
        concealer.good(&mut back);
        let step = i32::from(back[0]) - i32::from(lost[159]);
        assert!(step.abs() < 2_500, "{step}");
        for _ in 0..6 {
            concealer.conceal(&mut lost);
        }
        assert_eq!(lost, [0; 160]);
    }
}
