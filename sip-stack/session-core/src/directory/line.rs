//! Lines: the registrations of trunks as calls see them, in and out.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use sip_core::endpoint::{Headers, Target};
use sip_core::flow::Flow;

use super::Directory;
use crate::leg::Account;
use crate::registration::{ContactUser, Service, media_security};

/// Registration of a trunk as calls see it.
#[derive(Debug)]
pub(super) struct Line {
    /// User part of our `Contact`; `None` where all numbers are called by it (RFC 6140).
    contact: Option<String>,
    /// True if nobody can guess it.
    is_drawn: bool,
    /// While the registrar knows of us.
    service: Option<Service>,
}

impl Line {
    fn is_flow(&self, flow: Flow) -> bool {
        self.service.as_ref().is_some_and(|service| service.is_flow(flow))
    }
}

impl Directory {
    /// Reads the lines from the trunks' settings.
    pub(super) fn set_lines(&mut self, secret: &[u8]) {
        let mut lines = BTreeMap::new();
        for (name, trunk) in self.trunks() {
            let Some(wanted) = &trunk.register else { continue };
            let line = Line {
                contact: wanted.contact_user(name, secret),
                is_drawn: wanted.contact == ContactUser::Drawn,
                service: None,
            };
            lines.insert(name.to_owned(), line);
        }
        for (name, line) in std::mem::take(&mut self.lines) {
            if let Some(now) = lines.get_mut(&name).filter(|now| now.contact == line.contact) {
                now.service = line.service;
            }
        }
        self.lines = lines;
    }

    /// The registrar of a trunk knows of us, or no longer does.
    pub(crate) fn set_service(&mut self, trunk: &str, service: Option<Service>) {
        if let Some(line) = self.lines.get_mut(trunk) {
            line.service = service;
        }
    }

    /// The trunk that a call comes from: that which showed its certificate; that whose `Contact` it names, if nobody else can know that or it comes the way of that trunk;
    /// else the one at that address, or the one that registered over that flow.
    pub(crate) fn trunk_of(&self, number: &str, flow: Flow) -> Option<&str> {
        let address = flow.remote.ip();
        let comes_from = |name: &str, line: &Line| {
            line.is_flow(flow) || self.trunk(name).is_some_and(|trunk| trunk.is_at(address))
        };
        let mut lines = self.lines.iter();
        let named = lines.find(|(name, line)| {
            line.contact.as_deref() == Some(number) && (line.is_drawn || comes_from(name, line))
        });
        let over = || self.lines.iter().find(|(_, line)| line.is_flow(flow));
        self.trunk_certified(flow.id)
            .or_else(|| named.map(|(name, _)| name.as_str()))
            .or_else(|| self.trunk_at(address))
            .or_else(|| over().map(|(name, _)| name.as_str()))
    }

    /// True for an address of a trunk: one of its sources, or that of its registrar.
    pub(crate) fn is_trunk_at(&self, address: IpAddr) -> bool {
        self.trunk_at(address).is_some() || self.registrars().any(|registrar| registrar == address)
    }

    /// Addresses of the registrars that know of us.
    pub(crate) fn registrars(&self) -> impl Iterator<Item = IpAddr> + '_ {
        let services = self.lines.values().filter_map(|line| line.service.as_ref());
        services.map(|service| service.flow().remote.ip())
    }

    /// Address of the registrar of a trunk that knows of us.
    pub(crate) fn registrar_at(&self, trunk: &str) -> Option<SocketAddr> {
        Some(self.lines.get(trunk)?.service.as_ref()?.flow().remote)
    }

    /// User part of our `Contact` at a trunk.
    pub(crate) fn contact_at(&self, trunk: &str) -> Option<&str> {
        self.lines.get(trunk)?.contact.as_deref()
    }

    /// True for the user part of our `Contact` at a trunk.
    pub(crate) fn is_contact(&self, user: &str) -> bool {
        let mut lines = self.lines.values();
        lines.any(|line| line.contact.as_deref() == Some(user))
    }

    /// True for a trunk that wants to be told of the encryption of media.
    pub(crate) fn media_security(&self, trunk: Option<&str>) -> bool {
        trunk
            .and_then(|name| self.trunk(name))
            .is_some_and(|trunk| trunk.mediasec)
    }

    /// Headers of an INVITE to a trunk that agreed at its registration on how media are encrypted
    /// (draft-dawes-sipcore-mediasec-parameter): what it named then comes back to it.
    pub(crate) fn security_of(&self, account: &Account) -> Headers {
        let trunk = account.trunk().filter(|name| self.media_security(Some(name)));
        let service = trunk.and_then(|name| self.lines.get(name)?.service.as_ref());
        media_security(service.map_or(&[], Service::security))
    }

    /// Destination of calls to a trunk, if its registrar told us one.
    pub(crate) fn target_at(&self, trunk: &str) -> Option<Target> {
        self.lines.get(trunk)?.service.as_ref()?.target()
    }
}
