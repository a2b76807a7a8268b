//! Admission of calls and registrations: users by digest, trunks by address, within their quotas.

mod attempt;
mod quota;
mod refusal;

use std::net::IpAddr;

use sans_io::{Rng, Time};
use sip_core::auth::{Algorithm, Challenger, Verdict};
use sip_core::endpoint::Headers;
use sip_core::flow::{Flow, Transport};
use sip_core::message::{HeaderName, Message, StatusCode};
use sip_core::uri::UriRef;

use quota::Quotas;
pub use quota::{Excess, Limits, Quota};
pub use refusal::{MAX_USER, Reason, Refusal};

use crate::config::Config;
use crate::context::Context;
use crate::directory::Directory;
use crate::event::{Event, Source};
use crate::guard::{self, Ban, Denied, Guard};
use crate::identity::claimed_user;
use crate::incoming::{called, host_of, user_of};

/// Admission: who proves to be whom, who guesses, and who calls too much.
#[derive(Debug)]
pub(crate) struct Admission {
    challenger: Challenger,
    /// For clients over WebSocket.
    browser_challenger: Challenger,
    guard: Guard,
    quotas: Quotas,
    /// Messages of banned sources that were ignored since the start.
    silenced: u64,
}

/// The word on an INVITE.
pub(crate) enum Word {
    Granted {
        source: Source,
        /// Digest user name, if the credentials end.
        lent: Option<String>,
    },
    Refused {
        code: StatusCode,
        headers: Headers,
    },
    /// The request gets no answer at all.
    PassedOver,
}

/// Refusal of a request that is not what it claims: an answer, or none.
type Refused = Option<(StatusCode, Headers)>;

impl Admission {
    pub(crate) fn new(config: &Config, directory: &Directory, rng: &mut Rng) -> Admission {
        Admission {
            challenger: Challenger::new(&*config.realm, config.algorithms.clone(), rng.fork()),
            browser_challenger: Challenger::new(&*config.realm, vec![Algorithm::Md5], rng.fork()),
            guard: Guard::new(guard::Config {
                spare: spared(config, directory),
                ..config.guard.clone()
            }),
            quotas: Quotas::default(),
            silenced: 0,
        }
    }

    /// Admission of an INVITE, or another request that is judged as one. A connection that a user registered over speaks for that user
    /// without another challenge.
    pub(crate) fn admit(&mut self, cx: &mut Context, now: Time, request: &Message, flow: Flow) -> Word {
        if cx.directory.is_open() {
            return Word::Granted {
                source: Source::Anyone,
                lent: None,
            };
        }
        // Its INVITE, MESSAGE and PUBLISH go on to the PBX, before anybody asks here.
        if let Some(client) = cx.client_over(now, request, flow) {
            let (code, headers) = (
                client.map_or_else(|(code, _)| code, |_| StatusCode::BAD_EVENT),
                Vec::new(),
            );
            return Word::Refused { code, headers };
        }
        let websocket = matches!(flow.transport, Transport::Ws | Transport::Wss);
        let claimed = claimed_user(request);
        let is_claimed = |user: &str| claimed.as_deref().is_none_or(|claimed| claimed == user);
        if let Some((user, lent)) = cx.directory.speaks_for(now, request, flow)
            && is_claimed(user)
        {
            let (source, lent) = (Source::User(user.to_owned()), lent.map(str::to_owned));
            return admit_domain(cx, request, (source, lent), flow);
        }
        // A trunk is known by its address, whatever its callers are called; users behind the same address
        // prove who they are.
        if !websocket
            && !acts_as_user(cx, claimed.as_deref(), request, flow)
            && let Some(name) = cx.directory.trunk_of(&called(request), flow)
        {
            let source = Source::Trunk(name.to_owned());
            return admit_domain(cx, request, (source, None), flow);
        }
        match self.verify(cx, now, request, flow) {
            Ok((user, lent)) if is_claimed(&user) => {
                admit_domain(cx, request, (Source::User(user), lent), flow)
            }
            Ok((user, _)) => {
                cx.refused(request, flow, &user, StatusCode::FORBIDDEN, Reason::OtherUser);
                Word::Refused {
                    code: StatusCode::FORBIDDEN,
                    headers: Vec::new(),
                }
            }
            Err(Some((code, headers))) => {
                if code == StatusCode::UNAUTHORIZED {
                    self.challenged(cx, now, request, flow, claimed.as_deref());
                }
                Word::Refused { code, headers }
            }
            Err(None) => Word::PassedOver,
        }
    }

    /// User that a REGISTER is admitted for, and the digest user name if the credentials end.
    pub(crate) fn admit_registration(
        &mut self,
        cx: &mut Context,
        now: Time,
        request: &Message,
        flow: Flow,
    ) -> Result<(String, Option<String>), Refused> {
        if cx.directory.is_open() {
            return Err(Some((
                StatusCode::METHOD_NOT_ALLOWED,
                vec![(
                    "Allow".into(),
                    "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE".into(),
                )],
            )));
        }
        let to = request.to().uri;
        // RFC 4475 §3.3.4: an address of record that is not SIP cannot be registered here.
        if !to.is_sip() {
            return Err(Some((StatusCode::BAD_REQUEST, Vec::new())));
        }
        let wanted = user_of(to);
        if !cx.is_ours(&host_of(to)) {
            cx.refused(
                request,
                flow,
                &wanted,
                StatusCode::NOT_FOUND,
                Reason::ForeignDomain,
            );
            return Err(Some((StatusCode::NOT_FOUND, Vec::new())));
        }
        match self.verify(cx, now, request, flow) {
            Ok((user, lent)) if user == wanted => Ok((user, lent)),
            Ok((user, _)) => {
                cx.refused(request, flow, &user, StatusCode::FORBIDDEN, Reason::OtherUser);
                Err(Some((StatusCode::FORBIDDEN, Vec::new())))
            }
            Err(refused) => {
                if matches!(refused, Some((StatusCode::UNAUTHORIZED, _))) {
                    self.challenged(cx, now, request, flow, Some(&wanted));
                }
                Err(refused)
            }
        }
    }

    /// User whose credentials the request carries, and their digest user name if they end.
    fn verify(
        &mut self,
        cx: &mut Context,
        now: Time,
        request: &Message,
        flow: Flow,
    ) -> Result<(String, Option<String>), Refused> {
        if cx.directory.is_open() {
            return Err(Some((StatusCode::FORBIDDEN, Vec::new())));
        }
        let address = flow.remote.ip();
        let (directory, guard) = (&cx.directory, &mut self.guard);
        // Set once there is something to guess at: the user that the credentials name.
        let mut attempt = None;
        let lookup = |name: &str| {
            let known = directory.user(name).map(|user| user.password.clone());
            let lent = match &known {
                None => directory.credentials().find(now, name),
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
                Verdict::Challenge { headers, .. } => Some((StatusCode::UNAUTHORIZED, headers)),
                Verdict::Ok { .. } | Verdict::Forbidden => Some((StatusCode::FORBIDDEN, Vec::new())),
            });
        };
        let taken = match taken {
            Ok(taken) => taken,
            Err(Denied::TooFast(wait)) => {
                cx.refused(
                    request,
                    flow,
                    &user,
                    StatusCode::SERVICE_UNAVAILABLE,
                    Reason::TooFast,
                );
                // The password was not checked, so it counts as neither wrong nor right.
                let seconds = wait.as_secs().max(1).to_string();
                return Err(Some((
                    StatusCode::SERVICE_UNAVAILABLE,
                    vec![("Retry-After".into(), seconds)],
                )));
            }
            Err(Denied::Banned(_)) => {
                self.silenced += 1;
                return Err(None);
            }
        };
        match verdict {
            Verdict::Ok { .. } if lent.as_ref().is_some_and(|lent| !lent.good) => {
                self.guard.give_back(taken);
                cx.refused(
                    request,
                    flow,
                    &user,
                    StatusCode::FORBIDDEN,
                    Reason::CredentialsOver,
                );
                Err(Some((StatusCode::FORBIDDEN, Vec::new())))
            }
            Verdict::Ok { username } if cx.directory.user(&user).is_some() => {
                self.guard.succeeded(now, taken);
                Ok((user, lent.map(|_| username)))
            }
            Verdict::Challenge { headers, .. } => {
                self.guard.give_back(taken);
                Err(Some((StatusCode::UNAUTHORIZED, headers)))
            }
            Verdict::Ok { .. } | Verdict::Forbidden => {
                self.guard.failed(now, address, taken);
                cx.refused(
                    request,
                    flow,
                    &user,
                    StatusCode::FORBIDDEN,
                    Reason::WrongCredentials,
                );
                Err(Some((StatusCode::FORBIDDEN, Vec::new())))
            }
        }
    }

    /// A request without credentials was challenged. A client that names no user of ours cannot answer,
    /// whatever follows. A datagram
    /// counts for nothing: it does not prove that it comes from its source address.
    fn challenged(
        &mut self,
        cx: &mut Context,
        now: Time,
        request: &Message,
        flow: Flow,
        claimed: Option<&str>,
    ) {
        let from = user_of(request.from().uri);
        let name = claimed.unwrap_or(&from);
        let has_credentials = request.auth(HeaderName::Authorization).next().is_some();
        if has_credentials || cx.directory.user(name).is_some() {
            return;
        }
        if flow.transport != Transport::Udp {
            self.guard.unknown_name(now, flow.remote.ip(), name);
        }
        cx.refused(
            request,
            flow,
            name,
            StatusCode::UNAUTHORIZED,
            Reason::UnknownSource,
        );
    }

    /// Reports bans that began.
    pub(crate) fn report_bans(&mut self, cx: &mut Context) {
        while let Some(ban) = self.guard.poll_ban() {
            cx.event(Event::Banned(ban));
        }
    }

    /// True for input from a banned source where no user of ours ever was: it is not even read.
    pub(crate) fn is_silenced(&self, now: Time, address: IpAddr) -> bool {
        self.guard.is_silenced(now, address)
    }

    /// Counts a message that was not read.
    pub(crate) fn count_silenced(&mut self) {
        self.silenced += 1;
    }

    pub(crate) fn silenced(&self) -> u64 {
        self.silenced
    }

    /// True if a user got in from that address lately.
    pub(crate) fn knows(&self, now: Time, address: IpAddr) -> bool {
        self.guard.knows(now, address)
    }

    pub(crate) fn bans(&self, now: Time) -> Vec<Ban> {
        self.guard.bans(now)
    }

    /// Bans a source that another guard has banned.
    pub(crate) fn ban(&mut self, now: Time, ban: Ban) {
        self.guard.adopt(now, ban);
    }

    /// Ends a ban; false when there is none.
    pub(crate) fn lift_ban(&mut self, now: Time, address: IpAddr) -> bool {
        self.guard.lift(now, address)
    }

    /// The guard bans no address that a trunk has now.
    pub(crate) fn spare_trunks(&mut self, cx: &Context) {
        self.guard.spare(spared(&cx.config, &cx.directory));
    }
}

/// True if the caller is one of our users by more than the name that it claims: it answers a challenge of
/// ours, or is registered from where the request came.
fn acts_as_user(cx: &Context, claimed: Option<&str>, request: &Message, flow: Flow) -> bool {
    let signs = || {
        request
            .auth(HeaderName::Authorization)
            .any(|credentials| credentials.get("realm") == Some(cx.config.realm.as_str()))
    };
    let at = |flow: Flow| (flow.transport, flow.remote);
    let registered = |user| {
        cx.directory
            .contacts(user)
            .any(|contact| at(contact.flow) == at(flow))
    };
    match claimed {
        Some(user) => cx.directory.user(user).is_some() && (signs() || registered(user)),
        None => signs(),
    }
}

/// Admission of a source that proved itself: a user calls within our domains.
fn admit_domain(
    cx: &mut Context,
    request: &Message,
    (source, lent): (Source, Option<String>),
    flow: Flow,
) -> Word {
    let host = request
        .request_uri()
        .and_then(|uri| UriRef::parse(uri).ok())
        .map(host_of)
        .unwrap_or_default();
    if let Source::User(user) = &source
        && !cx.is_ours(&host)
        && cx.config.emergency.called_by(request).is_none()
    {
        cx.refused(request, flow, user, StatusCode::NOT_FOUND, Reason::ForeignDomain);
        return Word::Refused {
            code: StatusCode::NOT_FOUND,
            headers: Vec::new(),
        };
    }
    Word::Granted { source, lent }
}

/// Sources that are never banned: trunks are slowed down at most, since a carrier's address must not be banned because somebody
/// forges it.
fn spared(config: &Config, directory: &Directory) -> Vec<guard::Network> {
    let trunks = directory.trunks().flat_map(|(_, trunk)| &trunk.sources);
    let registrars = directory.registrars().map(guard::Network::from);
    let trunks = trunks.copied().chain(registrars);
    config.guard.spare.iter().cloned().chain(trunks).collect()
}

impl Context {
    /// Reports a refusal.
    pub(crate) fn refused(
        &mut self,
        request: &Message,
        flow: Flow,
        user: &str,
        code: impl Into<Option<StatusCode>>,
        reason: Reason,
    ) {
        let refusal = Refusal::new(request, flow, user, code, reason);
        self.event(Event::Refused(Box::new(refusal)));
    }

    /// True for a program that by its own account looks for passwords and open relays. It gets no answer.
    pub(crate) fn is_scanner(&mut self, request: &Message, flow: Flow) -> bool {
        let is_scanner = request
            .header(HeaderName::UserAgent)
            .is_some_and(refusal::is_scanner);
        if is_scanner {
            let from = user_of(request.from().uri);
            self.refused(request, flow, &from, None, Reason::Scanner);
        }
        is_scanner
    }
}
