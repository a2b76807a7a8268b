use std::net::IpAddr;

use sdp_types::AddrType;

/// A family of addresses: `IP4` or `IP6` in SDP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl Family {
    /// The family of an address. An IPv4 address that is written as an IPv6 one stays IPv4.
    #[must_use]
    pub const fn of(ip: IpAddr) -> Family {
        match ip.to_canonical() {
            IpAddr::V4(_) => Family::V4,
            IpAddr::V6(_) => Family::V6,
        }
    }

    /// The family of an addrtype (RFC 8866 §5.7).
    pub(super) const fn of_type(addrtype: &AddrType) -> Option<Family> {
        match addrtype {
            AddrType::Ip4 => Some(Family::V4),
            AddrType::Ip6 => Some(Family::V6),
            AddrType::Other(_) => None,
        }
    }

    /// Its name for people.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Family::V4 => "IPv4",
            Family::V6 => "IPv6",
        }
    }
}
