use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};

use crate::control::{Event, LegId, SocketId};
use crate::shard::Output;

/// Outputs that wait for the shell. Datagrams lie one after the other in one buffer that is reused once all
/// are taken.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    data: Vec<u8>,
    queue: VecDeque<Queued>,
}

#[derive(Debug)]
enum Queued {
    Transmit {
        socket: SocketId,
        to: SocketAddr,
        start: usize,
        end: usize,
    },
    Bind {
        leg: LegId,
        local: IpAddr,
    },
    Release {
        sockets: [SocketId; 2],
    },
    Event(Event),
}

impl Outbox {
    pub(crate) fn with_capacity(octets: usize, datagrams: usize) -> Outbox {
        Outbox {
            data: Vec::with_capacity(octets),
            queue: VecDeque::with_capacity(datagrams),
        }
    }

    pub(crate) fn event(&mut self, event: Event) {
        self.queue.push_back(Queued::Event(event));
    }

    pub(crate) fn bind(&mut self, leg: LegId, local: IpAddr) {
        self.queue.push_back(Queued::Bind { leg, local });
    }

    pub(crate) fn release(&mut self, sockets: [SocketId; 2]) {
        self.queue.push_back(Queued::Release { sockets });
    }

    pub(crate) fn datagram(&mut self, socket: SocketId, to: SocketAddr, data: &[u8]) {
        let _ = self.compose(socket, to, data.len(), |out| {
            out.copy_from_slice(data);
            Some(data.len())
        });
    }

    /// Lets `write` make a datagram of at most `room` octets in place; nothing is sent when it says `None`.
    pub(crate) fn compose(
        &mut self,
        socket: SocketId,
        to: SocketAddr,
        room: usize,
        write: impl FnOnce(&mut [u8]) -> Option<usize>,
    ) -> Option<usize> {
        let start = self.data.len();
        self.data.resize(start + room, 0);
        let length = write(&mut self.data[start..]).filter(|length| *length <= room);
        self.data.truncate(start + length.unwrap_or(0));
        if length.is_some() {
            self.queue.push_back(Queued::Transmit {
                socket,
                to,
                start,
                end: self.data.len(),
            });
        }
        length
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// The next thing. The buffer is free again once the last datagram was taken.
    pub(crate) fn pop(&mut self) -> Option<Output<'_>> {
        let Some(next) = self.queue.pop_front() else {
            self.data.clear();
            return None;
        };
        Some(match next {
            Queued::Transmit {
                socket,
                to,
                start,
                end,
            } => Output::Transmit {
                socket,
                to,
                data: self.data.get(start..end).unwrap_or(&[]),
            },
            Queued::Bind { leg, local } => Output::Bind { leg, local },
            Queued::Release { sockets } => Output::Release { sockets },
            Queued::Event(event) => Output::Event(event),
        })
    }
}
