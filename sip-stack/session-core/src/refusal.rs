//! A request that was refused because of who sent it.

use std::net::SocketAddr;

use sip_core::flow::{Flow, Transport};
use sip_core::message::Message;

/// What an operator wants to know of it. A first challenge is no refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Who sent it.
    pub peer: SocketAddr,
    /// Over what.
    pub transport: Transport,
    /// Of the request.
    pub method: String,
    /// Whom it says to be from: the user name of its credentials, else that of `From`, cut after [`MAX_USER`] octets.
    pub user: String,
    /// The answer; 0: none.
    pub code: u16,
    /// Why.
    pub reason: Reason,
}

/// Octets of a user name that are kept.
pub const MAX_USER: usize = 64;

/// Why somebody is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// No such user, or another password. Which of both is told nobody.
    WrongCredentials,
    /// They were right once, and end with a sign-in or an hour.
    CredentialsOver,
    /// Somebody else's credentials than those of the user it says to be.
    OtherUser,
    /// Neither a user of ours nor from the address of a trunk.
    UnknownSource,
    /// A domain that is not ours.
    ForeignDomain,
    /// Too many guesses: this one was not looked at.
    TooFast,
    /// The source is banned.
    Banned,
    /// It calls itself what scanners call themselves.
    Scanner,
    /// No TLS or WebSocket connection came about.
    Handshake,
    /// It would change a call, and comes from another address than the party's.
    Intruder,
}

impl Reason {
    /// In words of one label.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Reason::WrongCredentials => "wrong-credentials",
            Reason::CredentialsOver => "credentials-over",
            Reason::OtherUser => "other-user",
            Reason::UnknownSource => "unknown-source",
            Reason::ForeignDomain => "foreign-domain",
            Reason::TooFast => "too-fast",
            Reason::Banned => "banned",
            Reason::Scanner => "scanner",
            Reason::Handshake => "handshake",
            Reason::Intruder => "intruder",
        }
    }
}

impl Refusal {
    /// A connection that was given up before anything was said over it.
    #[must_use]
    pub fn handshake(peer: SocketAddr, transport: Transport) -> Refusal {
        Refusal {
            peer,
            transport,
            method: transport.name().to_owned(),
            user: String::new(),
            code: 0,
            reason: Reason::Handshake,
        }
    }

    pub(crate) fn new(request: &Message, flow: Flow, user: &str, code: u16, reason: Reason) -> Refusal {
        let mut end = user.len().min(MAX_USER);
        while !user.is_char_boundary(end) {
            end -= 1;
        }
        Refusal {
            peer: flow.remote,
            transport: flow.transport,
            method: request.method().map_or("", |method| method.as_str()).to_owned(),
            user: user[..end].to_owned(),
            code,
            reason,
        }
    }
}

/// How the programs call themselves that look for passwords and open relays.
const SCANNERS: [&str; 9] = [
    "friendly-scanner",
    "friendly-request",
    "sipvicious",
    "sundayddr",
    "sip-scan",
    "sipcli",
    "vaxsipuseragent",
    "iwar",
    "pplsip",
];

/// True for a `User-Agent` of such a program.
pub(crate) fn is_scanner(user_agent: &str) -> bool {
    let name = user_agent.trim_start().as_bytes();
    SCANNERS.iter().any(|known| {
        name.get(..known.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(known.as_bytes()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scanners_are_known_by_the_beginning_of_their_name() {
        assert!(is_scanner("friendly-scanner") && is_scanner("SIPVicious/0.3"));
        for honest in ["", "Linphone", "siP", "my iWar phone"] {
            assert!(!is_scanner(honest), "{honest}");
        }
    }
}
