/// Comfort noise at the level of the quiet moments of the sound before.
#[derive(Clone, Debug)]
pub struct Noise {
    /// Mean magnitude of the quietest frames.
    floor: f32,
    state: u32,
}

impl Default for Noise {
    fn default() -> Self {
        Noise {
            floor: 4.0,
            state: 0x2545_f491,
        }
    }
}

impl Noise {
    /// Takes note of a frame: the floor falls at once and rises slowly, and never over -50 dBm0.
    pub fn learn(&mut self, pcm: &[i16]) {
        let sum: u32 = pcm.iter().map(|s| u32::from(s.unsigned_abs())).sum();
        let mean = sum as f32 / pcm.len().max(1) as f32;
        self.floor = if mean < self.floor {
            mean
        } else {
            (self.floor * 1.002 + 0.002).min(mean)
        }
        .min(64.0);
    }

    /// True if a frame is no louder than background.
    #[must_use]
    pub fn is_quiet(&self, pcm: &[i16]) -> bool {
        let sum: u32 = pcm.iter().map(|s| u32::from(s.unsigned_abs())).sum();
        (sum as f32) < (self.floor * 2.0 + 12.0) * pcm.len() as f32
    }

    /// Fills `pcm`.
    pub fn fill(&mut self, pcm: &mut [i16]) {
        let peak = self.floor * 2.0;
        for sample in pcm {
            self.state ^= self.state << 13;
            self.state ^= self.state >> 17;
            self.state ^= self.state << 5;
            *sample = (self.state as i32 as f32 / i32::MAX as f32 * peak) as i16;
        }
    }
}
