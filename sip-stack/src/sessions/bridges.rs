//! Bridges: calls that hear each other.

use media_core::control::BridgeId;
use session_core::{BridgeEvent, BridgeInfo, SessionId};
use tokio::sync::broadcast;

use super::coordinator::SessionCoordinator;
use super::error::SessionError;

impl SessionCoordinator {
    /// Lets the parties of two calls hear each other, in a new bridge.
    ///
    /// # Errors
    /// [`SessionError::Bridge`], [`SessionError::Stopped`].
    pub async fn bridge_sessions(&self, a: SessionId, b: SessionId) -> Result<BridgeId, SessionError> {
        Ok(self
            .act(move |_, calls, now| calls.bridge_sessions(now, a, b))
            .await??)
    }

    /// Makes a bridge that nobody is in yet: a conference to come. It stays until it is destroyed.
    ///
    /// # Errors
    /// [`SessionError::Stopped`].
    pub async fn create_bridge(&self) -> Result<BridgeId, SessionError> {
        self.act(|_, calls, now| calls.create_bridge(now)).await
    }

    /// Puts a call into a bridge.
    ///
    /// # Errors
    /// [`SessionError::Bridge`], [`SessionError::Stopped`].
    pub async fn add_session_to_bridge(
        &self,
        bridge: BridgeId,
        session: SessionId,
    ) -> Result<(), SessionError> {
        Ok(self
            .act(move |_, calls, _| calls.add_session_to_bridge(bridge, session))
            .await??)
    }

    /// Takes a call out of a bridge.
    ///
    /// # Errors
    /// [`SessionError::Bridge`], [`SessionError::Stopped`].
    pub async fn remove_session_from_bridge(
        &self,
        bridge: BridgeId,
        session: SessionId,
    ) -> Result<(), SessionError> {
        Ok(self
            .act(move |_, calls, _| calls.remove_session_from_bridge(bridge, session))
            .await??)
    }

    /// Ends a bridge; its calls go on.
    ///
    /// # Errors
    /// [`SessionError::Bridge`], [`SessionError::Stopped`].
    pub async fn destroy_bridge(&self, bridge: BridgeId) -> Result<(), SessionError> {
        Ok(self
            .act(move |_, calls, _| calls.destroy_bridge(bridge))
            .await??)
    }

    /// The bridge that a call is in.
    ///
    /// # Errors
    /// [`SessionError::Stopped`].
    pub async fn get_session_bridge(&self, session: SessionId) -> Result<Option<BridgeId>, SessionError> {
        self.act(move |_, calls, _| calls.session_bridge(session)).await
    }

    /// Bridges there are.
    ///
    /// # Errors
    /// [`SessionError::Stopped`].
    pub async fn list_bridges(&self) -> Result<Vec<BridgeInfo>, SessionError> {
        self.act(|_, calls, _| calls.list_bridges().collect()).await
    }

    /// Changes of bridges from now on. Whoever falls behind by more than 1,024 is told how many were left out.
    #[must_use]
    pub fn subscribe_to_bridge_events(&self) -> broadcast::Receiver<BridgeEvent> {
        self.bridges().subscribe()
    }
}
