//! Media of calls: taps, sound from outside, and who speaks.

use std::time::Duration;

use media_core::control::{BridgeId, SoundRate};
use session_core::{LegId, SessionId};

use super::coordinator::{SessionCoordinator, SessionError};
use crate::media::{MediaInjection, MediaTap};

impl SessionCoordinator {
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
        self.act(move |_, calls, _| calls.legs(session).into_iter().flatten().next())
            .await?
            .ok_or(SessionError::NoSession)
    }
}
