//! The task that owns the SIP machine of one connection.

use std::collections::BTreeMap;
use std::time::Duration;

use sans_io::{Time, earlier};
use session_core::{EndedBy, Fault};
use sip_core::endpoint::{
    Body, Endpoint, Event, Headers, Input, OutgoingInvite, Output, Reliability, Silence, Target, UsageId,
};
use sip_core::flow::Flow;
use sip_core::message::StatusCode;
use sip_core::message::{Address, Message, Method};
use sip_core::uri::Uri;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until};

use super::call::outcome;
use super::registration::{Registration, credentials};
use super::{Call, CallEvent, FAREWELL, Login, Parties};
use crate::client::ClientError;
use crate::clock::Clock;
use crate::trace;
use crate::transport::{self, Inbox, Transports};

/// Events that may wait for [`Call::event`]. A call whose owner lets more pile up is hung up.
const EVENTS: usize = 64;

/// Time that a called party may ring.
const RING: Duration = Duration::from_secs(180);

/// Request of a handle.
#[derive(Debug)]
pub(super) enum Request {
    Register {
        reply: oneshot::Sender<Result<(), ClientError>>,
    },
    Unregister {
        reply: oneshot::Sender<Result<(), ClientError>>,
    },
    Invite {
        to: String,
        offer: String,
        reply: oneshot::Sender<Result<Call, ClientError>>,
    },
    Accept {
        usage: UsageId,
        answer: String,
    },
    Reject {
        usage: UsageId,
        code: StatusCode,
    },
    AnswerOffer {
        usage: UsageId,
        answer: Result<String, StatusCode>,
    },
    HangUp {
        usage: UsageId,
    },
    Close {
        reply: oneshot::Sender<()>,
    },
}

/// The end of the connection, once it was asked for.
#[derive(Debug)]
pub(super) struct Closing {
    until: Time,
    reply: Option<oneshot::Sender<()>>,
}

/// Owner of the machine and of the connection.
#[derive(Debug)]
pub(super) struct Task {
    pub(super) endpoint: Endpoint,
    pub(super) transports: Transports,
    pub(super) inbox: Inbox,
    pub(super) clock: Clock,
    pub(super) flow: Flow,
    pub(super) login: Login,
    pub(super) registration: Registration,
    pub(super) requests: mpsc::Receiver<Request>,
    pub(super) sender: mpsc::WeakSender<Request>,
    pub(super) incoming: mpsc::Sender<Call>,
    pub(super) calls: BTreeMap<UsageId, mpsc::Sender<CallEvent>>,
    pub(super) closing: Option<Closing>,
}

impl Task {
    /// Runs until the connection is gone or closed.
    pub(super) async fn run(mut self) {
        loop {
            let now = self.clock.now();
            let deadline = self.drain(now);
            if self.is_over(now) {
                break;
            }
            let wake = deadline.map(|at| Instant::from_std(self.clock.instant(at)));
            let asleep = async {
                match wake {
                    Some(at) => sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                event = self.inbox.recv() => match event {
                    Some(event) => if !self.on_network(event) { break },
                    None => break,
                },
                request = self.requests.recv(), if self.closing.is_none() => match request {
                    Some(request) => self.on_request(request),
                    None => self.close(None),
                },
                () = asleep => self.on_timeout(),
            }
        }
        self.end();
    }

    /// False when the connection is gone.
    fn on_network(&mut self, event: transport::Event) -> bool {
        let now = self.clock.now();
        match self.transports.handle_event(event) {
            Some(transport::Event::Message { flow, data, receipt }) => {
                trace::received(flow, &data);
                self.endpoint.handle_input(now, Input::Message { flow, data });
                self.drain(now);
                drop(receipt);
            }
            Some(transport::Event::TransmitFailed { token }) => {
                self.endpoint.handle_input(now, Input::TransmitFailed { token });
            }
            Some(transport::Event::Closed { flow }) if flow == self.flow.id => {
                self.endpoint.handle_input(now, Input::FlowClosed { flow });
                self.drain(now);
                return false;
            }
            _ => {}
        }
        true
    }

    fn on_timeout(&mut self) {
        let now = self.clock.now();
        self.endpoint.handle_input(now, Input::Timeout);
        if self.registration.deadline().is_some_and(|at| at <= now) {
            self.send_register(now, false, None);
        }
    }

    fn on_request(&mut self, request: Request) {
        let now = self.clock.now();
        match request {
            Request::Register { reply } => self.send_register(now, false, Some(reply)),
            Request::Unregister { reply } => self.send_register(now, true, Some(reply)),
            Request::Invite { to, offer, reply } => {
                let call = self.invite(now, &to, offer);
                if let Err(Ok(unwanted)) = reply.send(call) {
                    self.endpoint.hangup(now, unwanted.usage(), None, Headers::new());
                }
            }
            Request::Accept { usage, answer } => {
                self.endpoint
                    .accept(now, usage, Some(Body::sdp(answer)), Headers::new());
            }
            Request::Reject { usage, code } => self.endpoint.reject(now, usage, code, Headers::new()),
            Request::AnswerOffer { usage, answer } => {
                let answer = answer.map(|sdp| Some(Body::sdp(sdp)));
                self.endpoint.answer_offer(now, usage, answer, Headers::new());
            }
            Request::HangUp { usage } => self.endpoint.hangup(now, usage, None, Headers::new()),
            Request::Close { reply } => self.close(Some(reply)),
        }
    }

    fn send_register(
        &mut self,
        now: Time,
        leave: bool,
        reply: Option<oneshot::Sender<Result<(), ClientError>>>,
    ) {
        let (endpoint, login) = (&mut self.endpoint, &self.login);
        self.registration
            .send(now, endpoint, self.flow, login, leave, reply);
    }

    fn invite(&mut self, now: Time, to: &str, offer: String) -> Result<Call, ClientError> {
        let sender = self.sender.upgrade().ok_or(ClientError::Stopped)?;
        let to = self.uri_of(to).ok_or(ClientError::Uri)?;
        let usage = self.endpoint.invite(
            now,
            OutgoingInvite {
                target: Target::Flow(self.flow),
                request_uri: to.clone(),
                from: Address::new(self.login.aor.clone()),
                to: Address::new(to),
                contact_user: self.registration.contact.clone(),
                body: Some(Body::sdp(offer)),
                parts: Vec::new(),
                extra: Headers::new(),
                credentials: Some(credentials(&self.login)),
                ring_timeout: RING,
                response_timeout: None,
                session_timer: None,
                reliable: Reliability::default(),
            },
        );
        let (events, receiver) = mpsc::channel(EVENTS);
        self.calls.insert(usage, events);
        Ok(Call::new(sender, usage, None, receiver))
    }

    /// URI of a number at the account's domain, or the SIP URI that is given.
    fn uri_of(&self, to: &str) -> Option<Uri> {
        if to.contains(':') {
            return Uri::parse(to).ok().filter(Uri::is_sip);
        }
        let user = sip_core::uri::escape_user(to);
        Uri::sip(Some(&user), self.login.aor.host()?, self.login.aor.port()).ok()
    }

    fn close(&mut self, reply: Option<oneshot::Sender<()>>) {
        if self.closing.is_some() {
            return;
        }
        let now = self.clock.now();
        self.closing = Some(Closing {
            until: now + FAREWELL,
            reply,
        });
        for usage in self.calls.keys().copied().collect::<Vec<_>>() {
            self.endpoint.hangup(now, usage, None, Headers::new());
        }
        if self.registration.is_registered() {
            self.send_register(now, true, None);
        }
        // Without handles there is nobody to ask for anything any more.
        self.requests.close();
    }

    fn is_over(&self, now: Time) -> bool {
        self.closing
            .as_ref()
            .is_some_and(|closing| closing.until <= now || self.is_quiet())
    }

    /// True if the server owes no answer.
    fn is_quiet(&self) -> bool {
        let counts = self.endpoint.counts();
        counts.requests == 0 && counts.usages == 0
    }

    /// Does all that the machine says; returns when it next wants the time.
    fn drain(&mut self, now: Time) -> Option<Time> {
        loop {
            match self.endpoint.poll_output() {
                Output::Transmit { to, data, token } => {
                    if trace::is_on() {
                        trace::sent(&to, self.transports.local_of(&to), &data);
                    }
                    if !self.transports.send(&to, data, token) {
                        trace::not_sent(&to);
                        self.endpoint.handle_input(now, Input::TransmitFailed { token });
                    }
                }
                // Everything goes over the one connection: a name leads nowhere else.
                Output::Resolve { query, .. } => {
                    let targets = Vec::new();
                    self.endpoint
                        .handle_input(now, Input::Resolved { query, targets });
                }
                Output::Event(event) => self.on_event(now, event),
                Output::Timeout(deadline) => {
                    let refresh = self.registration.deadline().map(|at| (at, "refresh"));
                    let end = self.closing.as_ref().map(|closing| (closing.until, "close"));
                    return earlier(earlier(deadline, refresh), end).map(|(at, _)| at);
                }
            }
        }
    }

    fn on_event(&mut self, now: Time, event: Event) {
        let none = Headers::new;
        match event {
            Event::Invite { usage, request, flow } => self.on_invite(now, usage, &request, flow),
            Event::Provisional {
                usage, code, body, ..
            } => {
                let answer = body.map(text);
                self.notify(now, usage, CallEvent::Ringing { code, answer });
            }
            Event::Answered { usage, body, .. } => {
                let answer = body.map(text);
                self.notify(now, usage, CallEvent::Answered { answer });
            }
            Event::Acked { usage, body } => {
                let answer = body.map(text);
                self.notify(now, usage, CallEvent::Acknowledged { answer });
            }
            Event::Offer {
                usage,
                fork: None,
                body,
                ..
            } => {
                let offer = body.map(text);
                self.notify(now, usage, CallEvent::Offer { offer });
            }
            // A fork that is not answered yet cannot change what was agreed with none.
            Event::Offer { usage, .. } => {
                self.endpoint
                    .answer_offer(now, usage, Err(StatusCode::REQUEST_PENDING), none())
            }
            Event::Ended { usage, cause } => {
                let (code, by, fault) = outcome(&cause);
                self.notify(now, usage, CallEvent::Ended { code, by, fault });
                self.calls.remove(&usage);
            }
            Event::InDialog { usage, tx, request } if request.is(&Method::Info) => {
                self.endpoint
                    .reply_in_dialog(now, usage, tx, StatusCode::OK, none(), None);
            }
            Event::Notify { usage, tx, .. } | Event::InDialog { usage, tx, .. } => {
                self.endpoint
                    .reply_in_dialog(now, usage, tx, StatusCode::METHOD_NOT_ALLOWED, none(), None);
            }
            Event::Refer { usage, refer, .. } => {
                self.endpoint
                    .reject_refer(now, usage, refer, StatusCode::DECLINE, &none())
            }
            Event::Referral { subscription, .. } => {
                self.endpoint
                    .reject_subscription(subscription, StatusCode::DECLINE, &none());
            }
            Event::Request { tx, request, .. } => {
                let code = if request.is(&Method::Options) {
                    StatusCode::OK
                } else {
                    StatusCode::METHOD_NOT_ALLOWED
                };
                self.endpoint.reply(now, tx, code, none(), None);
            }
            Event::Response {
                request, response, ..
            } => self.registration.answered(now, request, Ok(&response)),
            Event::RequestFailed { request, silence } => {
                let fault = match silence {
                    Silence::Timeout => Fault::NoResponse,
                    Silence::Transport => Fault::Unreachable,
                    Silence::Nowhere => Fault::Unresolved,
                };
                self.registration.answered(now, request, Err(fault));
            }
            Event::Pracked { .. }
            | Event::OfferWithdrawn { .. }
            | Event::OfferAnswered { .. }
            | Event::OfferRefused { .. }
            | Event::ReferAnswered { .. }
            | Event::Pinged { .. }
            | Event::Intruder { .. } => {}
            // None of these comes: no event package is registered, and this agent subscribes to nothing.
            Event::Subscribe { .. }
            | Event::Resubscribed { .. }
            | Event::SubscribeAgain { .. }
            | Event::SubscribeAnswered { .. }
            | Event::NotifyDue { .. }
            | Event::Notified { .. }
            | Event::SubscriptionEnded { .. } => {}
        }
    }

    fn on_invite(&mut self, now: Time, usage: UsageId, request: &Message, flow: Flow) {
        let user = |uri: Option<std::borrow::Cow<'_, str>>| uri.unwrap_or_default().into_owned();
        let offer = request.content().session;
        let offer = offer.map(|sdp| String::from_utf8_lossy(&sdp).into_owned());
        let parties = Parties {
            from: user(request.from().uri.user_unescaped()),
            to: user(request.to().uri.user_unescaped()),
            offer,
        };
        // There is no other way to a client behind a connection of its own (RFC 7118 §5).
        self.endpoint.move_flow(now, usage, flow);
        let (events, receiver) = mpsc::channel(EVENTS);
        let Some(sender) = self.sender.upgrade().filter(|_| self.closing.is_none()) else {
            return self
                .endpoint
                .reject(now, usage, StatusCode::TEMPORARILY_UNAVAILABLE, Headers::new());
        };
        let call = Call::new(sender, usage, Some(parties), receiver);
        if self.incoming.try_send(call).is_err() {
            return self
                .endpoint
                .reject(now, usage, StatusCode::BUSY_HERE, Headers::new());
        }
        self.calls.insert(usage, events);
        self.endpoint
            .ring(now, usage, StatusCode::RINGING, None, Headers::new());
    }

    fn notify(&mut self, now: Time, usage: UsageId, event: CallEvent) {
        let Some(call) = self.calls.get(&usage) else {
            return;
        };
        if call.try_send(event).is_err() {
            // Its owner is gone or does not look: nobody could end it.
            self.calls.remove(&usage);
            self.endpoint.hangup(now, usage, None, Headers::new());
        }
    }

    /// The connection is gone: all calls end.
    fn end(mut self) {
        for (_, call) in std::mem::take(&mut self.calls) {
            let _ = call.try_send(CallEvent::Ended {
                code: StatusCode::SERVICE_UNAVAILABLE,
                by: EndedBy::Failure,
                fault: Some(Fault::Unreachable),
            });
        }
        self.transports.close();
        if let Some(reply) = self.closing.and_then(|closing| closing.reply) {
            let _ = reply.send(());
        }
    }
}

fn text(body: Body) -> String {
    String::from_utf8_lossy(&body.data).into_owned()
}
