//! Marks of our packets for the networks that they cross (RFC 2474).

use socket2::SockRef;

/// A differentiated services code point: the upper six bits of the IPv4 TOS octet and of the IPv6 traffic class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dscp(u8);

impl Dscp {
    /// No mark: best effort.
    pub const NONE: Dscp = Dscp(0);
    /// CS3, for signalling (RFC 4594 §4.2).
    pub const CS3: Dscp = Dscp(24);
    /// Expedited forwarding, for voice (RFC 3246, RFC 4594 §4.1).
    pub const EF: Dscp = Dscp(46);

    /// A code point, 0 to 63.
    #[must_use]
    pub const fn new(value: u8) -> Option<Dscp> {
        if value < 64 { Some(Dscp(value)) } else { None }
    }

    /// Marks what a socket sends from now on. A system that refuses leaves it unmarked, which is no reason to fail.
    pub(crate) fn mark(self, socket: &SockRef<'_>, is_ipv6: bool) {
        let octet = u32::from(self.0) << 2;
        let marked = if is_ipv6 {
            socket.set_tclass_v6(octet)
        } else {
            socket.set_tos_v4(octet)
        };
        if let Err(error) = marked {
            tracing::debug!(%error, dscp = self.0, "packets are not marked");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;

    use super::*;

    #[test]
    fn a_socket_of_either_family_is_marked() {
        let v4 = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        Dscp::EF.mark(&SockRef::from(&v4), false);
        assert_eq!(SockRef::from(&v4).tos_v4().expect("TOS"), 0b1011_1000);
        // A host may have no IPv6.
        if let Ok(v6) = UdpSocket::bind("[::1]:0") {
            Dscp::CS3.mark(&SockRef::from(&v6), true);
            assert_eq!(
                SockRef::from(&v6).tclass_v6().expect("traffic class"),
                0b0110_0000
            );
        }
        assert_eq!((Dscp::new(63).is_some(), Dscp::new(64)), (true, None));
    }
}
