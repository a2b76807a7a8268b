//! REGISTER of a client of the PBX: answered here, or passed on.

use std::time::Duration;

use sans_io::Time;
use sip_core::endpoint::{Headers, OutgoingContact, OutgoingRequest, ServerTx};
use sip_core::flow::Flow;
use sip_core::message::{HeaderName, Message, Method, StatusCode};
use sip_core::registrar::{Effect, RegisterOutcome};

use super::line::Line;
use super::relay::{Relay, has_credentials, outgoing, passed_back};
use super::{Aor, is_browser};
use crate::admission::Reason;
use crate::context::Context;
use crate::coordinator::Coordinator;
use crate::incoming::host_of;
use crate::registration::seconds_of;

/// Time that is asked of the PBX at least, so that browsers which refresh more often need not bother it.
const ASKED: Duration = Duration::from_secs(600);

/// Course of a REGISTER.
enum Course {
    /// Answered here, for this time at most.
    Here(Duration),
    Refused(RegisterOutcome),
    PassedOn(Effect),
}

impl Coordinator {
    /// Handles a REGISTER of a client of the PBX; false if it is of somebody else.
    pub(crate) fn register_upstream(
        &mut self,
        now: Time,
        tx: ServerTx,
        request: &Message,
        flow: Flow,
    ) -> bool {
        let cx = self.context_mut();
        let Some(aor) = client(cx, request, flow) else {
            return false;
        };
        match course(cx, now, &aor, request, flow) {
            Course::Here(longest) => self.bind(now, tx, &aor, (request, flow), longest, Headers::new()),
            Course::Refused(outcome) => {
                if outcome.code == StatusCode::NOT_FOUND {
                    cx.refused(request, flow, aor.user(), outcome.code, Reason::ForeignDomain);
                }
                cx.endpoint.reply(now, tx, outcome.code, outcome.headers, None);
            }
            Course::PassedOn(effect) => match register(cx, &aor, request, effect) {
                Some(outgoing) => {
                    let relay = Relay::new(tx, aor, (request, flow), Some(effect));
                    self.relay(now, relay, outgoing);
                }
                None => cx
                    .endpoint
                    .reply(now, tx, StatusCode::SERVICE_UNAVAILABLE, Headers::new(), None),
            },
        }
        true
    }

    /// The PBX granted a REGISTER.
    pub(super) fn registered_upstream(
        &mut self,
        now: Time,
        relay: &Relay,
        effect: Effect,
        (response, sent_by): (&Message, &str),
    ) {
        let cx = self.context_mut();
        let aor = relay.aor.as_str();
        let mut longest = Duration::ZERO;
        match effect {
            Effect::Empty => cx.upstream.ended(aor),
            Effect::Query => {}
            Effect::Bind(_) | Effect::Remove => {
                let user = cx.upstream.contact_user(&relay.aor);
                let of_header = || response.expires().map(u64::from);
                let seconds = seconds_of(response, sent_by, Some(&user)).or_else(of_header);
                let granted = seconds.map_or(asked(effect), Duration::from_secs);
                let routes = response.headers(HeaderName::ServiceRoute);
                let line = Line::new(now, granted, routes.map(str::to_owned).collect());
                longest = line.lease(now);
                cx.upstream.granted(now, aor, line);
            }
        }
        if relay.is_gone {
            return cx.upstream.lost(now, aor);
        }
        let headers = passed_back(response);
        self.bind(
            now,
            relay.tx,
            &relay.aor,
            (&relay.request, relay.flow),
            longest,
            headers,
        );
    }

    /// Changes the bindings as a REGISTER asks, and answers it.
    fn bind(
        &mut self,
        now: Time,
        tx: ServerTx,
        aor: &Aor,
        (request, flow): (&Message, Flow),
        longest: Duration,
        headers: Headers,
    ) {
        let cx = self.context_mut();
        let outcome = cx
            .directory
            .register_within(now, aor.as_str(), request, flow, longest);
        let granted = outcome.code == StatusCode::OK;
        let headers = outcome.headers.into_iter().chain(headers).collect();
        cx.endpoint.reply(now, tx, outcome.code, headers, None);
        if granted && request.header(HeaderName::Contact).is_some() {
            self.registered(now, aor.as_str(), None, flow);
        }
        self.context_mut().report_reachable();
    }
}

/// Address of record that a REGISTER is for, if it is the PBX's: of a browser, over a connection of its own, which nobody else can use.
fn client(cx: &Context, request: &Message, flow: Flow) -> Option<Aor> {
    Aor::of(request.to().uri).filter(|aor| is_browser(request, flow) && cx.is_pbxs(aor))
}

/// Decides on a REGISTER: see the rules of the [module](super).
fn course(cx: &Context, now: Time, aor: &Aor, request: &Message, flow: Flow) -> Course {
    if !request.uri().is_some_and(|uri| cx.is_of_pbx(&host_of(uri))) {
        return Course::Refused(RegisterOutcome {
            code: StatusCode::NOT_FOUND,
            headers: Headers::new(),
        });
    }
    let effect = match cx.directory.registrar().effect(aor.as_str(), request) {
        Ok(effect) => effect,
        Err(outcome) => return Course::Refused(outcome),
    };
    let speaks = cx
        .directory
        .speaks_for(now, request, flow)
        .is_some_and(|(user, _)| user == aor.as_str());
    let line = cx
        .upstream
        .line(aor.as_str())
        .filter(|_| speaks && !has_credentials(request));
    match (effect, line) {
        (Effect::Bind(_) | Effect::Query, Some(line)) if line.is_fresh(now) => Course::Here(line.lease(now)),
        (Effect::Remove, Some(line)) => Course::Here(line.lease(now)),
        _ => Course::PassedOn(effect),
    }
}

/// Time that is asked of the PBX.
fn asked(effect: Effect) -> Duration {
    match effect {
        Effect::Bind(longest) => longest.max(ASKED),
        Effect::Remove | Effect::Query => ASKED,
        Effect::Empty => Duration::ZERO,
    }
}

/// The REGISTER for the PBX. Its Call-ID stands for the client's, and its CSeq is the client's, so both go on as the client's do.
fn register(cx: &Context, aor: &Aor, request: &Message, effect: Effect) -> Option<OutgoingRequest> {
    let is_query = effect == Effect::Query;
    let expires = ("Expires".to_owned(), asked(effect).as_secs().to_string());
    let headers = (!is_query).then_some(expires).into_iter().collect();
    Some(OutgoingRequest {
        contact: (!is_query).then(|| OutgoingContact {
            user: cx.upstream.contact_user(aor),
            ..OutgoingContact::default()
        }),
        call: Some((cx.upstream.call_id(aor, request.call_id()), request.cseq().number)),
        ..outgoing(cx, aor, request, Method::Register, headers)?
    })
}
