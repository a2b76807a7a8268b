//! Audio of a call to and from code, and WAV files.

use std::path::Path;

use session_core::LegId;
use tokio::sync::oneshot;

use super::ask::Ask;
use super::{Call, ClientError};
use crate::audio::{
    self, AudioFrame, AudioStream, Channels, Clip, SoundError, SoundRate, WAITING, WavRecording,
};

impl Call {
    /// Lets the peer hear what `source` writes: it is called for each 20 ms, with a silent frame of 16-bit mono at `rate` to fill (160
    /// samples at 8 kHz, 320 at 16 kHz, 960 at 48 kHz), and ends the audio by giving false. It must not wait for anything. Until
    /// then the peer hears nothing else.
    ///
    /// # Errors
    /// [`ClientError::Ended`] if the call is over or has no media yet; [`ClientError::Stopped`].
    pub async fn send_audio(
        &self,
        rate: SoundRate,
        source: impl FnMut(&mut [i16]) -> bool + Send + 'static,
    ) -> Result<AudioStream, ClientError> {
        let leg = self.leg().await?;
        let injection = self.handle.inject(leg, rate, false, audio::AHEAD).await?;
        Ok(audio::send(injection, rate, source))
    }

    /// Gives what the peer says to `sink`, 20 ms at a time from its first packet on, losses made up and pauses silent. It is 16-bit mono
    /// at 8 kHz; at 16 kHz if `rate` is 16 or 48 kHz and the codec has more than telephone bandwidth. The callback must not wait for
    /// anything.
    ///
    /// # Errors
    /// As [`send_audio`](Self::send_audio).
    pub async fn receive_audio(
        &self,
        rate: SoundRate,
        sink: impl FnMut(AudioFrame<'_>) + Send + 'static,
    ) -> Result<AudioStream, ClientError> {
        let tap = self.handle.tap_media(self.leg().await?, WAITING).await?;
        Ok(audio::receive(tap, rate, sink))
    }

    /// Lets the peer hear a WAV file once, from the beginning to its end ([`AudioStream::ended`]).
    ///
    /// # Errors
    /// [`PlayError`]: the file, or as [`send_audio`](Self::send_audio).
    pub async fn play_wav(&self, path: &Path) -> Result<AudioStream, PlayError> {
        let mut clip = Clip::read(path)?;
        let rate = clip.rate();
        Ok(self.send_audio(rate, move |frame| clip.fill(frame)).await?)
    }

    /// Records the call into a WAV file from now on, until [`WavRecording::finish`] or its end.
    ///
    /// # Errors
    /// As [`play_wav`](Self::play_wav).
    pub async fn record_wav(&self, path: &Path, channels: Channels) -> Result<WavRecording, PlayError> {
        let leg = self.leg().await?;
        let tap = self.handle.tap_media(leg, WAITING).await;
        Ok(audio::record(tap.map_err(ClientError::from)?, path, channels)?)
    }

    async fn leg(&self) -> Result<LegId, ClientError> {
        let (reply, leg) = oneshot::channel();
        let session = self.session;
        self.handle.request(Ask::Leg { session, reply }).await?;
        leg.await.map_err(|_| ClientError::Ended)
    }
}

/// Why a file is not played, or not recorded.
#[derive(Debug)]
pub enum PlayError {
    /// The file.
    Sound(SoundError),
    /// The call.
    Call(ClientError),
}

impl std::fmt::Display for PlayError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            PlayError::Sound(error) => error.fmt(f),
            PlayError::Call(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for PlayError {}

impl From<SoundError> for PlayError {
    fn from(error: SoundError) -> Self {
        PlayError::Sound(error)
    }
}

impl From<ClientError> for PlayError {
    fn from(error: ClientError) -> Self {
        PlayError::Call(error)
    }
}
