//! Errors that the network reports for datagrams that did not arrive (ICMP): Linux keeps them beside the
//! socket, with the destination address. Other systems report nothing, and silence tells the same later.

#[cfg(target_os = "linux")]
mod linux {
    use std::io::{self, IoSliceMut};
    use std::net::{SocketAddr, UdpSocket};
    use std::os::fd::AsRawFd;

    use nix::sys::socket::{ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, setsockopt, sockopt};

    /// `SO_EE_ORIGIN_ICMP` and `SO_EE_ORIGIN_ICMP6`.
    const ICMP: u8 = 2;
    const ICMP6: u8 = 3;
    /// Size of the buffer for one control message with an address.
    const CONTROL: usize = 256;

    /// Has the system keep such errors. Not having them is no reason to fail.
    pub(in crate::transport) fn listen(socket: &UdpSocket, ipv6: bool) {
        let _ = if ipv6 {
            setsockopt(socket, sockopt::Ipv6RecvErr, &true)
        } else {
            setsockopt(socket, sockopt::Ipv4RecvErr, &true)
        };
    }

    /// Takes the next error: the address that cannot be reached, or `None` if the error says less than that.
    /// `WouldBlock`: there is no error.
    pub(in crate::transport) fn next(socket: &impl AsRawFd) -> io::Result<Option<SocketAddr>> {
        let mut control = [0; CONTROL];
        let mut data = [0; 1];
        let mut slices = [IoSliceMut::new(&mut data)];
        let flags = MsgFlags::MSG_ERRQUEUE | MsgFlags::MSG_DONTWAIT;
        let received =
            recvmsg::<SockaddrStorage>(socket.as_raw_fd(), &mut slices, Some(&mut control), flags)?;
        let unreachable = received.cmsgs()?.any(|message| match message {
            // RFC 3261 §18.4: unreachable hosts, networks, ports and protocols, and problems with parameters. "Fragmentation
            // needed" is not among them.
            ControlMessageOwned::Ipv4RecvErr(error, _) => {
                error.ee_origin == ICMP
                    && matches!((error.ee_type, error.ee_code), (3, 0..=3 | 5..) | (12, _))
            }
            ControlMessageOwned::Ipv6RecvErr(error, _) => {
                error.ee_origin == ICMP6 && matches!(error.ee_type, 1 | 4)
            }
            _ => false,
        });
        Ok(received.address.filter(|_| unreachable).and_then(address))
    }

    fn address(storage: SockaddrStorage) -> Option<SocketAddr> {
        let v4 = storage.as_sockaddr_in().map(|v4| SocketAddr::V4((*v4).into()));
        v4.or_else(|| storage.as_sockaddr_in6().map(|v6| SocketAddr::V6((*v6).into())))
    }
}

#[cfg(target_os = "linux")]
pub(super) use linux::{listen, next};

#[cfg(not(target_os = "linux"))]
pub(super) fn listen(_: &std::net::UdpSocket, _: bool) {}

#[cfg(not(target_os = "linux"))]
pub(super) fn next<S>(_: &S) -> std::io::Result<Option<std::net::SocketAddr>> {
    Err(std::io::ErrorKind::WouldBlock.into())
}
