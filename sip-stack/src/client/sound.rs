//! Sound that a phone plays, and its use of what it hears.

use std::f64::consts::SQRT_2;
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use media_core::control::Application;
use media_core::tone::{Sine, amplitude};

/// Rate of recordings, hertz.
const RATE: u32 = 8_000;

/// Frames that may wait to be read from a [`Recorder`], 5 s of them. When it is full the shard drops and counts them.
const FRAMES: usize = 250;

/// A frame quieter than this is silence: -45 dB under full scale.
const SILENCE: f64 = 184.0;

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

/// A summary of the received sound.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Heard {
    /// Samples at 8 kHz.
    pub samples: u64,
    /// Those of them in frames louder than -45 dBFS.
    pub loud_samples: u64,
    square_sum: f64,
}

impl Heard {
    /// Takes a frame in.
    pub fn add(&mut self, frame: &[i16]) {
        let squares: f64 = frame.iter().map(|s| f64::from(*s).powi(2)).sum();
        let len = frame.len() as u64;
        self.samples += len;
        if len > 0 && (squares / len as f64).sqrt() > SILENCE {
            self.loud_samples += len;
            self.square_sum += squares;
        }
    }

    /// More than a click: at least 100 ms of sound.
    #[must_use]
    pub fn is_audible(&self) -> bool {
        self.loud_samples >= u64::from(RATE / 10)
    }

    /// Seconds of sound that is not silence.
    #[must_use]
    pub fn loud_seconds(&self) -> f64 {
        self.loud_samples as f64 / f64::from(RATE)
    }

    /// Level of the sound that was not silent, dBm0; `None` if all was silent.
    #[must_use]
    pub fn level_dbm0(&self) -> Option<f64> {
        if self.loud_samples == 0 {
            return None;
        }
        let rms = (self.square_sum / self.loud_samples as f64).sqrt();
        Some(20.0 * (rms * SQRT_2 / f64::from(amplitude(0.0))).log10())
    }
}

/// Why a WAV file cannot be used.
#[derive(Debug)]
pub struct SoundError(String);

impl fmt::Display for SoundError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for SoundError {}

impl From<hound::Error> for SoundError {
    fn from(error: hound::Error) -> Self {
        SoundError(error.to_string())
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

/// The samples and the rate, hertz, of a WAV file of 8- or 16-bit PCM, 4 to 192 kHz; of several channels their mean.
///
/// # Errors
/// The file cannot be read, or holds something else.
pub fn read_pcm(path: &Path) -> Result<(Vec<i16>, u32), SoundError> {
    let mut reader = hound::WavReader::open(path)?;
    let spec = reader.spec();
    let bits = spec.bits_per_sample;
    if spec.sample_format != hound::SampleFormat::Int || !matches!(bits, 8 | 16) {
        return Err(SoundError(format!(
            "{bits} bits a sample: only PCM of 8 or 16 bits is understood"
        )));
    }
    if !(4_000..=192_000).contains(&spec.sample_rate) {
        return Err(SoundError(format!(
            "a rate of {} Hz is not between 4 and 192 kHz",
            spec.sample_rate
        )));
    }
    let all = reader.samples::<i32>().collect::<Result<Vec<i32>, _>>()?;
    let channels = usize::from(spec.channels.max(1));
    let mean = |of: &[i32]| (of.iter().sum::<i32>() << (16 - bits)) / channels as i32;
    // The beginning of a last sample whose other channels are missing is left out.
    let samples = all.chunks_exact(channels).map(|of| mean(of) as i16);
    Ok((samples.collect(), spec.sample_rate))
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
