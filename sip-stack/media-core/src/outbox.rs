use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};

use sans_io::Deadline;

use crate::control::{Event, LegId, SocketId, StreamIndex};
use crate::lane::{Message, Notice};
use crate::negotiated::Codec;
use crate::tap::{Tapped, Way};

/// Outputs of a shard. Drain until [`Output::Timeout`] after each input.
#[derive(Debug)]
pub enum Output<'a> {
    /// Send a datagram.
    Transmit {
        /// From here.
        socket: SocketId,
        /// To there.
        to: SocketAddr,
        /// The datagram; valid until the next call.
        data: &'a [u8],
    },
    /// Bind an even port for RTP and the odd one above it for RTCP. Answered by [`Input::Bound`](crate::shard::Input::Bound) or
    /// [`Input::BindFailed`](crate::shard::Input::BindFailed).
    Bind {
        /// For this leg.
        leg: LegId,
        /// On this address.
        local: IpAddr,
    },
    /// Close these two; what still arrives on them goes nowhere.
    Release {
        /// RTP and RTCP.
        sockets: [SocketId; 2],
    },
    /// Hand a message to another shard, in the order in which its messages come.
    Message {
        /// Number of that shard.
        to: u8,
        /// The message; valid until the next call. Packets may be dropped where the lane is full, all else may not.
        message: Message<'a>,
    },
    /// Hand a packet of a tapped stream to whoever listens; it is valid until the next call.
    Tapped(Tapped<'a>),
    /// A leg that was tapped or injected into is closed, or there is none of that name: nothing more comes of it.
    Closed {
        /// The leg.
        leg: LegId,
    },
    /// To signalling. Never dropped.
    Event(Event),
    /// Nothing is left to do until then, or until input comes.
    Timeout(Deadline),
}

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
    Packet {
        to: u8,
        leg: LegId,
        stream: StreamIndex,
        start: usize,
        end: usize,
    },
    Notice {
        to: u8,
        notice: Notice,
    },
    Tapped {
        leg: LegId,
        stream: StreamIndex,
        way: Way,
        codec: Option<Codec>,
        start: usize,
        end: usize,
    },
    Closed {
        leg: LegId,
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

    pub(crate) fn notice(&mut self, to: u8, notice: Notice) {
        self.queue.push_back(Queued::Notice { to, notice });
    }

    /// A packet of a stream, for another shard.
    pub(crate) fn packet(&mut self, to: u8, (leg, stream): (LegId, StreamIndex), data: &[u8]) {
        let start = self.data.len();
        self.data.extend_from_slice(data);
        let end = self.data.len();
        self.queue.push_back(Queued::Packet {
            to,
            leg,
            stream,
            start,
            end,
        });
    }

    /// A packet of a tapped stream.
    pub(crate) fn tapped(&mut self, packet: Tapped<'_>) {
        let Tapped {
            leg,
            stream,
            way,
            codec,
            data,
        } = packet;
        let start = self.data.len();
        self.data.extend_from_slice(data);
        let end = self.data.len();
        self.queue.push_back(Queued::Tapped {
            leg,
            stream,
            way,
            codec,
            start,
            end,
        });
    }

    pub(crate) fn closed(&mut self, leg: LegId) {
        self.queue.push_back(Queued::Closed { leg });
    }

    pub(crate) fn datagram(&mut self, socket: SocketId, to: SocketAddr, data: &[u8]) {
        let _ = self.compose(socket, to, data.len(), |out| {
            out.copy_from_slice(data);
            Some(data.len())
        });
    }

    /// Lets `write` make a datagram of at most `room` octets in place; nothing is sent when it says `None`.
    #[inline]
    pub(crate) fn compose(
        &mut self,
        socket: SocketId,
        to: SocketAddr,
        room: usize,
        write: impl FnOnce(&mut [u8]) -> Option<usize>,
    ) -> Option<usize> {
        let (start, end) = self.write(room, write)?;
        self.queue.push_back(Queued::Transmit {
            socket,
            to,
            start,
            end,
        });
        Some(end - start)
    }

    /// The same for a packet of a stream, for another shard.
    #[inline]
    pub(crate) fn compose_packet(
        &mut self,
        to: u8,
        (leg, stream): (LegId, StreamIndex),
        room: usize,
        write: impl FnOnce(&mut [u8]) -> Option<usize>,
    ) -> Option<usize> {
        let (start, end) = self.write(room, write)?;
        self.queue.push_back(Queued::Packet {
            to,
            leg,
            stream,
            start,
            end,
        });
        Some(end - start)
    }

    /// Place of what was written.
    #[inline]
    fn write(
        &mut self,
        room: usize,
        write: impl FnOnce(&mut [u8]) -> Option<usize>,
    ) -> Option<(usize, usize)> {
        let start = self.data.len();
        self.data.resize(start + room, 0);
        let length = write(&mut self.data[start..]).filter(|length| *length <= room);
        self.data.truncate(start + length.unwrap_or(0));
        length.map(|length| (start, start + length))
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
            Queued::Packet {
                to,
                leg,
                stream,
                start,
                end,
            } => Output::Message {
                to,
                message: Message::Packet {
                    leg,
                    stream,
                    data: self.data.get(start..end).unwrap_or(&[]),
                },
            },
            Queued::Notice { to, notice } => Output::Message {
                to,
                message: Message::Notice(notice),
            },
            Queued::Tapped {
                leg,
                stream,
                way,
                codec,
                start,
                end,
            } => Output::Tapped(Tapped {
                leg,
                stream,
                way,
                codec,
                data: self.data.get(start..end).unwrap_or(&[]),
            }),
            Queued::Closed { leg } => Output::Closed { leg },
            Queued::Event(event) => Output::Event(event),
        })
    }
}
