//! Calling somebody: one or more branches at once, early media, the first answer wins, the losers are cancelled.

use std::time::Duration;

use media_core::control::{Application, LegId, MediaSource};
use media_core::negotiated::{Codec, Direction};
use media_core::sdp::Family;
use sans_io::Time;
use sip_core::endpoint::{Body, Credentials, ForkId, OutgoingInvite, Reason, Target};
use sip_core::flow::{Flow, Transport};
use sip_core::message::Address;
use sip_core::uri::{Host, Uri, UriError};

use crate::SessionId;
use crate::config::Trunk;
use crate::coordinator::{Coordinator, Timer};
use crate::event::{Cause, Event, Fault};
use crate::forks::Forks;
use crate::leg::{Leg, Media, Pending, State};
use crate::media::Wanted;
use crate::session::{Dialling, Session, better};
use crate::verb::Redirect;

/// Caller as shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Caller {
    /// User part of From.
    pub user: String,
    /// Display name, may be empty.
    pub display: String,
}

/// Party to call.
#[derive(Clone, Debug)]
pub enum Party {
    /// All contacts of a user of the directory.
    User(String),
    /// A number at a trunk of the directory.
    Trunk {
        /// Its name.
        name: String,
        /// User part of the Request-URI.
        number: String,
    },
    /// Any SIP URI.
    Uri {
        /// Request-URI and To.
        uri: Uri,
        /// Proxy to send it to, instead of the URI's own host.
        proxy: Option<Uri>,
        /// Over this flow, if it is open (a registration's).
        flow: Option<Flow>,
        /// Offered, best first; empty: [`Config::phone_codecs`](crate::Config::phone_codecs).
        codecs: Vec<Codec>,
        /// For digest.
        credentials: Option<(String, String)>,
    },
}

/// Settings for calling parties.
#[derive(Clone, Debug)]
pub struct Dial {
    /// All rung at once.
    pub parties: Vec<Party>,
    /// Time that each branch may ring without a provisional response between.
    pub ring_timeout: Duration,
    /// Caller as shown; `None`: the one who called us.
    pub caller: Option<Caller>,
    /// Fate of the caller if nobody answers.
    pub on_failure: OnFailure,
}

/// Fate of the caller if nobody answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnFailure {
    /// Refused with the best of the codes.
    Reject,
    /// Stays; the application decides on [`Event::DialFailed`].
    Tell,
}

/// A call of ours, with nobody calling us.
#[derive(Clone, Debug)]
pub struct OutgoingCall {
    /// Party to call.
    pub party: Party,
    /// As whom.
    pub caller: Caller,
    /// Time that it may ring.
    pub ring_timeout: Duration,
    /// Sound for the party once it has answered.
    pub application: Option<Application>,
}

/// A branch ready to be made.
pub(super) struct Branch {
    pub(super) target: Target,
    pub(super) uri: Uri,
    pub(super) browser: bool,
    pub(super) party: String,
    pub(super) user: Option<String>,
    pub(super) trunk: Option<String>,
    pub(super) codecs: Vec<Codec>,
    pub(super) credentials: Option<Credentials>,
    pub(super) flow: Option<Flow>,
    /// Time that the target may stay silent.
    pub(super) timeout: Option<Duration>,
    /// Sources that its media are accepted from.
    pub(super) source: MediaSource,
    /// True if its registration came through proxies.
    pub(super) proxied: bool,
}

impl Branch {
    /// Address family that it speaks: that of its connection, or of the address that it is called at.
    fn family(&self) -> Option<Family> {
        let called = || match self.uri.borrow().host() {
            Some(Host::V4(_)) => Some(Family::V4),
            Some(Host::V6(_)) => Some(Family::V6),
            _ => None,
        };
        let over = self.flow.map(|flow| Family::of(flow.remote.ip()));
        over.or_else(called)
    }
}

impl Coordinator {
    /// Calls parties for a session whose caller waits. Ends in [`Event::Bridged`] or [`Event::DialFailed`]. A dial in
    /// progress goes on; its branches and the new ones compete.
    pub fn dial(&mut self, now: Time, session: SessionId, dial: Dial) {
        let Some(s) = self
            .sessions
            .get(&session)
            .filter(|s| s.ending.is_none() && s.callee.is_none())
        else {
            return;
        };
        let caller = dial.caller.clone().unwrap_or_else(|| s.from.clone());
        let mut best = 0;
        let mut fault = None;
        let mut branches = Vec::new();
        for party in &dial.parties {
            match self.branches(party) {
                Ok(found) => branches.extend(found),
                Err(code) => {
                    best = better(best, code);
                    fault = Some(if code == 480 {
                        Fault::NotRegistered
                    } else {
                        Fault::Unknown
                    });
                }
            }
        }
        let mut legs = Vec::new();
        for branch in branches {
            legs.push(self.start_branch(session, branch, &caller, dial.ring_timeout, Vec::new()));
        }
        let Some(s) = self.sessions.get_mut(&session) else {
            return;
        };
        s.fault = fault;
        match &mut s.dialling {
            Some(dialling) => {
                dialling.branches.extend(legs);
                dialling.best = better(dialling.best, best);
            }
            None => {
                s.dialling = Some(Dialling::new(
                    legs,
                    best,
                    dial.on_failure,
                    dial.ring_timeout,
                    caller,
                ));
            }
        }
        self.dial_settled(now, session);
    }

    /// Makes a call of ours: a session without a caller.
    ///
    /// # Errors
    /// The SIP code that says why the party cannot be called: 404 unknown user or trunk, 480 not registered.
    pub fn create_outgoing_call(&mut self, now: Time, call: OutgoingCall) -> Result<SessionId, u16> {
        let mut branches = self.branches(&call.party)?;
        let branch = branches.swap_remove(0);
        let session = SessionId(self.next_id());
        self.sessions.insert(
            session,
            Session::new(session, None, call.caller.clone(), user_text(&branch.uri), now),
        );
        let leg = self.start_branch(session, branch, &call.caller, call.ring_timeout, Vec::new());
        if let Some(l) = self.legs.get_mut(&leg) {
            l.application = call.application;
        }
        if let Some(s) = self.sessions.get_mut(&session) {
            s.dialling = Some(Dialling::new(
                vec![leg],
                0,
                OnFailure::Reject,
                call.ring_timeout,
                call.caller,
            ));
        }
        Ok(session)
    }

    pub(super) fn branches(&self, party: &Party) -> Result<Vec<Branch>, u16> {
        match party {
            Party::User(name) => {
                self.user(name).ok_or(404u16)?;
                let found: Vec<Branch> = self
                    .registrar
                    .lookup(name)
                    .map(|contact| {
                        let flow = contact.flow;
                        Branch {
                            target: Target::Contact {
                                flow,
                                path: contact.path.clone(),
                            },
                            uri: contact.uri.clone(),
                            browser: contact.takes_dtls(),
                            party: name.clone(),
                            user: Some(name.clone()),
                            trunk: None,
                            codecs: Vec::new(),
                            credentials: None,
                            flow: Some(flow),
                            timeout: None,
                            source: self.media_source(Some(name), None),
                            proxied: !contact.path.is_empty(),
                        }
                    })
                    .collect();
                if found.is_empty() { Err(480) } else { Ok(found) }
            }
            Party::Trunk { name, number } => {
                let trunk = self.trunk(name).ok_or(404u16)?;
                let uri = trunk_uri(trunk, Some(number)).map_err(|_| 404u16)?;
                Ok(vec![Branch {
                    target: Target::Uri { proxy: None },
                    uri,
                    browser: false,
                    party: number.clone(),
                    user: None,
                    trunk: Some(name.clone()),
                    codecs: trunk.codecs.clone(),
                    credentials: match (&trunk.username, &trunk.password) {
                        (Some(username), Some(password)) => Some(Credentials {
                            username: username.clone(),
                            password: password.clone(),
                        }),
                        _ => None,
                    },
                    flow: None,
                    timeout: trunk.timeout,
                    source: trunk.media_source,
                    proxied: false,
                }])
            }
            Party::Uri {
                uri,
                proxy,
                flow,
                codecs,
                credentials,
            } => Ok(vec![Branch {
                target: match flow {
                    Some(flow) => Target::Flow(*flow),
                    None => Target::Uri { proxy: proxy.clone() },
                },
                browser: false,
                party: user_text(uri),
                uri: uri.clone(),
                user: None,
                trunk: None,
                codecs: codecs.clone(),
                credentials: credentials.as_ref().map(|(username, password)| Credentials {
                    username: username.clone(),
                    password: password.clone(),
                }),
                flow: *flow,
                timeout: None,
                source: MediaSource::Learn,
                proxied: proxy.is_some(),
            }]),
        }
    }

    /// Makes the leg of a branch; its INVITE leaves as soon as its media is open.
    pub(super) fn start_branch(
        &mut self,
        session: SessionId,
        branch: Branch,
        caller: &Caller,
        ring: Duration,
        headers: Vec<(String, String)>,
    ) -> LegId {
        let leg = LegId(self.next_id());
        let hops = self
            .sessions
            .get(&session)
            .map_or(70, |s| s.max_forwards.saturating_sub(1));
        let codecs = if branch.codecs.is_empty() {
            self.codecs_for(None, branch.browser)
        } else {
            branch.codecs.clone()
        };
        let wanted = Wanted {
            browser: branch.browser,
            codecs,
            source: branch.source,
            family: branch.family(),
        };
        let (kind, negotiator) = self.open_media(session, leg, wanted);
        let host = if branch.credentials.is_some() {
            host_text(&branch.uri)
        } else {
            self.config.host.clone()
        };
        let from_user = match &branch.credentials {
            Some(c) if caller.user.is_empty() => c.username.clone(),
            _ => caller.user.clone(),
        };
        let from = Uri::sip(Some(&from_user), &host, None)
            .or_else(|_| Uri::sip(Some("anonymous"), "anonymous.invalid", None))
            .unwrap_or_else(|_| branch.uri.bare());
        let redirect = Redirect::of(&branch);
        let to = match branch
            .user
            .as_deref()
            .map(|user| Uri::sip(Some(user), &self.config.host, None))
        {
            Some(Ok(uri)) => uri,
            _ => branch.uri.bare(),
        };
        let invite = OutgoingInvite {
            target: branch.target,
            request_uri: branch.uri,
            from: Address::with_display(&caller.display, from),
            to: Address::new(to),
            contact_user: from_user,
            body: None,
            extra: std::iter::once(("Max-Forwards".into(), hops.to_string()))
                .chain(headers)
                .collect(),
            credentials: branch.credentials,
            ring_timeout: ring,
            response_timeout: branch.timeout,
            session_timer: self.config.session_timer.filter(|_| !branch.browser),
        };
        let mut made = Leg::new(
            leg,
            session,
            branch.browser,
            branch.party,
            branch.user,
            negotiator,
        );
        made.trunk = branch.trunk;
        made.flow = branch.flow;
        made.registered = branch.flow.map(|flow| flow.id);
        made.redirect = redirect;
        made.proxied = branch.proxied;
        made.pending.push(Pending::Invite(Box::new(invite)));
        self.add_leg(made, kind);
        if let Some(s) = self.sessions.get_mut(&session) {
            s.legs.push(leg);
        }
        leg
    }

    /// Media of a branch is open: its INVITE leaves with our offer.
    pub(crate) fn invite_now(&mut self, now: Time, leg: LegId, mut invite: Box<OutgoingInvite>) {
        let Some(sdp) = self.offer_sdp(leg, Direction::SendRecv) else {
            return;
        };
        invite.body = Some(Body::sdp(sdp));
        let host = host_text(&invite.request_uri);
        let over = match &invite.target {
            Target::Flow(flow) | Target::Contact { flow, .. } => Some(*flow),
            Target::Uri { .. } => None,
        };
        let usage = self.endpoint.invite(now, *invite);
        self.usages.insert(usage, leg);
        self.restrict(leg, usage, over.map(|flow| flow.remote.ip()), &host);
        if let Some(l) = self.legs.get_mut(&leg) {
            l.usage = Some(usage);
            if let Some(info) = self.endpoint.usage(usage) {
                l.call_id = info.call_id.clone();
            }
        }
    }

    /// Handles 101 to 199 of a branch, with or without SDP. SDP that cannot be read does not invalidate the
    /// status. The caller hears the fork that sent a description last; repeating a description changes nothing.
    pub(crate) fn branch_progress(
        &mut self,
        now: Time,
        leg: LegId,
        fork: Option<ForkId>,
        code: u16,
        sdp: Option<&[u8]>,
    ) {
        let Some(l) = self.legs.get_mut(&leg).filter(|l| l.state < State::Up) else {
            return;
        };
        l.state = State::Early;
        let session = l.session;
        let new = sdp.filter(|sdp| !l.forks.repeats(fork, sdp));
        let agreed = new.and_then(|sdp| l.fork_answered(fork, sdp).ok());
        let early_media = sdp.is_some() && l.forks.has(fork);
        if let Some(offer) = self.offer_named(session, leg) {
            return match self.transfers.get(&offer).copied() {
                Some(by) => self.transfer_rings(now, session, leg, by, code),
                None => self.event(Event::OfferRings { session, offer, code }),
            };
        }
        if let Some(negotiated) = agreed {
            self.connect(leg, negotiated);
        }
        let Some(s) = self.sessions.get_mut(&session) else {
            return;
        };
        let caller = s.caller;
        if let Some(dialling) = s.dialling.as_mut().filter(|_| early_media) {
            dialling.early.get_or_insert(leg);
        }
        if let Some(caller) = caller {
            match self.legs.get(&caller).map(|l| (l.state, l.media)) {
                Some((State::New | State::Early, Media::Opening)) => self.ring(now, caller, code),
                Some((State::New | State::Early, _)) => {
                    let code = if early_media { 183 } else { code };
                    self.ring_now(now, caller, code, early_media);
                }
                _ => {}
            }
        }
        self.event(Event::Progress {
            session,
            leg,
            code,
            early_media,
        });
        self.wire(session);
    }

    /// 2xx of a branch: it becomes the callee, the others are cancelled, the caller is answered.
    pub(crate) fn branch_answered(&mut self, now: Time, leg: LegId, fork: ForkId, sdp: Option<&[u8]>) {
        let Some(l) = self.legs.get_mut(&leg).filter(|l| l.state < State::Up) else {
            return;
        };
        let session = l.session;
        // RFC 3261 §13.2.2.4: the 2xx may repeat the SDP of a 183, or come from another fork with its own; if
        // it has none that can be used, the one of that fork's 183 stands.
        let said = sdp.and_then(|sdp| l.fork_answered(Some(fork), sdp).ok());
        let Some(negotiated) = said.or_else(|| l.adopt_fork(fork)) else {
            return self.drop_branch(now, leg, 488);
        };
        l.forks = Forks::default();
        if l.negotiated.as_ref() != Some(&negotiated) {
            self.connect(leg, negotiated);
        }
        let Some(l) = self.legs.get_mut(&leg) else { return };
        l.state = State::Up;
        l.answered = Some(now);
        self.branch_won(now, session, (leg, leg));
    }

    /// A branch is answered, by its own leg or by another one that takes its place: that is whom the caller wanted, the others are
    /// cancelled.
    pub(super) fn branch_won(&mut self, now: Time, session: SessionId, (branch, leg): (LegId, LegId)) {
        let Some(s) = self.sessions.get_mut(&session) else {
            return;
        };
        if let Some(offer) = s.offer_of(branch) {
            let offer = s.offers.remove(offer);
            return self.offer_won(now, session, leg, offer);
        }
        s.callee = Some(leg);
        self.timers.cancel(Timer::Absent(session));
        let losers = s.dialling.take().map(|d| d.branches).unwrap_or_default();
        let caller = s.caller;
        if caller.is_none() {
            s.answered.get_or_insert(now);
        }
        for loser in losers.into_iter().filter(|l| *l != leg) {
            self.end_leg(now, loser, Some(elsewhere()));
        }
        self.event(Event::Answered { session, leg });
        if let Some(l) = caller
            .and_then(|caller| self.legs.get_mut(&caller))
            .filter(|l| l.state < State::Up)
        {
            let caller = l.id;
            if l.media == Media::Opening {
                l.pending.push(Pending::Answer);
            } else {
                self.answer_now(now, caller);
            }
        }
        self.wire(session);
    }

    /// A branch is over without an answer.
    pub(crate) fn branch_failed(&mut self, now: Time, leg: LegId, code: u16) {
        let Some(l) = self.legs.get(&leg) else { return };
        let (session, fault, flow) = (l.session, l.fault, l.flow);
        let Some(s) = self.sessions.get_mut(&session) else {
            return;
        };
        if let Some(offer) = s.offer_of(leg) {
            return self.offer_branch_failed(now, session, leg, offer, code);
        }
        if let Some(dialling) = &mut s.dialling {
            dialling.remove(leg);
            dialling.failed.extend(flow);
            let best = better(dialling.best, code);
            if best != dialling.best || s.fault.is_none() {
                s.fault = fault;
            }
            dialling.best = best;
        }
        if is_for_all_phones(code) {
            self.quiet_other_phones(now, session, leg, code);
        }
        self.dial_settled(now, session);
        self.wire(session);
    }

    /// Ends the other branches to a user who declined at one phone; phones of that user that come back do not ring either.
    fn quiet_other_phones(&mut self, now: Time, session: SessionId, leg: LegId, code: u16) {
        let Some(user) = self.legs.get(&leg).and_then(|l| l.user.clone()) else {
            return;
        };
        let Some(dialling) = self.sessions.get_mut(&session).and_then(|s| s.dialling.as_mut()) else {
            return;
        };
        let is_theirs = |leg: &LegId| {
            let l = self.legs.get(leg);
            l.is_some_and(|l| l.user.as_ref() == Some(&user))
        };
        let others: Vec<LegId> = dialling.branches.iter().copied().filter(is_theirs).collect();
        dialling.absent.retain(|absent| *absent != user);
        for other in &others {
            dialling.remove(*other);
        }
        for other in others {
            self.end_leg(now, other, Some(declined(code)));
        }
    }

    /// Ends a branch that answered with something we cannot use.
    fn drop_branch(&mut self, now: Time, leg: LegId, code: u16) {
        self.end_leg(now, leg, None);
        self.branch_failed(now, leg, code);
    }

    /// Nobody is left to answer: says so, or refuses the caller.
    pub(super) fn dial_settled(&mut self, now: Time, session: SessionId) {
        let Some(s) = self.sessions.get_mut(&session).filter(|s| s.ending.is_none()) else {
            return;
        };
        let Some(dialling) = s.dialling.take_if(|d| d.is_over()) else {
            return;
        };
        let code = if dialling.best == 0 { 480 } else { dialling.best };
        self.event(Event::DialFailed { session, code });
        if dialling.on_failure == OnFailure::Reject {
            self.end_session(now, session, Cause::Refused, code);
        } else {
            self.timers.cancel(Timer::Session(session));
        }
    }
}

/// Why somebody's phone stops ringing (RFC 3326).
pub(crate) fn elsewhere() -> Reason {
    Reason {
        protocol: "SIP".into(),
        cause: Some(200),
        text: Some("Call completed elsewhere".into()),
    }
}

/// True for a final response that speaks for the person, not for one phone (RFC 3261 §16.7 step 5).
pub(super) fn is_for_all_phones(code: u16) -> bool {
    (600..700).contains(&code)
}

/// Reason (RFC 3326) of the CANCEL to a phone whose user declined at another one.
pub(super) fn declined(code: u16) -> Reason {
    Reason {
        protocol: "SIP".into(),
        cause: Some(code),
        text: Some("Declined elsewhere".into()),
    }
}

/// User part with percent-escapes decoded; of a telephone number the number alone.
pub(crate) fn user_text(uri: &Uri) -> String {
    uri.subscriber().map(|user| user.into_owned()).unwrap_or_default()
}

/// The host, without brackets or port.
pub(crate) fn host_text(uri: &Uri) -> String {
    uri.host().map(|host| host.to_string()).unwrap_or_default()
}

/// A number at a trunk; without one, the trunk itself.
pub(super) fn trunk_uri(trunk: &Trunk, number: Option<&str>) -> Result<Uri, UriError> {
    let uri = Uri::sip(number, &trunk.host, trunk.port)?;
    match trunk.transport {
        Transport::Udp => Ok(uri),
        transport => uri.with_param("transport", &transport.name().to_ascii_lowercase()),
    }
}
