//! A formant synthesiser after Klatt (JASA 67, 1980): a glottal source and breath through resonators in cascade, hiss through
//! resonators side by side.

/// Samples a second.
pub(super) const RATE: u32 = 16_000;
/// Samples for which a [`Frame`] holds: 5 ms.
pub(super) const HOP: usize = 80;

/// Fixed resonators above the third: frequency and bandwidth, Hz.
const UPPER: [(f64, f64); 5] = [
    (3_400.0, 380.0),
    (3_800.0, 300.0),
    (5_300.0, 500.0),
    (6_300.0, 700.0),
    (7_300.0, 900.0),
];
/// The resonators of hiss from the second on: bandwidths, Hz. The fourth to the sixth stand where [`HISS_UPPER`] says.
const HISS_WIDTH: [f64; 5] = [200.0, 300.0, 350.0, 500.0, 1_000.0];
const HISS_UPPER: [f64; 3] = [3_400.0, 4_300.0, 5_600.0];
/// The pole that the nose adds, Hz. A zero at the same place undoes it in sounds that are not nasal.
const NASAL_POLE: f64 = 270.0;
const NASAL_WIDTH: f64 = 100.0;
/// Softness with which the glottis closes: a pole at about 900 Hz.
const SOFT: f64 = 0.3;
/// Part of a period in which the glottis is open.
const OPEN: f64 = 0.55;

/// Shape of the vocal tract for [`HOP`] samples.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Frame {
    /// Pitch, Hz.
    pub(super) pitch: f64,
    /// Frequencies of the first three formants, Hz.
    pub(super) formants: [f64; 3],
    /// Their bandwidths, Hz.
    pub(super) widths: [f64; 3],
    /// The zero of the nose, Hz; at [`NASAL_POLE`] the nose is closed.
    pub(super) nasal_zero: f64,
    /// Amplitude of the voice.
    pub(super) voice: f64,
    /// Amplitude of breath through the whole tract.
    pub(super) breath: f64,
    /// Amplitudes of hiss at the second to the sixth resonator, and of what passes by them.
    pub(super) hiss: [f64; 6],
}

/// Frequency at which the nose is closed.
pub(super) const NOSE_CLOSED: f64 = NASAL_POLE;

/// Sound of these frames, one after the other. As loud as the amplitudes say.
pub(super) fn synthesise(frames: &[Frame]) -> Vec<f64> {
    let mut out = Vec::with_capacity(frames.len() * HOP);
    let mut tract = Tract::default();
    let mut before = frames.first().copied().unwrap_or_default();
    for frame in frames {
        tract.tune(frame);
        for i in 0..HOP {
            // Amplitudes glide, so that nothing clicks.
            let part = (i + 1) as f64 / HOP as f64;
            let glide = |from: f64, to: f64| from + (to - from) * part;
            let mut now = Frame {
                pitch: glide(before.pitch, frame.pitch),
                voice: glide(before.voice, frame.voice),
                breath: glide(before.breath, frame.breath),
                ..*frame
            };
            for (amplitude, was) in now.hiss.iter_mut().zip(before.hiss) {
                *amplitude = glide(was, *amplitude);
            }
            out.push(tract.next(&now));
        }
        before = *frame;
    }
    out
}

#[derive(Debug, Default)]
struct Tract {
    glottis: Glottis,
    noise: Noise,
    nasal_pole: Resonator,
    nasal_zero: Zero,
    cascade: [Resonator; 3],
    upper: [Resonator; 5],
    side: [Resonator; 5],
    /// Last samples, for differences.
    hissed: f64,
}

impl Tract {
    fn tune(&mut self, frame: &Frame) {
        self.nasal_pole.tune(NASAL_POLE, NASAL_WIDTH);
        self.nasal_zero.tune(frame.nasal_zero, NASAL_WIDTH);
        for (n, resonator) in self.cascade.iter_mut().enumerate() {
            resonator.tune(frame.formants[n], frame.widths[n]);
        }
        for (resonator, (hertz, width)) in self.upper.iter_mut().zip(UPPER) {
            resonator.tune(hertz, width);
        }
        let places = [
            frame.formants[1],
            frame.formants[2],
            HISS_UPPER[0],
            HISS_UPPER[1],
            HISS_UPPER[2],
        ];
        for ((resonator, hertz), width) in self.side.iter_mut().zip(places).zip(HISS_WIDTH) {
            resonator.tune(hertz, width);
        }
    }

    fn next(&mut self, frame: &Frame) -> f64 {
        let flow = self.glottis.next(frame.pitch);
        let noise = self.noise.next();
        // Breath and hiss come in puffs while the voice sounds.
        let puff = if frame.voice > 0.0 && !self.glottis.is_open() {
            0.5
        } else {
            1.0
        };
        let source = flow * frame.voice + noise * puff * frame.breath;
        let mut sound = self.nasal_zero.pass(self.nasal_pole.pass(source));
        for resonator in self.upper.iter_mut().rev().chain(self.cascade.iter_mut().rev()) {
            sound = resonator.pass(sound);
        }
        // Side by side, neighbours with opposite signs, so that no zeros come between them. The lowest gets the difference, so that
        // it adds nothing far below itself.
        let hissed = noise * puff;
        let rough = hissed - std::mem::replace(&mut self.hissed, hissed);
        let mut sign = 1.0;
        for (resonator, amplitude) in self.side.iter_mut().zip(frame.hiss) {
            sound += sign * resonator.pass(rough * amplitude);
            sign = -sign;
        }
        sound + rough * frame.hiss[5]
    }
}

/// Flow through the glottis, differentiated: opens softly, closes at once.
#[derive(Debug, Default)]
struct Glottis {
    /// Part of the period that is over.
    phase: f64,
    /// For the slow wavering of every voice.
    age: f64,
    soft: f64,
}

impl Glottis {
    fn next(&mut self, pitch: f64) -> f64 {
        self.age += 1.0 / f64::from(RATE);
        let waver = (self.age * 12.7 * std::f64::consts::TAU).sin()
            + (self.age * 7.1 * std::f64::consts::TAU).sin()
            + (self.age * 4.7 * std::f64::consts::TAU).sin();
        let pitch = pitch * (1.0 + 0.004 * waver);
        self.phase += pitch / f64::from(RATE);
        if self.phase >= 1.0 {
            self.phase -= 1.0;
        }
        let t = self.phase / OPEN;
        let flow = if t < 1.0 { 2.0 * t - 3.0 * t * t } else { 0.0 };
        self.soft += SOFT * (flow - self.soft);
        self.soft
    }

    fn is_open(&self) -> bool {
        self.phase < OPEN
    }
}

/// The same noise each time.
#[derive(Debug)]
struct Noise(u32);

impl Default for Noise {
    fn default() -> Noise {
        Noise(0x2545_f491)
    }
}

impl Noise {
    /// Nearly normal, of standard deviation 0.58 or so.
    fn next(&mut self) -> f64 {
        let mut sum = 0.0;
        for _ in 0..4 {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 17;
            self.0 ^= self.0 << 5;
            sum += f64::from(self.0) / f64::from(u32::MAX) - 0.5;
        }
        sum
    }
}

/// A pair of poles with gain 1 at 0 Hz.
#[derive(Clone, Copy, Debug, Default)]
struct Resonator {
    a: f64,
    b: f64,
    c: f64,
    past: [f64; 2],
}

impl Resonator {
    fn tune(&mut self, hertz: f64, width: f64) {
        (self.a, self.b, self.c) = coefficients(hertz, width);
    }

    fn pass(&mut self, x: f64) -> f64 {
        let y = self.a * x + self.b * self.past[0] + self.c * self.past[1];
        self.past = [y, self.past[0]];
        y
    }
}

/// A pair of zeros: a [`Resonator`] turned round.
#[derive(Clone, Copy, Debug, Default)]
struct Zero {
    a: f64,
    b: f64,
    c: f64,
    past: [f64; 2],
}

impl Zero {
    fn tune(&mut self, hertz: f64, width: f64) {
        let (a, b, c) = coefficients(hertz, width);
        (self.a, self.b, self.c) = (1.0 / a, -b / a, -c / a);
    }

    fn pass(&mut self, x: f64) -> f64 {
        let y = self.a * x + self.b * self.past[0] + self.c * self.past[1];
        self.past = [x, self.past[0]];
        y
    }
}

fn coefficients(hertz: f64, width: f64) -> (f64, f64, f64) {
    let step = std::f64::consts::PI / f64::from(RATE);
    let r = (-step * width).exp();
    let c = -r * r;
    let b = 2.0 * r * (2.0 * step * hertz).cos();
    (1.0 - b - c, b, c)
}
