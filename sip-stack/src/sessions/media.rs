//! Media of calls: audio to and from code, WAV files, taps, and who speaks.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use media_core::control::{BridgeId, SoundRate};
use session_core::{LegId, SessionId};

use super::coordinator::{SessionCoordinator, party_of};
use super::error::SessionError;
use crate::audio::{self, AudioFrame, AudioStream, Channels, Clip, SoundError, WAITING, WavRecording};
use crate::media::{MediaInjection, MediaTap};

impl SessionCoordinator {
    /// Lets the party of a call hear what `source` writes, in a bridge as well as alone, instead of what it hears else: as
    /// [`Call::send_audio`](crate::client::Call::send_audio).
    ///
    /// # Errors
    /// [`SessionError::NoSession`], [`SessionError::Stopped`].
    pub async fn send_audio(
        &self,
        session: SessionId,
        rate: SoundRate,
        source: impl FnMut(&mut [i16]) -> bool + Send + 'static,
    ) -> Result<AudioStream, SessionError> {
        let injection = self.inject(session, rate, false, audio::AHEAD).await?;
        Ok(audio::send(injection, rate, source))
    }

    /// Gives what the party of a call says to `sink`, in a bridge as well as alone: as
    /// [`Call::receive_audio`](crate::client::Call::receive_audio).
    ///
    /// # Errors
    /// [`SessionError::NoSession`], [`SessionError::Stopped`].
    pub async fn receive_audio(
        &self,
        session: SessionId,
        rate: SoundRate,
        sink: impl FnMut(AudioFrame<'_>) + Send + 'static,
    ) -> Result<AudioStream, SessionError> {
        let tap = self.tap_media(session, WAITING).await?;
        Ok(audio::receive(tap, rate, sink))
    }

    /// Lets the party of a call hear a WAV file once, to its end ([`AudioStream::ended`]) or until the stream is dropped.
    ///
    /// # Errors
    /// [`MediaError`]: the file, or the call.
    pub async fn play_wav(&self, session: SessionId, path: &Path) -> Result<AudioStream, MediaError> {
        let mut clip = Clip::read(path)?;
        let rate = clip.rate();
        let playing = self.send_audio(session, rate, move |frame| clip.fill(frame));
        Ok(playing.await?)
    }

    /// Records the party of a call, and what it hears, into a WAV file from now on, until [`WavRecording::finish`] or the end of the
    /// call.
    ///
    /// # Errors
    /// [`MediaError`]: the file, or the call.
    pub async fn record_wav(
        &self,
        session: SessionId,
        path: &Path,
        channels: Channels,
    ) -> Result<WavRecording, MediaError> {
        let tap = self.tap_media(session, WAITING).await?;
        Ok(audio::record(tap, path, channels)?)
    }

    /// Taps the party of a call: its packets, both ways and open; up to `waiting` of them may wait for the listener.
    ///
    /// # Errors
    /// [`SessionError::NoSession`], [`SessionError::Stopped`].
    pub async fn tap_media(&self, session: SessionId, waiting: usize) -> Result<MediaTap, SessionError> {
        let leg = self.party(session).await?;
        Ok(self.handle().tap_media(leg, waiting).await?)
    }

    /// Lets the party of a call hear sound at this rate, of which up to `waiting` may wait: over the conversation, or instead of it.
    /// Nobody else hears it.
    ///
    /// # Errors
    /// [`SessionError::NoSession`], [`SessionError::Stopped`].
    pub async fn inject(
        &self,
        session: SessionId,
        rate: SoundRate,
        over: bool,
        waiting: Duration,
    ) -> Result<MediaInjection, SessionError> {
        let leg = self.party(session).await?;
        Ok(self.handle().inject(leg, rate, over, waiting).await?)
    }

    /// Reports from now on who speaks in a bridge ([`BridgeEvent::Speaking`](session_core::BridgeEvent::Speaking)), or no longer.
    ///
    /// # Errors
    /// [`SessionError::Bridge`], [`SessionError::Stopped`].
    pub async fn watch_speech(&self, bridge: BridgeId, on: bool) -> Result<(), SessionError> {
        Ok(self
            .act(move |_, calls, _| calls.watch_speech(bridge, on))
            .await??)
    }

    /// Leg of a call's party.
    async fn party(&self, session: SessionId) -> Result<LegId, SessionError> {
        self.act(move |_, calls, _| party_of(calls, session))
            .await?
            .ok_or(SessionError::NoSession)
    }
}

/// Why a file is not played to a call, or a call not recorded.
#[derive(Debug)]
pub enum MediaError {
    /// The file.
    Sound(SoundError),
    /// The call.
    Session(SessionError),
}

impl fmt::Display for MediaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MediaError::Sound(error) => error.fmt(f),
            MediaError::Session(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for MediaError {}

impl From<SoundError> for MediaError {
    fn from(error: SoundError) -> Self {
        MediaError::Sound(error)
    }
}

impl From<SessionError> for MediaError {
    fn from(error: SessionError) -> Self {
        MediaError::Session(error)
    }
}
