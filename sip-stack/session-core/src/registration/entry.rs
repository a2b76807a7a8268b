//! One registration: what it asks, what it was granted, and when it asks again.

mod answer;
mod flow;
mod pauses;

use std::time::Duration;

use sans_io::Time;
use sip_core::auth::Answerer;
use sip_core::endpoint::{Headers, OutgoingRequest, RequestId, Target};
use sip_core::message::{Address, Message, Method, StatusCode};

use super::{Registrant, Registration, Service, media_security};
use crate::context::Context;
use crate::event::RegistrationState;
use crate::record::Fault;
use crate::trunk::{Met, TargetId, Trouble, pause};

/// Time for the answer of a target if there is another one.
const PATIENCE: Duration = Duration::from_millis(1_500);
/// Requests that one REGISTER may become, each with a CSeq of its own: repeated with credentials.
const CSEQS: u32 = 8;

/// A registration.
#[derive(Debug)]
pub(super) struct Entry {
    owner: Registrant,
    settings: Registration,
    call_id: String,
    cseq: u32,
    /// Knows the challenges of the registrar.
    answerer: Option<Answerer>,
    /// Asked for: more than configured if the registrar wants that.
    expires: Duration,
    step: Step,
    is_leaving: bool,
    binding: Option<Binding>,
    state: RegistrationState,
    /// State as it was reported last.
    reported: Option<RegistrationState>,
    /// Attempts that failed in a row.
    failures: u32,
    /// Target of its trunk that the last REGISTER went to, if we chose one.
    at: Option<TargetId>,
    /// `Security-Server` of the registrar.
    security: Vec<String>,
}

/// Course of the next REGISTER.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// Due, as soon as the pace allows.
    Queued,
    /// Under way.
    Asking(RequestId),
    /// The one that gives the registration up is under way.
    Leaving(RequestId),
    /// Due at a later time, or never.
    Resting,
}

/// A binding at the registrar.
#[derive(Debug)]
struct Binding {
    since: Time,
    service: Service,
    flow_timer: Option<Duration>,
    /// Keep-alive under way.
    keep_alive: Option<RequestId>,
}

/// Step that follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// REGISTER, as soon as the pace allows.
    Now,
    /// REGISTER after this time.
    After(Duration),
    /// Nothing new.
    Stay,
    /// It is over.
    Gone,
}

/// Request that an answer belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taken {
    Register,
    KeepAlive,
}

impl Entry {
    pub(super) fn new(owner: Registrant, settings: Registration, call_id: String) -> Entry {
        Entry {
            owner,
            expires: settings.expires,
            settings,
            call_id,
            cseq: 0,
            answerer: None,
            step: Step::Resting,
            is_leaving: false,
            binding: None,
            state: RegistrationState::Registering,
            reported: None,
            failures: 0,
            at: None,
            security: Vec::new(),
        }
    }

    pub(super) fn owner(&self) -> &Registrant {
        &self.owner
    }

    pub(super) fn settings(&self) -> &Registration {
        &self.settings
    }

    pub(super) fn state(&self) -> RegistrationState {
        self.state
    }

    pub(super) fn is_leaving(&self) -> bool {
        self.is_leaving
    }

    pub(super) fn is_queued(&self) -> bool {
        self.step == Step::Queued
    }

    /// Waits for its turn from now on; false if it does already, or a request is under way.
    pub(super) fn queue(&mut self) -> bool {
        let is_resting = self.step == Step::Resting;
        if is_resting {
            self.step = Step::Queued;
        }
        is_resting
    }

    /// Goes on with other credentials or another lifetime.
    pub(super) fn change(&mut self, settings: Registration) {
        self.expires = settings.expires;
        self.answerer = None;
        self.failures = 0;
        self.settings = settings;
    }

    /// True for one that was refused for good.
    pub(super) fn is_stopped(&self) -> bool {
        matches!(self.state, RegistrationState::Stopped(_))
    }

    /// Sends the REGISTER.
    pub(super) fn send(&mut self, cx: &mut Context, now: Time) {
        self.cseq += 1;
        let (target, response_timeout) = self.choose(cx);
        let settings = &self.settings;
        let expires = if self.is_leaving {
            Duration::ZERO
        } else {
            self.expires
        };
        let mut extra = vec![("Expires".to_owned(), expires.as_secs().to_string())];
        if settings.contact.is_none() {
            // RFC 6140 §5.2.
            extra.extend(["Require", "Proxy-Require"].map(|name| (name.to_owned(), "gin".to_owned())));
        }
        extra.extend(self.security(cx));
        let me = Address::new(settings.aor.clone());
        let new_answerer = || settings.credentials.clone().map(Answerer::new);
        let request = OutgoingRequest {
            method: Method::Register,
            target,
            request_uri: settings.registrar(),
            from: me.clone(),
            to: me,
            contact: Some(settings.outgoing_contact()),
            call: Some((self.call_id.clone(), self.cseq)),
            body: None,
            extra,
            answerer: self.answerer.take().or_else(new_answerer),
            response_timeout,
        };
        let request = cx.endpoint.request(now, request);
        self.step = match self.is_leaving {
            true => Step::Leaving(request),
            false => Step::Asking(request),
        };
        self.cseq += CSEQS;
    }

    /// Headers by which a trunk is told how we encrypt media, where it wants that (draft-dawes-sipcore-mediasec-parameter).
    fn security(&self, cx: &Context) -> Headers {
        let trunk = match &self.owner {
            Registrant::Trunk(name) => Some(name.as_str()),
            Registrant::Account(_) => None,
        };
        if !cx.directory.media_security(trunk) {
            return Headers::new();
        }
        let client = ("Security-Client".to_owned(), "sdes-srtp;mediasec".to_owned());
        // It is required from the first REGISTER on, when the registrar has said nothing yet.
        let mut verify = media_security(&self.security);
        if verify.is_empty() {
            verify = ["Require", "Proxy-Require"]
                .map(|name| (name.to_owned(), "mediasec".to_owned()))
                .to_vec();
        }
        std::iter::once(client).chain(verify).collect()
    }

    /// Destination of the next REGISTER, and the time that it may stay silent: a target of the trunk, unless it keeps a flow.
    fn choose(&mut self, cx: &mut Context) -> (Target, Option<Duration>) {
        let keeps_flow = self.binding.is_some() && self.settings.instance.is_some();
        let Registrant::Trunk(name) = &self.owner else {
            return (self.target(), None);
        };
        if keeps_flow {
            return (self.target(), None);
        }
        self.at = None;
        let known = self.binding.as_ref().map(|binding| binding.service.flow().remote);
        let chosen = cx.trunks.choose(name, &[], (None, true), &mut cx.rng);
        match chosen {
            Some(chosen) if !self.is_leaving => {
                self.at = Some(chosen.target);
                let others = cx.trunks.has_other(name, &[chosen.target]);
                (Target::Address(chosen.to), others.then_some(PATIENCE))
            }
            // It is given up where it was granted.
            Some(_) => match known.and_then(|known| cx.trunks.at(name, known)) {
                Some(to) => (Target::Address(to), None),
                None => (self.target(), None),
            },
            None => (self.target(), None),
        }
    }

    /// True if the last REGISTER went to that target.
    pub(super) fn is_at(&self, target: TargetId) -> bool {
        self.at == Some(target)
    }

    /// Notes the experience of the REGISTER at the target that it went to.
    pub(super) fn tell_target(&self, cx: &mut Context, now: Time, outcome: Result<&Message, Fault>) {
        let Some(target) = self.at else { return };
        let met = match outcome {
            Ok(response) if response.status() == Some(StatusCode::SERVICE_UNAVAILABLE) => {
                Met::Trouble(Trouble::Refusing, pause(response))
            }
            Ok(_) => Met::Life,
            Err(Fault::Unreachable) => Met::Trouble(Trouble::Unreachable, None),
            Err(_) => Met::Trouble(Trouble::Silent, None),
        };
        cx.trunks.met(now, target, met);
    }

    /// `next`, or if the target `failed` and another one is up, a REGISTER there.
    pub(super) fn or_elsewhere(&mut self, cx: &mut Context, next: Next, failed: bool) -> Next {
        let (Registrant::Trunk(name), Some(at)) = (&self.owner, self.at.filter(|_| failed)) else {
            return next;
        };
        let other = cx.trunks.choose(name, &[at], (None, false), &mut cx.rng);
        match other {
            Some(other)
                if other.is_up && !self.is_leaving && !self.is_stopped() && self.step == Step::Resting =>
            {
                self.forget_flow();
                Next::Now
            }
            _ => next,
        }
    }

    /// Over the flow that it keeps (RFC 5626 §4.2.1), or by what the settings say.
    fn target(&self) -> Target {
        let configured = Target::Uri {
            proxy: self.settings.proxy.clone(),
        };
        let Some(binding) = self.binding.as_ref().filter(|_| self.settings.instance.is_some()) else {
            return configured;
        };
        let proxy = self
            .settings
            .proxy
            .as_ref()
            .filter(|proxy| proxy.is_loose_router());
        Target::Contact {
            flow: binding.service.flow(),
            path: proxy
                .map(|proxy| format!("<{}>", proxy.as_str()))
                .into_iter()
                .collect(),
        }
    }

    /// Gives it up: with a REGISTER if the registrar may know of it.
    pub(super) fn leave(&mut self) -> Next {
        if std::mem::replace(&mut self.is_leaving, true) {
            return Next::Stay;
        }
        match self.step {
            Step::Asking(_) | Step::Leaving(_) => Next::Stay,
            Step::Queued | Step::Resting if self.binding.is_some() => Next::Now,
            Step::Queued | Step::Resting => self.gone(),
        }
    }

    fn gone(&mut self) -> Next {
        self.state = RegistrationState::GivenUp;
        Next::Gone
    }

    fn unless_leaving(&mut self, next: Next) -> Next {
        match (self.is_leaving, &self.binding) {
            (false, _) => next,
            (true, Some(_)) => Next::Now,
            (true, None) => self.gone(),
        }
    }

    /// Its state, if it is another than was it was reported last.
    pub(super) fn news(&mut self) -> Option<RegistrationState> {
        use RegistrationState::Registered;
        let is_old = match (self.reported, self.state) {
            (None, RegistrationState::Registering) => true,
            (Some(Registered { .. }), Registered { .. }) => true,
            (reported, state) => reported == Some(state),
        };
        if is_old {
            return None;
        }
        self.reported = Some(self.state);
        self.reported
    }

    /// Service that it gives the calls of its trunk; `None` where the registrar knows nothing of us.
    pub(super) fn service(&self) -> Option<Service> {
        let binding = self.binding.as_ref().filter(|_| !self.is_leaving);
        binding.map(|binding| binding.service.clone())
    }
}
