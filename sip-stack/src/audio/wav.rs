//! WAV files: what is played, and what is recorded.

use std::f64::consts::SQRT_2;
use std::fmt;
use std::fs::File;
use std::io::BufWriter;
use std::path::Path;

use hound::{SampleFormat, WavSpec, WavWriter};
use media_core::control::SoundRate;
use media_core::resample::resample;
use media_core::tap::Way;
use media_core::tone::amplitude;
use tokio::time::interval;

use super::receive::Ear;
use super::{FRAME, Owner, Running};
use crate::media::MediaTap;

/// Rate of recordings, hertz.
pub(crate) const RATE: u32 = 8_000;

/// A frame quieter than this is silence: -45 dB under full scale.
const SILENCE: f64 = 184.0;

/// Sound that a recording has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Channels {
    /// The party's voice, mono.
    #[default]
    Party,
    /// The party's voice on the left, and what it hears on the right.
    Both,
}

/// A WAV file that grows as the call goes on: 16-bit PCM at 8 kHz. It is whole once this is dropped or the call is over; silence
/// is part of it, so that its time is the call's.
#[derive(Debug)]
#[must_use = "a recording ends when this is dropped"]
pub struct WavRecording(Running<Result<Heard, SoundError>>);

impl WavRecording {
    /// Ends the recording: the file is whole then.
    ///
    /// # Errors
    /// The file could not be written.
    pub async fn finish(self) -> Result<Heard, SoundError> {
        self.0.end().await.unwrap_or_else(unfinished)
    }

    /// Waits until the call is over: the file is whole then.
    ///
    /// # Errors
    /// The file could not be written.
    pub async fn ended(self) -> Result<Heard, SoundError> {
        self.0.outcome().await.unwrap_or_else(unfinished)
    }
}

fn unfinished() -> Result<Heard, SoundError> {
    Err(SoundError::BrokenOff)
}

/// Records a tapped leg.
///
/// # Errors
/// The file cannot be made.
pub(crate) fn record(tap: MediaTap, path: &Path, channels: Channels) -> Result<WavRecording, SoundError> {
    let spec = WavSpec {
        channels: match channels {
            Channels::Party => 1,
            Channels::Both => 2,
        },
        sample_rate: RATE,
        bits_per_sample: 16,
        sample_format: SampleFormat::Int,
    };
    let writer = WavWriter::create(path, spec)?;
    Ok(WavRecording(Running::start(|owner| {
        run(tap, writer, channels, owner)
    })))
}

async fn run(
    tap: MediaTap,
    mut writer: WavWriter<BufWriter<File>>,
    channels: Channels,
    mut owner: Owner,
) -> Result<Heard, SoundError> {
    let mut ear = Ear::new(tap, RATE);
    let mut every = interval(FRAME);
    let mut heard = Heard::default();
    let (mut left, mut right) = (Vec::new(), Vec::new());
    let mut goes_on = true;
    while goes_on {
        tokio::select! {
            _ = every.tick() => {}
            () = owner.gone() => goes_on = false,
        }
        goes_on &= ear.listen();
        let Some(party) = ear.pull(Way::Received) else {
            continue;
        };
        heard.add(party);
        match channels {
            Channels::Party => party.iter().try_for_each(|sample| writer.write_sample(*sample))?,
            Channels::Both => {
                left.clear();
                left.extend_from_slice(party);
                right.clear();
                right.extend_from_slice(ear.pull(Way::Sent).unwrap_or_default());
                for (left, right) in left.iter().zip(&right) {
                    writer.write_sample(*left)?;
                    writer.write_sample(*right)?;
                }
            }
        }
    }
    writer.finalize()?;
    Ok(heard)
}

/// Samples that are played once, from the beginning to the end.
pub(crate) struct Clip {
    samples: Vec<i16>,
    rate: SoundRate,
    at: usize,
}

impl Clip {
    /// Reads a WAV file.
    ///
    /// # Errors
    /// Those of [`read_pcm`].
    pub(crate) fn read(path: &Path) -> Result<Clip, SoundError> {
        let (samples, hertz) = read_pcm(path)?;
        let rate = match hertz < 16_000 {
            true => SoundRate::Hz8000,
            false => SoundRate::Hz16000,
        };
        Ok(Clip {
            samples: resample(&samples, hertz, rate.hertz()),
            rate,
            at: 0,
        })
    }

    pub(crate) fn rate(&self) -> SoundRate {
        self.rate
    }

    /// Fills a frame; false once nothing is left.
    pub(crate) fn fill(&mut self, frame: &mut [i16]) -> bool {
        let rest = self.samples.get(self.at..).unwrap_or_default();
        let length = rest.len().min(frame.len());
        frame[..length].copy_from_slice(&rest[..length]);
        self.at += length;
        length > 0
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
pub enum SoundError {
    /// The file cannot be read or written, or is none.
    File(hound::Error),
    /// Its samples are not PCM of 8 or 16 bits, but of this many, or not whole numbers.
    Bits(u16),
    /// Its rate, hertz, is not between 4 and 192 kHz.
    Rate(u32),
    /// The recording was broken off with the program.
    BrokenOff,
}

impl fmt::Display for SoundError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SoundError::File(error) => error.fmt(f),
            SoundError::Bits(bits) => {
                write!(f, "{bits} bits a sample: only PCM of 8 or 16 bits is understood")
            }
            SoundError::Rate(hertz) => write!(f, "a rate of {hertz} Hz is not between 4 and 192 kHz"),
            SoundError::BrokenOff => f.write_str("the recording was broken off"),
        }
    }
}

impl std::error::Error for SoundError {}

impl From<hound::Error> for SoundError {
    fn from(error: hound::Error) -> Self {
        SoundError::File(error)
    }
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
        return Err(SoundError::Bits(bits));
    }
    if !(4_000..=192_000).contains(&spec.sample_rate) {
        return Err(SoundError::Rate(spec.sample_rate));
    }
    let all = reader.samples::<i32>().collect::<Result<Vec<i32>, _>>()?;
    let channels = usize::from(spec.channels.max(1));
    let mean = |of: &[i32]| (of.iter().sum::<i32>() << (16 - bits)) / channels as i32;
    // The beginning of a last sample whose other channels are missing is left out.
    let samples = all.chunks_exact(channels).map(|of| mean(of) as i16);
    Ok((samples.collect(), spec.sample_rate))
}
