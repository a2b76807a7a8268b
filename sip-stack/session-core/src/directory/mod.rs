//! Directory: users and trunks, where they can be reached, and what their registrations entitle them to. All of it may be replaced
//! under calls.

mod line;
mod probe;
mod rights;
mod trunks;
mod users;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use media_core::control::MediaSource;
use media_core::sdp::SrtpPolicy;
use sans_io::Time;
use sip_core::flow::{Flow, FlowId};
use sip_core::message::Message;
use sip_core::registrar::{self, Binding, RegisterOutcome, Registrar};

use crate::config::{Access, Credentials, HoldPolicy, PeerMedia, SignallingPolicy, Trunk, User};
use crate::leg::Account;
use line::Line;
use rights::Rights;

/// Users, trunks and registrations.
#[derive(Debug)]
pub(crate) struct Directory {
    access: Access,
    credentials: Credentials,
    registrar: Registrar,
    rights: Rights,
    /// Trunks that we register at, by name.
    lines: BTreeMap<String, Line>,
    /// Names in the certificates of peers, by their connections.
    certified: BTreeMap<FlowId, Vec<String>>,
}

impl Directory {
    pub(crate) fn new(access: Access, credentials: Credentials, max_contacts: usize) -> Directory {
        Directory {
            access,
            credentials,
            registrar: Registrar::new(registrar::Config {
                max_contacts,
                ..registrar::Config::default()
            }),
            rights: Rights::default(),
            lines: BTreeMap::new(),
            certified: BTreeMap::new(),
        }
    }

    /// Everybody may call, and nobody registers.
    pub(crate) fn is_open(&self) -> bool {
        matches!(self.access, Access::Anyone(_))
    }

    pub(crate) fn user(&self, name: &str) -> Option<&User> {
        match &self.access {
            Access::Directory { users, .. } => users.get(name),
            Access::Anyone(_) => None,
        }
    }

    pub(crate) fn trunk(&self, name: &str) -> Option<&Trunk> {
        self.trunks()
            .find(|(other, _)| *other == name)
            .map(|(_, trunk)| trunk)
    }

    /// Trunks with their names.
    pub(crate) fn trunks(&self) -> impl Iterator<Item = (&str, &Trunk)> {
        let trunks = match &self.access {
            Access::Directory { trunks, .. } => Some(trunks),
            Access::Anyone(_) => None,
        };
        let trunks = trunks.into_iter().flatten();
        trunks.map(|(name, trunk)| (name.as_str(), trunk))
    }

    /// The trunk whose calls come from that address, unless it has to show a certificate.
    fn trunk_at(&self, address: IpAddr) -> Option<&str> {
        let mut trunks = self.trunks();
        let found = trunks.find(|(_, trunk)| trunk.certificate_names.is_empty() && trunk.is_at(address));
        found.map(|(name, _)| name)
    }

    /// The trunk that showed its certificate over that connection.
    fn trunk_certified(&self, flow: FlowId) -> Option<&str> {
        let names = self.certified.get(&flow)?;
        let mut trunks = self.trunks();
        let found = trunks.find(|(_, trunk)| trunk.certificate_names.iter().any(|name| names.contains(name)));
        found.map(|(name, _)| name)
    }

    /// The peer of a connection has a certificate with these names.
    pub(crate) fn set_names(&mut self, flow: FlowId, names: Vec<String>) {
        self.certified.insert(flow, names);
    }

    /// A connection is gone.
    pub(crate) fn forget_names(&mut self, flow: FlowId) {
        self.certified.remove(&flow);
    }

    /// Sources that media of a leg of this user or trunk are accepted from.
    pub(crate) fn media_source(&self, account: &Account) -> MediaSource {
        match account {
            Account::User(name) => self.user(name).map(|user| user.media_source),
            Account::Trunk(name) => self.trunk(name).map(|trunk| trunk.media_source),
            Account::Nobody => None,
        }
        .unwrap_or_default()
    }

    /// Encryption of an account's media.
    pub(crate) fn srtp(&self, account: &Account) -> SrtpPolicy {
        match account {
            Account::User(name) => self.user(name).map(|user| user.srtp),
            Account::Trunk(name) => self.trunk(name).map(|trunk| trunk.srtp),
            Account::Nobody => Some(self.peer_media().srtp),
        }
        .unwrap_or_default()
    }

    /// Media of calls with peers that are neither users nor trunks.
    pub(crate) fn peer_media(&self) -> PeerMedia {
        match self.access {
            Access::Anyone(media) => media,
            Access::Directory { .. } => PeerMedia::default(),
        }
    }

    /// Message to an account when it is held.
    pub(crate) fn hold(&self, account: &Account) -> HoldPolicy {
        match account {
            Account::User(name) => self.user(name).map(|user| user.hold),
            Account::Trunk(name) => self.trunk(name).map(|trunk| trunk.hold),
            Account::Nobody => None,
        }
        .unwrap_or_default()
    }

    /// Extensions of SIP in an account's calls.
    pub(crate) fn signalling(&self, account: &Account) -> SignallingPolicy {
        match account {
            Account::User(name) => self.user(name).map(|user| user.signalling),
            Account::Trunk(name) => self.trunk(name).map(|trunk| trunk.signalling),
            Account::Nobody => None,
        }
        .unwrap_or_default()
    }

    /// True if an account's calls may change over to a fax.
    pub(crate) fn t38(&self, account: &Account) -> bool {
        match account {
            Account::User(name) => self.user(name).is_some_and(|user| user.t38),
            Account::Trunk(name) => self.trunk(name).is_some_and(|trunk| trunk.t38),
            Account::Nobody => false,
        }
    }

    /// Contacts of a user, best first.
    pub(crate) fn contacts(&self, user: &str) -> impl Iterator<Item = &Binding> {
        self.registrar.lookup(user)
    }

    pub(crate) fn is_reachable(&self, user: &str) -> bool {
        self.registrar.is_reachable(user)
    }

    /// Contacts of all users.
    pub(crate) fn len(&self) -> usize {
        self.registrar.len()
    }

    /// Handles an admitted REGISTER.
    pub(crate) fn register(
        &mut self,
        now: Time,
        user: &str,
        request: &Message,
        flow: Flow,
    ) -> RegisterOutcome {
        self.registrar.register(now, user, request, flow)
    }

    /// As [`register`](Self::register), for no longer than this.
    pub(crate) fn register_within(
        &mut self,
        now: Time,
        user: &str,
        request: &Message,
        flow: Flow,
        longest: Duration,
    ) -> RegisterOutcome {
        self.registrar.register_within(now, user, request, flow, longest)
    }

    pub(crate) fn registrar_mut(&mut self) -> &mut Registrar {
        &mut self.registrar
    }

    pub(crate) fn registrar(&self) -> &Registrar {
        &self.registrar
    }

    pub(crate) fn credentials(&self) -> &Credentials {
        &self.credentials
    }
}
