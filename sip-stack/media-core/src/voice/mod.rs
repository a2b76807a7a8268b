//! What callers who wait are told, in the music's place: from clips that somebody recorded, or by a voice made by code, so that
//! nothing need be shipped or licensed.

mod clip;
mod klatt;
mod phoneme;
#[cfg(test)]
mod tests;
mod utter;
mod words;

use std::collections::BTreeMap;
use std::sync::Arc;

use smallvec::SmallVec;

use crate::codec::RATE;
use crate::music::Music;
use crate::resample::resample;
use crate::tone::level_dbm0;

pub use clip::{Clip, Phrase};

/// Silence after a clip within a sentence, and after a sentence, samples.
const WITHIN: usize = RATE as usize * 30 / 1_000;
const AFTER: usize = RATE as usize * 350 / 1_000;
/// No sample of the built-in voice is louder.
const PEAK: f64 = 26_000.0;

/// Clips at the rate of applications, 8 kHz, ready to be played: made once, shared by all shards, never changed.
#[derive(Debug, Default)]
pub struct Prompts {
    clips: BTreeMap<Clip, Arc<[i16]>>,
}

/// A clip to be played, and the silence that follows it, samples.
pub(crate) type Piece = (Arc<[i16]>, usize);

impl Prompts {
    /// The built-in voice, as loud as the music. The same at each call, which takes a tenth of a second.
    #[must_use]
    pub fn built_in() -> Prompts {
        let loudness = level_dbm0(&Music::default().at(RATE));
        let clips = Clip::all().filter_map(|clip| {
            let (sounds, tune) = words::script(clip)?;
            let spoken = klatt::synthesise(&utter::frames(&sounds, tune));
            Some((clip, level(&spoken, loudness).into()))
        });
        Prompts {
            clips: clips.collect(),
        }
    }

    /// Adds a clip that somebody recorded: mono at `rate`, 1 kHz to 384 kHz. It is played as loud as it is.
    pub fn add(&mut self, clip: Clip, samples: &[i16], rate: u32) {
        self.clips.insert(clip, resample(samples, rate, RATE).into());
    }

    /// What is to be played for a phrase; nothing where the clips for it are missing.
    pub(crate) fn say(&self, phrase: Phrase) -> SmallVec<[Piece; 10]> {
        phrase
            .clips(|clip| self.clips.contains_key(&clip))
            .into_iter()
            .filter_map(|clip| {
                let rest = if clip.ends() { AFTER } else { WITHIN };
                Some((self.clips.get(&clip)?.clone(), rest))
            })
            .collect()
    }
}

/// Speech brought to the rate of applications and to a level, dBm0, as far as its peaks allow.
fn level(spoken: &[f64], dbm0: f64) -> Vec<i16> {
    let loudest = spoken.iter().fold(1e-9f64, |peak, s| peak.max(s.abs()));
    let full: Vec<i16> = spoken.iter().map(|s| (s / loudest * PEAK) as i16).collect();
    let clip = resample(&full, klatt::RATE, RATE);
    let gain = 10f64.powf((dbm0 - level_dbm0(&clip)) / 20.0).min(1.0);
    clip.iter().map(|s| (f64::from(*s) * gain).round() as i16).collect()
}
