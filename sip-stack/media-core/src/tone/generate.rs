use crate::codec::RATE;

/// Peak of a sine of that level: 0 dBm0 is 3.17 dB under the overload point of G.711 µ-law, 8,159 of 14 bits.
#[must_use]
pub fn amplitude(dbm0: f32) -> f32 {
    32_636.0 * 10f32.powf((dbm0 - 3.17) / 20.0)
}

/// A sine by rotation: two multiplications a sample, renewed before rounding shows.
#[derive(Clone, Debug)]
pub struct Sine {
    step: f64,
    phase: f64,
    amplitude: f32,
}

impl Sine {
    /// A tone of that frequency and peak.
    #[must_use]
    pub fn new(hertz: f64, amplitude: f32) -> Sine {
        Sine {
            step: hertz * std::f64::consts::TAU / f64::from(RATE),
            phase: 0.0,
            amplitude,
        }
    }

    /// Adds the next samples to `pcm`.
    pub fn add(&mut self, pcm: &mut [i16]) {
        let (mut sin, mut cos) = self.phase.sin_cos();
        let (step_sin, step_cos) = self.step.sin_cos();
        for sample in pcm.iter_mut() {
            *sample = sample.saturating_add((sin * f64::from(self.amplitude)).round() as i16);
            (sin, cos) = (sin * step_cos + cos * step_sin, cos * step_cos - sin * step_sin);
        }
        self.phase = (self.phase + self.step * pcm.len() as f64) % std::f64::consts::TAU;
    }
}

/// Two sines at once: progress tones and digits.
#[derive(Clone, Debug)]
pub struct Dual(Sine, Sine);

impl Dual {
    /// Tones of these frequencies, each at this level.
    #[must_use]
    pub fn new(frequencies: [u16; 2], dbm0: f32) -> Dual {
        let peak = amplitude(dbm0);
        Dual(
            Sine::new(f64::from(frequencies[0]), peak),
            Sine::new(f64::from(frequencies[1]), peak),
        )
    }

    /// Adds the next samples to `pcm`.
    pub fn add(&mut self, pcm: &mut [i16]) {
        self.0.add(pcm);
        self.1.add(pcm);
    }
}

/// A tone that comes and goes.
#[derive(Clone, Debug)]
pub struct Cadence {
    tone: Dual,
    on: u32,
    period: u32,
    at: u32,
}

impl Cadence {
    /// Tones of these frequencies at -19 dBm0 each, `on` of every `period` ms.
    #[must_use]
    pub fn new(frequencies: [u16; 2], on: u32, period: u32) -> Cadence {
        let samples = RATE / 1_000;
        Cadence {
            tone: Dual::new(frequencies, -19.0),
            on: on * samples,
            period: period * samples,
            at: 0,
        }
    }

    /// Fills `pcm` with the next samples. Switches at multiples of the frame, which all cadences are.
    pub fn fill(&mut self, pcm: &mut [i16]) {
        pcm.fill(0);
        if self.at < self.on {
            self.tone.add(pcm);
        }
        self.at = (self.at + pcm.len() as u32) % self.period;
    }
}

/// The two frequencies of a digit (ITU-T Q.23).
#[must_use]
pub fn digit_frequencies(digit: u8) -> Option<[u16; 2]> {
    let at = b"123A456B789C*0#D"
        .iter()
        .position(|d| *d == digit.to_ascii_uppercase())?;
    Some([[697, 770, 852, 941][at / 4], [1_209, 1_336, 1_477, 1_633][at % 4]])
}
