//! Rights of a registration besides being called: calls over its connection without another challenge. They
//! end with the registration, and with the credentials that it was made with.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use media_core::control::LegId;
use sans_io::Time;
use sip_core::endpoint::UsageId;
use sip_core::flow::{Flow, FlowId};
use sip_core::message::Message;

use crate::config::Access;
use crate::coordinator::{Coordinator, Timer};

/// Time between two checks for credentials that have expired.
const LOOK: Duration = Duration::from_secs(10);

/// User registered over a flow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Right {
    pub(crate) user: String,
    /// Digest user name, if the credentials are not the directory's and may end.
    pub(crate) lent: Option<String>,
}

/// A flow, and over UDP the peer at its other end.
pub(crate) type Way = (FlowId, SocketAddr);

pub(crate) fn way(flow: Flow) -> Way {
    (flow.id, flow.remote)
}

impl Coordinator {
    /// User that a connection speaks for without a challenge. A request that came through a proxy may be
    /// somebody else's.
    pub(crate) fn speaks_for(&self, now: Time, request: &Message, flow: Flow) -> Option<&str> {
        if !flow.transport.is_reliable() || request.via_count() != 1 {
            return None;
        }
        let right = self
            .rights
            .get(&way(flow))
            .filter(|right| self.is_good(now, right))?;
        self.is_registered_over(&right.user, flow).then_some(&*right.user)
    }

    /// A REGISTER of `user` was granted: adds or removes its rights.
    pub(crate) fn registered_over(&mut self, now: Time, user: &str, lent: Option<String>, flow: Flow) {
        if !self.is_registered_over(user, flow) {
            self.rights.remove(&way(flow));
            return;
        }
        // From its new place the calls of this user may be changed.
        let usages: Vec<_> = self
            .user_legs
            .get(user)
            .into_iter()
            .flatten()
            .filter_map(|leg| self.legs.get(leg)?.usage)
            .collect();
        for usage in usages {
            self.endpoint.trust(usage, flow.remote.ip());
        }
        // Senders of datagrams cannot be recognised, and there is nothing to end.
        if !flow.transport.is_reliable() && lent.is_none() {
            return;
        }
        if lent.is_some() && self.timers.get(Timer::Rights).is_none() {
            self.timers
                .set(Timer::Rights, now + LOOK, "credentials that may be over");
        }
        let user = user.to_owned();
        self.rights.insert(way(flow), Right { user, lent });
    }

    /// Ends registrations whose credentials have expired, with their rights. Calls in progress go on. To be
    /// called when a sign-in ended; expiry by time is noticed without it.
    pub fn end_registrations(&mut self, now: Time) {
        let over: Vec<(Way, String)> = self
            .rights
            .iter()
            .filter(|(_, right)| !self.is_good(now, right))
            .map(|(way, right)| (*way, right.user.clone()))
            .collect();
        for (way, user) in over {
            self.rights.remove(&way);
            self.registrar.forget_over(&user, way.0, way.1);
        }
        // Rights without a binding: the registration expired, or was replaced.
        let registrar = &self.registrar;
        self.rights.retain(|way, right| {
            registrar
                .lookup(&right.user)
                .any(|contact| (contact.flow.id, contact.flow.remote) == *way)
        });
        self.tell_reachable();
        if self.rights.values().any(|right| right.lent.is_some()) {
            self.timers
                .set(Timer::Rights, now + LOOK, "credentials that may be over");
        }
    }

    pub(crate) fn flow_rights_lost(&mut self, flow: FlowId) {
        self.rights.retain(|way, _| way.0 != flow);
    }

    /// Restricts the sources from which the call of a leg may be changed by somebody who knows its tags: the
    /// place that it came from or went to, the places where its user is registered, and the addresses of its
    /// trunk. `host` is that of a trunk that is called.
    pub(crate) fn restrict(&mut self, leg: LegId, usage: UsageId, over: Option<IpAddr>, host: &str) {
        let (Access::Directory { trunks, .. }, Some(l)) = (&self.config.access, self.legs.get(&leg)) else {
            return;
        };
        let peers: Vec<IpAddr> = match &l.user {
            Some(user) => {
                let contacts = self.registrar.lookup(user);
                over.into_iter()
                    .chain(contacts.map(|contact| contact.flow.remote.ip()))
                    .collect()
            }
            None => {
                let of_trunk = |sources: &[IpAddr], name: &str| match over {
                    Some(ip) => sources.contains(&ip),
                    None => name.eq_ignore_ascii_case(host),
                };
                let trunks = trunks
                    .values()
                    .filter(|trunk| of_trunk(&trunk.sources, &trunk.host));
                over.into_iter()
                    .chain(trunks.flat_map(|trunk| trunk.sources.iter().copied()))
                    .collect()
            }
        };
        self.endpoint.restrict(usage, peers);
    }

    fn is_good(&self, now: Time, right: &Right) -> bool {
        match &right.lent {
            Some(username) => self
                .config
                .credentials
                .find(now, username)
                .is_some_and(|found| found.good && found.user == right.user),
            None => true,
        }
    }

    fn is_registered_over(&self, user: &str, flow: Flow) -> bool {
        self.registrar
            .lookup(user)
            .any(|contact| way(contact.flow) == way(flow))
    }
}
