//! Bans of sources.

use std::net::IpAddr;

use sans_io::Time;

/// A banned source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ban {
    /// An IPv4 address, or the first address of a /64 of IPv6.
    pub address: IpAddr,
    /// Time at which the ban began.
    pub since: Time,
    /// Time at which it ends.
    pub until: Time,
    /// Reason of the ban.
    pub reason: Offence,
    /// Bans of this source within a day, this one included.
    pub times: u32,
}

/// Reason of a ban.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Offence {
    /// One password after another was tried.
    Guessing,
    /// One unknown user after another was named.
    Scanning,
}

impl Offence {
    /// The reason as one word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Offence::Guessing => "guessing",
            Offence::Scanning => "scanning",
        }
    }
}
