//! Announcements for waiting callers, in the music's place: from recorded clips, or by a voice made by code,
//! so that nothing need be shipped or licensed.

mod clip;
mod klatt;
mod phoneme;
#[cfg(test)]
mod tests;
mod utter;
mod words;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use smallvec::SmallVec;

use crate::codec::RATE;
use crate::music::Music;
use crate::resample::resample;
use crate::tone::level_dbm0;

pub use clip::{Clip, Phrase};

/// Time that a clip takes to come out of silence and to fall back, samples: 5 ms.
const EDGE: usize = 40;
/// No sample of the built-in voice is louder.
const PEAK: f64 = 26_000.0;

/// Clips at the rate of applications, 8 kHz, ready to be played: made once, shared by all shards, never changed.
#[derive(Default, PartialEq, Eq)]
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

    /// Pieces to play for a phrase; none if clips for it are missing.
    pub(crate) fn say(&self, phrase: Phrase) -> SmallVec<[Piece; 10]> {
        let clips = phrase.clips(|clip| self.clips.contains_key(&clip));
        let next = clips.iter().skip(1).copied().map(Some).chain([None]);
        let pieces = clips.iter().zip(next).filter_map(|(clip, next)| {
            let rest = clip.rest(next) * RATE as usize / 1_000;
            Some((self.clips.get(clip)?.clone(), rest))
        });
        pieces.collect()
    }
}

impl fmt::Debug for Prompts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.clips.keys()).finish()
    }
}

/// Speech brought to the rate of applications and to a level, dBm0, as far as its peaks allow, from silence to silence.
fn level(spoken: &[f64], dbm0: f64) -> Vec<i16> {
    let loudest = spoken.iter().fold(1e-9f64, |peak, s| peak.max(s.abs()));
    let full: Vec<i16> = spoken.iter().map(|s| (s / loudest * PEAK) as i16).collect();
    let clip = resample(&full, klatt::RATE, RATE);
    let gain = 10f64.powf((dbm0 - level_dbm0(&clip)) / 20.0).min(1.0);
    let faded = |(i, sample): (usize, &i16)| {
        let edge = i.min(clip.len() - 1 - i) as f64 / EDGE as f64;
        (f64::from(*sample) * gain * edge.min(1.0)).round() as i16
    };
    clip.iter().enumerate().map(faded).collect()
}
