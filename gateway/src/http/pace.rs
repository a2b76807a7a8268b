//! Progress and deadlines of an HTTP connection: a client that sends a request bit by bit, or nothing, or
//! does not read the answer, loses its place.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use hyper::body::{Frame, Incoming, SizeHint};
use sip_stack::transport::Place;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

/// Time limits for the steps of a connection.
#[derive(Clone, Copy, Debug)]
pub struct Deadlines {
    /// Time until the ClientHello of TLS has arrived.
    pub hello: Duration,
    /// Time for the rest of the TLS handshake.
    pub handshake: Duration,
    /// Time from the first octet of a request to the end of its head, and from the handshake to the first octet.
    pub head: Duration,
    /// Time from there to the end of its body.
    pub body: Duration,
    /// Time between an answer and the next request.
    pub idle: Duration,
    /// Time that a write may make no progress.
    pub write: Duration,
}

impl Default for Deadlines {
    fn default() -> Deadlines {
        Deadlines {
            hello: Duration::from_secs(3),
            handshake: Duration::from_secs(7),
            head: Duration::from_secs(15),
            body: Duration::from_secs(30),
            idle: Duration::from_secs(75),
            write: Duration::from_secs(30),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Waiting for the first octet of the first request.
    Fresh(Instant),
    /// Waiting for the first octet of another request.
    Idle(Instant),
    Head(Instant),
    Body(Instant),
    Answering,
    /// The connection speaks another protocol now, with deadlines of its own.
    Upgraded,
}

/// State of one connection. It holds the connection's place, also after an upgrade.
#[derive(Debug)]
pub(super) struct Pace {
    deadlines: Deadlines,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    phase: Phase,
    place: Place,
    /// Time since when a write has made no progress.
    stalled: Option<Instant>,
    lines: Lines,
}

impl Pace {
    /// Pace of a connection whose handshake is done.
    pub(super) fn new(place: Place, deadlines: Deadlines) -> Arc<Pace> {
        Arc::new(Pace {
            deadlines,
            state: Mutex::new(State {
                phase: Phase::Fresh(Instant::now()),
                place,
                stalled: None,
                lines: Lines::default(),
            }),
        })
    }

    /// Time by which the connection must have made progress.
    pub(super) fn due(&self) -> Option<Instant> {
        let state = self.lock();
        let Deadlines { head, body, idle, .. } = self.deadlines;
        let step = match state.phase {
            Phase::Fresh(since) | Phase::Head(since) => Some(since + head),
            Phase::Idle(since) => Some(since + idle),
            Phase::Body(since) => Some(since + body),
            Phase::Answering => None,
            Phase::Upgraded => return None,
        };
        let write = state.stalled.map(|since| since + self.deadlines.write);
        step.into_iter().chain(write).min()
    }

    /// Completes when somebody else needs the place.
    pub(super) fn evicted(&self) -> impl Future<Output = ()> + Send + use<> {
        self.lock().place.evicted()
    }

    /// The head of a request has arrived. False if not all of its lines ended in CRLF.
    pub(super) fn begin(&self, has_body: bool) -> bool {
        let mut state = self.lock();
        state.phase = match has_body {
            true => Phase::Body(Instant::now()),
            false => Phase::Answering,
        };
        state.place.set_idle(false);
        !std::mem::take(&mut state.lines).bare
    }

    /// The connection was handed to another protocol.
    pub(super) fn upgraded(&self) {
        self.lock().phase = Phase::Upgraded;
    }

    fn read(&self, octets: &[u8]) {
        let mut state = self.lock();
        if matches!(state.phase, Phase::Fresh(_) | Phase::Idle(_)) {
            state.phase = Phase::Head(Instant::now());
        }
        if matches!(state.phase, Phase::Head(_)) {
            state.lines.scan(octets);
        }
    }

    fn body_ended(&self) {
        let mut state = self.lock();
        if matches!(state.phase, Phase::Body(_)) {
            state.phase = Phase::Answering;
        }
    }

    fn answered(&self) {
        let mut state = self.lock();
        if state.phase != Phase::Upgraded {
            state.phase = Phase::Idle(Instant::now());
            state.place.set_idle(true);
        }
    }

    fn written(&self, progress: bool) {
        let mut state = self.lock();
        match progress {
            true => state.stalled = None,
            false => {
                state.stalled.get_or_insert_with(Instant::now);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Looks for lines of a head that end in LF alone. hyper accepts them, proxies may not, and where the two
/// differ requests can be smuggled (RFC 9112 §2.2, §11.2).
#[derive(Debug, Default)]
struct Lines {
    bare: bool,
    after_cr: bool,
    /// Octets of the line so far.
    length: usize,
    begun: bool,
    done: bool,
}

impl Lines {
    fn scan(&mut self, octets: &[u8]) {
        for octet in octets {
            if self.done {
                return;
            }
            match octet {
                b'\n' => {
                    self.bare |= !self.after_cr;
                    self.done = self.begun && self.length == 0;
                    self.length = 0;
                }
                b'\r' => {}
                _ => {
                    self.begun = true;
                    self.length += 1;
                }
            }
            self.after_cr = *octet == b'\r';
        }
    }
}

/// The stream of a connection, as its [`Pace`] sees it.
#[derive(Debug)]
pub(super) struct Paced<S> {
    pub(super) stream: S,
    pub(super) pace: Arc<Pace>,
}

impl<S: AsyncRead + Unpin> AsyncRead for Paced<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
        let octets = &buffer.filled()[before..];
        if !octets.is_empty() {
            self.pace.read(octets);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Paced<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, data);
        self.pace.written(written.is_ready());
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[std::io::IoSlice<'_>],
    ) -> Poll<std::io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, data);
        self.pace.written(written.is_ready());
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        self.pace.written(flushed.is_ready());
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// The body of a request, on its way in.
#[derive(Debug)]
pub(super) struct Arriving {
    pub(super) body: Incoming,
    pub(super) pace: Arc<Pace>,
}

impl HttpBody for Arriving {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        if frame.is_none() {
            self.pace.body_ended();
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Arriving {
    fn drop(&mut self) {
        self.pace.body_ended();
    }
}

/// The body of an answer, on its way out. Dropping it ends the request.
#[derive(Debug)]
pub(super) struct Leaving {
    pub(super) body: Body,
    pub(super) pace: Arc<Pace>,
}

impl HttpBody for Leaving {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Leaving {
    fn drop(&mut self) {
        self.pace.answered();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_end_in_lf_alone_are_seen_in_heads_only() {
        let bare = |text: &[u8]| {
            let mut lines = Lines::default();
            for part in text.chunks(3) {
                lines.scan(part);
            }
            lines.bare
        };
        assert!(!bare(b"GET / HTTP/1.1\r\nHost: a\r\n\r\nbody\nwith\n\nlines"));
        assert!(!bare(b"\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n\n"));
        assert!(bare(b"GET / HTTP/1.1\nHost: a\r\n\r\n"));
        assert!(bare(b"GET / HTTP/1.1\r\nHost: a\n\r\n"));
        assert!(bare(b"GET / HTTP/1.1\r\nHost: a\r\n\n"));
        assert!(bare(b"\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"));
    }
}
