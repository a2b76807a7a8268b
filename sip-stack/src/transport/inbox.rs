//! What sockets tell the driver, the urgent first.

use std::future::poll_fn;
use std::task::Poll;

use tokio::sync::mpsc;

use super::Event;

/// Messages of strangers taken in a row, so that others do not wait for long behind them.
const IN_A_ROW: usize = 16;

/// Where events of all sockets come out.
#[derive(Debug)]
pub struct Inbox {
    first: mpsc::Receiver<Event>,
    later: mpsc::Receiver<Event>,
}

impl Inbox {
    pub(super) fn new(first: mpsc::Receiver<Event>, later: mpsc::Receiver<Event>) -> Inbox {
        Inbox { first, later }
    }

    /// The next one. `None`: the sockets are gone. May be cancelled.
    pub async fn recv(&mut self) -> Option<Event> {
        let mut one = Vec::with_capacity(1);
        self.recv_many(&mut one, 1).await;
        one.pop()
    }

    /// Appends `limit` events at most that are there and says how many, once there is any; none: the sockets are gone. May be
    /// cancelled.
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
