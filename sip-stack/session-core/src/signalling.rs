//! Events of the SIP machine, and the calls and registrations that they are for.

use media_core::control::LegId;
use sans_io::Time;
use sip_core::endpoint::{self, Ended, Exchange, RequestId, ServerTx, Silence, UsageId};
use sip_core::flow::{Flow, FlowId};
use sip_core::message::{HeaderName, Message, Method, StatusCode};

use crate::admission::Reason;
use crate::coordinator::Coordinator;
use crate::event::Event;
use crate::incoming::user_of;
use crate::instant::Outcome;
use crate::record::Fault;
use crate::trunk::{Met, Trouble, pause};

impl Coordinator {
    pub(crate) fn on_signalling(&mut self, now: Time, event: endpoint::Event) {
        match event {
            endpoint::Event::Invite { usage, request, flow } => self.inbound(now, usage, &request, flow),
            endpoint::Event::Provisional {
                usage,
                fork,
                code,
                body,
            } => {
                if let Some(leg) = self.leg_of(usage) {
                    let sdp = body.as_ref().map(|body| &body.data[..]);
                    self.with_leg(leg, |call, cx| {
                        call.branch_progress(cx, now, (leg, fork), code, sdp)
                    });
                }
            }
            endpoint::Event::Answered {
                usage, fork, body, ..
            } => {
                if let Some(leg) = self.leg_of(usage) {
                    let sdp = body.as_ref().map(|body| &body.data[..]);
                    self.with_leg(leg, |call, cx| call.branch_answered(cx, now, (leg, fork), sdp));
                }
            }
            endpoint::Event::Acked { usage, body } => {
                if let Some(leg) = self.leg_of(usage) {
                    self.acked(now, leg, body.as_ref().map(|body| &body.data[..]));
                }
            }
            endpoint::Event::Pracked { usage } => {
                if let Some(leg) = self.leg_of(usage) {
                    self.with_leg(leg, |call, cx| {
                        if let Some(l) = call.leg_mut(leg) {
                            l.acknowledge(cx);
                        }
                    });
                }
            }
            endpoint::Event::Offer {
                usage, fork, body, ..
            } => {
                if let Some(leg) = self.found(now, usage) {
                    self.with_leg(leg, |call, cx| call.reoffered(cx, now, (leg, usage), fork, body));
                }
            }
            endpoint::Event::OfferWithdrawn { usage } => {
                if let Some(leg) = self.leg_of(usage) {
                    self.with_leg(leg, |call, cx| call.offer_withdrawn(cx, now, leg));
                }
            }
            endpoint::Event::OfferAnswered { usage, body } => {
                if let Some(leg) = self.leg_of(usage) {
                    let answer = body.as_ref().map_or(&[][..], |body| &body.data[..]);
                    self.with_leg(leg, |call, cx| {
                        if !call.other_answered(cx, now, leg, answer) {
                            call.offer_answered(cx, now, leg, answer);
                        }
                    });
                }
            }
            // The previous agreement stands (RFC 3261 §14.1), if it can.
            endpoint::Event::OfferRefused {
                usage,
                code,
                challenges,
            } => {
                if let Some(leg) = self.leg_of(usage) {
                    self.with_leg(leg, |call, cx| {
                        call.offer_refused(leg);
                        call.other_refused(cx, now, leg, (code, challenges));
                        call.not_recovered(cx, now, leg, code);
                    });
                }
            }
            endpoint::Event::Refer {
                usage,
                refer,
                referral,
            } => self.referred(now, usage, refer, &referral),
            endpoint::Event::Referral {
                subscription,
                referral,
                request,
                flow,
            } => self.asked_outside(now, subscription, &referral, (&request, flow)),
            endpoint::Event::ReferAnswered {
                usage,
                code,
                challenges,
            } => self.refer_answered(now, usage, code, &challenges),
            endpoint::Event::Notify { usage, tx, request } => self.notified(now, usage, tx, &request),
            endpoint::Event::InDialog { usage, tx, request } => self.said_in_dialog(now, usage, tx, &request),
            endpoint::Event::Pinged { usage, alive } => {
                if let Some(leg) = self.leg_of(usage) {
                    self.with_leg(leg, |call, cx| call.pinged(cx, now, leg, alive));
                }
            }
            endpoint::Event::Intruder { request, flow, .. } => {
                let from = user_of(request.from().uri);
                let cx = self.context_mut();
                cx.refused(&request, flow, &from, StatusCode::FORBIDDEN, Reason::Intruder);
            }
            endpoint::Event::Ended { usage, cause } => self.usage_ended(now, usage, cause),
            endpoint::Event::Subscribe {
                subscription,
                event,
                expires,
                request,
                flow,
            } => {
                let asked = (&event, expires);
                if !self.subscribe_upstream(now, subscription, asked, (&request, flow)) {
                    self.subscribed(now, subscription, &event, (&request, flow));
                }
            }
            endpoint::Event::Resubscribed { subscription } => {
                if !self.notify_again(now, subscription) {
                    self.tell_all(now, subscription);
                }
            }
            endpoint::Event::NotifyDue { subscription } => self.tell_news(now, subscription),
            endpoint::Event::SubscriptionEnded { subscription, how } => {
                if !self.relayed_subscription_ended(now, subscription, how) {
                    self.watch_ended(subscription);
                }
            }
            // We subscribe for clients of a PBX alone.
            endpoint::Event::SubscribeAgain {
                subscription,
                expires,
                request,
            } => self.subscribe_again(now, subscription, expires, &request),
            endpoint::Event::SubscribeAnswered {
                subscription,
                response,
            } => self.subscribe_answered(now, subscription, &response),
            endpoint::Event::Notified {
                subscription,
                state,
                request,
                ..
            } => self.state_relayed(now, subscription, &state, &request),
            endpoint::Event::Request { tx, request, flow } => self.on_request(now, tx, &request, flow),
            endpoint::Event::Response {
                request,
                response,
                exchange,
            } => {
                self.answered(now, request, Outcome::Answered(&response), exchange.as_deref());
            }
            endpoint::Event::RequestFailed { request, silence } => {
                self.answered(now, request, Outcome::Silent(silence), None);
            }
        }
    }

    /// The outcome of a request of ours: a probe, a message, or a REGISTER. `exchange` says how an answer came about.
    fn answered(&mut self, now: Time, request: RequestId, outcome: Outcome<'_>, exchange: Option<&Exchange>) {
        // A peer's refusal is a sign of life as well.
        let is_alive = matches!(outcome, Outcome::Answered(_));
        if self.probe_answered(request, is_alive)
            || self.passed_on_answered(now, request, outcome)
            || self.message_answered(now, request, outcome)
            || self.relayed(now, request, outcome, exchange)
        {
            return;
        }
        let met = match outcome {
            Outcome::Answered(response) if response.status() == Some(StatusCode::SERVICE_UNAVAILABLE) => {
                Met::NoAnswer(Trouble::Refusing, pause(response))
            }
            Outcome::Answered(_) => Met::Answer,
            Outcome::Silent(Silence::Transport) => Met::NoAnswer(Trouble::Unreachable, None),
            Outcome::Silent(Silence::Timeout | Silence::Nowhere) => Met::NoAnswer(Trouble::Silent, None),
        };
        let cx = self.context_mut();
        if cx.trunks.answered(&mut cx.rng, now, request, met) {
            return;
        }
        let outcome = match (outcome, exchange) {
            (Outcome::Answered(response), Some(exchange)) => Ok((response, exchange)),
            // A request within a dialog, of a call that is over.
            (Outcome::Answered(_), None) => return,
            (Outcome::Silent(Silence::Nowhere), _) => Err(Fault::Unresolved),
            (Outcome::Silent(Silence::Timeout), _) => Err(Fault::NoResponse),
            (Outcome::Silent(Silence::Transport), _) => Err(Fault::Unreachable),
        };
        let (registrations, cx) = self.registrations_mut();
        if registrations.answered(cx, now, request, outcome) {
            self.spare_trunks();
        }
    }

    fn leg_of(&self, usage: UsageId) -> Option<LegId> {
        self.context().index.leg(usage)
    }

    /// The leg of a usage that its peer just spoke over: perhaps over a new flow.
    pub(crate) fn found(&mut self, now: Time, usage: UsageId) -> Option<LegId> {
        let leg = self.leg_of(usage)?;
        let flow = self.context().endpoint.usage(usage)?.flow;
        if let (Some(l), Some(flow)) = (self.leg(leg), flow)
            && l.flow().is_none_or(|before| before.id != flow.id)
        {
            self.with_leg(leg, |call, cx| call.move_leg(cx, now, leg, flow));
        }
        Some(leg)
    }

    fn acked(&mut self, now: Time, leg: LegId, sdp: Option<&[u8]>) {
        self.with_leg(leg, |call, cx| {
            let session = call.id();
            if call.acknowledged(cx, now, leg, sdp) {
                cx.event(Event::Answered { session, leg });
            }
        });
    }

    fn usage_ended(&mut self, now: Time, usage: UsageId, cause: Ended) {
        if let Some(leg) = self.context().index.leg(usage) {
            self.judge_outward(now, leg, &cause);
        }
        if let Some(leg) = self.context_mut().index.remove_usage(usage) {
            self.with_leg(leg, |call, cx| call.dialog_ended(cx, now, leg, cause));
        }
    }

    /// Bindings over a connection that closed end.
    pub(crate) fn unbind(&mut self, now: Time, flow: FlowId) {
        let (relays, _, cx) = self.upstream_mut();
        let user = cx.directory.registered_over_flow(flow).map(str::to_owned);
        cx.directory.flow_closed(flow);
        relays.flow_closed(flow);
        if let Some(user) = user.filter(|user| !cx.directory.is_reachable(user)) {
            cx.upstream.lost(now, &user);
        }
    }

    /// A connection closed.
    pub(crate) fn flow_lost(&mut self, now: Time, flow: FlowId) {
        self.context_mut().directory.flow_rights_lost(flow);
        let legs = self.calls().flat_map(crate::call::Call::legs);
        let lost = legs.filter(|l| l.flow().is_some_and(|other| other.id == flow));
        let mut lost: Vec<LegId> = lost.map(crate::leg::Leg::id).collect();
        lost.sort_unstable();
        for leg in lost {
            self.with_leg(leg, |call, cx| call.flow_lost(cx, now, leg));
        }
    }

    /// A request outside any dialog.
    fn on_request(&mut self, now: Time, tx: ServerTx, request: &Message, flow: Flow) {
        let cx = self.context_mut();
        if cx.is_scanner(request, flow) {
            return cx.endpoint.pass_over(tx);
        }
        // Our `Contact` at a registrar names an address, which is no domain.
        let is_foreign = request.uri().is_some_and(|uri| {
            uri.user().is_some()
                && !cx.is_ours(&crate::incoming::host_of(uri))
                && !cx.directory.is_contact(&user_of(uri))
        });
        match request.method() {
            Some(Method::Register) if self.register_upstream(now, tx, request, flow) => {}
            Some(Method::Message | Method::Publish) if self.request_upstream(now, tx, request, flow) => {}
            Some(Method::Register) => self.on_register(now, tx, request, flow),
            Some(Method::Message) => self.message_came(now, tx, request, flow),
            // RFC 3261 §11.2: as an INVITE would be answered. Whether a number leads anywhere is for the dial plan to say, not
            // for us; that a domain is not ours, we know. Without a user part it is a peer's keep-alive.
            Some(Method::Options) if is_foreign => {
                self.context_mut()
                    .endpoint
                    .reply(now, tx, StatusCode::NOT_FOUND, Vec::new(), None)
            }
            Some(Method::Options) => {
                let headers = vec![
                    (
                        "Accept".into(),
                        "application/sdp, application/dtmf-relay, application/dtmf".into(),
                    ),
                    ("Accept-Encoding".into(), "identity".into()),
                    ("Accept-Language".into(), "en".into()),
                ];
                self.context_mut()
                    .endpoint
                    .reply_once(tx, StatusCode::OK, &headers);
            }
            Some(Method::Publish) => self.published(now, tx, request, flow),
            Some(Method::Notify) => {
                if !self.notice_relayed(now, tx, request, flow) {
                    self.notice_came(now, tx, request, flow);
                }
            }
            Some(Method::Bye | Method::Update | Method::Info | Method::Prack) => {
                self.context_mut()
                    .endpoint
                    .reply(now, tx, StatusCode::CALL_DOES_NOT_EXIST, Vec::new(), None);
            }
            _ => self
                .context_mut()
                .endpoint
                .reply(now, tx, StatusCode::NOT_IMPLEMENTED, Vec::new(), None),
        }
    }

    fn on_register(&mut self, now: Time, tx: ServerTx, request: &Message, flow: Flow) {
        let (admission, cx) = self.admission_mut();
        let admitted = admission.admit_registration(cx, now, request, flow);
        admission.report_bans(cx);
        let (user, lent) = match admitted {
            Ok(admitted) => admitted,
            Err(Some((code, headers))) => return cx.endpoint.reply(now, tx, code, headers, None),
            Err(None) => return cx.endpoint.pass_over(tx),
        };
        let outcome = cx.directory.register(now, &user, request, flow);
        let granted = outcome.code == StatusCode::OK;
        cx.endpoint.reply(now, tx, outcome.code, outcome.headers, None);
        if granted && request.header(HeaderName::Contact).is_some() {
            self.registered(now, &user, lent, flow);
        }
        self.context_mut().report_reachable();
    }

    /// A user's bindings changed.
    pub(crate) fn registered(&mut self, now: Time, user: &str, lent: Option<String>, flow: Flow) {
        self.registered_over(now, user, lent, flow);
        if self.is_reachable(user) {
            self.flow_found(now, user, flow);
            self.user_returned(user);
            self.ring_again(now, user);
            self.deliver_kept(now, user);
        }
    }

    /// A user registered: whose browser is away from a kept call may be called into it again.
    fn user_returned(&mut self, user: &str) {
        for leg in self.legs_of_user(user) {
            self.with_leg(leg, |call, cx| call.leg_returned(cx, leg));
        }
    }

    /// A user registered: callers who lost the user's phone meanwhile have it ring again.
    fn ring_again(&mut self, now: Time, user: &str) {
        let waiting = self.calls().filter(|call| call.waits_for(user));
        let waiting: Vec<_> = waiting.map(crate::call::Call::id).collect();
        for session in waiting {
            self.with_call(session, |call, cx| call.ring_at_new_contacts(cx, now, user));
        }
    }
}
