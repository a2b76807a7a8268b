//! Refusals of requests because of their sender.

use std::net::SocketAddr;

use sip_core::flow::{Flow, Transport};
use sip_core::message::{Message, StatusCode};

/// A refusal, as operators want to know it. A first challenge is not one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Source of the request.
    pub peer: SocketAddr,
    /// Transport of the request.
    pub transport: Transport,
    /// Method of the request.
    pub method: String,
    /// Claimed user: the user name of its credentials, else that of `From`, cut after [`MAX_USER`] octets.
    pub user: String,
    /// Status that it was refused with; `None` where it got no answer.
    pub code: Option<StatusCode>,
    /// Reason of the refusal.
    pub reason: Reason,
}

/// Octets of a user name that are kept.
pub const MAX_USER: usize = 64;

/// Reason of a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// No such user, or another password. The peer is not told which.
    WrongCredentials,
    /// The credentials were right once, and ended with a sign-in or after an hour.
    CredentialsOver,
    /// The credentials belong to another user than the request claims.
    OtherUser,
    /// Neither a user of ours nor from the address of a trunk.
    UnknownSource,
    /// A domain that is not ours.
    ForeignDomain,
    /// Too many guesses: this one was not checked.
    TooFast,
    /// The source is banned.
    Banned,
    /// The client calls itself by the name of a scanner.
    Scanner,
    /// A TLS or WebSocket handshake failed.
    Handshake,
    /// The request would change a call, and comes from another address than the party's.
    Intruder,
    /// The sender may watch nobody.
    MayNotWatch,
}

impl Reason {
    /// The reason as one word for labels.
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
            Reason::MayNotWatch => "may-not-watch",
        }
    }
}

impl Refusal {
    /// A connection that ended before anything was said over it.
    #[must_use]
    pub fn handshake(peer: SocketAddr, transport: Transport) -> Refusal {
        Refusal {
            peer,
            transport,
            method: transport.name().to_owned(),
            user: String::new(),
            code: None,
            reason: Reason::Handshake,
        }
    }

    pub(crate) fn new(
        request: &Message,
        flow: Flow,
        user: &str,
        code: impl Into<Option<StatusCode>>,
        reason: Reason,
    ) -> Refusal {
        let mut end = user.len().min(MAX_USER);
        while !user.is_char_boundary(end) {
            end -= 1;
        }
        Refusal {
            peer: flow.remote,
            transport: flow.transport,
            method: request.method().map_or("", |method| method.as_str()).to_owned(),
            user: user[..end].to_owned(),
            code: code.into(),
            reason,
        }
    }
}

/// Names of programs that look for passwords and open relays.
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
