//! A PBX that stays: browsers register through the gateway at a registrar behind it, with credentials of their own.
//!
//! The PBX is a trunk, named by `Config::upstream`. A client whose address of record is in one of its domains, and no user of the
//! directory, belongs to it. The gateway knows no password of such a client, and keeps no digest.
//!
//! **REGISTER** ([`register`]) goes on with the client's `Request-URI`, `From`, `To` and credentials, so that the digest stays true, and
//! with a `Contact` of ours ([`aor`]); challenges and refusals go back as they came. A 2xx makes a binding for the client's connection,
//! which ends a little before that at the PBX does. Answered here, without the PBX, are:
//! - a refresh without credentials, over a connection that the PBX authenticated for this address of record, while more than half of
//!   the time that the PBX granted is left;
//! - the end of one contact of several, over such a connection.
//!
//! Everything else goes to the PBX: the first REGISTER of a connection, any that carries credentials, a refresh in the second half (the
//! PBX challenges it, the client answers, and that goes on as well), and the end of the last contact. No digest is sent twice, so the
//! nonce counters of clients stay in order. A connection that closes ends nothing at the PBX.
//!
//! **INVITE** ([`call`]) goes out the same way, within a dialog of our own. A call that comes in for such a `Contact` rings at all
//! connections of its address of record; while a client that was there a moment ago is away, or after a start of the gateway, it waits
//! for the client to come back, within the grace.
//!
//! **REFER** ([`transfer`]) of a client goes on within the dialog of the other leg. A challenge to that, to an INFO or a MESSAGE within a
//! call, or to a re-INVITE that stands for one of the client's, goes back to the client, whose next request has the credentials. Whatever
//! we send by ourselves (the BYE, a refresh of the session, an end of our hold) has none: it stays refused, and changes nothing here. **MESSAGE and PUBLISH** ([`request`]) go the way of
//! REGISTER. **SUBSCRIBE** ([`subscription`]) is two subscriptions, whose NOTIFYs, refreshes and ends are carried from one to the other.

mod aor;
mod call;
mod line;
mod register;
mod relay;
mod request;
mod subscription;
mod transfer;

use std::collections::{BTreeMap, BTreeSet};

use sans_io::Time;
use sip_core::auth::Algorithm;
use sip_core::endpoint::Target;
use sip_core::flow::{Flow, Transport};
use sip_core::message::{HeaderName, Message};

pub(crate) use aor::Aor;
pub(crate) use call::{Outward, Verbatim};
use line::Line;
pub(crate) use relay::{Relays, passed_back};
pub(crate) use subscription::RelayedSubscriptions;

use crate::config::Trunk;
use crate::context::Context;
use crate::dial::trunk_uri;
use crate::leg::Leg;

/// Clients of the PBX: which addresses of record it knows us for.
#[derive(Debug)]
pub(crate) struct Upstream {
    /// Name of the trunk; `None`: there is no PBX, and no client of one.
    trunk: Option<String>,
    secret: [u8; 32],
    /// Registrations at the PBX, by address of record.
    lines: BTreeMap<String, Line>,
    /// Their ends.
    ends: BTreeSet<(Time, String)>,
    /// Time of the first input.
    since: Option<Time>,
}

impl Upstream {
    pub(crate) fn new(trunk: Option<String>, secret: [u8; 32]) -> Upstream {
        Upstream {
            trunk,
            secret,
            lines: BTreeMap::new(),
            ends: BTreeSet::new(),
            since: None,
        }
    }

    /// Notes the first input.
    pub(crate) fn begins(&mut self, now: Time) {
        self.since.get_or_insert(now);
    }

    /// Name of the trunk.
    pub(crate) fn trunk(&self) -> Option<&str> {
        self.trunk.as_deref()
    }

    /// User part of our `Contact` for this address of record.
    fn contact_user(&self, aor: &Aor) -> String {
        aor.contact_user(&self.secret)
    }

    /// Address of record that this user part of ours stands for.
    fn aor_of_contact(&self, user: &str) -> Option<Aor> {
        Aor::of_contact_user(user, &self.secret)
    }

    /// Call-ID of our requests that stand for those of a client with this one.
    fn call_id(&self, aor: &Aor, call_id: &str) -> String {
        let parts: [&[u8]; 4] = [b"call", &self.secret, aor.as_str().as_bytes(), call_id.as_bytes()];
        let mut derived = Algorithm::Sha256.hash(&parts);
        derived.truncate(32);
        derived
    }

    fn line(&self, aor: &str) -> Option<&Line> {
        self.lines.get(aor)
    }

    /// The PBX granted a registration.
    fn granted(&mut self, now: Time, aor: &str, line: Line) {
        while let Some((end, over)) = self.ends.pop_first() {
            if end > now {
                self.ends.insert((end, over));
                break;
            }
            self.lines.remove(&over);
        }
        self.ended(aor);
        self.ends.insert((line.until(), aor.to_owned()));
        self.lines.insert(aor.to_owned(), line);
    }

    /// The PBX knows nothing of this address of record any more.
    fn ended(&mut self, aor: &str) {
        if let Some(line) = self.lines.remove(aor) {
            self.ends.remove(&(line.until(), aor.to_owned()));
        }
    }

    /// The last connection of a client closed.
    pub(crate) fn lost(&mut self, now: Time, aor: &str) {
        if let Some(line) = self.lines.get_mut(aor) {
            line.lost(now);
        }
    }
}

impl Context {
    /// The PBX, if there is one.
    fn pbx(&self) -> Option<(&str, &Trunk)> {
        let name = self.upstream.trunk()?;
        Some((name, self.directory.trunk(name)?))
    }

    /// True for a domain whose addresses of record are the PBX's: its own, or one that we answer for by name.
    fn is_of_pbx(&self, host: &str) -> bool {
        let Some((_, trunk)) = self.pbx() else {
            return false;
        };
        let own = [
            Some(trunk.host.as_str()),
            trunk.from_domain.as_deref(),
            Some(trunk.domain().0),
        ];
        let listed = self.config.domains.iter().map(String::as_str);
        let mut domains = own.into_iter().flatten().chain(listed);
        domains.any(|domain| domain.eq_ignore_ascii_case(host))
    }

    /// True for the address of record of a client of the PBX. Users of the directory stay ours, whatever their domain.
    fn is_pbxs(&self, aor: &Aor) -> bool {
        self.is_of_pbx(aor.domain()) && self.directory.user(aor.user()).is_none()
    }

    /// True for the name that a client of the PBX has here: its address of record.
    pub(crate) fn is_client(&self, name: &str) -> bool {
        Aor::parse(name).is_some_and(|aor| self.is_pbxs(&aor))
    }

    /// True for a leg of a client of the PBX, and the other one at the PBX.
    pub(crate) fn is_client_of(&self, leg: &Leg, other: Option<&Leg>) -> bool {
        let trunk = other.and_then(Leg::trunk);
        let is_pbx = trunk.is_some() && trunk == self.upstream.trunk();
        is_pbx && leg.user().is_some_and(|user| self.is_client(user))
    }

    /// Contacts of the clients that are registered at a trunk through us; `None` if that is no PBX with clients.
    pub(crate) fn clients_of(&self, trunk: &str) -> Option<usize> {
        (self.upstream.trunk() == Some(trunk)).then(|| {
            let contacts = self
                .upstream
                .lines
                .keys()
                .map(|aor| self.directory.contacts(aor).count());
            contacts.sum()
        })
    }

    /// Destination of requests to the PBX: where its registrar told us to go (RFC 3608), or as the trunk's settings say.
    pub(crate) fn to_pbx(&self, aor: &str) -> Option<Target> {
        let (_, trunk) = self.pbx()?;
        let routes = self.upstream.line(aor).map(Line::routes).unwrap_or_default();
        if !routes.is_empty() {
            return Some(Target::Routes(routes.to_vec()));
        }
        let proxy = match &trunk.outbound_proxy {
            Some(proxy) => proxy.clone(),
            None => trunk_uri(trunk, None).ok()?,
        };
        Some(Target::Uri { proxy: Some(proxy) })
    }
}

/// True for a request that a browser sent itself, over a connection that nobody else can use.
fn is_browser(request: &Message, flow: Flow) -> bool {
    matches!(flow.transport, Transport::Ws | Transport::Wss) && request.via_count() == 1
}

/// Headers of these names in a message, with their values as written.
fn lines_of(message: &Message, names: &[&str]) -> Vec<(String, String)> {
    let named = |name: &str| names.iter().any(|wanted| wanted.eq_ignore_ascii_case(name));
    let of_name = |(known, written, value): (HeaderName, &str, &str)| {
        let name = match known {
            HeaderName::Other => written,
            known => known.as_str(),
        };
        named(name).then(|| (name.to_owned(), value.to_owned()))
    };
    message.fields().filter_map(of_name).collect()
}
