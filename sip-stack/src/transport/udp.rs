//! One UDP socket: received in a task of its own, sent to straight from the driver.

use std::future::Future;
use std::io;
use std::net::{SocketAddr, UdpSocket as StdUdpSocket};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use bytes::Bytes;
use sip_core::flow::{Flow, FlowId, Transport};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::mpsc::error::TrySendError;
use tokio::time::timeout;

use super::connection::Receipt;
use super::familiar::Share;
use super::sieve::{self, Seen, Sieve};
use super::{Event, Shared, count, icmp};

/// Datagrams taken in a row before other tasks get their turn.
const BURST: usize = 64;

/// Errors of earlier datagrams that sending one may encounter.
const OTHERS: usize = 4;

/// The largest datagram there is.
const DATAGRAM: usize = 65_535;

/// Kernel buffer for datagrams while the driver is busy.
pub(super) const SOCKET_BUFFER: usize = 4 << 20;

#[derive(Debug)]
pub(super) struct Udp {
    pub(super) id: FlowId,
    pub(super) local: SocketAddr,
    /// For sending.
    socket: StdUdpSocket,
}

impl Udp {
    pub(super) fn start(
        socket: StdUdpSocket,
        shared: Arc<Shared>,
    ) -> io::Result<(Udp, impl Future<Output = ()> + use<>)> {
        let local = socket.local_addr()?;
        icmp::listen(&socket, local.is_ipv6());
        let receiver = registered(socket.try_clone()?)?;
        let udp = Udp {
            id: shared.new_flow(),
            local,
            socket,
        };
        let task = receive(receiver, udp.id, udp.local, shared);
        Ok((udp, task))
    }

    #[cfg(test)]
    pub(super) fn tos(&self) -> u32 {
        socket2::SockRef::from(&self.socket).tos_v4().expect("TOS")
    }

    /// False when the system refused it. A full send buffer counts as sent and lost: UDP may lose, SIP repeats.
    pub(super) fn send(&self, data: &[u8], to: SocketAddr) -> bool {
        let mut sent = self.socket.send_to(data, to);
        // The error of an earlier datagram to somebody else is reported in place of sending this one.
        for _ in 0..OTHERS {
            if !sent.as_ref().is_err_and(is_of_another) {
                break;
            }
            sent = self.socket.send_to(data, to);
        }
        match sent {
            Ok(_) => true,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => true,
            Err(error) => {
                tracing::debug!(%to, %error, len = data.len(), "datagram not sent");
                false
            }
        }
    }
}

/// Registers a socket for receiving alone. The runtime's own type would also wake for each datagram that was sent, since there is
/// room for another one then.
#[allow(unsafe_code, reason = "the runtime has no other way")]
fn registered(socket: StdUdpSocket) -> io::Result<AsyncFd<StdUdpSocket>> {
    let interest = Interest::READABLE | Interest::ERROR;
    // SAFETY: the socket owns its descriptor, which stays open and the same for as long as the socket lives.
    let registered = unsafe { AsyncFd::register_with_interest(socket, interest) };
    registered.map_err(io::Error::from)
}

/// True for an error that the network reported for an earlier datagram.
fn is_of_another(error: &io::Error) -> bool {
    use io::ErrorKind as Kind;
    matches!(
        error.kind(),
        Kind::ConnectionRefused | Kind::HostUnreachable | Kind::NetworkUnreachable
    )
}

async fn receive(socket: AsyncFd<StdUdpSocket>, id: FlowId, local: SocketAddr, shared: Arc<Shared>) {
    let mut buffer = vec![0; DATAGRAM];
    let mut strangers = Share::new(shared.limits.stranger_datagrams);
    let mut sieve = Sieve::new(local.is_ipv6(), shared.limits.stranger_datagrams);
    let mut seen = Seen::default();
    let counters = shared.counters.of(Transport::Udp);
    loop {
        let ready = socket.ready(Interest::READABLE | Interest::ERROR);
        let ready = if sieve.is_on() {
            // It is to open again though nothing comes.
            timeout(sieve::INTERVAL, ready).await.ok()
        } else {
            Some(ready.await)
        };
        match ready {
            Some(Ok(ready)) if ready.ready().is_error() => tell_unreachable(&socket, &shared),
            Some(Err(_)) => return,
            Some(Ok(_)) | None => {}
        }
        let now = Instant::now();
        strangers.refill(now);
        if sieve.is_due(now, seen) {
            let held_back = sieve.adjust(now, seen, socket.get_ref(), &shared.familiar);
            counters.dropped_full.fetch_add(held_back, Ordering::Relaxed);
            seen = Seen::default();
        }
        let mut emptied = false;
        for _ in 0..BURST {
            match socket.try_io(Interest::READABLE, |socket| socket.recv_from(&mut buffer)) {
                Ok((len, from)) => {
                    let data = &buffer[..len];
                    if is_keep_alive(data) {
                        continue;
                    }
                    count(&counters.received);
                    let flow = Flow {
                        id,
                        transport: Transport::Udp,
                        local,
                        remote: from,
                    };
                    let is_familiar = shared.familiar.contains(from.ip());
                    seen.strangers += u32::from(!is_familiar);
                    let (events, room) = if is_familiar {
                        (&shared.events, &shared.datagrams)
                    } else {
                        (&shared.strangers, &shared.stranger_datagrams)
                    };
                    let receipt = Some(())
                        .filter(|()| is_familiar || strangers.take())
                        .and_then(|()| Receipt::of_datagram(room, len));
                    let Some(receipt) = receipt else {
                        count(&counters.dropped_full);
                        continue;
                    };
                    match events.try_send(Event::Message {
                        flow,
                        data: Bytes::copy_from_slice(data),
                        receipt,
                    }) {
                        Ok(()) => {}
                        Err(TrySendError::Full(_)) => count(&counters.dropped_full),
                        Err(TrySendError::Closed(_)) => return,
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    seen.caught_up = true;
                    emptied = true;
                    break;
                }
                // An error that Linux reports for an earlier datagram (ICMP) says nothing about the socket.
                Err(error) => tracing::trace!(%local, %error, "receive"),
            }
        }
        if !emptied {
            tokio::task::yield_now().await;
        }
    }
}

/// Reports peers that the network says cannot be reached. A driver that is behind hears of fewer.
fn tell_unreachable(socket: &AsyncFd<StdUdpSocket>, shared: &Shared) {
    for _ in 0..BURST {
        match socket.try_io(Interest::ERROR, icmp::next) {
            Ok(Some(addr)) => {
                tracing::debug!(%addr, "unreachable");
                let _ = shared.events.try_send(Event::Unreachable { addr });
            }
            Ok(None) => {}
            Err(_) => return,
        }
    }
}

/// True for what phones send through their NAT: line ends or NUL bytes only.
fn is_keep_alive(data: &[u8]) -> bool {
    data.len() <= 4 && data.iter().all(|b| matches!(b, b'\r' | b'\n' | 0))
}
