//! One registration: what it asks, what it was granted, and when it asks again.

use std::time::Duration;

use sans_io::{Rng, Time};
use sip_core::auth::Answerer;
use sip_core::endpoint::{Exchange, Headers, OutgoingRequest, RequestId, Target};
use sip_core::flow::{Flow, FlowId, Transport};
use sip_core::message::{Address, Message, Method, StatusCode};

use super::granted::Granted;
use super::{Registrant, Registration, Service, media_security};
use crate::context::Context;
use crate::event::RegistrationState;
use crate::record::Fault;
use crate::trunk::{Met, TargetId, Trouble, pause};

/// Pauses after attempts that failed: the first, doubling up to the last; a random half of each is left out (RFC 5626 §4.5).
const BACK_OFF: (Duration, Duration) = (Duration::from_secs(8), Duration::from_secs(300));
/// Longest pause that a registrar can ask for by `Retry-After`.
const RETRY_AFTER: Duration = Duration::from_secs(3600);
/// Room for retransmissions before a registration expires: timer F, and a second attempt.
const ROOM: Duration = Duration::from_secs(40);
/// Time after which a flow counts as having worked: its loss is then no failure (RFC 5626 §4.5).
const FLOW_WORKED: Duration = Duration::from_secs(120);
/// Maximum time between two keep-alives over UDP and over connections (RFC 5626 §4.4).
const KEEP_ALIVE: (Duration, Duration) = (Duration::from_secs(29), Duration::from_secs(120));
/// Time for the answer to a keep-alive (RFC 5626 §4.4).
const PONG: Duration = Duration::from_secs(10);
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
    /// State as reported last.
    told: Option<RegistrationState>,
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
            told: None,
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

    /// The request of ours that was answered, if it was one.
    pub(super) fn taken(&mut self, request: RequestId) -> Option<Taken> {
        let keep_alive = self.binding.as_mut().map(|binding| &mut binding.keep_alive);
        match (self.step, keep_alive) {
            (Step::Asking(asked) | Step::Leaving(asked), _) if asked == request => Some(Taken::Register),
            (_, Some(keep_alive)) if *keep_alive == Some(request) => {
                *keep_alive = None;
                Some(Taken::KeepAlive)
            }
            _ => None,
        }
    }

    /// Takes in the final response to the REGISTER.
    pub(super) fn answered(
        &mut self,
        rng: &mut Rng,
        now: Time,
        response: &Message,
        exchange: &Exchange,
    ) -> Next {
        let left = matches!(self.step, Step::Leaving(_));
        self.step = Step::Resting;
        self.answerer.clone_from(&exchange.answerer);
        if !exchange.security.is_empty() {
            self.security.clone_from(&exchange.security);
        }
        if left {
            self.state = RegistrationState::GivenUp;
            return Next::Gone;
        }
        let next = match response.status() {
            Some(code) if code.is_success() => self.granted(rng, now, response, exchange),
            Some(StatusCode::INTERVAL_TOO_BRIEF) if self.asks_longer(response) => Next::Now,
            Some(code @ (StatusCode::FORBIDDEN | StatusCode::NOT_FOUND)) => {
                self.binding = None;
                self.state = RegistrationState::Stopped(code);
                Next::Stay
            }
            Some(code) => {
                self.state = RegistrationState::Refused(code);
                self.forget_flow();
                self.pause(rng, code, response.retry_after())
            }
            None => {
                debug_assert!(false, "what answers a request is a response");
                Next::Stay
            }
        };
        self.unless_leaving(next)
    }

    /// The REGISTER found no answer.
    pub(super) fn unanswered(&mut self, rng: &mut Rng, fault: Fault) -> Next {
        let left = matches!(self.step, Step::Leaving(_));
        self.step = Step::Resting;
        if left {
            self.state = RegistrationState::GivenUp;
            return Next::Gone;
        }
        self.state = RegistrationState::Unanswered(fault);
        self.forget_flow();
        let next = Next::After(self.back_off(rng));
        self.unless_leaving(next)
    }

    fn granted(&mut self, rng: &mut Rng, now: Time, response: &Message, exchange: &Exchange) -> Next {
        let granted = Granted::read(response, exchange, &self.settings, self.expires);
        let until = now + granted.expires;
        let service = Service {
            flow: exchange.flow,
            routes: granted.routes,
            is_over_flow: self.settings.instance.is_some(),
            security: self.security.clone(),
        };
        let before = self
            .binding
            .take()
            .filter(|binding| binding.service.flow() == exchange.flow);
        self.binding = Some(Binding {
            since: before.as_ref().map_or(now, |binding| binding.since),
            service,
            flow_timer: granted.flow_timer,
            keep_alive: before.and_then(|binding| binding.keep_alive),
        });
        self.failures = 0;
        self.state = RegistrationState::Registered { until };
        Next::After(refresh_after(rng, granted.expires))
    }

    /// Asks for the time that the registrar grants at least (RFC 3261 §10.2.8); false if that is no more than it was asked for.
    fn asks_longer(&mut self, response: &Message) -> bool {
        let least = response
            .min_expires()
            .map(|seconds| Duration::from_secs(seconds.into()));
        let longer = least.filter(|least| *least > self.expires);
        if let Some(longer) = longer {
            self.expires = longer;
        }
        longer.is_some()
    }

    /// Time until the next attempt after a refusal. Credentials that are refused are not tried often: the registrar may ban us for it.
    fn pause(&mut self, rng: &mut Rng, code: StatusCode, retry_after: Option<u32>) -> Next {
        let own = match code {
            StatusCode::UNAUTHORIZED | StatusCode::PROXY_AUTHENTICATION_REQUIRED => {
                self.failures += 1;
                BACK_OFF.1
            }
            _ => self.back_off(rng),
        };
        let asked = retry_after.map_or(Duration::ZERO, |seconds| Duration::from_secs(seconds.into()));
        // Those that were sent away together do not come back together.
        let asked = asked.min(RETRY_AFTER);
        Next::After(own.max(asked + share(rng, asked, 0, 25)))
    }

    fn back_off(&mut self, rng: &mut Rng) -> Duration {
        let (first, last) = BACK_OFF;
        let pause = first.saturating_mul(1 << self.failures.min(8)).min(last);
        self.failures = self.failures.saturating_add(1);
        share(rng, pause, 50, 100)
    }

    /// The flow is gone: registers again, at once if it had worked (RFC 5626 §4.5).
    pub(super) fn flow_lost(&mut self, rng: &mut Rng, now: Time) -> Next {
        let Some(binding) = self.binding.take() else {
            return Next::Stay;
        };
        if self.is_leaving {
            // The binding ended with its flow.
            return match self.step {
                Step::Asking(_) | Step::Leaving(_) => Next::Stay,
                Step::Queued | Step::Resting => self.gone(),
            };
        }
        self.state = RegistrationState::Unanswered(Fault::Unreachable);
        match self.step {
            Step::Asking(_) | Step::Leaving(_) | Step::Queued => Next::Stay,
            Step::Resting if now.since(binding.since) >= FLOW_WORKED => Next::Now,
            Step::Resting => Next::After(self.back_off(rng)),
        }
    }

    /// The next attempt looks for the registrar anew.
    fn forget_flow(&mut self) {
        if self.settings.instance.is_some() {
            self.binding = None;
        }
    }

    /// Flow that the registrar granted it over last.
    pub(super) fn service_flow(&self) -> Option<Flow> {
        Some(self.binding.as_ref()?.service.flow())
    }

    /// True if it depends on this connection.
    pub(super) fn keeps_flow(&self, flow: FlowId) -> bool {
        let binding = self.binding.as_ref().filter(|_| self.settings.instance.is_some());
        binding.is_some_and(|binding| binding.service.flow().id == flow)
    }

    /// Time until the next keep-alive over its flow, if it keeps one.
    pub(super) fn keep_alive_after(&self, rng: &mut Rng) -> Option<Duration> {
        let binding = self
            .binding
            .as_ref()
            .filter(|_| self.settings.instance.is_some())?;
        let usual = match binding.service.flow().transport {
            Transport::Udp => KEEP_ALIVE.0,
            Transport::Tcp | Transport::Tls | Transport::Ws | Transport::Wss => KEEP_ALIVE.1,
        };
        let longest = binding.flow_timer.unwrap_or(usual).max(Duration::from_secs(5));
        Some(share(rng, longest, 80, 100))
    }

    /// Sends a keep-alive: OPTIONS, which unlike CRLF and STUN (RFC 5626 §4.4) shows that the registrar behind the flow is there.
    pub(super) fn keep_alive(&mut self, cx: &mut Context, now: Time) {
        let Some(binding) = self
            .binding
            .as_mut()
            .filter(|binding| binding.keep_alive.is_none())
        else {
            return;
        };
        let registrar = self.settings.registrar();
        let request = OutgoingRequest {
            method: Method::Options,
            target: Target::Flow(binding.service.flow()),
            from: Address::new(self.settings.aor.clone()),
            to: Address::new(registrar.clone()),
            request_uri: registrar,
            contact: Some(self.settings.outgoing_contact()),
            call: None,
            body: None,
            extra: Vec::new(),
            answerer: None,
            response_timeout: Some(PONG),
        };
        binding.keep_alive = Some(cx.endpoint.request(now, request));
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

    /// Its state, if it is another than was reported last.
    pub(super) fn news(&mut self) -> Option<RegistrationState> {
        use RegistrationState::Registered;
        let is_old = match (self.told, self.state) {
            (None, RegistrationState::Registering) => true,
            (Some(Registered { .. }), Registered { .. }) => true,
            (told, state) => told == Some(state),
        };
        if is_old {
            return None;
        }
        self.told = Some(self.state);
        self.told
    }

    /// Service that it gives the calls of its trunk; `None` where the registrar knows nothing of us.
    pub(super) fn service(&self) -> Option<Service> {
        let binding = self.binding.as_ref().filter(|_| !self.is_leaving);
        binding.map(|binding| binding.service.clone())
    }
}

/// Time until the refresh: between 45 % of what was granted and 70 %, or what leaves room for retransmissions, if that is less and
/// still more than half.
fn refresh_after(rng: &mut Rng, granted: Duration) -> Duration {
    let granted = granted.max(Duration::from_secs(2));
    let early = granted * 45 / 100;
    let late = (granted * 70 / 100)
        .min(granted.saturating_sub(ROOM))
        .max(granted / 2);
    early + Duration::from_micros(rng.below(micros(late - early).max(1)))
}

/// A random share of a time: between these percentages of it.
fn share(rng: &mut Rng, time: Duration, least: u64, most: u64) -> Duration {
    let micros = micros(time);
    let (least, most) = (micros / 100 * least, micros / 100 * most);
    Duration::from_micros(least + rng.below((most - least).max(1)))
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX / 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refresh_comes_in_time_and_never_at_the_same_time() {
        let mut rng = Rng::seeded(5);
        for granted in [1, 2, 30, 60, 80, 100, 133, 134, 600, 3_600, u64::from(u32::MAX)] {
            let granted = Duration::from_secs(granted);
            let times: Vec<Duration> = (0..500).map(|_| refresh_after(&mut rng, granted)).collect();
            let (first, last) = (
                *times.iter().min().expect("times"),
                *times.iter().max().expect("times"),
            );
            assert!(
                last <= granted.max(Duration::from_secs(2)) * 7 / 10,
                "{granted:?}: {last:?}"
            );
            if granted >= ROOM * 2 {
                assert!(granted - last >= ROOM, "{granted:?}: {last:?} leaves no room");
            }
            assert!(
                (last - first) * 25 >= granted,
                "{granted:?}: from {first:?} to {last:?}"
            );
        }
    }
}
