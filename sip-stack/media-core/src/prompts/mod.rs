//! Announcements for waiting callers, in the music's place, put together from prompts that somebody rendered or recorded.

mod clip;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use smallvec::SmallVec;

use crate::codec::RATE;
use crate::resample::resample;

pub use clip::{Clip, Phrase};

/// Clips of one language at the rate of applications, 8 kHz, ready to be played: made once, shared by all shards, never changed.
#[derive(Default, PartialEq, Eq)]
pub struct Prompts {
    clips: BTreeMap<Clip, Arc<[i16]>>,
}

/// A clip to be played, and the silence that follows it, samples.
pub(crate) type Piece = (Arc<[i16]>, usize);

impl Prompts {
    /// Adds a clip: mono at `rate`, 1 kHz to 384 kHz. It is played as loud as it is.
    pub fn add(&mut self, clip: Clip, samples: &[i16], rate: u32) {
        self.clips.insert(clip, resample(samples, rate, RATE).into());
    }

    /// True if nothing can be said.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.clips.is_empty()
    }

    /// The samples of a clip, at 8 kHz.
    #[must_use]
    pub fn clip(&self, clip: Clip) -> Option<&[i16]> {
        self.clips.get(&clip).map(|samples| &**samples)
    }

    /// The sound of a phrase as callers hear it, at 8 kHz; empty if clips for it are missing.
    #[must_use]
    pub fn sound(&self, phrase: Phrase) -> Vec<i16> {
        let pieces = self.say(phrase);
        let samples = pieces.iter().flat_map(|(clip, rest)| {
            let silence = std::iter::repeat_n(0, *rest);
            clip.iter().copied().chain(silence)
        });
        samples.collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clip_is_taken_at_any_rate() {
        let mut prompts = Prompts::default();
        let tone: Vec<i16> = (0..48_000)
            .map(|i| ((f64::from(i) * 0.05).sin() * 8_000.0) as i16)
            .collect();
        assert!(prompts.is_empty());
        prompts.add(Clip::Next, &tone, 48_000);
        let place = |n| Phrase {
            position: Some(n),
            wait: None,
        };
        let sound = prompts.sound(place(1));
        // A second of it, and the rest after a sentence.
        assert!(sound.len().abs_diff(8_000 + 2_800) < 4, "{}", sound.len());
        assert!(prompts.sound(place(2)).is_empty());
    }
}
