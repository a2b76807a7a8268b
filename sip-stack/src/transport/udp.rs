//! One UDP socket: received in a task of its own, sent to straight from the driver.

use std::future::Future;
use std::io;
use std::net::{SocketAddr, UdpSocket as StdUdpSocket};
use std::sync::Arc;

use bytes::Bytes;
use sip_core::flow::{Flow, FlowId, Transport};
use tokio::net::UdpSocket;
use tokio::sync::mpsc::error::TrySendError;

use super::{Event, Shared, count};

/// Datagrams taken in a row before other tasks get their turn.
const BURST: usize = 64;

/// The largest datagram there is.
const DATAGRAM: usize = 65_535;

/// What the kernel may hold for us while the driver is busy.
pub(super) const SOCKET_BUFFER: usize = 4 << 20;

#[derive(Debug)]
pub(super) struct Udp {
    pub(super) id: FlowId,
    pub(super) local: SocketAddr,
    /// For sending: the runtime's own handle refuses to send before it has first seen the socket writable.
    socket: StdUdpSocket,
}

impl Udp {
    pub(super) fn start(
        socket: StdUdpSocket,
        shared: Arc<Shared>,
    ) -> io::Result<(Udp, impl Future<Output = ()> + use<>)> {
        let receiver = UdpSocket::from_std(socket.try_clone()?)?;
        let udp = Udp {
            id: shared.new_flow(),
            local: socket.local_addr()?,
            socket,
        };
        let task = receive(receiver, udp.id, udp.local, shared);
        Ok((udp, task))
    }

    /// False when the system refused it. A full send buffer counts as sent and lost: UDP may lose, SIP repeats.
    pub(super) fn send(&self, data: &[u8], to: SocketAddr) -> bool {
        match self.socket.send_to(data, to) {
            Ok(_) => true,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => true,
            Err(error) => {
                tracing::debug!(%to, %error, len = data.len(), "datagram not sent");
                false
            }
        }
    }
}

async fn receive(socket: UdpSocket, id: FlowId, local: SocketAddr, shared: Arc<Shared>) {
    let mut buffer = vec![0; DATAGRAM];
    while socket.readable().await.is_ok() {
        for _ in 0..BURST {
            match socket.try_recv_from(&mut buffer) {
                Ok((len, from)) => {
                    let data = &buffer[..len];
                    if is_keep_alive(data) {
                        continue;
                    }
                    count(&shared.counters.received);
                    let flow = Flow {
                        id,
                        transport: Transport::Udp,
                        local,
                        remote: from,
                    };
                    match shared.events.try_send(Event::Message {
                        flow,
                        data: Bytes::copy_from_slice(data),
                    }) {
                        Ok(()) => {}
                        Err(TrySendError::Full(_)) => count(&shared.counters.dropped_full),
                        Err(TrySendError::Closed(_)) => return,
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                // What Linux tells of an earlier datagram (ICMP) says nothing about the socket.
                Err(error) => tracing::trace!(%local, %error, "receive"),
            }
        }
        tokio::task::yield_now().await;
    }
}

/// What phones send through their NAT: line ends or NUL bytes only.
fn is_keep_alive(data: &[u8]) -> bool {
    data.len() <= 4 && data.iter().all(|b| matches!(b, b'\r' | b'\n' | 0))
}
