//! Subscriptions of clients of the PBX (RFC 6665): lamps and message lamps. Each is two: the client's at us, and ours at the PBX. Who grants,
//! refreshes and ends them are the PBX and the client; we carry their words, at the pace of all requests to the PBX.

use std::collections::BTreeMap;
use std::time::Duration;

use sans_io::Time;
use sip_core::endpoint::{
    Body, EventType, Headers, OutgoingRequest, OutgoingSubscribe, ServerTx, SubscriptionEnd, SubscriptionId,
    SubscriptionState, TerminationReason,
};
use sip_core::flow::{Flow, FlowId};
use sip_core::message::{HeaderName, Message, Method, StatusCode};
use sip_core::uri::Uri;

use super::relay::{credentials, passed_back};
use super::{Aor, lines_of};
use crate::admission::Reason;
use crate::context::Context;
use crate::coordinator::Coordinator;
use crate::event::Source;
use crate::incoming::user_of;

/// Subscriptions of one client at a time.
const MAX_OF_CLIENT: usize = 200;

/// Headers of a SUBSCRIBE that the PBX gets as they are.
const PASSED_ON: [&str; 5] = [
    "Accept",
    "Supported",
    "Privacy",
    "P-Preferred-Identity",
    "Suppress-If-Match",
];

/// Subscriptions that stand for those of clients.
#[derive(Debug, Default)]
pub(crate) struct RelayedSubscriptions {
    /// By the client's, ours at the PBX.
    clients: BTreeMap<SubscriptionId, Relayed>,
    /// By ours, the client's.
    ours: BTreeMap<SubscriptionId, SubscriptionId>,
}

#[derive(Debug)]
struct Relayed {
    /// `None` while its turn has yet to come.
    ours: Option<SubscriptionId>,
    aor: Aor,
    /// Time that the client asked for last.
    wanted: Duration,
    /// True once the client's is granted.
    granted: bool,
}

/// A SUBSCRIBE for the PBX.
#[derive(Debug)]
pub(super) enum Asking {
    /// The first of a client's subscription, which came over this connection.
    First {
        client: SubscriptionId,
        wanted: Box<OutgoingSubscribe>,
        flow: FlowId,
    },
    /// A client prolongs its subscription, or ends it.
    Again {
        client: SubscriptionId,
        expires: Duration,
        extra: Headers,
    },
    /// The client of this one is gone.
    End { ours: SubscriptionId },
}

impl RelayedSubscriptions {
    /// Sends a SUBSCRIBE whose turn has come. False if nobody wants it any more.
    pub(super) fn ask(&mut self, cx: &mut Context, now: Time, asking: Asking) -> bool {
        match asking {
            Asking::First { client, wanted, flow } => self.ask_first(cx, now, (client, flow), *wanted),
            Asking::Again {
                client,
                expires,
                extra,
            } => {
                let Some(of_client) = self.clients.get(&client) else {
                    return false;
                };
                let ours = of_client.ours;
                let is_asked = ours.is_some_and(|ours| cx.endpoint.resubscribe(now, ours, expires, &extra));
                if !is_asked {
                    let gone = StatusCode::CALL_DOES_NOT_EXIST;
                    cx.endpoint.refuse_refresh(now, client, gone, &Headers::new());
                }
                is_asked
            }
            Asking::End { ours } => {
                cx.endpoint.unsubscribe(now, ours);
                true
            }
        }
    }

    fn ask_first(
        &mut self,
        cx: &mut Context,
        now: Time,
        (client, flow): (SubscriptionId, FlowId),
        wanted: OutgoingSubscribe,
    ) -> bool {
        let Some(of_client) = self.clients.get_mut(&client) else {
            return false;
        };
        let is_there = {
            let mut contacts = cx.directory.contacts(of_client.aor.as_str());
            contacts.any(|contact| contact.flow.id == flow)
        };
        if !is_there {
            self.clients.remove(&client);
            cx.endpoint
                .reject_subscription(client, StatusCode::FLOW_FAILED, &Headers::new());
            return false;
        }
        let ours = cx.endpoint.subscribe(now, wanted);
        of_client.ours = Some(ours);
        self.ours.insert(ours, client);
        true
    }

    fn count(&self, aor: &Aor) -> usize {
        self.clients
            .values()
            .filter(|relayed| relayed.aor == *aor)
            .count()
    }

    /// The client's subscription that ours stands for.
    fn client_of(&mut self, ours: SubscriptionId) -> Option<(SubscriptionId, &mut Relayed)> {
        let client = *self.ours.get(&ours)?;
        Some((client, self.clients.get_mut(&client)?))
    }

    fn forget(&mut self, client: SubscriptionId) -> Option<Relayed> {
        let relayed = self.clients.remove(&client)?;
        if let Some(ours) = relayed.ours {
            self.ours.remove(&ours);
        }
        Some(relayed)
    }
}

impl Coordinator {
    /// Passes the first SUBSCRIBE of a client of the PBX on; false if it is of somebody else. The connection has to be registered.
    pub(crate) fn subscribe_upstream(
        &mut self,
        now: Time,
        client: SubscriptionId,
        (event, expires): (&EventType, Duration),
        (request, flow): (&Message, Flow),
    ) -> bool {
        let cx = self.context_mut();
        let Some(speaks) = cx.client_over(now, request, flow) else {
            return false;
        };
        let aor = match speaks {
            Ok(aor) => aor,
            Err((code, reason)) => {
                refuse(cx, (request, flow), client, (code, reason));
                return true;
            }
        };
        let wanted = subscribe(cx, &aor, (event, expires), request);
        let (relays, _, relayed, cx) = self.pacing_mut();
        let retry = match () {
            () if relayed.count(&aor) >= MAX_OF_CLIENT => Some("60"),
            () if relays.has_no_room() => Some("20"),
            () => None,
        };
        let (Some(wanted), None) = (wanted, retry) else {
            let retry = retry.map(|seconds| ("Retry-After".to_owned(), seconds.to_owned()));
            let headers: Headers = retry.into_iter().collect();
            cx.endpoint
                .reject_subscription(client, StatusCode::SERVICE_UNAVAILABLE, &headers);
            return true;
        };
        let made = Relayed {
            ours: None,
            aor,
            wanted: expires,
            granted: false,
        };
        relayed.clients.insert(client, made);
        relays.push_subscribe(Asking::First {
            client,
            wanted: Box::new(wanted),
            flow: flow.id,
        });
        self.relay_due(now);
        true
    }

    /// The PBX answered a SUBSCRIBE: its client gets that answer.
    pub(crate) fn subscribe_answered(&mut self, now: Time, ours: SubscriptionId, response: &Message) {
        let (relayed, cx) = self.relayed_subscriptions_mut();
        let Some((client, of_client)) = relayed.client_of(ours) else {
            return;
        };
        let code = response.status().unwrap_or(StatusCode::SERVER_INTERNAL_ERROR);
        let left = response
            .expires()
            .map(|seconds| Duration::from_secs(seconds.into()));
        let left = left.unwrap_or(of_client.wanted).min(of_client.wanted);
        match (code.is_success(), of_client.granted) {
            (true, false) => of_client.grant(cx, now, client, left),
            (true, true) => cx.endpoint.accept_refresh(now, client, left),
            (false, false) => {
                relayed.forget(client);
                cx.endpoint
                    .reject_subscription(client, code, &passed_back(response));
            }
            (false, true) => cx
                .endpoint
                .refuse_refresh(now, client, code, &passed_back(response)),
        }
    }

    /// A client prolongs a subscription, or wants no more of it: the PBX is asked. False if it is no client's.
    pub(crate) fn subscribe_again(
        &mut self,
        now: Time,
        client: SubscriptionId,
        expires: Duration,
        request: &Message,
    ) {
        let (relays, _, relayed, cx) = self.pacing_mut();
        let Some(of_client) = relayed.clients.get_mut(&client) else {
            return;
        };
        if relays.has_no_room() {
            let retry = vec![("Retry-After".to_owned(), "20".to_owned())];
            return cx
                .endpoint
                .refuse_refresh(now, client, StatusCode::SERVICE_UNAVAILABLE, &retry);
        }
        of_client.wanted = expires;
        relays.push_subscribe(Asking::Again {
            client,
            expires,
            extra: headers(request),
        });
        self.relay_due(now);
    }

    /// The PBX tells a state: its client is told the same.
    pub(crate) fn state_relayed(
        &mut self,
        now: Time,
        ours: SubscriptionId,
        state: &SubscriptionState,
        request: &Message,
    ) {
        let (relayed, cx) = self.relayed_subscriptions_mut();
        let Some((client, of_client)) = relayed.client_of(ours) else {
            return;
        };
        // A NOTIFY may overtake the answer to its SUBSCRIBE (RFC 6665 §4.1.2.4).
        if !of_client.granted {
            let left = match state {
                SubscriptionState::Active { expires } | SubscriptionState::Pending { expires } => *expires,
                SubscriptionState::Terminated { .. } => Some(Duration::ZERO),
            };
            let left = left.unwrap_or(of_client.wanted).min(of_client.wanted);
            of_client.grant(cx, now, client, left);
        }
        let body = body_of(request);
        match state {
            SubscriptionState::Terminated { reason, retry_after } => {
                relayed.forget(client);
                let reason = termination(reason.as_deref(), *retry_after);
                cx.endpoint.terminate_subscription(now, client, reason, body);
            }
            SubscriptionState::Active { .. } | SubscriptionState::Pending { .. } => {
                cx.endpoint.notify(now, client, body);
            }
        }
    }

    /// A subscription is over, on either side: the other side is told. False if it stands for none of a client.
    pub(crate) fn relayed_subscription_ended(
        &mut self,
        now: Time,
        ended: SubscriptionId,
        how: SubscriptionEnd,
    ) -> bool {
        let (relays, _, relayed, cx) = self.pacing_mut();
        if let Some(of_client) = relayed.forget(ended) {
            // The client is gone, or did not refresh.
            if let Some(ours) = of_client.ours {
                relays.push_subscribe(Asking::End { ours });
                self.relay_due(now);
            }
            return true;
        }
        let Some((client, of_client)) = relayed.client_of(ended) else {
            return false;
        };
        let granted = of_client.granted;
        relayed.forget(client);
        match how {
            SubscriptionEnd::Refused(code) if !granted => {
                cx.endpoint.reject_subscription(client, code, &Headers::new());
            }
            // It may subscribe again at once.
            _ => cx
                .endpoint
                .terminate_subscription(now, client, TerminationReason::Deactivated, None),
        }
        true
    }

    /// A NOTIFY of the PBX, outside of any subscription, for one of its clients (an unsolicited message lamp): each of the client's
    /// connections gets it. False if it is for nobody of those.
    pub(crate) fn notice_relayed(&mut self, now: Time, tx: ServerTx, request: &Message, flow: Flow) -> bool {
        let called = request.uri().map(user_of).unwrap_or_default();
        let cx = self.context_mut();
        let Some(trunk) = cx.directory.trunk_of(&called, flow).map(str::to_owned) else {
            return false;
        };
        let Some(crate::event::Way::In { user }) = cx.way(&Source::Trunk(trunk), &called) else {
            return false;
        };
        let notices: Vec<OutgoingRequest> = cx
            .directory
            .contacts(&user)
            .map(|contact| notice(request, contact))
            .collect();
        let code = match notices.is_empty() {
            true => StatusCode::TEMPORARILY_UNAVAILABLE,
            false => StatusCode::OK,
        };
        for notice in notices {
            cx.endpoint.request(now, notice);
        }
        cx.endpoint.reply(now, tx, code, Headers::new(), None);
        true
    }
}

impl Relayed {
    fn grant(&mut self, cx: &mut Context, now: Time, client: SubscriptionId, left: Duration) {
        self.granted = true;
        cx.endpoint.accept_relayed(now, client, left);
    }
}

fn refuse(
    cx: &mut Context,
    (request, flow): (&Message, Flow),
    client: SubscriptionId,
    (code, reason): (StatusCode, Reason),
) {
    let from = user_of(request.from().uri);
    cx.refused(request, flow, &from, code, reason);
    cx.endpoint.reject_subscription(client, code, &Headers::new());
}

/// The SUBSCRIBE for the PBX: addresses and credentials as the client wrote them, the rest ours. `None` if there is no way to the PBX.
fn subscribe(
    cx: &Context,
    aor: &Aor,
    (event, expires): (&EventType, Duration),
    request: &Message,
) -> Option<OutgoingSubscribe> {
    let max_forwards = request.max_forwards().unwrap_or(70).saturating_sub(1);
    let mut from = request.from().to_owned();
    from.params.clear();
    Some(OutgoingSubscribe {
        target: cx.to_pbx(aor.as_str())?,
        request_uri: Uri::parse(request.request_uri()?).ok()?,
        from,
        to: request.to().to_owned(),
        contact_user: cx.upstream.contact_user(aor),
        event: event.clone(),
        // As the client wrote it, among the others.
        accept: Vec::new(),
        expires,
        extra: std::iter::once(("Max-Forwards".to_owned(), max_forwards.to_string()))
            .chain(headers(request))
            .collect(),
        credentials: None,
        relayed: true,
        response_timeout: cx.pbx()?.1.timeout,
    })
}

/// Headers of a client's SUBSCRIBE that go on, its credentials among them.
fn headers(request: &Message) -> Headers {
    let mut headers = credentials(request);
    headers.extend(lines_of(request, &PASSED_ON));
    headers
}

fn body_of(request: &Message) -> Option<Body> {
    let content_type = request.content_type().filter(|_| !request.body().is_empty())?;
    Some(Body {
        content_type: content_type.to_owned(),
        data: request.body_bytes(),
    })
}

/// An unsolicited NOTIFY for one connection of a client.
fn notice(request: &Message, contact: &sip_core::registrar::Binding) -> OutgoingRequest {
    let mut from = request.from().to_owned();
    from.params.clear();
    OutgoingRequest {
        method: Method::Notify,
        target: sip_core::endpoint::Target::Contact {
            flow: contact.flow,
            path: contact.path.clone(),
        },
        request_uri: contact.uri.clone(),
        from,
        to: request.to().to_owned(),
        contact: None,
        call: None,
        body: body_of(request),
        extra: lines_of(
            request,
            &[HeaderName::Event.as_str(), HeaderName::SubscriptionState.as_str()],
        ),
        answerer: None,
        response_timeout: None,
    }
}

/// Reason of an end, as its notifier wrote it (RFC 6665 §4.1.3).
fn termination(reason: Option<&str>, retry_after: Option<Duration>) -> TerminationReason {
    match reason {
        Some("probation") => TerminationReason::Probation(retry_after),
        Some("rejected") => TerminationReason::Rejected,
        Some("noresource") => TerminationReason::NoResource,
        Some("giveup") => TerminationReason::GiveUp(retry_after),
        Some("invariant") => TerminationReason::Invariant,
        _ => TerminationReason::Deactivated,
    }
}
