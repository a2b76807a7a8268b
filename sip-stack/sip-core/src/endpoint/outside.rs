use std::time::Duration;

use sans_io::Time;

use crate::auth::Answerer;
use crate::flow::{Destination, Flow};
use crate::message::{Message, Method, StatusCode};

use super::Endpoint;
use super::call_out::{max_forwards, new_call_id, routed_to};
use super::client::Purpose;
use super::event::{Event, Silence};
use super::ids::{RequestId, ServerTx};
use super::outgoing::{Body, Exchange, Headers, OutgoingRequest};
use super::wire::{self, Contact, Draft};

/// A request of ours outside any usage.
#[derive(Debug)]
pub(super) struct Outside {
    pub(super) answerer: Option<Answerer>,
    /// Time that a target may stay silent.
    pub(super) response_timeout: Option<Duration>,
    /// `Security-Server` of its challenge.
    pub(super) security: Vec<String>,
}

impl Endpoint {
    /// Sends a request outside any dialog: OPTIONS, REGISTER, MESSAGE, ... Its outcome comes as `Event::Response` (final
    /// responses only, credentials and failover being dealt with in here) or `Event::RequestFailed`.
    pub fn request(&mut self, now: Time, request: OutgoingRequest) -> RequestId {
        let id = RequestId(self.rng.u64());
        let tag = format!("{:016x}", self.rng.u64());
        let (call_id, cseq) = match request.call {
            Some(call) => call,
            None => (new_call_id(&mut self.rng), self.rng.below(1 << 16) as u32 + 1),
        };
        let takes_calls = matches!(request.method, Method::Options | Method::Register);
        let (uri, routes) = routed_to(&request.target, &request.request_uri);
        let draft = Draft {
            uri,
            routes,
            max_forwards: max_forwards(&request.extra),
            from: request.from.with_tag(&tag).to_string(),
            to: request.to.to_string(),
            call_id,
            cseq,
            contact: request.contact.map(|contact| Contact {
                user: wire::user(&contact.user),
                uri_params: contact.uri_params,
                params: contact.params,
            }),
            more: match takes_calls {
                true => self.about.lines(&request.extra, true),
                false => self.about.agent_and(&request.extra),
            },
            body: request.body,
            ..Draft::bare(request.method)
        };
        let outside = Outside {
            answerer: request.answerer,
            response_timeout: request.response_timeout,
            security: Vec::new(),
        };
        self.requests.insert(id, outside);
        let hop = self.hop_to_target(&request.target, &request.request_uri);
        self.dispatch(now, draft, hop, None, Purpose::Outside(id));
        id
    }

    /// Answers `Event::Request`: 200 to 299, which is kept for copies of the request. Refusals are sent
    /// [once](Endpoint::reply_once), without `body`.
    pub fn reply(&mut self, now: Time, tx: ServerTx, code: StatusCode, extra: Headers, body: Option<Body>) {
        let outside = self
            .servers
            .get(&tx.0)
            .is_some_and(|entry| entry.usage.is_none() && entry.is_open());
        if outside && code.is_refusal() {
            self.reply_once(tx, code, &extra);
        } else if outside {
            self.respond_with(now, tx.0, code.max(StatusCode::OK), &extra, body.as_ref());
        }
    }

    pub(super) fn outside_answered(
        &mut self,
        request: RequestId,
        response: Message,
        (flow, to): (Flow, &Destination),
    ) {
        if let Some(outside) = self.requests.remove(&request) {
            let exchange = Box::new(Exchange {
                flow,
                sent_by: self.sent_by(to),
                answerer: outside.answerer,
                security: outside.security,
            });
            self.event(Event::Response {
                request,
                response,
                exchange: Some(exchange),
            });
        }
    }

    pub(super) fn outside_failed(&mut self, request: RequestId, silence: Silence) {
        if self.requests.remove(&request).is_some() {
            self.event(Event::RequestFailed { request, silence });
        }
    }
}
