//! Starting and stopping a stack whose calls are managed from code.

use std::time::Duration;

use super::coordinator::SessionCoordinator;
use super::error::SessionError;

/// Given to calls to end in [`SessionControl::stop`].
const FAREWELL: Duration = Duration::from_secs(3);

/// Starting and stopping.
#[derive(Debug)]
pub struct SessionControl;

impl SessionControl {
    /// Takes calls from now on.
    ///
    /// # Errors
    /// [`SessionError::Stopped`].
    pub async fn start(coordinator: &SessionCoordinator) -> Result<(), SessionError> {
        coordinator
            .act(|sessions, _, _| sessions.accept_calls(true))
            .await
    }

    /// Ends all calls, and the stack.
    pub async fn stop(coordinator: &SessionCoordinator) {
        coordinator.handle().shutdown(FAREWELL).await;
    }
}
