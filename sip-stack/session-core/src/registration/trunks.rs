//! Registrations of the trunks in the directory.

use std::collections::BTreeMap;

use sip_core::uri::{Uri, UriError};

use super::{Registrant, Registration, Registrations};
use crate::config::Trunk;
use crate::context::Context;
use crate::coordinator::Coordinator;
use crate::dial::trunk_uri;
use crate::event::RegistrationState;
use crate::trunk::TargetStatus;
use crate::trunk::TrunkAddress;

/// A trunk and its state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrunkStatus {
    /// Name.
    pub name: String,
    /// Its registration, if it wants one.
    pub registration: Option<TrunkRegistrationStatus>,
    /// Addresses that calls to it go to; none while its name does not resolve, and where a proxy stands before it.
    pub targets: Vec<TargetStatus>,
    /// Channels in use: its calls, both ways.
    pub calls: usize,
    /// Channels there are; `None`: any number.
    pub channels: Option<usize>,
    /// Contacts of the clients that are registered at it through us, if it is the PBX upstream.
    pub clients: Option<usize>,
}

/// State of a trunk's registration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrunkRegistrationStatus {
    /// Address of record.
    pub aor: String,
    /// State.
    pub state: RegistrationState,
}

impl Trunk {
    /// Next hops of what is sent to it: its proxy, or each of its places.
    ///
    /// # Errors
    /// The host of one of them is none.
    pub fn ways(&self) -> Result<Vec<Uri>, UriError> {
        if let Some(proxy) = &self.outbound_proxy {
            return Ok(vec![proxy.clone()]);
        }
        if self.outgoing.places.is_empty() {
            return Ok(vec![trunk_uri(self, None)?]);
        }
        let places = self.outgoing.places.iter();
        places.map(|place| trunk_uri(&self.at(place), None)).collect()
    }

    /// The trunk as if it were at that place alone.
    fn at(&self, place: &TrunkAddress) -> Trunk {
        Trunk {
            host: place.host.clone(),
            port: place.port,
            ..self.clone()
        }
    }

    /// The registration that it wants.
    ///
    /// # Errors
    /// Its address of record is no URI.
    pub fn registration(&self, name: &str, secret: &[u8]) -> Result<Option<Registration>, UriError> {
        let Some(wanted) = &self.register else {
            return Ok(None);
        };
        let (host, port) = self.domain();
        let to = trunk_uri(self, None)?;
        Ok(Some(Registration {
            aor: Uri::sip(Some(&wanted.user), host, port)?,
            proxy: Some(self.outbound_proxy.clone().unwrap_or(to)),
            credentials: self.credentials(),
            expires: wanted.expires,
            contact: wanted.contact_user(name, secret),
            instance: wanted.instance(name, secret),
        }))
    }

    /// Domain of its address of record, and of the registrar.
    pub(crate) fn domain(&self) -> (&str, Option<u16>) {
        let own = self
            .register
            .as_ref()
            .and_then(|wanted| wanted.registrar.as_ref());
        own.map_or((&self.host, self.port), |(host, port)| (host, *port))
    }
}

impl Registrations {
    /// Registers the trunks that want it, and gives the other ones up. What did not change stays as it is; what was refused for good
    /// is tried again.
    pub(crate) fn set_trunks(&mut self, cx: &mut Context) {
        let mut wanted = BTreeMap::new();
        let secret = cx.config.secret;
        for (name, trunk) in cx.directory.trunks() {
            if let Ok(Some(registration)) = trunk.registration(name, &secret) {
                wanted.insert(name.to_owned(), registration);
            }
        }
        let ids: Vec<u64> = self.entries.keys().copied().collect();
        for id in ids {
            let Some(entry) = self.entries.get_mut(&id).filter(|entry| !entry.is_leaving()) else {
                continue;
            };
            let Registrant::Trunk(name) = entry.owner().clone() else {
                continue;
            };
            match wanted.remove(&name) {
                Some(same) if same == *entry.settings() => {
                    if entry.is_stopped() {
                        self.queue(id);
                    }
                }
                Some(other) if other.is_same_binding(entry.settings()) => {
                    entry.change(other);
                    self.queue(id);
                }
                other => {
                    self.leave(cx, id);
                    if let Some(registration) = other {
                        self.add(cx, Registrant::Trunk(name), registration);
                    }
                }
            }
        }
        for (name, registration) in wanted {
            self.add(cx, Registrant::Trunk(name), registration);
        }
    }
}

impl Coordinator {
    /// Trunks and their state, by name.
    #[must_use]
    pub fn trunks(&self) -> Vec<TrunkStatus> {
        let of = |name: &str| {
            let mut entries = self.registrations().entries.values();
            let entry = entries.find(|entry| {
                !entry.is_leaving() && matches!(entry.owner(), Registrant::Trunk(owner) if owner == name)
            })?;
            Some(TrunkRegistrationStatus {
                aor: entry.settings().aor.to_string(),
                state: entry.state(),
            })
        };
        let trunks = self.context().directory.trunks();
        trunks
            .map(|(name, trunk)| TrunkStatus {
                name: name.to_owned(),
                registration: of(name),
                targets: self.context().trunks.status(name),
                calls: self.context().index.channels(name),
                channels: trunk.outgoing.channels,
                clients: self.context().clients_of(name),
            })
            .collect()
    }
}
