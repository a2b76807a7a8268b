//! The way to a running stack from outside its task.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use media_core::control::{InjectionId, SoundRate};
use session_core::{LegId, Stats};
use tokio::sync::{mpsc, oneshot};

use crate::dns;
use crate::driver::Control;
use crate::media::{self, MediaInjection, MediaTap, SharedCounters};
use crate::tap::{self, Tap};
use crate::transport::{self, Crowd, Listener, ws};

/// Reaches a running stack. Clones are handles of the same stack; when the last one is gone the stack ends.
#[derive(Debug)]
pub struct Handle<R> {
    pub(crate) control: mpsc::Sender<Control<R>>,
    pub(crate) shared: Arc<Shared>,
}

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) listeners: Vec<Listener>,
    pub(crate) acceptor: ws::Acceptor,
    pub(crate) media: Vec<SharedCounters>,
    pub(crate) dns: Arc<dns::Counters>,
    /// Number of the next injection.
    pub(crate) injections: AtomicU64,
}

impl<R> Clone for Handle<R> {
    fn clone(&self) -> Self {
        Handle {
            control: self.control.clone(),
            shared: Arc::clone(&self.shared),
        }
    }
}

/// The stack has too much to do: answer 503 with Retry-After.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Busy;

impl fmt::Display for Busy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("signalling is too busy")
    }
}

impl std::error::Error for Busy {}

/// The stack has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gone;

impl fmt::Display for Gone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("signalling has ended")
    }
}

impl std::error::Error for Gone {}

impl<R> Handle<R> {
    /// Listeners, with the ports that were really bound.
    #[must_use]
    pub fn listeners(&self) -> &[Listener] {
        &self.shared.listeners
    }

    /// Takes WebSockets that an HTTP server upgraded.
    #[must_use]
    pub fn acceptor(&self) -> &ws::Acceptor {
        &self.shared.acceptor
    }

    /// Counters of the sockets that carry SIP.
    #[must_use]
    pub fn transport_counters(&self) -> &transport::TransportCounters {
        self.shared.acceptor.counters()
    }

    /// Places for connections that carry SIP.
    #[must_use]
    pub fn connections(&self) -> &Crowd {
        self.shared.acceptor.crowd()
    }

    /// Counters of each media thread.
    #[must_use]
    pub fn media_counters(&self) -> &[SharedCounters] {
        &self.shared.media
    }

    /// Counters of the queries to name servers.
    #[must_use]
    pub fn dns_counters(&self) -> &dns::Counters {
        &self.shared.dns
    }

    /// Asks the application, without waiting for room.
    ///
    /// # Errors
    /// [`Busy`] when too many requests wait, and when the stack has ended.
    pub fn try_request(&self, request: R) -> Result<(), Busy> {
        self.control.try_send(Control::Request(request)).map_err(|_| Busy)
    }

    /// Asks the application; waits while too many requests wait.
    ///
    /// # Errors
    /// [`Gone`] when the stack has ended.
    pub async fn request(&self, request: R) -> Result<(), Gone> {
        self.control
            .send(Control::Request(request))
            .await
            .map_err(|_| Gone)
    }

    /// True if a request would be taken now.
    #[must_use]
    pub fn has_room(&self) -> bool {
        !self.control.is_closed() && self.control.capacity() > 0
    }

    /// Counts of live objects.
    ///
    /// # Errors
    /// [`Gone`] when the stack has ended.
    pub async fn stats(&self) -> Result<Stats, Gone> {
        let (reply, stats) = oneshot::channel();
        self.control.send(Control::Stats(reply)).await.map_err(|_| Gone)?;
        stats.await.map_err(|_| Gone)
    }

    /// Listens to every SIP message that comes or goes from now on; up to `waiting` of them wait for the listener.
    ///
    /// # Errors
    /// [`Gone`] when the stack has ended.
    pub async fn tap(&self, waiting: usize) -> Result<Tap, Gone> {
        let (feed, tap) = tap::tap(waiting);
        self.control.send(Control::Tap(feed)).await.map_err(|_| Gone)?;
        Ok(tap)
    }

    /// Taps a leg: its packets go both ways to the listener as well, open; up to `waiting` of them may wait for it. A leg that is not
    /// there, or no longer, is over at once ([`MediaTap::is_over`]).
    ///
    /// # Errors
    /// [`Gone`] when the stack has ended.
    pub async fn tap_media(&self, leg: LegId, waiting: usize) -> Result<MediaTap, Gone> {
        let (feed, tap) = media::tap(waiting);
        self.control
            .send(Control::TapMedia(leg, feed))
            .await
            .map_err(|_| Gone)?;
        Ok(tap)
    }

    /// Lets the peer of a leg hear sound at this rate: over the conversation or application (`over`), or instead of it. Samples of up
    /// to `waiting` may wait. Others in the bridge do not hear it. A leg that is not there is over at once
    /// ([`MediaInjection::is_over`]).
    ///
    /// # Errors
    /// [`Gone`] when the stack has ended.
    pub async fn inject(
        &self,
        leg: LegId,
        rate: SoundRate,
        over: bool,
        waiting: Duration,
    ) -> Result<MediaInjection, Gone> {
        let id = InjectionId(self.shared.injections.fetch_add(1, Ordering::Relaxed));
        let (source, injection) = media::injection(leg, id, rate, over, waiting);
        self.control
            .send(Control::Inject(source))
            .await
            .map_err(|_| Gone)?;
        Ok(injection)
    }

    /// Refuses new calls with 503; those there are go on. Comes back when that is so.
    pub async fn drain(&self) {
        let (reply, done) = oneshot::channel();
        if self.control.send(Control::Drain(reply)).await.is_ok() {
            let _ = done.await;
        }
    }

    /// Ends all calls (BYE, CANCEL, 503 as fits) and the stack. Comes back when both are done, `patience` at the latest.
    pub async fn shutdown(&self, patience: Duration) {
        let (reply, done) = oneshot::channel();
        if self
            .control
            .send(Control::Shutdown(patience, reply))
            .await
            .is_ok()
        {
            let _ = done.await;
        }
    }
}
