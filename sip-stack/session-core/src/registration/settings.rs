//! Settings of a registration, and what it gives the calls of its trunk.

use std::time::Duration;

use sip_core::auth::{Algorithm, Credentials};
use sip_core::endpoint::{Headers, OutgoingContact, Target};
use sip_core::flow::Flow;
use sip_core::uri::Uri;

/// Settings of a registration elsewhere.
#[derive(Clone, Debug, PartialEq)]
pub struct Registration {
    /// Address of record.
    pub aor: Uri,
    /// Destination of REGISTER, if not the host of `aor`. With `;lr` it is an outbound proxy, which gets a `Route`.
    pub proxy: Option<Uri>,
    /// For digest.
    pub credentials: Option<Credentials>,
    /// Asked for; what the registrar grants counts.
    pub expires: Duration,
    /// User part of our `Contact`; none for all numbers of a PBX (RFC 6140, `bnc`).
    pub contact: Option<String>,
    /// Id of this instance, if calls are to come over the flow of the REGISTER (RFC 5626): `urn:uuid:…`.
    pub instance: Option<String>,
}

/// Registration that a trunk wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrunkRegistration {
    /// Domain of the address of record, and of the registrar; `None`: the trunk's host and port.
    pub registrar: Option<(String, Option<u16>)>,
    /// User part of the address of record.
    pub user: String,
    /// Asked for.
    pub expires: Duration,
    /// User part of our `Contact`.
    pub contact: ContactUser,
    /// True if calls both ways go over the flow of the REGISTER (RFC 5626).
    pub outbound: bool,
}

/// User part of our `Contact` at a trunk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ContactUser {
    /// Drawn: nobody guesses it, so whoever calls it was told it by the registrar.
    Drawn,
    /// Chosen by the carrier. It proves nothing: calls to it also have to come from the trunk.
    Named(String),
    /// None: the registrar sends the calls of all numbers (RFC 6140).
    Numbers,
}

impl TrunkRegistration {
    /// User part of the `Contact` at this trunk; the same after a restart with the same secret.
    pub(crate) fn contact_user(&self, trunk: &str, secret: &[u8]) -> Option<String> {
        match &self.contact {
            ContactUser::Drawn => {
                let mut drawn = Algorithm::Sha256.hash(&[b"contact", secret, trunk.as_bytes()]);
                drawn.truncate(32);
                Some(drawn)
            }
            ContactUser::Named(user) => Some(user.clone()),
            ContactUser::Numbers => None,
        }
    }

    /// Id of this instance at this trunk (RFC 5626 §4.1), in the form of a random UUID.
    pub(crate) fn instance(&self, trunk: &str, secret: &[u8]) -> Option<String> {
        let hex = Algorithm::Sha256.hash(&[b"instance", secret, trunk.as_bytes()]);
        let (a, b, c, d, e) = (&hex[..8], &hex[8..12], &hex[13..16], &hex[17..20], &hex[20..32]);
        self.outbound.then(|| format!("urn:uuid:{a}-{b}-4{c}-8{d}-{e}"))
    }
}

impl Registration {
    /// Request-URI of the REGISTER: the domain alone (RFC 3261 §10.2).
    #[must_use]
    pub fn registrar(&self) -> Uri {
        let host = self.aor.host();
        host.and_then(|host| Uri::sip(None, host, self.aor.port()).ok())
            .unwrap_or_else(|| self.aor.clone())
    }

    /// True if the other one speaks of the same `Contact` at the same registrar.
    pub(super) fn is_same_binding(&self, other: &Registration) -> bool {
        (&self.aor, &self.contact, &self.instance) == (&other.aor, &other.contact, &other.instance)
    }

    pub(super) fn outgoing_contact(&self) -> OutgoingContact {
        let flow = self.instance.as_ref();
        OutgoingContact {
            user: self.contact.clone().unwrap_or_default(),
            uri_params: if self.contact.is_none() {
                ";bnc".into()
            } else {
                String::new()
            },
            params: flow.map_or(String::new(), |urn| {
                format!(";+sip.instance=\"<{urn}>\";reg-id=1")
            }),
        }
    }
}

/// Service that a registration gives: who calls by it, and how its trunk is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Service {
    /// Flow that the registrar answered over.
    pub(super) flow: Flow,
    /// `Service-Route` (RFC 3608).
    pub(super) routes: Vec<String>,
    /// True if calls go over the flow (RFC 5626).
    pub(super) is_over_flow: bool,
    /// `Security-Server` of the registrar (RFC 3329), where it was asked for.
    pub(super) security: Vec<String>,
}

/// Headers that repeat what a peer said of the encryption of media, and require it; none where it said nothing.
pub(crate) fn media_security(server: &[String]) -> Headers {
    let verify = server
        .iter()
        .map(|value| ("Security-Verify".to_owned(), value.clone()));
    let require = ["Require", "Proxy-Require"].map(|name| (name.to_owned(), "mediasec".to_owned()));
    match server.is_empty() {
        true => Headers::new(),
        false => verify.chain(require).collect(),
    }
}

impl Service {
    /// `Security-Server` of the registrar.
    pub(crate) fn security(&self) -> &[String] {
        &self.security
    }

    /// Flow that the registrar answered over.
    pub(crate) fn flow(&self) -> Flow {
        self.flow
    }

    /// True for a message that came the way of the registrar's answers: over the same connection, or over UDP from the same
    /// address.
    pub(crate) fn is_flow(&self, flow: Flow) -> bool {
        self.flow.id == flow.id && self.flow.remote == flow.remote
    }

    /// Destination of a call, if not what the trunk's settings say.
    pub(crate) fn target(&self) -> Option<Target> {
        match (self.is_over_flow, self.routes.is_empty()) {
            (true, _) => Some(Target::Contact {
                flow: self.flow,
                path: self.routes.clone(),
            }),
            (false, false) => Some(Target::Routes(self.routes.clone())),
            (false, true) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_contact_cannot_be_guessed_and_stays_the_same() {
        let registration = TrunkRegistration {
            registrar: None,
            user: "4930".into(),
            expires: Duration::from_secs(600),
            contact: ContactUser::Drawn,
            outbound: true,
        };
        let of = |trunk: &str, secret: u8| registration.contact_user(trunk, &[secret; 32]).expect("a user");
        assert_eq!(of("a", 1), of("a", 1));
        assert!(of("a", 1) != of("b", 1) && of("a", 1) != of("a", 2) && of("a", 1).len() == 32);
        let urn = registration.instance("a", &[1; 32]).expect("an instance");
        assert_eq!((urn.len(), urn.matches('-').count()), (45, 4), "{urn}");
    }
}
