//! Sound that a phone plays, and its use of what it hears.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use media_core::control::Application;
use media_core::tone::{Sine, amplitude};

use crate::audio::{Heard, RATE, SoundError, read_pcm};

/// Frames that may wait to be read from a [`Recorder`], 5 s of them. When it is full the shard drops and counts them.
const FRAMES: usize = 250;

/// Sound that the peer hears.
#[derive(Clone, Debug)]
pub enum Play {
    /// Nothing.
    Silence,
    /// The peer's own audio, played back. Cannot be recorded at the same time.
    Echo,
    /// Samples.
    Clip {
        /// 16-bit mono.
        samples: Arc<[i16]>,
        /// Hertz.
        rate: u32,
        /// Begin again at the end.
        repeat: bool,
    },
}

/// Sound that the peer hears, and whether the peer's is kept.
#[derive(Clone, Debug)]
pub struct Sound {
    play: Play,
    record: bool,
}

impl Sound {
    /// Plays this and keeps nothing.
    #[must_use]
    pub fn new(play: Play) -> Sound {
        Sound { play, record: false }
    }

    /// Nothing.
    #[must_use]
    pub fn silence() -> Sound {
        Sound::new(Play::Silence)
    }

    /// Plays the peer's own audio back.
    #[must_use]
    pub fn echo() -> Sound {
        Sound::new(Play::Echo)
    }

    /// A sine of whole hertz, at a level in dBm0 (-10 is usual).
    #[must_use]
    pub fn tone(hertz: u16, dbm0: i8) -> Sound {
        // One second holds a whole number of periods, so it repeats without a click.
        let mut samples = vec![0; RATE as usize];
        Sine::new(f64::from(hertz), amplitude(f32::from(dbm0))).add(&mut samples);
        Sound::new(Play::Clip {
            samples: samples.into(),
            rate: RATE,
            repeat: true,
        })
    }

    /// Lets the peer's sound be read from [`Call::recorder`](super::Call::recorder).
    #[must_use]
    pub fn recorded(mut self) -> Sound {
        self.record = true;
        self
    }

    pub(super) fn into_parts(self) -> (Application, Option<Recorder>) {
        let (record, recorder) = if self.record {
            let (sender, recorder) = Recorder::pair();
            (Some(sender), Some(recorder))
        } else {
            (None, None)
        };
        let application = match self.play {
            Play::Echo => Application::Echo,
            Play::Silence => Application::Clip {
                samples: Arc::from([]),
                rate: RATE,
                repeat: false,
                record,
            },
            Play::Clip {
                samples,
                rate,
                repeat,
            } => Application::Clip {
                samples,
                rate,
                repeat,
                record,
            },
        };
        (application, recorder)
    }
}

/// Sound of the peer, decoded, as it comes.
#[derive(Debug)]
pub struct Recorder(Receiver<Vec<i16>>);

impl Recorder {
    /// A recorder, and the lane that frames of 8 kHz mono are put into; 5 s of them may wait.
    #[must_use]
    pub fn pair() -> (SyncSender<Vec<i16>>, Recorder) {
        let (sender, receiver) = sync_channel(FRAMES);
        (sender, Recorder(receiver))
    }

    /// The next frame, 8 kHz mono. Waits for it; `None` once the call's media is gone. Blocks: call it from a thread.
    pub fn next_frame(&self) -> Option<Vec<i16>> {
        self.0.recv().ok()
    }

    /// Reads until the call's media is gone; writes a WAV file when a path is given. Blocks: call it from a thread, e.g.
    /// with `spawn_blocking`.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn run(self, path: Option<&Path>) -> Result<Heard, SoundError> {
        let spec = hound::WavSpec {
            channels: 1,
            sample_rate: RATE,
            bits_per_sample: 16,
            sample_format: hound::SampleFormat::Int,
        };
        let mut writer = path
            .map(|path| hound::WavWriter::create(path, spec))
            .transpose()?;
        let mut heard = Heard::default();
        while let Some(frame) = self.next_frame() {
            heard.add(&frame);
            if let Some(writer) = &mut writer {
                for sample in frame {
                    writer.write_sample(sample)?;
                }
            }
        }
        if let Some(writer) = writer {
            writer.finalize()?;
        }
        Ok(heard)
    }
}

/// A WAV file to be played.
///
/// # Errors
/// Those of [`read_pcm`].
pub fn read_wav(path: &Path, repeat: bool) -> Result<Play, SoundError> {
    let (samples, rate) = read_pcm(path)?;
    Ok(Play::Clip {
        samples: samples.into(),
        rate,
        repeat,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(sound: Sound) -> Heard {
        let Play::Clip { samples, .. } = sound.play else {
            panic!("no clip")
        };
        let mut heard = Heard::default();
        samples.chunks(160).for_each(|frame| heard.add(frame));
        heard
    }

    #[test]
    fn a_tone_has_the_level_that_was_asked_for() {
        for dbm0 in [-30, -10, 0] {
            let heard = heard(Sound::tone(1_004, dbm0));
            let level = heard.level_dbm0().expect("sound");
            assert!((level - f64::from(dbm0)).abs() < 0.1, "{level} instead of {dbm0}");
            assert!(heard.is_audible() && heard.loud_seconds() == 1.0);
        }
        assert!(!heard(Sound::tone(1_004, -60)).is_audible());
    }

    #[test]
    fn a_recording_is_written_and_read_again() {
        let path = std::env::temp_dir().join(format!("cordboard-{}-recording.wav", std::process::id()));
        let (application, recorder) = Sound::tone(440, -10).recorded().into_parts();
        let Application::Clip {
            samples,
            record: Some(lane),
            ..
        } = application
        else {
            panic!("no clip")
        };
        samples
            .chunks(160)
            .for_each(|frame| lane.send(frame.to_vec()).expect("room"));
        drop(lane);
        let heard = recorder.expect("recorder").run(Some(&path)).expect("written");
        assert_eq!(heard.samples, 8_000);
        let Ok(Play::Clip {
            samples: read, rate, ..
        }) = read_wav(&path, false)
        else {
            panic!("not read")
        };
        std::fs::remove_file(&path).expect("removed");
        assert_eq!((&*read, rate), (&*samples, 8_000));
    }

    #[test]
    fn what_is_no_wav_says_so() {
        assert!(read_wav(Path::new("/nowhere/at/all.wav"), false).is_err());
        assert!(read_wav(Path::new(file!()), false).is_err());
    }
}
