//! Requests of clients that go on to the PBX, at a pace, and wait for its answer.

use std::collections::BTreeMap;

use sans_io::Time;
use sip_core::endpoint::{Exchange, Headers, OutgoingRequest, RequestId, ServerTx, Silence};
use sip_core::flow::{Flow, FlowId};
use sip_core::message::{Message, Method, StatusCode};
use sip_core::registrar::Effect;
use sip_core::uri::Uri;

use super::subscription::Asking;
use super::{Aor, RelayedSubscriptions, lines_of};
use crate::admission::Admission;
use crate::context::Context;
use crate::coordinator::{Coordinator, Timer};
use crate::guard::Try;
use crate::instant::Outcome;
use crate::registration::Pace;

/// Requests that may wait for their turn. At the usual pace, the last of them waits 20 s, and clients give up after 32.
const MAX_WAITING: usize = 4_000;
/// Those of one connection among them.
const MAX_OF_FLOW: usize = 20;
/// Requests with credentials from one address that may be under way at a time: half of what the guard takes in a row.
const MAX_GUESSES: usize = 10;
/// Headers of the PBX's answers that a client needs to make sense of them.
const PASSED_BACK: [&str; 9] = [
    "WWW-Authenticate",
    "Proxy-Authenticate",
    "Authentication-Info",
    "Retry-After",
    "Min-Expires",
    "Warning",
    "Unsupported",
    "Allow-Events",
    "SIP-ETag",
];

/// A request of a client.
#[derive(Debug)]
pub(super) struct Relay {
    pub(super) tx: ServerTx,
    pub(super) aor: Aor,
    pub(super) flow: Flow,
    pub(super) request: Message,
    /// Effect on the client's bindings, if it is a REGISTER.
    pub(super) effect: Option<Effect>,
    /// True if it carries credentials.
    pub(super) is_attempt: bool,
    /// They, as the guard counts them, while the PBX judges them.
    pub(super) attempt: Option<Try>,
    /// True if its client's connection closed meanwhile.
    pub(super) is_gone: bool,
}

/// A request whose turn has yet to come.
#[derive(Debug)]
enum Paced {
    Request(Box<(Relay, OutgoingRequest)>),
    Subscribe(Asking),
}

impl Paced {
    /// True for a request of this connection, other than a SUBSCRIBE.
    fn is_of(&self, flow: FlowId) -> bool {
        match self {
            Paced::Request(request) => request.0.flow.id == flow,
            Paced::Subscribe(_) => false,
        }
    }
}

/// Requests of clients on their way.
#[derive(Debug)]
pub(crate) struct Relays {
    pace: Pace,
    waiting: BTreeMap<u64, Paced>,
    under_way: BTreeMap<RequestId, Relay>,
    last_id: u64,
}

impl Relays {
    /// None yet; `rate` a second at most.
    pub(crate) fn new(rate: u32) -> Relays {
        Relays {
            pace: Pace::new(rate),
            waiting: BTreeMap::new(),
            under_way: BTreeMap::new(),
            last_id: 0,
        }
    }

    /// A connection closed: what waits for it is not sent, and what was sent binds nobody to it.
    pub(crate) fn flow_closed(&mut self, flow: FlowId) {
        self.waiting.retain(|_, paced| !paced.is_of(flow));
        for relay in self.under_way.values_mut().filter(|relay| relay.flow.id == flow) {
            relay.is_gone = true;
        }
    }

    /// True if a request of this connection would be one too many.
    fn is_full(&self, flow: FlowId) -> bool {
        let of_flow = self.waiting.values().filter(|paced| paced.is_of(flow));
        self.has_no_room() || of_flow.count() >= MAX_OF_FLOW
    }

    /// True if any request more would be one too many.
    pub(super) fn has_no_room(&self) -> bool {
        self.waiting.len() >= MAX_WAITING
    }

    /// Lets a request wait for its turn.
    fn push(&mut self, paced: Paced) {
        self.last_id += 1;
        self.waiting.insert(self.last_id, paced);
        self.pace.push(self.last_id);
    }

    /// Lets a SUBSCRIBE wait for its turn. Those of one client are limited by the number of its subscriptions.
    pub(super) fn push_subscribe(&mut self, asking: Asking) {
        self.push(Paced::Subscribe(asking));
    }

    /// Sends those whose turn it is. Of those with credentials, few of one address are under way at a time: each counts as a wrong guess
    /// until the PBX has judged it, and an office behind one address shall not look like somebody who guesses.
    fn send_due(
        &mut self,
        (admission, subscriptions): (&mut Admission, &mut RelayedSubscriptions),
        cx: &mut Context,
        now: Time,
    ) {
        let mut held = 0;
        while held < self.waiting.len()
            && let Some(id) = self.pace.pop(now)
        {
            let (mut relay, request) = match self.waiting.remove(&id) {
                None => continue,
                Some(Paced::Subscribe(asking)) => {
                    if subscriptions.ask(cx, now, asking) {
                        self.pace.sent(now);
                    }
                    continue;
                }
                Some(Paced::Request(request)) => *request,
            };
            if relay.is_attempt && self.guesses_of(&relay) >= MAX_GUESSES {
                self.waiting
                    .insert(id, Paced::Request(Box::new((relay, request))));
                self.pace.push(id);
                held += 1;
                continue;
            }
            let attempt = match relay.is_attempt {
                true => {
                    let name = relay.aor.attempted(&relay.request);
                    admission
                        .attempt(cx, now, (&relay.request, relay.flow), &name)
                        .map(Some)
                }
                false => Ok(None),
            };
            match attempt {
                Ok(attempt) => {
                    relay.attempt = attempt;
                    let request = cx.endpoint.request(now, request);
                    self.under_way.insert(request, relay);
                    self.pace.sent(now);
                }
                Err(Some((code, headers))) => cx.endpoint.reply(now, relay.tx, code, headers, None),
                Err(None) => cx.endpoint.pass_over(relay.tx),
            }
        }
        // Those that are held wait for an answer, not for the time.
        match self.pace.next().filter(|_| held < self.waiting.len()) {
            Some(at) => cx.timers.set(Timer::Upstream, at, "pace of requests to the PBX"),
            None => {
                cx.timers.cancel(Timer::Upstream);
            }
        }
    }

    /// Requests with credentials from the same address that the PBX has not judged yet.
    fn guesses_of(&self, relay: &Relay) -> usize {
        let address = relay.flow.remote.ip();
        let is_same = |other: &&Relay| other.is_attempt && other.flow.remote.ip() == address;
        self.under_way.values().filter(is_same).count()
    }
}

impl Relay {
    /// A request of a client, for the PBX.
    pub(super) fn new(
        tx: ServerTx,
        aor: Aor,
        (request, flow): (&Message, Flow),
        effect: Option<Effect>,
    ) -> Relay {
        Relay {
            tx,
            aor,
            flow,
            request: request.clone(),
            effect,
            is_attempt: has_credentials(request),
            attempt: None,
            is_gone: false,
        }
    }
}

/// True if a request carries credentials.
pub(super) fn has_credentials(request: &Message) -> bool {
    !credentials(request).is_empty()
}

/// Credentials of a request, as written.
pub(super) fn credentials(request: &Message) -> Headers {
    request.credentials()
}

/// Headers of an answer of the PBX that its client gets.
pub(crate) fn passed_back(response: &Message) -> Headers {
    lines_of(response, &PASSED_BACK)
}

/// The request for the PBX: addresses and credentials as the client wrote them, the rest ours. `None` if there is no way to the PBX.
pub(super) fn outgoing(
    cx: &Context,
    aor: &Aor,
    request: &Message,
    method: Method,
    headers: Headers,
) -> Option<OutgoingRequest> {
    let (_, trunk) = cx.pbx()?;
    let max_forwards = request.max_forwards().unwrap_or(70).saturating_sub(1);
    let mut from = request.from().to_owned();
    from.params.clear();
    Some(OutgoingRequest {
        method,
        target: cx.to_pbx(aor.as_str())?,
        request_uri: Uri::parse(request.request_uri()?).ok()?,
        from,
        to: request.to().to_owned(),
        contact: None,
        call: None,
        body: None,
        extra: std::iter::once(("Max-Forwards".to_owned(), max_forwards.to_string()))
            .chain(credentials(request))
            .chain(headers)
            .collect(),
        answerer: None,
        response_timeout: trunk.timeout,
    })
}

impl Coordinator {
    /// Passes a request on as soon as the pace allows.
    pub(super) fn relay(&mut self, now: Time, relay: Relay, request: OutgoingRequest) {
        if self.upstream_mut().0.is_full(relay.flow.id) {
            let retry = vec![("Retry-After".to_owned(), "20".to_owned())];
            let endpoint = &mut self.context_mut().endpoint;
            return endpoint.reply(now, relay.tx, StatusCode::SERVICE_UNAVAILABLE, retry, None);
        }
        let (relays, _, _) = self.upstream_mut();
        relays.push(Paced::Request(Box::new((relay, request))));
        self.relay_due(now);
    }

    /// The next requests may go to the PBX.
    pub(crate) fn relay_due(&mut self, now: Time) {
        let (relays, admission, subscriptions, cx) = self.pacing_mut();
        relays.send_due((admission, subscriptions), cx, now);
        admission.report_bans(cx);
    }

    /// The outcome of a request that was passed on, if it was one.
    pub(crate) fn relayed(
        &mut self,
        now: Time,
        request: RequestId,
        outcome: Outcome<'_>,
        exchange: Option<&Exchange>,
    ) -> bool {
        let Some(mut relay) = self.upstream_mut().0.under_way.remove(&request) else {
            return false;
        };
        let (code, response) = match outcome {
            Outcome::Answered(response) => (response.status(), Some(response)),
            // The way to the PBX is ours to know.
            Outcome::Silent(Silence::Timeout) => (Some(StatusCode::REQUEST_TIMEOUT), None),
            Outcome::Silent(Silence::Transport | Silence::Nowhere) => {
                (Some(StatusCode::SERVICE_UNAVAILABLE), None)
            }
        };
        let code = code.unwrap_or(StatusCode::SERVER_INTERNAL_ERROR);
        let attempt = relay.attempt.take();
        let (_, admission, cx) = self.upstream_mut();
        let name = relay.aor.attempted(&relay.request);
        admission.judged(
            cx,
            now,
            (&relay.request, relay.flow),
            (&name, attempt),
            (code, response),
        );
        admission.report_bans(cx);
        match (response.filter(|_| code.is_success()), relay.effect) {
            (Some(response), Some(effect)) => {
                let sent_by = exchange.map_or("", |exchange| &exchange.sent_by);
                self.registered_upstream(now, &relay, effect, (response, sent_by));
            }
            _ => {
                let headers = response.map(passed_back).unwrap_or_default();
                cx.endpoint.reply(now, relay.tx, code, headers, None);
            }
        }
        self.relay_due(now);
        true
    }
}
