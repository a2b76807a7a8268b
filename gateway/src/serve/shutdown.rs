//! The end of a gateway: what ends in which order, and how long it may take.

use std::time::Duration;

use sip_stack::Handle;
use tokio::task::JoinHandle;

use super::storage::Database;
use super::web::Server;
use crate::demo::Demonstration;
use crate::switch::Request;

/// Time that calls may take to end when the gateway is told to stop.
const PATIENCE: Duration = Duration::from_secs(3);

/// Everything that has to be ended.
pub(super) struct Running {
    pub(super) server: Server,
    pub(super) demo: Option<Demonstration>,
    pub(super) stack: Handle<Request>,
    pub(super) journal: JoinHandle<()>,
    pub(super) messages: Option<JoinHandle<()>>,
    pub(super) recordings: Option<JoinHandle<()>>,
    pub(super) database: Option<Database>,
}

impl Running {
    /// Ends all calls, then the rest.
    pub(super) async fn end(mut self) {
        self.server.stop();
        if let Some(demo) = &self.demo {
            demo.hang_up();
        }
        self.stack.shutdown(PATIENCE).await;
        drop(self.stack);
        if let Some(recordings) = self.recordings
            && tokio::time::timeout(PATIENCE, recordings).await.is_err()
        {
            tracing::warn!("recordings are ended at the next start");
        }
        // Events are published and kept before the end.
        let _ = tokio::time::timeout(PATIENCE, self.journal).await;
        if let Some(messages) = self.messages {
            let _ = tokio::time::timeout(PATIENCE, messages).await;
        }
        if let Some(database) = &self.database
            && tokio::time::timeout(PATIENCE, database.store.close())
                .await
                .is_err()
        {
            tracing::error!("the store is unavailable: everything that waited for it is lost");
        }
        if let Some(demo) = self.demo {
            demo.shutdown().await;
        }
        self.server.cut();
    }
}
