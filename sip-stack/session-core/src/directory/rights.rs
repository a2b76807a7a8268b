//! Rights of a registration besides being called: calls over its connection without another challenge. They
//! end with the registration, and with the credentials that it was made with.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use sans_io::Time;
use sip_core::flow::{Flow, FlowId};
use sip_core::message::Message;

use super::Directory;
use crate::config::{Access, Trunk};
use crate::coordinator::{Coordinator, Timer};
use crate::guard::Network;

/// Time between two checks for credentials that have expired.
const LOOK: Duration = Duration::from_secs(10);

/// Rights of registrations, by the flow that each was made over.
#[derive(Debug, Default)]
pub(super) struct Rights(BTreeMap<Way, Right>);

/// User registered over a flow.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Right {
    user: String,
    /// Digest user name, if the credentials are not the directory's and may end.
    lent: Option<String>,
}

/// A flow, and over UDP the peer at its other end.
type Way = (FlowId, SocketAddr);

fn way(flow: Flow) -> Way {
    (flow.id, flow.remote)
}

impl Directory {
    /// User that a connection speaks for without a challenge, and the digest user name if the credentials end. A request that came
    /// through a proxy may be somebody else's.
    pub(crate) fn speaks_for(
        &self,
        now: Time,
        request: &Message,
        flow: Flow,
    ) -> Option<(&str, Option<&str>)> {
        if !flow.transport.is_reliable() || request.via_count() != 1 {
            return None;
        }
        let right = self.rights.0.get(&way(flow));
        let right = right.filter(|right| self.is_good(now, right))?;
        self.is_registered_over(&right.user, flow)
            .then_some((&*right.user, right.lent.as_deref()))
    }

    /// User who registered over a connection.
    pub(crate) fn registered_over_flow(&self, flow: FlowId) -> Option<&str> {
        let mut rights = self.rights.0.iter();
        rights
            .find(|(way, _)| way.0 == flow)
            .map(|(_, right)| &*right.user)
    }

    /// Adds the rights of a registration that was granted, or removes them. True if its credentials may end.
    fn grant(&mut self, user: &str, lent: Option<String>, flow: Flow) -> bool {
        // Senders of datagrams cannot be recognised, and there is nothing to end.
        if !flow.transport.is_reliable() && lent.is_none() {
            return false;
        }
        let may_end = lent.is_some();
        let user = user.to_owned();
        self.rights.0.insert(way(flow), Right { user, lent });
        may_end
    }

    /// Ends registrations whose credentials have expired, with their rights. True if there are others that may end.
    fn end_registrations(&mut self, now: Time) -> bool {
        let is_over = |right: &Right| !self.is_good(now, right);
        let over: Vec<(Way, String)> = self
            .rights
            .0
            .iter()
            .filter(|(_, right)| is_over(right))
            .map(|(way, right)| (*way, right.user.clone()))
            .collect();
        for (way, user) in over {
            self.rights.0.remove(&way);
            self.registrar.forget_over(&user, way.0, way.1);
        }
        // Rights without a binding: the registration expired, or was replaced.
        let registrar = &self.registrar;
        self.rights.0.retain(|way, right| {
            registrar
                .lookup(&right.user)
                .any(|contact| (contact.flow.id, contact.flow.remote) == *way)
        });
        self.rights.0.values().any(|right| right.lent.is_some())
    }

    /// A connection closed.
    pub(crate) fn flow_closed(&mut self, flow: FlowId) {
        self.registrar.flow_closed(flow);
    }

    /// The rights of a connection that closed end.
    pub(crate) fn flow_rights_lost(&mut self, flow: FlowId) {
        self.rights.0.retain(|way, _| way.0 != flow);
    }

    /// The rights of a user end.
    pub(super) fn user_rights_lost(&mut self, user: &str) {
        self.rights.0.retain(|_, right| right.user != user);
    }

    /// Addresses from which a leg's call may be changed by somebody who knows its tags: the place that it came from or went to
    /// (`over`), the places where its user is registered, and the addresses of its trunk. `host` is that of a trunk that is called.
    /// `None`: it may be changed from anywhere.
    pub(crate) fn peers(&self, user: Option<&str>, over: Option<IpAddr>, host: &str) -> Option<Vec<Network>> {
        let Access::Directory { trunks, .. } = &self.access else {
            return None;
        };
        let peers = over.map(Network::from).into_iter();
        Some(match user {
            Some(user) => {
                let contacts = self.contacts(user);
                peers
                    .chain(contacts.map(|contact| contact.flow.remote.ip().into()))
                    .collect()
            }
            None => {
                let of_trunk = |trunk: &&Trunk| match over {
                    Some(ip) => trunk.is_at(ip),
                    None => trunk.is_host(host),
                };
                let trunks = trunks.values().filter(of_trunk);
                peers
                    .chain(trunks.flat_map(|trunk| trunk.sources.iter().copied()))
                    .collect()
            }
        })
    }

    fn is_good(&self, now: Time, right: &Right) -> bool {
        let Some(username) = &right.lent else { return true };
        let found = self.credentials.find(now, username);
        found.is_some_and(|found| found.good && found.user == right.user)
    }

    fn is_registered_over(&self, user: &str, flow: Flow) -> bool {
        self.contacts(user).any(|contact| way(contact.flow) == way(flow))
    }
}

impl Coordinator {
    /// A REGISTER of `user` was granted: adds or removes its rights.
    pub(crate) fn registered_over(&mut self, now: Time, user: &str, lent: Option<String>, flow: Flow) {
        if !self.context().directory.is_registered_over(user, flow) {
            self.context_mut().directory.rights.0.remove(&way(flow));
            return;
        }
        // From its new place the calls of this user may be changed.
        for leg in self.legs_of_user(user) {
            if let Some(usage) = self.leg(leg).and_then(crate::leg::Leg::usage) {
                self.context_mut().endpoint.trust(usage, flow.remote.ip());
            }
        }
        let cx = self.context_mut();
        if cx.directory.grant(user, lent, flow) {
            self.look_at_rights(now);
        }
    }

    /// Ends registrations whose credentials have expired, with their rights, and what is watched with them. Calls in progress go on.
    /// To be called when a sign-in ended; expiry by time is noticed without it.
    pub fn end_registrations(&mut self, now: Time) {
        let watching = self.review_watchers(now);
        let cx = self.context_mut();
        let others = cx.directory.end_registrations(now);
        cx.report_reachable();
        if others || watching {
            self.look_at_rights(now);
        }
    }

    /// Looks for credentials that have expired, after a while.
    pub(crate) fn look_at_rights(&mut self, now: Time) {
        let timers = &mut self.context_mut().timers;
        if timers.get(Timer::Rights).is_none() {
            timers.set(Timer::Rights, now + LOOK, "credentials that may be over");
        }
    }
}
