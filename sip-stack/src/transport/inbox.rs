//! Queue of socket events for the driver, with the urgent ones first.

use std::future::poll_fn;
use std::task::Poll;

use tokio::sync::mpsc;

use super::Event;

/// Messages of strangers that are taken in a row, so that others do not wait long behind them.
const IN_A_ROW: usize = 16;

/// Receiving end of the events of all sockets.
#[derive(Debug)]
pub struct Inbox {
    first: mpsc::Receiver<Event>,
    later: mpsc::Receiver<Event>,
}

impl Inbox {
    pub(super) fn new(first: mpsc::Receiver<Event>, later: mpsc::Receiver<Event>) -> Inbox {
        Inbox { first, later }
    }

    /// Next event; `None`: the sockets are gone. Cancel safe.
    pub async fn recv(&mut self) -> Option<Event> {
        let mut one = Vec::with_capacity(1);
        self.recv_many(&mut one, 1).await;
        one.pop()
    }

    /// Waits for events, appends at most `limit` of them, and returns how many; 0: the sockets are gone. Cancel safe.
    pub async fn recv_many(&mut self, events: &mut Vec<Event>, limit: usize) -> usize {
        poll_fn(|cx| {
            if let Poll::Ready(received) = self.first.poll_recv_many(cx, events, limit) {
                return Poll::Ready(received);
            }
            self.later.poll_recv_many(cx, events, limit.min(IN_A_ROW))
        })
        .await
    }
}
