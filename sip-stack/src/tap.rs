//! Tap of SIP messages: every message that comes or goes, with the call that it belongs to, for whoever listens.
//!
//! A listener that falls behind loses messages and is told how many; it never holds signalling up. While nobody listens a message
//! costs one comparison.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use sans_io::Time;
use session_core::{Coordinator, SessionId};
use sip_core::flow::{Destination, Flow, Transport};
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

/// A SIP message, as it was on the wire, secrets included.
#[derive(Clone, Debug)]
pub struct TappedMessage {
    /// Time at which it came or went.
    pub at: Time,
    /// Direction of the message.
    pub direction: Direction,
    /// Transport of the message.
    pub transport: Transport,
    /// Our address, if known: that of a connection that is yet to be opened is not.
    pub local: Option<SocketAddr>,
    /// Address of the peer.
    pub remote: SocketAddr,
    /// Live call that it belongs to. A message that comes after its call has ended has none; its Call-ID still tells.
    pub session: Option<SessionId>,
    /// One whole message.
    pub data: Bytes,
}

/// Direction of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// It came.
    Received,
    /// It went.
    Sent,
}

/// Listener to SIP messages; it ends when this is dropped.
#[derive(Debug)]
pub struct Tap {
    messages: mpsc::Receiver<TappedMessage>,
    missed: Arc<AtomicU64>,
}

impl Tap {
    /// The next message; `None` once the stack has ended.
    pub async fn next(&mut self) -> Option<TappedMessage> {
        self.messages.recv().await
    }

    /// Messages that were lost because too many waited here.
    #[must_use]
    pub fn missed(&self) -> u64 {
        self.missed.load(Ordering::Relaxed)
    }
}

/// The signalling task's end of a tap.
#[derive(Debug)]
pub(crate) struct Feed {
    messages: mpsc::Sender<TappedMessage>,
    missed: Arc<AtomicU64>,
}

/// A tap for which up to `waiting` messages may wait.
pub(crate) fn tap(waiting: usize) -> (Feed, Tap) {
    let (sender, messages) = mpsc::channel(waiting.max(1));
    let missed = Arc::new(AtomicU64::new(0));
    let feed = Feed {
        messages: sender,
        missed: Arc::clone(&missed),
    };
    (feed, Tap { messages, missed })
}

/// Those who listen.
#[derive(Debug, Default)]
pub(crate) struct Taps(Vec<Feed>);

impl Taps {
    pub(crate) fn add(&mut self, feed: Feed) {
        self.0.push(feed);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Hands on a message that came.
    pub(crate) fn received(&mut self, at: Time, flow: Flow, data: Bytes, calls: &Coordinator) {
        self.hand_on(TappedMessage {
            at,
            direction: Direction::Received,
            transport: flow.transport,
            local: Some(flow.local),
            remote: flow.remote,
            session: session_of(&data, calls),
            data,
        });
    }

    /// Hands on a message that went. `local` is its source address, if known.
    pub(crate) fn sent(
        &mut self,
        at: Time,
        to: &Destination,
        local: Option<SocketAddr>,
        data: Bytes,
        calls: &Coordinator,
    ) {
        let (transport, remote) = match to {
            Destination::Flow(flow) => (flow.transport, flow.remote),
            Destination::Address { transport, addr, .. } => (*transport, *addr),
        };
        self.hand_on(TappedMessage {
            at,
            direction: Direction::Sent,
            transport,
            local,
            remote,
            session: session_of(&data, calls),
            data,
        });
    }

    fn hand_on(&mut self, message: TappedMessage) {
        self.0
            .retain(|feed| match feed.messages.try_send(message.clone()) {
                Ok(()) => true,
                Err(TrySendError::Full(_)) => {
                    feed.missed.fetch_add(1, Ordering::Relaxed);
                    true
                }
                Err(TrySendError::Closed(_)) => false,
            });
    }
}

fn session_of(message: &[u8], calls: &Coordinator) -> Option<SessionId> {
    calls.session_of_call_id(call_id(message)?)
}

/// The Call-ID of a message (RFC 3261 §20.8), in its long form or its short one.
fn call_id(message: &[u8]) -> Option<&str> {
    let lines = message.split(|byte| *byte == b'\n');
    let head = lines.take_while(|line| !line.trim_ascii().is_empty());
    let value = head.skip(1).find_map(|line| {
        let colon = line.iter().position(|byte| *byte == b':')?;
        let name = line[..colon].trim_ascii();
        (name.eq_ignore_ascii_case(b"call-id") || name.eq_ignore_ascii_case(b"i")).then(|| &line[colon + 1..])
    });
    std::str::from_utf8(value?.trim_ascii()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_id_is_found_in_either_form_and_in_the_head_alone() {
        let is = |message: &str, id: Option<&str>| assert_eq!(call_id(message.as_bytes()), id, "{message:?}");
        is("BYE sip:a SIP/2.0\r\nCall-ID: abc@h\r\n\r\n", Some("abc@h"));
        is(
            "BYE sip:a SIP/2.0\r\ncall-id : abc \r\nTo: b\r\n\r\n",
            Some("abc"),
        );
        is("SIP/2.0 200 OK\r\nTo: b\r\ni:abc\r\n\r\n", Some("abc"));
        is("BYE sip:a SIP/2.0\r\n\r\nCall-ID: body\r\n", None);
        is("\r\n\r\n", None);
        is("", None);
    }

    #[tokio::test]
    async fn a_slow_listener_loses_what_does_not_fit_and_a_gone_one_is_forgotten() {
        let message = || TappedMessage {
            at: Time::ZERO,
            direction: Direction::Sent,
            transport: Transport::Udp,
            local: None,
            remote: SocketAddr::from(([127, 0, 0, 1], 5060)),
            session: None,
            data: Bytes::from_static(b"OPTIONS"),
        };
        let mut taps = Taps::default();
        let (feed, mut slow) = tap(2);
        taps.add(feed);
        let (feed, gone) = tap(2);
        taps.add(feed);
        drop(gone);
        for _ in 0..5 {
            taps.hand_on(message());
        }
        assert_eq!((slow.missed(), taps.0.len()), (3, 1));
        assert!(slow.next().await.is_some() && slow.next().await.is_some());
        drop(taps);
        assert!(slow.next().await.is_none());
    }
}
