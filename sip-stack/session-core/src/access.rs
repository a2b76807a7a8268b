//! Who may call and register: users by digest, trunks by address.

use sans_io::Time;
use sip_core::auth::Verdict;
use sip_core::endpoint::Headers;
use sip_core::flow::{Flow, Transport};
use sip_core::message::{HeaderName, Message};
use sip_core::registrar;
use sip_core::uri::UriRef;

use crate::config::{Access, Trunk, User};
use crate::coordinator::Coordinator;
use crate::event::{Event, Source};
use crate::verb::{host_of, user_of};

/// The word on an INVITE.
pub(crate) enum Admission {
    Granted(Source),
    Refused { code: u16, headers: Headers },
}

impl Coordinator {
    /// Whose INVITE it is. A connection that a user registered over speaks for that user without another challenge.
    pub(crate) fn admit(&mut self, now: Time, request: &Message, flow: Flow) -> Admission {
        let Access::Directory { trunks, .. } = &self.config.access else {
            return Admission::Granted(Source::Anyone);
        };
        let websocket = matches!(flow.transport, Transport::Ws | Transport::Wss);
        let from = user_of(request.from().uri);
        if let Some(user) = self.flow_users.get(&flow.id).filter(|user| **user == from) {
            return self.admit_domain(request, Source::User(user.clone()));
        }
        // A trunk is known by its address, whatever its callers are called; users behind the same one show who they are.
        if !websocket && !self.acts_as_user(&from, request, flow) {
            let trunk = trunks.iter().find(|(_, t)| t.sources.contains(&flow.remote.ip()));
            if let Some((name, _)) = trunk {
                return self.admit_domain(request, Source::Trunk(name.clone()));
            }
        }
        match self.verify(now, request, websocket) {
            Ok(user) if user == from => self.admit_domain(request, Source::User(user)),
            Ok(_) => Admission::Refused {
                code: 403,
                headers: Vec::new(),
            },
            Err((code, headers)) => Admission::Refused { code, headers },
        }
    }

    /// The caller is one of our users by more than the name in `From`: it answers a challenge of ours, or is registered from
    /// where the request came.
    fn acts_as_user(&self, user: &str, request: &Message, flow: Flow) -> bool {
        let signs = || {
            request
                .auth(HeaderName::Authorization)
                .any(|credentials| credentials.get("realm") == Some(self.config.realm.as_str()))
        };
        let at = |flow: Flow| (flow.transport, flow.remote);
        let registered = || {
            self.registrar
                .lookup(user)
                .any(|contact| at(contact.flow) == at(flow))
        };
        self.user(user).is_some() && (signs() || registered())
    }

    fn admit_domain(&self, request: &Message, source: Source) -> Admission {
        let host = request
            .request_uri()
            .and_then(|uri| UriRef::parse(uri).ok())
            .map(host_of)
            .unwrap_or_default();
        if matches!(source, Source::User(_)) && !self.is_ours(&host) {
            return Admission::Refused {
                code: 404,
                headers: Vec::new(),
            };
        }
        Admission::Granted(source)
    }

    /// The user that a REGISTER is for, if it may.
    pub(crate) fn admit_registration(
        &mut self,
        now: Time,
        request: &Message,
        flow: Flow,
    ) -> Result<String, (u16, Headers)> {
        if matches!(self.config.access, Access::Anyone) {
            return Err((
                405,
                vec![(
                    "Allow".into(),
                    "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE".into(),
                )],
            ));
        }
        let to = request.to().uri;
        // RFC 4475 §3.3.4: an address of record that is not SIP cannot be registered here.
        if !to.is_sip() {
            return Err((400, Vec::new()));
        }
        if !self.is_ours(&host_of(to)) {
            return Err((404, Vec::new()));
        }
        let websocket = matches!(flow.transport, Transport::Ws | Transport::Wss);
        let user = self.verify(now, request, websocket)?;
        if user == user_of(to) {
            Ok(user)
        } else {
            Err((403, Vec::new()))
        }
    }

    fn verify(&mut self, now: Time, request: &Message, websocket: bool) -> Result<String, (u16, Headers)> {
        let Access::Directory { users, .. } = &self.config.access else {
            return Err((403, Vec::new()));
        };
        let credentials = &self.config.credentials;
        let lookup = |name: &str| {
            let known = users.get(name).map(|user| user.password.clone());
            known.or_else(|| credentials.find(now, name).map(|(_, password)| password.into()))
        };
        // Browsers know MD5 only, and give up at a challenge that they do not know.
        let challenger = if websocket {
            &mut self.browser_challenger
        } else {
            &mut self.challenger
        };
        match challenger.verify(now, request, lookup) {
            Verdict::Ok { username } if users.contains_key(&username) => Ok(username),
            Verdict::Ok { username } => match credentials.find(now, &username) {
                Some((user, _)) if users.contains_key(&user) => Ok(user),
                _ => Err((403, Vec::new())),
            },
            Verdict::Challenge { headers, .. } => Err((401, headers)),
            Verdict::Forbidden => Err((403, Vec::new())),
        }
    }

    /// A SIP domain that we answer for.
    pub(crate) fn is_ours(&self, host: &str) -> bool {
        self.config.domains.is_empty() || self.config.domains.iter().any(|d| d.eq_ignore_ascii_case(host))
    }

    /// Somebody of a domain that is not ours is meant.
    pub(crate) fn is_foreign(&self, request: &Message) -> bool {
        request
            .uri()
            .is_some_and(|uri| uri.user().is_some() && !self.is_ours(&host_of(uri)))
    }

    pub(crate) fn user(&self, name: &str) -> Option<&User> {
        match &self.config.access {
            Access::Directory { users, .. } => users.get(name),
            Access::Anyone => None,
        }
    }

    pub(crate) fn trunk(&self, name: &str) -> Option<&Trunk> {
        match &self.config.access {
            Access::Directory { trunks, .. } => trunks.get(name),
            Access::Anyone => None,
        }
    }

    /// True when the directory knows the user.
    #[must_use]
    pub fn is_user(&self, name: &str) -> bool {
        self.user(name).is_some()
    }

    /// A user is registered.
    #[must_use]
    pub fn is_reachable(&self, user: &str) -> bool {
        self.registrar.is_reachable(user)
    }

    /// Tells which users became reachable or unreachable since the last time.
    pub(crate) fn tell_reachable(&mut self) {
        while let Some(event) = self.registrar.poll_event() {
            match event {
                registrar::Event::Reachable { user } => self.event(Event::Reachable {
                    user,
                    reachable: true,
                }),
                registrar::Event::Unreachable { user } => self.event(Event::Reachable {
                    user,
                    reachable: false,
                }),
                registrar::Event::Moved { .. } => {}
            }
        }
    }
}
