use std::sync::Arc;
use std::sync::mpsc::SyncSender;

use crate::codec::RATE;
use crate::control::Application;
use crate::music::Music;
use crate::resample::resample;
use crate::tone::{Cadence, Sine, amplitude};

/// An application in the making of sound, 8 kHz.
#[derive(Debug)]
pub(crate) enum Player {
    /// Makes none: what the leg says goes back to it.
    Echo,
    Tone(Sine),
    Cadence(Cadence),
    Clip {
        samples: Arc<[i16]>,
        at: usize,
        repeat: bool,
        record: Option<SyncSender<Vec<i16>>>,
    },
}

impl Player {
    pub(crate) fn new(application: Application, music: &mut Music) -> Player {
        match application {
            Application::Echo => Player::Echo,
            Application::Music => Player::Clip {
                samples: music.at(RATE),
                at: 0,
                repeat: true,
                record: None,
            },
            Application::Tone { hertz, dbm0 } => {
                Player::Tone(Sine::new(f64::from(hertz), amplitude(f32::from(dbm0))))
            }
            Application::Ringback => Player::Cadence(Cadence::new([440, 480], 2_000, 6_000)),
            Application::Busy => Player::Cadence(Cadence::new([480, 620], 500, 1_000)),
            Application::Clip {
                samples,
                rate,
                repeat,
                record,
            } => {
                let samples = if rate == RATE {
                    samples
                } else {
                    resample(&samples, rate, RATE).into()
                };
                Player::Clip {
                    samples,
                    at: 0,
                    repeat,
                    record,
                }
            }
        }
    }

    /// Fills `pcm` with what comes next: silence after the end of a clip.
    pub(crate) fn fill(&mut self, pcm: &mut [i16]) {
        match self {
            Player::Echo => pcm.fill(0),
            Player::Tone(sine) => {
                pcm.fill(0);
                sine.add(pcm);
            }
            Player::Cadence(cadence) => cadence.fill(pcm),
            Player::Clip {
                samples, at, repeat, ..
            } => {
                let mut filled = 0;
                while filled < pcm.len() {
                    let rest = samples.get(*at..).unwrap_or(&[]);
                    let take = rest.len().min(pcm.len() - filled);
                    pcm[filled..filled + take].copy_from_slice(&rest[..take]);
                    filled += take;
                    *at += take;
                    if take == 0 && *repeat && !samples.is_empty() {
                        *at = 0;
                    } else if take == 0 {
                        pcm[filled..].fill(0);
                        return;
                    }
                }
            }
        }
    }

    /// Destination of the leg's recorded sound.
    pub(crate) fn lane(&self) -> Option<&SyncSender<Vec<i16>>> {
        match self {
            Player::Clip { record, .. } => record.as_ref(),
            _ => None,
        }
    }
}
