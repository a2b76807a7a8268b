//! The two ends of a connection inside the process: the driver's, which queues messages without waiting, and the
//! task's, which writes them.
//!
//! A peer that sends faster than it reads is made to wait: its next message is taken once the previous ones
//! are handled and little of the resulting output is unwritten. So the amount that waits is bounded in
//! octets, however long a burst is.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use sip_core::flow::{Flow, Transport};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, mpsc};

use super::crowd::Place;
use super::{Event, Shared, count};

/// Octets of a connection's messages that may wait for the driver; more wait at the peer. At least one
/// message has room.
const RECEIVED: usize = 64 << 10;

/// Octets that may wait to be written before the peer's next message is taken.
const UNWRITTEN: usize = 64 << 10;

/// Octets that may wait for a peer while too many wait for all peers together.
const PATIENCE: usize = 16 << 10;

/// Messages that may wait to be written; their octets run out first.
const MESSAGES: usize = 4_096;

/// A message on its way to a connection.
#[derive(Debug)]
pub(super) struct Outgoing {
    pub(super) data: Bytes,
    /// Token to report a failure with; `None`: nobody asks.
    pub(super) token: Option<u64>,
}

/// The driver's end. Dropping it closes the connection once everything queued is written.
#[derive(Debug)]
pub struct Connection {
    queue: mpsc::Sender<Outgoing>,
    backlog: Arc<Backlog>,
    most: usize,
    most_of_all: usize,
}

/// Octets that wait to be written to a connection.
#[derive(Debug)]
struct Backlog {
    octets: AtomicUsize,
    /// Octets that wait for all connections.
    all: Arc<AtomicUsize>,
    /// Notified when some were written.
    written: Notify,
}

impl Backlog {
    fn add(&self, octets: usize) {
        self.octets.fetch_add(octets, Ordering::Relaxed);
        self.all.fetch_add(octets, Ordering::Relaxed);
    }

    fn subtract(&self, octets: usize) {
        self.octets.fetch_sub(octets, Ordering::Relaxed);
        self.all.fetch_sub(octets, Ordering::Relaxed);
        self.written.notify_one();
    }

    /// Waits until so little is unwritten that more may be requested.
    async fn is_short(&self) {
        while self.octets.load(Ordering::Relaxed) > UNWRITTEN {
            self.written.notified().await;
        }
    }
}

impl Drop for Backlog {
    fn drop(&mut self) {
        self.all.fetch_sub(*self.octets.get_mut(), Ordering::Relaxed);
    }
}

/// Room that a received message takes up until it is handled.
#[derive(Debug)]
pub struct Receipt {
    _room: Option<OwnedSemaphorePermit>,
}

impl Receipt {
    /// Receipt for a datagram; `None`: too much waits for the driver already.
    pub(super) fn of_datagram(room: &Arc<Semaphore>, octets: usize) -> Option<Receipt> {
        let octets = u32::try_from(octets).ok()?;
        let room = Arc::clone(room).try_acquire_many_owned(octets).ok()?;
        Some(Receipt { _room: Some(room) })
    }
}

/// State that the reader of a connection waits on.
#[derive(Debug)]
pub(super) struct Inbound {
    flow: Flow,
    room: Arc<Semaphore>,
    backlog: Arc<Backlog>,
}

impl Inbound {
    pub(super) fn flow(&self) -> Flow {
        self.flow
    }

    /// Passes one message to the driver; waits while the driver is behind, and while the peer does not read
    /// what it asked for.
    pub(super) async fn received(&self, shared: &Shared, data: Bytes) -> Result<(), End> {
        count(&shared.counters.of(self.flow.transport).received);
        self.backlog.is_short().await;
        let octets = u32::try_from(data.len().min(RECEIVED)).unwrap_or_default();
        let room = Arc::clone(&self.room).acquire_many_owned(octets).await.ok();
        let receipt = Receipt { _room: room };
        let flow = self.flow;
        let event = Event::Message { flow, data, receipt };
        shared.events.send(event).await.map_err(|_| End::Local)
    }
}

impl Connection {
    /// The two ends of a new connection.
    pub(super) fn pair(shared: &Shared) -> (Connection, Queue) {
        // If it is full the peer does not read what it asked for: the connection is given up.
        let (sender, receiver) = mpsc::channel(MESSAGES);
        let local = sender.downgrade();
        let backlog = Arc::new(Backlog {
            octets: AtomicUsize::new(0),
            all: Arc::clone(&shared.unwritten),
            written: Notify::new(),
        });
        (
            Connection {
                queue: sender,
                backlog: Arc::clone(&backlog),
                most: shared.limits.write_octets,
                most_of_all: shared.limits.all_write_octets,
            },
            Queue {
                receiver,
                local,
                in_flight: None,
                backlog,
            },
        )
    }

    /// Queues a message to be written. False if too much waits for the peer already, or the connection is gone.
    pub(super) fn send(&self, data: Bytes, token: u64) -> bool {
        let octets = data.len();
        let waiting = self.backlog.octets.load(Ordering::Relaxed);
        let all = self.backlog.all.load(Ordering::Relaxed);
        if waiting + octets > self.most || (all + octets > self.most_of_all && waiting > PATIENCE) {
            return false;
        }
        self.backlog.add(octets);
        let sent = self.queue.try_send(Outgoing {
            data,
            token: Some(token),
        });
        if sent.is_err() {
            self.backlog.subtract(octets);
        }
        sent.is_ok()
    }
}

/// The task's end.
#[derive(Debug)]
pub(super) struct Queue {
    receiver: mpsc::Receiver<Outgoing>,
    local: mpsc::WeakSender<Outgoing>,
    /// Token of the message being written, with its length.
    in_flight: Option<(u64, usize)>,
    backlog: Arc<Backlog>,
}

impl Queue {
    /// The next message to write; `None` once the driver let go of the connection. The one before it counts as written.
    pub(super) async fn next(&mut self) -> Option<Bytes> {
        if let Some((_, octets)) = self.in_flight.take() {
            self.backlog.subtract(octets);
        }
        let outgoing = self.receiver.recv().await?;
        self.in_flight = outgoing.token.map(|token| (token, outgoing.data.len()));
        Some(outgoing.data)
    }

    /// The half for the reader of `flow`.
    pub(super) fn inbound(&self, flow: Flow) -> Inbound {
        Inbound {
            flow,
            room: Arc::new(Semaphore::new(RECEIVED)),
            backlog: Arc::clone(&self.backlog),
        }
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
    pub(super) async fn fail(mut self, shared: &Shared, transport: Transport) {
        self.receiver.close();
        let mut failed: Vec<u64> = self.in_flight.into_iter().map(|(token, _)| token).collect();
        while let Ok(outgoing) = self.receiver.try_recv() {
            failed.extend(outgoing.token);
        }
        for token in failed {
            count(&shared.counters.of(transport).send_failed);
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
    /// The connection broke.
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

/// Parts that a connection's task needs besides the stream.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) flow: Flow,
    pub(super) shared: Arc<Shared>,
    pub(super) queue: Queue,
    /// One of the connections that may be open.
    pub(super) place: Option<Place>,
}

impl Link {
    /// Tells the driver of a connection that a peer opened. `None` when the driver is gone.
    /// `names` are those of the peer's certificate, if it showed one.
    pub(super) async fn opened(
        flow: Flow,
        shared: Arc<Shared>,
        place: Place,
        names: Vec<String>,
    ) -> Option<Link> {
        let (connection, queue) = Connection::pair(&shared);
        count(&shared.counters.of(flow.transport).accepted);
        tracing::debug!(flow = flow.id.0, transport = flow.transport.name(), peer = %flow.remote, "connected");
        shared
            .events
            .send(Event::Opened {
                flow,
                connection,
                names,
            })
            .await
            .ok()?;
        Some(Link {
            flow,
            shared,
            queue,
            place: Some(place),
        })
    }

    /// Completes when somebody else needs the place of the connection, which never proved its worth.
    pub(super) fn evicted(&self) -> impl Future<Output = ()> + use<> {
        let evicted = self.place.as_ref().map(Place::evicted);
        async move {
            match evicted {
                Some(evicted) => evicted.await,
                None => std::future::pending().await,
            }
        }
    }

    /// The last word of a connection.
    pub(super) async fn closed(self, end: End) {
        if matches!(end, End::CutOff(_) | End::Rejected(_)) {
            count(&self.shared.counters.of(self.flow.transport).cut_off);
        }
        tracing::debug!(flow = self.flow.id.0, peer = %self.flow.remote, %end, "connection closed");
        self.queue.fail(&self.shared, self.flow.transport).await;
        let _ = self
            .shared
            .events
            .send(Event::Closed { flow: self.flow.id })
            .await;
        drop(self.place);
    }
}
