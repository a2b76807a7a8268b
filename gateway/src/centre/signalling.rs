//! Way of commands to the signalling task.

use std::pin::Pin;

use super::command::Asked;

/// The signalling task takes nothing: it has too much to do, or has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gone;

/// Result of handing a command over.
pub type Sent<'a> = Pin<Box<dyn Future<Output = Result<(), Gone>> + Send + 'a>>;

/// Takes commands to the signalling task.
pub trait Signalling: Send + Sync {
    /// Hands a command over, without waiting for room.
    ///
    /// # Errors
    /// [`Gone`].
    fn try_send(&self, asked: Asked) -> Result<(), Gone>;

    /// Hands a command over; waits while there is no room.
    fn send(&self, asked: Asked) -> Sent<'_>;

    /// True if a command would be taken now.
    fn is_ready(&self) -> bool;
}

impl Signalling for tokio::sync::mpsc::Sender<Asked> {
    fn try_send(&self, asked: Asked) -> Result<(), Gone> {
        self.try_send(asked).map_err(|_| Gone)
    }

    fn send(&self, asked: Asked) -> Sent<'_> {
        Box::pin(async move { self.send(asked).await.map_err(|_| Gone) })
    }

    fn is_ready(&self) -> bool {
        !self.is_closed() && self.capacity() > 0
    }
}
