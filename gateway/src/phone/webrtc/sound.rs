//! Sound that the other side hears, 8 kHz mono.

use std::collections::VecDeque;
use std::sync::Arc;

use media_core::codec::RATE;
use media_core::resample::resample;
use media_core::tone::{Sine, amplitude};
use sip_stack::client::read_pcm;

use crate::phone::{PhoneError, PlayedSound};

/// Samples that an echo is behind at most, half a second; older ones are left out.
const BEHIND: usize = RATE as usize / 2;

/// Sound that the other side hears.
#[derive(Clone, Debug)]
pub(super) enum Sound {
    /// Nothing.
    Silence,
    /// The other side, played back.
    Echo(VecDeque<i16>),
    /// A sine.
    Tone(Sine),
    /// Samples.
    Clip {
        /// 8 kHz mono.
        samples: Arc<[i16]>,
        /// The next one.
        at: usize,
        /// Begin again at the end.
        repeat: bool,
    },
}

impl Sound {
    /// Reads the file, if it is one.
    ///
    /// # Errors
    /// The file is no WAV file of 8- or 16-bit PCM.
    pub(super) fn open(play: &PlayedSound) -> Result<Sound, PhoneError> {
        Ok(match play {
            PlayedSound::Silence => Sound::Silence,
            PlayedSound::Echo => Sound::Echo(VecDeque::new()),
            PlayedSound::Tone { hertz, dbm0 } => {
                Sound::Tone(Sine::new(f64::from(*hertz), amplitude(f32::from(*dbm0))))
            }
            PlayedSound::Wav { path, repeat } => {
                let (samples, rate) =
                    read_pcm(path).map_err(|error| PhoneError::Sound(path.clone(), error))?;
                Sound::Clip {
                    samples: resample(&samples, rate, RATE).into(),
                    at: 0,
                    repeat: *repeat,
                }
            }
        })
    }

    /// Fills `pcm` with what comes next; silence when there is nothing.
    pub(super) fn fill(&mut self, pcm: &mut [i16]) {
        pcm.fill(0);
        match self {
            Sound::Silence => {}
            Sound::Echo(waiting) => {
                let ready = waiting.len().min(pcm.len());
                for (to, from) in pcm.iter_mut().zip(waiting.drain(..ready)) {
                    *to = from;
                }
            }
            Sound::Tone(sine) => sine.add(pcm),
            Sound::Clip { samples, at, repeat } => {
                for sample in pcm {
                    if *at == samples.len() && *repeat {
                        *at = 0;
                    }
                    let Some(next) = samples.get(*at) else { return };
                    *sample = *next;
                    *at += 1;
                }
            }
        }
    }

    /// Takes sound of the other side, for an echo.
    pub(super) fn take(&mut self, pcm: &[i16]) {
        if let Sound::Echo(waiting) = self {
            waiting.extend(pcm);
            let surplus = waiting.len().saturating_sub(BEHIND);
            waiting.drain(..surplus);
        }
    }

    /// True if it plays something of its own.
    pub(super) fn is_played(&self) -> bool {
        !matches!(self, Sound::Silence)
    }

    /// True if it plays back what it hears.
    pub(super) fn is_echo(&self) -> bool {
        matches!(self, Sound::Echo(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(sound: &mut Sound, samples: usize) -> Vec<i16> {
        let mut pcm = vec![9; samples];
        sound.fill(&mut pcm);
        pcm
    }

    #[test]
    fn a_clip_begins_again_or_ends_in_silence() {
        let clip = |repeat| Sound::Clip {
            samples: Arc::from([1, 2, 3]),
            at: 0,
            repeat,
        };
        assert_eq!(next(&mut clip(true), 8), [1, 2, 3, 1, 2, 3, 1, 2]);
        assert_eq!(next(&mut clip(false), 5), [1, 2, 3, 0, 0]);
        let mut empty = Sound::Clip {
            samples: Arc::from([]),
            at: 0,
            repeat: true,
        };
        assert_eq!(next(&mut empty, 2), [0, 0]);
    }

    #[test]
    fn an_echo_repeats_what_it_heard_and_never_falls_far_behind() {
        let mut echo = Sound::Echo(VecDeque::new());
        echo.take(&[1, 2, 3]);
        assert_eq!(next(&mut echo, 2), [1, 2]);
        assert_eq!(next(&mut echo, 2), [3, 0]);
        echo.take(&vec![5; 2 * BEHIND]);
        assert_eq!(
            next(&mut echo, 2 * BEHIND).iter().filter(|s| **s == 5).count(),
            BEHIND
        );
        let mut silence = Sound::Silence;
        silence.take(&[7]);
        assert_eq!(next(&mut silence, 1), [0]);
    }
}
