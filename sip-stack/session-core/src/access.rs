//! Admission of calls and registrations: users by digest, trunks by address.

use std::net::IpAddr;

use sans_io::Time;
use sip_core::auth::Verdict;
use sip_core::endpoint::{self, Headers};
use sip_core::flow::{Flow, Transport};
use sip_core::message::{HeaderName, Message};
use sip_core::registrar;
use sip_core::uri::UriRef;

use crate::config::{Access, Trunk, User};
use crate::coordinator::Coordinator;
use crate::event::{Event, Source};
use crate::guard::{Ban, Denied};
use crate::refusal::{self, Reason, Refusal};
use crate::verb::{host_of, user_of};

/// The word on an INVITE.
pub(crate) enum Admission {
    Granted(Source),
    Refused {
        code: u16,
        headers: Headers,
    },
    /// The request gets no answer at all.
    PassedOver,
}

/// Refusal of a request that is not what it claims: an answer, or none.
type Refused = Option<(u16, Headers)>;

impl Coordinator {
    /// Admission of an INVITE. A connection that a user registered over speaks for that user without another challenge.
    pub(crate) fn admit(&mut self, now: Time, request: &Message, flow: Flow) -> Admission {
        let Access::Directory { trunks, .. } = &self.config.access else {
            return Admission::Granted(Source::Anyone);
        };
        let websocket = matches!(flow.transport, Transport::Ws | Transport::Wss);
        let from = user_of(request.from().uri);
        if self
            .speaks_for(now, request, flow)
            .is_some_and(|user| user == from)
        {
            return self.admit_domain(request, Source::User(from), flow);
        }
        // A trunk is known by its address, whatever its callers are called; users behind the same address
        // prove who they are.
        if !websocket && !self.acts_as_user(&from, request, flow) {
            let trunk = trunks.iter().find(|(_, t)| t.sources.contains(&flow.remote.ip()));
            if let Some((name, _)) = trunk {
                return self.admit_domain(request, Source::Trunk(name.clone()), flow);
            }
        }
        match self.verify(now, request, flow) {
            Ok((user, _)) if user == from => self.admit_domain(request, Source::User(user), flow),
            Ok((user, _)) => {
                self.refused(request, flow, &user, 403, Reason::OtherUser);
                Admission::Refused {
                    code: 403,
                    headers: Vec::new(),
                }
            }
            Err(Some((code, headers))) => {
                if code == 401 {
                    self.challenged(now, request, flow, &from);
                }
                Admission::Refused { code, headers }
            }
            Err(None) => Admission::PassedOver,
        }
    }

    /// True if the caller is one of our users by more than the name in `From`: it answers a challenge of
    /// ours, or is registered from where the request came.
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

    fn admit_domain(&mut self, request: &Message, source: Source, flow: Flow) -> Admission {
        let host = request
            .request_uri()
            .and_then(|uri| UriRef::parse(uri).ok())
            .map(host_of)
            .unwrap_or_default();
        if let Source::User(user) = &source
            && !self.is_ours(&host)
        {
            self.refused(request, flow, user, 404, Reason::ForeignDomain);
            return Admission::Refused {
                code: 404,
                headers: Vec::new(),
            };
        }
        Admission::Granted(source)
    }

    /// User that a REGISTER is admitted for, and the digest user name if the credentials end.
    pub(crate) fn admit_registration(
        &mut self,
        now: Time,
        request: &Message,
        flow: Flow,
    ) -> Result<(String, Option<String>), Refused> {
        if matches!(self.config.access, Access::Anyone) {
            return Err(Some((
                405,
                vec![(
                    "Allow".into(),
                    "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE".into(),
                )],
            )));
        }
        let to = request.to().uri;
        // RFC 4475 §3.3.4: an address of record that is not SIP cannot be registered here.
        if !to.is_sip() {
            return Err(Some((400, Vec::new())));
        }
        let wanted = user_of(to);
        if !self.is_ours(&host_of(to)) {
            self.refused(request, flow, &wanted, 404, Reason::ForeignDomain);
            return Err(Some((404, Vec::new())));
        }
        match self.verify(now, request, flow) {
            Ok((user, lent)) if user == wanted => Ok((user, lent)),
            Ok((user, _)) => {
                self.refused(request, flow, &user, 403, Reason::OtherUser);
                Err(Some((403, Vec::new())))
            }
            Err(refused) => {
                if matches!(refused, Some((401, _))) {
                    self.challenged(now, request, flow, &wanted);
                }
                Err(refused)
            }
        }
    }

    /// User whose credentials the request carries, and their digest user name if they end.
    fn verify(
        &mut self,
        now: Time,
        request: &Message,
        flow: Flow,
    ) -> Result<(String, Option<String>), Refused> {
        let Access::Directory { users, .. } = &self.config.access else {
            return Err(Some((403, Vec::new())));
        };
        let address = flow.remote.ip();
        let (credentials, guard) = (&self.config.credentials, &mut self.guard);
        // Set once there is something to guess at: the user that the credentials name.
        let mut attempt = None;
        let lookup = |name: &str| {
            let known = users.get(name).map(|user| user.password.clone());
            let lent = match &known {
                None => credentials.find(now, name),
                Some(_) => None,
            };
            let user = lent.as_ref().map_or(name, |lent| &lent.user).to_owned();
            let taken = guard.take(now, address, &user);
            let password = known.or_else(|| lent.as_ref().map(|lent| lent.password.clone().into()));
            let password = password.filter(|_| taken.is_ok());
            attempt = Some((user, lent, taken));
            password
        };
        // Browsers know MD5 only, and give up at a challenge that they do not know. The source of a datagram can be forged, that of
        // a WebSocket cannot: so the nonces of datagrams are bound to the address that they are sent to.
        let (challenger, from) = if matches!(flow.transport, Transport::Ws | Transport::Wss) {
            (&mut self.browser_challenger, None)
        } else {
            (&mut self.challenger, Some(address))
        };
        let verdict = challenger.verify(now, request, from, lookup);
        let Some((user, lent, taken)) = attempt else {
            return Err(match verdict {
                Verdict::Challenge { headers, .. } => Some((401, headers)),
                Verdict::Ok { .. } | Verdict::Forbidden => Some((403, Vec::new())),
            });
        };
        let taken = match taken {
            Ok(taken) => taken,
            Err(Denied::TooFast(wait)) => {
                self.refused(request, flow, &user, 503, Reason::TooFast);
                // The password was not checked, so it counts as neither wrong nor right.
                let seconds = wait.as_secs().max(1).to_string();
                return Err(Some((503, vec![("Retry-After".into(), seconds)])));
            }
            Err(Denied::Banned(_)) => {
                self.silenced += 1;
                return Err(None);
            }
        };
        match verdict {
            Verdict::Ok { .. } if lent.as_ref().is_some_and(|lent| !lent.good) => {
                self.guard.give_back(taken);
                self.refused(request, flow, &user, 403, Reason::CredentialsOver);
                Err(Some((403, Vec::new())))
            }
            Verdict::Ok { username } if self.is_user(&user) => {
                self.guard.succeeded(now, taken);
                Ok((user, lent.map(|_| username)))
            }
            Verdict::Challenge { headers, .. } => {
                self.guard.give_back(taken);
                Err(Some((401, headers)))
            }
            Verdict::Ok { .. } | Verdict::Forbidden => {
                self.guard.failed(now, address, taken);
                self.refused(request, flow, &user, 403, Reason::WrongCredentials);
                Err(Some((403, Vec::new())))
            }
        }
    }

    /// A request without credentials was challenged. A client that names no user of ours cannot answer,
    /// whatever follows. A datagram
    /// counts for nothing: it does not prove that it comes from its source address.
    fn challenged(&mut self, now: Time, request: &Message, flow: Flow, name: &str) {
        let has_credentials = request.auth(HeaderName::Authorization).next().is_some();
        if has_credentials || self.is_user(name) {
            return;
        }
        if flow.transport != Transport::Udp {
            self.guard.unknown_name(now, flow.remote.ip(), name);
        }
        self.refused(request, flow, name, 401, Reason::UnknownSource);
    }

    /// Reports a refusal.
    pub(crate) fn refused(&mut self, request: &Message, flow: Flow, user: &str, code: u16, reason: Reason) {
        let refusal = Refusal::new(request, flow, user, code, reason);
        self.event(Event::Refused(Box::new(refusal)));
    }

    /// Reports bans that began.
    pub(crate) fn tell_bans(&mut self) {
        while let Some(ban) = self.guard.poll_ban() {
            self.event(Event::Banned(ban));
        }
    }

    /// True for input from a banned source where no user of ours ever was: it is not even read. Calls in
    /// progress with it go on.
    pub(crate) fn is_passed_over(&self, now: Time, input: &endpoint::Input) -> bool {
        let endpoint::Input::Message { flow, .. } = input else {
            return false;
        };
        self.guard.is_silenced(now, flow.remote.ip())
            && !self
                .legs
                .values()
                .any(|leg| leg.flow.is_some_and(|of| of.remote.ip() == flow.remote.ip()))
    }

    /// True if somebody of ours is at that address: a user who got in from there lately, or a trunk.
    #[must_use]
    pub fn knows(&self, now: Time, address: IpAddr) -> bool {
        let is_trunk = || match &self.config.access {
            Access::Directory { trunks, .. } => trunks.values().any(|trunk| trunk.sources.contains(&address)),
            Access::Anyone => false,
        };
        self.guard.knows(now, address) || is_trunk()
    }

    /// True for a program that by its own account looks for passwords and open relays. It gets no answer.
    pub(crate) fn is_scanner(&mut self, request: &Message, flow: Flow) -> bool {
        let is_scanner = request
            .header(HeaderName::UserAgent)
            .is_some_and(refusal::is_scanner);
        if is_scanner {
            let from = user_of(request.from().uri);
            self.refused(request, flow, &from, 0, Reason::Scanner);
        }
        is_scanner
    }

    /// Sources that are banned.
    #[must_use]
    pub fn bans(&self, now: Time) -> Vec<Ban> {
        self.guard.bans(now)
    }

    /// Bans a source that another guard has banned.
    pub fn ban(&mut self, now: Time, ban: Ban) {
        self.guard.adopt(now, ban);
    }

    /// Ends a ban; false when there is none.
    pub fn lift_ban(&mut self, now: Time, address: IpAddr) -> bool {
        self.guard.lift(now, address)
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
