//! Prompts that were rendered when the gateway was built, by language.

use media_core::codec::g711::Law;
use media_core::control::{Clip, Prompts};

/// A prompt: the name of its clip, and its sound as G.711 µ-law.
type Rendered = (&'static str, &'static [u8]);

// `LANGUAGES`: names, and the prompts of each.
include!(concat!(env!("OUT_DIR"), "/prompts.rs"));

/// Rate of the prompts.
const RATE: u32 = 8_000;

/// The language that is spoken where none is set.
pub const DEFAULT: &str = "en";

/// Languages that the gateway was built with; none if the speech engine was missing then.
pub fn languages() -> impl Iterator<Item = &'static str> {
    LANGUAGES.iter().map(|(language, _)| *language)
}

/// Prompts of a language; empty if the gateway was built without it.
#[must_use]
pub fn built_in(language: &str) -> Prompts {
    let mut prompts = Prompts::default();
    let found = LANGUAGES.iter().find(|(name, _)| *name == language);
    for (name, codes) in found.map_or(&[][..], |(_, rendered)| rendered) {
        if let Some(clip) = Clip::all().find(|clip| clip.name() == *name) {
            let mut pcm = vec![0; codes.len()];
            Law::Mu.decode(codes, &mut pcm);
            prompts.add(clip, &pcm, RATE);
        }
    }
    prompts
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use media_core::control::Phrase;
    use media_core::music::Music;
    use media_core::tone::level_dbm0;

    use super::*;

    fn peak(sound: &[i16]) -> u16 {
        sound
            .iter()
            .map(|sample| sample.unsigned_abs())
            .max()
            .unwrap_or(0)
    }

    /// Longest stretch in which nothing is louder than -50 dB below full scale, seconds.
    fn longest_silence(sound: &[i16]) -> f64 {
        let silences = sound.split(|sample| sample.unsigned_abs() > 100);
        let longest = silences.map(<[i16]>::len).max().unwrap_or(0);
        longest as f64 / f64::from(RATE)
    }

    #[test]
    fn every_language_says_every_place_and_every_wait() {
        for language in languages() {
            let prompts = built_in(language);
            for n in 1..=100 {
                let place = Phrase {
                    position: Some(n),
                    wait: None,
                };
                let both = Phrase {
                    wait: Some(Duration::from_secs(60 * u64::from(n))),
                    ..place
                };
                let (short, long) = (prompts.sound(place), prompts.sound(both));
                let seconds = |sound: &[i16]| sound.len() as f64 / f64::from(RATE);
                assert!(
                    (1.5..6.0).contains(&seconds(&short)),
                    "{language} {n}: {}",
                    seconds(&short)
                );
                assert!(seconds(&long) > seconds(&short) + 1.0, "{language} {n}");
            }
        }
        assert!(built_in("xx").is_empty());
    }

    #[test]
    fn every_clip_is_as_loud_as_the_music_neither_clipped_nor_with_long_silences() {
        let music = level_dbm0(&Music::default().at(RATE));
        for language in languages() {
            let prompts = built_in(language);
            for clip in Clip::all().filter(|clip| *clip != Clip::Number(0)) {
                let sound = prompts.clip(clip).expect("rendered");
                let level = level_dbm0(sound) - music;
                assert!(
                    level.abs() < 2.0,
                    "{language} {clip:?}: {level} dB from the music"
                );
                assert!(peak(sound) < 28_000, "{language} {clip:?}: {}", peak(sound));
                let silence = longest_silence(sound);
                assert!(silence < 0.2, "{language} {clip:?}: {silence} s of silence");
                for edge in [&sound[..4], &sound[sound.len() - 4..]] {
                    assert!(peak(edge) < 500, "{language} {clip:?}: a click");
                }
            }
        }
    }

    #[test]
    fn prompts_are_small() {
        let octets: usize = LANGUAGES
            .iter()
            .flat_map(|(_, prompts)| *prompts)
            .map(|(_, codes)| codes.len())
            .sum();
        assert!(octets <= 800_000 * LANGUAGES.len(), "{octets}");
    }
}
