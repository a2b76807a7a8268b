//! The two ends of a connection inside the process: the driver's, which queues messages without waiting, and the
//! task's, which writes them.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use sip_core::flow::Flow;
use tokio::sync::{OwnedSemaphorePermit, mpsc};

use super::{Event, Shared, count};

/// A message on its way to a connection.
#[derive(Debug)]
pub(super) struct Outgoing {
    pub(super) data: Bytes,
    /// Whose failure to report; `None`: nobody asks.
    pub(super) token: Option<u64>,
}

/// The driver's end. Dropping it closes the connection once everything queued is written.
#[derive(Debug)]
pub struct Connection {
    queue: mpsc::Sender<Outgoing>,
}

impl Connection {
    /// The two ends of a new connection.
    pub(super) fn pair(shared: &Shared) -> (Connection, Queue) {
        // When it is full the peer does not read what it asked for: the connection is given up.
        let (sender, receiver) = mpsc::channel(shared.limits.write_queue);
        let local = sender.downgrade();
        (
            Connection { queue: sender },
            Queue {
                receiver,
                local,
                in_flight: None,
            },
        )
    }

    /// False when the queue is full or the connection gone.
    pub(super) fn send(&self, data: Bytes, token: u64) -> bool {
        self.queue
            .try_send(Outgoing {
                data,
                token: Some(token),
            })
            .is_ok()
    }
}

/// The task's end.
#[derive(Debug)]
pub(super) struct Queue {
    receiver: mpsc::Receiver<Outgoing>,
    local: mpsc::WeakSender<Outgoing>,
    in_flight: Option<u64>,
}

impl Queue {
    /// The next message to write; `None` once the driver let go of the connection. The one before it counts as written.
    pub(super) async fn next(&mut self) -> Option<Bytes> {
        self.in_flight = None;
        let outgoing = self.receiver.recv().await?;
        self.in_flight = outgoing.token;
        Some(outgoing.data)
    }

    /// A message was begun and not finished.
    pub(super) fn is_writing(&self) -> bool {
        self.in_flight.is_some()
    }

    /// For what the task itself has to say (keep-alives). Does not keep the connection open.
    pub(super) fn local(&self) -> LocalSender {
        LocalSender(self.local.clone())
    }

    /// Takes no more, and reports everything that was not written.
    pub(super) async fn fail(mut self, shared: &Shared) {
        self.receiver.close();
        let mut failed: Vec<u64> = self.in_flight.into_iter().collect();
        while let Ok(outgoing) = self.receiver.try_recv() {
            failed.extend(outgoing.token);
        }
        for token in failed {
            count(&shared.counters.send_failed);
            let _ = shared.events.send(Event::TransmitFailed { token }).await;
        }
    }
}

/// Queues what the connection's own reader answers.
#[derive(Clone, Debug)]
pub(super) struct LocalSender(mpsc::WeakSender<Outgoing>);

impl LocalSender {
    /// Dropped when the queue is full: a later one will do.
    pub(super) fn send(&self, data: Bytes) {
        if let Some(sender) = self.0.upgrade() {
            let _ = sender.try_send(Outgoing { data, token: None });
        }
    }
}

/// Why a connection ended; for the log.
#[derive(Debug)]
pub(super) enum End {
    /// The driver let go of it.
    Local,
    /// The peer closed it.
    Peer,
    /// It broke.
    Failed(String),
    /// The peer broke a rule or a deadline.
    CutOff(&'static str),
    /// The peer broke framing; this answers what could still be read.
    Rejected(Bytes),
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            End::Local => f.write_str("closed by us"),
            End::Peer => f.write_str("closed by the peer"),
            End::Failed(reason) => f.write_str(reason),
            End::CutOff(reason) => write!(f, "cut off: {reason}"),
            End::Rejected(_) => f.write_str("cut off: framing"),
        }
    }
}

/// What a connection's task needs besides the stream.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) flow: Flow,
    pub(super) shared: Arc<Shared>,
    pub(super) queue: Queue,
    /// One of the connections that may be open.
    pub(super) permit: Option<OwnedSemaphorePermit>,
}

impl Link {
    /// Tells the driver of a connection that a peer opened. `None` when the driver is gone.
    pub(super) async fn opened(
        flow: Flow,
        shared: Arc<Shared>,
        permit: OwnedSemaphorePermit,
    ) -> Option<Link> {
        let (connection, queue) = Connection::pair(&shared);
        count(&shared.counters.accepted);
        tracing::debug!(flow = flow.id.0, transport = flow.transport.name(), peer = %flow.remote, "connected");
        shared
            .events
            .send(Event::Opened { flow, connection })
            .await
            .ok()?;
        Some(Link {
            flow,
            shared,
            queue,
            permit: Some(permit),
        })
    }

    /// One message for the driver; waits while the driver is behind.
    pub(super) async fn received(flow: Flow, shared: &Shared, data: Bytes) -> Result<(), End> {
        count(&shared.counters.received);
        shared
            .events
            .send(Event::Message { flow, data })
            .await
            .map_err(|_| End::Local)
    }

    /// The last word of a connection.
    pub(super) async fn closed(self, end: End) {
        if matches!(end, End::CutOff(_) | End::Rejected(_)) {
            count(&self.shared.counters.cut_off);
        }
        tracing::debug!(flow = self.flow.id.0, peer = %self.flow.remote, %end, "connection closed");
        self.queue.fail(&self.shared).await;
        let _ = self
            .shared
            .events
            .send(Event::Closed { flow: self.flow.id })
            .await;
        drop(self.permit);
    }
}
