//! What a party of a call says beside the audio: MESSAGE (RFC 3428 §4) and INFO within the dialog go to the other party, and the answer
//! comes back.

use media_core::control::LegId;
use sans_io::Time;
use sip_core::endpoint::{Headers, PassedOn, RequestId, ServerTx, UsageId};
use sip_core::message::{HeaderName, Message, Method, StatusCode};

use super::content::{Content, body_of};
use super::delivery::Outcome;
use crate::call::Digit;
use crate::coordinator::Coordinator;
use crate::leg::Leg;

/// Fields of an answer that are carried back, besides those of its body.
const ANSWER: [&str; 4] = ["Accept", "Accept-Encoding", "Retry-After", "Warning"];

/// Whoever sent a request within a call that was passed on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sender {
    usage: UsageId,
    tx: ServerTx,
    /// True for a client of the PBX, which the PBX may challenge.
    is_client: bool,
}

impl Coordinator {
    /// A request within the dialog of a leg that says something.
    pub(crate) fn said_in_dialog(&mut self, now: Time, usage: UsageId, tx: ServerTx, request: &Message) {
        let Some(leg) = self.found(now, usage) else {
            return self.answer_in_dialog(now, (usage, tx), StatusCode::CALL_DOES_NOT_EXIST, Headers::new());
        };
        match request.method() {
            Some(Method::Info) => self.info_in_dialog(now, leg, (usage, tx), request),
            Some(Method::Message) => self.message_in_dialog(now, leg, (usage, tx), request),
            _ => self.answer_in_dialog(now, (usage, tx), StatusCode::NOT_IMPLEMENTED, Headers::new()),
        }
    }

    /// A digit is for the call; an empty INFO asks whether we are there (RFC 2976 §2.2); anything else is for the other party.
    fn info_in_dialog(&mut self, now: Time, leg: LegId, from: (UsageId, ServerTx), request: &Message) {
        if request.body().is_empty() {
            return self.answer_in_dialog(now, from, StatusCode::OK, Headers::new());
        }
        match Digit::of_info(request) {
            Digit::Pressed(digit, duration_ms) => {
                self.answer_in_dialog(now, from, StatusCode::OK, Headers::new());
                self.with_leg(leg, |call, cx| {
                    call.digit_by_info(cx, now, leg, digit, duration_ms);
                });
            }
            Digit::Malformed => self.answer_in_dialog(now, from, StatusCode::BAD_REQUEST, Headers::new()),
            Digit::Other => {
                let accept = vec![("Accept".into(), "application/dtmf-relay, application/dtmf".into())];
                let refusal = (StatusCode::UNSUPPORTED_MEDIA_TYPE, accept);
                // A digit in a form that nobody defined is no word for the other party.
                if request.has_content_type("audio/telephone-event") {
                    return self.answer_in_dialog(now, from, refusal.0, refusal.1);
                }
                self.pass_on(now, leg, (PassedOn::Info, from), request, refusal);
            }
        }
    }

    fn message_in_dialog(&mut self, now: Time, leg: LegId, from: (UsageId, ServerTx), request: &Message) {
        if request.body().len() > self.context().config.messages.max_size {
            let code = StatusCode::REQUEST_ENTITY_TOO_LARGE;
            return self.answer_in_dialog(now, from, code, Headers::new());
        }
        let refusal = (StatusCode::TEMPORARILY_UNAVAILABLE, Headers::new());
        self.pass_on(now, leg, (PassedOn::Message, from), request, refusal);
    }

    /// Passes a request on to the party that `leg` talks with; refuses it where there is none.
    fn pass_on(
        &mut self,
        now: Time,
        leg: LegId,
        (what, from): (PassedOn, (UsageId, ServerTx)),
        request: &Message,
        refusal: (StatusCode, Headers),
    ) {
        let hops = request.max_forwards().unwrap_or(70);
        if hops == 0 {
            return self.answer_in_dialog(now, from, StatusCode::TOO_MANY_HOPS, Headers::new());
        }
        let mut content = Content::of(request);
        let max_forwards = HeaderName::MaxForwards.as_str().to_owned();
        content.headers.push((max_forwards, (hops - 1).to_string()));
        let call = self.call_of(leg);
        let other = call.and_then(|call| call.leg(call.counterpart(leg)?));
        let to = other.filter(|l| l.is_up()).and_then(Leg::usage);
        let sender = call.and_then(|call| call.leg(leg));
        let is_client = sender.is_some_and(|l| self.context().is_client_of(l, other));
        if is_client {
            content.headers.extend(request.credentials());
        }
        let endpoint = &mut self.context_mut().endpoint;
        let sent = to.and_then(|to| endpoint.pass_on(now, to, what, &content.headers, content.body));
        match sent {
            Some(sent) => {
                let (usage, tx) = from;
                let sender = Sender { usage, tx, is_client };
                self.messages_mut().0.passed_on.insert(sent, sender);
            }
            None => self.answer_in_dialog(now, from, refusal.0, refusal.1),
        }
    }

    /// The outcome of a request of ours, if it was passed on from another dialog.
    pub(crate) fn passed_on_answered(&mut self, now: Time, request: RequestId, outcome: Outcome<'_>) -> bool {
        let Some(sender) = self.messages_mut().0.passed_on.remove(&request) else {
            return false;
        };
        let (usage, tx) = (sender.usage, sender.tx);
        match outcome {
            Outcome::Answered(response) => {
                let mut headers = Content::of(response).headers;
                for name in ANSWER {
                    let values = response.headers_named(name);
                    headers.extend(values.map(|value| (name.to_owned(), value.to_owned())));
                }
                let challenges = response.challenges();
                let code = match response.status() {
                    Some(code) if !challenges.is_empty() && sender.is_client => {
                        headers.extend(challenges);
                        code
                    }
                    // Nobody here has credentials for another one's peer.
                    Some(StatusCode::UNAUTHORIZED | StatusCode::PROXY_AUTHENTICATION_REQUIRED) => {
                        StatusCode::FORBIDDEN
                    }
                    // What the other dialog is to its peer says nothing of this one.
                    Some(StatusCode::CALL_DOES_NOT_EXIST) | None => StatusCode::TEMPORARILY_UNAVAILABLE,
                    Some(code) => code,
                };
                let endpoint = &mut self.context_mut().endpoint;
                endpoint.reply_in_dialog(now, usage, tx, code, headers, body_of(response));
            }
            Outcome::Silent(_) => {
                self.answer_in_dialog(now, (usage, tx), StatusCode::SERVER_TIME_OUT, Headers::new());
            }
        }
        true
    }

    fn answer_in_dialog(
        &mut self,
        now: Time,
        (usage, tx): (UsageId, ServerTx),
        code: StatusCode,
        headers: Headers,
    ) {
        let endpoint = &mut self.context_mut().endpoint;
        endpoint.reply_in_dialog(now, usage, tx, code, headers, None);
    }
}
