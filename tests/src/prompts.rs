//! Prompts that depend on no speech engine.

use media_core::control::{Clip, Prompts};

const RATE: u32 = 8_000;

/// Prompts of which each clip is a tone of its own, about as loud as the music.
#[must_use]
pub fn tones() -> Prompts {
    const EDGE: usize = 80;
    let mut prompts = Prompts::default();
    for (n, clip) in Clip::all().enumerate() {
        let length = if matches!(clip, Clip::Number(_)) {
            3_600
        } else {
            7_200
        };
        let step = std::f64::consts::TAU * (300.0 + n as f64) / f64::from(RATE);
        let sample = |i: usize| {
            let edge = i.min(length - 1 - i) as f64 / EDGE as f64;
            ((i as f64 * step).sin() * 2_400.0 * edge.min(1.0)) as i16
        };
        let sound: Vec<i16> = (0..length).map(sample).collect();
        prompts.add(clip, &sound, RATE);
    }
    prompts
}
